//! Blocking on a future, and yielding to an executor.

use {
    super::{Clock, parker::Parker},
    std::{
        future::{Future, poll_fn},
        mem,
        pin::pin,
        task::{Context, Poll},
    },
};

/// Blocks the thread until the future completes, parked at the clock, so that virtual time can wake it.
pub(crate) fn block_on<F: Future>(clock: &dyn Clock, future: F) -> F::Output {
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

/// Completes at its second poll, so that the executor polls other tasks in between.
pub(crate) async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
