//! The compact form of a JWS (RFC 7515 §3.1), decoded strictly and once.
//!
//! **What always holds:** canonical base64url only (no padding, no stray characters, unused bits zero), so one token
//! has one spelling. Nothing but `alg` and `kid` can be read of an [`Unverified`] token before its signature is checked.

use super::super::{
    error::{Malformed, Refusal},
    json::{self, Map, NotAnObject, Value},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use std::ops::Range;

/// A token that nobody has vouched for.
pub(super) struct Unverified<'t> {
    signing_input: &'t str,
    payload: &'t str,
    decoded_payload: Vec<u8>,
    signature: Vec<u8>,
    header: Map<String, Value>,
}

impl<'t> Unverified<'t> {
    /// In PyJWT's order: header, payload, signature. A token with more than two dots has them in its payload.
    pub(super) fn parse(token: &'t str) -> Result<Self, Refusal> {
        let too_few = Refusal::Malformed(Malformed::NotEnoughSegments);
        let (signing_input, signature) = token.rsplit_once('.').ok_or_else(|| too_few.clone())?;
        let (header, payload) = signing_input.split_once('.').ok_or(too_few)?;

        let header = decode(header, Malformed::HeaderEncoding)?;
        let header = json::object(&header).map_err(|fault| {
            Refusal::Malformed(match fault {
                NotAnObject::NotJson => Malformed::HeaderNotJson,
                NotAnObject::OtherType => Malformed::HeaderNotAnObject,
            })
        })?;
        let decoded_payload = decode(payload, Malformed::PayloadEncoding)?;
        let signature = decode(signature, Malformed::SignatureEncoding)?;
        Ok(Self { signing_input, payload, decoded_payload, signature, header })
    }

    /// `alg`, if it is a string. Compared, never obeyed.
    pub(super) fn algorithm(&self) -> Option<&str> {
        self.header.get("alg")?.as_str()
    }

    /// `kid`, if it is a string. Only compared with the ids of loaded keys.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid")?.as_str()
    }

    /// What was signed (RFC 7515 §2: JWS Signing Input), as received.
    pub(super) fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Where the payload stands in the token.
    pub(super) fn payload(&self) -> Range<usize> {
        self.signing_input.len() - self.payload.len()..self.signing_input.len()
    }

    /// To be called after the signature was checked.
    pub(super) fn payload_members(&self) -> Result<Map<String, Value>, Refusal> {
        json::object(&self.decoded_payload).map_err(|fault| {
            Refusal::Malformed(match fault {
                NotAnObject::NotJson => Malformed::PayloadNotJson,
                NotAnObject::OtherType => Malformed::PayloadNotAnObject,
            })
        })
    }

    /// RFC 7515 §4.1.4 and §4.1.11. `b64` (RFC 7797) counts as an extension: it changes what is signed.
    pub(super) fn header_is_understood(&self) -> Result<(), Refusal> {
        if self.header.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Err(Refusal::KeyIdNotAString);
        }
        if self.header.contains_key("crit") || self.header.get("b64").is_some_and(|b64| b64 != &Value::Bool(true)) {
            return Err(Refusal::CriticalExtension);
        }
        Ok(())
    }
}

fn decode(segment: &str, part: Malformed) -> Result<Vec<u8>, Refusal> {
    Base64UrlUnpadded::decode_vec(segment).map_err(|_| Refusal::Malformed(part))
}
