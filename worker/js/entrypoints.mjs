// What other workers ask by RPC, over a service binding with an entrypoint.
import { WorkerEntrypoint } from "cloudflare:workers";
import { application } from "./application.mjs";
import { runInRust } from "./orders.mjs";

/** @typedef {import("../index.d.mts").Verification} Verification */
/** @typedef {import("../index.d.mts").Introspection} Introspection */
/** @typedef {import("../index.d.mts").Revocable} Revocable */

/** @param {unknown} token */
function checkedToken(token) {
  if (typeof token !== "string") throw new TypeError("a token is a text");
  return token;
}

/** Says whose a token is. */
export class Verifier extends WorkerEntrypoint {
  /**
   * @param {string} token
   * @param {{ rule?: string, method?: string }} [options]
   * @returns {Promise<Verification>}
   */
  async verify(token, { rule, method = "GET" } = {}) {
    const text = checkedToken(token);
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
  const { user, session, tokenId } = what ?? {};
  if (typeof user !== "string" && !Number.isSafeInteger(user)) throw new TypeError("user is a user's id");
  if (session !== undefined && tokenId !== undefined) throw new TypeError("a session or a tokenId, not both");
  if (session !== undefined) return { do: "end", user, session };
  if (tokenId !== undefined) return { do: "revoke", user, token_id: tokenId };
  return { do: "end-all", user };
}
