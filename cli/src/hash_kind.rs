//! Names the kind of a password hash that the gate can't verify.
//!
//! **What always holds:** the name is one of a fixed list, so it reveals nothing of the hash.

/// A kind that the gate verifies, but incomplete or altered.
const DAMAGED: &str = "a PBKDF2 or scrypt hash that is damaged or truncated";
/// werkzeug's method `plain`, which stores the password itself.
const PLAIN: &str = "a plain password of werkzeug";
/// What Django stores for users who can't log in with a password.
const NO_PASSWORD: &str = "Django's mark for \"no password\"";

/// The kind, such as `a bcrypt hash`. `None` for a text that is not a hash of a known kind.
pub fn name(text: &str) -> Option<&'static str> {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    // Longer prefixes before those that they begin with.
    let kinds: [(&[&str], &'static str); 18] = [
        (&["$2a$", "$2b$", "$2x$", "$2y$", "bcrypt$", "bcrypt_sha256$", "$bcrypt-sha256$"], "a bcrypt hash"),
        (&["$argon2i$", "$argon2d$", "$argon2id$", "argon2$"], "an Argon2 hash"),
        (&["$scrypt$", "$7$"], "a scrypt hash in a form that is neither werkzeug's nor Django's"),
        (&["scrypt:", "scrypt$", "$pbkdf2-sha256$", "pbkdf2_sha256$", "pbkdf2:sha256:", "pbkdf2:sha256$"], DAMAGED),
        (&["$pbkdf2-sha512$", "pbkdf2_sha512$", "pbkdf2:sha512", "$pbkdf2$", "pbkdf2_sha1$", "pbkdf2:sha1"], DAMAGED),
        (&["$pbkdf2-sha1$"], "a PBKDF2 hash in a form other than Tollgate's, passlib's, Django's or werkzeug's"),
        (
            &["pbkdf2:", "pbkdf2_", "$pbkdf2-"],
            "a PBKDF2 hash with a hash function other than SHA-1, SHA-256 and SHA-512",
        ),
        (&["$5$"], "a sha256-crypt hash"),
        (&["$6$"], "a sha512-crypt hash"),
        (&["$1$", "$apr1$", "md5$1$"], "an md5-crypt hash"),
        (&["$y$", "$gy$"], "a yescrypt hash"),
        (&["sha1$"], "a salted SHA-1 hash"),
        (&["md5$", "unsalted_md5$"], "a salted MD5 hash"),
        (&["sha256$", "sha224$", "sha384$", "sha512$"], "a salted SHA-2 hash"),
        (&["crypt$"], "a DES crypt hash"),
        (&["hmac:"], "a salted HMAC"),
        (&["plain$"], PLAIN),
        (&["!"], NO_PASSWORD),
    ];
    let hexadecimal = |digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ldap = || {
        let scheme = text.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            !scheme.is_empty()
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/'))
        })
    };
    match text {
        // The unsalted hashers of Django write an empty salt.
        _ if begins(&["sha1$$"]) => Some("an unsalted SHA-1 hash"),
        _ if begins(&["md5$$"]) => Some("an unsalted MD5 hash"),
        _ if is_ldap() => Some("an LDAP hash"),
        _ if hexadecimal(32) => Some("an MD5 digest without a salt"),
        _ if hexadecimal(40) => Some("a SHA-1 digest without a salt"),
        _ if hexadecimal(64) => Some("a SHA-256 digest without a salt"),
        _ if hexadecimal(128) => Some("a SHA-512 digest without a salt"),
        _ => match kinds.iter().find(|(prefixes, _)| begins(prefixes)) {
            Some((_, name)) => Some(name),
            // $kind$…, as crypt(3) and the PHC string format have it.
            None if text.strip_prefix('$').is_some_and(|rest| rest.contains('$')) => Some("a hash of another kind"),
            None => None,
        },
    }
}

/// What the text is, and which hashes the gate verifies.
pub fn describe(text: &str) -> String {
    match name(text) {
        Some(DAMAGED) => DAMAGED.into(),
        Some(name) => {
            format!("{name}; the gate verifies only PBKDF2 (of Tollgate, passlib, Django or werkzeug) and scrypt (of Django or werkzeug)")
        }
        None => {
            "not a hash of a known kind; the gate verifies PBKDF2 (of Tollgate, passlib, Django or werkzeug) and scrypt (of Django or werkzeug)"
                .into()
        }
    }
}

