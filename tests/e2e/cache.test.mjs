// Nothing that the gate fetches for a user is answered from, or stored in, a shared cache; and no fetch follows a
// redirect.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as send } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { bearing, mint, origin, start } from "./harness.mjs";

const EXTENDED = { TOLLGATE_WIRE: "flask-jwt-extended" };
const user = (id) => mint({ sub: String(id), identity: id, type: "access", fresh: false, jti: `${id}`, csrf: "C" });

/**
 * A stand-in for Cloudflare's cache between a worker and an origin, by its documented rules: it keys by URL, stores
 * what has one of these extensions unless the answer says otherwise, and lets pass what a worker fetches with `cache:
 * "no-store"`, which local workerd shows as two request header fields.
 */
async function cachingProxy(behind) {
  const kept = new Map();
  const proxy = await origin((request, answer) => {
    const passes = request.headers["cache-control"] === "no-cache" && request.headers.pragma === "no-cache";
    const key = request.headers.host + request.url;
    if (!passes && request.method === "GET" && kept.has(key)) {
      const { status, headers, body } = kept.get(key);
      return answer.writeHead(status, { ...headers, "cf-cache-status": "HIT" }).end(body);
    }
    const onward = send(behind.url + request.url, { method: request.method, headers: request.headers }, async (got) => {
      const body = Buffer.concat(await got.toArray());
      const control = got.headers["cache-control"] ?? "";
      const isStatic = /\.(pdf|csv|zip|docx|jpg|css|js)$/.test(request.url.split("?")[0]);
      const isPrivate = /private|no-store|no-cache|max-age=0/.test(control);
      const isPublic = /public|s-maxage|must-revalidate/.test(control);
      const mayKeep = (isStatic || isPublic) && !isPrivate && (!request.headers.authorization || isPublic);
      if (!passes && request.method === "GET" && mayKeep)
        kept.set(key, { status: got.statusCode, headers: got.headers, body });
      answer.writeHead(got.statusCode, got.headers).end(body);
    });
    request.pipe(onward);
  });
  return { ...proxy, kept };
}

describe("one user never gets what was fetched for another", () => {
  let app, proxy;
  before(async () => {
    app = await origin((request, answer) => {
      const control = request.url.includes("revalidate") ? "max-age=600, must-revalidate" : "max-age=600";
      answer
        .writeHead(200, { "cache-control": control })
        .end(`invoice of ${request.headers["x-auth-subject"] ?? "nobody"}`);
    });
    proxy = await cachingProxy(app);
  });
  after(() => {
    proxy.close();
    app.close();
  });

  /** @type {[what: string, vars: Record<string, unknown>, carry: (token: string) => [string, RequestInit]][]} */
  const ways = [
    [
      "a token in a cookie",
      { JWT_TOKEN_LOCATION: "cookies" },
      (token) => ["/api/invoice.pdf", { headers: { cookie: `access_token_cookie=${token}` } }],
    ],
    [
      "a token in a header that is not Authorization",
      { JWT_HEADER_NAME: "X-Token" },
      (token) => ["/api/report.csv", { headers: { "x-token": `Bearer ${token}` } }],
    ],
    [
      "a token that stays here",
      { TOLLGATE_FORWARD_TOKEN: "false" },
      (token) => ["/api/archive.zip", { headers: { authorization: `Bearer ${token}` } }],
    ],
    [
      "an app that says must-revalidate",
      {},
      (token) => ["/api/revalidate.docx", { headers: { authorization: `Bearer ${token}` } }],
    ],
    ["a rule that asks the store", {}, (token) => ["/stored/x.pdf", { headers: { authorization: `Bearer ${token}` } }]],
    [
      "an optional rule",
      { JWT_TOKEN_LOCATION: "cookies" },
      (token) => ["/optional/x.pdf", { headers: { cookie: `access_token_cookie=${token}` } }],
    ],
  ];
  for (const [what, vars, carry] of ways) {
    test(what, async () => {
      const ROUTES = [
        { path: "/api/*", to: "origin" },
        { path: "/stored/*", to: "origin", user: "stored" },
        { path: "/optional/*", to: "origin", auth: "optional" },
      ];
      const gate = await start({
        vars: { ...EXTENDED, ORIGIN: proxy.url, TOLLGATE_FORWARD_TOKEN: "true", ROUTES, ...vars },
      });
      try {
        proxy.kept.clear();
        // The first and the second use go different ways through the gate.
        for (let use = 0; use < 3; use++) {
          for (const id of [1, 2]) {
            const [path, init] = carry(await user(id));
            assert.equal(await (await gate.get(path, init)).text(), `invoice of ${id}`);
          }
        }
        if (what === "an optional rule")
          assert.equal(await (await gate.get("/optional/x.pdf")).text(), "invoice of nobody");
        assert.equal(proxy.kept.size, 0);
      } finally {
        await gate.close();
      }
    });
  }
});

