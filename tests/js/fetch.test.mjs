// What src/edge/js/fetch.mjs changes in an origin's answer. (tests/e2e/cache.test.mjs and tests/e2e/behind.test.mjs try
// the whole worker.)
import assert from "node:assert/strict";
import { test } from "node:test";
import { cachingChanges, makeSender, relocated } from "../../src/edge/js/fetch.mjs";

const LOOKS_AT_TOKENS = 1;
const IN_AUTHORIZATION = 2;
const OPTIONAL = 4;

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
  /** @type {[location: string | null, prefix: string, moved: string | undefined][]} */
  const cases = [
    [null, "", undefined],
    ["http://origin:5000/a?b#c", "", "https://gate/a?b#c"],
    ["//origin:5000/a", "", "https://gate/a"],
    ["ht\ttp://origin:5000/a", "", "https://gate/a"],
    ["http://elsewhere/a", "", undefined],
    ["http://user@origin:5000.evil.example/", "", undefined],
    ["mailto:a@origin", "", undefined],
    ["http://[", "", undefined],
    ["/a", "", undefined],
    ["/app/a", "/app", "/a"],
    ["/app", "/app", "/"],
    ["/apple", "/app", undefined],
    ["/app//evil.example", "/app", "https://gate//evil.example"],
  ];
  for (const [location, prefix, moved] of cases) {
    assert.equal(relocated(location, "https://gate", "origin:5000", prefix), moved, `${location} ${prefix}`);
  }
});

test("an origin that does not answer in time, or can't be reached, is reported with its request", async (t) => {
  /** @type {unknown[][]} */
  const reported = [];
  const policies = new Uint32Array([0, 0, LOOKS_AT_TOKENS]);
  const sender = makeSender("http://origin", "", 5, "Cookie", 0, policies, (...failure) => {
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
