//! Diagnostics of the configuration: problems, faults and warnings about options and rules.

/// A diagnostic about one option. Never contains a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The option's name, or the path to a member of it, such as `ROUTES[2].path`.
    pub option: String,
    /// The fault or risk, and what to write instead.
    pub text: String,
}

impl Diagnostic {
    /// A diagnostic about `option`.
    pub fn new(option: impl Into<String>, text: impl Into<String>) -> Self {
        Self { option: option.into(), text: text.into() }
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.option, self.text)
    }
}

/// `; did you mean X?` with the known name most similar to `name`; empty if none is similar enough.
pub(super) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    const MIN_SIMILARITY: f64 = 0.88;
    let similarity = |known: &str| strsim::jaro_winkler(&name.to_ascii_uppercase(), &known.to_ascii_uppercase());
    let nearest = known.map(|known| (similarity(known), known)).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let nearest = nearest.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY);
    nearest.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}
