//! `tollgate token`: making and inspecting tokens.
//!
//! **What always holds:** the gate's own rules find what is wrong with a token. Without a key they verify a copy that
//! is signed with a placeholder, so that everything except the signature is checked.

use crate::{
    clock,
    failure::{Exit, Failure},
    output::{Output, json_line, visible, warning},
    prompt,
    record::id_from_text,
    secret,
    wrangler_config::{Selection, WranglerConfig},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::json;
use tollgate::rules::{
    config::FlaskJwtExtended,
    dialect::{FlaskJwt, wording},
    gate::{Gate, TokenSpec},
    hooks::{DefaultHandlers, Handlers},
    identity::Identity,
    json::{self, Map, NotAnObject, Value},
    rejection::{Malformed, Rejection, TokenRejection},
    secret::Secret,
    time::{Duration, Timestamp},
    token::{self, Algorithm, ClaimsPolicy, Key, KeySet, MAX_TOKEN_BYTES, NoKey, TimeChecks},
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a token with the configured key, as a log-in does
    #[command(
        after_help = "Examples:\n  tollgate token mint --id 7\n  tollgate token mint --id 7 --claim 'role=\"admin\"' --expires 1h\n  curl -H \"Authorization: JWT $(tollgate token mint --id 7)\" http://127.0.0.1:8787/protected"
    )]
    Mint {
        /// Id of the user. 7 is an integer; abc and '"7"' are strings
        #[arg(long, allow_hyphen_values = true)]
        id: String,
        /// Further claim, with a value in JSON; can be repeated
        #[arg(long = "claim", value_name = "NAME=JSON", value_parser = claim)]
        single: Vec<(String, Value)>,
        /// Further claims, as JSON: '{"role":"user"}'
        #[arg(long, value_name = "JSON", value_parser = claims)]
        claims: Option<Map<String, Value>>,
        /// Lifetime: 90 (seconds), 5m, 1h or 7d; -5m makes a token that has expired [default: as configured]
        #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
        expires: Option<Duration>,
        #[command(flatten)]
        selection: Selection,
    },
    /// Decode a token and show what is wrong with it
    ///
    /// Without --verify no key is needed: everything except the signature is checked, by Flask-JWT's defaults. Exit
    /// code 0 if nothing is wrong, 1 if the gate would reject the token.
    #[command(
        after_help = "Examples:\n  tollgate token inspect eyJ0eXAi…\n  pbpaste | tollgate token inspect --verify"
    )]
    Inspect {
        /// The token [default: standard input]
        token: Option<String>,
        /// Also check the signature, with the configured key; check the claims by the configured options
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        selection: Selection,
    },
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Mint { id, single, claims, expires, selection } => {
            let extra = claims.into_iter().flatten().chain(single).collect();
            mint(&id, extra, expires, &selection, output)
        }
        Command::Inspect { token, verify, selection } => {
            let token = match token {
                Some(token) => token,
                None => prompt::token()?,
            };
            inspect(bare(&token), verify.then_some(&selection), output)
        }
    }
}

/// Reads claims that are written as one JSON object.
pub fn claims(text: &str) -> Result<Map<String, Value>, String> {
    json::object(text.as_bytes()).map_err(|_| "write a JSON object, such as '{\"role\":\"user\"}'".into())
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=JSON")?;
    let value = serde_json::from_str(value)
        .map_err(|_| format!("the value is not JSON; a string needs its own quotes: --claim '{name}=\"…\"'"))?;
    Ok((name.to_owned(), value))
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text).ok_or_else(|| "write a duration such as 90, 5m, 1h or 7d".into())
}

fn mint(
    id: &str,
    extra: Map<String, Value>,
    expires: Option<Duration>,
    selection: &Selection,
    output: Output,
) -> Result<Exit, Failure> {
    let toml = WranglerConfig::read(selection)?;
    let mut config = toml.gate_config()?;
    config.expiration_delta = expires.unwrap_or(config.expiration_delta);
    let now = clock::now();
    let identity = Identity::new(id_from_text(id));
    if config.tokens.keys().signing().is_none() {
        return Err(no_key_signs());
    }
    let gate = Gate::new(config, DefaultHandlers);
    let config = gate.config();
    let made = match config.flask_jwt_extended() {
        None => {
            let mut claims = DefaultHandlers.payload(&identity, config, now);
            claims.extend(extra);
            config.tokens.keys().signing().map(|key| token::sign(key, &Map::new(), &claims))
        }
        Some(_) => {
            let new = TokenSpec { expires: expires.map(Some), claims: extra, ..TokenSpec::default() };
            gate.create_token(&identity, new, &secret::random()?, now).ok().map(|(token, _)| token)
        }
    };
    let token = made.ok_or_else(no_key_signs)?;
    let claims = Parts::of(&token).claims.unwrap_or_default();
    let verdict = config.tokens.verify(&token, now);
    if let Err(rejection) = &verdict {
        warning(&format!("the gate rejects this token: {}", why(rejection)));
    }
    output.result(
        &token,
        &json!({"token": token, "claims": claims, "refused": verdict.as_ref().err().map(TokenRejection::code)}),
    );
    Ok(Exit::Success)
}

