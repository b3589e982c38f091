// Flask-JWT-Extended in workerd: endpoints, places for a token, cookies and CSRF, and what reaches an origin.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { SignJWT } from "jose";
import { WebSocket, WebSocketServer } from "ws";
import { SECRET, origin, payload, raw, rawRefused, start as startWith, until } from "./harness.mjs";

// As the real libraries are: without sessions.
const start = (settings) => startWith({ sessions: false, ...settings });

const WIRE = { TOLLGATE_TOKEN_BODY_LIMIT: 1048576, TOLLGATE_WIRE: "flask-jwt-extended" };
const MIB = 1 << 20;
const JSON_BODY = { "content-type": "application/json" };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ROUTES = [
  { path: "/me", to: "identity" },
  { path: "/also-me", to: "identity" },
  { path: "/perhaps", to: "identity", auth: "optional" },
  { path: "/fresh", to: "identity", fresh: true },
  { path: "/recent", to: "identity", fresh: "2s" },
  { path: "/refresh-only", to: "identity", refresh: true },
  { path: "/either", to: "identity", verify_type: false },
  { path: "/by-query", to: "identity", locations: ["query_string"] },
  { path: "/by-json", to: "identity", methods: ["GET", "POST"], locations: "json" },
  { path: "/preflight", to: "origin", methods: ["GET", "OPTIONS"] },
  { path: "/app/*", to: "origin", methods: ["*"] },
  { path: "/json/*", to: "origin", methods: ["*"], locations: ["headers", "json"] },
];

