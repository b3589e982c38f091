//! A gate as users of workers-rs and jwt-compact write it: one event, one validation, a JSON answer.
#![cfg(target_arch = "wasm32")]

use jwt_compact::{AlgorithmExt, TimeOptions, UntrustedToken, alg::Hs256, alg::Hs256Key};
use serde::{Deserialize, Serialize};
use worker::{Context, Env, Request, Response, Result, event};

#[derive(Serialize, Deserialize)]
struct Identity {
    identity: u64,
}

fn verify(token: &str, key: &Hs256Key) -> Option<u64> {
    let token = UntrustedToken::new(token).ok()?;
    let token = Hs256.validator::<Identity>(key).validate(&token).ok()?;
    let times = TimeOptions::default();
    let claims = token.claims().validate_expiration(&times).ok()?.validate_maturity(&times).ok()?;
    Some(claims.custom.identity)
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let key = Hs256Key::new(env.var("JWT_SECRET_KEY")?.to_string());
    let header = request.headers().get("authorization")?;
    match header.as_deref().and_then(|header| header.strip_prefix("Bearer ")).and_then(|token| verify(token, &key)) {
        Some(identity) => Response::from_json(&Identity { identity }),
        None => Response::error("unauthorized", 401),
    }
}
