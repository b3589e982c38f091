// TOLLGATE_FORWARD_TOKEN = false in workerd: an origin sees no token, wherever the client has put it. And what becomes
// of two lines of cookies.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { mint as signed, origin, raw, start } from "./harness.mjs";

let app, gate, got, token;
const mint = (claims) =>
  signed({ sub: "1", type: "access", fresh: false, jti: crypto.randomUUID(), csrf: "C", ...claims });
const started = (vars) =>
  start({
    users: false,
    vars: {
      TOLLGATE_WIRE: "flask-jwt-extended",
      JWT_TOKEN_LOCATION: ["headers", "cookies", "query_string", "json"],
      JWT_ACCESS_COOKIE_NAME: "token_of_a",
      ORIGIN: app.url,
      ROUTES: [
        { path: "/app/*", to: "origin", methods: ["*"] },
        { path: "/perhaps", to: "origin", auth: "optional" },
        { path: "/open", to: "origin", auth: "none" },
      ],
      ...vars,
    },
  });

before(async () => {
  app = await origin(async (request, answer) => {
    const body = (await request.toArray()).join("");
    got = { url: request.url, headers: request.headers, body };
    answer.end("from the origin");
  });
  gate = await started({ TOLLGATE_FORWARD_TOKEN: false });
  token = await mint();
});
after(async () => {
  await gate?.close();
  app?.close();
});

/** What the origin got. */
async function sent(path, headers = [], init = {}) {
  got = undefined;
  const answer = await raw(gate, path, { headers, ...init });
  assert.deepEqual([answer.status, answer.body], [200, "from the origin"]);
  return got;
}

test("a cookie with a token stays here, and all others go on byte for byte", async () => {
  const around = (one, other) => `x=1; ${one}; y="; z=\\"é"; ${other};csrf_access_token=C`;
  const { headers } = await sent("/app/x", [
    "Cookie",
    Buffer.from(around(`token_of_a=${token}`, "refresh_token_cookie=R")).toString("latin1"),
  ]);
  const left = `x=1; y="; z=\\"é";csrf_access_token=C`;
  assert.equal(Buffer.from(headers.cookie, "latin1").toString(), left);
  assert.deepEqual([headers["x-auth-subject"], headers["x-auth-location"]], ["1", "cookies"]);
  // None is left: no header.
  assert.equal((await sent("/app/x", ["Cookie", `token_of_a=${token}`])).headers.cookie, undefined);
  // Beside a token in the header, and where none is needed.
  const both = await sent("/app/x", ["Authorization", `Bearer ${token}`, "Cookie", `a=1; token_of_a=${token}`]);
  assert.deepEqual(
    [both.headers.authorization, both.headers.cookie, both.headers["x-auth-location"]],
    [undefined, "a=1", undefined],
  );
  assert.equal((await sent("/perhaps", ["Cookie", "refresh_token_cookie=R; a=1"])).headers.cookie, "a=1");
  assert.equal((await sent("/open", ["Cookie", `token_of_a=${token}`])).headers.cookie, `token_of_a=${token}`);
  // Without one of ours the header is not touched.
  assert.equal(
    (await sent("/app/x", ["Authorization", `Bearer ${token}`, "Cookie", " a=1;;b"])).headers.cookie,
    "a=1;;b",
  );
});

test("a token in the query stays here, and all other parameters go on byte for byte", async () => {
  const { url, headers } = await sent(`/app/x?a=%20+&jwt=${token}&&b=%c3%A9&j%77t=2`);
  assert.deepEqual([url, headers["x-auth-location"]], ["/app/x?a=%20+&&b=%c3%A9", "query_string"]);
  assert.equal((await sent(`/app/x?jwt=${token}`)).url, "/app/x");
  assert.equal((await sent(`/open?jwt=${token}`)).url, `/open?jwt=${token}`);
});

test("a body with a token goes on as it came", async () => {
  const body = `{"a": [ 1 ],  "access_token":"${token}"}`;
  const headers = ["Content-Type", "application/json", "Content-Length", String(body.length)];
  const forwarded = await sent("/app/x", headers, { method: "POST", send: (out) => out.end(body) });
  assert.deepEqual([forwarded.body, forwarded.headers["x-auth-location"]], [body, "json"]);
});

test("by default all of it goes on", async () => {
  const other = await started({});
  try {
    for (const [path, cookie] of [
      ["/app/x", `a=1; token_of_a=${token}`],
      [`/app/x?jwt=${token}`, "a=1"],
    ]) {
      assert.equal((await raw(other, path, { headers: ["Cookie", cookie, "X-Auth-Location", "forged"] })).status, 200);
      assert.deepEqual([got.url, got.headers.cookie], [path, cookie]);
      assert.equal(got.headers["x-auth-location"], path === "/app/x" ? "cookies" : "query_string");
    }
    assert.equal((await lines(other, "/perhaps", "Cookie: a=1", "Cookie: b=2; c=3"))[0], 200);
    assert.equal(got.headers.cookie, "a=1, b=2; c=3", "this is how workerd joins them");
  } finally {
    await other.close();
  }
});

/**
 * Status and body of the answer to a request with these very lines.
 *
 * @returns {Promise<[number, string]>}
 */
async function lines(to, path, ...fields) {
  got = undefined;
  const socket = connect(to.port, "127.0.0.1");
  socket.write([`GET ${path} HTTP/1.1`, `Host: ${to.url.host}`, "Connection: close", ...fields, "", ""].join("\r\n"));
  const [, status, body] = Buffer.concat(await socket.toArray())
    .toString()
    .match(/^HTTP\/1\.1 (\d+).*?\r\n\r\n(.*)$/s);
  return [Number(status), body];
}

test("two lines of cookies: workerd joins them by a comma, so a token beside it is none, and does not go on", async () => {
  const [ours, other] = [`Cookie: token_of_a=${token}`, "Cookie: a=1"];
  const missing = /Missing cookie/;
  for (const fields of [
    [ours, other],
    [other, ours],
    [ours, ours],
  ]) {
    const [status, body] = await lines(gate, "/app/x", ...fields);
    assert.equal(status, 401);
    assert.match(body, missing);
    assert.equal(got, undefined);
    // Who is nobody to the gate is nobody to the origin.
    assert.equal((await lines(gate, "/perhaps", ...fields))[0], 200);
    assert.deepEqual([got.headers.cookie, got.headers["x-auth-subject"]], [undefined, undefined]);
  }
  // One that is whole, before or behind a semicolon, is still read.
  for (const fields of [
    [`${ours}; b=2`, other],
    ["Cookie: a=1; b=2", `Cookie: c=3; token_of_a=${token}`],
  ]) {
    assert.equal((await lines(gate, "/app/x", ...fields))[0], 200);
    assert.doesNotMatch(got.headers.cookie, /token_of_a/);
  }
});
