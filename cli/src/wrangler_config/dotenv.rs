//! Local secrets: `.dev.vars` or `.env`, read as wrangler 4 reads them (loadDotDevDotVars and loadDotEnv; dotenv 16 and
//! dotenv-expand 12).
//!
//! **What always holds:** if there is a `.dev.vars` (or `.dev.vars.NAME`), no `.env` is read. Of `.env`, `.env.local`,
//! `.env.NAME` and `.env.NAME.local` a later one overrides an earlier one. Values are never part of an error.

use crate::failure::Failure;
use regex::{Captures, Regex};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// A name with its value and position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalVar {
    pub name: String,
    pub value: String,
    pub file: PathBuf,
    /// From 1; 0 if it is not from a file.
    pub line: usize,
}

/// The local secrets of a configuration.
#[derive(Debug)]
pub struct LocalSecrets {
    /// Each name once.
    pub vars: Vec<LocalVar>,
    /// The file to which a secret should be added, and whether it exists.
    pub file: PathBuf,
    pub exists: bool,
    /// Values of an `.env` beside a `.dev.vars`, which wrangler does not read.
    pub ignored: Vec<LocalVar>,
}

impl LocalSecrets {
    /// No secrets, for the configuration at this path.
    pub fn none(config: &Path) -> Self {
        Self { vars: Vec::new(), file: config.with_file_name(".dev.vars"), exists: false, ignored: Vec::new() }
    }

    /// Reads the secrets beside a configuration; those of `.env` files only if `may_use_dot_env`.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn read(config: &Path, env: Option<&str>, may_use_dot_env: bool) -> Result<Self, Failure> {
        let plain = config.with_file_name(".dev.vars");
        let of_env = env.map(|env| config.with_file_name(format!(".dev.vars.{env}")));
        let dot_env = |path: PathBuf| -> Result<Vec<LocalVar>, Failure> {
            Ok(read_file(&path)?.map(|text| parse(&text, &path)).unwrap_or_default())
        };
        let mut names = vec![".env".to_owned(), ".env.local".to_owned()];
        names.extend(env.into_iter().flat_map(|env| [format!(".env.{env}"), format!(".env.{env}.local")]));
        let paths: Vec<PathBuf> =
            names.iter().map(|name| config.with_file_name(name)).filter(|_| may_use_dot_env).collect();
        let found: Vec<&PathBuf> = paths.iter().filter(|path| path.is_file()).collect();
        let mut of_dot_env: Vec<LocalVar> = Vec::new();
        for path in &found {
            for var in dot_env((*path).clone())? {
                of_dot_env.retain(|known| known.name != var.name);
                of_dot_env.push(var);
            }
        }
        expand(&mut of_dot_env);
        for path in of_env.into_iter().chain([plain.clone()]) {
            if let Some(text) = read_file(&path)? {
                let vars = parse(&text, &path);
                return Ok(Self { vars, file: path, exists: true, ignored: of_dot_env });
            }
        }
        // A new .dev.vars would hide the values of an .env.
        let file = found.first().map_or(plain, |path| (*path).clone());
        Ok(Self { vars: of_dot_env, exists: !found.is_empty(), file, ignored: Vec::new() })
    }

    /// The variable of this name.
    pub fn get(&self, name: &str) -> Option<&LocalVar> {
        self.vars.iter().find(|var| var.name == name)
    }
}

fn read_file(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::usage(format!("{}: {error}", path.display()), "make it a text file of NAME=value lines"))
        }
    }
}

/// Parses a text as dotenv does, with dotenv's regular expression for lines, quoted values and comments.
fn parse(text: &str, file: &Path) -> Vec<LocalVar> {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(?m)^\s*(?:export\s+)?([A-Za-z0-9_.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$"#,
        )
        .expect("an expression")
    });
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut all: Vec<LocalVar> = Vec::new();
    for found in LINE.captures_iter(&text) {
        let Some(name) = found.get(1) else { continue };
        let written = found.get(2).map_or("", |value| value.as_str().trim());
        let quote = written.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'));
        let inside = quote.and_then(|quote| written.strip_prefix(quote)?.strip_suffix(quote));
        let value = match (quote, inside.unwrap_or(written)) {
            (Some('"'), value) => value.replace("\\n", "\n").replace("\\r", "\r"),
            (_, value) => value.to_owned(),
        };
        let line = text[..name.start()].matches('\n').count() + 1;
        all.retain(|var| var.name != name.as_str());
        all.push(LocalVar { name: name.as_str().to_owned(), value, file: file.to_owned(), line });
    }
    all
}

