// Tollgate's tokens in the hands of other libraries, and theirs at Tollgate.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { jwtVerify } from "jose";
import { SECRET, bearing, mint, root, start } from "./harness.mjs";

const run = promisify(execFile);
const FOLDER = `${root}target/pyjwt`;
const key = new TextEncoder().encode(SECRET);

let gate;
before(async () => {
  await installPyJwt();
  gate = await start();
});
after(() => gate?.close());

/** Into target/pyjwt, once; with `pip --target`, for which Debian's python3-venv is not needed. */
async function installPyJwt() {
  await run("python3", ["--version"]).catch(() => assert.fail("no Python: `apt-get install python3 python3-pip`"));
  const wanted = (await readFile(`${root}tests/e2e/requirements.txt`, "utf8")).trim();
  if (await python("import jwt; print(f'PyJWT=={jwt.__version__}')").catch(() => "none") === wanted) return;
  await rm(FOLDER, { recursive: true, force: true });
  await run("python3", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", FOLDER, "--requirement", `${root}tests/e2e/requirements.txt`])
    .catch(({ stderr }) => assert.fail(`PyJWT can't be had; if pip is missing: \`apt-get install python3-pip\`.\n${stderr}`));
}

/** What a program prints that has PyJWT. */
async function python(program, ...args) {
  return (await run("python3", ["-c", program, ...args], { env: { ...process.env, PYTHONPATH: FOLDER, PYTHONSAFEPATH: "1", PYTHONDONTWRITEBYTECODE: "1" } })).stdout.trim();
}

test("PyJWT accepts the gate's tokens, with each algorithm, and the gate those of PyJWT", async () => {
  const long = "k".repeat(64);
  for (const [algorithm, secret, through] of [["HS256", SECRET, gate], ["HS384", long, undefined], ["HS512", long, undefined]]) {
    const other = through ?? await start({ secret, vars: { JWT_ALGORITHM: algorithm } });
    try {
      const theirs = JSON.parse(await python(
        "import jwt, json, sys; t, k, a = sys.argv[1:]; print(json.dumps([jwt.get_unverified_header(t), jwt.decode(t, k, algorithms=[a], options={'require': ['exp', 'iat', 'nbf']})]))",
        await other.token(), secret, algorithm));
      assert.deepEqual(theirs[0], { typ: "JWT", alg: algorithm });
      assert.equal(theirs[1].identity, 1);
      const make = (secret) => python(
        "import jwt, sys, time; k, a = sys.argv[1:]; n = int(time.time()); print(jwt.encode({'identity': 2, 'iat': n, 'nbf': n, 'exp': n + 300}, k, algorithm=a))", secret, algorithm);
      const passed = await other.get("/protected", bearing(await make(secret)));
      assert.deepEqual(await passed.json(), { identity: 2, username: "user2" });
      assert.equal((await other.get("/protected", bearing(await make(`${secret}!`)))).status, 401);
    } finally { if (!through) await other.close(); }
  }
});

test("jose accepts the gate's tokens, and the gate those of jose", async () => {
  const { payload, protectedHeader } = await jwtVerify(await gate.token(), key, { algorithms: ["HS256"] });
  assert.deepEqual(protectedHeader, { typ: "JWT", alg: "HS256" });
  assert.equal(payload.identity, 1);
  assert.equal(payload.exp - payload.iat, 300);
  assert.equal((await (await gate.get("/protected", bearing(await mint({ identity: 2 })))).json()).identity, 2);
  assert.equal((await gate.get("/protected", bearing(await mint({ identity: 2 }, new Uint8Array(32))))).status, 401);
});
