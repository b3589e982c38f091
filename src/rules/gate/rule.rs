//! Whether a request under a rule of `ROUTES` is let through.
//!
//! **What always holds:** the order is token, revocation, account, user, claims (`require`), renewal of cookies, and
//! last the rate: only requests that would pass are counted.
//! [`Gate::decide_rule`] decides from memory; [`resume`] continues in the same order.

use super::{
    client_info::{COUNTRY_HEADER, addresses},
    core::Gate,
    decision::{Decided, Decision, Principal, Rejected},
    grant::{draw, with_newer},
    revocation::{Scope, rejection_of},
};
use crate::{
    host::{Host, Limit},
    rules::{
        account::Reply,
        config::Location,
        cookie::Jar,
        dialect::{BodySearch, Presented, Search},
        identity::Identity,
        rejection::{PermissionRejection, Rejection, TokenRejection, UnavailableRejection},
        request::Request,
        revocation::RevocationStatus,
        route::{Auth, Invalid, Revocation, Rule, UserFrom},
        socket::{self, SocketFields},
        time::Timestamp,
        token::VerifiedToken,
    },
    users::Users,
};
use std::sync::Arc;

/// A request under a rule that memory alone does not decide.
pub struct UnderRule<'g> {
    decided: Decided<'g, Waiting<'g>>,
    /// The limiter that counts the request, if it passes.
    rate: Option<Rate<'g>>,
}

/// What must be asked before a decision without a limiter.
enum Waiting<'g> {
    /// The body must be read.
    Body(BodyUnderRule<'g>),
    /// Something must be asked about the token.
    Token(TokenUnderRule<'g>),
}

/// A limiter of requests.
struct Rate<'g> {
    rule: &'g Rule,
    limiter: &'g str,
    /// The key of a request without a token.
    address: String,
}

impl UnderRule<'_> {
    /// Whether the body must be read for the token.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        matches!(self.decided, Decided::Later(Waiting::Body(_)))
    }
}

/// A valid token under a rule, which may be revoked.
struct TokenUnderRule<'g> {
    rule: &'g Rule,
    token: VerifiedToken,
    location: Location,
    /// The first check that memory can't do.
    next: NextStep,
}

/// The first check that memory can't do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NextStep {
    /// The snapshot is too old.
    Revocations,
    /// The account's object must be asked.
    Account,
    /// The user must be looked up, or new cookies made.
    User,
    /// A cookie's claims are outdated, and it is renewed.
    NewClaims,
}

/// A rule whose token may be in the body.
struct BodyUnderRule<'g> {
    rule: &'g Rule,
    search: Box<dyn BodySearch + 'g>,
    /// Whether the request is a WebSocket handshake from another site's page.
    is_foreign_socket: bool,
}

