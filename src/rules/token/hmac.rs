//! HS256, HS384, HS512 (RFC 7518 §3.2) as algorithms of `jwt-compact`.
//!
//! jwt-compact has its own, on older crates (hmac 0.12, sha2 0.10), which hash the key anew for each token. These keep
//! the key's state and share sha2 0.11, with its Wasm SIMD, with PBKDF2: 2.18 → 0.84 µs for 150 bytes in Wasm
//! (docs/decisions/013-engines-and-jwt-compact.md).

use hmac::{Hmac, KeyInit, Mac};
use jwt_compact::AlgorithmSignature;
use std::{borrow::Cow, num::NonZeroUsize};

macro_rules! hs {
    ($algorithm:ident, $key:ident, $signature:ident, $digest:ty, $bytes:literal, $name:literal) => {
        #[doc = concat!($name, " of RFC 7518 §3.2.")]
        pub(super) struct $algorithm;

        /// The state of HMAC after the key; wiped on drop.
        #[derive(Clone)]
        pub(super) struct $key(Hmac<$digest>);

        impl $key {
            pub(super) fn new(secret: &[u8]) -> Self {
                Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
            }
        }

        pub(super) struct $signature([u8; $bytes]);

        impl AlgorithmSignature for $signature {
            const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new($bytes);

            fn try_from_slice(slice: &[u8]) -> anyhow::Result<Self> {
                Ok(Self(slice.try_into()?))
            }
            fn as_bytes(&self) -> Cow<'_, [u8]> {
                Cow::Borrowed(&self.0)
            }
        }

        impl jwt_compact::Algorithm for $algorithm {
            type SigningKey = $key;
            type VerifyingKey = $key;
            type Signature = $signature;

            fn name(&self) -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
            fn sign(&self, key: &$key, message: &[u8]) -> $signature {
                $signature(key.0.clone().chain_update(message).finalize().into_bytes().into())
            }
            /// In constant time.
            fn verify_signature(&self, signature: &$signature, key: &$key, message: &[u8]) -> bool {
                key.0.clone().chain_update(message).verify_slice(&signature.0).is_ok()
            }
        }
    };
}

hs!(Hs256, Hs256Key, Hs256Signature, sha2::Sha256, 32, "HS256");
hs!(Hs384, Hs384Key, Hs384Signature, sha2::Sha384, 48, "HS384");
hs!(Hs512, Hs512Key, Hs512Signature, sha2::Sha512, 64, "HS512");
