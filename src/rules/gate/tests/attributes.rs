//! A change of an attribute, from the operator's order to the tokens that have the new claim.

use super::*;

const ADMIN: [(&str, &str); 1] = [("authorization", "Bearer another secret of more than thirty-two bytes")];

fn world(wire: &str, more: Value) -> World {
    let mut vars = more;
    vars["TOLLGATE_CLAIMS"] = json!({"role": "attributes.role"});
    if wire == "flask-jwt-extended" {
        vars["TOLLGATE_WIRE"] = wire.into();
    }
    let mut world = World::new(vars, ALL);
    world.attributes = json!({"role": "admin"});
    world
}

impl World {
    /// The order of `tollgate user set`, with the profile that its caller has read.
    fn set_role(&mut self, role: &str) -> (u16, Value) {
        let profile = json!({
            "v": 1, "id": 1, "name": "ann", "attributes": self.attributes, "version": self.attributes_version,
        });
        let order =
            json!({"do": "set-attributes", "user": 1, "profile": profile, "set": {"role": role}, "without": []});
        self.send("POST", "/auth/admin", &ADMIN, order)
    }

    fn claims(&self, token: &str) -> Map<String, Value> {
        self.gate.config.tokens.signed(token, None, self.now).unwrap().claims()
    }

    /// What memory alone decides.
    fn code(&self, token: &str, path: &str) -> Value {
        let scheme = if self.gate.config.flask_jwt_extended().is_some() { "Bearer" } else { "JWT" };
        let sent = Sent(vec![("authorization".into(), format!("{scheme} {token}"))]);
        let request = Request { method: "GET", site: "https://app.example", path, query: None, headers: &sent };
        match self.gate.decide(&request, self.now) {
            Decided::Now(Decision::Reject(rejected)) => {
                json!([rejected.rejection.code(), rejected.signed.is_some(), self.gate.answer_to(&rejected).status,])
            }
            Decided::Now(Decision::Identity(_)) => json!("passes"),
            _ => json!("undecided"),
        }
    }
}

#[test]
fn a_changed_role_voids_the_tokens_with_the_old_one_and_the_session_goes_on() {
    for wire in ["flask-jwt", "flask-jwt-extended"] {
        let mut world = world(wire, json!({}));
        let (access, refresh) = world.tokens();
        assert_eq!((&world.claims(&access)["role"], &world.claims(&access)["cv"]), (&json!("admin"), &json!(0)));
        assert!(refresh.is_empty() || !world.claims(&refresh).contains_key("cv"));

        let (status, body) = world.set_role("viewer");
        let version = world.now.as_millis();
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            body,
            json!({"attributes": {"username": "ann", "role": "viewer"}, "version": version, "revokes": true})
        );
        // At once where the account is asked, and within the bound everywhere.
        assert_eq!(world.status(&access, "/strict"), 401);
        world.wait(11);
        let (status, body) = world.with(&access, "GET", "/me", Value::Null);
        let words = match wire {
            "flask-jwt" => {
                json!({"status_code": 401, "error": "Invalid token", "description": "Signature has expired"})
            }
            _ => json!({"msg": "Token has expired"}),
        };
        assert_eq!((status, body), (401, words));
        for _ in 0..2 {
            assert_eq!(world.code(&access, "/me"), json!(["claims_outdated", true, 401]));
        }

        // KV still shows the old role here: the new tokens have the new one all the same.
        let new = if wire == "flask-jwt" { world.tokens().0 } else { world.refresh(&refresh).unwrap().0 };
        assert_eq!((&world.claims(&new)["role"], &world.claims(&new)["cv"]), (&json!("viewer"), &json!(version)));
        assert_eq!([world.status(&new, "/me"), world.status(&new, "/strict")], [200, 200]);
        assert_eq!(world.code(&new, "/me"), json!("passes"));
        // The account's own endpoints refuse the old one as well, and a log-out ends its session.
        assert_eq!(world.with(&access, "GET", "/auth/sessions", Value::Null).0, 401);
        assert_eq!(world.with(&access, "POST", "/auth/logout", Value::Null).0, 200);
    }
}

