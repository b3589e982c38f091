// A wrong configuration: told whole in the log, one plain 500 to the world.
import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./harness.mjs";

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
