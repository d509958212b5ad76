//! Queues in the hands of many threads: each message handled, none lost, none handled twice within its timeout.
//!
//! Time is virtual; where it moves, a thread of the test drives it. A fault may also show as "still not over".

mod common;
#[path = "concurrency/crew.rs"]
mod crew;
#[path = "concurrency/dead_letters.rs"]
mod dead_letters;
#[path = "concurrency/facts.rs"]
mod facts;
#[path = "concurrency/failures.rs"]
mod failures;
#[path = "concurrency/fifo.rs"]
mod fifo;
#[path = "concurrency/standard.rs"]
mod standard;
#[path = "waiting/waiter.rs"]
mod waiter;
