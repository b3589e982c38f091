// hono's own middleware for JWT, and its helper for what goes on to an origin.
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { jwt } from "hono/jwt";
import { proxy } from "hono/proxy";

const app = new Hono();
app.use(jwt({ secret: env.JWT_PUBLIC_KEY ?? env.JWT_SECRET_KEY, alg: env.JWT_ALGORITHM ?? "HS256" }));
app.get("/protected", (c) => c.json({ identity: c.get("jwtPayload").identity }));
app.all("/api/*", (c) => {
  const { pathname, search } = new URL(c.req.url);
  return proxy(env.ORIGIN + pathname + search, { ...c.req });
});

export default app;
