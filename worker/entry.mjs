// The whole JavaScript side. It hands requests to the rules in Wasm and survives their panics; it decides nothing.
import * as rust from "../build/tollgate.js";
import module from "../build/tollgate_bg.wasm"; // wrangler compiles it

rust.initSync({ module });

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
  for (const run of waiting) run.lost();
  waiting.clear();
}

function instance() {
  if (crashed) {
    rust.__wbg_reset_state();
    crashed = false;
  }
  return rust;
}

function handle(request, env, ctx, again) {
  const call = { polling: false }; // true while Rust runs the future of this request
  let answer;
  try {
    answer = instance().handle(request, env, ctx, call);
  } catch (error) {
    if (isTrap(error)) crash();
    return instance().broken();
  }
  if (!(answer instanceof Promise)) return answer;
  return new Promise((resolve) => {
    const run = {
      // Not at once: this runs inside the panic hook of the instance that is being lost.
      lost: () => queueMicrotask(() => resolve(call.polling || again ? instance().broken() : handle(request, env, ctx, true))),
    };
    waiting.add(run);
    answer.then(resolve, (error) => {
      if (isTrap(error)) crash();
      else if (waiting.has(run)) resolve(instance().broken());
    }).finally(() => waiting.delete(run));
  });
}

export default {
  fetch(request, env, ctx) { return handle(request, env, ctx, false); },
};
