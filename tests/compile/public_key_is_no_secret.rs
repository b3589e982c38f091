//! A public key is no HMAC secret, and a text that anybody may read is none either.

use tollgate::rules::token::{Algorithm, Key, KeyFault, VerifyingKey};

fn a_key(public: &VerifyingKey) -> Result<Key, KeyFault> {
    Key::symmetric(Algorithm::Hs256, public, None, false)
}

fn a_text(text: &String) -> Result<Key, KeyFault> {
    Key::symmetric(Algorithm::Hs256, text, None, false)
}

fn main() {}
