// What was acknowledged survives: a killed process, a register that can't be reached, a panic. In real workerd with
// real Durable Objects.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { payload, start, until } from "./harness.mjs";

const ROUTES = [
  { path: "/protected", to: "identity" },
  { path: "/open", to: "identity", revocation_unknown: "open" },
  { path: "/strict", to: "identity", revocation: "strict" },
];
const VARS = { TOLLGATE_WIRE: "flask-jwt-extended", ROUTES };

const bearer = (token, init = {}) => ({ ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
const refresh = (gate, token) => gate.get("/auth/refresh", bearer(token, { method: "POST" }));
const status = async (gate, path, token) => (await gate.get(path, bearer(token))).status;

test("a process that is killed in the middle of refreshes, log-outs and log-ins has forgotten nothing that it told", async (t) => {
  const persist = await mkdtemp(join(tmpdir(), "tollgate-"));
  t.after(() => rm(persist, { recursive: true, force: true }));
  // Long enough for a machine that is slow to start: a retry within the grace is what is tried here.
  const vars = { ...VARS, TOLLGATE_REFRESH_GRACE: "60", TOLLGATE_PASSWORD_ITERATIONS: "100000" };
  let gate = await start({ vars, persist });
  const sessions = await Promise.all(Array.from({ length: 6 }, async () => (await gate.logIn()).json()));
  const told = sessions.map((tokens) => [tokens]); // what each client was told, in order
  const ended = new Set();
  for (const rest of [40, 90, 150]) {
    const work = sessions.map(async (_, at) => {
      try {
        while (!ended.has(at)) {
          const answer = await refresh(gate, told[at].at(-1).refresh_token);
          const body = await answer.json();
          assert.equal(answer.status, 200, JSON.stringify(body));
          told[at].push(body);
          if (at === 0 && rest === 90 && told[at].length > 3) {
            const out = await gate.get("/auth/logout", bearer(body.access_token, { method: "POST" }));
            if (out.status === 200) ended.add(at);
          }
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error; // else the connection was cut
      }
    });
    await new Promise((resolve) => setTimeout(resolve, rest * 3));
    await gate.kill();
    await Promise.all(work);
    gate = await start({ vars, persist });
  }
  t.after(() => gate.close());
  for (const [at, tokens] of told.entries()) {
    const last = tokens.at(-1);
    if (ended.has(at)) {
      assert.equal((await refresh(gate, last.refresh_token)).status, 401, "logged out");
      assert.equal(await status(gate, "/strict", last.access_token), 401);
      await until(async () => (await status(gate, "/protected", last.access_token)) === 401);
      continue;
    }
    // The last use may have been made, but its answer lost: all who ask get the same.
    const answers = await Promise.all(
      Array.from({ length: 5 }, async () => (await refresh(gate, last.refresh_token)).json()),
    );
    assert.equal(new Set(answers.map((answer) => answer.refresh_token)).size, 1);
    assert.equal(payload(answers[0].refresh_token).sid, payload(last.refresh_token).sid);
    assert.equal(await status(gate, "/strict", answers[0].access_token), 200);
    // What was spent still has the successor that was told.
    if (tokens.length > 1)
      assert.equal((await (await refresh(gate, tokens.at(-2).refresh_token)).json()).refresh_token, last.refresh_token);
  }
  assert.ok(
    told.every((tokens) => tokens.length > 3),
    `${told.map((tokens) => tokens.length)}`,
  );
});

/** A gate whose register can be switched off, from outside. */
const BREAKABLE = {
  sessions: true,
  entry: `
    import worker, { Account, Revocations as Real } from "./entry.js";
    export { Account };
    let broken = false;
    export class Revocations extends Real {
      async ask(order) { if (broken) throw new Error("broken"); return super.ask(order); }
    }
    export default { fetch(request, env, ctx) {
      const { pathname } = new URL(request.url);
      if (pathname === "/break") { broken = true; return new Response(); }
      if (pathname === "/mend") { broken = false; return new Response(); }
      return worker.fetch(request, env, ctx);
    } };
  `,
};

test("an end that the register does not know of is not acknowledged, and is told when it can be", async (t) => {
  const gate = await start({ ...BREAKABLE, vars: { ...VARS, TOLLGATE_REVOCATION_BOUND: "6" } });
  t.after(() => gate.close());
  const { access_token, refresh_token } = await (await gate.logIn()).json();
  assert.equal(await status(gate, "/protected", access_token), 200);
  await gate.get("/break");
  const out = await gate.get("/auth/logout", bearer(access_token, { method: "POST" }));
  assert.deepEqual([out.status, out.headers.get("retry-after")], [503, "5"]);
  assert.equal(await status(gate, "/strict", access_token), 401, "the account knows");
  await gate.get("/mend");
  // The object tells it by itself; nobody has to ask again.
  await until(async () => (await status(gate, "/protected", access_token)) === 401);
  assert.equal((await refresh(gate, refresh_token)).status, 401);
  assert.equal((await gate.get("/auth/logout", bearer(access_token, { method: "POST" }))).status, 200);
  assert.ok(gate.lines().some((line) => line.event === "unreachable" && line.level === "error"));
});

test("beyond the bound nothing is believed: a route is closed, or open if it says so", async (t) => {
  const gate = await start({ ...BREAKABLE, vars: { ...VARS, TOLLGATE_REVOCATION_BOUND: "2" } });
  t.after(() => gate.close());
  const good = await (await gate.logIn()).json(),
    bad = await (await gate.logIn()).json();
  await gate.get("/auth/logout", bearer(bad.access_token, { method: "POST" }));
  await until(async () => (await status(gate, "/protected", bad.access_token)) === 401);
  await gate.get("/break");
  const since = Date.now();
  // What is known is good for the bound; requests keep on coming all the while.
  while ((await status(gate, "/protected", good.access_token)) === 200) {
    assert.ok(Date.now() - since < 3500, "still passing");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(Date.now() - since > 900, "the snapshot was no older than half its bound");
  for (const [path, token, expected] of [
    ["/protected", good.access_token, 503],
    ["/open", good.access_token, 200],
    ["/open", bad.access_token, 401],
    ["/strict", good.access_token, 503],
  ])
    assert.equal(await status(gate, path, token), expected, path);
  await gate.get("/mend");
  assert.equal(await status(gate, "/protected", good.access_token), 200, "at once");
});

test("a data centre's cache that keeps old answers for ever does not move the bound", async (t) => {
  const entry = `
    const kept = new Map();
    Object.defineProperty(caches, "default", { value: {
      // Whatever is asked for: the first answer that there was.
      match: async () => kept.get("first")?.clone(),
      put: async (url, answer) => { if (!kept.has("first")) kept.set("first", answer); },
    } });
    const { default: worker, Account, Revocations } = await import("./entry.js");
    export { worker as default, Account, Revocations };
  `;
  const gate = await start({ sessions: true, entry, vars: { ...VARS, TOLLGATE_REVOCATION_BOUND: "2" } });
  t.after(() => gate.close());
  for (let round = 0; round < 3; round++) {
    const { access_token } = await (await gate.logIn()).json();
    assert.equal(await status(gate, "/protected", access_token), 200);
    assert.equal((await gate.get("/auth/logout", bearer(access_token, { method: "POST" }))).status, 200);
    const since = Date.now();
    while ((await status(gate, "/protected", access_token)) === 200) {
      assert.ok(Date.now() - since < 2500, "still passing");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(await status(gate, "/protected", access_token), 401);
  }
});

test("an object that is reset, as by a deployment, is asked once more, and nothing is done twice", async (t) => {
  const entry = `
    import worker, { Account as Real, Revocations } from "./entry.js";
    export { Revocations };
    let resets = false, asked = 0;
    export class Account extends Real {
      rows() { return this.ctx.storage.sql.exec("SELECT key FROM rows").raw().toArray().flat(); }
      async ask(order) {
        const { id, command } = JSON.parse(order);
        if (!id) throw new Error("a command without an id");
        asked++;
        const reply = await super.ask(order);
        if (resets && !(await this.ctx.storage.get("was reset " + id))) {
          // What was done is on disk, and the reply is lost.
          await this.ctx.storage.put("was reset " + id, true);
          await this.ctx.storage.sync();
          this.ctx.abort("Durable Object reset because its code was updated");
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
        return reply;
      }
    }
    export default { async fetch(request, env, ctx) {
      const { pathname } = new URL(request.url);
      if (pathname === "/rows") return Response.json(await env.ACCOUNTS.getByName('user:"1"').rows());
      if (pathname === "/resets") { resets = !resets; return Response.json(asked); }
      return worker.fetch(request, env, ctx);
    } };
  `;
  const gate = await start({
    sessions: true,
    entry,
    vars: { ...VARS, TOLLGATE_PASSWORD_ITERATIONS: "100000", TOLLGATE_REFRESH_GRACE: "0" },
  });
  t.after(() => gate.close());
  const first = await (await gate.logIn()).json();
  const before = await (await gate.get("/resets")).json();
  const answer = await gate.logIn();
  assert.equal(answer.status, 200);
  const tokens = await answer.json();
  const refreshed = await refresh(gate, tokens.refresh_token);
  assert.equal(refreshed.status, 200, "without a grace a second rotation would end the session");
  const next = await refreshed.json();
  const sessions = async () =>
    (await (await gate.get("/auth/sessions", bearer(next.access_token))).json()).sessions.map(({ id }) => id);
  assert.deepEqual((await sessions()).sort(), [payload(first.access_token).sid, payload(next.access_token).sid].sort());
  assert.equal(
    (
      await gate.get(
        `/auth/sessions/${payload(first.access_token).sid}`,
        bearer(next.access_token, { method: "DELETE" }),
      )
    ).status,
    200,
  );
  for (let guess = 0; guess < 5; guess++) assert.equal((await gate.logIn("user2", "wrong")).status, 401);
  assert.equal((await gate.logIn("user2", "wrong")).status, 429, "five wrong tries, each counted once");
  // A worker of the version before reads this table whole, and refuses a row that it does not know.
  const rows = await (await gate.get("/rows")).json();
  assert.ok(
    rows.length >= 2 && rows.every((key) => /^(account|guesses|record|lifetimes|session\/.*)$/.test(key)),
    `${rows}`,
  );
  const asked = (await (await gate.get("/resets")).json()) - before;
  assert.ok(asked > 20, `${asked}`);
});

test("an object that is overloaded, or fails by itself, is not asked again", async (t) => {
  const entry = `
    import worker, { Account, Revocations } from "./entry.js";
    export { Account, Revocations };
    let asked = 0;
    export default { async fetch(request, env, ctx) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/asked") { const was = asked; asked = 0; return Response.json(was); }
      const how = JSON.parse(request.headers.get("x-how"));
      const ACCOUNTS = { getByName: () => ({ async ask() { asked++; throw Object.assign(new Error("no"), how); } }) };
      return worker.fetch(request, { ...env, ACCOUNTS }, ctx);
    } };
  `;
  const gate = await start({ sessions: true, entry, vars: VARS });
  t.after(() => gate.close());
  const body = JSON.stringify({ username: "user1", password: "abcxyz" });
  for (const [how, attempts] of [
    [{}, 1],
    [{ remote: true }, 1],
    [{ retryable: true }, 2],
    [{ durableObjectReset: true }, 2],
    [{ retryable: true, overloaded: true }, 1],
    [{ durableObjectReset: true, overloaded: true }, 1],
  ]) {
    const headers = { "content-type": "application/json", "x-how": JSON.stringify(how) };
    assert.equal((await gate.get("/auth", { method: "POST", headers, body })).status, 503);
    assert.equal(await (await gate.get("/asked")).json(), attempts, JSON.stringify(how));
  }
});

test("a change that can't be passed on is tried again, each time later", async (t) => {
  const entry = `
    import worker, { Account, Revocations as Real } from "./entry.js";
    export { Account };
    let broken = false, at = [];
    export class Revocations extends Real {
      async ask(order) {
        if (JSON.parse(order).revoke) at.push(Date.now());
        if (broken) throw new Error("broken");
        return super.ask(order);
      }
    }
    export default { fetch(request, env, ctx) {
      const { pathname } = new URL(request.url);
      if (pathname === "/break") { broken = true; return new Response(); }
      if (pathname === "/mend") { broken = false; return new Response(); }
      if (pathname === "/at") return Response.json(at);
      return worker.fetch(request, env, ctx);
    } };
  `;
  const gate = await start({ sessions: true, entry, vars: VARS });
  t.after(() => gate.close());
  const { access_token } = await (await gate.logIn()).json();
  await gate.get("/break");
  assert.equal((await gate.get("/auth/logout", bearer(access_token, { method: "POST" }))).status, 503);
  const times = async () => (await gate.get("/at")).json();
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  const tried = await times();
  const waits = tried.slice(1).map((time, at) => time - tried[at]);
  // At once, then after 1, 2 and 4 seconds, and what an alarm is late by.
  assert.ok(tried.length >= 3 && tried.length <= 5, JSON.stringify(waits));
  assert.ok(
    waits.every((wait, at) => wait > 800 * 2 ** at),
    JSON.stringify(waits),
  );
  await gate.get("/mend");
  await until(async () => (await status(gate, "/strict", access_token)) === 401);
});
