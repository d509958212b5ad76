//! What is wrong with a scenario.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What is wrong with a scenario: which setting, with which value, and where it stands if it was read from a file.
///
/// # Examples
/// ```
/// use requeue::sim::Scenario;
///
/// let text = "[queue.jobs]\n[producer.web]\nqueue = \"jobs\"\narrivals.poisson = { rate = 0 }\n";
/// let error = Scenario::from_toml(text).unwrap_err();
/// assert_eq!((error.path(), error.line()), ("producer.web.arrivals.poisson.rate", Some(4)));
/// assert_eq!(
///     error.to_string(),
///     "line 4: producer.web.arrivals.poisson.rate: `rate` is 0, it has to be more than 0 and at most 1000000"
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScenarioError {
    path: String,
    problem: String,
    file: Option<PathBuf>,
    line: Option<usize>,
}

impl ScenarioError {
    pub(in crate::sim) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
            file: None,
            line: None,
        }
    }

    pub(super) fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    pub(super) fn in_file(mut self, file: &Path) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// The setting as a dotted key of TOML, counted from 0 in lists, for example `fleet.workers.outages.0.until`; empty
    /// if it is none in particular.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, without the path and the place.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The file, if the scenario was read from one: the scenario itself or a CSV file that it names.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The line in the file or the text, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ScenarioError {}

/// More known names than that are not listed.
const LISTED: usize = 30;

/// The end of a sentence about an unknown name: the nearest known one, or all of them where none is near and there are
/// not too many.
pub(in crate::sim) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let similar = |name: &&str| strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase());
    match known
        .iter()
        .map(|it| (similar(it), it))
        .max_by(|a, b| a.0.total_cmp(&b.0))
    {
        Some((likeness, name)) if likeness >= 0.7 || known.len() > LISTED => {
            format!(", the nearest known one is {name:?}")
        }
        Some(_) => format!(", known are {}", list(&known)),
        None => ", there is none".to_owned(),
    }
}

/// Names in quotes, parted by commas.
pub(in crate::sim) fn list<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|it| format!("{it:?}")).collect();
    names.join(", ")
}

/// A dotted key of TOML.
pub(super) fn dotted(path: &[String]) -> String {
    let parts: Vec<_> = path.iter().map(|it| key(it)).collect();
    parts.join(".")
}

/// Part of a dotted key, in quotes where TOML asks for them.
pub(in crate::sim) fn key(part: &str) -> String {
    let bare = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    if !part.is_empty() && part.chars().all(bare) {
        part.to_owned()
    } else {
        toml::Value::from(part).to_string()
    }
}
