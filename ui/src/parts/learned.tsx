// What was learned of an endpoint, readable: evidence, parameters, schemas side by side, and what an operator may tell the learner.
import { type ReactNode, useState } from "react";
import { type Schemas, change, read } from "../api/client";
import { ago, count } from "../format";
import { useLoad } from "../state";
import { Panel, Tag, Trouble } from "./basics";
import { ApiProblem } from "../api/client";

type Parameter = { name?: string; type?: string; in?: string; confidence?: number; type_confidence?: number; distinct?: number; once?: number; samples?: unknown[]; reasons?: [string, number, number][] };
type Facts = { text?: string; classes?: number[]; clients?: number; sessions?: number; credentials?: number; successes?: number; failures?: number; confidence?: number };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const share = (value: number | undefined) => (value === undefined ? "–" : `${(value * 100).toFixed(0)} %`);

export function Json({ value, label }: { value: unknown; label: string }) {
  if (value === null || value === undefined || (isObject(value) && Object.keys(value).length === 0)) return <p className="empty">Nothing.</p>;
  return <pre className="code" tabIndex={0} role="region" aria-label={label}>{JSON.stringify(value, null, 2)}</pre>;
}

/** All of it as it came, for those who want to know. */
function Raw({ value }: { value: unknown }) {
  return <details><summary>As data</summary><Json value={value} label="As data" /></details>;
}

export function Evidence({ value }: { value: unknown }) {
  const facts: Facts = isObject(value) ? value : {};
  const lines: [string, ReactNode][] = [
    ["Successful", facts.successes], ["Failed", facts.failures], ["Clients", facts.clients], ["With a session", facts.sessions], ["With a credential", facts.credentials],
  ];
  const known = lines.filter(([, number]) => typeof number === "number") as [string, number][];
  return (
    <Panel title="Evidence" note="Why the learner believes that this is an endpoint with this template.">
      {!isObject(value) ? <p className="empty">None: nobody has called it, or it was declared.</p> : (
        <>
          {facts.text && <p>{facts.text}</p>}
          <dl className="facts">{known.map(([name, number]) => <div key={name}><dt>{name}</dt><dd>{count(number)}</dd></div>)}</dl>
          {facts.classes && <p className="note">By class of status: {facts.classes.map((number, index) => (number ? `${["2xx", "3xx", "401 and 403", "other 4xx", "5xx"][index] ?? "other"} ${count(number)}` : "")).filter(Boolean).join(", ") || "none"}</p>}
          <Raw value={value} />
        </>
      )}
    </Panel>
  );
}

