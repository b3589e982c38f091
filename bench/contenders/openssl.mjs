// A log-in's work with native OpenSSL, in Node. Tells its port as workerd does.
import { pbkdf2Sync } from "node:crypto";
import { createServer } from "node:http";
import { logIn } from "./log-in.mjs";

const server = createServer(async (request, answer) => {
  const body = Buffer.concat(await request.toArray()).toString();
  const { status } = await logIn(new Response(body), (password, salt, iterations) =>
    pbkdf2Sync(password, salt, iterations, 32, "sha256"),
  );
  answer.writeHead(status).end();
});
server.listen(0, "127.0.0.1", () =>
  console.log(JSON.stringify({ event: "listen", socket: "http", port: server.address().port })),
);
