//! `tollgate token`: made, and taken apart.
//!
//! **What always holds:** what is wrong with a token is found by the gate's own rules. Where there is no key, they are
//! asked about a copy signed with a placeholder, so that everything but the signature is judged.

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
    dialect::{FlaskJwt, wording},
    gate::{Gate, TokenSpec},
    hooks::{DefaultHandlers, Handlers},
    identity::Identity,
    json::{self, Map, NotAnObject, Value},
    rejection::{Malformed, Rejection, TokenRejection},
    secret::Secret,
    time::{Duration, NumericDate, Timestamp},
    token::{self, Algorithm, ClaimsPolicy, Key, KeySet, MAX_TOKEN_BYTES, NoKey, TimeChecks},
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a token with the configured key, as a log-in would
    #[command(
        after_help = "Examples:\n  tollgate token mint --id 7\n  tollgate token mint --id 7 --claim 'role=\"admin\"' --expires 1h\n  curl -H \"Authorization: JWT $(tollgate token mint --id 7)\" http://127.0.0.1:8787/protected"
    )]
    Mint {
        /// Whose token it is: 7 is a number, abc or '"7"' a text
        #[arg(long, allow_hyphen_values = true)]
        id: String,
        /// Another claim, its value as JSON
        #[arg(long = "claim", value_name = "NAME=JSON", value_parser = claim)]
        claims: Vec<(String, Value)>,
        /// How long it lives: 90, 5m, 1h, 7d; -5m is expired already
        #[arg(long, value_name = "DURATION", value_parser = span, allow_hyphen_values = true)]
        expires: Option<Duration>,
        #[command(flatten)]
        selection: Selection,
    },
    /// Take a token apart and say what is wrong with it
    ///
    /// Needs no key: then everything but the signature is judged, by Flask-JWT's defaults. With --verify the configured
    /// key and options count. Exit code 0: nothing is wrong, 1: the gate would refuse it.
    #[command(
        after_help = "Examples:\n  tollgate token inspect eyJ0eXAi…\n  pbpaste | tollgate token inspect --verify"
    )]
    Inspect {
        /// The token; standard input if it is not there
        token: Option<String>,
        /// Check the signature with the configured key, and the claims by the configured options
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        selection: Selection,
    },
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Mint { id, claims, expires, selection } => mint(&id, claims, expires, &selection, output),
        Command::Inspect { token, verify, selection } => {
            let token = match token {
                Some(token) => token,
                None => prompt::token()?,
            };
            inspect(bare(&token), verify.then_some(&selection), output)
        }
    }
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=JSON")?;
    let value = serde_json::from_str(value)
        .map_err(|_| format!("the value is not JSON; a text needs quotes of its own: --claim '{name}=\"…\"'"))?;
    Ok((name.to_owned(), value))
}

fn span(text: &str) -> Result<Duration, String> {
    Duration::parse(text).ok_or_else(|| "write a duration such as 90, 5m, 1h or 7d".into())
}

fn mint(
    id: &str,
    extra: Vec<(String, Value)>,
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
            let new =
                TokenSpec { expires: expires.map(Some), claims: extra.into_iter().collect(), ..TokenSpec::default() };
            gate.create_token(&identity, new, &secret::random()?, now).ok().map(|(token, _)| token)
        }
    };
    let token = made.ok_or_else(no_key_signs)?;
    let claims = Parts::of(&token).claims.unwrap_or_default();
    let verdict = config.tokens.verify(&token, now);
    if let Err(rejection) = &verdict {
        warning(&format!("the gate refuses this token: {}", why(rejection)));
    }
    output.result(
        &token,
        &json!({"token": token, "claims": claims, "refused": verdict.as_ref().err().map(TokenRejection::code)}),
    );
    Ok(Exit::Good)
}

