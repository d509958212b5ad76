//! The only file that names the lock library, and the guard around calls of foreign code.
//!
//! Its locks are never poisoned: a consumer that panics leaves a queue usable for the others. `tests/schedules` puts
//! a checker of thread schedules in the place of this file, which is why a thread's own variables come from here too.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
#[cfg(feature = "testing")]
pub(crate) use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use std::thread_local;

/// Runs a waker or a listener; if it panics, which the panic hook has reported, the caller goes on.
pub(crate) fn contain(foreign: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(foreign)) {
        // Dropping a payload runs code of its author, which could panic again, with a payload of the same kind.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(again);
        }
    }
}

/// What a process that a check ends is unwound with; no panic hook hears of it.
#[cfg(feature = "testing")]
pub(crate) struct Death;

/// Calls a handler; `Err` is its panic. What ends a whole process is none, and goes on.
#[cfg(feature = "worker")]
pub(crate) fn catch<T>(handler: impl FnOnce() -> T) -> std::thread::Result<T> {
    let result = catch_unwind(AssertUnwindSafe(handler));
    #[cfg(feature = "testing")]
    let result = result.inspect_err(|payload| {
        if payload.is::<Death>() {
            std::panic::resume_unwind(Box::new(Death));
        }
    });
    result
}

/// What a panic says, if it says anything.
#[cfg(feature = "worker")]
pub(crate) fn panic_text(payload: Box<dyn std::any::Any + Send>) -> Option<String> {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    // Its drop may panic again, as in `contain`.
    contain(|| drop(payload));
    text
}

/// That `what` panicked, and what its panic says.
#[cfg(feature = "worker")]
pub(crate) fn panicked(what: &str, payload: Box<dyn std::any::Any + Send>) -> String {
    match panic_text(payload) {
        Some(text) => format!("{what} panicked: {text}"),
        None => format!("{what} panicked"),
    }
}

/// Calls wakers, with no lock held.
#[cfg(any(feature = "journal", feature = "topics", feature = "worker"))]
pub(crate) fn wake(wakers: impl IntoIterator<Item = std::task::Waker>) {
    for waker in wakers {
        contain(|| waker.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::resume_unwind;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("a payload's own panic"));
        }
    }

    #[test]
    fn the_payload_of_a_panic_is_dropped() {
        let payload = std::sync::Arc::new(());
        let own = payload.clone();
        contain(|| resume_unwind(Box::new(own)));
        assert_eq!(std::sync::Arc::strong_count(&payload), 1);
    }

    #[test]
    fn a_panic_and_a_payload_that_panics_are_contained() {
        let mut ran = false;
        contain(|| {
            ran = true;
            resume_unwind(Box::new(Bomb));
        });
        assert!(ran);
    }
}
