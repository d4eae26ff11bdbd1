// What is decided on a page is what the gateway does: a gateway with a configuration file, an upstream of our own, and a browser.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort, launch, missing, open, pages, portreeve, settle, until } from "./browser.mjs";

const why = missing();
if (why) console.log(`skipped: ${why}`);
const skip = why || false;
const MARKUP = "<img src=x onerror=document.title='owned'>";
let browser, gateway, upstream, directory, console_, address, port, file;

/** The status of one request, with markup left as it is: `fetch` would write it in percent signs. */
function send(method, target, headers = {}, body = "") {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (bytes) => (answer += bytes));
    socket.on("close", () => done(Number(answer.split(" ")[1] ?? 0)));
    socket.on("error", () => done(0));
    const lines = Object.entries({ host: "shop.example.com", connection: "close", "content-length": Buffer.byteLength(body), ...headers });
    socket.write(`${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`);
  });
}

const ask = async (path) => (await fetch(console_ + path)).json();

before(async () => {
  if (skip) return;
  upstream = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.setHeader("content-type", "application/json").end('{"id":1,"name":"lantern"}'));
  });
  await new Promise((done) => upstream.listen(0, "127.0.0.1", done));
  const adminPort = await freePort();
  port = await freePort();
  console_ = `http://127.0.0.1:${adminPort}`;
  directory = mkdtempSync(join(tmpdir(), "portreeve-steering-"));
  file = join(directory, "portreeve.yaml");
  writeFileSync(file, [
    `listeners: [{ address: "127.0.0.1:${port}" }]`,
    `upstreams: [{ name: up, servers: ["127.0.0.1:${upstream.address().port}"] }]`,
    "apis: [{ name: shop, upstream: up, mode: monitor }]",
    `admin: { address: "127.0.0.1:${adminPort}" }`,
    "workers: 1",
    "data: { dir: data }",
    "",
  ].join("\n"));
  gateway = spawn(portreeve, ["run", "--config", file], { cwd: directory, stdio: "ignore" });
  await until("the console", () => ask("/api/v1/me"), 60_000);
  // Exchanges are sampled, a few each second: traffic flows until an endpoint is found whose query is known to be a number.
  let number = 0;
  await until("an endpoint", async () => {
    for (const last = number + 30; number < last; number += 1) {
      await send("GET", `/v1/lanterns/${1000 + number * 7}?page=${number}`, { authorization: `Bearer session-${number % 12}` });
    }
    const found = (await ask("/api/v1/endpoints")).endpoints.find((line) => /^\/v1\/lanterns\/\{/.test(line.template));
    address = found?.id;
    const { parameters } = found ? await ask(`/api/v1/endpoints/${address}`) : {};
    return (parameters ?? []).some((field) => field.in === "query" && field.name === "page" && field.of >= 60);
  }, 120_000);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  gateway?.kill("SIGKILL");
  upstream?.close();
  if (directory) rmSync(directory, { recursive: true, force: true });
});

