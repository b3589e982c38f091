//! The choice of a dialect: the one place that knows both.

use super::{Dialect, FlaskJwt, Wording, flask_jwt, flask_jwt_extended};
use crate::rules::{
    config::{Config, DialectConfig},
    hooks::Hooks,
};
use std::sync::Arc;

/// The dialect of this configuration, with the application's hooks for it.
pub(in crate::rules) fn of(config: &Config, hooks: Hooks) -> Box<dyn Dialect> {
    match &config.dialect {
        DialectConfig::FlaskJwt => Box::new(flask_jwt::Spoken { handlers: hooks.handlers }),
        DialectConfig::FlaskJwtExtended(options) => {
            Box::new(flask_jwt_extended::Spoken { options: Arc::clone(options), loaders: hooks.loaders })
        }
    }
}

/// The words of a dialect.
#[must_use]
pub fn wording(config: &DialectConfig) -> &dyn Wording {
    match config {
        DialectConfig::FlaskJwt => &FlaskJwt,
        DialectConfig::FlaskJwtExtended(options) => &**options,
    }
}
