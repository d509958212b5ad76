//! The builder of a queue without a service.

use {
    super::{
        Core, DeadLetterRoute, Environment, Inner, Owner, Queue, Recorder, environment_setters, log::Recorded,
        senders::Senders, waiters::Waiters,
    },
    crate::{
        attributes::{DeduplicationScope, FifoThroughputLimit, QueueAttributes, QueueSettings, RedrivePolicy},
        error::{CreateQueueError, InvalidParameterValue, InvalidReason, check},
        message::{SealKey, Seed},
        state::{Effects, QueueState},
        sync::{Condvar, Mutex},
    },
    rand::{SeedableRng, rngs::Xoshiro256PlusPlus},
    std::{
        fmt,
        sync::{
            Arc, Weak,
            atomic::{AtomicBool, AtomicUsize},
        },
        time::Duration,
    },
};

/// Where a queue outside a service says it is.
const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";

/// What the salt of a queue's shards is drawn as.
const SALT: &str = "salt";

/// Everything a queue is made of.
pub(crate) struct QueueParts {
    pub(crate) name: String,
    pub(crate) arn: Arc<str>,
    pub(crate) url: String,
    pub(crate) settings: QueueSettings,
    pub(crate) environment: Environment,
    pub(crate) seed: Seed,
    pub(crate) sender_id: Arc<str>,
    pub(crate) owner: Option<Weak<dyn Owner>>,
    pub(crate) recorder: Option<Recorder>,
    /// Where the redrive policy leads, if there is one.
    pub(crate) route: Option<DeadLetterRoute>,
}

impl Queue {
    pub(crate) fn assemble(parts: QueueParts) -> Self {
        let environment = &parts.environment;
        let state = QueueState::new(
            parts.settings.clone(),
            Arc::clone(&environment.limits),
            environment.stale_delete,
            environment.shards,
            parts.seed.draw(SALT, 0),
        );
        Self::around(parts, state, 0)
    }

    /// A queue from a journal that is opened for the `epoch`-th time.
    #[cfg(feature = "journal")]
    pub(crate) fn restore(
        parts: QueueParts,
        image: crate::state::QueueImage,
        epoch: u64,
    ) -> Result<Self, crate::state::RestoreError> {
        let environment = &parts.environment;
        let state = QueueState::restore(
            image,
            Arc::clone(&environment.limits),
            environment.stale_delete,
            environment.shards,
            parts.seed.draw(SALT, 0),
            environment.clock.now(),
        )?;
        Ok(Self::around(parts, state, epoch))
    }

    /// Each time a journal is opened other numbers are drawn by chance, so that no id is drawn twice.
    fn around(
        parts: QueueParts,
        #[cfg_attr(not(feature = "journal"), expect(unused_mut, reason = "it has no number"))] mut state: QueueState,
        epoch: u64,
    ) -> Self {
        let (seed, environment) = (parts.seed, parts.environment);
        let chance = Xoshiro256PlusPlus::seed_from_u64(seed.draw("chance", epoch));
        let nonce = seed.draw("nonce", 0);
        let seal_key = SealKey::new(seed.draw("receipt handles", 0), seed.draw("receipt handles", 1));
        let effects = Effects::new(!environment.listeners.is_empty() || parts.recorder.is_some());
        let fifo = parts.settings.fifo_queue;
        let maximum_message_size = AtomicUsize::new(parts.settings.maximum_message_size);
        let content_based_deduplication = AtomicBool::new(parts.settings.content_based_deduplication);
        #[cfg_attr(not(feature = "journal"), expect(unused_mut, reason = "nothing counts it"))]
        let mut recorded = Recorded::NONE;
        #[cfg(feature = "journal")]
        if let Some(recorder) = &parts.recorder {
            state.set_number(recorder.number);
            recorded.stored_bytes = state.stored_bytes();
        }
        let core = Core {
            state,
            effects,
            chance,
            receivers: Waiters::new(),
            senders: Senders::new(),
            route: parts.route,
            recorded,
            handing_on: false,
        };
        let inner = Inner {
            name: parts.name,
            arn: parts.arn,
            url: parts.url,
            sender_id: parts.sender_id,
            fifo,
            limits: environment.limits,
            clock: environment.clock,
            budget: environment.budget,
            listeners: environment.listeners,
            owner: parts.owner,
            recorder: parts.recorder,
            nonce,
            seal_key,
            maximum_message_size,
            content_based_deduplication,
            gone: AtomicBool::new(false),
            core: Mutex::new(core).into(),
            handed_on: Condvar::new(),
            lined_up: Condvar::new(),
        };
        Self {
            inner: Arc::new(inner),
            keep: None,
        }
    }

