// Middleware for hono (tollgate/hono): who a request is from, as `c.get("auth")`.
import { authOf } from "./js/tollgate.mjs";

/** @returns {import("hono").MiddlewareHandler} */
export function tollgateAuth() {
  return (context, next) => {
    context.set("auth", authOf(context.req.raw));
    return next();
  };
}
