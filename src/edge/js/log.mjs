// Lets Rust log, after an answer has gone out, how many lines of the second it left out.
import { waitUntil } from "cloudflare:workers";

/**
 * Calls `act` when this second is over, though the request's answer is out by then. If the instance is lost meanwhile,
 * the call fails and the count with it. Only a trap of `act` itself must reach the worker's entry, which listens for
 * uncaught errors (worker/js/instance.mjs).
 *
 * @param {() => void} act
 */
export function whenOver(act) {
  /** @type {Promise<void>} */
  const over = new Promise((resolve) =>
    setTimeout(() => {
      resolve();
      try {
        act();
      } catch (error) {
        if (isTrap(error)) throw error;
      }
    }, 1100),
  );
  waitUntil(over);
}

/** As in worker/js/instance.mjs; the modules here import nothing from each other. @param {unknown} error */
function isTrap(error) {
  return (
    error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && error.message.includes("call stack"))
  );
}
