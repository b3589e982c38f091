// A panic costs one request, never the isolate: worker/entry.mjs, tried with a worker that can be broken on purpose.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FAULTY, bearing, mint, origin, raw, start, until } from "./harness.mjs";

let app,
  gate,
  token,
  forwarded = 0;
before(async () => {
  app = await origin((request, response) => {
    forwarded++;
    setTimeout(() => request.pipe(response), 400);
  });
  gate = await start({ build: FAULTY, vars: { ORIGIN: app.url } });
  token = await gate.token();
});
after(async () => {
  await gate.close();
  app.close();
});

const broken = { description: "The request could not be answered", error: "Internal Server Error", status_code: 500 };
const isBroken = async (answer) => {
  assert.equal(answer.status, 500);
  assert.deepEqual(await answer.json(), broken);
};
const works = async () => {
  assert.deepEqual(await (await gate.get("/protected", bearing(token))).json(), { identity: 1, username: "user1" });
  assert.equal((await gate.get("/protected")).status, 401);
};

for (const fault of ["panic", "panic-later", "out-of-memory", "stack-overflow"]) {
  test(`${fault}: a 500 for this request, and the next is answered`, async () => {
    for (let round = 0; round < 3; round++) {
      await isBroken(await gate.get(`/__test/${fault}`));
      await works();
    }
  });

  test(`${fault}: those that wait are run again, and forwarded ones go on`, async () => {
    const logIns = [gate.logIn(), gate.logIn("user2"), gate.logIn("user1", "wrong")];
    forwarded = 0;
    const posted = gate.get("/api/slow", bearing(token, { method: "POST", body: "once only" }));
    const waiting = gate.get("/__test/wait");
    const hit = gate.get(`/__test/${fault}`);
    await isBroken(await hit);
    assert.equal(await (await waiting).text(), "waited");
    assert.equal(await (await posted).text(), "once only");
    assert.equal(forwarded, 1);
    assert.deepEqual(
      (await Promise.all(logIns)).map((answer) => answer.status),
      [200, 200, 401],
    );
    await works();
  });
}

test("a body in which a token is looked for is whole, though a panic came in the middle of it", async () => {
  let got = [];
  const behind = await origin(async (request, response) => {
    got.push(Buffer.concat(await request.toArray()));
    response.end();
  });
  const ROUTES = [
    { path: "/json", to: "origin", methods: ["POST"], locations: "json" },
    { path: "/__test/*", to: "assets", auth: "none" },
  ];
  const vars = {
    TOLLGATE_WIRE: "flask-jwt-extended",
    ORIGIN: behind.url,
    ROUTES,
    TOLLGATE_TOKEN_BODY_LIMIT: "1048576",
  };
  const other = await start({ build: FAULTY, users: false, vars });
  try {
    const body = Buffer.from(JSON.stringify({ filler: "x".repeat(200_000), access_token: await mint({ sub: "1" }) }));
    for (const fault of ["panic", "panic-later", "out-of-memory", "stack-overflow"]) {
      got = [];
      const send = async (out) => {
        out.write(body.subarray(0, 100_000));
        await new Promise((resolve) => setTimeout(resolve, 100));
        assert.equal((await other.get(`/__test/${fault}`)).status, 500);
        out.end(body.subarray(100_000));
      };
      const headers = ["Content-Type", "application/json", "Content-Length", String(body.length)];
      assert.equal((await raw(other, "/json", { method: "POST", headers, send })).status, 200, fault);
      assert.deepEqual(
        got.map((one) => one.equals(body)),
        [true],
        fault,
      );
    }
  } finally {
    await other.close();
    behind.close();
  }
});

test("a request that breaks the instance again while it is run again is given up", async () => {
  const both = await Promise.all([
    gate.get("/__test/panic-later"),
    gate.get("/__test/panic-later"),
    gate.get("/__test/panic-later"),
  ]);
  for (const answer of both) await isBroken(answer);
  await works();
});

test("a hundred panics leave the gate as it was", async () => {
  for (let round = 0; round < 100; round++) assert.equal((await gate.get("/__test/panic")).status, 500);
  await works();
});

