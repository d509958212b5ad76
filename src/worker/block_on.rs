//! A future on the calling thread.

use {
    crate::clock::{Clock, Parker},
    std::{
        future::Future,
        pin::pin,
        task::{Context, Poll},
    },
};

/// Blocks the thread until the future is over; the clock knows that it waits.
pub(super) fn block_on<F: Future>(clock: &dyn Clock, future: F) -> F::Output {
    let mut future = pin!(future);
    let parker = Parker::new();
    let waker = parker.waker();
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => clock.park_until(&parker, None),
        }
    }
}
