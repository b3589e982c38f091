// What an origin learns about the client, what comes back from it, and connections that outlive a token.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer as createTcpServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { FAULTY, bearing, mint, origin, raw, start, until } from "./harness.mjs";
import { flaskApp, install } from "./python.mjs";

const EXTENDED = { TOLLGATE_WIRE: "flask-jwt-extended", JWT_TOKEN_LOCATION: ["headers", "cookies"] };
const ROUTES = [
  { path: "/api/*", to: "origin", methods: ["*"] },
  { path: "/open/*", to: "origin", methods: ["*"], auth: "none" },
];

describe("what the origin learns", () => {
  let app, gate, token;
  before(async () => {
    app = await origin((request, answer) => answer.end(JSON.stringify(request.headers)));
    gate = await start({ vars: { ORIGIN: app.url, ROUTES } });
    token = await gate.token();
  });
  after(async () => {
    await gate.close();
    app.close();
  });

  const seen = async (path, headers, through = gate) =>
    JSON.parse((await raw(through, path, { headers: ["Authorization", `JWT ${token}`, ...headers] })).body);
  const FORGED = [
    "CF_Connecting_IP",
    "cf.connecting-ip",
    "CF_IPCountry",
    "Remote-Groups",
    "Proxy",
    "Script-Name",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-User",
    "X-Forwarded-Prefix",
    "X_Forwarded_For",
    "x-forwarded.host",
    "Forwarded",
    "X-Real-IP",
    "X_Real_IP",
    "True-Client-IP",
    "X-Client-IP",
    "Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Original-URI",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X_HTTP_Method_Override",
    "Remote-User",
    "Remote_User",
    "X-Remote-User",
    "X-Original-Host",
    "X-Host",
    "X-Forwarded-Client-Cert",
    "X-SSL-Client-Verify",
  ];

  test("claims in fields of their own, which no client can set", async () => {
    const claims = { "X-User-Role": "role", "X-Org": "org.id", "X-Groups": "groups" };
    const other = await start({ vars: { ORIGIN: app.url, ROUTES, TOLLGATE_CLAIM_HEADERS: claims } });
    try {
      const forged = ["x-user-role", "root", "X_User_Role", "root", "x.org", "root", "X-Groups", "root"];
      const fields = (headers) =>
        Object.fromEntries(Object.entries(headers).filter(([name]) => /^x.(user|org|groups)/.test(name)));
      const good = await mint({ identity: 1, role: "site admin", org: { id: 7 }, groups: ["a", "b,c"] });
      const plain = await mint({ identity: 1 });
      // Three times: from the second on the token is remembered, and the fields with it.
      for (const _ of [1, 2, 3]) {
        const ask = async (path, authorization) =>
          fields(JSON.parse((await raw(other, path, { headers: ["Authorization", authorization, ...forged] })).body));
        assert.deepEqual(await ask("/api/x", `JWT ${good}`), {
          "x-user-role": "site admin",
          "x-org": "7",
          "x-groups": "a,b%2Cc",
        });
        assert.deepEqual(await ask("/api/x", `JWT ${plain}`), {});
        assert.deepEqual(await ask("/open/x", `JWT ${good}`), {});
      }
    } finally {
      await other.close();
    }
  });

  test("one token from two addresses: each request has its own, and the client's claims are dropped", async () => {
    for (let use = 0; use < 4; use++) {
      for (const address of ["192.0.2.1", "2001:db8::7"]) {
        const got = await seen("/api/orders", [
          "CF-Connecting-IP",
          address,
          ...FORGED.flatMap((name) => [name, "forged"]),
        ]);
        assert.ok(!JSON.stringify(got).includes("forged"), JSON.stringify(got));
        assert.deepEqual(
          [got["x-forwarded-for"], got["x-forwarded-host"], got["x-forwarded-proto"]],
          [address, gate.url.host, "http"],
        );
      }
      // What the runtime does not know is not said.
      assert.equal((await seen("/api/orders", ["X-Forwarded-For", "forged"]))["x-forwarded-for"], undefined);
    }
  });

  test("on an open rule too", async () => {
    const got = await seen("/open/x", ["CF-Connecting-IP", "192.0.2.1", ...FORGED.flatMap((name) => [name, "forged"])]);
    assert.ok(!JSON.stringify(got).includes("forged"));
    assert.equal(got["x-forwarded-for"], "192.0.2.1");
  });

  test("an option keeps what is named, and names the gate", async () => {
    const vars = {
      ORIGIN: app.url,
      ROUTES,
      TOLLGATE_KEEP_HEADERS: ["X-HTTP-Method-Override", "x-forwarded-for"],
      TOLLGATE_PUBLIC_URL: "https://gate.example",
    };
    const other = await start({ vars, users: false });
    try {
      for (let use = 0; use < 3; use++) {
        const got = await seen(
          "/api/x",
          [
            "CF-Connecting-IP",
            "192.0.2.1",
            "X-HTTP-Method-Override",
            "PUT",
            "X-Forwarded-For",
            "kept",
            "X-Real-IP",
            "forged",
          ],
          other,
        );
        assert.deepEqual(
          [
            got["x-http-method-override"],
            got["x-forwarded-for"],
            got["x-forwarded-host"],
            got["x-forwarded-proto"],
            got["x-real-ip"],
          ],
          ["PUT", "kept", "gate.example", "https", undefined],
        );
      }
    } finally {
      await other.close();
    }
  });
});

