//! CSV files that a scenario names.

use {
    super::{TraceEntry, error::nearest},
    csv::{ErrorKind, Position, Reader, ReaderBuilder, Trim},
    std::{collections::HashMap, sync::Arc, time::Duration},
};

/// What a file has, and the line of each entry.
pub(super) struct Content<T> {
    pub(super) entries: Arc<[T]>,
    pub(super) lines: Vec<u64>,
}

/// What is wrong with a file, and in which line.
#[derive(Debug)]
pub(super) struct FileError {
    pub(super) line: u64,
    pub(super) problem: String,
}

impl FileError {
    fn at(line: u64, problem: impl Into<String>) -> Self {
        Self {
            line,
            problem: problem.into(),
        }
    }
}

/// A file as its bytes, which tell the line where a record begins: the position of a record is before the empty lines above
/// it.
#[derive(Clone, Copy)]
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn reader(self, has_headers: bool) -> Reader<&'a [u8]> {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(has_headers).trim(Trim::All).from_reader(self.0)
    }

    fn line(self, position: Option<&Position>) -> u64 {
        let Some(position) = position else { return 1 };
        let rest = self.0.get(position.byte() as usize..).unwrap_or_default();
        let empty = rest.iter().take_while(|byte| b"\r\n".contains(byte));
        position.line() + empty.filter(|byte| **byte == b'\n').count() as u64
    }

    fn error(self, error: &csv::Error) -> FileError {
        let problem = match error.kind() {
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("the line has {len} columns, it has to have {expected_len}")
            }
            ErrorKind::Utf8 { .. } => "the line is not UTF-8".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        FileError {
            line: self.line(error.position()),
            problem,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let parsed = text.parse().ok().and_then(|it| Duration::try_from_secs_f64(it).ok());
    parsed.ok_or_else(|| format!("{text:?} is not a number of seconds, which is finite and at least 0"))
}

/// A header with `time`, and in any order `group` and `bytes`, which may be empty or absent.
pub(super) fn trace(content: &[u8]) -> Result<Content<TraceEntry>, FileError> {
    const COLUMNS: [&str; 3] = ["time", "group", "bytes"];
    let source = Source(content);
    let mut reader = source.reader(true);
    let headers = reader.headers().map_err(|it| source.error(&it))?.clone();
    let first = source.line(headers.position());
    if let Some(name) = headers.iter().find(|it| !COLUMNS.contains(it)) {
        let problem = format!("there is no column {name:?} in a trace{}", nearest(name, COLUMNS));
        return Err(FileError::at(first, problem));
    }
    let column = |name: &str| headers.iter().position(|it| it == name);
    if let Some(name) = COLUMNS
        .iter()
        .find(|it| headers.iter().filter(|name| name == *it).count() > 1)
    {
        return Err(FileError::at(
            first,
            format!("the header has the column {name:?} twice"),
        ));
    }
    let (Some(time), group, bytes) = (column("time"), column("group"), column("bytes")) else {
        return Err(FileError::at(
            1,
            "the header has no column \"time\", a trace begins with \"time,group,bytes\"",
        ));
    };
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    // Groups come again and again.
    let mut groups = HashMap::<String, Arc<str>>::new();
    for record in reader.records() {
        let record = record.map_err(|it| source.error(&it))?;
        let value = |column: Option<usize>| column.and_then(|it| record.get(it)).filter(|it| !it.is_empty());
        let line = source.line(record.position());
        let time = seconds(value(Some(time)).unwrap_or_default());
        let mut entry = TraceEntry::new(time.map_err(|it| FileError::at(line, format!("the time {it}")))?);
        if let Some(group) = value(group) {
            let shared = groups.entry(group.to_owned()).or_insert_with(|| group.into());
            entry.group = Some(Arc::clone(shared));
        }
        if let Some(bytes) = value(bytes) {
            let parsed = bytes.parse();
            entry.bytes = Some(parsed.map_err(|_| {
                FileError::at(
                    line,
                    format!("the size {bytes:?} is not a whole number of bytes from 0"),
                )
            })?);
        }
        entries.push(entry);
        lines.push(line);
    }
    Ok(Content {
        entries: entries.into(),
        lines,
    })
}

/// One column; the first line is a header if it is no number.
pub(super) fn times(content: &[u8]) -> Result<Content<Duration>, FileError> {
    let source = Source(content);
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    for (place, record) in source.reader(false).records().enumerate() {
        let record = record.map_err(|it| source.error(&it))?;
        let line = source.line(record.position());
        if record.len() != 1 {
            let count = record.len();
            return Err(FileError::at(
                line,
                format!("the line has {count} columns, it has to have 1"),
            ));
        }
        let text = &record[0];
        if place == 0 && text.parse::<f64>().is_err() {
            continue;
        }
        entries.push(seconds(text).map_err(|it| FileError::at(line, format!("the time {it}")))?);
        lines.push(line);
    }
    Ok(Content {
        entries: entries.into(),
        lines,
    })
}
