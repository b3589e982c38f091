// Forwarding to an origin: identity, headers, bodies, cookies, events. Redirects and an origin that fails are still to
// be tested under `wrangler dev`: the harness's own outbound fetch is Node's, which follows and fails differently.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bearing, origin, start } from "./harness.mjs";

let app, gate, token;
before(async () => {
  app = await origin((request, response) => {
    const url = new URL(request.url, "http://origin");
    switch (url.pathname) {
      case "/api/echo": response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers })); break;
      case "/api/upload": { let bytes = 0; request.on("data", (part) => { bytes += part.length; }).on("end", () => response.end(String(bytes))); break; }
      case "/api/download": { let left = 50; const chunk = Buffer.alloc(1 << 20); const more = () => { while (left-- > 0) if (!response.write(chunk)) return response.once("drain", more); response.end(); }; more(); break; }
      case "/api/redirect": response.writeHead(302, { location: "https://elsewhere.example/" }).end(); break;
      case "/api/cookies": response.writeHead(200, { "set-cookie": ["a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"] }).end(); break;
      case "/api/events": response.writeHead(200, { "content-type": "text/event-stream" }); response.write("data: one\n\n"); setTimeout(() => response.end("data: two\n\n"), 300); break;
      case "/api/slow": break;
      case "/api/torn": response.writeHead(200, { "content-length": "1000" }); response.write("part", () => response.destroy()); break;
      default: response.writeHead(404).end();
    }
  });
  gate = await start({ vars: { ORIGIN: app.url, ORIGIN_TIMEOUT: "1s" } });
  token = await gate.token();
});
after(async () => { await gate.close(); app.close(); });

test("without a token nothing reaches the origin", async () => {
  assert.equal((await gate.get("/api/echo")).status, 401);
});

test("the origin is told who it is, and a client's own word for it is not believed", async () => {
  const forged = { "x-auth-subject": "admin", "X_Auth_Subject": "admin", "x-auth-roles": "admin", "x-kept": "yes" };
  const echo = await (await gate.get("/api/echo?a=1&b=%20", bearing(token, { headers: forged }))).json();
  assert.equal(echo.url, "/api/echo?a=1&b=%20");
  assert.equal(echo.headers["x-auth-subject"], "1");
  assert.equal(JSON.parse(Buffer.from(echo.headers["x-auth-claims"], "base64url")).identity, 1);
  assert.equal(echo.headers["x-kept"], "yes");
  assert.equal(echo.headers.authorization, `JWT ${token}`);
  assert.ok(!JSON.stringify(echo.headers).includes("admin"), JSON.stringify(echo.headers));
});

test("50 MiB stream through from the origin", async () => {
  const down = await gate.get("/api/download", bearing(token));
  let bytes = 0;
  for await (const part of down.body) bytes += part.length;
  assert.equal(bytes, 50 << 20);
});

test("cookies survive, events arrive one by one", async () => {
  assert.deepEqual((await gate.get("/api/cookies", bearing(token))).headers.getSetCookie(), ["a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"]);
  const began = Date.now();
  const events = (await gate.get("/api/events", bearing(token))).body.getReader();
  assert.match(new TextDecoder().decode((await events.read()).value), /one/);
  assert.ok(Date.now() - began < 250, "the first event does not wait for the last");
});
