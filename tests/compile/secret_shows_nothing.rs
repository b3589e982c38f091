//! A secret is not printed, not written into JSON, and not compared in variable time.

use serde::Serialize;
use tollgate::Secret;

fn print(secret: &Secret<String>) -> String {
    format!("{secret}")
}

fn write(secret: &Secret<String>) -> impl Serialize {
    secret
}

fn compare(secret: &Secret<String>, guess: &Secret<String>) -> bool {
    secret == guess
}

fn read(secret: &Secret<String>) -> &str {
    secret.0.as_str()
}

fn main() {}