    /// Begins a standard queue: at least once, roughly in order, as many consumers as there are.
    ///
    /// # Examples
    /// ```
    /// use requeue::Queue;
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").visibility_timeout(Duration::from_secs(60)).build()?;
    /// assert_eq!(jobs.arn(), "arn:aws:sqs:us-east-1:000000000000:jobs");
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    pub fn standard(name: impl Into<String>) -> QueueBuilder {
        QueueBuilder::new(name.into(), QueueAttributes::new())
    }

    /// Begins a FIFO queue: in order within a message group, without duplicates; its name ends in `.fifo` (Q2).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage};
    ///
    /// let orders = Queue::fifo("orders.fifo").build()?;
    /// orders.send(SendMessage::new("order-17").message_group_id("customer-3").message_deduplication_id("17"))?;
    /// assert_eq!(orders.receive().blocking()?[0].message_group_id(), Some("customer-3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fifo(name: impl Into<String>) -> QueueBuilder {
        QueueBuilder::new(name.into(), QueueAttributes::new().fifo_queue(true))
    }
}

/// What a queue outside a service is to be; [`build`](Self::build) checks it all.
///
/// # Examples
/// ```
/// use requeue::{Budget, ManualClock, Queue};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let jobs = Queue::standard("jobs").clock(clock.clone()).seed(7).budget(Budget::new().messages(1)).build()?;
/// jobs.send("resize cat.png")?;
/// assert_eq!(jobs.send("resize dog.png").unwrap_err().code(), "OverLimit");
/// assert_eq!(jobs.receive().blocking()?.len(), 1);
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a queue exists once it is built"]
pub struct QueueBuilder {
    name: String,
    attributes: QueueAttributes,
    dead_letter: Option<(Queue, u32)>,
    environment: Environment,
}

impl QueueBuilder {
    fn new(name: String, attributes: QueueAttributes) -> Self {
        Self {
            name,
            attributes,
            dead_letter: None,
            environment: Environment::new(),
        }
    }

