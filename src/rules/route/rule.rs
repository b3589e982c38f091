//! One rule of `ROUTES`.

use super::{path, place::Places, requirement::Requirement};
use crate::rules::{
    config::{Location, as_list, as_seconds, options},
    cors::Cors,
    diagnostic::{Diagnostic, did_you_mean},
    json::{Map, Value},
    origin::{self, Forwarding},
    time::Duration,
    token::TokenType,
};

/// The file that the asset server answers for a folder.
pub const INDEX_PAGE: &str = "index.html";

/// A rule of `ROUTES`: a path pattern and what applies to requests that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The index in `ROUTES`, from 0.
    pub index: usize,
    /// The path pattern.
    pub path: String,
    /// The methods that the rule applies to.
    pub methods: Methods,
    /// Whether a token is required.
    pub auth: Auth,
    /// The treatment of an invalid token where none is required.
    pub invalid: Invalid,
    /// The destination of authorized requests.
    pub to: Target,
    /// The realm of the challenge; `None` for `JWT_DEFAULT_REALM`.
    pub realm: Option<String>,
    /// Whether the user is looked up.
    pub user: UserFrom,
    /// The check of revocation, where there are sessions.
    pub revocation: Revocation,
    /// Whether Cloudflare's cache between gate and origin may store answers. Only where `auth` is [`Auth::None`].
    pub cache: bool,
    /// Whether WebSockets and event streams are closed when the token expires.
    pub close_at_expiry: bool,
    /// From where requests may come.
    pub places: Places,
    /// What the token's claims must be.
    pub require: Option<Requirement>,
    /// The binding of the rate limiter that counts requests by user, or by address without one.
    pub rate: Option<String>,
    /// Which pages of other origins may read the answers.
    pub cors: Option<Cors>,
    /// Members for Flask-JWT-Extended's dialect only.
    pub flask_jwt_extended: FlaskJwtExtendedRule,
}

impl Rule {
    /// A rule for tokens that come without a request: in no table, and with no other condition. `path` is its name.
    pub(in crate::rules) fn for_tokens(path: &str, revocation: Revocation, of_token: FlaskJwtExtendedRule) -> Self {
        Self {
            index: usize::MAX,
            path: path.to_owned(),
            methods: Methods::get(),
            auth: Auth::Required,
            invalid: Invalid::Refuse,
            to: Target::Identity,
            realm: None,
            user: UserFrom::Token,
            revocation,
            cache: false,
            close_at_expiry: false,
            places: Places::default(),
            require: None,
            rate: None,
            cors: None,
            flask_jwt_extended: of_token,
        }
    }

    /// Whether the gate looks for a token under this rule. If so, answers may depend on the user and are private.
    #[must_use]
    pub fn looks_at_tokens(&self) -> bool {
        self.auth != Auth::None
    }

    /// Whether a request without a valid token can pass.
    #[must_use]
    pub fn admits_anonymous(&self) -> bool {
        self.auth == Auth::Optional && self.require.is_none()
    }

    /// Where requests are forwarded; `None` if they go to no origin.
    #[must_use]
    pub fn forwarding(&self) -> Option<&Forwarding> {
        match &self.to {
            Target::Origin(forwarding) => Some(forwarding),
            Target::Identity | Target::Assets | Target::Worker => None,
        }
    }
}

/// Arguments of Flask-JWT-Extended's `jwt_required` (docs/compat/flask-jwt-extended.md#jwt_required).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlaskJwtExtendedRule {
    /// Whether the token must be fresh.
    pub fresh: RequiredFreshness,
    /// The required token type.
    pub token_type: TokenType,
    /// The locations to search for a token; `None` for `JWT_TOKEN_LOCATION`.
    pub locations: Option<Vec<Location>>,
    /// Whether the token's type is checked.
    pub verify_type: bool,
    /// Whether the revocation check is skipped, `token_in_blocklist_loader` included.
    pub skip_revocation_check: bool,
}

impl Default for FlaskJwtExtendedRule {
    fn default() -> Self {
        Self {
            fresh: RequiredFreshness::Any,
            token_type: TokenType::Access,
            locations: None,
            verify_type: true,
            skip_revocation_check: false,
        }
    }
}

