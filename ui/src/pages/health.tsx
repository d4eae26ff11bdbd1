import { read } from "../api/client";
import { ago, bytes, count, exact, when } from "../format";
import { Panel, Stat, Tag, Trouble, Waiting } from "../parts/basics";
import { useLoad } from "../state";

const span = (seconds: number) => (seconds < 5400 ? `${Math.max(1, Math.round(seconds / 60))} min` : seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.floor(seconds / 86_400)} days`);

export function Health() {
  const loaded = useLoad("health", (signal) => read("/api/v1/health", { signal }), 5_000);
  const data = loaded.data;
  if (!data) return <><Trouble problem={loaded.problem} />{loaded.loading && <Waiting />}</>;
  const { gateway, store } = data;
  const alarming = gateway.counters.filter((line) => line.alarming && line.value > 0);
  return (
    <>
      <Trouble problem={loaded.problem} />
      <div className="stats">
        <Stat label="Gateway" value={gateway.running ? "runs" : "not in this process"} note={`${gateway.version}${gateway.running ? `, for ${span(gateway.uptime_s)}` : ""}`} tone={gateway.running ? "" : "warn"} />
        <Stat label="Lost or failed" value={count(alarming.reduce((sum, line) => sum + line.value, 0))} note={alarming.map((line) => line.name).join(", ") || "nothing"} tone={alarming.length ? "warn" : ""} />
        <Stat label="Memory" value={gateway.memory_bytes ? bytes(gateway.memory_bytes) : "–"} />
        <Stat label="On disk" value={bytes(store.bytes)} note={`${count(store.segments)} segments${store.damaged ? `, ${store.damaged} damaged` : ""}`} tone={store.damaged ? "bad" : ""} />
        <Stat label="Latest exchange" value={store.latest_s ? ago(store.latest_s) : "none lately"} />
        <Stat label="Deleted by retention" value={count(store.expired_segments)} note={store.expired_until_s ? `up to ${when(store.expired_until_s)}` : "nothing yet"} />
      </div>
      <div className="columns">
        <Panel title="Upstreams">
          {gateway.servers.length === 0 ? <p className="empty">None.</p> : (
            <ul className="lines">{gateway.servers.map((line) => <li key={line.upstream + line.address}><Tag>{line.state}</Tag> <strong>{line.upstream}</strong> {line.address} <span className="soft">{line.outstanding} under way</span></li>)}</ul>
          )}
        </Panel>
        <Panel title="Certificates">
          {gateway.certificates.length === 0 ? <p className="empty">No listener speaks TLS.</p> : (
            <ul className="lines">
              {gateway.certificates.map((line) => {
                const days = Math.floor((line.not_after_s - data.now_s) / 86_400);
                return <li key={line.names.join()}><Tag tone={days < 7 ? "bad" : days < 30 ? "warn" : "good"}>{days < 0 ? "ended" : `${days} days`}</Tag> {line.names.join(", ")} <span className="soft">until {when(line.not_after_s)}</span></li>;
              })}
            </ul>
          )}
        </Panel>
        <Panel title="Queues" note="Bounded: what does not fit is dropped and counted, never waited for.">
          {gateway.queues.length === 0 && <p className="empty">None.</p>}
          <ul className="lines">{gateway.queues.map((line) => <li key={line.name}><strong>{line.name}</strong> <meter min={0} max={line.length_max} value={line.length} aria-label={`Fill of ${line.name}`} /> {exact(line.length)} of {exact(line.length_max)}, {exact(line.dropped)} dropped</li>)}</ul>
        </Panel>
        <Panel title="Counters">
          <dl className="facts narrow">{gateway.counters.map((line) => <div key={line.name}><dt>{line.name.replaceAll("_", " ")}</dt><dd className={line.alarming && line.value > 0 ? "alarm" : ""}>{exact(line.value)}</dd></div>)}</dl>
        </Panel>
      </div>
    </>
  );
}
