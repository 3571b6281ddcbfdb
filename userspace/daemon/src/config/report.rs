//! What is wrong with a configuration, and what is merely unwise.
//!
//! The checks do not stop at the first mistake: a [`Report`] collects all of them, each with
//! its line and key, so that one run of `zonecast check` shows everything there is to mend.

use std::fmt;
use std::path::{Path, PathBuf};

use super::document::Document;

/// One complaint about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1; `None` for a key that the file does not have.
    pub line: Option<usize>,
    /// The key's full name, such as `listeners[1].tls`; empty where none can be named.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is wrong; one line a mistake.
    #[error("{}", lines(.0))]
    Wrong(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Collects complaints while a configuration is checked.
#[derive(Debug)]
pub struct Report<'a> {
    file: &'a Path,
    document: &'a Document,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Report<'a> {
    /// An empty report on `document`, which was read from `file`.
    #[must_use]
    pub fn new(file: &'a Path, document: &'a Document) -> Self {
        Self {
            file,
            document,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Notes a mistake: the configuration will not be used.
    pub fn error(&mut self, key: &str, text: impl Into<String>) {
        let problem = self.problem(key, text.into());
        self.errors.push(problem);
    }

    /// Notes what is allowed but probably not meant.
    pub fn warn(&mut self, key: &str, text: impl Into<String>) {
        let problem = self.problem(key, text.into());
        self.warnings.push(problem);
    }

    fn problem(&self, key: &str, text: String) -> Problem {
        let line = self.document.line(key);
        Problem {
            file: self.file.to_owned(),
            line,
            key: key.to_owned(),
            text,
        }
    }

    /// Whether the file itself has this key.
    #[must_use]
    pub fn is_written(&self, key: &str) -> bool {
        self.document.has(key)
    }

    /// A path of the configuration: relative ones start at the file's folder.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Complains unless `min <= value <= max`.
    pub fn between<T>(&mut self, key: &str, value: T, min: T, max: T)
    where
        T: PartialOrd + fmt::Display,
    {
        if value < min || value > max {
            self.error(key, format!("{value} is not allowed: from {min} to {max}"));
        }
    }

    /// The warnings; the errors where there are any.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`] with every mistake noted, in the order of their lines.
    pub fn finish(mut self) -> Result<Vec<Problem>, ConfigError> {
        self.errors.sort_by_key(|p| p.line);
        self.warnings.sort_by_key(|p| p.line);
        if self.errors.is_empty() {
            Ok(self.warnings)
        } else {
            Err(ConfigError::Wrong(self.errors))
        }
    }
}

/// The complaint that the TOML parser or serde makes, with its line and key.
#[must_use]
pub(super) fn parse_problem(
    file: &Path,
    document: &Document,
    error: &toml::de::Error,
) -> ConfigError {
    let span = error.span();
    ConfigError::Wrong(vec![Problem {
        file: file.to_owned(),
        line: span.as_ref().map(|s| document.line_at(s.start)),
        key: span
            .and_then(|s| document.key_at(&s).map(str::to_owned))
            .unwrap_or_default(),
        text: error.message().to_owned(),
    }])
}
