// Starts the gate in real workerd, set up by a wrangler.toml, with fresh storage and a free port of its own. No proxy
// stands in between: what a test sends is what the worker gets, and the worker's fetch is workerd's.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { createServer, request } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { SignJWT } from "jose";
import { chromium } from "playwright-core";
import { Miniflare, convertV4MiniflareOptions as converted } from "miniflare";
import { unstable_getMiniflareWorkerOptions as miniflareOptions, unstable_readConfig as readConfig } from "wrangler";

process.env.WRANGLER_LOG = "error"; // or it tells that there is a .dev.vars, which is not read here

export const root = fileURLToPath(new URL("../../", import.meta.url));
/** Where nothing listens: tcpmux, which only root could serve. */
const NOBODY = "http://127.0.0.1:1";
export const SECRET = "a secret of more than thirty-two bytes, for tests";

/** The worker as wrangler would deploy it, bundled by `cargo xtask test`. */
const DEPLOYED = { main: "target/deploy/entry.js", others: ["target/deploy"] };
/** The worker that can be broken on purpose (`cargo xtask build --faults`), as unbundled modules. */
export const FAULTY = { main: "worker/entry.mjs", others: ["worker/js", "src/edge/js", "build-faults"] };

/** @returns {Promise<{ type: "CompiledWasm" | "ESModule", path: string, contents: string | Buffer<ArrayBuffer> }[]>} */
async function modules({ main, others }, entry) {
  const files = [main];
  for (const folder of others) {
    for (const name of await readdir(root + folder, { recursive: true })) files.push(`${folder}/${name}`);
  }
  const known = files.filter((file, at) => files.indexOf(file) === at && /\.(m?js|wasm)$/.test(file));
  const all = await Promise.all(
    known.map(async (file) => ({
      type: /** @type {"CompiledWasm" | "ESModule"} */ (file.endsWith(".wasm") ? "CompiledWasm" : "ESModule"),
      // The entry imports ../build/, whichever build it is.
      path: root + file.replace(/^build-faults\//, "build/"),
      contents: await readFile(root + file),
    })),
  );
  // Before the worker, in its folder; the first is the main one.
  if (entry) all.unshift({ type: "ESModule", path: `${dirname(root + main)}/before.js`, contents: entry });
  return all;
}

/**
 * The KV records of user1 and user2, ids 1 and 2, password abcxyz. (The demo users of `cargo xtask dev` have other
 * ids.)
 */
const testUsers = JSON.parse(await readFile(`${root}tests/e2e/users.json`, "utf8"));

/**
 * What wrangler makes of a configuration for Miniflare, without the variables.
 *
 * @returns {Record<string, any>}
 */
function workerOf(config) {
  const { modulesRules: _, ...worker } = miniflareOptions(config).workerOptions;
  return { ...worker, modulesRoot: root, unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] };
}

/**
 * The variables over those of a configuration; not those of somebody's .dev.vars. On the port in the ORIGIN of
 * wrangler.toml the developer's application may listen: a test that names no origin has none.
 */
const bindingsOf = (config, vars) =>
  Object.fromEntries(
    Object.entries({ ...config.vars, ...(config.vars.ORIGIN && { ORIGIN: NOBODY }), ...vars }).filter(
      ([, value]) => value !== undefined,
    ),
  );

/**
 * @typedef {{
 *   config?: string, vars?: Record<string, unknown>, secret?: string, users?: boolean, build?: typeof DEPLOYED,
 *   entry?: string, sessions?: boolean, persist?: string, assets?: object, services?: Record<string, string>,
 *   options?: Record<string, unknown>, elsewhere?: boolean,
 * }} Setup
 */
/**
 * The store of users, as tests use it.
 * @typedef {object} Store
 * @property {(key: string, type?: "json") => Promise<any>} get
 * @property {(key: string, value: string) => Promise<void>} put
 * @property {(key: string) => Promise<void>} delete
 */

/**
 * A running gate. `vars` are put over those of wrangler.toml (or `config`; `undefined` takes one away), `options` over
 * Miniflare's; `entry` is the text of a module to stand before the worker, which it imports as `./entry.js`. Without
 * `sessions` there are no objects and limits: so it is as the real libraries' servers are, to the letter.
 *
 * `assets` are put over the table of that name. What is stored is kept in the folder `persist`, if there is one. A gate
 * that is killed (`kill()`) leaves it as it is. `services` are workers, by the names of the gate's bindings to them.
 * `elsewhere` is the same gate in another data centre: it asks the same objects, and has a copy of KV of its own.
 *
 * `{ url, port, get(path, init), logIn(name, password), token(), output(), lines(), kv, elsewhere, kill(), close() }`
 *
 * @param {Setup} setup
 */
