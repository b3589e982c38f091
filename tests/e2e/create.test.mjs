// `npm create tollgate` in an empty folder, without cargo. `cargo xtask package` makes the tarballs.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { payload } from "./harness.mjs";
import { blocks, dev, env, fails, run, tarball } from "./project.mjs";

const emptyFolder = () => mkdtemp(join(tmpdir(), "tollgate-create-"));
const NPM = ["exec", "--yes", `--package=${tarball("create-tollgate")}`, "--", "create-tollgate"];
const create = (folder, ...args) => run(folder, "npm", ...NPM, ...args);
const jwt = (token) => ({ headers: { authorization: `JWT ${token}` } });

test("an empty folder, npm and wrangler are enough for the three calls", async (t) => {
  assert.ok(!env.PATH.includes("cargo"));
  const folder = await emptyFolder();
  const printed = create(folder);
  run(folder, "npm", "install", "--no-audit", "--no-fund");
  assert.match(run(folder, "npx", "tollgate", "config", "check"), /^0 problems, 0 warnings$/m);
  assert.equal((await stat(join(folder, ".dev.vars"))).mode & 0o777, 0o600);
  const gate = await dev(folder, 20);
  t.after(() => gate.close());
  const { username, password } = JSON.parse(printed.match(/-d '(.*)'/)?.[1] ?? "");
  const logIn = await gate.logIn(password);
  assert.deepEqual([username, logIn.status], ["user1", 200]);
  const { access_token } = await logIn.json();
  const answer = await gate.get("/protected", jwt(access_token));
  assert.deepEqual([answer.status, (await answer.json()).identity], [200, 1]);
  assert.equal((await gate.get("/protected")).status, 401);
  assert.ok(payload(access_token).sid, "there are sessions");
  assert.equal((await gate.logIn("abcxyz")).status, 401);
});

for (const [template, block] of [
  ["worker", 0],
  ["hono", 1],
]) {
  test(`the template ${template} compiles, and answers with who the caller is`, async (t) => {
    const folder = await emptyFolder();
    const printed = create(folder, "--template", template, "app", "--user", "o'hara");
    const app = join(folder, "app");
    assert.equal(await readFile(join(app, "src/index.ts"), "utf8"), blocks("ts")[block], "as in the package's page");
    const file = join(app, "src/index.ts");
    const text = await readFile(file, "utf8");
    // Names as wrangler writes them for the bindings of this project.
    await writeFile(file, `${text}\nexport const kv = (env: Env): KVNamespace => env.USERS;\n`);
    run(app, "npx", "tsc", "-p", ".");
    await writeFile(file, text);
    assert.match(run(app, "npx", "tollgate", "config", "check"), /^0 problems, 0 warnings$/m);
    const gate = await dev(app);
    t.after(() => gate.close());
    const body = JSON.parse((printed.match(/-d '(.*)'/)?.[1] ?? "").replaceAll("'\\''", "'"));
    const { access_token } = await (await gate.logIn(body.password, body.username)).json();
    assert.deepEqual(await (await gate.get("/hello", jwt(access_token))).json(), { hello: 1 });
    assert.equal((await gate.get("/hello")).status, 401);
  });
}

test("a file that exists stays as it is", async () => {
  const folder = await emptyFolder();
  await writeFile(join(folder, "wrangler.toml"), "name = 'mine'\n");
  assert.match(fails(folder, 1, "npm", ...NPM, "--no-install"), /already has wrangler\.toml/);
  assert.deepEqual(await readdir(folder), ["wrangler.toml"], "nothing is written");
  const other = await emptyFolder();
  const mine = { name: "mine", dependencies: { hono: "1" }, scripts: { dev: "mine" } };
  await writeFile(join(other, "package.json"), JSON.stringify(mine));
  await writeFile(join(other, ".gitignore"), "mine\n");
  const printed = create(other, "--no-install", "--template=hono", "--tollgate=9.9.9");
  assert.match(printed, /npm install\n.*npx wrangler types\n.*npx tollgate user add/);
  const { name, dependencies, devDependencies, scripts } = JSON.parse(
    await readFile(join(other, "package.json"), "utf8"),
  );
  assert.deepEqual([name, dependencies, scripts.dev], ["mine", { hono: "1", tollgate: "9.9.9" }, "mine"]);
  assert.ok(devDependencies.wrangler);
  assert.equal(await readFile(join(other, ".gitignore"), "utf8"), "mine\nnode_modules\n.wrangler\n.dev.vars*\n.env*\n");
});

test("nothing is written through a link, and no name is a command for a shell", async () => {
  const [folder, outside] = [await emptyFolder(), await emptyFolder()];
  await symlink(join(outside, "stolen"), join(folder, ".dev.vars"));
  assert.match(fails(folder, 1, "npm", ...NPM, "--no-install"), /already has \.dev\.vars/);
  await writeFile(join(outside, "package.json"), "{}");
  const other = await emptyFolder();
  await symlink(join(outside, "package.json"), join(other, "package.json"));
  assert.match(fails(other, 1, "npm", ...NPM, "--no-install"), /already has package\.json/);
  assert.deepEqual(await readdir(outside), ["package.json"]);
  await writeFile(join(outside, "src"), "");
  assert.match(fails(outside, 1, "npm", ...NPM, "--no-install"), /already has src/);
  assert.match(fails(outside, 1, "npm", ...NPM, "--no-install", "src"), /is no folder/);
  const printed = create(folder, "--no-install", "it's $(touch a)", "--user", "$(touch b)`c`");
  assert.match(printed, /cd -- 'it'\\''s \$\(touch a\)'\n.*-- '\$\(touch b\)`c`'/s);
});

test("wrong usage says what is right", async () => {
  const folder = await emptyFolder();
  await mkdir(join(folder, "bad"));
  await writeFile(join(folder, "bad/package.json"), "[");
  /** @type {[args: string[], code: number, text: RegExp][]} */
  const cases = [
    [["--template", "rust"], 2, /no template "rust"/],
    [["a", "b"], 2, /one folder/],
    [["--user", ""], 2, /--user needs a name/],
    [["--frobnicate"], 2, /frobnicate/],
    [["bad", "--no-install"], 1, /is not a JSON object/],
  ];
  for (const [args, code, text] of cases) assert.match(fails(folder, code, "npm", ...NPM, ...args), text);
  assert.match(create(folder, "--help"), /--template NAME/);
  assert.deepEqual(await readdir(folder), ["bad"], "nothing is written");
});
