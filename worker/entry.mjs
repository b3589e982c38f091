// The whole JavaScript side. It hands requests to the rules in Wasm and survives their panics; it decides nothing.
import { DurableObject } from "cloudflare:workers";
import * as rust from "../build/tollgate.js";
import module from "../build/tollgate_bg.wasm"; // wrangler compiles it

rust.initSync({ module });

// What is kept of this instance: where requests are written for it, whose answers are known and until when only it can
// say (by `Authorization`; a room for each), and how refusals look.
let buffer, init, kept, rooms, refusals;
function begin() {
  buffer = rust.buffer();
  init = rust.identity_init();
  kept = new Map();
  rooms = [];
  refusals = [];
  rust.begin(outlet);
}

// The request that is being decided, and the answer to it.
let authorization, url, response;

// What Rust says in the middle of `decide`.
const outlet = {
  identify(body) { response = new Response(body, init); },
  keep(body, room) {
    const former = rooms[room];
    if (kept.get(former)?.room === room) kept.delete(former);
    rooms[room] = authorization;
    kept.set(authorization, { url, body, room });
  },
  refusal(number, init, body, id, line) {
    const [before, after] = line.split(id);
    refusals[number] = { init, body, id, before, after };
  },
  refuse(number, request) {
    const { init, body, id, before, after } = refusals[number];
    if (before) console.log(`${before}${id}${request}${after}`);
    init.headers.set("x-request-id", `${id}${request}`); // the response has its own copy; to set it there costs 0.03
    response = new Response(body, init);
  },
};
begin();

// A Rust panic (panic=abort) ends in a trap: the instance's memory may be torn and every future in it is lost. So the
// next call gets a fresh instance, the request that panicked a 500, and those that waited in the old one are run again.
// `criticalError` is set by the panic hook of the `worker` crate (an internal of 0.8; tests/e2e/panic.test.mjs watches it).
let crashed = false;
const waiting = new Set();
Object.defineProperty(rust.__worker_init_state(), "criticalError", {
  get: () => crashed,
  set(panicked) { if (panicked) crash(); },
});
addEventListener("error", (event) => { if (isTrap(event.error)) crash(); });

/** Out of memory, stack overflow and `unreachable` trap without a panic. */
function isTrap(error) {
  return error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
}

function crash() {
  crashed = true;
  for (const call of waiting) if (call.inRust) call.lose();
  waiting.clear();
}

function instance() {
  if (crashed) {
    rust.__wbg_reset_state();
    begin();
    crashed = false;
  }
  return rust;
}

const encoder = new TextEncoder();

/** Writes the request where Rust reads it; as many bytes, 0 for one that is too long for it. */
function write(method) {
  const text = authorization === null ? `${method}\n${url}` : `${method}\n${url}\n${authorization}`;
  if (buffer.length === 0) buffer = rust.buffer(); // the memory has grown, and its old views are void
  const { read, written } = encoder.encodeInto(text, buffer);
  return read === text.length ? written : 0;
}

function handle(request, env, ctx, again) {
  // Rust sets them: does the answer still depend on the instance? Is it this request's future that runs just now?
  let call, answer;
  try {
    const rust = instance();
    const { method } = request, now = Date.now();
    authorization = request.headers.get("authorization");
    url = request.url;
    // 0.05 of a request's time less than to write it and decide again.
    const known = kept.get(authorization);
    if (known !== undefined && known.url === url && method === "GET" && rust.is_still_good(known.room, now)) {
      return new Response(known.body, init);
    }
    if (rust.decide(write(method), now)) return response;
    call = { inRust: false, polling: false, lose: null };
    answer = rust.handle(request, env, ctx, call);
  } catch (error) {
    if (isTrap(error)) crash();
    return instance().broken();
  }
  if (!(answer instanceof Promise)) return answer;
  const mended = answer.catch((error) => {
    if (isTrap(error)) crash();
    return instance().broken();
  });
  // The runtime's own promise, on which the instance has no hold any more.
  if (!call.inRust) return mended;
  // What follows on this promise runs in this request's own context, whoever's panic resolved it.
  const lost = new Promise((resolve) => { call.lose = resolve; });
  waiting.add(call);
  return Promise.race([
    mended.finally(() => waiting.delete(call)),
    lost.then(() => (call.polling || again ? instance().broken() : handle(request, env, ctx, true))),
  ]);
}

/** A call to an object. If the instance is lost meanwhile, so is the call: whoever asked is told, and may ask again. */
async function inObject(order) {
  const call = { inRust: true, lose: null };
  const lost = new Promise((_, reject) => { call.lose = () => reject(new Error("the instance was lost")); });
  lost.catch(() => {}); // if it comes before anybody waits for it
  waiting.add(call);
  try {
    return await Promise.race([order(instance()), lost]);
  } catch (error) {
    if (isTrap(error)) crash();
    throw error;
  } finally {
    waiting.delete(call);
  }
}

// One for each account, and for each name that somebody tries to log in with.
export class Account extends DurableObject {
  #turn = Promise.resolve();
  async ask(order) {
    const { storage } = this.ctx;
    const { reply, is_left_to_tell, promises_an_end } = await inObject((rust) => rust.step_account(storage, order));
    if (!is_left_to_tell) return reply;
    const told = this.#inTurn((rust) => rust.deliver_account(storage, this.env)).catch(() => false);
    if (!promises_an_end) this.ctx.waitUntil(told);
    else if (!await told) throw new Error("the register can't be reached");
    return reply;
  }
  alarm() { return this.#inTurn((rust) => rust.wake_account(this.ctx.storage, this.env)); }
  #inTurn(order) {
    const mine = this.#turn.then(() => inObject(order));
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

// The one register of revocations.
export class Revocations extends DurableObject {
  #isFirst = true;
  async ask(order) {
    const reply = await inObject((rust) => rust.ask_register(this.ctx.storage, this.#isFirst, order));
    this.#isFirst = false;
    return reply;
  }
}

export default {
  fetch(request, env, ctx) { return handle(request, env, ctx, false); },
};
