// A worker that asks the gate, over a service binding, whose a token is. `Env` is made by `wrangler types`.
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    // Log-in, refresh and log-out are the gate's.
    if (pathname.startsWith("/auth")) return env.GATE.fetch(request);
    const token = request.headers.get("authorization")?.replace(/^JWT /i, "") ?? "";
    const verified = await env.TOKENS.verify(token, pathname === "/reports" ? { rule: "/reports" } : {});
    if (!verified.valid) return verified.response;
    if (pathname === "/end") {
      await env.OPERATOR.revoke(token);
      return Response.json(await env.OPERATOR.introspect(token));
    }
    return Response.json({ hello: verified.subject, until: verified.claims.exp });
  },
} satisfies ExportedHandler<Env>;
