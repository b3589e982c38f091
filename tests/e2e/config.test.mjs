// A wrong configuration: told whole in the log, one plain 500 to the world.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { unstable_readConfig as readConfig } from "wrangler";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import { bearing, origin, root, SECRET, start } from "./harness.mjs";

test("every problem is in the log and nothing is served", async () => {
  const gate = await start({ vars: { JWT_LEEWAY: "soon", JWT_VERIFY_CLAIMS: [] }, secret: "hunter2", users: false });
  try {
    for (const path of ["/", "/protected", "/auth"]) {
      const answer = await gate.get(path);
      assert.equal(answer.status, 500);
      assert.deepEqual(await answer.json(), {
        description: "The request could not be answered",
        error: "Internal Server Error",
        status_code: 500,
      });
    }
    const logs = gate.output();
    for (const option of ["JWT_LEEWAY", "JWT_VERIFY_CLAIMS", "JWT_SECRET_KEY"])
      assert.ok(logs.includes(option), option);
    assert.ok(!logs.includes("hunter2"));
  } finally {
    await gate.close();
  }
});

test("the configurations in docs/flask-jwt-extended.md are good, and nothing is to be said against them", async () => {
  const page = await readFile(`${root}docs/flask-jwt-extended.md`, "utf8");
  const blocks = [...page.matchAll(/^```toml\n(.*?)^```/gms)].map(([, block]) => block);
  assert.equal(blocks.length, 2);
  const folder = await mkdtemp(`${tmpdir()}/tollgate-`);
  try {
    for (const block of blocks) {
      const config = `${folder}/wrangler.toml`;
      await writeFile(config, `name = "x"\ncompatibility_date = "2026-11-01"\n${block}`);
      const { vars } = readConfig({ config });
      const gate = await start({ vars, users: false });
      try {
        const answer = await gate.get("/auth/me");
        assert.equal(answer.status, 401, gate.output());
        assert.match((await answer.json()).msg, /^Missing /);
        assert.deepEqual(
          gate.lines().filter(({ event }) => event !== "refused"),
          [],
        );
      } finally {
        await gate.close();
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("what will not work is in the log, and the gate serves all the same", async () => {
  const vars = {
    TOLLGATE_WIRE: "flask-jwt-extended",
    JWT_TOKEN_LOCATION: ["headers", "cookies"],
    JWT_COOKIE_DOMAIN: "*.example.com",
    JWT_DECODE_LEEWAY: -5,
  };
  const gate = await start({ vars });
  try {
    assert.equal((await gate.get("/auth/me")).status, 401);
    const faults = gate.lines().filter(({ event }) => event === "config_fault");
    assert.deepEqual(faults.map(({ option, level }) => [option, level]).sort(), [
      ["JWT_COOKIE_DOMAIN", "error"],
      ["JWT_DECODE_LEEWAY", "error"],
    ]);
  } finally {
    await gate.close();
  }
});

test("options and secrets for origins may be in Secrets Store: the gate waits for them, and refuses without", async () => {
  const secretsStoreSecrets = {
    JWT_SECRET_KEY: { store_id: "a", secret_name: "key" },
    ORIGIN_KEY: { store_id: "a", secret_name: "origin" },
    MINE: { store_id: "a", secret_name: "mine" },
  };
  const seen = await origin((request, response) => response.end(request.headers["x-gate-key"]));
  const gate = await start({
    secret: undefined,
    vars: {
      ORIGINS: [{ name: "app", url: seen.url, headers: { "X-Gate-Key": { secret: "ORIGIN_KEY" } } }],
      ROUTES: [
        { path: "/protected", to: "identity" },
        { path: "/app/*", to: "app" },
      ],
    },
    options: { secretsStoreSecrets },
  });
  try {
    const refused = await gate.get("/protected");
    assert.equal(refused.status, 503, gate.output());
    assert.match(await refused.text(), /try again/);
    const names = gate.lines().filter(({ event }) => event === "unreachable");
    assert.ok(["JWT_SECRET_KEY", "ORIGIN_KEY"].includes(names[0].reason), JSON.stringify(names));
    await gate.putSecret("JWT_SECRET_KEY", SECRET);
    assert.equal((await gate.get("/protected")).status, 503, "one is there, and one is not");
    await gate.putSecret("ORIGIN_KEY", "of-the-gate");
    // Many at once, of which each may be the first.
    const answers = await Promise.all(Array.from({ length: 20 }, () => gate.get("/protected")));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [401]);
    const token = await gate.token();
    const headers = { authorization: `JWT ${token}` };
    assert.equal((await gate.get("/protected", { headers })).status, 200);
    assert.equal(await (await gate.get("/app/x", { headers })).text(), "of-the-gate");
    assert.equal(gate.lines().filter(({ event }) => event === "config_problem").length, 0);
    assert.ok(!gate.output().includes(SECRET) && !gate.output().includes("of-the-gate"));
  } finally {
    await gate.close();
    await seen.close();
  }
});

test("bindings to other things are no options, whatever their names", async () => {
  const script = "export default { fetch: () => new Response('of the service') }";
  const gate = await start({
    services: { ORIGIN_ORDERS: script, TOLLGATE_API: script },
    options: {
      kvNamespaces: { USERS: "users", JWT_BLOCKLIST: "list" },
      durableObjects: { ROUTER: { className: "Account", useSQLite: true } },
    },
    vars: {
      ORIGINS: [{ name: "orders", service: "ORIGIN_ORDERS" }],
      ROUTES: [{ path: "/open", to: "orders", auth: "none" }],
    },
  });
  try {
    const answer = await gate.get("/open");
    assert.deepEqual([answer.status, await answer.text()], [200, "of the service"], gate.output());
  } finally {
    await gate.close();
  }
});

test("a key set as providers publish it serves, and what it can't use is told", async () => {
  const keys = [];
  for (const [alg, more] of /** @type {[string, object][]} */ ([
    ["RSA-OAEP-256", { use: "enc" }],
    ["RS256", { use: "sig" }],
    ["ES384", { use: "sig" }],
  ])) {
    const pair = await generateKeyPair(alg, { extractable: true });
    keys.push({ pair, jwk: { ...(await exportJWK(pair.publicKey)), kid: alg, alg, ...more } });
  }
  delete keys[1].jwk.alg; // JWT_ALGORITHM fills in
  const vars = {
    JWT_AUTH_URL_RULE: "",
    JWT_ALGORITHM: "RS256",
    JWT_KEYS: JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }),
  };
  const gate = await start({ vars, secret: undefined });
  try {
    const signed = (at, alg) =>
      new SignJWT({ identity: 1 })
        .setProtectedHeader({ alg, kid: keys[at].jwk.kid })
        .setIssuedAt()
        .setNotBefore("0s")
        .setExpirationTime("5m")
        .sign(keys[at].pair.privateKey);
    assert.equal((await gate.get("/protected", bearing(await signed(1, "RS256")))).status, 200);
    assert.equal((await gate.get("/protected", bearing(await signed(2, "ES384")))).status, 401);
    const warnings = gate.lines().filter(({ event, option }) => event === "config_warning" && option === "JWT_KEYS");
    assert.deepEqual(
      warnings.map(({ text }) => text.slice(0, 16)),
      ["keys[0]: ignored", "keys[2]: ignored"],
    );
  } finally {
    await gate.close();
  }
});