/// A token without the scheme before it, as people paste it.
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
    let (wrong, signature) = match verify {
        Some(selection) => {
            let config = WranglerConfig::read(selection)?.gate_config()?;
            match config.tokens.verify(token, now) {
                Ok(_) => (Vec::new(), "good: it is the configured key's"),
                Err(TokenRejection::BadSignature) => (vec![TokenRejection::BadSignature], "bad"),
                Err(rejection) => {
                    if rejection == TokenRejection::AlgorithmNotAllowed {
                        no_key =
                            parts.header.as_ref().ok().and_then(|header| why_no_key(config.tokens.keys(), header, now));
                    }
                    let before = matches!(
                        rejection,
                        TokenRejection::Malformed(_) | TokenRejection::AlgorithmNotAllowed | TokenRejection::TooLong
                    );
                    (
                        vec![rejection],
                        if before {
                            "not checked: the token is refused before"
                        } else {
                            "good: it is the configured key's"
                        },
                    )
                }
            }
        }
        None => (wrong_but_for_signature(token, &parts, now), "not checked: --verify does, with the configured key"),
    };
    let claims = parts.claims.as_ref().ok();
    let mut text = String::new();
    for (title, members) in [("header", parts.header.as_ref().ok()), ("claims", claims)] {
        match members {
            Some(members) => {
                text += &format!("{title}\n");
                for (name, value) in members {
                    let words = if title == "claims" { time_in_words(name, value, now) } else { None };
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
    for rejection in &wrong {
        text += &format!("  refused: {} ({})\n", words(rejection), rejection.code());
    }
    if wrong.is_empty() {
        text += if verify.is_some() { "  good\n" } else { "  nothing wrong is seen without the key\n" };
    }
    let times: Map<String, Value> = claims
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), time_in_words(name, value, now)?.into())))
        .collect();
    let wrong_json: Vec<Value> = wrong
        .iter()
        .map(|rejection| {
            let mut wrong =
                json!({"code": rejection.code(), "text": words(rejection), "client": client_words(&rejection.clone().into())});
            if let Some((reason, _)) = no_key.as_ref().filter(|_| *rejection == TokenRejection::AlgorithmNotAllowed) {
                wrong["reason"] = (*reason).into();
            }
            wrong
        })
        .collect();
    let json = json!({
        "header": parts.header.as_ref().ok(), "claims": claims, "times": times,
        "signature": signature.split(':').next(), "wrong": wrong_json,
    });
    output.result(&text, &json);
    Ok(if wrong.is_empty() { Exit::Good } else { Exit::Refused })
}

/// The same sentence for a whole token.
pub fn why_no_key_of(keys: &KeySet, token: &str, now: Timestamp) -> Option<String> {
    Some(why_no_key(keys, &Parts::of(token).header.ok()?, now)?.1)
}

/// Why no key of the gate may verify a token with this header: a stable code, and a sentence. The
/// answer to a client has less detail.
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
            ("algorithm_unknown", format!("its alg is {}, and the gate's keys have {algorithms}", shown(algorithm)))
        }
        NoKey::OtherAlgorithm { key, token } if is_named => (
            "algorithm_of_another_key",
            format!("its alg is {}, and the key that its kid {} names has {}", token.name(), shown(id), key.name()),
        ),
        NoKey::OtherAlgorithm { token, .. } => (
            "algorithm_of_another_key",
            format!(
                "its alg is {}, and the gate's keys have {algorithms} (JWT_ALGORITHM, JWT_DECODE_ALGORITHMS, JWT_KEYS)",
                token.name()
            ),
        ),
        NoKey::UnknownId => {
            let ids = joined(&mut keys.all().filter_map(|key| key.id().map(|id| format!("\"{}\"", visible(id)))));
            ("key_unknown", format!("its kid {} names no key of the gate, whose keys are {ids} (JWT_KEYS)", shown(id)))
        }
        NoKey::Ended(end) => (
            "key_ended",
            format!(
                "its key {} ended at {} ({}): not_after of JWT_KEYS. The user must log in again",
                shown(id),
                end.utc(),
                clock::distance(end.seconds() - now.numeric_date().seconds())
            ),
        ),
    })
}

/// Header and claims as far as they can be read, to be shown.
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

/// Everything that Flask-JWT's defaults find wrong, one refusal each, the signature left aside.
fn wrong_but_for_signature(token: &str, parts: &Parts, now: Timestamp) -> Vec<TokenRejection> {
    let policy = |required: &[&str], checks| ClaimsPolicy {
        required: required.iter().map(|&name| name.to_owned()).collect(),
        checks,
        leeway: Duration::seconds(10),
    };
    let none = TimeChecks { exp: false, nbf: false, iat: false };
    let algorithm = parts.header.as_ref().ok().and_then(|header| Algorithm::from_name(header.get("alg")?.as_str()?));
    let keys = placeholder();
    // The token as it is: the compact form, and `alg`.
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
    // Its claims, one check at a time.
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
    // Its header, on a copy that is signed.
    let mut header = header.clone();
    header.insert("alg".into(), Algorithm::Hs256.name().into());
    let copy = keys.signing().map(|key| token::sign(key, &header, &Map::new())).unwrap_or_default();
    found(token::verify(&copy, &keys, &policy(&[], none), now).map(drop));
    wrong
}

