//! [`FaultyQueue`], a queue behind a network that loses, delays and repeats calls.

use {
    super::{
        calls::{Calls, Origin, succeeded},
        faults::{Fault, FaultError, Faults},
        net::{Act, Begun, CallKind, Port},
        wire::{CallError, Wire},
    },
    crate::{
        clock::ManualClock,
        error::{BatchError, ChangeVisibilityError, DeleteError, ReceiveError, SendBatchError, SendError},
        message::{MessageId, SendMessage},
        queue::{BatchResult, ChangeVisibilityBatchEntry, DeleteBatchEntry, Message, Queue, Receive, SendBatchEntry},
        state::Sent,
        time::Timestamp,
    },
    std::{
        panic::Location,
        sync::{Arc, Weak},
        task::{Wake, Waker},
        time::Duration,
    },
};

/// A queue under a [`ManualClock`] whose calls meet [`Faults`], drawn from one seed or by a script.
///
/// A handle: cloning it is cheap, and all clones draw from one stream, and share what is late and what may be repeated.
/// A late call takes effect at its own instant while the clock moves, if a handle is left by then. The faults of
/// consumers (crashes and pauses) are those of a [`check`](super::check()); here they do not strike. Calls of the queue
/// itself meet no fault. With the feature `worker` it is a `MessageQueue`, so that a runner
/// can work on it. For the queues of a service there is [`FaultyService`](super::FaultyService).
///
/// # Examples
/// ```
/// use requeue::{ManualClock, Queue, testing::{CallError, Fault, Faults, FaultyQueue}};
///
/// let clock = ManualClock::default();
/// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
/// let faulty = FaultyQueue::new(&jobs, &clock, Faults::script([(3, Fault::DeleteResponseLost)]), 1)?;
/// faulty.send("resize cat.png")?;
/// let messages = faulty.receive(10)?;
/// assert_eq!(faulty.delete(&messages[0]), Err(CallError::ResponseLost));
/// assert!(jobs.snapshot().messages.is_empty(), "it was deleted all the same");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultyQueue {
    calls: Arc<Calls>,
}

/// Lets late calls arrive while the clock moves.
struct Arrivals(Weak<Calls>);

impl Wake for Arrivals {
    fn wake(self: Arc<Self>) {
        if let Some(calls) = self.0.upgrade() {
            calls.wire.apply_late();
        }
    }
}

