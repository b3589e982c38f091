// The hot path's module, with a Rust that is played here: what is replayed is replayed for the very same request,
// within its time, and to nobody else, whatever happens in between. (tests/e2e/hot.test.mjs tries the whole worker.)
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { hotPath } from "../../worker/js/hot.mjs";

/** @typedef {import("../../worker/js/glue.mjs").HotCallbacks} HotCallbacks */
/**
 * A request as Rust reads it in the buffer.
 *
 * @typedef {{
 *   method: string, url: string, authorization: string | undefined, now: number, audience: number,
 * }} Read
 */
/**
 * What Rust does in `decide`: it returns a body, or a verdict, or who the caller of the worker's own code is.
 *
 * @typedef {(request: Read, callbacks: HotCallbacks) => string | number | { auth: string }} Rules
 */

const REJECTED = 0;
const GO_ON = -1;
const FORWARD = -2;
const INNER = 65_536;
const START = 1_800_000_000_000;

/**
 * A hot path on a Rust that follows `rules`. Responses that are not the hot path's own have a status of their own: 299
 * from `handleInRust`, 298 from the worker's own code, 599 for an exception, 200 with what was sent from the origin.
 *
 * @param {Rules} rules
 */
function playing(rules) {
  let memory = new Uint8Array(4096);
  /** @type {Read[]} */
  const asked = [];
  /** @type {string[]} */
  const namesAsked = [];
  /** @type {HotCallbacks} */
  let callbacks;
  let isLost = false;
  let senders = 0;
  const rust = {
    buffer: () => memory,
    identity_init: () => ({ status: 200 }),
    begin: (/** @type {HotCallbacks} */ given) => {
      callbacks = given;
    },
    goes_on: (/** @type {string} */ name) => {
      namesAsked.push(name);
      return name === "x-unclear" ? undefined : name !== "authorization";
    },
    is_the_clients: (/** @type {string} */ name) => {
      namesAsked.push(name);
      return name !== "x-auth-subject";
    },
    sender: () => {
      senders += 1;
      const number = senders;
      /** @type {import("../../src/edge/js/fetch.mjs").Sender} */
      return async (path, _request, headers, isHead, _began, rule) => {
        if (path === "/lost") throw new Error("in the sender");
        return Response.json({ path, rule, isHead, sender: number, headers: Object.fromEntries(headers) });
      };
    },
    /** @type {import("../../worker/js/hot.mjs").HotRust["decide"]} */
    decide(method, url, authorization, now, audience) {
      const text = Buffer.from(memory).toString();
      const request = {
        method: text.slice(0, method),
        url: text.slice(method, method + url),
        authorization: authorization === undefined ? undefined : text.slice(method + url, method + url + authorization),
        now,
        audience,
      };
      asked.push(request);
      const verdict = rules(request, callbacks);
      if (typeof verdict === "number") return verdict;
      const [written, least] = typeof verdict === "string" ? [verdict, 0] : [verdict.auth, INNER];
      memory.set(Buffer.from(written));
      return least + written.length;
    },
  };
  const instance = () => {
    if (isLost) path.begin(rust);
    isLost = false;
  };
  const path = hotPath(
    instance,
    (_request, _env, _ctx, isDecided) => Response.json({ isDecided }, { status: 299 }),
    async (request, _env, _ctx, auth) => {
      const fields = Object.fromEntries(request.headers);
      if (request.url.endsWith("/throws")) throw new Error("of the application");
      return Response.json({ auth, fields }, { status: 298 });
    },
    (error) => new Response(/** @type {Error} */ (error).message, { status: 599 }),
  );
  path.begin(rust);
  const ctx = /** @type {ExecutionContext} */ ({});
  const send = async (
    /** @type {string | undefined} */ token,
    url = "https://gate/me",
    method = "GET",
    headers = {},
  ) => {
    const request = new Request(url, { method, headers });
    if (token !== undefined) request.headers.set("authorization", `Bearer ${token}`);
    const answer = await path.handle(request, {}, ctx);
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const lose = () => {
    isLost = true;
  };
  /** A view of Wasm's memory is void when that has grown. */
  const grow = () => {
    memory = new Uint8Array(structuredClone(memory.buffer, { transfer: [memory.buffer] }));
  };
  return { asked, namesAsked, send, lose, grow };
}

/** Gives everybody's own name, for a minute, and room for two. @type {Rules} */
const keeping = (request, callbacks) => {
  callbacks.keep(request.now, request.now + 60_000, 2, 0);
  return `${request.authorization} ${request.url}`;
};

/** Forwards with everybody's own identity headers, for a minute. @type {Rules} */
const forwarding = (request, callbacks) => {
  const token = request.authorization?.slice("Bearer ".length);
  if (request.audience < 0) callbacks.setIdentityHeaders(`x-auth-subject:${token}`, 2, 0, Infinity);
  callbacks.keep(request.now, request.now + 60_000, 2, 0);
  return FORWARD;
};

/** Lets the worker's own code answer, for a minute. @type {Rules} */
const passingOn = (request, callbacks) => {
  callbacks.keep(request.now, request.now + 60_000, 2, 0);
  return { auth: `${request.authorization} ${request.url}` };
};

beforeEach(() => mock.timers.reset());

test("a decision is replayed for the same token, URL and method, until its time is over", async () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  const { asked, send } = playing(keeping);
  const first = await send("A");
  assert.equal(first.text, "Bearer A https://gate/me");
  assert.equal((await send("A")).text, first.text);
  assert.equal(asked.length, 1, "the second without Rust");
  await send("A", "https://gate/other");
  assert.equal(asked.length, 2, "another URL");
  await send("A", "https://gate/other", "POST");
  assert.equal(asked.length, 3, "another method");
  await send("A", "https://gate/other", "POST");
  assert.equal(asked.length, 3);
  mock.timers.tick(59_999);
  await send("A", "https://gate/other", "POST");
  assert.equal(asked.length, 3, "its last millisecond");
  mock.timers.tick(1);
  await send("A", "https://gate/other", "POST");
  assert.equal(asked.length, 4, "over");
});

