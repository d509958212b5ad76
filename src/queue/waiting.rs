//! Waiting, for a blocked thread and for a future.

use {
    crate::{
        clock::{Alarm, Clock, Parker},
        time::Timestamp,
    },
    std::{
        fmt,
        future::Future,
        pin::Pin,
        task::{Context, Poll, Waker},
    },
};

/// What became of one attempt.
pub(super) enum Step<T> {
    Done(T),
    /// In line under the waker that was given; worth another attempt when woken or at this instant.
    Wait(Timestamp),
}

/// Something that may have to be tried again later.
///
/// An attempt that waits is in line before it returns, and dropping it takes it out of line.
pub(super) trait Attempt {
    type Output;

    fn clock(&self) -> &dyn Clock;
    /// `waker` is asked for only if it has to wait.
    fn attempt(&mut self, waker: &mut dyn FnMut() -> Waker) -> Step<Self::Output>;
}

/// Blocks the calling thread until the attempt is done.
pub(super) fn block_on<A: Attempt>(attempt: &mut A) -> A::Output {
    let mut parker = None;
    loop {
        match attempt.attempt(&mut || parker.get_or_insert_with(Parker::new).waker()) {
            Step::Done(output) => return output,
            Step::Wait(until) => attempt
                .clock()
                .park_until(parker.get_or_insert_with(Parker::new), Some(until)),
        }
    }
}

/// The attempt as a future for any executor.
pub(super) struct Waiting<A> {
    pub(super) attempt: A,
    /// The wake asked of the clock.
    alarm: Alarm,
}

impl<A> Waiting<A> {
    pub(super) fn new(attempt: A) -> Self {
        Self {
            attempt,
            alarm: Alarm::default(),
        }
    }
}

impl<A: Attempt + Unpin> Future for Waiting<A> {
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<A::Output> {
        let this = self.get_mut();
        let waker = context.waker();
        match this.attempt.attempt(&mut || waker.clone()) {
            Step::Done(output) => {
                this.alarm = Alarm::default();
                Poll::Ready(output)
            }
            Step::Wait(until) => {
                // Anew at each look: the last alarm may have gone off, and the clock been set back since.
                this.alarm = this.attempt.clock().wake_at(until, waker.clone());
                Poll::Pending
            }
        }
    }
}

impl<A> fmt::Debug for Waiting<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}
