// Passwords changed at the gate, and passwords guessed at it, in real workerd with real Durable Objects.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { payload, portOf, start, until } from "./harness.mjs";

const VARS = {
  TOLLGATE_WIRE: "flask-jwt-extended",
  TOLLGATE_PASSWORD_ITERATIONS: "100000",
  ROUTES: [
    { path: "/strict", to: "identity", revocation: "strict" },
    { path: "/protected", to: "identity" },
  ],
};
const NEW = "a new password of many words";

const json = (body, headers = {}) => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const change = (gate, token, body) => gate.get("/auth/password", json(body, bearer(token)));
const strict = async (gate, token) => (await gate.get("/strict", { headers: bearer(token) })).status;

test("a new password ends every session, and the old one opens none, however stale KV is", async (t) => {
  const gate = await start({ vars: VARS });
  t.after(() => gate.close());
  const old = await gate.kv.get("login:user1");
  const mine = await (await gate.logIn()).json(),
    other = await (await gate.logIn()).json();
  for (const [body, status, text] of /** @type {[object, number, RegExp][]} */ ([
    [{ old_password: "wrong", new_password: NEW }, 401, /Bad username or password/],
    [{ old_password: "abcxyz", new_password: "short" }, 400, /fewer than 15 characters/],
    [{ old_password: "abcxyz", new_password: "passwordpassword" }, 400, /most common/],
    [{ old_password: "abcxyz" }, 400, /new_password/],
    [[], 400, /JSON object/],
  ])) {
    const answer = await change(gate, mine.access_token, body);
    assert.equal(answer.status, status, JSON.stringify(body));
    assert.match((await answer.json()).msg, text);
  }
  assert.equal((await gate.get("/auth/password", json({ old_password: "abcxyz", new_password: NEW }))).status, 401);
  const changed = await change(gate, mine.access_token, { old_password: "abcxyz", new_password: NEW });
  assert.equal(changed.status, 200);
  const next = await changed.json();
  assert.equal(payload(next.access_token).fresh, true);
  assert.deepEqual(
    [
      await strict(gate, mine.access_token),
      await strict(gate, other.access_token),
      await strict(gate, next.access_token),
    ],
    [401, 401, 200],
  );
  const fresh = await gate.kv.get("login:user1");
  assert.notEqual(fresh, old);
  assert.equal((await gate.logIn("user1", NEW)).status, 200);
  // What a far cache may say for a minute.
  await gate.kv.put("login:user1", old);
  assert.equal((await gate.logIn()).status, 401);
  await gate.kv.put("login:user1", fresh);
  assert.equal((await gate.logIn()).status, 401);
  assert.equal((await gate.logIn("user1", NEW)).status, 200);
  assert.ok(gate.lines().some((line) => line.event === "password_changed" && String(line.subject) === "1"));
  assert.doesNotMatch(gate.output(), new RegExp(NEW));
});

test("a fresh token needs no old password, another does", async (t) => {
  const gate = await start({ vars: VARS });
  t.after(() => gate.close());
  const { access_token, refresh_token } = await (await gate.logIn()).json();
  const refreshed = await (await gate.get("/auth/refresh", { method: "POST", headers: bearer(refresh_token) })).json();
  assert.deepEqual(await (await change(gate, refreshed.access_token, { new_password: NEW })).json(), {
    msg: "Fresh token required",
  });
  assert.equal((await change(gate, access_token, { new_password: NEW })).status, 200);
  assert.equal((await gate.logIn("user1", NEW)).status, 200);
});

test("in Flask-JWT's dialect the old password is always needed", async (t) => {
  const gate = await start({ vars: { ...VARS, TOLLGATE_WIRE: "flask-jwt" } });
  t.after(() => gate.close());
  const { access_token } = await (await gate.logIn()).json();
  const change = (body) => gate.get("/auth/password", json(body, { authorization: `JWT ${access_token}` }));
  assert.equal((await change({ new_password: NEW })).status, 401);
  const changed = await change({ old_password: "abcxyz", new_password: NEW });
  assert.deepEqual([changed.status, Object.keys(await changed.json())], [200, ["access_token"]]);
  assert.equal((await gate.logIn("user1", NEW)).status, 200);
});

