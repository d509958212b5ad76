//! What a message costs here, against a hand-written queue and channels that only hand it over.
//!
//! `cargo bench --bench rivals` prints the table, `-- --json` one object per line and `-- --markdown` rows for
//! `benches/README.md`; `-- --runs 5` prints the medians of five runs with their spread, `-- --quick` runs everything
//! briefly, and words pick the cases whose names contain them. Rivals run in the same process in turn with the library;
//! see `driver` for what a figure is.
//!
//! One operation is one message of 256 bytes, sent, received and deleted; for a channel, sent and received. Each
//! contender is handed a `&str` and makes its own message of it, so that every column holds one allocation and one
//! copy of the body.
//!
//! # What to expect
//!
//! A small multiple of the channels in `cycle`: the library validates the body, draws an id, reads the clock, and
//! takes its lock three times where a channel is touched twice. In `batch_of_ten` that cost is shared by ten.
//! The rest should cost what `cycle` costs but for a logarithm and cache misses, whatever waits, flies or sleeps
//! beside the message; `backlog_growth` says so in one number.
//!
//! # What it distorts
//!
//! * The channels do none of the work: no visibility timeout, no id, no receive count. `hand-written` does the least
//!   that a work queue with timeouts must do. In `fifo_*` it has no groups and no deduplication either.
//! * `fifo_*` gives each message a deduplication id of its own, and the queue remembers it for five minutes: memory
//!   grows over the rounds as it does in an application at this rate, cache misses with it.
//! * `in_flight_*` and `delayed_*`: channels hold the messages in a vector beside the channel.
//! * `two_producers_two_consumers` sends without pause: it measures the lock under contention, not a usual load.
//!   `tokio::sync::mpsc` cannot have two consumers.
//! * `wake_*` on a virtual machine is mostly the price of waking an idle processor, the same for everyone;
//!   `wake_future_polled` has no second thread and shows the contender alone. On a busy machine they mean nothing:
//!   a receiver of `crossbeam-channel` yields before it parks, and other work then runs for milliseconds.
//!
//! Figures and goals are in `benches/README.md`.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

mod contenders;
mod driver;
mod wake;

use contenders::{
    AsyncChannel, BODY, Contender, Crossbeam, Fifo, Flume, HandWritten, Holding, Shared, Standard, Tokio,
};
use driver::{Case, Entrant, Scale};
use std::{
    process::ExitCode,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// The entrants of a function that is generic over its contender.
macro_rules! every {
    ($entrant:ident $(, $argument:expr)*) => {
        vec![
            $entrant::<Standard>($($argument),*),
            $entrant::<HandWritten>($($argument),*),
            $entrant::<Crossbeam>($($argument),*),
            $entrant::<Flume>($($argument),*),
            $entrant::<AsyncChannel>($($argument),*),
            $entrant::<Tokio>($($argument),*),
        ]
    };
}

/// The highest ratios that the project wants: to the hand-written queue, and to `crossbeam-channel`.
macro_rules! goals {
    ($hand_written:literal, $crossbeam:literal) => {
        &[(HandWritten::NAME, $hand_written), (Crossbeam::NAME, $crossbeam)]
    };
}

const CASES: &[Case] = &[
    case("cycle", 2_000, 501, goals!(1.25, 3.7), |_| every!(waiting, 0)),
    case("batch_of_ten", 2_000, 501, goals!(1.05, 2.6), |_| every!(batches)),
    case("two_producers_two_consumers", 20_000, 61, goals!(1.25, 2.5), |_| {
        vec![
            contended::<Standard>(),
            contended::<HandWritten>(),
            contended::<Crossbeam>(),
            contended::<Flume>(),
            contended::<AsyncChannel>(),
        ]
    }),
    case("fill_and_drain_1000000", 1_000_000, 5, goals!(1.55, 1.9), |_| {
        every!(fill_and_drain)
    }),
    case("fifo_1_group", 1_000, 501, goals!(4.0, 11.0), |scale| fifo(scale.of(1))),
    case("fifo_100_groups", 1_000, 501, goals!(4.0, 11.0), |scale| {
        fifo(scale.of(100))
    }),
    case("fifo_100000_groups", 1_000, 501, goals!(6.5, 15.0), |scale| {
        fifo(scale.of(100_000))
    }),
    case("in_flight_120000", 2_000, 301, &[], |scale| {
        every!(in_flight, scale.of(120_000) - 1)
    }),
    case("delayed_1000000", 2_000, 301, &[], |scale| {
        every!(delayed, scale.of(1_000_000))
    }),
    case("backlog_1000", 2_000, 301, &[], |scale| {
        every!(waiting, scale.of(1_000))
    }),
    case("backlog_1000000", 2_000, 301, &[], |scale| {
        every!(waiting, scale.of(1_000_000))
    }),
    case("backlog_growth", 2_000, 501, &[(AT_ONE_THOUSAND, 2.0)], |scale| {
        let few = waiting::<Standard>(scale.of(1_000));
        vec![
            waiting::<Standard>(scale.of(1_000_000)),
            Entrant {
                name: AT_ONE_THOUSAND,
                ..few
            },
        ]
    }),
    case("wake_thread", 100, 45, &[(Crossbeam::NAME, 1.5)], |_| wake::threads()),
    case("wake_future", 100, 45, &[], |_| wake::futures()),
    case("wake_future_polled", 2_000, 201, &[], |_| wake::polled()),
];

const AT_ONE_THOUSAND: &str = "requeue, 1,000 wait";

const fn case(
    name: &'static str,
    operations: usize,
    rounds: usize,
    limits: &'static [(&'static str, f64)],
    entrants: fn(Scale) -> Vec<Entrant>,
) -> Case {
    Case {
        name,
        operations,
        rounds,
        limits,
        entrants,
    }
}

