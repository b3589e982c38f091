// A hono application without a gate.
import { Hono } from "hono";

const app = new Hono();
app.get("/protected", (c) => c.json({ ok: true }));

export default app;
