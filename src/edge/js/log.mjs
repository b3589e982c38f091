// Counting behind an answer.
import { waitUntil } from "cloudflare:workers";

/**
 * Calls `act` when this second is over, though the request's answer is out by then. Not if the instance is lost meanwhile:
 * then `act` fails, and only a trap in it matters, of which the entry hears.
 */
export function whenOver(act) {
  const isTrap = (error) =>
    error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && error.message.includes("call stack"));
  waitUntil(
    new Promise((resolve) =>
      setTimeout(() => {
        resolve();
        try {
          act();
        } catch (error) {
          if (isTrap(error)) throw error;
        }
      }, 1100),
    ),
  );
}
