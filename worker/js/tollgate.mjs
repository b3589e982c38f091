// The gate as a worker, alone or before one's own code. Rust decides; what it lets through to that code goes there with
// who the caller is.
import { renew, withCors } from "../../src/edge/js/respond.mjs";
import { setApplication } from "./application.mjs";
import { hotPath } from "./hot.mjs";
import { instance, internalError, onInstance } from "./instance.mjs";
import { handleInRust } from "./requests.mjs";
import { JsUsers } from "./users.mjs";

/** @typedef {import("../index.d.mts").Auth} Auth */
/** @typedef {import("../index.d.mts").Application} Application */
/** @typedef {import("../../src/edge/js/respond.mjs").Inner} Inner */

/** The handlers of a worker beside `fetch`, which the gate does not touch. */
const OTHER_HANDLERS = ["scheduled", "queue", "email", "tail", "tailStream", "trace", "test"];

/** Who each request is from, for middleware that is given nothing else. @type {WeakMap<Request, Auth>} */
const callers = new WeakMap();

/**
 * A worker: the gate and, behind it, `application` for rules with `to = "worker"`. Call it once.
 *
 * @param {Application} [application]
 * @returns {ExportedHandler<Cloudflare.Env>}
 */
export function tollgate(application = {}) {
  /**
   * @param {Inner} inner
   * @param {Cloudflare.Env} env
   * @param {ExecutionContext} ctx
   */
  async function answer({ request, auth: json, cookies, cors }, env, ctx) {
    /** @type {Auth} */
    const auth = JSON.parse(json);
    callers.set(request, auth);
    /** @type {Response | Promise<Response>} */
    let response = /** @type {NonNullable<Application["fetch"]>} */ (application.fetch).call(
      application,
      request,
      env,
      ctx,
      auth,
    );
    if (cookies !== undefined) response = renew(response, cookies);
    if (cors !== undefined) response = withCors(response, cors);
    return response;
  }

  const { users } = application;
  setApplication({
    hasInner: application.fetch !== undefined,
    users: users === undefined ? undefined : new JsUsers(users),
  });
  const { begin, handle } = hotPath(
    instance,
    (request, env, ctx, isDecided) => {
      const outcome = handleInRust(request, env, ctx, isDecided);
      const finished = (/** @type {import("./glue.mjs").Outcome} */ outcome) =>
        outcome instanceof Response ? outcome : answer(outcome, env, ctx);
      return outcome instanceof Promise ? outcome.then(finished) : finished(outcome);
    },
    (request, env, ctx, auth) => answer({ request, auth, cookies: undefined, cors: undefined }, env, ctx),
    internalError,
  );
  onInstance(begin);
  /** @type {Record<string, unknown>} */
  const handlers = { fetch: handle };
  for (const name of OTHER_HANDLERS) {
    const handler = /** @type {Record<string, unknown>} */ (application)[name];
    if (typeof handler === "function") handlers[name] = handler.bind(application);
  }
  return handlers;
}

/**
 * Who a request is from that the gate has let through to the worker's own code.
 *
 * @param {Request} request the very object that the gate has handed over
 * @returns {Auth}
 */
export function authOf(request) {
  const auth = callers.get(request);
  if (auth === undefined) {
    throw new Error(
      'no gate has let this request through: wrap the worker in tollgate(), with to = "worker" in its rule',
    );
  }
  return auth;
}
