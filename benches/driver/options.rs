//! The command line of the benches.

use {
    super::Scale,
    std::{env, process::ExitCode},
};

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
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) scale: Scale,
    pub(crate) form: Form,
    /// How often the whole table is measured; at least once.
    pub(crate) runs: usize,
    /// Where an endpoint listens.
    #[allow(dead_code, reason = "only the bench of the endpoint knows the option")]
    pub(crate) address: Option<String>,
    words: Vec<String>,
}

/// An option with the name of its value and what it does; a bench knows some of them.
const OPTIONS: &[(&str, &str, &str)] = &[
    ("--quick", "", "run everything briefly; goals are not judged"),
    ("--json", "", "print one object per line"),
    ("--markdown", "", "print the rows of a table in benches/README.md"),
    (
        "--runs",
        "N",
        "measure all N times, 1 to 1000, and print medians with their spread",
    ),
    ("--addr", "HOST:PORT", "measure the endpoint that listens there as well"),
    (WORD, "", "run the cases whose names contain one of the words"),
];

/// Stands for words among the options that a bench knows.
pub(crate) const WORD: &str = "WORD..";

impl Options {
    /// The command line of `bench`, which has these cases and knows these options. Otherwise the code with which it ends:
    /// it has printed its options, or why it refuses what it was given.
    pub(crate) fn read(bench: &str, known: &[&str], cases: &[&str]) -> Result<Self, ExitCode> {
        match Self::from_arguments(env::args().skip(1), known, cases) {
            Ok(Some(options)) => Ok(options),
            Ok(None) => {
                print!("{}", help(bench, known, cases));
                Err(ExitCode::SUCCESS)
            }
            Err(complaint) => {
                eprintln!("{bench}: {complaint}");
                Err(ExitCode::from(2))
            }
        }
    }

    /// Reads the arguments that cargo and the reader give; nothing is to be run if they ask for help.
    ///
    /// Cargo passes `--bench` for `cargo bench` only, behind all others; without it (`cargo test --all-targets`) the run is
    /// brief.
    fn from_arguments(
        mut arguments: impl Iterator<Item = String>,
        known: &[&str],
        cases: &[&str],
    ) -> Result<Option<Self>, String> {
        let (mut bench, mut brief, mut forms, mut runs) = (false, false, Vec::new(), 1);
        let (mut address, mut words) = (None, Vec::new());
        while let Some(argument) = arguments.next() {
            let is_word = !argument.starts_with('-');
            match argument.as_str() {
                "--bench" => bench = true,
                "--test" => brief = true,
                "--help" | "-h" => return Ok(None),
                name if !known.contains(if is_word { &WORD } else { &name }) => {
                    return Err(format!("unknown argument {name}: expected {}", expected(known)));
                }
                "--quick" => brief = true,
                "--json" => forms.push(Form::Json),
                "--markdown" => forms.push(Form::Markdown),
                "--runs" => runs = number_of_runs(value(arguments.next()))?,
                "--addr" => address = Some(value(arguments.next()).ok_or("--addr needs HOST:PORT")?),
                _ => words.push(argument),
            }
        }
        forms.dedup();
        if forms.len() > 1 {
            return Err("--json and --markdown exclude each other: expected one of them".to_owned());
        }
        if let Some(word) = words.iter().find(|word| !cases.iter().any(|case| case.contains(*word))) {
            return Err(format!("no case contains `{word}`: the cases are {}", cases.join(", ")));
        }
        Ok(Some(Self {
            scale: Scale { brief: brief || !bench },
            form: forms.pop().unwrap_or(Form::Text),
            runs,
            address,
            words,
        }))
    }

    /// Whether all cases are asked for, for readers.
    #[allow(dead_code, reason = "not every bench has more to say than its cases")]
    pub(crate) fn is_whole(&self) -> bool {
        self.words.is_empty() && self.form == Form::Text
    }

    pub(crate) fn wants(&self, case: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| case.contains(word.as_str()))
    }
}

/// The options that a bench knows, as they are typed.
fn expected(known: &[&str]) -> String {
    let options = OPTIONS.iter().filter(|(name, ..)| known.contains(name));
    let typed = options.map(|(name, value, _)| format!("{name} {value}").trim_end().to_owned());
    typed.chain(["--help".to_owned()]).collect::<Vec<_>>().join(", ")
}

fn help(bench: &str, known: &[&str], cases: &[&str]) -> String {
    let mut help = format!("{bench}: options after `--`\n");
    for (name, value, what) in OPTIONS.iter().filter(|(name, ..)| known.contains(name)) {
        help += &format!("  {:<18}{what}\n", format!("{name} {value}"));
    }
    help += &format!("  {:<18}print this\n", "--help");
    if !cases.is_empty() {
        help += &format!("cases: {}\n", cases.join(", "));
    }
    help
}

