// What the npm package exports.
export { Account, Revocations } from "./js/objects.mjs";
export { authOf, tollgate } from "./js/tollgate.mjs";
