// Several origins: which of them gets a request, at which path, with which fields, and what comes back. Proxies before
// the gate, and tokens in the subprotocols of a WebSocket.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRemoteJWKSet, generateKeyPair, exportJWK, jwtVerify } from "jose";
import { WebSocket as ws, WebSocketServer } from "ws";
import { bearing, mint, origin, raw, start, until } from "./harness.mjs";

/** An origin that answers with what it got, and with what the query asks for. */
const echo = (name) =>
  origin((request, answer) => {
    const { searchParams } = new URL(request.url, "http://echo");
    for (const [field, value] of searchParams) if (field !== "status") answer.appendHeader(field, value);
    answer.statusCode = Number(searchParams.get("status") ?? 200);
    answer.end(JSON.stringify({ name, url: request.url, headers: request.headers }));
  });

/** A worker that does the same, reached through a service binding. */
const WORKER = `export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const headers = new Headers();
    for (const [field, value] of searchParams) if (field !== "status") headers.append(field, value);
    const got = { name: "service", url: request.url, headers: Object.fromEntries(request.headers) };
    return new Response(JSON.stringify(got), { status: Number(searchParams.get("status") ?? 200), headers });
  },
};`;

describe("several origins", () => {
  let app, orders, open, gate, token;
  before(async () => {
    [app, orders, open] = [await echo("app"), await echo("orders"), await echo("open")];
    gate = await start({
      services: { ORDERS_WORKER: WORKER, WHOLE_WORKER: WORKER },
      vars: {
        ORIGIN: app.url,
        ORIGINS: [
          {
            name: "orders",
            url: orders.url,
            prefix: "/v2",
            timeout: "1s",
            headers: { "X-Gate-Key": { secret: "ORIGIN_ORDERS_KEY" }, "X-Env": "test" },
          },
          { name: "svc", service: "ORDERS_WORKER" },
          { name: "named", service: "ORDERS_WORKER", url: "https://orders.internal/base" },
          { name: "open", url: open.url, headers: { "X-Open": "yes" } },
          { name: "whole", service: "WHOLE_WORKER", host: "client" },
          { name: "away", url: "http://127.0.0.1:1" },
        ],
        ORIGIN_ORDERS_KEY: "the key of orders",
        ROUTES: [
          { path: "/app/*", to: "origin", methods: ["*"] },
          { path: "/orders/*", to: { origin: "orders", strip: "/orders" }, methods: ["*"] },
          { path: "/orders", to: { origin: "orders", strip: "/orders" } },
          { path: "/plain/*", to: "open", auth: "none" },
          { path: "/svc/*", to: { origin: "svc", strip: "/svc" }, methods: ["*"] },
          { path: "/whole/*", to: "whole", auth: "none" },
          { path: "/named/*", to: { origin: "named", strip: "/named" } },
          { path: "/away/*", to: "away" },
        ],
      },
    });
    token = await gate.token();
  });
  after(async () => {
    await gate.close();
    for (const server of [app, orders, open]) server.close();
  });
  const got = async (path, headers = []) =>
    JSON.parse((await raw(gate, path, { headers: ["Authorization", `JWT ${token}`, ...headers] })).body);

  test("each request reaches the origin of its rule, at its path", async () => {
    // Three times: from the second on the token is remembered, from the third on the decision is replayed.
    for (let use = 0; use < 4; use++) {
      for (const [path, name, url] of [
        ["/app/x?a=/b", "app", "/app/x?a=/b"],
        ["/orders/7?a=/b", "orders", "/v2/7?a=/b"],
        ["/orders/", "orders", "/v2/"],
        ["/orders", "orders", "/v2/"],
        ["/orders?page=/2", "orders", "/v2/?page=/2"],
        ["/%6frders/7", "orders", "/v2/7"],
        ["/plain/x", "open", "/plain/x"],
        ["/svc/x/", "service", `${gate.url.origin}/x/`],
        ["/whole/x", "service", `${gate.url.origin}/whole/x`],
        ["/named/x", "service", "https://orders.internal/base/x"],
      ]) {
        const seen = await got(path);
        assert.deepEqual([seen.name, seen.url], [name, url], path);
        const strip = path.match(/^\/(orders|svc|named)\b/i)?.[0] ?? (path.startsWith("/%6f") ? "/orders" : undefined);
        assert.equal(seen.headers["x-forwarded-prefix"], strip, path);
        assert.equal(seen.headers["x-auth-subject"], /plain|whole/.test(path) ? undefined : "1", path);
      }
    }
  });

  test("an origin has its own fields; no client sets them, and no other origin gets them", async () => {
    const forged = ["X-Gate-Key", "forged", "x_gate_key", "forged", "X.Env", "forged", "X-Forwarded-Prefix", "/forged"];
    for (let use = 0; use < 3; use++) {
      const { headers } = await got("/orders/x", forged);
      assert.deepEqual([headers["x-gate-key"], headers["x-env"]], ["the key of orders", "test"]);
      assert.ok(!JSON.stringify(headers).includes("forged"));
      assert.equal((await got("/plain/x", forged)).headers["x-open"], "yes");
      for (const path of ["/app/x", "/svc/x", "/plain/x", "/whole/x"]) {
        const { headers } = await got(path, forged);
        assert.ok(!/forged|the key of orders/.test(JSON.stringify(headers)), path);
      }
    }
    assert.ok(!gate.output().includes("the key of orders"));
  });

  test("what was taken off a path comes back in Location and in the paths of cookies", async () => {
    const answer = async (path, query) => {
      const text = new URLSearchParams(query).toString();
      return raw(gate, `${path}?${text}`, { headers: ["Authorization", `JWT ${token}`] });
    };
    for (let use = 0; use < 3; use++) {
      for (const [path, location, moved] of [
        ["/orders/x", "/v2/y?a=b", "/orders/y?a=b"],
        ["/orders/x", `${orders.url}/v2/y`, `${gate.url.origin}/orders/y`],
        ["/orders/x", "/other/y", "/other/y"],
        ["/orders/x", "https://elsewhere.example/v2/y", "https://elsewhere.example/v2/y"],
        ["/svc/x", "/y/", "/svc/y/"],
        ["/svc/x", "/svc/y", "/svc/y"],
        ["/svc/x", `${gate.url.origin}/y`, `${gate.url.origin}/svc/y`],
        ["/named/x", "https://orders.internal/base/y", `${gate.url.origin}/named/y`],
        ["/app/x", "/y", "/y"],
      ]) {
        const { status, headers } = await answer(path, { status: "303", location });
        assert.deepEqual([status, headers.location], [303, moved], `${path} ${location}`);
      }
      for (const [path, cookie, moved] of [
        ["/orders/x", "a=1; Path=/v2/y; HttpOnly", "a=1; Path=/orders/y; HttpOnly"],
        ["/orders/x", "a=1; Path=/", "a=1; Path=/orders"],
        ["/svc/x", "a=1; Path=/y", "a=1; Path=/svc/y"],
        ["/svc/x", "__Host-a=1; Path=/; Secure", "__Host-a=1; Path=/; Secure"],
        ["/app/x", "a=1; Path=/y", "a=1; Path=/y"],
      ]) {
        const { headers } = await answer(path, { "set-cookie": cookie });
        assert.deepEqual(headers["set-cookie"], [moved], `${path} ${cookie}`);
      }
      const two = await raw(gate, "/svc/x?set-cookie=a%3D1;Path%3D/&set-cookie=b%3D2;Path%3D/z", {
        headers: ["Authorization", `JWT ${token}`],
      });
      assert.deepEqual(two.headers["set-cookie"], ["a=1;Path=/svc", "b=2;Path=/svc/z"]);
    }
  });

  test("an origin that is away is 502, one that is late 504 after its own time", async () => {
    assert.equal((await gate.get("/away/x", bearing(token))).status, 502);
    const slow = await origin(() => {});
    const other = await start({
      vars: {
        ORIGIN: app.url,
        ORIGINS: [{ name: "slow", url: slow.url, timeout: "0.3s" }],
        ROUTES: [{ path: "/slow/*", to: "slow", auth: "none" }],
      },
    });
    try {
      assert.equal((await other.get("/slow/x")).status, 504);
    } finally {
      await other.close();
      slow.close();
    }
  });

  test("a body and a method reach a service as they are", async () => {
    const answer = await gate.get("/svc/x", bearing(token, { method: "POST", body: "a body" }));
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).headers["content-length"], "6");
  });
});

