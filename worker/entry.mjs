// The whole JavaScript side. It hands requests to the rules in Wasm and survives their panics; it decides nothing.
import * as rust from "../build/tollgate.js";
import module from "../build/tollgate_bg.wasm"; // wrangler compiles it

rust.initSync({ module });

// What is kept of this instance: where requests are written for it, and the answers it has told so far.
let buffer, answers, init;
function begin() {
  buffer = rust.buffer();
  answers = [];
  init = rust.answer_init();
}
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

/** Writes what decisions mostly need where Rust reads it; as many bytes, 0 for a request that is too long for it. */
function write(request) {
  const authorization = request.headers.get("authorization");
  const text = authorization === null ? `${request.method}\n${request.url}` : `${request.method}\n${request.url}\n${authorization}`;
  if (buffer.length === 0) buffer = rust.buffer(); // the memory has grown, and its old views are void
  const { read, written } = encoder.encodeInto(text, buffer);
  return read === text.length ? written : 0;
}

function handle(request, env, ctx, again) {
  // Rust sets them: does the answer still depend on the instance? Is it this request's future that runs just now?
  let call, answer;
  try {
    const rust = instance();
    const number = rust.decide(write(request), Date.now());
    if (number >= 0) return new Response(answers[number], init);
    if (number < -1) return new Response(answers[-2 - number] = rust.answer(), init);
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

export default {
  fetch(request, env, ctx) { return handle(request, env, ctx, false); },
};
