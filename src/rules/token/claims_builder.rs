//! The tokens that Flask-JWT-Extended issues (docs/compat/flask-jwt-extended.md#issued-tokens).

use super::{
    super::{
        config::FlaskJwtExtended,
        ids::SessionId,
        json::{Map, Value},
        time::{Duration, Timestamp},
    },
    Freshness, TokenType,
};
use uuid::{Builder, Uuid};

/// What kind of token is made.
#[derive(Default)]
pub struct TokenSpec {
    /// Access or refresh token.
    pub token_type: TokenType,
    /// Of an access token: the claim `fresh`.
    pub fresh: Freshness,
    /// How long it lives, `Some(None)` for ever, if not as long as the configuration says.
    pub expires: Option<Option<Duration>>,
    /// More claims. Those of `additional_claims` come on top.
    pub claims: Map<String, Value>,
    /// The id of its session, where there are any (docs/sessions.md).
    pub session: Option<SessionId>,
    /// Its CSRF value, if it is to be that of another token.
    pub csrf: Option<String>,
}

/// Randomness for a log-in: the ids of an access and a refresh token and their CSRF values (16 bytes each, in the order
/// access id, its CSRF value, refresh id, its CSRF value), the session's id and a device's secret (16 bytes each).
pub type Random = [u8; 96];

/// What goes into a new token.
pub struct ClaimsBuilder<'i> {
    /// Access or refresh token.
    pub token_type: TokenType,
    /// The claim `fresh`.
    pub fresh: Freshness,
    /// How long it lives; `None` for ever.
    pub expires: Option<Duration>,
    /// `JWT_IDENTITY_CLAIM`.
    pub identity_claim: &'i str,
    /// What `user_identity_loader` makes of the identity.
    pub identity: Value,
    /// What `additional_claims_loader` adds.
    pub more: Map<String, Value>,
    /// The id of its session, where there are any: the claim `sid`. Nothing that is added takes its place then, nor
    /// that of the token's own id, or the session could not be ended.
    pub session: Option<SessionId>,
    /// Its CSRF value, if it is not to be a new one.
    pub csrf: Option<String>,
    /// When it is issued.
    pub now: Timestamp,
}

impl ClaimsBuilder<'_> {
    /// The claims, in the real library's order, and the CSRF value among them.
    #[must_use]
    pub fn claims(self, config: &FlaskJwtExtended, random: &Random) -> (Map<String, Value>, Option<String>) {
        let TokenIds { token_id, csrf } = TokenIds::of(self.token_type, random);
        let csrf = config.csrf_protect.then(|| self.csrf.unwrap_or_else(|| csrf.to_string()));
        let issued_at = self.now.numeric_date().seconds();
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("fresh", self.fresh.to_json());
        claim("iat", issued_at.into());
        claim("jti", token_id.to_string().into());
        claim("type", self.token_type.name().into());
        claim(self.identity_claim, self.identity);
        if config.encode_nbf {
            claim("nbf", issued_at.into());
        }
        csrf.iter().for_each(|csrf| drop(claim("csrf", csrf.as_str().into())));
        config.encode_audience.iter().for_each(|audience| drop(claim("aud", audience.clone())));
        config.encode_issuer.iter().for_each(|issuer| drop(claim("iss", issuer.as_str().into())));
        self.expires.iter().for_each(|life| drop(claim("exp", self.now.plus(*life).seconds().into())));
        // An existing name is overwritten in place.
        let mut more = self.more;
        if let Some(session) = self.session {
            more.shift_remove("jti");
            more.insert("sid".into(), session.as_str().into());
        }
        claims.extend(more);
        let csrf = csrf.map(|csrf| claims.get("csrf").and_then(Value::as_str).map_or(csrf, str::to_owned));
        (claims, csrf)
    }
}

/// The ids of one of the two tokens that are made of one randomness.
pub(in crate::rules) struct TokenIds {
    /// `jti`.
    pub token_id: Uuid,
    /// `csrf`.
    pub csrf: Uuid,
}

impl TokenIds {
    /// Of the refresh token, or of the access token.
    pub fn of(token_type: TokenType, random: &Random) -> Self {
        let at = match token_type {
            TokenType::Access => 0,
            TokenType::Refresh => 32,
        };
        let id = |at: usize| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&random[at..at + 16]);
            Builder::from_random_bytes(bytes).into_uuid()
        };
        Self { token_id: id(at), csrf: id(at + 16) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::json::json;

    fn issue(token_type: TokenType, more: Value) -> ClaimsBuilder<'static> {
        let Value::Object(more) = more else { panic!("an object") };
        let is_refresh = token_type == TokenType::Refresh;
        ClaimsBuilder {
            token_type,
            fresh: if is_refresh { Freshness::NotFresh } else { Freshness::Fresh },
            expires: Some(Duration::seconds(if is_refresh { 30 * 86_400 } else { 900 })),
            identity_claim: "sub",
            identity: "user1".into(),
            more,
            csrf: None,
            session: None,
            now: Timestamp::from_millis(1_795_537_255_900),
        }
    }

    #[test]
    fn claims_are_the_real_librarys_in_its_order() {
        let mut random = [0; 96];
        (0..96).for_each(|at| random[at as usize] = at);
        let (claims, csrf) = issue(TokenType::Access, json!({})).claims(&FlaskJwtExtended::default(), &random);
        assert_eq!(
            Value::Object(claims).to_string(),
            r#"{"fresh":true,"iat":1795537255,"jti":"00010203-0405-4607-8809-0a0b0c0d0e0f","type":"access","sub":"user1","nbf":1795537255,"csrf":"10111213-1415-4617-9819-1a1b1c1d1e1f","exp":1795538155}"#
        );
        assert_eq!(csrf.as_deref(), Some("10111213-1415-4617-9819-1a1b1c1d1e1f"));
        let (claims, other) = issue(TokenType::Refresh, json!({})).claims(&FlaskJwtExtended::default(), &random);
        assert_eq!(
            (&claims["fresh"], &claims["type"], &claims["exp"]),
            (&json!(false), &json!("refresh"), &json!(1_798_129_255))
        );
        assert_ne!(csrf, other);
    }

    #[test]
    fn a_session_is_named_and_nothing_takes_its_place() {
        let issue = ClaimsBuilder {
            session: Some("s".into()),
            ..issue(TokenType::Access, json!({"sid": "x", "jti": "y", "role": "z"}))
        };
        let (claims, _) = issue.claims(&FlaskJwtExtended::default(), &[7; 96]);
        assert_eq!((&claims["sid"], &claims["role"]), (&json!("s"), &json!("z")));
        assert_ne!(claims["jti"], json!("y"));
    }

    #[test]
    fn options_leave_claims_out_and_more_claims_overwrite_in_place() {
        let config = FlaskJwtExtended {
            csrf_protect: false,
            encode_nbf: false,
            encode_audience: Some(json!(["a", "b"])),
            encode_issuer: Some("me".into()),
            ..FlaskJwtExtended::default()
        };
        let issue = ClaimsBuilder {
            expires: None,
            fresh: Freshness::Until(7.5),
            ..issue(TokenType::Access, json!({"role": "admin", "sub": "other"}))
        };
        let (claims, csrf) = issue.claims(&config, &[7; 96]);
        assert_eq!(claims["fresh"], json!(7.5));
        let names: Vec<&str> = claims.keys().map(String::as_str).collect();
        assert_eq!(names, ["fresh", "iat", "jti", "type", "sub", "aud", "iss", "role"]);
        assert_eq!((&claims["sub"], csrf), (&json!("other"), None));
    }
}
