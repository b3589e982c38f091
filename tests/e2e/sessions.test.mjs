// Sessions in real workerd, with real Durable Objects: rotation, ends, revocation, passwords.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { origin, payload, start, until } from "./harness.mjs";

const EXTENDED = { TOLLGATE_WIRE: "flask-jwt-extended" };
const ADMIN = "an operator's secret of more than thirty-two bytes";
const ROUTES = [
  { path: "/protected", to: "identity" },
  { path: "/strict", to: "identity", revocation: "strict" },
];

const bearer = (token, init = {}) => ({ ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
const json = (body, init = {}) => ({
  method: "POST",
  ...init,
  headers: { "content-type": "application/json", ...init.headers },
  body: JSON.stringify(body),
});

async function tokens(gate, ...who) {
  const answer = await gate.logIn(...who);
  assert.equal(answer.status, 200);
  return answer.json();
}

const refresh = (gate, token) => gate.get("/auth/refresh", bearer(token, { method: "POST" }));
const pass = async (gate, token, path = "/protected") => (await gate.get(path, bearer(token))).status;
const admin = async (gate, order, secret = ADMIN) => gate.get("/auth/admin", bearer(secret, json(order)));

describe("sessions", () => {
  let gate;
  before(async () => {
    gate = await start({
      vars: {
        ...EXTENDED,
        ROUTES,
        TOLLGATE_ADMIN_SECRET: ADMIN,
        TOLLGATE_REFRESH_GRACE: "1",
        TOLLGATE_REVOCATION_BOUND: "3",
      },
    });
  });
  after(() => gate.close());

  test("a refresh token is good for one use, and a second one ends the session", async () => {
    const first = await tokens(gate);
    assert.equal(payload(first.access_token).sid, payload(first.refresh_token).sid);
    const answer = await refresh(gate, first.refresh_token);
    const second = await answer.json();
    assert.equal(answer.status, 200);
    assert.notEqual(payload(second.refresh_token).jti, payload(first.refresh_token).jti);
    assert.equal(payload(second.access_token).sid, payload(first.access_token).sid);
    assert.equal(payload(second.access_token).fresh, false);
    assert.deepEqual(await (await refresh(gate, first.refresh_token)).json(), second, "a retry within the grace");
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const reused = await refresh(gate, first.refresh_token);
    assert.deepEqual([reused.status, await reused.json()], [401, { msg: "Token has been revoked" }]);
    assert.equal((await refresh(gate, second.refresh_token)).status, 401, "the whole family");
    await until(async () => (await pass(gate, second.access_token)) === 401);
    assert.ok(gate.lines().some((line) => line.reason === "refresh_token_reused"));
  });

  test("a log-out ends the session, for access and refresh tokens alike", async () => {
    const mine = await tokens(gate),
      other = await tokens(gate);
    assert.equal(await pass(gate, mine.access_token), 200);
    const out = await gate.get("/auth/logout", bearer(mine.refresh_token, { method: "POST" }));
    assert.deepEqual([out.status, await out.json()], [200, { msg: "logout successful" }]);
    assert.equal(await pass(gate, mine.access_token, "/strict"), 401);
    assert.equal((await refresh(gate, mine.refresh_token)).status, 401);
    const since = Date.now();
    await until(async () => (await pass(gate, mine.access_token)) === 401);
    assert.ok(Date.now() - since < 3500, "the bound");
    assert.equal(await pass(gate, other.access_token), 200);
    assert.equal(await pass(gate, other.access_token, "/strict"), 200);
    assert.equal((await gate.get("/auth/logout", bearer(mine.access_token, { method: "POST" }))).status, 200, "again");
    const without = await gate.get("/auth/logout", { method: "POST" });
    assert.deepEqual(
      [without.status, await without.json()],
      [401, { msg: "Missing Authorization Header" }],
      "nothing was done",
    );
  });

  test("users see and end their sessions, and nobody else's", async () => {
    await gate.get(
      "/auth/logout/all",
      bearer((await tokens(gate, "user2", "abcxyz")).access_token, { method: "POST" }),
    );
    const mine = await tokens(gate, "user2", "abcxyz");
    const other = await (
      await gate.get(
        "/auth",
        json({ username: "user2", password: "abcxyz" }, { headers: { "user-agent": "a phone", "cf-ipcountry": "CH" } }),
      )
    ).json();
    const list = async (token) => (await (await gate.get("/auth/sessions", bearer(token))).json()).sessions;
    const sessions = await list(mine.access_token);
    assert.deepEqual(
      sessions.map(({ user_agent, country, current }) => [user_agent, country, current]),
      [
        ["a phone", "CH", false],
        ["node", "", true],
      ],
    );
    for (const { created, last_used } of sessions)
      assert.ok(Math.abs(created - Date.now() / 1000) < 10 && last_used >= created);
    const stranger = await tokens(gate, "user1");
    const end = (id, token) => gate.get(`/auth/sessions/${id}`, bearer(token, { method: "DELETE" }));
    assert.equal((await end(sessions[0].id, stranger.access_token)).status, 404);
    assert.equal((await end("x", mine.access_token)).status, 404);
    assert.equal((await end(sessions[0].id, mine.access_token)).status, 200);
    assert.equal(await pass(gate, other.access_token, "/strict"), 401);
    assert.equal((await list(mine.access_token)).length, 1);
    assert.equal((await gate.get("/auth/sessions")).status, 401);
    assert.equal((await gate.get("/auth/sessions", bearer(other.access_token))).status, 401, "of an ended session");
  });

  test("all sessions end at once, and a new one is good at once", async () => {
    const before = await Promise.all([tokens(gate), tokens(gate)]);
    assert.equal((await gate.get("/auth/logout/all", bearer(before[0].access_token, { method: "POST" }))).status, 200);
    const next = await tokens(gate);
    for (const { access_token, refresh_token } of before) {
      assert.equal(await pass(gate, access_token, "/strict"), 401);
      assert.equal((await refresh(gate, refresh_token)).status, 401);
      await until(async () => (await pass(gate, access_token)) === 401);
    }
    assert.deepEqual([await pass(gate, next.access_token), await pass(gate, next.access_token, "/strict")], [200, 200]);
  });

  test("an operator ends sessions, with the secret alone", async () => {
    const { access_token, refresh_token } = await tokens(gate);
    for (const secret of ["", "x", `${ADMIN}x`, ADMIN.slice(1)])
      assert.equal((await admin(gate, { do: "list", user: 1 }, secret)).status, 401);
    assert.equal((await admin(gate, { do: "nothing", user: 1 })).status, 400);
    const { sessions } = await (await admin(gate, { do: "list", user: 1 })).json();
    assert.ok(sessions.some(({ id }) => id === payload(access_token).sid));
    assert.equal((await admin(gate, { do: "end", user: 1, session: payload(access_token).sid })).status, 200);
    assert.equal((await refresh(gate, refresh_token)).status, 401);
    const one = await tokens(gate),
      two = await tokens(gate, "user2", "abcxyz");
    assert.equal((await admin(gate, { do: "revoke", user: 1, token_id: payload(one.access_token).jti })).status, 200);
    await until(async () => (await pass(gate, one.access_token)) === 401);
    assert.equal((await refresh(gate, one.refresh_token)).status, 200, "only that token");
    assert.equal((await admin(gate, { do: "end-everybody" })).status, 200);
    await until(async () => (await pass(gate, two.access_token)) === 401);
    assert.equal((await refresh(gate, two.refresh_token)).status, 401);
    assert.equal(await pass(gate, (await tokens(gate)).access_token), 200);
  });
});

test("of a hundred uses at once all get the same successor", async (t) => {
  const gate = await start({ vars: { ...EXTENDED, ROUTES } });
  t.after(() => gate.close());
  const { refresh_token } = await tokens(gate);
  const answers = await Promise.all(Array.from({ length: 100 }, () => refresh(gate, refresh_token)));
  const all = await Promise.all(answers.map((answer) => answer.json()));
  assert.deepEqual(
    answers.map((answer) => answer.status),
    Array(100).fill(200),
  );
  assert.equal(new Set(all.map((body) => JSON.stringify(body))).size, 1);
  assert.equal((await refresh(gate, all[0].refresh_token)).status, 200);
});

test("without the bindings all is as before, and the log says what is off", async (t) => {
  const gate = await start({ vars: { ...EXTENDED, ROUTES }, sessions: false });
  t.after(() => gate.close());
  const { access_token, refresh_token } = await tokens(gate);
  assert.equal(payload(access_token).sid, undefined);
  for (let use = 0; use < 3; use++)
    assert.deepEqual(Object.keys(await (await refresh(gate, refresh_token)).json()), ["access_token"]);
  assert.equal((await gate.get("/auth/sessions", bearer(access_token))).status, 404);
  assert.equal(await pass(gate, access_token), 200);
  assert.deepEqual(
    gate
      .lines()
      .filter((line) => line.event === "config_warning")
      .map((line) => line.option),
    ["ACCOUNTS and REVOCATIONS", "LOGINS_BY_ADDRESS", "HASHING"],
  );
});

test("without rotation a refresh token is good until its session ends", async (t) => {
  const gate = await start({
    vars: { ...EXTENDED, ROUTES, TOLLGATE_REFRESH_ROTATION: "false", TOLLGATE_REVOCATION_BOUND: "2" },
  });
  t.after(() => gate.close());
  const { refresh_token } = await tokens(gate);
  for (let use = 0; use < 3; use++) {
    const body = await (await refresh(gate, refresh_token)).json();
    assert.deepEqual(Object.keys(body), ["access_token"]);
    assert.equal(payload(body.access_token).sid, payload(refresh_token).sid);
  }
  await gate.get("/auth/logout", bearer(refresh_token, { method: "POST" }));
  await until(async () => (await refresh(gate, refresh_token)).status === 401);
});

test("what was forwarded before is forwarded no more when its session has ended", async (t) => {
  const app = await origin((request, response) => response.end(request.headers["x-auth-subject"]));
  t.after(() => app.close());
  const routes = [...ROUTES, { path: "/api/*", to: "origin" }];
  const gate = await start({ vars: { ...EXTENDED, ROUTES: routes, ORIGIN: app.url, TOLLGATE_REVOCATION_BOUND: "2" } });
  t.after(() => gate.close());
  const [ended, other] = [await tokens(gate), await tokens(gate)];
  const forwarded = async ({ access_token }) => (await gate.get("/api/orders", bearer(access_token))).status;
  for (let again = 0; again < 5; again++)
    assert.deepEqual([await forwarded(ended), await forwarded(other)], [200, 200]);
  assert.equal((await gate.get("/auth/logout", bearer(ended.access_token, { method: "POST" }))).status, 200);
  const since = Date.now();
  await until(async () => {
    assert.equal(await forwarded(other), 200);
    return (await forwarded(ended)) === 401;
  });
  assert.ok(Date.now() - since < 3000, "within the bound");
});

test("Flask-JWT's tokens have a session too", async (t) => {
  const gate = await start({ vars: { ROUTES, TOLLGATE_REVOCATION_BOUND: "2" } });
  t.after(() => gate.close());
  const { access_token } = await tokens(gate);
  const with_ = (init) => ({ ...init, headers: { authorization: `JWT ${access_token}` } });
  assert.equal((await gate.get("/protected", with_())).status, 200);
  const { sessions } = await (await gate.get("/auth/sessions", with_())).json();
  assert.equal(sessions.find(({ current }) => current).id, payload(access_token).sid);
  assert.equal((await gate.get("/auth/logout", with_({ method: "POST" }))).status, 200);
  const refused = await gate.get("/strict", with_());
  assert.deepEqual([refused.status, (await refused.json()).description], [401, "Token has been revoked"]);
  await until(async () => (await gate.get("/protected", with_())).status === 401);
});