/** A gate that shows at /fetched with which `init` its fetches were made. */
const OBSERVED = {
  entry: `
    import worker, { Account, Revocations } from "./entry.js";
    export { Account, Revocations };
    let fetched = [];
    const real = globalThis.fetch;
    globalThis.fetch = (target, init) => {
      fetched.push({ url: typeof target === "string" ? target : target.url, cache: init?.cache, redirect: init?.redirect, cf: init?.cf });
      return real(target, init);
    };
    export default { async fetch(request, env, ctx) {
      if (new URL(request.url).pathname === "/fetched") return Response.json(fetched.splice(0));
      return worker.fetch(request, env, ctx);
    } };
  `,
};

test("every fetch is made without a cache and without following, but for an open rule that says so", async (t) => {
  const app = await origin((request, answer) => answer.end(JSON.stringify(request.headers)));
  t.after(() => app.close());
  const methods = ["*", "OPTIONS"];
  const ROUTES = [
    { path: "/required", to: "origin", methods },
    { path: "/optional", to: "origin", auth: "optional", methods },
    { path: "/open", to: "origin", auth: "none" },
    { path: "/cached", to: "origin", auth: "none", cache: true },
  ];
  const gate = await start({ ...OBSERVED, vars: { ORIGIN: app.url, ROUTES } });
  t.after(() => gate.close());
  const token = await mint({ identity: 1 });
  /** @type {[path: string, init: RequestInit, cache: string | undefined][]} */
  const requests = [
    ["/required", bearing(token), "no-store"],
    ["/required", bearing(token), "no-store"],
    ["/required", bearing(token, { method: "POST", body: "x" }), "no-store"],
    ["/required", { method: "OPTIONS" }, "no-store"],
    ["/optional", {}, "no-store"],
    ["/optional", bearing(token), "no-store"],
    ["/open", {}, "no-store"],
    ["/open", bearing(token), "no-store"],
    ["/cached", {}, undefined],
  ];
  for (const [path, init, cache] of requests) {
    const answer = await gate.get(path, init);
    assert.equal(answer.status, 200, path);
    const headers = await answer.json();
    const [one, ...more] = await (await gate.get("/fetched")).json();
    assert.deepEqual([one.cache, one.redirect, one.cf, more], [cache, "manual", undefined, []], path);
    assert.deepEqual(
      [headers["cache-control"], headers.pragma],
      cache ? ["no-cache", "no-cache"] : [undefined, undefined],
      path,
    );
  }
  // Of an answer that is kept for everybody nothing depends on who asks, or by which address.
  const asked = await (await gate.get("/cached", bearing(token))).json();
  assert.deepEqual(
    [asked.authorization, asked["x-forwarded-host"], asked["x-forwarded-proto"]],
    [undefined, undefined, undefined],
  );
  const open = await (await gate.get("/open", bearing(token))).json();
  assert.deepEqual(
    [open.authorization, open["x-forwarded-host"]],
    [bearing(token).headers.authorization, gate.url.host],
  );
  // What the client sent itself arrives.
  const headers = { ...bearing(token).headers, "cache-control": "max-age=0", pragma: "x" };
  const got = await (await gate.get("/required", { headers })).json();
  assert.deepEqual([got["cache-control"], got.pragma], ["max-age=0", "x"]);
});

