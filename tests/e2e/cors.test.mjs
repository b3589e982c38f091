// CORS: pages of other origins at the endpoints and under rules, and the code of a rejection for programs.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { SignJWT } from "jose";
import { SECRET, bearing, browse, origin, portOf, start } from "./harness.mjs";

const PASSWORD = { username: "user1", password: "abcxyz" };
/** Two servers of pages: `localhost` and `127.0.0.1` are two sites. */
let pages, app, strangers, backend, gate, browser;

before(async () => {
  pages = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<link rel=icon href=data:,>");
  });
  await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
  app = `http://localhost:${portOf(pages)}`;
  strangers = `http://127.0.0.1:${portOf(pages)}`;
  backend = await origin((request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-methods", "TRACE");
    response.setHeader("x-auth-error", "made_up");
    if (request.url === "/api/dead") return response.destroy();
    response.end(`origin says ${request.method}`);
  });
  const cors = { origins: [app], credentials: true };
  gate = await start({
    vars: {
      ORIGIN: backend.url,
      TOLLGATE_CORS: cors,
      TOLLGATE_ERROR_CODES: true,
      TOLLGATE_ADMIN_SECRET: "a secret of more than thirty-two bytes, for operators",
      ROUTES: [
        { path: "/protected", to: "identity", cors },
        { path: "/api/*", methods: ["*"], to: "origin", cors },
        { path: "/open/*", to: "assets", auth: "none", cors: { origins: ["*"] } },
        { path: "/plain", to: "identity" },
      ],
    },
  });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await gate?.close();
  backend?.close();
  pages?.close();
});

const from = (page, init = {}) => ({ ...init, headers: { ...init.headers, origin: page } });
const allowed = (answer) => answer.headers.get("access-control-allow-origin");
const preflight = (path, method, page = app) =>
  gate.get(path, from(page, { method: "OPTIONS", headers: { "access-control-request-method": method } }));

test("a preflight is answered without a token, and promises what the rule allows", async () => {
  const answer = await preflight("/api/orders", "DELETE");
  assert.equal(answer.status, 204);
  assert.equal(allowed(answer), app);
  assert.equal(answer.headers.get("access-control-allow-credentials"), "true");
  assert.equal(answer.headers.get("access-control-allow-methods"), "DELETE");
  assert.equal(answer.headers.get("access-control-allow-headers"), "Authorization, Content-Type");
  assert.match(answer.headers.get("vary"), /^Origin\b/);
  for (const [path, method, page] of [
    ["/api/orders", "DELETE", strangers],
    ["/api/orders", "DELETE", "null"],
    ["/protected", "DELETE", app],
    ["/plain", "GET", app],
    ["/auth/admin", "POST", app],
    ["/nowhere", "GET", app],
  ])
    assert.equal(allowed(await preflight(path, method, page)), null, `${method} ${path} from ${page}`);
});

test("every answer to an allowed origin can be read by its page: good ones, rejections, and the origin's", async () => {
  const token = await gate.token();
  /** @type {[string, RequestInit, number][]} */
  const calls = [
    ["/protected", {}, 401],
    ["/protected", { method: "POST" }, 405],
    ["/protected", bearing(token), 200],
    ["/api/orders", bearing(token), 200],
    ["/api/orders", bearing("no.token.here"), 401],
    ["/api/dead", bearing(token), 502],
    ["/auth", { method: "POST", body: "{", headers: { "content-type": "application/json" } }, 400],
    [
      "/auth",
      {
        method: "POST",
        body: JSON.stringify({ ...PASSWORD, password: "wrong" }),
        headers: { "content-type": "application/json" },
      },
      401,
    ],
    ["/auth/sessions", {}, 401],
    ["/auth/logout", { method: "POST" }, 401],
  ];
  for (const [path, init, status] of calls) {
    // Twice: the second answer of a kind may come from what JavaScript has kept.
    for (const _ of [1, 2]) {
      const answer = await gate.get(path, from(app, init));
      assert.equal(answer.status, status, path);
      assert.equal(allowed(answer), app, path);
      assert.match(answer.headers.get("vary"), /\bOrigin\b/, path);
      assert.match(answer.headers.get("access-control-expose-headers"), /X-Auth-Error/);
      assert.equal(answer.headers.get("access-control-allow-methods"), null, "the origin's own go");
      const stranger = await gate.get(path, from(strangers, init));
      assert.equal(allowed(stranger), null, path);
      assert.match(stranger.headers.get("vary"), /\bOrigin\b/, path);
    }
  }
  assert.equal(allowed(await gate.get("/open/", from(strangers))), "*");
  assert.equal(allowed(await gate.get("/plain", from(app))), null);
  assert.equal(allowed(await gate.get("/auth/admin", from(app, { method: "POST" }))), null);
});

test("a rejection carries its code, and the origin can't claim one", async () => {
  const expired = await new SignJWT({ identity: 1, iat: 1, nbf: 1, exp: 2 })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(SECRET));
  /** @type {[string, RequestInit, string | null][]} */
  const calls = [
    ["/plain", {}, "token_missing"],
    ["/plain", bearing(expired), "token_expired"],
    ["/plain", bearing(`${expired}x`), "token_signature"],
    ["/nowhere", {}, "not_found"],
    [
      "/auth",
      {
        method: "POST",
        body: JSON.stringify({ username: "user2", password: "wrong" }),
        headers: { "content-type": "application/json" },
      },
      "bad_credentials",
    ],
    [
      "/auth",
      {
        method: "POST",
        body: JSON.stringify({ ...PASSWORD, username: "nobody" }),
        headers: { "content-type": "application/json" },
      },
      "bad_credentials",
    ],
    ["/api/orders", bearing(await gate.token()), null],
  ];
  for (const [path, init, code] of calls)
    for (const _ of [1, 2]) assert.equal((await gate.get(path, init)).headers.get("x-auth-error"), code, path);
});

