//! Building a queue that works alone.

use {
    super::{Budget, Core, DeadLetterRoute, FactListener, Inner, Owner, Queue, waiters::Waiters},
    crate::{
        attributes::{DeduplicationScope, FifoThroughputLimit, QueueAttributes, RedrivePolicy, Settings},
        clock::{Clock, SystemClock},
        error::{CreateQueueError, InvalidParameterValue, InvalidReason, check},
        limits::Limits,
        state::{Effects, QueueState, StaleDelete},
        sync::{Condvar, Mutex},
    },
    rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus},
    std::{
        fmt,
        hash::{BuildHasher, RandomState},
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

/// Everything a queue is made of.
pub(crate) struct QueueParts {
    pub(crate) name: String,
    pub(crate) arn: Arc<str>,
    pub(crate) url: String,
    pub(crate) settings: Settings,
    pub(crate) limits: Arc<Limits>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: u64,
    /// 1 in the strict profile.
    pub(crate) shards: usize,
    pub(crate) stale_delete: StaleDelete,
    pub(crate) listeners: Vec<Arc<dyn FactListener>>,
    pub(crate) budget: Budget,
    pub(crate) sender_id: Arc<str>,
    pub(crate) owner: Option<Weak<dyn Owner>>,
    /// Where the redrive policy leads, if there is one.
    pub(crate) route: Option<DeadLetterRoute>,
}

impl Queue {
    pub(crate) fn assemble(parts: QueueParts) -> Self {
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(parts.seed);
        let (nonce, key, salt) = (chance.next_u64(), chance.next_u64(), chance.next_u64());
        let effects = Effects::new(!parts.listeners.is_empty());
        let fifo = parts.settings.fifo_queue;
        let maximum_message_size = AtomicUsize::new(parts.settings.maximum_message_size);
        let content_based_deduplication = AtomicBool::new(parts.settings.content_based_deduplication);
        let limits = Arc::clone(&parts.limits);
        let state = QueueState::new(parts.settings, limits, parts.stale_delete, parts.shards, salt);
        let core = Core {
            state,
            effects,
            chance,
            receivers: Waiters::new(),
            senders: Waiters::new(),
            route: parts.route,
            handing_on: false,
        };
        let inner = Inner {
            name: parts.name,
            arn: parts.arn,
            url: parts.url,
            sender_id: parts.sender_id,
            fifo,
            limits: parts.limits,
            clock: parts.clock,
            budget: parts.budget,
            listeners: parts.listeners,
            owner: parts.owner,
            nonce,
            key,
            maximum_message_size,
            content_based_deduplication,
            gone: AtomicBool::new(false),
            core: Mutex::new(core),
            handed_on: Condvar::new(),
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
#[must_use = "a queue exists once it is built"]
pub struct QueueBuilder {
    name: String,
    attributes: QueueAttributes,
    dead_letter: Option<(Queue, u32)>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    seed: Option<u64>,
    shards: usize,
    stale_delete: StaleDelete,
    listeners: Vec<Arc<dyn FactListener>>,
    budget: Budget,
}

impl QueueBuilder {
    fn new(name: String, attributes: QueueAttributes) -> Self {
        Self {
            name,
            attributes,
            dead_letter: None,
            clock: Arc::new(SystemClock::new()),
            limits: Limits::default(),
            seed: None,
            shards: 1,
            stale_delete: StaleDelete::default(),
            listeners: Vec::new(),
            budget: Budget::new(),
        }
    }

    /// Every attribute that is given here replaces what was set before.
    pub fn attributes(mut self, attributes: QueueAttributes) -> Self {
        self.attributes = self.attributes.merge(attributes);
        self
    }

    /// `VisibilityTimeout`, 0 s to 12 h, by default 30 s.
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        self.attributes(QueueAttributes::new().visibility_timeout(timeout))
    }

    /// `DelaySeconds`, 0 s to 15 min, by default 0 s.
    pub fn delay(self, delay: Duration) -> Self {
        self.attributes(QueueAttributes::new().delay(delay))
    }

    /// `MessageRetentionPeriod`, 1 min to 14 days, by default 4 days.
    pub fn message_retention_period(self, period: Duration) -> Self {
        self.attributes(QueueAttributes::new().message_retention_period(period))
    }

    /// `ReceiveMessageWaitTimeSeconds`, 0 s to 20 s, by default 0 s.
    pub fn receive_message_wait_time(self, wait_time: Duration) -> Self {
        self.attributes(QueueAttributes::new().receive_message_wait_time(wait_time))
    }

    /// `MaximumMessageSize` in bytes, 1 KiB to 1 MiB, by default 256 KiB.
    pub fn maximum_message_size(self, bytes: usize) -> Self {
        self.attributes(QueueAttributes::new().maximum_message_size(bytes))
    }

    /// `ContentBasedDeduplication`, FIFO only: the SHA-256 of the body serves as deduplication id (F7).
    pub fn content_based_deduplication(self, enabled: bool) -> Self {
        self.attributes(QueueAttributes::new().content_based_deduplication(enabled))
    }

    /// `DeduplicationScope`, FIFO only (F10).
    pub fn deduplication_scope(self, scope: DeduplicationScope) -> Self {
        self.attributes(QueueAttributes::new().deduplication_scope(scope))
    }

    /// `FifoThroughputLimit`, FIFO only; stored, not enforced.
    pub fn fifo_throughput_limit(self, limit: FifoThroughputLimit) -> Self {
        self.attributes(QueueAttributes::new().fifo_throughput_limit(limit))
    }

    /// Messages received `max_receive_count` times (1 to 1000) move to `queue`, of the same type, instead of being
    /// received once more (L6).
    pub fn dead_letter(mut self, queue: &Queue, max_receive_count: u32) -> Self {
        self.dead_letter = Some((queue.clone(), max_receive_count));
        self
    }

    /// The clock, by default [`SystemClock`].
    pub fn clock<C: Clock + Clone>(mut self, clock: &C) -> Self {
        self.clock = Arc::new(clock.clone());
        self
    }

    /// Other limits than SQS's.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The seed of everything drawn by chance: same name, same seed, same steps, same bytes. By default a different one
    /// for each queue.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Spreads the messages of a standard queue over this many shards (10 comes close to SQS), of which a short poll
    /// asks one: fewer messages than asked for, out of order (D13, D14). By default there is one;
    /// the number is kept within 1 to 1000.
    pub const fn sampled(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// What deleting by a handle older than the latest receive does on a standard queue (D20).
    pub const fn stale_delete(mut self, stale_delete: StaleDelete) -> Self {
        self.stale_delete = stale_delete;
        self
    }

    /// Adds a listener for facts. Without any, no facts are built.
    pub fn listener(mut self, listener: impl FactListener) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// How much the queue may hold, by default without limit.
    pub const fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

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
        let limits = Arc::new(self.limits);
        let fifo = self.attributes.fifo_queue == Some(true);
        check::queue_name(&self.name, fifo, &limits)?;
        let arn: Arc<str> = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.name).into();
        let mut attributes = self.attributes;
        if let Some((target, max_receive_count)) = &self.dead_letter {
            attributes = attributes.redrive_policy(RedrivePolicy::new(target.arn(), *max_receive_count));
        }
        let base = if fifo {
            Settings::fifo(&limits)
        } else {
            Settings::standard(&limits)
        };
        let mut settings = attributes.apply(&base, &limits)?;
        if let Some(policy) = &settings.redrive_policy {
            let target = self.dead_letter.as_ref().map(|(target, _)| target);
            check_dead_letter_target(target, policy, fifo, &arn)?;
        }
        let now = self.clock.now();
        (settings.created_timestamp, settings.last_modified_timestamp) = (now, now);
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(now));
        Ok(Queue::assemble(QueueParts {
            url: format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", self.name),
            seed: seed_for(&self.name, seed),
            name: self.name,
            arn,
            settings,
            limits,
            clock: self.clock,
            shards: self.shards,
            stale_delete: self.stale_delete,
            listeners: self.listeners,
            budget: self.budget,
            sender_id: ACCOUNT.into(),
            owner: None,
            route: self.dead_letter.map(|(target, _)| DeadLetterRoute::Owned(target)),
        }))
    }
}

/// Queues of different names draw different ids and handles from the same seed, so that neither takes a handle of the
/// other (D19).
fn seed_for(name: &str, seed: u64) -> u64 {
    let mix = |mixed: u64, byte: u8| (mixed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    name.bytes().fold(seed, mix)
}

/// A dead-letter target must be another queue, exist, be of the source's type, and let this source in (L3a-L3d).
pub(crate) fn check_dead_letter_target(
    target: Option<&Queue>,
    policy: &RedrivePolicy,
    fifo: bool,
    source_arn: &str,
) -> Result<(), InvalidParameterValue> {
    let refuse = |reason| policy.refused(reason);
    if policy.dead_letter_target_arn() == source_arn {
        return Err(refuse(InvalidReason::TargetForbids));
    }
    let Some(target) = target.filter(|target| target.arn() == policy.dead_letter_target_arn() && !target.is_gone())
    else {
        return Err(refuse(InvalidReason::TargetUnknown));
    };
    if target.is_fifo() != fifo {
        return Err(refuse(InvalidReason::TargetType));
    }
    let allow_policy = target.settings().redrive_allow_policy;
    if !allow_policy.is_none_or(|policy| policy.allows(source_arn)) {
        return Err(refuse(InvalidReason::TargetForbids));
    }
    Ok(())
}

impl fmt::Debug for QueueBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueBuilder")
            .field("name", &self.name)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}