test("a learned contract is put in force, refuses what differs, and is taken back", { skip, timeout: 180_000 }, async () => {
  const { page, context, complaints } = await open(browser);
  const wrong = "/v1/lanterns/1007?page=seven";
  assert.equal(await send("GET", wrong), 200, "nothing is decided yet");
  await page.goto(`${console_}/endpoints/${address}`);
  await settle(page);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Kept.").waitFor();
  assert.equal(await send("GET", wrong), 200, "a contract begins by reporting");
  await page.getByLabel("Learned contract").selectOption("block");
  await until("the contract", async () => (await send("GET", wrong)) >= 400, 60_000);
  assert.equal(await send("GET", "/v1/lanterns/1007?page=7", { authorization: "Bearer session-1" }), 200, "what was learned passes");
  await page.goto(`${console_}/endpoints/${address}`);
  await settle(page);
  await page.getByRole("button", { name: "Back to review" }).click();
  await page.getByText("Kept.").waitFor();
  await until("the contract to be taken back", async () => (await send("GET", wrong)) === 200, 60_000);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a configuration is put in force and rolled back", { skip, timeout: 180_000 }, async () => {
  const { page, context, complaints } = await open(browser);
  await page.goto(`${console_}/policy`);
  await settle(page);
  const text = page.getByLabel("Configuration in force");
  const first = await text.inputValue();
  await text.fill(first.replace("mode: monitor", "mode: sometimes"));
  await page.getByRole("button", { name: "Put in force" }).click();
  await page.waitForSelector(".trouble");
  assert.match(await page.locator(".trouble").first().innerText(), /sometimes/);
  assert.equal(readFileSync(file, "utf8"), first, "a mistake changes nothing");
  complaints.length = 0; // The browser complains about the answer 422.
  await text.fill(first.replace("mode: monitor", "mode: block"));
  await page.getByLabel("Why", { exact: true }).fill("<b>the test</b> says so");
  await page.getByRole("button", { name: "Put in force" }).click();
  await page.getByText("In force.", { exact: true }).waitFor();
  assert.match(readFileSync(file, "utf8"), /mode: block/);
  const attack = "/v1/lanterns/1?q=1'%20UNION%20SELECT%20password%20FROM%20users--";
  await until("the new mode", async () => (await send("GET", attack)) === 403, 30_000);
  await page.getByText("<b>the test</b> says so").first().waitFor();
  await page.locator("ul.lines li", { hasNotText: "the test" }).first().getByRole("button", { name: "Compare" }).click();
  await page.locator("dialog").getByRole("button", { name: /Roll back|Go back|back/i }).last().click();
  await page.getByText(/^Back at version/).waitFor();
  assert.equal(readFileSync(file, "utf8"), first);
  await until("the old mode", async () => (await send("GET", attack)) === 200, 30_000);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("markup in paths, agents, operations and names is shown as text on every page", { skip, timeout: 240_000 }, async () => {
  const query = JSON.stringify({ operationName: MARKUP, query: `query Found { lanterns(name: "${MARKUP}") { id } }` });
  for (let number = 0; number < 30; number += 1) {
    await send("GET", `/v1/<b>bold</b>/${encodeURIComponent(MARKUP)}?${MARKUP.replaceAll(" ", "+")}=1`, { "user-agent": `xss-test ${MARKUP}`, referer: `http://a.example/${MARKUP}`, "x-onerror": MARKUP });
    await send("GET", `/v1/lanterns/${encodeURIComponent(MARKUP)}?q=${encodeURIComponent("<script>document.title='owned'</script>")}`, { "user-agent": `xss-test ${MARKUP}` });
    await send("POST", "/graphql", { "content-type": "application/json", "user-agent": `xss-test ${MARKUP}`, authorization: `Bearer ${MARKUP}` }, query);
  }
  const change = (method, path, body) => fetch(console_ + path, { method, headers: { "content-type": "application/json", "x-portreeve": "1" }, body: JSON.stringify(body) });
  assert.equal((await change("PATCH", `/api/v1/endpoints/${address}`, { owner: MARKUP, note: MARKUP, labels: [MARKUP] })).status, 200);
  await until("the exchanges", async () => (await ask(`/api/v1/events?filter=${encodeURIComponent("agent~onerror")}`)).events.length >= 30, 60_000);
  const { sessions } = await ask("/api/v1/sessions");
  const { page, context, complaints } = await open(browser);
  const all = pages({ endpoint: address, session: sessions.rows[0]?.[0] ?? "0" });
  for (const path of all.concat(["events?filter=agent~onerror", `events?filter=${encodeURIComponent(`path~"${MARKUP}"`)}`, `endpoints?text=${encodeURIComponent(MARKUP)}`])) {
    await page.goto(`${console_}/${path}`);
    await page.waitForSelector("main .panel, main .stats", { timeout: 30_000 });
    await settle(page);
    assert.match(await page.title(), /Portreeve$/, path);
    assert.equal(await page.locator("main img, main script, main b, main iframe").count(), 0, `${path} has an element from traffic`);
  }
  await page.goto(`${console_}/endpoints/${address}`);
  await settle(page);
  assert.equal(await page.getByLabel("Owner").inputValue(), MARKUP);
  const report = await fetch(`${console_}/api/v1/report?format=html`);
  assert.ok(!(await report.text()).includes("<img src=x"), "the report as HTML");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("ten years are a range like any other", { skip, timeout: 120_000 }, async () => {
  const { page, context, complaints } = await open(browser);
  for (const path of ["?since=3650d", "endpoints?since=3650d", "threats?since=3650d", "events?since=3650d", "sessions?since=3650d", "report?since=3650d"]) {
    await page.goto(`${console_}/${path}`);
    await page.waitForSelector("main .panel, main .stats", { timeout: 30_000 });
    await settle(page);
    assert.equal(await page.locator(".trouble:not(.calm)").count(), 0, `${path} shows trouble`);
  }
  assert.deepEqual(complaints, []);
  await context.close();
});

// The last one: a token closes the door that was open to this machine.
test("a viewer looks and changes nothing; without a token nobody looks", { skip, timeout: 120_000 }, async () => {
  const make = (role, token) => fetch(`${console_}/api/v1/tokens`, { method: "POST", headers: { "content-type": "application/json", "x-portreeve": "1", ...(token && { authorization: `Bearer ${token}` }) }, body: JSON.stringify({ name: role, role }) });
  const admin = (await (await make("admin")).json()).secret;
  const viewer = (await (await make("viewer", admin)).json()).secret;
  assert.ok(admin && viewer);
  const { page, context } = await open(browser);
  await page.goto(`${console_}/policy`);
  const field = page.locator("input[type=password]");
  await field.waitFor();
  await field.fill("wrong-token-of-some-length");
  await field.press("Enter");
  await page.locator(".trouble").waitFor();
  await field.fill(viewer);
  await field.press("Enter");
  await page.waitForSelector("main .panel");
  await settle(page);
  assert.equal(await page.getByLabel("Configuration in force").count(), 0, "the configuration is for admins");
  const refused = await fetch(`${console_}/api/v1/policy/modes`, { method: "PUT", headers: { authorization: `Bearer ${viewer}`, "content-type": "application/json", "x-portreeve": "1" }, body: JSON.stringify({ api: "shop", stage: "attacks", mode: "block" }) });
  assert.equal(refused.status, 403);
  const mode = page.getByLabel("Mode of attacks for shop");
  if ((await mode.count()) > 0 && (await mode.isEnabled())) {
    await mode.selectOption((await mode.inputValue()) === "block" ? "monitor" : "block");
    await page.locator("dialog").getByRole("button", { name: /^Set/ }).click();
    assert.match(await page.locator("dialog .trouble").innerText(), /viewer|operator|may not/i);
  }
  await context.close();
});
