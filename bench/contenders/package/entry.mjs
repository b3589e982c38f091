// The npm package before a worker's own code: the gate as in the stock worker, and behind it the least that code can
// do.
import { tollgate } from "../../../worker/js/tollgate.mjs";

export { Account, Revocations } from "../../../worker/js/objects.mjs";

const headers = new Headers({ "content-type": "application/json" });

export default tollgate({
  fetch(_request, _env, _ctx, auth) {
    return new Response(`{"ok":${auth.principal === "verified"}}`, { headers });
  },
});
