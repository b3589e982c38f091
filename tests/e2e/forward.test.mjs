// Forwarding to an origin: identity, headers, bodies both ways, WebSockets, events, and an origin that fails.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, test } from "node:test";
import { SignJWT } from "jose";
import { WebSocket, WebSocketServer } from "ws";
import { SECRET, bearing, memoryRise, mint, origin, raw, settled, start, until } from "./harness.mjs";

const MIB = 1 << 20;
const SIZE = 50 * MIB;

/** What the origin has seen; a test may hold back its reading. */
const seen = { sent: 0, offered: 0, received: 0, closed: 0, reading: Promise.resolve() };
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function* zeros(onChunk = (/** @type {number} */ _length) => {}) {
  const chunk = Buffer.alloc(MIB / 16);
  for (let left = SIZE; left > 0; left -= chunk.length) {
    onChunk(chunk.length);
    yield chunk;
  }
}

async function serve(request, response) {
  switch (new URL(request.url, "http://origin").pathname.slice("/api/".length)) {
    case "upload":
      await seen.reading;
      seen.received = 0;
      for await (const part of request) seen.received += part.length;
      return response.end(String(seen.received));
    case "download":
      seen.sent = 0;
      return pipeline(
        Readable.from(
          zeros((bytes) => {
            seen.sent += bytes;
          }),
        ),
        response,
      );
    case "redirect":
      return response.writeHead(302, { location: "https://elsewhere.example/?a=1" }).end("over there");
    case "cookies":
      return response
        .writeHead(200, { "set-cookie": ["a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"] })
        .end();
    case "events":
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: one\n\n");
      return setTimeout(() => response.end("data: two\n\n"), 300);
    case "silent":
      return response.on("close", () => {
        seen.closed += 1;
      });
    case "slow-body":
      response.writeHead(200).write("first ");
      await later(1500);
      return response.end("last");
    case "torn":
      return response.writeHead(200, { "content-length": "1000" }).write("part", () => response.destroy());
    case "torn-chunks":
      return response.writeHead(200).write("part", () => response.destroy());
    case "torn-early":
      return response.destroy();
    default: {
      const headers = request.rawHeaders.flatMap((name, at, all) =>
        at % 2 ? [] : [[name.toLowerCase(), all[at + 1]]],
      );
      const body = Buffer.concat(await request.toArray()).toString();
      return response.end(JSON.stringify({ method: request.method, url: request.url, headers, body }));
    }
  }
}