test("a Location at the origin's own address leads through the gate", async (t) => {
  let location,
    status = 302;
  const app = await origin((_request, answer) =>
    answer.writeHead(status, { location, "content-location": location }).end(),
  );
  t.after(() => app.close());
  const host = new URL(app.url).host;
  /** @type {[base: string, site: string | undefined, cases: [string, (own: string) => string][]][]} */
  const sites = [
    [
      "",
      undefined,
      [
        [`${app.url}/api/orders/?a=1#b`, (own) => `${own}/api/orders/?a=1#b`],
        [`https://${host}/x`, (own) => `${own}/x`],
        [`ht\ttp://${host}/x`, (own) => `${own}/x`],
        [`/\t/${host}/x`, (own) => `${own}/x`],
        [`//${host}/x`, (own) => `${own}/x`],
        [`HTTP://${host}`, (own) => `${own}/`],
        ["/api/orders/", () => "/api/orders/"],
        ["orders/", () => "orders/"],
        ["https://elsewhere.example/x", () => "https://elsewhere.example/x"],
        [`https://user@${host}.evil.example/`, () => `https://user@${host}.evil.example/`],
        ["http://127.0.0.1:1/x", () => "http://127.0.0.1:1/x"],
        ["mailto:a@b", () => "mailto:a@b"],
        ["http://[", () => "http://["],
      ],
    ],
    [
      "/app",
      "https://gate.example",
      [
        [`${app.url}/app/x`, () => "https://gate.example/x"],
        ["/app/x?y", () => "/x?y"],
        ["/app", () => "/"],
        ["/app//evil.example/x", () => "https://gate.example//evil.example/x"],
        [`${app.url}/app//evil.example`, () => "https://gate.example//evil.example"],
        [`${app.url}/other`, () => `${app.url}/other`],
        ["/apple", () => "/apple"],
      ],
    ],
  ];
  for (const [base, site, cases] of sites) {
    const gate = await start({ vars: { ORIGIN: app.url + base, ROUTES, ...(site && { TOLLGATE_PUBLIC_URL: site }) } });
    try {
      const token = await gate.token();
      for (const [from, to] of cases) {
        location = from;
        for (const [code, path] of /** @type {[number, string][]} */ ([
          [302, "/api/a"],
          [302, "/api/a"],
          [201, "/api/b"],
          [308, "/open/c"],
        ])) {
          status = code;
          const answer = await raw(gate, path, { headers: ["Authorization", `JWT ${token}`] });
          assert.deepEqual(
            [answer.status, answer.headers.location, answer.headers["content-location"]],
            [code, to(gate.url.origin), to(gate.url.origin)],
            from,
          );
        }
      }
      status = 200;
      location = `${app.url}${base}/x`;
      assert.equal((await raw(gate, "/open/x")).headers.location, location, "no redirect");
    } finally {
      await gate.close();
    }
  }
});

