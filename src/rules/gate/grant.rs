//! New tokens, and the sessions that they belong to.

use super::{client_info::ClientInfo, core::Gate, decision::Rejected};
use crate::{
    host::Host,
    rules::{
        account::{Command, RefreshToken, Reply},
        cookie::Jar,
        identity::{Id, Identity},
        ids::SessionId,
        json::{Map, Value},
        rejection::{InternalRejection, LoginRejection, Rejection},
        time::{Duration, Timestamp},
        token::{self, ClaimsBuilder, Freshness, Random, TokenIds, TokenType, VerifiedToken},
        wire::{Answer, flask_jwt_extended},
    },
};
use base64ct::{Base64UrlUnpadded, Encoding};

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

/// What new tokens are made of.
pub(super) struct Grant<'i> {
    pub identity: &'i Identity,
    pub fresh: Freshness,
    /// Whether there is a refresh token too.
    pub with_refresh_token: bool,
    /// What the answer says where it has no token in it.
    pub message: &'i str,
    pub session: Option<&'i SessionId>,
    /// No token is good for longer.
    pub until: Option<Timestamp>,
    pub random: &'i Random,
    pub now: Timestamp,
}

impl<'i> Grant<'i> {
    /// After a log-in.
    pub(super) fn fresh(identity: &'i Identity, message: &'i str, random: &'i Random, now: Timestamp) -> Self {
        let fresh = Freshness::Fresh;
        Self { identity, fresh, with_refresh_token: true, message, session: None, until: None, random, now }
    }
}

/// Random bytes for new tokens.
pub(super) fn draw(host: &impl Host) -> Random {
    let mut random = [0; size_of::<Random>()];
    host.random(&mut random);
    random
}

