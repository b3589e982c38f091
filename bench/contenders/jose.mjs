// A gate by hand on jose, as its documentation shows it. A public key is imported once.
import { env } from "cloudflare:workers";
import { importSPKI, jwtVerify } from "jose";

const algorithm = env.JWT_ALGORITHM ?? "HS256";
let key = env.JWT_PUBLIC_KEY ? undefined : new TextEncoder().encode(env.JWT_SECRET_KEY);

export default {
  async fetch(request) {
    const [scheme, token] = request.headers.get("authorization")?.split(" ") ?? [];
    if (scheme !== "Bearer" || !token) return Response.json({ error: "unauthorized" }, { status: 401 });
    try {
      key ??= await importSPKI(env.JWT_PUBLIC_KEY, algorithm);
      const { payload } = await jwtVerify(token, key, { algorithms: [algorithm] });
      return Response.json({ identity: payload.identity });
    } catch {
      return Response.json({ error: "unauthorized" }, { status: 401 });
    }
  },
};