fn no_key_signs() -> Failure {
    Failure::refused(
        "this gate has no key that signs: it verifies the tokens of another issuer",
        "give JWT_PRIVATE_KEY or JWT_KEYS a private key",
    )
}

/// A ring with any key: it is not the signature that is looked at.
pub fn placeholder() -> KeySet {
    let key = Key::symmetric(Algorithm::Hs256, &Secret::new("-".repeat(64)), None, false);
    key.map_or_else(|_| KeySet::verifying([]), |key| KeySet::new(key, []))
}

fn time_in_words(name: &str, value: &Value, now: Timestamp) -> Option<String> {
    if !["exp", "iat", "nbf"].contains(&name) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // out of range saturates, and is no date on the next line
    let seconds = value
        .as_i64()
        .or_else(|| value.as_f64().map(|seconds| seconds as i64))
        .or_else(|| value.as_str()?.parse().ok())?;
    let date = NumericDate::new(seconds)?;
    Some(format!("{}, {}", date.utc(), clock::distance(date.seconds() - now.numeric_date().seconds())))
}

/// What a client is told.
pub fn client_words(rejection: &Rejection) -> String {
    wording::words(rejection, &FlaskJwt).map(|words| words.text.into_owned()).unwrap_or_default()
}

/// What is wrong with a token, for an operator.
pub fn why(rejection: &TokenRejection) -> String {
    match rejection {
        TokenRejection::TooLong => format!("longer than {MAX_TOKEN_BYTES} bytes"),
        TokenRejection::Malformed(part) => match part {
            Malformed::NotEnoughSegments => {
                "not a token: it has fewer than two dots (header.claims.signature); was it cut short?"
            }
            Malformed::HeaderEncoding => "the header is not base64url without padding",
            Malformed::HeaderNotJson => "the header is not JSON, or has a member twice",
            Malformed::HeaderNotAnObject => "the header is JSON, but no object",
            Malformed::PayloadEncoding => {
                "the claims are not base64url without padding (or the token has more than two dots)"
            }
            Malformed::PayloadNotJson => "the claims are not JSON, or have a member twice",
            Malformed::PayloadNotAnObject => "the claims are JSON, but no object",
            Malformed::SignatureEncoding => "the signature is not base64url without padding; was the token cut short?",
        }
        .into(),
        TokenRejection::AlgorithmNotAllowed => {
            format!("a gate can't verify its alg, only {}", Algorithm::ALL.map(Algorithm::name).join(", "))
        }
        TokenRejection::BadSignature => {
            "the signature is not that of the configured key: signed with another key, or changed since".into()
        }
        TokenRejection::MissingClaim(name) => {
            format!("the claim {name:?} is missing or null (JWT_REQUIRED_CLAIMS)")
        }
        TokenRejection::NotANumericDate(claim) => {
            format!("the claim {:?} is no time: it must be seconds since 1970", claim.name())
        }
        TokenRejection::IssuedInTheFuture => {
            "issued in the future (iat): does the issuer's clock run ahead? JWT_LEEWAY allows for some".into()
        }
        TokenRejection::NotYetValid => "not yet good (nbf lies in the future): does a clock run ahead?".into(),
        TokenRejection::Expired => "expired (exp lies in the past): log in again".into(),
        TokenRejection::InvalidAudience => "it is for an audience (aud), and this gate is in none".into(),
        TokenRejection::InvalidClaimFormat => "aud is neither a text nor a list of texts".into(),
        TokenRejection::CriticalExtension { .. }
        | TokenRejection::CriticalEmpty
        | TokenRejection::CriticalNotText
        | TokenRejection::CriticalMissing
        | TokenRejection::UnencodedPayload(_) => "it demands an extension (crit or b64) that is not understood".into(),
        TokenRejection::KeyIdNotAString => "kid is not a text".into(),
        TokenRejection::UserUnknown { .. } => {
            "the claim \"identity\" names no user: it must be an integer or a text".into()
        }
        _ => client_words(&rejection.clone().into()),
    }
}
