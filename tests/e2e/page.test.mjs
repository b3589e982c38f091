// The first page, as a newcomer sees it in Chromium.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { bearing, browse, exampleOrigin, root, start, until } from "./harness.mjs";

let gate, browser, page, app;
/** What the browser complains of: the page's errors, and what its Content-Security-Policy stops. */
const complaints = [];
before(async () => {
  app = await exampleOrigin();
  gate = await start({ vars: { ORIGIN: app.url, TOLLGATE_REVOCATION_BOUND: "2" } });
  browser = await browse();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // Chromium itself reports the refusals that this page shows on purpose.
    if (["error", "warning"].includes(message.type()) && !/status of (401|405|502)/.test(message.text()))
      complaints.push(message.text());
  });
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`),
    ),
  );
  await page.goto(gate.url.href, { waitUntil: "load" });
});
after(async () => {
  await browser?.close();
  await gate?.close();
  app?.close();
});

const text = (selector) => page.locator(selector).textContent();
const shows = (selector, what) => page.locator(selector).filter({ hasText: what }).waitFor();
/** Set E2E_SCREENSHOTS to a folder to look at the page. */
const look = async (name) => {
  const folder = process.env.E2E_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
};
/** The newest answer under "What came back" after a click. */
async function knock(button) {
  const answers = page.locator("#answers article");
  await answers.evaluateAll((all) =>
    all.forEach((article) => {
      article.dataset.seen = "";
    }),
  );
  await page.click(button);
  const newest = page.locator("#answers article:not([data-seen])");
  await newest.waitFor();
  // biome-ignore lint/performance/useDomNodeTextContent: what a reader sees, with its line breaks
  return newest.innerText();
}
/** Logs in as the demo user; gives the token. */
async function logIn() {
  await page.click("#fill-demo");
  await page.click("#login");
  await page.locator("#token-some").waitFor();
  return text("#token");
}
const passes = async (token, through = gate) => (await through.get("/protected", bearing(token))).status;
/** The numbers that a text says in words, up to five. */
const numbers = async (selector) =>
  (await text(selector))
    .toLowerCase()
    .match(/\b(one|two|three|four|five)\b/g)
    .map((word) => ["one", "two", "three", "four", "five"].indexOf(word) + 1);
const CALLS = ["#call-with", "#call-without", "#call-changed", "#call-members", "#call-hello"];
/** The statuses of these buttons' answers. */
async function statuses(buttons) {
  const all = [];
  for (const button of buttons) all.push(Number((await knock(button)).match(/^\d{3}/)?.[0]));
  return all;
}

test("it opens without a complaint, under a strict policy", async () => {
  const answer = await page.reload();
  const policy = answer.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|data:/);
  assert.equal(await page.title(), "Tollgate – no token, no passage");
  assert.equal(await page.locator("#token-some").isVisible(), false);
  assert.ok(await page.locator("#call-with").isDisabled());
  assert.deepEqual(complaints, []);
  await look("first");
});

test("the policy stops a foreign script: this test would hear of it", async () => {
  await page.evaluate(() =>
    document.head.append(Object.assign(document.createElement("script"), { textContent: "window.broken = 1" })),
  );
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

test("a demo user who was changed is withdrawn", async (t) => {
  const record = await gate.kv.get("login:user1");
  t.after(() => gate.kv.put("login:user1", record));
  await gate.kv.put("login:user1", record.replace("active", "disabled"));
  await page.click("#fill-demo");
  await page.click("#login");
  await shows("#login-error", "The demo users were changed or removed here.");
  assert.match(await text("#login-error"), /cargo xtask tollgate user add NAME/);
  assert.equal(await page.locator("#fill-demo").isVisible(), false);
  assert.equal(await page.locator("[placeholder]").count(), 0);
  await look("demo-user-changed");
  await page.fill("#password", "");
  await page.click("#login");
  assert.equal(await text("#login-error"), "Type a username and a password.");
  await gate.kv.put("login:user1", record);
  await page.reload();
  assert.ok(await page.locator("#fill-demo").isVisible());
});

test("without a token the page says how many of its requests can be sent, and that they are refused", async () => {
  assert.deepEqual(
    await page.locator(".calls button").evaluateAll((all) => all.map((button) => `#${button.id}`)),
    CALLS,
  );
  assert.deepEqual(await numbers("section:has(> .calls) > .say >> nth=0"), [CALLS.length]);
  const enabled = [];
  for (const button of CALLS) if (await page.locator(button).isEnabled()) enabled.push(button);
  assert.deepEqual(await numbers("#call-hint"), [CALLS.length - enabled.length, enabled.length]);
  assert.deepEqual(
    await statuses(enabled),
    enabled.map(() => 401),
  );
  assert.match(await text("#call-hello small"), /your app sees nothing/);
  assert.match(await text("#answers article >> nth=0"), /Your app saw nothing/);
});