/// Whether a token must be fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredFreshness {
    /// It need not be fresh.
    Any,
    /// Its claim `fresh` must be `true` or a time in the future.
    Fresh,
    /// It must be fresh and issued no longer ago than this.
    Within(Duration),
}

/// Whether a token is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Requests without a valid token are rejected.
    Required,
    /// Requests without a token are authorized without an identity; a token is verified.
    Optional,
    /// The gate does not look for a token.
    None,
}

/// The treatment of an invalid token where `auth = "optional"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The request is rejected, as where a token is required.
    Refuse,
    /// The request is authorized without an identity.
    Anonymous,
}

/// The destination of authorized requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The gate answers with the identity.
    Identity,
    /// The static files.
    Assets,
    /// An origin.
    Origin(Forwarding),
    /// The application's own code behind the gate.
    Worker,
}

/// The source of the user's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFrom {
    /// The token only.
    Token,
    /// The store: one read. A user who was deleted or disabled is rejected.
    Stored,
}

/// The check of revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Against the isolate's snapshot of the revocations.
    Snapshot {
        /// Whether the last snapshot decides when it is older than `TOLLGATE_REVOCATION_BOUND` and the revocation log
        /// can't be reached. If not, the request is rejected with 503.
        open: bool,
    },
    /// By the account's object, with one call for each request: no token is accepted after its session has ended.
    Strict,
}

/// The methods of a rule: those listed, with HEAD beside GET; or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods {
    names: Vec<String>,
    any: bool,
}

impl Methods {
    /// GET and HEAD.
    #[must_use]
    pub fn get() -> Self {
        Self { names: vec!["GET".into(), "HEAD".into()], any: false }
    }

    /// Reads a list of names, or `["*"]`.
    ///
    /// # Errors
    /// A text for the operator: what to write instead.
    pub fn read(value: &Value) -> Result<Self, String> {
        let instead = || String::from("write a list of methods, such as [\"GET\", \"POST\"], or [\"*\"]");
        let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(instead)?;
        let mut names: Vec<String> = Vec::new();
        let mut any = false;
        for name in list {
            // In any case, as in Flask; a request's method is compared in upper case.
            let name = name.as_str().ok_or_else(instead)?.to_ascii_uppercase();
            if name == "*" {
                any = true;
                continue;
            }
            http::Method::from_bytes(name.as_bytes()).map_err(|_| instead())?;
            let with_head = (name == "GET").then_some("HEAD");
            for name in std::iter::once(name.as_str()).chain(with_head) {
                if !names.iter().any(|known| known == name) {
                    names.push(name.into());
                }
            }
        }
        if any {
            for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                if !names.iter().any(|known| known == name) {
                    names.push(name.into());
                }
            }
        }
        Ok(Self { names, any })
    }

    /// Whether the rule applies to this method. `["*"]` does not include OPTIONS, which the gate answers unless it is
    /// listed.
    #[must_use]
    pub fn contain(&self, method: &str) -> bool {
        (self.any && method != "OPTIONS") || self.names.iter().any(|name| name == method)
    }

    pub(in crate::rules) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// A member of a rule, for the documentation and for suggestions. In Wasm all texts but the name are empty.
pub struct RuleMember {
    /// The name.
    pub name: &'static str,
    /// The type of its values.
    pub kind: &'static str,
    /// The default; `required` if there is none.
    pub default: &'static str,
    /// The description.
    pub meaning: &'static str,
    /// The JSON Schema of its values, as JSON text. Definitions: src/rules/config/options/schema.rs.
    pub schema: &'static str,
}

