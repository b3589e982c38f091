// Proof for the origin: three real servers behind one gate (examples/flask, examples/express, examples/axum-origin)
// verify the gate's assertions, and take no others.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { SignJWT, UnsecuredJWT, decodeProtectedHeader, exportJWK, generateKeyPair } from "jose";
import { unstable_readConfig as readConfig } from "wrangler";
import { mint, origin, payload, raw, root, start } from "./harness.mjs";
import { flaskApp, install } from "./python.mjs";

const GATE = "https://gate.example";
const FLASK = "import sys; sys.path.insert(0, 'examples/flask'); from app import app";
/** The names in ORIGINS, each the first segment of the paths as well. `echo` answers with the fields that it got. */
const APPS = ["shop", "express", "axum"];

/** A pair of keys: `{ jwk, publicJwk, key }`. */
async function newKey(kid) {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const describedBy = async (key) => ({ ...(await exportJWK(key)), kid, alg: "ES256" });
  return {
    key: pair.privateKey,
    jwk: await describedBy(pair.privateKey),
    publicJwk: await describedBy(pair.publicKey),
  };
}

/** A server that prints its address: `{ url, kill() }`. */
async function server(command, args, variables) {
  const process_ = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...variables, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process_.stdout.setEncoding("utf8");
  const [line] = await Promise.race([once(process_.stdout, "data"), once(process_, "exit")]);
  const kill = () => process_.kill();
  return { url: String(line).match(/http:\S+/)?.[0] ?? assert.fail(`${args}: no address, but ${line}`), kill };
}

/** examples/axum-origin, compiled: the path of the program. */
async function compiled() {
  const args = ["build", "--locked", "--quiet", "--package", "example-axum-origin"];
  const format = "--message-format=json-render-diagnostics";
  const { stdout } = await promisify(execFile)("cargo", [...args, format], { cwd: root, maxBuffer: 2 ** 26 });
  const messages = stdout.split("\n").filter((line) => line.startsWith("{"));
  return messages.map((line) => JSON.parse(line)).findLast(({ executable }) => executable).executable;
}

/** A client's token. */
const token = (claims = {}) => mint({ sub: "1", type: "access", fresh: true, jti: crypto.randomUUID(), ...claims });
const bearer = (credential, headers = {}) => ({ headers: { ...headers, authorization: `Bearer ${credential}` } });

const ADMIN = "an operator's secret of more than thirty-two bytes";

