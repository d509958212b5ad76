//! What a runner costs beside other ways to run a handler for every message of a queue in memory.
//!
//! `cargo bench --manifest-path benches/peers/Cargo.toml` prints a table for one thread and one for two; `-- --json`,
//! `-- --quick` and words that pick tables as in the other benches. All contenders of a table take turns in the same
//! process; see `driver` for what a figure is. Below a runner's name stands what it takes, below that its ratio to each
//! rival: less than 1 is cheaper than the rival. A `!` marks a ratio above what it is meant to be at most: 2 beside the
//! loop by hand that receives as many at once, 1 beside tasks that are spawned and beside apalis.
//!
//! One operation is one message of 256 bytes. All messages are there before the time begins, and the handler only looks
//! at the first byte. Every contender makes its own message of a `String`, and is told or sees that none is left.
//!
//! # The contenders
//!
//! * `runner`, `prefetch`: a runner on threads as it is by default, and one that prefetches nine. `future 1`,
//!   `future 100`: a runner as a future, with one and with a hundred async handlers at a time; it is one task, so that a
//!   second thread is of no use to it.
//! * `by hand`, `by hand, tens`: threads that receive from a queue of this crate, one or ten messages at a time, and
//!   delete what they have handled.
//! * `spawn, requeue`, `spawn, channel`: `tokio::spawn` for each message, bounded by a `Semaphore` of a hundred permits.
//!   The messages come from a queue of this crate, ten at a time, and are deleted by their tasks; or they come from a
//!   `tokio::sync::mpsc` channel, which is the cheapest source and keeps nothing.
//! * `apalis`, `apalis, bounded`, `apalis, spawned`: a worker over a `MemoryStorage`. The first has no layer at all: it
//!   runs handlers in its own task, without a bound, and so in one thread of two. The second has `concurrency(100)`. The
//!   third also has `parallelize(tokio::spawn)`, as in the example of its README, and is the only one to use a second
//!   thread. Tracing is compiled out. The storage is a channel of futures that wakes its worker, so that nothing polls or
//!   sleeps. It does not tell when it is empty: the handler counts down, one atomic subtraction, and the last one stops
//!   the worker.
//! * `omniqueue`: receive, handle and acknowledge on its queue in memory, in one task; with two threads the handlers are
//!   spawned as above, since a queue has one consumer.
//!
//! What needs Tokio runs on its current-thread runtime, or on one with two workers while the thread that started it sleeps.
//! The runtime is there before the time begins, whereas the threads of runners and loops are started within it.
//!
//! # What each does
//!
//! | | a message whose worker vanishes | a handler that fails | a handler that panics | a stop |
//! | --- | --- | --- | --- | --- |
//! | runner | comes back after its timeout; renewed while a handler runs | comes back when the policy says | has failed | ends what is begun, gives back the rest |
//! | loop by hand, `spawn, requeue` | comes back after its timeout; not renewed | the same | ends the thread or the task; the message comes back | none |
//! | `spawn, channel` | is lost | is lost | ends the task; the message is lost | none |
//! | apalis | is lost | is lost; a layer repeats it in place | ends the worker unless spawned or caught by a layer; the task is lost | ends what is begun; the rest is lost with the storage, which the worker owns |
//! | omniqueue | is lost | `nack` puts it at the end | is lost | none |
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

mod contenders;
#[path = "../driver/mod.rs"]
#[allow(dead_code, reason = "this bench prints a table of its own")]
mod driver;

use {
    contenders::{
        MANY, apalis, apalis_bounded, apalis_spawned, by_hand, future, omniqueue, runner, spawn_from_channel,
        spawn_from_queue,
    },
    driver::{Entrant, Form, NOT_JUDGED, Options, Scale, WORD, median, ratio, take_turns},
    std::process::ExitCode,
};

const MESSAGES: usize = 10_000;
const ROUNDS: usize = 101;