test("a clock that goes back replays nothing", async () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  const { asked, send } = playing(keeping);
  await send("A");
  mock.timers.setTime(START - 1);
  await send("A");
  assert.equal(asked.length, 2);
});

test("a stale entry gives way to the new decision: its answer, and its rule, are gone", async () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  /** @type {Rules} */
  let rules = keeping;
  const { asked, send } = playing((request, callbacks) => rules(request, callbacks));
  await send("A");
  mock.timers.tick(60_000);
  rules = forwarding;
  const url = "https://gate/me";
  for (const count of [2, 2]) {
    assert.deepEqual(JSON.parse((await send("A", url)).text).headers, { "x-auth-subject": "A" });
    assert.equal(asked.length, count);
  }
  mock.timers.tick(60_000);
  rules = keeping;
  for (const count of [3, 3]) {
    assert.equal((await send("A", url)).text, "Bearer A https://gate/me");
    assert.equal(asked.length, count);
  }
});

test("a stale entry is not replayed when the token is then rejected", async () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  /** @type {Rules} */
  let rules = keeping;
  const { send } = playing((request, callbacks) => rules(request, callbacks));
  await send("A");
  mock.timers.tick(60_000);
  rules = (_request, callbacks) => {
    callbacks.setRejection(0, { status: 401 }, "no", "id-", "");
    callbacks.reject(0, 1, false);
    return REJECTED;
  };
  for (let round = 0; round < 2; round++) assert.equal((await send("A")).status, 401);
});

test("a rejection after a decision to forward is not forwarded", async () => {
  let isRevoked = false;
  const { send } = playing((request, callbacks) => {
    if (!isRevoked) return forwarding(request, callbacks);
    callbacks.setRejection(0, { status: 401 }, "no", "id-", "");
    callbacks.reject(0, 1, false);
    return REJECTED;
  });
  assert.equal((await send("A", "https://gate/api/1")).status, 200);
  isRevoked = true;
  assert.equal(
    (await send("A", "https://gate/api/2")).status,
    401,
    "the token's identity headers alone let nothing pass",
  );
});

