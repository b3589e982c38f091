//! The JSON Schema of the variables (src/rules/config/options/schema.rs) against the reader of the configuration: each
//! option and each member of a rule with many values.

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value, json};
use tollgate::rules::{
    config::{
        Bindings, Config, Environment, Secrets,
        options::{self, Family, Secrecy},
    },
    diagnostic::Diagnostic,
    route::RULE_MEMBERS,
};

/// The schema without wrangler's own, which tests/e2e/schema.test.mjs adds.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let mut schema = options::schema();
        schema.as_object_mut().unwrap().remove("allOf").unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V7);
        compiler.add_resource("https://example.com/schema.json", schema).unwrap();
        let index = compiler.compile("https://example.com/schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn accepts(&self, vars: &Value) -> bool {
        let everywhere = [json!({"vars": vars}), json!({"env": {"staging": {"vars": vars}}})];
        let [root, env] = everywhere.map(|config| self.schemas.validate(&config, self.index).is_ok());
        assert_eq!(root, env, "an environment's variables are like those of the root");
        root
    }
}

/// What `config check` refuses of these variables: the names of the options and members.
struct Refused {
    /// Those that stop the gate.
    problems: Vec<String>,
    /// Those that can't work beside the other options.
    faults: Vec<String>,
}

impl Refused {
    /// All that it is about this option.
    fn of(self, option: &str) -> Vec<String> {
        let is_of = |name: &String| name.split(['.', '[']).next() == Some(option);
        self.problems.into_iter().chain(self.faults).filter(is_of).collect()
    }
}

fn refused(vars: &Value) -> Refused {
    let mut vars = vars.as_object().unwrap().clone();
    vars.entry("JWT_SECRET_KEY").or_insert_with(|| "0123456789abcdef".repeat(4).into());
    let loaded = Config::read_from(Environment {
        vars: &vars,
        bindings: Bindings::of(|_| true),
        secrets_store: &[],
        secrets: Secrets::MayBeElsewhere(&["TOLLGATE_ADMIN_SECRET".into(), "TOLLGATE_ASSERTION_KEY".into()]),
        serves_inner: None,
        has_binding: &|name| !name.is_empty(),
        has_limiter: &|_| true,
    });
    let names = |diagnostics: Vec<Diagnostic>| diagnostics.into_iter().map(|diagnostic| diagnostic.option).collect();
    Refused { problems: names(loaded.config.err().unwrap_or_default()), faults: names(loaded.faults) }
}

/// Where schema and reader differ. Nothing may be refused that `config check` accepts; of what stops the gate the
/// schema refuses all but what is [parsed](is_parsed) and what [`FOR_THE_READER`] names.
fn differences(
    name: &str,
    value: &Value,
    accepts: bool,
    refused: &Refused,
    is_of: impl Fn(&str) -> bool,
) -> Option<String> {
    let is_in = |names: &[String]| names.iter().any(|name| is_of(name));
    match (accepts, is_in(&refused.problems)) {
        (false, false) if !is_in(&refused.faults) => Some(format!("refuses what is good: {name} = {value}")),
        (true, true) if !is_parsed(value) && !FOR_THE_READER.contains(&name) => {
            Some(format!("accepts what is wrong: {name} = {value}"))
        }
        _ => None,
    }
}

