//! docs/errors.md: every code of a refusal as clients and operators meet it, and every event of the log.
//!
//! **What always holds:** statuses and texts come from the gate itself ([`tollgate::rules::wire`]); what a code means
//! and what to do stands here. `cargo xtask tidy` finds a code or an event that has no row.

use std::fmt::Write;
use tollgate::rules::{
    config::FlaskJwtExtended,
    login,
    rejection::{Absent, JwtError, Malformed, PathFault, Rejection, TimeClaim, Unencoded},
    token::TokenType,
    wire::{Answer, flask_jwt, flask_jwt_extended},
};

/// Refusals of one subject.
struct Family {
    title: &'static str,
    rows: Vec<Row>,
}

/// A code.
struct Row {
    /// The rejections that have it; where their texts differ, the page has all of them.
    refusals: Vec<Rejection>,
    meaning: &'static str,
    /// What the operator or the client's developer does; empty where there is nothing to do.
    remedy: &'static str,
}

fn row(refusals: impl Into<Vec<Rejection>>, meaning: &'static str, remedy: &'static str) -> Row {
    Row { refusals: refusals.into(), meaning, remedy }
}

/// The page, whole.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Errors and log events\n\n\
        Written by `cargo xtask docs` from the gate's own answers; not to be changed by hand.\n\n\
        A refusal is logged as the event `refused`, with its code as `reason`. Codes stay the same when texts change.\n\
        Text in {braces} is filled in from the request or the configuration; numbers such as 30 seconds are examples; `–`:\n\
        this dialect does not answer it. A client of Flask-JWT reads the texts as `error` and `description`; one of\n\
        Flask-JWT-Extended reads `msg` (`JWT_ERROR_MESSAGE_KEY`), spelled as the library spells it. What to watch for:\n\
        [operating.md](operating.md#what-to-alarm-on).\n",
    );
    for family in families() {
        let _ = write!(
            page,
            "\n## {}\n\n| Code | `flask-jwt` | `flask-jwt-extended` | Meaning | What to do |\n|---|---|---|---|---|\n",
            family.title
        );
        for row in family.rows {
            let code = row.refusals.first().map_or("", Rejection::code);
            let config = FlaskJwtExtended::default();
            let flask_jwt =
                told(row.refusals.iter().filter(|rejection| !is_of_flask_jwt_extended(rejection)), |rejection| {
                    words(&flask_jwt::rejection(rejection), &["error", "description"])
                });
            let flask_jwt_extended =
                told(row.refusals.iter().filter(|rejection| !is_of_flask_jwt(rejection)), |rejection| {
                    words(&flask_jwt_extended::rejection(rejection, &config), &["msg"])
                });
            let remedy = if row.remedy.is_empty() { "nothing" } else { row.remedy };
            let _ = writeln!(page, "| `{code}` | {flask_jwt} | {flask_jwt_extended} | {} | {remedy} |", row.meaning);
        }
    }
    page.push_str(LOG);
    page
}

/// A cell with all texts, each once.
fn told<'r>(refusals: impl Iterator<Item = &'r Rejection>, words: impl Fn(&Rejection) -> String) -> String {
    let mut told: Vec<String> = Vec::new();
    for words in refusals.map(words) {
        if !told.contains(&words) {
            told.push(words);
        }
    }
    if told.is_empty() { "–".into() } else { told.join("<br>") }
}

/// Status of an answer, and the text in these members of its body.
fn words(answer: &Answer, members: &[&str]) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let texts: Vec<&str> = members.iter().filter_map(|member| body[*member].as_str()).collect();
    format!("{} {}", answer.status, texts.join(": ").replace('|', "\\|").replace('<', "&lt;"))
}

/// Does only the search of Flask-JWT find this (src/rules/credential/flask_jwt.rs)?
const fn is_of_flask_jwt(rejection: &Rejection) -> bool {
    matches!(
        rejection,
        Rejection::MissingToken { .. }
            | Rejection::UnsupportedScheme
            | Rejection::TokenMissingAfterScheme
            | Rejection::TokenContainsSpaces
    )
}

