//! The builder of a topic.

use {
    super::{Core, Inner, Topic, error::CreateTopicError},
    crate::{
        clock::Clock,
        error::check,
        limits::Limits,
        queue::Environment,
        service::Service,
        sync::{Condvar, Mutex},
        time::Timestamp,
    },
    std::{fmt, sync::Arc},
};

/// Longest name of a topic in characters, the suffix `.fifo` included.
const NAME_LENGTH: usize = 256;
const FIFO: &str = ".fifo";

/// The sequence number before the first: those of a topic built anew are greater than those before if it is built a
/// millisecond later or more, and at most 1,000 messages were published for each in between. Its text keeps 20 digits
/// whatever the clock says.
fn first_sequence(now: Timestamp) -> u64 {
    const IN_A_MILLISECOND: u64 = 1_000;
    const GREATEST: u64 = 300_000_000_000_000_000;
    now.as_millis().saturating_mul(IN_A_MILLISECOND).min(GREATEST)
}

impl Topic {
    /// Begins a standard topic, for standard queues: at least once, roughly in order (E25).
    ///
    /// # Examples
    /// ```
    /// use requeue::topics::Topic;
    ///
    /// let topic = Topic::standard("events").build()?;
    /// assert_eq!(topic.arn(), "arn:aws:sns:us-east-1:000000000000:events");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn standard(name: impl Into<String>) -> TopicBuilder {
        TopicBuilder::new(name.into(), false)
    }

    /// Begins a FIFO topic: in order and without duplicates to FIFO queues, without order to standard queues; its name
    /// ends in `.fifo` (E25).
    ///
    /// One that is built anew, as after a restart, has forgotten which messages it had. Its sequence numbers begin with
    /// its clock's time to the millisecond, so they go on increasing, as long as its clock does.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, topics::{PublishMessage, Topic}};
    ///
    /// let topic = Topic::fifo("events.fifo").content_based_deduplication(true).build()?;
    /// let orders = Queue::fifo("orders.fifo").build()?;
    /// topic.subscribe(&orders).create()?;
    /// let order = PublishMessage::new("order-17").message_group_id("customer-3");
    /// assert_eq!((topic.publish(order.clone())?.delivered, topic.publish(order)?.delivered), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fifo(name: impl Into<String>) -> TopicBuilder {
        TopicBuilder::new(name.into(), true)
    }
}

/// What a topic is to be; [`build`](Self::build) checks it all.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, topics::Topic};
///
/// let topic = || Topic::standard("events").clock(ManualClock::default()).seed(7).build();
/// assert_eq!(topic()?.publish("order-17")?, topic()?.publish("order-17")?); // the same ids too
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a topic exists once it is built"]
pub struct TopicBuilder {
    name: String,
    fifo: bool,
    by_content: Option<bool>,
    maximum_message_size: Option<usize>,
    region: String,
    account_id: String,
    environment: Environment,
    /// Draws the seed, unless one was set after it.
    service: Option<Service>,
}

impl TopicBuilder {
    fn new(name: String, fifo: bool) -> Self {
        Self {
            name,
            fifo,
            by_content: None,
            maximum_message_size: None,
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            environment: Environment::new(),
            service: None,
        }
    }