impl Gate {
    pub(super) fn decide_rule<'g>(
        &'g self,
        rule: &'g Rule,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Decided<'g, UnderRule<'g>> {
        let decided = self.decide_without_rate(rule, request, now);
        let address = || self.client_info(request).address.unwrap_or_default();
        with_rate(rule, decided, address, request.method == "OPTIONS")
    }

    /// Decides about a token that came without a request.
    pub(super) fn decide_token_alone<'g>(
        &'g self,
        rule: &'g Rule,
        token: &str,
        now: Timestamp,
    ) -> Decided<'g, UnderRule<'g>> {
        let decided = if rule.places.is_everywhere() {
            match self.presented(rule, self.dialect.judge(token, self.wanted(rule), &self.config, now), || false) {
                Ok((token, location)) => self.decide_token(rule, token, location, now).map_later(Waiting::Token),
                Err(decision) => Decided::Now(decision),
            }
        } else {
            Decided::Now(reject(rule, Rejection::Permission(PermissionRejection::ForbiddenPlace)))
        };
        with_rate(rule, decided, String::new, false)
    }

    fn decide_without_rate<'g>(
        &'g self,
        rule: &'g Rule,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Decided<'g, Waiting<'g>> {
        if !rule.places.is_everywhere() && !self.is_from_allowed_place(rule, request) {
            return Decided::Now(reject(rule, Rejection::Permission(PermissionRejection::ForbiddenPlace)));
        }
        // A rule that names OPTIONS lets an origin answer preflights, which never carry a token (Fetch §4.8).
        if rule.auth == Auth::None || request.method == "OPTIONS" {
            return Decided::Now(Decision::pass(rule, Principal::Open, Jar::new()));
        }
        let is_foreign_socket = || self.is_foreign_socket(request);
        match self.search(rule, request, now) {
            Search::Done(presented) => match self.presented(rule, presented, is_foreign_socket) {
                Ok((token, location)) => self.decide_token(rule, token, location, now).map_later(Waiting::Token),
                Err(decision) => Decided::Now(decision),
            },
            Search::InBody(search) => match self.check_token_body(request) {
                Ok(()) => {
                    let is_foreign_socket = is_foreign_socket();
                    Decided::Later(Waiting::Body(BodyUnderRule { rule, search, is_foreign_socket }))
                }
                Err(rejection) => Decided::Now(reject(rule, rejection)),
            },
        }
    }

    /// The token that was presented.
    ///
    /// # Errors
    /// The decision, if there is no token to judge.
    fn presented<'g>(
        &self,
        rule: &'g Rule,
        presented: Presented,
        is_foreign_socket: impl FnOnce() -> bool,
    ) -> Result<(VerifiedToken, Location), Decision<'g>> {
        match presented {
            // A browser sends cookies with a handshake from any page, and no CORS check protects what that page reads.
            Presented::Token(_, Location::Cookies) if is_foreign_socket() => {
                Err(reject(rule, Rejection::Permission(PermissionRejection::ForeignSocket)))
            }
            Presented::Token(token, location) => Ok((token, location)),
            Presented::Missing(_) if rule.admits_anonymous() => {
                Err(Decision::pass(rule, Principal::Anonymous, Jar::new()))
            }
            Presented::Missing(rejection) => Err(reject(rule, rejection)),
            Presented::Rejected(rejected) => Err(reject_token(rule, rejected.into())),
        }
    }

    /// Whether the rule's `countries` and `addresses` allow the request. It depends on more than token and URL, so no
    /// decision under such a rule is replayed: reading the header fields prevents that (`src/edge/hot.rs`).
    fn is_from_allowed_place(&self, rule: &Rule, request: &Request<'_>) -> bool {
        let (peer, client) = addresses(request, &self.config.trusted_proxies);
        // The country is that of who connected.
        let country = request.headers.get(COUNTRY_HEADER).filter(|_| peer == client);
        rule.places.allow(country.as_deref(), client)
    }

    /// What goes on of a request that has a token in its subprotocols, to an origin or to code behind the gate; `None`
    /// for any other request.
    #[must_use]
    pub fn socket_fields(&self, request: &Request<'_>) -> Option<SocketFields> {
        let protocols = socket::protocols_without_token(request, &self.config)?;
        Some(SocketFields { protocols, has_cookies: !self.is_foreign_socket(request) })
    }

    /// Whether this is a WebSocket handshake from another origin's page, or from no page.
    fn is_foreign_socket(&self, request: &Request<'_>) -> bool {
        request.is_web_socket() && !self.is_from_own_page(request)
    }

    /// Whether the request comes from a page of the gate's own origin (RFC 6454 §7).
    fn is_from_own_page(&self, request: &Request<'_>) -> bool {
        let own = self.config.public_url.as_deref().unwrap_or(request.site);
        let sent = request.headers.get("origin").unwrap_or_default();
        // A server that does not know its scheme compares hosts alone.
        let sent = if own.contains("://") { &*sent } else { sent.split_once("://").map_or("", |(_, host)| host) };
        !own.is_empty() && sent.eq_ignore_ascii_case(own)
    }

    /// Decides from memory about a valid token.
    fn decide_token<'g>(
        &'g self,
        rule: &'g Rule,
        token: VerifiedToken,
        location: Location,
        now: Timestamp,
    ) -> Decided<'g, TokenUnderRule<'g>> {
        if self.is_revocation_checked(rule) {
            match self.status(&token, Scope::All, now) {
                RevocationStatus::Revoked => {
                    return Decided::Now(reject_revoked(rule, TokenRejection::Revoked.into(), token));
                }
                RevocationStatus::ClaimsOutdated if self.dialect.is_renewed(rule, location) => {
                    return later(rule, token, location, NextStep::NewClaims);
                }
                RevocationStatus::ClaimsOutdated => {
                    return Decided::Now(reject_revoked(rule, TokenRejection::ClaimsOutdated.into(), token));
                }
                RevocationStatus::Unknown => return later(rule, token, location, NextStep::Revocations),
                RevocationStatus::Good if self.is_account_asked(rule, &token) => {
                    return later(rule, token, location, NextStep::Account);
                }
                RevocationStatus::Good => {}
            }
        }
        if rule.user == UserFrom::Stored || self.dialect.is_renewal_due(rule, &token, location, now) {
            return later(rule, token, location, NextStep::User);
        }
        match token.named() {
            Some(identity) => Decided::Now(admit(rule, token, identity, location, Jar::new())),
            None => Decided::Now(reject_revoked(rule, Gate::nobody(&token), token)),
        }
    }

    /// Whether revocations count under this rule.
    fn is_revocation_checked(&self, rule: &Rule) -> bool {
        self.snapshot.is_some() && !rule.flask_jwt_extended.skip_revocation_check
    }

    /// Whether the account's object is asked about a token that the snapshot does not find revoked. A token without
    /// `exp` needs it: the revocation log drops an entry after a time, the object never.
    fn is_account_asked(&self, rule: &Rule, token: &VerifiedToken) -> bool {
        rule.revocation == Revocation::Strict || (token.expires().is_none() && self.check_command(token).is_some())
    }

    /// Lets the request through, with the cookies of a new token on the answer. With sessions, the account's object
    /// must confirm first that the session is open.
    async fn admit_renewing<'g>(
        &'g self,
        rule: &'g Rule,
        token: VerifiedToken,
        identity: &Arc<Identity>,
        stored: &Identity,
        host: &impl Host,
    ) -> Decision<'g> {
        let identity = Arc::clone(identity);
        if !is_met(rule, &token) {
            return reject_permission(rule, token);
        }
        // Too long for the object: the token is not renewed, as with too long claims.
        let Ok(attributes) = self.attributes_of(stored, host.now()) else {
            return admit(rule, token, identity, Location::Cookies, Jar::new());
        };
        let mut newer = None;
        if let Some((object, command)) = self.use_command(&token, attributes) {
            match self.ask(host, &object, command).await {
                Ok(Reply::Alive) => {}
                Ok(Reply::AliveWith { attributes }) => newer = Some(attributes),
                Ok(_) => return reject_revoked(rule, Rejection::Token(TokenRejection::Revoked), token),
                // The present token is still valid: the request passes without renewal.
                Err(_) => return admit(rule, token, identity, Location::Cookies, Jar::new()),
            }
        }
        let renewed = self.renewed(&with_newer(stored, newer), &token, &draw(host), host.now());
        admit(rule, token, identity, Location::Cookies, renewed.map(|(_, jar)| jar).unwrap_or_default())
    }

    /// Decides about a token whose claims were made of earlier attributes. Its client refreshes; where answers renew
    /// the cookie it came in, the new token is made at once, and decides.
    async fn decide_outdated<'g>(
        &'g self,
        rule: &'g Rule,
        token: VerifiedToken,
        location: Location,
        host: &impl Host,
        users: &impl Users,
    ) -> Decision<'g> {
        if !self.dialect.is_renewed(rule, location) {
            return reject_revoked(rule, TokenRejection::ClaimsOutdated.into(), token);
        }
        let stored = match users.identity(&token).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return reject_revoked(rule, Gate::nobody(&token), token),
            Err(error) => return reject(rule, error.into()),
        };
        let command = self.attributes_of(&stored, host.now()).map(|attributes| self.use_command(&token, attributes));
        let (object, command) = match command {
            Ok(Some(command)) => command,
            Ok(None) => return reject_revoked(rule, TokenRejection::ClaimsOutdated.into(), token),
            Err(rejection) => return reject(rule, rejection),
        };
        let newer = match self.ask(host, &object, command).await {
            Ok(Reply::Alive) => None,
            Ok(Reply::AliveWith { attributes }) => Some(attributes),
            Ok(_) => return reject_revoked(rule, TokenRejection::Revoked.into(), token),
            Err(error) => return reject(rule, error.into()),
        };
        let now = host.now();
        let Some((new, jar)) = self.renewed(&with_newer(&stored, newer), &token, &draw(host), now) else {
            return reject_revoked(rule, TokenRejection::ClaimsOutdated.into(), token);
        };
        // What the rule asks of a token, it asks of the new one too. CSRF was judged with the cookie that came.
        let judged = self.dialect.judge(&new, self.wanted(rule), &self.config, now);
        let token = match self.presented(rule, judged, || false) {
            Ok((token, _)) => token,
            Err(decision) => return decision,
        };
        let identity = match rule.user {
            UserFrom::Token => token.named(),
            UserFrom::Stored => Some(Arc::new(stored)),
        };
        match identity {
            Some(identity) => admit(rule, token, identity, location, jar),
            None => reject_revoked(rule, Gate::nobody(&token), token),
        }
    }
}

