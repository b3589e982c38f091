// The examples, each in real workerd.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bearing, exampleOrigin, mint, origin, payload, start } from "./harness.mjs";

const build = (name) => ({ main: `examples/${name}/entry.mjs`, others: [`examples/${name}/build`] });
const text = async (answer) => [answer.status, await answer.text()];

test("own users: another service says who they are, their role is in the token, a Router answers behind the gate", async () => {
  const people = { ada: { id: 7, role: "baker", password: "abcxyz" } };
  let down = false;
  const service = await origin(async (request, response) => {
    const asked = Buffer.concat(await request.toArray()).toString();
    if (down) return response.writeHead(500).end();
    if (request.url === "/log-in") {
      const { name, password } = JSON.parse(asked);
      const { password: right, ...person } = people[name] ?? {};
      return right === password && right ? response.end(JSON.stringify(person)) : response.writeHead(401).end();
    }
    response.writeHead(404).end();
  });
  const gate = await start({
    build: build("own-users"),
    users: false,
    vars: {
      USERS_URL: service.url,
      ROUTES: [
        { path: "/bread", to: "worker", auth: "optional" },
        { path: "/me", to: "identity", user: "stored" },
      ],
    },
  });
  try {
    const token = (await (await gate.logIn("ada")).json()).access_token;
    assert.equal(payload(token).role, "baker");
    assert.deepEqual(await text(await gate.get("/bread", bearing(token))), [200, "bread for 7, baker"]);
    assert.deepEqual(await text(await gate.get("/bread")), [200, "crumbs for everybody"]);
    assert.equal((await gate.get("/bread", bearing(`${token}x`))).status, 401);
    assert.equal((await gate.logIn("ada", "wrong")).status, 401);
    assert.equal((await gate.get("/me", bearing(token))).status, 401); // the service knows no /people/7
    assert.equal((await gate.get("/elsewhere")).status, 404);
    down = true;
    assert.equal((await gate.logIn("ada")).status, 503);
    assert.equal((await gate.get("/me", bearing(token))).status, 503);
  } finally {
    await gate.close();
    service.close();
  }
});

test("axum: the layer guards the routes, the extractors tell who it is, the users are those in KV", async () => {
  const gate = await start({
    build: build("axum"),
    vars: {
      ROUTES: [
        { path: "/me", to: "worker", user: "stored" },
        { path: "/life", to: "worker" },
        { path: "/", to: "worker", auth: "optional" },
      ],
    },
  });
  try {
    const token = await gate.token();
    assert.deepEqual(await text(await gate.get("/me", bearing(token))), [200, "1"]);
    assert.deepEqual(await text(await gate.get("/life", bearing(token))), [200, "300 s"]);
    assert.deepEqual(await text(await gate.get("/", bearing(token))), [200, "hello 1"]);
    assert.deepEqual(await text(await gate.get("/")), [200, "hello"]);
    assert.equal((await gate.get("/me")).status, 401);
    assert.equal((await gate.get("/me", bearing(await mint({ identity: 3 })))).status, 401);
    assert.equal((await gate.logIn("user1", "wrong")).status, 401);
    assert.equal((await gate.get("/elsewhere", bearing(token))).status, 404);
  } finally {
    await gate.close();
  }
});

test("origin: an application learns from the gate who its caller is", async () => {
  const app = await exampleOrigin();
  const gate = await start({ vars: { ORIGIN: app.url } });
  try {
    const json = async (answer) => [answer.status, await answer.json()];
    const token = await mint({ identity: "é 1%" });
    const [status, hello] = await json(await gate.get("/api/hello", bearing(token)));
    assert.deepEqual([status, hello.hello, hello.subject, hello.claims], [200, "é 1%", "é 1%", payload(token)]);
    assert.equal(hello.forwarded.host, gate.url.host);
    const put = await gate.get("/api/x?y=1", bearing(token, { method: "PUT", body: "z" }));
    assert.deepEqual(await json(put), [200, { method: "PUT", path: "/api/x?y=1", subject: "é 1%" }]);
    const forged = { headers: { "x-auth-subject": "root", "x-auth-claims": "e30" } };
    assert.equal((await gate.get("/api/hello", forged)).status, 401);
    assert.equal((await (await gate.get("/api/hello", bearing(token, forged))).json()).subject, "é 1%");
    assert.equal((await fetch(`${app.url}/api/hello`, { headers: { "x-auth-subject": "%" } })).status, 400);
    assert.equal((await (await fetch(`${app.url}/api/hello`)).json()).hello, "stranger");
    assert.equal((await fetch(`${app.url}/elsewhere`)).status, 404);
  } finally {
    await gate.close();
    await app.close();
  }
});

test("the stock worker has no code of its own behind it: such a rule is a wrong configuration", async () => {
  const gate = await start({ users: false, vars: { ROUTES: [{ path: "/x", to: "worker" }] } });
  try {
    assert.equal((await gate.get("/x")).status, 500);
    assert.match(gate.output(), /ROUTES\[0\]\.to/);
  } finally {
    await gate.close();
  }
});