test("no fetch of the gate follows a redirect", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "tollgate-assets-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "members"));
  await writeFile(join(folder, "members/index.html"), "for members");
  await writeFile(join(folder, "404.html"), "the operator's page");
  await writeFile(join(folder, "_redirects"), "/area /members/index.html 302\n/old/* /members/:splat 301\n");
  let asked = 0;
  const elsewhere = await origin((_, answer) => {
    asked++;
    answer.end("0018A45C4D1DEF81644B54AB7F969B88D65:1");
  });
  const moved = await origin((_request, answer) => answer.writeHead(302, { location: `${elsewhere.url}/x` }).end());
  t.after(() => {
    elsewhere.close();
    moved.close();
  });
  const ROUTES = [
    { path: "/*", to: "assets", auth: "none" },
    { path: "/members/*", to: "assets" },
    { path: "/api/*", to: "origin" },
  ];
  const vars = {
    ROUTES,
    ORIGIN: moved.url,
    TOLLGATE_PASSWORD_PWNED: "true",
    TOLLGATE_PASSWORD_PWNED_URL: `${moved.url}/range`,
  };
  const gate = await start({ vars, assets: { directory: folder, not_found_handling: "404-page" } });
  t.after(() => gate.close());
  for (const [path, status, location] of [
    ["/area", 302, "/members/index.html"],
    ["/old/index.html", 301, "/members/index.html"],
  ]) {
    const answer = await gate.get(path);
    assert.deepEqual([answer.status, answer.headers.get("location")], [status, location]);
    assert.doesNotMatch(await answer.text(), /for members/);
  }
  assert.equal((await gate.get("/members/index.html")).status, 401);
  const token = await gate.token();
  assert.equal(await (await gate.get("/members/index.html", bearing(token))).text(), "for members");
  const missing = await gate.get("/nothing-here");
  assert.deepEqual([missing.status, await missing.text()], [404, "the operator's page"]);
  // The origin, and the list of leaked passwords.
  assert.equal((await gate.get("/api/x", bearing(token))).status, 302);
  const change = {
    method: "POST",
    headers: { ...bearing(token).headers, "content-type": "application/json" },
    body: JSON.stringify({ old_password: "abcxyz", new_password: "a new password of many words" }),
  };
  assert.equal((await gate.get("/auth/password", change)).status, 200);
  assert.equal(asked, 0);
});