test("a password that is known from a leak is refused; should nobody be able to tell, it is taken", async (t) => {
  const digest = (text) => createHash("sha1").update(text).digest("hex").toUpperCase();
  let asked = [],
    fails = false;
  const ranges = createServer((request, answer) => {
    asked.push(request.url);
    if (fails) return answer.writeHead(500).end();
    answer.end(`${digest(NEW).slice(5)}:7\r\n${"0".repeat(35)}:0\r\n`);
  }).listen(0, "127.0.0.1");
  await once(ranges, "listening");
  t.after(() => ranges.close());
  const gate = await start({
    vars: {
      ...VARS,
      TOLLGATE_PASSWORD_PWNED: "true",
      TOLLGATE_PASSWORD_PWNED_URL: `http://127.0.0.1:${portOf(ranges)}/range`,
    },
  });
  t.after(() => gate.close());
  const { access_token } = await (await gate.logIn()).json();
  const refused = await change(gate, access_token, { new_password: NEW });
  assert.equal(refused.status, 400);
  assert.match((await refused.json()).msg, /leak/);
  assert.deepEqual(asked, [`/range/${digest(NEW).slice(0, 5)}`]);
  fails = true;
  assert.equal((await change(gate, access_token, { new_password: NEW })).status, 200);
  await until(() => gate.lines().some((line) => line.event === "pwned_check_failed"));
});

test("ten thousand guesses from a thousand addresses get no more than is said, and the owner still gets in", {
  timeout: 300_000,
}, async (t) => {
  const gate = await start({ vars: { ...VARS, TOLLGATE_LOG: "off" } });
  t.after(() => gate.close());
  const from = (address, headers = {}) => ({ "cf-connecting-ip": address, ...headers });
  const logIn = async (username, password, headers) => gate.get("/auth", json({ username, password }, headers));
  const home = await logIn("user1", "abcxyz", from("192.0.2.1"));
  const browser = await logIn("user1", "abcxyz", from("192.0.2.2", { "sec-fetch-site": "same-origin" }));
  assert.equal(home.headers.get("set-cookie"), null, "no browser");
  const [cookie] = browser.headers.get("set-cookie").split(";");
  assert.match(
    browser.headers.get("set-cookie"),
    /^tollgate_device=[\w-]{22}\.\d{10}\.[\w-]{43}; Max-Age=7776000; HttpOnly; Path=\/auth; SameSite=Strict$/,
  );
  for (const name of ["user1", "nobody"]) {
    const statuses = {};
    let waits = 0;
    for (let at = 0; at < 5000; at += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const guess = at + n;
          const answer = await logIn(
            name,
            `guess ${guess}`,
            from(`10.${name.length}.${(guess % 1000) >> 8}.${guess % 256}`),
          );
          statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
          if (answer.status === 429) waits = Math.max(waits, Number(answer.headers.get("retry-after")));
          await answer.arrayBuffer();
        }),
      );
    }
    assert.deepEqual(Object.keys(statuses), ["401", "429"], name);
    assert.ok(statuses[401] >= 5 && statuses[401] <= 40, `${name}: ${statuses[401]} guesses were judged`);
    // Where the first guesses came one by one, not twenty at once, it takes a minute of them.
    for (let more = 0; waits <= 60 && more < 90; more++) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const answer = await logIn(name, `one more guess ${more}`, from(`10.9.${name.length}.${more}`));
      statuses[answer.status] += 1;
      if (answer.status === 429) waits = Math.max(waits, Number(answer.headers.get("retry-after")));
      await answer.arrayBuffer();
    }
    assert.ok(statuses[401] >= 5 && statuses[401] <= 40, `${name}: ${statuses[401]} guesses were judged`);
    assert.ok(waits > 60 && waits <= 900, `${waits}`);
  }
  const owners = [
    [from("192.0.2.1"), 200],
    [from("198.51.100.7", { cookie }), 200],
    [from("198.51.100.8"), 429],
    [from("198.51.100.9", { cookie: "tollgate_device=AAAAAAAAAAAAAAAAAAAAAA" }), 429],
  ];
  for (const [headers, status] of owners)
    assert.equal((await logIn("user1", "abcxyz", headers)).status, status, JSON.stringify(headers));
  assert.equal((await logIn("user2", "abcxyz", from("10.9.9.9"))).status, 200, "another account");
});