/** Runs a function in a page of this origin. */
async function onPage(page, act, ...args) {
  const context = await browser.newContext();
  try {
    const tab = await context.newPage();
    await tab.goto(page);
    return await tab.evaluate(act, args);
  } finally {
    await context.close();
  }
}

/** Log in, be refused and read why, pass, log out: what a page of another origin does with a token. */
async function visit([gate, credentials]) {
  /** @returns {Promise<[status: number, text: string, code?: string | null]>} */
  const call = async (path, init) => {
    try {
      const answer = await fetch(gate + path, init);
      return [answer.status, (await answer.text()).trim(), answer.headers.get("x-auth-error")];
    } catch (error) {
      return [0, String(error)];
    }
  };
  const json = { "content-type": "application/json" };
  const refused = await call("/protected", { headers: { authorization: "JWT no.token.here" } });
  const [status, body] = await call("/auth", { method: "POST", headers: json, body: JSON.stringify(credentials) });
  if (status !== 200) return { refused, status };
  const token = { authorization: `JWT ${JSON.parse(body).access_token}` };
  const passed = await call("/protected", { headers: token });
  const deleted = await call("/api/orders/7", { method: "DELETE", headers: token });
  const left = await call("/auth/logout", { method: "POST", headers: token });
  return { refused, status, passed, deleted, left };
}

test("in a browser: a page of an allowed origin logs in, reads why it was refused, and logs out", async () => {
  const seen = await onPage(app, visit, gate.url.origin, PASSWORD);
  assert.equal(seen.refused[0], 401);
  assert.match(seen.refused[1], /Invalid token/);
  assert.equal(seen.refused[2], "token_header_encoding");
  assert.deepEqual([seen.status, seen.passed[0], seen.left[0]], [200, 200, 200]);
  assert.equal(seen.deleted[1], "origin says DELETE");
});

test("in a browser: a page of another origin sees nothing", async () => {
  const { refused, status } = await onPage(strangers, visit, gate.url.origin, PASSWORD);
  assert.equal(refused[0], 0);
  assert.match(refused[1], /^TypeError/);
  assert.equal(status, 0);
});

/** The whole life of a session in Flask-JWT-Extended's dialect: by cookies, or by tokens in headers. */
async function live([gate, credentials, byCookies]) {
  /** @type {(path: string, token?: string, method?: string, body?: string) => Promise<[number, any, string | null]>} */
  const call = async (path, token, method = "GET", body = undefined) => {
    const headers = new Headers(body && { "content-type": "application/json" });
    if (token) headers.set(byCookies ? "x-csrf-token" : "authorization", byCookies ? token : `Bearer ${token}`);
    const credentials = byCookies ? "include" : "omit";
    const answer = await fetch(gate + path, { method, headers, body, credentials });
    return [answer.status, await answer.json(), answer.headers.get("x-auth-error")];
  };
  const names = byCookies ? ["csrf_access_token", "csrf_refresh_token"] : ["access_token", "refresh_token"];
  const [, loggedIn] = await call("/auth", undefined, "POST", JSON.stringify(credentials));
  const [access, refresh] = names.map((name) => loggedIn[name]);
  const refused = await call("/auth/refresh", undefined, "POST");
  const me = await call("/auth/me", access);
  const [status, refreshed] = await call("/auth/refresh", refresh, "POST");
  const left = await call("/auth/logout", refreshed[names[0]], "POST");
  let after;
  // What was ended passes for at most TOLLGATE_REVOCATION_BOUND.
  for (let tries = 0; tries < 50 && after?.[0] !== 401; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    after = await call("/auth/me", refreshed[names[0]]);
  }
  return { refused, me, status, left, after, wrote: JSON.stringify(loggedIn) };
}

test("in a browser: a session from another origin, by cookies and by tokens", async () => {
  const extended = (vars) =>
    start({
      vars: {
        TOLLGATE_WIRE: "flask-jwt-extended",
        JWT_COOKIE_SECURE: false,
        TOLLGATE_REVOCATION_BOUND: "2",
        TOLLGATE_ERROR_CODES: true,
        TOLLGATE_CORS: { origins: [app], credentials: true },
        ROUTES: [{ path: "/x", to: "identity" }],
        ...vars,
      },
    });
  const cookies = await extended({ JWT_TOKEN_LOCATION: ["cookies"], TOLLGATE_CSRF_IN_BODY: true });
  try {
    // Another origin (the port differs) of the same site.
    const seen = await onPage(app, live, `http://localhost:${cookies.port}`, PASSWORD, true);
    assert.deepEqual(seen.refused.slice(0, 3), [401, { msg: "Missing CSRF token" }, "csrf_missing"]);
    assert.deepEqual([seen.me[0], seen.status, seen.left[0], seen.after[0]], [200, 200, 200, 401]);
    assert.ok(!seen.wrote.includes('"access_token"'), "no token for a script");
  } finally {
    await cookies.close();
  }
  const tokens = await extended({ JWT_TOKEN_LOCATION: ["headers"] });
  try {
    const seen = await onPage(app, live, tokens.url.origin, PASSWORD, false);
    assert.deepEqual([seen.refused[0], seen.refused[2]], [401, "token_missing"]);
    assert.deepEqual([seen.me[0], seen.status, seen.left[0], seen.after[0]], [200, 200, 200, 401]);
  } finally {
    await tokens.close();
  }
});