test("a real Flask application's own redirects and URLs stay at the gate", async (t) => {
  await install();
  const flask = await flaskApp(`
from flask import Flask, request, redirect, url_for
app = Flask(__name__)
@app.get("/api/orders/")
def orders(): return {"remote": request.headers.get("X-Forwarded-For"), "host": request.headers.get("X-Forwarded-Host")}
@app.get("/api/old")
def old(): return redirect(url_for("orders", _external=True))
`);
  t.after(() => flask.kill());
  const gate = await start({ vars: { ORIGIN: flask.url, ROUTES } });
  t.after(() => gate.close());
  const token = await gate.token();
  for (const path of ["/api/orders", "/api/old"]) {
    const moved = await gate.get(path, bearing(token));
    assert.ok([301, 302, 308].includes(moved.status), `${moved.status}`);
    const to = new URL(moved.headers.get("location"), gate.url);
    assert.equal(to.origin, gate.url.origin);
    assert.deepEqual(await (await fetch(to, bearing(token, { headers: { "cf-connecting-ip": "192.0.2.5" } }))).json(), {
      remote: "192.0.2.5",
      host: gate.url.host,
    });
  }
});

describe("nothing that ordinary code can throw resets the instance", () => {
  let app, gate, token, status;
  before(async () => {
    // Statuses that HTTP libraries don't let an origin send.
    app = createTcpServer((socket) =>
      socket
        .on("error", () => {})
        .on("data", () => {
          socket.end(
            `HTTP/1.1 ${status} Odd\r\nContent-Length: 1\r\nCache-Control: public\r\nConnection: close\r\n\r\nx`,
          );
        }),
    ).listen(0, "127.0.0.1");
    await once(app, "listening");
    const vars = {
      ...EXTENDED,
      ORIGIN: `http://127.0.0.1:${app.address().port}`,
      TOLLGATE_COOKIE_REFRESH_WITHIN: "10m",
      ROUTES: [...ROUTES, { path: "/__test/*", to: "assets", auth: "none" }],
    };
    gate = await start({ build: FAULTY, vars });
    token = await mint({ sub: "1", type: "access", fresh: true, jti: "j", csrf: "C" });
  });
  after(async () => {
    await gate.close();
    app.close();
  });

  /** The instance's prefix of request ids: another after a reset. */
  const instance = async () => (await gate.get("/api/x")).headers.get("x-request-id").slice(0, 12);

  test("odd statuses with a cookie that is to be renewed", async () => {
    const before = await instance();
    for (const odd of [600, 999, 200, 299, 599]) {
      status = odd;
      const answer = await raw(gate, "/api/x", { headers: ["Cookie", `access_token_cookie=${token}`] });
      assert.equal(answer.status, odd);
      assert.equal(answer.headers["set-cookie"] === undefined, odd > 599);
    }
    assert.equal(await instance(), before);
  });

  test("lengths beyond all numbers are too long, and logged", async () => {
    const before = await instance();
    for (const length of ["9007199254740993", "18446744073709551615", "99999999999999999999999"]) {
      const socket = connect(gate.port, "127.0.0.1");
      socket.write(
        `POST /api/x HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${length}\r\n\r\nabc`,
      );
      const [first] = await once(socket, "data");
      // Of still longer ones the runtime itself takes none.
      assert.match(String(first), /^HTTP\/1\.1 4(00|13|31) /, length);
      socket.destroy();
    }
    assert.equal(await instance(), before);
    assert.ok(gate.lines().some((line) => line.reason === "body_too_large"));
  });

  test("an exception that costs an answer is logged without its message", async () => {
    const before = await instance();
    const answer = await gate.get("/__test/exception");
    assert.equal(answer.status, 500);
    const line = await until(() => gate.lines().find((line) => line.event === "exception"));
    assert.deepEqual([line.level, line.reason], ["error", "RangeError"]);
    assert.ok(!gate.output().includes("secret in it"));
    assert.equal(await instance(), before, "no trap");
  });
});

