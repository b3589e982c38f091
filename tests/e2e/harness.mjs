// Starts the gate in real workerd, set up by wrangler.toml, with fresh storage and a free port of its own. No proxy
// stands in between: what a test sends is what the worker gets, and the worker's fetch is workerd's.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Miniflare, convertV4MiniflareOptions as converted } from "miniflare";
import { unstable_getMiniflareWorkerOptions as miniflareOptions, unstable_readConfig as readConfig } from "wrangler";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const SECRET = "a secret of more than thirty-two bytes, for tests";

/** The worker as wrangler would deploy it, bundled by `cargo xtask test`. */
const DEPLOYED = { main: "target/deploy/entry.js", others: ["target/deploy"] };
/** The worker that can be broken on purpose (`cargo xtask build --faults`), as unbundled modules. */
export const FAULTY = { main: "worker/entry.mjs", others: ["build-faults"] };

async function modules({ main, others }) {
  const files = [main];
  for (const folder of others) {
    for (const name of await readdir(root + folder, { recursive: true })) files.push(`${folder}/${name}`);
  }
  const known = files.filter((file, at) => files.indexOf(file) === at && /\.(m?js|wasm)$/.test(file));
  return Promise.all(known.map(async (file) => ({
    type: file.endsWith(".wasm") ? "CompiledWasm" : "ESModule",
    // The entry imports ../build/, whichever build it is.
    path: root + file.replace(/^build-faults\//, "build/"),
    contents: await readFile(root + file),
  })));
}

let seeds;
/** The KV records of the demo users, as `cargo xtask dev` writes them; made once for all files by `cargo xtask test`. */
function demoUsers() {
  seeds ??= readFile(`${root}target/demo-users.json`, "utf8").catch(async () =>
    (await promisify(execFile)("cargo", ["run", "--locked", "--quiet", "--package", "tools", "--", "demo-users"], { cwd: root })).stdout,
  ).then(JSON.parse);
  return seeds;
}

/**
 * A running gate. `vars` are put over those of wrangler.toml (`null` takes one away), `options` over Miniflare's.
 *
 * `{ url, port, get(path, init), logIn(name, password), token(), lines(), kv, pid(), close() }`
 */
export async function start({ vars = {}, secret = SECRET, users = true, build = DEPLOYED, options = {} } = {}) {
  const config = readConfig({ config: `${root}wrangler.toml` });
  const { modulesRules: _, ...worker } = miniflareOptions(config).workerOptions;
  // Not those of somebody's .dev.vars.
  const bindings = Object.fromEntries(
    Object.entries({ ...config.vars, JWT_SECRET_KEY: secret, ...vars }).filter(([, value]) => value !== null),
  );
  let output = "";
  const runtime = new Miniflare(converted({
    handleStructuredLogs: ({ message }) => { output += `${message}\n`; },
    workers: [{
      ...worker,
      name: "tollgate",
      modulesRoot: root,
      modules: await modules(build),
      bindings,
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      ...options,
    }],
  }));
  const url = await runtime.unsafeGetDirectURL("tollgate");
  const kv = worker.kvNamespaces.USERS && !options.kvNamespaces ? await runtime.getKVNamespace("USERS", "tollgate") : undefined;
  if (users && kv) for (const { key, value } of await demoUsers()) await kv.put(key, value);
  const get = (path, init) => fetch(url.origin + path, { redirect: "manual", ...init });
  const logIn = (username = "user1", password = "abcxyz") =>
    get("/auth", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ username, password }) });
  return {
    url, port: Number(url.port), get, logIn, kv,
    async token() { return (await (await logIn()).json()).access_token; },
    /** All that the worker has written. */
    output: () => output,
    /** The JSON lines of its log. */
    lines: () => output.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)),
    close: () => runtime.dispose(),
  };
}

export const bearing = (token, init = {}) => ({ ...init, headers: { ...init.headers, authorization: `JWT ${token}` } });

/** Waits until `probe` gives something, 5 s at most. */
export async function until(probe) {
  for (let tries = 0; tries < 100; tries++) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`still not: ${probe}`);
}

/** An origin on 127.0.0.1: `{ url, server, close() }`. */
export async function origin(listener) {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}
