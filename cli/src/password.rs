//! `tollgate password`: making and checking password hashes; rules for hashes that other commands share.

use crate::{
    failure::{Exit, Failure},
    hash_kind,
    output::{Output, grouped, remark, visible, warning},
    prompt, secret,
    wrangler_config::{PEPPERS, Passwords, Selection, WranglerConfig},
};
use serde_json::json;
use tollgate::rules::{
    password::{
        self, Check, DEFAULT_ITERATIONS, Digest, HashFault, Hashing, Kdf, KeyId, LEAST_ITERATIONS, MOST_ITERATIONS,
        PasswordFault, PasswordHash, PasswordPolicy,
    },
    secret::Secret,
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Print the hash of a password, in the form that is stored
    ///
    /// The password is asked for twice at a terminal, else read from the first line of standard input. Password policy
    /// and pepper come from the configuration in this folder and its .dev.vars, if there are any;
    /// TOLLGATE_PASSWORD_PEPPERS in the environment takes precedence.
    #[command(after_help = "Examples:\n  tollgate password hash\n  pass show alice | tollgate password hash")]
    Hash {
        /// PBKDF2 iterations
        #[arg(long, default_value_t = DEFAULT_ITERATIONS, value_parser = clap::value_parser!(u32).range(i64::from(LEAST_ITERATIONS)..=i64::from(MOST_ITERATIONS)))]
        iterations: u32,
        /// Accept a password that is too short, common or otherwise rejected
        #[arg(long)]
        allow_weak: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Check a password against a hash
    ///
    /// Accepts hashes of Tollgate, passlib, Django and werkzeug (PBKDF2, scrypt). The password is asked for at a
    /// terminal, else read from the first line of standard input. The pepper comes from the configuration and the
    /// environment, as for `password hash`. Exit code 0 if the password is right, 1 if it is wrong.
    #[command(
        after_help = "Example (single quotes: a hash is full of $):\n  tollgate password check 'pbkdf2_sha256$600000$salt$6pP…='"
    )]
    Check {
        /// The hash, in single quotes
        hash: String,
        #[command(flatten)]
        selection: Selection,
    },
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Hash { iterations, allow_weak, selection } => {
            let passwords = configured(&selection)?;
            let password = prompt::new_password()?;
            judge(passwords.policy, &password, "", allow_weak)?;
            let hashing = Hashing { iterations, ..passwords.hashing.clone() };
            remark_missing_pepper(&passwords);
            let hash = password::hash(&password, &hashing, secret::random()?).to_string();
            output.result(&hash, &json!({"hash": hash}));
            Ok(Exit::Success)
        }
        Command::Check { hash, selection } => {
            PasswordHash::parse(&hash).map_err(|fault| unusable(&hash, fault))?;
            let hashing = Hashing { iterations: DEFAULT_ITERATIONS, ..configured(&selection)?.hashing };
            let check = password::check(Some(&hash), &prompt::password("Password: ")?, &hashing)
                .map_err(|fault| unusable(&hash, fault))?;
            let (right, outdated, text) = match check {
                Check::Right => (true, false, "right"),
                Check::RightButOutdated => {
                    (true, true, "right; the hash is outdated and is renewed at the next log-in")
                }
                Check::Wrong => (false, false, "wrong"),
            };
            output.result(text, &json!({"right": right, "outdated": outdated}));
            Ok(if right { Exit::Success } else { Exit::Rejected })
        }
    }
}

/// The password options of the configuration; without one, of the environment and the defaults.
fn configured(selection: &Selection) -> Result<Passwords, Failure> {
    WranglerConfig::read_or_empty(selection)?.passwords(false)
}

fn unusable(hash: &str, fault: HashFault) -> Failure {
    let hint = match fault {
        HashFault::UnknownPepper => {
            "set the secret in .dev.vars or the environment, or name the configuration: --config FILE"
        }
        _ => HASH_HINT,
    };
    Failure::usage(fault_text(hash, fault), hint)
}

const HASH_HINT: &str =
    "write the hash in single quotes, so that the shell does not expand $: tollgate password check '$pbkdf2-…'";

/// Why a hash can't be used. Reveals nothing of it.
pub fn fault_text(hash: &str, fault: HashFault) -> String {
    match fault {
        HashFault::UnknownFormat => format!("this is {}", hash_kind::describe(hash)),
        HashFault::UnknownPepper => {
            format!("the pepper of the hash is not known here: {PEPPERS} lacks its key id")
        }
        HashFault::CostTooLow => {
            "the hash has fewer than 1,000 iterations, the minimum, or scrypt with N below 1,024 or r below 8".into()
        }
        HashFault::CostTooHigh => format!(
            "the hash takes longer than {} iterations of PBKDF2 with SHA-256, the maximum at the edge",
            grouped(MOST_ITERATIONS as usize)
        ),
        HashFault::MemoryTooHigh => {
            "scrypt with these parameters takes more than 64 MiB of memory (or has r above 64), and a worker has 128 for everything".into()
        }
        HashFault::NoScrypt | HashFault::ScryptFailed => "scrypt could not be computed here".into(),
    }
}

/// The library that made a hash, its iterations and its pepper. Reveals nothing else of it.
pub fn describe(hash: &str) -> String {
    let parsed = match PasswordHash::parse(hash) {
        Ok(parsed) => parsed,
        Err(fault) => return format!("unusable: {}", fault_text(hash, fault)),
    };
    let maker = match hash {
        _ if parsed.is_own() => "Tollgate",
        _ if hash.starts_with("$pbkdf2") => "passlib",
        _ if hash.starts_with("pbkdf2_") || hash.starts_with("scrypt$") => "Django",
        _ => "werkzeug",
    };
    let pepper = parsed.key_id().map_or_else(String::new, |id| format!(", pepper {}", id.as_str()));
    match parsed.kdf() {
        Kdf::Pbkdf2 { digest, iterations } => {
            let digest = match digest {
                Digest::Sha1 => "SHA1",
                Digest::Sha256 => "SHA256",
                Digest::Sha512 => "SHA512",
            };
            format!("PBKDF2-{digest} of {maker}, {} iterations{pepper}", grouped(iterations as usize))
        }
        Kdf::Scrypt { log_n, r, p } => {
            format!("scrypt of {maker}, N {}, r {r}, p {p}", grouped(1_usize << log_n))
        }
    }
}