export async function start({
  config: file = "wrangler.toml",
  vars = {},
  secret = SECRET,
  users = true,
  build = DEPLOYED,
  entry,
  sessions = build === DEPLOYED && !entry,
  persist,
  assets,
  services = {},
  options = {},
  elsewhere = false,
} = {}) {
  const config = readConfig({ config: root + file });
  if (assets) Object.assign(config.assets, assets);
  const worker = workerOf(config);
  let output = "";
  const pids = await workerds();
  const gate = {
    ...worker,
    name: "tollgate",
    modules: await modules(build, entry),
    bindings: bindingsOf(config, { ...(secret && { JWT_SECRET_KEY: secret }), ...vars }),
  };
  const ofTollgate = ([binding, object]) => [binding, { ...object, scriptName: "tollgate" }];
  const second = {
    ...gate,
    name: "elsewhere",
    kvNamespaces: { USERS: "elsewhere" },
    durableObjects: Object.fromEntries(Object.entries(worker.durableObjects ?? {}).map(ofTollgate)),
  };
  const runtime = new Miniflare(
    converted({
      handleStructuredLogs: ({ message }) => {
        output += `${message}\n`;
      },
      ...(persist && { resourcePersistencePath: persist }),
      workers: [
        {
          ...gate,
          ...(sessions ? {} : { durableObjects: {}, ratelimits: {} }),
          serviceBindings: Object.fromEntries(
            Object.keys(services).map((binding) => [binding, { name: binding.toLowerCase() }]),
          ),
          ...options,
        },
        ...(elsewhere ? [second] : []),
        ...Object.entries(services).map(([binding, script]) => ({
          name: binding.toLowerCase(),
          modules: true,
          script,
          compatibilityDate: config.compatibility_date,
        })),
      ],
    }),
  );
  const url = await runtime.unsafeGetDirectURL("tollgate");
  const hasStore = worker.kvNamespaces.USERS && !options.kvNamespaces;
  // A type of its own: tsc 7.0 picks among the overloads of KVNamespace.get by chance.
  const kv = /** @type {Store | undefined} */ (
    hasStore ? await runtime.getKVNamespace("USERS", "tollgate") : undefined
  );
  const there = elsewhere && /** @type {Store} */ (await runtime.getKVNamespace("USERS", "elsewhere"));
  for (const store of users ? [kv, there] : [])
    if (store) for (const { key, value } of testUsers) await store.put(key, value);
  const asks = (/** @type {URL} */ url) => {
    const get = (path, init) => fetch(url.origin + path, { redirect: "manual", ...init });
    const logIn = (username = "user1", password = "abcxyz") =>
      get("/auth", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username, password }),
      });
    return { get, logIn };
  };
  const { get, logIn } = asks(url);
  return {
    url,
    port: Number(url.port),
    get,
    logIn,
    kv,
    elsewhere: there && { ...asks(await runtime.unsafeGetDirectURL("elsewhere")), kv: there },
    async token() {
      return (await (await logIn()).json()).access_token;
    },
    /** Gives a binding to Secrets Store its value. */
    putSecret: async (binding, value) => (await runtime.getSecretsStoreSecretAPI(binding, "tollgate"))().create(value),
    /** All that the worker has written. */
    output: () => output,
    /** The JSON lines of its log. */
    lines: () =>
      output
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line)),
    /** Ends the process at once, whatever it is doing. */
    async kill() {
      const before = pids;
      for (const pid of await workerds()) if (!before.includes(pid)) process.kill(pid, "SIGKILL");
      await runtime.dispose().catch(() => {});
    },
    close: () => runtime.dispose(),
  };
}

/**
 * Many gates without a log in one workerd, for each of `all` one: `{ vars, records }`, the keys and values of its KV.
 *
 * `{ urls, close() }`
 */
