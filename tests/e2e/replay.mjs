// Starts gates and sends recorded requests to them, for `cargo xtask replay --workerd` (tools/src/workerd.rs).
// One JSON line in, one out: {"start": {vars, records}} → true, {"send": {method, path, headers, body}} → the answer.
import { request } from "node:http";
import { createInterface } from "node:readline";
import { origin, start } from "./harness.mjs";

/** The application behind the transcripts: who it is, as text. */
const application = await origin((asked, answer) => {
  const claims = asked.headers["x-auth-claims"];
  const identity = claims && JSON.parse(Buffer.from(claims, "base64url")).identity;
  answer.setHeader("content-type", "text/html; charset=utf-8");
  answer.end(identity === undefined ? "None" : Number.isInteger(identity) ? `User(id='${identity}')` : identity);
});

let gate;
async function restart({ vars, records }) {
  await gate?.close();
  gate = await start({ vars: { ...vars, ORIGIN: application.url, TOLLGATE_LOG: "off" }, secret: null, users: false });
  for (const [key, value] of records) await gate.kv.put(key, value);
  return true;
}

/** As bytes where they are bytes, else in UTF-8. */
const bytes = (text) => (/^[\0-\xff]*$/.test(text) ? text : Buffer.from(text).toString("latin1"));

function send({ method, path, headers, body }) {
  return new Promise((resolve, reject) => {
    const fields = headers.flatMap(([name, value]) => [name, bytes(value)]);
    if (body !== null) fields.push("content-length", String(Buffer.byteLength(body)));
    const sent = request({ host: "127.0.0.1", port: gate.port, method, path: bytes(path), headers: ["host", gate.url.host, ...fields] });
    sent.on("error", reject).on("response", async (answer) => {
      const parts = await answer.setEncoding("utf8").toArray();
      const received = Object.entries(answer.headersDistinct).flatMap(([name, values]) => values.map((value) => [name, value]));
      resolve({ status: answer.statusCode, headers: received, body: parts.join("") });
    });
    sent.end(body ?? undefined);
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { start: settings, send: wanted } = JSON.parse(line);
  console.log(JSON.stringify(settings ? await restart(settings) : await send(wanted)));
}
await gate?.close();
process.exit();
