//! Queues by name, and what connects them: dead-letter routes, move tasks, tags, permissions.
//!
//! A service owns its queues; the handles it gives out keep it alive. It has one lock, of [`registry`], under which no
//! queue is called: a call of a queue may run listeners and wakers, which may call the service. The order of locks is
//! queue, registry, move task, and no thread holds two of a kind.

mod address;
mod attributes;
mod builder;
mod listing;
mod move_tasks;
#[cfg(feature = "aws-protocol")]
mod permissions;
mod recording;
mod registry;
#[cfg(feature = "journal")]
mod restore;
mod tags;
mod task;

#[cfg(feature = "aws-protocol")]
pub use permissions::Permission;
#[cfg(feature = "journal")]
pub(crate) use restore::{Kept, WeakService};
pub use {
    builder::ServiceBuilder,
    listing::{ListQueues, Page},
    move_tasks::{MessageMoveTask, StartMessageMoveTask, TaskHandle},
};

#[cfg(any(feature = "aws-protocol", feature = "topics"))]
use std::sync::atomic::{AtomicU64, Ordering};
use {
    crate::{
        attributes::{QueueAttributes, QueueSettings},
        clock::Clock,
        error::{CreateQueueError, QueueError, check},
        message::{MessageId, Seed},
        queue::{DeadLetterRoute, Environment, FactLog, Owner, Position, Queue, QueueParts, Recorder},
        sync::Mutex,
        time::Timestamp,
    },
    address::Addresses,
    registry::{Registered, Registry},
    std::{
        collections::BTreeMap,
        fmt,
        sync::{Arc, Weak},
    },
};

/// Roughly how many bytes of a journal a queue takes that holds nothing, without its access policy.
const SETTINGS_BYTES: usize = 1 << 10;

/// Queues by name, as one account in one region of Amazon SQS has them.
///
/// A handle: cloning it is cheap, and all clones are the same service. It lives as long as a handle of it or of one
/// of its queues does. Where a queue is asked for, its name, URL or ARN will do (Q6, Q7).
///
/// # Examples
/// ```
/// use requeue::{QueueAttributes, RedrivePolicy, Service};
///
/// let service = Service::new();
/// let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
/// let policy = RedrivePolicy::new(failed.arn(), 3);
/// let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
/// jobs.send("resize cat.png")?;
/// assert_eq!(service.queue("jobs")?.counts().visible, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Service {
    shared: Arc<ServiceState>,
}

/// The service behind its handles.
struct ServiceState {
    environment: Environment,
    addresses: Addresses,
    sender_id: Arc<str>,
    seed: Seed,
    registry: Mutex<Registry>,
    /// The journal, if there is one.
    log: Option<Arc<dyn FactLog>>,
    /// Requests answered by endpoints, counted for their ids.
    #[cfg(feature = "aws-protocol")]
    requests: AtomicU64,
    #[cfg(feature = "topics")]
    topic_seed: Seed,
    /// Topics that were built, counted for their seeds.
    #[cfg(feature = "topics")]
    topics: AtomicU64,
}

impl Service {
    /// A service without queues, on the machine's clock, with default limits.
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(service.queue("jobs")?.name(), "jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Begins a service with a clock, limits or a seed of its own.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::builder().region("eu-west-1").build();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(jobs.arn(), "arn:aws:sqs:eu-west-1:000000000000:jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> ServiceBuilder {
        ServiceBuilder::new()
    }

    /// Creates a queue, or finds the one of that name if it has the attributes given (Q29-Q34).
    ///
    /// A FIFO queue has `fifo_queue(true)` among its attributes and a name that ends in `.fifo`. Of an existing queue
    /// only the attributes given are compared, with their current values, and nothing is changed.
    ///
    /// # Errors
    /// `InvalidParameterValue` for the name (Q3-Q5) or a dead-letter policy (L2a-L3c, L20), `InvalidAttributeName` and
    /// `InvalidAttributeValue` for the other attributes (Q16-Q26), `QueueNameExists` if an attribute given differs
    /// (Q30), `QueueDeletedRecently` within 60 seconds of deleting a queue of that name (Q37).
    ///
    /// # Source
    /// [`CreateQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// let orders = service.create_queue("orders.fifo", QueueAttributes::new().fifo_queue(true))?;
    /// assert!(orders.is_fifo());
    /// assert_eq!(orders.url(), "https://sqs.us-east-1.amazonaws.com/000000000000/orders.fifo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_queue(&self, name: &str, attributes: QueueAttributes) -> Result<Queue, CreateQueueError> {
        self.create(name, &attributes, BTreeMap::new())
    }

