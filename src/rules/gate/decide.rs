//! Decides every request. The order of checks is the order of this folder's files, read from the two functions here.
//!
//! **What always holds:** [`Gate::decide`] is synchronous and never fails. If memory is not enough for a decision, it
//! returns a [`Continuation`], which [`Gate::resume`] completes. The part in memory (counting a token's second
//! appearance, calling hooks) runs once a request.

use super::{
    admin::{self, AdminRequest},
    core::Gate,
    decision::{Answered, Decided, Decision, Rejected},
    login::{self, LoginRequest},
    logout::{self, LogoutRequest},
    refresh,
    rule::{self, UnderRule},
    sessions::{self, AccountRequest},
};
use crate::{
    host::Host,
    rules::{
        answer::Answer,
        json::{Value, json},
        rejection::{Rejection, RouteRejection},
        request::Request,
        route::{Endpoint, Found},
        time::Timestamp,
    },
    users::Users,
};

/// Where [`Gate::decide`] stopped, with everything that [`Gate::resume`] needs of the request.
pub enum Continuation<'g> {
    /// `POST /auth`.
    Login(LoginRequest),
    /// `POST /auth/refresh`.
    Refresh(refresh::RefreshRequest<'g>),
    /// `POST /auth/logout`.
    Logout(LogoutRequest<'g>),
    /// A user's own sessions or password.
    Account(AccountRequest<'g>),
    /// `POST /auth/admin`.
    Admin(AdminRequest),
    /// A rule: the body may have the token, its revocation or its user must be looked up, or a limiter asked.
    Rule(UnderRule<'g>),
}

impl Gate {
    /// Decides a request from memory, or says what must be asked first.
    pub fn decide<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decided<'g, Continuation<'g>> {
        match self.config.routes.find(request.method, request.path) {
            Ok(Found::Rule(rule)) => self.decide_rule(rule, request, now).map_later(Continuation::Rule),
            Ok(Found::Endpoint(endpoint)) => match self.decide_endpoint(endpoint, request, now) {
                Ok(decided) => decided,
                Err(rejected) => Decided::Now(Decision::Reject(rejected.under(endpoint.name()))),
            },
            Ok(Found::Options(allow)) => {
                let answer = self.preflight(request).unwrap_or_else(|| Answer::options(allow));
                Decided::Now(Decision::Answer(Answered::plain(answer)))
            }
            Err(RouteRejection::MissingLastSlash { mut location }) => {
                location.extend(request.query.iter().flat_map(|query| ["?", query]));
                let rejection = Rejection::Route(RouteRejection::MissingLastSlash { location });
                Decided::Now(Decision::Reject(Rejected::new(rejection, Some(Endpoint::Login.name()))))
            }
            Err(rejection) => Decided::Now(Decision::Reject(Rejected::new(rejection.into(), None))),
        }
    }

    fn decide_endpoint<'g>(
        &'g self,
        endpoint: Endpoint,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<Decided<'g, Continuation<'g>>, Rejected<'g>> {
        Ok(match endpoint {
            Endpoint::Login => self.begin_login(request)?.map_later(Continuation::Login),
            Endpoint::Refresh => Decided::Later(Continuation::Refresh(self.begin_refresh(request, now)?)),
            Endpoint::Logout => Decided::Later(Continuation::Logout(self.begin_logout(request, now))),
            Endpoint::Admin => Decided::Later(Continuation::Admin(self.begin_admin(request)?)),
            Endpoint::Sessions | Endpoint::Session | Endpoint::LogoutAll | Endpoint::Password => {
                Decided::Later(Continuation::Account(self.begin_account(endpoint, request, now)?))
            }
            Endpoint::Keys => published(&self.config.tokens.keys().jwks(now.numeric_date())),
            Endpoint::AssertionKeys => {
                let assertions = self.config.assertions.as_ref();
                published(&assertions.map_or_else(|| json!({"keys": []}), |it| it.jwks(now.numeric_date())))
            }
        })
    }

    /// Completes a decision that [`Gate::decide`] has begun. `host` must be that of the same request.
    pub async fn resume<'g>(
        &'g self,
        continuation: Continuation<'g>,
        host: &impl Host,
        users: &impl Users,
    ) -> Decision<'g> {
        match continuation {
            Continuation::Login(request) => answered(Endpoint::Login, login::login(self, request, host, users).await),
            Continuation::Refresh(request) => {
                answered(Endpoint::Refresh, refresh::refresh(self, request, host, users).await)
            }
            Continuation::Logout(request) => answered(Endpoint::Logout, logout::logout(self, request, host).await),
            Continuation::Account(request) => {
                answered(request.endpoint(), sessions::own_account(self, request, host, users).await)
            }
            Continuation::Admin(request) => answered(Endpoint::Admin, admin::admin(self, request, host).await),
            Continuation::Rule(waiting) => rule::resume(self, waiting, host, users).await,
        }
    }
}

/// Public keys.
fn published<'g>(jwks: &Value) -> Decided<'g, Continuation<'g>> {
    Decided::Now(Decision::Answer(Answered::plain(Answer::keys(jwks))))
}

fn answered<'g>(endpoint: Endpoint, answered: Result<Answered, Rejected<'g>>) -> Decision<'g> {
    match answered {
        Ok(answered) => Decision::Answer(answered),
        Err(rejected) => Decision::Reject(rejected.under(endpoint.name())),
    }
}
