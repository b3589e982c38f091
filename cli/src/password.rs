//! `tollgate password`: hashes as they are stored.

use crate::{
    failure::{Exit, Failure},
    output::{Output, grouped},
    prompt, secret,
};
use serde_json::json;
use tollgate::rules::password::{
    self, Check, DEFAULT_ITERATIONS, HashFault, LEAST_ITERATIONS, MOST_ITERATIONS, PasswordHash,
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make the hash that is stored for a password
    ///
    /// The password is asked for twice, or is the first line of standard input.
    #[command(after_help = "Examples:\n  tollgate password hash\n  pass show alice | tollgate password hash")]
    Hash {
        /// What the hash costs
        #[arg(long, default_value_t = DEFAULT_ITERATIONS, value_parser = clap::value_parser!(u32).range(i64::from(LEAST_ITERATIONS)..=i64::from(MOST_ITERATIONS)))]
        iterations: u32,
    },
    /// Is this the password of a hash?
    ///
    /// Takes hashes of Tollgate, passlib, Django and werkzeug (PBKDF2 with SHA-256). The password is asked for, or is the
    /// first line of standard input. Exit code 0: right, 1: wrong.
    #[command(
        after_help = "Example (single quotes: a hash is full of $):\n  tollgate password check 'pbkdf2_sha256$600000$salt$6pP…='"
    )]
    Check {
        /// The hash
        hash: String,
    },
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Hash { iterations } => {
            let hash = password::hash(&prompt::new_password()?, iterations, secret::random()?).to_string();
            output.result(&hash, &json!({"hash": hash}));
            Ok(Exit::Good)
        }
        Command::Check { hash } => {
            PasswordHash::parse(&hash).map_err(|fault| Failure::usage(fault_text(fault), HASH_HINT))?;
            let check = password::check(Some(&hash), &prompt::password("Password: ")?, DEFAULT_ITERATIONS)
                .map_err(|fault| Failure::usage(fault_text(fault), HASH_HINT))?;
            let (right, outdated, text) = match check {
                Check::Right => (true, false, "right"),
                Check::RightButOutdated => (true, true, "right; the hash is outdated, a log-in makes it anew"),
                Check::Wrong => (false, false, "wrong"),
            };
            output.result(text, &json!({"right": right, "outdated": outdated}));
            Ok(if right { Exit::Good } else { Exit::Refused })
        }
    }
}

const HASH_HINT: &str = "single quotes keep the shell from reading the $ in it: tollgate password check '$pbkdf2-…'";

/// Why a hash is not used.
pub fn fault_text(fault: HashFault) -> String {
    match fault {
        HashFault::UnknownFormat => {
            "this is no PBKDF2-SHA256 hash of Tollgate, passlib, Django or werkzeug, the only ones understood".into()
        }
        HashFault::CostTooLow => "the hash has fewer than 1,000 iterations, which is next to none".into(),
        HashFault::CostTooHigh => {
            format!(
                "the hash has more than {} iterations, more than the edge can compute",
                grouped(MOST_ITERATIONS as usize)
            )
        }
    }
}

/// Who made a hash, and what it costs. Shows nothing of the hash itself.
pub fn describe(hash: &str) -> String {
    if let Err(fault) = PasswordHash::parse(hash) {
        return format!("unusable: {}", fault_text(fault));
    }
    let maker = match hash {
        _ if is_own(hash) => "Tollgate",
        _ if hash.starts_with("$pbkdf2-sha256$") => "passlib",
        _ if hash.starts_with("pbkdf2_sha256$") => "Django",
        _ => "werkzeug",
    };
    format!("PBKDF2-SHA256 of {maker}, {} iterations", grouped(cost(hash) as usize))
}

/// Would a log-in make this hash anew, at this cost?
pub fn is_outdated(hash: &str, iterations_today: u32) -> bool {
    !is_own(hash) || cost(hash) < iterations_today
}

/// The iterations of a hash in any of the spellings; 0 if there are none to be read.
pub fn cost(hash: &str) -> u32 {
    let start = ["$pbkdf2-sha256$", "pbkdf2_sha256$", "pbkdf2:sha256:"];
    let rest = start.iter().find_map(|start| hash.strip_prefix(start)).unwrap_or_default();
    let parameters = rest.split('$').next().unwrap_or_default();
    let iterations = parameters.split(',').find_map(|part| part.strip_prefix("i=")).unwrap_or(parameters);
    iterations.parse().unwrap_or(0)
}

fn is_own(hash: &str) -> bool {
    hash.starts_with("$pbkdf2-sha256$i=") || hash.starts_with("$pbkdf2-sha256$l=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_described_without_being_shown() {
        for (hash, text) in [
            (
                "$pbkdf2-sha256$29000$23vvfa91rvWek1KqFeLcGw$YtLTHHci4kHlGKTAeBTeRFbPlblTM3.4bb2/orX6cyg",
                "PBKDF2-SHA256 of passlib, 29,000 iterations",
            ),
            (
                "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=",
                "PBKDF2-SHA256 of Django, 30,000 iterations",
            ),
            (
                "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9",
                "PBKDF2-SHA256 of werkzeug, 50,000 iterations",
            ),
            (
                "$pbkdf2-sha256$i=100000,l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo",
                "PBKDF2-SHA256 of Tollgate, 100,000 iterations",
            ),
        ] {
            assert_eq!(describe(hash), text);
            assert!(is_outdated(hash, 600_000));
        }
        assert!(!is_outdated("$pbkdf2-sha256$i=600000,l=32$x$y", 600_000));
        assert!(describe("abcxyz").starts_with("unusable"));
    }
}
