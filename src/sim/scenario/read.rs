//! Scenarios as TOML.

use {
    super::{
        Scenario, ScenarioError,
        error::{dotted, key, nearest},
        files::{self, FileError},
    },
    serde::Deserialize,
    std::{
        collections::VecDeque,
        fs,
        ops::Range,
        path::{Path, PathBuf},
    },
    toml::{
        Spanned,
        de::{DeTable, DeValue, Deserializer},
    },
};

impl Scenario {
    /// Reads a scenario from its text, and checks it; CSV files that it names are looked for from the current directory.
    ///
    /// # Errors
    /// The text is not TOML, a setting is unknown or has a value of the wrong type, a CSV file cannot be read, or
    /// [`check`](Self::check) refuses it; the error has the line.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Scenario;
    /// let text = "[queue.jobs]\nvisibility_timout = 60\n";
    /// assert_eq!(
    ///     Scenario::from_toml(text).unwrap_err().to_string(),
    ///     "line 2: queue.jobs: there is no setting \"visibility_timout\", the nearest known one is \"visibility_timeout\""
    /// );
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        parse(text, Path::new(""))
    }

    /// Reads a scenario from its file, and checks it; CSV files that it names are looked for from the directory of that
    /// file.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml) and if the file cannot be read; the error has the file and the line.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Scenario;
    /// let error = Scenario::read("no/such/file.toml").unwrap_err();
    /// assert!(error.to_string().starts_with("no/such/file.toml: "), "{error}");
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let path = path.as_ref();
        let of_file = |error: ScenarioError| {
            if error.file().is_none() {
                error.in_file(path)
            } else {
                error
            }
        };
        let text = fs::read_to_string(path)
            .map_err(|error| ScenarioError::new("", format!("the file cannot be read: {error}")));
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        text.and_then(|it| parse(&it, directory)).map_err(of_file)
    }

    /// The scenario as TOML, which [`from_toml`](Self::from_toml) reads as the same one. Settings that are always there
    /// stand in it with their defaults; the content of CSV files does not stand in it, but their names do.
    ///
    /// # Errors
    /// A number or a file's name that TOML has no form for: above 2^63 - 1, or not UTF-8.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Arrivals, Producer, QueueConfig, Scenario};
    /// let web = Producer::new("jobs", Arrivals::poisson(20.0));
    /// let scenario = Scenario::new("test").queue("jobs", QueueConfig::new()).producer("web", web);
    /// assert_eq!(Scenario::from_toml(&scenario.to_toml()?)?, scenario);
    /// # Ok::<(), requeue::sim::ScenarioError>(())
    /// ```
    pub fn to_toml(&self) -> Result<String, ScenarioError> {
        toml::to_string(self).map_err(|error| ScenarioError::new("", error.to_string()))
    }
}

fn parse(text: &str, directory: &Path) -> Result<Scenario, ScenarioError> {
    let tree = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |it| line(text, it.start));
        ScenarioError::new("", format!("not TOML: {}", error.message().replace('\n', ", "))).at_line(line)
    })?;
    let source = Source { text, tree };
    let read = Scenario::deserialize(Deserializer::from(source.tree.clone()));
    let mut scenario = read.map_err(|error| source.refused(&error))?;
    let files = read_files(&mut scenario, directory).map_err(|error| source.locate(error))?;
    match scenario.check() {
        Ok(()) => Ok(scenario),
        Err(error) => Err(files
            .iter()
            .find_map(|file| file.locate(&error))
            .unwrap_or_else(|| source.locate(error))),
    }
}

/// The line of a byte of `text`, counted from 1.
fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

/// A text and what stands where in it.
struct Source<'t> {
    text: &'t str,
    tree: Spanned<DeTable<'t>>,
}

