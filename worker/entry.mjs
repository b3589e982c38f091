// The stock worker's entry (the library's JavaScript is in src/edge/js): the gate alone.
import { tollgate } from "./js/tollgate.mjs";

export { Operator, Verifier } from "./js/entrypoints.mjs";
export { Account, Revocations } from "./js/objects.mjs";

export default tollgate();
