//! [`FaultyQueue`], a queue behind a network that loses, delays and repeats calls.

use {
    super::{
        faults::{Chance, Fault, FaultError, Faults},
        wire::{CallError, Struck, Wire},
    },
    crate::{
        clock::{Clock, ManualClock},
        error::{BatchError, ChangeVisibilityError, DeleteError, ReceiveError, SendBatchError, SendError},
        message::SendMessage,
        queue::{BatchResult, ChangeVisibilityBatchEntry, DeleteBatchEntry, Message, Queue, Receive, SendBatchEntry},
        state::Sent,
        sync::Mutex,
        time::Timestamp,
    },
    std::{
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
    shared: Arc<FaultyState>,
}

/// No lock is held while the queue or the clock is called.
#[derive(Debug)]
struct FaultyState {
    wire: Wire,
    chance: Mutex<Chance>,
    struck: Mutex<Vec<(Timestamp, Fault)>>,
}

/// Lets late calls arrive while the clock moves.
struct Arrivals(Weak<FaultyState>);

impl Wake for Arrivals {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.wire.apply_late();
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
        let shared = Arc::new_cyclic(|shared| FaultyState {
            wire: Wire::waking(queue, clock, Some(Waker::from(Arc::new(Arrivals(Weak::clone(shared)))))),
            chance: Mutex::new(chance),
            struck: Mutex::default(),
        });
        Ok(Self { shared })
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
        self.shared.struck.lock().clone()
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
        std::mem::take(&mut self.shared.struck.lock())
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
    pub fn send(&self, message: impl Into<SendMessage>) -> Result<Sent, CallError<SendError>> {
        let message = message.into();
        let fault = self.draw(Wire::SEND);
        self.note_unless_refused(fault, self.wire().send(message, fault))
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
    pub fn send_batch<E: Into<SendBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<Sent>, CallError<SendBatchError>> {
        let entries: Vec<_> = entries.into_iter().map(Into::into).collect();
        let struck = self.draw_for_batch(Wire::SEND, entries.len());
        self.note_unless_refused(struck.fault, self.wire().send_batch(entries, struck))
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
    pub fn receive_with(
        &self,
        ask: impl for<'queue> FnOnce(Receive<'queue>) -> Receive<'queue>,
    ) -> Result<Vec<Message>, CallError<ReceiveError>> {
        let fault = self.draw(Wire::RECEIVE);
        let wire = self.wire();
        let (result, struck) = wire.poll(ask(wire.queue().receive()), fault);
        self.note(struck);
        result
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
    pub fn delete(&self, message: &Message) -> Result<(), CallError<DeleteError>> {
        let fault = self.draw(Wire::DELETE);
        self.note_unless_refused(fault, self.wire().delete(message, fault))
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
    pub fn delete_batch<E: Into<DeleteBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<()>, CallError<BatchError>> {
        let entries: Vec<_> = entries.into_iter().map(Into::into).collect();
        let struck = self.draw_for_batch(Wire::DELETE, entries.len());
        self.note_unless_refused(struck.fault, self.wire().delete_batch(entries, struck))
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
    pub fn change_visibility(
        &self,
        message: &Message,
        timeout: Duration,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let fault = self.draw(Wire::VISIBILITY);
        self.note_unless_refused(fault, self.wire().change_visibility(message, timeout, fault))
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
    pub fn release(&self, message: &Message) -> Result<(), CallError<ChangeVisibilityError>> {
        self.postpone(message, Duration::ZERO)
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
    pub fn postpone(&self, message: &Message, delay: Duration) -> Result<(), CallError<ChangeVisibilityError>> {
        let fault = self.draw(Wire::VISIBILITY);
        self.note_unless_refused(fault, self.wire().postpone(message, delay, fault))
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
    pub fn change_visibility_batch<E: Into<ChangeVisibilityBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<()>, CallError<BatchError>> {
        let entries: Vec<_> = entries.into_iter().map(Into::into).collect();
        let struck = self.draw_for_batch(Wire::VISIBILITY, entries.len());
        self.note_unless_refused(struck.fault, self.wire().change_visibility_batch(entries, struck))
    }

    pub(super) fn queue(&self) -> &Queue {
        self.wire().queue()
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.shared.wire
    }

    pub(super) fn draw(&self, candidates: &[Fault]) -> Option<Fault> {
        let candidates = [candidates, &[Fault::ClockJump]].concat();
        let fault = self.shared.chance.lock().draw(&candidates)?;
        if fault == Fault::ClockJump {
            self.wire().clock().advance(Fault::JUMP);
            self.note(Some(fault));
            return None;
        }
        Some(fault)
    }

    pub(super) fn draw_for_batch(&self, candidates: &[Fault], entries: usize) -> Struck {
        let fault = self.draw(&[candidates, &[Fault::BatchEntryFails]].concat());
        let fails = fault == Some(Fault::BatchEntryFails) && entries > 0;
        let entry = fails.then(|| self.shared.chance.lock().below(entries as u64) as usize);
        Struck { fault, entry }
    }

    /// What the queue refuses, no fault has changed.
    pub(super) fn note_unless_refused<T, E>(
        &self,
        fault: Option<Fault>,
        result: Result<T, CallError<E>>,
    ) -> Result<T, CallError<E>> {
        if !matches!(result, Err(CallError::Refused(_))) {
            self.note(fault);
        }
        result
    }

    pub(super) fn note(&self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            let now = self.wire().clock().now();
            self.shared.struck.lock().push((now, fault));
        }
    }
}
