//! On to the static files.
//!
//! **What always holds:** the asset server is asked for the path that was ruled on (`html_handling = "none"` in
//! wrangler.toml, so that it makes nothing else of it); a folder means its index.html. A redirect of the asset server
//! is handed on, so that the gate decides about where it leads. What a token protects is not kept by shared caches.

use super::{Call, view::View};
use crate::rules::{
    forward,
    gate::Authorized,
    rejection::{OriginRejection, Rejection, RouteRejection},
    route::INDEX_PAGE,
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/js/fetch.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = fetchAsset)]
    fn fetch_asset(
        assets: &JsValue,
        url: &str,
        request: &web_sys::Request,
        private: bool,
        vary: &str,
        missing: JsValue,
    ) -> JsValue;
}

pub(super) fn serve(call: &Call, view: &View, passage: &Authorized<'_>) -> JsValue {
    call.log(&passage.event());
    let (path, query) = view.path_and_query().split_once('?').unwrap_or((view.path_and_query(), ""));
    let page = if path.ends_with('/') { INDEX_PAGE } else { "" };
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{path}{page}{mark}{query}", view.site());
    let assets = js_sys::Reflect::get(&call.env, &"ASSETS".into()).unwrap_or(JsValue::UNDEFINED);
    let missing = {
        let (call, head, rule) = (call.clone(), view.is_head(), passage.rule().path.clone());
        Closure::once_into_js(move |not_found: bool| {
            call.refuse(
                head,
                if not_found {
                    Rejection::Route(RouteRejection::FileNotFound)
                } else {
                    Rejection::Origin(OriginRejection::Assets)
                },
                &rule,
            )
        })
    };
    let vary = forward::vary(call.config());
    fetch_asset(&assets, &url, view.raw(), passage.rule().looks_at_tokens(), &vary, missing)
}
