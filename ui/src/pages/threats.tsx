import { useMemo } from "react";
import { read } from "../api/client";
import type { ColumnDef } from "@tanstack/react-table";
import type { Schemas } from "../api/client";
import { ago, count, quoted } from "../format";
import { Bars, Link, Panel, RangePicker, Tag, Trouble, Waiting, useSince } from "../parts/basics";
import { Chart } from "../parts/chart";
import { Table, answerRows } from "../parts/table";
import { useLoad, useParam } from "../state";

const COLORS = ["--c5", "--c3", "--c1", "--c2", "--c6", "--c4"];

export function Threats() {
  const [since] = useSince();
  const [filter, setFilter] = useParam("filter");
  const loaded = useLoad(`threats ${since} ${filter}`, (signal) => read("/api/v1/threats", { query: { since, filter }, signal }), 20_000);
  const data = loaded.data;
  const chart = useMemo(() => {
    if (!data) return undefined;
    const rows = answerRows(data.over_time).map((row) => ({ at: Date.parse(String(Object.values(row)[0])) / 1000, name: String(row.category), count: Number(row.count) }));
    const names = [...new Set(rows.map((row) => row.name))].sort();
    if (rows.length === 0) return { times: [], lines: [] };
    const first = Math.min(...rows.map((row) => row.at));
    // The step that has not ended yet would look like a fall.
    const last = Math.min(Math.max(...rows.map((row) => row.at)), Math.max(first, Date.now() / 1000 - data.step_s));
    const times: number[] = [];
    for (let at = first; at <= last && times.length < 2000; at += data.step_s) times.push(at);
    const counts = new Map(rows.map((row) => [`${row.at} ${row.name}`, row.count]));
    const lines = names.slice(0, 6).map((name, index) => ({ label: name, color: COLORS[index % COLORS.length], values: times.map((at) => counts.get(`${at} ${name}`) ?? 0), fill: index === 0 }));
    return { times, lines };
  }, [data]);
  const events = (more: string) => `/events?since=${since}&filter=${encodeURIComponent(filter ? `(${filter}) and ${more}` : more)}`;
  const bars = (answer: { columns: string[]; rows: unknown[][] }, field: string, value: (name: string) => string) =>
    answerRows(answer).map((row) => {
      const absent = row[field] === null || row[field] === "";
      const name = absent ? `no known ${field}` : String(row[field]);
      const refused = Number(row.refused);
      return { name, count: Number(row.count), to: events(`${field}=${absent ? "none" : value(name)} and reason=*`), note: refused > 0 ? `${count(refused)} refused` : undefined };
    });
  return (
    <>
      <div className="controls">
        <RangePicker />
        {data?.categories.map((line) => {
          const own = `category=${line.name}`;
          return <button type="button" key={line.name} className="chip" aria-pressed={filter === own} onClick={() => setFilter(filter === own ? "" : own)}>{line.name} {count(line.count)}</button>;
        })}
        {filter && !filter.startsWith("category=") && <button type="button" className="chip" aria-pressed onClick={() => setFilter("")}>{filter} ✕</button>}
      </div>
      <Trouble problem={loaded.problem} />
      {!data ? loaded.loading && <Waiting /> : (
        <>
          <Panel title="Findings over time" note={data.source === "events" ? "Exchanges with findings, by kind of threat, counted from the recorded exchanges." : "Exchanges with findings, by kind of threat."} actions={<Link to={events("reason=*")}>The exchanges</Link>}>
            {chart && <Chart label="Findings over time" times={chart.times} lines={chart.lines} format={count} height={220} />}
          </Panel>
          <Incidents since={since} filter={filter} />
          <div className="columns">
            <Panel title="By reason"><Bars lines={bars(data.by_reason, "reason", (name) => name)} empty="No findings." /></Panel>
            <Panel title="By source"><Bars lines={bars(data.by_client, "client", (name) => name)} empty="No findings." /></Panel>
            <Panel title="By endpoint"><Bars lines={bars(data.by_endpoint, "endpoint", quoted)} empty="No findings." /></Panel>
            <Panel title="By place in the message"><Bars lines={bars(data.by_place, "place", quoted)} empty="No findings." /></Panel>
          </div>
        </>
      )}
    </>
  );
}

type Incident = Schemas["Incident"];

/** What one attacker did, as one line. */
function Incidents({ since, filter }: { since: string; filter: string }) {
  const loaded = useLoad(`incidents ${since} ${filter}`, (signal) => read("/api/v1/incidents", { query: { since, filter }, signal }), 20_000);
  const columns = useMemo<ColumnDef<Incident>[]>(() => {
    const to = (line: Incident) => `/events?since=${since}&filter=${encodeURIComponent(line.filter)}`;
    return [
      { id: "who", header: "Client", accessorFn: (line) => line.client_names[0] ?? "", cell: ({ row: { original: line } }) => <Link to={to(line)}>{line.client_names[0] ?? "unknown"}{line.clients > 1 && ` and ${count(line.clients - 1)} more`}</Link> },
      { id: "severity", header: "Severity", accessorFn: (line) => ["info", "low", "medium", "high", "critical"].indexOf(line.severity), cell: ({ row }) => <Tag>{row.original.severity}</Tag> },
      { id: "reasons", header: "Reasons", enableSorting: false, cell: ({ row: { original: line } }) => <span className="tags">{line.reasons.slice(0, 3).map((reason) => <Tag key={reason.name}>{reason.name}</Tag>)}{line.reasons.length > 3 && <span>+{line.reasons.length - 3}</span>}</span> },
      { id: "exchanges", header: "Requests", meta: "number", accessorFn: (line) => line.exchanges, cell: ({ row }) => count(row.original.exchanges) },
      { id: "refused", header: "Refused", meta: "number", accessorFn: (line) => line.refused, cell: ({ row }) => count(row.original.refused) },
      { id: "succeeded", header: "Answered 2xx", meta: "number", accessorFn: (line) => line.succeeded, cell: ({ row }) => count(row.original.succeeded) },
      { id: "endpoints", header: "Endpoints", meta: "number", accessorFn: (line) => line.endpoints, cell: ({ row }) => count(row.original.endpoints) },
      { id: "last", header: "Last", meta: "number", accessorFn: (line) => line.last_s, cell: ({ row }) => ago(row.original.last_s) },
    ];
  }, [since]);
  const note = "Exchanges with findings that share a client or a session, with no more than half an hour of quiet between.";
  return (
    <Panel title="Incidents" note={loaded.data?.truncated ? `${note} Only the latest ${count(loaded.data.exchanges)} exchanges are grouped.` : note}>
      <Trouble problem={loaded.problem} />
      {loaded.data ? <Table caption="Incidents" rows={loaded.data.incidents} columns={columns} pageSize={10} empty="No incident: nobody had findings in three exchanges." /> : loaded.loading && <Waiting />}
    </Panel>
  );
}
