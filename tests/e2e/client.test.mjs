// tollgate/client (public/tollgate-client.mjs) in Chromium's tabs and in Node.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { after, before, describe, test } from "node:test";
import { transform } from "esbuild";
import { createClient, RefusedError } from "../../public/tollgate-client.mjs";
import { browse, payload, portOf, root, start, until } from "./harness.mjs";

const ROUTES = [
  { path: "/protected", to: "identity", methods: ["GET", "POST"] },
  { path: "/*", to: "assets", auth: "none" },
];
const EXTENDED = { TOLLGATE_WIRE: "flask-jwt-extended", ROUTES };
const SHORT = { ...EXTENDED, JWT_ACCESS_TOKEN_EXPIRES: "3" };
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

let browser;
before(async () => {
  browser = await browse();
});
after(() => browser?.close());

/** Tabs of one browser at a gate, each with a client; `count(path)` counts requests of all. */
async function tabs(gate, number, options) {
  const context = await browser.newContext();
  const seen = [];
  context.on("request", (request) => seen.push(new URL(request.url()).pathname));
  const pages = [];
  for (let tab = 0; tab < number; tab++) {
    const page = await context.newPage();
    // No page of its own stands here, which would be one more tab with a client.
    await page.goto(`${gate.url.origin}/members/welcome.txt`);
    await page.evaluate(async (options) => {
      const { createClient } = await import(/** @type {string} */ ("/tollgate-client.mjs"));
      Object.assign(globalThis, { client: createClient(options) });
    }, options);
    pages.push(page);
  }
  return { context, pages, count: (path) => seen.filter((it) => it === path).length };
}
const inTab = (page, act, ...args) => page.evaluate(act, args);
const logIn = (page) => page.evaluate(() => globalThis.client.logIn("user1", "abcxyz"));
const status = (page) => page.evaluate(async () => (await globalThis.client.fetch("/protected")).status);
const tokenIn = (page) => page.evaluate(() => globalThis.client.token);

