// A headless browser over a running console; both come from the environment:
//   PORTREEVE_CONSOLE  where the console answers, such as http://127.0.0.1:9191
//   CHROMIUM           the browser's program; /usr/bin/chromium when absent
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

export const console_ = process.env.PORTREEVE_CONSOLE ?? "http://127.0.0.1:9191";
const program = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The reason why nothing can be tested here; empty when it can. */
export async function missing() {
  if (!existsSync(program)) return `there is no browser at ${program}`;
  try {
    await fetch(`${console_}/api/v1/me`);
    return "";
  } catch {
    return `no console answers at ${console_}; start one with: cargo run -p console --example console-demo`;
  }
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
