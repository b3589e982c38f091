// The types of worker/hono.mjs, which the npm package exports as tollgate/hono.
import type { MiddlewareHandler } from "hono";
import type { Auth } from "./index.mjs";

declare module "hono" {
  interface ContextVariableMap {
    /** Who the request is from. Its claims have a type in `new Hono<{ Variables: { auth: Auth<MyClaims> } }>()`. */
    auth: Auth;
  }
}

/**
 * Sets `c.get("auth")` to who the request is from. Fails for a request that did not come through the gate: the
 * application must be wrapped in `tollgate()`.
 */
export function tollgateAuth(): MiddlewareHandler;
