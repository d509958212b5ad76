//! Waits of an SDK on the virtual clock, which its consumer is known to make.

use {
    crate::testing::net::Pulse,
    aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep},
    std::{
        fmt,
        future::Future,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
        time::Duration,
    },
};

/// A future that counts among the waits of a consumer while it is pending.
pub(super) struct Counted<F> {
    future: Pin<Box<F>>,
    pulse: Arc<Pulse>,
    waits: bool,
}

impl<F> Counted<F> {
    pub(super) fn new(pulse: &Arc<Pulse>, future: F) -> Self {
        Self {
            future: Box::pin(future),
            pulse: Arc::clone(pulse),
            waits: false,
        }
    }

    fn count(&mut self, waits: bool) {
        if self.waits != waits {
            self.waits = waits;
            self.pulse.waits.with(|count| match waits {
                true => *count += 1,
                false => *count -= 1,
            });
        }
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.future.as_mut().poll(context);
        self.count(polled.is_pending());
        polled
    }
}

impl<F> Drop for Counted<F> {
    fn drop(&mut self) {
        self.count(false);
    }
}

/// The sleep of a consumer's SDK.
#[derive(Clone)]
pub(super) struct CountedSleep {
    sleep: SharedAsyncSleep,
    pulse: Arc<Pulse>,
}

impl CountedSleep {
    pub(super) fn new(sleep: impl AsyncSleep + 'static, pulse: Arc<Pulse>) -> Self {
        Self {
            sleep: SharedAsyncSleep::new(sleep),
            pulse,
        }
    }
}

impl AsyncSleep for CountedSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(Counted::new(&self.pulse, self.sleep.sleep(duration)))
    }
}

impl fmt::Debug for CountedSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedSleep")
            .field("sleep", &self.sleep)
            .finish_non_exhaustive()
    }
}
