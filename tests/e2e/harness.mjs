// Starts the gate in real workerd, from wrangler.toml, with fresh storage and a free port.
import { createServer } from "node:http";
import { once } from "node:events";
import { createTestHarness } from "wrangler";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const SECRET = "a secret of more than thirty-two bytes, for tests";

/** The built worker as wrangler would deploy it: bundled once, by `cargo xtask test`. */
const prebuilt = new URL("../../target/deploy/", import.meta.url);

let bulk;
/** The KV records of the demo users, as `cargo xtask dev` writes them. */
function demoUsers() {
  bulk ??= JSON.parse(execFileSync("cargo", ["run", "--locked", "--quiet", "--package", "tools", "--", "demo-users"], { cwd: root, stdio: ["ignore", "pipe", "ignore"] }));
  return bulk;
}

/** A running gate: `{ url, get(path, init), token(), logs(), kv, close() }`. */
export async function start({ vars = {}, secret = SECRET, worker = { configPath: `${root}wrangler.toml`, prebuiltWorkerDir: prebuilt }, users = true } = {}) {
  const server = createTestHarness({ root, workers: [{ ...worker, vars, secrets: { JWT_SECRET_KEY: secret } }] });
  const { url } = await server.listen();
  const env = await server.getWorker().getEnv();
  if (users) for (const { key, value } of demoUsers()) await env.USERS.put(key, value);
  const at = (path) => url.origin + path;
  const get = (path, init) => fetch(at(path), { redirect: "manual", ...init });
  const logIn = (username = "user1", password = "abcxyz") =>
    get("/auth", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ username, password }) });
  return {
    url, get, logIn, kv: env.USERS,
    async token() { return (await (await logIn()).json()).access_token; },
    logs: () => server.getLogs(),
    close: () => server.close(),
  };
}

export const bearing = (token, init = {}) => ({ ...init, headers: { ...init.headers, authorization: `JWT ${token}` } });

/** An origin on 127.0.0.1: `{ url, close() }`. */
export async function origin(listener) {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}
