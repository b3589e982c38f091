// An application behind the gate, for the demonstration: `cargo xtask dev` starts it if its port is free.
//
// It trusts the headers X-Auth-* and X-Forwarded-* and verifies no token. That is safe only where nothing but the gate
// can reach the application: any other client could set these headers itself. It therefore listens on 127.0.0.1 only.
import { createServer } from "node:http";

const HOST = "127.0.0.1";
const PORT = Number(process.env.PORT ?? 5000); // ORIGIN in wrangler.toml

/**
 * Who sent the request, as the gate says: `X-Auth-Subject` is the id in percent-encoding, `X-Auth-Claims` base64url of
 * JSON.
 */
function caller(headers) {
  const subject = headers["x-auth-subject"];
  const claims = headers["x-auth-claims"];
  return {
    subject: subject === undefined ? null : decodeURIComponent(subject),
    claims: claims === undefined ? null : JSON.parse(Buffer.from(claims, "base64url").toString()),
  };
}

/** The client's address, and the host and scheme of its request to the gate. */
function forwarded(headers) {
  const value = (name) => headers[name] ?? null;
  return { for: value("x-forwarded-for"), host: value("x-forwarded-host"), proto: value("x-forwarded-proto") };
}

function answer({ method, url, headers }) {
  const { pathname } = new URL(url, `http://${HOST}`);
  if (method === "GET" && pathname === "/api/hello") {
    const { subject, claims } = caller(headers);
    return [200, { hello: subject ?? "stranger", subject, claims, forwarded: forwarded(headers) }];
  }
  if (pathname.startsWith("/api/")) return [200, { method, path: url, subject: caller(headers).subject }];
  return [404, { error: "This application has only /api/*." }];
}

const server = createServer((request, response) => {
  request.resume(); // reads the body and discards it
  let [status, body] = [
    400,
    { error: "X-Auth-Subject or X-Auth-Claims can't be decoded: they do not come from the gate." },
  ];
  try {
    [status, body] = answer(request);
  } catch {
    /* a header that did not come from the gate */
  }
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body, null, 2)}\n`);
});

server.listen(PORT, HOST, () => console.log(`The application listens on http://${HOST}:${server.address().port}`));
