// The module's instance in Wasm, and what is done when it is lost.
//
// A Rust panic (panic=abort) ends in a trap: the instance's memory may be torn and every future in it is lost. So the
// next call gets a fresh instance, the request that panicked a 500, and those that waited in the old one are run again
// (requests.mjs).
import * as rust from "../../build/tollgate.js";
import module from "../../build/tollgate_bg.wasm"; // wrangler compiles it

rust.initSync({ module });

let crashed = false;
let onFresh = () => {};

/** Calls (call.mjs) whose future is in this instance. */
export const waiting = new Set();

// `criticalError` is set by the panic hook of the `worker` crate (an internal of 0.8; tests/e2e/panic.test.mjs watches
// it).
Object.defineProperty(rust.__worker_init_state(), "criticalError", {
  get: () => crashed,
  set(panicked) {
    if (panicked) crash();
  },
});
addEventListener("error", (event) => {
  if (isTrap(event.error)) crash();
});

/**
 * Out of memory, stack overflow and `unreachable` trap without a panic. A stack overflow is a RangeError, as is many a
 * fault of ordinary code (a status of which no Response can be made), which leaves the instance whole.
 */
export function isTrap(error) {
  return (
    error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && error.message.includes("call stack"))
  );
}

/** Gives the instance up. */
export function crash() {
  crashed = true;
  for (const call of waiting) {
    call.detach();
    call.lost?.();
  }
  waiting.clear();
}

/** The instance, a fresh one if the last was lost. */
export function instance() {
  if (crashed) {
    rust.__wbg_reset_state();
    onFresh(rust);
    crashed = false;
  }
  return rust;
}

/** Has `act` called with the instance, and with each fresh one. */
export function withEachInstance(act) {
  onFresh = act;
  act(rust);
}

/** The plain 500 for a request that an exception, or the loss of its instance, has cost its answer. */
export function broken(error) {
  if (isTrap(error)) crash();
  return instance().broken(error);
}
