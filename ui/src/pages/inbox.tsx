import type { ColumnDef, RowSelectionState } from "@tanstack/react-table";
import { useMemo, useState } from "react";
import { change, read } from "../api/client";
import { ago, count } from "../format";
import { Panel, Tag, Trouble, Waiting } from "../parts/basics";
import { Table } from "../parts/table";
import { useLoad, useParam } from "../state";
import { EndpointName, type Line } from "./endpoints";

const STATES = ["review", "provisional", "saved", "ignored"] as const;
type Decided = "review" | "saved" | "ignored";

export function Inbox() {
  const [state, setState] = useParam("state", "review");
  const [selected, setSelected] = useState<RowSelectionState>({});
  const [said, setSaid] = useState("");
  const loaded = useLoad("inbox", (signal) => read("/api/v1/endpoints", { query: { since: "7d" }, signal }), 15_000);
  const rows = useMemo(() => (loaded.data?.endpoints ?? []).filter((line) => line.state === state), [loaded.data, state]);
  const decide = async (ids: string[], next: Decided) => {
    try {
      const done = await change("post", "/api/v1/inbox", { endpoints: ids, state: next });
      setSaid(`${done.count} ${done.count === 1 ? "endpoint is" : "endpoints are"} ${next === "review" ? "back in review" : next}.`);
      setSelected({});
      loaded.reload();
    } catch (error) {
      setSaid((error as Error).message);
    }
  };
  const chosen = Object.keys(selected).filter((id) => selected[id]);
  const columns: ColumnDef<Line>[] = [
    {
      id: "select", enableSorting: false,
      header: ({ table }) => <input type="checkbox" aria-label="Choose all" checked={table.getIsAllRowsSelected()} onChange={table.getToggleAllRowsSelectedHandler()} />,
      cell: ({ row }) => <input type="checkbox" aria-label={`Choose ${row.original.method} ${row.original.template}`} checked={row.getIsSelected()} onChange={row.getToggleSelectedHandler()} />,
    },
    { id: "endpoint", header: "Endpoint", accessorFn: (line) => `${line.host}${line.template}`, cell: ({ row }) => <EndpointName line={row.original} /> },
    { id: "why", header: "What stands out", accessorFn: (line) => line.signals.length, cell: ({ row }) => <span className="tags">{row.original.signals.map((name) => <Tag key={name}>{name}</Tag>)}</span> },
    { id: "origin", header: "Found by", accessorFn: (line) => line.origins.join(), cell: ({ row }) => row.original.origins.join(", ") },
    { id: "sure", header: "Sure", meta: "number", accessorFn: (line) => line.confidence, cell: ({ row }) => `${(row.original.confidence * 100).toFixed(0)} %` },
    { id: "requests", header: "Requests, 7 days", meta: "number", accessorFn: (line) => line.figures.requests, cell: ({ row }) => count(row.original.figures.requests) },
    { id: "first", header: "First seen", accessorFn: (line) => line.first_seen_s, cell: ({ row }) => ago(row.original.first_seen_s) },
    {
      id: "do", header: "Decide", enableSorting: false,
      cell: ({ row }) => (
        <span className="actions">
          {state !== "saved" && <button type="button" className="small primary" onClick={() => decide([row.original.id], "saved")} aria-label={`Save ${row.original.method} ${row.original.template}`}>Save</button>}
          {state !== "ignored" && <button type="button" className="small" onClick={() => decide([row.original.id], "ignored")} aria-label={`Ignore ${row.original.method} ${row.original.template}`}>Ignore</button>}
          {(state === "saved" || state === "ignored") && <button type="button" className="small" onClick={() => decide([row.original.id], "review")} aria-label={`Reopen ${row.original.method} ${row.original.template}`}>Reopen</button>}
        </span>
      ),
    },
  ];
  return (
    <>
      <Trouble problem={loaded.problem} />
      <div className="tabs" role="group" aria-label="State">
        {STATES.map((name) => (
          <button type="button" key={name} aria-pressed={state === name} onClick={() => { setState(name); setSelected({}); }}>
            {name} <span className="soft">{loaded.data?.endpoints.filter((line) => line.state === name).length ?? ""}</span>
          </button>
        ))}
      </div>
      <Panel
        title={state === "review" ? "Found, waiting for a decision" : state === "saved" ? "Accepted" : state === "ignored" ? "Declined; still counted" : "Too little evidence yet"}
        actions={chosen.length > 0 && (
          <>
            <span>{chosen.length} chosen</span>
            <button type="button" className="primary" onClick={() => decide(chosen, "saved")}>Save them</button>
            <button type="button" onClick={() => decide(chosen, "ignored")}>Ignore them</button>
          </>
        )}
      >
        <p role="status" className="note">{said}</p>
        {loaded.data ? (
          <Table caption="Discovery inbox" rows={rows} columns={columns} sort={[{ id: "requests", desc: true }]} selection={{ value: selected, set: setSelected, id: (line) => line.id }} empty="Nothing here." />
        ) : loaded.loading && <Waiting />}
      </Panel>
    </>
  );
}