    /// Every attribute that is given here replaces what was set before.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// # use std::time::Duration;
    /// let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
    /// let shared = QueueAttributes::new().visibility_timeout(hour);
    /// let jobs = Queue::standard("jobs").delay(minute).visibility_timeout(minute).attributes(shared).build()?;
    /// assert_eq!((jobs.settings().delay, jobs.settings().visibility_timeout), (minute, hour));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attributes(mut self, attributes: QueueAttributes) -> Self {
        self.attributes = self.attributes.merge(attributes);
        self
    }

    /// `VisibilityTimeout`, 0 s to 12 h, by default 30 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).visibility_timeout(Duration::from_secs(60)).build()?;
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(jobs.receive().blocking()?.len(), 1);
    /// clock.advance(Duration::from_secs(59));
    /// assert!(jobs.receive().blocking()?.is_empty());
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(jobs.receive().blocking()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        self.attributes(QueueAttributes::new().visibility_timeout(timeout))
    }

    /// `DelaySeconds`, 0 s to 15 min, by default 0 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).delay(Duration::from_secs(5)).build()?;
    /// jobs.send("resize cat.png")?;
    /// assert!(jobs.receive().blocking()?.is_empty());
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delay(self, delay: Duration) -> Self {
        self.attributes(QueueAttributes::new().delay(delay))
    }

    /// `MessageRetentionPeriod`, 1 min to 14 days, by default 4 days.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::time::Duration;
    /// let (clock, hour) = (ManualClock::default(), Duration::from_secs(3_600));
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).message_retention_period(hour).build()?;
    /// jobs.send("resize cat.png")?;
    /// clock.advance(hour);
    /// assert_eq!(jobs.counts().visible, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn message_retention_period(self, period: Duration) -> Self {
        self.attributes(QueueAttributes::new().message_retention_period(period))
    }

    /// `ReceiveMessageWaitTimeSeconds`, 0 s to 20 s, by default 0 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::{thread, time::Duration};
    /// # let clock = ManualClock::default();
    /// let wait = Duration::from_secs(20);
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).receive_message_wait_time(wait).build()?;
    /// let consumer = thread::spawn({
    ///     let jobs = jobs.clone();
    ///     move || jobs.receive().blocking()
    /// });
    /// clock.wait_for_sleepers(1);
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(consumer.join().unwrap()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive_message_wait_time(self, wait_time: Duration) -> Self {
        self.attributes(QueueAttributes::new().receive_message_wait_time(wait_time))
    }

    /// `MaximumMessageSize` in bytes, 1 KiB to 1 MiB, by default 256 KiB.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").maximum_message_size(1_024).build()?;
    /// assert!(jobs.send("x".repeat(1_024)).is_ok());
    /// assert_eq!(jobs.send("x".repeat(1_025)).unwrap_err().code(), "InvalidParameterValue");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn maximum_message_size(self, bytes: usize) -> Self {
        self.attributes(QueueAttributes::new().maximum_message_size(bytes))
    }

    /// `ContentBasedDeduplication`, FIFO only: the SHA-256 of the body serves as deduplication id (F7).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let order = SendMessage::new("order-17").message_group_id("customer-3");
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    /// assert_eq!(orders.send(order.clone())?, orders.send(order.clone())?); // the second stores nothing
    /// let strict = Queue::fifo("strict.fifo").build()?;
    /// assert_eq!(strict.send(order).unwrap_err().code(), "InvalidParameterValue");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn content_based_deduplication(self, enabled: bool) -> Self {
        self.attributes(QueueAttributes::new().content_based_deduplication(enabled))
    }

    /// `DeduplicationScope`, FIFO only (F10).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeduplicationScope, Queue, SendMessage};
    /// let scope = DeduplicationScope::MessageGroup;
    /// let orders = Queue::fifo("orders.fifo").deduplication_scope(scope).build()?;
    /// for group in ["customer-3", "customer-7"] {
    ///     orders.send(SendMessage::new("order-17").message_group_id(group).message_deduplication_id("17"))?;
    /// }
    /// assert_eq!(orders.counts().visible, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deduplication_scope(self, scope: DeduplicationScope) -> Self {
        self.attributes(QueueAttributes::new().deduplication_scope(scope))
    }

    /// `FifoThroughputLimit`, FIFO only; stored, not enforced.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeduplicationScope, FifoThroughputLimit, Queue};
    /// let limit = FifoThroughputLimit::PerMessageGroupId; // goes with this scope alone
    /// let orders = Queue::fifo("orders.fifo")
    ///     .deduplication_scope(DeduplicationScope::MessageGroup)
    ///     .fifo_throughput_limit(limit)
    ///     .build()?;
    /// assert_eq!(orders.settings().fifo_throughput_limit, limit);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fifo_throughput_limit(self, limit: FifoThroughputLimit) -> Self {
        self.attributes(QueueAttributes::new().fifo_throughput_limit(limit))
    }

    /// Messages received `max_receive_count` times (1 to 1000) move to `queue`, of the same type, instead of being
    /// received once more (L6).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let failed = Queue::standard("jobs-failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 1).build()?;
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(jobs.receive().visibility_timeout(Duration::ZERO).blocking()?.len(), 1);
    /// assert!(jobs.receive().blocking()?.is_empty()); // once was enough
    /// assert_eq!(failed.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dead_letter(mut self, queue: &Queue, max_receive_count: u32) -> Self {
        self.dead_letter = Some((queue.clone(), max_receive_count));
        self
    }

    environment_setters!();

    /// Checks everything and makes the queue.
    ///
    /// # Errors
    /// `InvalidParameterValue` for the name (Q3-Q5) or the dead-letter queue (L2a, L3b-L3d), `InvalidAttributeName` and
    /// `InvalidAttributeValue` for the attributes (Q16-Q24).
    ///
    /// # Source
    /// [`CreateQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let error = Queue::fifo("orders").build().unwrap_err();
    /// assert_eq!(error.code(), "InvalidParameterValue");
    /// ```
    pub fn build(self) -> Result<Queue, CreateQueueError> {
        let limits = &*self.environment.limits;
        let fifo = self.attributes.fifo_queue == Some(true);
        check::queue_name(&self.name, fifo, limits)?;
        let arn: Arc<str> = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.name).into();
        let mut attributes = self.attributes;
        if let Some((target, max_receive_count)) = &self.dead_letter {
            attributes = attributes.redrive_policy(RedrivePolicy::new(target.arn(), *max_receive_count));
        }
        let base = if fifo {
            QueueSettings::fifo(limits)
        } else {
            QueueSettings::standard(limits)
        };
        let mut settings = attributes.apply(&base, limits)?;
        if let Some(policy) = &settings.redrive_policy {
            let target = self.dead_letter.as_ref().map(|(target, _)| target);
            check_dead_letter_target(target, policy, fifo, &arn)?;
        }
        let now = self.environment.clock.now();
        (settings.created_timestamp, settings.last_modified_timestamp) = (now, now);
        Ok(Queue::assemble(QueueParts {
            url: format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", self.name),
            seed: self.environment.seed().of_resource(0, &arn),
            name: self.name,
            arn,
            settings,
            environment: self.environment,
            sender_id: ACCOUNT.into(),
            owner: None,
            recorder: None,
            route: self.dead_letter.map(|(target, _)| DeadLetterRoute::Owned(target)),
        }))
    }

    /// Name, attributes and environment for a journal, once they are checked. A dead-letter queue is outside the journal,
    /// and so unknown there (L3b).
    #[cfg(feature = "journal")]
    pub(crate) fn into_parts(self) -> Result<(String, QueueAttributes, Environment), CreateQueueError> {
        if let Some((target, max_receive_count)) = &self.dead_letter {
            let policy = RedrivePolicy::new(target.arn(), *max_receive_count);
            return Err(policy.refused(InvalidReason::TargetUnknown).into());
        }
        let (attributes, environment) = (self.attributes.clone(), self.environment.clone());
        let name = self.name.clone();
        self.build()?;
        Ok((name, attributes, environment))
    }
}

