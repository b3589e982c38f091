//! Turns a `web_sys::Request` into the plain values that the rules read.

use crate::rules::request::{Headers, Request};
use std::borrow::Cow;

/// A request with its method and URL. Header fields are fetched from JavaScript one at a time, when they are read.
pub(super) struct View {
    request: web_sys::Request,
    method: String,
    url: String,
}

impl View {
    pub(super) fn read(request: web_sys::Request) -> Self {
        let (method, url) = (request.method(), request.url());
        Self::of(request, method, url)
    }

    /// A view of a request whose method and URL are known already.
    pub(super) fn of(request: web_sys::Request, method: String, url: String) -> Self {
        Self { request, method, url }
    }

    /// The underlying request.
    pub(super) fn raw(&self) -> &web_sys::Request {
        &self.request
    }

    /// Whether the method is HEAD, whose answers have no body.
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(super) fn request(&self) -> Request<'_> {
        request(&self.method, &self.url, self)
    }

    /// The scheme and host, without a slash at the end.
    pub(super) fn site(&self) -> &str {
        split(&self.url).0
    }

    /// Path and query, as in the URL, still percent-encoded.
    pub(super) fn path_and_query(&self) -> &str {
        split(&self.url).1
    }

    pub(super) fn headers(&self) -> web_sys::Headers {
        self.request.headers()
    }
}

impl Headers for View {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers().get(name).ok().flatten().map(Cow::Owned)
    }
}

/// The request as the rules read it.
pub(super) fn request<'r>(method: &'r str, url: &'r str, headers: &'r dyn Headers) -> Request<'r> {
    let (site, path_and_query) = split(url);
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    Request { method, site, path, query, headers }
}

/// `url` is the runtime's own serialisation of a URL it has parsed (WHATWG URL §4.5), so this only splits: scheme,
/// `://`, host, then the path, then `?` and the query; a fragment is never sent.
fn split(url: &str) -> (&str, &str) {
    // Searches for single characters: a search for `://` has a set-up cost each time (0.4 µs).
    let host_at = url.find(':').map_or(url.len(), |at| (at + 3).min(url.len()));
    let path_at = url[host_at..].find('/').map_or(url.len(), |at| host_at + at);
    let (site, rest) = url.split_at(path_at);
    (site, rest.split_once('#').map_or(rest, |(path_and_query, _)| path_and_query))
}
