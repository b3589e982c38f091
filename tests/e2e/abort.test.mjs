// Whatever a request holds is given back when its client goes away, at every stage, and when a decision takes too long.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { FAULTY, mint, origin, start, until } from "./harness.mjs";

/**
 * A worker whose store, objects and clock can be held back from outside, before the one that can be broken on purpose.
 */
const ENTRY = `
  import worker, { Account as Real, Revocations } from "./entry.mjs";
  export { Revocations };
  let holds = "", offset = 0;
  const now = Date.now, timer = globalThis.setTimeout;
  Date.now = () => now() + offset;
  const forever = () => new Promise((resolve) => timer(resolve, 100_000));
  export class Account extends Real {
    async ask(order) { if (holds === "object") await forever(); return super.ask(order); }
  }
  export default { async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/hold") { holds = searchParams.get("what"); return new Response(); }
    if (pathname === "/clock") { offset += Number(searchParams.get("by")); return new Response(); }
    if (pathname === "/hurry") {
      globalThis.setTimeout = (act, milliseconds, ...rest) => timer(act, milliseconds / 50, ...rest);
      return new Response();
    }
    const store = { get: async (...key) => { if (holds === "kv") await forever(); return env.USERS.get(...key); } };
    return worker.fetch(request, { ...env, USERS: store }, ctx);
  } };
`;

const ROUTES = [
  { path: "/stored", to: "identity", user: "stored" },
  { path: "/json", to: "origin", methods: ["POST"], locations: "json" },
  { path: "/api/*", to: "origin", methods: ["*"] },
  { path: "/__test/*", to: "assets", auth: "none" },
];
const VARS = {
  TOLLGATE_WIRE: "flask-jwt-extended",
  TOLLGATE_PASSWORD_ITERATIONS: "100000",
  TOLLGATE_LOG: "error",
  TOLLGATE_STORE_TIMEOUT: "600",
  ROUTES,
};

const started = (vars, options) =>
  start({ build: FAULTY, entry: ENTRY, sessions: true, vars: { ...VARS, ...vars }, options });
const held = async (gate) => (await gate.get("/__test/held")).json();
const hold = (gate, what) => gate.get(`/hold?what=${what}`);

/** Begins a request and resets its connection once it is where it waits. */
const abort = (gate, request) =>
  new Promise((resolve, reject) => {
    const socket = connect(gate.port, "127.0.0.1", () => {
      socket.write(request);
      setTimeout(() => {
        socket.resetAndDestroy();
        resolve(undefined);
      }, 150);
    });
    socket.on("error", reject);
  });

const post = (path, head, body = "", length = body.length) =>
  `POST ${path} HTTP/1.1\r\nHost: gate\r\n${head}Content-Length: ${length}\r\n\r\n${body}`;

async function round(gate, number, request) {
  for (let done = 0; done < number; done += 100)
    await Promise.all(Array.from({ length: 100 }, () => abort(gate, request)));
  // All that is left of them.
  await until(async () => (await held(gate)).tasks === 0);
  return held(gate);
}

