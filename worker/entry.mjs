// The stock worker's entry (the library's JavaScript is in src/edge/js). It hands requests to the rules in Wasm and
// survives their panics; it decides nothing.
import { DurableObject } from "cloudflare:workers";
import * as rust from "../build/tollgate.js";
import module from "../build/tollgate_bg.wasm"; // wrangler compiles it

rust.initSync({ module });

// What is kept of this instance: where requests are written for it; how rejections look; which header fields go on;
// and, by `Authorization`, what is known of a token: what becomes of one request with it from then until then (it is
// told this, or it goes on to the origin under this rule), and what an origin is told.
let buffer, init, rejections, goingOn, kept, send;
function begin() {
  buffer = rust.buffer();
  init = rust.identity_init();
  rejections = [];
  goingOn = new Map();
  kept = new Map();
  send = undefined;
  rust.begin(callbacks);
}

// The request that is being decided, and the answer to it: a refusal, what an origin is told, where the answer is kept.
let method, authorization, url, response, fields, keeping;

/** What is kept for the token. Of so many, the one that came first makes room for it. */
function remember(capacity) {
  let known = kept.get(authorization);
  if (known === undefined) {
    if (kept.size >= capacity) kept.delete(kept.keys().next().value);
    known = { method: "", url: "", from: 0, until: 0, body: undefined, rule: undefined, fields: undefined };
    kept.set(authorization, known);
  }
  return known;
}

// What Rust says in the middle of `decide`.
const callbacks = {
  keep(from, until, capacity) {
    keeping = Object.assign(remember(capacity), { method, url, from, until, body: undefined, rule: undefined });
  },
  setIdentityHeaders(lines, capacity) {
    fields = lines.split("\n").map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1)];
    });
    if (capacity > 0) remember(capacity).fields = fields;
  },
  setRejection(number, init, body, id, line) {
    const [before, after] = line.split(id);
    const logged = { status: init.status, headers: new Headers(init.headers) };
    rejections[number] = { init, logged, body, id, before, after };
  },
  reject(number, request, isLogged) {
    const { init, logged, body, id, before, after } = rejections[number];
    if (isLogged) {
      console.log(`${before}${id}${request}${after}`);
      logged.headers.set("x-request-id", `${id}${request}`); // the response has its own copy; to set it there costs 0.03
    }
    response = new Response(body, isLogged ? logged : init);
  },
};
begin();

// A Rust panic (panic=abort) ends in a trap: the instance's memory may be torn and every future in it is lost. So the
// next call gets a fresh instance, the request that panicked a 500, and those that waited in the old one are run again.
// `criticalError` is set by the panic hook of the `worker` crate (an internal of 0.8; tests/e2e/panic.test.mjs watches
// it).
let crashed = false;
const waiting = new Set();
Object.defineProperty(rust.__worker_init_state(), "criticalError", {
  get: () => crashed,
  set(panicked) { if (panicked) crash(); },
});
addEventListener("error", (event) => { if (isTrap(event.error)) crash(); });

/**
 * Out of memory, stack overflow and `unreachable` trap without a panic. A stack overflow is a RangeError, as is many a fault
 * of ordinary code (a status of which no Response can be made), which leaves the instance whole.
 */
function isTrap(error) {
  return error instanceof WebAssembly.RuntimeError
    || (error instanceof RangeError && error.message.includes("call stack"));
}

