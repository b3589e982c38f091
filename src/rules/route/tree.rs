//! From a path to the place whose pattern fits it best: a tree of segments.
//!
//! Why not a router crate: matchit refuses `/api/{team}/open` beside `/api/*`, which here have a clear order, and what
//! a pattern means is this gate's own business. Looking up visits a node of the tree once at most, so that no path is
//! slow; the number of patterns hardly matters.

use std::{collections::HashMap, str::Split};

/// The last segment of a pattern that stands for all that follows.
const REST: &str = "*";

/// Patterns, each with the number of its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    exact: HashMap<Box<str>, Node>,
    /// `{name}`: one segment that is not empty.
    any: Option<Box<Node>>,
    /// The path ends here.
    end: Option<usize>,
    /// `*`: one segment or more, the last of which may be empty.
    rest: Option<usize>,
}

impl Tree {
    /// Puts a pattern in, unless the very same is there: then its place is the error.
    pub(super) fn insert(&mut self, pattern: &str, place: usize) -> Result<(), usize> {
        let mut node = &mut self.root;
        let mut slot_is_rest = false;
        for segment in segments(pattern) {
            match segment {
                REST => slot_is_rest = true,
                name if name.starts_with('{') => node = node.any.get_or_insert_default(),
                exact => node = node.exact.entry(exact.into()).or_default(),
            }
        }
        let slot = if slot_is_rest { &mut node.rest } else { &mut node.end };
        match slot {
            Some(there) => Err(*there),
            None => {
                *slot = Some(place);
                Ok(())
            }
        }
    }

    /// The place whose pattern fits best: at each segment the one as written, then `{name}`, then `*`.
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

/// What stands between the slashes after the first.
fn segments(path: &str) -> Split<'_, char> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}