/// Values of all types, and those that some option or member takes.
fn values() -> Vec<Value> {
    let mut values = vec![Value::Null, json!(true), json!(false)];
    values.extend([
        json!([]),
        json!({}),
        json!([1]),
        json!(["x"]),
        json!([[]]),
        json!({"a": 1}),
        json!([{}]),
        json!([null]),
    ]);
    values.extend(
        [-1, 0, 1, 2, 7, 8, 59, 60, 61, 64, 65, 300, 301, 600, 601, 1023, 1024, 65_534, 65_535].map(Value::from),
    );
    values.extend(
        [99_999, 100_000, 1_000_000, 1_000_001, 1_048_576, 1_048_577, 5_000_000, 5_000_001, 5_000_000_000_i64]
            .map(Value::from),
    );
    values.extend([0.5, 1.5].map(Value::from));
    values.extend(
        [
            "",
            "x",
            "X-Header",
            "true",
            "True",
            "yes",
            "0",
            "7",
            "+7",
            "100000",
            "5m",
            "1.5h",
            "-2",
            "30s",
            "250ms",
            "7 d",
            "for ever",
            " 5m ",
            ".5m",
            "5.",
            "5w",
            "/",
            "/x",
            "/x/*",
            "/{a}/b",
            "x/y",
            "/a b",
            "https://app.example.com",
            "http://127.0.0.1:5000",
            "ftp://x",
            "flask-jwt",
            "flask-jwt-extended",
            "HS256",
            "hs256",
            "ES256",
            "none",
            "headers",
            "cookies",
            "headers,json",
            "headers, json",
            "header",
            "[\"headers\"]",
            "[]",
            "{}",
            "{\"a\": 1}",
            "signature",
            "exp",
            "signature,exp",
            "[\"signature\"]",
            "Strict",
            "lax",
            "None",
            "strict",
            "GET",
            "get",
            "*",
            "required",
            "optional",
            "identity",
            "assets",
            "origin",
            "worker",
            "orders",
            "token",
            "stored",
            "snapshot",
            "closed",
            "open",
            "refuse",
            "anonymous",
            "off",
            "error",
            "info",
            "debug",
            "DE",
            "192.0.2.0/24",
            "REPORTS",
            "1REPORTS",
            "scrypt:32768:8:1",
            "attributes.role",
            "a\u{e9}",
        ]
        .map(Value::from),
    );
    let lists = [
        json!(["headers"]),
        json!(["headers", "cookies"]),
        json!(["headers", "x"]),
        json!(["signature", "exp"]),
        json!(["exp"]),
        json!(["HS256", "EdDSA"]),
        json!(["GET", "POST"]),
        json!(["*"]),
        json!([""]),
        json!(["get"]),
        json!(["DE", "AT"]),
        json!(["192.0.2.0/24"]),
        json!(["X-Forwarded-For"]),
        json!(["scrypt:32768:8:1"]),
        json!(["GET", 1]),
    ];
    values.extend(lists);
    let tables = [
        json!({"methods": ["POST"]}),
        json!({"methods": []}),
        json!({"methods": "POST"}),
        json!({"role": "attributes.role"}),
        json!({"role": "role"}),
        json!({"role": "admin"}),
        json!({"role": ["a", "b"]}),
        json!({"role": []}),
        json!({"role": null}),
        json!({"role": {"not": "a"}}),
        json!({"role": {"has": ["a"]}}),
        json!({"role": {"is": 1}}),
        json!({"role": {"not": 1, "has": 1}}),
        json!([{"role": "admin"}, {"scope": "read"}]),
        json!({"": "x"}),
        json!({"role": 1.5}),
        json!({"role": {"not": {}}}),
        json!({"not": ["DE"]}),
        json!({"not": []}),
        json!({"not": ["192.0.2.0/24"]}),
        json!({"not": ["DE"], "x": 1}),
        json!({"not": "DE"}),
        json!({"X-User-Role": "role"}),
        json!({"X-User-Role": ""}),
        json!({"X-User-Role": 1}),
        json!({"origin": "origin"}),
        json!({"origin": "origin", "strip": "/x"}),
        json!({"strip": "/x"}),
        json!({"to": "origin"}),
        json!({"strip": 1}),
        json!({"keys": []}),
        json!({"keys": [{"kty": "oct"}]}),
        json!({"keys": 1}),
        json!({"origins": ["https://app.example.com"]}),
        json!({"origins": "*"}),
        json!({"origins": []}),
        json!({"origins": 1}),
        json!({"credentials": true}),
        json!({"origins": ["*"], "credentials": "true"}),
        json!({"origins": ["*"], "headers": ["X-A"], "expose": "X-B", "max_age": "1h"}),
        json!({"origins": ["*"], "max_age": -1}),
        json!({"origins": ["*"], "max_age": "x"}),
        json!({"origins": ["*"], "x": 1}),
        json!([{"path": "/a", "to": "identity"}]),
        json!([{"path": "/a"}]),
        json!([{"to": "identity"}]),
        json!([{"path": "/a", "to": "identity", "x": 1}]),
        json!([{"name": "orders", "url": "https://orders.example.com"}]),
        json!([{"name": "orders", "service": "S"}]),
        json!([{"name": "orders"}]),
        json!([{"url": "https://orders.example.com"}]),
        json!([{"name": "origin", "service": "S"}]),
        json!([{"name": "a b", "service": "S"}]),
        json!([{"name": "o", "service": "S", "prefix": "/v2", "timeout": "10s", "headers": {"X-A": "b"}, "host": "client"}]),
        json!([{"name": "o", "service": "S", "prefix": "v2"}]),
        json!([{"name": "o", "service": "S", "prefix": "/v2/"}]),
        json!([{"name": "o", "service": "S", "timeout": 0}]),
        json!([{"name": "o", "service": "S", "timeout": 601}]),
        json!([{"name": "o", "service": "S", "host": "x"}]),
        json!([{"name": "o", "service": "S", "headers": {"X-A": {"secret": "K"}}}]),
        json!([{"name": "o", "service": "S", "headers": {"X-A": {"k": "K"}}}]),
        json!([{"name": "o", "service": "S", "headers": []}]),
        json!([{"name": "o", "service": 1}]),
        json!([{"name": "o", "service": "S", "x": 1}]),
        json!([{"name": "o", "url": "orders.example.com"}]),
    ];
    values.extend(tables);
    values
}

