//! On to the static files.
//!
//! **What always holds:** the asset server is asked for the path that was ruled on (`html_handling = "none"` in
//! wrangler.toml, so that it makes nothing else of it); a folder means its index.html. What a token protects is not
//! kept by shared caches.

use super::{Call, view::View};
use crate::rules::{
    error::Refusal,
    gate::{Admission, Passage},
    route::INDEX_PAGE,
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
export function fetchAsset(assets, url, request, isPrivate, missing) {
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  return Promise.resolve().then(() => assets.fetch(new Request(url, { method: request.method, headers }))).then(
    (response) => {
      if (response.status === 404) return missing(true);
      if (!isPrivate) return response;
      const own = new Response(response.body, response);
      own.headers.set("cache-control", "private, no-cache");
      own.headers.append("vary", "authorization, cookie");
      return own;
    },
    () => missing(false),
  );
}
"#)]
extern "C" {
    #[wasm_bindgen(js_name = fetchAsset)]
    fn fetch_asset(assets: &JsValue, url: &str, request: &web_sys::Request, private: bool, missing: JsValue)
    -> JsValue;
}

pub(super) fn serve(call: &Call, view: &View, passage: &Passage<'_>) -> JsValue {
    call.log(&passage.event());
    let (path, query) = view.path_and_query().split_once('?').unwrap_or((view.path_and_query(), ""));
    let page = if path.ends_with('/') { INDEX_PAGE } else { "" };
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{path}{page}{mark}{query}", view.site());
    let assets = js_sys::Reflect::get(&call.env, &"ASSETS".into()).unwrap_or(JsValue::UNDEFINED);
    let missing = {
        let (call, head, rule) = (call.clone(), view.is_head(), passage.rule().path.clone());
        Closure::once_into_js(move |not_found: bool| {
            call.refuse(head, if not_found { Refusal::FileNotFound } else { Refusal::AssetsUnavailable }, &rule)
        })
    };
    let private = !matches!(passage.admission(), Admission::Open);
    fetch_asset(&assets, &url, view.raw(), private, missing)
}
