//! The collector of what the checks find.

use super::Secrets;
use crate::rules::diagnostic::Diagnostic;

/// What the checks have found so far.
pub(super) struct Diagnostics<'e> {
    pub(super) problems: Vec<Diagnostic>,
    pub(super) faults: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
    /// Secrets that are needed and may be where they cannot be seen.
    pub(super) unseen: Vec<&'static str>,
    secrets: Secrets<'e>,
}

impl<'e> Diagnostics<'e> {
    /// Nothing found yet.
    pub(super) fn new(secrets: Secrets<'e>) -> Self {
        Self { problems: Vec::new(), faults: Vec::new(), warnings: Vec::new(), unseen: Vec::new(), secrets }
    }

    /// Adds an unsafe or impossible setting, which stops the gate.
    pub(super) fn problem(&mut self, option: &str, text: impl Into<String>) {
        self.problems.push(Diagnostic::new(option, text));
    }

    /// Adds a setting that does not stop the gate, yet cannot work.
    pub(super) fn fault(&mut self, option: &str, text: impl Into<String>) {
        self.faults.push(Diagnostic::new(option, text));
    }

    /// Adds a setting that is legal but unwise, or has no effect.
    pub(super) fn warn(&mut self, option: &str, text: impl Into<String>) {
        self.warnings.push(Diagnostic::new(option, text));
    }

    /// Adds a problem unless it is in the list already.
    pub(super) fn problem_once(&mut self, option: &str, text: &str) {
        if !self.problems.iter().any(|known| known.option == option && known.text == text) {
            self.problem(option, text);
        }
    }

    /// Adds a fault unless it is in the list already.
    pub(super) fn fault_once(&mut self, option: &str, text: &str) {
        if !self.faults.iter().any(|known| known.option == option && known.text == text) {
            self.fault(option, text);
        }
    }

    /// Adds a missing secret: a problem if every secret is visible, else an entry of [`Self::unseen`].
    pub(super) fn missing(&mut self, option: &'static str, text: impl Into<String>) {
        match self.secrets {
            Secrets::Visible => self.problem(option, text),
            Secrets::MayBeElsewhere(_) => self.unseen.push(option),
        }
    }

    /// Whether this secret is known to exist where it cannot be seen.
    pub(super) fn is_declared(&self, option: &str) -> bool {
        matches!(self.secrets, Secrets::MayBeElsewhere(declared) if declared.iter().any(|name| name == option))
    }

    /// Whether secrets may exist where they cannot be seen.
    pub(super) fn may_be_elsewhere(&self) -> bool {
        matches!(self.secrets, Secrets::MayBeElsewhere(_))
    }
}