test("each origin gets an assertion for itself, which the gate refuses as a token", async () => {
  const [app, orders] = [await echo("app"), await echo("orders")];
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: "a1", alg: "EdDSA" };
  const gate = await start({
    vars: {
      ORIGIN: app.url,
      ORIGINS: [{ name: "orders", url: orders.url }],
      TOLLGATE_ASSERTION_KEY: JSON.stringify(key),
      TOLLGATE_ASSERTION_CLAIMS: ["role"],
      TOLLGATE_PUBLIC_URL: "https://gate.example",
      ROUTES: [
        { path: "/app/*", to: "origin" },
        { path: "/orders/*", to: "orders" },
        { path: "/open/*", to: "orders", auth: "none" },
      ],
    },
  });
  try {
    const keys = createRemoteJWKSet(new URL("/.well-known/assertion-jwks.json", gate.url));
    const token = await mint({ identity: 1, role: "admin", secret: "not chosen" });
    const seen = new Map();
    for (let use = 0; use < 4; use++) {
      for (const [path, audience] of [
        ["/app/1", "origin"],
        ["/orders/1", "orders"],
        ["/orders/2", "orders"],
        ["/open/1", "orders"],
      ]) {
        const headers = ["Authorization", `JWT ${token}`, "X-Auth-Assertion", "forged", "X_Auth_Assertion", "forged"];
        const got = JSON.parse((await raw(gate, path, { headers })).body).headers;
        assert.ok(!JSON.stringify(got).includes("forged"));
        const assertion = got["x-auth-assertion"];
        const options = { audience, issuer: "https://gate.example", typ: "tollgate+jwt", algorithms: ["EdDSA"] };
        const { payload } = await jwtVerify(assertion, keys, options);
        const { iat, exp, iss: _, aud: __, ...rest } = payload;
        assert.equal(exp - iat, 60);
        assert.deepEqual(rest, path === "/open/1" ? {} : { sub: "1", role: "admin" }, path);
        seen.set(`${audience} ${rest.sub}`, [...(seen.get(`${audience} ${rest.sub}`) ?? []), assertion]);
      }
    }
    // The first use of a token is not remembered yet; all later ones have the same assertion.
    for (const [what, all] of seen) assert.ok(new Set(all.slice(1)).size === 1, what);
    for (const [wire, text] of [
      ["flask-jwt", "Signature verification failed"],
      ["flask-jwt-extended", "Signature verification failed"],
    ]) {
      const other = await start({
        sessions: false,
        vars: {
          TOLLGATE_WIRE: wire,
          ORIGIN: app.url,
          // The very key, in the ring of another gate.
          JWT_KEYS: JSON.stringify({ keys: [key] }),
          ROUTES: [{ path: "/x", to: "identity" }],
        },
        secret: "",
      });
      try {
        const [[assertion]] = seen.values();
        const scheme = wire === "flask-jwt" ? "JWT" : "Bearer";
        const answer = await other.get("/x", { headers: { authorization: `${scheme} ${assertion}` } });
        assert.ok([401, 422].includes(answer.status));
        assert.match(await answer.text(), new RegExp(text));
      } finally {
        await other.close();
      }
    }
  } finally {
    await gate.close();
    app.close();
    orders.close();
  }
});

