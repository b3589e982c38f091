//! Fault injection for the end-to-end tests: breaks the instance in several ways, and reports its memory.
#![allow(unsafe_code)] // a global allocator can't be written without

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};
use tollgate::edge::tasks::{self, Progress};
use wasm_bindgen::prelude::*;

/// Counts allocations that are not freed.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: forwards to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        ALLOCATIONS.fetch_sub(1, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

pub(super) fn provoke(request: &web_sys::Request, progress: &Progress) -> Option<JsValue> {
    let url = request.url();
    match url.split_once("/__test/")?.1 {
        "panic" => panic!("on purpose, in the middle of {}", request.method()),
        "panic-later" => Some(later(progress, async {
            wait(50).await;
            panic!("on purpose, while others wait")
        })),
        "wait" => Some(later(progress, async {
            wait(300).await;
            Ok(web_sys::Response::new_with_opt_str(Some("waited")).expect("a response").into())
        })),
        "out-of-memory" => loop {
            std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20)));
        },
        "stack-overflow" => Some(JsValue::from_f64(recurse(1) as f64)),
        "exception" => {
            Some(js_sys::Promise::reject(&js_sys::RangeError::new("on purpose, with a secret in it").into()).into())
        }
        "held" => {
            let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
            let size = js_sys::Reflect::get(&memory.buffer(), &"byteLength".into()).expect("it has a length");
            let (bytes, allocations) = (BYTES.load(Ordering::Relaxed), ALLOCATIONS.load(Ordering::Relaxed));
            let text = format!(
                r#"{{"bytes":{bytes},"allocations":{allocations},"tasks":{},"memory":{}}}"#,
                tasks::count(),
                size.as_f64().unwrap_or_default()
            );
            Some(web_sys::Response::new_with_opt_str(Some(&text)).expect("a response").into())
        }
        _ => None,
    }
}

fn later(progress: &Progress, future: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> JsValue {
    tasks::promise(Some(progress.clone()), future).into()
}

fn wait(milliseconds: u64) -> worker::Delay {
    std::time::Duration::from_millis(milliseconds).into()
}

#[inline(never)]
fn recurse(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 64]);
    if n == 0 {
        return 0;
    }
    recurse(frame[0] + 1) + std::hint::black_box(&frame)[3]
}