impl FaultyQueue {
    /// Puts faults before a queue, which has to run on `clock`.
    ///
    /// # Errors
    /// [`FaultError`] for a fault that is not legal on the queue, or a probability that is none.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// let clock = ManualClock::default();
    /// let orders = Queue::fifo("orders.fifo").clock(clock.clone()).build()?;
    /// let faults = Faults::none().with(Fault::Reordered, 0.5);
    /// let error = FaultyQueue::new(&orders, &clock, faults, 1).unwrap_err();
    /// assert_eq!(error.to_string(), "Reordered cannot happen on the FIFO queue orders.fifo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(queue: &Queue, clock: &ManualClock, faults: Faults, seed: u64) -> Result<Self, FaultError> {
        let chance = faults.chance(queue.name(), queue.is_fifo(), seed)?;
        let calls = Arc::new_cyclic(|calls| {
            let arrivals = Arc::new(Arrivals(Weak::clone(calls)));
            Calls {
                wire: Arc::new(Wire::waking(queue, clock, Some(Waker::from(arrivals)))),
                origin: Origin::chance(chance),
            }
        });
        Ok(Self { calls })
    }

    /// The queue of a check, as one of its actors has it.
    pub(super) fn of(port: Port) -> Self {
        let wire = Arc::clone(port.wire());
        let origin = Origin::Net(port);
        Self {
            calls: Arc::new(Calls { wire, origin }),
        }
    }

    /// The faults that struck so far, and when.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let jobs = FaultyQueue::new(&jobs, &clock, Faults::none(), 1)?;
    /// jobs.send("resize cat.png")?;
    /// assert!(jobs.struck().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn struck(&self) -> Vec<(Timestamp, Fault)> {
        self.calls
            .origin
            .struck()
            .map(|struck| struck.lock().clone())
            .unwrap_or_default()
    }

    /// Like [`struck`](Self::struck), and forgets them, so that a long run does not gather them all.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let jobs = FaultyQueue::new(&jobs, &clock, Faults::none().with(Fault::SendThrottled, 1.0), 1)?;
    /// assert!(jobs.send("resize cat.png").is_err());
    /// assert_eq!(jobs.take_struck()[0].1, Fault::SendThrottled);
    /// assert!(jobs.take_struck().is_empty() && jobs.struck().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn take_struck(&self) -> Vec<(Timestamp, Fault)> {
        self.calls
            .origin
            .struck()
            .map(|struck| std::mem::take(&mut *struck.lock()))
            .unwrap_or_default()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faulty = FaultyQueue::new(&jobs, &clock, Faults::none().with(Fault::SendLate, 1.0), 1)?;
    /// assert!(faulty.send("resize cat.png").is_err());
    /// assert!(jobs.snapshot().messages.is_empty());
    /// clock.advance(Fault::LATE);
    /// assert_eq!(faulty.receive(1)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn send(&self, message: impl Into<SendMessage>) -> Result<Sent, CallError<SendError>> {
        let message = message.into();
        let begun = self.calls.begin(CallKind::Send, None, Some(Location::caller()))?;
        let (result, sent) = self.send_begun(message, begun);
        self.calls.end(begun, &Act::Send { messages: &[sent] }, &result);
        result
    }

    /// Sends up to ten messages, each as in [`Queue::send_batch`].
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let jobs = FaultyQueue::new(&jobs, &clock, Faults::none().with(Fault::BatchEntryFails, 1.0), 1)?;
    /// let result = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// assert_eq!((result.successful.len(), result.failed[0].code), (1, "InternalError"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn send_batch<E: Into<SendBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<Sent>, CallError<SendBatchError>> {
        let entries: Vec<_> = entries.into_iter().map(Into::into).collect();
        let begun = self
            .calls
            .begin(CallKind::Send, Some(entries.len()), Some(Location::caller()))?;
        let bodies = entries.iter().map(|entry| entry.body().to_owned()).collect::<Vec<_>>();
        let before = self.calls.facts();
        let result = self.wire().send_batch(entries, begun.struck());
        let mut ids = self.calls.sent_since(before).into_iter();
        let all_are_told = ids.len() == bodies.len();
        let mut id = || ids.next().filter(|_| all_are_told);
        let sent: Vec<_> = bodies.into_iter().map(|body| (id(), body)).collect();
        self.calls.end(begun, &Act::Send { messages: &sent }, &result);
        result
    }

    /// A short poll for at most `max_messages`, 1 to 10, with the queue's own visibility timeout.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faults = Faults::none().with(Fault::DuplicateInFlight, 1.0);
    /// let jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// let (one, other) = (jobs.receive(1)?, jobs.receive(1)?);
    /// assert_eq!(one[0].message_id(), other[0].message_id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn receive(&self, max_messages: usize) -> Result<Vec<Message>, CallError<ReceiveError>> {
        self.receive_with(|poll| poll.max_messages(max_messages).wait_time(Duration::ZERO))
    }

    /// A receive with everything that [`Receive`] can ask for, which never blocks.
    ///
    /// No time passes: a long poll that finds nothing to receive is answered with nothing, as when its wait is over.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// A FIFO consumer that asks again for what was lost on the way:
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::{CallError, Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let orders = Queue::fifo("orders.fifo").clock(clock.clone()).content_based_deduplication(true).build()?;
    /// let orders = FaultyQueue::new(&orders, &clock, Faults::script([(2, Fault::ReceiveResponseLost)]), 1)?;
    /// orders.send(SendMessage::new("order-17").message_group_id("customer-7"))?;
    /// let poll = || orders.receive_with(|poll| poll.max_messages(10).receive_request_attempt_id("first"));
    /// assert_eq!(poll().unwrap_err(), CallError::ResponseLost);
    /// assert_eq!(poll()?[0].body(), "order-17");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn receive_with(
        &self,
        ask: impl for<'queue> FnOnce(Receive<'queue>) -> Receive<'queue>,
    ) -> Result<Vec<Message>, CallError<ReceiveError>> {
        let wire = self.wire();
        let poll = ask(wire.queue().receive());
        match &self.calls.origin {
            Origin::Chance(_) => {
                let fault = self.calls.draw(Wire::RECEIVE);
                let (result, struck) = wire.poll(poll, fault);
                self.calls.note(struck);
                result
            }
            Origin::Net(port) => port.receive(poll, Some(Location::caller())),
        }
    }

    /// As [`receive_with`](Self::receive_with), and waits for messages as long as the request does. In a check a short
    /// poll that finds nothing takes 10 ms, so that a loop of them lets time pass.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use {requeue::{Clock, ManualClock, Queue, testing::{Faults, FaultyQueue}}, std::time::Duration};
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faulty = FaultyQueue::new(&jobs, &clock, Faults::none(), 1)?;
    /// let begun = clock.now();
    /// let polled = faulty.receive_async(|poll| poll.wait_time(Duration::from_secs(20)));
    /// assert!(pollster::block_on(clock.run_until(polled))?.is_empty());
    /// assert_eq!(clock.now(), begun.saturating_add(Duration::from_secs(20)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn receive_async<'q, F>(
        &'q self,
        ask: F,
    ) -> impl Future<Output = Result<Vec<Message>, CallError<ReceiveError>>> + Send + use<'q, F>
    where
        F: for<'queue> FnOnce(Receive<'queue>) -> Receive<'queue>,
    {
        // Not an async fn, whose caller would be whoever polls it.
        let place = Location::caller();
        let poll = ask(self.queue().receive());
        async move { self.receive_awaited(poll, Some(place)).await }
    }

    pub(super) async fn receive_awaited(
        &self,
        poll: Receive<'_>,
        place: Option<&'static Location<'static>>,
    ) -> Result<Vec<Message>, CallError<ReceiveError>> {
        match &self.calls.origin {
            Origin::Net(port) => port.receive_awaited(poll, place).await,
            Origin::Chance(_) => {
                let fault = self.calls.draw(Wire::RECEIVE);
                let (result, struck) = self.wire().wait(poll, fault).await;
                self.calls.note(struck);
                result
            }
        }
    }

    /// Deletes a message by the handle it was received with.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faults = Faults::none().with(Fault::DuplicateAfterDelete, 1.0);
    /// let jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// let messages = jobs.receive(1)?;
    /// jobs.delete(&messages[0])?;
    /// assert_eq!(jobs.receive(1)?.len(), 1, "a server missed the delete");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn delete(&self, message: &Message) -> Result<(), CallError<DeleteError>> {
        let begun = self.calls.begin(CallKind::Delete, None, Some(Location::caller()))?;
        let result = self.wire().delete(message, begun.fault);
        let messages = &[message.message_id()];
        let attempted = messages;
        self.calls.end(begun, &Act::Delete { messages, attempted }, &result);
        result
    }

    /// Deletes up to ten messages, each as in [`Queue::delete_batch`].
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faults = Faults::none().with(Fault::BatchEntryFails, 1.0);
    /// let jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// jobs.send("resize dog.png")?;
    /// let messages = jobs.receive(10)?;
    /// let result = jobs.delete_batch(&messages)?;
    /// assert_eq!((result.successful.len(), result.failed.len()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn delete_batch<E: Into<DeleteBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<()>, CallError<BatchError>> {
        let entries: Vec<_> = entries.into_iter().map(Into::into).collect();
        let begun = self
            .calls
            .begin(CallKind::Delete, Some(entries.len()), Some(Location::caller()))?;
        let all = self.wire().messages_of(entries.iter().map(DeleteBatchEntry::handle));
        let result = self.wire().delete_batch(entries, begun.struck());
        let messages = successful(&all, &result);
        let attempted: Vec<_> = all.into_iter().flatten().collect();
        let (messages, attempted) = (&messages[..], &attempted[..]);
        self.calls.end(begun, &Act::Delete { messages, attempted }, &result);
        result
    }

    /// Changes how long a message stays hidden.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faults = Faults::none().with(Fault::VisibilityFails, 1.0);
    /// let jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// let message = jobs.receive(1)?.remove(0);
    /// let error = jobs.change_visibility(&message, Duration::ZERO).unwrap_err();
    /// assert_eq!(error.code(), Some("ServiceUnavailable"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn change_visibility(
        &self,
        message: &Message,
        timeout: Duration,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let begun = self.calls.begin(CallKind::Visibility, None, Some(Location::caller()))?;
        let result = self.wire().change_visibility(message, timeout, begun.fault);
        self.hid(begun, message, timeout, "hides", &result);
        result
    }

    /// Puts a message back as if its receive had not been, as [`Queue::release`] does; it meets the faults of a change of
    /// a visibility timeout.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{CallError, Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faults = Faults::none().with(Fault::VisibilityResponseLost, 1.0);
    /// let faulty = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// faulty.send("resize cat.png")?;
    /// let message = faulty.receive(1)?.remove(0);
    /// assert_eq!(faulty.release(&message), Err(CallError::ResponseLost));
    /// assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 0, "it was released all the same");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn release(&self, message: &Message) -> Result<(), CallError<ChangeVisibilityError>> {
        self.put_back(message, Duration::ZERO, "releases", Location::caller())
    }

    /// Hides a message for `delay`, 0 s to 12 h, as if its receive had not been, as [`Queue::postpone`] does; it meets
    /// the faults of a change of a visibility timeout.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faulty = FaultyQueue::new(&jobs, &clock, Faults::none().with(Fault::VisibilityLate, 1.0), 1)?;
    /// faulty.send("resize cat.png")?;
    /// let message = faulty.receive(1)?.remove(0);
    /// assert!(faulty.postpone(&message, Duration::from_secs(60)).is_err());
    /// assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 1);
    /// clock.advance(Fault::LATE);
    /// assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn postpone(&self, message: &Message, delay: Duration) -> Result<(), CallError<ChangeVisibilityError>> {
        self.put_back(message, delay, "postpones", Location::caller())
    }

    /// Changes how long up to ten messages stay hidden, each as in [`Queue::change_visibility_batch`].
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{CallError, Fault, Faults, FaultyQueue}};
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let faults = Faults::none().with(Fault::VisibilityResponseLost, 1.0);
    /// let faulty = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// faulty.send("resize cat.png")?;
    /// let messages = faulty.receive(10)?;
    /// let back = messages.iter().map(|message| (message, Duration::ZERO));
    /// assert_eq!(faulty.change_visibility_batch(back), Err(CallError::ResponseLost));
    /// assert_eq!(jobs.counts().visible, 1, "it was given back all the same");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn change_visibility_batch<E: Into<ChangeVisibilityBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<()>, CallError<BatchError>> {
        let entries: Vec<_> = entries.into_iter().map(Into::into).collect();
        let begun = self
            .calls
            .begin(CallKind::Visibility, Some(entries.len()), Some(Location::caller()))?;
        let all = self
            .wire()
            .messages_of(entries.iter().map(ChangeVisibilityBatchEntry::handle));
        let timeouts: Vec<Duration> = entries.iter().map(ChangeVisibilityBatchEntry::timeout).collect();
        let result = self.wire().change_visibility_batch(entries, begun.struck());
        let changed = successful(&all, &result);
        let timeout = timeouts.into_iter().min().unwrap_or_default();
        let all = all.into_iter().flatten().map(|message| (message, None));
        let (messages, failed): (Vec<_>, Vec<_>) = all.partition(|it| changed.contains(&it.0));
        let verb = "hides";
        self.calls.end(
            begun,
            &Act::Hide {
                messages: &messages,
                failed: &failed,
                timeout,
                verb,
            },
            &result,
        );
        result
    }

    /// Sends one message; what is told of it is its id, as far as it is known, and its body.
    fn send_begun(
        &self,
        message: SendMessage,
        begun: Begun,
    ) -> (Result<Sent, CallError<SendError>>, (Option<MessageId>, String)) {
        let body = message.body().to_owned();
        let before = self.calls.facts();
        let result = self.wire().send(message, begun.fault, self.calls.who());
        let lost = self.calls.sent_since(before).first().copied();
        let id = result.as_ref().ok().map(|sent| sent.message_id).or(lost);
        (result, (id, body))
    }

    #[cfg(feature = "worker")]
    pub(super) async fn send_awaited(&self, message: SendMessage) -> Result<Sent, CallError<SendError>> {
        let begun = self.calls.begin_awaited(CallKind::Send, None).await;
        let (result, sent) = self.send_begun(message, begun);
        self.calls
            .end_awaited(begun, &Act::Send { messages: &[sent] }, &result)
            .await;
        result
    }

    fn put_back(
        &self,
        message: &Message,
        delay: Duration,
        verb: &'static str,
        place: &'static Location<'static>,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let begun = self.calls.begin(CallKind::Visibility, None, Some(place))?;
        let result = self.wire().postpone(message, delay, begun.fault);
        self.hid(begun, message, delay, verb, &result);
        result
    }

    fn hid(
        &self,
        begun: Begun,
        message: &Message,
        timeout: Duration,
        verb: &'static str,
        result: &Result<(), CallError<ChangeVisibilityError>>,
    ) {
        let messages = &[(message.message_id(), Some(message.approximate_receive_count()))];
        self.calls.end(
            begun,
            &Act::Hide {
                messages,
                failed: &[],
                timeout,
                verb,
            },
            result,
        );
    }

    pub(super) fn queue(&self) -> &Queue {
        self.wire().queue()
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.calls.wire
    }

    #[cfg(feature = "worker")]
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }
}

/// The messages of a batch whose entries succeeded; all of them if there is no answer for each.
fn successful<T, E>(all: &[Option<MessageId>], result: &Result<BatchResult<T>, CallError<E>>) -> Vec<MessageId> {
    succeeded(all, |at| {
        let mut failed = result.iter().flat_map(|result| &result.failed);
        failed.any(|it| it.id == at.to_string())
    })
}