test("requests that come between each other get their own answers", async () => {
  const { send } = playing(keeping);
  for (const token of ["A", "B", "A", "C", "B", "A"]) {
    assert.equal((await send(token)).text, `Bearer ${token} https://gate/me`);
  }
});

test("a request that is answered while another one waits for the origin disturbs neither", async () => {
  const { send } = playing((request, callbacks) =>
    (request.url.includes("/api/") ? forwarding : keeping)(request, callbacks),
  );
  const subject = async (/** @type {string} */ token, /** @type {string} */ path) => {
    const { path: sent, headers } = JSON.parse((await send(token, `https://gate${path}`)).text);
    return [sent, headers["x-auth-subject"]];
  };
  for (let round = 0; round < 3; round++) {
    const [a, b, me, stranger] = await Promise.all([
      subject("A", "/api/a"),
      subject("B", "/api/b"),
      send("C"),
      send(undefined, "https://gate/you"),
    ]);
    assert.deepEqual(a, ["/api/a", "A"]);
    assert.deepEqual(b, ["/api/b", "B"]);
    assert.equal(me.text, "Bearer C https://gate/me");
    assert.equal(stranger.text, "undefined https://gate/you");
  }
});

test("a request that keeps nothing, between two that do, fills nobody's entry", async () => {
  const { asked, send } = playing((request, callbacks) =>
    request.authorization === "Bearer B" ? "nobody's" : keeping(request, callbacks),
  );
  await send("A");
  assert.equal((await send("B")).text, "nobody's");
  assert.equal((await send("A")).text, "Bearer A https://gate/me");
  await send("B");
  assert.equal(asked.length, 3, "A is replayed, B is not");
});

test("as many tokens are kept as Rust says, and those of before a fresh instance are not", async () => {
  const { asked, send, lose } = playing(keeping);
  for (const token of ["A", "B", "C", "B", "C"]) await send(token);
  assert.equal(asked.length, 3);
  await send("A");
  assert.equal(asked.length, 4, "the first made room for the third");
  lose();
  await send("A");
  assert.equal(asked.length, 5, "the entry went with the instance");
});

test("an exception in the middle of a decision leaves nothing to replay", async () => {
  let fails = true;
  const { asked, send } = playing((request, callbacks) => {
    callbacks.keep(request.now, request.now + 60_000, 2, 0);
    callbacks.setIdentityHeaders("x-auth-subject:1", 2, 0, Infinity);
    if (fails) throw new Error("in the middle");
    return "an answer";
  });
  const failed = await send("A");
  assert.deepEqual([failed.status, failed.text], [599, "in the middle"]);
  fails = false;
  const again = await send("A");
  assert.deepEqual([again.status, again.text], [299, '{"isDecided":false}'], "there is no answer: Rust decides anew");
  assert.equal((await send("B")).text, "an answer");
  assert.equal(asked.length, 2);
});

test("the worker's own code hears who the caller is, from Rust once for a token, URL and method", async () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  const { asked, send } = playing(passingOn);
  for (const token of ["A", "B", "A", "B"]) {
    const { status, text } = await send(token);
    assert.deepEqual([status, JSON.parse(text).auth], [298, `Bearer ${token} https://gate/me`]);
  }
  assert.equal(asked.length, 2);
  await send("A", "https://gate/me", "POST");
  assert.equal(asked.length, 3, "another method");
  mock.timers.tick(60_000);
  await send("A", "https://gate/me", "POST");
  assert.equal(asked.length, 4, "over");
});

test("an answer of the gate's takes the place of one by the worker's own code, and the other way", async () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  let rules = passingOn;
  const { send } = playing((request, callbacks) => rules(request, callbacks));
  for (const [next, status] of /** @type {[Rules, number][]} */ ([
    [passingOn, 298],
    [keeping, 200],
    [passingOn, 298],
    [forwarding, 200],
    [passingOn, 298],
  ])) {
    rules = next;
    assert.equal((await send("A")).status, status);
    assert.equal((await send("A")).status, status, "replayed");
    mock.timers.tick(60_000);
  }
  rules = (_request, callbacks) => {
    callbacks.setRejection(0, { status: 401 }, "no", "id-", "");
    callbacks.reject(0, 1, false);
    return REJECTED;
  };
  for (let round = 0; round < 2; round++) assert.equal((await send("A")).status, 401);
});