#[test]
fn without_rotation_and_at_a_renewal_new_tokens_have_the_claims_of_the_object() {
    let mut without = world("flask-jwt-extended", json!({"TOLLGATE_REFRESH_ROTATION": false}));
    let (_, refresh) = without.tokens();
    without.set_role("viewer");
    without.wait(11);
    let (access, _) = without.refresh(&refresh).unwrap();
    assert_eq!(without.claims(&access)["role"], json!("viewer"));
    assert_eq!(without.status(&access, "/me"), 200);

    let vars = json!({"JWT_TOKEN_LOCATION": "cookies", "TOLLGATE_COOKIE_REFRESH_WITHIN": "10m"});
    let mut renewing = world("flask-jwt-extended", vars);
    let token = renewing.access_token();
    let cookie = format!("access_token_cookie={token}");
    renewing.wait(395);
    assert_eq!(renewing.answer("GET", "/me", &[("cookie", &cookie)], Value::Null).status, 200);
    renewing.set_role("viewer");
    // The change is not in the snapshot yet.
    let answer = renewing.answer("GET", "/me", &[("cookie", &cookie)], Value::Null);
    let renewed = cookie_of(&answer).split_once('=').unwrap().1.to_owned();
    assert_eq!(renewing.claims(&renewed)["role"], json!("viewer"));
}

#[test]
fn a_profile_that_was_written_elsewhere_counts_from_the_next_log_in() {
    let mut world = world("flask-jwt-extended", json!({}));
    let (access, _) = world.tokens();
    world.attributes = json!({"role": "viewer"});
    world.attributes_version = world.now.as_millis();
    let (new, _) = world.tokens();
    assert_eq!(world.claims(&new)["role"], json!("viewer"));
    world.wait(11);
    assert_eq!([world.status(&access, "/me"), world.status(&new, "/me")], [401, 200]);
}

#[test]
fn a_new_password_comes_with_the_claims() {
    let mut world = world("flask-jwt-extended", json!({}));
    world.tokens();
    world.set_role("viewer");
    let (access, _) = world.tokens();
    let wish = json!({"old_password": "right", "new_password": NEW});
    let (status, body) = world.with(&access, "POST", "/auth/password", wish);
    assert_eq!(status, 200, "{body}");
    assert_eq!(world.claims(body["access_token"].as_str().unwrap())["role"], json!("viewer"));
}

#[test]
fn a_token_without_a_version_counts_from_when_it_was_issued() {
    let mut world = world("flask-jwt-extended", json!({}));
    let token = |world: &World, kind: &str| {
        let issued = world.now.as_millis() / 1000;
        world.signed(&json!({"iat": issued, "exp": NOW + 5000, "sub": "1", "jti": "j", "type": kind}))
    };
    let (before, refresh) = (token(&world, "access"), token(&world, "refresh"));
    world.wait(1);
    world.set_role("viewer");
    world.wait(1);
    let after = token(&world, "access");
    world.wait(11);
    assert_eq!([world.status(&before, "/me"), world.status(&after, "/me")], [401, 200]);
    assert_eq!([world.status(&before, "/strict"), world.status(&after, "/strict")], [401, 200]);
    let (_, body) = world.with(&refresh, "POST", "/auth/refresh", Value::Null);
    assert_eq!(body["msg"], json!("Token has been revoked"), "it has no session; claims are not what it lacks");
}

#[test]
fn an_application_does_not_replace_the_version() {
    struct Own;
    impl Loaders for Own {
        fn additional_claims(&self, _: &Identity) -> Map<String, Value> {
            json!({"cv": i64::MAX, "team": "red"}).as_object().unwrap().clone()
        }
    }
    impl Handlers for Own {
        fn payload(&self, _: &Identity, config: &Config, now: Timestamp) -> Map<String, Value> {
            let exp = now.plus(config.expiration_delta).seconds();
            json!({"identity": 1, "exp": exp, "iat": NOW, "nbf": NOW, "cv": i64::MAX}).as_object().unwrap().clone()
        }
    }
    for wire in ["flask-jwt", "flask-jwt-extended"] {
        let mut world = world(wire, json!({}));
        let hooks = Hooks::default().with_handlers(Own).with_loaders(Own);
        world.gate = Gate::new(world.gate.config.clone(), hooks);
        let (access, _) = world.tokens();
        assert_eq!(world.claims(&access)["cv"], json!(0), "{wire}");
    }
}

