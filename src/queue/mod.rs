//! One queue as a handle: parse, read the clock once, lock, step the state machine, unlock, carry out its effects.
//!
//! The state is behind one lock, and no thread ever holds two of them: dead letters, wakes and facts are carried out
//! after it is released. Receivers and senders that have to wait stand in a line kept under the same lock, so that
//! nothing can happen between looking and going to sleep.

mod admission;
mod batch;
mod budget;
mod builder;
mod dead_letter;
mod delete_by_id;
mod environment;
mod facts;
mod log;
mod message;
mod metrics;
mod options;
mod owner;
mod permit;
mod receive;
mod receive_loop;
mod send;
mod senders;
mod settle;
mod waiters;
mod waiting;

#[cfg(feature = "testing")]
pub(crate) use batch::BatchEntry;
#[cfg(feature = "topics")]
pub(crate) use facts::in_listener;
pub use {
    admission::SendTimeoutFuture,
    batch::{BatchFailure, BatchResult, BatchSuccess, ChangeVisibilityBatchEntry, DeleteBatchEntry, SendBatchEntry},
    budget::Budget,
    builder::QueueBuilder,
    facts::{FactChannel, FactListener},
    message::Message,
    metrics::{Metrics, MetricsReport, SentMessageSize},
    permit::{Permit, ReserveTimeoutFuture},
    receive::Receive,
    receive_loop::ReceiveFuture,
};
pub(crate) use {
    builder::{QueueParts, check_dead_letter_target, check_redrive_allowed},
    dead_letter::{DeadLetterRoute, DeadLetterTarget},
    environment::{Environment, environment_setters},
    log::{FactLog, Position, Recorder, Verb},
    owner::Owner,
};

use {
    crate::{
        attributes::{QueueAttributes, QueueSettings},
        clock::Clock,
        error::{InvalidReason, PurgeError, QueueError, SetQueueAttributesError},
        limits::Limits,
        message::{MessageId, SealKey},
        state::{Counts, Effects, QueueSnapshot, QueueState},
        sync::{Condvar, Mutex, MutexGuard, contain},
        time::Timestamp,
    },
    budget::Amount,
    crossbeam_utils::CachePadded,
    log::Recorded,
    rand::{Rng, rngs::Xoshiro256PlusPlus},
    senders::Senders,
    std::{
        fmt,
        sync::{
            Arc, Weak,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        task::Waker,
    },
    waiters::Waiters,
};

/// A message queue with the semantics of Amazon SQS.
///
/// A handle: cloning it is cheap, and all clones are the same queue. It works alone or inside a
/// [`Service`](crate::Service). Nothing runs in the background: what falls due is done by the next call or by a
/// receiver that waits.
///
/// # Examples
/// ```
/// use requeue::Queue;
///
/// let jobs = Queue::standard("jobs").build()?;
/// jobs.send("resize cat.png")?;
/// for message in jobs.receive().max_messages(10).blocking()? {
///     assert_eq!(message.body(), "resize cat.png");
///     message.delete()?;
/// }
/// assert_eq!(jobs.snapshot().messages, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
    /// The service that owns the queue, so that a handle keeps dead-letter targets and move tasks alive.
    #[expect(dead_code, reason = "held, never read")]
    keep: Option<Arc<dyn Owner>>,
}

/// The queue behind its handles.
pub(crate) struct Inner {
    name: String,
    arn: Arc<str>,
    url: String,
    sender_id: Arc<str>,
    fifo: bool,
    limits: Arc<Limits>,
    clock: Arc<dyn Clock>,
    budget: Budget,
    listeners: Vec<Arc<dyn FactListener>>,
    owner: Option<Weak<dyn Owner>>,
    recorder: Option<Recorder>,
    /// Tells this queue's receipt handles from those of any other, also of one with the same name.
    nonce: u64,
    /// Seals receipt handles.
    seal_key: SealKey,
    /// What a send is checked against before the lock: copies of the settings in force.
    maximum_message_size: AtomicUsize,
    content_based_deduplication: AtomicBool,
    gone: AtomicBool,
    /// On cache lines of its own, as is then the count of handles before this struct: who locks or clones takes the
    /// fields above from nobody's cache.
    core: CachePadded<Mutex<Core>>,
    /// Signalled when a thread has finished handing on facts.
    handed_on: Condvar,
    /// Signalled when a receiver has gone to sleep in line, and when there is no line any more.
    lined_up: Condvar,
}

