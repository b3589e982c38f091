// The examples in TypeScript, with the npm package and without cargo; own users and calls of other workers beyond them.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { payload, until } from "./harness.mjs";
import { dev, example, pageConfig, project, putUsers, run } from "./project.mjs";

const jwt = (token, init = {}) => ({ ...init, headers: { authorization: `JWT ${token}`, ...init.headers } });
const PASSWORD = "correct horse battery staple";
const post = (body) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

test("examples/hono: who is logged in, and who may delete", async (t) => {
  const folder = await example("hono");
  run(folder, "npx", "tsc", "-p", ".");
  assert.match(run(folder, "npx", "tollgate", "config", "check"), /^0 problems, 0 warnings$/m);
  const add = (...args) => run(folder, "npx", "tollgate", "user", ...args);
  putUsers(folder);
  add("set", "user1", "role=admin");
  const gate = await dev(folder);
  t.after(() => gate.close());
  assert.equal(await (await gate.get("/")).text(), "Hello, stranger");
  assert.equal((await gate.get("/orders")).status, 401);
  const [admin, other] = await Promise.all(
    ["user1", "user2"].map(async (name) => (await (await gate.logIn("abcxyz", name)).json()).access_token),
  );
  assert.equal(await (await gate.get("/", jwt(admin))).text(), "Hello, user 1");
  assert.deepEqual(await (await gate.get("/orders", jwt(other))).json(), { orders: ["of user 2"] });
  assert.equal((await gate.get("/orders/7", jwt(other, { method: "DELETE" }))).status, 403);
  const deleted = await gate.get("/orders/7", jwt(admin, { method: "DELETE" }));
  assert.deepEqual(await deleted.json(), { deleted: "7", by: "admin" });
});

describe("examples/typescript-users: users in a database of one's own", () => {
  /** @type {Awaited<ReturnType<typeof dev>>} */
  let gate;
  before(async () => {
    const folder = await example("typescript-users");
    run(folder, "npx", "tsc", "-p", ".");
    assert.match(run(folder, "npx", "tollgate", "config", "check"), /^0 problems/m);
    run(folder, "npx", "wrangler", "d1", "execute", "DB", "--local", "--file", "people.sql");
    gate = await dev(folder);
  });
  after(() => gate?.close());

  test("log-in, who is it, and a claim from an attribute", async () => {
    const answer = await gate.logIn(PASSWORD, "ann");
    assert.equal(answer.status, 200);
    const { access_token } = await answer.json();
    const { identity, role, sid } = payload(access_token);
    assert.deepEqual([identity, role, typeof sid], [7, "admin", "string"]);
    const me = await (await gate.get("/protected", jwt(access_token))).json();
    assert.deepEqual([me.identity, me.username, me.role], [7, "ann", "admin"]);
    for (const [name, password] of [
      ["ann", "wrong"],
      ["bob", PASSWORD],
    ])
      assert.equal((await gate.logIn(password, name)).status, 401, name);
  });

  test("a new password ends the sessions, and the old one is wrong from then on", async () => {
    const { access_token } = await (await gate.logIn(PASSWORD, "ann")).json();
    const change = (body) => gate.get("/auth/password", jwt(access_token, post(body)));
    const wrong = await change({ old_password: "nonsense", new_password: "a quite different one" });
    assert.equal(wrong.status, 401);
    const weak = await change({ old_password: PASSWORD, new_password: "short" });
    assert.equal(weak.status, 400);
    const changed = await change({ old_password: PASSWORD, new_password: "a quite different one" });
    assert.equal(changed.status, 200, await changed.clone().text());
    assert.equal((await gate.get("/protected", jwt((await changed.json()).access_token))).status, 200);
    assert.equal((await gate.logIn(PASSWORD, "ann")).status, 401);
    assert.equal((await gate.logIn("a quite different one", "ann")).status, 200);
    await until(async () => (await gate.get("/protected", jwt(access_token))).status === 401);
  });
});

