//! What only one dialect has.

use super::*;

#[test]
fn an_option_of_the_other_dialect_is_named_and_a_rule_of_the_other_dialect_refused() {
    assert_eq!(flask_jwt_extended(json!({"JWT_LEEWAY": 5})).unwrap().1, ["JWT_LEEWAY"]);
    assert_eq!(flask_jwt_extended(json!({"JWT_AUTH_URL_RULE": "/login"})).unwrap().1, [""; 0]);
    let reading = Config::read(&vars(json!({"JWT_HEADER_TYPE": "Bearer"})));
    assert_eq!(reading.warnings[0].option, "JWT_HEADER_TYPE");
    let rule = json!({"ROUTES": [{"path": "/a", "to": "identity", "fresh": true}]});
    assert!(flask_jwt_extended(rule.clone()).is_ok());
    assert_eq!(problems(rule), ["ROUTES[0].fresh"]);
}

#[test]
fn what_flask_jwt_extended_notices_at_a_request_is_noticed_at_start() {
    for (wrong, option) in [
        (json!({"JWT_TOKEN_LOCATION": "pockets"}), "JWT_TOKEN_LOCATION"),
        (json!({"JWT_TOKEN_LOCATION": []}), "JWT_TOKEN_LOCATION"),
        (json!({"JWT_HEADER_NAME": ""}), "JWT_HEADER_NAME"),
        (json!({"JWT_HEADER_TYPE": "two words"}), "JWT_HEADER_TYPE"),
        (json!({"JWT_ACCESS_TOKEN_EXPIRES": 0}), "JWT_ACCESS_TOKEN_EXPIRES"),
        (json!({"JWT_ACCESS_TOKEN_EXPIRES": true}), "JWT_ACCESS_TOKEN_EXPIRES"),
        (json!({"JWT_REFRESH_TOKEN_EXPIRES": "soon"}), "JWT_REFRESH_TOKEN_EXPIRES"),
        (json!({"JWT_COOKIE_SAMESITE": "sometimes"}), "JWT_COOKIE_SAMESITE"),
        (json!({"JWT_ACCESS_COOKIE_NAME": "a;b"}), "JWT_ACCESS_COOKIE_NAME"),
        (json!({"JWT_REFRESH_CSRF_COOKIE_PATH": "/a; Domain=x"}), "JWT_REFRESH_CSRF_COOKIE_PATH"),
        (json!({"JWT_COOKIE_DOMAIN": "a b"}), "JWT_COOKIE_DOMAIN"),
        (json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_ACCESS_COOKIE_NAME": "__Host-a"}), "JWT_ACCESS_COOKIE_NAME"),
        (json!({"JWT_IDENTITY_CLAIM": ""}), "JWT_IDENTITY_CLAIM"),
        (json!({"JWT_DECODE_AUDIENCE": 7}), "JWT_DECODE_AUDIENCE"),
        (json!({"TOLLGATE_COOKIE_REFRESH_WITHIN": 900}), "TOLLGATE_COOKIE_REFRESH_WITHIN"),
        (json!({"TOLLGATE_WIRE": "telepathy"}), "TOLLGATE_WIRE"),
    ] {
        assert_eq!(flask_jwt_extended(wrong.clone()).unwrap_err(), [option], "{wrong}");
    }
    let cookies = json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SAMESITE": "None"});
    assert_eq!(flask_jwt_extended(cookies).unwrap_err(), ["JWT_COOKIE_SAMESITE"]);
}