/// What the lock guards.
struct Core {
    state: QueueState,
    effects: Effects,
    chance: Xoshiro256PlusPlus,
    receivers: Waiters,
    senders: Senders,
    route: Option<DeadLetterRoute>,
    /// Of a queue with a journal.
    recorded: Recorded,
    /// Whether a thread is handing on facts, which it does with the lock released.
    handing_on: bool,
}

impl Core {
    fn draw_message_id(&mut self) -> MessageId {
        let (high, low) = (self.chance.next_u64(), self.chance.next_u64());
        MessageId::from_random(u128::from(high) << 64 | u128::from(low))
    }

    /// What the queue holds.
    fn stored(&self) -> Amount {
        Amount {
            messages: self.state.len(),
            bytes: self.state.bytes() as u128,
        }
    }

    /// Whom to wake after a step at `now`: the receiver next in line if there is something to receive, or the first
    /// that sleeps if it would otherwise sleep past the next deadline (D11, D12).
    ///
    /// Who waits sleeps by the clock, so `now` is the clock's own reading. The time of the state stays at the latest
    /// reading while a clock that was set back catches up.
    fn receiver_to_wake(&mut self, now: Timestamp) -> Option<Waker> {
        if self.state.has_receivable() {
            return self.receivers.notify_next(now);
        }
        self.receivers.notify_of(self.state.next_deadline(), now)
    }

    /// The same for senders: one whose message needs no capacity, those in line for whom there is capacity, and who is
    /// the first then, if it would otherwise sleep past the instant at which capacity may become free.
    fn senders_to_wake(&mut self, budget: &Budget, now: Timestamp) -> Vec<Waker> {
        let stored = self.stored();
        let Self { state, senders, .. } = self;
        let repeated = senders.take_repeated(|(id, group)| state.is_repeated(group, id));
        let mut wakers = Vec::from_iter(repeated);
        senders.grant(budget, stored, now, &mut wakers);
        wakers.extend(senders.notify_of(state.next_expiry()));
        wakers
    }
}

impl Inner {
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The core, unless the queue has been deleted.
    fn enter(&self) -> Option<MutexGuard<'_, Core>> {
        let core = self.core.lock();
        (!self.is_gone()).then_some(core)
    }

    /// Ends a step for which the clock showed `now`: releases the lock, wakes those who have something to do, and
    /// delivers the facts of the step. Answers with the latest entry of the queue in its journal.
    #[inline]
    fn leave(&self, core: MutexGuard<'_, Core>, now: Timestamp) -> Position {
        if !core.receivers.is_empty() || !core.senders.is_empty() || core.has_facts() {
            return self.leave_and_tell(core, now);
        }
        core.recorded.latest
    }

    #[inline(never)]
    fn leave_and_tell(&self, mut core: MutexGuard<'_, Core>, now: Timestamp) -> Position {
        if let Some(recorder) = &self.recorder {
            recorder.append(&mut core);
            if self.listeners.is_empty() {
                core.effects.clear_facts();
            }
        }
        let receiver = if core.receivers.is_empty() {
            None
        } else {
            core.receiver_to_wake(now)
        };
        let senders = if core.senders.is_empty() {
            Vec::new()
        } else {
            core.senders_to_wake(&self.budget, now)
        };
        // Wakers and listeners are foreign code: they may panic, block or call this queue. The lock is free before any
        // of them runs.
        let (facts, position) = (core.has_facts(), core.recorded.latest);
        drop(core);
        for waker in receiver.into_iter().chain(senders) {
            contain(|| waker.wake());
        }
        if facts {
            self.hand_on_facts();
        }
        position
    }

    /// One step of the state machine, if the queue is alive.
    fn step<R>(&self, step: impl FnOnce(&mut QueueState, Timestamp, &mut Effects) -> R) -> Option<R> {
        self.recorded_step(step).map(|(result, _)| result)
    }

    /// A step, and the entry on which its result depends.
    #[inline]
    fn recorded_step<R>(
        &self,
        step: impl FnOnce(&mut QueueState, Timestamp, &mut Effects) -> R,
    ) -> Option<(R, Position)> {
        let now = self.clock.now();
        let mut core = self.enter()?;
        let Core { state, effects, .. } = &mut *core;
        let result = step(state, now, effects);
        let position = self.leave(core, now);
        Some((result, position))
    }

    /// Looks at the state when everything that is due has happened, with the lock released between the steps that takes.
    fn look<R>(&self, look: impl Fn(&mut QueueState) -> R) -> Option<R> {
        loop {
            let looked = self.step(|state, now, out| {
                state.advance(now, out);
                (!state.is_behind()).then(|| look(state))
            })?;
            if looked.is_some() {
                return looked;
            }
        }
    }

    fn mirror(&self, settings: &QueueSettings) {
        self.maximum_message_size
            .store(settings.maximum_message_size, Ordering::Relaxed);
        self.content_based_deduplication
            .store(settings.content_based_deduplication, Ordering::Relaxed);
    }
}

