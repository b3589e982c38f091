// Each algorithm with a key pair, in workerd: the gate's tokens in jose's hands, jose's at the gate; and a ring of
// keys.
import assert from "node:assert/strict";
import { constants, createPublicKey, createSign } from "node:crypto";
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
      // The same key, the other padding: the header's `alg` is PS256, the signature that of RS256, or the reverse.
      const other = { PS: "RS", RS: "PS" }[algorithm.slice(0, 2)]?.concat(algorithm.slice(2));
      if (other) {
        const theirs = await signed(await importPKCS8(await pem(name), other), { alg: other });
        const [, payload] = theirs.split(".");
        const header = Buffer.from(JSON.stringify({ alg: algorithm })).toString("base64url");
        const node = createSign(`sha${algorithm.slice(2)}`).update(`${header}.${payload}`);
        const padding = other.startsWith("PS") ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
        const signature = node.sign({ key: await pem(name), padding, saltLength: Number(algorithm.slice(2)) / 8 });
        const forged = `${header}.${payload}.${signature.toString("base64url")}`;
        assert.equal((await gate.get("/protected", bearing(forged))).status, 401, `padding of ${other}`);
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

test("a compressed point is the same key, and a point off the curve is none", async () => {
  const { x, y } = createPublicKey(await pem("p256.pub")).export({ format: "jwk" });
  const [left, right] = [x, y].map((text) => Buffer.from(text, "base64url"));
  const head = Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex");
  const spki = (first, point) =>
    `-----BEGIN PUBLIC KEY-----\n${Buffer.concat([head, Buffer.of(first), point]).toString("base64")}\n-----END PUBLIC KEY-----`;
  const vars = (key) => ({ JWT_ALGORITHM: "ES256", JWT_PUBLIC_KEY: key, JWT_AUTH_URL_RULE: "" });
  const gate = await start({ secret: undefined, vars: vars(spki(2 + (right[31] & 1), left)) });
  try {
    const token = await signed(await importPKCS8(await pem("p256"), "ES256"), { alg: "ES256" });
    assert.equal((await gate.get("/protected", bearing(token))).status, 200);
    const { keys } = await (await gate.get("/.well-known/jwks.json")).json();
    assert.deepEqual([keys[0].x, keys[0].y], [x, y]);
  } finally {
    await gate.close();
  }
  // There is no point with the x-coordinate 1.
  const off = await start({ secret: undefined, vars: vars(spki(2, Buffer.alloc(32, 0).fill(1, 31))) });
  try {
    assert.equal((await off.get("/protected")).status, 500);
    assert.ok(off.lines().some(({ event, text }) => event === "config_problem" && text.includes("not on the curve")));
  } finally {
    await off.close();
  }
});

test("without node:crypto a worker with such a key stops with a reason, and one with a secret does not", async () => {
  const options = { compatibilityFlags: ["enable_request_signal", "no_nodejs_compat_v2"] };
  const gate = await start({
    secret: undefined,
    vars: { JWT_ALGORITHM: "EdDSA", JWT_PRIVATE_KEY: await pem("ed25519") },
    options,
  });
  try {
    assert.equal((await gate.get("/protected")).status, 500);
    const problems = gate.lines().filter(({ event }) => event === "config_problem");
    assert.deepEqual(
      problems.map(({ option }) => option),
      ["JWT_PRIVATE_KEY"],
    );
    assert.match(problems[0].text, /nodejs_compat/);
  } finally {
    await gate.close();
  }
  const plain = await start({ options });
  try {
    assert.equal((await plain.get("/protected", bearing(await plain.token()))).status, 200);
  } finally {
    await plain.close();
  }
});
