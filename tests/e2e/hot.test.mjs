// The hot path: tokens that are remembered, and answers that the entry keeps. Nobody gets another's, whatever happens.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SignJWT } from "jose";
import { FAULTY, SECRET, bearing, origin, start, until } from "./harness.mjs";

const ROUTES = [
  { path: "/me", to: "identity" },
  { path: "/perhaps", to: "identity", auth: "optional" },
];
const seconds = () => Math.floor(Date.now() / 1000);
const tokenOf = (identity, more) =>
  new SignJWT({ exp: seconds() + 300, iat: seconds(), nbf: seconds(), identity, ...more })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(SECRET));

/** Asks who it is with each of these tokens, many times and all mixed, and expects each to be told its own. */
async function eachIsToldItsOwn(gate, tokens, rounds = 6) {
  const visits = Array.from({ length: rounds }, () => [...tokens])
    .flat()
    .sort(() => Math.random() - 0.5);
  for (let at = 0; at < visits.length; at += 40) {
    await Promise.all(
      visits.slice(at, at + 40).map(async ([identity, token]) => {
        const answer = await gate.get("/me", bearing(token));
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("content-type"), "application/json");
        assert.equal(answer.headers.get("cache-control"), "no-store");
        assert.equal(await answer.text(), `${JSON.stringify({ identity })}\n`);
      }),
    );
  }
}

const people = (many, more) =>
  Promise.all(
    Array.from({ length: many }, async (_, at) => {
      const identity = at % 2 ? at : `user ${at}`;
      return [identity, await tokenOf(identity, more)];
    }),
  );

for (const [name, vars] of /** @type {[string, Record<string, unknown>][]} */ ([
  ["with room for all", {}],
  ["with room for few, who drive each other out", { TOLLGATE_TOKEN_CACHE: 8 }],
  ["with nothing remembered", { TOLLGATE_TOKEN_CACHE: 0 }],
  ["with each request logged", { TOLLGATE_LOG: "debug" }],
])) {
  test(`${name}, everybody is told who he is himself`, async () => {
    const gate = await start({ vars: { ROUTES, ...vars } });
    await eachIsToldItsOwn(gate, await people(60));
    if (vars.TOLLGATE_LOG) assert.equal(gate.lines().filter(({ event }) => event === "passed").length, 360);
    await gate.close();
  });
}

test("what is asked in another way is answered as if nothing were remembered", async () => {
  const gate = await start({ vars: { ROUTES } });
  const token = await tokenOf(7);
  for (let round = 0; round < 3; round++) {
    assert.equal(await (await gate.get("/me", bearing(token))).text(), '{"identity":7}\n');
    const head = await gate.get("/me", bearing(token, { method: "HEAD" }));
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    assert.equal((await gate.get("/me", bearing(token, { method: "POST" }))).status, 405);
    assert.equal(await (await gate.get("/perhaps", bearing(token))).text(), '{"identity":7}\n');
    assert.equal(await (await gate.get("/perhaps")).text(), '{"identity":null}\n');
    assert.equal((await gate.get("/me")).status, 401);
    assert.equal(
      (await gate.get("/me", bearing(`${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`))).status,
      401,
    );
    assert.equal((await gate.get("/me", bearing(`x${token}`))).status, 401);
    // Longer than the place where requests are written for Rust.
    assert.equal(await (await gate.get(`/me?${"x".repeat(40_000)}`, bearing(token))).text(), '{"identity":7}\n');
    assert.equal((await gate.get("/me?%E2%82%AC=\u20ac", bearing(token))).status, 200);
  }
  await gate.close();
});

test("a token that passes from one place passes from no other, however often it was seen", async () => {
  const allowed = { addresses: ["192.0.2.0/24"], countries: ["DE"] };
  const routes = [
    { path: "/me", to: "identity", ...allowed },
    { path: "/api/*", to: "origin", ...allowed },
    { path: "/anywhere", to: "identity" },
  ];
  const app = await origin((_request, response) => response.end("reached"));
  const gate = await start({ vars: { ROUTES: routes, ORIGIN: app.url } });
  const token = await tokenOf(7);
  const here = { "cf-connecting-ip": "192.0.2.7", "cf-ipcountry": "DE" };
  const places = [
    [here, 200],
    [here, 200],
    [{ ...here, "cf-connecting-ip": "203.0.113.7" }, 403],
    [{ ...here, "cf-ipcountry": "US" }, 403],
    [{}, 403],
    [here, 200],
  ];
  for (let round = 0; round < 3; round++) {
    assert.equal((await gate.get("/anywhere", bearing(token))).status, 200);
    for (const path of ["/me", "/api/x"]) {
      for (const [headers, status] of places) {
        const answer = await gate.get(path, bearing(token, { headers }));
        assert.equal(answer.status, status, `${path} ${JSON.stringify(headers)}`);
        await answer.text();
      }
    }
  }
  await gate.close();
  app.close();
});

