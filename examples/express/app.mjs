// A server behind the gate: it answers only requests whose assertion (docs/gateway.md#proof-for-the-origin) it has
// verified, so it makes no difference who else can reach it.
//
// GATE_URL is the gate's TOLLGATE_PUBLIC_URL; in ORIGINS this server is named "express". JWKS_URL is set if the gate's
// keys are fetched from another address than clients use, PORT if it is not 5001.
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";

const GATE = process.env.GATE_URL ?? "http://127.0.0.1:8787";
const JWKS = process.env.JWKS_URL ?? `${GATE}/.well-known/assertion-jwks.json`;

// docs/gateway.md: begin
const keys = createRemoteJWKSet(new URL(JWKS));
const expected = {
  algorithms: ["ES256"],
  issuer: GATE,
  audience: "express", // this origin's name in ORIGINS
  typ: "tollgate+jwt",
  requiredClaims: ["exp"],
  clockTolerance: 5, // seconds
};

/** 401 without a good assertion. Its claims are `request.claims`; without `sub` the request has no user. */
async function verify(request, response, next) {
  try {
    const { payload } = await jwtVerify(request.headers["x-auth-assertion"] ?? "", keys, expected);
    request.claims = payload;
  } catch {
    return response.status(401).json({ error: "no valid assertion" });
  }
  next();
}
// docs/gateway.md: end

const app = express();
app.disable("x-powered-by");
app.use(verify);

/** Who the caller is. */
app.get("/me", ({ claims }, response) => {
  if (claims.sub === undefined) return response.status(401).json({ error: "no user" });
  response.json({ user: claims.sub });
});

/** Under a rule with `auth = "none"`: for requests without a user too. */
app.get("/health", ({ claims }, response) => response.json({ ok: true, user: claims.sub ?? null }));

const server = app.listen(Number(process.env.PORT ?? 5001), "127.0.0.1", () =>
  console.log(`The server listens on http://127.0.0.1:${server.address().port}`),
);
