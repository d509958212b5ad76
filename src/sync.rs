//! The lock library, named in this file only, and the wall around code that is not ours.
//!
//! Its locks are never poisoned: a consumer that panics leaves a queue usable for the others. `tests/schedules.rs` puts
//! a checker of thread schedules in the place of this file, which is why a thread's own variables come from here too.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread_local;

/// Runs a waker or a listener; if it panics, which the panic hook has reported, the caller goes on.
pub(crate) fn contain(foreign: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(foreign)) {
        drop_payload(payload);
    }
}

/// Drops the payload of a panic, which runs code of its author; the payload of a panic in that is leaked, as its own drop
/// could panic again, without end.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}

/// What a panic says, if it says anything.
#[cfg(feature = "worker")]
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> Option<String> {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    drop_payload(payload);
    text
}

/// That `what` panicked, and what its panic says.
#[cfg(feature = "worker")]
pub(crate) fn panicked(what: &str, payload: Box<dyn Any + Send>) -> String {
    match panic_text(payload) {
        Some(text) => format!("{what} panicked: {text}"),
        None => format!("{what} panicked"),
    }
}

/// Calls wakers, with no lock held.
#[cfg(feature = "worker")]
pub(crate) fn wake(wakers: impl IntoIterator<Item = std::task::Waker>) {
    for waker in wakers {
        contain(|| waker.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic::resume_unwind, sync::Arc};

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new(Bomb));
        }
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

    #[test]
    fn the_payload_of_a_panic_is_dropped() {
        let alive = Arc::new(());
        let payload = Arc::clone(&alive);
        contain(|| resume_unwind(Box::new(payload)));
        assert_eq!(Arc::strong_count(&alive), 1);
        #[cfg(feature = "worker")]
        {
            assert_eq!(panicked("it", Box::new(Arc::clone(&alive))), "it panicked");
            assert_eq!(panicked("it", Box::new(Bomb)), "it panicked");
            assert_eq!(Arc::strong_count(&alive), 1);
        }
    }
}
