import { useMemo } from "react";
import { read } from "../api/client";
import { bytes, change, count, duration, percent } from "../format";
import { Bars, Link, Panel, RangePicker, Stat, Trouble, Waiting, useSince } from "../parts/basics";
import { Chart, filled } from "../parts/chart";
import { useLoad, useParam } from "../state";

export function Overview() {
  const [since] = useSince();
  const [api, setApi] = useParam("api");
  const loaded = useLoad(`overview ${since} ${api}`, (signal) => read("/api/v1/overview", { query: { since, api: api || undefined }, signal }), 5_000);
  const data = loaded.data;
  const charts = useMemo(() => {
    if (!data) return undefined;
    const { steps, step_s } = data.series;
    const line = (pick: (step: (typeof steps)[number]) => number | null | undefined, empty: number | null = 0) =>
      filled(steps, step_s, (step) => pick(step) ?? null, empty).values;
    return {
      times: filled(steps, step_s, () => 0).times,
      traffic: [
        { label: "all requests", color: "--c1", values: line((step) => step.requests), fill: true },
        { label: "API", color: "--c2", values: line((step) => step.api) },
      ],
      wrong: [
        { label: "4xx", color: "--c3", values: line((step) => step.errors_4xx) },
        { label: "5xx", color: "--c4", values: line((step) => step.errors_5xx) },
        { label: "refused by us", color: "--c5", values: line((step) => step.refused), fill: true },
        { label: "would be refused", color: "--c6", values: line((step) => step.would_refuse), dash: [5, 4] },
      ],
      slow: [
        { label: "95th percentile, all", color: "--c1", values: line((step) => step.p95_us, null) },
        { label: "95th percentile, upstream", color: "--c2", values: line((step) => step.upstream_p95_us, null), dash: [5, 4] },
      ],
    };
  }, [data]);
  if (!data) return <><Trouble problem={loaded.problem} />{loaded.loading && <Waiting />}</>;
  const { figures: now, previous: before, inventory } = data;
  const at = `since=${since}`;
  const errors = now.errors_4xx + now.errors_5xx;
  const limited = now.limited_by_gateway + now.limited_by_upstream;
  return (
    <>
      <Trouble problem={loaded.problem} />
      <div className="controls">
        <RangePicker />
        <label className="field">
          <span>API</span>
          <select value={api} onChange={(event) => setApi(event.target.value)}>
            <option value="">all</option>
            {data.apis.map((line) => <option key={line.name} value={line.name}>{line.name || "outside any API"}</option>)}
          </select>
        </label>
      </div>
      <div className="stats four">
        <Stat label="Requests" value={count(now.requests)} note={change(now.requests, before.requests)} to={`/events?${at}`} />
        <Stat label="API share of dynamic traffic" value={percent(now.api, now.dynamic)} note={`${percent(now.api_success, now.dynamic)} answered with 2xx`} />
        <Stat label="Refused" value={count(now.refused)} note={`${count(now.would_refuse)} more would be refused`} to={`/events?${at}&filter=verdict!%3Dpass`} tone={now.refused ? "bad" : ""} />
        <Stat label="Errors" value={percent(errors, now.requests)} note={`${count(now.errors_4xx)} × 4xx, ${count(now.errors_5xx)} × 5xx`} to={`/events?${at}&filter=status%3E%3D400`} />
        <Stat label="429" value={count(limited)} note={`${count(now.limited_by_gateway)} ours, ${count(now.limited_by_upstream)} the upstream's`} to={`/events?${at}&filter=status%3D429`} />
        <Stat label="Half answered within" value={duration(now.total.p50_us)} note={`upstream ${duration(now.upstream.p50_us)}, judging ${duration(now.judge_mean_us)}`} />
        <Stat label="Sessions" value={count(now.sessions)} note={`${count(now.clients)} clients`} to={`/sessions?${at}`} />
        <Stat label="Waiting for review" value={count(inventory.review)} note={`${count(inventory.shadow)} shadow, ${count(inventory.all)} endpoints in all`} to="/inbox" tone={inventory.review ? "warn" : ""} />
      </div>
      <Panel title="Traffic" note={`${bytes(now.response_bytes)} answered, ${bytes(now.request_bytes)} received`}>
        {charts && <Chart label="Requests over time" times={charts.times} lines={charts.traffic} format={count} />}
      </Panel>
      <div className="grid">
        <Panel title="Errors and refusals">{charts && <Chart label="Errors and refusals over time" times={charts.times} lines={charts.wrong} format={count} />}</Panel>
        <Panel title="Time to answer">{charts && <Chart label="Time to answer" times={charts.times} lines={charts.slow} format={duration} />}</Panel>
      </div>
      <div className="columns three">
        <Panel title="Top threats" actions={<Link to={`/threats?${at}`}>All threats</Link>}>
          <Bars lines={data.categories.map((line) => ({ ...line, to: `/threats?${at}&filter=${encodeURIComponent(`category=${line.name}`)}` }))} empty="No findings in this range." />
        </Panel>
        <Panel title="Top reasons">
          <Bars lines={data.reasons.map((line) => ({ ...line, to: `/events?${at}&filter=${encodeURIComponent(`reason=${line.name}`)}` }))} empty="No findings in this range." />
        </Panel>
        <Panel title="Mitigations by stage">
          <Bars lines={data.mitigations.map((line) => ({ ...line, to: `/events?${at}&filter=${encodeURIComponent(`verdict=refuse and verdict_reason=${line.name}.*`)}` }))} empty="Nothing was refused." />
        </Panel>
        <Panel title="APIs">
          <Bars lines={data.apis.map((line) => ({ name: line.name || "outside any API", count: line.requests, to: `/endpoints?${at}&api=${encodeURIComponent(line.name)}`, note: `${count(line.errors)} errors, ${count(line.refused)} refused` }))} />
        </Panel>
        <Panel title="Statuses">
          <Bars lines={data.statuses.slice(0, 10).map((line) => ({ name: `${line.status || "none"} · ${line.source}`, count: line.count, to: `/events?${at}&filter=${encodeURIComponent(`status=${line.status} and source=${line.source}`)}` }))} />
        </Panel>
        <Panel title="Inventory" actions={<Link to="/endpoints">All endpoints</Link>}>
          <Bars lines={[
            { name: "saved", count: inventory.saved, to: "/endpoints?state=saved" },
            { name: "review", count: inventory.review, to: "/inbox" },
            { name: "provisional", count: inventory.provisional, to: "/endpoints?state=provisional" },
            { name: "ignored", count: inventory.ignored, to: "/endpoints?state=ignored" },
          ]} />
          <p className="note">{inventory.only_learning} found by learning alone, {inventory.shadow} in no contract.</p>
        </Panel>
      </div>
    </>
  );
}
