// The first page, as a newcomer sees it in Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, start, until } from "./harness.mjs";

let gate, browser, page;
/** What the browser complains of: the page's errors, and what its Content-Security-Policy stops. */
const complaints = [];
before(async () => {
  gate = await start();
  browser = await browse();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // Chromium itself reports the refusals that this page shows on purpose.
    if (["error", "warning"].includes(message.type()) && !/status of 401/.test(message.text())) complaints.push(message.text());
  });
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
  await page.goto(gate.url.href, { waitUntil: "load" });
});
after(async () => { await browser?.close(); await gate?.close(); });

const text = (selector) => page.locator(selector).textContent();
const shows = (selector, what) => page.locator(selector).filter({ hasText: what }).waitFor();
/** Set E2E_SCREENSHOTS to a folder to look at the page. */
const look = async (name) => {
  const folder = process.env.E2E_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
};
/** The newest answer under "What came back" after a click. */
async function knock(button) {
  const before = await page.locator("#answers article").count();
  await page.click(button);
  await page.waitForFunction((before) => document.querySelectorAll("#answers article").length > before, before);
  return page.locator("#answers article").first().innerText();
}

test("it opens without a complaint, under a strict policy", async () => {
  const answer = await page.reload();
  const policy = answer.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|data:/);
  assert.equal(await page.title(), "Tollgate – no token, no passage");
  assert.equal(await page.locator("#token-some").isVisible(), false);
  assert.ok(await page.locator("#call-with").isDisabled());
  assert.deepEqual(complaints, []);
  await look("first");
});

test("the policy stops a foreign script: this test would hear of it", async () => {
  await page.evaluate(() => document.head.append(Object.assign(document.createElement("script"), { textContent: "window.broken = 1" })));
  await until(() => complaints.some((line) => line.startsWith("CSP: script-src")));
  assert.equal(await page.evaluate(() => "broken" in window), false);
  complaints.length = 0;
});

test("a wrong password is told, and gives no token", async () => {
  await page.fill("#username", "user1");
  await page.fill("#password", "wrong");
  await page.click("#login");
  await shows("#login-error", "does not know this username and password");
  assert.equal(await page.locator("#token-some").isVisible(), false);
  await look("wrong-password");
});

test("a log-in shows the token taken apart, and its time running out", async () => {
  await page.click("#fill-demo");
  await page.click("#login");
  await page.locator("#token-some").waitFor();
  assert.equal(await text("#login-error"), "");
  assert.equal(await page.inputValue("#password"), "");
  const token = await text("#token");
  assert.equal((await page.locator("#token span").allTextContents()).join("."), token);
  assert.deepEqual(JSON.parse(await text("#token-header")), { typ: "JWT", alg: "HS256" });
  const claims = JSON.parse(await text("#token-claims"));
  assert.deepEqual(claims, JSON.parse(Buffer.from(token.split(".")[1], "base64url")));
  assert.equal(claims.identity, 1);
  assert.equal(claims.exp - claims.iat, 300);
  assert.equal(await page.locator("#times time").count(), 3);
  const seconds = async () => {
    const [, minutes = 0, left] = (await text("#countdown")).match(/^(?:(\d+) min )?(\d+) s left$/);
    return Number(minutes) * 60 + Number(left);
  };
  const first = await seconds();
  assert.ok(first > 280 && first <= 300, `${first} s`);
  await page.waitForFunction((before) => document.querySelector("#countdown").textContent !== before, await text("#countdown"), { timeout: 3000 });
  assert.ok(await seconds() < first);
});

test("the gate opens with the token, and stays shut without it or with one letter changed", async () => {
  const passed = await knock("#call-with");
  assert.match(passed, /200/);
  assert.match(passed, /"username": "user1"/);
  const without = await knock("#call-without");
  assert.match(without, /401/);
  assert.match(without, /WWW-Authenticate: JWT realm="Login Required"/);
  const changed = await knock("#call-changed");
  assert.match(changed, /401/);
  assert.match(changed, /Signature verification failed/);
  assert.match(await knock("#call-members"), /200/);
  await look("logged-in");
});

test("on a narrow screen nothing sticks out", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await look("logged-in-mobile");
});

test("the token is kept nowhere, and a log-out forgets it", async () => {
  const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, location.href]);
  assert.deepEqual(stored, [0, 0, "", gate.url.href]);
  await page.click("#logout");
  await page.locator("#token-some").waitFor({ state: "hidden" });
  assert.equal(await text("#token"), "");
  assert.ok(await page.locator("#call-with").isDisabled());
  assert.match(await knock("#call-members"), /401/);
  await look("logged-out-mobile");
});

test("nobody complained on the way", () => assert.deepEqual(complaints, []));
