//! What lies behind the gate: the origin at `ORIGIN`, and those that `ORIGINS` names.
//!
//! **What always holds:** which origin gets a request, and at which path, depends on the request's rule alone. A rule
//! may take segments off the front of a path (`strip`) only if no other rule would judge the rest otherwise at the same
//! origin: [`super::config`] checks that (`validate/rewrites.rs`).

use super::{header::is_imitation, secret::Secret, time::Duration};
use std::borrow::Cow;

/// The name by which a rule means the origin at `ORIGIN`.
pub const UNNAMED: &str = "origin";

/// The path that the gate has taken off the front of the request's, for the origin.
pub const FORWARDED_PREFIX_HEADER: &str = "x-forwarded-prefix";

/// An origin.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The name by which rules choose it.
    pub name: String,
    /// How it is reached.
    pub address: Address,
    /// The path that is put before each request's: empty, or with a slash at its beginning and none at its end.
    pub prefix: String,
    /// How long it may take to begin its answer.
    pub timeout: Duration,
    /// Header fields that it gets with each request, such as a secret that it shares with the gate.
    pub headers: Vec<OriginHeader>,
}

/// How an origin is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Through the network: scheme and host, without a slash at the end.
    Network(String),
    /// Through a binding of the worker that can fetch: a service, a client certificate, a VPC service.
    Service {
        /// The binding.
        binding: String,
        /// Scheme and host of its requests; `None` for those by which the client reached the gate.
        site: Option<String>,
    },
}

/// A header field for an origin.
#[derive(Clone, Debug)]
pub struct OriginHeader {
    /// Its name, in lower case.
    pub name: String,
    /// The name of the secret that its value comes from; `None` for a value in the configuration.
    pub secret: Option<String>,
    /// Its value.
    pub value: Secret<String>,
}

/// Where a rule forwards requests: which origin, and which part of their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// The origin's name.
    pub origin: String,
    /// The path that is taken off the front, in whole segments: empty, or with a slash at its beginning and none at its
    /// end.
    pub strip: String,
}

impl Origin {
    /// Scheme and host of its requests; `None` for those of the client.
    #[must_use]
    pub fn site(&self) -> Option<&str> {
        match &self.address {
            Address::Network(site) => Some(site),
            Address::Service { site, .. } => site.as_deref(),
        }
    }

    /// The binding that it is reached through.
    #[must_use]
    pub fn binding(&self) -> Option<&str> {
        match &self.address {
            Address::Network(_) => None,
            Address::Service { binding, .. } => Some(binding),
        }
    }

    /// Whether a client's field of this name could be read as one that the gate sets for this origin. `Authorization`
    /// is the client's at other origins; here it is overwritten.
    #[must_use]
    pub fn has_field_like(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.name != "authorization" && is_imitation(name, &header.name))
    }

    /// The URL that a request for this path and query is sent to. `site` is the client's.
    #[must_use]
    pub fn url(&self, site: &str, forwarding: &Forwarding, path_and_query: &str) -> String {
        [self.site().unwrap_or(site), &self.prefix, &forwarding.rest_of(path_and_query)].concat()
    }
}

impl Forwarding {
    /// How many segments are taken off.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.strip.matches('/').count()
    }

    /// The path and query that are left. A path of the rule has these segments, in whatever spelling.
    #[must_use]
    pub fn rest_of<'p>(&self, path_and_query: &'p str) -> Cow<'p, str> {
        let path = path_and_query.split('?').next().unwrap_or_default();
        let slash = path.match_indices('/').map(|(at, _)| at).nth(self.segments()).unwrap_or(path.len());
        let rest = &path_and_query[slash..];
        // A path that ends with what is taken off: the origin's root.
        if rest.starts_with('/') { rest.into() } else { format!("/{rest}").into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_are_taken_off_in_whatever_spelling() {
        for (strip, path, rest) in [
            ("", "/api/x?a=/b", "/api/x?a=/b"),
            ("/api", "/api/x?a=/b", "/x?a=/b"),
            ("/api", "/%61pi/x/", "/x/"),
            ("/api", "/api", "/"),
            ("/api", "/api?page=/2", "/?page=/2"),
            ("/api", "/api/", "/"),
            ("/api/v1", "/api/v1/x", "/x"),
            ("/api/v1", "/api/v1?x", "/?x"),
        ] {
            let forwarding = Forwarding { origin: UNNAMED.into(), strip: strip.into() };
            assert_eq!(forwarding.rest_of(path), rest, "{strip} {path}");
        }
    }
}
