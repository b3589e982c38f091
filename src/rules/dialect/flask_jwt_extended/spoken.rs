//! The options and loaders of one gate in Flask-JWT-Extended's dialect.

use crate::rules::{config::FlaskJwtExtended, hooks::Loaders};
use std::sync::Arc;

/// Flask-JWT-Extended's dialect, with an application's loaders.
pub(in crate::rules::dialect) struct Spoken {
    pub options: Arc<FlaskJwtExtended>,
    pub loaders: Box<dyn Loaders>,
}
