// The JSON Schema of wrangler's configuration with the gate's variables (worker/wrangler.schema.json), beside
// wrangler's own, as an editor reads both in a project with the npm package.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Ajv } from "ajv";
import { experimental_readRawConfig } from "wrangler";
import { root } from "./harness.mjs";

const BASE = "https://example.com/node_modules";
const json = async (path) => JSON.parse(await readFile(path, "utf8"));
/** @type {import("ajv").ValidateFunction} */
let validate;
let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tollgate-schema-"));
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(await json(`${root}node_modules/wrangler/config-schema.json`), `${BASE}/wrangler/config-schema.json`);
  ajv.addSchema(await json(`${root}worker/wrangler.schema.json`), `${BASE}/tollgate/wrangler.schema.json`);
  validate = /** @type {import("ajv").ValidateFunction} */ (ajv.getSchema(`${BASE}/tollgate/wrangler.schema.json`));
});
after(() => rm(folder, { recursive: true, force: true }));

const problems = (config) =>
  validate(config) ? [] : validate.errors?.map((error) => `${error.instancePath} ${error.message}`);
/** A configuration as wrangler reads it. */
const read = (path) => experimental_readRawConfig({ config: path }).rawConfig;

test("every configuration of this repository is good", async () => {
  const examples = (await readdir(`${root}examples`)).map((name) => `examples/${name}/`);
  let count = 0;
  for (const place of ["", ...examples]) {
    for (const name of ["wrangler.toml", "wrangler.jsonc"]) {
      const isThere = (await readdir(root + place)).includes(name);
      if (!isThere) continue;
      assert.deepEqual(problems(read(root + place + name)), [], place + name);
      count += 1;
    }
  }
  assert.ok(count >= 5);
});

test("every configuration in the documentation is good", async () => {
  const pages = (await readdir(`${root}docs`)).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  let count = 0;
  for (const page of ["README.md", "worker/README.md", ...pages]) {
    const text = await readFile(root + page, "utf8");
    for (const [, language, block] of text.matchAll(/^```(toml|jsonc)\n(.*?)^```/gms)) {
      if (block.startsWith("[dependencies]")) continue;
      const path = join(folder, `wrangler.${language}`);
      await writeFile(path, block);
      assert.deepEqual(problems(read(path)), [], `${page}\n${block}`);
      count += 1;
    }
  }
  assert.ok(count >= 15);
});

test("it refuses what is wrong, of wrangler's own and of the gate's", () => {
  const good = { name: "x", compatibility_date: "2026-11-01", vars: { ORIGIN: "https://app.example.com" } };
  assert.deepEqual(problems(good), []);
  for (const wrong of [
    { ...good, compatibility_dates: "2026-11-01" },
    { ...good, vars: { ORIGIN: "app.example.com" } },
    { ...good, vars: { ROUTES: [{ path: "/x" }] } },
    { ...good, vars: { JWT_SECRET_KEY: "x".repeat(32) } },
    { ...good, env: { staging: { vars: { JWT_LEEWAI: 1 } } } },
  ]) {
    assert.notDeepEqual(problems(wrong), [], JSON.stringify(wrong));
  }
});