/// All members of a rule.
pub const RULE_MEMBERS: &[RuleMember] = &lean([
    RuleMember {
        name: "path",
        kind: "`/exact`, `/with/{name}/inside`, `/all/below/*`",
        default: "required",
        meaning: "The path pattern. `{name}` matches one segment, a last `*` the rest of the path, which may be empty: `/api/*` matches `/api/`, but not `/api`. Case and a trailing slash are significant.",
        schema: r##"{"type": "string", "pattern": "^/[^?#%\\\\;]*$"}"##,
    },
    RuleMember {
        name: "to",
        kind: "`identity`, `assets`, `origin`, a name in ORIGINS, `worker`, or a table",
        default: "required",
        meaning: "Where authorized requests go: the gate answers with the identity; the static files; the origin at `ORIGIN`, or the one of that name in ORIGINS; the code of your own worker (docs/library.md), which the stock worker does not have. `{ origin = \"orders\", strip = \"/api\" }` takes `/api` off the front of the path; without `origin` it is the one at `ORIGIN`: [gateway.md](gateway.md#several-origins).",
        schema: r##"{"anyOf": [{"enum": ["identity", "assets", "origin", "worker"]}, {"$ref": "#/definitions/name"}, {"type": "object", "properties": {"origin": {"$ref": "#/definitions/name"}, "strip": {"type": "string", "pattern": "^(/[^/*{}?#%\\\\;]+)*$"}}, "additionalProperties": false}]}"##,
    },
    RuleMember {
        name: "auth",
        kind: "`required`, `optional` or `none`",
        default: "required",
        meaning: "Whether a token is required. With `optional` a request without a token is authorized without an identity; with `none` the gate does not look for one.",
        schema: r##"{"enum": ["required", "optional", "none"]}"##,
    },
    RuleMember {
        name: "methods",
        kind: "list",
        default: r#"["GET"]"#,
        meaning: "The methods that the rule applies to. GET includes HEAD; `[\"*\"]` is every method except OPTIONS.",
        schema: r##"{"$ref": "#/definitions/methods"}"##,
    },
    RuleMember {
        name: "user",
        kind: "`token` or `stored`",
        default: "token",
        meaning: "`stored` looks the user up (one KV read), so that a deleted or disabled user is refused.",
        schema: r##"{"enum": ["token", "stored"]}"##,
    },
    RuleMember {
        name: "require",
        kind: "table of claims, or a list of tables",
        default: "none",
        meaning: "What the token's claims must be, such as `{ role = \"admin\" }`; else 403. With it a request without a valid token is refused, under `auth = \"optional\"` too: [authorization.md](authorization.md).",
        schema: r##"{"$ref": "#/definitions/requirement"}"##,
    },
    RuleMember {
        name: "countries",
        kind: "list of countries, or `{ not = list }`",
        default: "all",
        meaning: "Countries from which requests may come, by their two-letter codes as Cloudflare sends them (`CF-IPCountry`; `T1` is Tor); else 403. A request whose country is not known is refused.",
        schema: r##"{"$ref": "#/definitions/countries"}"##,
    },
    RuleMember {
        name: "addresses",
        kind: "list of address ranges, or `{ not = list }`",
        default: "all",
        meaning: "Addresses from which requests may come, such as `[\"192.0.2.0/24\"]`; else 403. Behind `TOLLGATE_TRUSTED_PROXIES` it is the client's. A request whose address is not known is refused.",
        schema: r##"{"$ref": "#/definitions/addresses"}"##,
    },
    RuleMember {
        name: "rate",
        kind: "name of a rate limiter's binding",
        default: "none",
        meaning: "The limiter that counts requests by the token's user, and requests without a token by address; beyond its limit 429: [authorization.md](authorization.md#how-often).",
        schema: r##"{"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}"##,
    },
    RuleMember {
        name: "revocation",
        kind: "`snapshot` or `strict`",
        default: "snapshot",
        meaning: "How revocation is checked, where there are sessions. `snapshot` makes no call and may miss revocations of the last TOLLGATE_REVOCATION_BOUND; `strict` calls the account's object.",
        schema: r##"{"enum": ["snapshot", "strict"]}"##,
    },
    RuleMember {
        name: "revocation_unknown",
        kind: "`closed` or `open`",
        default: "closed",
        meaning: "If revocations can't be fetched in time: `closed` refuses with 503, `open` uses those known last.",
        schema: r##"{"enum": ["closed", "open"]}"##,
    },
    RuleMember {
        name: "cache",
        kind: "true or false",
        default: "false",
        meaning: "Whether Cloudflare's cache, between gate and origin, may answer requests and store answers. Only with `auth = \"none\"` and an origin. The cache distinguishes URLs, not users: a token is not forwarded with such a request, nor `X-Forwarded-Prefix`, nor the address that the client used (`X-Forwarded-Host`, `-Proto`) unless `TOLLGATE_PUBLIC_URL` fixes it; other cookies are forwarded. All other requests bypass the cache.",
        schema: r##"{"type": "boolean"}"##,
    },
    RuleMember {
        name: "close_at_expiry",
        kind: "true or false",
        default: "false",
        meaning: "Closes a WebSocket (status 1008) or an event stream from the origin at the token's `exp`. Each message then passes through the worker's code, which costs CPU time. If `false`, the runtime forwards messages by itself until client or origin closes the connection.",
        schema: r##"{"type": "boolean"}"##,
    },
    RuleMember {
        name: "cors",
        kind: "table, as TOLLGATE_CORS",
        default: "none",
        meaning: "Which pages of other origins may read the answers: [gateway.md](gateway.md#pages-of-other-origins). The gate then answers preflights, and its `Access-Control-…` fields replace the origin's.",
        schema: r##"{"$ref": "#/definitions/cors"}"##,
    },
    RuleMember {
        name: "realm",
        kind: "text",
        default: "JWT_DEFAULT_REALM",
        meaning: "The realm of the challenge: Flask-JWT's `jwt_required(realm)`.",
        schema: r##"{"type": "string", "pattern": "^[ -~]*$"}"##,
    },
    RuleMember {
        name: "invalid",
        kind: "`refuse` or `anonymous`",
        default: "refuse",
        meaning: "How an invalid token is treated with `auth = \"optional\"`: the request is refused, or authorized without an identity.",
        schema: r##"{"enum": ["refuse", "anonymous"]}"##,
    },
    RuleMember {
        name: "fresh",
        kind: "true, false or a duration",
        default: "false",
        meaning: "Flask-JWT-Extended's `fresh`: whether the token must come from a log-in (claim `fresh`). A duration: from a log-in no longer ago than that.",
        schema: r##"{"anyOf": [{"type": "boolean"}, {"$ref": "#/definitions/positive-duration"}]}"##,
    },
    RuleMember {
        name: "refresh",
        kind: "true or false",
        default: "false",
        meaning: "Flask-JWT-Extended's `refresh`: whether the token must be a refresh token.",
        schema: r##"{"type": "boolean"}"##,
    },
    RuleMember {
        name: "locations",
        kind: "one or a list, as JWT_TOKEN_LOCATION",
        default: "JWT_TOKEN_LOCATION",
        meaning: "Flask-JWT-Extended's `locations`: where a token is looked for, in this order.",
        schema: r##"{"$ref": "#/definitions/locations"}"##,
    },
    RuleMember {
        name: "verify_type",
        kind: "true or false",
        default: "true",
        meaning: "Flask-JWT-Extended's `verify_type`: with `false` both access and refresh tokens are accepted.",
        schema: r##"{"type": "boolean"}"##,
    },
    RuleMember {
        name: "skip_revocation_check",
        kind: "true or false",
        default: "false",
        meaning: "Flask-JWT-Extended's `skip_revocation_check`: with `true` the hook `token_in_blocklist` is not called.",
        schema: r##"{"type": "boolean"}"##,
    },
]);

