// The npm package in a project outside the repository, without cargo: as a worker of its own, before one's own code in
// TypeScript, and with hono. `cargo xtask package` makes it.
import assert from "node:assert/strict";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { payload, root, until } from "./harness.mjs";
import { blocks, dev, pageConfig, project, run, tarball } from "./project.mjs";

const config = pageConfig;
const wrangler = (main, vars = {}) => JSON.stringify({ ...config, main, vars: { ...config.vars, ...vars } });
const jwt = (token, init = {}) => ({ ...init, headers: { authorization: `JWT ${token}`, ...init.headers } });
const TSCONFIG = JSON.stringify({
  compilerOptions: {
    target: "es2024",
    lib: ["es2024"],
    module: "esnext",
    moduleResolution: "bundler",
    types: ["@cloudflare/workers-types"],
    strict: true,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
  },
  include: ["src"],
});

test("no part of the package runs when it is installed, and it has no dependency", async () => {
  const manifest = JSON.parse(await readFile(`${root}target/npm/tollgate/package.json`, "utf8"));
  assert.equal(manifest.scripts, undefined);
  assert.equal(manifest.dependencies, undefined);
  const cargo = await readFile(`${root}Cargo.toml`, "utf8");
  assert.equal(manifest.version, cargo.match(/^version = "(.*)"$/m)?.[1]);
  for (const subpath of Object.values(manifest.exports)) {
    // TypeScript takes the first condition that it knows.
    if (typeof subpath !== "string") assert.deepEqual(Object.keys(subpath), ["types", "default"]);
    for (const file of typeof subpath === "string" ? [subpath] : Object.values(subpath))
      assert.ok(await readFile(`${root}target/npm/tollgate/${file}`), file);
  }
});

test("publint has nothing to say, nor has arethetypeswrong, where modules are ES modules", async () => {
  for (const name of ["tollgate", "create-tollgate"]) {
    const { buffer, byteOffset, length } = await readFile(tarball(name));
    const pack = { tarball: /** @type {ArrayBuffer} */ (buffer.slice(byteOffset, byteOffset + length)) };
    const { messages } = await publint({ pack, strict: true });
    assert.deepEqual(messages, [], name);
  }
  const checked = await checkPackage(createPackageFromTarballData(await readFile(tarball("tollgate"))));
  assert.equal(checked.types ? checked.types.kind : "none", "included");
  // CommonJS and the resolution of Node 10 are not served.
  const served = ["node16-esm", "bundler"];
  const problems = "problems" in checked ? checked.problems : [];
  const isServed = (problem) => !("resolutionKind" in problem) || served.includes(problem.resolutionKind);
  assert.deepEqual(problems.filter(isServed), []);
});

