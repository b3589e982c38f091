// Each algorithm with a key pair, in workerd: the gate's tokens in jose's hands, jose's at the gate; and a ring of
// keys.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { SignJWT, decodeProtectedHeader, exportJWK, generateKeyPair, importPKCS8, importSPKI, jwtVerify } from "jose";
import { bearing, root, start } from "./harness.mjs";

const pem = (name) => readFile(`${root}tests/keys/${name}.pem`, "utf8");
const signed = (key, header, claims = {}) =>
  new SignJWT({ identity: 2, ...claims })
    .setProtectedHeader(header)
    .setIssuedAt()
    .setNotBefore("0s")
    .setExpirationTime("5m")
    .sign(key);

for (const [algorithm, name] of [
  ["EdDSA", "ed25519"],
  ["ES256", "p256"],
  ["RS256", "rsa"],
  ["RS384", "rsa"],
  ["RS512", "rsa"],
  ["PS256", "rsa"],
  ["PS384", "rsa"],
  ["PS512", "rsa"],
]) {
  test(`jose and the gate understand each other: ${algorithm}`, async () => {
    const gate = await start({
      secret: undefined,
      vars: { JWT_ALGORITHM: algorithm, JWT_PRIVATE_KEY: await pem(name) },
    });
    try {
      const { payload, protectedHeader } = await jwtVerify(
        await gate.token(),
        await importSPKI(await pem(`${name}.pub`), algorithm),
        { algorithms: [algorithm] },
      );
      assert.deepEqual(protectedHeader, { typ: "JWT", alg: algorithm });
      assert.equal(payload.identity, 1);
      const mine = await signed(await importPKCS8(await pem(name), algorithm), { alg: algorithm });
      for (let again = 0; again < 2; again++) {
        assert.deepEqual(await (await gate.get("/protected", bearing(mine))).json(), {
          identity: 2,
          username: "user2",
        });
      }
      const { privateKey } = await generateKeyPair(algorithm);
      assert.equal((await gate.get("/protected", bearing(await signed(privateKey, { alg: algorithm })))).status, 401);
    } finally {
      await gate.close();
    }
  });
}

test("a ring: the first private key signs, all verify, each by its kid; HS256 goes on beside it", async () => {
  const [now, before] = await Promise.all(
    ["ES256", "EdDSA"].map((algorithm) => generateKeyPair(algorithm, { extractable: true })),
  );
  const keys = [
    { ...(await exportJWK(now.privateKey)), kid: "now", alg: "ES256", use: "sig" },
    { ...(await exportJWK(before.publicKey)), kid: "before", alg: "EdDSA" },
  ];
  const secret = "a secret of more than thirty-two bytes";
  const gate = await start({
    secret,
    vars: { JWT_KEYS: { keys }, JWT_DECODE_ALGORITHMS: ["ES256", "EdDSA", "HS256"] },
  });
  try {
    const token = await gate.token();
    assert.deepEqual(decodeProtectedHeader(token), { typ: "JWT", alg: "ES256", kid: "now" });
    assert.equal((await jwtVerify(token, now.publicKey)).payload.identity, 1);
    const status = async (key, header) => (await gate.get("/protected", bearing(await signed(key, header)))).status;
    assert.equal(await status(before.privateKey, { alg: "EdDSA", kid: "before" }), 200);
    assert.equal(await status(new TextEncoder().encode(secret), { alg: "HS256" }), 200);
    assert.equal(await status(before.privateKey, { alg: "EdDSA", kid: "now" }), 401);
    assert.equal(await status(before.privateKey, { alg: "EdDSA", kid: "another" }), 401);
    assert.equal(await status(now.privateKey, { alg: "ES256", kid: "before" }), 401);
  } finally {
    await gate.close();
  }
});
