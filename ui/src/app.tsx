// The frame of every page: where one can go, who one is, which theme.
import { Component, type ReactNode, useEffect, useRef, useState } from "react";
import { change, read, token, type Schemas } from "./api/client";
import { Dialog, Link, Tag, Trouble } from "./parts/basics";
import { useTheme } from "./parts/theme";
import { Audit } from "./pages/audit";
import { EndpointPage } from "./pages/endpoint";
import { Endpoints } from "./pages/endpoints";
import { Events } from "./pages/events";
import { Health } from "./pages/health";
import { Inbox } from "./pages/inbox";
import { Overview } from "./pages/overview";
import { Policy } from "./pages/policy";
import { ReportPage } from "./pages/report";
import { SessionPage, Sessions } from "./pages/sessions";
import { Threats } from "./pages/threats";
import { useLoad, usePath } from "./state";

const PAGES: [path: string, title: string, page: () => ReactNode][] = [
  ["/", "Overview", () => <Overview />],
  ["/endpoints", "Endpoints", () => <Endpoints />],
  ["/inbox", "Inbox", () => <Inbox />],
  ["/threats", "Threats", () => <Threats />],
  ["/events", "Events", () => <Events />],
  ["/sessions", "Sessions", () => <Sessions />],
  ["/policy", "Policy", () => <Policy />],
  ["/report", "Report", () => <ReportPage />],
  ["/health", "Health", () => <Health />],
  ["/audit", "Audit", () => <Audit />],
];

function page(path: string): [string, ReactNode] {
  const part = decodeURIComponent(path.split("/")[2] ?? "");
  if (path.startsWith("/endpoints/") && part) return ["Endpoint", <EndpointPage key={part} id={part} />];
  if (path.startsWith("/sessions/") && part) return ["Session", <SessionPage key={part} hash={part} />];
  const found = PAGES.find(([at]) => at === path);
  if (found) return [found[1], found[2]()];
  return ["Not found", <p className="empty">There is no such page. <Link to="/">Go to the overview</Link>.</p>];
}

export function App() {
  const path = usePath();
  const [title, body] = page(path);
  const { dark, toggle } = useTheme();
  const me = useLoad("me", (signal) => read("/api/v1/me", { signal }), 60_000);
  const [signing, setSigning] = useState(false);
  const [menu, setMenu] = useState(false);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title} · Portreeve`;
    setMenu(false);
    // A page that was gone to is read from its start; the first one is where the browser put the focus.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [title, path]);
  const here = path.startsWith("/endpoints") ? "/endpoints" : path.startsWith("/sessions") ? "/sessions" : path;
  return (
    <>
      <a className="skip" href="#main">Skip to the page</a>
      <header className="top">
        <Link to="/" className="brand">
          <img src="/icon.svg" alt="" width="26" height="26" />
          <span>Portreeve</span>
        </Link>
        <button type="button" className="menu" aria-expanded={menu} aria-controls="pages" onClick={() => setMenu(!menu)}>
          {title} ▾
        </button>
        <nav id="pages" aria-label="Pages" className={menu ? "open" : ""}>
          {PAGES.map(([at, name]) => (
            <Link key={at} to={at} current={at === here}>{name}</Link>
          ))}
        </nav>
        <div className="who">
          {me.data && <Tag tone={me.data.open ? "warn" : "plain"}>{me.data.open ? "open on this machine" : me.data.role}</Tag>}
          <button type="button" className="quiet" onClick={() => setSigning(true)}>{me.data && !me.data.open ? me.data.name : "Token"}</button>
          <button type="button" className="quiet" onClick={toggle} aria-label={dark ? "Use the light theme" : "Use the dark theme"}>
            {dark ? "☀" : "☾"}
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <h1 className="hidden">{title}</h1>
        {me.problem && (me.problem.status === 401 || me.problem.status === 403) ? (
          <SignIn onDone={() => location.reload()} problem={<Trouble problem={me.problem} />} />
        ) : (
          <Guard key={path}>{body}</Guard>
        )}
      </main>
      {signing && (
        <Dialog title="Access" onClose={() => setSigning(false)}>
          <SignIn onDone={() => location.reload()} />
          {me.data?.role === "admin" && <Tokens open={me.data.open} />}
        </Dialog>
      )}
    </>
  );
}

function SignIn({ onDone, problem }: { onDone: () => void; problem?: ReactNode }) {
  const [value, setValue] = useState("");
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        token.write(value.trim());
        onDone();
      }}
    >
      {problem}
      <label className="field">
        <span>Token</span>
        <input type="password" autoComplete="off" value={value} onChange={(event) => setValue(event.target.value)} />
      </label>
      <div className="actions">
        <button type="submit" className="primary">Use this token</button>
        {token.read() && (
          <button type="button" onClick={() => { token.write(""); onDone(); }}>Forget the token</button>
        )}
      </div>
    </form>
  );
}

function Tokens({ open }: { open: boolean }) {
  const tokens = useLoad("tokens", (signal) => read("/api/v1/tokens", { signal }), 0);
  const [name, setName] = useState("");
  const [role, setRole] = useState<Schemas["Role"]>("admin");
  const [secret, setSecret] = useState("");
  const [problem, setProblem] = useState<Error>();
  const make = async () => {
    try {
      const made = await change("post", "/api/v1/tokens", { name, role });
      setSecret(made.secret);
      // The first token closes the open door: whoever made it goes on with it.
      if (open) token.write(made.secret);
      setProblem(undefined);
      tokens.reload();
    } catch (error) {
      setProblem(error as Error);
    }
  };
  return (
    <div className="stack">
      <h3>Tokens</h3>
      {open && <p className="note">No token is set, so whoever works on this machine may change everything. The first token ends that.</p>}
      <ul className="lines">
        {tokens.data?.tokens.map((line) => (
          <li key={line.id}>
            {line.name} <Tag>{line.role}</Tag>
            <button type="button" className="quiet" onClick={() => change("delete", "/api/v1/tokens/{id}", undefined, { id: String(line.id) }).then(tokens.reload, setProblem)}>
              Delete
            </button>
          </li>
        ))}
      </ul>
      <div className="row">
        <label className="field"><span>Name</span><input value={name} onChange={(event) => setName(event.target.value)} /></label>
        <label className="field">
          <span>Role</span>
          <select value={role} onChange={(event) => setRole(event.target.value as Schemas["Role"])}>
            <option value="viewer">viewer</option>
            <option value="operator">operator</option>
            <option value="admin">admin</option>
          </select>
        </label>
        <button type="button" onClick={make} disabled={!name}>Make a token</button>
      </div>
      {secret && <p className="trouble calm" role="status">Shown this once: <code>{secret}</code></p>}
      {problem && <p role="alert">{problem.message}</p>}
    </div>
  );
}

/** A fault of one page leaves the others. */
class Guard extends Component<{ children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="trouble" role="alert">
        <strong>This page has failed</strong>
        <pre>{this.state.error.message}</pre>
      </div>
    );
  }
}