test("a header field that only the gate may set sends the request to Rust, also one that is replayed", async () => {
  const { namesAsked, send } = playing(passingOn);
  const forged = { "x-auth-subject": "root" };
  assert.equal((await send("A", "https://gate/me", "GET", forged)).text, '{"isDecided":false}');
  assert.deepEqual(JSON.parse((await send("A", "https://gate/me", "GET", { "x-a": "1" })).text).fields["x-a"], "1");
  assert.equal((await send("A", "https://gate/me", "GET", forged)).text, '{"isDecided":false}');
  assert.deepEqual(namesAsked.sort(), ["authorization", "x-a", "x-auth-subject"], "once each");
});

test("an exception of the worker's own code is its own", async () => {
  const { send } = playing(passingOn);
  for (let round = 0; round < 2; round++) await assert.rejects(send("A", "https://gate/throws"), /of the application/);
});

for (const [what, rules] of /** @type {[string, Rules][]} */ ([
  ["caller", passingOn],
  ["answer", keeping],
  ["rule", forwarding],
])) {
  test(`an exception in a later decision does not leave the ${what} of an earlier one`, async () => {
    let fails = false;
    const { send } = playing((request, callbacks) => {
      const verdict = rules(request, callbacks);
      if (fails) throw new Error("in the middle");
      return verdict;
    });
    assert.notEqual((await send("A", "https://gate/1")).status, 599);
    fails = true;
    assert.equal((await send("A", "https://gate/2")).status, 599);
    assert.equal((await send("A", "https://gate/2")).status, 299, "that of another URL is not replayed");
    assert.equal((await send("A", "https://gate/1")).status, 599, "and its own entry is gone");
  });
}

test("what goes to an origin has the identity of its own token", async () => {
  const { asked, send } = playing(forwarding);
  for (const token of ["A", "B", "A", "B"]) {
    const { path, headers } = JSON.parse((await send(token, "https://gate/api?x=1")).text);
    assert.deepEqual([path, headers], ["/api?x=1", { "x-auth-subject": token }]);
  }
  assert.equal(asked.length, 2);
  await send("A", "https://gate/api/2");
  assert.equal(asked[2].audience, 0, "by token, whatever the URL");
});

test("a forwarded request goes to the origin under its rule, by the sender of this instance", async () => {
  const { send, lose } = playing((request, callbacks) => {
    forwarding(request, callbacks);
    return FORWARD - 3;
  });
  const sent = async (/** @type {string} */ url, method = "GET") => {
    const { rule, isHead, sender, path } = JSON.parse((await send("A", url, method)).text);
    return [rule, isHead, sender, path];
  };
  assert.deepEqual(await sent("https://gate/a"), [3, false, 1, "/a"]);
  assert.deepEqual(await sent("https://gate/a"), [3, false, 1, "/a"], "replayed");
  assert.deepEqual(await sent("https://gate/a?b", "HEAD"), [3, true, 1, "/a?b"]);
  lose();
  assert.deepEqual(await sent("https://gate/a"), [3, false, 2, "/a"]);
  const lost = await send("A", "https://gate/lost");
  assert.deepEqual([lost.status, lost.text], [599, "in the sender"]);
});

test("identity headers replace those that the client sent; without them nothing is forwarded", async () => {
  const { send } = playing(forwarding);
  const { headers } = JSON.parse((await send("A", "https://gate/api", "GET", { "x-auth-subject": "root" })).text);
  assert.deepEqual(headers, { "x-auth-subject": "A" });
  const silent = playing(() => FORWARD);
  assert.equal((await silent.send("A", "https://gate/api")).status, 599);
});

