// Promises that Rust waits for.

/**
 * Calls `settle` with the number of a promise, whether it was fulfilled, and its value. The promise holds nothing of
 * Rust's but that number. If the instance is lost meanwhile, the call fails, which has no consequence: nothing waits
 * for the number any more. A trap of `settle` itself is rethrown for the worker's entry.
 *
 * @param {unknown} promise
 * @param {number} number
 * @param {(number: number, isFulfilled: boolean, value: unknown) => void} settle
 */
export function watch(promise, number, settle) {
  /** @param {boolean} isFulfilled */
  const call = (isFulfilled) => (/** @type {unknown} */ value) => {
    try {
      settle(number, isFulfilled, value);
    } catch (error) {
      if (isTrap(error)) throw error;
    }
  };
  Promise.resolve(promise).then(call(true), call(false));
}

/** As in worker/js/instance.mjs; the modules here import nothing from each other. @param {unknown} error */
function isTrap(error) {
  return (
    error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && error.message.includes("call stack"))
  );
}
