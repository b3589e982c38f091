// What rules require of claims, and claims from users' attributes.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { mint, origin, payload, start, until } from "./harness.mjs";

const ROUTES = [
  { path: "/admin/*", to: "origin", require: { role: "admin" } },
  { path: "/maybe", to: "identity", auth: "optional", require: [{ role: "admin" }, { scope: "me:read" }] },
  { path: "/any/*", to: "origin" },
  { path: "/me", to: "identity", user: "stored" },
];

test("claims that are not enough are 403 in the dialect's words, on the hot path too", async () => {
  const app = await origin((_, answer) => answer.end("from the origin"));
  /** @type {[wire: string, scheme: string, body: object, challenge: string | null][]} */
  const dialects = [
    ["flask-jwt", "JWT", { description: "Insufficient permissions", error: "Forbidden", status_code: 403 }, null],
    ["flask-jwt-extended", "Bearer", { msg: "Insufficient permissions" }, 'Bearer error="insufficient_scope"'],
  ];
  for (const [wire, scheme, body, challenge] of dialects) {
    const gate = await start({
      vars: { TOLLGATE_WIRE: wire, ORIGIN: app.url, ROUTES, TOLLGATE_ERROR_CODES: true },
      sessions: false,
    });
    try {
      const token = (claims) => mint({ identity: 1, sub: "1", type: "access", fresh: false, jti: "j", ...claims });
      const [admin, user] = [await token({ role: "admin" }), await token({ role: "user", scope: "me:read x" })];
      const ask = (path, token) => gate.get(path, { headers: token ? { authorization: `${scheme} ${token}` } : {} });
      for (let use = 0; use < 5; use++) {
        assert.equal((await ask("/admin/x", admin)).status, 200, wire);
        const refused = await ask("/admin/x", user);
        assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [403, challenge]);
        assert.equal(refused.headers.get("x-auth-error"), "insufficient_permissions");
        assert.deepEqual(await refused.json(), body);
        // The same token elsewhere.
        assert.equal((await ask("/any/x", user)).status, 200);
        assert.equal((await ask("/maybe", user)).status, 200);
        assert.equal((await ask("/maybe", await token({ role: "user" }))).status, 403);
        assert.equal((await ask("/maybe")).status, 401, "without a token");
      }
    } finally {
      await gate.close();
    }
  }
  app.close();
});

test("a token has the attributes of its user, at the log-in and after a refresh", async () => {
  const gate = await start({
    vars: {
      TOLLGATE_WIRE: "flask-jwt-extended",
      ROUTES,
      ORIGIN: "http://127.0.0.1:1",
      TOLLGATE_CLAIMS: { role: "attributes.role", tenant: "attributes.org.id" },
    },
  });
  try {
    const attributes = (value) =>
      gate.kv.put("user:1", JSON.stringify({ v: 1, id: 1, name: "user1", status: "active", attributes: value }));
    await attributes({ role: "admin", org: { id: 5 } });
    const { access_token, refresh_token } = await (await gate.logIn()).json();
    const chosen = ({ role, tenant }) => ({ role, tenant });
    assert.deepEqual(chosen(payload(access_token)), { role: "admin", tenant: 5 });
    assert.deepEqual(chosen(payload(refresh_token)), { role: undefined, tenant: undefined });
    await attributes({ role: "viewer" });
    const headers = { authorization: `Bearer ${refresh_token}` };
    const refreshed = await (await gate.get("/auth/refresh", { method: "POST", headers })).json();
    assert.deepEqual(chosen(payload(refreshed.access_token)), { role: "viewer", tenant: undefined });
    await attributes({ role: "r".repeat(2048) });
    const refused = await gate.logIn();
    assert.equal(refused.status, 500);
    assert.ok(!(await refused.text()).includes("rrr"));
    const line = await until(() => gate.lines().find(({ reason }) => reason === "claims_too_long"));
    assert.equal(line.level, "error");
    await gate.kv.delete("user:1");
    assert.equal((await gate.logIn()).status, 503, "never a token without the claims");
    assert.ok(gate.lines().some(({ reason }) => reason === "profile_missing"));
  } finally {
    await gate.close();
  }
});

const ADMIN = "an operator's secret of more than thirty-two bytes";
const BOUND_SECONDS = 3;
const CLAIMS = {
  TOLLGATE_CLAIMS: { role: "attributes.role" },
  TOLLGATE_ADMIN_SECRET: ADMIN,
  TOLLGATE_REVOCATION_BOUND: String(BOUND_SECONDS),
  TOLLGATE_ERROR_CODES: true,
  ORIGIN: "http://127.0.0.1:1",
  ROUTES: [
    { path: "/admin", to: "identity", require: { role: "admin" } },
    { path: "/me", to: "identity" },
    { path: "/strict", to: "identity", revocation: "strict" },
  ],
};
const PROFILE = { v: 1, id: 1, name: "user1", status: "active", attributes: { role: "admin" }, version: 1700000000000 };