test("Rust is asked once for each header name, and answers itself where it can't say what goes on", async () => {
  const { namesAsked, send } = playing(forwarding);
  for (let round = 0; round < 3; round++) await send("A", "https://gate/api", "GET", { "x-a": "1" });
  assert.deepEqual(namesAsked.sort(), ["authorization", "x-a"]);
  const unclear = await send("A", "https://gate/api", "GET", { "x-unclear": "1" });
  assert.deepEqual([unclear.status, unclear.text], [299, '{"isDecided":false}']);
});

test("what is not ASCII, or too long, goes to Rust whole", async () => {
  const { asked, send } = playing(keeping);
  for (const token of ["é", "x".repeat(5000)]) {
    const { status, text } = await send(token);
    assert.deepEqual([status, text], [299, '{"isDecided":false}']);
  }
  assert.equal(asked.length, 0);
});

test("requests are written, and answers read, where Wasm's memory is when it has grown", async () => {
  let growsInside = false;
  const { send, grow } = playing((request) => {
    if (growsInside) grow();
    return `${request.url}`;
  });
  assert.equal((await send("A", "https://gate/1")).text, "https://gate/1");
  grow();
  assert.equal((await send("A", "https://gate/2")).text, "https://gate/2", "between two requests");
  growsInside = true;
  assert.equal((await send("A", "https://gate/3")).text, "https://gate/3", "while Rust decides");
});

test("an answer of any length is read whole", async () => {
  for (const length of [1, 100, 101, 4000]) {
    const { send } = playing(() => "x".repeat(length));
    assert.equal((await send("A")).text.length, length);
  }
});

test("the slow way is told whether the decision was made", async () => {
  const { send } = playing(() => GO_ON);
  assert.equal((await send(undefined)).text, '{"isDecided":true}');
});

test("a rejection is made of what Rust said once, each logged one with an id of its own", async () => {
  const lines = mock.method(console, "log", () => {});
  let number = 0;
  const { send } = playing((_request, callbacks) => {
    number += 1;
    if (number === 1) callbacks.setRejection(0, { status: 401, headers: [["x-a", "b"]] }, "no", "id-", '{"id":"id-"}');
    callbacks.reject(0, number, number < 3);
    return REJECTED;
  });
  const [first, second, third] = [await send("A"), await send("B"), await send("C")];
  lines.mock.restore();
  assert.deepEqual([first.status, first.headers.get("x-a"), second.headers.get("x-request-id")], [401, "b", "id-2"]);
  assert.equal(third.headers.get("x-request-id"), null, "not logged");
  assert.deepEqual(
    lines.mock.calls.map((call) => call.arguments),
    [['{"id":"id-1"}'], ['{"id":"id-2"}']],
  );
});

test("identity headers that depend on origin and time go to that origin alone, and for that time", async () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  let made = 0;
  const { asked, send } = playing((request, callbacks) => {
    const audience = request.url.endsWith("/orders") ? 1 : 2;
    if (request.audience !== audience) {
      made += 1;
      callbacks.setIdentityHeaders(`x-auth-assertion:${audience}.${made}`, 2, audience, request.now + 30_000);
    }
    callbacks.keep(request.now, request.now + 60_000, 2, audience);
    return FORWARD;
  });
  const sent = async (/** @type {string} */ path) =>
    JSON.parse((await send("A", `https://gate${path}`)).text).headers["x-auth-assertion"];
  assert.deepEqual([await sent("/orders"), await sent("/orders")], ["1.1", "1.1"]);
  assert.equal(asked.length, 1, "replayed");
  assert.equal(await sent("/app/orders"), "1.1", "another path of the same origin");
  assert.equal(await sent("/billing"), "2.2", "another origin");
  assert.equal(await sent("/orders"), "1.3");
  mock.timers.tick(29_999);
  assert.equal(await sent("/orders"), "1.3");
  const before = asked.length;
  mock.timers.tick(1);
  assert.equal(await sent("/orders"), "1.4", "too old, although the decision still holds");
  assert.equal(asked.length, before + 1);
});