    /// Gives the topic the clock, the limits, the region and the account of a service, and a seed that the service draws.
    /// The service does not know the topic.
    ///
    /// Each topic that is built draws ids of its own, also one of a name that another had, and one that is built after the
    /// service's journal was opened again. A service with a seed draws the same ids for the same order of topics, and from
    /// a journal for the same number of openings too.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Service, topics::Topic};
    /// let service = Service::builder().region("eu-west-1").account_id("123456789012").build();
    /// let topic = Topic::standard("events").service(&service).build()?;
    /// assert_eq!(topic.arn(), "arn:aws:sns:eu-west-1:123456789012:events");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn service(mut self, service: &Service) -> Self {
        self.environment.clock = Arc::clone(service.clock());
        self.environment.limits = Arc::new(service.limits().clone());
        self.service = Some(service.clone());
        self.region = service.region().to_owned();
        self.account_id = service.account_id().to_owned();
        self
    }

    /// The clock, by default [`SystemClock`](crate::SystemClock). Clones of a [`ManualClock`](crate::ManualClock) are the
    /// same clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.environment.clock = Arc::new(clock);
        self
    }

    /// Other limits than SNS's.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Limits, Queue, topics::{FilterPolicy, Topic}};
    /// let mut limits = Limits::default();
    /// limits.filter_policies = 0;
    /// let (topic, orders) = (Topic::standard("events").limits(limits).build()?, Queue::standard("orders").build()?);
    /// let refused = topic.subscribe(&orders).filter_policy(FilterPolicy::body("{}")?).create();
    /// assert_eq!(refused.unwrap_err().code(), "FilterPolicyLimitExceeded");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.environment.limits = Arc::new(limits);
        self
    }

    /// The seed of all ids: same name, same seed, same steps, same bytes. By default a random one.
    pub fn seed(mut self, seed: u64) -> Self {
        self.environment.seed = Some(seed);
        self.service = None;
        self
    }

    /// `MaximumMessageSize` in bytes, body and attributes together: 256 KiB, the default, to 1 MiB. With more than 256 KiB
    /// a topic has at most 100 subscriptions (E32). A queue has a limit of its own, by default 256 KiB, which an envelope
    /// has to fit as a whole; so has a dead-letter queue.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::Topic;
    /// let (small, large) = (Topic::standard("a").build()?, Topic::standard("b").maximum_message_size(1 << 20).build()?);
    /// let report = "x".repeat((256 << 10) + 1);
    /// assert!(small.publish(report.clone()).is_err() && large.publish(report).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn maximum_message_size(mut self, bytes: usize) -> Self {
        self.maximum_message_size = Some(bytes);
        self
    }

    /// `ContentBasedDeduplication`, FIFO only: the SHA-256 of the body serves as deduplication id, for the topic and for
    /// the queues (E28).
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::{PublishMessage, Topic};
    /// let order = PublishMessage::new("order-17").message_group_id("customer-3");
    /// let topic = Topic::fifo("events.fifo").content_based_deduplication(true).build()?;
    /// assert_eq!(topic.publish(order.clone())?.message_id, topic.publish(order.clone())?.message_id);
    /// assert!(Topic::fifo("strict.fifo").build()?.publish(order).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn content_based_deduplication(mut self, enabled: bool) -> Self {
        self.by_content = Some(enabled);
        self
    }

    /// Checks everything and makes the topic.
    ///
    /// # Errors
    /// `InvalidParameter` for the name, for a `MaximumMessageSize` out of range, and for content-based deduplication on a
    /// standard topic (E32).
    ///
    /// # Source
    /// [`CreateTopic`](https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::Topic;
    /// assert!(Topic::standard("events").build().is_ok());
    /// assert_eq!(Topic::standard("events.fifo").build().unwrap_err().code(), "InvalidParameter");
    /// ```
    pub fn build(self) -> Result<Topic, CreateTopicError> {
        check_name(&self.name, self.fifo)?;
        let mut limits = Limits::clone(&self.environment.limits);
        let (least, greatest) = (limits.topic_message_size_min, limits.topic_message_size_max);
        let bytes = self.maximum_message_size.unwrap_or(least);
        if !(least..=greatest).contains(&bytes) {
            return Err(CreateTopicError::MaximumMessageSize { bytes, least, greatest });
        }
        if !self.fifo && self.by_content == Some(true) {
            return Err(CreateTopicError::ContentBasedDeduplication);
        }
        // Ten are the most that a queue takes, and a topic takes more (E27).
        limits.message_attributes = usize::MAX;
        let arn = format!("arn:aws:sns:{}:{}:{}", self.region, self.account_id, self.name);
        let seed = match &self.service {
            Some(service) => service.draw_topic_seed(&arn),
            None => self.environment.seed().of_resource(0, &arn),
        };
        let inner = Inner {
            seed,
            name: self.name,
            arn: arn.into(),
            region: self.region,
            fifo: self.fifo,
            by_content: self.by_content.unwrap_or(false),
            maximum_message_size: bytes,
            limits,
            first_sequence: first_sequence(self.environment.clock.now()),
            clock: self.environment.clock,
            core: Mutex::new(Core::default()),
            delivered: Condvar::new(),
        };
        Ok(Topic { inner: Arc::new(inner) })
    }
}

fn check_name(name: &str, fifo: bool) -> Result<(), CreateTopicError> {
    let name = name.to_owned();
    if !fifo {
        let (is_name, limit) = (check::is_name(&name, NAME_LENGTH), NAME_LENGTH);
        return is_name.then_some(()).ok_or(CreateTopicError::TopicName { name, limit });
    }
    let stem = name.strip_suffix(FIFO);
    let is_name = stem.is_some_and(|stem| check::is_name(stem, NAME_LENGTH - FIFO.len()));
    is_name.then_some(()).ok_or(CreateTopicError::FifoTopicName {
        name,
        limit: NAME_LENGTH,
    })
}

impl fmt::Debug for TopicBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicBuilder")
            .field("name", &self.name)
            .field("fifo", &self.fifo)
            .finish_non_exhaustive()
    }
}
