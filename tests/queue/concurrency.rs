//! Queues in the hands of many threads: each message handled, none lost, none handled twice within its timeout.
//!
//! Time is virtual; where it moves, a thread of the test drives it. A fault may also show as "still not over".

mod crew;
mod dead_letters;
mod facts;
mod failures;
mod fifo;
mod standard;
