import { read } from "../api/client";
import { when } from "../format";
import { Panel, Trouble, Waiting } from "../parts/basics";
import { useLoad, useParam } from "../state";

const text = (value: unknown) => {
  const shown = typeof value === "string" ? value : JSON.stringify(value);
  return shown.length > 300 ? `${shown.slice(0, 300)} …` : shown;
};

export function Audit() {
  const [action, setAction] = useParam("action");
  const loaded = useLoad(`audit ${action}`, (signal) => read("/api/v1/audit", { query: { action: action || undefined, limit: 200 }, signal }), 20_000);
  return (
    <>
      <Trouble problem={loaded.problem} />
      <Panel title="Who changed what" actions={action && <button type="button" onClick={() => setAction("")}>All actions</button>}>
        {!loaded.data ? loaded.loading && <Waiting /> : loaded.data.entries.length === 0 ? <p className="empty">Nobody changed anything.</p> : (
          <div className="scroll" tabIndex={0} role="region" aria-label="Audit log">
            <table>
              <caption className="hidden">Audit log</caption>
              <thead><tr><th scope="col">Time</th><th scope="col">Who</th><th scope="col">Action</th><th scope="col">Subject</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
              <tbody>
                {loaded.data.entries.map((line) => (
                  <tr key={line.sequence}>
                    <td className="nowrap">{when(line.at_s)}</td><td>{line.who}</td>
                    <td><button type="button" className="link" onClick={() => setAction(line.action)}>{line.action}</button></td>
                    <td>{line.subject}</td><td><code>{text(line.before)}</code></td><td><code>{text(line.after)}</code></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
    </>
  );
}
