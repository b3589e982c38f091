// Promises that Rust waits for.

/**
 * Calls `settle` with the number of a promise, whether it was fulfilled, and its value. The promise holds nothing of Rust's
 * but that number. If the instance is lost meanwhile the call fails, which is of no consequence.
 */
export function watch(promise, number, settle) {
  const call = (isGood) => (value) => {
    try {
      settle(number, isGood, value);
    } catch (error) {
      if (isTrap(error)) throw error;
    }
  };
  Promise.resolve(promise).then(call(true), call(false));
}

function isTrap(error) {
  return (
    error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && error.message.includes("call stack"))
  );
}
