//! The log.

use crate::rules::{
    config::{diagnostics::Diagnostics, raw::RawConfig},
    log::Level,
};

/// The level of `TOLLGATE_LOG`; `None` if there is no such level.
pub(in crate::rules::config) fn level(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Option<Level> {
    let level = Level::from_name(&raw.log);
    if level.is_none() {
        diagnostics.problem("TOLLGATE_LOG", "write off, error, info or debug");
    }
    level
}
