// The types of worker/entry.mjs, which the npm package exports as tollgate/worker.
export { Account, Operator, Revocations, Verifier } from "./index.mjs";

/** The gate alone. */
declare const worker: ExportedHandler<Cloudflare.Env>;
export default worker;