/// A dead-letter target must exist, be of the source's type, and let this source in (L3a-L3c).
pub(crate) fn check_dead_letter_target(
    target: Option<&Queue>,
    policy: &RedrivePolicy,
    fifo: bool,
    source_arn: &str,
) -> Result<(), InvalidParameterValue> {
    let refuse = |reason| policy.refused(reason);
    let Some(target) = target.filter(|target| target.arn() == policy.dead_letter_target_arn() && !target.is_gone())
    else {
        return Err(refuse(InvalidReason::TargetUnknown));
    };
    if target.is_fifo() != fifo {
        return Err(refuse(InvalidReason::TargetType));
    }
    check_redrive_allowed(&target.settings(), policy, source_arn)
}

/// The redrive allow policy of a target lets this source in (L3c).
pub(crate) fn check_redrive_allowed(
    target: &QueueSettings,
    policy: &RedrivePolicy,
    source_arn: &str,
) -> Result<(), InvalidParameterValue> {
    let allow_policy = &target.redrive_allow_policy;
    if allow_policy.as_ref().is_none_or(|policy| policy.allows(source_arn)) {
        Ok(())
    } else {
        Err(policy.refused(InvalidReason::TargetForbids))
    }
}

impl fmt::Debug for QueueBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueBuilder")
            .field("name", &self.name)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}