/// Whether the schema leaves this text to the reader: JSON, or a number or duration with a limit.
fn is_parsed(value: &Value) -> bool {
    let numeric = |c: char| c.is_ascii_digit() || " +-.msh".contains(c);
    value.as_str().is_some_and(|text| {
        text.starts_with(['[', '{']) || text.contains(|c: char| c.is_ascii_digit()) && text.chars().all(numeric)
    })
}

/// What else only the reader can say: whether a key, a method of hashing, a claim or a field is one, which keys and
/// origins there are, and what another option allows.
const FOR_THE_READER: [&str; 9] = [
    "JWT_KEYS",
    "JWT_PUBLIC_KEY",
    "JWT_DECODE_ALGORITHMS",
    "TOLLGATE_PASSWORD_KINDS",
    "TOLLGATE_ASSERTION_CLAIMS",
    "TOLLGATE_CLAIM_HEADERS",
    "TOLLGATE_PUBLIC_URL",
    "TOLLGATE_COOKIE_REFRESH_WITHIN",
    "to",
];

#[test]
fn the_schema_agrees_with_the_reader_about_each_option() {
    let schema = Validator::new();
    let mut wrong = Vec::new();
    for option in options::TABLE.iter().filter(|option| option.secrecy != Secrecy::Secret) {
        let wire = if option.family == Family::ExtendedOnly { "flask-jwt-extended" } else { "flask-jwt" };
        for value in values() {
            let mut vars = json!({"TOLLGATE_WIRE": wire, option.name: value});
            if option.name.contains("_COOKIE_") {
                vars["JWT_TOKEN_LOCATION"] = "headers,cookies".into();
            }
            if option.name == "JWT_COOKIE_SAMESITE" {
                vars["JWT_COOKIE_SECURE"] = true.into();
            }
            if option.name == "TOLLGATE_JWKS_URL" {
                vars["JWT_ALGORITHM"] = "EdDSA".into();
                vars["JWT_PUBLIC_KEY"] = include_str!("keys/ed25519.pub.pem").into();
            }
            let is_of = |name: &str| name.split(['.', '[']).next() == Some(option.name);
            wrong.extend(differences(option.name, &value, schema.accepts(&vars), &refused(&vars), is_of));
        }
    }
    assert!(wrong.is_empty(), "the schema\n{}", wrong.join("\n"));
}

#[test]
fn the_schema_agrees_with_the_reader_about_each_member_of_a_rule() {
    let schema = Validator::new();
    let mut wrong = Vec::new();
    for member in RULE_MEMBERS {
        for value in values() {
            let mut rule = json!({"path": "/x/*", "to": "origin"});
            match member.name {
                "invalid" => rule["auth"] = "optional".into(),
                "cache" => rule["auth"] = "none".into(),
                _ => {}
            }
            rule[member.name] = value.clone();
            let vars =
                json!({"TOLLGATE_WIRE": "flask-jwt-extended", "ORIGIN": "https://app.example.com", "ROUTES": [rule]});
            let is_of = |name: &str| {
                name.strip_prefix("ROUTES[0].").and_then(|rest| rest.split('.').next()) == Some(member.name)
            };
            wrong.extend(differences(member.name, &value, schema.accepts(&vars), &refused(&vars), is_of));
        }
    }
    assert!(wrong.is_empty(), "the schema\n{}", wrong.join("\n"));
}

/// The values that schema and reader accept for this member, in the variables that `vars_with` makes of it.
fn good_values(
    schema: &Validator,
    option: &str,
    member: &str,
    vars_with: impl Fn(&[(&str, &Value)]) -> Value,
) -> Vec<Value> {
    let is_good = |vars: &Value| schema.accepts(vars) && refused(vars).of(option).is_empty();
    values().into_iter().filter(|value| is_good(&vars_with(&[(member, value)]))).collect()
}