/// Empties the texts in Wasm, where only the documentation would need them.
const fn lean<const N: usize>(mut table: [RuleMember; N]) -> [RuleMember; N] {
    let mut n = 0;
    while cfg!(all(target_arch = "wasm32", target_os = "unknown")) && n < N {
        (table[n].kind, table[n].default, table[n].meaning, table[n].schema) = ("", "", "", "");
        n += 1;
    }
    table
}

/// Keys of the top level of wrangler.toml, which end up in the last rule if written at the end of the file.
const OF_WRANGLER: [&str; 9] = [
    "workers_dev",
    "preview_urls",
    "compatibility_date",
    "compatibility_flags",
    "route",
    "routes",
    "main",
    "account_id",
    "logpush",
];

/// Notes after the table of members in docs/options.md.
pub const RULE_NOTES: &str = r#"
The most specific pattern wins, whatever the order of rules: a literal segment before `{name}` before `*`. Two rules may
have the same pattern with different methods. A path that no rule matches is answered with 404, a method that no rule
lists with 405.

The gate answers OPTIONS itself (200 with `Allow`, no token needed, as Flask does), unless a rule's `methods` list it:
then the request goes where the rule says, without a check of the token and without an identity, so that an origin can
answer CORS preflights.

A path that gate and origin could read differently is refused with 400: bad escapes, `%2f`, `%5c`, `//`, control
characters, double escapes; and a path to which another rule would apply if case, `;` parameters, dots and spaces at the
end of a segment, or a trailing slash were ignored.
"#;

