//! Receiving: one loop for short polls, blocked threads and futures.

use {
    super::{
        Core, DeadLetterRoute, Inner, Message, Queue,
        waiters::Ticket,
        waiting::{Attempt, Step, Waiting, block_on},
    },
    crate::{
        clock::Clock,
        error::{InvalidParameterValue, InvalidReason, ReceiveError, check},
        state::{DEPARTURES_AT_ONCE, Delivery, Departure, ReceiveRequest, Refusal},
        sync::MutexGuard,
        time::Timestamp,
    },
    rand::Rng,
    std::{
        borrow::{Borrow, BorrowMut},
        fmt,
        future::{Future, IntoFuture},
        iter, mem,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

/// A receive to be made: set what differs from the defaults, then end in [`blocking`](Self::blocking) or `.await`.
///
/// # Source
/// [`ReceiveMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
#[derive(Clone, Debug)]
#[must_use = "a receive does nothing until it is blocked on or awaited"]
pub struct Receive<'queue> {
    inner: &'queue Arc<Inner>,
    request: ReceiveOptions,
}

#[derive(Clone, Debug)]
struct ReceiveOptions {
    max_messages: usize,
    visibility_timeout: Option<Duration>,
    wait_time: Option<Duration>,
    rare: Option<Box<RareOptions>>,
}

/// What few receives ask for.
#[derive(Clone, Debug)]
struct RareOptions {
    attempt_id: Option<Arc<str>>,
    attribute_names: Option<Vec<String>>,
    reason_attribute: Option<Arc<str>>,
    max_messages_per_group: usize,
}

impl ReceiveOptions {
    fn rare_mut(&mut self) -> &mut RareOptions {
        self.rare.get_or_insert_with(|| {
            Box::new(RareOptions {
                attempt_id: None,
                attribute_names: None,
                reason_attribute: None,
                max_messages_per_group: usize::MAX,
            })
        })
    }

    fn attempt_id(&self) -> Option<&Arc<str>> {
        self.rare.as_ref()?.attempt_id.as_ref()
    }

    #[inline(never)]
    fn adapt(rare: &RareOptions, messages: &mut [Message]) {
        for message in messages {
            if let Some(names) = &rare.attribute_names {
                message.keep_attributes(names);
            }
            if let Some(name) = &rare.reason_attribute {
                message.add_reason(name);
            }
        }
    }
}

impl Queue {
    /// Begins a receive: one message, the queue's own visibility timeout and wait time, all attributes.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let messages = jobs.receive().max_messages(10).visibility_timeout(Duration::from_secs(5)).blocking()?;
    /// assert_eq!(messages[0].body(), "resize cat.png");
    /// assert!(jobs.receive().blocking()?.is_empty()); // in flight
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn receive(&self) -> Receive<'_> {
        Receive {
            inner: &self.inner,
            request: ReceiveOptions {
                max_messages: 1,
                visibility_timeout: None,
                wait_time: None,
                rare: None,
            },
        }
    }
}

