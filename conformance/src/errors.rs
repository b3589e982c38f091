//! docs/errors.md: every code of a rejection, with status and text in each dialect, and every log event.
//!
//! **What always holds:** statuses and texts come from the gate itself ([`tollgate::rules::dialect`]); meanings and
//! remedies are written here. `cargo xtask tidy` finds a code or an event without a row.

use std::fmt::Write;
use tollgate::rules::{
    config::FlaskJwtExtended,
    dialect::{FlaskJwt, Wording, wording},
    login,
    rejection::{
        Absent, BodyRejection, CredentialRejection, InternalRejection, JwtError, LoginRejection, Malformed,
        OriginRejection, PasswordRejection, PathFault, PermissionRejection, Rejection, RouteRejection,
        SessionRejection, TimeClaim, TokenRejection, UnavailableRejection, Unencoded, Words,
    },
    token::TokenType,
};

/// A table of rejections about one subject.
struct Family {
    title: &'static str,
    rows: Vec<Row>,
}

/// The row of one code.
struct Row {
    /// The rejections with this code. If their texts differ, the page lists all of them.
    rejections: Vec<Rejection>,
    meaning: &'static str,
    /// What the operator or the client's developer does; empty where there is nothing to do.
    remedy: &'static str,
}

fn row<R: Into<Rejection>>(
    rejections: impl IntoIterator<Item = R>,
    meaning: &'static str,
    remedy: &'static str,
) -> Row {
    Row { rejections: rejections.into_iter().map(Into::into).collect(), meaning, remedy }
}

/// The whole page.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Errors and log events\n\n\
        Written by `cargo xtask docs` from the gate's own answers; not to be changed by hand.\n\n\
        A rejection is logged as the event `refused`, with its code as `reason`. Codes stay the same when texts change.\n\
        Text in {braces} comes from the request or the configuration; numbers such as 30 seconds are examples; `–` means\n\
        that this dialect never answers so. A client of Flask-JWT reads the texts as `error` and `description`; one of\n\
        Flask-JWT-Extended reads `msg` (`JWT_ERROR_MESSAGE_KEY`), in the library's spelling. What to watch for:\n\
        [operating.md](operating.md#what-to-alarm-on).\n",
    );
    for family in families() {
        let _ = write!(
            page,
            "\n## {}\n\n| Code | `flask-jwt` | `flask-jwt-extended` | Meaning | What to do |\n|---|---|---|---|---|\n",
            family.title
        );
        for row in family.rows {
            let code = row.rejections.first().map_or("", Rejection::code);
            let flask_jwt = cell(&row.rejections, &FlaskJwt);
            let flask_jwt_extended = cell(&row.rejections, &FlaskJwtExtended::default());
            let remedy = if row.remedy.is_empty() { "nothing" } else { row.remedy };
            let _ = writeln!(page, "| `{code}` | {flask_jwt} | {flask_jwt_extended} | {} | {remedy} |", row.meaning);
        }
    }
    page.push_str(LOG);
    page
}

