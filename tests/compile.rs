//! What must not compile: each program in `tests/compile/` misuses a type that carries proof, and the compiler's words
//! are beside it. `TRYBUILD=overwrite cargo test --test compile` writes them anew, for another compiler or a renamed
//! type; read the difference.

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("tests/compile/*.rs");
}
