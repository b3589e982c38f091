//! The tokens that Flask-JWT-Extended issues (facts: Flask-JWT-Extended 4).

use super::{
    super::{
        config::Extended,
        json::{Map, Value},
        time::{Span, Timestamp},
    },
    Fresh,
};
use uuid::{Builder, Uuid};

/// Randomness for the ids of an access and a refresh token and of their CSRF values.
pub type Random = [u8; 64];

/// What goes into a new token.
pub struct Issue<'i> {
    /// Is it a refresh token?
    pub refresh: bool,
    /// The claim `fresh`.
    pub fresh: Fresh,
    /// How long it lives; `None` for ever.
    pub expires: Option<Span>,
    /// `JWT_IDENTITY_CLAIM`.
    pub identity_claim: &'i str,
    /// What `user_identity_loader` makes of the identity.
    pub identity: Value,
    /// What `additional_claims_loader` adds.
    pub more: Map<String, Value>,
    /// When it is issued.
    pub now: Timestamp,
}

impl Issue<'_> {
    /// The claims, in the real library's order, and the CSRF value among them.
    #[must_use]
    pub fn claims(self, config: &Extended, random: &Random) -> (Map<String, Value>, Option<String>) {
        let (token_id, csrf) = ids(self.refresh, random);
        let csrf = config.csrf_protect.then(|| csrf.to_string());
        let issued_at = self.now.numeric_date().seconds();
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("fresh", self.fresh.to_json());
        claim("iat", issued_at.into());
        claim("jti", token_id.to_string().into());
        claim("type", if self.refresh { "refresh" } else { "access" }.into());
        claim(self.identity_claim, self.identity);
        if config.encode_nbf {
            claim("nbf", issued_at.into());
        }
        csrf.iter().for_each(|csrf| drop(claim("csrf", csrf.as_str().into())));
        config.encode_audience.iter().for_each(|audience| drop(claim("aud", audience.clone())));
        config.encode_issuer.iter().for_each(|issuer| drop(claim("iss", issuer.as_str().into())));
        self.expires.iter().for_each(|life| drop(claim("exp", self.now.plus(*life).seconds().into())));
        // An existing name is overwritten in place.
        claims.extend(self.more);
        let csrf = csrf.map(|csrf| claims.get("csrf").and_then(Value::as_str).map_or(csrf, str::to_owned));
        (claims, csrf)
    }
}

/// `jti` and `csrf` of one of the two tokens.
fn ids(refresh: bool, random: &Random) -> (Uuid, Uuid) {
    let at = if refresh { 32 } else { 0 };
    let id = |at: usize| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&random[at..at + 16]);
        Builder::from_random_bytes(bytes).into_uuid()
    };
    (id(at), id(at + 16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::json::json;

    fn issue(refresh: bool, more: Value) -> Issue<'static> {
        let Value::Object(more) = more else { panic!("an object") };
        Issue {
            refresh,
            fresh: if refresh { Fresh::No } else { Fresh::Yes },
            expires: Some(Span::seconds(if refresh { 30 * 86_400 } else { 900 })),
            identity_claim: "sub",
            identity: "user1".into(),
            more,
            now: Timestamp::from_millis(1_795_537_255_900),
        }
    }

    #[test]
    fn claims_are_the_real_librarys_in_its_order() {
        let mut random = [0; 64];
        (0..64).for_each(|at| random[at as usize] = at);
        let (claims, csrf) = issue(false, json!({})).claims(&Extended::default(), &random);
        assert_eq!(
            Value::Object(claims).to_string(),
            r#"{"fresh":true,"iat":1795537255,"jti":"00010203-0405-4607-8809-0a0b0c0d0e0f","type":"access","sub":"user1","nbf":1795537255,"csrf":"10111213-1415-4617-9819-1a1b1c1d1e1f","exp":1795538155}"#
        );
        assert_eq!(csrf.as_deref(), Some("10111213-1415-4617-9819-1a1b1c1d1e1f"));
        let (claims, other) = issue(true, json!({})).claims(&Extended::default(), &random);
        assert_eq!(
            (&claims["fresh"], &claims["type"], &claims["exp"]),
            (&json!(false), &json!("refresh"), &json!(1_798_129_255))
        );
        assert_ne!(csrf, other);
    }

    #[test]
    fn options_leave_claims_out_and_more_claims_overwrite_in_place() {
        let config = Extended {
            csrf_protect: false,
            encode_nbf: false,
            encode_audience: Some(json!(["a", "b"])),
            encode_issuer: Some("me".into()),
            ..Extended::default()
        };
        let issue =
            Issue { expires: None, fresh: Fresh::Until(7.5), ..issue(false, json!({"role": "admin", "sub": "other"})) };
        let (claims, csrf) = issue.claims(&config, &[7; 64]);
        assert_eq!(claims["fresh"], json!(7.5));
        let names: Vec<&str> = claims.keys().map(String::as_str).collect();
        assert_eq!(names, ["fresh", "iat", "jti", "type", "sub", "aud", "iss", "role"]);
        assert_eq!((&claims["sub"], csrf), (&json!("other"), None));
    }
}
