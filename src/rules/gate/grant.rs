//! New tokens, and the sessions that they belong to.

use super::{client_info::ClientInfo, core::Gate, decision::Rejected};
use crate::{
    host::Host,
    rules::{
        account::{Command, RefreshToken, Reply, are_storable},
        answer::Answer,
        cookie::Jar,
        dialect::Grant,
        identity::{Attributes, Identity, SeenAttributes},
        rejection::{InternalRejection, LoginRejection, Rejection},
        time::Timestamp,
        token::{Random, TokenIds, TokenSpec, TokenType, VerifiedToken},
    },
};
use base64ct::{Base64UrlUnpadded, Encoding};
use std::borrow::Cow;

/// Draws the random bytes for new tokens.
pub(super) fn draw(host: &impl Host) -> Random {
    let mut random = [0; size_of::<Random>()];
    host.random(&mut random);
    random
}

impl Gate {
    /// Opens a session for this user and makes its first tokens.
    ///
    /// # Errors
    /// [`LoginRejection::BadCredentials`] if the password was changed since it was checked, and if the account's object
    /// does not answer.
    pub(super) async fn open_session(
        &self,
        identity: &Identity,
        client: &ClientInfo,
        message: &str,
        random: &Random,
        host: &impl Host,
    ) -> Result<Answer, Rejected<'static>> {
        let now = host.now();
        // The id in tokens, which `user_identity_loader` may choose, names the account's object.
        let named = self.dialect.user_id(identity, &self.config).ok_or(InternalRejection::Misconfigured)?;
        let attributes = self.attributes_of(identity, now)?;
        let rotates = self.dialect.issues_refresh_tokens() && self.config.sessions.rotation;
        let command = Command::Open {
            version: identity.version,
            entropy: Base64UrlUnpadded::encode_string(&random[64..80]),
            refresh: rotates.then(|| refresh_token(random, now)),
            user_agent: client.user_agent.clone(),
            country: client.country.clone(),
            attributes,
        };
        let (session, newer) = match self.ask(host, &self.account_named(&named), command).await? {
            Reply::Opened { session, attributes } => (session, attributes),
            // The password was changed since it was checked.
            Reply::Stale => return Err(Rejection::Login(LoginRejection::BadCredentials).into()),
            _ => return Err(Rejection::Internal(InternalRejection::Bug).into()),
        };
        let identity = &with_newer(identity, newer);
        let until = self.latest_end(&session);
        Ok(self.grant(&Grant {
            session: Some(&session),
            until,
            ..Grant::after_login(identity, message, random, now)
        })?)
    }

    /// The attributes that a command to the account's object carries; `None` if no claims are made of them.
    ///
    /// # Errors
    /// [`InternalRejection::ClaimsTooLong`] if the object can't keep them, or the claims or their cookie would be too
    /// long: before the object does something, which can't be taken back.
    pub(super) fn attributes_of(
        &self,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Option<SeenAttributes>, Rejection> {
        if !self.config.attribute_claims.is_versioned() {
            return Ok(None);
        }
        if !are_storable(&identity.attributes) {
            return Err(InternalRejection::ClaimsTooLong.into());
        }
        self.dialect.check_claims(identity, &self.config, now)?;
        let (version, values) = (identity.attributes_version, identity.attributes.clone());
        Ok(Some(SeenAttributes { version, values, claims: self.claim_attributes() }))
    }

    /// The names of the attributes that claims are made of; empty if no token has the version of its claims.
    pub(super) fn claim_attributes(&self) -> Vec<String> {
        let claims = &self.config.attribute_claims;
        claims.attributes().filter(|_| claims.is_versioned()).map(str::to_owned).collect()
    }

    /// The answer with new tokens, in the dialect.
    pub(super) fn grant(&self, grant: &Grant<'_>) -> Result<Answer, Rejection> {
        self.dialect.grant(grant, &self.config)
    }

    /// A new token, and its CSRF value if it has one: `create_access_token`, `create_refresh_token`.
    ///
    /// # Errors
    /// [`InternalRejection::Misconfigured`] in Flask-JWT's dialect, or if no key signs.
    pub fn create_token(
        &self,
        identity: &Identity,
        spec: TokenSpec,
        random: &Random,
        now: Timestamp,
    ) -> Result<(String, Option<String>), Rejection> {
        self.dialect.create_token(identity, spec, &self.config, random, now)
    }

    /// A new access token in place of one that came in a cookie, and its cookies; `None` if no token can be made.
    pub(super) fn renewed(
        &self,
        identity: &Identity,
        token: &VerifiedToken,
        random: &Random,
        now: Timestamp,
    ) -> Option<(String, Jar)> {
        let session = token.session_id().filter(|_| self.snapshot.is_some());
        let session = session.map(|session| (session, self.latest_end(session)));
        self.dialect.renewed(identity, token, session, &self.config, random, now)
    }
}

/// The user with the attributes that the account's object knows, if they are newer than those of the store.
pub(super) fn with_newer(identity: &Identity, newer: Option<Attributes>) -> Cow<'_, Identity> {
    match newer {
        Some(newer) => Cow::Owned(identity.clone().with_attributes(newer)),
        None => Cow::Borrowed(identity),
    }
}

/// The account's record of the refresh token that is made of this randomness.
pub(super) fn refresh_token(random: &Random, now: Timestamp) -> RefreshToken {
    let TokenIds { token_id, .. } = TokenIds::of(TokenType::Refresh, random);
    RefreshToken {
        token_id: token_id.to_string().into(),
        seed: Base64UrlUnpadded::encode_string(random),
        issued_at: now,
    }
}

/// The randomness that a [`refresh_token`] was made of; `None` if the stored text is not base64url of its length.
pub(super) fn random_of(token: &RefreshToken) -> Option<Random> {
    let mut random = [0; size_of::<Random>()];
    let length = Base64UrlUnpadded::decode(&token.seed, &mut random).ok()?.len();
    (length == random.len()).then_some(random)
}