/// Whether a log-in renews this hash. The pepper counts only if the gate's current one is known here.
pub fn is_outdated(hash: &str, passwords: &Passwords) -> bool {
    let Ok(hash) = PasswordHash::parse(hash) else { return true };
    let other_pepper = passwords.key_id.is_some() && hash.key_id().map(KeyId::as_str) != passwords.key_id.as_deref();
    !hash.is_own() || hash.cost() < passwords.hashing.iterations || other_pepper
}

/// The cost of a hash in any accepted form, in iterations of PBKDF2 with SHA-256; 0 if it can't be read.
pub fn cost(hash: &str) -> u32 {
    PasswordHash::parse(hash).map_or(0, |hash| hash.cost())
}

/// Whether a hash was made with scrypt.
pub fn is_scrypt(hash: &str) -> bool {
    PasswordHash::parse(hash).is_ok_and(|hash| matches!(hash.kdf(), Kdf::Scrypt { .. }))
}

/// The functions of these hashes that cost more than a check does by the configuration, as a list for
/// TOLLGATE_PASSWORD_KINDS with what is declared; `None` if there are none.
pub fn undeclared_kinds<'h>(stored: impl IntoIterator<Item = &'h str>, hashing: &Hashing) -> Option<String> {
    let mut kinds: Vec<String> = hashing.kinds.iter().map(ToString::to_string).collect();
    let declared = kinds.len();
    for hash in stored.into_iter().filter_map(|hash| PasswordHash::parse(hash).ok()) {
        let kind = hash.kdf().to_string();
        if hash.cost() > hashing.budget() && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let list = kinds.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join(", ");
    (kinds.len() > declared).then_some(list)
}

/// How to hash a password that replaces a stored hash: as configured, with at least the iterations of that hash.
pub fn not_cheaper(hashing: &Hashing, stored: Option<&str>) -> Hashing {
    stored.map_or_else(|| hashing.clone(), |stored| hashing.no_cheaper_than(stored))
}

/// The key id of a hash's pepper, if it has one.
pub fn key_id(hash: &str) -> Option<String> {
    PasswordHash::parse(hash).ok()?.key_id().map(|id| id.as_str().to_owned())
}

/// Checks a password against the policy. With `allow_weak` a weak password is accepted with a warning, unless it is too
/// long.
pub fn judge(
    policy: PasswordPolicy,
    password: &Secret<String>,
    username: &str,
    allow_weak: bool,
) -> Result<(), Failure> {
    match policy.judge(password, username) {
        Err(fault) if allow_weak && fault != PasswordFault::TooLong => {
            warning(&format!(
                "{fault}. It is accepted because of --allow-weak: change it before the gate is reachable"
            ));
            Ok(())
        }
        Err(fault) => Err(Failure::rejected(fault.to_string(), hint(fault))),
        Ok(()) => Ok(()),
    }
}

fn hint(fault: PasswordFault) -> String {
    let more = match fault {
        PasswordFault::TooLong => "longer ones are rejected at log-in",
        PasswordFault::TooShort { .. } => {
            "TOLLGATE_PASSWORD_MIN_LENGTH is the limit; --allow-weak accepts the password"
        }
        PasswordFault::SameAsName | PasswordFault::Common | PasswordFault::Leaked => {
            "--allow-weak accepts the password"
        }
    };
    format!("{}. {more}", fault.advice())
}

/// Prints that a new hash lacks the gate's pepper, if that is not known here.
pub fn remark_missing_pepper(passwords: &Passwords) {
    if let (Some(id), None) = (&passwords.key_id, passwords.hashing.peppers.current()) {
        remark(&format!(
            "the hash has no pepper, because {} is not known here (set {PEPPERS} in the environment): the next log-in adds it",
            visible(id)
        ));
    }
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
            assert!(is_outdated(hash, &passwords(600_000, None)));
        }
        assert!(describe("abcxyz").starts_with("unusable: this is not a hash of a known kind"));
        assert!(describe("$2b$12$abcxyz").starts_with("unusable: this is a bcrypt hash"));
    }

    #[test]
    fn a_hash_is_outdated_by_its_maker_cost_and_pepper() {
        let own = "$pbkdf2-sha256$i=100000,l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo";
        let k1 = own.replace("l=32", "l=32,keyid=k1");
        assert_eq!(describe(&k1), "PBKDF2-SHA256 of Tollgate, 100,000 iterations, pepper k1");
        for (hash, iterations, pepper, outdated) in [
            (own, 100_000, None, false),
            (own, 100_001, None, true),
            (own, 100_000, Some("k1"), true),
            (&k1, 100_000, Some("k1"), false),
            (&k1, 100_000, Some("k2"), true),
            // It is not known here which pepper the gate has.
            (&k1, 100_000, None, false),
        ] {
            assert_eq!(is_outdated(hash, &passwords(iterations, pepper)), outdated, "{hash} {iterations} {pepper:?}");
        }
    }

    fn passwords(iterations: u32, pepper: Option<&str>) -> Passwords {
        Passwords {
            policy: PasswordPolicy::default(),
            hashing: Hashing::new(iterations),
            key_id: pepper.map(str::to_owned),
        }
    }
}
