//! The compact form of a JWS (RFC 7515 §3.1), decoded strictly and once.
//!
//! **What always holds:** canonical base64url only (no padding, no stray characters, unused bits zero), so one token
//! has one spelling. Nothing but `alg` and `kid` can be read of an [`Unverified`] token before its signature is
//! checked.

use super::super::{
    json::{self, Map, Members, NotAnObject, Value},
    rejection::{Malformed, TokenRejection, Unencoded},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{ops::Range, sync::Arc};

/// Maximum length of a token in bytes; a longer one is not read. 8 KiB is what common servers allow for a whole header
/// line.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// `typ` of a JWT that the gate signs for an origin ([`crate::rules::assertion`]). Clients' tokens do not have it.
pub const ASSERTION_TYPE: &str = "tollgate+jwt";

/// The JOSE header (RFC 7515 §4), as far as it is looked at.
pub(super) struct Header {
    /// As it stands in the token.
    text: Box<str>,
    algorithm: Option<String>,
    key_id: Option<String>,
    has_algorithm: bool,
    is_unencoded: bool,
    is_assertion: bool,
    is_understood: Result<(), TokenRejection>,
}

impl Header {
    fn read(text: &str) -> Result<Self, TokenRejection> {
        let bytes = decode(text, Malformed::HeaderEncoding)?;
        let members = json::object(&bytes).map_err(|fault| {
            TokenRejection::Malformed(match fault {
                NotAnObject::NotJson => Malformed::HeaderNotJson,
                NotAnObject::OtherType => Malformed::HeaderNotAnObject,
            })
        })?;
        let string = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_understood = Self::understood(&members);
        let is_unencoded = members.get("b64") == Some(&Value::Bool(false));
        Ok(Self {
            text: text.into(),
            algorithm: string("alg"),
            key_id: string("kid"),
            has_algorithm: members.contains_key("alg"),
            is_unencoded,
            is_assertion: string("typ").is_some_and(|typ| is_assertion_type(&typ)),
            is_understood,
        })
    }

    /// RFC 7515 §4.1.4 and §4.1.11, in PyJWT's order. `b64` (RFC 7797) counts as an extension: it changes what is
    /// signed.
    fn understood(members: &Map<String, Value>) -> Result<(), TokenRejection> {
        const NAME_BYTES: usize = 64;
        if members.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Err(TokenRejection::KeyIdNotAString);
        }
        let critical = members.get("crit").map(|crit| crit.as_array().filter(|list| !list.is_empty()));
        if critical == Some(None) {
            return Err(TokenRejection::CriticalEmpty);
        }
        for entry in critical.into_iter().flatten().flatten() {
            match entry.as_str() {
                None => return Err(TokenRejection::CriticalNotText),
                Some("b64") if members.contains_key("b64") => {}
                Some("b64") => return Err(TokenRejection::CriticalMissing),
                Some(name) => {
                    let name = if name.len() <= NAME_BYTES { name.to_owned() } else { String::new() };
                    return Err(TokenRejection::CriticalExtension { name });
                }
            }
        }
        match members.get("b64") {
            None | Some(Value::Bool(true)) => Ok(()),
            Some(Value::Bool(false)) if critical.is_none() => {
                Err(TokenRejection::UnencodedPayload(Unencoded::NotCritical))
            }
            Some(Value::Bool(false)) => Err(TokenRejection::UnencodedPayload(Unencoded::Detached)),
            Some(_) => Err(TokenRejection::CriticalExtension { name: "b64".into() }),
        }
    }

    /// `alg`, if it is a string. Compared, never obeyed.
    pub(super) fn algorithm(&self) -> Option<&str> {
        self.algorithm.as_deref()
    }

    /// `kid`, if it is a string. Only compared with the ids of loaded keys.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// All of it, read anew.
    pub(super) fn members(&self) -> Map<String, Value> {
        json::object(&decode(&self.text, Malformed::HeaderEncoding).unwrap_or_default()).unwrap_or_default()
    }

    /// Is there an `alg`, whatever it is?
    pub(super) fn has_algorithm(&self) -> bool {
        self.has_algorithm
    }

    /// Is `b64` false (RFC 7797)?
    pub(super) fn is_unencoded(&self) -> bool {
        self.is_unencoded
    }

    /// Is there nothing in it that changes what the token means?
    pub(super) fn is_understood(&self) -> Result<(), TokenRejection> {
        self.is_understood.clone()
    }
}

