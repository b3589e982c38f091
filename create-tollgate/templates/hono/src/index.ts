import { Hono } from "hono";
import { tollgate } from "tollgate";
import { tollgateAuth } from "tollgate/hono";
export { Account, Revocations } from "tollgate";

const app = new Hono();
app.use(tollgateAuth());
app.get("/hello", (c) => c.json({ hello: c.get("auth").subject }));

export default tollgate(app);
