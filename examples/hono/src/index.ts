// A shop in hono behind the gate: who is logged in comes with each request, and the shop has no code for tokens.
import { Hono } from "hono";
import { type Auth, tollgate } from "tollgate";
import { tollgateAuth } from "tollgate/hono";

export { Account, Revocations } from "tollgate";

/** What the gate puts into tokens: TOLLGATE_CLAIMS in wrangler.jsonc. */
interface Claims {
  role?: string;
}

const shop = new Hono<{ Variables: { auth: Auth<Claims> } }>();
shop.use(tollgateAuth());

shop.get("/", (c) => {
  const { principal, subject } = c.get("auth");
  return c.text(principal === "verified" ? `Hello, user ${subject}` : "Hello, stranger");
});

shop.get("/orders", (c) => c.json({ orders: [`of user ${c.get("auth").subject}`] }));

// The rule requires the role: no other request comes here.
shop.delete("/orders/:id", (c) => c.json({ deleted: c.req.param("id"), by: c.get("auth").claims?.role }));

export default tollgate(shop);