export function Parameters({ value }: { value: unknown }) {
  const parameters = (Array.isArray(value) ? value : []) as Parameter[];
  return (
    <Panel title="Parameters" note="Forms and types, not values: examples are made to look like what was seen.">
      {parameters.length === 0 ? <p className="empty">None.</p> : (
        <div className="scroll" tabIndex={0} role="region" aria-label="Parameters">
          <table>
            <caption className="hidden">What its messages hold</caption>
            <thead><tr><th scope="col">Name</th><th scope="col">Where</th><th scope="col">Type</th><th scope="col" className="number">Sure</th><th scope="col" className="number">Different</th><th scope="col" className="number">Once</th><th scope="col">Examples</th></tr></thead>
            <tbody>
              {parameters.map((line, index) => (
                <tr key={index}>
                  <th scope="row">{line.name === "" ? "all of it" : <code>{line.name ?? "?"}</code>}</th>
                  <td className="nowrap">{line.in ?? "path"}</td>
                  <td>{line.type ?? "?"} <span className="soft">{share(line.type_confidence)}</span></td>
                  <td className="number">{share(line.confidence)}</td>
                  <td className="number">{line.distinct === undefined ? "–" : count(line.distinct)}</td>
                  <td className="number">{line.once === undefined ? "–" : count(line.once)}</td>
                  <td>{(line.samples ?? []).slice(0, 3).map((sample, at) => <code key={at} className="sample">{String(sample)}</code>)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {parameters.some((line) => line.reasons?.length) && (
        <details>
          <summary>What speaks for parameters and against</summary>
          {parameters.map((line, index) => (
            <div key={index}>
              <h3>{line.name}</h3>
              <ul className="lines">{[...(line.reasons ?? [])].sort((a, b) => Math.abs(b[2]) - Math.abs(a[2])).slice(0, 8).map(([name, value, weight]) => <li key={name}>{name} <span className="soft">{Number(value).toFixed(2)}</span> <Tag tone={weight > 0 ? "good" : "warn"}>{`${weight > 0 ? "+" : ""}${Number(weight).toFixed(1)}`}</Tag></li>)}</ul>
            </div>
          ))}
        </details>
      )}
    </Panel>
  );
}

/** Paths in two documents that only one has, or both have with another value: at most a hundred. */
function differences(learned: unknown, declared: unknown, at = "", out: [string, "learned" | "declared" | "differs"][] = []) {
  if (out.length >= 100) return out;
  if (isObject(learned) && isObject(declared)) {
    for (const name of new Set([...Object.keys(learned), ...Object.keys(declared)])) {
      if (["description", "summary", "example", "examples", "operationId", "tags"].includes(name) || name.startsWith("x-")) continue;
      if (!(name in declared)) out.push([`${at}/${name}`, "learned"]);
      else if (!(name in learned)) out.push([`${at}/${name}`, "declared"]);
      else differences(learned[name], declared[name], `${at}/${name}`, out);
    }
  } else if (JSON.stringify(learned) !== JSON.stringify(declared)) out.push([at || "/", "differs"]);
  return out;
}

export function SchemaPair({ learned, declared }: { learned: unknown; declared: unknown }) {
  const has = (value: unknown) => isObject(value) && Object.keys(value).length > 0;
  const found = has(learned) && has(declared) ? differences(learned, declared) : [];
  return (
    <Panel title="Schema: learned beside declared" note="Learned from successful exchanges: names, types and limits, never values. Declared: the operation of the contract that is configured.">
      <div className="pair">
        <section><h3>Learned</h3>{has(learned) ? <Json value={learned} label="Learned schema" /> : <p className="empty">Nothing yet: it takes some sampled exchanges with bodies.</p>}</section>
        <section><h3>Declared</h3>{has(declared) ? <Json value={declared} label="Declared schema" /> : <p className="empty">No contract declares this endpoint.</p>}</section>
      </div>
      {found.length > 0 && (
        <>
          <h3>Where they differ</h3>
          <ul className="lines">{found.map(([at, kind]) => <li key={at}><Tag tone={kind === "learned" ? "warn" : "plain"}>{kind === "learned" ? "only learned" : kind === "declared" ? "only declared" : "differs"}</Tag> <code>{at}</code></li>)}</ul>
        </>
      )}
    </Panel>
  );
}

const WORDS = {
  pin: ["Pin", "This template is right; the learner leaves it as it is."],
  merge: ["Merge", "Everything below this template is a value of one parameter."],
  split: ["Split", "This piece is a word of its own and no value of a parameter."],
  rename: ["Rename", "The last parameter gets this name."],
  ignore: ["Ignore", "Decline it for good, also when it is found again."],
} as const;
type Word = keyof typeof WORDS;

/** Words to the learner: merge, split, pin, rename, ignore. */
export function Tell({ line, others, done }: { line: Schemas["EndpointLine"]; others: Schemas["EndpointLine"][]; done: () => void }) {
  const said = useLoad("constraints", (signal) => read("/api/v1/constraints", { signal }), 0);
  const [word, setWord] = useState<Word>("pin");
  const [below, setBelow] = useState(line.template.split("/").slice(0, -1).join("/") || "/");
  const [text, setText] = useState("");
  const [into, setInto] = useState("");
  const [problem, setProblem] = useState<ApiProblem>();
  const [status, setStatus] = useState("");
  const base = { host: line.host, method: line.method };
  const give = async () => {
    const body: Record<Word, Record<string, unknown>> = {
      pin: { ...base, template: line.template },
      merge: { ...base, below },
      split: { ...base, below, literal: text },
      rename: { ...base, template: line.template, name: text },
      ignore: { ...base, template: line.template },
    };
    try {
      await change("post", "/api/v1/constraints", { kind: word, body: body[word] });
      setStatus("Told. The learner takes it up with its next judgement.");
      setProblem(undefined);
      said.reload();
      done();
    } catch (error) {
      setProblem(error as ApiProblem);
    }
  };
  const merge = () => change("post", "/api/v1/endpoints/{id}/merge", { into }, { id: line.id }).then(() => { setStatus("Merged."); done(); }, setProblem);
  const mine = said.data?.constraints.filter((one) => !one.withdrawn_s) ?? [];
  return (
    <Panel title="Tell the learner" note={WORDS[word][1]}>
      <Trouble problem={problem} />
      <div className="tabs" role="group" aria-label="Word to the learner">
        {(Object.keys(WORDS) as Word[]).map((name) => <button type="button" key={name} aria-pressed={word === name} onClick={() => setWord(name)}>{WORDS[name][0]}</button>)}
      </div>
      <div className="row">
        {(word === "merge" || word === "split") && <label className="field grow"><span>Below</span><input value={below} onChange={(event) => setBelow(event.target.value)} /></label>}
        {word === "split" && <label className="field"><span>The piece</span><input value={text} onChange={(event) => setText(event.target.value)} placeholder="me" /></label>}
        {word === "rename" && <label className="field"><span>New name</span><input value={text} onChange={(event) => setText(event.target.value)} placeholder="orderId" /></label>}
        <button type="button" className="primary" onClick={give} disabled={(word === "split" || word === "rename") && !text}>{WORDS[word][0]}</button>
      </div>
      {others.length > 0 && (
        <div className="row">
          <label className="field grow"><span>Or another endpoint takes its place</span>
            <select value={into} onChange={(event) => setInto(event.target.value)}><option value="">choose</option>{others.map((other) => <option key={other.id} value={other.id}>{other.template}</option>)}</select>
          </label>
          <button type="button" onClick={merge} disabled={!into}>Replace by it</button>
        </div>
      )}
      <p role="status" className="note">{status}</p>
      {mine.length > 0 && (
        <details>
          <summary>{mine.length} told so far</summary>
          <ul className="lines">
            {mine.map((one) => (
              <li key={one.id}><Tag>{one.kind}</Tag> <code>{JSON.stringify(one.body)}</code> <span className="soft">{one.who}, {ago(one.at_s)}</span>{" "}
                <button type="button" className="small" aria-label={`Withdraw word ${one.id}`} onClick={() => change("delete", "/api/v1/constraints/{id}", undefined, { id: String(one.id) }).then(said.reload, setProblem)}>Withdraw</button></li>
            ))}
          </ul>
        </details>
      )}
    </Panel>
  );
}
