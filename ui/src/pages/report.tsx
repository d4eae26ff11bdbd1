import { address, download, read } from "../api/client";
import { change, count, exact, when } from "../format";
import { Link, Panel, RangePicker, Stat, Tag, Trouble, Waiting, useSince } from "../parts/basics";
import { useLoad } from "../state";

/** Figures of the inventory, and the endpoints behind them. */
const INVENTORY: Record<string, string> = {
  "only-learning": "/endpoints?signal=only-learning",
  shadow: "/endpoints?signal=shadow",
  orphan: "/endpoints?signal=orphan",
  "write-endpoints": "/endpoints?signal=writes",
  "write-apis": "/endpoints?signal=writes",
};

export function ReportPage() {
  const [since] = useSince("7d");
  const loaded = useLoad(`report ${since}`, (signal) => read("/api/v1/report", { query: { since }, signal }), 60_000);
  const report = loaded.data;
  const behind = (filter: string) => `/events?since=${since}&filter=${encodeURIComponent(filter)}`;
  const save = (format: "html" | "md" | "json") => download(address("/api/v1/report", {}, { since, format }), `state-of-your-apis.${format}`);
  return (
    <>
      <div className="controls noprint">
        <RangePicker ordinary="7d" />
        <button type="button" onClick={() => window.print()}>Print</button>
        {(["html", "md", "json"] as const).map((format) => <button type="button" key={format} onClick={() => save(format)}>{format.toUpperCase()}</button>)}
      </div>
      <Trouble problem={loaded.problem} />
      {!report ? loaded.loading && <Waiting /> : (
        <article className="report">
          <p className="report-title">The state of your APIs</p>
          <p className="soft">{when(report.covered.since_s)} to {when(Math.min(report.covered.until_s, report.made_s))} · {exact(report.figures.requests)} requests, {change(report.figures.requests, report.previous.requests)}</p>
          {report.headlines.length === 0 && <p className="empty">Nothing was recorded yet.</p>}
          <div className="stats">
            {report.headlines.map((line) => (
              <Stat
                key={line.id} label={line.title} value={line.percent === null || line.percent === undefined ? "–" : `${line.percent.toFixed(1)} %`} to={INVENTORY[line.id] ? `${INVENTORY[line.id]}&since=${since}` : behind(line.filter)}
                note={<>{count(line.part)} of {count(line.whole)}{line.published_percent ? <> · published 2024: {line.published_percent} %</> : null}</>}
              />
            ))}
          </div>
          {report.advice.length > 0 && (
            <Panel title="What to do next">
              <ol className="advice">
                {report.advice.map((line) => <li key={line.text}><Tag>{line.urgency}</Tag> <Link to={line.link}>{line.text}</Link><span className="note">{line.because}</span></li>)}
              </ol>
            </Panel>
          )}
          <div className="columns">
            {report.rankings.filter((ranking) => ranking.lines.length > 0).map((ranking) => (
              <Panel key={ranking.id} title={ranking.title} note={ranking.definition}>
                <ul className="bars">
                  {ranking.lines.map((line) => (
                    <li key={line.name}>
                      <span className="name">{line.filter ? <Link to={behind(line.filter)}>{line.name}</Link> : ranking.id === "labels" ? <Link to={`/endpoints?since=${since}&text=${encodeURIComponent(line.name)}`}>{line.name}</Link> : line.name}</span>
                      <span className="number">{count(line.count)} <span className="soft">{line.percent.toFixed(1)} %</span></span>
                      <span className="bar" aria-hidden="true"><span style={{ width: `${line.percent}%` }} /></span>
                    </li>
                  ))}
                </ul>
              </Panel>
            ))}
          </div>
          <Panel title="Definitions">
            <dl className="definitions">{report.headlines.map((line) => <div key={line.id}><dt>{line.title}</dt><dd>{line.definition}{line.filter && <> <code>{line.filter}</code></>}</dd></div>)}</dl>
          </Panel>
        </article>
      )}
    </>
  );
}
