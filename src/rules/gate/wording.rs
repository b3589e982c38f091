//! The answers to a rejection and to "who am I", in the dialect's words.

use super::{
    core::Gate,
    decision::{Authorized, Rejected},
};
use crate::rules::{
    answer::Answer,
    forward,
    json::{self, Value},
    rejection::{Rejection, TokenRejection},
    route::Endpoint,
    token::SignedToken,
};

impl Gate {
    /// The answer that says who the caller is.
    #[must_use]
    pub fn identity(&self, authorized: &Authorized<'_>) -> Answer {
        Answer::of_json(200, self.identity_body(authorized)).with_cookies(authorized.renewal())
    }

    /// The body of [`Gate::identity`]. Two such answers differ in nothing else, unless cookies are renewed.
    #[must_use]
    pub fn identity_body(&self, authorized: &Authorized<'_>) -> String {
        self.dialect.identity_body(authorized.principal())
    }

    /// The answer to a rejection without a rule, token or cookies.
    #[must_use]
    pub fn answer(&self, rejection: &Rejection) -> Answer {
        self.answer_to(&Rejected::new(rejection.clone(), None))
    }

    /// The answer to a rejection.
    #[must_use]
    pub fn answer_to(&self, rejected: &Rejected<'_>) -> Answer {
        let answer = self.dialect.answer(rejected);
        // The command `tollgate` matches the code: texts may change.
        let is_for_operators = rejected.rule == Some(Endpoint::Admin.name());
        let answer = if is_for_operators { with_code(answer, rejected.rejection.code()) } else { answer };
        let answer = if self.config.error_codes { self.with_code_for_client(answer, rejected) } else { answer };
        answer.with_cookies(&rejected.jar)
    }

    /// An answer with the code of the rejection. At an endpoint of an account it is no finer than the text: whether a
    /// refresh token was used twice, for example, is for the operator to know. How fine an application's own texts are
    /// is unknown.
    fn with_code_for_client(&self, mut answer: Answer, rejected: &Rejected<'_>) -> Answer {
        let rejection = &rejected.rejection;
        let code = if !rejected.rule.is_some_and(Endpoint::is_name) {
            rejection.code()
        } else if self.has_hooks && rejection.is_jwt_error() {
            "custom"
        } else {
            rejection.coarse_code()
        };
        answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(forward::ERROR_CODE_HEADER));
        answer.with(forward::ERROR_CODE_HEADER, code)
    }

    /// The rejection of a token that names no user.
    pub(super) fn nobody(token: &SignedToken) -> Rejection {
        let subject = token.identity().map(|id| id.to_string()).unwrap_or_default();
        TokenRejection::UserUnknown { subject }.into()
    }
}

/// An answer whose JSON has the rejection's code beside the text.
fn with_code(answer: Answer, code: &str) -> Answer {
    let mut members = json::object(answer.body.as_bytes()).unwrap_or_default();
    members.insert("code".into(), code.into());
    Answer { body: Answer::json(answer.status, &Value::Object(members)).body, ..answer }
}