/// A decision that the rule's limiter counts, if it lets something through.
fn with_rate<'g>(
    rule: &'g Rule,
    decided: Decided<'g, Waiting<'g>>,
    address: impl FnOnce() -> String,
    is_preflight: bool,
) -> Decided<'g, UnderRule<'g>> {
    match &rule.rate {
        Some(limiter) if !is_preflight && !matches!(decided, Decided::Now(Decision::Reject(_))) => {
            Decided::Later(UnderRule { decided, rate: Some(Rate { rule, limiter, address: address() }) })
        }
        _ => decided.map_later(|waiting| UnderRule { decided: Decided::Later(waiting), rate: None }),
    }
}

/// Completes a decision under a rule.
pub(super) async fn resume<'g>(
    gate: &'g Gate,
    UnderRule { decided, rate }: UnderRule<'g>,
    host: &impl Host,
    users: &impl Users,
) -> Decision<'g> {
    let decision = match decided {
        Decided::Now(decision) => decision,
        Decided::Later(Waiting::Body(waiting)) => resume_with_body(gate, waiting, host, users).await,
        Decided::Later(Waiting::Token(waiting)) => resume_with_token(gate, waiting, host, users).await,
    };
    match rate {
        Some(rate) => within_rate(gate, rate, decision, host).await,
        None => decision,
    }
}

