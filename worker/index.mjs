// What the npm package exports.
export { Operator, Verifier } from "./js/entrypoints.mjs";
export { Account, Revocations } from "./js/objects.mjs";
export { authOf, tollgate } from "./js/tollgate.mjs";
export { checkPassword, hashPassword } from "./js/passwords.mjs";
export { JwtError } from "./js/users.mjs";