impl<'queue> Receive<'queue> {
    /// At most this many messages, 1 to 10; fewer may come (D5). The default is 1.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "resize dog.png", "resize cow.png"])?;
    /// assert_eq!(jobs.receive().max_messages(2).blocking()?.len(), 2);
    /// assert_eq!(jobs.receive().max_messages(2).blocking()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn max_messages(mut self, max_messages: usize) -> Self {
        self.request.max_messages = max_messages;
        self
    }

    /// How long the messages stay hidden from other consumers, 0 s to 12 h; zero leaves them visible (D4, D6).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::time::Duration;
    /// let (clock, minute) = (ManualClock::default(), Duration::from_secs(60));
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().visibility_timeout(minute).blocking()?;
    /// clock.advance(Duration::from_secs(59));
    /// assert!(jobs.receive().blocking()?.is_empty());
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.request.visibility_timeout = Some(timeout);
        self
    }

    /// How long to wait for a first message, 0 s to 20 s; zero asks once, whatever the queue's attribute says (D4).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::{thread, time::Duration};
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let consumer = thread::spawn({
    ///     let jobs = jobs.clone();
    ///     move || jobs.receive().wait_time(Duration::from_secs(20)).blocking()
    /// });
    /// clock.wait_for_sleepers(1);
    /// jobs.send("resize cat.png")?; // wakes it at once
    /// assert_eq!(consumer.join().unwrap()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn wait_time(mut self, wait_time: Duration) -> Self {
        self.request.wait_time = Some(wait_time);
        self
    }

    /// `ReceiveRequestAttemptId`: within five minutes another receive with the same id gets the same messages under
    /// the same handles (F32). 1 to 128 characters; ignored on a standard queue (F31).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    /// orders.send(SendMessage::new("order-17").message_group_id("customer-3"))?;
    /// let lost = orders.receive().receive_request_attempt_id("attempt-1").blocking()?;
    /// let again = orders.receive().receive_request_attempt_id("attempt-1").blocking()?;
    /// assert_eq!(again[0].receipt_handle(), lost[0].receipt_handle());
    /// assert!(orders.receive().receive_request_attempt_id("attempt-2").blocking()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive_request_attempt_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.request.rare_mut().attempt_id = Some(id.into());
        self
    }

    /// Only the user attributes that these names select: exact names, `prefix.*`, or `All` (M44).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, Queue, SendMessage};
    /// let mut cat = SendMessage::new("resize cat.png");
    /// for name in ["age", "size.x", "size.y"] {
    ///     cat = cat.attribute(name, MessageAttributeValue::number("1"));
    /// }
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(cat)?;
    /// let message = &jobs.receive().message_attribute_names(["size.*"]).blocking()?[0];
    /// assert!(message.attributes().iter().map(|(name, _)| name).eq(["size.x", "size.y"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn message_attribute_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.request.rare_mut().attribute_names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// FIFO only: takes at most this many messages of one group, so that one group does not fill the receive; as many as
    /// there are by default (F19). Less than 1 counts as 1. SQS has no such thing.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    /// for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
    ///     orders.send(SendMessage::new(body).message_group_id(group))?;
    /// }
    /// let heads = orders.receive().max_messages(10).max_messages_per_group(1).blocking()?;
    /// assert!(heads.iter().map(|message| message.body()).eq(["a1", "b1"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_messages_per_group(mut self, max: usize) -> Self {
        self.request.rare_mut().max_messages_per_group = max.max(1);
        self
    }

    /// Gives a dead letter the reason that a consumer gave for it as a user attribute of this name as well, of type
    /// `String`; an attribute of the message's own with this name stays as it is. SQS has no such thing.
    ///
    /// Neither name nor reason is checked. The attribute is for this consumer alone: it is not stored, and [`message_attribute_names`] neither selects it
    /// nor leaves it out.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// jobs.send("resize cat.txt")?;
    /// jobs.receive().blocking()?[0].dead_letter("not an image")?;
    /// let letter = &failed.receive().dead_letter_reason_attribute("Reason").blocking()?[0];
    /// assert_eq!(letter.attributes().get("Reason").and_then(|it| it.string_value()), Some("not an image"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`message_attribute_names`]: Self::message_attribute_names
    pub fn dead_letter_reason_attribute(mut self, name: impl Into<Arc<str>>) -> Self {
        self.request.rare_mut().reason_attribute = Some(name.into());
        self
    }

    /// Receives, blocking the thread while it waits; empty if the wait time is over (D10).
    ///
    /// # Errors
    /// `InvalidParameterValue` for a parameter out of range or an attempt that cannot be replayed (F33), `OverLimit`
    /// for a short poll on a standard queue with too many messages in flight (D15), `QueueDoesNotExist`, also if
    /// the queue is deleted meanwhile (Q38).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert!(jobs.receive().blocking()?.is_empty());
    /// assert_eq!(jobs.receive().max_messages(11).blocking().unwrap_err().code(), "InvalidParameterValue");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn blocking(mut self) -> Result<Vec<Message>, ReceiveError> {
        let mut messages = Vec::new();
        match self.block(&mut messages) {
            Ok(()) => Ok(messages),
            Err(error) => Err(*error),
        }
    }

    fn block(&mut self, messages: &mut Vec<Message>) -> Result<(), Box<ReceiveError>> {
        self.check()?;
        block_on(&mut Look::new(self.inner, &self.request, messages))
    }

    /// Adds the messages that are there now to `messages`, where one call gets any; otherwise nothing was asked, not even if
    /// the receive is refused.
    #[cfg(feature = "worker")]
    pub(crate) fn at_once<M: From<Message>>(mut self, messages: &mut Vec<M>) {
        if self.check().is_err() {
            return;
        }
        let inner = self.inner;
        let now = inner.clock.now();
        let Some(mut core) = inner.enter() else { return };
        let long_poll = self.request.wait_time.is_some_and(|wait| !wait.is_zero());
        let _refused = inner.receive_in(&mut core, now, &self.request, long_poll, messages);
        let transfer = core.departures();
        inner.leave(core, now);
        if let Some((route, departures)) = transfer {
            inner.transfer(route.as_ref(), &departures);
        }
    }

    /// Whether it waits for messages if there are none, and so asks every server (D10).
    #[cfg(feature = "testing")]
    pub(crate) fn is_long_poll(&self) -> bool {
        let default = || self.inner.core.lock().state.settings().receive_message_wait_time;
        !self.request.wait_time.unwrap_or_else(default).is_zero()
    }

    /// Checks parameter ranges, in the order of SQS's model (X11).
    pub(crate) fn check(&mut self) -> Result<(), ReceiveError> {
        let (request, limits) = (&mut self.request, &self.inner.limits);
        if self.inner.is_gone() {
            return Err(ReceiveError::QueueDoesNotExist);
        }
        check::max_number_of_messages(request.max_messages, limits)?;
        if let Some(timeout) = &mut request.visibility_timeout {
            *timeout = check::visibility_timeout(*timeout, limits)?;
        }
        if let Some(wait) = &mut request.wait_time {
            *wait = check::wait_time(*wait, limits)?;
        }
        if let Some(id) = request.attempt_id().filter(|_| self.inner.fifo) {
            check::check_id("ReceiveRequestAttemptId", id, limits)?;
        }
        Ok(())
    }
}