test("a log-in shows the token taken apart, and its time running out", async () => {
  const token = await logIn();
  assert.equal(await text("#login-error"), "");
  assert.equal(await page.inputValue("#password"), "");
  assert.equal((await page.locator("#token span").allTextContents()).join("."), token);
  assert.deepEqual(JSON.parse(await text("#token-header")), { typ: "JWT", alg: "HS256" });
  const claims = JSON.parse(await text("#token-claims"));
  assert.deepEqual(claims, JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()));
  assert.equal(claims.identity, 1);
  assert.equal(claims.exp - claims.iat, 300);
  assert.equal(await page.locator("#times time").count(), 3);
  const seconds = async () => {
    const [, minutes = 0, left] = (await text("#countdown")).match(/^(?:(\d+) min )?(\d+) s left$/);
    return Number(minutes) * 60 + Number(left);
  };
  const first = await seconds();
  assert.ok(first > 280 && first <= 300, `${first} s`);
  await page.waitForFunction(
    (before) => document.querySelector("#countdown").textContent !== before,
    await text("#countdown"),
    { timeout: 3000 },
  );
  assert.ok((await seconds()) < first);
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
  const hello = await knock("#call-hello");
  assert.match(hello, /200 OK\s+The gate opened, and your app answered/);
  const seen = JSON.parse(hello.slice(hello.indexOf("{")));
  assert.deepEqual([seen.subject, seen.claims.identity], ["1", 1]);
  assert.deepEqual(
    seen.forwarded,
    { for: null, host: gate.url.host, proto: "http" },
    "only Cloudflare and wrangler say the address",
  );
  await look("logged-in");
});

test("with a token the page says how many of its requests pass", async () => {
  const all = await statuses(CALLS);
  assert.deepEqual(all, [200, 401, 401, 200, 200]);
  const passed = all.filter((status) => status === 200).length;
  assert.deepEqual(await numbers("#call-hint"), [passed, CALLS.length - passed]);
  assert.equal(await text("#call-with small"), "The gate itself says who you are");
});

test("on a narrow screen nothing sticks out", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await look("logged-in-mobile");
});

test("the token is kept nowhere, and a log-out ends it at the gate", async () => {
  const stored = await page.evaluate(() => [
    localStorage.length,
    sessionStorage.length,
    document.cookie,
    location.href,
  ]);
  assert.deepEqual(stored, [0, 0, "", gate.url.href]);
  const token = await text("#token");
  assert.equal(await passes(token), 200);
  await page.click("#logout");
  await shows("#logout-result", "Logged out at the gate.");
  const since = Date.now();
  assert.equal(await text("#announce"), await text("#logout-result"), "it is read out");
  assert.equal(await page.locator("#token-some").isVisible(), false);
  assert.equal(await text("#token"), "");
  assert.ok(await page.locator("#call-with").isDisabled());
  assert.equal(await page.evaluate(() => document.activeElement.id), "username");
  assert.match(await text("#call-hint"), /only after a log-in/);
  await until(async () => (await passes(token)) === 401);
  assert.ok(Date.now() - since < 3000, "the bound of this gate, 2 s");
  assert.match(await knock("#call-members"), /401/);
  await look("logged-out-mobile");
});

test("a log-out that the gate can't be asked for forgets the token, and says that it may stay good", async () => {
  for (const [answer, said] of /** @type {[number | null, RegExp][]} */ ([
    [null, /^No answer from the gate\./],
    [503, /could not log you out \(503\)/],
  ])) {
    const token = await logIn();
    assert.equal(await page.locator("#logout-result").isVisible(), false);
    await page.route("**/auth/logout", (route) => (answer ? route.fulfill({ status: answer }) : route.abort()));
    await page.click("#logout");
    await shows("#logout-result", "may stay good until it expires, at ");
    assert.match(await text("#logout-result"), said);
    assert.equal(await page.locator("#token-some").isVisible(), false);
    assert.equal(await passes(token), 200);
    await page.unroute("**/auth/logout");
  }
  // Chromium itself reports both.
  assert.ok(complaints.splice(0).every((line) => /ERR_FAILED|status of 503/.test(line)));
});

test("while the gate is asked, the page can be used", async () => {
  await logIn();
  let answer;
  await page.route("**/auth/logout", (route) => {
    answer = () => route.continue();
  });
  await page.click("#logout");
  await shows("#logout-result", "The token is forgotten here. Logging out at the gate…");
  assert.equal(await page.locator("#token-some").isVisible(), false);
  await logIn();
  const answered = page.waitForResponse("**/auth/logout");
  await answer();
  assert.equal((await answered).status(), 200);
  await page.unroute("**/auth/logout");
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(await page.locator("#token-some").isVisible());
  assert.equal(await text("#logout-result"), "", "the old answer says nothing of the new token");
});

test("where no app answers the page says how to start one", async () => {
  await app.close();
  const answer = await knock("#call-hello");
  assert.match(answer, /502 Bad Gateway\s+The gate opened, but your app did not answer\./);
  assert.match(answer, /node examples\/origin\/app\.mjs/);
  await look("no-app-mobile");
});

test("a gate without sessions can't end a token, and the page says that it stays good", async (t) => {
  const other = await start({ sessions: false });
  t.after(() => other.close());
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(other.url.href, { waitUntil: "load" });
  const token = await logIn();
  await page.click("#logout");
  await shows(
    "#logout-result",
    "This gate can’t end this token (405). The token is forgotten here, but stays good until it expires, at ",
  );
  assert.equal(await page.locator("#token-some").isVisible(), false);
  assert.equal(await passes(token, other), 200);
  await look("logged-out-without-sessions");
});

test("files that the page names are there", async () => {
  const named = (await page.locator(".next code").allTextContents()).filter((name) => /\.\w+$/.test(name));
  assert.ok(named.length > 8);
  for (const name of named) assert.ok(existsSync(root + name), name);
});

test("nobody complained on the way", () => assert.deepEqual(complaints, []));
