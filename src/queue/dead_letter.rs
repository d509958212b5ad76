//! Dead-letter targets, and the two-phase move to them.

use {
    super::{Core, Inner, Position, Queue, Verb},
    crate::{
        error::{DeadLetterError, InvalidReason, StorageError},
        message::{MessageId, ReceiptHandle},
        state::{Departure, Receipt, Refusal},
        sync::Mutex,
    },
    std::{
        mem,
        sync::{Arc, Weak},
    },
};

impl Queue {
    /// Sends a message in flight to the dead-letter queue at once, whatever its receive count, and reports why.
    ///
    /// For a consumer that knows that the message will never work; SQS has no such action. Only the latest handle of
    /// the message does it, and only while its visibility timeout lasts, on a standard queue as on a FIFO queue. The
    /// message arrives as any dead letter does (L10-L19). On a FIFO queue those behind it in its group can be received
    /// when it has left. Facts tell of it as [`Fact::Failed`](crate::Fact::Failed), then
    /// [`Fact::DeadLettered`](crate::Fact::DeadLettered).
    ///
    /// # Errors
    /// `ReceiptHandleIsInvalid` for a handle of another queue (D19); `UnsupportedOperation` if the queue has no
    /// dead-letter queue; `InvalidParameterValue` if the message is gone, visible again, or received again since;
    /// `QueueDoesNotExist`; `Storage` if the journal does not record it. The message stays as it is in each case, except
    /// that it is visible if the dead-letter queue is deleted during the call (L9), or the
    /// journal has no room for it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// jobs.send("resize cat.txt")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// jobs.dead_letter(&handle, "not an image")?;
    /// assert_eq!(failed.receive().blocking()?[0].body(), "resize cat.txt");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dead_letter(
        &self,
        receipt_handle: &ReceiptHandle,
        reason: impl Into<Arc<str>>,
    ) -> Result<(), DeadLetterError> {
        self.inner
            .record(Verb::Delete, 0, || self.dead_letter_now(receipt_handle, reason.into()))
    }

    /// [`dead_letter`](Self::dead_letter) for an async caller.
    ///
    /// # Errors
    /// As [`dead_letter`](Self::dead_letter).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// jobs.send("resize cat.txt")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// pollster::block_on(jobs.dead_letter_async(&handle, "not an image"))?;
    /// assert_eq!(failed.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn dead_letter_async(
        &self,
        receipt_handle: &ReceiptHandle,
        reason: impl Into<Arc<str>> + Send,
    ) -> Result<(), DeadLetterError> {
        let dead_letter = || self.dead_letter_now(receipt_handle, reason.into());
        self.inner.record_async(Verb::Delete, 0, dead_letter).await
    }

    fn dead_letter_now(
        &self,
        receipt_handle: &ReceiptHandle,
        reason: Arc<str>,
    ) -> Result<((), Position), DeadLetterError> {
        if self.is_gone() {
            return Err(DeadLetterError::QueueDoesNotExist);
        }
        let receipt = self.inner.receipt(&self.inner.core.lock().state, receipt_handle)?;
        self.inner.dead_letter(receipt, reason)
    }
}

/// The dead-letter queue of a queue.
#[derive(Clone, Debug)]
pub(crate) enum DeadLetterRoute {
    /// Kept alive by the source: a queue outside a service has nobody else to keep it.
    Owned(Queue),
    /// Kept alive by the service both belong to; routes of a service may form a circle.
    InService {
        /// What `target` said last.
        current: Weak<Inner>,
        target: Arc<DeadLetterTarget>,
    },
}

/// The queue of a name of a service, shared by all queues whose redrive policy names it: a queue that is created again
/// under the name is the target of all of them in one step.
#[derive(Debug)]
pub(crate) struct DeadLetterTarget(Mutex<Weak<Inner>>);

impl DeadLetterTarget {
    pub(crate) fn new(target: Option<&Queue>) -> Self {
        Self(Mutex::new(
            target.map_or_else(Weak::new, |target| Arc::downgrade(&target.inner)),
        ))
    }

    pub(crate) fn replace(&self, target: &Queue) {
        *self.0.lock() = Arc::downgrade(&target.inner);
    }
}

impl DeadLetterRoute {
    pub(crate) fn in_service(target: &Arc<DeadLetterTarget>) -> Self {
        Self::InService {
            current: target.0.lock().clone(),
            target: Arc::clone(target),
        }
    }

