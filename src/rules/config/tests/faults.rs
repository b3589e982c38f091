//! Faults and warnings of every subject.

use super::*;

#[test]
fn what_is_unwise_or_without_effect_is_told() {
    for (change, word) in [
        (json!({"JWT_VERIFY": false}), "JWT_VERIFY:"),
        (json!({"JWT_VERIFY_EXPIRATION": false}), "JWT_VERIFY_EXPIRATION:"),
        (json!({"JWT_AUTH_ENDPOINT": "x"}), "JWT_AUTH_ENDPOINT:"),
        (json!({"JWT_LEWAY": 1}), "did you mean JWT_LEEWAY?"),
        (json!({"TOLLGATE_LOGS": 1}), "did you mean TOLLGATE_LOG?"),
        (json!({"ORIGN": "x"}), "did you mean ORIGIN?"),
        (json!({"JWT_SECRET_KEY": "super-secret", "TOLLGATE_ALLOW_SHORT_KEY": true}), "TOLLGATE_ALLOW_SHORT_KEY:"),
        (json!({"JWT_VERIFY_CLAIMS": ["signature"]}), "good for ever"),
        (json!({"JWT_VERIFY_CLAIMS": ["signature", "exp", "aud"]}), "\"aud\" has no effect"),
        (json!({"JWT_AUTH_URL_OPTIONS": {}}), "without methods"),
        (json!({"JWT_AUTH_URL_OPTIONS": {"methods": ["POST"], "subdomain": "x"}}), "\"subdomain\" has no effect"),
        (json!({"ORIGIN": "http://app.example.com"}), "write https"),
        (json!({"JWT_EXPIRATION_DELTA": "30d"}), "more than a day"),
        (json!({"TOLLGATE_PASSWORD_PWNED_URL": "https://mirror.example.com"}), "no effect without"),
        (
            json!({"TOLLGATE_PASSWORD_PWNED": true, "TOLLGATE_PASSWORD_PWNED_URL": "http://mirror.example.com"}),
            "can be forged on their way: write https",
        ),
    ] {
        let warnings = warnings(change.clone());
        assert!(warnings.iter().any(|warning| warning.contains(word)), "{change}: {warnings:?}");
    }
    assert_eq!(warnings(json!({"ORIGIN": "http://127.0.0.1:5000", "OTHER": 1})), Vec::<String>::new());
}

