// The examples of README.md and docs/start/flask.md: application, configuration, calls, and what they print.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { unstable_readConfig as readConfig } from "wrangler";
import { root, start } from "./harness.mjs";
import { flaskApp, install } from "./python.mjs";

before(install);

for (const [name, count] of /** @type {[string, number][]} */ ([
  ["README.md", 3],
  ["docs/start/flask.md", 4],
]))
  test(`the example of ${name} prints what it says`, async (t) => {
    const page = await readFile(root + name, "utf8");
    const block = (kind) => page.match(new RegExp(`^\`\`\`${kind}\n(.*?)^\`\`\``, "ms"))[1];
    const app = await flaskApp(block("python"));
    t.after(() => app.kill());
    const folder = await mkdtemp(`${tmpdir()}/tollgate-`);
    t.after(() => rm(folder, { recursive: true }));
    const config = `${folder}/wrangler.toml`;
    await writeFile(config, `name = "x"\ncompatibility_date = "2026-11-01"\n${block("toml")}`);
    const { vars } = readConfig({ config });
    assert.equal(vars.ORIGIN, "http://127.0.0.1:5000");
    const gate = await start({ vars: { ...vars, ORIGIN: app.url }, users: false, sessions: true });
    t.after(() => gate.close());
    const users = JSON.parse(await readFile(`${root}xtask/demo-users.json`, "utf8"));
    for (const { key, value } of users) await gate.kv.put(key, value);
    // "$ COMMAND", and the one line that it prints; a token is cut off there after its beginning.
    const calls = [...block("console").matchAll(/^\$ (.*)\n(.*)$/gm)];
    assert.equal(calls.length, count);
    let token;
    for (const [, command, expected] of calls) {
      const real = command.replace("127.0.0.1:8787", gate.url.host).replace(/eyJ\w+…/, token);
      const { stdout } = await promisify(execFile)("sh", ["-c", real.replace(/^curl /, "curl --silent --show-error ")]);
      token ??= JSON.parse(stdout).access_token;
      const [begins, ...rest] = expected.split("…");
      if (rest.length === 0) assert.equal(stdout, `${expected}\n`);
      else assert.ok(stdout.startsWith(begins) && stdout.endsWith(`${rest.at(-1)}\n`), stdout);
    }
  });
