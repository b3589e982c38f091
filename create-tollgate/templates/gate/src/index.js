export { Account, default, Operator, Revocations, Verifier } from "tollgate/worker";