/** `hasty` waits a second for the origin. */
let app, gate, hasty, token, authorization;
before(async () => {
  app = await origin((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  const sockets = new WebSocketServer({ server: app.server });
  sockets.on("connection", (socket, request) => {
    socket.send(JSON.stringify(request.headers));
    socket.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("close", (code, reason) => {
      seen.farewell = [code, reason.toString()];
    });
  });
  gate = await start({ vars: { ORIGIN: app.url } });
  hasty = await start({ vars: { ORIGIN: app.url, ORIGIN_TIMEOUT: "1s" }, users: false });
  token = await gate.token();
  authorization = ["Authorization", `JWT ${token}`];
});
after(async () => {
  await gate.close();
  await hasty.close();
  app.close();
});

/**
 * What the origin got, `headers` as pairs. `options` are those of `raw`, with `bearer` before the headers.
 *
 * @typedef {import("node:http").ClientRequest} Out
 * @param {string} path
 * @param {{ bearer?: string[], headers?: (string | number)[], method?: string, send?: (out: Out) => unknown }} options
 */
const echo = async (path, { bearer = authorization, headers = [], ...rest } = {}, through = gate) => {
  const answer = await raw(through, path, { headers: [...bearer, ...headers], ...rest });
  assert.equal(answer.status, 200, answer.body);
  const got = JSON.parse(answer.body);
  return { ...got, header: (name) => got.headers.filter(([key]) => key === name).map(([, value]) => value) };
};
const isRefused = (answer, status_code, error, description) => {
  assert.equal(answer.status, status_code);
  assert.deepEqual(JSON.parse(answer.body), { description, error, status_code });
  assert.equal(answer.headers["cache-control"], "no-store");
};
const goesOnServing = (through = gate) => echo("/api/echo", {}, through);

test("without a token nothing reaches the origin", async () => {
  assert.equal((await gate.get("/api/echo")).status, 401);
});

test("the origin is told who it is", async () => {
  const got = await echo("/api/echo");
  assert.deepEqual(got.header("x-auth-subject"), ["1"]);
  assert.equal(JSON.parse(Buffer.from(got.header("x-auth-claims")[0], "base64url").toString()).identity, 1);
  assert.deepEqual(got.header("authorization"), [`JWT ${token}`]);
});

// In as many spellings as a header can have: WSGI and CGI make one variable of all of them.
const FORGED = [
  "X-Auth-Subject",
  "x-auth-subject",
  "X-AUTH-SUBJECT",
  "X_Auth_Subject",
  "x-auth_subject",
  "X_AUTH-Claims",
  "x-auth-claims",
  "X-Auth-Roles",
  "x_auth_anything",
  "x.auth.subject",
  "x-auth.subject",
  "x~auth~subject",
  "X!Auth-Subject",
].flatMap((name) => [name, "forged"]);
const isUnforged = (got) => assert.ok(!JSON.stringify(got.headers).includes("forged"), JSON.stringify(got.headers));

test("a client's own word for who it is does not arrive, however it is spelled", async () => {
  const got = await echo("/api/echo", { headers: [...FORGED, "X-Kept", "yes", "X-Authentic", "yes"] });
  isUnforged(got);
  assert.deepEqual(got.header("x-auth-subject"), ["1"]);
  assert.deepEqual([...got.header("x-kept"), ...got.header("x-authentic")], ["yes", "yes"]);
});

test("nor where no token is needed, nor with OPTIONS; and the token stays here if told to", async () => {
  const ROUTES = [
    { path: "/needed", to: "origin", methods: ["*", "OPTIONS"] },
    { path: "/optional", to: "origin", auth: "optional" },
    { path: "/open", to: "origin", auth: "none" },
  ];
  const other = await start({ vars: { ORIGIN: app.url, TOLLGATE_FORWARD_TOKEN: false, ROUTES } });
  try {
    const forging = (path, options = {}) =>
      echo(path, { ...options, headers: [...FORGED, ...(options.headers ?? [])] }, other);
    for (const got of [await forging("/needed"), await forging("/optional")]) {
      isUnforged(got);
      assert.deepEqual(got.header("x-auth-subject"), ["1"]);
      assert.ok(!JSON.stringify(got.headers).includes(token), "the token stayed here");
    }
    const preflight = {
      method: "OPTIONS",
      headers: ["Origin", "https://app.example", "Access-Control-Request-Method", "PUT"],
    };
    for (const got of [
      await forging("/optional", { bearer: [] }),
      await forging("/open", { bearer: [] }),
      await forging("/open"),
      await forging("/needed", { bearer: [], ...preflight }),
    ]) {
      isUnforged(got);
      assert.deepEqual([...got.header("x-auth-subject"), ...got.header("x-auth-claims")], []);
    }
    // Not the gate's to take: where it asks for none, it is the origin's own.
    assert.deepEqual((await forging("/open", { bearer: ["Authorization", "Basic abc"] })).header("authorization"), [
      "Basic abc",
    ]);
    assert.equal((await raw(other, "/needed")).status, 401);
  } finally {
    await other.close();
  }
});

test("OPTIONS is answered by the gate, without a token, where no rule names it", async () => {
  const answer = await raw(gate, "/api/echo", { method: "OPTIONS" });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.allow, /OPTIONS/);
  assert.equal(answer.body, "");
});

test("hop-by-hop headers stay behind", async () => {
  const got = await echo("/api/echo", {
    method: "POST",
    headers: [
      "Connection",
      "keep-alive, X-For-This-Hop",
      "X-For-This-Hop",
      "hop",
      "Keep-Alive",
      "timeout=5",
      "TE",
      "trailers",
      "Proxy-Authorization",
      "hop",
      "Proxy-Connection",
      "hop",
      "Upgrade",
      "h2c",
      "HTTP2-Settings",
      "hop",
      "Trailer",
      "X-Last",
      "Transfer-Encoding",
      "chunked",
      "X-Kept",
      "yes",
    ],
    send: (out) => out.end("abc"),
  });
  assert.ok(!JSON.stringify(got.headers).includes("hop"), JSON.stringify(got.headers));
  for (const name of ["keep-alive", "te", "upgrade", "trailer"]) assert.deepEqual(got.header(name), [], name);
  assert.deepEqual(got.header("x-kept"), ["yes"]);
  assert.equal(got.body, "abc");
});

test("the tenth request of a token arrives as the first did, whatever other headers come between", async () => {
  const other = await start({ vars: { ORIGIN: app.url, TOLLGATE_FORWARD_TOKEN: false } });
  const tokens = await Promise.all(
    [7, "urn:user:ann é"].map((identity) =>
      new SignJWT({ exp: (Date.now() / 1000 + 300) | 0, iat: 0, nbf: 0, identity })
        .setProtectedHeader({ alg: "HS256" })
        .sign(new TextEncoder().encode(SECRET)),
    ),
  );
  try {
    for (let round = 0; round < 6; round++) {
      for (const [which, subject] of ["7", "urn:user:ann%20%C3%A9"].entries()) {
        const many = Array.from({ length: 60 }, (_, at) => [`X-${round}-${which}-${at}`, "yes"]).flat();
        for (const headers of [
          [],
          ["Connection", "keep-alive"],
          ["Connection", "x-hop", "X-Hop", "hop"],
          FORGED,
          many,
          ["X-Hop", "kept"],
        ]) {
          const got = await echo(
            `/api/echo?${round}`,
            { bearer: ["Authorization", `JWT ${tokens[which]}`], headers },
            other,
          );
          isUnforged(got);
          assert.deepEqual(got.header("x-auth-subject"), [subject]);
          assert.equal(got.header("x-auth-claims")[0], tokens[which].split(".")[1]);
          assert.deepEqual(
            [...got.header("authorization"), ...got.header("connection").filter((value) => value.includes("hop"))],
            [],
          );
          assert.deepEqual(got.header("x-hop"), headers.includes("kept") ? ["kept"] : []);
          if (headers === many) assert.equal(got.headers.filter(([, value]) => value === "yes").length, 60);
        }
      }
    }
    assert.equal((await raw(other, "/api/echo", { headers: ["Authorization", `JWT ${tokens[0]}x`] })).status, 401);
    assert.equal((await raw(other, "/api/echo", { headers: ["Authorization", `JWT ${tokens[0]} x`] })).status, 401);
  } finally {
    await other.close();
  }
});

test("what was forwarded before is judged by its method and place all the same, and no longer once its token has expired", async () => {
  const ROUTES = [
    { path: "/api/*", methods: ["GET", "POST"], to: "origin" },
    { path: "/api/*", methods: ["PUT"], to: "identity" },
    { path: "/api/here/*", to: "identity" },
  ];
  const other = await start({ vars: { ORIGIN: app.url, ROUTES, JWT_LEEWAY: 0 } });
  const exp = (Date.now() / 1000 + 4) | 0;
  const brief = await new SignJWT({ exp, iat: 0, nbf: 0, identity: 7 })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(SECRET));
  const bearer = ["Authorization", `JWT ${brief}`];
  const asked = async (method, path) => (await raw(other, path, { method, headers: bearer })).status;
  try {
    for (let round = 0; round < 5; round++) {
      for (let again = 0; again < 3; again++) {
        const got = await echo(`/api/echo?${round}`, { bearer }, other);
        assert.deepEqual([got.method, got.url, got.header("x-auth-subject")], ["GET", `/api/echo?${round}`, ["7"]]);
      }
      assert.deepEqual(
        [await asked("HEAD", `/api/echo?${round}`), await asked("DELETE", `/api/echo?${round}`)],
        [200, 405],
      );
      for (const [method, path] of [
        ["PUT", "/api/echo"],
        ["GET", "/api/here/echo"],
      ]) {
        assert.equal((await raw(other, `${path}?${round}`, { method, headers: bearer })).body, '{"identity":7}\n');
      }
    }
    for (let again = 0; again < 3; again++) {
      const got = await echo("/api/echo?4", { bearer, method: "POST", send: (out) => out.end(`body ${again}`) }, other);
      assert.deepEqual([got.method, got.body], ["POST", `body ${again}`]);
    }
    for (let again = 0; again < 3; again++) {
      await echo("/api/echo?4", { bearer }, other);
      const socket = new WebSocket(`ws://127.0.0.1:${other.port}/api/echo?4`, {
        headers: { authorization: bearer[1] },
      });
      assert.equal(JSON.parse((await once(socket, "message"))[0])["x-auth-subject"], "7");
      socket.close(4000, "of this test");
      await until(() => seen.farewell?.[0] === 4000);
      delete seen.farewell;
    }
    await later(exp * 1000 + 1100 - Date.now());
    const late = await raw(other, "/api/echo?4", { headers: bearer });
    assert.deepEqual([late.status, JSON.parse(late.body).description], [401, "Signature has expired"]);
  } finally {
    await other.close();
  }
});

