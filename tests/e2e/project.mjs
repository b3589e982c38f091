// Projects outside the repository, with the npm package and without cargo.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { portOf, root, SECRET } from "./harness.mjs";

const cargo = await readFile(`${root}Cargo.toml`, "utf8");
const USERS = `${root}tests/e2e/users.json`;
const readme = await readFile(`${root}worker/README.md`, "utf8");
/** The blocks of the package's page in this language. */
export const blocks = (/** @type {string} */ language) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, block]) => block);

/** The configuration of the package's page. */
export const pageConfig = JSON.parse(
  (blocks("jsonc").find((block) => block.includes('"migrations"')) ?? "").replace(/ \/\/ .*$/gm, ""),
);

/** A PATH with Node, and without cargo and the programs of this repository. */
const PATH = (process.env.PATH ?? "").split(":").filter((folder) => !/cargo|rustup|node_modules/.test(folder));
export const env = {
  ...process.env,
  PATH: [dirname(process.execPath), ...PATH].join(":"),
  WRANGLER_LOG: "log",
  WRANGLER_SEND_METRICS: "false",
  NO_UPDATE_NOTIFIER: "1",
  CI: "1",
};

/** What is in target/npm. */
export const tarball = (/** @type {string} */ name, version = cargo.match(/^version = "(.*)"$/m)?.[1]) =>
  `${root}target/npm/${name}-${version}.tgz`;

/** Runs a program to its end. */
const spawned = (folder, program, args) =>
  spawnSync(program, args, { cwd: folder, env, encoding: "utf8", timeout: 90_000 });

/** Runs a program that succeeds; its output. */
export function run(folder, program, ...args) {
  const { status, stdout, stderr } = spawned(folder, program, args);
  assert.equal(status, 0, `${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

/** Runs a program that ends with this code; what it says. */
export function fails(folder, code, program, ...args) {
  const { status, stdout, stderr } = spawned(folder, program, args);
  assert.equal(status, code, `${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stderr;
}

/** A folder with the package from the tarball; the other packages are those of this repository. */
async function withPackages(folder) {
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
  run(folder, "npm", "install", "--offline", "--no-audit", "--no-fund", tarball("tollgate"));
  for (const name of ["hono", "@cloudflare", "wrangler", "typescript", ".bin/wrangler", ".bin/tsc"])
    await symlink(`${root}node_modules/${name}`, `${folder}/node_modules/${name}`);
}

const SECRETS = `JWT_SECRET_KEY=${JSON.stringify(SECRET)}\n`;

/** A project with these files, and the users of the tests. */
export async function project(files, { users = true } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "tollgate-package-"));
  await withPackages(folder);
  for (const [name, text] of Object.entries({ ".dev.vars": SECRETS, ...files })) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  if (users) putUsers(folder);
  return folder;
}

/** Puts the users of the tests into the local store. */
export function putUsers(folder, ...args) {
  run(folder, "npx", "wrangler", "kv", "bulk", "put", USERS, "--binding", "USERS", "--local", ...args);
}

/** A copy of an example, with the package. `secrets` is the folder of .dev.vars in it. */
export async function example(name, secrets = ".") {
  const folder = await mkdtemp(join(tmpdir(), "tollgate-example-"));
  await cp(`${root}examples/${name}`, folder, { recursive: true });
  await withPackages(folder);
  await writeFile(join(folder, secrets, ".dev.vars"), SECRETS);
  return folder;
}

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  return port;
};

/** `wrangler dev` in a project, with more arguments: `{ url, get(path, init), logIn(password, username), output(), close() }`. */
export async function dev(folder, seconds = 60, more = []) {
  const port = await freePort();
  const args = ["wrangler", "dev", "--ip", "127.0.0.1", "--port", `${port}`, "--inspector-port", "0"];
  args.push("--test-scheduled", ...more);
  const child = spawn("npx", args, { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const get = (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
  const began = Date.now();
  for (;;) {
    const answer = await get("/auth").catch(() => undefined);
    if (answer !== undefined && answer.status !== 503) break;
    assert.ok(Date.now() - began < seconds * 1000, output);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url: `http://127.0.0.1:${port}`,
    get,
    logIn: (password = "abcxyz", username = "user1") =>
      get("/auth", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username, password }),
      }),
    output: () => output,
    close: async () => {
      const gone = once(child, "exit");
      process.kill(-(child.pid ?? 0), "SIGTERM");
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
