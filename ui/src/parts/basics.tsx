// Small parts that every page is made of.
import { type MouseEvent, type ReactNode, useEffect, useId, useRef } from "react";
import type { ApiProblem } from "../api/client";
import { count, percent } from "../format";
import { go, useParam } from "../state";

/** A link within the dashboard; a plain link for everything but a plain click. */
export function Link({ to, children, className, current }: { to: string; children: ReactNode; className?: string; current?: boolean }) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
    window.scrollTo(0, 0);
  };
  return (
    <a href={to} onClick={follow} className={className} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  );
}

export function Panel({ title, note, actions, children }: { title: string; note?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {note && <p className="note">{note}</p>}
      {children}
    </section>
  );
}

export function Stat({ label, value, note, to, tone }: { label: string; value: string; note?: ReactNode; to?: string; tone?: string }) {
  const body = (
    <>
      <span className="label">{label}</span>
      <span className="value">{value}</span>
      {note && <span className="note">{note}</span>}
    </>
  );
  const name = `stat ${tone ?? ""}`;
  return to ? <Link to={to} className={name}>{body}</Link> : <div className={name}>{body}</div>;
}

export type BarLine = { name: string; count: number; to?: string; note?: string };

/** A ranking with bars; the numbers stand beside them. */
export function Bars({ lines, empty = "Nothing in this range." }: { lines: BarLine[]; empty?: string }) {
  if (lines.length === 0) return <p className="empty">{empty}</p>;
  const most = Math.max(...lines.map((line) => line.count), 1);
  const all = lines.reduce((sum, line) => sum + line.count, 0);
  return (
    <ul className="bars">
      {lines.map((line) => (
        <li key={line.name}>
          <span className="name">{line.to ? <Link to={line.to}>{line.name}</Link> : line.name}</span>
          <span className="number">
            {count(line.count)} <span className="soft">{percent(line.count, all)}</span>
          </span>
          <span className="bar" aria-hidden="true">
            <span style={{ width: `${(line.count * 100) / most}%` }} />
          </span>
          {line.note && <span className="note">{line.note}</span>}
        </li>
      ))}
    </ul>
  );
}

const RANGES = [["1h", "1 hour"], ["6h", "6 hours"], ["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"]] as const;

export function useSince(ordinary = "24h") {
  return useParam("since", ordinary);
}

export function RangePicker({ ordinary = "24h" }: { ordinary?: string }) {
  const [since, setSince] = useSince(ordinary);
  const known = RANGES.some(([value]) => value === since);
  return (
    <label className="field">
      <span>Last</span>
      <select value={since} onChange={(event) => setSince(event.target.value)}>
        {!known && <option value={since}>{since}</option>}
        {RANGES.map(([value, text]) => (
          <option key={value} value={value}>{text}</option>
        ))}
      </select>
    </label>
  );
}

export function Trouble({ problem }: { problem?: ApiProblem }) {
  if (!problem) return null;
  return (
    <div className="trouble" role="alert">
      <strong>{problem.status === 403 ? "Not allowed" : problem.status === 401 ? "A token is needed" : "That did not work"}</strong>
      <pre>{problem.message}</pre>
      {problem.diagnostics.map((line, index) => (
        <p key={index}>
          line {line.line}: {line.message}; {line.help}
        </p>
      ))}
    </div>
  );
}

export function Waiting() {
  return <p className="empty" role="status">Loading …</p>;
}

const TONES: Record<string, string> = {
  refuse: "bad", "would-refuse": "warn", pass: "good", block: "good", monitor: "warn", off: "plain",
  shadow: "warn", zombie: "warn", orphan: "plain", "missing-auth": "bad", "mixed-auth": "warn", "open-write": "bad",
  review: "warn", saved: "good", ignored: "plain", provisional: "plain", "in-service": "good", ejected: "bad", unhealthy: "bad",
  high: "bad", critical: "bad", medium: "warn", low: "plain", sure: "bad", likely: "warn", hint: "plain",
};

export function Tag({ children, tone }: { children: string; tone?: string }) {
  return <span className={`tag ${tone ?? TONES[children] ?? "plain"}`}>{children}</span>;
}

export function Method({ name }: { name: string }) {
  return <span className={`method ${["GET", "HEAD", "OPTIONS"].includes(name) ? "reads" : "writes"}`}>{name}</span>;
}

export function Status({ code }: { code: number }) {
  return <span className={`status s${Math.floor(code / 100)}`}>{code === 0 ? "none" : code}</span>;
}

/** A dialog that takes the focus and gives it back; Escape closes it. */
export function Dialog({ title, onClose, children, wide }: { title: string; onClose: () => void; children: ReactNode; wide?: boolean }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} className={wide ? "wide" : ""} onCancel={onClose} onClose={onClose}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" className="quiet" onClick={onClose} aria-label="Close">✕</button>
      </header>
      {children}
    </dialog>
  );
}