test("who comes with a token elsewhere is told as himself, whatever else the requests have in common", async () => {
  const ROUTES = [
    { path: "/api/*", to: "origin", methods: ["*"] },
    { path: "/app/*", to: "origin", locations: ["query_string"] },
  ];
  for (const places of [
    ["headers", "query_string"],
    ["query_string", "headers"],
  ]) {
    const other = await start({
      sessions: false,
      users: false,
      vars: { TOLLGATE_WIRE: "flask-jwt-extended", JWT_TOKEN_LOCATION: places, ORIGIN: app.url, ROUTES },
    });
    const tokens = await Promise.all(["ann", "bob", "eve"].map((sub) => mint({ sub })));
    const subject = async (path, ...bearer) => (await echo(path, { bearer }, other)).header("x-auth-subject");
    try {
      for (let round = 0; round < 4; round++) {
        for (const [at, sub] of ["ann", "bob", "eve"].entries()) {
          const [mine, others] = [tokens[at], tokens[(at + 1) % 3]];
          assert.deepEqual(await subject("/api/echo", "Authorization", `Bearer ${mine}`), [sub]);
          for (const place of ["api", "app"]) {
            assert.deepEqual(await subject(`/${place}/echo?jwt=${mine}`), [sub]);
            const both = await subject(`/${place}/echo?jwt=${mine}`, "Authorization", `Bearer ${others}`);
            const isByHeader = place === "api" && places[0] === "headers";
            assert.deepEqual(both, [isByHeader ? ["ann", "bob", "eve"][(at + 1) % 3] : sub]);
          }
          assert.deepEqual(await subject("/api/echo", "Authorization", `Bearer ${mine}`), [sub]);
        }
      }
    } finally {
      await other.close();
    }
  }
});