test("a trusted proxy's X-Forwarded-For goes on, anybody else's is replaced", async () => {
  const app = await echo("app");
  const gate = await start({
    vars: {
      ORIGIN: app.url,
      TOLLGATE_TRUSTED_PROXIES: ["192.0.2.0/24"],
      TOLLGATE_FORWARDED: true,
      TOLLGATE_PUBLIC_URL: "https://gate.example",
      ROUTES: [{ path: "/*", to: "origin" }],
    },
  });
  try {
    const token = await gate.token();
    for (let use = 0; use < 3; use++) {
      for (const [address, sent, forwardedFor, forwarded] of [
        ["192.0.2.9", "203.0.113.5", "203.0.113.5, 192.0.2.9", "for=203.0.113.5, for=192.0.2.9"],
        ["203.0.113.5", "198.51.100.1", "203.0.113.5", "for=203.0.113.5"],
      ]) {
        const headers = ["Authorization", `JWT ${token}`, "CF-Connecting-IP", address];
        headers.push("X-Forwarded-For", sent, "Forwarded", `for=${sent}`, "X-Real-IP", sent);
        const got = JSON.parse((await raw(gate, "/x", { headers })).body).headers;
        assert.equal(got["x-forwarded-for"], forwardedFor);
        assert.equal(got.forwarded, `${forwarded};host="gate.example";proto=https`);
        assert.equal(got["x-real-ip"], undefined);
      }
    }
  } finally {
    await gate.close();
    app.close();
  }
});

