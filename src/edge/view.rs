//! A request as plain values.

use crate::rules::request::{Headers, Request};
use std::borrow::Cow;

/// The parts of a request that a decision reads. Header fields are fetched when they are asked for.
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

    /// Of a request whose method and URL were read before.
    pub(super) fn of(request: web_sys::Request, method: String, url: String) -> Self {
        Self { request, method, url }
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
        request(&self.method, &self.url, self)
    }

    /// The scheme and host, without a slash at the end.
    pub(super) fn site(&self) -> &str {
        split(&self.url).0
    }

    /// As they stand in the URL.
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

/// A request for the rules.
pub(super) fn request<'r>(method: &'r str, url: &'r str, headers: &'r dyn Headers) -> Request<'r> {
    let (site, path_and_query) = split(url);
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    Request { method, site, path, query, headers }
}

/// `url` is the runtime's own serialisation of a URL it has parsed (WHATWG URL §4.5), so this only splits: scheme, `://`,
/// host, then the path, then `?` and the query; a fragment is never sent.
fn split(url: &str) -> (&str, &str) {
    // By single letters: the search for a longer text is prepared anew each time (0.4 µs).
    let host_at = url.find(':').map_or(url.len(), |at| (at + 3).min(url.len()));
    let path_at = url[host_at..].find('/').map_or(url.len(), |at| host_at + at);
    let (site, rest) = url.split_at(path_at);
    (site, rest.split_once('#').map_or(rest, |(path_and_query, _)| path_and_query))
}
