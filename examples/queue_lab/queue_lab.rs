//! The queue lab: a scenario of queues, load and workers, simulated in virtual time on the real queue.
//! `cargo run --release --features sim --example queue_lab -- SCENARIO.toml [--out DIR] [--seed N]` prints a table, and
//! with `--out` writes a page with charts; `-- --help` lists the options. Three scenarios are beside this file:
//!
//! * `outage.toml`: twenty minutes in which every job fails, with and without backoff;
//! * `noisy_tenant.toml`: a tenant with a large backlog, in a fair queue and in a plain one;
//! * `visibility.toml`: the shortest visibility timeout with under 0.1 % duplicates.
//!
//! Exit code: 0 if the scenario was run, 1 if a report could not be written, 2 if the command line or the scenario is
//! wrong.

mod options;
mod screen;

use {
    options::{HELP, Options},
    requeue::sim::{Progress, Report, SaveError, Scenario, ScenarioError, SweepReport},
    std::{
        env,
        fmt::{self, Display},
        fs,
        io::{self, Write},
        path::{Path, PathBuf},
        process::ExitCode,
        time::Duration,
    },
};

fn main() -> ExitCode {
    let options = match options::parse(env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => return complain(2, format!("{error}; --help lists the options")),
    };
    // Before the time is spent.
    if let Some(Err(error)) = options.out.as_deref().map(fs::create_dir_all) {
        let folder = options.out.unwrap_or_default();
        return complain(1, format!("cannot create {}: {error}", folder.display()));
    }
    let progress = Progress::new();
    let (found, took) = match simulate(&options, &progress) {
        Ok(simulated) => simulated,
        Err(error) => return complain(2, error),
    };
    say(&found);
    if let Some(folder) = &options.out {
        match found.save(folder) {
            Ok(page) => say(format_args!("the report with its charts is {}\n", page.display())),
            Err(error) => return complain(1, error),
        }
    }
    say(screen::rate(progress.messages(), took));
    ExitCode::SUCCESS
}

fn simulate(options: &Options, progress: &Progress) -> Result<(Found, Duration), ScenarioError> {
    let mut scenario = Scenario::read(&options.scenario)?;
    if let Some(seed) = options.seed {
        scenario.seed = seed;
    }
    let run = || match scenario.sweep {
        Some(_) => scenario.run_sweep_with(progress).map(Found::Sweep),
        None => scenario.run_with(progress).map(Found::Run),
    };
    let (found, took) = screen::shown(scenario.horizon, progress, run);
    Ok((found?, took))
}

enum Found {
    Run(Report),
    Sweep(SweepReport),
}

impl Found {
    /// Answers with the path of the page.
    fn save(&self, folder: &Path) -> Result<PathBuf, SaveError> {
        let page = match self {
            Self::Run(report) => report.save(folder).map(|()| "report.html"),
            Self::Sweep(report) => report.save(folder).map(|()| "sweep.html"),
        };
        page.map(|page| folder.join(page))
    }
}

impl Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(report) => report.fmt(f),
            Self::Sweep(report) => report.fmt(f),
        }
    }
}

/// That nobody listens is no reason to panic.
fn say(what: impl Display) {
    let _ = writeln!(io::stdout(), "{what}");
}

fn complain(exit_code: u8, what: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "queue_lab: {what}");
    ExitCode::from(exit_code)
}
