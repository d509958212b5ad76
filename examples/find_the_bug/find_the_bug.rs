//! Plausible consumers of several shapes, each with a bug, and a correct one: the kit tells the story of each bug.
//! `cargo run --release --all-features --example find_the_bug` takes a few seconds; with `-- --measure` it prints how fast
//! and how reliably each is found. With `--features testing` alone it leaves out the runner, the client of the AWS SDK
//! and the service on tokio, which ask for `worker`, for `aws-sdk` with `worker-sqs`, and for `testing-tokio`.
#[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
mod client;
mod handlers;
#[cfg(feature = "worker")]
mod runner;
mod saga;
#[cfg(feature = "testing-tokio")]
mod service;

use {
    requeue::{
        Queue,
        testing::{Check, CheckError, Consumer, Faults, Passed, check, proptest::strategy::Just},
    },
    std::{
        io::{self, IsTerminal},
        process::ExitCode,
        time::{Duration, Instant},
    },
};

/// A check of a consumer with a bug: the whole of it, or with this seed until it is found.
type Bug = fn(Option<u64>) -> Result<Passed, CheckError>;

fn run<W: 'static>(check: Check<W>, seed: Option<u64>) -> Result<Passed, CheckError> {
    match seed {
        Some(seed) => check.seed(seed).first_failure_only().run(),
        None => check.run(),
    }
}

fn bugs() -> Vec<Bug> {
    vec![
        |seed| run(handlers::charges_twice(), seed),
        |seed| run(handlers::deletes_first(), seed),
        |seed| run(handlers::slow_without_heartbeat(), seed),
        |seed| run(handlers::continues_after_failure(), seed),
        |seed| run(handlers::swallows_poison(), seed),
        |seed| run(saga::pays_and_does_not_ship(), seed),
        #[cfg(feature = "worker")]
        |seed| run(runner::records_before_it_charges(), seed),
        #[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
        |seed| run(client::deletes_before_it_charges(), seed),
        #[cfg(feature = "testing-tokio")]
        |seed| run(service::gives_up_too_early(), seed),
    ]
}

fn main() -> ExitCode {
    let measure = std::env::args().any(|argument| argument == "--measure");
    let all = if measure { measured() } else { told() };
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the story of each bug.
fn told() -> bool {
    let colour = io::stdout().is_terminal();
    let mut all = true;
    for bug in bugs() {
        match bug(None) {
            Err(CheckError::Failed { name, failure, .. }) => {
                let text = failure.story.render(colour);
                all &= text.lines().count() < 15;
                println!("{name}\n{text}");
            }
            other => {
                println!("not found: {other:?}");
                all = false;
            }
        }
    }
    match handlers::correct().cases(10_000).run() {
        Ok(passed) => println!("correct\n{passed}"),
        Err(error) => {
            println!("{error}");
            all = false;
        }
    }
    all
}

/// Prints what the kit is meant to reach, and what it reaches.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn measured() -> bool {
    let mut all = true;
    println!("each bug in 20 seeds: under 500 schedules and 100 ms, at most 12 lines\n");
    for bug in bugs() {
        let (mut name, mut found, mut schedules, mut lines) = (String::new(), 0, 0, 0);
        let mut slowest = Duration::ZERO;
        for seed in 0..20 {
            let begun = Instant::now();
            let result = bug(Some(seed));
            slowest = slowest.max(begun.elapsed());
            if let Err(CheckError::Failed {
                name: its,
                failure,
                cases,
                ..
            }) = result
            {
                (name, found) = (its, found + 1);
                schedules = schedules.max(cases);
                lines = lines.max(failure.story.lines().len());
            }
        }
        let millis = slowest.as_secs_f64() * 1e3;
        println!("{name:45} {found} of 20, at most {schedules} schedules, {millis:.1} ms, {lines} lines");
        all &= found == 20 && schedules < 500 && slowest < Duration::from_millis(100) && lines <= 12;
    }
    let begun = Instant::now();
    let passed = handlers::correct().faults(Faults::everyday()).cases(10_000).run();
    let seconds = begun.elapsed().as_secs_f64();
    match passed {
        Ok(passed) => println!("{:45} {} cases in {seconds:.1} s", "correct", passed.cases),
        Err(error) => {
            println!("{error}");
            all = false;
        }
    }
    let trivial = || {
        check("trivial", || ())
            .queue(|| Queue::standard("orders"))
            .messages(Just("5"))
            .pairs(0)
            .cases(10_000)
    };
    all &= rate("trivial handler", 300_000.0, || {
        trivial().consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    });
    #[cfg(feature = "worker")]
    {
        all &= rate("runner", 50_000.0, || trivial().consumer("c", |_| runner::trivial()));
    }
    #[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
    {
        all &= rate("SDK client", 5_000.0, || {
            trivial().cases(500).consumer("c", |_| client::trivial())
        });
    }
    all
}

/// Prints how many steps of a check there are in a second.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn rate(name: &str, least: f64, check: impl Fn() -> Check<()>) -> bool {
    let begun = Instant::now();
    let steps = check().run().map_or(0, |passed| passed.steps);
    let rate = steps as f64 / begun.elapsed().as_secs_f64();
    println!("{name:45} {rate:.0} steps/s, meant to be at least {least}");
    rate >= least
}
