//! A token whose signature is good, but whose times nobody judged, does not open what a verified one does.

use tollgate::{VerifiedToken, rules::token::SignedToken};

fn protected(_: &VerifiedToken) {}

fn serve(expired: &SignedToken) {
    protected(expired);
}

fn main() {}
