//! Issues tokens (docs/compat/flask-jwt-extended.md#issued-tokens), in the body or in cookies.

use super::{super::Grant, Spoken, wire};
use crate::rules::{
    answer::Answer,
    browser::MOST_PAIR_BYTES,
    config::{Config, FlaskJwtExtended},
    cookie::Jar,
    identity::Identity,
    ids::SessionId,
    json::{Map, Value},
    rejection::{InternalRejection, Rejection},
    time::{Duration, Timestamp},
    token::{self, CLAIMS_VERSION, ClaimsBuilder, Freshness, Random, TokenSpec, TokenType, VerifiedToken},
};

/// Issues new tokens, and makes the answer that has them.
pub(super) fn grant(dialect: &Spoken, grant: &Grant<'_>, config: &Config) -> Result<Answer, Rejection> {
    let options = &dialect.options;
    let mut jar = Jar::new();
    let mut csrf_values = Vec::new();
    let mut issue = |token_type| {
        let claims = match token_type {
            TokenType::Access => config.attribute_claims.of(grant.identity)?,
            TokenType::Refresh => Map::new(),
        };
        let spec = TokenSpec {
            claims,
            token_type,
            fresh: grant.fresh,
            expires: grant.until.map(|until| capped(options.lifetime(token_type), grant.now, until)),
            session: grant.session.cloned(),
            ..TokenSpec::default()
        };
        let (token, csrf) = create_token(dialect, grant.identity, spec, config, grant.random, grant.now)?;
        if options.uses_cookies() {
            check_cookie(options, token_type, &token, config)?;
            jar.set(options, token_type, &token, csrf.as_deref(), grant.now);
            csrf_values.extend(csrf.filter(|_| options.csrf_in_body).map(|value| (token_type, value)));
        }
        Ok::<_, Rejection>(token)
    };
    let access = issue(TokenType::Access)?;
    let with_refresh_token = grant.with_refresh_token && options.refresh_tokens;
    let refresh = with_refresh_token.then(|| issue(TokenType::Refresh)).transpose()?;
    Ok(wire::grant(&access, refresh.as_deref(), grant.message, options, &csrf_values, &jar))
}

/// Whether a new access token of this user can have its claims, and its cookie be stored.
pub(super) fn check_claims(
    dialect: &Spoken,
    identity: &Identity,
    config: &Config,
    now: Timestamp,
) -> Result<(), Rejection> {
    let claims = config.attribute_claims.of(identity)?;
    if !dialect.options.uses_cookies() {
        return Ok(());
    }
    // A token that goes nowhere, as long as the one to come.
    let session = Some(SessionId::new(now, ""));
    let spec = TokenSpec { claims, fresh: Freshness::NotFresh, session, ..TokenSpec::default() };
    let (token, _) = create_token(dialect, identity, spec, config, &[0; size_of::<Random>()], now)?;
    Ok(check_cookie(&dialect.options, TokenType::Access, &token, config)?)
}

/// Issues one token; returns it, and its CSRF value if it has one: `create_access_token`, `create_refresh_token`.
pub(super) fn create_token(
    dialect: &Spoken,
    identity: &Identity,
    spec: TokenSpec,
    config: &Config,
    random: &Random,
    now: Timestamp,
) -> Result<(String, Option<String>), Rejection> {
    let Spoken { options, loaders } = dialect;
    let mut more = spec.claims;
    // The gate's own: an application can't replace it.
    let version = more.get(CLAIMS_VERSION).cloned();
    more.extend(loaders.additional_claims(identity));
    more.extend(version.map(|version| (CLAIMS_VERSION.to_owned(), version)));
    let builder = ClaimsBuilder {
        token_type: spec.token_type,
        fresh: match spec.token_type {
            TokenType::Access => spec.fresh,
            TokenType::Refresh => Freshness::NotFresh,
        },
        expires: spec.expires.unwrap_or_else(|| options.lifetime(spec.token_type)),
        identity_claim: config.tokens.policy().identity_claim(),
        identity: loaders.user_identity(identity, config),
        more,
        session: spec.session,
        csrf: spec.csrf,
        now,
    };
    let (claims, csrf) = builder.claims(options, random);
    // Without a signing key the gate has no endpoint that issues tokens, but `encode_key_loader` may lack one.
    let key = loaders.encode_key(identity, config).ok_or(InternalRejection::Misconfigured)?;
    Ok((token::sign_sorted(key, &loaders.additional_headers(identity), &claims), csrf))
}

/// A new token in place of one that came in a cookie, and its cookies; `None` if no token can be made.
pub(super) fn renewed(
    dialect: &Spoken,
    identity: &Identity,
    token: &VerifiedToken,
    session: Option<(&SessionId, Option<Timestamp>)>,
    config: &Config,
    random: &Random,
    now: Timestamp,
) -> Option<(String, Jar)> {
    let options = &dialect.options;
    let until = session.and_then(|(_, until)| until);
    let expires = until.map(|until| capped(options.access_expires, now, until));
    // The CSRF value stays the same: requests that are under way carry it.
    let csrf = token.session_claims().and_then(|claims| claims.csrf()).map(str::to_owned);
    let session = session.map(|(session, _)| session.clone());
    let mut claims = added(token);
    config.attribute_claims.remove_from(&mut claims);
    claims.extend(config.attribute_claims.of(identity).ok()?);
    let spec = TokenSpec { claims, expires, session, csrf, ..TokenSpec::default() };
    let (token, csrf) = create_token(dialect, identity, spec, config, random, now).ok()?;
    check_cookie(options, TokenType::Access, &token, config).ok()?;
    let mut jar = Jar::new();
    jar.set(options, TokenType::Access, &token, csrf.as_deref(), now);
    Some((token, jar))
}

/// Whether browsers store the token's cookie, where claims come from attributes: without the cookie the user would be
/// logged in nowhere.
fn check_cookie(
    options: &FlaskJwtExtended,
    token_type: TokenType,
    token: &str,
    config: &Config,
) -> Result<(), InternalRejection> {
    let name = match token_type {
        TokenType::Access => &options.access.cookie,
        TokenType::Refresh => &options.refresh.cookie,
    };
    let is_too_long = name.len() + token.len() > MOST_PAIR_BYTES && !config.attribute_claims.is_empty();
    if is_too_long { Err(InternalRejection::ClaimsTooLong) } else { Ok(()) }
}

/// The usual lifetime, but at most the time that is left until `until`.
fn capped(usual: Option<Duration>, now: Timestamp, until: Timestamp) -> Option<Duration> {
    let left = Duration::from_millis((until.as_millis() - now.as_millis()).max(0)).unwrap_or(Duration::ZERO);
    Some(usual.map_or(left, |usual| usual.min(left)))
}

/// The claims that an application has added to a token, which its successor has too.
fn added(token: &VerifiedToken) -> Map<String, Value> {
    let own = ["fresh", "iat", "jti", "type", "nbf", "csrf", "aud", "iss", "exp"];
    token.claims().into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect()
}
