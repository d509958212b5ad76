//! The register-look-park protocol under thread schedules that a checker chooses.
//!
//! The rooms below are the library's own files, compiled once more with `schedules/sync.rs` in the place of
//! `src/sync.rs`, so that the checker decides at each lock who goes on. It finds a lost wake as a deadlock and a busy loop
//! as a run that does not end, and prints the schedule that leads there. The locks work only inside a run, so the unit
//! tests in those files must not run here: hence no test harness.
//!
//! `REQUEUE_SCHEDULES=100000 cargo test --release --test schedules` is the long run.
#![allow(
    dead_code,
    unexpected_cfgs,
    unused,
    unreachable_pub,
    missing_docs,
    reason = "a part of the library, without its face"
)]

#[path = "../../src/attributes/mod.rs"]
mod attributes;
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
mod runs;
#[path = "../../src/state/mod.rs"]
mod state;
mod sync;
#[path = "../../src/time.rs"]
mod time;

fn main() {
    let asked_for = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let schedules = std::env::var("REQUEUE_SCHEDULES")
        .ok()
        .and_then(|number| number.parse().ok());
    for (name, run) in runs::RUNS {
        if asked_for.as_ref().is_none_or(|part| name.contains(part.as_str())) {
            let schedules = schedules.unwrap_or(200);
            shuttle::check_random(run, schedules);
            shuttle::check_pct(run, schedules, 3);
            println!("schedules of {name} ... ok");
        }
    }
}