#[test]
fn an_order_is_for_the_profiles_own_user_and_not_too_long() {
    let mut world = world("flask-jwt", json!({}));
    let profile = json!({"v": 1, "id": 1, "name": "ann"});
    let order = json!({"do": "set-attributes", "user": 1, "profile": profile, "set": {}, "without": ["role"]});
    assert_eq!(world.send("POST", "/auth/admin", &ADMIN, order.clone()).0, 200);
    for (member, value) in [
        ("user", json!(2)),
        ("profile", json!({"v": 2, "id": 1, "name": "ann"})),
        ("profile", json!("x")),
        ("set", json!([])),
        ("without", json!([1])),
        ("without", json!("role")),
    ] {
        let mut order = order.clone();
        order[member] = value;
        assert_eq!(world.send("POST", "/auth/admin", &ADMIN, order).0, 400, "{member}");
    }
    let mut username = order.clone();
    username["without"] = json!(["username"]);
    let (_, body) = world.send("POST", "/auth/admin", &ADMIN, username);
    assert_eq!(body["attributes"]["username"], json!("ann"), "the name");
    let mut long = order;
    long["set"] = json!({"x": "y".repeat(16 * 1024)});
    let (status, body) = world.send("POST", "/auth/admin", &ADMIN, long.clone());
    assert_eq!((status, &body["code"]), (400, &json!("attributes_too_long")));
    // As much may come at once as there may be, beside what there is.
    let declared = [ADMIN[0], ("content-length", "60000")];
    long["set"] = json!({"x": "y".repeat(15 * 1024)});
    assert_eq!(world.send("POST", "/auth/admin", &declared, long).0, 200);
    // A store with such attributes: no token without them.
    world.attributes = json!({"role": "admin", "x": "y".repeat(16 * 1024)});
    assert_eq!(world.login("right").0, 500);
}

#[test]
fn claims_that_are_too_long_are_refused_before_anything_is_spent() {
    let mut world = world("flask-jwt-extended", json!({}));
    let (_, refresh) = world.tokens();
    let (status, body) = world.set_role(&"r".repeat(2100));
    assert_eq!((status, &body["code"]), (400, &json!("attributes_too_long")));
    // Written to KV directly: the refresh fails without spending the token, which is valid once the role is corrected.
    world.attributes = json!({"role": "r".repeat(2100)});
    assert_eq!(world.with(&refresh, "POST", "/auth/refresh", Value::Null).0, 500);
    world.wait(100);
    world.attributes = json!({"role": "viewer"});
    assert!(world.refresh(&refresh).is_some());
    // The longest that is accepted fits into a token.
    let longest = world.gate.config.attribute_claims.max_value_bytes() - 2;
    assert_eq!(world.set_role(&"r".repeat(longest)).0, 200);
    assert_eq!(world.set_role(&"r".repeat(longest + 1)).0, 400);
    assert_eq!(world.login("right").0, 200);
}

#[test]
fn a_version_of_the_future_is_none_and_a_deleted_user_stays_deleted() {
    let mut world = world("flask-jwt-extended", json!({}));
    world.attributes_version = i64::MAX;
    let (status, body) = world.set_role("viewer");
    assert_eq!((status, &body["version"]), (200, &json!(world.now.as_millis())));
    let delete = json!({"do": "retire-password", "user": 1, "forget_attributes": true});
    assert_eq!(world.send("POST", "/auth/admin", &ADMIN, delete).0, 200);
    world.attributes_version = NOW;
    let (status, body) = world.set_role("viewer");
    assert_eq!((status, &body["code"]), (409, &json!("user_deleted")));
}

#[test]
fn a_change_is_done_or_said_not_to_be() {
    let mut world = world("flask-jwt-extended", json!({}));
    world.tokens();
    for failure in [Failure::Before, Failure::After] {
        world.fails = Some((1, failure));
        assert_eq!(world.set_role("viewer").0, 503);
    }
    world.fails = None;
    assert_eq!(world.set_role("viewer").0, 200);
}

#[test]
fn a_change_voids_no_token_where_no_claims_are_made_of_attributes() {
    let mut world = World::flask_jwt_extended();
    world.attributes = json!({"role": "admin", "x": "y".repeat(32 * 1024)});
    let (access, _) = world.tokens();
    assert!(!world.claims(&access).contains_key("cv"));
    world.attributes = json!({});
    let (status, body) = world.set_role("viewer");
    assert_eq!((status, &body["revokes"]), (200, &json!(false)));
    world.wait(11);
    assert_eq!([world.status(&access, "/me"), world.status(&access, "/strict")], [200, 200]);
}