test("a foreign page's handshake with a token of its own has no cookies at the origin", async () => {
  const app = await origin((_, answer) => answer.writeHead(404).end());
  const seen = [];
  const sockets = new WebSocketServer({ server: app.server, handleProtocols: (all) => [...all][0] ?? false });
  sockets.on("connection", (_, request) => seen.push(request.headers));
  const gate = await start({
    vars: {
      TOLLGATE_WIRE: "flask-jwt-extended",
      JWT_TOKEN_LOCATION: ["headers", "cookies"],
      ORIGIN: app.url,
      TOLLGATE_WEBSOCKET_PROTOCOL: "bearer",
      ROUTES: [
        { path: "/live", to: "origin" },
        { path: "/maybe", to: "origin", auth: "optional", invalid: "anonymous" },
      ],
    },
  });
  try {
    const token = await gate.token();
    const cookie = `access_token_cookie=${token}; session=of-the-victim`;
    const own = gate.url.origin;
    const open = (path, page, protocols) =>
      new Promise((resolve) => {
        const headers = { Origin: page, Cookie: cookie };
        const socket = new ws(`${own.replace("http", "ws")}${path}`, protocols, { headers });
        socket.on("open", () => resolve(101) ?? socket.close());
        socket.on("unexpected-response", (_, { statusCode }) => resolve(statusCode) ?? socket.terminate());
        socket.on("error", () => resolve("error"));
      });
    const foreign = "https://evil.example";
    assert.equal(await open("/live", foreign, []), 403);
    assert.equal(await open("/live", foreign, ["bearer", token]), 101);
    assert.equal(await open("/maybe", foreign, ["bearer", "x"]), 101);
    assert.equal(await open("/live", own, ["bearer", token]), 101);
    await until(() => seen.length === 3);
    assert.deepEqual(
      seen.map((headers) => [headers["x-auth-subject"], headers.cookie]),
      [
        ["1", undefined],
        [undefined, undefined],
        ["1", cookie],
      ],
    );
    // Not a handshake, with a token in the header too: the field does not go on.
    seen.length = 0;
    const got = await raw(gate, "/live", {
      headers: ["Authorization", `Bearer ${token}`, "Sec-WebSocket-Protocol", `bearer, ${token}`],
    });
    assert.equal(got.status, 404);
  } finally {
    await gate.close();
    sockets.close();
    app.close();
  }
});

test("a binding that can't fetch is refused as a service", async () => {
  for (const service of ["USERS", "toString", "ORIGIN", "NOTHING"]) {
    const gate = await start({ vars: { ORIGINS: [{ name: "a", service }], ROUTES: [{ path: "/a", to: "a" }] } });
    try {
      assert.equal((await gate.get("/a")).status, 500);
      assert.ok(gate.output().includes(`no binding`), service);
    } finally {
      await gate.close();
    }
  }
});

test("a browser's WebSocket has its token in a subprotocol, which the origin does not get", async () => {
  const app = await origin((_, answer) => answer.writeHead(404).end());
  const offered = [];
  let chooses = (/** @type {Set<string>} */ protocols) => [...protocols][0] ?? false;
  const sockets = new WebSocketServer({ server: app.server, handleProtocols: (all) => chooses(all) });
  sockets.on("connection", (socket, request) => {
    offered.push([request.headers["sec-websocket-protocol"], request.headers["x-auth-subject"]]);
    socket.send("hello");
  });
  for (const wire of ["flask-jwt", "flask-jwt-extended"]) {
    const gate = await start({
      vars: {
        TOLLGATE_WIRE: wire,
        ORIGIN: app.url,
        TOLLGATE_WEBSOCKET_PROTOCOL: "bearer",
        ROUTES: [{ path: "/live", to: "origin" }],
      },
    });
    try {
      const token = await gate.token();
      /** Node's is the browsers' WebSocket: it ends a handshake whose answer chooses no subprotocol. */
      const open = async (protocols) => {
        const socket = new WebSocket(`${gate.url.origin.replace("http", "ws")}/live`, protocols);
        const outcome = await new Promise((resolve) => {
          socket.addEventListener("message", ({ data }) => resolve([data, socket.protocol]));
          socket.addEventListener("error", () => resolve(undefined));
        });
        socket.close();
        return outcome;
      };
      assert.deepEqual(await open(["bearer", token]), ["hello", "bearer"], wire);
      assert.deepEqual(await open(["chat.v1", "bearer", token, "chat.v2"]), ["hello", "chat.v1"], wire);
      chooses = () => false;
      assert.deepEqual(await open(["chat.v1", "bearer", token]), ["hello", "bearer"], wire);
      chooses = (protocols) => [...protocols][0] ?? false;
      assert.equal(await open(["bearer", `${token}x`]), undefined, wire);
      assert.equal(await open(["chat.v1", token]), undefined, wire);
      await until(() => offered.length === 3);
      assert.deepEqual(offered.splice(0), [
        [undefined, "1"],
        ["chat.v1, chat.v2", "1"],
        ["chat.v1", "1"],
      ]);
      assert.ok(!gate.output().includes(token));
    } finally {
      await gate.close();
    }
  }
  sockets.close();
  app.close();
});