    /// [`create_queue`](Self::create_queue) with tags, which are ignored if the queue exists (Q33).
    ///
    /// # Errors
    /// Those of `create_queue`, and `InvalidParameterValue` for the tags (Q44, Q46).
    ///
    /// # Source
    /// [`CreateQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue_with_tags("jobs", QueueAttributes::new(), [("team", "images")])?;
    /// assert_eq!(service.list_queue_tags("jobs")?["team"], "images");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_queue_with_tags<K: Into<String>, V: Into<String>>(
        &self,
        name: &str,
        attributes: QueueAttributes,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Queue, CreateQueueError> {
        let tags = tags.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.create(name, &attributes, tags.collect())
    }

    fn create(
        &self,
        name: &str,
        attributes: &QueueAttributes,
        tags: BTreeMap<String, String>,
    ) -> Result<Queue, CreateQueueError> {
        let (shared, limits) = (&self.shared, &*self.shared.environment.limits);
        let fifo = attributes.fifo_queue == Some(true);
        check::queue_name(name, fifo, limits)?;
        loop {
            let existing = shared.named(name);
            let base = match &existing {
                Some(existing) => existing.settings(),
                None if fifo => QueueSettings::fifo(limits),
                None => QueueSettings::standard(limits),
            };
            let settings = attributes.apply(&base, limits)?;
            tags::check("tags", &tags, limits)?;
            tags::check_count(name, tags.len(), limits)?;
            if let Some(existing) = existing {
                return match attributes.first_difference(&base) {
                    None => Ok(existing.keep_alive()),
                    Some(attribute) => Err(CreateQueueError::QueueNameExists { attribute }),
                };
            }
            let target = shared.dead_letter_target(name, &settings)?;
            shared.admit(tags::bytes(&tags) + SETTINGS_BYTES)?;
            if let Some((created, position)) = shared.create(name, settings, &tags, target.as_deref())? {
                shared.settle(position)?;
                return Ok(created.keep_alive());
            }
        }
    }

    /// Finds a queue by name, URL or ARN (Q6-Q8).
    ///
    /// Of a URL only the last two segments count, the account and the name; a slash behind them is ignored.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    ///
    /// # Source
    /// [`GetQueueUrl`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(service.queue(jobs.arn())?.url(), jobs.url());
    /// assert_eq!(service.queue("orders").unwrap_err().code(), "QueueDoesNotExist");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue(&self, queue: &str) -> Result<Queue, QueueError> {
        let found = self.shared.find(queue).ok_or(QueueError::QueueDoesNotExist)?;
        Ok(found.keep_alive())
    }

    /// Deletes a queue with all it holds, at once: handles of it fail from here on, receivers that wait end with
    /// `QueueDoesNotExist` (Q35-Q38).
    ///
    /// Its name can be used again 60 seconds later (Q37), for a wholly new queue.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    ///
    /// # Source
    /// [`DeleteQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// service.delete_queue("jobs")?;
    /// let error = service.create_queue("jobs", QueueAttributes::new()).unwrap_err();
    /// assert_eq!(error.code(), "QueueDeletedRecently");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_queue(&self, queue: &str) -> Result<(), QueueError> {
        let found = self.shared.find(queue).ok_or(QueueError::QueueDoesNotExist)?;
        found.delete_queue()
    }
}

#[cfg(all(feature = "testing", feature = "aws-sdk"))]
impl Service {
    /// Registers a queue that was built outside a service, with this service's account, region and clock. Its way to its
    /// dead-letter queue stays its own.
    pub(crate) fn adopt(&self, queue: &Queue) {
        let policy = queue.settings().redrive_policy;
        let target = policy.and_then(|policy| {
            let name = self.shared.addresses.name_in_arn(policy.dead_letter_target_arn())?;
            Some(name.to_owned())
        });
        let mut registry = self.shared.registry.lock();
        if let Some(target) = &target {
            registry.enter_source(queue.name(), target);
        }
        registry.insert(queue.name(), Registered::new(queue.clone(), BTreeMap::new(), target));
    }
}

#[cfg(any(feature = "aws-protocol", feature = "topics"))]
impl Service {
    pub(crate) fn limits(&self) -> &crate::limits::Limits {
        &self.shared.environment.limits
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.environment.clock
    }

    pub(crate) fn region(&self) -> &str {
        self.shared.addresses.region()
    }

    pub(crate) fn account_id(&self) -> &str {
        self.shared.addresses.account_id()
    }

    /// The seed of a topic: another one for each that is built, and after each opening of a journal.
    #[cfg(feature = "topics")]
    pub(crate) fn draw_topic_seed(&self, arn: &str) -> Seed {
        let number = self.shared.topics.fetch_add(1, Ordering::Relaxed);
        self.shared.topic_seed.of_resource(number, arn)
    }
}