fn main() -> ExitCode {
    let options = match Options::read("peers", &["--quick", "--json", WORD], &["threads_1", "threads_2"]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut one = vec![runner("runner", 1, 0), runner("prefetch", 1, 9)];
    one.extend([future("future 1", 1), future("future 100", MANY)]);
    let two = vec![runner("runner", 2, 0), runner("prefetch", 2, 9)];
    for (case, threads, ours) in [("threads_1", 1, one), ("threads_2", 2, two)] {
        if options.wants(case) {
            compare(case, ours, rivals(threads), &options);
        }
    }
    if !options.scale.is_judged() && options.form == Form::Text {
        println!("{NOT_JUDGED}");
    }
    ExitCode::SUCCESS
}

fn rivals(threads: usize) -> Vec<Entrant> {
    vec![
        by_hand("by hand", threads, 1),
        by_hand("by hand, tens", threads, 10),
        spawn_from_queue(threads),
        spawn_from_channel(threads),
        apalis(threads),
        apalis_bounded(threads),
        apalis_spawned(threads),
        omniqueue(threads),
    ]
}

/// What a contender of ours may cost at most, in what the rival costs.
fn limit(ours: &str, rival: &str) -> Option<f64> {
    match (ours, rival) {
        ("runner", "by hand") | ("prefetch", "by hand, tens") => Some(2.0),
        ("runner" | "prefetch", _) if rival.starts_with("spawn") || rival.starts_with("apalis") => Some(1.0),
        _ => None,
    }
}

/// Lets all take turns, and prints a row for each rival with a column for each of ours.
fn compare(case: &str, ours: Vec<Entrant>, rivals: Vec<Entrant>, options: &Options) {
    let own = ours.len();
    let mut entrants: Vec<_> = ours.into_iter().chain(rivals).collect();
    let (messages, rounds) = (options.scale.of(MESSAGES), options.scale.rounds(ROUNDS));
    let figures = take_turns(&mut entrants, messages, rounds);
    let contenders: Vec<_> = entrants.iter().map(|it| it.name).zip(&figures).collect();
    let (ours, rivals) = contenders.split_at(own);
    if options.form == Form::Json {
        print_json(case, ours, rivals);
    } else {
        print_table(case, ours, rivals, options.scale);
    }
}

type Contender<'a> = (&'static str, &'a Vec<f64>);

fn print_table(case: &str, ours: &[Contender<'_>], rivals: &[Contender<'_>], scale: Scale) {
    let cells = |cell: &dyn Fn(&Contender<'_>) -> String| -> String {
        ours.iter().map(|it| format!("{:>12}", cell(it))).collect()
    };
    println!("{case:<16} {:>8} {}", "ns", cells(&|(name, _)| (*name).to_owned()));
    println!(
        "{:<16} {:>8} {}",
        "requeue",
        "",
        cells(&|(_, figures)| format!("{:.0} ns", middle(figures)))
    );
    for (rival, theirs) in rivals {
        let ratios = cells(&|(name, ours)| {
            let ratio = ratio(ours, theirs);
            let missed = scale.is_judged() && limit(name, rival).is_some_and(|limit| ratio > limit);
            format!("{ratio:.2}{}", if missed { "!" } else { " " })
        });
        println!("{rival:<16} {:>8.0} {ratios}", middle(theirs));
    }
    println!();
}

fn print_json(case: &str, ours: &[Contender<'_>], rivals: &[Contender<'_>]) {
    for (name, ours) in ours {
        for (rival, theirs) in rivals {
            let (ours_ns, rival_ns, ratio) = (middle(ours), middle(theirs), ratio(ours, theirs));
            println!(
                r#"{{"case":"{case}","ours":"{name}","requeue_ns":{ours_ns:.1},"rival":"{rival}","rival_ns":{rival_ns:.1},"ratio":{ratio:.3}}}"#
            );
        }
    }
}

fn middle(figures: &[f64]) -> f64 {
    median(figures.iter().copied())
}
