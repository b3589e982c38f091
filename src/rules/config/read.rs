//! From variables to a [`Config`], or to all of its problems.

use super::{
    Bindings, Config, DialectConfig, Environment, Loaded, Secrets,
    diagnostics::Diagnostics,
    options::{self, Family},
    raw::RawConfig,
    validate::{
        assertions, cookies, cors, dialect, keys, limits, log, login, names, origin, origins, passwords, rewrites,
        routes, sessions, tokens,
    },
};
use crate::rules::{
    device::DeviceKey,
    diagnostic::did_you_mean,
    json::{Map, Value},
    password::PasswordPolicy,
    token::{Revocable, Verifier},
};
use std::sync::Arc;

impl Config {
    /// Reads the variables and secrets of a worker by name, whether they are `[vars]` of wrangler.toml or secrets.
    /// Names of other variables are ignored unless they resemble an option ([`super::options::looks_like_ours`]).
    #[must_use]
    pub fn read(vars: &Map<String, Value>) -> Loaded {
        Self::read_with(vars, Bindings::default())
    }

    /// As [`Self::read`], for a worker with these bindings and no rate limiters for rules.
    #[must_use]
    pub fn read_with(vars: &Map<String, Value>, bindings: Bindings) -> Loaded {
        Self::read_from(Environment {
            vars,
            bindings,
            secrets_store: &[],
            secrets: Secrets::Visible,
            serves_inner: None,
            has_binding: &|_| true,
            has_limiter: &|_| false,
        })
    }

    /// As [`Self::read`], for a worker that may not be running. The gate and `tollgate config check` share it.
    #[must_use]
    pub fn read_from(environment: Environment<'_>) -> Loaded {
        read(environment)
    }
}

/// Reads every option, then makes every check, so that all diagnostics are reported at once. They are listed in the
/// order of this function.
fn read(environment: Environment<'_>) -> Loaded {
    let Environment { vars, bindings, secrets_store, secrets, serves_inner, has_binding, has_limiter } = environment;
    let mut diagnostics = Diagnostics::new(secrets);
    let raw = read_options(vars, secrets_store, &mut diagnostics);
    let keys = keys::keys(&raw, &mut diagnostics);
    let policy = tokens::policy(&raw, &mut diagnostics);
    login::check(&raw, &mut diagnostics);
    limits::check(&raw, &mut diagnostics);
    tokens::check_times(&raw, &mut diagnostics);
    dialect::check(vars, &raw, bindings, &mut diagnostics);
    sessions::check(&raw, &mut diagnostics);
    let log = log::level(&raw, &mut diagnostics);
    let mut origins = origins::origins(&raw, vars, has_binding, &mut diagnostics);
    // Those with a problem too, so that the rules that name them have none.
    let names: Vec<&str> = raw.origins.iter().filter_map(|origin| origin["name"].as_str()).collect();
    let routes = routes::routes(&raw, bindings, keys.as_ref(), serves_inner, &names, &mut diagnostics);
    origins.extend(origin::origin(&raw, routes.as_ref(), &mut diagnostics));
    if let Some(routes) = &routes {
        origin::check_unused(routes, &origins, &mut diagnostics);
        rewrites::check(routes, &origins, &mut diagnostics);
        routes::check_requirements(&raw, routes, &mut diagnostics);
        routes::check_limiters(routes, has_limiter, &mut diagnostics);
    }
    let public_url = origin::public_url(&raw, &mut diagnostics);
    origin::check_keep_headers(&raw, &mut diagnostics);
    origin::check_proxies(&raw, &mut diagnostics);
    origin::check_websocket_protocol(&raw, routes.as_ref(), &mut diagnostics);
    names::check(&raw, bindings, &mut diagnostics);
    routes::check_idle_members(&raw, bindings, &mut diagnostics);
    if let Some(routes) = &routes {
        cookies::check(&raw, routes, bindings, keys.as_ref(), public_url.as_deref(), &mut diagnostics);
    }
    let cors = cors::cors(&raw, routes.as_ref(), public_url.as_deref(), &mut diagnostics);
    let assertions = assertions::assertions(&raw, keys.as_ref(), public_url.as_deref(), &mut diagnostics);
    let hashing = passwords::hashing(&raw, &mut diagnostics);
    let pwned_url = passwords::pwned_url(&raw, &mut diagnostics);
    let Diagnostics { problems, faults, warnings, unseen, .. } = diagnostics;
    let config = match (keys, routes, log, hashing) {
        (Some(keys), Some(routes), Some(log), Some(hashing)) if problems.is_empty() => Ok(Config {
            device_key: keys::signing_text(&raw, &keys.key_set).map(|text| DeviceKey::derive(&text)),
            tokens: Verifier::new(keys.key_set, policy, raw.token_cache as usize).revocable(match bindings.sessions {
                false => Revocable::No,
                true if raw.attribute_claims.is_empty() => Revocable::BySession,
                true => Revocable::BySessionAndClaims,
            }),
            dialect: if raw.is_flask_jwt_extended {
                DialectConfig::FlaskJwtExtended(Arc::new(raw.flask_jwt_extended))
            } else {
                DialectConfig::FlaskJwt
            },
            expiration_delta: raw.expiration_delta,
            not_before_delta: raw.not_before_delta,
            username_key: raw.username_key,
            password_key: raw.password_key,
            header_prefix: raw.header_prefix,
            realm: raw.realm,
            routes,
            sessions: raw.sessions,
            bindings,
            hashing,
            password_policy: PasswordPolicy {
                min_length: raw.password_min_length as usize,
                refuses_common: raw.password_common,
            },
            pwned_url,
            log,
            log_refusals: raw.log_refusals,
            store_timeout: raw.store_timeout,
            origins,
            public_url,
            keep_headers: raw.keep_headers,
            token_body_limit: raw.token_body_limit as usize,
            forward_token: raw.forward_token,
            trusted_proxies: raw.trusted_proxies,
            forwarded: raw.forwarded,
            websocket_protocol: Some(raw.websocket_protocol).filter(|word| !word.is_empty()),
            assertions,
            attribute_claims: raw.attribute_claims.versioned(bindings.sessions),
            cors,
            error_codes: raw.error_codes,
            claim_headers: raw.claim_headers,
        }),
        _ => Err(problems),
    };
    Loaded { config, faults, warnings, unseen }
}

/// The values of these variables over the defaults. Wrong values and unknown names go to `diagnostics`.
fn read_options(vars: &Map<String, Value>, secrets_store: &[String], diagnostics: &mut Diagnostics<'_>) -> RawConfig {
    let mut raw = RawConfig::default();
    for name in secrets_store.iter().filter(|name| options::find(name).is_some()) {
        diagnostics.problem(
            name,
            format!("bound to Secrets Store, which a layer of axum can't wait for: put the value into a secret of the worker (`npx wrangler secret put {name}`)"),
        );
    }
    let of_origins = origins::secret_names(vars);
    let is_ours = |name: &String| options::find(name).is_some() || !of_origins.contains(name);
    for (name, value) in vars.iter().filter(|(name, _)| !secrets_store.contains(name) && is_ours(name)) {
        match options::find(name) {
            Some(option) if option.family == Family::NeverRead => diagnostics.warn(name, option.meaning),
            Some(option) => {
                if let Err(instead) = option.set(&mut raw, value) {
                    diagnostics.problem(name, instead);
                }
            }
            None if options::looks_like_ours(name) => {
                let meant = did_you_mean(name, options::TABLE.iter().map(|option| option.name));
                diagnostics.warn(options::shown(name), format!("no such option{meant}"));
            }
            None => {}
        }
    }
    raw
}
