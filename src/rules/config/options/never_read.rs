//! Options that Flask-JWT documents and never reads.

use super::{Family, OptionSpec};

pub(super) const NEVER_READ: &[OptionSpec] = &Family::NeverRead.options([
    OptionSpec::never_read("JWT_AUTH_ENDPOINT")
        .meaning("Documented by Flask-JWT, never read by it: there are no endpoint names at the edge."),
    OptionSpec::never_read("JWT_VERIFY").meaning(
        "Documented by Flask-JWT, never read by it. Nothing switches verification off; for a path without it \
         write `auth = \"none\"` in its route.",
    ),
    OptionSpec::never_read("JWT_VERIFY_EXPIRATION")
        .meaning("Documented by Flask-JWT, never read by it. Leave `exp` out of JWT_VERIFY_CLAIMS if you mean it."),
]);
