// A headless browser over a running console; everything comes from the environment:
//   PORTREEVE_CONSOLE  where a console answers, such as http://127.0.0.1:9191; started from the demo when absent
//   PORTREEVE          the program whose demo is started; target/debug/portreeve when absent
//   DEMO_S             how many seconds the demo's traffic runs before it is looked at; 45 when absent
//   CHROMIUM           the browser's program; /usr/bin/chromium when absent
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const program = process.env.CHROMIUM ?? "/usr/bin/chromium";
const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
export const portreeve = process.env.PORTREEVE ?? join(target, "debug/portreeve");

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export async function until(what, holds, timeoutMs) {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await holds().catch(() => false)) return;
    await sleep(250);
  }
  throw new Error(`waited in vain for ${what}`);
}

/** What is missing for a test that starts a program of its own; nothing when all is there. */
export function missing() {
  if (!existsSync(program)) return `there is no browser at ${program}`;
  if (!existsSync(portreeve)) return `there is no program at ${portreeve}; build it with: cargo build -p portreeve`;
  return "";
}

async function startDemo() {
  const [port, adminPort] = [await freePort(), await freePort()];
  const data = mkdtempSync(join(tmpdir(), "portreeve-ui-"));
  const address = `http://127.0.0.1:${adminPort}`;
  const child = spawn(portreeve, ["demo", "--for", "20m", "--listen", `127.0.0.1:${port}`, "--admin", `127.0.0.1:${adminPort}`, "--data", data], { stdio: "ignore" });
  const stop = () => {
    child.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
  };
  process.on("exit", stop);
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  const json = async (path) => (await fetch(address + path)).json();
  await until("the demo's console", () => json("/api/v1/me"), 60_000);
  await until("endpoints found in the demo", async () => (await json("/api/v1/endpoints?state=review")).endpoints.length > 3, 120_000);
  await sleep(1000 * Number(process.env.DEMO_S ?? 45));
  return { address, gateway: `http://127.0.0.1:${port}`, stop };
}

/**
 * The console to look at: `{ address, gateway, endpoint, session, stop }`, or `{ why }` when nothing can be tested here.
 * `gateway` is empty where the console was given.
 */
export async function subject() {
  if (!existsSync(program)) return { why: `there is no browser at ${program}` };
  let found;
  if (process.env.PORTREEVE_CONSOLE) {
    found = { address: process.env.PORTREEVE_CONSOLE, gateway: "", stop: () => {} };
    const answers = await fetch(`${found.address}/api/v1/me`).catch(() => undefined);
    if (!answers) return { why: `no console answers at ${found.address}` };
  } else {
    if (!existsSync(portreeve)) return { why: `there is no program at ${portreeve}; build it with: cargo build -p portreeve` };
    found = await startDemo();
  }
  const { endpoints } = await (await fetch(`${found.address}/api/v1/endpoints`)).json();
  const busiest = endpoints.sort((a, b) => b.figures.requests - a.figures.requests)[0];
  const { sessions } = await (await fetch(`${found.address}/api/v1/sessions`)).json();
  return { ...found, endpoint: busiest?.id ?? "e1", session: sessions.rows[0]?.[0] ?? "0" };
}

/** Every page with its path. */
export function pages({ endpoint, session }) {
  return ["", "endpoints", `endpoints/${endpoint}`, "inbox", "threats", "events", "sessions", `sessions/${session}`, "policy", "report", "health", "audit"];
}

export function launch() {
  return chromium.launch({
    executablePath: program,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
  });
}

/** A page that notes everything the browser complains about. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog opened: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { context, page, complaints };
}

export async function settle(page) {
  await page.waitForFunction(() => ![...document.querySelectorAll("[role=status]")].some((line) => /Loading|Replaying/.test(line.textContent)), undefined, { timeout: 30_000 });
}
