//! Chores that need the rules natively: replay of transcripts, public test vectors, generated pages, `tidy`. `main.rs`
//! lists the commands.

pub mod app;
pub mod common_passwords;
pub mod differences;
pub mod engines;
pub mod errors;
pub mod flask_jwt_extended;
pub mod imports;
pub mod jsonc;
pub mod native;
pub mod player;
pub mod replay;
pub mod tidy;
pub mod transcript;
pub mod typescript;
pub mod vectors;
pub mod workerd;