test("path and query arrive byte for byte", async () => {
  // All that RFC 3986 lets stand there, escapes in their own case; but for ' in the query, which workerd's fetch sends
  // as %27.
  for (const path of [
    "/api/echo",
    "/api/echo?",
    "/api/",
    "/api/a'b(c)*!$&,=:@-._~",
    "/api/%7euser/%c3%a9/%C3%A9%20",
    "/api/echo?a=1&a=2&b=%20+%2f%2F%00&c=../x/?/:@!$(),*;=&&",
    "/api/echo?%",
  ]) {
    assert.equal((await echo(path)).url, path);
  }
});

test("methods and bodies pass unchanged", async () => {
  const text = 'naïve ☃ {"a": 1}\r\n';
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "PURGE"]) {
    const got = await echo("/api/echo", {
      method,
      headers: ["Content-Type", "text/x-own; a=b", "Content-Length", Buffer.byteLength(text)],
      send: (out) => out.end(text),
    });
    assert.deepEqual([got.method, got.body], [method, text]);
    assert.deepEqual(
      [...got.header("content-type"), ...got.header("content-length")],
      ["text/x-own; a=b", String(Buffer.byteLength(text))],
    );
  }
  assert.deepEqual(
    [
      (await echo("/api/echo", { method: "DELETE" })).body,
      (await raw(gate, "/api/echo", { method: "HEAD", headers: authorization })).status,
    ],
    ["", 200],
  );
});

