//! What plays recorded cases: the rules in this process ([`crate::native`]) or a real workerd ([`crate::workerd`]).

use crate::transcript::{Case, Exchange};

/// A case with the gate's answer, or the reason why it can't be played here.
pub type Played<'c> = Result<Exchange<'c>, String>;

/// A gate that cases can be played against.
pub trait Player {
    /// Tolerance for times in tokens, in seconds.
    const TOLERANCE: f64;

    /// Plays the cases of a file and returns their results in the same order.
    ///
    /// # Errors
    /// A case has a member or value that is not known here, or the server fails.
    fn play<'c>(&mut self, cases: &'c [Case]) -> Result<Vec<Played<'c>>, String>;
}