impl Source<'_> {
    /// The error of a type or a name that does not fit.
    fn refused(&self, error: &toml::de::Error) -> ScenarioError {
        let path = error.span().map(|it| self.path(&it)).unwrap_or_default();
        let found = ScenarioError::new(dotted(&path), reworded(error.message()));
        match error.span() {
            Some(span) => found.at_line(line(self.text, span.start)),
            None => found,
        }
    }

    /// The path of the innermost value around a part of the text.
    fn path(&self, span: &Range<usize>) -> Vec<String> {
        let around = |it: &Range<usize>| it.start <= span.start && span.end <= it.end;
        let mut found = (usize::MAX, Vec::new());
        let mut open = vec![(Vec::new(), Node::Table(self.tree.get_ref()))];
        while let Some((path, node)) = open.pop() {
            for (part, key, value) in node.children() {
                let mut path = path.clone();
                // A key that is unknown belongs to its table.
                if key.as_ref().is_some_and(around) && key.as_ref() == Some(span) {
                    return path;
                }
                path.push(part);
                let span = value.span();
                if around(&span) && span.len() <= found.0 {
                    found = (span.len(), path.clone());
                }
                open.push((path, Node::of(value.get_ref())));
            }
        }
        found.1
    }

    /// The line of the setting that an error names, or of what is around it.
    fn locate(&self, error: ScenarioError) -> ScenarioError {
        if error.file().is_some() {
            return error;
        }
        let mut path = VecDeque::from(parts(error.path()).unwrap_or_default());
        let (mut node, mut found) = (Node::Table(self.tree.get_ref()), None);
        while let Some(part) = path.pop_front() {
            let Some((_, key, value)) = node.children().find(|(name, ..)| *name == part) else {
                // A path that is varied may stand there as a table in a table.
                match parts(&part) {
                    Some(inner) if inner.len() > 1 => path = inner.into_iter().chain(path).collect(),
                    _ => break,
                }
                continue;
            };
            let span = key.unwrap_or_else(|| value.span());
            (node, found) = (Node::of(value.get_ref()), Some(span.start));
        }
        match found {
            Some(offset) => error.at_line(line(self.text, offset)),
            None => error,
        }
    }
}

/// A value that may have others in it.
#[derive(Clone, Copy)]
enum Node<'a, 't> {
    Table(&'a DeTable<'t>),
    Array(&'a [Spanned<DeValue<'t>>]),
    Leaf,
}

type Child<'a, 't> = (String, Option<Range<usize>>, &'a Spanned<DeValue<'t>>);

impl<'a, 't> Node<'a, 't> {
    fn of(value: &'a DeValue<'t>) -> Self {
        match value {
            DeValue::Table(table) => Self::Table(table),
            DeValue::Array(array) => Self::Array(array),
            _ => Self::Leaf,
        }
    }

    /// The part of the path, the place of the key if it has one, and the value.
    fn children(self) -> Box<dyn Iterator<Item = Child<'a, 't>> + 'a> {
        match self {
            Self::Table(table) => {
                let child = |(key, value): (&'a Spanned<_>, _)| {
                    let name: &std::borrow::Cow<'t, str> = key.get_ref();
                    (name.to_string(), Some(key.span()), value)
                };
                Box::new(table.iter().map(child))
            }
            Self::Array(array) => Box::new(
                array
                    .iter()
                    .enumerate()
                    .map(|(place, it)| (place.to_string(), None, it)),
            ),
            Self::Leaf => Box::new(std::iter::empty()),
        }
    }
}

/// The parts of a dotted key, or `None` if it is none.
pub(super) fn parts(path: &str) -> Option<Vec<String>> {
    // A value that nobody writes shows that the text is a key and nothing else.
    const LEAF: i64 = i64::MIN + 14;
    let mut table = toml::from_str::<toml::Table>(&format!("{path} = {LEAF}")).ok()?;
    let mut parts = Vec::new();
    loop {
        let single = table.len() == 1;
        let (part, value) = table.into_iter().next().filter(|_| single)?;
        parts.push(part);
        match value {
            toml::Value::Integer(LEAF) => return Some(parts),
            toml::Value::Table(inner) => table = inner,
            _ => return None,
        }
    }
}