impl Rule {
    /// Reads a rule. `origins` are the names in `ORIGINS`.
    ///
    /// # Errors
    /// All problems of the rule.
    pub(super) fn read(index: usize, value: &Value, origins: &[&str]) -> Result<Self, Vec<Diagnostic>> {
        let Some(table) = value.as_object() else {
            return Err(vec![Diagnostic::new(format!("ROUTES[{index}]"), "write a table: [[vars.ROUTES]]")]);
        };
        let mut problems = Vec::new();
        let mut problem =
            |member: &str, text: String| problems.push(Diagnostic::new(format!("ROUTES[{index}].{member}"), text));
        for name in table.keys().filter(|name| !RULE_MEMBERS.iter().any(|member| member.name == *name)) {
            // In TOML, keys after the last rule belong to that rule.
            let text = if options::find(name).is_some() {
                "an option, and no member of a rule: move it into vars, in TOML above the first rule".to_owned()
            } else if OF_WRANGLER.contains(&name.as_str()) {
                "of wrangler, and no member of a rule: move it up, above the first table of the file".to_owned()
            } else {
                format!("no such member{}", did_you_mean(name, RULE_MEMBERS.iter().map(|member| member.name)))
            };
            problem(options::shown(name), text);
        }
        let path = match table.get("path").map(Value::as_str) {
            Some(Some(path)) => path::check_pattern(path).map(|()| path.to_owned()),
            Some(None) => Err("write a text in quotes".into()),
            None => Err("missing: write the path the rule is for".into()),
        };
        let path = path.map_err(|text| problem("path", text)).unwrap_or_default();
        let methods = match table.get("methods") {
            None => Methods::get(),
            Some(value) => Methods::read(value).unwrap_or_else(|text| {
                problem("methods", text);
                Methods::get()
            }),
        };
        let to = target(table, &path, origins, &mut problem);
        let is_forwarded = matches!(to, Some(Target::Origin(_)));
        let auth = choice(
            table,
            "auth",
            Some(Auth::Required),
            &[("required", Auth::Required), ("optional", Auth::Optional), ("none", Auth::None)],
            &mut problem,
        );
        let invalid = choice(
            table,
            "invalid",
            Some(Invalid::Refuse),
            &[("refuse", Invalid::Refuse), ("anonymous", Invalid::Anonymous)],
            &mut problem,
        );
        let user = choice(
            table,
            "user",
            Some(UserFrom::Token),
            &[("token", UserFrom::Token), ("stored", UserFrom::Stored)],
            &mut problem,
        );
        let revocation =
            choice(table, "revocation", Some(false), &[("snapshot", false), ("strict", true)], &mut problem);
        let open = choice(table, "revocation_unknown", Some(false), &[("closed", false), ("open", true)], &mut problem);
        let revocation = match (revocation, open) {
            (Some(true), _) => Revocation::Strict,
            (_, open) => Revocation::Snapshot { open: open == Some(true) },
        };
        if revocation == Revocation::Strict && table.contains_key("revocation_unknown") {
            problem("revocation_unknown", "only has a meaning beside revocation = \"snapshot\"".into());
        }
        let realm = match table.get("realm") {
            None => None,
            Some(Value::String(text)) if is_realm(text) => Some(text.clone()),
            Some(_) => {
                problem(
                    "realm",
                    "can't stand in a header: write a text without control characters and letters beyond ASCII".into(),
                );
                None
            }
        };
        let flask_jwt_extended = FlaskJwtExtendedRule::read(table, &mut problem);
        let cache = flag(table, "cache", false, &mut problem);
        if table.contains_key("cache") && (auth != Some(Auth::None) || !is_forwarded) {
            problem(
                "cache",
                "a cache knows no users: leave it out, or write it beside auth = \"none\" and to = \"origin\"".into(),
            );
        }
        let close_at_expiry = flag(table, "close_at_expiry", false, &mut problem);
        if close_at_expiry && (auth == Some(Auth::None) || !is_forwarded) {
            problem("close_at_expiry", "only has a meaning beside to = \"origin\" where a token is looked at".into());
        }
        let cors = table.get("cors").and_then(|value| match Cors::read(value) {
            Ok(cors) => Some(cors),
            Err(wrong) => {
                for (member, text) in wrong {
                    problem(&["cors", &member].join("."), text);
                }
                None
            }
        });
        let require = table.get("require").and_then(|value| match Requirement::read(value) {
            Ok(require) => Some(require),
            Err(wrong) => {
                wrong.into_iter().for_each(|text| problem("require", text));
                None
            }
        });
        let rate = table.get("rate").and_then(|value| match value.as_str() {
            Some(name) if is_binding(name) => Some(name.to_owned()),
            _ => {
                problem("rate", "write the name of a rate limiter's binding, such as \"REPORTS\"".into());
                None
            }
        });
        let places = Places::read(table.get("countries"), table.get("addresses")).unwrap_or_else(|wrong| {
            wrong.into_iter().for_each(|(member, text)| problem(member, text));
            Places::default()
        });
        if table.contains_key("require") {
            if auth == Some(Auth::None) {
                problem("require", "the gate looks at no token beside auth = \"none\": remove one of the two".into());
            }
            if invalid == Some(Invalid::Anonymous) {
                problem("invalid", "no request passes without the claims in require: remove one of the two".into());
            }
        }
        if to == Some(Target::Identity) && auth == Some(Auth::None) {
            problem("auth", "there is no identity to answer with: write \"required\" or \"optional\"".into());
        }
        if auth != Some(Auth::Optional) && table.contains_key("invalid") {
            problem("invalid", "only has a meaning beside auth = \"optional\"".into());
        }
        match (to, auth, invalid, user) {
            (Some(to), Some(auth), Some(invalid), Some(user)) if problems.is_empty() => Ok(Self {
                index,
                path,
                methods,
                auth,
                invalid,
                to,
                realm,
                user,
                revocation,
                cache,
                close_at_expiry,
                places,
                require,
                rate,
                cors,
                flask_jwt_extended,
            }),
            _ => Err(problems),
        }
    }

