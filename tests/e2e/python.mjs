// Python with the real libraries, at the versions of requirements.txt: installed once, into target/pyjwt.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { portOf, root, until } from "./harness.mjs";

const run = promisify(execFile);
const FOLDER = `${root}target/pyjwt`;
const env = { ...process.env, PYTHONPATH: FOLDER, PYTHONSAFEPATH: "1", PYTHONDONTWRITEBYTECODE: "1" };

/** What a program prints. Call `install` before. */
export async function python(args) {
  return (await run("python3", args, { env })).stdout.trim();
}

/** With `pip --target`, for which Debian's python3-venv is not needed. */
export async function install() {
  await run("python3", ["--version"]).catch(() => assert.fail("no Python: `apt-get install python3 python3-pip`"));
  const requirements = `${root}tests/e2e/requirements.txt`;
  const wanted = (await readFile(requirements, "utf8")).trim().split("\n");
  const installed =
    "from importlib.metadata import version as v; import sys; print('\\n'.join(f'{n}=={v(n)}' for n in sys.argv[1:]))";
  const names = wanted.map((line) => line.split("==")[0]);
  if ((await python(["-c", installed, ...names]).catch(() => "none")) === wanted.join("\n")) return;
  await rm(FOLDER, { recursive: true, force: true });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await run("python3", [...pip, "--target", FOLDER, "--requirement", requirements]).catch(({ stderr }) =>
    assert.fail(`PyJWT can't be had; if pip is missing: \`apt-get install python3-pip\`.\n${stderr}`),
  );
}

/**
 * A Flask application, which `program` calls `app`, on a free port: `{ url, kill() }`. Call `install` before.
 *
 * @param {string} program
 * @param {Record<string, string>} variables of its environment
 */
export async function flaskApp(program, variables = {}) {
  const port = await new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const port = portOf(server);
      server.close(() => resolve(port));
    });
  });
  const app = spawn("python3", ["-c", `${program}\napp.run(port=${port})`], {
    cwd: root,
    env: { ...env, ...variables },
    stdio: "ignore",
  });
  const url = `http://127.0.0.1:${port}`;
  await until(() =>
    fetch(url).then(
      () => true,
      () => false,
    ),
  );
  return { url, kill: () => app.kill() };
}