/// A token that nobody has vouched for.
pub(super) struct Unverified<'t> {
    signing_input: &'t str,
    payload: &'t str,
    /// The payload, and behind it the signature.
    decoded: Vec<u8>,
    signature_at: usize,
    header: Arc<Header>,
}

impl<'t> Unverified<'t> {
    /// Reads a token in PyJWT's order: header, payload, signature. One that the gate signed for an origin is refused as
    /// soon as its header is read, before any key is looked at. A token with more than two dots has them in its
    /// payload. `known` is a header that was read before: nearly all tokens of a gate have the same.
    ///
    /// # Errors
    /// If the token is longer than [`MAX_TOKEN_BYTES`] or malformed.
    pub(super) fn read(token: &'t str, known: Option<Arc<Header>>) -> Result<Self, TokenRejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRejection::TooLong);
        }
        let too_few = TokenRejection::Malformed(Malformed::NotEnoughSegments);
        let (signing_input, signature) = token.rsplit_once('.').ok_or_else(|| too_few.clone())?;
        let (header, payload) = signing_input.split_once('.').ok_or(too_few)?;

        let header = match known {
            Some(known) if *known.text == *header => known,
            _ => Arc::new(Header::read(header)?),
        };
        if header.is_assertion {
            return Err(TokenRejection::Assertion);
        }
        let mut decoded = Vec::with_capacity(token.len());
        decode_behind(&mut decoded, payload, Malformed::PayloadEncoding)?;
        let signature_at = decoded.len();
        decode_behind(&mut decoded, signature, Malformed::SignatureEncoding)?;
        Ok(Self { signing_input, payload, decoded, signature_at, header })
    }

    pub(super) fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// What was signed (RFC 7515 §2: JWS Signing Input), as received.
    pub(super) fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.decoded[self.signature_at..]
    }

    /// The payload as it stands in the token.
    pub(super) fn payload(&self) -> &'t str {
        self.payload
    }

    pub(super) fn decoded_payload(&self) -> &[u8] {
        &self.decoded[..self.signature_at]
    }

    /// Where the payload stands in the token.
    pub(super) fn payload_range(&self) -> Range<usize> {
        self.signing_input.len() - self.payload.len()..self.signing_input.len()
    }

    /// The claims, which nobody has vouched for unless the signature was checked.
    pub(super) fn payload_members(&self) -> Result<Members<'_>, TokenRejection> {
        json::members(self.decoded_payload()).map_err(|fault| {
            TokenRejection::Malformed(match fault {
                NotAnObject::NotJson => Malformed::PayloadNotJson,
                NotAnObject::OtherType => Malformed::PayloadNotAnObject,
            })
        })
    }
}

/// Compared as media types are: without case, and with or without `application/` (RFC 7515 §4.1.9).
fn is_assertion_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == ASSERTION_TYPE
}

pub(super) fn decode(segment: &str, part: Malformed) -> Result<Vec<u8>, TokenRejection> {
    let mut decoded = Vec::new();
    decode_behind(&mut decoded, segment, part)?;
    Ok(decoded)
}

/// What a client sends is no secret of the gate's: it need not be read in constant time, as keys are (base64ct: a fifth
/// of the instructions of a token's first use).
fn decode_behind(decoded: &mut Vec<u8>, segment: &str, part: Malformed) -> Result<(), TokenRejection> {
    URL_SAFE_NO_PAD.decode_vec(segment, decoded).map_err(|_| TokenRejection::Malformed(part))
}
