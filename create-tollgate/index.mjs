#!/usr/bin/env node
// `npm create tollgate [FOLDER]`: a project with the gate, a key, and a first user in the local store.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { files, TEMPLATES } from "./files.mjs";

const USAGE = `npm create tollgate [FOLDER] -- [OPTIONS]

Makes a project in FOLDER (default: the current one): configuration, a secret key in .dev.vars, and a first user in
the local store of \`wrangler dev\`. Then installs tollgate and wrangler. Files that exist are never changed, but
package.json and .gitignore get what they lack.

Options:
  --template NAME   gate: the gate alone, before an origin or assets (default)
                    worker: before your own code in TypeScript
                    hono: before a hono application
  --user NAME       name of the first user (default: user1). The password is random and printed at the end
  --no-install      write the files only
  --tollgate SPEC   version or tarball of tollgate (default: this one's version)
  --help            print this text
`;
/** wrangler's own. */
const MIN_NODE = 22;
const here = dirname(fileURLToPath(import.meta.url));
/** @param {string} name of a file of this package */
const read = (name) => JSON.parse(readFileSync(join(here, name), "utf8"));
const { version } = read("package.json");

/** What the user can correct. */
class Failure extends Error {
  /** @param {string} message @param {string} hint @param {number} [code] */
  constructor(message, hint, code = 1) {
    super(message);
    this.hint = hint;
    this.code = code;
  }
}

function options() {
  const known = /** @type {const} */ ({
    template: { type: "string", default: "gate" },
    user: { type: "string", default: "user1" },
    "no-install": { type: "boolean", default: false },
    tollgate: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  });
  try {
    const { values, positionals } = parseArgs({ options: known, allowPositionals: true });
    if (positionals.length > 1) throw new Error(`one folder, not ${positionals.length}`);
    if (!TEMPLATES.includes(values.template)) throw new Error(`no template ${JSON.stringify(values.template)}`);
    if (values.user === "" || values.user.startsWith("-")) throw new Error("--user needs a name");
    return { ...values, folder: resolve(positionals[0] ?? ".") };
  } catch (error) {
    throw new Failure(/** @type {Error} */ (error).message, "npm create tollgate -- --help lists the options", 2);
  }
}

/**
 * The package `tollgate` for package.json. A tarball beside the one that this program was installed from is the same
 * build; else it is this version in the registry.
 *
 * @param {string} folder of the project
 * @param {string | undefined} given
 */
function tollgateSpec(folder, given) {
  const inProject = (/** @type {string} */ path) => `file:${relative(folder, path).replaceAll("\\", "/")}`;
  if (given !== undefined) return existsSync(given) ? inProject(resolve(given)) : given;
  const beside = [here, installedFrom()].flatMap((path) => path ?? []).map((path) => join(dirname(path), tarball()));
  const found = beside.find((path) => existsSync(path));
  return found === undefined ? version : inProject(found);
}

/** @param {string} text */
function isObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

const tarball = () => `tollgate-${version}.tgz`;

/** The tarball that npm has installed this program from. */
function installedFrom() {
  const modules = dirname(here);
  const lock = join(modules, ".package-lock.json");
  if (!existsSync(lock)) return undefined;
  const { packages } = JSON.parse(readFileSync(lock, "utf8"));
  const resolved = packages?.[`${basename(modules)}/${basename(here)}`]?.resolved;
  return typeof resolved === "string" && resolved.startsWith("file:")
    ? resolve(dirname(modules), resolved.slice("file:".length))
    : undefined;
}

/** What stands at a path, a link too; `undefined` if nothing. @param {string} path */
const statOf = (path) => lstatSync(path, { throwIfNoEntry: false });

/** What gets what it lacks, where it exists. */
const EXTENDED = ["package.json", ".gitignore"];

/**
 * Writes the files, or none of them.
 *
 * @param {string} folder
 * @param {Map<string, string>} all
 */
function write(folder, all) {
  const names = [...all.keys()];
  const folders = names.map((name) => dirname(name)).filter((name) => name !== ".");
  const taken = folders.filter((name) => statOf(join(folder, name))?.isDirectory() === false);
  const isTaken = (/** @type {string} */ name) => {
    const stat = statOf(join(folder, name));
    // A link could lead out of the project.
    return stat !== undefined && !(EXTENDED.includes(name) && stat.isFile());
  };
  if (taken.length === 0) taken.push(...[...names, "wrangler.toml", "wrangler.json"].filter(isTaken));
  if (taken.length > 0) {
    throw new Failure(
      `${folder} already has ${taken.join(", ")}`,
      "name an empty folder. For a worker that exists: npm install tollgate, and see that package's README",
    );
  }
  for (const [name, text] of all) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const whole = name === ".gitignore" && existsSync(path) ? withLines(readFileSync(path, "utf8"), text) : text;
    const mode = name === ".dev.vars" ? 0o600 : 0o666;
    writeFileSync(path, whole, { mode, flag: EXTENDED.includes(name) ? "w" : "wx" });
  }
}

