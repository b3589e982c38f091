// A gate by hand on jose, as its documentation shows it.
import { env } from "cloudflare:workers";
import { jwtVerify } from "jose";

const key = new TextEncoder().encode(env.JWT_SECRET_KEY);

export default {
  async fetch(request) {
    const [scheme, token] = request.headers.get("authorization")?.split(" ") ?? [];
    if (scheme !== "Bearer" || !token) return Response.json({ error: "unauthorized" }, { status: 401 });
    try {
      const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"] });
      return Response.json({ identity: payload.identity });
    } catch {
      return Response.json({ error: "unauthorized" }, { status: 401 });
    }
  },
};