test("an answer under a rule that looks at tokens is private to its user, and is left alone where it is already", async (t) => {
  let answerWith;
  const app = await origin((_request, answer) =>
    answer.writeHead(answerWith.status ?? 200, answerWith.headers).end(answerWith.body ?? "x"),
  );
  t.after(() => app.close());
  const ROUTES = [
    { path: "/required", to: "origin" },
    { path: "/optional", to: "origin", auth: "optional" },
    { path: "/open", to: "origin", auth: "none" },
  ];
  const gate = await start({
    users: false,
    vars: { ...EXTENDED, JWT_TOKEN_LOCATION: ["headers", "cookies"], ORIGIN: app.url, ROUTES },
  });
  t.after(() => gate.close());
  const token = await user(1);
  const bearer = { authorization: `Bearer ${token}` },
    cookie = { cookie: `access_token_cookie=${token}` };
  const directives = (text) =>
    (text ?? "")
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word)
      .sort();
  const CDN = {
    "cdn-cache-control": "max-age=60",
    "cloudflare-cdn-cache-control": "max-age=60",
    "surrogate-control": "max-age=60",
  };
  /**
   * @typedef {Record<string, string>} Fields
   * @type {[path: string, headers: Fields, sent: Fields, control: string[], vary?: string][]}
   */
  const answers = [
    // In Authorization: RFC 9111 §3.5 does it, unless the answer invites caches.
    ["/required", bearer, {}, []],
    ["/required", bearer, { "cache-control": "max-age=60" }, ["max-age=60"]],
    ["/required", bearer, { "cache-control": "no-cache" }, ["no-cache"]],
    ["/required", bearer, { "cache-control": "public, max-age=60" }, ["max-age=60", "private"]],
    ["/required", bearer, { "cache-control": "PUBLIC" }, ["private"]],
    ["/required", bearer, { "cache-control": "max-age=60, S-MaxAge=600" }, ["max-age=60", "private"]],
    [
      "/required",
      bearer,
      { "cache-control": 'max-age=60, must-revalidate, no-cache="set-cookie, x"' },
      ["max-age=60", "must-revalidate", 'no-cache="set-cookie', "private", 'x"'],
    ],
    ["/required", bearer, { "cache-control": 'public, private="x-user"' }, ["private"]],
    ["/required", bearer, { "cache-control": "max-age=60", ...CDN }, ["max-age=60", "private"]],
    ["/required", bearer, { "cache-control": "private, max-age=60" }, ["max-age=60", "private"]],
    ["/required", bearer, { "cache-control": "no-store", ...CDN }, ["no-store"]],
    // In a cookie: always.
    ["/required", cookie, {}, ["private"]],
    ["/required", cookie, { "cache-control": "max-age=60, public" }, ["max-age=60", "private"]],
    ["/required", cookie, { "cache-control": "no-store" }, ["no-store"]],
    ["/required", cookie, { "cache-control": "private" }, ["private"]],
    [
      "/required",
      cookie,
      { "cache-control": "must-understand, no-store, max-age=60" },
      ["max-age=60", "must-understand", "no-store", "private"],
    ],
    ["/required", cookie, { "cache-control": 'public, x="a, no-store' }, ["a", "no-store", "private", "x="]],
    ["/required", bearer, { "cache-control": "private, public, s-maxage=60" }, ["private"]],
    [
      "/required",
      cookie,
      { "cache-control": 'max-age=60, x="unclosed, private, public' },
      ["max-age=60", "private", "unclosed", "x="],
    ],
    [
      "/optional",
      cookie,
      { "cache-control": "private, max-age=60" },
      ["max-age=60", "private"],
      "Authorization, Cookie",
    ],
    ["/optional", cookie, { "cache-control": "no-store" }, ["no-store"]],
    // With or without a token.
    ["/optional", {}, {}, ["private"], "Authorization, Cookie"],
    [
      "/optional",
      {},
      { "cache-control": "public, max-age=60", vary: "Accept-Encoding, cookie" },
      ["max-age=60", "private"],
      "Accept-Encoding, cookie, Authorization",
    ],
    ["/optional", bearer, {}, [], "Authorization, Cookie"],
    ["/optional", bearer, { vary: "*" }, [], "*"],
    ["/optional", cookie, {}, ["private"], "Authorization, Cookie"],
    ["/open", {}, { "cache-control": "public, s-maxage=60", ...CDN }, ["public", "s-maxage=60"]],
    ["/open", cookie, { "cache-control": "public" }, ["public"]],
  ];
  for (const [path, headers, sent, control, vary] of answers) {
    answerWith = { headers: sent };
    for (let use = 0; use < 3; use++) {
      const answer = await gate.get(path, { headers });
      const what = `${path} ${JSON.stringify(headers).slice(0, 20)} ${JSON.stringify(sent)}`;
      assert.deepEqual(directives(answer.headers.get("cache-control")), [...control].sort(), what);
      if (vary) assert.equal(answer.headers.get("vary"), vary, what);
      const targeted = Object.keys(CDN).filter((name) => answer.headers.has(name));
      assert.deepEqual(targeted, path === "/open" && sent["cdn-cache-control"] ? Object.keys(CDN) : [], what);
      assert.equal(await answer.text(), "x");
    }
  }
  // Whatever is changed, the answer arrives whole: bytes as they were encoded, several cookies, answers without a body.
  answerWith = {
    headers: { "cache-control": "public", "content-encoding": "gzip", "set-cookie": ["a=1", "b=2"] },
    body: gzipSync("zipped"),
  };
  const zipped = await gate.get("/required", { headers: cookie });
  assert.deepEqual([await zipped.text(), zipped.headers.getSetCookie()], ["zipped", ["a=1", "b=2"]]);
  for (const status of [204, 304]) {
    answerWith = { status, headers: { "cache-control": "public" } };
    const answer = await gate.get("/required", { headers: cookie });
    assert.deepEqual([answer.status, answer.headers.get("cache-control")], [status, "private"]);
  }
  answerWith = { headers: { "cache-control": "public", "content-length": "1" } };
  const head = await gate.get("/required", { method: "HEAD", headers: cookie });
  assert.deepEqual(
    [head.status, head.headers.get("cache-control"), head.headers.get("content-length")],
    [200, "private", "1"],
  );
});
