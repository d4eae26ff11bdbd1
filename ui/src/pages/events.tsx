import { useEffect, useState } from "react";
import { read } from "../api/client";
import { Panel, RangePicker, Trouble, Waiting, useSince } from "../parts/basics";
import { type Exchange, ExchangeDialog, Exchanges } from "../parts/exchange";
import { useLoad, useParam } from "../state";

const EXAMPLES = ["verdict!=pass", "status=429 and source=upstream", "category=injection", "status>=500 or latency>1s", "session=none credential=false status=2xx"];

export function Events() {
  const [since] = useSince();
  const [filter, setFilter] = useParam("filter");
  const [typed, setTyped] = useState(filter);
  const [open, setOpen] = useParam("event");
  const [older, setOlder] = useState<{ events: Exchange[]; endpoints: Record<string, string>; cursor?: string | null }>();
  const [paging, setPaging] = useState(false);
  useEffect(() => setTyped(filter), [filter]);
  useEffect(() => setOlder(undefined), [filter, since]);
  const fields = useLoad("fields", (signal) => read("/api/v1/fields", { signal }), 0);
  // Once older pages are open, the list stands still.
  const loaded = useLoad(`events ${since} ${filter}`, (signal) => read("/api/v1/events", { query: { since, filter, limit: 100 }, signal }), older ? 0 : 10_000);
  const first = (loaded.data?.events ?? []) as Exchange[];
  const events = [...first, ...(older?.events ?? [])];
  const cursor = older ? older.cursor : loaded.data?.cursor;
  const more = async () => {
    setPaging(true);
    try {
      const page = await read("/api/v1/events", { query: { since, filter, limit: 100, cursor: cursor ?? undefined } });
      setOlder({ events: [...(older?.events ?? []), ...(page.events as Exchange[])], endpoints: { ...older?.endpoints, ...page.endpoints }, cursor: page.cursor });
    } finally {
      setPaging(false);
    }
  };
  return (
    <>
      <form className="controls" onSubmit={(event) => { event.preventDefault(); setFilter(typed.trim()); }}>
        <label className="field grow">
          <span>Filter</span>
          <input className="mono" type="search" value={typed} list="examples" placeholder="status=429 and not source=gateway" onChange={(event) => setTyped(event.target.value)} />
          <datalist id="examples">{EXAMPLES.map((example) => <option key={example} value={example} />)}</datalist>
        </label>
        <button type="submit" className="primary">Filter</button>
        <RangePicker />
      </form>
      <details className="help">
        <summary>How to write a filter</summary>
        <p>
          Tests such as <code>status=429</code>, joined by <code>and</code>, <code>or</code>, <code>not</code> and parentheses. <code>=</code> and <code>!=</code> compare, with <code>*</code> for any
          text; <code>~</code> asks whether a text lies within; <code>&lt;</code> and <code>&gt;</code> order numbers (<code>latency&gt;200ms</code>); <code>in (401, 403)</code> is a list; <code>none</code> is what is absent.
        </p>
        <p>Fields: {fields.data?.fields.map((name) => <span key={name}><code>{name}</code> </span>)}</p>
      </details>
      <Trouble problem={loaded.problem} />
      <Panel title="Exchanges" note="The latest first. Values of queries, fields and bodies are not kept.">
        {loaded.data ? <Exchanges events={events} endpoints={{ ...loaded.data.endpoints, ...older?.endpoints }} open={(event) => setOpen(`${event.id}@${Math.round(Date.parse(event.at) / 1000)}`)} /> : loaded.loading && <Waiting />}
        {cursor && <div className="pages"><button type="button" onClick={more} disabled={paging}>{paging ? "Loading …" : "Older ones"}</button></div>}
      </Panel>
      {open && <ExchangeDialog key={open} id={open.split("@")[0]} nearS={Number(open.split("@")[1]) || undefined} onClose={() => setOpen("")} />}
    </>
  );
}
