// A panic costs one request, never the isolate: worker/entry.mjs, tried with a worker that can be broken on purpose.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FAULTY, bearing, mint, origin, raw, start, until } from "./harness.mjs";

let app, gate, token, forwarded = 0;
before(async () => {
  app = await origin((request, response) => { forwarded++; setTimeout(() => request.pipe(response), 400); });
  gate = await start({ build: FAULTY, vars: { ORIGIN: app.url } });
  token = await gate.token();
});
after(async () => { await gate.close(); app.close(); });

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
    assert.deepEqual((await Promise.all(logIns)).map((answer) => answer.status), [200, 200, 401]);
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
  const vars = { TOLLGATE_WIRE: "flask-jwt-extended", ORIGIN: behind.url, ROUTES, TOLLGATE_TOKEN_BODY_LIMIT: "1048576" };
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
      assert.deepEqual(got.map((one) => one.equals(body)), [true], fault);
    }
  } finally { await other.close(); behind.close(); }
});

test("a request that breaks the instance again while it is run again is given up", async () => {
  const both = await Promise.all([gate.get("/__test/panic-later"), gate.get("/__test/panic-later"), gate.get("/__test/panic-later")]);
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
