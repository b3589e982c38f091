// Starts gates and sends recorded requests to them, for `cargo xtask replay --workerd` (conformance/src/workerd.rs).
// One JSON line in, one out: {"start": [{vars, records}, …]} → true,
// {"gate": 0, "send": {method, path, headers, body}} → the answer of that one.
import { request } from "node:http";
import { createInterface } from "node:readline";
import { origin, startAll } from "./harness.mjs";

/** Flask-JWT's application: who it is, as text. */
function identity(claims) {
  const { identity } = claims ?? {};
  return [
    "text/html; charset=utf-8",
    identity === undefined ? "None" : Number.isInteger(identity) ? `User(id='${identity}')` : identity,
  ];
}

/** Flask-JWT-Extended's application, by its routes. */
function extended(path, claims, asked, payload) {
  const token = { type: "access", fresh: false, jti: null, ...claims };
  const subject = claims?.[names.identity] ?? null;
  const places = { headers: asked.headers[names.header], cookies: asked.headers.cookie, query_string: asked.url };
  const location = claims ? (Object.keys(places).find((place) => places[place]?.includes(payload)) ?? "json") : null;
  const answers = {
    "/optional": { jwt: claims !== undefined, location, logged_in_as: subject },
    "/fresh": { foo: "bar" },
    "/refresh_protected": { foo: "bar" },
    "/skiprev": { foo: "bar" },
    "/notype": { foo: "bar", type: token.type },
    "/claims": { header: { alg: "HS256", typ: "JWT" }, location, payload: token },
  };
  return ["application/json", JSON.stringify(answers[path] ?? { logged_in_as: subject })];
}

/** What tokens are carried in, for the gate that is asked. */
let names;
/** The application behind the transcripts. */
const application = await origin((asked, answer) => {
  const payload = asked.headers["x-auth-claims"]?.toString();
  const claims = payload && JSON.parse(Buffer.from(payload, "base64url").toString());
  const path = asked.url.split("?")[0];
  const [type, body] = names ? extended(path, claims, asked, payload) : identity(claims);
  if (path === "/user" && names) answer.statusCode = 500;
  answer.setHeader("content-type", type);
  answer.end(body);
});

let [running, settings] = [undefined, []];
async function restart(all) {
  await running?.close();
  settings = all;
  running =
    all.length > 0
      ? await startAll(all.map(({ vars, records }) => ({ vars: { ...vars, ORIGIN: application.url }, records })))
      : undefined;
  return true;
}

/** As bytes where they are bytes, else in UTF-8. */
const bytes = (text) => (/^[\0-\xff]*$/.test(text) ? text : Buffer.from(text).toString("latin1"));

function send(gate, { method, path, headers, body }) {
  const { vars } = settings[gate];
  names = vars.TOLLGATE_WIRE && {
    identity: vars.JWT_IDENTITY_CLAIM ?? "sub",
    header: (vars.JWT_HEADER_NAME ?? "authorization").toLowerCase(),
  };
  const { host, port } = running.urls[gate];
  return new Promise((resolve, reject) => {
    const fields = headers.flatMap(([name, value]) => [name, bytes(value)]);
    if (body !== null) fields.push("content-length", String(Buffer.byteLength(body)));
    const sent = request({ host: "127.0.0.1", port, method, path: bytes(path), headers: ["host", host, ...fields] });
    sent.on("error", reject).on("response", async (answer) => {
      const parts = await answer.setEncoding("utf8").toArray();
      const received = Object.entries(answer.headersDistinct).flatMap(([name, values]) =>
        values.map((value) => [name, value]),
      );
      resolve({ status: answer.statusCode, headers: received, body: parts.join("") });
    });
    sent.end(body ?? undefined);
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { start: all, gate, send: wanted } = JSON.parse(line);
  console.log(JSON.stringify(all ? await restart(all) : await send(gate, wanted)));
}
await running?.close();
process.exit();
