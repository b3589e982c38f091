//! Values that must not be printed.
//!
//! **What always holds:** [`Secret`] has no `Display`, `Serialize` or `PartialEq`, and its `Debug` shows nothing; its
//! bytes are wiped on drop. [`Secret::expose`] is the only way to read it, so that reads are easy to find in review.

use zeroize::{Zeroize, Zeroizing};

/// A password or key. Prints as `Secret(..)` and is wiped when dropped.
///
/// ```
/// let password = tollgate::Secret::new("correct horse battery staple".to_owned());
/// assert_eq!(format!("{password:?}"), "Secret(..)");
/// assert_eq!(password.expose().len(), 28);
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. Callers must keep it out of logs, errors and answers.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret(..)");
    }

    /// `Secret` must lack these traits: each line is ambiguous, and so does not compile, if it has the trait.
    #[test]
    fn a_secret_cannot_be_shown_compared_or_serialised() {
        trait Lacks<A> {
            fn check() {}
        }
        impl<T> Lacks<()> for T {}
        struct Display;
        impl<T: std::fmt::Display> Lacks<Display> for T {}
        struct Compare;
        impl<T: PartialEq> Lacks<Compare> for T {}
        struct Serialise;
        impl<T: serde::Serialize> Lacks<Serialise> for T {}
        <Secret<String> as Lacks<_>>::check();
    }
}