describe("in tabs, with tokens in memory", () => {
  let gate;
  before(async () => {
    gate = await start({ vars: SHORT });
  });
  after(() => gate?.close());

  test("a tab that is opened later has the token, and none is stored", async () => {
    const { context, pages } = await tabs(gate, 3, { dialect: "flask-jwt-extended" });
    assert.equal(await tokenIn(pages[0]), null);
    await logIn(pages[0]);
    const token = await tokenIn(pages[0]);
    for (const page of pages) await until(async () => (await tokenIn(page)) === token);
    const later = await context.newPage();
    await later.goto(`${gate.url.origin}/members/welcome.txt`);
    const theirs = await later.evaluate(async () => {
      const { createClient } = await import(/** @type {string} */ ("/tollgate-client.mjs"));
      const client = createClient({ dialect: "flask-jwt-extended" });
      await client.ready;
      return [client.token, client.claims?.sub];
    });
    assert.deepEqual(theirs, [token, "1"]);
    const stored = await pages[0].evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
    );
    assert.equal(stored, '[{},{},""]');
    await context.close();
  });

  test("five tabs whose token has expired renew it once", async () => {
    const { context, pages, count } = await tabs(gate, 5, { dialect: "flask-jwt-extended" });
    await logIn(pages[0]);
    const first = await tokenIn(pages[0]);
    for (const page of pages) await until(async () => (await tokenIn(page)) === first);
    await pause(4000);
    const answers = await Promise.all([...pages, ...pages, ...pages].map(status));
    assert.deepEqual([...new Set(answers)], [200]);
    assert.equal(count("/auth/refresh"), 1);
    const renewed = await tokenIn(pages[0]);
    assert.notEqual(renewed, first);
    for (const page of pages) assert.equal(await tokenIn(page), renewed);
    await context.close();
  });

  test("a token that the gate calls expired is renewed, and the request sent again with its body", async () => {
    const { context, pages, count } = await tabs(gate, 1, { dialect: "flask-jwt-extended" });
    await logIn(pages[0]);
    let answered = 0;
    await context.route("**/protected", (route) => {
      answered += 1;
      if (answered > 1) return route.continue();
      return route.fulfill({ status: 401, json: { msg: "Token has expired" } });
    });
    const twice = await pages[0].evaluate(async () => {
      const request = { method: "POST", body: "sent twice" };
      return (await globalThis.client.fetch("/protected", request)).status;
    });
    assert.equal(twice, 200);
    assert.deepEqual([answered, count("/auth/refresh")], [2, 1]);
    // Any other refusal is passed on as it is.
    await context.unroute("**/protected");
    await context.route("**/protected", (route) => route.fulfill({ status: 401, json: { msg: "Missing claim: x" } }));
    assert.equal(await status(pages[0]), 401);
    assert.equal(count("/auth/refresh"), 1);
    await context.close();
  });

  test("a log-out forgets the token in all tabs, and ends the session", async () => {
    const { context, pages } = await tabs(gate, 3, { dialect: "flask-jwt-extended" });
    await logIn(pages[1]);
    await until(async () => (await tokenIn(pages[2])) !== null);
    assert.equal(await pages[0].evaluate(async () => (await globalThis.client.logOut()).status), 200);
    for (const page of pages) {
      await until(async () => (await tokenIn(page)) === null);
      assert.equal(await status(page), 401);
    }
    // An older log-in that is answered late brings nothing back.
    const late = await inTab(pages[0], async () => {
      const { client } = /** @type {any} */ (globalThis);
      const logIn = client.logIn("user1", "abcxyz").catch((error) => error.name);
      await client.logOut().catch(() => {});
      return [await logIn, client.token];
    });
    assert.deepEqual(late, ["AbortError", null]);
    await context.close();
  });

  test("a session that is over is forgotten, and the refusal is passed on", async () => {
    const { context, pages, count } = await tabs(gate, 1, { dialect: "flask-jwt-extended" });
    await logIn(pages[0]);
    await context.route("**/auth/refresh", (route) =>
      route.fulfill({ status: 401, json: { msg: "Token has been revoked" } }),
    );
    await pause(4000);
    assert.equal(await status(pages[0]), 401);
    assert.deepEqual([await tokenIn(pages[0]), count("/auth/refresh")], [null, 1]);
    await context.close();
  });

  test("a renewal on its way in one tab brings nothing back after a log-out in another", async () => {
    const { context, pages } = await tabs(gate, 2, { dialect: "flask-jwt-extended" });
    const [renews, ends] = pages;
    await logIn(renews);
    await until(async () => (await tokenIn(ends)) !== null);
    let release = () => {};
    const held = new Promise((resolve) => (release = () => resolve(undefined)));
    await context.route("**/auth/refresh", async (route) => {
      await held;
      await route.continue();
    });
    await pause(4000);
    const renewing = status(renews);
    await pause(300);
    await ends.evaluate(() => globalThis.client.logOut());
    release();
    await renewing;
    await pause(300);
    assert.deepEqual(await Promise.all(pages.map(tokenIn)), [null, null]);
    // A later log-in is for all tabs again.
    await logIn(ends);
    await until(async () => (await tokenIn(renews)) === (await tokenIn(ends)) && (await tokenIn(ends)) !== null);
    await context.close();
  });

  test("no other origin gets the token", async () => {
    const seen = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    }).listen(0, "127.0.0.1");
    await until(() => server.listening);
    const other = `http://127.0.0.1:${portOf(server)}/`;
    const client = createClient({ url: gate.url.origin, dialect: "flask-jwt-extended" });
    await client.logIn("user1", "abcxyz");
    for (const input of [other, new URL(other), new Request(other), `//127.0.0.1:${portOf(server)}/`])
      await assert.rejects(client.fetch(input), /not the gate's origin/);
    assert.deepEqual(seen, []);
    server.close();
  });
});

describe("in tabs, with cookies", () => {
  let gate;
  before(async () => {
    gate = await start({ vars: { ...SHORT, JWT_TOKEN_LOCATION: ["cookies"], JWT_COOKIE_SECURE: false } });
  });
  after(() => gate?.close());

  test("a write has the CSRF value, tabs renew once, and a log-out removes the cookies", async () => {
    const { context, pages, count } = await tabs(gate, 3, { dialect: "flask-jwt-extended", cookies: true });
    await logIn(pages[0]);
    assert.equal(await tokenIn(pages[0]), null, "no page can read it");
    const post = (page) =>
      page.evaluate(async () => (await globalThis.client.fetch("/protected", { method: "POST", body: "x" })).status);
    for (const page of pages) assert.deepEqual([await status(page), await post(page)], [200, 200]);
    // Without the client there is no CSRF value.
    assert.equal(await pages[0].evaluate(async () => (await fetch("/protected", { method: "POST" })).status), 401);
    await pause(4000);
    assert.deepEqual([...new Set(await Promise.all([...pages, ...pages].map(post)))], [200]);
    assert.equal(count("/auth/refresh"), 1);
    assert.equal(await pages[2].evaluate(async () => (await globalThis.client.logOut()).status), 200);
    assert.deepEqual(
      await context.cookies(),
      (await context.cookies()).filter(({ name }) => name === "tollgate_device"),
    );
    assert.equal(await post(pages[0]), 401);
    await context.close();
  });
});

