//! `tollgate secret`, and random bytes for other commands.

use crate::{
    failure::{Exit, Failure},
    output::Output,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::json;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Print a random secret
    ///
    /// The bytes come from the operating system's generator and are printed as base64url: letters, digits, - and _.
    #[command(
        after_help = "Examples:\n  tollgate secret generate | npx wrangler secret put JWT_SECRET_KEY\n  echo \"JWT_SECRET_KEY=$(tollgate secret generate)\" > .dev.vars"
    )]
    Generate {
        /// Number of random bytes, 32 to 1024; 48 bytes are 64 characters, enough for HS512
        #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u16).range(32..=1024))]
        bytes: u16,
    },
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    let Command::Generate { bytes } = command;
    let secret = Base64UrlUnpadded::encode_string(&random_vec(bytes.into())?);
    output.result(&secret, &json!({"secret": secret, "bytes": bytes}));
    Ok(Exit::Success)
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// `length` random bytes from the operating system.
pub fn random_vec(length: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; length];
    fill(&mut bytes)?;
    Ok(bytes)
}

fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(no_randomness)
}

/// The failure to get random bytes.
pub fn no_randomness(error: getrandom::Error) -> Failure {
    Failure::usage(format!("no random bytes from the operating system: {error}"), "check that /dev/urandom can be read")
}
