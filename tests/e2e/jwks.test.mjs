// The public keys of the gate, for others to verify its tokens with.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import { root, start } from "./harness.mjs";

const PATH = "/.well-known/jwks.json";
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const seconds = () => Math.floor(Date.now() / 1000);

for (const wire of ["flask-jwt", "flask-jwt-extended"]) {
  test(`public keys are published, and nothing of the private ones: ${wire}`, async () => {
    const pairs = await Promise.all(
      ["EdDSA", "RS256", "ES256", "EdDSA"].map((alg) => generateKeyPair(alg, { extractable: true })),
    );
    const [signing, rsa, ec, ended] = await Promise.all(pairs.map(({ privateKey }) => exportJWK(privateKey)));
    const keys = [
      { ...signing, kid: "signs", alg: "EdDSA" },
      { ...rsa, kid: "rsa", alg: "RS256", use: "sig" },
      { ...ec, kid: "soon over", alg: "ES256", not_after: seconds() + 3 },
      { ...ended, kid: "over", alg: "EdDSA", not_after: seconds() - 1 },
    ];
    // The old secret beside them, while the algorithm changes: it is never published.
    const vars = {
      TOLLGATE_WIRE: wire,
      JWT_KEYS: { keys },
      JWT_DECODE_ALGORITHMS: ["EdDSA", "RS256", "ES256", "HS256"],
    };
    const gate = await start({ users: false, vars });
    try {
      const answer = await gate.get(PATH);
      assert.equal(answer.status, 200, gate.output());
      assert.equal(answer.headers.get("content-type"), "application/jwk-set+json");
      assert.equal(answer.headers.get("cache-control"), "public, max-age=300");
      assert.deepEqual(answer.headers.getSetCookie(), []);
      const text = await answer.text();
      const published = JSON.parse(text).keys;
      assert.deepEqual(
        published.map(({ kid, kty, alg }) => [kid, kty, alg]),
        [
          ["signs", "OKP", "EdDSA"],
          ["rsa", "RSA", "RS256"],
          ["soon over", "EC", "ES256"],
        ],
      );
      assert.deepEqual(
        published.map(({ x, y, n, e }) => [x, y, n, e]),
        [signing, rsa, ec].map(({ x, y, n, e }) => [x, y, n, e]),
      );
      for (const key of published) for (const name of PRIVATE) assert.ok(!(name in key), name);
      for (const { d } of [signing, rsa, ec, ended]) assert.ok(!text.includes(d));
      const head = await gate.get(PATH, { method: "HEAD" });
      assert.deepEqual(
        [head.status, head.headers.get("cache-control"), await head.text()],
        [200, "public, max-age=300", ""],
      );
      const options = await gate.get(PATH, { method: "OPTIONS" });
      assert.deepEqual([options.status, options.headers.get("allow")], [200, "GET, HEAD, OPTIONS"]);
      assert.equal((await gate.get(PATH, { method: "POST" })).status, 405);
      await new Promise((resolve) => setTimeout(resolve, 3500));
      assert.deepEqual(
        (await (await gate.get(PATH)).json()).keys.map(({ kid }) => kid),
        ["signs", "rsa"],
      );
    } finally {
      await gate.close();
    }
  });
}

test("there is no such page where there are only secrets or its path is empty; the path is an option", async () => {
  const pem = await readFile(`${root}tests/keys/ed25519.pem`, "utf8");
  const pair = { JWT_ALGORITHM: "EdDSA", JWT_PRIVATE_KEY: pem };
  const k = (letter) => Buffer.alloc(32, letter).toString("base64url");
  const secrets = { keys: ["a", "b"].map((kid) => ({ kty: "oct", kid, alg: "HS256", k: k(kid) })) };
  for (const [vars, path, status] of /** @type {[Record<string, unknown>, string, number][]} */ ([
    [{}, PATH, 404],
    [{ JWT_KEYS: secrets }, PATH, 404],
    [{ ...pair, TOLLGATE_JWKS_URL: "" }, PATH, 404],
    [{ ...pair, TOLLGATE_JWKS_URL: "/keys" }, PATH, 404],
    [{ ...pair, TOLLGATE_JWKS_URL: "/keys" }, "/keys", 200],
  ])) {
    const secret =
      vars.JWT_KEYS || vars.JWT_PRIVATE_KEY ? undefined : "a secret of more than thirty-two bytes, for tests";
    const gate = await start({
      users: false,
      secret,
      vars: { TOLLGATE_WIRE: "flask-jwt-extended", ROUTES: [], ...vars },
    });
    try {
      const answer = await gate.get(path);
      assert.equal(answer.status, status, `${JSON.stringify(Object.keys(vars))} ${path}: ${gate.output()}`);
      if (status === 200)
        assert.deepEqual(
          (await answer.json()).keys.map(({ kty, crv }) => [kty, crv]),
          [["OKP", "Ed25519"]],
        );
    } finally {
      await gate.close();
    }
  }
});
