//! The loop of a receive, for short polls, blocked threads and futures.

use {
    super::{
        Core, DeadLetterRoute, Inner, Message, Position, Verb,
        options::ReceiveOptions,
        waiters::Ticket,
        waiting::{Attempt, Step, Waiting},
    },
    crate::{
        clock::Clock,
        error::{ReceiveError, StorageError},
        state::{DEPARTURES_AT_ONCE, Delivery, Departure, ReceiveRequest},
        sync::MutexGuard,
        time::Timestamp,
    },
    rand::Rng,
    std::{
        borrow::{Borrow, BorrowMut},
        fmt,
        future::Future,
        iter, mem,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll, Waker, ready},
        time::Duration,
    },
};

/// A receive under way.
pub(super) struct Look<'queue, R: Borrow<ReceiveOptions>, V: BorrowMut<Vec<Message>>> {
    inner: &'queue Arc<Inner>,
    request: R,
    /// Empty until the receive is done.
    messages: V,
    /// When the wait is over; decided by the first look.
    deadline: Option<Timestamp>,
    long_poll: bool,
    ticket: Option<Ticket>,
    /// Whether messages may leave for the dead-letter queue: not after the journal had no room for one.
    redrive: bool,
    /// The entries of the journal that have to be safe before the messages are delivered: as receives are, and as sends are.
    recorded: (Position, Position),
}

impl<'queue, R: Borrow<ReceiveOptions>, V: BorrowMut<Vec<Message>>> Look<'queue, R, V> {
    pub(super) const fn new(inner: &'queue Arc<Inner>, request: R, messages: V) -> Self {
        Self {
            inner,
            request,
            messages,
            deadline: None,
            long_poll: false,
            ticket: None,
            redrive: true,
            recorded: (0, 0),
        }
    }

    /// Blocks until what was received is recorded.
    #[inline]
    pub(super) fn settle(mut self) -> Result<(), Box<ReceiveError>> {
        if self.recorded.0 == 0 {
            return Ok(());
        }
        let (latest, sent) = self.recorded;
        let settled = self.inner.settle(Verb::Receive, latest);
        let settled = settled.and_then(|()| self.inner.settle(Verb::Send, sent));
        self.settled(settled)
    }

    fn poll_settle(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Box<ReceiveError>>> {
        let (latest, sent) = self.recorded;
        let settled = match ready!(self.inner.poll_settle(Verb::Receive, latest, context)) {
            Ok(()) => ready!(self.inner.poll_settle(Verb::Send, sent, context)),
            Err(error) => Err(error),
        };
        Poll::Ready(self.settled(settled))
    }

    fn settled(&mut self, settled: Result<(), StorageError>) -> Result<(), Box<ReceiveError>> {
        self.recorded = (0, 0);
        settled.map_err(|error| {
            self.messages.borrow_mut().clear();
            Box::new(error.into())
        })
    }
}

impl<R: Borrow<ReceiveOptions>, V: BorrowMut<Vec<Message>>> Attempt for Look<'_, R, V> {
    type Output = Result<(), Box<ReceiveError>>;

    fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    #[inline]
    fn attempt(&mut self, waker: &mut dyn FnMut() -> Waker) -> Step<Self::Output> {
        loop {
            match self.inner.poll_admit(Verb::Receive, 0, waker) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Step::Done(Err(Box::new(error.into()))),
                Poll::Pending => return Step::Wait(Timestamp::MAX),
            }
            let now = self.inner.clock.now();
            let Some(mut core) = self.inner.enter() else {
                self.ticket = None;
                return Step::Done(Err(Box::new(ReceiveError::QueueDoesNotExist)));
            };
            let (request, messages) = (self.request.borrow(), self.messages.borrow_mut());
            let deadline = self.deadline.unwrap_or_else(|| {
                let wait = request.wait_time;
                now.saturating_add(wait.unwrap_or_else(|| core.state.settings().receive_message_wait_time))
            });
            self.deadline = Some(deadline);
            self.long_poll |= deadline > now;
            let received = self
                .inner
                .receive_in(&mut core, now, request, (self.long_poll, self.redrive), messages);
            let plain = !messages.is_empty() && core.effects.departures.is_empty() && self.ticket.is_none();
            if !plain {
                match self.end_or_wait(core, now, deadline, received, waker) {
                    Some(step) => return step,
                    None => continue,
                }
            }
            let sent = core.recorded.sent;
            let latest = self.inner.leave(core, now);
            self.recorded = (latest, sent);
            if let Some(rare) = &request.rare {
                ReceiveOptions::adapt(rare, messages);
            }
            return Step::Done(received);
        }
    }
}

impl Core {
    /// The messages that leave by what was done, which the caller transfers once the lock is released.
    pub(super) fn departures(&mut self) -> Option<(Option<DeadLetterRoute>, Vec<Departure>)> {
        let departures = &mut self.effects.departures;
        (!departures.is_empty()).then(|| (self.route.clone(), mem::take(departures)))
    }
}

