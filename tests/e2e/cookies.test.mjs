// examples/cookies in Chromium: the secure profile, CSRF, the implicit refresh, and what other people's pages forge.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, origin, payload, start, until } from "./harness.mjs";

const CONFIG = "examples/cookies/wrangler.toml";
const TOKEN = "__Host-access_token";
const CSRF = "__Host-csrf_access_token";
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let gate, browser;
/** What the browser complains of, but for the refusals that these tests are about. */
const complaints = [];
before(async () => {
  gate = await start({ config: CONFIG });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await gate?.close();
});

/** A page at this gate, in a profile of its own. */
async function open(at = gate) {
  const context = await browser.newContext({ viewport: { width: 900, height: 800 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const isRefusal = /status of 401/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isRefusal) complaints.push(message.text());
  });
  await page.goto(at.url.href, { waitUntil: "load" });
  const cookie = async (name) => (await context.cookies()).find((cookie) => cookie.name === name);
  /** The newest line under "What the gate said" that is not this one. */
  const said = async (what) => page.locator("#answers li").filter({ hasText: what }).first().textContent();
  const press = async (button, path) => {
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url().endsWith(path)),
      page.click(button),
    ]);
    return { status: answer.status(), text: await answer.text(), headers: await answer.allHeaders() };
  };
  const logIn = async (password = "abcxyz") => {
    await page.fill("#username", "user1");
    await page.fill("#password", password);
    const answer = await press("#login", "/auth");
    if (answer.status === 200) await page.locator("#account").waitFor();
    return answer;
  };
  return { context, page, cookie, said, press, logIn, close: () => context.close() };
}
/** Set E2E_SCREENSHOTS to a folder to look at the page. */
const look = async ({ page }, name) => {
  const folder = process.env.E2E_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
};

test("log in, read, change, log out, be refused afterwards", async () => {
  const visit = await open();
  const { page, cookie, press, logIn } = visit;
  try {
    await page.locator("#login-form").waitFor();
    await look(visit, "cookies-first");
    assert.equal((await logIn("wrong")).status, 401);
    assert.equal(await page.locator("#account").isVisible(), false);

    const granted = await logIn();
    assert.deepEqual([granted.status, JSON.parse(granted.text)], [200, { msg: "login successful" }]);
    assert.equal(await page.locator("#who").textContent(), "Hello, user1");
    const [token, csrf] = [await cookie(TOKEN), await cookie(CSRF)];
    const attributes = ({ httpOnly, secure, sameSite, path, expires }) => ({
      httpOnly,
      secure,
      sameSite,
      path,
      expires,
    });
    const profile = { secure: true, sameSite: "Lax", path: "/", expires: -1 };
    assert.deepEqual(attributes(token), { ...profile, httpOnly: true });
    assert.deepEqual(attributes(csrf), { ...profile, httpOnly: false });
    assert.equal(csrf.value, payload(token.value).csrf);
    // All that a script can get at: not the token.
    const seen = await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]);
    assert.deepEqual(seen, [`${CSRF}=${csrf.value}`, 0, 0]);

    assert.equal((await press("#read", "/account")).status, 200);
    const written = await press("#write", "/account");
    assert.deepEqual([written.status, JSON.parse(written.text)], [200, { logged_in_as: "1", username: "user1" }]);
    const bare = await press("#write-bare", "/account");
    assert.deepEqual([bare.status, JSON.parse(bare.text)], [401, { msg: "Missing CSRF token" }]);
    await look(visit, "cookies-logged-in");
    // Another visit, the same cookies.
    await page.reload();
    await page.locator("#account").waitFor();

    assert.equal((await press("#logout", "/auth/logout")).status, 200);
    await page.locator("#login-form").waitFor();
    // What is left says only that this browser has logged in before, and only to the log-in.
    const [device, ...others] = await visit.context.cookies();
    assert.deepEqual(
      [device.name, device.path, device.httpOnly, device.sameSite, others],
      ["tollgate_device", "/auth", true, "Strict", []],
    );
    // A copy of the cookie is worth nothing any more.
    const copied = () => gate.get("/account", { headers: { cookie: `${TOKEN}=${token.value}` } });
    await until(async () => (await copied()).status === 401);
    const status = (method) => page.evaluate(async (method) => (await fetch("/account", { method })).status, method);
    assert.deepEqual([await status("GET"), await status("POST")], [401, 401]);
    await look(visit, "cookies-logged-out");
    assert.deepEqual(complaints, []);
  } finally {
    await visit.close();
  }
});

/** A page of somebody else's, which sends a form to the gate as soon as it is opened; and one that does nothing. */
const forger = (target) =>
  origin((request, response) => {
    response.setHeader("content-type", "text/html");
    if (request.url === "/plain") return response.end("<!doctype html>");
    return response.end(`<!doctype html><title>A prize for you</title>
    <form method="post" action="${target}"><input name="csrf_token" value="guessed"></form>
    <script>document.forms[0].submit()</script>`);
  });
