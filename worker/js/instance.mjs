// The module's instance in Wasm, and what is done when it is lost.
//
// A Rust panic (panic=abort) ends in a trap: the instance's memory may be torn, and every future in it is lost. So the
// next call gets a fresh instance, the request that panicked a 500, and those that waited in the old one are run again
// (requests.mjs).
import module from "../../build/tollgate_bg.wasm"; // wrangler compiles it
import * as rust from "./glue.mjs";

rust.initSync({ module });

let isLost = false;
/** @type {(rust: typeof import("./glue.mjs")) => void} */
let listener = () => {};

/** Calls whose future is in this instance. @type {Set<import("./call.mjs").Call>} */
export const waitingCalls = new Set();

// `criticalError` is set by the panic hook of the `worker` crate (an internal of 0.8; tests/e2e/panic.test.mjs watches
// it).
Object.defineProperty(rust.__worker_init_state(), "criticalError", {
  get: () => isLost,
  set(panicked) {
    if (panicked) discard();
  },
});
addEventListener("error", (event) => {
  if (isTrap(event.error)) discard();
});

/**
 * Whether an error leaves the instance torn. Out of memory, stack overflow and `unreachable` trap without a panic. A
 * stack overflow is a RangeError, as are many faults of ordinary code (a status of which no Response can be made),
 * which leave the instance whole.
 *
 * @param {unknown} error
 */
export function isTrap(error) {
  return (
    error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && error.message.includes("call stack"))
  );
}

/** Discards the instance: the next call of `instance` makes a fresh one. */
export function discard() {
  isLost = true;
  for (const call of waitingCalls) {
    call.detach();
    call.onLost?.();
  }
  waitingCalls.clear();
}

/** The instance, a fresh one if the last was lost. */
export function instance() {
  if (isLost) {
    rust.__wbg_reset_state();
    listener(rust);
    isLost = false;
  }
  return rust;
}

/** Calls `act` with the instance now, and with each fresh one. @param {typeof listener} act */
export function onInstance(act) {
  listener = act;
  act(rust);
}

/**
 * The plain 500 for a request whose answer an exception, or the loss of its instance, has cost.
 *
 * @param {unknown} error
 */
export function internalError(error) {
  if (isTrap(error)) discard();
  return instance().broken(error);
}