const seconds = () => Math.floor(Date.now() / 1000);
/** A token as Flask-JWT-Extended makes them. */
const mint = (claims = {}, secret = SECRET) => {
  const now = seconds();
  const all = {
    fresh: false,
    iat: now,
    jti: crypto.randomUUID(),
    type: "access",
    sub: "1",
    nbf: now,
    csrf: "the-csrf-value",
    exp: now + 300,
    ...claims,
  };
  return new SignJWT(all).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(new TextEncoder().encode(secret));
};
const bearer = (token, init = {}) => ({ ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
const part = (token, at) => Buffer.from(token.split(".")[at], "base64url").toString();
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The refusal is Flask-JWT-Extended's: its status and text, no challenge, not to be stored, and an id for the log. */
async function isRefused(answer, status, msg) {
  answer = await answer;
  assert.deepEqual([answer.status, await answer.text()], [status, `${JSON.stringify({ msg })}\n`]);
  const { headers } = answer;
  assert.deepEqual(
    [headers.get("content-type"), headers.get("cache-control"), headers.get("www-authenticate")],
    ["application/json", "no-store", null],
  );
  assert.ok(headers.get("x-request-id"));
  assert.deepEqual(headers.getSetCookie(), []);
}
async function isTold(answer, body) {
  answer = await answer;
  assert.deepEqual([answer.status, await answer.text()], [200, `${JSON.stringify(body)}\n`]);
}

async function isToldBody(answer, body) {
  assert.deepEqual([answer.status, await answer.text()], [200, `${JSON.stringify(body)}\n`]);
}

/** What the origin got last, the body as bytes. */
let got;
let app, gate;
before(async () => {
  app = await origin(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    got = { method: request.method, url: request.url, headers: request.headers, body };
    response.end("from the origin");
  });
  gate = await start({ vars: { ...WIRE, ROUTES, ORIGIN: app.url } });
});
after(async () => {
  await gate?.close();
  app?.close();
});

test("a log-in gives two tokens with the claims of the real library, in its order", async () => {
  const answer = await gate.logIn();
  assert.deepEqual(
    [answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control")],
    [200, "application/json", "no-store"],
  );
  assert.deepEqual(answer.headers.getSetCookie(), []);
  const text = await answer.text();
  assert.match(text, /^\{"access_token":"[^"]+","refresh_token":"[^"]+"\}\n$/);
  const { access_token, refresh_token } = JSON.parse(text);
  const ids = new Set();
  for (const [token, type, fresh, life] of [
    [access_token, "access", true, 900],
    [refresh_token, "refresh", false, 30 * 86_400],
  ]) {
    assert.equal(part(token, 0), '{"alg":"HS256","typ":"JWT"}');
    const claims = payload(token);
    assert.deepEqual(Object.keys(claims), ["fresh", "iat", "jti", "type", "sub", "nbf", "csrf", "exp"]);
    assert.equal(part(token, 1), JSON.stringify(claims));
    assert.deepEqual(
      [claims.fresh, claims.type, claims.sub, claims.nbf, claims.exp],
      [fresh, type, "1", claims.iat, claims.iat + life],
    );
    assert.ok(Math.abs(claims.iat - seconds()) <= 2);
    for (const id of [claims.jti, claims.csrf]) {
      assert.match(id, UUID);
      ids.add(id);
    }
  }
  const again = payload((await (await gate.logIn()).json()).access_token);
  assert.equal(ids.add(again.jti).add(again.csrf).size, 6);
});

test("a wrong password, an unknown user and a bad body are refused", async () => {
  await isRefused(gate.logIn("user1", "wrong"), 401, "Bad username or password");
  await isRefused(gate.logIn("nobody", "abcxyz"), 401, "Bad username or password");
  const post = (body, headers = JSON_BODY) => gate.get("/auth", { method: "POST", headers, body });
  assert.equal((await post("{")).status, 400);
  assert.equal((await post(" ".repeat(16 * 1024 + 1))).status, 413);
  assert.equal((await gate.get("/auth")).status, 405);
});

test("/auth/me tells the stored user of an access token", async () => {
  const { access_token, refresh_token } = await (await gate.logIn()).json();
  await isTold(gate.get("/auth/me", bearer(access_token)), { logged_in_as: "1", username: "user1" });
  await isRefused(gate.get("/auth/me", bearer(refresh_token)), 422, "Only non-refresh tokens are allowed");
  await isRefused(gate.get("/auth/me"), 401, "Missing Authorization Header");
  await isRefused(gate.get("/auth/me", bearer(await mint({ sub: "77" }))), 401, "Error loading the user 77");
});

test("a user is found whether the id in the store is an integer or a text, and nobody where it is both", async () => {
  const me = async (sub) => gate.get("/auth/me", bearer(await mint({ sub })));
  const profile = (id, name, status = "active") =>
    gate.kv.put(`user:${JSON.stringify(id)}`, JSON.stringify({ v: 1, id, name, status }));
  await profile("ann", "ann");
  await profile("41", "text");
  await isTold(me("ann"), { logged_in_as: "ann", username: "ann" });
  await isTold(me("41"), { logged_in_as: "41", username: "text" });
  for (const other of ["041", "+41", " 41", "41.0"]) await isRefused(me(other), 401, `Error loading the user ${other}`);
  // A disabled user is not taken for the other one either.
  await profile("41", "text", "disabled");
  await isRefused(me("41"), 401, "Error loading the user 41");
  await profile(41, "number");
  assert.equal((await me("41")).status, 503);
  await until(() => gate.lines().some(({ reason, subject }) => reason === "id_of_two_users" && subject === "41"));
});

test("/auth/refresh gives a token that is not fresh, to a refresh token, for a user who is still there", async () => {
  const { access_token, refresh_token } = await (await gate.logIn("user2")).json();
  const refresh = (token) => gate.get("/auth/refresh", bearer(token, { method: "POST" }));
  await isRefused(refresh(access_token), 422, "Only refresh tokens are allowed");
  await isRefused(gate.get("/auth/refresh", { method: "POST" }), 401, "Missing Authorization Header");
  assert.equal((await gate.get("/auth/refresh")).status, 405);
  const answer = await refresh(refresh_token);
  const text = await answer.text();
  assert.match(text, /^\{"access_token":"[^"]+"\}\n$/);
  const renewed = JSON.parse(text).access_token;
  assert.deepEqual(Object.keys(payload(renewed)), ["fresh", "iat", "jti", "type", "sub", "nbf", "csrf", "exp"]);
  assert.deepEqual([payload(renewed).fresh, payload(renewed).type, payload(renewed).sub], [false, "access", "2"]);
  await isTold(gate.get("/fresh", bearer(access_token)), { logged_in_as: "2" });
  await isRefused(gate.get("/fresh", bearer(renewed)), 401, "Fresh token required");
  await isTold(gate.get("/me", bearer(renewed)), { logged_in_as: "2" });
  const user = await gate.kv.get("user:2");
  await gate.kv.put("user:2", JSON.stringify({ ...JSON.parse(user), status: "disabled" }));
  await isRefused(refresh(refresh_token), 401, "Error loading the user 2");
  await gate.kv.delete("user:2");
  await isRefused(refresh(refresh_token), 401, "Error loading the user 2");
  await gate.kv.put("user:2", user);
});

test("/auth/logout does not say that it did what it did not do", async () => {
  for (const method of ["POST", "DELETE"]) {
    for (const [init, status, msg] of /** @type {[RequestInit, number, string][]} */ ([
      [{}, 401, "Missing Authorization Header"],
      [bearer("x"), 422, "Not enough segments"],
      [bearer(await mint({}, "another secret of more than thirty-two bytes")), 422, "Signature verification failed"],
      // This gate keeps no sessions.
      [
        bearer(await mint()),
        501,
        "Nothing was ended: the token has no id, or this gate keeps no sessions, so it is good until it expires",
      ],
    ])) {
      const answer = await gate.get("/auth/logout", { ...init, method });
      assert.deepEqual([answer.status, await answer.json()], [status, { msg }]);
    }
  }
});

test("the options of a rule: optional, fresh, refresh, verify_type, locations", async () => {
  const [access, refresh, stale] = await Promise.all([
    mint({ fresh: true }),
    mint({ type: "refresh" }),
    mint({ exp: seconds() - 1 }),
  ]);
  await isTold(gate.get("/perhaps"), { logged_in_as: null });
  await isTold(gate.get("/perhaps", { headers: { authorization: "Basic x" } }), { logged_in_as: null });
  await isTold(gate.get("/perhaps", bearer(access)), { logged_in_as: "1" });
  await isRefused(gate.get("/perhaps", bearer(stale)), 401, "Token has expired");
  await isRefused(gate.get("/perhaps", bearer("x")), 422, "Not enough segments");
  await isRefused(gate.get("/perhaps", bearer(refresh)), 422, "Only non-refresh tokens are allowed");
  await isTold(gate.get("/fresh", bearer(access)), { logged_in_as: "1" });
  await isRefused(gate.get("/fresh", bearer(await mint())), 401, "Fresh token required");
  await isTold(gate.get("/refresh-only", bearer(refresh)), { logged_in_as: "1" });
  await isRefused(gate.get("/refresh-only", bearer(access)), 422, "Only refresh tokens are allowed");
  for (const token of [access, refresh]) await isTold(gate.get("/either", bearer(token)), { logged_in_as: "1" });
  await isRefused(gate.get("/by-query", bearer(access)), 401, "Missing 'jwt' query paramater");
  await isTold(gate.get(`/by-query?a=b&jwt=${access}`), { logged_in_as: "1" });
  await isRefused(gate.get(`/me?jwt=${access}`), 401, "Missing Authorization Header");
  await isTold(
    gate.get("/by-json", { method: "POST", headers: JSON_BODY, body: JSON.stringify({ access_token: access }) }),
    { logged_in_as: "1" },
  );
  await isRefused(
    gate.get("/by-json", { method: "POST", headers: JSON_BODY, body: "{}" }),
    401,
    'Missing "access_token" key in json data.',
  );
  await isRefused(gate.get("/by-json"), 401, "Invalid content-type. Must be application/json.");
});

test("several places: the first token found counts, and what is wrong with each is told in order", async () => {
  const other = await start({
    users: false,
    vars: {
      ...WIRE,
      JWT_TOKEN_LOCATION: ["headers", "cookies", "query_string", "json"],
      JWT_HEADER_TYPE: "",
      JWT_HEADER_NAME: "X-Token",
      JWT_ERROR_MESSAGE_KEY: "why",
      ROUTES: [{ path: "/me", to: "identity", methods: ["GET", "POST"] }],
    },
  });
  try {
    const [one, two, three, four] = await Promise.all(["1", "2", "3", "4"].map((sub) => mint({ sub })));
    const ask = (parts) =>
      other.get(`/me${parts.query ? `?jwt=${parts.query}` : ""}`, {
        method: "POST",
        headers: {
          ...JSON_BODY,
          "x-csrf-token": "the-csrf-value",
          ...(parts.header && { "x-token": parts.header }),
          ...(parts.cookie && { cookie: `access_token_cookie=${parts.cookie}` }),
        },
        body: JSON.stringify(parts.json ? { access_token: parts.json } : {}),
      });
    await isTold(ask({ header: one, cookie: two, query: three, json: four }), { logged_in_as: "1" });
    await isTold(ask({ cookie: two, query: three, json: four }), { logged_in_as: "2" });
    await isTold(ask({ query: three, json: four }), { logged_in_as: "3" });
    await isTold(ask({ json: four }), { logged_in_as: "4" });
    const answer = await ask({});
    assert.deepEqual(
      [answer.status, await answer.json()],
      [
        401,
        {
          why:
            "Missing JWT in headers, cookies, query_string or json (Missing X-Token Header; "
            + "Missing cookie \"access_token_cookie\"; Missing 'jwt' query paramater; "
            + 'Missing "access_token" key in json data.)',
        },
      ],
    );
    // A bad one hides a good one.
    assert.deepEqual(await (await ask({ header: "x", cookie: two })).json(), { why: "Not enough segments" });
    assert.deepEqual(await (await ask({ cookie: await mint({ exp: 1 }), query: three })).json(), {
      why: "Token has expired",
    });
  } finally {
    await other.close();
  }
});

/** With `content-length`, and in chunks. */
const WAYS = {
  "of a known length": (body) => ["Content-Length", String(body.length)],
  "in chunks": () => ["Transfer-Encoding", "chunked"],
};

for (const [way, framing] of Object.entries(WAYS)) {
  test(`a JSON body with the token in it reaches the origin byte for byte, ${way}`, async () => {
    const token = await mint();
    const filler = "é\\u00e9\ud83d\ude00".repeat(20_000);
    for (const text of [
      `{ "access_token" : "${token}" ,\r\n\t"more":[1.0, 1e2, "é"]}\n `,
      JSON.stringify({ filler, access_token: token }),
    ]) {
      const body = Buffer.from(text);
      const send = async (out) => {
        for (let at = 0; at < body.length; at += 50_000) {
          out.write(body.subarray(at, at + 50_000));
          await later(1);
        }
        out.end();
      };
      const answer = await raw(gate, "/json/x?y=%20z", {
        method: "POST",
        headers: ["Content-Type", "application/json; charset=utf-8", ...framing(body)],
        send,
      });
      assert.deepEqual([answer.status, answer.body], [200, "from the origin"]);
      assert.ok(got.body.equals(body));
      assert.deepEqual([got.method, got.url, got.headers["x-auth-subject"]], ["POST", "/json/x?y=%20z", "1"]);
      assert.equal(JSON.parse(Buffer.from(got.headers["x-auth-claims"], "base64url").toString()).sub, "1");
      assert.equal(got.headers["content-length"], way === "in chunks" ? undefined : String(body.length));
      assert.equal(got.headers["content-type"], "application/json; charset=utf-8");
    }
  });

  test(`a body over 1 MiB in which a token would be is refused with 413 and goes nowhere, ${way}`, async () => {
    const token = await mint();
    for (const size of [MIB + 1, 4 * MIB]) {
      const body = Buffer.from(JSON.stringify({ access_token: token, filler: "x".repeat(size - token.length - 31) }));
      got = undefined;
      const began = Date.now();
      const answer = await rawRefused(gate, "/json/x", {
        method: "POST",
        headers: ["Content-Type", "application/json", "Connection", "close", ...framing(body)],
        send: (out) => {
          out.on("error", () => {});
          out.end(body);
        },
      });
      assert.deepEqual([answer.status, Object.keys(JSON.parse(answer.body))], [413, ["msg"]]);
      assert.ok(Date.now() - began < 5000);
      assert.equal(got, undefined);
    }
    // Just as long as may be; and a longer one whose token is elsewhere.
    const exact = Buffer.from(JSON.stringify({ access_token: token, filler: "x".repeat(MIB - token.length - 31) }));
    assert.equal(exact.length, MIB);
    for (const [body, headers] of [
      [exact, []],
      [randomBytes(3 * MIB), ["Authorization", `Bearer ${token}`]],
    ]) {
      const answer = await raw(gate, "/json/x", {
        method: "POST",
        headers: ["Content-Type", "application/json", ...headers, ...framing(body)],
        send: (out) => out.end(body),
      });
      assert.equal(answer.status, 200);
      assert.ok(got.body.equals(body));
    }
  });
}

test("so does the body of a GET", async () => {
  const body = Buffer.from(JSON.stringify({ access_token: await mint(), more: "é" }));
  const headers = ["Content-Type", "application/json", "Content-Length", String(body.length)];
  const answer = await raw(gate, "/json/x", { headers, send: (out) => out.end(body) });
  assert.equal(answer.status, 200);
  assert.deepEqual([got.method, got.headers["x-auth-subject"], got.body.toString()], ["GET", "1", body.toString()]);
});

test("a client that breaks off in the middle of such a body harms nobody else", async () => {
  got = undefined;
  const send = async (out) => {
    out.on("error", () => {});
    out.write('{"access_token":"');
    await later(50);
    out.destroy();
  };
  await raw(gate, "/json/x", {
    method: "POST",
    headers: ["Content-Type", "application/json", "Content-Length", "1000"],
    send,
  }).catch(() => {});
  assert.equal(got, undefined);
  await isTold(gate.get("/me", bearer(await mint())), { logged_in_as: "1" });
});

const COOKIES = { ...WIRE, JWT_TOKEN_LOCATION: "cookies" };
const OVER = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
const withCookie = (token, init = {}, name = "access_token_cookie") => ({
  ...init,
  headers: { ...init.headers, cookie: `other=1; ${name}=${token}` },
});
const csrf = (value) => ({ method: "POST", headers: { "x-csrf-token": value } });

test("cookies are set and taken away as the real library does it; the tokens are not in the body", async () => {
  const other = await start({ vars: COOKIES });
  try {
    const answer = await other.logIn();
    assert.deepEqual([answer.status, await answer.json()], [200, { msg: "login successful" }]);
    const set = answer.headers.getSetCookie();
    const [access, refresh] = [set[0], set[2]].map((line) => line.slice(line.indexOf("=") + 1, line.indexOf(";")));
    assert.deepEqual(set, [
      `access_token_cookie=${access}; HttpOnly; Path=/`,
      `csrf_access_token=${payload(access).csrf}; Path=/`,
      `refresh_token_cookie=${refresh}; HttpOnly; Path=/`,
      `csrf_refresh_token=${payload(refresh).csrf}; Path=/`,
    ]);
    assert.deepEqual([payload(access).type, payload(refresh).type], ["access", "refresh"]);
    await isTold(other.get("/auth/me", withCookie(access)), { logged_in_as: "1", username: "user1" });
    await isRefused(other.get("/auth/me", bearer(access)), 401, 'Missing cookie "access_token_cookie"');
    const renew = (init) => other.get("/auth/refresh", withCookie(refresh, init, "refresh_token_cookie"));
    await isRefused(renew({ method: "POST" }), 401, "Missing CSRF token");
    await isRefused(renew(csrf(payload(access).csrf)), 401, "CSRF double submit tokens do not match");
    const renewed = await renew(csrf(payload(refresh).csrf));
    assert.deepEqual([renewed.status, await renewed.json()], [200, { msg: "token refreshed" }]);
    const lines = renewed.headers.getSetCookie();
    const token = lines[0].slice(lines[0].indexOf("=") + 1, lines[0].indexOf(";"));
    assert.deepEqual(lines, [
      `access_token_cookie=${token}; HttpOnly; Path=/`,
      `csrf_access_token=${payload(token).csrf}; Path=/`,
    ]);
    assert.equal(payload(token).fresh, false);
    const out = await other.get("/auth/logout", { method: "POST" });
    assert.deepEqual(out.headers.getSetCookie(), [
      `access_token_cookie=; ${OVER}; HttpOnly; Path=/`,
      `csrf_access_token=; ${OVER}; Path=/`,
      `refresh_token_cookie=; ${OVER}; HttpOnly; Path=/`,
      `csrf_refresh_token=; ${OVER}; Path=/`,
    ]);
    assert.equal(out.headers.get("cache-control"), "no-store");
    // A refusal sets none.
    await isRefused(other.logIn("user1", "wrong"), 401, "Bad username or password");
  } finally {
    await other.close();
  }
});

test("with headers and cookies a log-in gives the tokens in both; every attribute stands in its place", async () => {
  const other = await start({
    vars: {
      ...WIRE,
      JWT_TOKEN_LOCATION: ["headers", "cookies"],
      JWT_COOKIE_SECURE: true,
      JWT_COOKIE_SAMESITE: "Strict",
      JWT_COOKIE_DOMAIN: "test.com",
      JWT_SESSION_COOKIE: false,
      JWT_ACCESS_COOKIE_NAME: "a",
      JWT_REFRESH_COOKIE_NAME: "r",
      JWT_REFRESH_COOKIE_PATH: "/auth/refresh",
      JWT_ACCESS_CSRF_COOKIE_NAME: "ac",
      JWT_REFRESH_CSRF_COOKIE_NAME: "rc",
      JWT_REFRESH_CSRF_COOKIE_PATH: "/refresh-page",
    },
  });
  try {
    const answer = await other.logIn();
    const { access_token, refresh_token } = await answer.json();
    const set = answer.headers.getSetCookie();
    const expires = set[0].match(/Expires=([^;]+)/)[1];
    assert.ok(Math.abs(Date.parse(expires) / 1000 - seconds() - 31_540_000) <= 2);
    const life = `Domain=test.com; Expires=${expires}; Max-Age=31540000; Secure`;
    assert.deepEqual(set, [
      `a=${access_token}; ${life}; HttpOnly; Path=/; SameSite=Strict`,
      `ac=${payload(access_token).csrf}; ${life}; Path=/; SameSite=Strict`,
      `r=${refresh_token}; ${life}; HttpOnly; Path=/auth/refresh; SameSite=Strict`,
      `rc=${payload(refresh_token).csrf}; ${life}; Path=/refresh-page; SameSite=Strict`,
    ]);
  } finally {
    await other.close();
  }
});

test("CSRF: missing, wrong, right; HEAD does not slip past; a form field only where it is asked for", async () => {
  const routes = [{ path: "/act", to: "identity", methods: ["GET", "POST", "PUT", "PATCH", "DELETE"] }];
  const plain = await start({ users: false, vars: { ...COOKIES, ROUTES: routes } });
  const guarded = await start({
    users: false,
    vars: {
      ...COOKIES,
      ROUTES: routes,
      JWT_CSRF_METHODS: ["GET", "POST"],
      JWT_CSRF_CHECK_FORM: true,
      JWT_ACCESS_CSRF_HEADER_NAME: "X-Mine",
    },
  });
  try {
    const token = await mint();
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      await isRefused(plain.get("/act", withCookie(token, { method })), 401, "Missing CSRF token");
      await isRefused(
        plain.get("/act", withCookie(token, { method, headers: { "x-csrf-token": "the-csrf-valuE" } })),
        401,
        "CSRF double submit tokens do not match",
      );
      // Twice, since the second is remembered.
      for (let again = 0; again < 2; again++)
        await isTold(plain.get("/act", withCookie(token, { method, headers: { "X-Csrf-Token": "the-csrf-value" } })), {
          logged_in_as: "1",
        });
      await isRefused(
        plain.get("/act", withCookie(token, { method, headers: { "x-csrf-token": "the-csrf-valuE" } })),
        401,
        "CSRF double submit tokens do not match",
      );
    }
    await isTold(plain.get("/act", withCookie(token)), { logged_in_as: "1" });
    assert.equal((await plain.get("/act", withCookie(token, { method: "HEAD" }))).status, 200);
    // The value in a cookie proves nothing.
    await isRefused(
      plain.get("/act", {
        method: "POST",
        headers: { cookie: `access_token_cookie=${token}; csrf_access_token=the-csrf-value` },
      }),
      401,
      "Missing CSRF token",
    );
    const form = (fields, headers) => ({ method: "POST", headers, body: new URLSearchParams(fields) });
    await isRefused(
      plain.get("/act", withCookie(token, form({ csrf_token: "the-csrf-value" }))),
      401,
      "Missing CSRF token",
    );
    await isRefused(
      plain.get("/act", withCookie(await mint({ csrf: undefined }), csrf("x"))),
      422,
      "Missing claim: csrf",
    );
    await isRefused(
      plain.get("/act", withCookie(await mint({ exp: 1 }), csrf("the-csrf-value"))),
      401,
      "Token has expired",
    );
    await isRefused(
      plain.get("/act", withCookie(await mint({ exp: 1 }), csrf("wrong"))),
      401,
      "CSRF double submit tokens do not match",
    );

    for (const method of ["GET", "HEAD"]) {
      const answer = await guarded.get("/act", withCookie(token, { method }));
      assert.deepEqual(
        [answer.status, await answer.text()],
        [401, method === "GET" ? '{"msg":"Missing CSRF token"}\n' : ""],
        method,
      );
      assert.equal(
        (await guarded.get("/act", withCookie(token, { method, headers: { "x-mine": "the-csrf-value" } }))).status,
        200,
        method,
      );
    }
    await isRefused(guarded.get("/act", withCookie(token, csrf("the-csrf-value"))), 401, "Missing CSRF token");
    await isTold(guarded.get("/act", withCookie(token, form({ a: "b", csrf_token: "the-csrf-value" }))), {
      logged_in_as: "1",
    });
    await isRefused(
      guarded.get("/act", withCookie(token, form({ csrf_token: "wrong" }))),
      401,
      "CSRF double submit tokens do not match",
    );
    await isRefused(
      guarded.get("/act", withCookie(token, form({ csrf_token: "the-csrf-value" }, { "x-mine": "wrong" }))),
      401,
      "CSRF double submit tokens do not match",
    );
  } finally {
    await plain.close();
    await guarded.close();
  }
});

for (const [way, framing] of Object.entries(WAYS)) {
  test(`a form with the CSRF value in it reaches the origin byte for byte, ${way}`, async () => {
    const other = await start({
      users: false,
      vars: {
        ...COOKIES,
        JWT_CSRF_CHECK_FORM: true,
        ORIGIN: app.url,
        ROUTES: [{ path: "/app/*", to: "origin", methods: ["*"] }],
      },
    });
    try {
      const cookie = ["Cookie", `access_token_cookie=${await mint()}`];
      const boundary = "----a'boundary";
      const multipart = (value) =>
        Buffer.concat([
          Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n`),
          Buffer.from("Content-Type: application/octet-stream\r\n\r\n"),
          randomBytes(300_000),
          Buffer.from(`\r\n--${boundary}\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n`),
          Buffer.from(`${value}\r\n--${boundary}--\r\n`),
        ]);
      const post = (type, body) =>
        raw(other, "/app/form", {
          method: "POST",
          headers: ["Content-Type", type, ...cookie, ...framing(body)],
          send: (out) => out.end(body),
        });
      for (const [type, make] of /** @type {[string, (value: string) => Buffer][]} */ ([
        ["application/x-www-form-urlencoded", (value) => Buffer.from(`b=%zz&a=+%C3%A9&csrf_token=${value}&c`)],
        [`multipart/form-data; boundary="${boundary}"`, multipart],
      ])) {
        const body = make("the-csrf-value");
        assert.equal((await post(type, body)).status, 200, type);
        assert.ok(got.body.equals(body), type);
        assert.deepEqual([got.headers["content-type"], got.headers["x-auth-subject"]], [type, "1"]);
        assert.equal(got.headers["content-length"], way === "in chunks" ? undefined : String(body.length));
        got = undefined;
        assert.deepEqual(JSON.parse((await post(type, make("other"))).body), {
          msg: "CSRF double submit tokens do not match",
        });
        assert.deepEqual(JSON.parse((await post(type, Buffer.from("x"))).body), { msg: "Missing CSRF token" });
        const long = Buffer.alloc(MIB + 1, "x");
        assert.equal((await post(type, long)).status, 413);
        assert.equal(got, undefined);
      }
    } finally {
      await other.close();
    }
  });
}

test("a cookie's token that is about to expire is renewed with whatever answer comes", async () => {
  const behind = await origin((request, response) => {
    if (request.url === "/app/mine") response.setHeader("set-cookie", ["access_token_cookie=; Path=/", "x=1"]);
    else response.setHeader("set-cookie", ["x=1", "y=2"]);
    if (request.url === "/app/empty") return response.writeHead(204).end();
    if (request.url === "/app/away") return response.writeHead(302, { location: "/elsewhere" }).end();
    response.setHeader("cache-control", "public, max-age=60");
    return response
      .writeHead(request.url === "/app/broken" ? 500 : 200, { etag: '"e"', "content-length": 15 })
      .end("from the origin");
  });
  const sockets = new WebSocketServer({ server: behind.server });
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(`${data}!`)));
  const other = await start({
    vars: {
      ...WIRE,
      JWT_TOKEN_LOCATION: ["cookies", "headers"],
      TOLLGATE_COOKIE_REFRESH_WITHIN: 200,
      JWT_ACCESS_TOKEN_EXPIRES: 300,
      ORIGIN: behind.url,
      ROUTES: [
        { path: "/me", to: "identity" },
        { path: "/stored", to: "identity", user: "stored" },
        { path: "/perhaps", to: "identity", auth: "optional" },
        { path: "/refresh-only", to: "identity", refresh: true },
        { path: "/app/*", to: "origin", methods: ["*"] },
        { path: "/members/*", to: "assets" },
      ],
    },
  });
  try {
    const due = await mint({ exp: seconds() + 190, fresh: true, role: "baker" });
    const early = await mint({ exp: seconds() + 290 });
    const renewed = async (path, init, theirs = []) => {
      const answer = await other.get(path, withCookie(due, init));
      const lines = answer.headers.getSetCookie();
      assert.deepEqual(lines.slice(0, -2), theirs, path);
      const token = lines.at(-2).slice("access_token_cookie=".length, lines.at(-2).indexOf(";"));
      const claims = payload(token);
      assert.deepEqual(lines.slice(-2), [
        `access_token_cookie=${token}; HttpOnly; Path=/`,
        `csrf_access_token=${claims.csrf}; Path=/`,
      ]);
      assert.deepEqual([claims.sub, claims.role, claims.type, claims.fresh], ["1", "baker", "access", false]);
      assert.ok(claims.exp - seconds() > 295 && claims.jti !== payload(due).jti);
      assert.equal(claims.csrf, payload(due).csrf, "requests that are under way carry it");
      assert.equal(answer.headers.get("cache-control"), "no-store");
      await isTold(other.get("/me", withCookie(token)), { logged_in_as: "1" });
      return answer;
    };
    const unchanged = async (path, init) => {
      const lines = (await other.get(path, init)).headers.getSetCookie();
      assert.ok(!lines.some((line) => /^(access_token_cookie|csrf_\w+)=[^;]/.test(line)), `${path}: ${lines}`);
    };
    const origins = ["x=1", "y=2"];
    // Twice: the token is remembered, and nobody may keep such an answer for the next one.
    for (let again = 0; again < 2; again++) {
      await isToldBody(await renewed("/me"), { logged_in_as: "1" });
      await isToldBody(await renewed("/stored"), { logged_in_as: "1", username: "user1" });
      await isToldBody(await renewed("/perhaps"), { logged_in_as: "1" });
    }
    const forwarded = await renewed("/app/x", csrf("the-csrf-value"), origins);
    assert.deepEqual([forwarded.headers.get("etag"), await forwarded.text()], ['"e"', "from the origin"]);
    assert.equal((await renewed("/app/broken", {}, origins)).status, 500);
    assert.equal((await renewed("/app/empty", {}, origins)).status, 204);
    assert.equal((await renewed("/app/away", {}, origins)).headers.get("location"), "/elsewhere");
    assert.equal((await renewed("/app/x", { method: "HEAD" }, origins)).headers.get("content-length"), "15");
    assert.match(await (await renewed("/members/welcome.txt")).text(), /./);
    const socket = new WebSocket(`${other.url.href.replace("http", "ws")}app/socket`, {
      origin: other.url.origin, // of its own page
      headers: { cookie: `access_token_cookie=${due}` },
    });
    await once(socket, "open");
    socket.send("hello");
    assert.equal(String((await once(socket, "message"))[0]), "hello!");
    socket.close();

    await unchanged("/app/mine", withCookie(due));
    await unchanged("/app/x", withCookie(early));
    await unchanged("/me", withCookie(early));
    await unchanged("/me", bearer(due));
    await unchanged("/perhaps");
    await unchanged("/app/x", withCookie(due, { method: "POST" })); // no CSRF value
    await unchanged("/me", withCookie(await mint({ exp: 1 })));
    await unchanged("/auth/logout", withCookie(due, { method: "POST" }));
    const refresh = await mint({ type: "refresh", exp: seconds() + 190 });
    await unchanged("/refresh-only", withCookie(refresh, {}, "refresh_token_cookie"));
    const gone = await mint({ sub: "77", exp: seconds() + 190 });
    await isRefused(other.get("/stored", withCookie(gone)), 401, "Error loading the user 77");
  } finally {
    sockets.close();
    await other.close();
    behind.close();
  }
});

test("the header with the token goes on to the origin or stays here, and never in another spelling", async () => {
  const token = await mint();
  for (const forward of [true, false]) {
    const other = await start({
      users: false,
      vars: {
        ...WIRE,
        JWT_HEADER_NAME: "X-Token",
        TOLLGATE_FORWARD_TOKEN: forward,
        ORIGIN: app.url,
        ROUTES: [
          { path: "/app/*", to: "origin" },
          { path: "/open", to: "origin", auth: "none" },
        ],
      },
    });
    try {
      const forged = ["X_Token", "Bearer forged", "x.token", "Bearer forged"];
      for (const [path, sent] of [
        ["/app/x", forward],
        ["/open", true],
      ]) {
        const answer = await raw(other, path, {
          headers: ["X-Token", `Bearer ${token}`, "Authorization", "Basic x", ...forged],
        });
        assert.equal(answer.status, 200);
        assert.equal(got.headers["x-token"], sent ? `Bearer ${token}` : undefined);
        assert.equal(got.headers.authorization, sent ? "Basic x" : undefined);
        assert.ok(!("x_token" in got.headers) && !("x.token" in got.headers));
        assert.equal(got.headers["x-auth-subject"], path === "/open" ? undefined : "1");
      }
    } finally {
      await other.close();
    }
  }
});

test("HEAD is answered like GET, without a body", async () => {
  const token = await mint();
  const head = async (path, init) => {
    const answer = await gate.get(path, { ...init, method: "HEAD" });
    assert.equal(await answer.text(), "");
    return answer.status;
  };
  for (let round = 0; round < 3; round++) {
    assert.equal(await head("/me", bearer(token)), 200);
    assert.equal(await head("/me"), 401);
    assert.equal(await head("/me", bearer("x")), 422);
    assert.equal(await head("/app/x", bearer(token)), 200);
  }
});

test("OPTIONS needs no token: the gate answers it, or the origin without an identity", async () => {
  for (const [path, allow] of [
    ["/me", "GET, HEAD, OPTIONS"],
    ["/auth", "POST, OPTIONS"],
    ["/auth/refresh", "POST, OPTIONS"],
    ["/auth/logout", "POST, DELETE, OPTIONS"],
    ["/auth/me", "GET, HEAD, OPTIONS"],
  ]) {
    const answer = await gate.get(path, { method: "OPTIONS" });
    assert.deepEqual([answer.status, answer.headers.get("allow"), await answer.text()], [200, allow, ""], path);
  }
  const answer = await raw(gate, "/preflight", {
    method: "OPTIONS",
    headers: ["Authorization", `Bearer ${await mint()}`, "X-Auth-Subject", "forged"],
  });
  assert.deepEqual(
    [answer.status, got.method, got.headers["x-auth-subject"], got.headers["x-auth-claims"]],
    [200, "OPTIONS", undefined, undefined],
  );
});

test("everybody is told who he is himself, however often and however mixed", async () => {
  const people = await Promise.all(
    Array.from({ length: 60 }, async (_, at) => [`user ${at}`, await mint({ sub: `user ${at}`, fresh: at % 2 === 0 })]),
  );
  const visits = Array.from({ length: 6 }, () => people)
    .flat()
    .sort(() => Math.random() - 0.5);
  for (let at = 0; at < visits.length; at += 40) {
    await Promise.all(
      visits.slice(at, at + 40).map(async ([who, token], index) => {
        // Two URLs with one token, and one that half of them may not see.
        await isTold(gate.get(index % 2 ? "/me" : "/also-me", bearer(token)), { logged_in_as: who });
        const isFresh = Number(who.slice(5)) % 2 === 0;
        const fresh = await gate.get("/fresh", bearer(token));
        assert.deepEqual(await fresh.json(), isFresh ? { logged_in_as: who } : { msg: "Fresh token required" });
      }),
    );
  }
  for (const [who, token] of people.slice(0, 5)) {
    for (let again = 0; again < 3; again++) {
      await isTold(gate.get(`/by-query?jwt=${token}`), { logged_in_as: who });
      await isTold(gate.get(`/by-query?jwt=${token}`, bearer(people[7][1])), { logged_in_as: who });
      await isRefused(gate.get("/by-query", bearer(token)), 401, "Missing 'jwt' query paramater");
    }
  }
});

test("cookies of different people under one Authorization header are told apart", async () => {
  const other = await start({ users: false, vars: { ...WIRE, JWT_TOKEN_LOCATION: ["cookies", "headers"], ROUTES } });
  try {
    const [one, two, three] = await Promise.all(["1", "2", "3"].map((sub) => mint({ sub })));
    for (let again = 0; again < 4; again++) {
      for (const [sub, token] of [
        ["1", one],
        ["2", two],
      ])
        await isTold(other.get("/me", withCookie(token, bearer(three))), { logged_in_as: sub });
      await isTold(other.get("/me", bearer(three)), { logged_in_as: "3" });
      await isRefused(
        other.get("/me"),
        401,
        'Missing JWT in cookies or headers (Missing cookie "access_token_cookie"; Missing Authorization Header)',
      );
    }
  } finally {
    await other.close();
  }
});

test("a token whose freshness or life runs out between two requests is refused", async () => {
  const now = Date.now() / 1000;
  const [numbered, ageing, expiring] = await Promise.all([
    mint({ fresh: now + 2 }),
    mint({ fresh: true }),
    mint({ fresh: true, exp: Math.floor(now) + 2 }),
  ]);
  for (let again = 0; again < 3; again++) {
    await isTold(gate.get("/fresh", bearer(numbered)), { logged_in_as: "1" });
    await isTold(gate.get("/recent", bearer(ageing)), { logged_in_as: "1" });
    for (const token of [numbered, ageing, expiring])
      await isTold(gate.get("/me", bearer(token)), { logged_in_as: "1" });
  }
  await later(3200);
  for (let again = 0; again < 3; again++) {
    await isRefused(gate.get("/fresh", bearer(numbered)), 401, "Fresh token required");
    await isRefused(gate.get("/recent", bearer(ageing)), 401, "Fresh token required");
    await isRefused(gate.get("/me", bearer(expiring)), 401, "Token has expired");
    // Only where freshness is asked for.
    for (const token of [numbered, ageing]) await isTold(gate.get("/me", bearer(token)), { logged_in_as: "1" });
    await isTold(gate.get("/fresh", bearer(ageing)), { logged_in_as: "1" });
  }
});

test("a refusal is logged under its own id, with its reason and rule, and without what was sent", async () => {
  const canary = "canary-in-the-token";
  const [wrong, missing] = await Promise.all([mint({ jti: canary }, `${SECRET}!`), mint({ sub: undefined })]);
  /** @type {[ask: () => Promise<Response>, status: number, reason: string, rule: string | undefined][]} */
  const asked = [
    [() => gate.get("/me"), 401, "token_missing", "/me"],
    [() => gate.get("/me", bearer(canary)), 422, "token_segments", "/me"],
    [() => gate.get("/me", { headers: { authorization: `Bearer ${canary} x` } }), 422, "token_header_form", "/me"],
    [() => gate.get("/me", bearer(wrong)), 422, "token_signature", "/me"],
    [() => gate.get("/me", bearer(missing)), 422, "claim_missing", "/me"],
    [async () => gate.get("/fresh", bearer(await mint())), 401, "token_not_fresh", "/fresh"],
    [async () => gate.get("/me", bearer(await mint({ type: "refresh" }))), 422, "token_type", "/me"],
    [() => gate.get(`/by-query?jwt=${canary}`), 422, "token_segments", "/by-query"],
    [async () => gate.get("/auth/me", bearer(await mint({ sub: canary }))), 401, "user_unknown", "/auth/me"],
    [async () => gate.get("/auth/refresh", bearer(await mint(), { method: "POST" })), 422, "token_type", "refresh"],
    [() => gate.logIn("user1", canary), 401, "bad_credentials", "log-in"],
    [() => gate.get("/nowhere"), 404, "not_found", undefined],
  ];
  const ids = new Map();
  for (let round = 0; round < 2; round++) {
    for (const [ask, status, reason, rule] of asked) {
      const answer = await ask();
      assert.equal(answer.status, status, reason);
      ids.set(answer.headers.get("x-request-id"), { status, reason, rule });
    }
  }
  assert.equal(ids.size, 2 * asked.length);
  await until(() => [...ids.keys()].every((id) => gate.lines().some(({ request_id }) => request_id === id)));
  for (const { request_id, event, status, reason, rule } of gate
    .lines()
    .filter(({ request_id }) => ids.has(request_id))) {
    assert.deepEqual([event, { status, reason, rule }], ["refused", ids.get(request_id)]);
  }
  assert.ok(!gate.output().includes(canary) && !gate.output().includes("eyJ"));
});

test("without refresh tokens there is no endpoint for them; paths are options", async () => {
  const other = await start({
    vars: {
      ...WIRE,
      TOLLGATE_REFRESH_TOKENS: false,
      TOLLGATE_LOGOUT_URL: "",
      TOLLGATE_ME_URL: "/whoami",
      JWT_AUTH_URL_RULE: "/login",
      ROUTES: [],
    },
  });
  try {
    const answer = await other.get("/login", {
      method: "POST",
      headers: JSON_BODY,
      body: JSON.stringify({ username: "user1", password: "abcxyz" }),
    });
    const body = await answer.json();
    assert.deepEqual(Object.keys(body), ["access_token"]);
    for (const path of ["/auth", "/auth/refresh", "/auth/logout", "/auth/me"])
      assert.equal((await other.get(path, { method: "POST" })).status, 404, path);
    await isTold(other.get("/whoami", bearer(body.access_token)), { logged_in_as: "1", username: "user1" });
  } finally {
    await other.close();
  }
});

test("the other dialect's clients are refused here, and this one's there", async () => {
  const flaskJwt = await start({ users: false });
  try {
    await isRefused(
      gate.get("/me", { headers: { authorization: `JWT ${await mint()}` } }),
      401,
      "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'",
    );
    assert.equal((await flaskJwt.get("/protected", bearer(await mint()))).status, 401);
    for (const path of ["/auth/refresh", "/auth/logout"])
      assert.notEqual((await flaskJwt.get(path, { method: "POST" })).status, 200);
  } finally {
    await flaskJwt.close();
  }
});
