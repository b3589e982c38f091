// The glue that `cargo xtask build` makes from worker/src/lib.rs, under a name for which types exist: those in
// glue.d.mts are written by hand, because the type check runs before anything is built.
export * from "../../build/tollgate.js";
