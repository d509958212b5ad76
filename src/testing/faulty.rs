//! A queue behind a network that loses, delays and repeats.

use {
    super::{
        faults::{Chance, Fault, FaultError, Faults},
        wire::{CallError, Wire},
    },
    crate::{
        clock::{Clock, ManualClock},
        error::{BatchError, ChangeVisibilityError, DeleteError, ReceiveError, SendError},
        message::SendMessage,
        queue::{BatchFailure, BatchResult, Message, Queue, Sent},
        time::Timestamp,
    },
    std::{borrow::Cow, time::Duration},
};

/// A queue under a [`ManualClock`] whose calls meet [`Faults`], drawn from one seed or by a script.
///
/// The faults of consumers (crashes and pauses) are those of a [`check`](super::check()); here they do not strike.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, Queue, testing::{CallError, Fault, Faults, FaultyQueue}};
///
/// let clock = ManualClock::default();
/// let jobs = Queue::standard("jobs").clock(&clock).build()?;
/// let mut faulty = FaultyQueue::new(&jobs, &clock, Faults::script([(3, Fault::DeleteResponseLost)]), 1)?;
/// faulty.send("resize cat.png")?;
/// let messages = faulty.receive(10)?;
/// assert_eq!(faulty.delete(&messages[0]), Err(CallError::ResponseLost));
/// assert!(jobs.snapshot().messages.is_empty(), "it was deleted all the same");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FaultyQueue {
    wire: Wire,
    chance: Chance,
    struck: Vec<(Timestamp, Fault)>,
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
    /// let orders = Queue::fifo("orders.fifo").clock(&clock).build()?;
    /// let faults = Faults::none().with(Fault::Reordered, 0.5);
    /// let error = FaultyQueue::new(&orders, &clock, faults, 1).unwrap_err();
    /// assert_eq!(error.to_string(), "Reordered cannot happen on the FIFO queue orders.fifo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(queue: &Queue, clock: &ManualClock, faults: Faults, seed: u64) -> Result<Self, FaultError> {
        Ok(Self {
            chance: faults.chance(queue.name(), queue.is_fifo(), seed)?,
            wire: Wire::new(queue, clock),
            struck: Vec::new(),
        })
    }

    /// The faults that struck so far, and when.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(&clock).build()?;
    /// let mut jobs = FaultyQueue::new(&jobs, &clock, Faults::none(), 1)?;
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(jobs.struck(), []);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn struck(&self) -> &[(Timestamp, Fault)] {
        &self.struck
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
    /// # let jobs = Queue::standard("jobs").clock(&clock).build()?;
    /// let mut faulty = FaultyQueue::new(&jobs, &clock, Faults::none().with(Fault::SendLate, 1.0), 1)?;
    /// assert!(faulty.send("resize cat.png").is_err());
    /// assert!(jobs.snapshot().messages.is_empty());
    /// clock.advance(Fault::LATE);
    /// assert_eq!(faulty.receive(1)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(&mut self, message: impl Into<SendMessage>) -> Result<Sent, CallError<SendError>> {
        let message = message.into();
        let fault = self.draw(Wire::SEND);
        let result = self.wire.send(message, fault);
        self.note(fault);
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
    /// # let jobs = Queue::standard("jobs").clock(&clock).build()?;
    /// let faults = Faults::none().with(Fault::DuplicateInFlight, 1.0);
    /// let mut jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// let (one, other) = (jobs.receive(1)?, jobs.receive(1)?);
    /// assert_eq!(one[0].message_id(), other[0].message_id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive(&mut self, max_messages: usize) -> Result<Vec<Message>, CallError<ReceiveError>> {
        let fault = self.draw(Wire::RECEIVE);
        let (result, struck) = self.wire.receive(max_messages, None, fault);
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
    /// # let jobs = Queue::standard("jobs").clock(&clock).build()?;
    /// let faults = Faults::none().with(Fault::DuplicateAfterDelete, 1.0);
    /// let mut jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// let messages = jobs.receive(1)?;
    /// jobs.delete(&messages[0])?;
    /// assert_eq!(jobs.receive(1)?.len(), 1, "a server missed the delete");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(&mut self, message: &Message) -> Result<(), CallError<DeleteError>> {
        let fault = self.draw(Wire::DELETE);
        let result = self.wire.delete(message, fault);
        self.note(fault);
        result
    }

    /// Deletes up to ten messages; the entries are named by their places.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    /// # let clock = ManualClock::default();
    /// # let jobs = Queue::standard("jobs").clock(&clock).build()?;
    /// let faults = Faults::none().with(Fault::BatchEntryFails, 1.0);
    /// let mut jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// jobs.send("resize dog.png")?;
    /// let messages = jobs.receive(10)?;
    /// let result = jobs.delete_batch(&messages)?;
    /// assert_eq!((result.successful.len(), result.failed.len()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_batch(&mut self, messages: &[Message]) -> Result<BatchResult<()>, CallError<BatchError>> {
        let fault = self.draw(&[Fault::BatchEntryFails]);
        self.wire.apply_late();
        let spared = match fault {
            Some(_) if !messages.is_empty() => Some(self.chance.below(messages.len() as u64) as usize),
            _ => None,
        };
        let failure = |at: usize| BatchFailure {
            id: Cow::Owned(at.to_string()),
            sender_fault: false,
            code: "InternalError",
            message: "a fault of the testing kit".to_owned(),
        };
        let Some(spared) = spared else {
            return self.wire.queue.delete_batch(messages).map_err(CallError::Refused);
        };
        let mut result = BatchResult {
            successful: Vec::new(),
            failed: vec![failure(spared)],
        };
        let others: Vec<_> = (0..messages.len())
            .filter(|at| *at != spared)
            .map(|at| crate::queue::DeleteBatchEntry::new(at.to_string(), messages[at].receipt_handle()))
            .collect();
        if !others.is_empty() {
            let mut rest = self.wire.queue.delete_batch(others).map_err(CallError::Refused)?;
            result.successful = rest.successful;
            result.failed.append(&mut rest.failed);
        }
        self.note(fault);
        Ok(result)
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
    /// # let jobs = Queue::standard("jobs").clock(&clock).build()?;
    /// let faults = Faults::none().with(Fault::VisibilityFails, 1.0);
    /// let mut jobs = FaultyQueue::new(&jobs, &clock, faults, 1)?;
    /// jobs.send("resize cat.png")?;
    /// let message = jobs.receive(1)?.remove(0);
    /// let error = jobs.change_visibility(&message, Duration::ZERO).unwrap_err();
    /// assert_eq!(error.code(), Some("ServiceUnavailable"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn change_visibility(
        &mut self,
        message: &Message,
        timeout: Duration,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let fault = self.draw(Wire::VISIBILITY);
        let result = self.wire.change_visibility(message, timeout, fault);
        self.note(fault);
        result
    }

    fn draw(&mut self, candidates: &[Fault]) -> Option<Fault> {
        let candidates = [candidates, &[Fault::ClockJump]].concat();
        let fault = self.chance.draw(&candidates)?;
        if fault == Fault::ClockJump {
            self.wire.clock.advance(Fault::JUMP);
            self.note(Some(fault));
            return None;
        }
        Some(fault)
    }

    fn note(&mut self, fault: Option<Fault>) {
        let now = self.wire.clock.now();
        self.struck.extend(fault.map(|fault| (now, fault)));
    }
}
