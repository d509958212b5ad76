//! Long polls: what wakes them (D11), who comes first (D10, D12), how they end, and what a waiting receiver costs.
//!
//! Time is virtual but for `waiting/system_clock.rs`. A fault may also show as a test that ends with "still not over".

#[path = "waiting/asleep.rs"]
mod asleep;
mod common;
#[path = "waiting/crowds.rs"]
mod crowds;
#[path = "waiting/drops.rs"]
mod drops;
#[path = "waiting/ends.rs"]
mod ends;
#[path = "waiting/events.rs"]
mod events;
#[path = "waiting/executors.rs"]
mod executors;
#[path = "waiting/order.rs"]
mod order;
#[path = "waiting/reentrancy.rs"]
mod reentrancy;
#[path = "waiting/run_until.rs"]
mod run_until;
#[path = "waiting/system_clock.rs"]
mod system_clock;
#[path = "waiting/waiter.rs"]
mod waiter;