/// The token in a pasted header or header value: without field name and scheme.
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("Authorization:").unwrap_or(text).trim_start();
    match text.split_once([' ', '\t']) {
        Some((scheme, token)) if !scheme.contains('.') => token.trim(),
        _ => text,
    }
}

fn inspect(token: &str, verify: Option<&Selection>, output: Output) -> Result<Exit, Failure> {
    let now = clock::now();
    let parts = Parts::of(token);
    let mut no_key = None;
    let (rejections, signature) = match verify {
        Some(selection) => {
            let config = WranglerConfig::read(selection)?.gate_config()?;
            match config.tokens.verify(token, now) {
                Ok(_) => (Vec::new(), "good: made with the configured key"),
                Err(TokenRejection::BadSignature) => (vec![TokenRejection::BadSignature], "bad"),
                Err(rejection) => {
                    if rejection == TokenRejection::AlgorithmNotAllowed {
                        no_key =
                            parts.header.as_ref().ok().and_then(|header| why_no_key(config.tokens.keys(), header, now));
                    }
                    let is_before = matches!(
                        rejection,
                        TokenRejection::Malformed(_) | TokenRejection::AlgorithmNotAllowed | TokenRejection::TooLong
                    );
                    (
                        vec![rejection],
                        if is_before {
                            "not checked: the token is rejected before"
                        } else {
                            "good: made with the configured key"
                        },
                    )
                }
            }
        }
        None => (
            rejections_except_signature(token, &parts, now),
            "not checked: add --verify to check it with the configured key",
        ),
    };
    let claims = parts.claims.as_ref().ok();
    let mut text = String::new();
    for (title, members) in [("header", parts.header.as_ref().ok()), ("claims", claims)] {
        match members {
            Some(members) => {
                text += &format!("{title}\n");
                for (name, value) in members {
                    let words = if title == "claims" { time_text(name, value, now) } else { None };
                    let words = words.map_or_else(String::new, |words| format!("  ({words})"));
                    text += &format!("  {} = {}{words}\n", visible(name), json_line(value));
                }
            }
            None => text += &format!("{title}\n  unreadable\n"),
        }
    }
    text += &format!("signature\n  {signature}\nverdict\n");
    let words = |rejection: &TokenRejection| match &no_key {
        Some((_, words)) if *rejection == TokenRejection::AlgorithmNotAllowed => words.clone(),
        _ => why(rejection),
    };
    for rejection in &rejections {
        text += &format!("  rejected: {} ({})\n", words(rejection), rejection.code());
    }
    if rejections.is_empty() {
        text += if verify.is_some() { "  good\n" } else { "  no error found without the key\n" };
    }
    let times: Map<String, Value> = claims
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), time_text(name, value, now)?.into())))
        .collect();
    let wrong: Vec<Value> = rejections
        .iter()
        .map(|rejection| {
            let mut wrong =
                json!({"code": rejection.code(), "text": words(rejection), "client": client_text(&rejection.clone().into())});
            if let Some((reason, _)) =
                no_key.as_ref().filter(|_| *rejection == TokenRejection::AlgorithmNotAllowed)
            {
                wrong["reason"] = (*reason).into();
            }
            wrong
        })
        .collect();
    let json = json!({
        "header": parts.header.as_ref().ok(), "claims": claims, "times": times,
        "signature": signature.split(':').next(), "wrong": wrong,
    });
    output.result(&text, &json);
    Ok(if rejections.is_empty() { Exit::Success } else { Exit::Rejected })
}

/// Why no key of the gate may verify this token, as a sentence. `None` if one may, or the header can't be read.
pub fn why_no_key_of(keys: &KeySet, token: &str, now: Timestamp) -> Option<String> {
    Some(why_no_key(keys, &Parts::of(token).header.ok()?, now)?.1)
}