/// A cell with the statuses and texts of this dialect, each once.
fn cell(rejections: &[Rejection], dialect: &dyn Wording) -> String {
    let mut texts: Vec<String> = Vec::new();
    for Words { status, title, text } in rejections.iter().filter_map(|rejection| wording::words(rejection, dialect)) {
        let title = if dialect.has_titles() { format!("{title}: ") } else { String::new() };
        let text = format!("{status} {title}{text}").replace('|', "\\|").replace('<', "&lt;");
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() { "–".into() } else { texts.join("<br>") }
}

fn families() -> Vec<Family> {
    let name = || "{name}".to_owned();
    vec![
        Family {
            title: "Paths",
            rows: vec![
                row(
                    [RouteRejection::NotFound],
                    "No rule of `ROUTES` matches the path.",
                    "add a rule, if it is to be served",
                ),
                row(
                    [RouteRejection::FileNotFound],
                    "The rule's target is the static files, and none has this name.",
                    "",
                ),
                row(
                    [RouteRejection::MethodNotAllowed { allow: "GET".into() }],
                    "A rule matches the path, but not the method; `Allow` lists the allowed methods.",
                    "add the method to the rule's `methods`, if it is to be served",
                ),
                row(
                    [RouteRejection::MissingLastSlash { location: "/auth/".into() }],
                    "`JWT_AUTH_URL_RULE` ends with a slash, and the path lacks it: `Location` has the path with it.",
                    "",
                ),
                row(
                    [RouteRejection::AmbiguousPath(PathFault::BadEscape)],
                    "A `%` without two hexadecimal digits after it, or bytes that are not UTF-8.",
                    "",
                ),
                row(
                    [RouteRejection::AmbiguousPath(PathFault::HiddenSeparator)],
                    "`%2f`, `%5c`, a backslash, or an escaped dot segment: only some servers see a separator there.",
                    "",
                ),
                row(
                    [RouteRejection::AmbiguousPath(PathFault::ControlCharacter)],
                    "The path has a control character.",
                    "",
                ),
                row(
                    [RouteRejection::AmbiguousPath(PathFault::DoubleEscape)],
                    "`%25` before two hexadecimal digits: decoding it twice gives another path.",
                    "",
                ),
                row([RouteRejection::AmbiguousPath(PathFault::EmptySegment)], "The path has `//`.", ""),
                row(
                    [RouteRejection::AmbiguousPath(PathFault::OtherRuleInAnotherReading)],
                    "Without regard to case, `;` parameters or a last slash, the path matches another rule.",
                    "send the path as the rule spells it",
                ),
            ],
        },
        Family {
            title: "Finding the token",
            rows: vec![
                row(
                    [
                        CredentialRejection::Missing { realm: "Login Required".into() },
                        CredentialRejection::Nowhere(vec![Absent::Header { name: "Authorization".into() }]),
                        CredentialRejection::Nowhere(vec![Absent::Scheme {
                            name: "Authorization".into(),
                            scheme: "Bearer".into(),
                        }]),
                        CredentialRejection::Nowhere(vec![Absent::Cookie { name: name() }]),
                        CredentialRejection::Nowhere(vec![Absent::QueryParameter { name: name() }]),
                        CredentialRejection::Nowhere(vec![Absent::JsonMediaType]),
                        CredentialRejection::Nowhere(vec![Absent::JsonMember { name: name() }]),
                    ],
                    "No token in any configured location. Flask-JWT's answer has `WWW-Authenticate: JWT realm=\"…\"`.",
                    "the client logs in, and sends its token",
                ),
                row(
                    [CredentialRejection::UnsupportedScheme],
                    "The header's first word is not `JWT_AUTH_HEADER_PREFIX`.",
                    "",
                ),
                row([CredentialRejection::MissingAfterScheme], "The header has the prefix and no token.", ""),
                row([CredentialRejection::ContainsSpaces], "The header has more than two words.", ""),
                row(
                    [TokenRejection::TooLong],
                    "The token is longer than the limit in the text.",
                    "issue tokens with fewer claims",
                ),
                row(
                    [CredentialRejection::BadHeader { name: "Authorization".into(), scheme: "Bearer".into() }],
                    "After the right first word the header does not have exactly one more.",
                    "",
                ),
                row(
                    [CredentialRejection::BadQueryPrefix { name: name(), prefix: "{prefix}".into() }],
                    "The query parameter does not begin with `JWT_QUERY_STRING_VALUE_PREFIX`.",
                    "",
                ),
                row(
                    [CredentialRejection::NotText],
                    "The member of the body that should be the token is not a string.",
                    "",
                ),
                row(
                    [CredentialRejection::CsrfMissing],
                    "The token is in a cookie, the method needs a CSRF value, and there is none.",
                    "the page sends the value of the CSRF cookie in `X-CSRF-TOKEN`",
                ),
                row([TokenRejection::CsrfMismatch], "The CSRF value is not the one in the token.", ""),
            ],
        },
        Family {
            title: "Decoding the token",
            rows: vec![
                row(
                    [TokenRejection::Malformed(Malformed::NotEnoughSegments)],
                    "The token has fewer than two dots.",
                    "",
                ),
                row(
                    [TokenRejection::Malformed(Malformed::HeaderEncoding)],
                    "The token's header is not base64url without padding.",
                    "",
                ),
                row([TokenRejection::Malformed(Malformed::HeaderNotJson)], "The token's header is not JSON.", ""),
                row(
                    [TokenRejection::Malformed(Malformed::HeaderNotAnObject)],
                    "The token's header is not an object.",
                    "",
                ),
                row(
                    [TokenRejection::Malformed(Malformed::PayloadEncoding)],
                    "The token's payload is not base64url without padding.",
                    "",
                ),
                row([TokenRejection::Malformed(Malformed::PayloadNotJson)], "The token's payload is not JSON.", ""),
                row(
                    [TokenRejection::Malformed(Malformed::PayloadNotAnObject)],
                    "The token's payload is not an object.",
                    "",
                ),
                row(
                    [TokenRejection::Malformed(Malformed::SignatureEncoding)],
                    "The token's signature is not base64url without padding.",
                    "",
                ),
                row([TokenRejection::AlgorithmMissing], "The token's header has no `alg`.", ""),
                row(
                    [TokenRejection::AlgorithmNotAllowed],
                    "No configured key has the `alg` of the token's header.",
                    "if an application of yours signs such tokens, configure its key: [keys.md](keys.md)",
                ),
                row(
                    [TokenRejection::BadSignature],
                    "The signature matches no configured key.",
                    "if many: was a key replaced too early? [keys.md](keys.md) has the order",
                ),
                row(
                    [TokenRejection::Assertion],
                    "The token is an assertion that a gate signed for an origin (`typ` is `tollgate+jwt`).",
                    "look for who sends what an origin received: it may have leaked there",
                ),
                row(
                    [TokenRejection::CriticalExtension { name: name() }],
                    "The token's header has `crit` with an extension that the gate does not know.",
                    "",
                ),
                row(
                    [TokenRejection::CriticalEmpty, TokenRejection::CriticalNotText, TokenRejection::CriticalMissing],
                    "`crit` in the token's header does not have the form of RFC 7515 §4.1.11.",
                    "",
                ),
                row(
                    [
                        TokenRejection::UnencodedPayload(Unencoded::PayloadPresent),
                        TokenRejection::UnencodedPayload(Unencoded::NotCritical),
                        TokenRejection::UnencodedPayload(Unencoded::Detached),
                    ],
                    "The token's header has `b64: false` (RFC 7797), which is not supported.",
                    "",
                ),
                row([TokenRejection::KeyIdNotAString], "`kid` in the token's header is not a string.", ""),
            ],
        },
        Family {
            title: "Claims",
            rows: vec![
                row(
                    [TokenRejection::MissingClaim("{name}".into()), TokenRejection::RegisteredClaimMissing("aud")],
                    "A required claim is missing or null.",
                    "`JWT_REQUIRED_CLAIMS` and the options of the dialect say which are required",
                ),
                row(
                    [TimeClaim::Iat, TimeClaim::Nbf, TimeClaim::Exp].map(TokenRejection::NotANumericDate),
                    "A claim that is a time is not a number, or is beyond ±2⁵³.",
                    "",
                ),
                row(
                    [TokenRejection::IssuedInTheFuture],
                    "`iat` lies in the future, beyond `JWT_LEEWAY`.",
                    "set the clock of who issues tokens",
                ),
                row(
                    [TokenRejection::NotYetValid],
                    "`nbf` lies in the future, beyond the leeway.",
                    "set the clock of who issues tokens",
                ),
                row([TokenRejection::Expired], "`exp` lies in the past.", "the client refreshes its token, or logs in"),
                row(
                    [TokenRejection::InvalidAudience],
                    "`aud` is not the configured audience; in Flask-JWT's dialect, which has none, the token has an `aud`.",
                    "",
                ),
                row([TokenRejection::InvalidClaimFormat], "`aud` is neither a string nor a list of strings.", ""),
                row(
                    [TokenRejection::IssuerNotText, TokenRejection::InvalidIssuer],
                    "`iss` is not the configured issuer.",
                    "",
                ),
                row(
                    [TokenRejection::SubjectNotText],
                    "`sub` is not a string.",
                    "issue tokens with a string as subject",
                ),
                row([TokenRejection::TokenIdNotText], "`jti` is not a string.", ""),
                row(
                    TokenType::ALL.map(|wanted| TokenRejection::WrongType { wanted }),
                    "A refresh token where an access token is required, or the other way round.",
                    "",
                ),
                row(
                    [TokenRejection::NotFresh],
                    "The rule requires a token from a log-in, not from a refresh.",
                    "the client asks for the password again",
                ),
                row([TokenRejection::Revoked], "The token was revoked, or its session ended.", "the client logs in"),
                row(
                    [TokenRejection::ClaimsOutdated],
                    "An attribute was changed that the token's claims are made of (`TOLLGATE_CLAIMS`). The session goes on.",
                    "the client refreshes, or logs in",
                ),
                row(
                    [TokenRejection::RefreshReused],
                    "A spent refresh token was used again: it may be stolen, so its session was ended.",
                    "if many: [operating.md](operating.md#what-to-alarm-on)",
                ),
                row(
                    [TokenRejection::ClaimsRejected],
                    "The application's `token_verification_loader` rejects the claims.",
                    "",
                ),
                row(
                    [TokenRejection::UserUnknown { subject: "{subject}".into() }],
                    "The token is valid, but its user is not in the store.",
                    "",
                ),
                row(
                    [PermissionRejection::ForbiddenPlace],
                    "The request comes from a country or an address that the rule's `countries` or `addresses` do not allow.",
                    "if all are refused: is IP Geolocation on, are `TOLLGATE_TRUSTED_PROXIES` right? `tollgate route test GET /path --header 'CF-IPCountry: DE'`",
                ),
                row(
                    [PermissionRejection::InsufficientPermissions],
                    "The token's claims do not meet the rule's `require`.",
                    "`tollgate token inspect` shows the token's claims (a role that is missing there is not in `TOLLGATE_CLAIMS`); `tollgate route test GET /path --claims '{…}'` says which condition fails",
                ),
                row(
                    [PermissionRejection::TooManyRequests],
                    "More requests of this user, or without a token from this address, than the limiter of the rule's `rate` allows.",
                    "the client waits",
                ),
                row(
                    [PermissionRejection::ForeignSocket],
                    "A WebSocket handshake with a token in a cookie, from another site's page or from no page.",
                    "`TOLLGATE_PUBLIC_URL` is the address that browsers use",
                ),
            ],
        },
        Family {
            title: "Bodies",
            rows: vec![
                row([LoginRejection::BodyNotDeclaredJson], "The body's `Content-Type` is not JSON.", ""),
                row([BodyRejection::NotAnObject], "The body is not JSON, or not an object.", ""),
                row(
                    [
                        BodyRejection::TooLarge { limit: Some(login::MAX_BODY_BYTES) },
                        BodyRejection::TooLarge { limit: None },
                    ],
                    "The body is longer than the limit in the text.",
                    "",
                ),
                row(
                    [BodyRejection::TooMany],
                    "One instance is already reading as many bodies as it can hold.",
                    "if often: clients send bodies very slowly; block them with a rule of Cloudflare's firewall",
                ),
                row(
                    [BodyRejection::FieldTooLong { field: name(), limit: 1024 }],
                    "A name or password is longer than the limit in the text.",
                    "",
                ),
                row([BodyRejection::Interrupted], "The body stopped before its end.", ""),
                row([BodyRejection::TooSlow], "The body did not arrive in time.", ""),
            ],
        },
        Family {
            title: "Log-in, passwords and sessions",
            rows: vec![
                row(
                    [LoginRejection::BadCredentials],
                    "Name and password are not those of a user; or members are missing, empty, not strings, or too many.",
                    "if the user is sure: `tollgate user show NAME`",
                ),
                row(
                    [PasswordRejection::TooManyAttempts { retry_after: 30 }],
                    "Too many passwords were tried for this name, from this address or at this gate. `Retry-After` has the \
                    seconds.",
                    "nothing; a user who can't wait gets a new password: `tollgate user set-password NAME`",
                ),
                row(
                    [PasswordRejection::Weak { text: "{what is wrong with it}".into() }],
                    "A new password is refused: too short, too common, or known from a leak.",
                    "",
                ),
                row([SessionRejection::Unknown], "There is no such session.", ""),
                row(
                    [SessionRejection::NotRevocable],
                    "A log-out with a token that can't be revoked before it expires.",
                    "turn sessions on: [sessions.md](sessions.md)",
                ),
            ],
        },
        Family {
            title: "The operators' endpoint",
            rows: vec![
                row(
                    [PermissionRejection::NotTheOperator],
                    "The request has no `TOLLGATE_ADMIN_SECRET`, or a wrong one.",
                    "if no operator sent it, somebody is guessing the secret: make it long and random (`tollgate secret generate`)",
                ),
                row(
                    [PermissionRejection::BadCommand],
                    "No such command, or a member is missing.",
                    "use the command `tollgate`",
                ),
                row(
                    [PermissionRejection::AttributesTooLong],
                    "With an operator's change the user's attributes would be longer than 16 KiB or deeper than 32 levels, or the claims made of them longer than 2 KiB. Nothing was changed.",
                    "shorten them, or remove some",
                ),
                row(
                    [PermissionRejection::UserDeleted],
                    "An operator changes attributes of a user who was deleted; the store may show the profile for another minute. Nothing was changed.",
                    "",
                ),
            ],
        },
        Family {
            title: "Stores, origin and the gate itself",
            rows: vec![
                row(
                    [UnavailableRejection::Store],
                    "KV or an object did not answer in time, or has a value that can't be read.",
                    "see the events `unreachable` and `record_unusable` of the same time, and Cloudflare's status",
                ),
                row(
                    [UnavailableRejection::DecisionTimeout],
                    "The decision took longer than a minute.",
                    "find out why KV, objects or functions of your application are slow",
                ),
                row(
                    [OriginRejection::Assets],
                    "The static files do not answer, or there is no binding `ASSETS`.",
                    "`tollgate config check`",
                ),
                row(
                    [OriginRejection::Unreachable],
                    "The origin could not be reached.",
                    "is it running? is `ORIGIN`, or the origin's `url` in `ORIGINS`, right?",
                ),
                row(
                    [OriginRejection::Timeout],
                    "The origin did not begin to answer within its `timeout` (`ORIGIN_TIMEOUT` by default).",
                    "see the origin's log; raise the time",
                ),
                row(
                    [InternalRejection::Misconfigured],
                    "The configuration is unsafe or impossible: nothing is served.",
                    "the event `config_problem` says what to write; `tollgate config check`",
                ),
                row(
                    [InternalRejection::ClaimsTooLong],
                    "The claims of a new token (`TOLLGATE_CLAIMS`), or its cookie, would be too long: no token is issued.",
                    "`tollgate user show NAME` has the user's attributes; shorten them, or take fewer",
                ),
                row([InternalRejection::Bug], "A bug of the gate.", "report it"),
                row(
                    [Rejection::Custom(JwtError::new("{error}", "{what your function says}"))],
                    "A function of your application rejected the request, in its own words.",
                    "",
                ),
            ],
        },
    ]
}

/// The second half of the page: the log events.
const LOG: &str = "
## Log events

One JSON object a line, with `level`, `event`, and for an event of a request `request_id` (the answer's `X-Request-Id`) and
`duration_ms`. `TOLLGATE_LOG` selects the levels.

| Event | Level | Members | Meaning | What to do |
|---|---|---|---|---|
| `login` | info | `subject` | A user logged in. | nothing |
| `password_changed` | info | `subject` | A user has a new password. | nothing |
| `hash_renewed` | info | `subject` | A hash was replaced by one at the configured cost. | nothing |
| `passed` | debug | `rule`, `subject` | A request was let through. | nothing |
| `refused` | info; error from status 500 | `reason`, `status`, `rule` | A request was rejected. | see `reason` in the tables above |
| `refused_more` | as `refused` | `reason`, `status`, `count` | More rejections for this reason within a second than are logged one by one (`TOLLGATE_LOG_REFUSALS`). | [operating.md](operating.md#what-to-alarm-on) |
| `record_unusable` | error | `subject`, `reason` | A stored record could not be used: `login_record_unreadable`, `profile_unreadable`, `profile_missing`, `id_of_two_users`, `hash_format`, `hash_cost_too_low`, `hash_cost_too_high`, `hash_memory_too_high`, `hash_pepper_unknown`, `hash_without_node_crypto`, `hash_scrypt_failed`. | `tollgate user show NAME`; for a pepper: check TOLLGATE_PASSWORD_PEPPERS; for `node:crypto`: `tollgate config check` |
| `unreachable` | error | `reason`: the binding | An object, a limiter or a secret in Secrets Store, of this binding, did not answer. | check Cloudflare's status, and the binding in wrangler.toml |
| `pwned_check_failed` | error | `reason` | The leak service did not answer, so a new password was taken unchecked. | if often: check that the gate can reach it |
| `exception` | error | `reason`: its kind; `text`: where | An exception in JavaScript: the request got no answer. | report it |
| `config_problem` | error | `option`, `text` | An error in the configuration: the gate serves nothing. | what `text` says |
| `config_fault` | error | `option`, `text` | Something in the configuration will not work; the gate serves requests. | what `text` says |
| `config_warning` | info | `option`, `text` | The configuration is valid, but unwise. | what `text` says |
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use tollgate::{
        DefaultHandlers,
        json::{Map, Value},
        rules::{
            config::Config,
            gate::{Gate, Rejected},
        },
    };

    #[test]
    fn the_page_is_as_written() {
        let page_there = include_str!("../../docs/errors.md");
        assert!(page_there == page(), "docs/errors.md is not what the gate answers: run `cargo xtask docs`");
    }

    #[test]
    fn the_page_has_each_reason_for_an_unusable_record() {
        let page = page();
        let row = page.lines().find(|line| line.starts_with("| `record_unusable` ")).expect("its row");
        let code = include_str!("../../src/edge/users.rs");
        let logged = code.lines().filter(|line| line.contains("Event::RecordUnusable"));
        let reasons: Vec<&str> = logged.filter_map(|line| line.split("reason: \"").nth(1)?.split('"').next()).collect();
        assert!(reasons.len() > 3, "{reasons:?}");
        assert!(reasons.iter().all(|reason| row.contains(&format!("`{reason}`"))), "{reasons:?}: {row}");
    }

    /// At the endpoints of an account two rejections with the same answer have the same `X-Auth-Error`.
    #[test]
    fn at_an_endpoint_a_code_is_no_finer_than_the_text() {
        let vars = |wire: &str| -> Map<String, Value> {
            [
                ("JWT_SECRET_KEY", "a secret of more than thirty-two bytes"),
                ("TOLLGATE_WIRE", wire),
                ("TOLLGATE_ERROR_CODES", "true"),
            ]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into_iter()
            .collect()
        };
        let dialects: [(&str, &dyn Wording); 2] =
            [("flask-jwt", &FlaskJwt), ("flask-jwt-extended", &FlaskJwtExtended::default())];
        for (wire, dialect) in dialects {
            let config = Config::read(&vars(wire)).config.expect("good");
            let gate = Gate::new(config, DefaultHandlers);
            let mut codes: HashMap<(u16, String), String> = HashMap::new();
            let all = families().into_iter().flat_map(|family| family.rows).flat_map(|row| row.rejections);
            // Those that this dialect never answers with have no text of their own.
            for rejection in all.filter(|rejection| wording::words(rejection, dialect).is_some()) {
                let answer = gate.answer_to(&Rejected::new(rejection.clone(), Some("refresh")));
                let code = answer.header("x-auth-error").expect("a code").to_owned();
                let known = codes.entry((answer.status, answer.body)).or_insert_with(|| code.clone());
                assert_eq!(*known, code, "{wire}: {rejection:?}");
                let elsewhere = gate.answer_to(&Rejected::new(rejection.clone(), Some("/api/*")));
                assert_eq!(elsewhere.header("x-auth-error"), Some(rejection.code()), "{wire}");
            }
            assert!(codes.len() > 30, "{}", codes.len());
        }
    }

    #[test]
    fn a_row_has_one_code_and_a_code_has_one_row() {
        let mut codes = Vec::new();
        for row in families().iter().flat_map(|family| &family.rows) {
            let code = row.rejections[0].code();
            assert!(row.rejections.iter().all(|rejection| rejection.code() == code), "{code}");
            codes.push(code);
        }
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
