//! `tollgate password`: hashes as they are stored.

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
        self, Check, DEFAULT_ITERATIONS, HashFault, Hashing, KeyId, LEAST_ITERATIONS, MOST_ITERATIONS, PasswordFault,
        PasswordHash, PasswordPolicy,
    },
    secret::Secret,
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make the hash that is stored for a password
    ///
    /// The password is asked for twice, or is the first line of standard input. Its policy and the pepper are those of
    /// the configuration, if there is one here, and of its secrets in .dev.vars; TOLLGATE_PASSWORD_PEPPERS in the
    /// environment counts before them.
    #[command(after_help = "Examples:\n  tollgate password hash\n  pass show alice | tollgate password hash")]
    Hash {
        /// What the hash costs
        #[arg(long, default_value_t = DEFAULT_ITERATIONS, value_parser = clap::value_parser!(u32).range(i64::from(LEAST_ITERATIONS)..=i64::from(MOST_ITERATIONS)))]
        iterations: u32,
        /// Take a password that is short, common or otherwise refused
        #[arg(long)]
        allow_weak: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Is this the password of a hash?
    ///
    /// Takes hashes of Tollgate, passlib, Django and werkzeug (PBKDF2 with SHA-256). The password is asked for, or is
    /// the first line of standard input. The pepper of a hash is looked for where `password hash` finds it. Exit code
    /// 0: right, 1: wrong.
    #[command(
        after_help = "Example (single quotes: a hash is full of $):\n  tollgate password check 'pbkdf2_sha256$600000$salt$6pP…='"
    )]
    Check {
        /// The hash
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
            tell_of_pepper(&passwords);
            let hash = password::hash(&password, &hashing, secret::random()?).to_string();
            output.result(&hash, &json!({"hash": hash}));
            Ok(Exit::Good)
        }
        Command::Check { hash, selection } => {
            PasswordHash::parse(&hash).map_err(|fault| unusable(&hash, fault))?;
            let hashing = Hashing { iterations: DEFAULT_ITERATIONS, ..configured(&selection)?.hashing };
            let check = password::check(Some(&hash), &prompt::password("Password: ")?, &hashing)
                .map_err(|fault| unusable(&hash, fault))?;
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

/// What the configuration says of passwords; the defaults, and the environment, if there is none here.
fn configured(selection: &Selection) -> Result<Passwords, Failure> {
    WranglerConfig::read_or_empty(selection)?.passwords(false)
}

fn unusable(hash: &str, fault: HashFault) -> Failure {
    let hint = match fault {
        HashFault::UnknownPepper => {
            "put the secret into .dev.vars or the environment, or name its configuration: --config FILE"
        }
        HashFault::UnknownFormat | HashFault::CostTooLow | HashFault::CostTooHigh => HASH_HINT,
    };
    Failure::usage(fault_text(hash, fault), hint)
}

const HASH_HINT: &str = "single quotes keep the shell from reading the $ in it: tollgate password check '$pbkdf2-…'";

/// Why a hash is not used. Holds nothing of it.
pub fn fault_text(hash: &str, fault: HashFault) -> String {
    match fault {
        HashFault::UnknownFormat => format!("this is {}", hash_kind::describe(hash)),
        HashFault::UnknownPepper => {
            format!("the hash was made with a pepper that is not known here: is its key id in {PEPPERS}?")
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
    let parsed = match PasswordHash::parse(hash) {
        Ok(parsed) => parsed,
        Err(fault) => return format!("unusable: {}", fault_text(hash, fault)),
    };
    let maker = match hash {
        _ if parsed.is_own() => "Tollgate",
        _ if hash.starts_with("$pbkdf2-sha256$") => "passlib",
        _ if hash.starts_with("pbkdf2_sha256$") => "Django",
        _ => "werkzeug",
    };
    let pepper = parsed.key_id().map_or_else(String::new, |id| format!(", pepper {}", id.as_str()));
    format!("PBKDF2-SHA256 of {maker}, {} iterations{pepper}", grouped(parsed.iterations() as usize))
}

/// Would a log-in make this hash anew? Of the pepper only as far as it is known here which one the gate uses.
pub fn is_outdated(hash: &str, passwords: &Passwords) -> bool {
    let Ok(hash) = PasswordHash::parse(hash) else { return true };
    let other_pepper = passwords.key_id.is_some() && hash.key_id().map(KeyId::as_str) != passwords.key_id.as_deref();
    !hash.is_own() || hash.iterations() < passwords.hashing.iterations || other_pepper
}

/// The iterations of a hash in any of the spellings; 0 if there are none to be read.
pub fn cost(hash: &str) -> u32 {
    PasswordHash::parse(hash).map_or(0, |hash| hash.iterations())
}

/// How to hash in place of a stored hash: as configured, and with no fewer iterations than it has.
pub fn not_cheaper(hashing: &Hashing, stored: Option<&str>) -> Hashing {
    stored.map_or_else(|| hashing.clone(), |stored| hashing.no_cheaper_than(stored))
}

/// The pepper that a hash was made with, if it was made with one.
pub fn key_id(hash: &str) -> Option<String> {
    PasswordHash::parse(hash).ok()?.key_id().map(|id| id.as_str().to_owned())
}

/// May this password be set? One that may not is refused, or with `--allow-weak` told of.
pub fn judge(
    policy: PasswordPolicy,
    password: &Secret<String>,
    username: &str,
    allow_weak: bool,
) -> Result<(), Failure> {
    match policy.judge(password, username) {
        Err(fault) if allow_weak && fault != PasswordFault::TooLong => {
            warning(&format!(
                "{fault}. It is set all the same (--allow-weak): change it before anybody can reach the gate"
            ));
            Ok(())
        }
        Err(fault) => Err(Failure::refused(fault.to_string(), hint(fault))),
        Ok(()) => Ok(()),
    }
}

fn hint(fault: PasswordFault) -> String {
    let more = match fault {
        PasswordFault::TooLong => "no log-in takes more",
        PasswordFault::TooShort { .. } => {
            "TOLLGATE_PASSWORD_MIN_LENGTH is the limit; --allow-weak sets it all the same"
        }
        PasswordFault::SameAsName | PasswordFault::Common | PasswordFault::Leaked => {
            "--allow-weak sets it all the same"
        }
    };
    format!("{}. {more}", fault.advice())
}

/// Says what a new hash lacks that the gate will add.
pub fn tell_of_pepper(passwords: &Passwords) {
    if let (Some(id), None) = (&passwords.key_id, passwords.hashing.peppers.current()) {
        remark(&format!(
            "the hash is made without the pepper {}, which is not known here ({PEPPERS} in the environment gives it): the next log-in adds it",
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
        assert!(describe("abcxyz").starts_with("unusable: this is no hash of a known kind"));
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
