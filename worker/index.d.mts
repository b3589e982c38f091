// The types of worker/index.mjs, which the npm package exports.
import type { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

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
  /** Users of its own, in place of those in KV. */
  users?: Users<E>;
  /** Answers the requests that a rule with `to = "worker"` lets through. */
  fetch?(request: Request, env: E, ctx: ExecutionContext, auth: Auth<C>): Response | Promise<Response>;
}

/** A user, as an application knows it. */
export interface User {
  /** The id, for tokens: a text that is not empty, or a safe integer. */
  id: string | number;
  /** For claims (`TOLLGATE_CLAIMS`), and for rules with `user = "stored"`. */
  attributes?: Record<string, unknown>;
  /**
   * When the password was last set, in milliseconds since 1970: sessions that an older password opened are over. 0, the
   * default, if that is not kept.
   */
  passwordVersion?: number;
  /** When the attributes were last changed, in milliseconds since 1970. 0, the default, if that is not kept. */
  attributesVersion?: number;
}

/** A token that is valid and not revoked, as an application's functions get it. */
export interface TokenOf {
  /** The user's id. */
  subject?: string | number;
  claims: Claims;
  /** The id of the token's session. */
  session?: string;
}

/** What became of a new password. `version`: `User.passwordVersion` from now on, needed where there is one. `why`: for whoever chooses another. */
export type PasswordChange =
  | { outcome: "stored"; version?: number }
  | { outcome: "wrong" }
  | { outcome: "weak"; why: string };

/**
 * Users that an application keeps itself. The gate limits log-ins before it calls these functions, and waits for them as
 * long as for a store (`TOLLGATE_STORE_TIMEOUT`). If one throws, the answer is 503 and the log has the exception's name
 * and stack, not its message; a `JwtError` is answered in its own words.
 */
export interface Users<E = Cloudflare.Env> {
  /**
   * The user of this name and password, or null. Take the same time whether there is no such user or the password is
   * wrong: `checkPassword(user?.hash, password)`.
   */
  authenticate(
    credentials: { username: string; password: string },
    env: E,
    ctx: ExecutionContext,
  ): User | null | Promise<User | null>;
  /**
   * The user whom a token names, or null if there is none any more. Called under rules with `user = "stored"`, and
   * before a token is refreshed.
   */
  identity(token: TokenOf, env: E, ctx: ExecutionContext): User | null | Promise<User | null>;
  /**
   * Stores a new password (`POST /auth/password`, where there are sessions). `old`, if it is there, must be the present
   * one. All sessions of the user end then. Without this function there is no such endpoint.
   */
  setPassword?(
    token: TokenOf,
    passwords: { old?: string | undefined; new: string },
    env: E,
    ctx: ExecutionContext,
  ): PasswordChange | Promise<PasswordChange>;
}

/** A rejection in an application's own words: thrown by a function of its `Users`. */
export class JwtError extends Error {
  constructor(error: string, description: string, options?: { status?: number; headers?: Record<string, string> });
  readonly error: string;
  readonly description: string;
  readonly status: number;
  readonly headers: Record<string, string>;
}

/**
 * Whether a password is right. The hash is in any form that the gate reads, those of werkzeug, Django and passlib too;
 * null or undefined stands for an unknown user, and takes the same time: a third of a second of CPU.
 *
 * @throws for a hash that can't be used.
 */
export function checkPassword(hash: string | null | undefined, password: string): boolean;

/**
 * The hash to store for a password, at the configured cost. Takes a third of a second of CPU. It does not judge the
 * password: the rules for new ones (`TOLLGATE_PASSWORD_…`) are those of `POST /auth/password`.
 *
 * @throws before the gate is made, which is at the first request.
 */
export function hashPassword(password: string): string;

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

type Plain = string | number | boolean | null;

/**
 * Claims or attributes as they come over a service binding: RPC types know no `unknown`, and no values of any depth. What
 * lies deeper is there all the same.
 */
export type RpcClaims = { [claim: string]: Plain | Plain[] | { [member: string]: Plain } };

/**
 * The verdict on a token. `code` is one of docs/errors.md; `response` is what a client with such a token would get, in
 * the dialect's words.
 */
export type Verification =
  | (Omit<Verified<RpcClaims>, "user"> & { valid: true; user: RpcClaims })
  | { valid: false; code: string; response: Response };

/** Says whose a token is, to other workers: `services = [{ binding, service, entrypoint: "Verifier" }]`. */
export class Verifier extends WorkerEntrypoint {
  /**
   * Judges a token as if it had come with a request that `rule` is for. `rule` is the path of a rule as it stands in
   * `ROUTES`, `method` one of its methods (default GET). Without a rule the token must be an access token that is valid
   * and not revoked. Where the token was found, and CSRF beside a cookie, are the caller's to check.
   *
   * @throws if there is no such rule, if it looks at no tokens, or if `rule` is there and no text.
   */
  verify(token: string, options?: { rule?: string; method?: string }): Promise<Verification>;
}

/** The answer to an introspection (RFC 7662 §2.2): all claims of a token that is active. */
export type Introspection = ({ active: true } & RpcClaims) | { active: false };

/** What is to end: a session or a token of a user, or all sessions of the user. */
export interface Revocable {
  /** The user's id. */
  user: string | number;
  /** The id of a session: the claim `sid`. */
  session?: string;
  /** The id of a token: the claim `jti`. */
  tokenId?: string;
}

/** Ends tokens and sessions, for an operator's worker. Whoever can bind it may do so: any worker of the account. */
export class Operator extends WorkerEntrypoint {
  /** Asks the account itself, so that a revocation counts at once. For access and refresh tokens. */
  introspect(token: string): Promise<Introspection>;
  /**
   * Ends a token as a log-out does, or what is named. It counts everywhere within `TOLLGATE_REVOCATION_BOUND`.
   *
   * @throws if nothing was ended: without sessions, or for a token that was not signed here.
   */
  revoke(what: string | Revocable): Promise<void>;
}
