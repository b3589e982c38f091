// Types of the glue: what worker/src/lib.rs exports, as far as the JavaScript here calls it. Their docs are there.
// tests/e2e/glue.test.mjs compares names and counts of parameters with the glue itself.
import type { Sender } from "../../src/edge/js/fetch.mjs";
import type { Inner, Verdict } from "../../src/edge/js/respond.mjs";
import type { Application } from "./application.mjs";
import type { Call } from "./call.mjs";

/** What Rust calls during `decide`: implemented in hot.mjs, declared in src/edge/hot.rs. */
export interface HotCallbacks {
  keep(from: number, until: number, capacity: number, audience: number): void;
  setIdentityHeaders(lines: string, capacity: number, audience: number, until: number): void;
  setRejection(number: number, init: ResponseInit, body: string, id: string, line: string): void;
  reject(number: number, request: number, isLogged: boolean): void;
}

type Env = Cloudflare.Env;
/** A promise only where something must be waited for. */
export type Answer = Response | Promise<Response>;
/** A response, or what the worker's own code answers (only with `hasInner`). */
export type Outcome = Response | Inner;

/** An account's reply, and what must happen before it goes out. */
export interface Done {
  readonly reply: string;
  readonly is_left_to_tell: boolean;
  readonly promises_an_end: boolean;
}

// Of wasm-bindgen and the `worker` crate.
export function initSync(options: { module: WebAssembly.Module }): unknown;
export function __wbg_reset_state(): void;
export function __worker_init_state(): object;

// The hot path.
export function begin(callbacks: HotCallbacks): void;
export function buffer(): Uint8Array;
export function decide(
  method: number,
  url: number,
  authorization: number | undefined,
  now: number,
  audience: number,
): number;
export function goes_on(name: string, value: string | undefined): boolean | undefined;
export function is_the_clients(name: string): boolean;
export function identity_init(): ResponseInit;
export function sender(env: Env): Sender;

// Every other request.
export function handle(
  request: Request,
  env: Env,
  ctx: ExecutionContext,
  progress: Call,
  is_decided: boolean,
  application: Application,
): Outcome | Promise<Outcome>;
export function broken(error: unknown): Response;
export function drop_task(number: number): void;

// Calls of other workers.
export function verify_token(
  token: string,
  rule: string | undefined,
  method: string | undefined,
  env: Env,
  ctx: ExecutionContext,
  progress: Call,
  application: Application,
): Promise<Verdict>;
export function introspect(
  token: string,
  env: Env,
  ctx: ExecutionContext,
  progress: Call,
  application: Application,
): Promise<string | undefined>;
export function end_token(
  token: string,
  env: Env,
  ctx: ExecutionContext,
  progress: Call,
  application: Application,
): Promise<void>;
export function order(
  order: string,
  env: Env,
  ctx: ExecutionContext,
  progress: Call,
  application: Application,
): Promise<string>;

// Passwords of the application's own users.
export function check_password(stored: string | undefined, password: string): boolean;
export function hash_password(password: string): string;

// Inside the objects.
export function step_account(storage: DurableObjectStorage, order: string): Done;
export function deliver_account(storage: DurableObjectStorage, env: Env, progress: Call): Promise<boolean>;
export function wake_account(storage: DurableObjectStorage, env: Env, progress: Call): Promise<void>;
export function ask_register(storage: DurableObjectStorage, is_first: boolean, order: string): string;