test("it is small: 2.7 KB", async () => {
  const text = await readFile(`${root}public/tollgate-client.mjs`, "utf8");
  const { code } = await transform(text, { minify: true, format: "esm" });
  const bytes = gzipSync(code, { level: 9 }).length;
  assert.ok(bytes < 2750, `${bytes} bytes: correct worker/README.md`);
});

describe("in Node", () => {
  test("it logs in, renews once for requests at once, and says why a log-in is refused", async (t) => {
    const gate = await start({ vars: SHORT });
    t.after(() => gate.close());
    const sent = [];
    const counting = (request) => {
      sent.push(new URL(request.url).pathname);
      return fetch(request);
    };
    const client = createClient({ url: gate.url.origin, dialect: "flask-jwt-extended", fetch: counting });
    let changes = 0;
    const stop = client.onChange(() => (changes += 1));
    const refused = await client.logIn("user1", "wrong").catch((error) => error);
    assert.ok(refused instanceof RefusedError);
    assert.deepEqual([refused.status, refused.message, client.token], [401, "Bad username or password", null]);
    await client.logIn("user1", "abcxyz");
    assert.equal(payload(client.token ?? "").sub, "1");
    await pause(4000);
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.fetch("/protected")));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    assert.equal(sent.filter((path) => path === "/auth/refresh").length, 1);
    assert.equal(changes, 2);
    stop();
    assert.equal((await client.logOut()).status, 200);
    assert.deepEqual([client.token, client.claims, changes], [null, null, 2]);
  });

  test("a renewal that is answered after a log-out, or another's log-in, changes nothing", async (t) => {
    const gate = await start({ vars: EXTENDED });
    t.after(() => gate.close());
    for (const answer of ["good", "over"]) {
      for (const then of ["log-out", "log-in"]) {
        let release = () => {};
        const held = new Promise((resolve) => (release = () => resolve(undefined)));
        let isFirst = true;
        const client = createClient({
          url: gate.url.origin,
          dialect: "flask-jwt-extended",
          async fetch(request) {
            const { pathname } = new URL(request.url);
            if (pathname === "/protected" && isFirst) {
              isFirst = false;
              return Response.json({ msg: "Token has expired" }, { status: 401 });
            }
            if (pathname !== "/auth/refresh") return fetch(request);
            await held;
            return answer === "good"
              ? fetch(request)
              : Response.json({ msg: "Token has been revoked" }, { status: 401 });
          },
        });
        await client.logIn("user1", "abcxyz");
        const renewing = client.fetch("/protected");
        await pause(50);
        if (then === "log-out") await client.logOut();
        else await client.logIn("user2", "abcxyz");
        release();
        await renewing;
        assert.equal(client.claims?.sub, then === "log-out" ? undefined : "2", `${answer}, ${then}`);
      }
    }
  });

  test("no redirect takes a password elsewhere, and a gate's address is an origin", async (t) => {
    const seen = [];
    const elsewhere = createServer((request, response) => {
      seen.push(request.url);
      response.end("{}");
    }).listen(0, "127.0.0.1");
    const redirects = createServer((_, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${portOf(elsewhere)}/` }).end();
    }).listen(0, "127.0.0.1");
    await until(() => elsewhere.listening && redirects.listening);
    t.after(() => {
      for (const server of [elsewhere, redirects]) server.close();
    });
    const client = createClient({ url: `http://127.0.0.1:${portOf(redirects)}` });
    await assert.rejects(client.logIn("user1", "abcxyz"));
    assert.deepEqual(seen, []);
    for (const url of ["localhost:8787", "ftp://x", "https://gate.example.com/prefix"])
      assert.throws(() => createClient({ url }), TypeError, url);
  });

  test("Flask-JWT's dialect has its own scheme and no renewal; wrong options are errors", async (t) => {
    const gate = await start({ vars: { JWT_AUTH_USERNAME_KEY: "email" } });
    t.after(() => gate.close());
    const client = createClient({ url: gate.url.origin, fields: { username: "email" } });
    await client.logIn("user1", "abcxyz");
    assert.equal((await client.fetch("/protected")).status, 200);
    assert.equal(client.claims?.identity, 1);
    assert.throws(() => createClient(), /url is missing/);
    assert.throws(() => createClient({ url: "http://x", cookies: true }), /cookies are for pages/);
    // @ts-expect-error
    assert.throws(() => createClient({ url: "http://x", dialect: "oauth" }), /no dialect/);
  });
});