test("own users that throw, refuse or answer nonsense: no 500, no password in the log, and guesses are limited", async (t) => {
  const source = `import { checkPassword, hashPassword, JwtError, tollgate } from "tollgate";
export { Account, Revocations } from "tollgate";
export default tollgate({
  users: {
    async authenticate({ username, password }) {
      if (username === "refused") throw new JwtError("Locked", "Pay first", { status: 402, headers: { "x-why": "bill" } });
      if (username === "throws") throw new Error(password);
      if (username === "hangs") return new Promise(() => {});
      if (username === "nonsense") return { name: "x" } as never;
      if (username === "float") return { id: 1.5 };
      if (username === "later") return { id: "later", passwordVersion: Date.now() + 7_200_000 };
      if (username === "lines") throw new Error("x\\n    at secret-of-the-test");
      if (username === "hash") return checkPassword("$2b$12$" + "a".repeat(53), password) ? { id: 1 } : null;
      if (username === "number") return { id: hashPassword(5 as never) };
      return password === "right" ? { id: username } : null;
    },
    identity: async ({ subject }) => (subject === "gone" ? null : { id: subject === "two" ? "other" : (subject ?? "") }),
  },
});
`;
  const config = pageConfig;
  const vars = { TOLLGATE_STORE_TIMEOUT: "1", ROUTES: [{ path: "/protected", to: "identity", user: "stored" }] };
  const folder = await project({ "src/index.ts": source, "wrangler.jsonc": JSON.stringify({ ...config, vars }) });
  const gate = await dev(folder);
  t.after(() => gate.close());
  const status = async (name, password = "secret-of-the-test") => (await gate.logIn(password, name)).status;
  const refused = await gate.logIn("x", "refused");
  assert.deepEqual([refused.status, refused.headers.get("x-why")], [402, "bill"]);
  assert.deepEqual(await refused.json(), { description: "Pay first", error: "Locked", status_code: 402 });
  for (const name of ["throws", "hangs", "nonsense", "float", "later", "lines", "hash", "number"])
    assert.equal(await status(name), 503, name);
  assert.equal(await status("ann"), 401);
  assert.ok(!gate.output().includes("secret-of-the-test"), "no password in the log");
  assert.match(gate.output(), /"event":"exception".*InvalidAnswer/);
  // A user who is deleted while the token lives.
  const token = async (name) => (await (await gate.logIn("right", name)).json()).access_token;
  assert.equal((await gate.get("/protected", jwt(await token("ann")))).status, 200);
  assert.equal((await gate.get("/protected", jwt(await token("gone")))).status, 401);
  // Another user than the token's.
  assert.equal((await gate.get("/protected", jwt(await token("two")))).status, 503);
  // No password is set here.
  assert.equal(
    (
      await gate.get(
        "/auth/password",
        jwt(await token("ann"), post({ old_password: "a", new_password: "long enough for the gate" })),
      )
    ).status,
    404,
  );
  // The same throttle as in the stock worker.
  const guesses = [];
  for (let guess = 0; guess < 15; guess++) guesses.push(await status("bob", `guess ${guess}`));
  assert.ok(guesses.includes(429), guesses.join());
});