export async function startAll(all) {
  const config = readConfig({ config: `${root}wrangler.toml` });
  const [worker, parts] = [workerOf(config), await modules(DEPLOYED)];
  // Gates with the same records share a namespace.
  const stores = [...new Set(all.map(({ records }) => JSON.stringify(records)))];
  const runtime = new Miniflare(
    converted({
      handleStructuredLogs: () => {}, // what is wrong with a configuration is told even so
      workers: all.map(({ vars, records }, at) => ({
        ...worker,
        durableObjects: {}, // without sessions, as what was recorded
        ratelimits: {},
        name: `gate${at}`,
        modules: parts,
        kvNamespaces: { USERS: `users${stores.indexOf(JSON.stringify(records))}` },
        bindings: bindingsOf(config, { ...vars, TOLLGATE_LOG: "off" }),
      })),
    }),
  );
  const urls = await Promise.all(all.map((_, at) => runtime.unsafeGetDirectURL(`gate${at}`)));
  for (const store of stores) {
    const kv = await runtime.getKVNamespace(
      "USERS",
      `gate${all.findIndex(({ records }) => JSON.stringify(records) === store)}`,
    );
    for (const [key, value] of JSON.parse(store)) await kv.put(key, value);
  }
  return { urls, close: () => runtime.dispose() };
}

export const bearing = (token, init = {}) => ({ ...init, headers: { ...init.headers, authorization: `JWT ${token}` } });

/** A good token of jose's with these claims, signed with `secret`. */
export const mint = (claims, secret = new TextEncoder().encode(SECRET)) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setNotBefore("0s")
    .setExpirationTime("5m")
    .sign(secret);

/** The claims of a token. */
export const payload = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());

/** Waits until `probe` gives something, 5 s at most. */
export async function until(probe) {
  for (let tries = 0; tries < 100; tries++) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`still not: ${probe}`);
}

/** Waits until `number` has risen, and then has not changed for 200 ms. */
export async function settled(number) {
  let [before, still] = [0, 0];
  await until(() => {
    const now = number();
    still = now > 0 && now === before ? still + 1 : 0;
    before = now;
    return still === 4;
  });
  return before;
}

/**
 * A request as it is written here: header names in their own spelling, the path's very bytes. `send(request)` may write
 * a body; else there is none. `{ status, headers, body }`
 */
export async function raw(gate, path, { method = "GET", headers = [], send = (out) => out.end() } = {}) {
  const out = request({
    host: "127.0.0.1",
    port: gate.port,
    method,
    path,
    headers: ["Host", gate.url.host, ...headers],
    agent: false,
  });
  const whole = once(out, "response").then(async ([answer]) => ({
    status: answer.statusCode,
    headers: answer.headers,
    body: Buffer.concat(await answer.toArray()).toString(),
  }));
  return (await Promise.all([whole, send(out)]))[0];
}

/**
 * The same for a body that the gate refuses before it has read it all: it closes the connection behind its answer, and
 * what the client still writes can make its kernel throw the answer away (RFC 9112 §9.6). Then it is asked again.
 */
export async function rawRefused(gate, path, options) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await raw(gate, path, options);
    } catch (error) {
      if (attempt === 10 || !["EPIPE", "ECONNRESET"].includes(error.code)) throw error;
    }
  }
}

/** The workerds of this process. */
async function workerds() {
  const pids = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const [, name, parent] =
      (await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")).match(/\((.*)\) \S (\d+)/) ?? [];
    if (name === "workerd" && Number(parent) === process.pid) pids.push(Number(pid));
  }
  return pids;
}

/** By how many bytes the resident memory of this process's workerds rises above its level before, while `work` runs. */
export async function memoryRise(work) {
  const pids = await workerds();
  if (pids.length === 0) throw new Error("no workerd is a child of this process");
  const one = (pid) => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+) kB/)[1]) * 1024;
  const resident = () => pids.reduce((sum, pid) => sum + one(pid), 0);
  const before = resident();
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, resident());
  }, 5);
  try {
    await work();
  } finally {
    clearInterval(sampling);
  }
  return Math.max(peak, resident()) - before;
}

/** The port of a server that listens. @param {import("node:net").Server} server */
export const portOf = (server) => /** @type {import("node:net").AddressInfo} */ (server.address()).port;

/** An origin on 127.0.0.1: `{ url, server, close() }`. @param {import("node:http").RequestListener} listener */
export async function origin(listener) {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    url: `http://127.0.0.1:${portOf(server)}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** examples/origin on a free port: `{ url, close() }`. */
export async function exampleOrigin() {
  const app = spawn(process.execPath, ["examples/origin/app.mjs"], {
    cwd: root,
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await app.stdout.setEncoding("utf8").take(1).toArray();
  return { url: line.match(/http:\S+/)[0], close: () => (app.kill() ? once(app, "exit") : undefined) };
}

const CHROMIUM = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  chromium.executablePath(),
];
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser without a window, with more arguments. */
export async function browse(...more) {
  const executablePath = CHROMIUM.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("no browser: `apt-get install chromium`, or set CHROMIUM to the path of one");
  return chromium.launch({ executablePath, args: [...QUIET, ...more] });
}
