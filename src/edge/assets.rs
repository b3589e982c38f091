//! Serves static files through the worker's asset binding.
//!
//! **What always holds:** the asset server is asked for exactly the path that was decided on (`html_handling = "none"`
//! in wrangler.toml stops it from rewriting the path); a folder means its index.html. A redirect of the asset server is
//! passed to the client, so that the gate decides on the target as well. Files that a token protects are marked so that
//! shared caches do not store them.

use super::{call::Call, respond, view::View};
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

pub(super) fn serve(call: &Call, view: &View, authorized: &Authorized<'_>) -> JsValue {
    call.log(&authorized.event());
    let (path, query) = view.path_and_query().split_once('?').unwrap_or((view.path_and_query(), ""));
    let page = if path.ends_with('/') { INDEX_PAGE } else { "" };
    let separator = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{path}{page}{separator}{query}", view.site());
    let assets = js_sys::Reflect::get(&call.env, &"ASSETS".into()).unwrap_or(JsValue::UNDEFINED);
    let missing = {
        let (call, head, rule) = (call.clone(), view.is_head(), authorized.rule().path.clone());
        Closure::once_into_js(move |not_found: bool| {
            respond::refuse(
                &call,
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
    fetch_asset(&assets, &url, view.raw(), authorized.rule().looks_at_tokens(), &vary, missing)
}
