//! Only the verifier makes a verified token.

use tollgate::{VerifiedToken, rules::token::SignedToken};

fn by_its_fields(signed: SignedToken) -> VerifiedToken {
    VerifiedToken { signed, is_remembered: false }
}

fn by_its_function(signed: SignedToken) -> VerifiedToken {
    VerifiedToken::judged(signed)
}

fn main() {}
