// What other workers ask by RPC, over a service binding with an entrypoint.
import { WorkerEntrypoint } from "cloudflare:workers";
import { application } from "./application.mjs";
import { runInRust } from "./orders.mjs";

/** @typedef {import("../index.d.mts").Verification} Verification */
/** @typedef {import("../index.d.mts").Introspection} Introspection */
/** @typedef {import("../index.d.mts").Revocable} Revocable */

/** Characters of the longest name of a user, a session or a token. */
const MAX_NAME = 1024;

/** @param {unknown} token */
function checkedToken(token) {
  if (typeof token !== "string") throw new TypeError("a token is a text");
  return token;
}

/**
 * Options that ask for less than they seem to would let a token pass.
 *
 * @param {unknown} options
 * @returns {{ rule?: string, method?: string }}
 */
function checkedOptions(options) {
  const wrong = () =>
    new TypeError("options are { rule, method? }: the path of a rule as it stands in ROUTES, and its method");
  if (typeof options !== "object" || options === null) throw wrong();
  const { rule, method, ...others } = /** @type {Record<string, unknown>} */ (options);
  const isText = (/** @type {unknown} */ value) => value === undefined || typeof value === "string";
  if (!isText(rule) || !isText(method) || Object.keys(others).length > 0) throw wrong();
  if (rule === undefined && (method !== undefined || "rule" in options)) throw wrong();
  return /** @type {{ rule?: string, method?: string }} */ ({ rule, method });
}

/** Says whose a token is. */
export class Verifier extends WorkerEntrypoint {
  /**
   * @param {string} token
   * @param {{ rule?: string, method?: string }} [options]
   * @returns {Promise<Verification>}
   */
  async verify(token, options = {}) {
    const text = checkedToken(token);
    const { rule, method = "GET" } = checkedOptions(options);
    const { auth, code, response } = await runInRust((rust, call) =>
      rust.verify_token(text, rule, rule === undefined ? undefined : method, this.env, this.ctx, call, application()),
    );
    if (auth !== undefined) return { valid: true, ...JSON.parse(auth) };
    return { valid: false, code, response: /** @type {Response} */ (response) };
  }
}

/** Ends tokens and sessions, and shows what tokens have in them: for operators' workers only. */
export class Operator extends WorkerEntrypoint {
  /**
   * @param {string} token
   * @returns {Promise<Introspection>}
   */
  async introspect(token) {
    const text = checkedToken(token);
    const claims = await runInRust((rust, call) => rust.introspect(text, this.env, this.ctx, call, application()));
    return claims === undefined ? { active: false } : { ...JSON.parse(claims), active: true };
  }

  /** @param {string | Revocable} what */
  async revoke(what) {
    if (typeof what === "string") {
      await runInRust((rust, call) => rust.end_token(what, this.env, this.ctx, call, application()));
      return;
    }
    const order = JSON.stringify(orderOf(what));
    await runInRust((rust, call) => rust.order(order, this.env, this.ctx, call, application()));
  }
}

/** The operator's order (docs/sessions.md) that ends this. @param {Revocable} what */
function orderOf(what) {
  const { user, session, tokenId, ...others } = what ?? {};
  const isName = (/** @type {unknown} */ value) =>
    typeof value === "string" && value !== "" && value.length <= MAX_NAME;
  if (!isName(user) && !Number.isSafeInteger(user)) throw new TypeError("user is a user's id");
  if (Object.keys(others).length > 0) throw new TypeError("what ends is { user, session? } or { user, tokenId? }");
  if ("session" in what && "tokenId" in what) throw new TypeError("a session or a tokenId, not both");
  // What is there and undefined must not end all sessions.
  if ("session" in what) {
    if (!isName(session)) throw new TypeError("session is the id of a session");
    return { do: "end", user, session };
  }
  if ("tokenId" in what) {
    if (!isName(tokenId)) throw new TypeError("tokenId is the id of a token");
    return { do: "revoke", user, token_id: tokenId };
  }
  return { do: "end-all", user };
}
