import type { ColumnDef } from "@tanstack/react-table";
import { useMemo } from "react";
import { type Schemas, read } from "../api/client";
import { ago, count, duration, percent } from "../format";
import { Link, Method, Panel, RangePicker, Tag, Trouble, Waiting, useSince } from "../parts/basics";
import { Table } from "../parts/table";
import { useLoad, useParam } from "../state";

export type Line = Schemas["EndpointLine"];

export function EndpointName({ line }: { line: Line }) {
  return (
    <Link to={`/endpoints/${line.id}`} className="endpoint">
      <Method name={line.method} /> <span className="soft">{line.host}</span>
      <span className="template">{line.template}{line.operation && ` ${line.operation}`}</span>
    </Link>
  );
}

export const columns: ColumnDef<Line>[] = [
  { id: "endpoint", header: "Endpoint", accessorFn: (line) => `${line.host}${line.template} ${line.method}`, cell: ({ row }) => <EndpointName line={row.original} /> },
  { id: "requests", header: "Requests", meta: "number", accessorFn: (line) => line.figures.requests, cell: ({ row }) => count(row.original.figures.requests) },
  { id: "p95", header: "p95", meta: "number", accessorFn: (line) => line.figures.total.p95_us ?? 0, cell: ({ row }) => duration(row.original.figures.total.p95_us) },
  { id: "upstream", header: "p95 upstream", meta: "number", accessorFn: (line) => line.figures.upstream.p95_us ?? 0, cell: ({ row }) => duration(row.original.figures.upstream.p95_us) },
  {
    id: "errors", header: "Errors", meta: "number", accessorFn: (line) => (line.figures.errors_4xx + line.figures.errors_5xx) / Math.max(1, line.figures.requests),
    cell: ({ row: { original: { figures } } }) => percent(figures.errors_4xx + figures.errors_5xx, figures.requests),
  },
  { id: "sessions", header: "Sessions", meta: "number", accessorFn: (line) => line.figures.sessions, cell: ({ row }) => count(row.original.figures.sessions) },
  { id: "state", header: "State", accessorFn: (line) => line.state, cell: ({ row }) => <Tag>{row.original.state}</Tag> },
  {
    id: "signals", header: "Signals and labels", accessorFn: (line) => line.signals.length,
    cell: ({ row }) => <span className="tags">{row.original.signals.map((name) => <Tag key={name}>{name}</Tag>)}{row.original.labels.map((name) => <Tag key={name} tone="label">{name}</Tag>)}</span>,
  },
  { id: "mode", header: "Mode", accessorFn: (line) => line.mode, cell: ({ row }) => (row.original.mode ? <Tag>{row.original.mode}</Tag> : <span className="soft">API’s</span>) },
  { id: "owner", header: "Owner", accessorFn: (line) => line.owner, cell: ({ row }) => row.original.owner || <span className="soft">none</span> },
  { id: "seen", header: "Last seen", accessorFn: (line) => line.last_seen_s, cell: ({ row }) => ago(row.original.last_seen_s) },
];

/** Whether a signal, or one of the groups that the report counts, holds for an endpoint. */
function stands(line: Line, signal: string): boolean {
  if (signal === "writes") return ["POST", "PUT", "PATCH", "DELETE"].includes(line.method);
  if (signal === "only-learning") return line.origins.length === 1 && line.origins[0] === "learning";
  return line.signals.includes(signal);
}

export function Endpoints() {
  const [since] = useSince();
  const [text, setText] = useParam("text");
  const [state, setState] = useParam("state");
  const [api, setApi] = useParam("api");
  const [signal, setSignal] = useParam("signal");
  const loaded = useLoad(`endpoints ${since}`, (abort) => read("/api/v1/endpoints", { query: { since }, signal: abort }), 15_000);
  const all = loaded.data?.endpoints;
  const apis = useMemo(() => [...new Set(all?.map((line) => line.api))].sort(), [all]);
  const rows = useMemo(() => {
    const wanted = text.toLowerCase();
    return (all ?? []).filter(
      (line) =>
        (!state || line.state === state) && (!api || line.api === api) && (!signal || stands(line, signal)) &&
        (!wanted || `${line.method} ${line.host}${line.template} ${line.labels.join(" ")} ${line.owner}`.toLowerCase().includes(wanted)),
    );
  }, [all, text, state, api, signal]);
  return (
    <>
      <Trouble problem={loaded.problem} />
      <div className="controls">
        <label className="field grow"><span>Find</span><input type="search" value={text} placeholder="method, host, path, label, owner" onChange={(event) => setText(event.target.value)} /></label>
        <Choice label="API" value={api} set={setApi} options={apis} />
        <Choice label="State" value={state} set={setState} options={["review", "saved", "provisional", "ignored"]} />
        <Choice label="Signal" value={signal} set={setSignal} options={["shadow", "orphan", "zombie", "missing-auth", "mixed-auth", "open-write", "writes", "only-learning"]} />
        <RangePicker />
      </div>
      <Panel title={`${rows.length} endpoints`} note={loaded.data?.truncated ? "Only the first 5,000 are shown." : undefined}>
        {all ? <Table caption="Endpoints" rows={rows} columns={columns} sort={[{ id: "requests", desc: true }]} empty="No endpoint fits. Endpoints appear as traffic is learned from." /> : loaded.loading && <Waiting />}
      </Panel>
    </>
  );
}

export function Choice({ label, value, set, options }: { label: string; value: string; set: (value: string) => void; options: string[] }) {
  return (
    <label className="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => set(event.target.value)}>
        <option value="">any</option>
        {options.filter(Boolean).map((option) => <option key={option} value={option}>{option}</option>)}
      </select>
    </label>
  );
}
