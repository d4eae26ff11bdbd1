import { useMemo, useState } from "react";
import { type Schemas, change, read } from "../api/client";
import { ago, count, duration, percent, when } from "../format";
import { Bars, Link, Method, Panel, RangePicker, Stat, Tag, Trouble, Waiting, useSince } from "../parts/basics";
import { Chart, filled } from "../parts/chart";
import { Evidence, Parameters, SchemaPair, Tell } from "../parts/learned";
import { useLoad } from "../state";

export function EndpointPage({ id }: { id: string }) {
  const [since] = useSince();
  const loaded = useLoad(`endpoint ${id} ${since}`, (signal) => read("/api/v1/endpoints/{id}", { parts: { id }, query: { since }, signal }), 15_000);
  const data = loaded.data;
  const all = useLoad("siblings", (signal) => read("/api/v1/endpoints", { query: { since: "1h" }, signal }), 0);
  const siblings = (all.data?.endpoints ?? []).filter((other) => other.id !== id && other.host === data?.endpoint.host && other.method === data?.endpoint.method).slice(0, 500);
  const charts = useMemo(() => {
    if (!data) return undefined;
    const { steps, step_s } = data.series;
    const line = (pick: (step: (typeof steps)[number]) => number | null | undefined, empty: number | null = 0) =>
      filled(steps, step_s, (step) => pick(step) ?? null, empty).values;
    return {
      times: filled(steps, step_s, () => 0).times,
      traffic: [
        { label: "requests", color: "--c1", values: line((step) => step.requests), fill: true },
        { label: "4xx", color: "--c3", values: line((step) => step.errors_4xx) },
        { label: "5xx", color: "--c4", values: line((step) => step.errors_5xx) },
        { label: "refused", color: "--c5", values: line((step) => step.refused) },
      ],
      slow: [
        { label: "95th percentile, all", color: "--c1", values: line((step) => step.p95_us, null) },
        { label: "95th percentile, upstream", color: "--c2", values: line((step) => step.upstream_p95_us, null), dash: [5, 4] },
      ],
    };
  }, [data]);
  if (!data) return <><Trouble problem={loaded.problem} />{loaded.loading && <Waiting />}</>;
  const line = data.endpoint;
  const { figures } = line;
  const events = (filter: string) => `/events?since=${since}&filter=${encodeURIComponent(`endpoint=${id}${filter}`)}`;
  const good = figures.success_with_credential + figures.success_without_credential;
  return (
    <>
      <Trouble problem={loaded.problem} />
      <div className="title">
        <p className="name"><Method name={line.method} /> <span className="soft">{line.host}</span>{line.template} {line.operation}</p>
        <p className="tags"><Tag>{line.state}</Tag>{line.signals.map((name) => <Tag key={name}>{name}</Tag>)}{line.labels.map((name) => <Tag key={name} tone="label">{name}</Tag>)}
          <span className="soft">{line.api && `${line.api} · `}{line.protocol} · first seen {ago(line.first_seen_s)} · found by {line.origins.join(", ") || "nobody"} · {(line.confidence * 100).toFixed(0)} % sure</span></p>
        {data.removed_s && <p className="trouble">Removed {when(data.removed_s)}{data.replaced_by && <>; <Link to={`/endpoints/${data.replaced_by}`}>{data.replaced_by}</Link> took its place</>}.</p>}
      </div>
      <div className="controls"><RangePicker /><Link to={events("")} className="button">Events</Link></div>
      <div className="stats">
        <Stat label="Requests" value={count(figures.requests)} note={`${count(Math.max(line.requests_ever, figures.requests))} ever`} to={events("")} />
        <Stat label="p95" value={duration(figures.total.p95_us)} note={`upstream ${duration(figures.upstream.p95_us)}`} />
        <Stat label="Errors" value={percent(figures.errors_4xx + figures.errors_5xx, figures.requests)} note={`${count(figures.errors_4xx)} × 4xx, ${count(figures.errors_5xx)} × 5xx`} to={events(" and status>=400")} />
        <Stat label="Refused" value={count(figures.refused)} note={`${count(figures.would_refuse)} more would be`} to={events(" and verdict!=pass")} tone={figures.refused ? "bad" : ""} />
        <Stat label="Successes with credential" value={percent(figures.success_with_credential, good)} note={`${count(figures.success_without_credential)} without any`} tone={figures.success_without_credential ? "warn" : ""} />
        <Stat label="Sessions" value={count(figures.sessions)} note={`${count(figures.clients)} clients`} />
      </div>
      <div className="grid">
        <Panel title="Traffic">{charts && <Chart label="Requests over time" times={charts.times} lines={charts.traffic} format={count} />}</Panel>
        <Panel title="Time to answer">{charts && <Chart label="Time to answer" times={charts.times} lines={charts.slow} format={duration} />}</Panel>
      </div>
      <SchemaPair learned={data.schema} declared={data.declared} />
      <div className="columns">
        <Decide data={data} done={loaded.reload} />
        <Panel title="Findings">
          <Bars lines={data.reasons.map((reason) => ({ ...reason, to: events(` and reason=${reason.name}`) }))} empty="No findings in this range." />
        </Panel>
        <Panel title="Statuses">
          <Bars lines={data.statuses.map((status) => ({ name: `${status.status || "none"} · ${status.source}`, count: status.count, to: events(` and status=${status.status}`) }))} />
        </Panel>
        <Evidence value={data.evidence} />
        <Parameters value={data.parameters} />
        <Tell line={line} others={siblings} done={loaded.reload} />
        <Panel title="History">
          {data.changes.length === 0 ? <p className="empty">Nothing changed.</p> : (
            <ul className="lines">
              {data.changes.map((line) => (
                <li key={line.sequence}><span className="soft">{when(line.at_s)} · {line.who}</span> {line.field}: {line.before !== null && <><code>{shown(line.before)}</code> → </>}<code>{shown(line.after)}</code></li>
              ))}
            </ul>
          )}
        </Panel>
      </div>
    </>
  );
}