/// Each two members of a table with each two values that are good by themselves, or are words that another member has
/// to allow: the schema and the reader accept the same.
fn compare_pairs(option: &str, members: &[(&str, &[&str])], vars_with: impl Fn(&[(&str, &Value)]) -> Value) {
    let schema = Validator::new();
    let values: Vec<(&str, Vec<Value>)> = members
        .iter()
        .map(|&(member, words)| {
            let words = words.iter().map(|word| serde_json::from_str(word).unwrap());
            let good = good_values(&schema, option, member, &vars_with);
            // Of names that may be any, a few.
            let step = good.len().div_ceil(10).max(1);
            (member, good.into_iter().step_by(step).chain(words).collect())
        })
        .collect();
    let (mut wrong, mut compared, mut together) = (Vec::new(), 0, 0);
    for (at, (one, ones)) in values.iter().enumerate() {
        for (other, others) in &values[at + 1..] {
            for (first, second) in ones.iter().flat_map(|first| others.iter().map(move |second| (first, second))) {
                let vars = vars_with(&[(one, first), (other, second)]);
                let names = refused(&vars).of(option);
                compared += 1;
                together += usize::from(!names.is_empty());
                if schema.accepts(&vars) != names.is_empty() {
                    wrong.push(format!("{option}: {one} = {first}, {other} = {second}: {names:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "schema and reader differ in {} of {compared}\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 100 && together > 10, "{option}: {compared} pairs, {together} of them wrong");
}

#[test]
fn the_schema_agrees_with_the_reader_about_two_members_of_a_rule() {
    let members: Vec<(&str, &[&str])> = RULE_MEMBERS
        .iter()
        .filter(|member| member.name != "path")
        .map(|member| {
            let words: &[&str] = match member.name {
                "invalid" => &["\"refuse\"", "\"anonymous\""],
                "cache" => &["true", "false"],
                "realm" => &["\"token\""],
                _ => &[],
            };
            (member.name, words)
        })
        .collect();
    compare_pairs("ROUTES", &members, |written| {
        let mut rule = json!({"path": "/x/*", "to": "origin"});
        written.iter().for_each(|(name, value)| rule[*name] = (*value).clone());
        json!({"TOLLGATE_WIRE": "flask-jwt-extended", "ORIGIN": "https://app.example.com", "ROUTES": [rule]})
    });
}

#[test]
fn the_schema_agrees_with_the_reader_about_two_members_of_cors_and_of_an_origin() {
    let origins = ["[\"*\"]", "\"*\"", "\"https://a.example.com, *\"", "[\"null\"]", "\"[\\\"*\\\"]\""];
    let lists = ["[\"*\"]", "\"X-A, *\"", "\"X-A\""];
    let cors: [(&str, &[&str]); 5] = [
        ("origins", &origins),
        ("credentials", &["true", "false"]),
        ("headers", &lists),
        ("expose", &lists),
        ("max_age", &[]),
    ];
    compare_pairs("TOLLGATE_CORS", &cors, |written| {
        let mut cors = json!({"origins": ["https://app.example.com"]});
        written.iter().for_each(|(name, value)| cors[*name] = (*value).clone());
        json!({"TOLLGATE_CORS": cors})
    });
    let hosts = ["\"client\"", "\"origin\"", "\"x\""];
    let origin: [(&str, &[&str]); 6] = [
        ("url", &[]),
        ("service", &[]),
        ("host", &hosts),
        ("prefix", &["\"/a/../b\"", "\"/a/.b\""]),
        ("timeout", &[]),
        ("headers", &[]),
    ];
    for address in ["url", "service"] {
        compare_pairs("ORIGINS", &origin, |written| {
            let mut origin = json!({"name": "orders"});
            origin[address] = if address == "url" { "https://orders.example.com".into() } else { "ORDERS".into() };
            written.iter().for_each(|(name, value)| origin[*name] = (*value).clone());
            json!({"ORIGINS": [origin]})
        });
    }
}

#[test]
fn the_schema_knows_secrets_and_misspelt_names() {
    let schema = Validator::new();
    for option in options::TABLE.iter().filter(|option| option.secrecy == Secrecy::Secret) {
        assert!(!schema.accepts(&json!({option.name: "0123456789abcdef".repeat(4)})), "{}", option.name);
        assert!(schema.accepts(&json!({option.name: ""})), "{}", option.name);
    }
    assert!(!schema.accepts(&json!({"JWT_ACESS_TOKEN_EXPIRES": 60})));
    assert!(schema.accepts(&json!({"GREETING": "hi", "MY_JWT_THING": [1]})));
}

#[test]
fn the_schema_describes_each_option_and_member() {
    let schema = options::schema();
    let is_described = |members: &Value, name: &str| {
        members["properties"][name]["description"].as_str().is_some_and(|text| text.len() > 20)
    };
    assert!(options::TABLE.iter().all(|option| is_described(&schema["definitions"]["vars"], option.name)));
    assert!(RULE_MEMBERS.iter().all(|member| is_described(&schema["definitions"]["rule"], member.name)));
    assert_eq!(schema["definitions"]["vars"]["properties"]["JWT_LEEWAY"]["default"], 10);
}
