//! The gate as a layer before axum's routes. In a worker (`fetch` below) the users are those in KV and the rules those
//! of wrangler.toml; the tests run the same routes natively, with users and rules of their own.

use axum::{Router, routing::get};
use serde::Deserialize;
use tollgate::axum::{Claims, CurrentIdentity};

#[derive(Deserialize)]
struct Times {
    iat: i64,
    exp: i64,
}

/// The application, before a gate stands in front of it.
pub fn routes() -> Router {
    let hello = async |who: Option<CurrentIdentity>| match who {
        Some(CurrentIdentity(who)) => format!("hello {}", who.id),
        None => "hello".into(),
    };
    Router::new()
        .route("/", get(hello))
        .route("/me", get(async |CurrentIdentity(who): CurrentIdentity| who.id.to_string()))
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
        AskFault, Config, Credentials, DefaultHandlers, Id, Identity, SendUsers, VerifiedToken,
        axum::GateLayer,
        json::{Map, Value, json},
    };
    use tower::ServiceExt;

    /// One user, whose name is `ada`. Yours come from a database.
    #[derive(Clone, Copy)]
    struct Ada;

    impl SendUsers for Ada {
        async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, AskFault> {
            let known = credentials.username.expose() == "ada" && credentials.password.expose() == "abcxyz";
            Ok(known.then(|| Identity::new(Id::Int(1))))
        }

        async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, AskFault> {
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

    #[test]
    fn a_wrong_password_and_a_body_too_long_are_refused() {
        assert_eq!(login(r#"{"username":"ada","password":"x"}"#).0, 401);
        assert_eq!(login(" ".repeat(20_000)).0, 413);
    }
}
