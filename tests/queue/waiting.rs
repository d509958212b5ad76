//! Long polls: what wakes them (D11), who comes first (D10, D12), how they end, and what a waiting receiver costs.
//!
//! Time is virtual but for `waiting/system_clock.rs`. A fault may also show as a test that ends with "still not over".

mod asleep;
mod crowds;
mod drops;
mod ends;
mod events;
mod executors;
mod order;
mod reentrancy;
mod run_until;
mod system_clock;