function crash() {
  crashed = true;
  for (const call of waiting) {
    call.detach();
    call.lost?.();
  }
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

/**
 * What outlives the instance of a request, or of an order to an object, that waits in Rust. Rust calls `begin`, `end` and
 * `polling`; what it takes from `id`, `random` and `kept` is the same if the request is run again, so that commands to objects
 * are not done twice, and a request does not meet its own effects.
 */
class Call {
  polling = false; // is it this call's future that runs just now?
  lost = undefined; // what is done if the instance is lost
  #task;
  #id;
  #random = [];
  #kept = new Map();

  /** Does the answer still depend on the instance? */
  get inRust() { return this.#task !== undefined; }
  get id() { return this.#id ??= crypto.randomUUID(); }
  random(number) { return this.#random[number] ??= crypto.getRandomValues(new Uint8Array(96)); }

  /** What was learnt under this key before the instance was lost. */
  kept(key) { return this.#kept.get(key); }
  keep(key, text) { this.#kept.set(key, text); }

  begin(task) {
    this.#task = task;
    waiting.add(this);
  }

  end() {
    this.#task = undefined;
    waiting.delete(this);
  }

  /** The instance is lost, and the future with it. */
  detach() {
    this.#task = undefined;
  }

  /** The client has gone: the runtime will never settle what the future waits for. */
  drop() {
    if (this.inRust) rust.drop_task(this.#task);
    this.end();
  }
}

/** The buffer itself: when the memory has grown, its old views are void. */
function place() {
  if (buffer.length === 0) buffer = rust.buffer();
  return buffer;
}

/** Writes the request where Rust reads it. Can it? Letter by letter: 0.03 of a request's time less than `encodeInto`. */
function write() {
  const rest = authorization ?? "";
  return method.length + url.length + rest.length <= place().length
    && put(method, 0) && put(url, method.length) && put(rest, method.length + url.length);
}

function put(text, start) {
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at);
    if (letter > 127) return false;
    buffer[start + at] = letter;
  }
  return true;
}

const decoder = new TextDecoder();

/** Reads what Rust has written, in ASCII: a short text letter by letter, 0.01 of a request's time less than by `decode`. */
function read(length) {
  const letters = place();
  if (length > 100) return decoder.decode(letters.subarray(0, length));
  let text = "";
  for (let at = 0; at < length; at++) text += String.fromCharCode(letters[at]);
  return text;
}

/** On to the origin; `undefined` if the hot path can't tell which headers go on. */
function forward(request, began, rule) {
  const headers = new Headers(request.headers);
  for (const name of request.headers.keys()) {
    const goes = goesOn(name, name === "connection" ? headers.get(name) : undefined);
    if (goes === undefined) return undefined;
    if (!goes) headers.delete(name);
  }
  for (const [name, value] of fields) headers.set(name, value);
  const path = url.indexOf("/", url.indexOf(":") + 3);
  if (path < 0) return undefined;
  send ??= rust.sender();
  return send(url.slice(path), request, headers, request.method === "HEAD", began, rule, undefined);
}

/** Rust is asked once for each name, and for each value of `Connection`: 0.02 of a request's time less than for all names. */
function goesOn(name, value) {
  const field = value === undefined ? name : `${name}:${value}`;
  if (field.length > 100) return rust.goes_on(name, value);
  if (!goingOn.has(field)) {
    if (goingOn.size > 200) goingOn.clear();
    goingOn.set(field, rust.goes_on(name, value));
  }
  return goingOn.get(field);
}

/** The hot path. No closures here: what they hold would be allocated for every request (0.01 of its time). */
function handle(request, env, ctx) {
  let isDecided = false;
  try {
    instance();
    const now = Date.now();
    method = request.method;
    authorization = request.headers.get("authorization");
    url = request.url;
    const known = kept.get(authorization);
    let rule;
    fields = known?.fields;
    if (known?.url === url && known.method === method && known.from <= now && now < known.until) {
      if (known.body !== undefined) return new Response(known.body, init);
      rule = known.rule;
    } else if (write()) {
      keeping = undefined;
      const verdict = rust.decide(method.length, url.length, authorization?.length, now, fields !== undefined);
      if (verdict > 0) {
        const body = read(verdict);
        if (keeping !== undefined) keeping.body = body;
        return new Response(body, init);
      }
      if (verdict === 0) return response;
      isDecided = verdict === -1;
      if (!isDecided) rule = -2 - verdict;
      if (keeping !== undefined) keeping.rule = rule;
    }
    const forwarded = rule === undefined ? undefined : forward(request, now, rule);
    if (forwarded !== undefined) return forwarded.catch(broken);
  } catch (error) {
    return broken(error);
  }
  return goOn(request, env, ctx, isDecided, undefined);
}

/** All that the hot path does not answer, whether `decide` has made its decision or not; `former`: of a lost instance. */
function goOn(request, env, ctx, isDecided, former) {
  const call = former ?? new Call();
  let answer;
  try {
    answer = instance().handle(request, env, ctx, call, isDecided);
  } catch (error) {
    return broken(error);
  }
  if (!(answer instanceof Promise)) return answer;
  const mended = answer.catch(broken);
  // The runtime's own promise, on which the instance has no hold any more.
  if (!call.inRust) return mended;
  // Fires with the compatibility flag `enable_request_signal`; else, and where the runtime cancels by itself, Rust
  // sweeps.
  if (former === undefined) request.signal.addEventListener("abort", () => call.drop());
  // What follows on this promise runs in this request's own context, whoever's panic resolved it.
  const lost = new Promise((resolve) => { call.lost = resolve; });
  return Promise.race([mended, lost.then(() => {
    const isOwnFault = call.polling || former !== undefined;
    call.polling = false;
    return isOwnFault ? broken(LOST) : goOn(request, env, ctx, false, call);
  })]);
}

// What is logged for a request whose own future has cost the instance; the panic itself has been logged.
const LOST = { name: "instance lost" };

function broken(error) {
  if (isTrap(error)) crash();
  return instance().broken(error);
}

/** An order to an object. If the instance is lost meanwhile, so is the order: the caller may repeat it. */
async function inObject(order) {
  const call = new Call();
  const lost = new Promise((_, reject) => { call.lost = () => reject(new Error("the instance was lost")); });
  lost.catch(() => {}); // if it comes before anything waits for it
  try {
    return await Promise.race([order(instance(), call), lost]);
  } catch (error) {
    if (isTrap(error)) crash();
    throw error;
  }
}

// One for each account, and for each name that somebody tries to log in with.
export class Account extends DurableObject {
  #turn = Promise.resolve();
  async ask(order) {
    const { storage } = this.ctx;
    const { reply, is_left_to_tell, promises_an_end } = await inObject((rust) => rust.step_account(storage, order));
    if (!is_left_to_tell) return reply;
    const told = this.#inTurn((rust, call) => rust.deliver_account(storage, this.env, call)).catch(() => false);
    if (!promises_an_end) this.ctx.waitUntil(told);
    else if (!await told) throw new Error("the register can't be reached");
    return reply;
  }
  alarm() { return this.#inTurn((rust, call) => rust.wake_account(this.ctx.storage, this.env, call)); }
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
  fetch: handle,
};
