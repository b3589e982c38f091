//! What an operator is told about an option or a rule.

/// Something to tell the operator about one option. Holds no secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The option, or `ROUTES[2].path`.
    pub option: String,
    /// What is wrong or unwise, and what to write instead.
    pub text: String,
}

impl Notice {
    /// One notice.
    pub fn new(option: impl Into<String>, text: impl Into<String>) -> Self {
        Self { option: option.into(), text: text.into() }
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.option, self.text)
    }
}

/// The known name that is most like a given one.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> &'n str {
    known.max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b))).unwrap_or_default()
}