/// The decision, if it lets nothing through or the limiter allows one more request of the same user, or from the same
/// address without one.
async fn within_rate<'g>(gate: &Gate, rate: Rate<'g>, decision: Decision<'g>, host: &impl Host) -> Decision<'g> {
    let Some(principal) = decision.principal() else { return decision };
    let account = principal.token().and_then(|token| gate.account_of(token));
    let key = account.map_or_else(|| format!("address:{}", rate.address), |account| account.to_string());
    if host.within_limit(Limit::Requests(rate.limiter), &key).await {
        decision
    } else {
        reject(rate.rule, PermissionRejection::TooManyRequests.into())
    }
}

/// Reads the body, searches it for the token, and decides.
async fn resume_with_body<'g>(
    gate: &'g Gate,
    waiting: BodyUnderRule<'g>,
    host: &impl Host,
    users: &impl Users,
) -> Decision<'g> {
    let BodyUnderRule { rule, search, is_foreign_socket } = waiting;
    let body = match gate.token_body(host).await {
        Ok(body) => body,
        Err(error) => return reject(rule, error.into()),
    };
    let now = host.now();
    let presented = search.read(&body, now);
    drop(body);
    let (token, location) = match gate.presented(rule, presented, || is_foreign_socket) {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    match gate.decide_token(rule, token, location, now) {
        Decided::Now(decision) => decision,
        Decided::Later(waiting) => resume_with_token(gate, waiting, host, users).await,
    }
}