    /// The target, unless it is gone.
    pub(super) fn target(&self) -> Option<Arc<Inner>> {
        let alive = |target: &Arc<Inner>| !target.is_gone();
        match self {
            Self::Owned(queue) => Some(Arc::clone(&queue.inner)).filter(alive),
            Self::InService { current, target } => {
                let current = current.upgrade().filter(alive);
                current.or_else(|| target.0.lock().upgrade().filter(alive))
            }
        }
    }
}

impl Core {
    /// Whether there is a dead-letter queue to take what departs (L9).
    #[inline]
    pub(super) fn has_dead_letter_target(&mut self) -> bool {
        self.route.is_some() && self.finds_dead_letter_target()
    }

    #[inline(never)]
    fn finds_dead_letter_target(&mut self) -> bool {
        let Some(route) = &mut self.route else {
            return false;
        };
        let found = route.target();
        if let (DeadLetterRoute::InService { current, .. }, Some(found)) = (route, &found) {
            if current.as_ptr() != Arc::as_ptr(found) {
                *current = Arc::downgrade(found);
            }
        }
        found.is_some()
    }

    fn no_dead_letter_queue(&self) -> DeadLetterError {
        let policy = self.state.settings().redrive_policy.as_ref();
        DeadLetterError::NoDeadLetterQueue {
            target: policy.map(|policy| policy.dead_letter_target_arn().to_owned()),
        }
    }
}

impl Inner {
    /// Sends away the message of a receipt of this queue; answers with the entry of the journal that says so.
    pub(super) fn dead_letter(&self, receipt: Receipt, reason: Arc<str>) -> Result<((), Position), DeadLetterError> {
        let now = self.clock.now();
        let mut core = self.enter().ok_or(DeadLetterError::QueueDoesNotExist)?;
        if !core.has_dead_letter_target() {
            return Err(core.no_dead_letter_queue());
        }
        let Core { state, effects, .. } = &mut *core;
        let outcome = state.dead_letter(now, receipt, reason, effects);
        let (route, departures) = (core.route.clone(), mem::take(&mut core.effects.departures));
        self.leave(core, now);
        outcome.map_err(|refusal| {
            let reason = match refusal {
                Refusal::HandleExpired => InvalidReason::ReceiptHandleExpired,
                _ => InvalidReason::NotInFlight,
            };
            self.of_handle(receipt, reason)
        })?;
        match self.transfer(route.as_ref(), &departures)? {
            Some(position) => Ok(((), position)),
            None => Err(self.core.lock().no_dead_letter_queue()),
        }
    }

    pub(super) fn report_failure(&self, message_id: MessageId, reason: Arc<str>) {
        // A deleted queue has nothing to tell any more.
        let _ = self.step(|state, now, out| state.report_failure(now, message_id, reason, out));
    }

    /// Brings departures to the dead-letter queue, holding one lock at a time; what it does not take stays here. Answers
    /// with the entry of the journal by which they arrived, if all did.
    ///
    /// # Errors
    /// One that the journal has no room for; it stays here.
    pub(super) fn transfer(
        &self,
        route: Option<&DeadLetterRoute>,
        departures: &[Departure],
    ) -> Result<Option<Position>, StorageError> {
        let target = route.and_then(DeadLetterRoute::target);
        let mut arrived = Some(0);
        let mut refused = Ok(());
        for departure in departures {
            if let (Ok(()), Some(target)) = (&refused, &target) {
                // It is recorded with its body.
                refused = target.admit(Verb::Send, departure.content.size_bytes());
            }
            if refused.is_err() {
                self.departure_refused(departure);
                continue;
            }
            let is_own = target.as_ref().is_some_and(|target| std::ptr::eq(&**target, self));
            let position = if is_own {
                self.recorded_step(|state, now, out| state.dead_letter_to_itself(now, departure, &self.arn, out))
            } else {
                target.as_ref().and_then(|target| {
                    target.recorded_step(|state, now, out| state.arrive_dead_letter(now, departure, &self.arn, out))
                })
            };
            match position {
                Some(_) if !is_own => self.departed(departure),
                None if !is_own => self.departure_refused(departure),
                _ => {}
            }
            let position = position.map(|((), position)| position);
            arrived = arrived.zip(position).map(|(before, position)| before.max(position));
        }
        refused.map(|()| arrived)
    }

    pub(super) fn departed(&self, departure: &Departure) {
        // A deleted queue holds nothing any more.
        let _ = self.step(|state, now, out| state.departed(now, departure, out));
    }

    pub(super) fn departure_refused(&self, departure: &Departure) {
        // A deleted queue holds nothing any more.
        let _ = self.step(|state, now, out| state.departure_refused(now, departure, out));
    }
}