test("nothing in the packages names a folder of the machine that made them", async () => {
  const folders = [root, "/registry/src/"];
  let modules = 0;
  for (const name of ["tollgate", "create-tollgate"]) {
    for (const entry of await readdir(`${root}target/npm/${name}`, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const bytes = await readFile(file);
      for (const folder of folders) assert.ok(!bytes.includes(folder), `${folder} in ${file}`);
      if (!file.endsWith(".wasm")) continue;
      modules += 1;
      assert.ok(bytes.includes("/crates/"), `${file} names its sources, for messages of panics`);
    }
  }
  assert.equal(modules, 2);
});

test("as a worker of its own it answers the three calls", async (t) => {
  const main = blocks("js")[0];
  assert.equal(main.trim().split("\n").length, 1, "one line");
  const routes = [{ path: "/protected", to: "identity", user: "stored" }];
  const gate = await dev(
    await project({ "src/index.js": main, "wrangler.jsonc": wrangler("src/index.js", { ROUTES: routes }) }),
  );
  t.after(() => gate.close());
  assert.equal((await gate.get("/protected")).status, 401);
  const { access_token } = await (await gate.logIn()).json();
  const answer = await gate.get("/protected", jwt(access_token));
  assert.deepEqual([answer.status, (await answer.json()).identity], [200, 1]);
  assert.ok(payload(access_token).sid, "there are sessions");
  // Rules for code that is not there are a problem, as in the stock worker.
  const broken = await dev(await project({ "src/index.js": main, "wrangler.jsonc": wrangler("src/index.js") }));
  t.after(() => broken.close());
  assert.equal((await broken.get("/hello")).status, 500);
});

describe("before one's own code", () => {
  /** @type {Awaited<ReturnType<typeof dev>>} */
  let gate;
  let token;
  const routes = [
    { path: "/hello", to: "worker", methods: ["*"] },
    { path: "/maybe", to: "worker", auth: "optional" },
    { path: "/open", to: "worker", auth: "none" },
    { path: "/stored", to: "worker", user: "stored" },
    { path: "/admin", to: "worker", require: { role: "admin" } },
    { path: "/fails", to: "worker" },
  ];
  before(async () => {
    const source = `import { tollgate, authOf, type Auth } from "tollgate";
export { Account, Revocations } from "tollgate";

interface Env { GREETING: string }
interface MyClaims { identity: number; exp: number }

const kept: string[] = [];
// @ts-expect-error
const wrong = (auth: Auth<MyClaims>): string => auth.claims.exp;
const right = (auth: Auth<MyClaims>): number | undefined => auth.principal === "verified" ? auth.claims.exp : undefined;

export default tollgate<Env, MyClaims>({
  async fetch(request, env, ctx, auth) {
    const { pathname } = new URL(request.url);
    if (pathname === "/fails") throw new Error("of the application");
    ctx.waitUntil(Promise.resolve());
    const same = authOf<MyClaims>(request) === auth;
    const headers = Object.fromEntries(request.headers);
    const body = request.method === "POST" ? await request.text() : null;
    const answer = Response.json({ greeting: env.GREETING, auth, same, exp: right(auth) ?? null, headers, body, kept });
    // What code does to its object is not there at the next request.
    Object.assign(auth, { principal: "verified", subject: "root" });
    if (auth.principal === "verified") Object.assign(auth.claims ?? {}, { role: "admin" });
    return answer;
  },
  scheduled(controller) {
    kept.push(controller.cron);
  },
});
void wrong;
`;
    const vars = { GREETING: "hi", ROUTES: routes, TOLLGATE_REVOCATION_BOUND: "2s" };
    const folder = await project({
      "src/index.ts": source,
      "wrangler.jsonc": wrangler("src/index.ts", vars),
      "tsconfig.json": TSCONFIG,
    });
    run(folder, "npx", "tsc", "-p", ".");
    gate = await dev(folder);
    token = (await (await gate.logIn()).json()).access_token;
  });
  after(() => gate?.close());

  const json = async (path, init) => (await gate.get(path, init)).json();

  test("it gets who the caller is, in each way that a request can pass", async () => {
    for (let use = 0; use < 4; use++) {
      const { auth, same, greeting, exp } = await json("/hello", jwt(token));
      const claims = payload(token);
      assert.deepEqual(auth, { principal: "verified", subject: 1, claims, session: claims.sid, user: {} });
      assert.deepEqual([same, greeting, exp], [true, "hi", claims.exp]);
    }
    assert.deepEqual((await json("/maybe")).auth, { principal: "anonymous" });
    assert.deepEqual((await json("/open", jwt(token))).auth, { principal: "open" });
    assert.equal((await json("/stored", jwt(token))).auth.user.username, "user1");
  });

  test("nothing is let through that the rules refuse", async () => {
    /** @type {[path: string, init: RequestInit, status: number][]} */
    const requests = [
      ["/hello", {}, 401],
      ["/hello", jwt("x"), 401],
      ["/admin", jwt(token), 403],
      ["/elsewhere", jwt(token), 404],
    ];
    for (const [path, init, status] of requests) assert.equal((await gate.get(path, init)).status, status, path);
  });

  test("a body arrives whole, and no header field of the client speaks for the gate", async () => {
    const sent = "x".repeat(100_000);
    // From a token's second use on, the decision is remembered.
    for (let use = 0; use < 6; use++) {
      const forged = use % 2 === 0 ? { "x-auth-subject": "7", "X_Auth-Assertion": "x" } : {};
      const answer = await json("/hello", {
        method: "POST",
        body: sent,
        ...jwt(token, { headers: { ...forged, "x-mine": "1" } }),
      });
      assert.equal(answer.body, sent);
      const ofTheGate = Object.keys(answer.headers).filter((name) => name.replaceAll("_", "-").startsWith("x-auth-"));
      assert.deepEqual([ofTheGate, answer.headers["x-mine"], answer.auth.subject], [[], "1", 1]);
    }
  });

  test("a token whose session has ended reaches it no longer, though it was let through before", async () => {
    const ended = (await (await gate.logIn()).json()).access_token;
    for (let use = 0; use < 3; use++) assert.equal((await gate.get("/hello", jwt(ended))).status, 200);
    assert.equal((await gate.get("/auth/logout", jwt(ended, { method: "POST" }))).status, 200);
    // Within the bound.
    await until(async () => (await gate.get("/hello", jwt(ended))).status === 401);
    assert.equal((await gate.get("/hello", jwt(ended))).status, 401);
    assert.equal((await gate.get("/hello", jwt(token))).status, 200);
  });

  test("its exceptions are its own, and its other handlers run", async () => {
    assert.equal((await gate.get("/fails", jwt(token))).status, 500);
    assert.equal((await gate.get("/hello", jwt(token))).status, 200, "the gate goes on");
    assert.equal((await gate.get("/__scheduled?cron=5+4+*+*+*")).status, 200);
    await until(async () => (await json("/open")).kept.includes("5 4 * * *"));
  });
});

test("hono gets the same, with cookies renewed on its answers", async (t) => {
  const source = blocks("ts")[1];
  const folder = await project({
    "src/index.ts": source,
    "wrangler.jsonc": wrangler("src/index.ts", {
      ROUTES: [{ path: "/hello", to: "worker" }],
      TOLLGATE_WIRE: "flask-jwt-extended",
      JWT_TOKEN_LOCATION: ["headers", "cookies"],
      JWT_COOKIE_SECURE: false,
      JWT_ACCESS_TOKEN_EXPIRES: "60",
      TOLLGATE_COOKIE_REFRESH_WITHIN: "59",
      TOLLGATE_CORS: { origins: ["https://app.example.com"] },
    }),
    "tsconfig.json": TSCONFIG,
  });
  run(folder, "npx", "tsc", "-p", ".");
  const gate = await dev(folder);
  t.after(() => gate.close());
  const logIn = await gate.logIn();
  const cookie = logIn.headers.getSetCookie().find((cookie) => cookie.startsWith("access_token_cookie"));
  assert.ok(cookie);
  const { access_token } = await logIn.json();
  const bearer = { headers: { authorization: `Bearer ${access_token ?? payload(cookie.split(/[=;]/)[1])}` } };
  if (access_token) assert.deepEqual(await (await gate.get("/hello", bearer)).json(), { hello: "1" });
  // Times are whole seconds: it is due one to two seconds after the log-in.
  const renewed = await until(async () => {
    const answer = await gate.get("/hello", { headers: { cookie: cookie.split(";")[0] } });
    assert.deepEqual([answer.status, await answer.json()], [200, { hello: "1" }]);
    return answer.headers.getSetCookie().some((cookie) => cookie.startsWith("access_token_cookie")) && answer;
  });
  assert.equal(renewed.headers.get("cache-control"), "no-store");
});

test("its command runs without Rust", async (t) => {
  const folder = await project({
    "src/index.js": blocks("js")[0],
    "wrangler.jsonc": wrangler("src/index.js", { ROUTES: [{ path: "/protected", to: "identity" }] }),
  });
  t.after(() => rm(folder, { recursive: true, force: true }));
  assert.match(run(folder, "npx", "tollgate", "config", "check"), /^0 problems/m);
  assert.equal(run(folder, "npx", "tollgate", "user", "list"), "user1\nuser2\n");
});

test("its command changes a role at the running gate: the former one is void within the bound", async (t) => {
  const vars = {
    ROUTES: [{ path: "/admin", to: "identity", require: { role: "admin" } }],
    TOLLGATE_CLAIMS: { role: "attributes.role" },
    TOLLGATE_REVOCATION_BOUND: "2s",
    TOLLGATE_ERROR_CODES: true,
  };
  const folder = await project({
    "src/index.js": blocks("js")[0],
    ".dev.vars": `JWT_SECRET_KEY=${"k".repeat(40)}\nTOLLGATE_ADMIN_SECRET=${"a".repeat(40)}\n`,
    // No secret is listed as required: there is one more than on the page.
    "wrangler.jsonc": JSON.stringify({ ...config, main: "src/index.js", secrets: undefined, vars }),
  });
  run(folder, "npx", "tollgate", "user", "set", "user1", "role=admin");
  const gate = await dev(folder);
  t.after(() => gate.close());
  const token = async () => (await (await gate.logIn()).json()).access_token;
  const ask = async (token) => {
    const answer = await gate.get("/admin", jwt(token));
    return [answer.status, answer.headers.get("x-auth-error")];
  };
  const former = await token();
  assert.deepEqual(await ask(former), [200, null]);
  assert.match(run(folder, "npx", "tollgate", "user", "set", "user1", "role=viewer", "--gate", gate.url), /go on/);
  await until(async () => (await ask(former))[1] === "claims_outdated");
  assert.deepEqual(await ask(await token()), [403, "insufficient_permissions"]);
  assert.equal(JSON.parse(run(folder, "npx", "tollgate", "user", "show", "user1", "--json")).attributes.role, "viewer");
});

test("the examples of the package's page compile", async (t) => {
  const folder = await project({
    ...Object.fromEntries(blocks("ts").map((block, number) => [`src/block${number}.ts`, block])),
    "wrangler.jsonc": wrangler("src/block0.ts"),
    "tsconfig.json": TSCONFIG,
  });
  t.after(() => rm(folder, { recursive: true, force: true }));
  assert.equal(blocks("ts").length, 5);
  run(folder, "npx", "tsc", "-p", ".");
});
