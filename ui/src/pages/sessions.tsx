import { useState } from "react";
import type { ColumnDef } from "@tanstack/react-table";
import { read } from "../api/client";
import { count } from "../format";
import { Link, Panel, RangePicker, Stat, Trouble, Waiting, useSince } from "../parts/basics";
import { type Exchange, ExchangeDialog, Exchanges } from "../parts/exchange";
import { Table, answerRows } from "../parts/table";
import { useLoad, useParam } from "../state";
import { Choice } from "./endpoints";

type Row = Record<string, unknown>;
const number = (id: string, header: string): ColumnDef<Row> => ({ id, header, meta: "number", accessorFn: (row) => Number(row[id] ?? 0), cell: ({ row }) => count(Number(row.original[id] ?? 0)) });

export function Sessions() {
  const [since] = useSince();
  const [order, setOrder] = useParam("order");
  const loaded = useLoad(`sessions ${since} ${order}`, (signal) => read("/api/v1/sessions", { query: { since, order: order || undefined }, signal }), 20_000);
  const data = loaded.data;
  const sessions: ColumnDef<Row>[] = [
    { id: "session", header: "Session", accessorFn: (row) => String(row.session), cell: ({ row }) => <Link to={`/sessions/${String(row.original.session)}?since=${since}`}><code>{String(row.original.session)}</code></Link> },
    number("count", "Requests"), number("errors", "Errors"), number("refused", "Refused"), number("distinct(endpoint)", "Endpoints"),
  ];
  const clients: ColumnDef<Row>[] = [
    { id: "client", header: "Client", accessorFn: (row) => String(row.client), cell: ({ row }) => <Link to={`/events?since=${since}&filter=${encodeURIComponent(`client=${String(row.original.client)}`)}`}>{String(row.original.client)}</Link> },
    number("count", "Requests"), number("errors", "Errors"), number("refused", "Refused"), number("distinct(session)", "Sessions"),
  ];
  const sort = [{ id: order || "count", desc: true }];
  return (
    <>
      <div className="controls"><RangePicker /><Choice label="The most" value={order} set={setOrder} options={["count", "errors", "refused"]} /></div>
      <Trouble problem={loaded.problem} />
      {!data ? loaded.loading && <Waiting /> : (
        <div className="grid" key={order}>
          <Panel title="Sessions" note="By the keyed hash of their identifier; the identifier itself is not kept."><Table caption="Sessions" rows={answerRows(data.sessions)} columns={sessions} sort={sort} pageSize={25} empty="No session in this range. Sessions need a session identifier in the configuration." /></Panel>
          <Panel title="Clients"><Table caption="Clients" rows={answerRows(data.clients)} columns={clients} sort={sort} pageSize={25} /></Panel>
        </div>
      )}
    </>
  );
}

export function SessionPage({ hash }: { hash: string }) {
  const [since] = useSince();
  const [open, setOpen] = useParam("event");
  const [many, setMany] = useState(50);
  const loaded = useLoad(`session ${hash} ${since}`, (signal) => read("/api/v1/sessions/{hash}", { parts: { hash }, query: { since }, signal }), 20_000);
  const data = loaded.data;
  const events = (data?.events ?? []) as Exchange[];
  const columns: ColumnDef<Row>[] = [
    { id: "endpoint", header: "Endpoint", accessorFn: (row) => String(row.endpoint ?? ""), cell: ({ row }) => String(row.original.endpoint ?? "no known endpoint") },
    number("count", "Requests"), number("errors", "Errors"), number("refused", "Refused"),
  ];
  return (
    <>
      <div className="title"><p className="name">Session <code>{hash}</code></p></div>
      <div className="controls"><RangePicker /></div>
      <Trouble problem={loaded.problem} />
      {!data ? loaded.loading && <Waiting /> : (
        <>
          <div className="stats">
            <Stat label="Requests" value={`${count(events.length)}${data.truncated ? "+" : ""}`} />
            <Stat label="Clients" value={count(new Set(events.map((event) => event.client)).size)} />
            <Stat label="Agents" value={count(new Set(events.map((event) => event.agent)).size)} />
            <Stat label="With findings" value={count(events.filter((event) => event.findings.length > 0).length)} />
          </div>
          <Panel title="By endpoint"><Table caption="Endpoints of the session" rows={answerRows(data.by_endpoint)} columns={columns} sort={[{ id: "count", desc: true }]} /></Panel>
          <Panel title="Timeline" note={data.truncated ? "The latest 500." : "The latest first."}><Exchanges events={events.slice(0, many)} endpoints={data.endpoints} open={(event) => setOpen(`${event.id}@${Math.round(Date.parse(event.at) / 1000)}`)} />{events.length > many && <p><button type="button" onClick={() => setMany(many + 100)}>Show more</button> <span className="soft">{many} of {events.length}</span></p>}</Panel>
        </>
      )}
      {open && <ExchangeDialog key={open} id={open.split("@")[0]} nearS={Number(open.split("@")[1]) || undefined} onClose={() => setOpen("")} />}
    </>
  );
}
