// Orders to objects, and calls of other workers, which Rust carries out.
import { Call } from "./call.mjs";
import { discard, instance, isTrap } from "./instance.mjs";

/**
 * Has an order done in Rust. If the instance is lost meanwhile, so is the order: the caller may repeat it.
 *
 * @template T
 * @param {(rust: typeof import("./glue.mjs"), call: Call) => T} order
 * @returns {Promise<Awaited<T>>}
 */
export async function runInRust(order) {
  const call = new Call();
  /** @type {Promise<never>} */
  const lost = new Promise((_, reject) => {
    call.onLost = () => reject(new Error("the instance was lost"));
  });
  lost.catch(() => {}); // it may be rejected before anything waits for it
  try {
    return await Promise.race([order(instance(), call), lost]);
  } catch (error) {
    if (isTrap(error)) discard();
    throw error;
  }
}