/** A text with the lines that it lacks. @param {string} text @param {string} lines */
function withLines(text, lines) {
  const existing = text.split(/\r?\n/);
  const missing = lines.split("\n").filter((line) => !existing.includes(line));
  return missing.length === 0 ? text : `${text.replace(/(?<!\n)$/, "\n")}${missing.join("\n")}\n`;
}

/**
 * Runs a program to its end. Its output is shown on standard error.
 *
 * @param {string} folder
 * @param {string} program
 * @param {string[]} args
 * @param {string} [input]
 * @returns {Promise<boolean>} whether it succeeded
 */
function run(folder, program, args, input) {
  // npm and npx are scripts for the shell on Windows. No argument is from the user there.
  const shell = process.platform === "win32" && program.startsWith("np");
  const child = spawn(program, args, { cwd: folder, stdio: ["pipe", 2, 2], shell });
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  return new Promise((done) => {
    child.on("error", () => done(false));
    child.on("exit", (code) => done(code === 0));
  });
}

async function main() {
  const { folder, template, user, help, tollgate, "no-install": noInstall } = options();
  if (help) return void process.stdout.write(USAGE);
  if (!noInstall && Number.parseInt(process.versions.node, 10) < MIN_NODE) {
    const hint = "install it (https://nodejs.org), or write the files alone with --no-install";
    throw new Failure(`wrangler needs Node ${MIN_NODE} or newer, and this is ${process.version}`, hint);
  }
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
    throw new Failure(`${folder} is no folder`, "name another");
  mkdirSync(folder, { recursive: true });
  const existing = join(folder, "package.json");
  const before = existsSync(existing) ? readFileSync(existing, "utf8").replace(/^\ufeff/, "") : undefined;
  if (before !== undefined && !isObject(before)) {
    throw new Failure(`${existing} is not a JSON object`, "correct it, or name an empty folder");
  }
  const key = randomBytes(32).toString("base64url");
  const spec = tollgateSpec(folder, tollgate);
  const versions = read("versions.json");
  write(folder, files({ here, template, name: basename(folder), tollgate: spec, key, versions, packageJson: before }));
  console.error(`Wrote the project in ${folder}`);

  const password = randomBytes(12).toString("base64url");
  const addUser = `npx tollgate user add --id 1 -- ${quoted(user)}`;
  const toDo = [];
  if (relative(".", folder) !== "") toDo.push(`cd -- ${quoted(relative(".", folder))}`);
  let isUserThere = false;
  const types = template === "gate" ? [] : ["npx wrangler types"];
  if (noInstall) toDo.push("npm install", ...types, `${addUser}   # asks for a password`);
  else {
    console.error("Installing tollgate and wrangler (npm install, about 20 s)");
    if (!(await run(folder, "npm", ["install", "--no-audit", "--no-fund"]))) {
      const hint = `when npm's problem above is solved: npm install && ${addUser}`;
      throw new Failure("the project is written, but npm install failed", hint);
    }
    // The types of the bindings, `Env` among them. Without them only tsc fails.
    if (template !== "gate") await run(folder, "npx", ["wrangler", "types"]);
    const command = installed(folder);
    const args = [command, "user", "add", "--id", "1", "--local", "--", user];
    if (!(await run(folder, process.execPath, args, `${password}\n`))) {
      throw new Failure("the project is written, but it has no user yet", `in that folder: ${addUser}`);
    }
    isUserThere = true;
  }
  toDo.push("npx wrangler dev");
  process.stdout.write(`\nNow run:\n\n${toDo.map((line) => `    ${line}\n`).join("")}\n`);
  if (isUserThere) process.stdout.write(threeCalls(user, password, template));
}

/** A word for a shell: nothing in it is a command. @param {string} text */
const quoted = (text) => (/^[A-Za-z0-9_./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The command: in a workspace npm puts it into a folder above. @param {string} folder */
function installed(folder) {
  const inFolder = "node_modules/tollgate/cli/node/tollgate.mjs";
  for (let above = folder; ; above = dirname(above)) {
    const path = join(above, inFolder);
    if (existsSync(path) || above === dirname(above)) return path;
  }
}

/**
 * What to try, as lines for a shell.
 *
 * @param {string} user
 * @param {string} password
 * @param {string} template
 */
function threeCalls(user, password, template) {
  const isGate = template === "gate";
  const [path, who] = isGate ? ["/protected", "with the user's id"] : ["/hello", "is your own code's"];
  const body = quoted(JSON.stringify({ username: user, password }));
  return `and in another terminal:

    curl -X POST localhost:8787/auth -H 'Content-Type: application/json' -d ${body}
    curl localhost:8787${path} -H 'Authorization: JWT ACCESS_TOKEN'
    curl localhost:8787${path}

The first answers with an access token, the second ${who}; the third is refused. The password is not kept
anywhere but as a hash: note it, or set another with npx tollgate user set-password -- ${quoted(user)}
`;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`error: ${error.message}\n hint: ${error.hint}`);
  process.exitCode = error.code;
}