test("the log says that it was a panic, and where", async () => {
  assert.match(await until(() => gate.output().match(/panicked at worker.src.faults\.rs/)?.[0]), /panicked/);
  assert.ok(!gate.output().includes(token));
});

test("a command that was on its way when the instance was lost is done once", async (t) => {
  const ROUTES = [{ path: "/__test/*", to: "assets", auth: "none" }];
  const vars = { TOLLGATE_WIRE: "flask-jwt-extended", TOLLGATE_PASSWORD_ITERATIONS: "100000", ROUTES };
  // An object that takes its time before it replies, so that a panic comes between what it has done and its reply.
  const entry = `
    import worker, { Account as Real, Revocations } from "./entry.mjs";
    export { Revocations, worker as default };
    export class Account extends Real {
      async ask(order) {
        const reply = await super.ask(order);
        const { command } = JSON.parse(order);
        if (typeof command === "object" && ["open", "try", "rotate", "set-password", "end-all"].some((word) => word in command)) await new Promise((resolve) => setTimeout(resolve, 300));
        return reply;
      }
    }
  `;
  const other = await start({ build: FAULTY, entry, sessions: true, vars });
  t.after(() => other.close());
  const bearer = (token, init = {}) => ({ ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
  const sessions = async (token) => (await (await other.get("/auth/sessions", bearer(token))).json()).sessions.length;
  const panics = async (count) => {
    for (let n = 0; n < count; n++) {
      await new Promise((resolve) => setTimeout(resolve, 170));
      assert.equal((await other.get("/__test/panic")).status, 500);
    }
  };
  // A log-in that is interrupted while its object has opened the session, or has counted its try, opens one session.
  for (const delay of [100, 450, 600, 750, 900]) {
    const before = (await (await other.logIn("user2")).json()).access_token;
    const known = await sessions(before);
    const logIn = other.logIn("user2");
    await new Promise((resolve) => setTimeout(resolve, delay));
    await panics(1);
    const answer = await logIn;
    assert.equal(answer.status, 200, `${delay} ms`);
    assert.equal(await sessions((await answer.json()).access_token), known + 1, `${delay} ms`);
  }
  // Wrong tries of which the instance is lost are counted once: five are free, whatever happens on the way.
  const statuses = [];
  for (let guess = 0; guess < 5; guess++) {
    const wrong = other.logIn("user1", "wrong");
    await panics(1);
    statuses.push((await wrong).status);
  }
  assert.deepEqual(statuses, Array(5).fill(401));
  // The next must wait. On a slow machine the first waits are over before they are asked about; they double each time.
  const later = [];
  for (let guess = 0; guess < 4 && !later.includes(429); guess++)
    later.push((await other.logIn("user1", "wrong")).status);
  assert.equal(later.at(-1), 429, String(later));
  // A refresh and a change of the password are answered as if nothing had happened.
  const { access_token, refresh_token } = await (await other.logIn("user2")).json();
  const refreshing = other.get("/auth/refresh", bearer(refresh_token, { method: "POST" }));
  await panics(1);
  assert.equal((await refreshing).status, 200);
  const body = JSON.stringify({ new_password: "a new password of many words" });
  const changing = other.get(
    "/auth/password",
    bearer(access_token, { method: "POST", body, headers: { "content-type": "application/json" } }),
  );
  await panics(1);
  const changed = await changing;
  assert.equal(changed.status, 200);
  // What a request has done itself is no reason to refuse it when it is run again.
  const token = (await changed.json()).access_token;
  const old = JSON.stringify({
    old_password: "a new password of many words",
    new_password: "another password of many words",
  });
  const again = other.get(
    "/auth/password",
    bearer(token, { method: "POST", body: old, headers: { "content-type": "application/json" } }),
  );
  await new Promise((resolve) => setTimeout(resolve, 700));
  await panics(1);
  const next = await again;
  assert.equal(next.status, 200);
  const own = (await next.json()).access_token;
  const ending = other.get("/auth/logout/all", bearer(own, { method: "POST" }));
  await panics(1);
  assert.equal((await ending).status, 200);
});
