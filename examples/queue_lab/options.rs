//! The command line.

use {
    lexopt::{
        Arg::{Long, Short, Value},
        ValueExt,
    },
    std::{ffi::OsString, path::PathBuf},
};

pub(crate) const HELP: &str = "\
Simulates queues and workers in virtual time, and reports what became of the messages.

Usage: queue_lab [OPTIONS] SCENARIO.toml

  SCENARIO.toml  queues, what is sent to them, who works on it, what goes wrong, and for how long;
                 the documentation of the crate has all settings, module sim
Options:
  --out DIR      write report.html and report.json, tables as CSV and charts as SVG to this directory,
                 which is created if it is missing; files of the same names are replaced
  --seed N       draw everything by this seed instead of the scenario's, 0 to 18446744073709551615
  -h, --help     this text

Exit code:
  0  the scenario was run; an unstable one, whose backlog only grows, as well
  1  a report could not be written
  2  the command line or the scenario is wrong";

#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Options {
    pub(crate) scenario: PathBuf,
    pub(crate) out: Option<PathBuf>,
    pub(crate) seed: Option<u64>,
}

fn seed_of(text: &str) -> Result<u64, String> {
    let wanted = |_| format!("the seed has to be a whole number, 0 to {}", u64::MAX);
    text.parse().map_err(wanted)
}

/// The options, or none if help is asked for.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
    let (mut scenario, mut out, mut seed) = (None, None, None);
    let mut arguments = lexopt::Parser::from_args(arguments);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("out") => out = Some(PathBuf::from(arguments.value()?)),
            Long("seed") => seed = Some(arguments.value()?.parse_with(seed_of)?),
            Value(file) if scenario.is_none() => scenario = Some(PathBuf::from(file)),
            _ => return Err(argument.unexpected()),
        }
    }
    let scenario = scenario.ok_or("the file of a scenario is missing")?;
    Ok(Some(Options { scenario, out, seed }))
}
