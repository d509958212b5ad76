//! Waiting for capacity in a queue with a budget, and sending with it.

use {
    super::{
        Core, Inner, Position, Verb,
        budget::Amount,
        senders::{Caller, Ids, Place, ids},
        waiting::{Attempt, Step, Waiting, block_on},
    },
    crate::{clock::Clock, error::SendError, message::SendMessage, state::Sent, sync::MutexGuard, time::Timestamp},
    std::{
        fmt,
        future::Future,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll, Waker, ready},
        time::Duration,
    },
};

/// Someone who may have to stand in line for capacity.
pub(super) struct RoomWait<'queue> {
    pub(super) inner: &'queue Arc<Inner>,
    wait: Duration,
    caller: Caller,
    deadline: Option<Timestamp>,
    pub(super) place: Option<Place>,
}

impl<'queue> RoomWait<'queue> {
    pub(super) const fn new(inner: &'queue Arc<Inner>, wait: Duration, caller: Caller) -> Self {
        Self {
            inner,
            wait,
            caller,
            deadline: None,
            place: None,
        }
    }

    /// Whether it is worth waiting for capacity: there is time left, and an empty queue would have capacity.
    pub(super) fn may_wait(&mut self, now: Timestamp, size: usize) -> Option<Timestamp> {
        let deadline = *self.deadline.get_or_insert_with(|| now.saturating_add(self.wait));
        let fits_ever = self.inner.budget.broken_by(Amount::default(), size).is_none();
        (now < deadline && fits_ever).then_some(deadline)
    }

    /// Ends an attempt without capacity: goes to sleep in line, and says when to look again without being woken.
    pub(super) fn park(
        &mut self,
        mut core: MutexGuard<'_, Core>,
        now: Timestamp,
        waker: Waker,
        wanted: (usize, Option<Ids>),
        deadline: Timestamp,
    ) -> Timestamp {
        let Core { state, senders, .. } = &mut *core;
        let (until, before) = senders.park(
            &mut self.place,
            (waker, self.caller),
            wanted,
            deadline,
            state.next_expiry(),
        );
        self.inner.leave(core, now);
        drop(before);
        until
    }

    /// Ends the last attempt; answers with the queue's latest entry in its journal.
    pub(super) fn leave(&mut self, mut core: MutexGuard<'_, Core>, now: Timestamp) -> Position {
        let waker = core.senders.leave(&mut self.place);
        let position = self.inner.leave(core, now);
        drop(waker);
        position
    }
}

impl Drop for RoomWait<'_> {
    /// A sender that gives up lets the next one in.
    fn drop(&mut self) {
        if self.place.is_some() {
            let now = self.inner.clock.now();
            self.leave(self.inner.core.lock(), now);
        }
    }
}

/// Sends as soon as there is capacity, blocking up to `wait` for it.
pub(super) fn send_timeout(inner: &Arc<Inner>, message: SendMessage, wait: Duration) -> Result<Sent, SendError> {
    let (sent, position) = block_on(&mut Admission::new(inner, message, wait, Caller::Thread))?;
    inner.settle(Verb::Send, position)?;
    Ok(sent)
}

/// A send that waits for capacity.
struct Admission<'queue> {
    room_wait: RoomWait<'queue>,
    /// Taken by the attempt that ends it.
    message: Option<Result<SendMessage, SendError>>,
    id_computed: bool,
}

impl<'queue> Admission<'queue> {
    fn new(inner: &'queue Arc<Inner>, mut message: SendMessage, wait: Duration, caller: Caller) -> Self {
        let prepared = inner.prepare(&mut message);
        Self {
            room_wait: RoomWait::new(inner, wait, caller),
            id_computed: prepared == Ok(true),
            message: Some(prepared.map(|_| message)),
        }
    }
}

impl Attempt for Admission<'_> {
    type Output = Result<(Sent, Position), SendError>;

    fn clock(&self) -> &dyn Clock {
        &*self.room_wait.inner.clock
    }

    fn attempt(&mut self, waker: &mut dyn FnMut() -> Waker) -> Step<Self::Output> {
        let message = match self.message.take() {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Step::Done(Err(error)),
            None => return Step::Done(Err(SendError::QueueDoesNotExist)),
        };
        let inner = self.room_wait.inner;
        match inner.poll_admit(Verb::Send, message.size_bytes(), waker) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Step::Done(Err(error.into())),
            Poll::Pending => {
                self.message = Some(Ok(message));
                return Step::Wait(Timestamp::MAX);
            }
        }
        let room_wait = &mut self.room_wait;
        let Some((now, mut core)) = inner.enter_to_send() else {
            room_wait.place = None;
            return Step::Done(Err(SendError::QueueDoesNotExist));
        };
        let may_wait = room_wait.may_wait(now, message.size_bytes());
        match (core.admit(inner, now, message, room_wait.place), may_wait) {
            (Err(full), Some(deadline)) => {
                let wanted = (full.message.size_bytes(), ids(&full.message).filter(|_| inner.fifo));
                self.message = Some(Ok(full.message));
                // The next attempt is refused if the journal is closed.
                let deadline = if core.recorded.closed { now } else { deadline };
                Step::Wait(room_wait.park(core, now, waker(), wanted, deadline))
            }
            (result, _) => {
                let position = room_wait.leave(core, now);
                let sent = result.map_err(|full| full.into_error(self.id_computed));
                Step::Done(sent.map(|sent| (sent, position)))
            }
        }
    }
}

/// A send that waits for capacity, as a future for any executor.
#[must_use = "futures do nothing unless polled"]
pub struct SendTimeoutFuture<'queue> {
    waiting: Waiting<Admission<'queue>>,
    /// What was stored and is not safe in the journal yet.
    stored: Option<(Sent, Position)>,
}

impl<'queue> SendTimeoutFuture<'queue> {
    pub(super) fn new(inner: &'queue Arc<Inner>, message: SendMessage, wait: Duration) -> Self {
        Self {
            waiting: Waiting::new(Admission::new(inner, message, wait, Caller::Future)),
            stored: None,
        }
    }
}

impl Future for SendTimeoutFuture<'_> {
    type Output = Result<Sent, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (sent, position) = match self.stored {
            Some(stored) => stored,
            None => ready!(Pin::new(&mut self.waiting).poll(context))?,
        };
        self.stored = Some((sent, position));
        let inner = self.waiting.attempt.room_wait.inner;
        ready!(inner.poll_settle(Verb::Send, position, context))?;
        Poll::Ready(Ok(sent))
    }
}

impl fmt::Debug for SendTimeoutFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendTimeoutFuture").finish_non_exhaustive()
    }
}
