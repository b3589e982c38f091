// The hot path's module, with a Rust that is played here: what is replayed is replayed for the very same request, in
// its time, and to nobody else, whatever happens in between. (tests/e2e/hot.test.mjs tries the whole worker.)
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { hotPath } from "../../worker/js/hot.mjs";

const GO_ON = -1;
const FORWARD = -2;

/** A Rust whose `decide` is `rules(request, callbacks)`: a body, a verdict, or an exception. */
function playing(rules) {
  const rust = {
    memory: new Uint8Array(4096),
    asked: [],
    buffer: () => rust.memory,
    identity_init: () => ({ status: 200 }),
    begin: (callbacks) => {
      rust.callbacks = callbacks;
    },
    goes_on: (name) => name !== "authorization",
    sender: () => (path, request, headers) => Promise.resolve({ path, headers: Object.fromEntries(headers) }),
    decide(method, url, authorization, now, hasIdentityHeaders) {
      const text = Buffer.from(rust.memory).toString();
      const request = {
        method: text.slice(0, method),
        url: text.slice(method, method + url),
        authorization: authorization === undefined ? undefined : text.slice(method + url, method + url + authorization),
        now,
        hasIdentityHeaders,
      };
      rust.asked.push(request);
      const verdict = rules(request, rust.callbacks);
      if (typeof verdict !== "string") return verdict;
      rust.memory.set(Buffer.from(verdict));
      return verdict.length;
    },
  };
  const goOn = (request, env, ctx, isDecided) => ({ slow: true, isDecided });
  const path = hotPath(
    () => rust,
    goOn,
    (error) => ({ broken: error.message }),
  );
  path.begin(rust);
  const send = (token, url = "https://gate/me", method = "GET") =>
    path.handle(new Request(url, { method, headers: token ? { authorization: `Bearer ${token}` } : {} }), {}, {});
  return { rust, send, begin: () => path.begin(rust) };
}

/** Everybody's own name, kept for a minute. */
const keeping = (request, callbacks) => {
  callbacks.keep(request.now, request.now + 60_000, 2);
  return `${request.authorization} ${request.url}`;
};

beforeEach(() => mock.timers.reset());

test("a decision is replayed for the same token, URL and method, until its time is over", async () => {
  mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  const { rust, send } = playing(keeping);
  const first = await send("A").text();
  assert.equal(first, "Bearer A https://gate/me");
  assert.equal(await send("A").text(), first);
  assert.equal(rust.asked.length, 1, "the second without Rust");
  await send("A", "https://gate/other").text();
  assert.equal(rust.asked.length, 2, "another URL");
  send("A", "https://gate/other", "HEAD");
  assert.equal(rust.asked.length, 3, "another method");
  await send("A", "https://gate/other", "HEAD").text();
  assert.equal(rust.asked.length, 3);
  mock.timers.tick(59_999);
  await send("A", "https://gate/other", "HEAD").text();
  assert.equal(rust.asked.length, 3, "its last millisecond");
  mock.timers.tick(1);
  send("A", "https://gate/other", "HEAD");
  assert.equal(rust.asked.length, 4, "over");
});

test("a clock that goes back replays nothing", () => {
  mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  const { rust, send } = playing(keeping);
  send("A");
  mock.timers.setTime(1_799_999_999_999);
  send("A");
  assert.equal(rust.asked.length, 2);
});

test("requests that come between each other get their own answers", async () => {
  const { send } = playing(keeping);
  for (const token of ["A", "B", "A", "C", "B", "A"]) {
    assert.equal(await send(token).text(), `Bearer ${token} https://gate/me`);
  }
});

test("as many tokens are kept as Rust says, and those of before a fresh instance are not", async () => {
  const { rust, send, begin } = playing(keeping);
  for (const token of ["A", "B", "C", "B", "C"]) send(token);
  assert.equal(rust.asked.length, 3);
  send("A");
  assert.equal(rust.asked.length, 4, "the first made room for the third");
  begin();
  send("A");
  assert.equal(rust.asked.length, 5);
});

test("an exception in the middle of a decision leaves nothing to replay", async () => {
  let fails = true;
  const { rust, send } = playing((request, callbacks) => {
    callbacks.keep(request.now, request.now + 60_000, 2);
    callbacks.setIdentityHeaders("x-auth-subject:1", 2);
    if (fails) throw new Error("in the middle");
    return "an answer";
  });
  assert.deepEqual(send("A"), { broken: "in the middle" });
  fails = false;
  assert.deepEqual(send("A"), { slow: true, isDecided: false }, "what was kept has no answer: Rust decides anew");
  assert.equal(await send("B").text(), "an answer");
  assert.equal(rust.asked.length, 2);
});

test("what goes to an origin has the identity of its own token", async () => {
  const forwarding = (request, callbacks) => {
    callbacks.keep(request.now, request.now + 60_000, 2);
    const token = request.authorization.slice("Bearer ".length);
    if (!request.hasIdentityHeaders) callbacks.setIdentityHeaders(`x-auth-subject:${token}`, 2);
    return FORWARD;
  };
  const { rust, send } = playing(forwarding);
  for (const token of ["A", "B", "A", "B"]) {
    const { path, headers } = await send(token, "https://gate/api?x=1");
    assert.deepEqual([path, headers], ["/api?x=1", { "x-auth-subject": token }]);
  }
  assert.equal(rust.asked.length, 2);
  await send("A", "https://gate/api/2");
  assert.equal(rust.asked[2].hasIdentityHeaders, true, "by token, whatever the URL");
});

test("what is not ASCII, or too long, goes to Rust whole", () => {
  const { rust, send } = playing(keeping);
  assert.deepEqual(send("é"), { slow: true, isDecided: false });
  assert.deepEqual(send("x".repeat(5000)), { slow: true, isDecided: false });
  assert.equal(rust.asked.length, 0);
});

test("the slow way is told whether the decision was made", () => {
  const { send } = playing(() => GO_ON);
  assert.deepEqual(send(undefined), { slow: true, isDecided: true });
});

test("a rejection is made of what Rust said once, each logged one with an id of its own", () => {
  const lines = mock.method(console, "log", () => {});
  let number = 0;
  const { send } = playing((request, callbacks) => {
    number += 1;
    if (number === 1) callbacks.setRejection(0, { status: 401, headers: [["x-a", "b"]] }, "no", "id-", '{"id":"id-"}');
    callbacks.reject(0, number, number < 3);
    return 0;
  });
  const [first, second, third] = [send("A"), send("B"), send("C")];
  lines.mock.restore();
  assert.deepEqual([first.status, second.headers.get("x-request-id")], [401, "id-2"]);
  assert.equal(third.headers.get("x-request-id"), null, "not logged");
  assert.deepEqual(
    lines.mock.calls.map((call) => call.arguments[0]),
    ['{"id":"id-1"}', '{"id":"id-2"}'],
  );
});
