export { Account, default, Revocations } from "tollgate/worker";
