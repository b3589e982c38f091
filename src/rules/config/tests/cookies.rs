//! The options of cookies.

use super::*;

#[test]
fn cookies_are_asked_to_be_safe() {
    let (_, warnings) =
        flask_jwt_extended(json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_CSRF_PROTECT": false})).unwrap();
    assert_eq!(warnings, ["JWT_COOKIE_SECURE", "JWT_COOKIE_SAMESITE", "JWT_COOKIE_CSRF_PROTECT"]);
    let profile = json!({
        "JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SECURE": true, "JWT_COOKIE_SAMESITE": "Lax",
        "JWT_ACCESS_COOKIE_NAME": "__Host-access", "JWT_REFRESH_COOKIE_NAME": "__Host-refresh",
    });
    assert!(flask_jwt_extended(profile.clone()).unwrap().1.is_empty());
    let mut without_refresh = profile.clone();
    without_refresh["TOLLGATE_REFRESH_TOKENS"] = false.into();
    without_refresh["JWT_REFRESH_COOKIE_NAME"] = "never_set".into();
    assert!(flask_jwt_extended(without_refresh).unwrap().1.is_empty());
    let mut plain = profile;
    plain["JWT_ACCESS_COOKIE_NAME"] = "access".into();
    assert_eq!(flask_jwt_extended(plain.clone()).unwrap().1, ["JWT_ACCESS_COOKIE_NAME"]);
    plain["JWT_ACCESS_COOKIE_PATH"] = "/api".into();
    assert_eq!(flask_jwt_extended(plain).unwrap().1, [""; 0]);
}

#[test]
fn a_cookie_that_no_browser_would_take_is_a_problem() {
    let names = [
        "JWT_ACCESS_COOKIE_NAME",
        "JWT_ACCESS_CSRF_COOKIE_NAME",
        "JWT_REFRESH_COOKIE_NAME",
        "JWT_REFRESH_CSRF_COOKIE_NAME",
    ];
    for name in names {
        let with = |more: Value| {
            let mut vars = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies"});
            vars[name] = "__Host-x".into();
            vars.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            vars
        };
        let good = with(json!({"JWT_COOKIE_SECURE": true}));
        assert!(Config::read(&vars(good)).config.is_ok(), "{name}");
        let path = name.replace("_NAME", "_PATH");
        for bad in [
            json!({}),
            json!({"JWT_COOKIE_SECURE": true, path: "/a"}),
            json!({"JWT_COOKIE_SECURE": true, "JWT_COOKIE_DOMAIN": "a.example"}),
        ] {
            assert_eq!(problems(with(bad)), [name]);
        }
    }
}