/// The value of an option, unless another option follows instead.
fn value(next: Option<String>) -> Option<String> {
    next.filter(|value| !value.starts_with("--"))
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

    const KNOWN: &[&str] = &["--quick", "--json", "--markdown", "--runs", WORD];
    const CASES: &[&str] = &["cycle", "batch_of_ten"];

    fn read(arguments: &str) -> Result<Option<Options>, String> {
        Options::from_arguments(arguments.split_whitespace().map(str::to_owned), KNOWN, CASES)
    }

    fn options(arguments: &str) -> Options {
        read(arguments).expect("legal arguments").expect("a run")
    }

    fn complaint(arguments: &str) -> String {
        read(arguments).expect_err(arguments)
    }

    #[test]
    fn a_table_is_run_once_unless_told_otherwise() {
        assert_eq!(options("--bench cycle").runs, 1);
        assert_eq!(options("--runs 5 --bench").runs, 5);
    }

    #[test]
    fn a_number_of_runs_is_1_to_1000() {
        for runs in ["1", "1000"] {
            assert!(read(&format!("--runs {runs}")).is_ok());
        }
        for runs in ["0", "1001", "many", "-1"] {
            let expected = format!("--runs {runs}: expected 1 to 1000 runs");
            assert_eq!(complaint(&format!("--runs {runs}")), expected);
        }
    }

    #[test]
    fn what_cargo_adds_is_no_number_of_runs() {
        for arguments in ["--runs", "--runs --bench", "--runs --json --bench"] {
            assert_eq!(complaint(arguments), "--runs needs a number of runs: 1 to 1000");
        }
    }

    #[test]
    fn a_run_is_brief_unless_cargo_benches_and_nobody_wants_it_quick() {
        for (arguments, brief) in [
            ("--bench", false),
            ("", true),
            ("--quick --bench", true),
            ("--test --bench", true),
        ] {
            assert_eq!(options(arguments).scale, Scale { brief }, "{arguments}");
        }
    }

    #[test]
    fn a_word_that_no_case_contains_is_refused_though_others_match() {
        for arguments in ["nosuch", "cycle nosuch", "nosuch ten --bench"] {
            let expected = "no case contains `nosuch`: the cases are cycle, batch_of_ten";
            assert_eq!(complaint(arguments), expected);
        }
        assert!(options("ten --bench").wants("batch_of_ten"));
        assert!(!options("ten --bench").wants("cycle"));
    }

    #[test]
    fn a_table_has_one_form() {
        assert_eq!(options("--json").form, Form::Json);
        assert_eq!(options("--markdown --markdown").form, Form::Markdown);
        for arguments in ["--markdown --json", "--json --markdown --json"] {
            let expected = "--json and --markdown exclude each other: expected one of them";
            assert_eq!(complaint(arguments), expected);
        }
    }

    #[test]
    fn an_argument_that_a_bench_does_not_know_is_refused() {
        let expected = "expected --quick, --json, --markdown, --runs N, WORD.., --help";
        assert_eq!(complaint("--rounds"), format!("unknown argument --rounds: {expected}"));
        assert_eq!(
            complaint("--addr host:1"),
            format!("unknown argument --addr: {expected}")
        );
        for argument in ["--bogus", "word", "--runs"] {
            let read = Options::from_arguments([argument.to_owned()].into_iter(), &["--quick"], &[]);
            let expected = format!("unknown argument {argument}: expected --quick, --help");
            assert_eq!(read, Err(expected));
        }
    }

    #[test]
    fn an_address_is_what_follows() {
        let read = |arguments: &str| {
            Options::from_arguments(arguments.split_whitespace().map(str::to_owned), &["--addr"], &[])
        };
        let address = read("--addr host:1 --bench").map(|options| options.and_then(|options| options.address));
        assert_eq!(address, Ok(Some("host:1".to_owned())));
        assert_eq!(read("--addr --bench"), Err("--addr needs HOST:PORT".to_owned()));
    }

    #[test]
    fn help_runs_nothing_and_names_what_the_bench_knows() {
        for arguments in ["--help --bench", "-h", "--json --help"] {
            assert_eq!(read(arguments), Ok(None), "{arguments}");
        }
        let help = help("rivals", KNOWN, CASES);
        for told in [
            "--quick",
            "--json",
            "--markdown",
            "--runs N",
            WORD,
            "--help",
            "cases: cycle, batch_of_ten",
        ] {
            assert!(help.contains(told), "{told}: {help}");
        }
        assert!(!help.contains("--addr"), "{help}");
    }
}
