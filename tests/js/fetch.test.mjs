// What src/edge/js/fetch.mjs changes in an origin's answer. (tests/e2e/cache.test.mjs and tests/e2e/behind.test.mjs try
// the whole worker.)
import assert from "node:assert/strict";
import { test } from "node:test";
import { cachingChanges, makeSender, movedCookie, relocated } from "../../src/edge/js/fetch.mjs";

const LOOKS_AT_TOKENS = 1;
const IN_AUTHORIZATION = 2;
const OPTIONAL = 4;
const MAY_CACHE = 8;
const FORWARDED_PREFIX = 8;

test("an answer that depends on a token is made private where a shared cache could keep it", () => {
  const bearer = LOOKS_AT_TOKENS | IN_AUTHORIZATION;
  const cookie = LOOKS_AT_TOKENS;
  /** @type {[policy: number, sent: string | undefined, made: string | undefined][]} */
  const cases = [
    // RFC 9111 §3.5: with `Authorization` only these let a shared cache keep it.
    [bearer, undefined, undefined],
    [bearer, "max-age=60", undefined],
    [bearer, "public", "private"],
    [bearer, "s-maxage=60, max-age=1", "max-age=1, private"],
    [bearer, "must-revalidate", "must-revalidate, private"],
    // Without it every answer.
    [cookie, undefined, "private"],
    [cookie, "max-age=60", "max-age=60, private"],
    [cookie, "private", undefined],
    [cookie, "private, public", "private"],
    [cookie, 'private="x-user"', "private"],
    // `no-store`, but not beside `must-understand`, nor in a quote without an end.
    [cookie, "no-store", undefined],
    [cookie, "no-store, must-understand", "no-store, must-understand, private"],
    [cookie, 'x="a, no-store', "x=, a, no-store, private"],
  ];
  for (const [policy, sent, made] of cases) {
    const changes = cachingChanges(new Headers(sent === undefined ? {} : { "cache-control": sent }), policy, "Cookie");
    assert.deepEqual(changes, made === undefined ? [] : [["cache-control", made]], `${policy} ${sent}`);
  }
});

test("fields for one kind of cache go, and `Vary` names what the answer depends on", () => {
  const headers = new Headers({ "cdn-cache-control": "max-age=60", "vary": "Accept, cookie" });
  assert.deepEqual(cachingChanges(headers, LOOKS_AT_TOKENS | OPTIONAL, "Authorization, Cookie"), [
    ["cdn-cache-control", undefined],
    ["cache-control", "private"],
    ["vary", "Accept, cookie, Authorization"],
  ]);
  const every = new Headers({ "cache-control": "no-cache, private", "vary": "*" });
  assert.deepEqual(cachingChanges(every, LOOKS_AT_TOKENS | OPTIONAL, "Cookie"), []);
});

test("a Location at the origin's own address leads through the gate, any other stays", () => {
  /** @type {[location: string | null, prefix: string, strip: string, moved: string | undefined][]} */
  const cases = [
    [null, "", "", undefined],
    ["http://origin:5000/a?b#c", "", "", "https://gate/a?b#c"],
    ["//origin:5000/a", "", "", "https://gate/a"],
    ["ht\ttp://origin:5000/a", "", "", "https://gate/a"],
    ["http://elsewhere/a", "", "", undefined],
    ["http://user@origin:5000.evil.example/", "", "", undefined],
    ["mailto:a@origin", "", "", undefined],
    ["http://[", "", "", undefined],
    ["/a", "", "", undefined],
    ["a/b", "/app", "/api", undefined],
    ["/app/a", "/app", "", "/a"],
    ["/app", "/app", "", "/"],
    ["/apple", "/app", "", undefined],
    ["/app//evil.example", "/app", "", "https://gate//evil.example"],
    // What was taken off comes back, unless the application has put it there already.
    ["/a?b#c", "", "/api", "/api/a?b#c"],
    ["/", "", "/api", "/api/"],
    ["/api/a", "", "/api", "/api/a"],
    ["/api", "", "/api", "/api"],
    ["/apis", "", "/api", "/api/apis"],
    ["http://origin:5000/a", "", "/api", "https://gate/api/a"],
    ["//evil.example/a", "", "/api", undefined],
    ["http://elsewhere/a", "", "/api", undefined],
    ["/v2/a", "/v2", "/api", "/api/a"],
    ["/v2", "/v2", "/api", "/api"],
    ["/api/v2/a", "/v2", "/api", "/api/a"],
    ["/api/a", "/v2", "/api", "/api/a"],
    ["/v3/a", "/v2", "/api", undefined],
  ];
  for (const [location, prefix, strip, moved] of cases) {
    const mapping = { site: "https://gate", host: "origin:5000", prefix, strip };
    assert.equal(relocated(location, mapping), moved, `${location} ${prefix} ${strip}`);
  }
});