test("an address has 50 failures, then one a minute, whatever it tries; a class of 35 logs in from there", async (t) => {
  const gate = await start({ vars: { ...VARS, TOLLGATE_LOG: "off" } });
  t.after(() => gate.close());
  const logIn = async (username, password, headers) =>
    gate.get("/auth", json({ username, password }, { "cf-connecting-ip": "192.0.2.77", ...headers }));
  for (let pupil = 0; pupil < 35; pupil++) assert.equal((await logIn("user2", "abcxyz")).status, 200, `${pupil}`);
  const browser = await logIn("user1", "abcxyz", { "sec-fetch-site": "same-origin" });
  const [cookie] = browser.headers.get("set-cookie").split(";");
  const statuses = [];
  for (let guess = 0; guess < 52; guess++) statuses.push((await logIn(`name ${guess}`, "wrong")).status);
  assert.deepEqual([statuses.filter((status) => status === 401).length, statuses.at(-1)], [50, 429]);
  assert.equal((await logIn("user1", "abcxyz", { cookie })).status, 200, "a known device");
  assert.equal((await logIn("user2", "abcxyz", { cookie })).status, 429, "which is known for its own record only");
});

test("names that differ in capitals are two users, and neither's log-in forgives guesses at the other", async (t) => {
  const gate = await start({ vars: { ...VARS, TOLLGATE_LOG: "off" } });
  t.after(() => gate.close());
  // The owner of USER1 guesses at user1.
  await gate.kv.put("login:USER1", await gate.kv.get("login:user2"));
  const headers = { "cf-connecting-ip": "192.0.2.99", "sec-fetch-site": "same-origin" };
  const logIn = (username, password) => gate.get("/auth", json({ username, password }, headers));
  const began = Date.now();
  let judged = 0;
  for (let guess = 0; guess < 15; guess++) {
    const twin = await logIn("USER1", "abcxyz");
    assert.notEqual(twin.status, 401);
    if (twin.headers.has("set-cookie")) headers.cookie = twin.headers.get("set-cookie").split(";")[0];
    if ((await logIn("user1", `guess ${guess}`)).status === 401) judged += 1;
  }
  // Five are free, then each waits twice as long as the one before.
  const most = 5 + Math.ceil(Math.log2(1 + (Date.now() - began) / 1000));
  assert.ok(judged <= most && most < 15, `${judged} guesses were judged, ${most} may be`);
});

test("an address has 120 attempts a minute, whatever it tries", async (t) => {
  // Without objects, which would count the failures.
  const gate = await start({ vars: { ...VARS, TOLLGATE_LOG: "off" }, options: { durableObjects: {} } });
  t.after(() => gate.close());
  const logIn = (n, address) =>
    gate.get("/auth", json({ username: `name ${n}`, password: "x" }, { "cf-connecting-ip": address }));
  const statuses = [];
  // The runtime counts by the minute, and one may begin in between.
  while (statuses.length < 245 && statuses.at(-1) !== 429) {
    statuses.push((await logIn(statuses.length, statuses.length % 2 ? "2001:db8::1" : "2001:db8::2")).status);
  }
  const judged = statuses.filter((status) => status === 401).length;
  assert.ok(judged >= 120 && judged <= 240 && judged === statuses.length - 1, `${judged}`);
  assert.equal((await logIn(99, "2001:db8:0:1::1")).status, 401, "of another customer");
});
