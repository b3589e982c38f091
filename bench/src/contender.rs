//! What is measured, and how Tollgate is configured for it.

use crate::tokens::Use;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::fmt;

/// A server that is measured. Its name is in rows, and that of its files in bench/contenders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    /// JavaScript that answers and verifies nothing.
    Floor,
    /// JavaScript that forwards and verifies nothing.
    FloorForward,
    /// JavaScript that forwards with the header fields that the gate sets, and verifies nothing.
    FloorHeaders,
    /// hono without a gate.
    Hono,
    /// hono with its middleware for JWT.
    HonoJwt,
    /// `jwtVerify` of jose.
    Jose,
    /// workers-rs with jwt-compact.
    WorkersRs,
    /// This repository's worker, as it is deployed.
    Tollgate,
    /// The npm package with code behind the gate, as wrangler bundles it.
    Package,
    /// Flask-JWT-Extended under gunicorn, not in workerd.
    Flask,
    /// PBKDF2 of `@noble/hashes`.
    Noble,
    /// PBKDF2 of `hash-wasm`.
    HashWasm,
    /// PBKDF2 of OpenSSL in Node, not in workerd.
    #[value(name = "openssl")]
    OpenSsl,
    /// PBKDF2 of OpenSSL in Python's hashlib, as a Flask application calls it, not in workerd.
    Hashlib,
}

impl Contender {
    /// Whether it is a module of bench/contenders, which esbuild bundles.
    pub const fn is_bundled(self) -> bool {
        !matches!(self, Self::Tollgate | Self::Package | Self::Flask | Self::Hashlib)
    }

    /// Whether it is a gate of this repository.
    pub const fn is_gate(self) -> bool {
        matches!(self, Self::Tollgate | Self::Package)
    }

    /// The scheme of its `Authorization` header.
    pub const fn prefix(self) -> &'static str {
        if self.is_gate() { "JWT" } else { "Bearer" }
    }

    /// The status that it must answer `/protected` with.
    pub const fn status(self, tokens: Use) -> u16 {
        match (self, tokens) {
            (_, Use::Same | Use::Once | Use::Zipf) | (Self::Floor, Use::Forged) | (Self::Hono, _) => 200,
            (Self::Flask, Use::Forged) => 422,
            (_, Use::Forged | Use::None) => 401,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

/// How Tollgate is configured; the other contenders have no settings.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Variables beside the secret, the origin and the rules.
    pub vars: Vec<(&'static str, &'static str)>,
    /// Whether `/protected` has a requirement ([`REQUIRE`]).
    pub requires: bool,
    /// The origin of `/api/*`; `None` for the one at `ORIGIN`.
    pub to: Option<&'static str>,
    /// Where [`CODE`] goes; `None` for the gate's own answer.
    pub code: Option<&'static str>,
    /// This many rules in place of three.
    pub rules: Option<usize>,
    /// With Durable Objects, and this many revocations in force; `None`: without, and so without sessions.
    pub revoked: Option<usize>,
}

/// The origin as a service binding (`APP`), under the name `app`.
pub const AS_SERVICE: (&str, &str) = ("ORIGINS", r#"[{"name": "app", "service": "APP", "host": "client"}]"#);

/// A rule for `/protected` with a condition that the tokens meet.
pub const REQUIRE: &str = r#"{"scope": "read:orders"}"#;

/// The options of an assertion for each forwarded request. The key is that of RFC 7515 A.3.
pub const ASSERTION: [(&str, &str); 2] = [
    ("TOLLGATE_PUBLIC_URL", "https://gate.example.com"),
    (
        "TOLLGATE_ASSERTION_KEY",
        r#"{"kty": "EC", "crv": "P-256", "kid": "a", "alg": "ES256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#,
    ),
];

/// A path that code behind the gate may answer.
pub const CODE: &str = "/code";

/// A path that the last rule matches, if [`Setting::rules`] is set.
pub const LAST_RULE: &str = "/v2/acme/last";

impl Setting {
    /// Without Durable Objects, with these variables.
    pub fn vars(vars: &[(&'static str, &'static str)]) -> Self {
        Self { vars: vars.to_vec(), ..Self::default() }
    }

    /// With Durable Objects.
    pub fn with_objects(revoked: usize) -> Self {
        Self { revoked: Some(revoked), ..Self::default() }
    }

    /// The value of `ROUTES`.
    pub fn routes(&self) -> Value {
        let Some(count) = self.rules else {
            let mut protected = json!({"path": "/protected", "to": "identity"});
            if self.requires {
                protected["require"] = serde_json::from_str(REQUIRE).unwrap_or_default();
            }
            return json!([
                protected,
                {"path": "/api/*", "methods": ["*"], "to": self.to.unwrap_or("origin")},
                {"path": CODE, "to": self.code.unwrap_or("identity")},
            ]);
        };
        let rule = |number| match number % 4 {
            0 => format!("/v1/area{number}/list"),
            1 => format!("/files{number}/*"),
            2 => format!("/v2/{{tenant}}/things{number}"),
            _ => format!("/v3/{{tenant}}/area{number}/{{item}}"),
        };
        let paths = (1..count).map(rule).chain(["/v2/{tenant}/last".to_owned()]);
        paths.map(|path| json!({"path": path, "to": "identity"})).collect()
    }
}