/// Why no key of the gate may verify a token with this header: a stable code and a sentence, which has more detail than
/// the answer to a client.
fn why_no_key(keys: &KeySet, header: &Map<String, Value>, now: Timestamp) -> Option<(&'static str, String)> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let (algorithm, id) = (text("alg"), text("kid"));
    let shown = |text: Option<&str>| text.map_or("missing".to_owned(), |text| format!("\"{}\"", visible(text)));
    let joined = |all: &mut dyn Iterator<Item = String>| {
        let mut names: Vec<String> = Vec::new();
        all.for_each(|name| {
            if !names.contains(&name) {
                names.push(name)
            }
        });
        names.join(", ")
    };
    let algorithms = joined(&mut keys.all().map(|key| key.algorithm().name().to_owned()));
    let is_named = id.is_some() && keys.all().any(|key| key.id() == id);
    Some(match keys.for_token_at(algorithm, id, now.numeric_date()).err()? {
        NoKey::UnknownAlgorithm => {
            ("algorithm_unknown", format!("its alg is {}; the gate's keys have {algorithms}", shown(algorithm)))
        }
        NoKey::OtherAlgorithm { key, token } if is_named => (
            "algorithm_of_another_key",
            format!("its alg is {}, but the key with its kid {} has {}", token.name(), shown(id), key.name()),
        ),
        NoKey::OtherAlgorithm { token, .. } => (
            "algorithm_of_another_key",
            format!(
                "its alg is {}; the gate's keys have {algorithms} (JWT_ALGORITHM, JWT_DECODE_ALGORITHMS, JWT_KEYS)",
                token.name()
            ),
        ),
        NoKey::UnknownId => {
            let ids = joined(&mut keys.all().filter_map(|key| key.id().map(|id| format!("\"{}\"", visible(id)))));
            ("key_unknown", format!("its kid {} is not a key of the gate, whose keys are {ids} (JWT_KEYS)", shown(id)))
        }
        NoKey::Ended(end) => (
            "key_ended",
            format!(
                "its key {} ended at {} (not_after in JWT_KEYS); the user must log in again",
                shown(id),
                clock::utc_and_distance(end.seconds(), now).unwrap_or_else(|| end.seconds().to_string())
            ),
        ),
    })
}

/// Header and claims, each decoded if possible. Nothing is verified.
struct Parts {
    header: Result<Map<String, Value>, TokenRejection>,
    claims: Result<Map<String, Value>, TokenRejection>,
}

impl Parts {
    fn of(token: &str) -> Self {
        let mut segments = token.splitn(3, '.');
        let (header, claims) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        let read = |segment: &str, faults: [Malformed; 3]| {
            let [encoding, not_json, not_an_object] = faults;
            let bytes = Base64UrlUnpadded::decode_vec(segment).map_err(|_| TokenRejection::Malformed(encoding))?;
            json::object(&bytes).map_err(|fault| {
                TokenRejection::Malformed(match fault {
                    NotAnObject::NotJson => not_json,
                    NotAnObject::OtherType => not_an_object,
                })
            })
        };
        Self {
            header: read(header, [Malformed::HeaderEncoding, Malformed::HeaderNotJson, Malformed::HeaderNotAnObject]),
            claims: read(
                claims,
                [Malformed::PayloadEncoding, Malformed::PayloadNotJson, Malformed::PayloadNotAnObject],
            ),
        }
    }
}

/// All rejections by Flask-JWT's defaults, except for the signature.
fn rejections_except_signature(token: &str, parts: &Parts, now: Timestamp) -> Vec<TokenRejection> {
    let policy = |required: &[&str], checks| ClaimsPolicy {
        required: required.iter().map(|&name| name.to_owned()).collect(),
        checks,
        leeway: Duration::seconds(10),
    };
    let none = TimeChecks { exp: false, nbf: false, iat: false };
    let algorithm = parts.header.as_ref().ok().and_then(|header| Algorithm::from_name(header.get("alg")?.as_str()?));
    let keys = placeholder();
    // The token itself: compact form and `alg`.
    match token::verify(token, &keys, &policy(&[], none), now) {
        Err(rejection @ (TokenRejection::TooLong | TokenRejection::Malformed(_))) => return vec![rejection],
        Err(TokenRejection::AlgorithmNotAllowed) if algorithm.is_none() => {
            return vec![TokenRejection::AlgorithmNotAllowed];
        }
        _ => {}
    }
    let (Ok(header), Ok(claims)) = (&parts.header, &parts.claims) else {
        return parts.claims.as_ref().err().into_iter().cloned().collect();
    };
    // The claims, one check at a time.
    let all = [
        policy(&["exp"], none),
        policy(&["iat"], none),
        policy(&["nbf"], none),
        policy(&[], TimeChecks { iat: true, ..none }),
        policy(&[], TimeChecks { nbf: true, ..none }),
        policy(&[], TimeChecks { exp: true, ..none }),
    ];
    let mut wrong: Vec<TokenRejection> = Vec::new();
    let mut found = |rejection: Result<(), TokenRejection>| {
        if let Err(rejection) = rejection
            && !wrong.contains(&rejection)
        {
            wrong.push(rejection);
        }
    };
    for policy in all {
        found(policy.judge(|name| claims.get(name), now.numeric_date()).map(drop));
    }
    // The header, in a copy that is signed.
    let mut header = header.clone();
    header.insert("alg".into(), Algorithm::Hs256.name().into());
    let copy = keys.signing().map(|key| token::sign(key, &header, &Map::new())).unwrap_or_default();
    found(token::verify(&copy, &keys, &policy(&[], none), now).map(drop));
    wrong
}

