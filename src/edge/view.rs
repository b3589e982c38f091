//! A request as plain values.

use crate::rules::request::{Headers, Request};
use std::borrow::Cow;

/// The parts of a request that a decision reads. Header fields are fetched when they are asked for.
pub(super) struct View {
    request: web_sys::Request,
    method: String,
    url: String,
    path_at: usize,
    headers: Fields,
}

struct Fields(web_sys::Headers);

impl Headers for Fields {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(name).ok().flatten().map(Cow::Owned)
    }
}

impl View {
    pub(super) fn read(request: web_sys::Request) -> Self {
        let url = request.url();
        // `url` is the runtime's own serialisation of a URL it has parsed (WHATWG URL §4.5), so this only splits:
        // scheme, `://`, host, then the path, then `?` and the query; a fragment is never sent.
        let path_at = url.find("://").and_then(|at| Some(at + 3 + url[at + 3..].find('/')?)).unwrap_or(url.len());
        Self { method: request.method(), url, path_at, headers: Fields(request.headers()), request }
    }

    /// The request itself.
    pub(super) fn raw(&self) -> &web_sys::Request {
        &self.request
    }

    /// Is it answered without a body?
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(super) fn request(&self) -> Request<'_> {
        let (path, query) = match self.path_and_query().split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.path_and_query(), None),
        };
        Request { method: &self.method, path, query, headers: &self.headers }
    }

    /// The scheme and host, without a slash at the end.
    pub(super) fn site(&self) -> &str {
        &self.url[..self.path_at]
    }

    /// As they stand in the URL.
    pub(super) fn path_and_query(&self) -> &str {
        self.url[self.path_at..].split('#').next().unwrap_or_default()
    }

    pub(super) fn headers(&self) -> &web_sys::Headers {
        &self.headers.0
    }
}