describe("origins verify what the gate says", () => {
  const [first, second] = [newKey("a1"), newKey("a2")];
  /** @type {Record<string, { url: string, kill(): unknown }>} */
  const apps = {};
  /** @type {any} */
  let keys, echo, bare, gate, withoutKeys;

  /** A gate before these servers, set up by examples/flask/wrangler.toml, whose first key signs. */
  const startGate = async (servers, ...pairs) => {
    const config = "examples/flask/wrangler.toml";
    const { vars } = readConfig({ config: root + config });
    const [shop] = vars.ORIGINS;
    const others = ["express", "axum", "echo"];
    return start({
      config,
      vars: {
        TOLLGATE_PUBLIC_URL: GATE,
        TOLLGATE_ASSERTION_KEY: { keys: (await Promise.all(pairs)).map(({ jwk }) => jwk) },
        TOLLGATE_ERROR_CODES: true,
        TOLLGATE_ADMIN_SECRET: ADMIN,
        ORIGINS: [{ ...shop, url: servers.shop.url }, ...others.map((name) => ({ name, url: servers[name].url }))],
        ROUTES: [
          ...vars.ROUTES,
          ...others.flatMap((name) => {
            const to = { origin: name, strip: `/${name}` };
            return [
              { path: `/${name}/*`, auth: "required", to },
              { path: `/${name}/health`, auth: "none", to },
            ];
          }),
        ],
      },
    });
  };

  before(async () => {
    // The servers are there before the gate, whose port they can't know.
    keys = await origin(async (request, response) => {
      const answer = await gate.get(request.url);
      response.writeHead(answer.status).end(await answer.text());
    });
    echo = await origin((request, response) => response.end(JSON.stringify(request.headers)));
    const variables = { GATE_URL: GATE, JWKS_URL: `${keys.url}/.well-known/assertion-jwks.json` };
    const [program] = await Promise.all([compiled(), install()]);
    gate = { get: async () => new Response(null, { status: 503 }) };
    const started = await Promise.all([
      flaskApp(FLASK, variables),
      flaskApp(FLASK, { ...variables, PROXY_FIX: "0" }),
      server(process.execPath, ["examples/express/app.mjs"], variables),
      server(program, [], variables),
    ]);
    [apps.shop, bare, apps.express, apps.axum] = started;
    withoutKeys = await Promise.all(APPS.map(async (name) => (await direct(name, "/me", await signed(name))).status));
    gate = await startGate({ ...apps, echo }, first, second);
  });
  after(async () => {
    for (const app of [...Object.values(apps), bare]) app?.kill();
    await gate?.close?.();
    for (const server of [echo, keys]) server?.close();
  });

  /** The assertion that the gate sends to `echo`. */
  const captured = async (path, init) => (await (await gate.get(`/echo/${path}`, init)).json())["x-auth-assertion"];
  /** A server's answer to a request that does not come through the gate. */
  const direct = (name, path, assertion) =>
    fetch(apps[name].url + path, {
      headers: assertion === undefined ? {} : { "x-auth-assertion": assertion },
      redirect: "manual",
    });
  /** Signed as the gate does it, with other claims and header fields: `undefined` takes one away. */
  const signed = async (aud, claims = {}, header = {}, key) => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: GATE, aud, sub: "1", iat: now, exp: now + 60, ...claims })
      .setProtectedHeader({ typ: "tollgate+jwt", alg: "ES256", kid: "a1", ...header })
      .sign(key ?? (await first).key);
  };

  test("servers that could not fetch the keys took nothing, and asked again", () => {
    assert.deepEqual(withoutKeys, [401, 401, 401]);
  });

  test("no private key is published", async () => {
    const answer = await gate.get("/.well-known/assertion-jwks.json");
    const published = (await answer.json()).keys;
    assert.deepEqual(
      published.map(({ kid, x, y, d }) => [kid, x, y, d]),
      (await Promise.all([first, second])).map(({ publicJwk: { kid, x, y } }) => [kid, x, y, undefined]),
    );
  });

  for (const name of APPS) {
    test(`${name}: a good token names the user, through the gate alone`, async () => {
      const answer = await gate.get(`/${name}/me`, bearer(await token()));
      assert.deepEqual([answer.status, (await answer.json()).user], [200, "1"]);
      assert.equal((await gate.get(`/${name}/me`)).status, 401);
      for (const path of ["/me", "/health", "/elsewhere"]) assert.equal((await direct(name, path)).status, 401, path);
    });

    test(`${name}: a request without a user has an assertion without sub`, async () => {
      const through = await gate.get(`/${name}/health`);
      assert.deepEqual([through.status, await through.json()], [200, { ok: true, user: null }]);
      const anonymous = await signed(name, { sub: undefined });
      assert.deepEqual(await (await direct(name, "/health", anonymous)).json(), { ok: true, user: null });
      assert.equal((await direct(name, "/me", anonymous)).status, 401);
    });

    test(`${name}: no other assertion is taken`, async () => {
      const good = await signed(name);
      const secret = new TextEncoder().encode(JSON.stringify((await first).publicJwk));
      const now = Math.floor(Date.now() / 1000);
      const other = await newKey("a1");
      const unsecured = new UnsecuredJWT({ iss: GATE, aud: name, sub: "1", exp: now + 60 }).encode();
      const cases = {
        "the gate's, for another origin": await captured("x", bearer(await token())),
        "for another origin": await signed("echo"),
        "without aud": await signed(name, { aud: undefined }),
        "expired": await signed(name, { iat: now - 70, exp: now - 10 }),
        "without exp": await signed(name, { exp: undefined }),
        "of another gate": await signed(name, { iss: "https://gate.example.com" }),
        "without iss": await signed(name, { iss: undefined }),
        "typ JWT": await signed(name, {}, { typ: "JWT" }),
        "typ at+jwt": await signed(name, {}, { typ: "at+jwt" }),
        "without typ": await signed(name, {}, { typ: undefined }),
        "of another key": await signed(name, {}, {}, other.key),
        "of another key, unknown": await signed(name, {}, { kid: "b1" }, other.key),
        "under the id of another key": await signed(name, {}, { kid: "a2" }),
        "without kid": await signed(name, {}, { kid: undefined }),
        "keyed with the public key": await signed(name, {}, { alg: "HS256" }, secret),
        "alg none": unsecured,
        "alg none, with the header of a good one": `${good.split(".")[0]}.${unsecured.split(".")[1]}.`,
        "a changed signature": good.slice(0, -8) + (good.endsWith("AAAAAAAA") ? "BBBBBBBB" : "AAAAAAAA"),
        "two": `${good}, ${good}`,
        "the client's own token": await token(),
        "none": "",
        "junk": "a.b.c",
      };
      for (const [what, assertion] of Object.entries(cases)) {
        for (const path of ["/me", "/health"])
          assert.equal((await direct(name, path, assertion)).status, 401, `${what} ${path}`);
      }
      const taken = await direct(name, "/me", good);
      assert.deepEqual([taken.status, (await taken.json()).user], [200, "1"]);
    });

    test(`${name}: a client's own assertion does not get through the gate, in whatever spelling`, async () => {
      const own = await signed(name, { sub: "2" });
      for (const field of ["X-Auth-Assertion", "x_auth_assertion", "X-Auth_Assertion", "X.Auth.Assertion"]) {
        const open = await raw(gate, `/${name}/health`, { headers: [field, own] });
        assert.deepEqual([open.status, JSON.parse(open.body)], [200, { ok: true, user: null }], field);
        const headers = [field, own, "Authorization", `Bearer ${await token()}`];
        const closed = await raw(gate, `/${name}/me`, { headers });
        assert.deepEqual([closed.status, JSON.parse(closed.body).user], [200, "1"], field);
        assert.equal((await raw(gate, `/${name}/me`, { headers: [field, own] })).status, 401, field);
      }
    });
  }

  test("one token at all servers in turn: each time an assertion for that server", async () => {
    const [mine, theirs] = [await token(), await token({ sub: "2" })];
    for (let round = 0; round < 5; round++) {
      for (const name of APPS) {
        for (const [credential, user] of [
          [mine, "1"],
          [theirs, "2"],
        ]) {
          assert.equal((await (await gate.get(`/${name}/me`, bearer(credential))).json()).user, user);
          const open = await (await gate.get(`/${name}/health`, bearer(credential))).json();
          assert.deepEqual(open, { ok: true, user: null });
        }
      }
    }
  });

  test("the gate refuses an assertion as a token", async () => {
    const good = await captured("x", bearer(await token()));
    assert.equal(payload(good).sub, "1");
    for (const assertion of [good, await captured("health"), await signed("echo")]) {
      for (const path of ["/shop/me", "/echo/x", "/shop/admin/", "/auth/me"]) {
        const answer = await gate.get(path, bearer(assertion));
        assert.ok([401, 422].includes(answer.status), `${path}: ${answer.status}`);
        assert.equal(answer.headers.get("x-auth-error"), "token_assertion", path);
      }
      const refresh = await gate.get("/auth/refresh", { method: "POST", ...bearer(assertion) });
      assert.ok([401, 422].includes(refresh.status), `${refresh.status}`);
    }
  });

  test("a role that a token has and another has not", async () => {
    const admin = await gate.get("/shop/admin/", bearer(await token({ role: "admin" })));
    assert.deepEqual([admin.status, await admin.json()], [200, { admin: "1" }]);
    for (const role of ["baker", ["admin"], undefined]) {
      const answer = await gate.get("/shop/admin/", bearer(await token({ role })));
      assert.deepEqual(
        [answer.status, answer.headers.get("x-auth-error")],
        [403, "insufficient_permissions"],
        `${role}`,
      );
    }
    assert.equal((await gate.get("/shop/admin/", bearer(await token({ role: "admin", sub: "3" })))).status, 401);
    assert.equal(
      (await direct("shop", "/admin/", await signed("shop", { role: "admin", sub: undefined }))).status,
      401,
    );
    // Without the slash it could be the rule of /shop/*, and the application would redirect to the other.
    assert.equal((await gate.get("/shop/admin", bearer(await token({ role: "admin" })))).status, 400);
  });

  test("an operator makes a user an admin, and their session goes on", async () => {
    const profile = { v: 1, id: 2, name: "user2", status: "active", attributes: { role: "user" } };
    await gate.kv.put("user:2", JSON.stringify(profile));
    const { access_token, refresh_token } = await (await gate.logIn("user2")).json();
    const admin = async (token) => {
      const answer = await gate.get("/shop/admin/", bearer(token));
      return [answer.status, answer.headers.get("x-auth-error") ?? (await answer.json()).admin];
    };
    assert.deepEqual(await admin(access_token), [403, "insufficient_permissions"]);
    const order = { do: "set-attributes", user: 2, profile, set: { role: "admin" }, without: [] };
    const changed = await gate.get("/auth/admin", {
      method: "POST",
      body: JSON.stringify(order),
      ...bearer(ADMIN, { "content-type": "application/json" }),
    });
    assert.equal(changed.status, 200);
    // The rule is strict: the old role is refused at once.
    assert.deepEqual(await admin(access_token), [401, "claims_outdated"]);
    const refreshed = await gate.get("/auth/refresh", { method: "POST", ...bearer(refresh_token) });
    assert.deepEqual(await admin((await refreshed.json()).access_token), [200, "2"]);
  });

  /** What the paths of Flask's redirects and cookies are for clients of a gate; its links are those of its pages. */
  const checkFlask = async (through, links) => {
    const credential = await token();
    const get = (path, headers) => through.get(path, bearer(credential, headers));
    for (const [path, to] of [
      ["/shop/orders", "/shop/orders/"],
      ["/shop/orders?page=/2", "/shop/orders/?page=/2"],
      ["/shop/latest", "/shop/orders/1"],
    ]) {
      const moved = await get(path);
      const location = new URL(moved.headers.get("location"), GATE + path).href;
      assert.deepEqual([[302, 308].includes(moved.status), location], [true, GATE + to], path);
    }
    const [cookie] = (await get("/shop/orders/2")).headers.getSetCookie();
    assert.match(cookie, /^session=[^;]+; HttpOnly; Path=\/shop$/);
    const page = await (await get("/shop/orders/", { cookie: cookie.split(";")[0] })).text();
    assert.match(page, /<h1>Orders of 1<\/h1>/);
    assert.match(page, /Last seen: 2\./);
    const hrefs = [...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href);
    assert.deepEqual(hrefs, links);
  };

  test("Flask with ProxyFix: redirects, links and the session's cookie have the gate's path once", async () => {
    await checkFlask(gate, ["/shop/orders/1", "/shop/orders/2", `${GATE}/shop/me`]);
    const forged = { "cf-connecting-ip": "192.0.2.5", "x-forwarded-prefix": "/x", "x-forwarded-for": "203.0.113.1" };
    const seen = await (await gate.get("/shop/me", bearer(await token(), forged))).json();
    assert.deepEqual([seen.user, seen.address, seen.url], ["1", "192.0.2.5", `${GATE}/shop/me`]);
  });

  test("without ProxyFix the gate changes redirects and cookies, but no page; the next key may sign", async () => {
    const next = await startGate({ ...apps, shop: bare, echo }, second, first);
    try {
      await checkFlask(next, ["/orders/1", "/orders/2", `${bare.url}/me`]);
      const credential = await token();
      const assertion = (await (await next.get("/echo/x", bearer(credential))).json())["x-auth-assertion"];
      assert.equal(decodeProtectedHeader(assertion).kid, "a2");
      for (const name of APPS) {
        const answer = await next.get(`/${name}/me`, bearer(credential));
        assert.deepEqual([answer.status, (await answer.json()).user], [200, "1"], name);
      }
    } finally {
      await next.close();
    }
  });
});

test("docs/gateway.md shows the checks of the examples", async () => {
  const page = await readFile(`${root}docs/gateway.md`, "utf8");
  const section = page.slice(page.indexOf("\n## Proof for the origin\n"));
  for (const [language, file] of [
    ["python", "examples/flask/app.py"],
    ["js", "examples/express/app.mjs"],
    ["rust", "examples/axum-origin/src/main.rs"],
  ]) {
    const program = await readFile(root + file, "utf8");
    const check = program.match(/^(?:#|\/\/) docs\/gateway\.md: begin\n(.*?)^(?:#|\/\/) docs\/gateway\.md: end$/ms)[1];
    const shown = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, word]) => word === language);
    assert.deepEqual(
      shown.map(([, , text]) => text),
      [check],
      `${file}: copy what stands between its marks into docs/gateway.md`,
    );
  }
});
