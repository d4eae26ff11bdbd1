import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { launch, open, pages, settle, subject } from "./browser.mjs";

const seen = await subject();
if (seen.why) console.log(`skipped: ${seen.why}`);
const skip = seen.why || false;
const console_ = seen.address;
const PAGES = skip ? [] : pages(seen).map((path) => `/${path}`);
let browser;
before(async () => {
  if (!skip) browser = await launch();
});
after(async () => {
  await browser?.close();
  seen.stop?.();
});

/** Markup where traffic can carry it: path, query, agent, referer. Only a gateway of our own can be sent to. */
const MARKUP = "<img src=x onerror=document.title='owned'>";
before(async () => {
  if (skip || !seen.gateway) return;
  for (const path of [`/api/v1/search?q=${encodeURIComponent(MARKUP)}`, `/${encodeURIComponent(MARKUP)}`, `/api/v1/products/${encodeURIComponent(MARKUP)}`]) {
    await fetch(seen.gateway + path, { headers: { host: "shop.example.com", "user-agent": `xss-test ${MARKUP}`, referer: `http://a.example/${MARKUP}`, "x-onerror": MARKUP } }).then((answer) => answer.text()).catch(() => "");
  }
  for (let round = 0; round < 60; round += 1) {
    const found = await (await fetch(`${console_}/api/v1/events?filter=${encodeURIComponent("agent~onerror")}`)).json();
    if (found.events?.length >= 1) break;
    await new Promise((done) => setTimeout(done, 250));
  }
});

for (const theme of ["light", "dark"]) {
  test(`every page has content, no faults of access and no complaints (${theme})`, { skip, timeout: 300_000 }, async () => {
    const { page, complaints, context } = await open(browser, { colorScheme: theme });
    for (const path of PAGES) {
      await page.goto(console_ + path);
      await page.waitForSelector("main .panel, main .stats", { timeout: 30_000 });
      await settle(page);
      await page.evaluate(axe.source);
      const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
      const faults = found.violations.filter((line) => ["serious", "critical"].includes(line.impact));
      assert.deepEqual(faults.map((line) => `${path}: ${line.id}: ${line.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(" | ")}`), []);
      assert.equal(await page.locator(".trouble:not(.calm)").count(), 0, `${path} shows trouble`);
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

test("nothing from traffic runs, and the title stays ours", { skip, timeout: 120_000 }, async () => {
  const { page, complaints, context } = await open(browser);
  await page.goto(`${console_}/events?since=7d&filter=${encodeURIComponent("agent~onerror")}`);
  await settle(page);
  await page.locator("tbody button.link").first().click();
  await page.waitForSelector("dialog .facts");
  assert.match(await page.locator("dialog").innerText(), seen.gateway ? /<img src=x onerror=/ : /<script>document\.title='owned'<\/script>/);
  assert.equal(await page.title(), "Events · Portreeve");
  assert.equal(await page.locator("main img, dialog img, main script, main svg").count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("filters live in the address bar, and a wrong one is explained", { skip, timeout: 120_000 }, async () => {
  const { page, context } = await open(browser);
  await page.goto(`${console_}/endpoints`);
  await settle(page);
  const all = await page.locator("tbody tr").count();
  await page.getByLabel("Find").fill("orders");
  await page.waitForFunction((before) => document.querySelectorAll("tbody tr").length < before, all);
  assert.match(page.url(), /text=orders/);
  await page.reload();
  await settle(page);
  assert.equal(await page.getByLabel("Find").inputValue(), "orders");
  await page.goto(`${console_}/events?filter=statu%3D429`);
  await page.waitForSelector(".trouble");
  assert.match(await page.locator(".trouble").innerText(), /did you mean `status`/);
  await context.close();
});

test("an endpoint is saved from the inbox", { skip, timeout: 120_000 }, async () => {
  const { page, context } = await open(browser);
  await page.goto(`${console_}/inbox`);
  await settle(page);
  const name = await page.locator("tbody tr").first().getByRole("button", { name: /^Save/ }).getAttribute("aria-label");
  await page.getByRole("button", { name, exact: true }).first().click();
  await page.getByText("1 endpoint is saved.").waitFor();
  await page.goto(`${console_}/audit`);
  await settle(page);
  assert.match(await page.locator("tbody tr").first().innerText(), /endpoint\.change-many/);
  await context.close();
});

test("a mode is switched after its what-if", { skip, timeout: 120_000 }, async () => {
  const { page, context } = await open(browser);
  await page.goto(`${console_}/policy`);
  await settle(page);
  const mode = page.getByLabel("Mode of attacks for shop");
  const next = (await mode.inputValue()) === "block" ? "monitor" : "block";
  await mode.selectOption(next);
  await page.waitForSelector("dialog .stats");
  assert.match(await page.locator("dialog").innerText(), /Newly refused/);
  await page.getByRole("button", { name: `Set “${next}”` }).click();
  await page.waitForFunction((wanted) => document.querySelector('[aria-label="Mode of attacks for shop"]')?.value === wanted, next);
  await context.close();
});

test("an exception is made from an exchange", { skip, timeout: 120_000 }, async () => {
  const { page, context } = await open(browser);
  await page.goto(`${console_}/events?since=7d&filter=${encodeURIComponent("verdict=would-refuse")}`);
  await settle(page);
  await page.locator("tbody button.link").first().click();
  await page.getByRole("button", { name: "Allow this here" }).first().click();
  await page.getByLabel("Why").fill("the test says so");
  await page.getByRole("button", { name: "Allow", exact: true }).click();
  await page.getByText(/^Allowed: exception/).waitFor();
  await page.goto(`${console_}/policy`);
  await page.getByText("the test says so").first().waitFor();
  await context.close();
});

test("words to the learner are kept and can be withdrawn", { skip, timeout: 120_000 }, async () => {
  const { page, context, complaints } = await open(browser);
  await page.goto(`${console_}/endpoints/${seen.endpoint}`);
  await settle(page);
  await page.getByRole("button", { name: "Rename", exact: true }).first().click();
  await page.getByLabel("New name").fill("lanternId");
  await page.getByRole("button", { name: "Rename", exact: true }).last().click();
  await page.getByText(/^Told\./).waitFor();
  await page.getByText(/told so far/).click();
  await page.getByText(/lanternId/).first().waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the theme can be chosen and stays, and a phone is wide enough", { skip, timeout: 120_000 }, async () => {
  const { page, context } = await open(browser, { viewport: { width: 390, height: 844 }, colorScheme: "light" });
  await page.goto(console_);
  await settle(page);
  await page.getByRole("button", { name: "Use the dark theme" }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  for (const path of PAGES) {
    await page.goto(console_ + path);
    await page.waitForSelector("main .panel, main .stats");
    await settle(page);
    const [page_, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(page_ <= screen, `${path} is ${page_} wide on a screen of ${screen}`);
  }
  await context.close();
});