describe("examples/service-binding: another worker asks", () => {
  /** @type {Awaited<ReturnType<typeof dev>>} */
  let app;
  before(async () => {
    const folder = await example("service-binding", "gate");
    const config = join(folder, "gate/wrangler.jsonc");
    const text = await readFile(config, "utf8");
    await writeFile(config, text.replace('"vars": {', '"vars": { "TOLLGATE_REVOCATION_BOUND": 2,'));
    const persist = ["--persist-to", ".wrangler/state"];
    const configs = ["-c", "app/wrangler.jsonc", "-c", "gate/wrangler.jsonc"];
    run(folder, "npx", "wrangler", "types", "app/worker-configuration.d.ts", ...configs);
    run(folder, "npx", "tsc", "-p", "app");
    // Beside what the example shows: any call, with what came of it.
    const source = join(folder, "app/src/index.ts");
    const call = `if (pathname === "/rpc") {
      const [binding, name, ...args]: any = await request.json();
      try {
        const { response, ...is } = (await (env as any)[binding][name](...args)) ?? {};
        return Response.json({ is, status: response?.status, body: await response?.json() });
      } catch (error) {
        return Response.json({ error: (error as Error).message });
      }
    }`;
    const shown = await readFile(source, "utf8");
    await writeFile(source, shown.replace("// Log-in,", `${call}\n    // Log-in,`));
    putUsers(folder, "-c", "gate/wrangler.jsonc", ...persist);
    app = await dev(folder, 60, [...configs, ...persist]);
  });
  after(() => app?.close());

  test("a token is good, or refused in the gate's words; a rule asks for more", async () => {
    const { access_token } = await (await app.logIn()).json();
    const answer = await app.get("/", jwt(access_token));
    assert.deepEqual([answer.status, await answer.json()], [200, { hello: 1, until: payload(access_token).exp }]);
    const refused = await app.get("/", jwt("x.y.z"));
    assert.deepEqual([refused.status, (await refused.json()).error], [401, "Invalid token"]);
    assert.equal((await app.get("/")).status, 401);
    assert.equal((await app.get("/reports", jwt(access_token))).status, 403);
  });

  const rpc = async (...call) => (await app.get("/rpc", post(call))).json();

  test("verify says why not, with the answer for the client, and knows the rules by their paths", async () => {
    const { access_token } = await (await app.logIn()).json();
    const good = await rpc("TOKENS", "verify", access_token);
    const claims = payload(access_token);
    assert.deepEqual(good.is, {
      valid: true,
      principal: "verified",
      subject: 1,
      claims,
      session: claims.sid,
      user: {},
    });
    const forbidden = await rpc("TOKENS", "verify", access_token, { rule: "/reports" });
    assert.deepEqual(forbidden.is, { valid: false, code: "insufficient_permissions" });
    assert.equal(forbidden.status, 403);
    for (const token of ["", "x.y.z", `${access_token}x`, "x".repeat(100_000)]) {
      const { is, status, body } = await rpc("TOKENS", "verify", token);
      assert.deepEqual([is.valid, status, body.status_code], [false, 401, 401], token.slice(0, 20));
    }
    for (const [rule, method] of [["/nowhere"], ["/reports", "POST"], ["/reports/"]]) {
      assert.match((await rpc("TOKENS", "verify", access_token, { rule, method })).error, /no rule/);
    }
    // Options that ask for nothing must not pass for a rule.
    const wrong = [
      "/reports",
      null,
      { path: "/reports" },
      { rule: null },
      { rule: 5 },
      { rule: "/reports", method: 7 },
      { method: "GET" },
    ];
    for (const options of wrong)
      assert.match(
        (await rpc("TOKENS", "verify", access_token, options)).error,
        /options are/,
        JSON.stringify(options),
      );
    for (const token of [undefined, null, 7, {}])
      assert.match((await rpc("TOKENS", "verify", token)).error, /a token is a text/);
    assert.equal(
      (await rpc("TOKENS", "revoke", access_token)).is,
      undefined,
      "an operator's call has its own entrypoint",
    );
  });

  test("an operator's worker ends sessions and tokens by name", async () => {
    const logIn = async () => (await (await app.logIn("abcxyz", "user2")).json()).access_token;
    const active = async (token) => (await rpc("OPERATOR", "introspect", token)).is.active;
    const [first, second, third] = [await logIn(), await logIn(), await logIn()];
    const { is } = await rpc("OPERATOR", "introspect", first);
    assert.deepEqual(is, { ...payload(first), active: true });
    assert.equal((await rpc("OPERATOR", "revoke", { user: 2, session: payload(first).sid })).error, undefined);
    assert.deepEqual([await active(first), await active(second)], [false, true]);
    assert.equal((await rpc("OPERATOR", "revoke", { user: 2 })).error, undefined);
    assert.deepEqual([await active(second), await active(third)], [false, false]);
    /** @type {[what: unknown, text: RegExp][]} */
    const wrong = [
      ["x.y.z", /\(401\)/],
      [{ user: 2, session: "nonsense" }, /\(404\)/],
      [{ user: 2, session: "a", tokenId: "b" }, /not both/],
      [{}, /user is a user's id/],
      [{ user: "" }, /user is a user's id/],
      [{ user: 2, session: null }, /session is the id/],
      [{ user: 2, session: "x".repeat(1025) }, /session is the id/],
      [{ user: 2, tokenId: "" }, /tokenId is the id/],
      [{ user: 2, sid: "x" }, /what ends is/],
      [null, /user is a user's id/],
    ];
    for (const [what, text] of wrong)
      assert.match((await rpc("OPERATOR", "revoke", what)).error, text, JSON.stringify(what));
    assert.equal(await active("x.y.z"), false);
  });

  test("an operator's worker ends a token: for it at once, for the gate within the bound", async () => {
    const { access_token } = await (await app.logIn()).json();
    const ended = await app.get("/end", jwt(access_token));
    assert.deepEqual([ended.status, await ended.json()], [200, { active: false }]);
    await until(async () => (await app.get("/", jwt(access_token))).status === 401);
  });
});
