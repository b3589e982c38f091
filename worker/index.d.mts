// The types of worker/index.mjs, which the npm package exports.
import type { DurableObject } from "cloudflare:workers";

/** The claims of a token (RFC 7519 §4). */
export type Claims = Record<string, unknown>;

/** A request with a valid token that is not revoked. */
export interface Verified<C = Claims> {
  principal: "verified";
  /** The user's id: the claim `identity` (Flask-JWT) or `sub` (Flask-JWT-Extended). */
  subject: string | number;
  /** All claims of the token, as they were signed. */
  claims: C;
  /** The id of the token's session, the claim `sid`. */
  session?: string;
  /** The attributes of the user, under a rule with `user = "stored"`; else none. */
  user: Record<string, unknown>;
}

/** A request without a token: `anonymous` under `auth = "optional"`, `open` under `auth = "none"`. */
export interface WithoutToken {
  principal: "anonymous" | "open";
  subject?: undefined;
  claims?: undefined;
  session?: undefined;
  user?: undefined;
}

/** Who a request is from. `C` is the type of the claims: the gate verifies their signature, not their type. */
export type Auth<C = Claims> = Verified<C> | WithoutToken;

/** A worker's own code behind the gate. */
export interface Application<E = Cloudflare.Env, C = Claims> extends Omit<ExportedHandler<E>, "fetch"> {
  /** Answers the requests that a rule with `to = "worker"` lets through. */
  fetch?(request: Request, env: E, ctx: ExecutionContext, auth: Auth<C>): Response | Promise<Response>;
}

/**
 * A worker: the gate and, behind it, an application for rules with `to = "worker"`. Handlers other than `fetch` stay as
 * they are. Call it once.
 */
export function tollgate<E = Cloudflare.Env, C = Claims>(application?: Application<E, C>): ExportedHandler<E>;

/**
 * Who a request is from that the gate has let through to the worker's own code.
 *
 * @throws if it did not come through the gate.
 */
export function authOf<C = Claims>(request: Request): Auth<C>;

/** The Durable Object of an account. */
export class Account extends DurableObject {}

/** The Durable Object of all revocations. */
export class Revocations extends DurableObject {}
