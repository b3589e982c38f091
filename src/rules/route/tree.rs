//! Finds the most specific pattern for a path, in a tree of segments.
//!
//! Rejected alternative: the router crate matchit refuses `/api/{team}/open` beside `/api/*`, whose order is defined
//! here. A look-up visits each node of the tree at most once, so its time is bounded for every path and hardly depends
//! on the number of patterns.

use std::{collections::HashMap, str::Split};

/// The last segment of a pattern that matches the rest of the path.
const REST: &str = "*";

/// A set of patterns, each with the index of its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    exact: HashMap<Box<str>, Node>,
    /// `{name}`: one non-empty segment.
    any: Option<Box<Node>>,
    /// The place of the pattern that ends here.
    end: Option<usize>,
    /// The place of the pattern that ends with `*` here: one segment or more, the last of which may be empty.
    rest: Option<usize>,
}

impl Tree {
    /// Adds a pattern. The error is the place of an equal pattern that is already there.
    pub(super) fn insert(&mut self, pattern: &str, place: usize) -> Result<(), usize> {
        let mut node = &mut self.root;
        let mut is_rest = false;
        for segment in segments(pattern) {
            match segment {
                REST => is_rest = true,
                name if name.starts_with('{') => node = node.any.get_or_insert_default(),
                exact => node = node.exact.entry(exact.into()).or_default(),
            }
        }
        let slot = if is_rest { &mut node.rest } else { &mut node.end };
        match slot {
            Some(existing) => Err(*existing),
            None => {
                *slot = Some(place);
                Ok(())
            }
        }
    }

    /// The place of the most specific pattern: at each segment the literal one first, then `{name}`, then `*`.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.root.find(segments(path))
    }
}

impl Node {
    fn find(&self, mut segments: Split<'_, char>) -> Option<usize> {
        let Some(segment) = segments.next() else { return self.end };
        let exact = || self.exact.get(segment)?.find(segments.clone());
        let any = || self.any.as_ref().filter(|_| !segment.is_empty())?.find(segments.clone());
        exact().or_else(any).or(self.rest)
    }
}

/// The segments of a path.
fn segments(path: &str) -> Split<'_, char> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}
