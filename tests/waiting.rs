//! Long polls: what wakes them (D11), who comes first (D10, D12), how they end, and what a waiting receiver costs.
//!
//! A fault may also show as a test that ends with "still not over".

mod common;
#[path = "waiting/events.rs"]
mod events;
#[path = "waiting/reentrancy.rs"]
mod reentrancy;
#[path = "waiting/waiter.rs"]
mod waiter;
