// Tollgate's tokens in the hands of other libraries, and theirs at Tollgate; also through its published keys.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SignJWT, createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify } from "jose";
import { SECRET, bearing, mint, payload, root, start as startWith } from "./harness.mjs";
import { install, python } from "./python.mjs";

// As the real libraries are: without sessions.
const start = (settings) => startWith({ sessions: false, ...settings });

const key = new TextEncoder().encode(SECRET);

let gate;
before(async () => {
  await install();
  gate = await start();
});
after(() => gate?.close());

test("PyJWT accepts the gate's tokens, with each algorithm, and the gate those of PyJWT", async () => {
  const long = "k".repeat(64);
  for (const [algorithm, secret, through] of [
    ["HS256", SECRET, gate],
    ["HS384", long, undefined],
    ["HS512", long, undefined],
  ]) {
    const other = through ?? (await start({ secret, vars: { JWT_ALGORITHM: algorithm } }));
    try {
      const theirs = JSON.parse(
        await python([
          "-c",
          "import jwt, json, sys; t, k, a = sys.argv[1:]; print(json.dumps([jwt.get_unverified_header(t), jwt.decode(t, k, algorithms=[a], options={'require': ['exp', 'iat', 'nbf']})]))",
          await other.token(),
          secret,
          algorithm,
        ]),
      );
      assert.deepEqual(theirs[0], { typ: "JWT", alg: algorithm });
      assert.equal(theirs[1].identity, 1);
      const make = (secret) =>
        python([
          "-c",
          "import jwt, sys, time; k, a = sys.argv[1:]; n = int(time.time()); print(jwt.encode({'identity': 2, 'iat': n, 'nbf': n, 'exp': n + 300}, k, algorithm=a))",
          secret,
          algorithm,
        ]);
      const passed = await other.get("/protected", bearing(await make(secret)));
      assert.deepEqual(await passed.json(), { identity: 2, username: "user2" });
      assert.equal((await other.get("/protected", bearing(await make(`${secret}!`)))).status, 401);
    } finally {
      if (!through) await other.close();
    }
  }
});

test("jose accepts the gate's tokens, and the gate those of jose", async () => {
  const { payload, protectedHeader } = await jwtVerify(await gate.token(), key, { algorithms: ["HS256"] });
  assert.deepEqual(protectedHeader, { typ: "JWT", alg: "HS256" });
  assert.equal(payload.identity, 1);
  assert.equal(payload.exp - payload.iat, 300);
  assert.equal((await (await gate.get("/protected", bearing(await mint({ identity: 2 })))).json()).identity, 2);
  assert.equal((await gate.get("/protected", bearing(await mint({ identity: 2 }, new Uint8Array(32))))).status, 401);
});

/** As a client of PyJWT does it: the key by the token's `kid`, from the gate's own address. */
const BY_JWKS = `
import json, sys, jwt
url, token, algorithm = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
print(json.dumps(jwt.decode(token, key, algorithms=[algorithm])))
`;

