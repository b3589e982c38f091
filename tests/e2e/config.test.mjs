// A wrong configuration: told whole in the log, one plain 500 to the world.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { unstable_readConfig as readConfig } from "wrangler";
import { root, start } from "./harness.mjs";

test("every problem is in the log and nothing is served", async () => {
  const gate = await start({ vars: { JWT_LEEWAY: "soon", JWT_VERIFY_CLAIMS: [] }, secret: "hunter2", users: false });
  try {
    for (const path of ["/", "/protected", "/auth"]) {
      const answer = await gate.get(path);
      assert.equal(answer.status, 500);
      assert.deepEqual(await answer.json(), { description: "The request could not be answered", error: "Internal Server Error", status_code: 500 });
    }
    const logs = gate.output();
    for (const option of ["JWT_LEEWAY", "JWT_VERIFY_CLAIMS", "JWT_SECRET_KEY"]) assert.ok(logs.includes(option), option);
    assert.ok(!logs.includes("hunter2"));
  } finally { await gate.close(); }
});

test("the configurations in docs/flask-jwt-extended.md are good, and nothing is to be said against them", async () => {
  const page = await readFile(`${root}docs/flask-jwt-extended.md`, "utf8");
  const blocks = [...page.matchAll(/^```toml\n(.*?)^```/gms)].map(([, block]) => block);
  assert.equal(blocks.length, 2);
  const folder = await mkdtemp(`${tmpdir()}/tollgate-`);
  try {
    for (const block of blocks) {
      const config = `${folder}/wrangler.toml`;
      await writeFile(config, `name = "x"\ncompatibility_date = "2026-11-01"\n${block}`);
      const { vars } = readConfig({ config });
      const gate = await start({ vars, users: false });
      try {
        const answer = await gate.get("/auth/me");
        assert.equal(answer.status, 401, gate.output());
        assert.match((await answer.json()).msg, /^Missing /);
        assert.deepEqual(gate.lines().filter(({ event }) => event !== "refused"), []);
      } finally { await gate.close(); }
    }
  } finally { await rm(folder, { recursive: true }); }
});
