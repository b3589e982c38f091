// Requests that the hot path does not answer. Rust answers by a promise if something must be waited for; if the
// instance is lost meanwhile, the request is run again in a fresh one.
import { application } from "./application.mjs";
import { Call } from "./call.mjs";
import { instance, internalError } from "./instance.mjs";

// Logged for a request whose own future has cost the instance. The panic itself has been logged.
const LOST = { name: "instance lost" };

/** @typedef {import("./glue.mjs").Outcome} Outcome */

/**
 * Answers a request in Rust. `isDecided` says that `decide` has just made the decision for it. `previous` is the call of a lost instance, when the request is
 * run again.
 *
 * @param {Request} request
 * @param {Cloudflare.Env} env
 * @param {ExecutionContext} ctx
 * @param {boolean} isDecided
 * @param {Call} [previous]
 * @returns {Outcome | Promise<Outcome>}
 */
export function handleInRust(request, env, ctx, isDecided, previous) {
  const call = previous ?? new Call();
  let answer;
  try {
    answer = instance().handle(request, env, ctx, call, isDecided, application());
  } catch (error) {
    return internalError(error);
  }
  if (!(answer instanceof Promise)) return answer;
  const answered = answer.catch(internalError);
  // The runtime's own promise: the instance has no hold on it any more.
  if (!call.isInRust) return answered;
  // Fires with the compatibility flag `enable_request_signal`. Without it, and where the runtime cancels by itself,
  // Rust drops old futures (`sweep` in src/edge/tasks.rs).
  if (previous === undefined) request.signal.addEventListener("abort", () => call.drop());
  // What follows on this promise runs in this request's own context, whichever request's panic resolved it.
  /** @type {Promise<void>} */
  const lost = new Promise((resolve) => {
    call.onLost = resolve;
  });
  // A request is run again once, and only if another one's future cost the instance.
  const afterLoss = lost.then(() => {
    const isOwnFault = call.polling || previous !== undefined;
    call.polling = false;
    return isOwnFault ? internalError(LOST) : handleInRust(request, env, ctx, false, call);
  });
  return Promise.race([answered, afterLoss]);
}