const shown = (value: unknown) => (typeof value === "string" ? value || "nothing" : JSON.stringify(value));

function Decide({ data, done }: { data: Schemas["EndpointDetail"]; done: () => void }) {
  const line = data.endpoint;
  const [labels, setLabels] = useState(line.labels.join(", "));
  const [owner, setOwner] = useState(line.owner);
  const [note, setNote] = useState(data.note);
  const [mode, setMode] = useState(line.mode);
  const [said, setSaid] = useState("");
  const put = async (decision: Schemas["Decision"]) => {
    try {
      await change("patch", "/api/v1/endpoints/{id}", decision, { id: line.id });
      setSaid("Kept.");
      done();
    } catch (error) {
      setSaid((error as Error).message);
    }
  };
  return (
    <Panel title="Decide">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void put({ owner, note, mode, labels: labels.split(",").map((label) => label.trim()).filter(Boolean) });
        }}
      >
        <div className="actions">
          <button type="button" className={line.state === "saved" ? "" : "primary"} onClick={() => put({ state: "saved" })} disabled={line.state === "saved"}>Save</button>
          <button type="button" onClick={() => put({ state: "ignored" })} disabled={line.state === "ignored"}>Ignore</button>
          <button type="button" onClick={() => put({ state: "review" })} disabled={line.state === "review"}>Back to review</button>
        </div>
        {data.accepted && (
          <>
            <label className="field">
              <span>Learned contract</span>
              <select value={data.accepted.mode} onChange={(event) => put({ contract: event.target.value as Schemas["ModeName"] })}>
                <option value="off">off: nothing is compared</option><option value="monitor">monitor: what differs is reported</option><option value="block">block: what differs is refused</option>
              </select>
            </label>
            <p className="note">Taken from what was learned {when(data.accepted.taken_s)} by {data.accepted.who}. <button type="button" className="small" onClick={() => put({ renew_contract: true })}>Take what is learned by now</button></p>
          </>
        )}
        {line.state === "saved" && !data.accepted && <p className="note">No contract was learned yet: too few messages were seen, or it shares its path with other operations.</p>}
        <label className="field"><span>Owner</span><input value={owner} onChange={(event) => setOwner(event.target.value)} /></label>
        <label className="field"><span>Labels, with commas between</span><input value={labels} onChange={(event) => setLabels(event.target.value)} /></label>
        <label className="field"><span>Remark</span><input value={note} onChange={(event) => setNote(event.target.value)} /></label>
        <label className="field">
          <span>Mode of every stage here</span>
          <select value={mode} onChange={(event) => setMode(event.target.value)}>
            <option value="">the API’s</option><option value="off">off</option><option value="monitor">monitor</option><option value="block">block</option>
          </select>
        </label>
        <div className="actions"><button type="submit" className="primary">Keep</button><span role="status">{said}</span></div>
      </form>
    </Panel>
  );
}