impl Inner {
    /// Adds what a receive gets now; messages leave for the dead-letter queue if `redrive` allows it.
    #[inline]
    pub(super) fn receive_in<M: From<Message>>(
        self: &Arc<Self>,
        core: &mut Core,
        now: Timestamp,
        asked: &ReceiveOptions,
        (long_poll, redrive): (bool, bool),
        messages: &mut Vec<M>,
    ) -> Result<(), Box<ReceiveError>> {
        // Drawn whether or not it is used, so that the same steps draw the same numbers.
        let chance = core.chance.next_u64();
        let redrive = redrive && core.has_dead_letter_target();
        let Core { state, effects, .. } = core;
        let rare = asked.rare.as_ref();
        let request = ReceiveRequest {
            max_messages: asked.max_messages,
            max_messages_per_group: rare.map_or(usize::MAX, |rare| rare.max_messages_per_group),
            visibility_timeout: asked.visibility_timeout,
            long_poll,
            chance,
            attempt_id: asked.attempt_id(),
            redrive,
        };
        let most = request.max_messages.min(state.counts().visible);
        if messages.capacity() == 0 {
            // `reserve` would take the path of growth; there is nothing to drop.
            mem::forget(mem::replace(messages, Vec::with_capacity(most)));
        }
        let outcome = state.receive(now, &request, effects, &mut |slot, record, invisible_until| {
            // Built in its place: `push` may panic, and so moves a value that has to be dropped then through memory.
            let message = || Message::new(self, Delivery::new(slot, record, invisible_until));
            messages.extend(iter::once_with(|| message().into()));
        });
        outcome.map_err(|refusal| Box::new(asked.refused(refusal)))
    }
}

impl<R: Borrow<ReceiveOptions>, V: BorrowMut<Vec<Message>>> Look<'_, R, V> {
    /// Ends an attempt that found nothing, moves messages to the dead-letter queue or is in line; `None` if it has to
    /// look again.
    #[inline(never)]
    fn end_or_wait(
        &mut self,
        mut core: MutexGuard<'_, Core>,
        now: Timestamp,
        deadline: Timestamp,
        received: Result<(), Box<ReceiveError>>,
        waker: &mut dyn FnMut() -> Waker,
    ) -> Option<Step<Result<(), Box<ReceiveError>>>> {
        let (departing, behind) = (core.effects.departures.len(), core.state.is_behind());
        let empty = received.is_ok() && self.messages.borrow().is_empty();
        if empty && departing == 0 && !behind && now < deadline {
            return Some(Step::Wait(self.wait_in_line(core, now, deadline, waker())));
        }
        // A long poll goes on waiting, and no poll ends on a full load of departures or of what falls due: selection
        // goes on (L7).
        let again = empty && (now < deadline || behind || departing >= DEPARTURES_AT_ONCE);
        // The departures are those of this attempt alone, which transfers them before it returns.
        let transfer = core.departures();
        let mut waker = None;
        if !again {
            if empty {
                let Core { state, effects, .. } = &mut *core;
                state.received_nothing(effects);
            }
            if self.ticket.is_some() {
                waker = core.receivers.leave(&mut self.ticket);
            }
        }
        let sent = core.recorded.sent;
        let latest = self.inner.leave(core, now);
        drop(waker);
        if !empty {
            self.recorded = (latest, sent);
        }
        if let Some((route, departures)) = transfer {
            self.redrive &= self.inner.transfer(route.as_ref(), &departures).is_ok();
        }
        if again {
            return None;
        }
        if let Some(rare) = &self.request.borrow().rare {
            ReceiveOptions::adapt(rare, self.messages.borrow_mut());
        }
        Some(Step::Done(received))
    }

    fn wait_in_line(
        &mut self,
        mut core: MutexGuard<'_, Core>,
        now: Timestamp,
        deadline: Timestamp,
        waker: Waker,
    ) -> Timestamp {
        // The next attempt is then refused.
        let deadline = if core.recorded.closed { now } else { deadline };
        let Core { state, receivers, .. } = &mut *core;
        let (until, before) = receivers.park(&mut self.ticket, waker, deadline, state.next_deadline());
        self.inner.leave(core, now);
        // After `leave`, so that whoever is signalled finds the waiter in line and the lock free.
        self.inner.lined_up.notify_all();
        drop(before);
        until
    }
}

impl<R: Borrow<ReceiveOptions>, V: BorrowMut<Vec<Message>>> Drop for Look<'_, R, V> {
    /// A receiver that gives up passes its wake on: nothing it would have received stays hidden from the others.
    fn drop(&mut self) {
        if self.recorded.0 > 0 {
            for message in self.messages.borrow() {
                let receipt = message.delivery.receipt;
                // It may be gone, and then there is nothing to give back.
                let _ = self.inner.postpone(|_| Ok(receipt), Duration::ZERO);
            }
        }
        if self.ticket.is_some() {
            let now = self.inner.clock.now();
            let mut core = self.inner.core.lock();
            let waker = core.receivers.leave(&mut self.ticket);
            self.inner.leave(core, now);
            drop(waker);
        }
    }
}

/// A receive as a future, for any executor; dropping it loses no message and hides none.
///
/// It wakes by [`std::task::Waker`] alone. Poll it when it is woken, or drop it: an event wakes only the first in line.
/// If that one is kept but not polled, the message, just sent or just visible again, waits in the queue for the next
/// call of any kind that changes or counts messages, which wakes the next receiver in line; without such a call, for
/// the end of that receiver's own wait time.
#[must_use = "futures do nothing unless polled"]
pub struct ReceiveFuture<'queue> {
    pub(super) state: Result<Waiting<Look<'queue, ReceiveOptions, Vec<Message>>>, Option<ReceiveError>>,
}

impl Future for ReceiveFuture<'_> {
    type Output = Result<Vec<Message>, ReceiveError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            Ok(waiting) => {
                if waiting.attempt.recorded.0 == 0 {
                    ready!(Pin::new(&mut *waiting).poll(context)).map_err(|error| *error)?;
                }
                if waiting.attempt.recorded.0 > 0 {
                    ready!(waiting.attempt.poll_settle(context)).map_err(|error| *error)?;
                }
                Poll::Ready(Ok(mem::take(&mut waiting.attempt.messages)))
            }
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(ReceiveError::QueueDoesNotExist))),
        }
    }
}

impl fmt::Debug for ReceiveFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveFuture").finish_non_exhaustive()
    }
}