impl Queue {
    /// The name, on a FIFO queue with its suffix `.fifo` (Q1, Q2).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// assert_eq!(Queue::fifo("orders.fifo").build()?.name(), "orders.fifo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The Amazon Resource Name, `arn:aws:sqs:<region>:<account>:<name>` (Q6).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// assert_eq!(Queue::standard("jobs").build()?.arn(), "arn:aws:sqs:us-east-1:000000000000:jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.inner.arn
    }

    /// The queue URL, `https://sqs.<region>.amazonaws.com/<account>/<name>` (Q6). Nothing listens there.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert_eq!(jobs.url(), "https://sqs.us-east-1.amazonaws.com/000000000000/jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The clock that the queue runs on.
    #[cfg(feature = "worker")]
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.clock)
    }

    /// Whether it is a FIFO queue.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// assert!(Queue::fifo("orders.fifo").build()?.is_fifo());
    /// assert!(!Queue::standard("jobs").build()?.is_fifo());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.inner.fifo
    }

    /// The three counters of SQS, exact as of this call (C1-C3); all zero once the queue is deleted.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(jobs.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner.look(|state| state.counts()).unwrap_or_default()
    }

    #[cfg(feature = "worker")]
    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Every message, its phase, deadline and receive count, without changing anything: what is due counts as done.
    ///
    /// Takes time and memory in proportion to the messages stored; bodies are shared, not copied.
    ///
    /// # Examples
    /// ```
    /// use requeue::{MessagePhase, Queue};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let held = jobs.receive().blocking()?;
    /// let snapshot = jobs.snapshot();
    /// assert_eq!(snapshot.messages[0].phase, MessagePhase::InFlight { until: held[0].invisible_until() });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> QueueSnapshot {
        let now = self.inner.clock.now();
        self.inner.core.lock().state.snapshot(now)
    }

    /// The message groups of a standard queue that are noisy as of this call, the one with the fewest messages in
    /// flight first (N3, N5); always empty on a FIFO queue.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert!(jobs.noisy_groups().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn noisy_groups(&self) -> Vec<Arc<str>> {
        self.inner.look(QueueState::noisy_groups).unwrap_or_default()
    }

    /// How many receivers wait in line, threads and futures together.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert_eq!(jobs.waiting(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.core.lock().receivers.len()
    }

    /// Blocks, in real time, until at least `n` receivers sleep in line, or the queue is deleted.
    ///
    /// One that has been woken, or is due by the queue's clock, counts again only once it has looked and found nothing.
    /// This is how a test knows that the long polls it started have come to wait, and may advance its clock; it blocks
    /// for good if that never happens.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue};
    /// use std::{thread, time::Duration};
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// thread::scope(|scope| {
    ///     let poll = scope.spawn(|| jobs.receive().wait_time(Duration::from_secs(20)).blocking());
    ///     jobs.wait_for_waiters(1);
    ///     clock.advance(Duration::from_secs(20));
    ///     assert!(poll.join().unwrap().unwrap().is_empty());
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_waiters(&self, n: usize) {
        let inner = &self.inner;
        loop {
            let now = inner.clock.now();
            let Some(mut core) = inner.enter() else { return };
            if core.receivers.are_asleep(n, now) {
                return;
            }
            inner.lined_up.wait(&mut core);
        }
    }

    /// The settings in force.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert_eq!(jobs.settings().visibility_timeout.as_secs(), 30);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn settings(&self) -> QueueSettings {
        self.inner.core.lock().state.settings().clone()
    }

    /// Changes the attributes that are given, all or none (Q28), at once (Q39).
    ///
    /// Retention acts on stored messages, and so does the delay of a FIFO queue; the visibility timeout and the
    /// delay of a standard queue act on later calls only (Q40). A redrive policy names a queue and is set by
    /// [`Service::set_attributes`](crate::Service::set_attributes); here it can only be removed.
    ///
    /// # Errors
    /// `InvalidAttributeName`, `InvalidAttributeValue` (Q16-Q26), `InvalidParameterValue` for a redrive policy,
    /// `QueueDoesNotExist`.
    ///
    /// # Source
    /// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, QueueAttributes};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.set_attributes(QueueAttributes::new().visibility_timeout(Duration::from_secs(5)))?;
    /// assert_eq!(jobs.settings().visibility_timeout.as_secs(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_attributes(&self, attributes: QueueAttributes) -> Result<(), SetQueueAttributesError> {
        let changed = self.change_settings(|before| {
            let settings = attributes.apply(before, &self.inner.limits)?;
            match &settings.redrive_policy {
                Some(policy) if settings.redrive_policy != before.redrive_policy => {
                    Err(policy.refused(InvalidReason::TargetUnknown).into())
                }
                _ => Ok((settings, None)),
            }
        });
        changed.unwrap_or(Err(SetQueueAttributesError::QueueDoesNotExist))
    }

    /// Deletes all messages: visible, in flight and delayed; on a FIFO queue also the memory of sends (D43-D47).
    ///
    /// # Errors
    /// `PurgeQueueInProgress` within 60 seconds of the last purge (D44), `QueueDoesNotExist`.
    ///
    /// # Source
    /// [`PurgeQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.purge()?;
    /// assert_eq!(jobs.counts().visible, 0);
    /// assert_eq!(jobs.purge().unwrap_err().code(), "PurgeQueueInProgress");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn purge(&self) -> Result<(), PurgeError> {
        let inner = &self.inner;
        inner.record(Verb::Manage, 0, || {
            let purged = inner.recorded_step(QueueState::purge);
            let (purged, position) = purged.ok_or(PurgeError::QueueDoesNotExist)?;
            match purged {
                Ok(contents) => drop(contents),
                Err(_) => {
                    return Err(PurgeError::PurgeQueueInProgress {
                        queue: inner.name.clone(),
                        interval: inner.limits.purge_interval,
                    });
                }
            }
            Ok(((), position))
        })
    }

    /// Deletes the queue with all it holds; receivers that wait end at once with `QueueDoesNotExist` (Q35, Q38).
    ///
    /// [`Service::delete_queue`](crate::Service::delete_queue) does the same by name.
    ///
    /// # Errors
    /// `QueueDoesNotExist` if it is deleted already (C8).
    ///
    /// # Source
    /// [`DeleteQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.delete_queue()?;
    /// assert_eq!(jobs.send("resize cat.png").unwrap_err().code(), "QueueDoesNotExist");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_queue(&self) -> Result<(), QueueError> {
        self.inner.record(Verb::Manage, 0, || self.delete_now())
    }

    fn delete_now(&self) -> Result<((), Position), QueueError> {
        let now = self.inner.clock.now();
        let mut core = self.inner.enter().ok_or(QueueError::QueueDoesNotExist)?;
        let Core { state, effects, .. } = &mut *core;
        let contents = state.end(now, effects);
        if let Some(recorder) = &self.inner.recorder {
            recorder.append(&mut core);
        }
        let position = core.recorded.latest;
        self.inner.gone.store(true, Ordering::Release);
        let route = core.route.take();
        let receivers = core.receivers.notify_all();
        let waiting = receivers.chain(core.senders.notify_all());
        drop(core);
        drop((route, contents));
        if let Some(owner) = self.inner.owner() {
            owner.queue_deleted(self, now);
        }
        waiting.for_each(|waker| contain(|| waker.wake()));
        self.inner.lined_up.notify_all();
        self.inner.hand_on_facts();
        Ok(((), position))
    }

    fn groups_with_in_flight(&self) -> usize {
        self.inner.core.lock().state.groups_with_in_flight()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("arn", &self.inner.arn)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("arn", &self.arn).finish_non_exhaustive()
    }
}
