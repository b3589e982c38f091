//! Values in all their spellings.

use super::*;

#[test]
fn values_are_read_in_all_their_spellings() {
    for leeway in [json!(30), json!("30"), json!("30s"), json!("0.5m")] {
        assert_eq!(flask_jwt(json!({"JWT_LEEWAY": leeway})).leeway, Duration::seconds(30));
    }
    for list in [json!(["exp", "role"]), json!("exp, role"), json!("[\"exp\",\"role\"]")] {
        assert_eq!(flask_jwt(json!({"JWT_REQUIRED_CLAIMS": list})).required, ["exp", "role"]);
    }
    for off in [json!(false), json!("false")] {
        assert!(!Config::read(&vars(json!({"TOLLGATE_FORWARD_TOKEN": off}))).config.unwrap().forward_token);
    }
}

#[test]
fn a_cookie_domain_loses_port_and_dot_and_none_is_the_default_for_decode_algorithms() {
    for (written, read) in
        [("example.com", "example.com"), (".example.com", "example.com"), ("example.com:8080", "example.com"), ("", "")]
    {
        let vars = vars(json!({
            "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_COOKIE_DOMAIN": written, "JWT_DECODE_ALGORITHMS": null,
        }));
        let DialectConfig::FlaskJwtExtended(flask_jwt_extended) = Config::read(&vars).config.unwrap().dialect else {
            unreachable!()
        };
        assert_eq!(flask_jwt_extended.cookie_domain, read);
    }
}

#[test]
fn a_word_that_is_no_method_is_refused_among_the_csrf_methods() {
    for (written, is_good) in [(json!("POST, PUT"), true), (json!([]), true), (json!("POST PUT"), false)] {
        let vars = vars(json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_CSRF_METHODS": written}));
        assert_eq!(Config::read(&vars).config.is_ok(), is_good, "{written}");
    }
}