test("GET with a body passes too, be it an empty one", async () => {
  for (const text of ["", "abc"]) {
    const got = await echo("/api/echo", { headers: ["Content-Length", text.length], send: (out) => out.end(text) });
    assert.deepEqual([got.method, got.body], ["GET", text]);
  }
});

test("redirects are handed back, not followed", async () => {
  const answer = await raw(gate, "/api/redirect", { headers: authorization });
  assert.deepEqual(
    [answer.status, answer.headers.location, answer.body],
    [302, "https://elsewhere.example/?a=1", "over there"],
  );
});

const upload = (headers) =>
  raw(gate, "/api/upload", {
    method: "POST",
    headers: [...authorization, ...headers],
    send: (out) =>
      pipeline(
        Readable.from(
          zeros((bytes) => {
            seen.offered += bytes;
          }),
        ),
        out,
      ),
  });

/** 50 MiB up, the origin not reading until the gate takes no more. */
async function slowlyUp(headers) {
  let read;
  seen.reading = new Promise((resolve) => {
    read = resolve;
  });
  seen.offered = 0;
  const answer = upload(headers);
  await settled(() => seen.offered); // what sockets hold
  read();
  assert.equal((await answer).body, String(SIZE));
}

/** 50 MiB down, the client not reading until the origin can send no more. */
async function slowlyDown() {
  seen.sent = 0;
  const { body } = await gate.get("/api/download", bearing(token));
  await settled(() => seen.sent);
  let bytes = 0;
  for await (const part of body) bytes += part.length;
  assert.equal(bytes, SIZE);
}

for (const [what, transfer] of Object.entries({
  "down": slowlyDown,
  "up": () => slowlyUp(["Content-Length", SIZE]),
  "up in chunks of unknown length": () => slowlyUp(["Transfer-Encoding", "chunked"]),
})) {
  test(`50 MiB stream ${what}, at the pace of the slower side, at flat memory`, async (t) => {
    await transfer();
    const rise = await memoryRise(transfer);
    // Measured: 1 MiB at most, where a gate that gathers the body takes 50 and more.
    t.diagnostic(`memory rose by ${(rise / MIB).toFixed(1)} MiB`);
    assert.ok(rise < 20 * MIB, `memory rose by ${rise} bytes`);
  });
}

test("the origin gets the first part of an upload before the client sends the last", async () => {
  const answer = await raw(gate, "/api/upload", {
    method: "POST",
    headers: [...authorization, "Transfer-Encoding", "chunked"],
    send: async (out) => {
      out.write("first");
      await until(() => seen.received === 5);
      out.end("last");
    },
  });
  assert.equal(answer.body, "9");
});