describe("connections that outlive a token", () => {
  let app,
    sockets,
    gate,
    farewells = [];
  const CLOSING = [...ROUTES, { path: "/closing/*", to: "origin", close_at_expiry: true }];
  before(async () => {
    app = await origin((request, answer) => {
      answer.writeHead(200, { "content-type": request.url.includes("file") ? "text/plain" : "text/event-stream" });
      const sending = setInterval(() => answer.write("data: x\n\n"), 100);
      answer.on("close", () => clearInterval(sending));
      setTimeout(() => answer.end("data: last\n\n"), 4000);
    });
    sockets = new WebSocketServer({ server: app.server, handleProtocols: () => "chat" });
    sockets.on("connection", (socket) => {
      socket.on("message", (data, binary) => socket.send(data, { binary }));
      socket.on("close", (code, reason) => farewells.push([code, String(reason)]));
    });
    gate = await start({ users: false, vars: { ...EXTENDED, ORIGIN: app.url, ROUTES: CLOSING } });
  });
  after(async () => {
    await gate.close();
    sockets.close();
    app.close();
  });

  /** @returns {[expires: number, token: Promise<string>]} */
  const brief = (seconds) => {
    const exp = Math.floor(Date.now() / 1000) + seconds;
    return [
      exp * 1000,
      import("jose").then(({ SignJWT }) =>
        new SignJWT({ sub: "1", type: "access", jti: "j", exp })
          .setProtectedHeader({ alg: "HS256" })
          .sign(new TextEncoder().encode("a secret of more than thirty-two bytes, for tests")),
      ),
    ];
  };
  const open = async (path, token) => {
    const socket = new WebSocket(`ws://127.0.0.1:${gate.port}${path}`, ["chat"], {
      headers: { authorization: `Bearer ${await token}` },
    });
    await once(socket, "open");
    return socket;
  };

  test("a WebSocket is closed with 1008 where the rule says so, and lasts elsewhere", async () => {
    const [expires, token] = brief(3);
    const [closing, lasting] = [await open("/closing/ws", token), await open("/api/ws", token)];
    assert.equal(closing.protocol, "chat");
    for (const message of ["text", Buffer.from([0, 1, 255])]) {
      closing.send(message);
      const [data, binary] = await once(closing, "message");
      assert.deepEqual([Buffer.from(data), binary], [Buffer.from(message), typeof message !== "string"]);
    }
    const [code, reason] = await once(closing, "close");
    assert.deepEqual([code, String(reason)], [1008, "token expired"]);
    assert.ok(Math.abs(Date.now() - expires) < 900, `${Date.now() - expires} ms after it`);
    await until(() => farewells.some(([code]) => code === 1008));
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(lasting.readyState, WebSocket.OPEN);
    lasting.close();
  });

  test("whoever closes first, the other side hears the code", async () => {
    farewells = [];
    const [, token] = brief(60);
    const socket = await open("/closing/ws", token);
    socket.close(4001, "mine");
    await until(() => farewells.some(([code, reason]) => code === 4001 && reason === "mine"));
    const other = await open("/closing/ws", token);
    for (const one of sockets.clients) one.close(4002, "theirs");
    assert.deepEqual((await once(other, "close")).map(String), ["4002", "theirs"]);
    // A code that can't be sent on closes the other side all the same.
    await until(() => sockets.clients.size === 0);
    for (const code of [1015, 5000, 1]) {
      const odd = await open("/closing/ws", token);
      odd.on("error", () => {});
      await until(() => sockets.clients.size === 1);
      odd._socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, code >> 8, code & 255]));
      odd._socket.end();
      await until(() => sockets.clients.size === 0);
    }
  });

  test("an event stream ends when the token does, a download goes on", async () => {
    const [expires, token] = brief(2);
    const headers = { authorization: `Bearer ${await token}` };
    const [stream, file] = await Promise.all([
      gate.get("/closing/events", { headers }),
      gate.get("/closing/file", { headers }),
    ]);
    const text = await stream.text();
    assert.ok(text.includes("data: x") && !text.includes("last"), text.slice(-40));
    assert.ok(Math.abs(Date.now() - expires) < 900);
    assert.match(await file.text(), /last/);
  });
});
