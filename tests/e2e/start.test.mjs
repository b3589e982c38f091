// The entry pages (docs/start): each example is run, and prints what the page says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "./harness.mjs";
import { dev, env, pageConfig, project, run, tarball } from "./project.mjs";

const pageOf = (name) => readFile(`${root}docs/start/${name}.md`, "utf8");
const blocksOf = (page, language) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, block]) => block);

/** Between the outputs of two commands. */
const MARK = "--- next ---";

/**
 * Runs the commands of blocks ("$ COMMAND", below it what it prints, with … for anything) in one shell.
 *
 * @param {string[]} blocks
 * @param {string} cwd
 * @param {Record<string, string>} variables
 */
async function checkConsole(blocks, cwd, variables) {
  const calls = blocks
    .join("")
    .split(/^\$ /m)
    .slice(1)
    .map((call) => ({ command: call.split("\n")[0], expected: call.split("\n").slice(1).join("\n") }));
  assert.ok(calls.length >= 2);
  const script = calls.map(({ command }) => `${command}\necho '${MARK}'`).join("\n");
  const options = { cwd, env: { ...env, ...variables }, timeout: 60_000 };
  const { stdout } = await promisify(execFile)("sh", ["-ac", script], options);
  const outputs = stdout.split(`${MARK}\n`);
  const isAsSaid = ({ expected }, at) => {
    const pattern = expected
      .trimEnd()
      .split("…")
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${pattern.join("[^]*")}$`).test(outputs[at].trimEnd());
  };
  const other = calls
    .map((call, at) => (isAsSaid(call, at) ? "" : `$ ${call.command}\n${outputs[at]}`))
    .filter(Boolean);
  assert.equal(other.join(""), "", "what the page does not say");
}

test("docs/start/typescript.md", async (t) => {
  const page = await pageOf("typescript");
  const parent = await mkdtemp(join(tmpdir(), "tollgate-start-"));
  const create =
    page
      .match(/^ {4}npm create tollgate (.*)$/m)?.[1]
      .replace(" -- ", " ")
      .split(" ") ?? [];
  run(parent, "npm", "exec", "--yes", `--package=${tarball("create-tollgate")}`, "--", "create-tollgate", ...create);
  const folder = join(parent, "my-app");
  assert.equal(await readFile(join(folder, "src/index.ts"), "utf8"), blocksOf(page, "ts")[0]);
  // The rules of the page in place of those of the template, whose comments JSON.parse does not know.
  const config = join(folder, "wrangler.jsonc");
  const text = await readFile(config, "utf8");
  const vars = JSON.parse(blocksOf(page, "jsonc")[0]).vars;
  await writeFile(config, `${text.slice(0, text.indexOf('"vars"'))}"vars": ${JSON.stringify(vars)}\n}\n`);
  const [before, after] = blocksOf(page, "console");
  await checkConsole([before], folder, {});
  const gate = await dev(folder);
  t.after(() => gate.close());
  await checkConsole([after], folder, { GATE: gate.url });
});

const OPERATED = {
  "src/index.js": 'export { Account, default, Operator, Revocations, Verifier } from "tollgate/worker";\n',
  ".dev.vars": `JWT_SECRET_KEY=${"k".repeat(40)}\nTOLLGATE_ADMIN_SECRET=${"a".repeat(40)}\n`,
};
const configured = () => {
  const vars = { ROUTES: [{ path: "/protected", to: "identity", user: "stored" }] };
  // As in a project where no secret is required: the tests have one more.
  return JSON.stringify({ ...pageConfig, main: "src/index.js", secrets: undefined, vars });
};

test("docs/start/operators.md", async (t) => {
  const page = await pageOf("operators");
  const folder = await project({ ...OPERATED, "wrangler.jsonc": configured() }, { users: false });
  const gate = await dev(folder);
  t.after(() => gate.close());
  await checkConsole(blocksOf(page, "console"), folder, { GATE: gate.url });
});

test("docs/start/security-reviewers.md", async (t) => {
  const page = await pageOf("security-reviewers");
  const folder = await project({ ...OPERATED, "wrangler.jsonc": configured() });
  const gate = await dev(folder);
  t.after(() => gate.close());
  const { access_token: TOKEN } = await (await gate.logIn()).json();
  await checkConsole(blocksOf(page, "console"), folder, { GATE: gate.url, TOKEN });
});

test("every entry page has an example that is run, and README.md names it", async () => {
  const readme = await readFile(`${root}README.md`, "utf8");
  for (const name of ["flask", "typescript", "rust", "operators", "security-reviewers"]) {
    assert.ok(readme.includes(`docs/start/${name}.md`), name);
    assert.ok(/^```(console|rust)$/m.test(await pageOf(name)), name);
  }
});