fn no_key_signs() -> Failure {
    Failure::rejected(
        "this gate has no signing key: it verifies the tokens of another issuer",
        "set JWT_PRIVATE_KEY, or a private key in JWT_KEYS",
    )
}

/// A key set with a placeholder key, for checks other than that of the signature.
pub fn placeholder() -> KeySet {
    let key = Key::symmetric(Algorithm::Hs256, &Secret::new("-".repeat(64)), None, false);
    key.map_or_else(|_| KeySet::verifying([]), |key| KeySet::new(key, []))
}

/// A time claim as text. `None` for other claims and values that are not times.
fn time_text(name: &str, value: &Value, now: Timestamp) -> Option<String> {
    if !["exp", "iat", "nbf"].contains(&name) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // saturates, and so becomes a time beyond the calendar
    let seconds = value
        .as_i64()
        .or_else(|| value.as_f64().map(|seconds| seconds as i64))
        .or_else(|| value.as_str()?.parse().ok())?;
    clock::utc_and_distance(seconds, now)
}

/// The text of Flask-JWT's answer to a client.
pub fn client_text(rejection: &Rejection) -> String {
    let extended = FlaskJwtExtended::default();
    let words = wording::words(rejection, &FlaskJwt).or_else(|| wording::words(rejection, &extended));
    words.map(|words| words.text.into_owned()).unwrap_or_default()
}

/// Why a token is rejected, for an operator: more detailed than the answer to a client.
pub fn why(rejection: &TokenRejection) -> String {
    match rejection {
        TokenRejection::TooLong => format!("longer than {MAX_TOKEN_BYTES} bytes"),
        TokenRejection::Malformed(part) => match part {
            Malformed::NotEnoughSegments => {
                "not a token: fewer than two dots (header.claims.signature); it may be truncated"
            }
            Malformed::HeaderEncoding => "the header is not base64url without padding",
            Malformed::HeaderNotJson => "the header is not JSON, or has a duplicate member",
            Malformed::HeaderNotAnObject => "the header is JSON, but not an object",
            Malformed::PayloadEncoding => {
                "the claims are not base64url without padding, or the token has more than two dots"
            }
            Malformed::PayloadNotJson => "the claims are not JSON, or have a duplicate member",
            Malformed::PayloadNotAnObject => "the claims are JSON, but not an object",
            Malformed::SignatureEncoding => {
                "the signature is not base64url without padding; the token may be truncated"
            }
        }
        .into(),
        TokenRejection::AlgorithmNotAllowed => {
            format!("no gate supports its alg; supported are {}", Algorithm::ALL.map(Algorithm::name).join(", "))
        }
        TokenRejection::BadSignature => {
            "the signature does not match the configured key: the token was signed with another key, or changed".into()
        }
        TokenRejection::MissingClaim(name) => {
            format!("the claim {name:?} is missing or null (JWT_REQUIRED_CLAIMS)")
        }
        TokenRejection::NotANumericDate(claim) => {
            format!("the claim {:?} is not a time in seconds since 1970", claim.name())
        }
        TokenRejection::IssuedInTheFuture => {
            "issued in the future (iat): the issuer's clock may be ahead; JWT_LEEWAY allows some difference".into()
        }
        TokenRejection::NotYetValid => "not yet valid (nbf is in the future): a clock may be ahead".into(),
        TokenRejection::Expired => "expired (exp is in the past): log in again".into(),
        TokenRejection::InvalidAudience => "it has an audience (aud) that is not this gate's".into(),
        TokenRejection::InvalidClaimFormat => "aud is neither a string nor a list of strings".into(),
        TokenRejection::CriticalExtension { .. }
        | TokenRejection::CriticalEmpty
        | TokenRejection::CriticalNotText
        | TokenRejection::CriticalMissing
        | TokenRejection::UnencodedPayload(_) => "it requires an extension (crit or b64) that is not supported".into(),
        TokenRejection::KeyIdNotAString => "kid is not a string".into(),
        TokenRejection::UserUnknown { .. } => "the claim \"identity\" is not an integer or a string".into(),
        _ => client_text(&rejection.clone().into()),
    }
}
