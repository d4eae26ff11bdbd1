import { useEffect, useState } from "react";
import { ApiProblem, type Schemas, change, read } from "../api/client";
import { ago, count, when } from "../format";
import { Bars, Dialog, Link, Panel, Stat, Tag, Trouble, Waiting } from "../parts/basics";
import { type Exchange, Exchanges } from "../parts/exchange";
import { useLoad } from "../state";

type Mode = Schemas["ModeName"];
type Thought = { api: string; stage: string; mode: Mode; present: Mode; configured: Mode };

export function Policy() {
  const policy = useLoad("policy", (signal) => read("/api/v1/policy", { signal }), 20_000);
  const [thought, setThought] = useState<Thought>();
  return (
    <>
      <Trouble problem={policy.problem} />
      <Panel title="Modes" note="Off: does not run. Monitor: reports. Block: refuses what it is sure of. Choosing a mode first shows what it would have done to recorded traffic.">
        {!policy.data ? policy.loading && <Waiting /> : policy.data.apis.length === 0 ? <p className="empty">No gateway runs in this process, so there is nothing to switch.</p> : (
          <div className="scroll" tabIndex={0} role="region" aria-label="Modes">
            <table>
              <caption className="hidden">Modes of the stages of each API</caption>
              <thead><tr><th scope="col">API</th>{policy.data.apis[0].stages.map((line) => <th scope="col" key={line.stage}>{line.stage}</th>)}</tr></thead>
              <tbody>
                {policy.data.apis.map((api) => (
                  <tr key={api.api}>
                    <th scope="row">{api.api}</th>
                    {api.stages.map((line) => (
                      <td key={line.stage}>
                        <select
                          className={`mode ${line.mode}`} value={line.mode} aria-label={`Mode of ${line.stage} for ${api.api}`}
                          onChange={(event) => setThought({ api: api.api, stage: line.stage, mode: event.target.value as Mode, present: line.mode, configured: line.configured })}
                        >
                          <option value="off">off</option><option value="monitor">monitor</option><option value="block">block</option>
                        </select>
                        {line.set && line.set !== line.configured && <span className="note">configured: {line.configured}</span>}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {policy.data && Object.keys(policy.data.endpoint_modes).length > 0 && (
          <p className="note">Set at single endpoints: {Object.entries(policy.data.endpoint_modes).map(([id, mode]) => <span key={id}><Link to={`/endpoints/${id}`}>{id}</Link> {mode} </span>)}</p>
        )}
      </Panel>
      <Exceptions />
      <Configuration />
      {thought && <WhatIf thought={thought} onClose={() => setThought(undefined)} done={() => { setThought(undefined); policy.reload(); }} />}
    </>
  );
}

function WhatIf({ thought, onClose, done }: { thought: Thought; onClose: () => void; done: () => void }) {
  const [since, setSince] = useState("24h");
  const [preview, setPreview] = useState<Schemas["Preview"]>();
  const [problem, setProblem] = useState<ApiProblem>();
  const { api, stage, mode } = thought;
  useEffect(() => {
    let gone = false;
    setPreview(undefined);
    setProblem(undefined);
    change("post", "/api/v1/policy/what-if", { api, stage, mode, since }).then((answer) => !gone && setPreview(answer), (error) => !gone && setProblem(error));
    return () => {
      gone = true;
    };
  }, [api, stage, mode, since]);
  const apply = async () => {
    try {
      await change("put", "/api/v1/policy/modes", { api, stage, mode: mode === thought.configured ? null : mode });
      done();
    } catch (error) {
      setProblem(error as ApiProblem);
    }
  };
  return (
    <Dialog title={`What if ${stage} had the mode “${mode}” for ${api}?`} onClose={onClose} wide>
      <div className="controls">
        <label className="field"><span>Over the last</span>
          <select value={since} onChange={(event) => setSince(event.target.value)}><option value="1h">hour</option><option value="24h">24 hours</option><option value="7d">7 days</option><option value="30d">30 days</option></select>
        </label>
      </div>
      <Trouble problem={problem} />
      {!preview ? !problem && <p className="empty" role="status">Replaying …</p> : (
        <>
          <Previewed preview={preview} />
        </>
      )}
      <div className="actions end">
        <button type="button" onClick={onClose}>Leave it at “{thought.present}”</button>
        <button type="button" className="primary" onClick={apply} disabled={!preview}>Set “{mode}”</button>
      </div>
    </Dialog>
  );
}

/** What would have happened, with the list. */
function Previewed({ preview }: { preview: Schemas["Preview"] }) {
  return (
    <>
          <div className="stats">
          <Stat label="Newly refused" value={count(preview.newly_refused)} tone={preview.newly_refused ? "bad" : ""} />
          <Stat label="of them successful" value={count(preview.newly_refused_successes)} note="answered with 2xx: people who would notice" tone={preview.newly_refused_successes ? "warn" : ""} />
          <Stat label="Sessions hit" value={count(preview.sessions)} note={`${count(preview.clients)} clients`} />
          {preview.bodies_unknown > 0 && <Stat label="Bodies unknown" value={count(preview.bodies_unknown)} note="judged by their heads alone" tone="warn" />}
          <Stat label="Newly carried" value={count(preview.newly_carried)} />
        </div>
        {preview.notes.map((note) => <p key={note} className="trouble calm">{note}</p>)}
        <div className="grid">
          <section><h3>By endpoint</h3><Bars lines={preview.by_endpoint.slice(0, 10).map((line) => ({ name: preview.endpoints[line.name] ?? line.name, count: line.count, to: line.name.startsWith("e") ? `/endpoints/${line.name}` : undefined }))} empty="None." /></section>
          <section><h3>By reason</h3><Bars lines={preview.by_reason.slice(0, 10)} empty="None." /></section>
        </div>
        {preview.examples.length > 0 && <><h3>Some of them</h3><Exchanges events={(preview.examples as Exchange[]).slice(0, 10)} endpoints={preview.endpoints} open={(event) => window.open(`/events?event=${event.id}@${Math.round(Date.parse(event.at) / 1000)}`, "_blank", "noopener")} /></>}
    </>
  );
}

function ConfigWhatIf({ text, onClose }: { text: string; onClose: () => void }) {
  const [since, setSince] = useState("24h");
  const [preview, setPreview] = useState<Schemas["Preview"]>();
  const [problem, setProblem] = useState<ApiProblem>();
  useEffect(() => {
    let gone = false;
    setPreview(undefined);
    setProblem(undefined);
    change("post", "/api/v1/config/what-if", { text, since }).then((answer) => !gone && setPreview(answer), (error) => !gone && setProblem(error));
    return () => {
      gone = true;
    };
  }, [text, since]);
  return (
    <Dialog title="What if this configuration were in force?" onClose={onClose} wide>
      <div className="controls">
        <label className="field"><span>Over the last</span>
          <select value={since} onChange={(event) => setSince(event.target.value)}><option value="1h">hour</option><option value="24h">24 hours</option><option value="7d">7 days</option></select>
        </label>
      </div>
      <Trouble problem={problem} />
      {!preview ? !problem && <p className="empty" role="status">Replaying …</p> : <><p className="note">{count(preview.looked_at)} exchanges were judged again.</p><Previewed preview={preview} /></>}
      <div className="actions end"><button type="button" onClick={onClose}>Close</button></div>
    </Dialog>
  );
}

function Exceptions() {
  const loaded = useLoad("exceptions", (signal) => read("/api/v1/exceptions", { signal }), 20_000);
  const [problem, setProblem] = useState<ApiProblem>();
  const withdraw = (id: number) => change("delete", "/api/v1/exceptions/{id}", undefined, { id: String(id) }).then(loaded.reload, setProblem);
  return (
    <Panel title="Exceptions" note="What is let pass. Made from an exchange with “Allow this here”.">
      <Trouble problem={loaded.problem ?? problem} />
      {loaded.data?.exceptions.length === 0 && <p className="empty">None.</p>}
      <ul className="lines">
        {loaded.data?.exceptions.map((line) => (
          <li key={line.id}>
            <strong>{line.reason}</strong> at {line.endpoint ? <Link to={`/endpoints/${line.endpoint}`}>{line.endpoint}</Link> : <code>{line.path_prefix}</code>} {line.place && <code>{line.place}</code>}
            <span className="soft"> {line.api || "every API"} · {line.who}, {ago(line.made_s)}{line.until_s ? `, until ${when(line.until_s)}` : ""}{line.note ? ` · ${line.note}` : ""}</span>{" "}
            {line.until_s && line.until_s * 1000 < Date.now() ? <Tag>ended</Tag> : null}
            <button type="button" className="small" onClick={() => withdraw(line.id)} aria-label={`Withdraw exception ${line.id}`}>Withdraw</button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Configuration() {
  const loaded = useLoad("config", (signal) => read("/api/v1/config", { signal }), 0);
  const versions = useLoad("versions", (signal) => read("/api/v1/config/versions", { signal }), 0);
  const [text, setText] = useState<string>();
  const [note, setNote] = useState("");
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<ApiProblem>();
  const [shown, setShown] = useState<Schemas["VersionLine"]>();
  const [thought, setThought] = useState<string>();
  if (loaded.problem?.status === 403) return null;
  const now = loaded.data?.text ?? "";
  const edited = text !== undefined && text !== now;
  const done = (what: string) => {
    setSaid(what);
    setProblem(undefined);
    setText(undefined);
    loaded.reload();
    versions.reload();
  };
  const failed = (error: ApiProblem) => {
    setSaid("");
    setProblem(error);
  };
  const check = () =>
    change("post", "/api/v1/config/validate", { text: text ?? now }).then((checked) => {
      setProblem(checked.valid ? undefined : new ApiProblem(422, "The configuration has mistakes.", checked.diagnostics));
      setSaid(checked.valid ? "Nothing is wrong with it." : "");
    }, failed);
  if (loaded.data && !loaded.data.path) return <Panel title="Configuration"><p className="empty">{loaded.data.reason || "No gateway runs in this process."}</p></Panel>;
  return (
    <Panel title="Configuration" note={<>{loaded.data?.path}{loaded.data?.writable ? ". Secrets are hidden as ********; lines left as they are keep theirs." : ""}</>}>
      {loaded.data?.reason && <p className="trouble calm">It cannot be changed from here: {loaded.data.reason}.</p>}
      <Trouble problem={problem ?? loaded.problem} />
      <label className="field block"><span className="hidden">Configuration in force</span>
        <textarea className="mono" rows={14} spellCheck={false} value={text ?? now} readOnly={!loaded.data?.writable} onChange={(event) => setText(event.target.value)} />
      </label>
      <div className="controls">
        <button type="button" onClick={check}>Check</button>
        <button type="button" onClick={() => setThought(text ?? now)}>What if</button>
        <label className="field grow"><span>Why</span><input value={note} onChange={(event) => setNote(event.target.value)} /></label>
        <button type="button" className="primary" disabled={!edited} onClick={() => change("put", "/api/v1/config", { text: text ?? now, note, revision: loaded.data?.revision }).then(() => done("In force."), failed)}>Put in force</button>
        {edited && <button type="button" onClick={() => setText(undefined)}>Discard</button>}
        <span role="status">{said}</span>
      </div>
      {edited && <Diff before={now} after={text ?? ""} />}
      {thought !== undefined && <ConfigWhatIf text={thought} onClose={() => setThought(undefined)} />}
      <h3>Versions</h3>
      {versions.data?.versions.length === 0 && <p className="empty">None yet: the first change keeps the one before it too.</p>}
      <ul className="lines">
        {versions.data?.versions.map((line) => (
          <li key={line.version}>
            <strong>{line.version}</strong> <span className="soft">{when(line.at_s)} · {line.who} · {line.note}</span>
            <button type="button" className="small" onClick={() => read("/api/v1/config/versions/{version}", { parts: { version: String(line.version) } }).then(setShown, failed)}>Compare</button>
          </li>
        ))}
      </ul>
      {shown && (
        <Dialog title={`From what is in force to version ${shown.version}`} onClose={() => setShown(undefined)} wide>
          <Diff before={now} after={shown.text} />
          <div className="actions end">
            <button type="button" className="primary" disabled={shown.text === now} onClick={() => change("post", "/api/v1/config/versions/{version}/roll-back", undefined, { version: String(shown.version) }).then(() => { setShown(undefined); done(`Back at version ${shown.version}.`); }, (error) => { setShown(undefined); failed(error); })}>Go back to it</button>
          </div>
        </Dialog>
      )}
    </Panel>
  );
}

/** The lines that differ, by the longest common subsequence; long texts by their common ends alone. */
function Diff({ before, after }: { before: string; after: string }) {
  const lines = diff(before.split("\n"), after.split("\n"));
  if (lines.every(([kind]) => kind === " ")) return <p className="empty">No difference.</p>;
  return (
    <pre className="code diff" tabIndex={0}>
      {lines.map(([kind, text], index) => (
        <span key={index} className={kind === "+" ? "added" : kind === "-" ? "gone" : ""}>{kind} {text}{"\n"}</span>
      ))}
    </pre>
  );
}

function diff(a: string[], b: string[]): [" " | "+" | "-", string][] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const out: [" " | "+" | "-", string][] = a.slice(Math.max(0, start - 3), start).map((line) => [" ", line]);
  if (x.length * y.length > 1_000_000) {
    out.push(...x.map((line): ["-", string] => ["-", line]), ...y.map((line): ["+", string] => ["+", line]));
  } else {
    const longest = Array.from({ length: x.length + 1 }, () => new Array<number>(y.length + 1).fill(0));
    for (let i = x.length - 1; i >= 0; i -= 1) for (let j = y.length - 1; j >= 0; j -= 1) longest[i][j] = x[i] === y[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    let [i, j] = [0, 0];
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) out.push([" ", x[i++]]) && (j += 1);
      else if (j >= y.length || (i < x.length && longest[i + 1][j] >= longest[i][j + 1])) out.push(["-", x[i++]]);
      else out.push(["+", y[j++]]);
    }
  }
  return [...out, ...a.slice(a.length - end, a.length - end + 3).map((line): [" ", string] => [" ", line])];
}