/** What the gate answers to a form that a page at `url` sends in the visitor's name. */
async function forge({ context }, url) {
  const page = await context.newPage();
  try {
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await page.goto(url, { waitUntil: "commit" });
    const answer = await answered;
    return {
      status: answer.status(),
      text: await answer.text(),
      cookie: (await answer.request().allHeaders()).cookie ?? "",
    };
  } finally {
    await page.close();
  }
}

test("a form that another page forges is refused: it comes without cookies, or without the CSRF value", async () => {
  const visit = await open();
  const other = await forger(new URL("/account", gate.url).href);
  // Cookies and sites know no ports: 127.0.0.1 with another port is the same site, localhost is another one.
  const sameSite = other.url;
  const crossSite = other.url.replace("127.0.0.1", "localhost");
  try {
    await visit.logIn();
    const foreign = await forge(visit, crossSite);
    assert.deepEqual([foreign.status, JSON.parse(foreign.text)], [401, { msg: `Missing cookie "${TOKEN}"` }]);
    assert.equal(foreign.cookie.includes(TOKEN), false);
    const near = await forge(visit, sameSite);
    assert.deepEqual([near.status, JSON.parse(near.text)], [401, { msg: "Missing CSRF token" }]);
    assert.ok(near.cookie.includes(TOKEN)); // it was the CSRF value that was missed, not the cookie
    // Nor does a script of another origin get further: no answer of the gate's allows it the header.
    const page = await visit.context.newPage();
    await page.goto(new URL("/plain", sameSite).href);
    const tried = await page.evaluate(async (url) => {
      /** @type {RequestInit} */
      const init = { method: "POST", credentials: "include", headers: { "x-csrf-token": "guessed" } };
      return fetch(url, init).then(
        (answer) => answer.status,
        (error) => error.name,
      );
    }, new URL("/account", gate.url).href);
    assert.equal(tried, "TypeError");
    await page.close();
    // All this cost nobody the log-in.
    assert.equal((await visit.press("#write", "/account")).status, 200);
  } finally {
    await visit.close();
    other.close();
  }
});

test("without the protection such a form would get through: the test before this one would hear of it", async () => {
  const open_ = await start({ config: CONFIG, vars: { JWT_COOKIE_CSRF_PROTECT: false } });
  const other = await forger(new URL("/account", open_.url).href);
  const visit = await open(open_);
  try {
    await visit.logIn();
    const near = await forge(visit, other.url);
    assert.deepEqual([near.status, JSON.parse(near.text).username], [200, "user1"]);
  } finally {
    await visit.close();
    other.close();
    await open_.close();
  }
});

test("who goes on using the page stays logged in; who does not is logged out", async () => {
  const short = await start({
    config: CONFIG,
    vars: { JWT_ACCESS_TOKEN_EXPIRES: "5s", TOLLGATE_COOKIE_REFRESH_WITHIN: "3s" },
  });
  const visit = await open(short);
  const { cookie, press, logIn, page } = visit;
  try {
    await logIn();
    const began = Date.now();
    const first = { token: (await cookie(TOKEN)).value, csrf: (await cookie(CSRF)).value };
    await press("#read", "/account");
    assert.equal((await cookie(TOKEN)).value, first.token); // there is time yet
    while (Date.now() < began + 7000) {
      await later(1000);
      assert.equal((await press("#write", "/account")).status, 200);
    }
    await look(visit, "cookies-renewed");
    const second = { token: (await cookie(TOKEN)).value, csrf: (await cookie(CSRF)).value };
    assert.notEqual(second.token, first.token);
    assert.deepEqual(
      [second.csrf, payload(second.token).csrf],
      [first.csrf, first.csrf],
      "what is under way carries it",
    );
    assert.deepEqual([payload(first.token).fresh, payload(second.token).fresh], [true, false]);
    assert.deepEqual([payload(second.token).sub, payload(second.token).type], ["1", "access"]);
    // A refusal renews nothing.
    await press("#write-bare", "/account");
    // Log out in the last seconds of a token: nobody is logged in again by it.
    await until(async () => payload((await cookie(TOKEN)).value).exp * 1000 - Date.now() < 2500);
    const out = await press("#logout", "/auth/logout");
    assert.equal(out.status, 200);
    await page.locator("#login-form").waitFor();
    assert.deepEqual(
      (await visit.context.cookies()).map(({ name }) => name),
      ["tollgate_device"],
    );

    await logIn();
    await later(5500);
    const late = await press("#read", "/account");
    assert.deepEqual([late.status, JSON.parse(late.text)], [401, { msg: "Token has expired" }]);
    await page.locator("#login-form").waitFor();
  } finally {
    await visit.close();
    await short.close();
  }
});

test("nobody complained on the way", () => assert.deepEqual(complaints, []));