/// The words of `serde` and `toml` for names that are unknown, with the nearest known one.
pub(super) fn reworded(message: &str) -> String {
    let unknown =
        |what: &str, name: &str, known: Vec<&str>| format!("there is no {what} {name:?}{}", nearest(name, known));
    let mut quoted = message.split('`').skip(1).step_by(2);
    let keys = message.strip_prefix("unexpected keys in table: ");
    match keys.and_then(|it| it.split_once(", available keys: ")) {
        Some((found, known)) => {
            let first = found.split(", ").next().unwrap_or(found);
            unknown("setting", first, known.split(", ").collect())
        }
        None if message.starts_with("unknown field") => {
            unknown("setting", quoted.next().unwrap_or_default(), quoted.collect())
        }
        None if message.starts_with("unknown variant") => {
            unknown("value", quoted.next().unwrap_or_default(), quoted.collect())
        }
        None if message.starts_with("missing field") => {
            format!("the setting {:?} is missing", quoted.next().unwrap_or_default())
        }
        None => wrong_type(message).unwrap_or_else(|| message.replace('\n', ", ")),
    }
}

/// The words for a value of the wrong type; the types of Rust tell a reader of TOML nothing.
fn wrong_type(message: &str) -> Option<String> {
    let it = message.strip_prefix("invalid type: ");
    let (found, wanted) = it
        .or_else(|| message.strip_prefix("invalid value: "))?
        .split_once(", expected ")?;
    let found = found
        .replace("floating point", "number")
        .replace("unit variant", "a name alone");
    let wanted = match wanted {
        "f64" => "a number",
        "usize" | "u16" | "u32" | "u64" => "a whole number of at least 0",
        "struct variant" => "a table of settings after the name",
        it if it.starts_with("struct") => "a table of settings",
        it => it,
    };
    Some(format!("wanted {wanted}, found {found}"))
}

/// A CSV file that was read, for errors in what it has.
struct ReadFile {
    /// Of the list in the scenario.
    path: String,
    file: PathBuf,
    lines: Vec<u64>,
}

impl ReadFile {
    fn locate(&self, error: &ScenarioError) -> Option<ScenarioError> {
        let place = error.path().strip_prefix(&self.path)?.strip_prefix('.')?;
        let place = place.split('.').next()?.parse::<usize>().ok()?;
        let line = self.lines.get(place).copied();
        let error = error.clone().in_file(&self.file);
        Some(match line {
            Some(line) => error.at_line(line as usize),
            None => error,
        })
    }
}

/// Reads the CSV files that the scenario names.
fn read_files(scenario: &mut Scenario, directory: &Path) -> Result<Vec<ReadFile>, ScenarioError> {
    let mut read = Vec::new();
    for (name, producer) in &mut scenario.producer {
        if let Some((file, entries)) = producer.arrivals.file() {
            let path = format!("producer.{}.arrivals.trace", key(name));
            *entries = read_file(
                &path,
                "entries",
                &directory.join(file),
                entries.is_empty(),
                files::trace,
                &mut read,
            )?;
        }
    }
    for (name, fleet) in &mut scenario.fleet {
        let services = [
            ("service", Some(&mut fleet.service)),
            ("call_latency", fleet.call_latency.as_mut()),
        ];
        for (setting, service) in services {
            if let Some((file, times)) = service.and_then(|it| it.file()) {
                let path = format!("fleet.{}.{setting}.empirical", key(name));
                *times = read_file(
                    &path,
                    "times",
                    &directory.join(file),
                    times.is_empty(),
                    files::times,
                    &mut read,
                )?;
            }
        }
    }
    Ok(read)
}

fn read_file<T>(
    path: &str,
    list: &str,
    file: &Path,
    alone: bool,
    parse: impl FnOnce(&[u8]) -> Result<files::Content<T>, FileError>,
    read: &mut Vec<ReadFile>,
) -> Result<std::sync::Arc<[T]>, ScenarioError> {
    if !alone {
        return Err(ScenarioError::new(
            path,
            format!("there are both `file` and `{list}`, there has to be one of them"),
        ));
    }
    let content = fs::read(file).map_err(|error| {
        let problem = format!("the file {} cannot be read: {error}", file.display());
        ScenarioError::new(format!("{path}.file"), problem)
    })?;
    let content = parse(&content).map_err(|error| {
        let found = ScenarioError::new(path, error.problem).in_file(file);
        found.at_line(error.line as usize)
    })?;
    read.push(ReadFile {
        path: format!("{path}.{list}"),
        file: file.to_owned(),
        lines: content.lines,
    });
    Ok(content.entries)
}
