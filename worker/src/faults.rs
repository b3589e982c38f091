//! Ways to break the instance, for tests/e2e/panic.test.mjs alone.

use super::{Progress, promise};
use wasm_bindgen::prelude::*;

pub(super) fn provoke(request: &web_sys::Request, progress: &Progress) -> Option<JsValue> {
    let url = request.url();
    let progress = || AsRef::<JsValue>::as_ref(progress).clone().unchecked_into::<Progress>();
    match url.split_once("/__test/")?.1 {
        "panic" => panic!("on purpose, in the middle of {}", request.method()),
        "panic-later" => Some(promise(progress(), async {
            worker::Delay::from(std::time::Duration::from_millis(50)).await;
            panic!("on purpose, while others wait")
        })),
        "wait" => Some(promise(progress(), async {
            worker::Delay::from(std::time::Duration::from_millis(300)).await;
            web_sys::Response::new_with_opt_str(Some("waited")).expect("a response").into()
        })),
        "out-of-memory" => loop {
            std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20)));
        },
        "stack-overflow" => Some(JsValue::from_f64(recurse(1) as f64)),
        _ => None,
    }
}

#[inline(never)]
fn recurse(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 64]);
    if n == 0 {
        return 0;
    }
    recurse(frame[0] + 1) + std::hint::black_box(&frame)[3]
}
