//! The command line of the benches.

use super::Scale;

/// How the lines are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    /// One object per line and rival.
    Json,
    /// One row of a table per case.
    Markdown,
}

/// What the command line asks for.
pub(crate) struct Options {
    pub(crate) scale: Scale,
    pub(crate) form: Form,
    /// How often the whole table is measured; at least once.
    pub(crate) runs: usize,
    filters: Vec<String>,
}

const EXPECTED: &str = "--json, --markdown, --quick, --runs N, --test or words that case names contain";

impl Options {
    /// Reads the arguments that cargo and the reader give.
    ///
    /// Cargo passes `--bench` for `cargo bench` only; without it (`cargo test --all-targets`) the run is brief.
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut bench, mut brief, mut form, mut runs, mut filters) = (false, false, Form::Text, 1, Vec::new());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => bench = true,
                "--test" | "--quick" => brief = true,
                "--json" => form = Form::Json,
                "--markdown" => form = Form::Markdown,
                "--runs" => runs = number_of_runs(arguments.next())?,
                other if other.starts_with('-') => {
                    return Err(format!("unknown option {other}: expected {EXPECTED}"));
                }
                word => filters.push(word.to_owned()),
            }
        }
        Ok(Self {
            scale: Scale { brief: brief || !bench },
            form,
            runs,
            filters,
        })
    }

    /// Whether all cases are asked for, for readers.
    #[allow(dead_code, reason = "not every bench has more to say than its cases")]
    pub(crate) fn is_whole(&self) -> bool {
        self.filters.is_empty() && self.form == Form::Text
    }

    pub(crate) fn wants(&self, case: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| case.contains(filter.as_str()))
    }
}

fn number_of_runs(value: Option<String>) -> Result<usize, String> {
    let value = value.ok_or("--runs needs a number of runs: 1 to 1000")?;
    match value.parse() {
        Ok(runs) if (1..=1_000).contains(&runs) => Ok(runs),
        _ => Err(format!("--runs {value}: expected 1 to 1000 runs")),
    }
}

#[cfg(test)]
#[allow(
    dead_code,
    unused_imports,
    reason = "a bench has no harness; `tests/layering` runs them"
)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Options, String> {
        Options::from_arguments(arguments.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_table_is_run_once_unless_told_otherwise() {
        assert_eq!(read("--bench cycle").map(|options| options.runs), Ok(1));
        assert_eq!(read("--runs 5 --bench").map(|options| options.runs), Ok(5));
    }

    #[test]
    fn a_number_of_runs_is_1_to_1000() {
        for runs in ["1", "1000"] {
            assert!(read(&format!("--runs {runs}")).is_ok());
        }
        for runs in ["0", "1001", "many"] {
            let error = read(&format!("--runs {runs}")).map(|options| options.runs);
            assert_eq!(error, Err(format!("--runs {runs}: expected 1 to 1000 runs")));
        }
        assert!(read("--runs").is_err());
        assert!(read("--rounds").is_err());
    }
}