#[test]
fn a_cookie_that_no_browser_stores_is_found_before_anything_is_lost() {
    // A long name in place of a long token: name and value count together.
    let vars = json!({
        "JWT_TOKEN_LOCATION": ["headers", "cookies"], "JWT_ACCESS_COOKIE_NAME": "a".repeat(2500),
        "JWT_COOKIE_CSRF_PROTECT": false,
    });
    let mut world = world("flask-jwt-extended", vars);
    let (access, refresh) =
        both_cookies(&world.answer("POST", "/auth", &[], json!({"username": "ann", "password": "right"})));
    let long = json!({"role": "r".repeat(1500)});
    let short = std::mem::replace(&mut world.attributes, long);
    let too_long = |(status, body): (u16, Value)| {
        assert_eq!((status, &body["msg"]), (500, &json!("The request could not be answered")))
    };
    too_long(world.login("right"));
    for _ in 0..2 {
        too_long(world.with(&refresh, "POST", "/auth/refresh", Value::Null));
        // Past the grace, in which a spent token could still be shown.
        world.wait(100);
    }
    too_long(world.with(
        &access,
        "POST",
        "/auth/password",
        json!({"old_password": "right", "new_password": "another long one"}),
    ));
    world.attributes = short;
    assert_eq!(world.login("right").0, 200, "the password is the same");
    assert_eq!(world.with(&refresh, "POST", "/auth/refresh", Value::Null).0, 200, "the token was not spent");
}

fn both_cookies(answer: &Answer) -> (String, String) {
    let value = |wanted: &str| {
        let mut set = answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value);
        let (_, value) =
            set.find_map(|text| text.split_once('=').filter(|(name, _)| name.starts_with(wanted))).unwrap();
        value.split(';').next().unwrap().to_owned()
    };
    (value("a"), value("refresh"))
}

#[test]
fn a_cookie_that_is_renewed_gets_its_new_claims_with_the_next_answer() {
    let vars = json!({"JWT_TOKEN_LOCATION": ["headers", "cookies"], "TOLLGATE_COOKIE_REFRESH_WITHIN": "1m"});
    for path in ["/me", "/strict", "/open", "/stored"] {
        let mut world = world("flask-jwt-extended", vars.clone());
        let answer = world.answer("POST", "/auth", &[], json!({"username": "ann", "password": "right"}));
        let (access, _) = both_cookies(&answer);
        let cookie = format!("access_token_cookie={access}");
        assert_eq!(world.answer("GET", "/admin", &[("cookie", &cookie)], Value::Null).status, 200);
        // The store still shows the former role.
        assert_eq!(world.set_role("viewer").0, 200);
        world.wait(20);

        assert_eq!(world.with(&access, "GET", path, Value::Null).0, 401, "{path}: in a header its client refreshes");
        let refused = world.answer("GET", "/admin", &[("cookie", &cookie)], Value::Null);
        assert_eq!((refused.status, refused.header("set-cookie")), (403, None), "{path}: by the new role");
        let fresh = world.answer("GET", "/fresh", &[("cookie", &cookie)], Value::Null);
        assert_eq!(fresh.status, 401, "{path}: the new token is not fresh");
        let answer = world.answer("GET", path, &[("cookie", &cookie)], Value::Null);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let renewed = cookie_of(&answer);
        let claims = world.claims(renewed.split_once('=').unwrap().1);
        assert_eq!(claims["role"], json!("viewer"), "{path}");
        assert!(claims["cv"].as_i64() > Some(0) && claims["sid"] == world.claims(&access)["sid"], "{path}: {claims:?}");
        // The new one passes as it is.
        let again = world.answer("GET", path, &[("cookie", &renewed)], Value::Null);
        assert_eq!((again.status, again.header("set-cookie")), (200, None), "{path}");

        // A change needs the CSRF value of the cookie, as before.
        assert_eq!(world.answer("POST", "/auth/logout/all", &[("cookie", &cookie)], Value::Null).status, 401, "{path}");
        // Nobody comes back from a session that has ended, or without a user.
        let former = std::mem::replace(&mut world.attributes, Value::Null);
        assert_eq!(world.answer("GET", path, &[("cookie", &cookie)], Value::Null).status, 401, "{path}");
        world.attributes = former;
        world.send("POST", "/auth/logout", &[("authorization", &format!("Bearer {access}"))], Value::Null);
        let ended = world.answer("GET", path, &[("cookie", &cookie)], Value::Null);
        assert_eq!((ended.status, ended.header("set-cookie")), (401, None), "{path}");
    }
    // Where cookies are not renewed, a cookie is like a header.
    let mut world = world("flask-jwt-extended", json!({"JWT_TOKEN_LOCATION": ["headers", "cookies"]}));
    let answer = world.answer("POST", "/auth", &[], json!({"username": "ann", "password": "right"}));
    let cookie = format!("access_token_cookie={}", both_cookies(&answer).0);
    assert_eq!(world.set_role("viewer").0, 200);
    world.wait(20);
    assert_eq!(world.answer("GET", "/me", &[("cookie", &cookie)], Value::Null).status, 401);
}