/// Does only Flask-JWT-Extended's search or judgement find this (src/rules/credential/flask_jwt_extended.rs,
/// src/rules/token/flask_jwt_extended.rs)?
const fn is_of_flask_jwt_extended(rejection: &Rejection) -> bool {
    matches!(
        rejection,
        Rejection::TokenNowhere(_)
            | Rejection::BadHeader { .. }
            | Rejection::BadQueryPrefix { .. }
            | Rejection::TokenNotText
            | Rejection::CsrfMissing
            | Rejection::CsrfMismatch
            | Rejection::AlgorithmMissing
            | Rejection::RegisteredClaimMissing(_)
            | Rejection::IssuerNotText
            | Rejection::InvalidIssuer
            | Rejection::SubjectNotText
            | Rejection::TokenIdNotText
            | Rejection::WrongType { .. }
            | Rejection::NotFresh
            | Rejection::ClaimsRejected
            | Rejection::UserNotLoaded { .. }
    )
}

fn families() -> Vec<Family> {
    let name = || "{name}".to_owned();
    vec![
        Family {
            title: "Paths",
            rows: vec![
                row([Rejection::NotFound], "No rule of `ROUTES` names the path.", "add a rule, if it is to be served"),
                row([Rejection::FileNotFound], "A rule leads to the static files, and there is none of this name.", ""),
                row(
                    [Rejection::MethodNotAllowed { allow: "GET".into() }],
                    "A rule names the path, but not with this method; `Allow` has those that it takes.",
                    "add the method to the rule's `methods`, if it is to be served",
                ),
                row(
                    [Rejection::MissingLastSlash { location: "/auth/".into() }],
                    "`JWT_AUTH_URL_RULE` ends with a slash, and the path lacks it: `Location` has it.",
                    "",
                ),
                row(
                    [Rejection::AmbiguousPath(PathFault::BadEscape)],
                    "A `%` that two hexadecimal digits don't follow, or bytes that are not UTF-8.",
                    "",
                ),
                row(
                    [Rejection::AmbiguousPath(PathFault::HiddenSeparator)],
                    "`%2f`, `%5c`, a backslash, or an escaped dot segment: only some servers see a separator there.",
                    "",
                ),
                row([Rejection::AmbiguousPath(PathFault::ControlCharacter)], "The path has a control character.", ""),
                row(
                    [Rejection::AmbiguousPath(PathFault::DoubleEscape)],
                    "`%25` before two hexadecimal digits: decoded twice, it is another path.",
                    "",
                ),
                row([Rejection::AmbiguousPath(PathFault::EmptySegment)], "The path has `//`.", ""),
                row(
                    [Rejection::AmbiguousPath(PathFault::OtherRuleInAnotherReading)],
                    "Read without regard to case, `;` parameters or a last slash, another rule would hold.",
                    "the client sends the path as the rule has it",
                ),
            ],
        },
        Family {
            title: "Finding the token",
            rows: vec![
                row(
                    [
                        Rejection::MissingToken { realm: "Login Required".into() },
                        Rejection::TokenNowhere(vec![Absent::Header { name: "Authorization".into() }]),
                        Rejection::TokenNowhere(vec![Absent::Scheme {
                            name: "Authorization".into(),
                            scheme: "Bearer".into(),
                        }]),
                        Rejection::TokenNowhere(vec![Absent::Cookie { name: name() }]),
                        Rejection::TokenNowhere(vec![Absent::QueryParameter { name: name() }]),
                        Rejection::TokenNowhere(vec![Absent::JsonMediaType]),
                        Rejection::TokenNowhere(vec![Absent::JsonMember { name: name() }]),
                    ],
                    "No token where one is looked for. Flask-JWT's answer has `WWW-Authenticate: JWT realm=\"…\"`.",
                    "the client logs in, and sends its token",
                ),
                row([Rejection::UnsupportedScheme], "The header's first word is not `JWT_AUTH_HEADER_PREFIX`.", ""),
                row([Rejection::TokenMissingAfterScheme], "The first word stands alone.", ""),
                row([Rejection::TokenContainsSpaces], "The header has more than two words.", ""),
                row([Rejection::TokenTooLong], "The token is longer than the gate reads.", "put less into its claims"),
                row(
                    [Rejection::BadHeader { name: "Authorization".into(), scheme: "Bearer".into() }],
                    "The header has the right first word, but not one word after it.",
                    "",
                ),
                row(
                    [Rejection::BadQueryPrefix { name: name(), prefix: "{prefix}".into() }],
                    "The query parameter does not begin with `JWT_QUERY_STRING_VALUE_PREFIX`.",
                    "",
                ),
                row([Rejection::TokenNotText], "The member of the body that should be the token is no text.", ""),
                row(
                    [Rejection::CsrfMissing],
                    "The token is in a cookie, the method changes something, and no CSRF value stands beside it.",
                    "the page sends the value of the CSRF cookie in `X-CSRF-TOKEN`",
                ),
                row([Rejection::CsrfMismatch], "The CSRF value is not that of the token.", ""),
            ],
        },
        Family {
            title: "Decoding the token",
            rows: vec![
                row([Rejection::Malformed(Malformed::NotEnoughSegments)], "The token has fewer than two dots.", ""),
                row(
                    [Rejection::Malformed(Malformed::HeaderEncoding)],
                    "The token's header is not base64url without padding.",
                    "",
                ),
                row([Rejection::Malformed(Malformed::HeaderNotJson)], "The token's header is not JSON.", ""),
                row([Rejection::Malformed(Malformed::HeaderNotAnObject)], "The token's header is not an object.", ""),
                row(
                    [Rejection::Malformed(Malformed::PayloadEncoding)],
                    "The token's payload is not base64url without padding.",
                    "",
                ),
                row([Rejection::Malformed(Malformed::PayloadNotJson)], "The token's payload is not JSON.", ""),
                row([Rejection::Malformed(Malformed::PayloadNotAnObject)], "The token's payload is not an object.", ""),
                row(
                    [Rejection::Malformed(Malformed::SignatureEncoding)],
                    "The token's signature is not base64url without padding.",
                    "",
                ),
                row([Rejection::AlgorithmMissing], "The token's header has no `alg`.", ""),
                row(
                    [Rejection::AlgorithmNotAllowed],
                    "No configured key has the `alg` of the token's header.",
                    "if an application of yours signs such tokens, configure its key: [keys.md](keys.md)",
                ),
                row(
                    [Rejection::BadSignature],
                    "No configured key has made this signature.",
                    "if many: was a key replaced too early? [keys.md](keys.md) has the order",
                ),
                row(
                    [Rejection::CriticalExtension { name: name() }],
                    "The token's header has `crit` with an extension that the gate does not know.",
                    "",
                ),
                row(
                    [Rejection::CriticalEmpty, Rejection::CriticalNotText, Rejection::CriticalMissing],
                    "`crit` in the token's header has another form than RFC 7515 §4.1.11 wants.",
                    "",
                ),
                row(
                    [
                        Rejection::UnencodedPayload(Unencoded::PayloadPresent),
                        Rejection::UnencodedPayload(Unencoded::NotCritical),
                        Rejection::UnencodedPayload(Unencoded::Detached),
                    ],
                    "The token's header has `b64: false` (RFC 7797), which is not taken.",
                    "",
                ),
                row([Rejection::KeyIdNotAString], "`kid` in the token's header is no string.", ""),
            ],
        },
        Family {
            title: "Claims",
            rows: vec![
                row(
                    [Rejection::MissingClaim("{name}".into()), Rejection::RegisteredClaimMissing("aud")],
                    "A required claim is missing or null.",
                    "`JWT_REQUIRED_CLAIMS` and the options of the dialect say which are required",
                ),
                row(
                    [TimeClaim::Iat, TimeClaim::Nbf, TimeClaim::Exp].map(Rejection::NotANumericDate),
                    "A claim that is a time is no number, or beyond 2⁵³.",
                    "",
                ),
                row(
                    [Rejection::IssuedInTheFuture],
                    "`iat` lies in the future, beyond `JWT_LEEWAY`.",
                    "set the clock of who issues tokens",
                ),
                row(
                    [Rejection::NotYetValid],
                    "`nbf` lies in the future, beyond the leeway.",
                    "set the clock of who issues tokens",
                ),
                row([Rejection::Expired], "`exp` lies in the past.", "the client refreshes its token, or logs in"),
                row(
                    [Rejection::InvalidAudience],
                    "`aud` is not the configured audience; in the dialect of Flask-JWT, which knows none, the token has one.",
                    "",
                ),
                row([Rejection::InvalidClaimFormat], "`aud` is neither a string nor a list of strings.", ""),
                row([Rejection::IssuerNotText, Rejection::InvalidIssuer], "`iss` is not the configured issuer.", ""),
                row([Rejection::SubjectNotText], "`sub` is no string.", "issue tokens with a string as subject"),
                row([Rejection::TokenIdNotText], "`jti` is no string.", ""),
                row(
                    TokenType::ALL.map(|wanted| Rejection::WrongType { wanted }),
                    "A refresh token came where an access token is wanted, or the other way round.",
                    "",
                ),
                row(
                    [Rejection::NotFresh],
                    "The rule wants a token that comes from a log-in, not from a refresh.",
                    "the client asks for the password again",
                ),
                row([Rejection::Revoked], "The token was revoked, or its session ended.", "the client logs in"),
                row(
                    [Rejection::RefreshReused],
                    "A refresh token that was spent came once more: it may be stolen, so its session was ended.",
                    "if many: [operating.md](operating.md#what-to-alarm-on)",
                ),
                row([Rejection::ClaimsRejected], "The application's `token_verification_loader` says no.", ""),
                row(
                    [Rejection::NoSuchUser, Rejection::UserNotLoaded { subject: "{subject}".into() }],
                    "The token is good, but its user is not in the store.",
                    "",
                ),
                row(
                    [Rejection::ForeignSocket],
                    "A WebSocket handshake with a token in a cookie, from another site's page or from no page.",
                    "`TOLLGATE_PUBLIC_URL` is the address that browsers use",
                ),
            ],
        },
        Family {
            title: "Bodies",
            rows: vec![
                row([Rejection::BodyNotDeclaredJson], "The body's `Content-Type` is not JSON.", ""),
                row([Rejection::BodyNotAnObject], "The body is not JSON, or not an object.", ""),
                row(
                    [
                        Rejection::BodyTooLarge { limit: Some(login::MAX_BODY_BYTES) },
                        Rejection::BodyTooLarge { limit: None },
                    ],
                    "The body is longer than this endpoint reads.",
                    "",
                ),
                row(
                    [Rejection::TooManyBodies],
                    "As many bodies as one instance holds at once are being read.",
                    "if often: clients send bodies very slowly; a rule of Cloudflare's firewall",
                ),
                row(
                    [Rejection::FieldTooLong { field: name() }],
                    "A name or password is longer than the gate reads.",
                    "",
                ),
                row([Rejection::BodyInterrupted], "The body stopped before its end.", ""),
                row([Rejection::BodyTooSlow], "The body did not come in time.", ""),
            ],
        },
        Family {
            title: "Log-in, passwords and sessions",
            rows: vec![
                row(
                    [Rejection::BadCredentials],
                    "Name and password are not those of a user; or members are missing, empty, no text, or too many.",
                    "if the user is sure: `tollgate user show NAME`",
                ),
                row(
                    [Rejection::TooManyTries { retry_after: 30 }],
                    "Too many passwords were tried for this name, from this address or at this gate. `Retry-After` has the \
                    seconds.",
                    "nothing; a user who can't wait gets a new password: `tollgate user set-password NAME`",
                ),
                row(
                    [Rejection::WeakPassword { text: "{what is wrong with it}".into() }],
                    "A new password is not taken: too short, too common, known from a leak.",
                    "",
                ),
                row([Rejection::NoSuchSession], "The session that is to be ended is not there.", ""),
                row(
                    [Rejection::NotRevocable],
                    "A log-out with a token that nothing can end before it expires.",
                    "turn sessions on: [sessions.md](sessions.md)",
                ),
            ],
        },
        Family {
            title: "The operators' endpoint",
            rows: vec![
                row(
                    [Rejection::NotTheOperator],
                    "`TOLLGATE_ADMIN_SECRET` is wrong or missing in the request.",
                    "if it was not you, somebody is guessing the secret: make it long and random (`tollgate secret generate`)",
                ),
                row([Rejection::BadCommand], "No such command, or a member is missing.", "use the command `tollgate`"),
            ],
        },
        Family {
            title: "What lies behind the gate",
            rows: vec![
                row(
                    [Rejection::StoreUnavailable],
                    "KV or an object did not answer in time, or holds something that can't be read.",
                    "look for `unreachable` and `record_unusable` beside it; Cloudflare's status",
                ),
                row(
                    [Rejection::DecisionTimeout],
                    "The decision took longer than a minute.",
                    "KV, objects, or functions of your application are very slow",
                ),
                row(
                    [Rejection::AssetsUnavailable],
                    "The static files don't answer, or there is no binding `ASSETS`.",
                    "`tollgate config check`",
                ),
                row(
                    [Rejection::OriginUnreachable],
                    "The origin could not be reached.",
                    "is it running? is `ORIGIN` right?",
                ),
                row(
                    [Rejection::OriginTimeout],
                    "The origin did not begin to answer within `ORIGIN_TIMEOUT`.",
                    "look at its log; raise `ORIGIN_TIMEOUT`",
                ),
                row(
                    [Rejection::Misconfigured],
                    "The configuration is unsafe or impossible: nothing is served.",
                    "`config_problem` beside it says what to write; `tollgate config check`",
                ),
                row([Rejection::Internal], "A bug of the gate.", "report it"),
                row(
                    [Rejection::Custom(JwtError::new("{error}", "{what your function says}"))],
                    "A function of your application refused, in its own words.",
                    "",
                ),
            ],
        },
    ]
}