/// A receive under way.
struct Look<'queue, R: Borrow<ReceiveOptions>, V: BorrowMut<Vec<Message>>> {
    inner: &'queue Arc<Inner>,
    request: R,
    /// Empty until the receive is done.
    messages: V,
    /// When the wait is over; decided by the first look.
    deadline: Option<Timestamp>,
    long_poll: bool,
    ticket: Option<Ticket>,
}

impl<'queue, R: Borrow<ReceiveOptions>, V: BorrowMut<Vec<Message>>> Look<'queue, R, V> {
    const fn new(inner: &'queue Arc<Inner>, request: R, messages: V) -> Self {
        Self {
            inner,
            request,
            messages,
            deadline: None,
            long_poll: false,
            ticket: None,
        }
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
            let received = self.inner.receive_in(&mut core, now, request, self.long_poll, messages);
            let plain = !messages.is_empty() && core.effects.departures.is_empty() && self.ticket.is_none();
            if !plain {
                match self.end_or_wait(core, now, deadline, received, waker) {
                    Some(step) => return step,
                    None => continue,
                }
            }
            self.inner.leave(core, now);
            if let Some(rare) = &request.rare {
                ReceiveOptions::adapt(rare, messages);
            }
            return Step::Done(received);
        }
    }
}

impl Core {
    /// The messages that leave by what was done, which the caller transfers once the lock is released.
    fn departures(&mut self) -> Option<(Option<DeadLetterRoute>, Vec<Departure>)> {
        let departures = &mut self.effects.departures;
        (!departures.is_empty()).then(|| (self.route.clone(), mem::take(departures)))
    }
}

impl Inner {
    /// Adds what a receive gets now.
    #[inline]
    fn receive_in<M: From<Message>>(
        self: &Arc<Self>,
        core: &mut Core,
        now: Timestamp,
        asked: &ReceiveOptions,
        long_poll: bool,
        messages: &mut Vec<M>,
    ) -> Result<(), Box<ReceiveError>> {
        // Drawn whether or not it is used, so that the same steps draw the same numbers.
        let chance = core.chance.next_u64();
        let redrive = core.has_dead_letter_target();
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

impl ReceiveOptions {
    #[inline(never)]
    fn refused(&self, refusal: Refusal) -> ReceiveError {
        if refusal != Refusal::NotRetryable {
            return ReceiveError::OverLimit;
        }
        let id = self.attempt_id().map_or("", |id| id);
        InvalidParameterValue::of("ReceiveRequestAttemptId", id, InvalidReason::NotRetryable).into()
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
        self.inner.leave(core, now);
        drop(waker);
        if let Some((route, departures)) = transfer {
            self.inner.transfer(route.as_ref(), &departures);
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
    state: Result<Waiting<Look<'queue, ReceiveOptions, Vec<Message>>>, Option<ReceiveError>>,
}

impl Future for ReceiveFuture<'_> {
    type Output = Result<Vec<Message>, ReceiveError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            Ok(waiting) => Pin::new(&mut *waiting).poll(context).map(|received| match received {
                Ok(()) => Ok(mem::take(&mut waiting.attempt.messages)),
                Err(error) => Err(*error),
            }),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(ReceiveError::QueueDoesNotExist))),
        }
    }
}

impl fmt::Debug for ReceiveFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveFuture").finish_non_exhaustive()
    }
}

impl<'queue> IntoFuture for Receive<'queue> {
    type Output = Result<Vec<Message>, ReceiveError>;
    type IntoFuture = ReceiveFuture<'queue>;

    fn into_future(mut self) -> ReceiveFuture<'queue> {
        let checked = self.check();
        let look = |()| Waiting::new(Look::new(self.inner, self.request, Vec::new()));
        ReceiveFuture {
            state: checked.map(look).map_err(Some),
        }
    }
}