#[cfg(feature = "aws-protocol")]
impl Service {
    pub(crate) fn queue_by_arn(&self, arn: &str) -> Option<Queue> {
        self.shared.by_arn(arn)
    }

    /// An id for a request: the same on every run for the same seed and number of requests before it.
    pub(crate) fn draw_request_id(&self) -> MessageId {
        let number = self.shared.requests.fetch_add(1, Ordering::Relaxed);
        self.shared.draw_id("request", number)
    }

    pub(crate) fn is_queue_address(&self, address: &str) -> bool {
        self.shared.addresses.is_well_formed(address)
    }
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("addresses", &self.shared.addresses)
            .finish_non_exhaustive()
    }
}

impl ServiceState {
    fn named(&self, name: &str) -> Option<Queue> {
        let now = self.environment.clock.now();
        let mut registry = self.registry.lock();
        registry.forget_deleted(now, self.environment.limits.recreate_interval);
        registry.get(name).map(|entry| entry.queue.clone())
    }

    /// The queue of a name, URL or ARN.
    fn find(&self, queue: &str) -> Option<Queue> {
        self.named(self.addresses.name_in(queue)?)
    }

    fn by_arn(&self, arn: &str) -> Option<Queue> {
        self.named(self.addresses.name_in_arn(arn)?)
    }

    /// Makes and registers a queue, unless another thread has just taken the name.
    fn create(
        self: &Arc<Self>,
        name: &str,
        mut settings: QueueSettings,
        tags: &BTreeMap<String, String>,
        target: Option<&str>,
    ) -> Result<Option<(Queue, Position)>, CreateQueueError> {
        let now = self.environment.clock.now();
        (settings.created_timestamp, settings.last_modified_timestamp) = (now, now);
        let interval = self.environment.limits.recreate_interval;
        let mut registry = self.registry.lock();
        if registry.get(name).is_some() {
            return Ok(None);
        }
        // A queue that is gone and still registered is being deleted at this instant.
        let gone = registry.remove(name, now, interval);
        if registry.is_deleted(name, now, interval) {
            drop(registry);
            drop(gone);
            return Err(CreateQueueError::QueueDeletedRecently { interval });
        }
        registry.created += 1;
        let number = registry.created;
        let route = target.map(|target| registry.enter_source(name, target));
        let queue = self.assemble(name, settings, number, route);
        let target = target.map(str::to_owned);
        // Before anybody can use the queue.
        let position = self.record_created(&queue, tags, &registry);
        registry.insert(name, Registered::new(queue.clone(), tags.clone(), target));
        Ok(Some((queue, position)))
    }

    fn assemble(
        self: &Arc<Self>,
        name: &str,
        settings: QueueSettings,
        number: u64,
        route: Option<DeadLetterRoute>,
    ) -> Queue {
        Queue::assemble(self.parts(name, settings, number, route))
    }

    fn parts(
        self: &Arc<Self>,
        name: &str,
        settings: QueueSettings,
        number: u64,
        route: Option<DeadLetterRoute>,
    ) -> QueueParts {
        let owner: Weak<Self> = Arc::downgrade(self);
        QueueParts {
            name: name.to_owned(),
            arn: self.addresses.arn(name).into(),
            url: self.addresses.url(name),
            settings,
            environment: self.environment.clone(),
            seed: self.seed.of_resource(number, &self.addresses.arn(name)),
            sender_id: Arc::clone(&self.sender_id),
            owner: Some(owner),
            recorder: self.log.as_ref().map(|log| Recorder {
                log: Arc::clone(log),
                number,
            }),
            route,
        }
    }

    /// The `number`-th id of its kind that the seed gives.
    fn draw_id(&self, kind: &str, number: u64) -> MessageId {
        self.seed.draw_id(kind, number)
    }
}

impl Owner for ServiceState {
    fn queue_deleted(&self, queue: &Queue, now: Timestamp) {
        let mut registry = self.registry.lock();
        let registered = registry.entry(queue.name()).is_some_and(|entry| entry.queue.is(queue));
        let entry = registered.then(|| registry.remove(queue.name(), now, self.environment.limits.recreate_interval));
        drop(registry);
        drop(entry);
    }

    fn redrive_policy_removed(&self, name: &str) {
        self.registry.lock().unlink(name);
    }

    #[cfg(feature = "journal")]
    fn journal_closed(&self) {
        let queues: Vec<Queue> = self.registry.lock().queues().cloned().collect();
        queues.iter().for_each(Queue::end_waits);
    }
}
