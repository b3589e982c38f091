// What rules require of claims, and claims from users' attributes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { mint, origin, payload, start, until } from "./harness.mjs";

const ROUTES = [
  { path: "/admin/*", to: "origin", require: { role: "admin" } },
  { path: "/maybe", to: "identity", auth: "optional", require: [{ role: "admin" }, { scope: "me:read" }] },
  { path: "/any/*", to: "origin" },
  { path: "/me", to: "identity", user: "stored" },
];

test("claims that are not enough are 403 in the dialect's words, on the hot path too", async () => {
  const app = await origin((_, answer) => answer.end("from the origin"));
  /** @type {[wire: string, scheme: string, body: object, challenge: string | null][]} */
  const dialects = [
    ["flask-jwt", "JWT", { description: "Insufficient permissions", error: "Forbidden", status_code: 403 }, null],
    ["flask-jwt-extended", "Bearer", { msg: "Insufficient permissions" }, 'Bearer error="insufficient_scope"'],
  ];
  for (const [wire, scheme, body, challenge] of dialects) {
    const gate = await start({
      vars: { TOLLGATE_WIRE: wire, ORIGIN: app.url, ROUTES, TOLLGATE_ERROR_CODES: true },
      sessions: false,
    });
    try {
      const token = (claims) => mint({ identity: 1, sub: "1", type: "access", fresh: false, jti: "j", ...claims });
      const [admin, user] = [await token({ role: "admin" }), await token({ role: "user", scope: "me:read x" })];
      const ask = (path, token) => gate.get(path, { headers: token ? { authorization: `${scheme} ${token}` } : {} });
      for (let use = 0; use < 5; use++) {
        assert.equal((await ask("/admin/x", admin)).status, 200, wire);
        const refused = await ask("/admin/x", user);
        assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [403, challenge]);
        assert.equal(refused.headers.get("x-auth-error"), "insufficient_permissions");
        assert.deepEqual(await refused.json(), body);
        // The same token elsewhere.
        assert.equal((await ask("/any/x", user)).status, 200);
        assert.equal((await ask("/maybe", user)).status, 200);
        assert.equal((await ask("/maybe", await token({ role: "user" }))).status, 403);
        assert.equal((await ask("/maybe")).status, 401, "without a token");
      }
    } finally {
      await gate.close();
    }
  }
  app.close();
});

test("a token has the attributes of its user, at the log-in and after a refresh", async () => {
  const gate = await start({
    vars: {
      TOLLGATE_WIRE: "flask-jwt-extended",
      ROUTES,
      ORIGIN: "http://127.0.0.1:1",
      TOLLGATE_CLAIMS: { role: "attributes.role", tenant: "attributes.org.id" },
    },
  });
  try {
    const attributes = (value) =>
      gate.kv.put("user:1", JSON.stringify({ v: 1, id: 1, name: "user1", status: "active", attributes: value }));
    await attributes({ role: "admin", org: { id: 5 } });
    const { access_token, refresh_token } = await (await gate.logIn()).json();
    const chosen = ({ role, tenant }) => ({ role, tenant });
    assert.deepEqual(chosen(payload(access_token)), { role: "admin", tenant: 5 });
    assert.deepEqual(chosen(payload(refresh_token)), { role: undefined, tenant: undefined });
    await attributes({ role: "viewer" });
    const headers = { authorization: `Bearer ${refresh_token}` };
    const refreshed = await (await gate.get("/auth/refresh", { method: "POST", headers })).json();
    assert.deepEqual(chosen(payload(refreshed.access_token)), { role: "viewer", tenant: undefined });
    await attributes({ role: "r".repeat(2048) });
    const refused = await gate.logIn();
    assert.equal(refused.status, 500);
    assert.ok(!(await refused.text()).includes("rrr"));
    const line = await until(() => gate.lines().find(({ reason }) => reason === "claims_too_long"));
    assert.equal(line.level, "error");
    await gate.kv.delete("user:1");
    assert.equal((await gate.logIn()).status, 503, "never a token without the claims");
    assert.ok(gate.lines().some(({ reason }) => reason === "profile_missing"));
  } finally {
    await gate.close();
  }
});