fn main() -> ExitCode {
    match driver::run("rivals", CASES, &[HandWritten::NAME, Crossbeam::NAME]) {
        Ok(_) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn entrant<C: Contender>(run: impl FnMut(usize) -> f64 + 'static) -> Entrant {
    Entrant {
        name: C::NAME,
        run: Box::new(run),
    }
}

/// Nanoseconds per operation of `work`, which does `operations` of them.
fn timed(operations: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / operations as f64
}

fn cycles<C: Contender>(contender: C) -> Entrant {
    entrant::<C>(move |operations| {
        timed(operations, || {
            for _ in 0..operations {
                contender.send(BODY);
                contender.take();
            }
        })
    })
}

/// Cycles while `backlog` messages wait before the one sent.
fn waiting<C: Contender>(backlog: usize) -> Entrant {
    cycles(filled::<C>(C::open(), backlog))
}

fn filled<C: Contender>(contender: C, backlog: usize) -> C {
    (0..backlog).for_each(|_| contender.send(BODY));
    contender
}

fn in_flight<C: Holding>(held: usize) -> Entrant {
    let contender = filled(C::open(), held);
    (0..held).for_each(|_| contender.hold());
    cycles(contender)
}

/// Delays of ten to fifteen minutes in no order, so that none ends while the bench runs.
fn delayed<C: Holding>(messages: usize) -> Entrant {
    let contender = C::open();
    for message in 0..messages {
        let scattered = message.wrapping_mul(2_654_435_761) % 300_000;
        contender.send_delayed(BODY, Duration::from_millis(600_000 + scattered as u64));
    }
    cycles(contender)
}

fn batches<C: Contender>() -> Entrant {
    let contender = C::open();
    entrant::<C>(move |operations| {
        timed(operations, || {
            for _ in 0..operations / 10 {
                contender.send_ten(BODY);
                contender.take_ten();
            }
        })
    })
}

/// Opening and closing the contender are not counted.
fn fill_and_drain<C: Contender>() -> Entrant {
    entrant::<C>(|operations| {
        let contender = C::open();
        timed(operations, || {
            (0..operations).for_each(|_| contender.send(BODY));
            (0..operations).for_each(|_| contender.take());
        })
    })
}

/// One message waits per group, for the channels as many messages.
fn fifo(groups: usize) -> Vec<Entrant> {
    let mut entrants = every!(waiting, groups);
    entrants[0] = cycles(filled(Fifo::with_groups(groups), groups));
    entrants
}

/// Two threads send, two receive as many, waiting where nothing is there; the start of the threads is not counted.
fn contended<C: Shared>() -> Entrant {
    entrant::<C>(|operations| {
        let (contender, share) = (&C::open(), operations / 2);
        let start = &Barrier::new(5);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|index| {
                    scope.spawn(move || {
                        start.wait();
                        for _ in 0..share {
                            if index % 2 == 0 {
                                contender.send(BODY);
                            } else {
                                contender.take_waiting();
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            timed(operations, || {
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().expect("no thread of the bench panics"));
            })
        })
    })
}
