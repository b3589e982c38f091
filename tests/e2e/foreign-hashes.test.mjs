// Hashes that Flask and Django applications have today: verified at log-in in workerd, and replaced by Tollgate's own.
import assert from "node:assert/strict";
import { pbkdf2Sync, scryptSync } from "node:crypto";
import { test } from "node:test";
import { start, until } from "./harness.mjs";

const PASSWORD = "abcxyz";
const SALT = "salt of 16 chars";
const vars = { TOLLGATE_PASSWORD_ITERATIONS: "100000" };

/** Werkzeug's scrypt. */
const scrypt = (n, r, p) =>
  `scrypt:${n}:${r}:${p}$${SALT}$${scryptSync(PASSWORD, SALT, 64, { N: n, r, p, maxmem: 2 ** 28 }).toString("hex")}`;
/** Werkzeug's PBKDF2. */
const pbkdf2 = (digest, iterations, length) =>
  `pbkdf2:${digest}:${iterations}$${SALT}$${pbkdf2Sync(PASSWORD, SALT, iterations, length, digest).toString("hex")}`;
/** Django's scrypt. */
const django = `scrypt$16384$${SALT}$8$5$${scryptSync(PASSWORD, SALT, 64, { N: 16384, r: 8, p: 5, maxmem: 2 ** 28 }).toString("base64")}`;

/** Stores a user of this name, each with an account of its own. */
const put = (gate, name, hash) =>
  gate.kv.put(`login:${name}`, JSON.stringify({ v: 1, id: name, hash, status: "active" }));

test("log-ins verify hashes of werkzeug and Django and replace them, never by a cheaper one", async () => {
  const gate = await start({ vars });
  const verify = async (name, hash, least) => {
    await put(gate, name, hash);
    assert.equal((await gate.logIn(name, `${PASSWORD}.`)).status, 401, hash);
    assert.equal((await gate.logIn(name, PASSWORD)).status, 200, hash);
    let stored = "";
    await until(async () => {
      stored = (await gate.kv.get(`login:${name}`, "json")).hash;
      return stored !== hash;
    });
    const [, iterations] = stored.match(/^\$pbkdf2-sha256\$i=(\d+),l=32\$/);
    assert.ok(Number(iterations) >= least, `${hash}: ${iterations}`);
    assert.equal((await gate.logIn(name, PASSWORD)).status, 200);
  };
  try {
    await verify("default", scrypt(32768, 8, 1), 100_000);
    await verify("cheap", scrypt(1024, 8, 2), 100_000);
    await verify("large", scrypt(65536, 8, 1), 100_000);
    await verify("django", django, 100_000);
    await verify("sha512", pbkdf2("sha512", 20_000, 64), 100_000);
    await verify("sha1", pbkdf2("sha1", 20_000, 20), 100_000);
    await verify("dear", pbkdf2("sha256", 1_000_000, 32), 1_000_000);
  } finally {
    await gate.close();
  }
});

test("what a worker can't compute is a wrong password, and the log says why", async () => {
  const zeros = "00".repeat(64);
  const gate = await start({ vars });
  const bare = await start({
    vars,
    options: { compatibilityFlags: ["enable_request_signal", "no_nodejs_compat_v2"] },
  });
  const refuse = async (at, name, hash, reason) => {
    await put(at, name, hash);
    assert.equal((await at.logIn(name, PASSWORD)).status, 401, hash);
    assert.equal(at.lines().findLast(({ event }) => event === "record_unusable").reason, reason);
  };
  try {
    await refuse(gate, "memory", `scrypt:131072:8:1$salt$${zeros}`, "hash_memory_too_high");
    await refuse(gate, "dear", `scrypt:32768:8:999999$salt$${zeros}`, "hash_cost_too_high");
    await refuse(gate, "cheap", `scrypt:2:8:1$salt$${zeros}`, "hash_cost_too_low");
    await refuse(gate, "bcrypt", "$2b$12$abcdefghijklmnopqrstuv", "hash_format");
    await refuse(bare, "without", scrypt(32768, 8, 1), "hash_without_node_crypto");
  } finally {
    await Promise.all([gate.close(), bare.close()]);
  }
});