impl Gate {
    /// Opens a session for this user and makes its first tokens.
    pub(super) async fn open_session(
        &self,
        identity: &Identity,
        client: &ClientInfo,
        message: &str,
        random: &Random,
        host: &impl Host,
    ) -> Result<Answer, Rejected<'static>> {
        let now = host.now();
        // Tokens name the account so, whatever the application calls it.
        let named = match self.config.flask_jwt_extended() {
            Some(_) => Id::from_json(&self.handlers.user_identity(identity, &self.config)),
            None => Some(identity.id.clone()),
        };
        let named = named.ok_or(Rejection::Internal(InternalRejection::Misconfigured))?;
        let rotates = self.config.flask_jwt_extended().is_some_and(|config| config.refresh_tokens)
            && self.config.sessions.rotation;
        let command = Command::Open {
            version: identity.version,
            entropy: Base64UrlUnpadded::encode_string(&random[64..80]),
            refresh: rotates.then(|| refresh_token(random, now)),
            user_agent: client.user_agent.clone(),
            country: client.country.clone(),
        };
        let session = match self.ask(host, &self.account_named(&named), command).await? {
            Reply::Opened { session } => session,
            // A password that does not count any more is a wrong one.
            Reply::Stale => return Err(Rejection::Login(LoginRejection::BadCredentials).into()),
            _ => return Err(Rejection::Internal(InternalRejection::Bug).into()),
        };
        let until = self.latest_end(&session);
        Ok(self.grant(&Grant { session: Some(&session), until, ..Grant::fresh(identity, message, random, now) })?)
    }

    /// The answer with new tokens, in the dialect's form.
    pub(super) fn grant(&self, grant: &Grant<'_>) -> Result<Answer, Rejection> {
        let Some(config) = self.config.flask_jwt_extended() else {
            let token = self.handlers.encode(grant.identity, &self.config, grant.session, grant.now)?;
            return Ok(self.handlers.auth_response(&token, grant.identity));
        };
        let mut jar = Jar::new();
        let mut issue = |token_type| {
            let spec = TokenSpec {
                token_type,
                fresh: grant.fresh,
                expires: grant.until.map(|until| capped(config.lifetime(token_type), grant.now, until)),
                session: grant.session.cloned(),
                ..TokenSpec::default()
            };
            let (token, csrf) = self.create_token(grant.identity, spec, grant.random, grant.now)?;
            if config.uses_cookies() {
                jar.set(config, token_type, &token, csrf.as_deref(), grant.now);
            }
            Ok::<_, Rejection>(token)
        };
        let access = issue(TokenType::Access)?;
        let refresh =
            (grant.with_refresh_token && config.refresh_tokens).then(|| issue(TokenType::Refresh)).transpose()?;
        Ok(flask_jwt_extended::grant(&access, refresh.as_deref(), grant.message, config, &jar))
    }

    /// A new token, and its CSRF value if it has one: `create_access_token`, `create_refresh_token`.
    ///
    /// # Errors
    /// [`Rejection::Internal(InternalRejection::Misconfigured)`] in the other dialect, and without a key that signs.
    pub fn create_token(
        &self,
        identity: &Identity,
        spec: TokenSpec,
        random: &Random,
        now: Timestamp,
    ) -> Result<(String, Option<String>), Rejection> {
        let config = self.config.flask_jwt_extended().ok_or(Rejection::Internal(InternalRejection::Misconfigured))?;
        let handlers = &self.handlers;
        let mut more = spec.claims;
        more.extend(handlers.additional_claims(identity));
        let builder = ClaimsBuilder {
            token_type: spec.token_type,
            fresh: match spec.token_type {
                TokenType::Access => spec.fresh,
                TokenType::Refresh => Freshness::NotFresh,
            },
            expires: spec.expires.unwrap_or_else(|| config.lifetime(spec.token_type)),
            identity_claim: self.config.tokens.policy().identity_claim(),
            identity: handlers.user_identity(identity, &self.config),
            more,
            session: spec.session,
            csrf: spec.csrf,
            now,
        };
        let (claims, csrf) = builder.claims(config, random);
        // A gate without a key that signs has no such endpoint, unless an application's own function says otherwise.
        let key =
            handlers.encode_key(identity, &self.config).ok_or(Rejection::Internal(InternalRejection::Misconfigured))?;
        Ok((token::sign_sorted(key, &handlers.additional_headers(identity), &claims), csrf))
    }

    /// The cookies of a new token in place of one that is about to expire; none if it can't be made.
    pub(super) fn renewed_cookies(
        &self,
        identity: &Identity,
        token: &VerifiedToken,
        random: &Random,
        now: Timestamp,
    ) -> Jar {
        let mut jar = Jar::new();
        let Some(config) = self.config.flask_jwt_extended() else { return jar };
        let session = token.session_id().filter(|_| self.snapshot.is_some());
        let until = session.and_then(|session| self.latest_end(session));
        let expires = until.map(|until| capped(config.access_expires, now, until));
        // Requests that are under way carry the CSRF value of before.
        let csrf = token.session_claims().and_then(|claims| claims.csrf()).map(str::to_owned);
        let spec = TokenSpec { claims: added(token), expires, session: session.cloned(), csrf, ..TokenSpec::default() };
        if let Ok((token, csrf)) = self.create_token(identity, spec, random, now) {
            jar.set(config, TokenType::Access, &token, csrf.as_deref(), now);
        }
        jar
    }
}

/// The refresh token that is made of this randomness.
pub(super) fn refresh_token(random: &Random, now: Timestamp) -> RefreshToken {
    let TokenIds { token_id, .. } = TokenIds::of(TokenType::Refresh, random);
    RefreshToken {
        token_id: token_id.to_string().into(),
        seed: Base64UrlUnpadded::encode_string(random),
        issued_at: now,
    }
}

/// The randomness of a [`refresh_token`].
pub(super) fn random_of(token: &RefreshToken) -> Option<Random> {
    let mut random = [0; size_of::<Random>()];
    let length = Base64UrlUnpadded::decode(&token.seed, &mut random).ok()?.len();
    (length == random.len()).then_some(random)
}

/// As long as usual, but no longer than until then.
fn capped(usual: Option<Duration>, now: Timestamp, until: Timestamp) -> Option<Duration> {
    let left = Duration::from_millis((until.as_millis() - now.as_millis()).max(0)).unwrap_or(Duration::ZERO);
    Some(usual.map_or(left, |usual| usual.min(left)))
}

/// The claims of a token that its successor has too: those that an application added.
fn added(token: &VerifiedToken) -> Map<String, Value> {
    let own = ["fresh", "iat", "jti", "type", "nbf", "csrf", "aud", "iss", "exp"];
    token.claims().into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect()
}
