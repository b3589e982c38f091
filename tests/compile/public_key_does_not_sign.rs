//! A key that verifies neither signs a token nor stands where the key that signs belongs, and becomes no such key.

use tollgate::{
    json::Map,
    rules::token::{Key, KeySet, VerifyingKey, sign},
};

fn as_argument(public: &VerifyingKey) -> String {
    sign(public, &Map::new(), &Map::new())
}

fn in_a_set(public: VerifyingKey) -> KeySet {
    KeySet::new(public, [])
}

fn converted(public: VerifyingKey) -> Key {
    public.into()
}

fn main() {}