/// What to write instead of such a hash in a file of users.
pub fn advice(text: &str) -> &'static str {
    match name(text) {
        Some(NO_PASSWORD) => "write a temporary password as \"password\", or leave this user out",
        Some(PLAIN) => "write the part after plain$…$ as \"password\"",
        Some(DAMAGED) => "copy the complete hash, or write a temporary password as \"password\"",
        Some(_) => {
            "write a temporary password as \"password\", or have your application store a PBKDF2 or scrypt hash when these users next log in there (docs/moving-from-flask-jwt.md), and import them afterwards"
        }
        None => "if it is a plain password, write it as \"password\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdefABCDEF0123456789";

    #[test]
    fn each_kind_is_named() {
        let hex = |times: usize| HEX.repeat(times);
        for (texts, name_of_kind) in [
            (
                &["$2a$12$x", "$2b$12$x", "$2x$12$x", "$2y$12$x", "bcrypt$$2b$12$x", "bcrypt_sha256$$2b$12$x"][..],
                "a bcrypt hash",
            ),
            (&["$argon2i$v=19$x", "$argon2d$x", "$argon2id$v=19$m=65536", "argon2$argon2id$v=19$x"], "an Argon2 hash"),
            (&["$scrypt$ln=16,r=8,p=1$x", "$7$x"], "a scrypt hash in a form that is neither werkzeug's nor Django's"),
            (
                &["$pbkdf2-sha1$1000$x"],
                "a PBKDF2 hash in a form other than Tollgate's, passlib's, Django's or werkzeug's",
            ),
            (
                &["pbkdf2:sha384:1000$x$00", "pbkdf2:md5$x$y", "pbkdf2_sha3$x"],
                "a PBKDF2 hash with a hash function other than SHA-1, SHA-256 and SHA-512",
            ),
            (
                &[
                    "$pbkdf2-sha256$29000$x",
                    "pbkdf2_sha256$30000$x",
                    "pbkdf2:sha256:50000$x",
                    "pbkdf2:sha512:1000$x$00",
                    "pbkdf2_sha512$1000$x",
                    "$pbkdf2-sha512$1000$x",
                    "pbkdf2:sha1:1000$x$00",
                    "pbkdf2_sha1$1000$x",
                    "$pbkdf2$1000$x",
                    "scrypt:32768:8:1$salt$00",
                    "scrypt$16384$salt$8$1$x",
                ],
                "a PBKDF2 or scrypt hash that is damaged or truncated",
            ),
            (&["$5$rounds=1000$x"], "a sha256-crypt hash"),
            (&["$6$x$y"], "a sha512-crypt hash"),
            (&["$1$x$y", "$apr1$x$y"], "an md5-crypt hash"),
            (&["$y$j9T$x"], "a yescrypt hash"),
            (&["sha1$salt$00"], "a salted SHA-1 hash"),
            (&["sha1$$00"], "an unsalted SHA-1 hash"),
            (&["md5$salt$00"], "a salted MD5 hash"),
            (&["sha256$salt$00"], "a salted SHA-2 hash"),
            (&["plain$$hunter2"], "a plain password of werkzeug"),
            (&["!", "!abcdef"], "Django's mark for \"no password\""),
            (&["{SSHA}x", "{SHA}x", "{SSHA512}x", "{CRYPT}$6$x", "{PBKDF2-SHA512}x"], "an LDAP hash"),
            (&["$new$x"], "a hash of another kind"),
            (&[HEX], "an MD5 digest without a salt"),
        ] {
            for text in texts {
                assert_eq!(name(text), Some(name_of_kind), "{text}");
            }
        }
        assert_eq!(name(&hex(2)), Some("a SHA-256 digest without a salt"));
        assert_eq!(name(&hex(4)), Some("a SHA-512 digest without a salt"));
        assert_eq!(name(&HEX.repeat(2)[..40]), Some("a SHA-1 digest without a salt"));
    }

    #[test]
    fn a_password_is_not_mistaken_for_a_hash() {
        for text in
            ["", "hunter2", "correct horse battery", "{}", "{a b}c", "_underscore", &HEX[1..], "0123zzzz", "bcrypt"]
        {
            assert_eq!(name(text), None, "{text}");
            assert!(advice(text).contains("if it is a plain password"));
        }
        let damaged = describe("pbkdf2_sha256$30000$x");
        assert!(damaged.contains("truncated") && !damaged.contains("only"), "{damaged}");
        for text in ["$2b$12$x", "hunter2"] {
            assert!(describe(text).contains("PBKDF2") && !describe(text).contains(text));
        }
    }
}