/// The second half of the page.
const LOG: &str = "
## Log events

One JSON object a line, with `level`, `event`, and where a request led to it `request_id` (the answer's `X-Request-Id`)
and `duration_ms`. `TOLLGATE_LOG` says which levels are written.

| Event | Level | Its members | Meaning | What to do |
|---|---|---|---|---|
| `login` | info | `subject` | A user logged in. | nothing |
| `password_changed` | info | `subject` | A user has a new password. | nothing |
| `hash_renewed` | info | `subject` | A hash was replaced by one at the configured cost. | nothing |
| `passed` | debug | `rule`, `subject` | A request passed. | nothing |
| `refused` | info; error from status 500 | `reason`, `status`, `rule` | A request was refused. | by `reason`: the tables above |
| `refused_more` | as `refused` | `reason`, `status`, `count` | More refusals for that reason within a second than are written one by one (`TOLLGATE_LOG_REFUSALS`). | [operating.md](operating.md#what-to-alarm-on) |
| `record_unusable` | error | `subject`, `reason` | A stored record could not be used: `login_record_unreadable`, `profile_unreadable`, `id_of_two_users`, `hash_format`, `hash_cost_too_low`, `hash_cost_too_high`, `hash_pepper_unknown`. | `tollgate user show NAME`; for a pepper: is it in TOLLGATE_PASSWORD_PEPPERS? |
| `unreachable` | error | `reason`: the binding | An object or limiter of this binding did not answer. | Cloudflare's status; is the binding in wrangler.toml? |
| `pwned_check_failed` | error | `reason` | The leak service did not answer, so a new password was taken unchecked. | nothing now and then; if often: can the gate reach it? |
| `exception` | error | `reason`: its kind; `text`: where | An exception of JavaScript has cost a request its answer. | report it |
| `config_problem` | error | `option`, `text` | The configuration stops the gate. | what `text` says |
| `config_fault` | error | `option`, `text` | Something in the configuration will not work, though the gate serves. | what `text` says |
| `config_warning` | info | `option`, `text` | Legal, but unwise. | what `text` says |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_written() {
        let page_there = include_str!("../../docs/errors.md");
        assert!(page_there == page(), "docs/errors.md is not what the gate answers: run `cargo xtask docs`");
    }

    #[test]
    fn a_row_has_one_code_and_a_code_has_one_row() {
        let mut codes = Vec::new();
        for row in families().iter().flat_map(|family| &family.rows) {
            let code = row.refusals[0].code();
            assert!(row.refusals.iter().all(|rejection| rejection.code() == code), "{code}");
            codes.push(code);
        }
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
