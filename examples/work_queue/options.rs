//! The command line.

use {
    lexopt::{
        Arg::{Long, Short, Value},
        ValueExt,
    },
    requeue::Limits,
    std::{env, ffi::OsString, path::PathBuf, thread, time::Duration},
};

pub(crate) const HELP: &str = "\
Counts lines and words of every file below a directory, and its SHA-256, by way of a work queue.

Usage: work_queue [OPTIONS] [DIR]

  DIR                     the directory; by default the package that cargo runs, else the current one.
                          Directories named .git or target are passed over, links are not followed
Options:
  --workers N             worker threads, 1 to 256; by default one per processor, at least 2
  --visibility TIME       visibility timeout, as 500ms, 2s or 0.5 (seconds), 1ms to 43200s; by default 500ms
  --max-receive-count N   receives before a job becomes a dead letter, 1 to 1000; by default 2
  --kill-worker           one worker dies in the middle of its first batch
  --journal JOURNAL       keep jobs and results in this directory: a run that is killed, or stopped with Ctrl-C, goes on
                          when it is started again with the same DIR and JOURNAL
  --all                   list every dead letter, not only the first 20
  --strict                dead letters that are left at the end make the exit code 1
  -h, --help              this text

Exit code:
  0  every file was counted or is in the dead-letter queue
  1  a file is in neither, a directory could not be listed, or --strict and dead letters are left
  2  the command line is wrong, DIR is not a directory that can be listed, or JOURNAL cannot be opened";

pub(crate) struct Options {
    pub(crate) root: PathBuf,
    pub(crate) workers: usize,
    pub(crate) visibility: Duration,
    pub(crate) max_receive_count: u32,
    pub(crate) kill_worker: bool,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) all: bool,
    pub(crate) strict: bool,
}

/// The options, or none if help is asked for.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        root: default_root(),
        workers: thread::available_parallelism().map_or(2, |processors| processors.get().clamp(2, 256)),
        visibility: Duration::from_millis(500),
        max_receive_count: 2,
        kill_worker: false,
        journal: None,
        all: false,
        strict: false,
    };
    let mut root = None;
    let mut arguments = lexopt::Parser::from_args(arguments);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("workers") => options.workers = arguments.value()?.parse_with(count("--workers", 256))?,
            Long("visibility") => options.visibility = arguments.value()?.parse_with(visibility)?,
            Long("max-receive-count") => {
                let most = Limits::default().max_receive_count;
                options.max_receive_count = arguments.value()?.parse_with(count("--max-receive-count", most))?;
            }
            Long("kill-worker") => options.kill_worker = true,
            Long("journal") => options.journal = Some(arguments.value()?.into()),
            Long("all") => options.all = true,
            Long("strict") => options.strict = true,
            Value(directory) if root.is_none() => root = Some(directory.into()),
            _ => return Err(argument.unexpected()),
        }
    }
    if options.kill_worker && options.workers < 2 {
        return Err("--kill-worker leaves nobody to work: it needs at least 2 workers".into());
    }
    options.root = root.unwrap_or(options.root);
    Ok(Some(options))
}

/// The repository, two folders above this package, as the shortest path to it.
fn default_root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let repository = package.as_deref().and_then(|package| package.ancestors().nth(2));
    let elsewhere = repository.filter(|repository| env::current_dir().ok().as_deref() != Some(*repository));
    elsewhere.map_or_else(|| ".".into(), PathBuf::from)
}

fn count<N: Copy + PartialOrd + From<u8> + std::str::FromStr + std::fmt::Display>(
    option: &str,
    most: N,
) -> impl Fn(&str) -> Result<N, String> {
    move |text| match text.parse() {
        Ok(number) if number >= N::from(1) && number <= most => Ok(number),
        _ => Err(format!("{option} is a number from 1 to {most}")),
    }
}

fn visibility(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse().map_or(f64::NAN, |number: f64| number * unit);
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time >= Duration::from_millis(1) && time <= Limits::default().visibility_timeout => Ok(time),
        _ => Err("--visibility is a time from 1ms to 43200s (12 hours), such as 500ms, 2s or 0.5".to_owned()),
    }
}