#[test]
fn what_will_not_work_is_a_fault_and_does_not_stop_the_gate() {
    let cookies = |more: Value| {
        let mut all = json!({
            "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SECURE": true,
            "JWT_COOKIE_SAMESITE": "Lax", "ROUTES": [{"path": "/api/*", "to": "identity"}],
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let flask_jwt_extended = |more: Value| {
        cookies(json!({"JWT_TOKEN_LOCATION": "headers"}))
            .as_object()
            .map(|all| {
                let mut all = all.clone();
                all.extend(more.as_object().unwrap().clone());
                Value::Object(all)
            })
            .unwrap()
    };
    assert_eq!(faults(cookies(json!({}))), [""; 0]);
    assert_eq!(faults(flask_jwt_extended(json!({}))), [""; 0]);
    for (change, expected) in [
        // Times.
        (json!({"JWT_LEEWAY": -5}), &["JWT_LEEWAY: negative"][..]),
        (json!({"JWT_LEEWAY": 0}), &[]),
        (flask_jwt_extended(json!({"JWT_DECODE_LEEWAY": "-1s"})), &["JWT_DECODE_LEEWAY: negative"]),
        (json!({"JWT_EXPIRATION_DELTA": -1}), &["JWT_EXPIRATION_DELTA: negative"]),
        (json!({"JWT_EXPIRATION_DELTA": 0}), &[]),
        (json!({"JWT_NOT_BEFORE_DELTA": "5m"}), &["JWT_NOT_BEFORE_DELTA: not less"]),
        (json!({"JWT_NOT_BEFORE_DELTA": 299}), &[]),
        (json!({"JWT_NOT_BEFORE_DELTA": -60}), &[]),
        (flask_jwt_extended(json!({"JWT_ACCESS_TOKEN_EXPIRES": -1})), &["JWT_ACCESS_TOKEN_EXPIRES: negative"]),
        (flask_jwt_extended(json!({"JWT_REFRESH_TOKEN_EXPIRES": "-1d"})), &["JWT_REFRESH_TOKEN_EXPIRES: negative"]),
        (json!({"JWT_REQUIRED_CLAIMS": ["role"]}), &["JWT_REQUIRED_CLAIMS: \"role\" is not in"]),
        (json!({"JWT_REQUIRED_CLAIMS": ["role"], "JWT_AUTH_URL_RULE": ""}), &[]),
        // Tokens that the gate makes and refuses.
        (flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": "x"})), &["JWT_DECODE_AUDIENCE: none of these"]),
        (
            flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": "x", "JWT_ENCODE_AUDIENCE": "y"})),
            &["JWT_DECODE_AUDIENCE: none"],
        ),
        (flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": ["x", "y"], "JWT_ENCODE_AUDIENCE": ["y", "z"]})), &[]),
        (flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": "x", "JWT_AUTH_URL_RULE": ""})), &[]),
        (flask_jwt_extended(json!({"JWT_DECODE_ISSUER": "x"})), &["JWT_DECODE_ISSUER: JWT_ENCODE_ISSUER is none"]),
        (flask_jwt_extended(json!({"JWT_DECODE_ISSUER": "x", "JWT_ENCODE_ISSUER": "x"})), &[]),
        // Members of a rule that say nothing where they stand.
        (
            flask_jwt_extended(
                json!({"ROUTES": [{"path": "/a", "to": "assets", "auth": "none", "fresh": true, "user": "stored"}]}),
            ),
            &["ROUTES[0].fresh: no effect beside", "ROUTES[0].user: no effect beside"],
        ),
        (json!({"ROUTES": [{"path": "/a", "to": "assets", "auth": "none", "user": "token"}]}), &[]),
        (
            flask_jwt_extended(json!({"ROUTES": [{"path": "/a", "to": "assets", "fresh": true, "refresh": true}]})),
            &["ROUTES[0].fresh: no refresh"],
        ),
        // Memory.
        (json!({"TOLLGATE_TOKEN_CACHE": 21_845}), &[]),
        (json!({"TOLLGATE_TOKEN_CACHE": 21_846}), &["TOLLGATE_TOKEN_CACHE: more than"]),
        (json!({"TOLLGATE_TOKEN_CACHE": 65_534}), &["TOLLGATE_TOKEN_CACHE: more than"]),
        // Names that mean something else.
        (flask_jwt_extended(json!({"JWT_HEADER_NAME": "Cookie"})), &["JWT_HEADER_NAME: \"Cookie\""]),
        (flask_jwt_extended(json!({"JWT_HEADER_NAME": "host"})), &["JWT_HEADER_NAME: \"host\""]),
        (
            flask_jwt_extended(json!({"JWT_HEADER_NAME": "X-Auth-Subject"})),
            &["JWT_HEADER_NAME: \"X-Auth-Subject\" is the gate's own"],
        ),
        (flask_jwt_extended(json!({"JWT_HEADER_NAME": "X-Token"})), &[]),
        (
            cookies(json!({"JWT_ACCESS_CSRF_HEADER_NAME": "authorization"})),
            &["JWT_ACCESS_CSRF_HEADER_NAME: \"authorization\" is the field of the token"],
        ),
        (cookies(json!({"JWT_REFRESH_CSRF_HEADER_NAME": "Origin"})), &["JWT_REFRESH_CSRF_HEADER_NAME: \"Origin\""]),
        (flask_jwt_extended(json!({"JWT_IDENTITY_CLAIM": "exp"})), &["JWT_IDENTITY_CLAIM: \"exp\""]),
        (flask_jwt_extended(json!({"JWT_IDENTITY_CLAIM": "user"})), &[]),
        (flask_jwt_extended(json!({"JWT_QUERY_STRING_NAME": ""})), &["JWT_QUERY_STRING_NAME: empty"]),
        // What a browser drops, or never sends back.
        (cookies(json!({"JWT_COOKIE_DOMAIN": "localhost:8080"})), &["JWT_COOKIE_DOMAIN: no host name"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "https://example.com"})), &["JWT_COOKIE_DOMAIN: no host name"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "*.example.com"})), &["JWT_COOKIE_DOMAIN: no host name"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "com"})), &["JWT_COOKIE_DOMAIN: a suffix"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": ".example.com"})), &[]),
        (
            cookies(json!({"JWT_COOKIE_DOMAIN": "example.com", "TOLLGATE_PUBLIC_URL": "https://app.example.org"})),
            &["JWT_COOKIE_DOMAIN: does not cover"],
        ),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "example.com", "TOLLGATE_PUBLIC_URL": "https://app.example.com"})), &[]),
        (cookies(json!({"TOLLGATE_PUBLIC_URL": "http://app.example.com"})), &["JWT_COOKIE_SECURE: true, and"]),
        (cookies(json!({"TOLLGATE_PUBLIC_URL": "http://127.0.0.1:8787"})), &[]),
        (cookies(json!({"JWT_ACCESS_COOKIE_PATH": "api"})), &["JWT_ACCESS_COOKIE_PATH: does not begin with /"]),
        (
            cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/token/refresh"})),
            &["JWT_REFRESH_COOKIE_PATH: a browser never sends the cookie to \"/auth/refresh\", where"],
        ),
        (cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/auth/refresh"})), &[]),
        (cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/auth"})), &[]),
        (cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/x", "TOLLGATE_REFRESH_TOKENS": false})), &[]),
        // The endpoints for sessions are below /auth, the identity's too.
        (
            cookies(json!({"JWT_ACCESS_COOKIE_PATH": "/api", "JWT_REFRESH_COOKIE_PATH": "/auth"})),
            &[
                r#""/auth/logout/all", "/auth/sessions", "/auth/sessions/{session}", "/auth/password", "/auth/me", where"#,
            ],
        ),
        (cookies(json!({"JWT_ACCESS_COOKIE_PATH": "/api", "JWT_TOKEN_LOCATION": ["headers", "cookies"]})), &[]),
        (
            flask_jwt_extended(json!({"ROUTES": [{"path": "/a", "to": "identity", "locations": "cookies"}]})),
            &["ROUTES[0].locations: cookies only"],
        ),
        (
            cookies(json!({"JWT_ACCESS_COOKIE_PATH": "/auth"})),
            &["JWT_ACCESS_COOKIE_PATH: a browser never sends the cookie to \"/api/*\""],
        ),
        (
            cookies(json!({"JWT_REFRESH_COOKIE_NAME": "access_token_cookie"})),
            &["JWT_REFRESH_COOKIE_NAME: the same as JWT_ACCESS_COOKIE_NAME"],
        ),
        (
            cookies(json!({"TOLLGATE_DEVICE_COOKIE": "csrf_access_token"})),
            &["TOLLGATE_DEVICE_COOKIE: the same as JWT_ACCESS_CSRF_COOKIE_NAME"],
        ),
        (
            cookies(json!({"JWT_ENCODE_AUDIENCE": "x".repeat(3000)})),
            &["JWT_ACCESS_COOKIE_NAME: \"access_token_cookie\" with its token has about", "JWT_REFRESH_COOKIE_NAME"],
        ),
    ] {
        let found = faults(change.clone());
        let is_as_expected =
            found.len() == expected.len() && found.iter().zip(expected).all(|(one, part)| one.contains(part));
        assert!(
            is_as_expected,
            "{change}
{found:#?}
{expected:#?}"
        );
    }
    // What no browser takes at all stops the gate, in any case of its letters.
    let stops = |change: Value| {
        let reading = Config::read_with(&vars(change), WITH_SESSIONS);
        reading.config.map(drop).unwrap_err().into_iter().map(|notice| notice.option).collect::<Vec<_>>()
    };
    let plain = |name: &str| cookies(json!({"JWT_COOKIE_SECURE": false, "JWT_ACCESS_COOKIE_NAME": name}));
    for name in ["__Secure-a", "__secure-a", "__HOST-a", "__Http-a", "__Host-Http-a"] {
        assert_eq!(stops(plain(name)), ["JWT_ACCESS_COOKIE_NAME"], "{name}");
    }
    for name in ["__Http-a", "__Host-Http-a"] {
        assert_eq!(
            stops(cookies(json!({"JWT_ACCESS_CSRF_COOKIE_NAME": name}))),
            ["JWT_ACCESS_CSRF_COOKIE_NAME"],
            "{name}"
        );
    }
    assert_eq!(stops(json!({"TOLLGATE_DEVICE_COOKIE": "__Host-device"})), ["TOLLGATE_DEVICE_COOKIE"]);
    assert_eq!(faults(json!({"TOLLGATE_DEVICE_COOKIE": "__Secure-device"})), [""; 0]);
}
