//! Unicode's normal forms (UAX #15): in a worker those of the runtime, elsewhere those of the crate `icu_normalizer`,
//! whose tables would be 16 KB of the module (gzip).
//!
//! **What always holds:** both give the same form of a text whose characters both know (UAX #15 §3, stability): only
//! their versions of Unicode may differ.

use std::borrow::Cow;

/// Normalization Form C.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    form(text, Form::C)
}

/// Normalization Form D.
pub(crate) fn nfd(text: &str) -> Cow<'_, str> {
    form(text, Form::D)
}

#[derive(Clone, Copy)]
enum Form {
    C,
    D,
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
fn form(text: &str, form: Form) -> Cow<'_, str> {
    let name = match form {
        Form::C => "NFC",
        Form::D => "NFD",
    };
    String::from(js_sys::JsString::from(text).normalize(name)).into()
}

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
fn form(text: &str, form: Form) -> Cow<'_, str> {
    match form {
        Form::C => icu_normalizer::ComposingNormalizer::new_nfc().normalize(text),
        Form::D => icu_normalizer::DecomposingNormalizer::new_nfd().normalize(text),
    }
}
