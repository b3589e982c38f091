// The files of a new project.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const TEMPLATES = ["gate", "worker", "hono"];

const TSCONFIG = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024"],
    module: "esnext",
    moduleResolution: "bundler",
    types: [],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  },
  // `wrangler types` writes the types of the runtime and of the bindings, `Env` among them, into that file.
  include: ["src", "worker-configuration.d.ts"],
};

/**
 * @typedef {object} Project
 * @property {string} here this package's folder
 * @property {string} template
 * @property {string} name the folder's
 * @property {string} tollgate the package, for package.json
 * @property {string} key a secret
 * @property {Record<string, string>} versions of other packages, which this release was tried with
 * @property {string | undefined} packageJson the one that exists
 */

/**
 * Each file's path and text.
 *
 * @param {Project} project
 * @returns {Map<string, string>}
 */
export function files({ here, template, name, tollgate, key, versions, packageJson }) {
  const source = join(here, "templates", template, "src");
  const [main] = readdirSync(source);
  const worker = workerName(name);
  const all = new Map([
    ["package.json", withPackages(packageJson, worker, template, { tollgate, ...versions })],
    ["wrangler.jsonc", configuration(worker, `src/${main}`, template)],
    [
      ".dev.vars",
      `# Secrets of \`wrangler dev\`. On Cloudflare: npx wrangler secret put JWT_SECRET_KEY\nJWT_SECRET_KEY=${key}\n`,
    ],
    [".gitignore", "node_modules\n.wrangler\n.dev.vars*\n.env*\n"],
    [`src/${main}`, readFileSync(join(source, main), "utf8")],
  ]);
  if (main.endsWith(".ts")) all.set("tsconfig.json", json(TSCONFIG));
  return all;
}

/** A name that Cloudflare takes: at most 63 small letters, digits and dashes. @param {string} folder */
function workerName(folder) {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return name === "" ? "gate" : name;
}

/** @param {unknown} value */
const json = (value) => `${JSON.stringify(value, null, 2)}\n`;

/**
 * package.json with what the project needs. What it has stays.
 *
 * @param {string | undefined} text
 * @param {string} name
 * @param {string} template
 * @param {Record<string, string>} versions
 */
function withPackages(text, name, template, { tollgate, wrangler, hono, ...types }) {
  const existing = text === undefined ? { name, private: true, type: "module" } : JSON.parse(text);
  const has = (/** @type {string} */ it) => it in { ...existing.dependencies, ...existing.devDependencies };
  const added = (/** @type {Record<string, string>} */ all) =>
    Object.fromEntries(Object.entries(all).filter(([it]) => it === "tollgate" || !has(it)));
  return json({
    ...existing,
    scripts: {
      dev: "wrangler dev",
      deploy: "wrangler deploy",
      ...(template !== "gate" && { types: "wrangler types && tsc" }),
      ...existing.scripts,
    },
    dependencies: { ...existing.dependencies, ...added({ tollgate, ...(template === "hono" && { hono }) }) },
    devDependencies: { ...existing.devDependencies, ...added({ wrangler, ...(template !== "gate" && types) }) },
  });
}

/**
 * wrangler.jsonc.
 *
 * @param {string} name
 * @param {string} main
 * @param {string} template
 */
function configuration(name, main, template) {
  const own =
    template === "gate"
      ? `      // Your application: set "ORIGIN" to its address above, and every request with a token is forwarded to it.
      // { "path": "/api/*", "to": "origin", "methods": ["*"] },`
      : `      // Arrives in ${main} with who the caller is.
      { "path": "/hello", "to": "worker" },`;
  return `{
  "$schema": "node_modules/tollgate/wrangler.schema.json",
  "name": "${name}",
  "main": "${main}",
  "compatibility_date": "2026-11-01",
  // The gate is told when a client disconnects.
  "compatibility_flags": ["enable_request_signal"],
  // No preview URLs: they keep old versions, with old rules, reachable.
  "preview_urls": false,
  "observability": { "enabled": true },

  // The users. \`wrangler deploy\` creates the namespace. Add users with \`npx tollgate user add NAME\`.
  "kv_namespaces": [{ "binding": "USERS" }],

  // Sessions and limits on guesses at passwords.
  "durable_objects": {
    "bindings": [
      { "name": "ACCOUNTS", "class_name": "Account" },
      { "name": "REVOCATIONS", "class_name": "Revocations" }
    ]
  },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Account", "Revocations"] }],
  "ratelimits": [
    { "name": "LOGINS_BY_ADDRESS", "namespace_id": "1001", "simple": { "limit": 120, "period": 60 } },
    { "name": "HASHING", "namespace_id": "1002", "simple": { "limit": 6000, "period": 60 } }
  ],

  // In .dev.vars on your machine; on Cloudflare: npx wrangler secret put JWT_SECRET_KEY
  "secrets": { "required": ["JWT_SECRET_KEY"] },

  "vars": {
    // The rules. A path without a rule is refused. \`npx tollgate config check\` finds what is wrong here.
    "ROUTES": [
${own}
      // Answers with the user's id.
      { "path": "/protected", "to": "identity", "user": "stored" }
    ]
  }
}
`;
}