test("a cookie of an origin is for the paths at which clients know it", () => {
  /** @type {[cookie: string, prefix: string, strip: string, moved: string][]} */
  const cases = [
    ["a=1; Path=/; HttpOnly", "", "/api", "a=1; Path=/api; HttpOnly"],
    ["a=1; path=/x/;Secure", "", "/api", "a=1; path=/api/x/;Secure"],
    ["a=1; Path=/api/x", "", "/api", "a=1; Path=/api/x"],
    ["a=1; Path=/apis", "", "/api", "a=1; Path=/api/apis"],
    ["a=1; Path = /x ; HttpOnly", "", "/api", "a=1; Path = /api/x ; HttpOnly"],
    ["a=1; HttpOnly", "", "/api", "a=1; HttpOnly"],
    ["a=1; Path=x", "", "/api", "a=1; Path=x"],
    ["a=path=/x; Path=/x", "", "/api", "a=path=/x; Path=/api/x"],
    ["a=1; Path=/x; Path=/y", "", "/api", "a=1; Path=/api/x; Path=/api/y"],
    ["__Host-a=1; Path=/; Secure", "", "/api", "__Host-a=1; Path=/; Secure"],
    ["a=1; Path=/v2/x", "/v2", "/api", "a=1; Path=/api/x"],
    ["a=1; Path=/", "/v2", "/api", "a=1; Path=/api"],
    ["a=1; Path=/v2/", "/v2", "/api", "a=1; Path=/api"],
    ["a=1; Path=/v2/x", "/v2", "", "a=1; Path=/x"],
    ["a=1; Path=/v2", "/v2", "", "a=1; Path=/"],
    ["a=1; Path=/other", "/v2", "", "a=1; Path=/other"],
  ];
  for (const [cookie, prefix, strip, moved] of cases) {
    const mapping = { site: "https://gate", host: "origin", prefix, strip };
    assert.equal(movedCookie(cookie, mapping), moved, `${cookie} ${prefix} ${strip}`);
  }
});

test("a path loses whole segments, and nothing of its query", async (t) => {
  const fetched = t.mock.method(globalThis, "fetch", async () => new Response("x"));
  for (const [strip, place, target] of [
    ["", "/api/x?a=/b", "http://origin/v2/api/x?a=/b"],
    ["/api", "/api/x?a=/b", "http://origin/v2/x?a=/b"],
    ["/api", "/%61pi/x/", "http://origin/v2/x/"],
    ["/api", "/api", "http://origin/v2/"],
    ["/api", "/api?page=/2", "http://origin/v2/?page=/2"],
    ["/api/v1", "/api/v1/x", "http://origin/v2/x"],
  ]) {
    const headers = new Headers();
    await senderTo({ strip, prefix: "/v2" })(place, new Request("https://gate/a"), headers, false, 17, 0, 3);
    assert.equal(fetched.mock.calls.at(-1)?.arguments[0], target);
    assert.equal(headers.get("x-forwarded-prefix"), strip || null);
  }
  // A cache that keeps an answer for everybody must not keep one prefix for another.
  const headers = new Headers();
  const policy = MAY_CACHE;
  await senderTo({ strip: "/api", policy })("/api/x", new Request("https://gate/a"), headers, false, 17, 0, 3);
  assert.equal(headers.get("x-forwarded-prefix"), null);
});

/** A sender for rule 0, or another number. @param {object} change @param {number} rule @param {any} failed */
function senderTo(change, rule = 0, failed = assert.fail) {
  const destination = { site: "http://origin", binding: null, timeoutMs: 5, headers: [], strip: "", prefix: "" };
  const destinations = Array(rule).fill(null);
  destinations.push({ ...destination, policy: LOOKS_AT_TOKENS, ...change });
  return makeSender({}, JSON.stringify(destinations), "", "Cookie", FORWARDED_PREFIX, failed);
}

test("an origin that does not answer in time, or can't be reached, is reported with its request", async (t) => {
  /** @type {unknown[][]} */
  const reported = [];
  const sender = senderTo({}, 2, (/** @type {unknown[]} */ ...failure) => {
    reported.push(failure);
    return new Response(null, { status: 502 });
  });
  const send = () => sender("/a", new Request("https://gate/a"), new Headers(), false, 17, 2, 3);
  const fetched = t.mock.method(globalThis, "fetch", () => Promise.reject(new Error("refused")));
  assert.equal((await send()).status, 502);
  fetched.mock.mockImplementation(() => new Promise(() => {}));
  assert.equal((await send()).status, 502);
  assert.deepEqual(reported, [
    [1, false, 17, 2, 3],
    [0, false, 17, 2, 3],
  ]);
  assert.deepEqual(fetched.mock.calls[0].arguments.slice(0, 1), ["http://origin/a"]);
  fetched.mock.mockImplementation(async () => new Response("x"));
  const answer = await send();
  assert.equal(answer.headers.get("cache-control"), "private", "by the policy of its rule");
});
