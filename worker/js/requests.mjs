// Requests that the hot path does not answer: by a promise, if something must be waited for; run again, if the instance
// is lost meanwhile.
import { Call } from "./call.mjs";
import { broken, instance } from "./instance.mjs";

// What is logged for a request whose own future has cost the instance; the panic itself has been logged.
const LOST = { name: "instance lost" };

/**
 * Answers what the hot path does not, whether `decide` has made its decision or not. `former` is the call of a lost
 * instance.
 */
export function goOn(request, env, ctx, isDecided, former) {
  const call = former ?? new Call();
  let answer;
  try {
    answer = instance().handle(request, env, ctx, call, isDecided);
  } catch (error) {
    return broken(error);
  }
  if (!(answer instanceof Promise)) return answer;
  const mended = answer.catch(broken);
  // The runtime's own promise, on which the instance has no hold any more.
  if (!call.inRust) return mended;
  // Fires with the compatibility flag `enable_request_signal`; else, and where the runtime cancels by itself, Rust
  // sweeps.
  if (former === undefined) request.signal.addEventListener("abort", () => call.drop());
  // What follows on this promise runs in this request's own context, whoever's panic resolved it.
  const lost = new Promise((resolve) => {
    call.lost = resolve;
  });
  return Promise.race([
    mended,
    lost.then(() => {
      const isOwnFault = call.polling || former !== undefined;
      call.polling = false;
      return isOwnFault ? broken(LOST) : goOn(request, env, ctx, false, call);
    }),
  ]);
}
