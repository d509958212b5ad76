//! Memory and the work of one call follow what is stored, never what passed through.
//!
//! Each case sends a burst through a queue or a service, drains it, lets every window end and goes on with 1,000
//! ordinary steps. Then it has no more live bytes than the same case without the burst, up to a constant; and at no
//! time was a lock held for more than a constant number of records touched or allocations freed.
//!
//! The modules below are the library's own files, compiled once more with `growth/sync.rs` in the place of
//! `src/sync.rs`, so that each lock can tell what was done while it was held. The allocator counts the bytes of the
//! whole process, so the cases run one after another: hence no test harness.
//!
//! `REQUEUE_GROWTH_BURST=1000000 cargo test --release --test growth` is the long run; a word after `--` selects the
//! cases whose name contains it.
#![allow(
    dead_code,
    unused,
    unreachable_pub,
    missing_docs,
    reason = "a part of the library, without its public interface"
)]

#[path = "../../src/attributes/mod.rs"]
mod attributes;
mod cases;
#[path = "../../src/clock/mod.rs"]
mod clock;
#[path = "../../src/error/mod.rs"]
mod error;
#[path = "../../src/limits.rs"]
mod limits;
#[path = "../../src/message/mod.rs"]
mod message;
#[path = "../../src/queue/mod.rs"]
mod queue;
mod queues;
#[path = "../../src/service/mod.rs"]
mod service;
mod services;
#[path = "../../src/state/mod.rs"]
mod state;
mod sync;
#[path = "../../src/time.rs"]
mod time;
mod waiters;
mod work;

use {
    cases::Case,
    std::process::ExitCode,
    work::{Hold, Work, take_holds},
};

/// Bytes that a burst may leave: a chunk of each slab, and containers that shrink in steps.
const MOST_BYTES: usize = 128 * 1_024;

/// Accesses to records while one lock is held. A batch of ten takes some hundreds; the most is a step in which
/// messages, sends and attempts of a FIFO queue are due, some of each.
const MOST_TOUCHED: usize = 16_384;

/// Allocations freed while one lock is held: some dozens for a batch of ten.
const MOST_FREED: usize = 4_096;

const BURST: usize = 100_000;

fn main() -> ExitCode {
    let asked_for = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let burst = std::env::var("REQUEUE_GROWTH_BURST");
    let burst = burst.ok().and_then(|number| number.parse().ok()).unwrap_or(BURST);
    let mut failed = 0;
    for case in cases::all() {
        if asked_for.as_ref().is_none_or(|part| case.name.contains(part.as_str())) {
            failed += usize::from(!holds(&case, burst));
        }
    }
    if failed == 0 {
        return ExitCode::SUCCESS;
    }
    println!("{failed} cases failed");
    ExitCode::FAILURE
}

/// Runs a case without a burst and with one, prints what it found, and says whether the case holds.
fn holds(case: &Case, burst: usize) -> bool {
    let burst = burst / case.part;
    // The first run makes what is made once in a process and kept.
    let [_, fresh] = [(); 2].map(|()| (case.run)(0));
    take_holds();
    let after = (case.run)(burst);
    let holds = take_holds();
    let left = after.saturating_sub(fresh);
    let allowed = MOST_BYTES + case.kept(burst);
    let Work { touched, freed } = holds.iter().fold(Work::NONE, |most, hold| most.max(hold.work));
    let holds_up = left <= allowed && touched <= MOST_TOUCHED && freed <= MOST_FREED;
    println!(
        "growth of {}: {burst} leave {left} bytes, one lock at most {touched} records and {freed} frees ... {}",
        case.name,
        if holds_up { "ok" } else { "FAILED" }
    );
    if left > allowed {
        println!("    {left} bytes more than without the burst are live, {allowed} are allowed");
    }
    for Hold { during, work } in &holds {
        let Work { touched, freed } = *work;
        if touched > MOST_TOUCHED || freed > MOST_FREED {
            println!(
                "    while {during}, one lock was held for {touched} records and {freed} frees, {MOST_TOUCHED} and {MOST_FREED} \
                 are allowed"
            );
        }
    }
    holds_up
}
