// Pictures of every page, light and dark and as on a phone: node tests/screenshots.mjs DIRECTORY [PAGE...]
import { mkdirSync } from "node:fs";
import { launch, open, pages, settle, subject } from "./browser.mjs";

const KINDS = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
];
const seen = await subject();
if (seen.why) {
  console.log(`skipped: ${seen.why}`);
  process.exit(0);
}
const directory = process.argv[2] ?? "screenshots";
const only = process.argv.slice(3);
mkdirSync(directory, { recursive: true });
const browser = await launch();
for (const [kind, options] of KINDS) {
  const { page, context } = await open(browser, options);
  for (const path of pages(seen).filter((path) => only.length === 0 || only.some((name) => path.startsWith(name)))) {
    await page.goto(`${seen.address}/${path}`);
    await page.waitForSelector("main .panel, main .stats", { timeout: 30_000 });
    await settle(page);
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${directory}/${path.replace(/\/.*/, "-one") || "overview"}-${kind}.png`, fullPage: kind !== "phone" });
  }
  await context.close();
}
await browser.close();
seen.stop();
console.log(`pictures are in ${directory}`);
process.exit(0);
