//! What an executor does, and how to let it do other things.

use {
    crate::clock::{Clock, Parker},
    std::{
        future::{Future, poll_fn},
        mem,
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

/// Is over at the next poll, before which the executor does what else it has to do.
pub(super) async fn give_way() {
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
