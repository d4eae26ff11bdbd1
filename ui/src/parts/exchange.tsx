// One exchange: in a list, and in full with its evidence and a way to allow what was found.
import { useState } from "react";
import { type Schemas, change, read } from "../api/client";
import { bytes, duration, when } from "../format";
import { useLoad } from "../state";
import { Dialog, Link, Method, Status, Tag, Trouble, Waiting } from "./basics";

/** The columns of a stored exchange, as the store names them. */
export type Exchange = {
  at: string; id: string; api?: string; endpoint?: string; method?: string; host?: string; path?: string; client?: string; peer?: string;
  agent?: string; status: number; status_source?: string; outcome?: string; verdict?: string; verdict_reason?: string; session?: string;
  version?: string; referer?: string; accept?: string; request_type?: string; response_type?: string; query_names?: string[];
  custom_headers?: string[]; class?: string; request_bytes: number; response_bytes: number; total_us: number; upstream_us: number;
  judge_us: number; credential: boolean; cookie: boolean; weight: number; retries: number; server?: number; operation?: string;
  findings: { reason: string; confidence: string; place: string; evidence: string }[];
};

export function Exchanges({ events, endpoints, open }: { events: Exchange[]; endpoints: Record<string, string>; open: (event: Exchange) => void }) {
  if (events.length === 0) return <p className="empty">No exchange fits.</p>;
  return (
    <div className="scroll cards exchanges" tabIndex={0} role="region" aria-label="Exchanges">
      <table>
        <caption className="hidden">Exchanges, the latest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th><th scope="col">Request</th><th scope="col" className="number">Status</th><th scope="col">Verdict</th>
            <th scope="col">Findings</th><th scope="col">Client</th><th scope="col">Session</th><th scope="col" className="number">Took</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.id}>
              <td className="nowrap" data-label="Time"><button type="button" className="link" onClick={() => open(event)} title={`Exchange ${event.id}`}>{when(Date.parse(event.at) / 1000)}</button></td>
              <td className="request" data-label="Request">
                <Method name={event.method ?? "?"} /> <span className="soft">{event.host}</span>
                <span className="template" title={endpoints[event.endpoint ?? ""]}>{event.path}</span>
              </td>
              <td className="number" data-label="Status"><Status code={event.status} />{event.status_source === "gateway" && <span className="soft"> ours</span>}</td>
              <td data-label="Verdict"><Tag>{event.verdict ?? "pass"}</Tag></td>
              <td className="tags" data-label="Findings"><Reasons of={event} /></td>
              <td className="nowrap" data-label="Client">{event.client}</td>
              <td className="nowrap" data-label="Session">{event.session ? <Link to={`/sessions/${event.session}`}><code>{event.session.slice(0, 8)}</code></Link> : <span className="soft">none</span>}</td>
              <td className="number nowrap" data-label="Took">{duration(event.total_us)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function ExchangeDialog({ id, nearS, onClose }: { id: string; nearS?: number; onClose: () => void }) {
  const loaded = useLoad(`event ${id}`, (signal) => read("/api/v1/events/{id}", { parts: { id }, query: { near_s: nearS }, signal }), 0);
  const reasons = useLoad("reasons", (signal) => read("/api/v1/reasons", { signal }), 0);
  const event = loaded.data?.event as Exchange | undefined;
  const facts: [string, string | undefined][] = event
    ? [
        ["Request id", event.id], ["API", event.api], ["Endpoint", loaded.data?.endpoint ?? undefined], ["Client", event.client], ["Peer", event.peer],
        ["HTTP", event.version], ["Agent", event.agent], ["Referer", event.referer], ["Accept", event.accept], ["Request type", event.request_type],
        ["Response type", event.response_type], ["Query parameters", event.query_names?.join(", ")], ["Own fields", event.custom_headers?.join(", ")],
        ["Operation", event.operation], ["Kind of traffic", event.class], ["Ended", event.outcome],
        ["Sizes", `${bytes(event.request_bytes)} in, ${bytes(event.response_bytes)} out`],
        ["Took", `${duration(event.total_us)}, upstream ${duration(event.upstream_us)}, judging ${duration(event.judge_us)}`],
        ["Carries", [event.credential && "a credential", event.cookie && "cookies"].filter(Boolean).join(" and ") || "no credential"],
      ]
    : [];
  return (
    <Dialog title="Exchange" onClose={onClose} wide>
      <Trouble problem={loaded.problem} />
      {!event ? loaded.loading && <Waiting /> : (
        <>
          <p className="name"><Method name={event.method ?? "?"} /> <span className="soft">{event.host}</span>{event.path}</p>
          <p className="tags"><Status code={event.status} /> <span className="soft">by {event.status_source}</span> <Tag>{event.verdict ?? "pass"}</Tag> <span className="soft">{when(Date.parse(event.at) / 1000)}</span></p>
          <h3>Findings</h3>
          {event.findings.length === 0 && <p className="empty">No stage reported anything.</p>}
          <ul className="findings">
            {event.findings.map((finding, index) => {
              const known = reasons.data?.reasons.find((reason) => reason.code === finding.reason);
              return (
                <li key={index}>
                  <p><strong>{finding.reason}</strong> <Tag>{finding.confidence}</Tag> {known && <Tag>{known.severity}</Tag>} <span className="soft">at {finding.place}</span></p>
                  {known && <p>{known.text}. <span className="soft">{known.reference}</span></p>}
                  {finding.evidence && <p><span className="soft">Evidence, redacted: </span><code>{finding.evidence}</code></p>}
                  <Allow event={event} finding={finding} />
                </li>
              );
            })}
          </ul>
          <h3>Facts</h3>
          <dl className="facts">
            {facts.filter(([, value]) => value).map(([name, value]) => (
              <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
            ))}
            {event.session && <div><dt>Session</dt><dd><Link to={`/sessions/${event.session}`}>{event.session}</Link></dd></div>}
          </dl>
        </>
      )}
    </Dialog>
  );
}

/** The reasons of an exchange, each once with how often. */
function Reasons({ of: { findings } }: { of: Exchange }) {
  const times = new Map<string, number>();
  for (const finding of findings) times.set(finding.reason, (times.get(finding.reason) ?? 0) + 1);
  const all = [...times];
  return <>{all.slice(0, 3).map(([reason, often]) => <Tag key={reason}>{often > 1 ? `${reason} × ${often}` : reason}</Tag>)}{all.length > 3 && <span>+{all.length - 3}</span>}</>;
}

function Allow({ event, finding }: { event: Exchange; finding: Exchange["findings"][number] }) {
  const [open, setOpen] = useState(false);
  const [here, setHere] = useState<"endpoint" | "path">(event.endpoint ? "endpoint" : "path");
  const [anyPlace, setAnyPlace] = useState(false);
  const [days, setDays] = useState("");
  const [note, setNote] = useState("");
  const [said, setSaid] = useState("");
  const allow = async () => {
    const exception: Schemas["ExceptionToMake"] = {
      api: event.api ?? "",
      endpoint: here === "endpoint" ? (event.endpoint ?? "") : "",
      path_prefix: here === "path" ? (event.path ?? "/") : "",
      place: anyPlace ? "" : finding.place,
      reason: finding.reason,
      until_s: days ? Math.round(Date.now() / 1000) + Number(days) * 86_400 : null,
      note,
    };
    try {
      const made = await change("post", "/api/v1/exceptions", exception);
      setSaid(`Allowed: exception ${made.id}. It stands on the page Policy.`);
      setOpen(false);
    } catch (error) {
      setSaid((error as Error).message);
    }
  };
  return (
    <>
      {!open && !said && <button type="button" className="small" onClick={() => setOpen(true)}>Allow this here</button>}
      {open && (
        <form className="stack allow" onSubmit={(submitted) => { submitted.preventDefault(); void allow(); }}>
          <p>Let <strong>{finding.reason}</strong> pass{event.api && <> in the API <strong>{event.api}</strong></>}:</p>
          <label className="field">
            <span>Where</span>
            <select value={here} onChange={(changed) => setHere(changed.target.value as "endpoint" | "path")}>
              {event.endpoint && <option value="endpoint">at this endpoint</option>}
              <option value="path">under {event.path}</option>
            </select>
          </label>
          <label className="check"><input type="checkbox" checked={anyPlace} onChange={(changed) => setAnyPlace(changed.target.checked)} /> at every place of the message, not only at {finding.place}</label>
          <label className="field">
            <span>For</span>
            <select value={days} onChange={(changed) => setDays(changed.target.value)}>
              <option value="1">one day</option><option value="30">30 days</option><option value="">always</option>
            </select>
          </label>
          <label className="field"><span>Why</span><input value={note} onChange={(changed) => setNote(changed.target.value)} /></label>
          <div className="actions"><button type="submit" className="primary">Allow</button><button type="button" onClick={() => setOpen(false)}>Cancel</button></div>
        </form>
      )}
      {said && <p role="status" className="note">{said}</p>}
    </>
  );
}
