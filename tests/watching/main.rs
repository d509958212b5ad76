//! Metrics and traces of a runner.

mod numbers;
mod traces;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: what a span first does on one thread while a subscriber is set on another may be lost for ever,
/// since `tracing` then keeps that nobody is interested in it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