test("cookies survive, events arrive one by one", async () => {
  assert.deepEqual((await gate.get("/api/cookies", bearing(token))).headers.getSetCookie(), [
    "a=1; Path=/",
    "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
  ]);
  const began = Date.now();
  const events = (await gate.get("/api/events", bearing(token))).body.getReader();
  assert.match(new TextDecoder().decode((await events.read()).value), /one/);
  assert.ok(Date.now() - began < 250, "the first event does not wait for the last");
});

test("a WebSocket echoes text and bytes, tells who it is, and closes with its code", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/api/socket`, {
    headers: { authorization: `JWT ${token}`, "X_Auth_Subject": "forged" },
  });
  const [headers] = await once(socket, "message");
  assert.equal(JSON.parse(headers)["x-auth-subject"], "1");
  assert.ok(!headers.toString().includes("forged"));
  for (const message of ["naïve ☃", Buffer.from([0, 1, 255]), "x".repeat(100_000)]) {
    socket.send(message);
    const [data, binary] = await once(socket, "message");
    assert.equal(binary, typeof message !== "string");
    assert.deepEqual(data, Buffer.from(message));
  }
  socket.close(4001, "done");
  assert.equal((await once(socket, "close"))[0], 4001);
  assert.deepEqual(await until(() => seen.farewell), [4001, "done"]);
});

test("a WebSocket without a token is refused", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/api/socket`);
  const [request, answer] = await once(socket, "unexpected-response");
  assert.equal(answer.statusCode, 401);
  assert.equal(answer.headers["www-authenticate"], 'JWT realm="Login Required"');
  request.destroy();
});

test("a silent origin: 504 in time, and it is hung up on", async () => {
  const began = Date.now();
  isRefused(
    await raw(hasty, "/api/silent", { headers: authorization }),
    504,
    "Gateway Timeout",
    "The origin does not answer in time",
  );
  const took = Date.now() - began;
  assert.ok(took > 900 && took < 3000, `${took} ms`);
  await until(() => seen.closed === 1);
  await goesOnServing(hasty);
});

test("an origin that does not take in an upload: 504 too", async () => {
  const send = (out) => pipeline(Readable.from(zeros()), out).catch(() => {}); // it is not read to its end
  isRefused(
    await raw(hasty, "/api/silent", { method: "POST", headers: [...authorization, "Content-Length", SIZE], send }),
    504,
    "Gateway Timeout",
    "The origin does not answer in time",
  );
});

test("a slow body of an answer is not cut by the timeout", async () => {
  assert.equal((await raw(hasty, "/api/slow-body", { headers: authorization })).body, "first last");
});

test("nor is a slow upload, which no origin can answer before its end", async () => {
  const answer = await raw(hasty, "/api/upload", {
    method: "POST",
    headers: [...authorization, "Content-Length", 9],
    send: async (out) => {
      out.write("first");
      await later(1500);
      out.end("last");
    },
  });
  assert.deepEqual([answer.status, answer.body], [200, "9"]);
});

test("an answer cut off in the middle is an error for the client, not a whole answer", async () => {
  for (const path of ["/api/torn", "/api/torn-chunks"]) {
    await assert.rejects(raw(gate, path, { headers: authorization }), path);
    await goesOnServing();
  }
});

test("an origin that is down or hangs up: 502, which says nothing of the inside", async () => {
  const gone = await origin(() => {});
  gone.close();
  const other = await start({ vars: { ORIGIN: gone.url } });
  try {
    for (const answer of [
      await raw(other, "/api/echo", { headers: authorization }),
      await raw(gate, "/api/torn-early", { headers: authorization }),
    ]) {
      isRefused(answer, 502, "Bad Gateway", "The origin can't be reached");
      assert.doesNotMatch(
        JSON.stringify(answer.headers),
        new RegExp(`127\\.0\\.0\\.1|${new URL(gone.url).port}|ECONN`),
      );
    }
  } finally {
    await other.close();
  }
  await goesOnServing();
});
