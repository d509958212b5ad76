//! A wait for an instant as a future for any executor.

use {
    super::{Alarm, Clock},
    crate::time::Timestamp,
    std::{
        future::Future,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
    },
};

/// Is over once a clock shows an instant; dropping it cancels the wait.
pub(crate) struct Until {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    alarm: Alarm,
}

impl Until {
    pub(crate) fn new(clock: &Arc<dyn Clock>, deadline: Timestamp) -> Self {
        Self {
            clock: Arc::clone(clock),
            deadline,
            alarm: Alarm::default(),
        }
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.deadline {
            self.alarm = Alarm::default();
            return Poll::Ready(());
        }
        // Anew at each poll: it may be by another task, and the clock may have been set back since the alarm went off.
        self.alarm = self.clock.wake_at(self.deadline, context.waker().clone());
        Poll::Pending
    }
}