test("a refusal that the entry knows is told and logged as if it were made anew, each with an id of its own", async () => {
  const routes = [...ROUTES, { path: "/other", to: "identity", realm: 'Another "realm"' }];
  const gate = await start({ vars: { ROUTES: routes } });
  const token = await tokenOf(1);
  const forged = `${token.slice(0, -4)}${token.endsWith("AAAA") ? "BBBB" : "AAAA"}`;
  const asked = [
    ["/me", {}, 401, "Authorization Required", "token_missing", "/me"],
    ["/other", {}, 401, "Authorization Required", "token_missing", "/other"],
    ["/me", bearing(forged), 401, "Invalid token", "token_signature", "/me"],
    ["/other", bearing(forged), 401, "Invalid token", "token_signature", "/other"],
    ["/me", bearing("x"), 401, "Invalid token", "token_segments", "/me"],
    ["/nowhere", {}, 404, "Not Found", "not_found", undefined],
    ["/me", { method: "POST" }, 405, "Method Not Allowed", "method_not_allowed", undefined],
  ];
  const ids = new Map();
  for (let round = 0; round < 4; round++) {
    for (const [path, init, status, error, reason, rule] of asked) {
      const answer = await gate.get(path, init);
      const body = await answer.json();
      assert.deepEqual([answer.status, body.status_code, body.error], [status, status, error]);
      assert.equal(answer.headers.get("cache-control"), "no-store");
      const challenge = { "/me": 'JWT realm="Login Required"', "/other": 'JWT realm="Another \\"realm\\""' }[path];
      assert.equal(answer.headers.get("www-authenticate"), reason === "token_missing" ? challenge : null);
      assert.equal(answer.headers.get("allow") !== null, status === 405);
      ids.set(answer.headers.get("x-request-id"), { status, reason, rule });
    }
  }
  assert.equal(ids.size, 4 * asked.length);
  await until(() => gate.lines().filter(({ event }) => event === "refused").length === ids.size);
  for (const { request_id, status, reason, rule, duration_ms, level } of gate
    .lines()
    .filter(({ event }) => event === "refused")) {
    assert.deepEqual({ status, reason, rule }, ids.get(request_id));
    assert.deepEqual([typeof duration_ms, level], ["number", "info"]);
    ids.delete(request_id);
  }
  assert.equal(ids.size, 0);
  await gate.close();
});

test("of a flood of refusals so many are logged, each under its answer's id, and all others counted", async () => {
  const gate = await start({ vars: { ROUTES, TOLLGATE_LOG_REFUSALS: 5 } });
  const forged = `${(await tokenOf(1)).slice(0, -8)}AAAAAAAA`;
  const ids = new Set();
  for (let round = 0; round < 4; round++) {
    // By HEAD it is refused on the slow way, and counted with the others.
    await Promise.all(
      Array.from({ length: 60 }, async (_, at) => {
        const answer = await gate.get("/me", bearing(forged, { method: at % 3 ? "GET" : "HEAD" }));
        assert.equal(answer.status, 401);
        const id = answer.headers.get("x-request-id");
        if (at % 3 === 0) assert.ok(id);
        if (id) ids.add(id);
        if (at % 3) assert.equal((await answer.json()).description, "Signature verification failed");
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  // Among many a rare one is told by itself.
  assert.equal((await gate.get("/nowhere")).status, 404);
  const of = (reason) => gate.lines().filter((line) => line.reason === reason);
  // Nobody comes any more: the last count is told all the same.
  const total = () => of("token_signature").reduce((sum, line) => sum + (line.count ?? 1), 0);
  await until(() => total() >= 240);
  assert.equal(total(), 240);
  const lines = of("token_signature").filter((line) => line.event === "refused");
  const counts = of("token_signature").filter((line) => line.event === "refused_more");
  assert.ok(lines.length >= 5 && lines.length <= 5 * 4, String(lines.length));
  for (const { request_id } of lines) assert.ok(ids.delete(request_id), "one line for an answer");
  for (const { count, ...line } of counts) {
    assert.ok(count > 0);
    assert.deepEqual(line, { level: "info", event: "refused_more", reason: "token_signature", status: 401 });
  }
  assert.equal(of("not_found").length, 1);
  await gate.close();
});

test("by default sixty refusals at once are no flood: each has an id, and a line in the log", async () => {
  const gate = await start({ vars: { ROUTES } });
  await gate.get("/me"); // the gate is there now
  const each = await Promise.all(Array.from({ length: 60 }, () => gate.get("/me")));
  for (const answer of each) assert.ok(answer.headers.get("x-request-id"));
  await until(() => gate.lines().filter(({ event }) => event === "refused").length === 61);
  await gate.close();
});

test("a token that was good is refused once it has expired", async () => {
  const gate = await start({ vars: { ROUTES, JWT_LEEWAY: 0 } });
  const token = await tokenOf(1, { exp: seconds() + 2 });
  assert.equal((await gate.get("/me", bearing(token))).status, 200);
  assert.equal((await gate.get("/me", bearing(token))).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 3200));
  const late = await gate.get("/me", bearing(token));
  assert.deepEqual([late.status, (await late.json()).description], [401, "Signature has expired"]);
  await gate.close();
});

test("when long tokens make the memory grow, everybody is still told who he is himself", async () => {
  const gate = await start({ vars: { ROUTES } });
  await eachIsToldItsOwn(gate, await people(400, { filler: "x".repeat(5000) }), 2);
  await gate.close();
});

test("a panic between two hits leaves what is remembered and what is kept right", async () => {
  // A rule that leads to the slow way, where the faults are.
  const gate = await start({
    build: FAULTY,
    vars: { ROUTES: [...ROUTES, { path: "/__test/*", to: "assets", auth: "none" }] },
  });
  const before = await people(30);
  await eachIsToldItsOwn(gate, before, 2);
  for (const fault of ["panic", "panic-later", "out-of-memory", "stack-overflow"]) {
    assert.equal((await gate.get(`/__test/${fault}`)).status, 500);
    // Others come first now, so that the numbers of the answers mean other people than they did.
    await eachIsToldItsOwn(gate, await people(50), 2);
    await eachIsToldItsOwn(gate, before, 2);
    const both = await Promise.all([gate.get(`/__test/${fault}`), eachIsToldItsOwn(gate, before, 1)]);
    assert.equal(both[0].status, 500);
  }
  await gate.close();
});