/** The order of `tollgate user set`, which has read this profile. */
const setRole = (gate, role, profile) =>
  gate.get("/auth/admin", {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
    body: JSON.stringify({ do: "set-attributes", user: profile.id, profile, set: { role }, without: [] }),
  });

/** Asks with a token until it is refused; returns the answer, and the seconds since `since`. */
async function refused(gate, path, headers, since) {
  const answer = await until(async () => {
    const answer = await gate.get(path, { headers });
    return answer.status === 401 && answer;
  });
  return { answer, seconds: (Date.now() - since) / 1000 };
}

test("a role change is in force in every data centre within the bound, whatever their stores show, and after a crash", async (t) => {
  const persist = await mkdtemp(join(tmpdir(), "tollgate-"));
  t.after(() => rm(persist, { recursive: true, force: true }));
  const vars = { ...CLAIMS, TOLLGATE_WIRE: "flask-jwt-extended" };
  const setUp = async () => {
    const gate = await start({ vars, persist, elsewhere: true });
    return /** @type {[typeof gate, Exclude<typeof gate.elsewhere, false>]} */ ([gate, gate.elsewhere]);
  };
  let [here, elsewhere] = await setUp();
  const bearer = (token) => ({ authorization: `Bearer ${token}` });
  const status = async (gate, path, token) => (await gate.get(path, { headers: bearer(token) })).status;
  const refresh = (gate, token) => gate.get("/auth/refresh", { method: "POST", headers: bearer(token) });
  const stale = () => Promise.all([here, elsewhere].map(({ kv }) => kv.put("user:1", JSON.stringify(PROFILE))));
  await stale();

  const [first, other] = [await (await elsewhere.logIn()).json(), await (await here.logIn("user2")).json()];
  assert.deepEqual([payload(first.access_token).role, payload(first.access_token).cv], ["admin", PROFILE.version]);
  for (const gate of [here, elsewhere, here, elsewhere]) {
    assert.equal(await status(gate, "/admin", first.access_token), 200);
    assert.equal(await status(gate, "/me", other.access_token), 200);
  }

  const changed = await setRole(here, "viewer", PROFILE);
  const [since, body] = [Date.now(), await changed.json()];
  assert.deepEqual([changed.status, body.attributes], [200, { username: "user1", role: "viewer" }]);
  assert.equal(await status(elsewhere, "/strict", first.access_token), 401, "at once where the account is asked");
  // The store elsewhere shows the old role, in a log-in and in a refresh.
  assert.equal((await elsewhere.kv.get("user:1", "json")).attributes.role, "admin");
  for (const answer of [await elsewhere.logIn(), await refresh(elsewhere, first.refresh_token)]) {
    const { access_token } = await answer.json();
    assert.deepEqual([payload(access_token).role, payload(access_token).cv], ["viewer", body.version]);
    assert.equal(await status(elsewhere, "/admin", access_token), 403);
    assert.equal(await status(elsewhere, "/me", access_token), 200);
  }
  // The old token is dead everywhere, in the words on which clients refresh.
  for (const gate of [here, elsewhere]) {
    const { answer, seconds } = await refused(gate, "/me", bearer(first.access_token), since);
    assert.deepEqual(await answer.json(), { msg: "Token has expired" });
    assert.equal(answer.headers.get("x-auth-error"), "claims_outdated");
    assert.ok(seconds < BOUND_SECONDS + 1, `${seconds} s`);
    assert.equal(await status(gate, "/me", other.access_token), 200, "another user's");
  }
  // A second change, by an operator whose store is stale; then everything is killed, and the stores are stale again.
  const profile = { ...PROFILE, attributes: { role: "admin", team: "red" } };
  const second = await (await setRole(elsewhere, "auditor", profile)).json();
  assert.deepEqual(second.attributes, { username: "user1", role: "auditor" });
  await here.kill();
  [here, elsewhere] = await setUp();
  t.after(() => here.close());
  await stale();
  for (const gate of [here, elsewhere]) {
    const { access_token, refresh_token } = await (await gate.logIn()).json();
    assert.equal(payload(access_token).role, "auditor");
    const refreshed = await (await refresh(elsewhere, refresh_token)).json();
    assert.equal(payload(refreshed.access_token).role, "auditor");
    assert.equal(await status(gate, "/me", access_token), 200);
    assert.equal(await status(gate, "/me", first.access_token), 401);
  }
});