/// Decides about a valid token, from the first check that memory could not do.
async fn resume_with_token<'g>(
    gate: &'g Gate,
    waiting: TokenUnderRule<'g>,
    host: &impl Host,
    users: &impl Users,
) -> Decision<'g> {
    let TokenUnderRule { rule, token, location, next } = waiting;
    let open = rule.revocation == Revocation::Snapshot { open: true };
    if next == NextStep::NewClaims {
        return gate.decide_outdated(rule, token, location, host, users).await;
    }
    if next == NextStep::Revocations {
        match gate.current_status(&token, Scope::All, open, host).await {
            RevocationStatus::Good => {}
            RevocationStatus::Revoked => return reject_revoked(rule, TokenRejection::Revoked.into(), token),
            RevocationStatus::ClaimsOutdated => {
                return gate.decide_outdated(rule, token, location, host, users).await;
            }
            RevocationStatus::Unknown => return reject(rule, Rejection::Unavailable(UnavailableRejection::Store)),
        }
    }
    if next <= NextStep::Account && gate.is_account_asked(rule, &token) {
        let Some((object, command)) = gate.check_command(&token) else {
            return reject_revoked(rule, Rejection::Token(TokenRejection::Revoked), token);
        };
        match gate.ask(host, &object, command).await {
            Ok(Reply::Alive) => {}
            Ok(Reply::Outdated) => return gate.decide_outdated(rule, token, location, host, users).await,
            Ok(reply) => return reject_revoked(rule, rejection_of(&reply).into(), token),
            Err(_) if open => {}
            Err(error) => return reject(rule, error.into()),
        }
    }
    let identity = match rule.user {
        UserFrom::Token => token.named(),
        UserFrom::Stored => match users.identity(&token).await {
            Ok(identity) => identity.map(Arc::new),
            Err(error) => return reject(rule, error.into()),
        },
    };
    let Some(identity) = identity else { return reject_revoked(rule, Gate::nobody(&token), token) };
    if !gate.dialect.is_renewal_due(rule, &token, location, host.now()) {
        return admit(rule, token, identity, location, Jar::new());
    }
    if rule.user == UserFrom::Stored || gate.config.attribute_claims.is_empty() {
        return gate.admit_renewing(rule, token, &identity, &identity, host).await;
    }
    // The new token has the claims of today. Without them it is not renewed, and the present one is good until it
    // expires.
    match users.identity(&token).await {
        Ok(Some(stored)) => gate.admit_renewing(rule, token, &identity, &stored, host).await,
        Ok(None) | Err(_) => admit(rule, token, identity, location, Jar::new()),
    }
}

fn later<'g>(
    rule: &'g Rule,
    token: VerifiedToken,
    location: Location,
    next: NextStep,
) -> Decided<'g, TokenUnderRule<'g>> {
    Decided::Later(TokenUnderRule { rule, token, location, next })
}

/// Lets a request through whose token is valid and not revoked, and whose user is known, if the claims are enough.
fn admit<'g>(
    rule: &'g Rule,
    token: VerifiedToken,
    identity: Arc<Identity>,
    location: Location,
    renewal: Jar,
) -> Decision<'g> {
    if !is_met(rule, &token) {
        return reject_permission(rule, token);
    }
    Decision::pass(rule, Principal::Verified { token, identity, location }, renewal)
}

/// Whether the token's claims meet what the rule requires. The verdict is kept with the token.
fn is_met(rule: &Rule, token: &VerifiedToken) -> bool {
    let Some(require) = &rule.require else { return true };
    token.verdict(rule.index, |claims| require.is_met_by(claims))
}

fn reject_permission(rule: &Rule, token: VerifiedToken) -> Decision<'_> {
    let rejection = Rejection::Permission(PermissionRejection::InsufficientPermissions);
    let signed = Some(token.into_signed());
    Decision::Reject(Rejected { signed, ..Rejected::new(rejection, Some(&rule.path)) })
}

fn reject(rule: &Rule, rejection: Rejection) -> Decision<'_> {
    Decision::Reject(Rejected::new(rejection, Some(&rule.path)))
}

/// Rejects a token; or lets the request through as anonymous, if the rule has `invalid = "anonymous"`.
fn reject_token<'g>(rule: &'g Rule, rejected: Rejected<'g>) -> Decision<'g> {
    if rule.admits_anonymous() && rule.invalid == Invalid::Anonymous {
        return Decision::pass(rule, Principal::Anonymous, Jar::new());
    }
    Decision::Reject(rejected.under(&rule.path))
}

/// [`reject_token`] for a token with a valid signature.
fn reject_revoked<'g>(rule: &'g Rule, rejection: Rejection, token: VerifiedToken) -> Decision<'g> {
    reject_token(rule, Rejected { signed: Some(token.into_signed()), ..Rejected::new(rejection, None) })
}