    /// Whether a request would be treated alike under both, whatever its method and path.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let parts = |rule: &'_ Self| (rule.cache, rule.close_at_expiry);
        parts(self) == parts(other)
            && self.judges_like(other)
            && self.to == other.to
            && self.realm == other.realm
            && self.cors == other.cors
    }

    /// Whether the same requests would pass under both, whatever their method and path.
    pub(in crate::rules) fn judges_like(&self, other: &Self) -> bool {
        let parts = |rule: &'_ Self| (rule.auth, rule.invalid, rule.user, rule.revocation);
        parts(self) == parts(other)
            && self.require == other.require
            && self.rate == other.rate
            && self.places == other.places
            && self.flask_jwt_extended == other.flask_jwt_extended
    }
}

impl FlaskJwtExtendedRule {
    fn read(table: &Map<String, Value>, problem: &mut impl FnMut(&str, String)) -> Self {
        let token_type = if flag(table, "refresh", false, problem) { TokenType::Refresh } else { TokenType::Access };
        let verify_type = flag(table, "verify_type", true, problem);
        let skip_revocation_check = flag(table, "skip_revocation_check", false, problem);
        let fresh = match table.get("fresh") {
            None | Some(Value::Bool(false)) => RequiredFreshness::Any,
            Some(Value::Bool(true)) => RequiredFreshness::Fresh,
            Some(value) => match as_seconds(value) {
                Ok(span) if span > Duration::ZERO => RequiredFreshness::Within(span),
                _ => {
                    problem("fresh", "write true, false or a duration such as \"10m\"".into());
                    RequiredFreshness::Fresh
                }
            },
        };
        let locations = table.get("locations").map(|value| {
            as_list(value).and_then(|list| Location::read_list(&list)).unwrap_or_else(|instead| {
                problem("locations", instead);
                Vec::new()
            })
        });
        Self { fresh, token_type, locations, verify_type, skip_revocation_check }
    }
}

