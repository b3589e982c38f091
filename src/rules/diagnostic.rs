//! What an operator is told about an option or a rule.

/// Something to tell the operator about one option. Holds no secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The option, or `ROUTES[2].path`.
    pub option: String,
    /// What is wrong or unwise, and what to write instead.
    pub text: String,
}

impl Diagnostic {
    /// One notice.
    pub fn new(option: impl Into<String>, text: impl Into<String>) -> Self {
        Self { option: option.into(), text: text.into() }
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.option, self.text)
    }
}

/// A question that names the known name which is most like a given one; empty if none is.
pub(super) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    const LEAST_LIKENESS: f64 = 0.88;
    let likeness = |known: &str| strsim::jaro_winkler(&name.to_ascii_uppercase(), &known.to_ascii_uppercase());
    let nearest = known.map(|known| (likeness(known), known)).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let nearest = nearest.filter(|(likeness, _)| *likeness >= LEAST_LIKENESS);
    nearest.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}