for (const algorithm of ["EdDSA", "ES256", "RS256", "PS256"]) {
  test(`jose and PyJWT verify the gate's tokens with the keys that it publishes: ${algorithm}`, async () => {
    const [now, before] = await Promise.all([0, 1].map(() => generateKeyPair(algorithm, { extractable: true })));
    const keys = [
      { ...(await exportJWK(now.privateKey)), kid: "now", alg: algorithm },
      { ...(await exportJWK(before.publicKey)), kid: "before", alg: algorithm },
    ];
    const vars = { TOLLGATE_WIRE: "flask-jwt-extended", JWT_KEYS: { keys }, ROUTES: [{ path: "/me", to: "identity" }] };
    const ring = await start({ secret: undefined, vars });
    try {
      const url = new URL("/.well-known/jwks.json", ring.url);
      const token = await ring.token();
      assert.equal(
        Buffer.from(token.split(".")[0], "base64url").toString(),
        `{"alg":"${algorithm}","kid":"now","typ":"JWT"}`,
      );
      const verified = await jwtVerify(token, createRemoteJWKSet(url), { algorithms: [algorithm] });
      assert.deepEqual([verified.payload, verified.protectedHeader.kid], [payload(token), "now"]);
      assert.deepEqual(JSON.parse(await python(["-c", BY_JWKS, url.href, token, algorithm])), payload(token));
      const torn = `${token.slice(0, -8)}AAAAAAAA`;
      await assert.rejects(jwtVerify(torn, createRemoteJWKSet(url)), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
      await assert.rejects(python(["-c", BY_JWKS, url.href, torn, algorithm]), /InvalidSignatureError/);
      // And the other way round: a token of the other key, which only verifies here.
      const made = (key, kid) =>
        new SignJWT({ sub: "7" }).setProtectedHeader({ alg: algorithm, kid }).setExpirationTime("5m").sign(key);
      const mine = async (key, kid) =>
        (await ring.get("/me", { headers: { authorization: `Bearer ${await made(key, kid)}` } })).status;
      assert.equal(await mine(before.privateKey, "before"), 200);
      assert.equal(await mine(before.privateKey, "now"), 422);
    } finally {
      await ring.close();
    }
  });
}

/** The answers of an application on the real library. */
const flask = async (config, requests) =>
  JSON.parse(
    await python([
      `${root}tests/e2e/flask_app.py`,
      JSON.stringify({ config: { JWT_SECRET_KEY: SECRET, ...config }, requests }),
    ]),
  );
const bearer = (token) => ({ authorization: `Bearer ${token}` });

test("Flask-JWT-Extended accepts the gate's tokens, and the gate those of Flask-JWT-Extended", async () => {
  const options = {
    JWT_ENCODE_ISSUER: "us",
    JWT_DECODE_ISSUER: "us",
    JWT_ENCODE_AUDIENCE: ["a", "b"],
    JWT_DECODE_AUDIENCE: "b",
  };
  const ROUTES = [
    { path: "/protected", to: "identity", user: "stored" },
    { path: "/fresh", to: "identity", methods: ["POST"], fresh: true },
  ];
  for (const config of [{}, options, { JWT_HEADER_NAME: "X-Token", JWT_HEADER_TYPE: "" }]) {
    const ours = await start({ vars: { TOLLGATE_WIRE: "flask-jwt-extended", ROUTES, ...config } });
    const held = (token) => (config.JWT_HEADER_NAME ? { "x-token": token } : bearer(token));
    const at = async (method, path, token) => {
      const answer = await ours.get(path, { method, headers: held(token) });
      return [answer.status, await answer.json()];
    };
    try {
      const mine = await (await ours.logIn()).json();
      const answers = await flask(config, [
        ["GET", "/protected", held(mine.access_token)],
        ["POST", "/fresh", held(mine.access_token)],
        ["POST", "/refresh", held(mine.refresh_token)],
        ["GET", "/protected", held(mine.refresh_token)],
        ["POST", "/refresh", held(mine.access_token)],
        ["POST", "/login", {}],
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200, 422, 422, 200],
      );
      assert.deepEqual(answers[0].body, { logged_in_as: "1", claims: payload(mine.access_token) });
      const theirs = answers[5].body;
      // The same claims in the same order, and the same header to the byte.
      for (const kind of ["access_token", "refresh_token"]) {
        assert.equal(mine[kind].split(".")[0], theirs[kind].split(".")[0]);
        const [one, two] = [payload(mine[kind]), payload(theirs[kind])];
        assert.deepEqual(Object.keys(one), Object.keys(two));
        assert.deepEqual(
          [one.exp - one.iat, one.iss, one.aud, one.fresh],
          [two.exp - two.iat, two.iss, two.aud, two.fresh],
        );
      }
      const renewed = answers[2].body.access_token;
      assert.deepEqual(await at("GET", "/protected", theirs.access_token), [
        200,
        { logged_in_as: "1", username: "user1" },
      ]);
      assert.deepEqual(await at("POST", "/fresh", theirs.access_token), [200, { logged_in_as: "1" }]);
      assert.deepEqual(await at("GET", "/protected", renewed), [200, { logged_in_as: "1", username: "user1" }]);
      assert.deepEqual(await at("POST", "/fresh", renewed), [401, { msg: "Fresh token required" }]);
      assert.equal((await at("POST", "/auth/refresh", theirs.refresh_token))[0], 200);
      // And what both refuse, both refuse in the same words.
      assert.deepEqual(await at("GET", "/protected", theirs.refresh_token), [422, answers[3].body]);
      assert.deepEqual(await at("POST", "/auth/refresh", theirs.access_token), [422, answers[4].body]);
    } finally {
      await ours.close();
    }
  }
});

test("so it is with cookies: the same lines, and each takes the other's with its CSRF value", async () => {
  const strict = {
    JWT_COOKIE_SECURE: true,
    JWT_COOKIE_SAMESITE: "Lax",
    JWT_ACCESS_COOKIE_NAME: "__Host-access",
    JWT_REFRESH_COOKIE_NAME: "__Host-refresh",
  };
  for (const more of [{}, strict]) {
    const config = { JWT_TOKEN_LOCATION: ["cookies"], ...more };
    const ROUTES = [{ path: "/protected", to: "identity", methods: ["GET", "POST"] }];
    const ours = await start({ vars: { TOLLGATE_WIRE: "flask-jwt-extended", ROUTES, ...config } });
    try {
      const mine = (await ours.logIn()).headers.getSetCookie();
      const jar = (lines) => Object.fromEntries(lines.map((line) => line.match(/^([^=]+)=([^;]*)/).slice(1)));
      const sent = (lines, csrf) => ({
        cookie: lines.map((line) => line.split(";")[0]).join("; "),
        ...(csrf && { "x-csrf-token": csrf }),
      });
      const csrf = (lines, kind) => jar(lines)[`csrf_${kind}_token`];
      const answers = await flask(config, [
        ["GET", "/protected", sent(mine)],
        ["POST", "/protected", sent(mine)],
        ["POST", "/protected", sent(mine, csrf(mine, "refresh"))],
        ["POST", "/protected", sent(mine, csrf(mine, "access"))],
        ["POST", "/refresh", sent(mine, csrf(mine, "refresh"))],
        ["POST", "/login", {}],
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 401, 401, 200, 200, 200],
      );
      const theirs = answers[5].cookies;
      const without = (lines) => lines.map((line) => line.replace(/=[^;]*/, "="));
      assert.deepEqual(without(mine), without(theirs));
      const at = async (headers, method = "POST", path = "/protected") => {
        const answer = await ours.get(path, { method, headers });
        return [answer.status, await answer.json()];
      };
      assert.deepEqual(await at(sent(theirs), "GET"), [200, { logged_in_as: "1" }]);
      assert.deepEqual(await at(sent(theirs)), [401, answers[1].body]);
      assert.deepEqual(await at(sent(theirs, csrf(theirs, "refresh"))), [401, answers[2].body]);
      assert.deepEqual(await at(sent(theirs, csrf(theirs, "access"))), [200, { logged_in_as: "1" }]);
      assert.equal((await at(sent(theirs, csrf(theirs, "refresh")), "POST", "/auth/refresh"))[0], 200);
    } finally {
      await ours.close();
    }
  }
});