/// Whether this can be the name of a binding: an ECMAScript identifier of ASCII characters, as wrangler wants it.
fn is_binding(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !text.is_empty() && text.bytes().all(is_part) && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether this can be a realm: visible ASCII and spaces. Quotes and backslashes are escaped in the challenge (RFC 9110
/// §5.6.4).
pub(in crate::rules) fn is_realm(text: &str) -> bool {
    text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

/// Reads `to`: a word, or a table with an origin and the start of the path to take off.
fn target(
    table: &Map<String, Value>,
    path: &str,
    origins: &[&str],
    problem: &mut impl FnMut(&str, String),
) -> Option<Target> {
    const WORDS: [&str; 4] = ["identity", "assets", origin::UNNAMED, "worker"];
    let to = table.get("to").unwrap_or(&Value::Null);
    let (word, strip) = match to.as_object() {
        None => (to.as_str(), ""),
        Some(to) => {
            if let Some(name) = to.keys().find(|name| !["origin", "strip"].contains(&name.as_str())) {
                problem("to", format!("{}: no such member: there are origin and strip", options::shown(name)));
                return None;
            }
            let strip = to.get("strip").map_or(Some(""), Value::as_str).unwrap_or("?");
            if !strip.is_empty() && (path::check_pattern(strip).is_err() || !is_start(strip, path)) {
                problem("to", "strip is not the start of the path: write its first segments, such as \"/api\" for \"/api/*\"; without variables, and without a slash at the end".into());
                return None;
            }
            (to.get("origin").map_or(Some(origin::UNNAMED), Value::as_str), strip)
        }
    };
    let forwarding = |origin: &str| Some(Target::Origin(Forwarding { origin: origin.into(), strip: strip.into() }));
    match word {
        Some("identity") if !to.is_object() => Some(Target::Identity),
        Some("assets") if !to.is_object() => Some(Target::Assets),
        Some("worker") if !to.is_object() => Some(Target::Worker),
        Some(origin) if origin == origin::UNNAMED || origins.contains(&origin) => forwarding(origin),
        word => {
            let quoted: Vec<String> = WORDS.iter().chain(origins).map(|word| format!("{word:?}")).collect();
            let meant = did_you_mean(word.unwrap_or_default(), WORDS.iter().chain(origins).copied());
            problem("to", format!("write {}{meant}", quoted.join(" or ")));
            None
        }
    }
}

/// Whether the segments of `start` are the first ones of this pattern, literally. Variables are no start: what they
/// match is not known.
fn is_start(start: &str, pattern: &str) -> bool {
    let rest = pattern.strip_prefix(start);
    !start.ends_with('/')
        && !start.contains(['*', '{'])
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads a boolean member.
fn flag(table: &Map<String, Value>, name: &str, default: bool, problem: &mut impl FnMut(&str, String)) -> bool {
    match table.get(name) {
        None => default,
        Some(Value::Bool(on)) => *on,
        Some(_) => {
            problem(name, "write true or false".into());
            default
        }
    }
}

/// Reads a member that is one of a few words.
fn choice<T: Copy>(
    table: &Map<String, Value>,
    name: &str,
    default: Option<T>,
    words: &[(&str, T)],
    problem: &mut impl FnMut(&str, String),
) -> Option<T> {
    let found = match table.get(name) {
        None => default,
        Some(value) => words.iter().find(|(word, _)| value.as_str() == Some(word)).map(|(_, meaning)| *meaning),
    };
    if found.is_none() {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        problem(name, format!("write {}", words.join(" or ")));
    }
    found
}
