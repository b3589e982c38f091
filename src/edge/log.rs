//! Writes log lines to the console. [`crate::rules::log`] decides which events are written and how.

use super::clock::now;
use crate::rules::{
    config::Config,
    log::{Event, Fate, Level, Limiter},
    time::Timestamp,
};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/js/log.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = whenOver)]
    fn when_over(act: &JsValue);
}

thread_local! {
    /// The counter of rejections, with the log level.
    static LIMITER: RefCell<Option<(Limiter, Level)>> = const { RefCell::new(None) };
    static LOG_COUNTED: JsValue = Closure::<dyn Fn()>::new(log_counted).into_js_value();
}

pub(super) fn write(line: &str) {
    web_sys::console::log_1(&line.into());
}

/// Whether to write a line for this event. A rejection over the limit of `TOLLGATE_LOG_REFUSALS` is only counted; the
/// count is logged when its second is over.
pub(super) fn is_written(config: &Config, event: &Event<'_>, now: Timestamp) -> bool {
    if event.level() > config.log {
        return false;
    }
    let Event::Refused { rejection, status, .. } = *event else { return true };
    let (fate, counted) = LIMITER.with_borrow_mut(|limiter| {
        let (limiter, _) = limiter.get_or_insert_with(|| (Limiter::new(config.log_refusals), config.log));
        limiter.refused(rejection, status, now.numeric_date())
    });
    if let Some(line) = counted.and_then(|counted| counted.event().line(config.log, None)) {
        write(&line);
    }
    if fate == Fate::CountedFirst {
        LOG_COUNTED.with(when_over);
    }
    fate == Fate::Written
}

fn log_counted() {
    let lines: Vec<String> = LIMITER.with_borrow_mut(|limiter| {
        let Some((limiter, level)) = limiter else { return Vec::new() };
        let counted = limiter.counted(now().numeric_date());
        counted.iter().filter_map(|counted| counted.event().line(*level, None)).collect()
    });
    lines.iter().for_each(|line| write(line));
}