describe("after a second round of aborts nothing more is held than after the first", () => {
  let app, gate, token;
  before(async () => {
    app = await origin(() => {}); // never answers
    gate = await started({ ORIGIN: app.url });
    token = await mint({ sub: "1", type: "access", jti: "t", fresh: true });
  });
  after(async () => {
    await gate.close();
    app.close();
  });

  const json = "Content-Type: application/json\r\n";
  const logIn = JSON.stringify({ username: "user1", password: "x" });
  /** @type {[stage: string, number: number, what: string, request: () => string][]} */
  const stages = [
    ["a log-in's body", 2000, "", () => post("/auth", json, '{"username":"', 8000)],
    ["a body with a token", 300, "", () => post("/json", json, `{"a":"${"x".repeat(30_000)}`, 60_000)],
    ["a body without end", 300, "", () => post("/json", json, "x".repeat(70_000), 60_000_000)],
    [
      "the store, for an identity",
      300,
      "kv",
      () => `GET /stored HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    ],
    ["an object, for a log-in", 300, "object", () => post("/auth", json, logIn)],
    ["an object, for a refresh", 300, "object", () => post("/auth/logout/all", `Authorization: Bearer ${token}\r\n`)],
    ["the origin", 300, "", () => `GET /api/slow HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${token}\r\n\r\n`],
    ["the origin, with a body", 300, "", () => post("/api/slow", `Authorization: Bearer ${token}\r\n`, "abc", 1000)],
    [
      "the origin, after a body with a token",
      300,
      "",
      () => post("/json", json, JSON.stringify({ access_token: token })),
    ],
  ];
  for (const [stage, number, what, request] of stages) {
    test(stage, { timeout: 120_000 }, async () => {
      await hold(gate, what);
      await round(gate, 100, request()); // what is made once
      let [first, second] = [await round(gate, number, request()), await round(gate, number, request())];
      // Wasm's memory never shrinks, and a table of the runtime's may grow: on a busy machine more requests were there
      // at once in the second round, perhaps. A leak is in the third round, too.
      if (second.memory > first.memory || second.allocations > first.allocations + 2)
        [first, second] = [second, await round(gate, number, request())];
      await hold(gate, "");
      assert.equal(second.memory, first.memory, "Wasm memory");
      // A table of the runtime's may be a little larger, once.
      assert.ok(
        second.allocations <= first.allocations + 2,
        `${first.allocations}, then ${second.allocations} allocations`,
      );
      assert.ok(second.bytes <= first.bytes + 512, `${first.bytes}, then ${second.bytes} bytes`);
      assert.equal(
        (
          await gate.get("/auth", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: '{"username":"user1","password":"abcxyz"}',
          })
        ).status,
        200,
      );
    });
  }
});

test("a cancelled request that the runtime does not report is swept when no decision can be that old", async (t) => {
  const gate = await started({}, { compatibilityFlags: [] });
  t.after(() => gate.close());
  const request = post("/auth", "Content-Type: application/json\r\n", '{"username":"', 8000);
  await Promise.all(Array.from({ length: 100 }, () => abort(gate, request)));
  assert.equal((await held(gate)).tasks, 100, "without the compatibility flag");
  await gate.get("/clock?by=69000");
  await gate.get("/stored"); // refused without a wait
  assert.equal((await held(gate)).tasks, 100, "nothing alive is swept");
  await gate.get("/clock?by=2000");
  await until(async () => (await held(gate)).tasks === 0);
  assert.equal((await gate.logIn()).status, 200);
});

test("a decision that takes a minute is refused, and its place given back", async (t) => {
  const gate = await started({});
  t.after(() => gate.close());
  await gate.get("/hurry");
  await hold(gate, "kv");
  const token = await mint({ sub: "1", type: "access", jti: "t" });
  const answer = await gate.get("/stored", { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "5"]);
  assert.match((await answer.json()).msg, /decide in time/);
  await until(async () => (await held(gate)).tasks === 0);
  assert.ok(gate.lines().some((line) => line.reason === "decision_timeout" && line.level === "error"));
});

test("a limited number of bodies is read at once, and log-ins and tokens don't keep each other out", async (t) => {
  const gate = await started({ ORIGIN: "http://127.0.0.1:9", TOLLGATE_TOKEN_BODY_LIMIT: "1048576" });
  t.after(() => gate.close());
  const json = "Content-Type: application/json\r\n";
  const sockets = await Promise.all(
    Array.from(
      { length: 16 },
      () =>
        new Promise((resolve) => {
          const socket = connect(gate.port, "127.0.0.1", () => {
            socket.write(post("/json", json, '{"a":"', 1000));
            setTimeout(resolve, 300, socket);
          });
        }),
    ),
  );
  const send = (body) => gate.get("/json", { method: "POST", headers: { "content-type": "application/json" }, body });
  const refused = await send("{}");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assert.equal((await gate.logIn()).status, 200);
  for (const socket of sockets) socket.resetAndDestroy();
  await until(async () => (await held(gate)).tasks === 0);
  assert.equal((await send("{}")).status, 401);
});

test("a body is read only where it may hold a token", async (t) => {
  const app = await origin(async (request, answer) => answer.end(String((await request.toArray()).join("").length)));
  const gate = await start({
    users: false,
    vars: {
      TOLLGATE_WIRE: "flask-jwt-extended",
      ORIGIN: app.url,
      JWT_TOKEN_LOCATION: ["headers", "json"],
      ROUTES: [{ path: "/up", to: "origin", methods: ["POST"] }],
    },
  });
  t.after(async () => {
    await gate.close();
    app.close();
  });
  const token = await mint({ sub: "1", type: "access", jti: "t" });
  const big = "x".repeat(200_000);
  const send = async (headers, body) => {
    const answer = await gate.get("/up", { method: "POST", headers, body });
    return [answer.status, await answer.text()];
  };
  const bearer = { authorization: `Bearer ${token}` };
  assert.deepEqual(
    await send({ ...bearer, "content-type": "application/json" }, big),
    [200, "200000"],
    "a token elsewhere",
  );
  assert.equal((await send({ "content-type": "text/plain" }, big))[0], 401, "another type");
  const [status, text] = await send({ "content-type": "application/json" }, big);
  assert.deepEqual([status, text], [413, '{"msg":"The body is longer than 65536 bytes"}\n']);
  const small = JSON.stringify({ access_token: token });
  assert.deepEqual(await send({ "content-type": "application/json" }, small), [200, String(small.length)]);
  // Of a length that is not declared, no more than the limit.
  const stream = async function* () {
    for (let part = 0; part < 25; part++) yield Buffer.alloc(4096, "x");
  };
  const init = { method: "POST", headers: { "content-type": "application/json" }, duplex: "half", body: stream() };
  // Node takes an iterator as a body; the types of a browser's fetch don't.
  const chunked = await fetch(`${gate.url.origin}/up`, /** @type {RequestInit} */ (/** @type {unknown} */ (init)));
  assert.equal(chunked.status, 413);
});
