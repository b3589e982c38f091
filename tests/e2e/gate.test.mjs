// Log-in, refusal and passing, in real workerd.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { bearing, start } from "./harness.mjs";

let gate;
before(async () => {
  gate = await start();
});
after(() => gate.close());

test("a log-in gives a token that passes", async () => {
  const answer = await gate.logIn();
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const { access_token } = await answer.json();
  const passed = await gate.get("/protected", bearing(access_token));
  assert.equal(passed.status, 200);
  assert.deepEqual(await passed.json(), { identity: 1, username: "user1" });
});

test("a wrong password, an unknown user and a missing token are refused in Flask-JWT's words", async () => {
  for (const [name, password] of [
    ["user1", "wrong"],
    ["nobody", "abcxyz"],
  ]) {
    const answer = await gate.logIn(name, password);
    assert.equal(answer.status, 401);
    assert.deepEqual(await answer.json(), {
      description: "Invalid credentials",
      error: "Bad Request",
      status_code: 401,
    });
    assert.equal(answer.headers.get("www-authenticate"), null);
  }
  const answer = await gate.get("/protected");
  assert.equal(answer.status, 401);
  assert.equal(answer.headers.get("www-authenticate"), 'JWT realm="Login Required"');
  assert.equal(answer.headers.get("cache-control"), "no-store");
});

/**
 * The status of a log-in whose body comes in chunks and says no length. The gate may close the connection behind its
 * answer while chunks are still written, which `fetch` takes for a failure; the answer counts.
 */
const streamed = (port, chunks, bytes) =>
  new Promise((resolve, reject) => {
    const sent = request({
      host: "127.0.0.1",
      port,
      path: "/auth",
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    let status;
    sent.on("response", (answer) => {
      status = answer.statusCode;
      resolve(status);
      sent.destroy();
    });
    sent.on("error", (error) => {
      if (status === undefined) reject(error);
    });
    // Slowly: what a closed connection throws away could be the answer.
    const next = (left) => {
      if (status !== undefined) return;
      if (left === 0) return void sent.end();
      sent.write(Buffer.alloc(bytes, " "));
      setTimeout(next, 5, left - 1);
    };
    next(chunks);
  });

test("limits: body 413, fields 400, token 401", async () => {
  const post = (body) => gate.get("/auth", { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal((await post(" ".repeat(16 * 1024 + 1))).status, 413);
  assert.equal(await streamed(gate.port, 64, 4096), 413);
  assert.equal((await post(JSON.stringify({ username: "u".repeat(1025), password: "x" }))).status, 400);
  assert.equal((await post(new Uint8Array([0x7b, 0xff, 0x7d]))).status, 400);
  assert.equal((await post("[".repeat(10000))).status, 400);
  assert.equal((await gate.get("/protected", bearing("x".repeat(8193)))).status, 401);
});

test("static files: public, protected, and no spelling slips past", async () => {
  const page = await gate.get("/");
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy"), /default-src 'none'/);
  assert.equal((await gate.get("/members/welcome.txt")).status, 401);
  const inside = await gate.get("/members/welcome.txt", bearing(await gate.token()));
  assert.equal(inside.status, 200);
  assert.equal(inside.headers.get("cache-control"), "private, no-cache");
  for (const path of [
    "/Members/welcome.txt",
    "/members%2fwelcome.txt",
    "//members/welcome.txt",
    "/x/%2e%2e/members/welcome.txt",
    "/members;x/welcome.txt",
    "/%6dembers/welcome.txt",
    "/members/welcome.txt/",
    "/members/",
    "/_headers",
  ]) {
    assert.notEqual((await gate.get(path)).status, 200, path);
  }
  assert.equal((await gate.get("/nothing-here")).status, 404);
});

test("an outdated hash is made anew after the log-in that proves it, and a disabled user is refused", async () => {
  const foreign =
    "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9";
  await gate.kv.put("login:flask", JSON.stringify({ v: 1, id: 7, hash: foreign, status: "active" }));
  assert.equal((await gate.logIn("flask", "wrong")).status, 401);
  assert.equal((await gate.logIn("flask")).status, 200);
  let record;
  for (let tries = 0; tries < 50 && !record?.hash.startsWith("$pbkdf2-sha256$i=600000"); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    record = JSON.parse(await gate.kv.get("login:flask"));
  }
  assert.match(record.hash, /^\$pbkdf2-sha256\$i=600000,l=32\$/);
  assert.equal((await gate.logIn("flask")).status, 200);
  await gate.kv.put("login:flask", JSON.stringify({ ...record, status: "disabled" }));
  assert.equal((await gate.logIn("flask")).status, 401);
});

test("no password or name as typed reaches the log", async () => {
  await gate.logIn("canary-in-the-name", "canary-in-the-password");
  assert.ok(!gate.output().includes("canary"));
  assert.ok(gate.output().includes("bad_credentials"));
});

test("an unreadable record fails closed with 503", async () => {
  await gate.kv.put("login:torn", "{");
  const answer = await gate.logIn("torn");
  assert.equal(answer.status, 503);
  assert.equal((await answer.json()).error, "Service Unavailable");
});
