//! The gate as a layer in front of axum's routes. In a worker (`fetch` below) users come from KV and rules from
//! wrangler.toml; the tests run the same routes natively, with their own users and rules.

use axum::{Router, routing::get};
use serde::Deserialize;
use tollgate::axum::{Claims, CurrentIdentity};

#[derive(Deserialize)]
struct Times {
    iat: i64,
    exp: i64,
}

/// The application's routes, without the gate.
pub fn routes() -> Router {
    let hello = async |identity: Option<CurrentIdentity>| match identity {
        Some(CurrentIdentity(identity)) => format!("hello {}", identity.id),
        None => "hello".into(),
    };
    Router::new()
        .route("/", get(hello))
        .route("/me", get(async |CurrentIdentity(identity): CurrentIdentity| identity.id.to_string()))
        .route("/life", get(async |Claims(times): Claims<Times>| format!("{} s", times.exp - times.iat)))
}

#[cfg(target_arch = "wasm32")]
#[worker::event(fetch)]
async fn fetch(
    request: worker::HttpRequest,
    env: worker::Env,
    context: worker::Context,
) -> worker::Result<axum::http::Response<axum::body::Body>> {
    use tower_service::Service;
    let gate =
        tollgate::edge::layer(&env, &context, tollgate::DefaultHandlers).ok_or("a wrong configuration: see the log")?;
    let mut router = routes().layer(gate);
    Ok(router.call(request.map(axum::body::Body::new)).await.unwrap_or_else(|never| match never {}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::Body,
        http::{Request, Response},
    };
    use http_body_util::BodyExt;
    use tollgate::{
        Config, Credentials, DefaultHandlers, Id, Identity, SendUsers, UsersError, VerifiedToken,
        accounts::MemoryAccounts,
        axum::GateLayer,
        json::{Map, Value, json},
        rules::{
            config::Bindings,
            password::{self, Check, HashJob, Hashing},
            secret::Secret,
        },
    };
    use tower::ServiceExt;

    /// A store with the single user `ada`. A real one reads a database.
    #[derive(Clone, Copy)]
    struct Ada;

    impl SendUsers for Ada {
        async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError> {
            let known = credentials.username.expose() == "ada" && credentials.password.expose() == "abcxyz";
            Ok(known.then(|| Identity::new(Id::Int(1))))
        }

        async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
            Ok(token.identity().filter(|id| *id == Id::Int(1)).map(Identity::new))
        }
    }

    fn gate() -> GateLayer<Ada> {
        let rules = json!([
            {"path": "/me", "to": "worker", "user": "stored"},
            {"path": "/life", "to": "worker"},
            {"path": "/", "to": "worker", "auth": "optional"},
        ]);
        let secret = "a secret of more than thirty-two bytes";
        let vars = Map::from_iter([("JWT_SECRET_KEY".into(), secret.into()), ("ROUTES".into(), rules)]);
        GateLayer::new(Config::read(&vars).config.unwrap(), DefaultHandlers, Ada)
    }

    fn send(request: Request<Body>) -> (u16, String) {
        pollster::block_on(async {
            let response: Response<Body> = routes().layer(gate()).oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap())
        })
    }

    fn get(path: &str, token: Option<&str>) -> (u16, String) {
        let mut request = Request::get(path).header("X-Auth-Subject", "admin");
        if let Some(token) = token {
            request = request.header("Authorization", format!("JWT {token}"));
        }
        send(request.body(Body::empty()).unwrap())
    }

    fn login(body: impl Into<Body>) -> (u16, String) {
        send(Request::post("/auth").header("Content-Type", "application/json").body(body.into()).unwrap())
    }

    #[test]
    fn a_login_opens_the_routes_and_without_a_token_they_stay_shut() {
        let (status, body) = login(r#"{"username":"ada","password":"abcxyz"}"#);
        assert_eq!(status, 200, "{body}");
        let granted: Value = body.parse().unwrap();
        let token = granted["access_token"].as_str();
        assert_eq!(get("/me", token), (200, "1".into()));
        assert_eq!(get("/life", token), (200, "300 s".into()));
        assert_eq!(get("/", token), (200, "hello 1".into()));
        assert_eq!(get("/", None), (200, "hello".into()));
        for path in ["/me", "/life"] {
            let (status, body) = get(path, None);
            assert!(status == 401 && body.contains("Request does not contain an access token"), "{path} {body}");
        }
        assert_eq!(get("/elsewhere", token).0, 404);
    }

    /// With sessions in memory; the log-in hashes on tokio's threads.
    #[test]
    fn a_session_is_listed_ended_and_then_over() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let rules = json!([{"path": "/me", "to": "worker", "revocation": "strict"}]);
        let secret = "a secret of more than thirty-two bytes";
        let vars = Map::from_iter([
            ("TOLLGATE_WIRE".into(), "flask-jwt-extended".into()),
            ("JWT_SECRET_KEY".into(), secret.into()),
            ("ROUTES".into(), rules),
        ]);
        let config = Config::read_with(&vars, Bindings { sessions: true, ..Bindings::default() }).config.unwrap();
        let layer = GateLayer::new(config, DefaultHandlers, Hashed).with_accounts(MemoryAccounts::default());
        let app = routes().layer(layer);
        let send = |method: &str, path: &str, token: Option<&str>, body: &str| {
            let mut request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
            if let Some(token) = token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let response = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap());
            runtime.block_on(async {
                let response: Response<Body> = response.await.unwrap();
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
            })
        };
        let name_and_password = r#"{"username":"ada","password":"abcxyz"}"#;
        let (status, granted) = send("POST", "/auth", None, name_and_password);
        assert_eq!(status, 200, "{granted}");
        let text = |granted: &Value, name: &str| granted[name].as_str().unwrap().to_owned();
        let (access, refresh) = (text(&granted, "access_token"), text(&granted, "refresh_token"));
        assert_eq!(send("GET", "/me", Some(&access), "").0, 200);
        let (status, sessions) = send("GET", "/auth/sessions", Some(&access), "");
        assert_eq!((status, sessions["sessions"].as_array().unwrap().len()), (200, 1), "{sessions}");
        // A refresh token can be used once; a retry gets the same successor.
        let (status, next) = send("POST", "/auth/refresh", Some(&refresh), "");
        assert_eq!(status, 200, "{next}");
        assert_eq!(send("POST", "/auth/refresh", Some(&refresh), "").1["refresh_token"], next["refresh_token"]);
        assert_eq!(send("POST", "/auth/logout", Some(&access), "").0, 200);
        let newest = text(&next, "refresh_token");
        assert_eq!(
            [send("GET", "/me", Some(&access), "").0, send("POST", "/auth/refresh", Some(&newest), "").0],
            [401; 2]
        );
        assert_eq!(send("POST", "/auth", None, r#"{"username":"ada","password":"x"}"#).0, 401);
    }

    /// The user `ada`, with a stored password hash.
    #[derive(Clone, Copy)]
    struct Hashed;

    impl SendUsers for Hashed {
        async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError> {
            let hashing = Hashing::new(1_000);
            let is_ada = credentials.username.expose() == "ada";
            let stored = password::hash(&Secret::new("abcxyz".to_owned()), &hashing, [7; 16]).to_string();
            let stored = is_ada.then_some(stored);
            let job = HashJob::Check { stored, password: credentials.password.clone(), hashing };
            match tollgate::axum::hash_password(job).await? {
                password::Hashed::Checked(Ok(Check::Right)) => Ok(Some(Identity::new(Id::Int(1)))),
                _ => Ok(None),
            }
        }

        async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
            Ok(token.identity().map(Identity::new))
        }
    }

    #[test]
    fn a_wrong_password_and_a_body_too_long_are_refused() {
        assert_eq!(login(r#"{"username":"ada","password":"x"}"#).0, 401);
        assert_eq!(login(" ".repeat(20_000)).0, 413);
    }
}
