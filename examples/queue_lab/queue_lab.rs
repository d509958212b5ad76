//! The queue lab: a scenario of queues, load and workers, simulated in virtual time on the real queue.
//! `cargo run --release --features sim --example queue_lab -- SCENARIO.toml [--out DIR] [--seed N]` prints a table, and
//! with `--out` writes a page with charts; `-- --help` lists the options. Three scenarios are beside this file:
//!
//! * `outage.toml`: twenty minutes in which every job fails, with and without backoff;
//! * `noisy_tenant.toml`: a tenant with a huge backlog, in a fair queue and in a plain one;
//! * `visibility.toml`: the shortest visibility timeout with under 0.1 % duplicates.
//!
//! Exit code: 0 if the scenario was run, 1 if a report could not be written, 2 if the command line or the scenario is
//! wrong.

mod options;
mod screen;

use {
    options::{HELP, Options},
    requeue::sim::{Progress, SaveError, Scenario, ScenarioError},
    std::{
        env,
        fmt::Display,
        io::{self, Write},
        path::Path,
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
    match lab(&options) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => complain(1, error),
        Err(error) => complain(2, error),
    }
}

/// Runs the scenario, or its sweep if it has one. The outer error is the scenario's, the inner one that of a report.
fn lab(options: &Options) -> Result<Result<(), SaveError>, ScenarioError> {
    let mut scenario = Scenario::read(&options.scenario)?;
    if let Some(seed) = options.seed {
        scenario.seed = seed;
    }
    let progress = Progress::new();
    if scenario.sweep.is_some() {
        let points = scenario.points_of_sweep();
        let (report, took) = screen::shown(scenario.horizon * points, &progress, || scenario.sweep_with(&progress));
        let report = report?;
        say(&report);
        conclude(options, took, &progress, |folder| report.save(folder))
    } else {
        let (report, took) = screen::shown(scenario.horizon, &progress, || scenario.run_with(&progress));
        let report = report?;
        say(&report);
        conclude(options, took, &progress, |folder| report.save(folder))
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
