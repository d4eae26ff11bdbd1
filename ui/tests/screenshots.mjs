// Pictures of every page, light and dark and as on a phone: node tests/screenshots.mjs DIRECTORY
import { mkdirSync } from "node:fs";
import { console_, launch, missing, open, settle } from "./browser.mjs";

const PAGES = ["", "endpoints", "endpoints/e100", "inbox", "threats", "events", "sessions", "policy", "report", "health", "audit"];
const KINDS = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
];
const why = await missing();
if (why) {
  console.log(`skipped: ${why}`);
  process.exit(0);
}
const directory = process.argv[2] ?? "screenshots";
const only = process.argv.slice(3);
mkdirSync(directory, { recursive: true });
const browser = await launch();
for (const [kind, options] of KINDS) {
  const { page, context } = await open(browser, options);
  for (const path of PAGES.filter((path) => only.length === 0 || only.includes(path))) {
    await page.goto(`${console_}/${path}`);
    await page.waitForSelector("main .panel, main .stats", { timeout: 30_000 });
    await settle(page);
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${directory}/${path.replace("/", "-") || "overview"}-${kind}.png`, fullPage: kind !== "phone" });
  }
  await context.close();
}
await browser.close();