test("a browser whose cookie is renewed keeps its session through a role change, with the new role within the bound", async (t) => {
  const vars = {
    ...CLAIMS,
    TOLLGATE_WIRE: "flask-jwt-extended",
    JWT_TOKEN_LOCATION: ["cookies"],
    JWT_COOKIE_SECURE: false,
    TOLLGATE_COOKIE_REFRESH_WITHIN: "1m",
  };
  const gate = await start({ vars });
  t.after(() => gate.close());
  await gate.kv.put("user:1", JSON.stringify(PROFILE));
  const setBy = (answer) =>
    answer.headers
      .getSetCookie()
      .find((cookie) => cookie.startsWith("access_token_cookie="))
      ?.split(";")[0];
  let cookie = setBy(await gate.logIn());
  const { sid } = payload(cookie);
  const ask = async (path) => {
    const answer = await gate.get(path, { headers: { cookie } });
    cookie = setBy(answer) ?? cookie;
    return answer.status;
  };
  for (let use = 0; use < 3; use++) assert.equal(await ask("/admin"), 200);
  assert.equal((await setRole(gate, "viewer", PROFILE)).status, 200);
  const since = Date.now();
  await until(async () => {
    assert.equal(await ask("/me"), 200, "never logged out");
    return payload(cookie).role === "viewer";
  });
  assert.ok(Date.now() - since < (BOUND_SECONDS + 1) * 1000);
  assert.equal(await ask("/admin"), 403);
  assert.equal(payload(cookie).sid, sid);
});

test("in Flask-JWT's dialect a user whose role changes logs in again", async (t) => {
  const gate = await start({ vars: CLAIMS });
  t.after(() => gate.close());
  await gate.kv.put("user:1", JSON.stringify(PROFILE));
  const [token, since] = [await gate.token(), Date.now()];
  const jwt = { authorization: `JWT ${token}` };
  for (let use = 0; use < 3; use++) assert.equal((await gate.get("/admin", { headers: jwt })).status, 200);
  assert.equal((await setRole(gate, "viewer", PROFILE)).status, 200);
  const { answer } = await refused(gate, "/admin", jwt, since);
  const words = { status_code: 401, error: "Invalid token", description: "Signature has expired" };
  assert.deepEqual(await answer.json(), words);
  assert.equal((await gate.get("/admin", { headers: { authorization: `JWT ${await gate.token()}` } })).status, 403);
});

test("requests are counted by user and by address, on the hot path too", async (t) => {
  const app = await origin((_, answer) => answer.end("from the origin"));
  t.after(() => app.close());
  const gate = await start({
    vars: {
      ORIGIN: app.url,
      TOLLGATE_ERROR_CODES: true,
      ROUTES: [
        { path: "/reports/*", to: "origin", rate: "REPORTS" },
        { path: "/others/*", to: "origin" },
        { path: "/open", to: "origin", auth: "none", rate: "REPORTS" },
      ],
    },
    sessions: false,
    options: {
      ratelimits: { REPORTS: { name: "REPORTS", namespace_id: "1003", simple: { limit: 5, period: 60 } } },
    },
  });
  t.after(() => gate.close());
  // The limiter counts by the minute of the clock.
  const left = 60_000 - (Date.now() % 60_000);
  if (left < 10_000) await new Promise((resolve) => setTimeout(resolve, left));
  const [one, two] = [await mint({ identity: 1 }), await mint({ identity: 2 })];
  const ask = (path, token) => gate.get(path, { headers: token ? { authorization: `JWT ${token}` } : {} });
  const refused = await ask("/reports/x", "x");
  assert.equal(refused.status, 401, "and not counted");
  for (let use = 0; use < 5; use++) assert.equal((await ask("/reports/x", one)).status, 200);
  for (let use = 0; use < 3; use++) {
    const answer = await ask("/reports/x", one);
    assert.deepEqual(
      [answer.status, answer.headers.get("retry-after"), answer.headers.get("x-auth-error")],
      [429, "60", "rate_exceeded"],
    );
    assert.equal((await ask("/others/x", one)).status, 200);
    assert.equal((await ask("/reports/x", two)).status, 200);
  }
  const open = [];
  for (let use = 0; use < 7; use++) open.push((await ask("/open")).status);
  assert.deepEqual(open, [200, 200, 200, 200, 200, 429, 429]);
});

test("a limiter that is not bound stops the gate", async (t) => {
  const routes = [{ path: "/me", to: "identity", rate: "REPORTS" }];
  const gate = await start({ vars: { ROUTES: routes }, sessions: false });
  t.after(() => gate.close());
  assert.equal((await gate.get("/me")).status, 500);
  assert.ok(gate.lines().some(({ event, option }) => event === "config_problem" && option === "ROUTES[0].rate"));
});