/// Expands `$NAME` and `${NAME}` to values of earlier lines; `:-` or `-` introduces a default, `:+` or `+` an
/// alternative, and `\$` is a dollar sign.
fn expand(vars: &mut [LocalVar]) {
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\\\$|\$\{([^{}]+)\}|\$([A-Za-z_][A-Za-z0-9_]*)").expect("an expression"));
    /// Maximum depth of names in values.
    const MAX_ROUNDS: usize = 10;
    for at in 0..vars.len() {
        let (earlier, rest) = vars.split_at_mut(at);
        let known = |name: &str| earlier.iter().find(|var| var.name == name).map(|var| var.value.as_str());
        let replaced = |found: &Captures<'_>| -> String {
            let Some(expression) = found.get(1).or(found.get(2)) else { return found[0].to_owned() };
            let expression = expression.as_str();
            let operator = [":+", ":-", "+", "-"]
                .into_iter()
                .filter_map(|operator| Some((expression.find(operator)?, operator)))
                .min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.len())));
            let (name, operator, other) = match operator {
                Some((at, operator)) => (&expression[..at], operator, &expression[at + operator.len()..]),
                None => (expression, "", ""),
            };
            let value = known(name).filter(|value| !value.is_empty());
            match (operator, value) {
                (":+" | "+", Some(_)) => other.to_owned(),
                (":+" | "+", None) => String::new(),
                (_, Some(value)) => value.to_owned(),
                (_, None) => other.to_owned(),
            }
        };
        let value = &mut rest[0].value;
        for _ in 0..MAX_ROUNDS {
            let next = NAME.replace_all(value, replaced).into_owned();
            if next == *value {
                break;
            }
            *value = next;
        }
        *value = value.replace("\\$", "$");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(vars: &[LocalVar]) -> Vec<(&str, &str, usize)> {
        vars.iter().map(|var| (var.name.as_str(), var.value.as_str(), var.line)).collect()
    }

    #[test]
    fn lines_are_read_as_dotenv_reads_them() {
        let text = "# a comment\nA=1\nexport B = two words # not this\nC=\"x # y\\nz\"\nD='a\nb'\nE=\nA=last\n=\nF\nG: yaml\n  H.x-1=`q`\nI=\"open\nJ=a=b\n#K=1\nL='it\\'s'\n";
        let file = Path::new(".dev.vars");
        assert_eq!(
            parts(&parse(text, file)),
            [
                ("B", "two words", 3),
                ("C", "x # y\nz", 4),
                ("D", "a\nb", 5),
                ("E", "", 7),
                ("A", "last", 8),
                ("G", "yaml", 11),
                ("H.x-1", "q", 12),
                ("I", "\"open", 13),
                ("J", "a=b", 14),
                ("L", "it\\'s", 16),
            ]
        );
        assert_eq!(parts(&parse("\u{feff}A=1\r\nB=2\r\n", file)), [("A", "1", 1), ("B", "2", 2)]);
    }

    #[test]
    fn names_in_values_are_expanded_as_dotenv_expand_does_it() {
        let text = "A=one\nB=$A-${A}\nC=${NONE:-two}\nD=${A:-two}\nE=${A:+three}\nF=${NONE:+three}x\nG=\\$A\nH=$NONE\nI=$J\nJ=late\nK=${B}\n";
        let mut vars = parse(text, Path::new(".env"));
        expand(&mut vars);
        let values: Vec<(&str, &str)> = vars.iter().map(|var| (var.name.as_str(), var.value.as_str())).collect();
        assert_eq!(
            values,
            [
                ("A", "one"),
                ("B", "one-one"),
                ("C", "two"),
                ("D", "one"),
                ("E", "three"),
                ("F", "x"),
                ("G", "$A"),
                ("H", ""),
                ("I", ""),
                ("J", "late"),
                ("K", "one-one"),
            ]
        );
    }

    #[test]
    fn a_dev_vars_hides_every_env_file_and_a_later_env_file_wins() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("wrangler.toml");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let read = |env: Option<&str>| LocalSecrets::read(&config, env, true).unwrap();
        let names = |secrets: &LocalSecrets| {
            secrets.vars.iter().map(|var| format!("{}={}", var.name, var.value)).collect::<Vec<_>>().join(" ")
        };
        let file = |secrets: &LocalSecrets| secrets.file.file_name().unwrap().to_str().unwrap().to_owned();
        let none = read(None);
        assert_eq!((names(&none), file(&none), none.exists), (String::new(), ".dev.vars".into(), false));
        write(".env", "A=env\nB=env\nC=$A\n");
        write(".env.local", "B=local\n");
        write(".env.staging", "B=staging\n");
        write(".env.staging.local", "D=mine\n");
        let plain = read(None);
        assert_eq!((names(&plain), file(&plain), plain.exists), ("A=env C=env B=local".into(), ".env".into(), true));
        assert_eq!(names(&read(Some("staging"))), "A=env C=env B=staging D=mine");
        assert_eq!(names(&LocalSecrets::read(&config, None, false).unwrap()), "");
        write(".dev.vars", "X=1\n");
        let hidden = read(None);
        assert_eq!((names(&hidden), file(&hidden), hidden.ignored.len()), ("X=1".into(), ".dev.vars".into(), 3));
        write(".dev.vars.staging", "");
        let of_env = read(Some("staging"));
        assert_eq!((names(&of_env), file(&of_env)), (String::new(), ".dev.vars.staging".into()));
        assert_eq!(file(&read(Some("other"))), ".dev.vars");
    }
}
