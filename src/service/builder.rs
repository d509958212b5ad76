//! The builder of a service.

use {
    super::{Service, Shared, address::Addresses, registry::Registry},
    crate::{
        clock::{Clock, SystemClock},
        limits::Limits,
        message::Seed,
        queue::{Budget, FactListener},
        state::StaleDelete,
        sync::Mutex,
    },
    std::{
        fmt,
        hash::{BuildHasher, RandomState},
        sync::Arc,
    },
};

/// What a service is to be; every queue it creates has this clock, these limits and these listeners.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, QueueAttributes, Service};
///
/// let clock = ManualClock::default();
/// let service = Service::builder().clock(&clock).seed(7).account_id("123456789012").region("eu-west-1").build();
/// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
/// assert_eq!(jobs.arn(), "arn:aws:sqs:eu-west-1:123456789012:jobs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a service exists once it is built"]
pub struct ServiceBuilder {
    clock: Arc<dyn Clock>,
    limits: Limits,
    seed: Option<u64>,
    account_id: String,
    region: String,
    endpoint_url: Option<String>,
    shards: usize,
    stale_delete: StaleDelete,
    budget: Budget,
    listeners: Vec<Arc<dyn FactListener>>,
}

impl ServiceBuilder {
    pub(super) fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            limits: Limits::default(),
            seed: None,
            account_id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint_url: None,
            shards: 1,
            stale_delete: StaleDelete::default(),
            budget: Budget::new(),
            listeners: Vec::new(),
        }
    }

    /// The clock, by default [`SystemClock`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Clock, ManualClock, QueueAttributes, Service};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let service = Service::builder().clock(&clock).build();
    /// clock.advance(Duration::from_secs(3_600));
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(jobs.settings().created_timestamp, clock.now());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock<C: Clock + Clone>(mut self, clock: &C) -> Self {
        self.clock = Arc::new(clock.clone());
        self
    }

    /// Other limits than SQS's.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Limits, QueueAttributes, Service};
    /// # use std::time::Duration;
    /// let mut limits = Limits::default();
    /// limits.recreate_interval = Duration::ZERO; // no minute between a queue and the next of its name
    /// let service = Service::builder().limits(limits).build();
    /// service.create_queue("jobs", QueueAttributes::new())?.delete_queue()?;
    /// assert!(service.create_queue("jobs", QueueAttributes::new()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The seed of everything drawn by chance, in every queue and every move task: same seed, same steps, same bytes.
    ///
    /// By default a different one for each service. No two queues of a service take each other's receipt handles, not
    /// even one after the other under the same name. Who knows the seed can compute handles.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service};
    /// let first = Service::builder().seed(7).build().create_queue("jobs", QueueAttributes::new())?;
    /// let again = Service::builder().seed(7).build().create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(first.send("resize cat.png")?.message_id, again.send("resize cat.png")?.message_id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The account in ARNs, URLs and sender ids, by default `000000000000`; SQS's have 12 digits, which is not checked.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::builder().account_id("123456789012").build();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(jobs.arn(), "arn:aws:sqs:us-east-1:123456789012:jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn account_id(mut self, account_id: impl Into<String>) -> Self {
        self.account_id = account_id.into();
        self
    }

    /// The region in ARNs and URLs, by default `us-east-1`; not checked.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::builder().region("eu-west-1").build();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(jobs.url(), "https://sqs.eu-west-1.amazonaws.com/000000000000/jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// What the URLs of queues begin with, by default `https://sqs.<region>.amazonaws.com`; account and name follow.
    ///
    /// For a program that answers SQS's protocol under an address of its own. The URL is not checked.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::builder().endpoint_url("http://127.0.0.1:9324/us-east-1").build();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(jobs.url(), "http://127.0.0.1:9324/us-east-1/000000000000/jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn endpoint_url(mut self, endpoint_url: impl Into<String>) -> Self {
        self.endpoint_url = Some(endpoint_url.into());
        self
    }

    /// Spreads the messages of every standard queue over this many shards, of which a short poll asks one (D13, D14).
    ///
    /// 10 comes close to SQS; by default there is one. The number is kept within 1 to 1000.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::builder().sampled(10).seed(7).build();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// for number in 0..20 {
    ///     jobs.send(format!("resize {number}.png"))?;
    /// }
    /// let mut received = 0;
    /// while received < 20 {
    ///     received += jobs.receive().max_messages(10).blocking()?.len(); // those of one shard
    /// }
    /// assert_eq!(jobs.counts().approximate_number_of_messages, 0); // all have arrived all the same
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sampled(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// What deleting by a handle older than the latest receive does on a standard queue (D20).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service, StaleDelete};
    /// # use std::time::Duration;
    /// let service = Service::builder().stale_delete(StaleDelete::Ignore).build();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// jobs.send("resize cat.png")?;
    /// let old = jobs.receive().visibility_timeout(Duration::ZERO).blocking()?[0].receipt_handle();
    /// jobs.receive().blocking()?;
    /// jobs.delete(&old)?;
    /// assert_eq!(jobs.counts().approximate_number_of_messages_not_visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stale_delete(mut self, stale_delete: StaleDelete) -> Self {
        self.stale_delete = stale_delete;
        self
    }

    /// How much each queue may hold, by default without limit.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, QueueAttributes, Service};
    /// let service = Service::builder().budget(Budget::new().messages(1)).build();
    /// for name in ["jobs", "thumbnails"] {
    ///     let queue = service.create_queue(name, QueueAttributes::new())?;
    ///     queue.send("resize cat.png")?;
    ///     assert_eq!(queue.send("resize dog.png").unwrap_err().code(), "OverLimit");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Adds a listener for the facts of every queue. Without any, no facts are built.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{FactChannel, QueueAttributes, Service};
    /// let (listener, facts) = FactChannel::unbounded();
    /// let service = Service::builder().listener(listener).build();
    /// for name in ["jobs", "thumbnails"] {
    ///     let queue = service.create_queue(name, QueueAttributes::new())?;
    ///     queue.send("resize cat.png")?;
    ///     assert_eq!(&*facts.recv()?.0, queue.arn());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listener(mut self, listener: impl FactListener) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Makes the service.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ListQueues, Service};
    /// let service = Service::builder().region("eu-west-1").build();
    /// assert!(service.list_queues(&ListQueues::new())?.items.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn build(self) -> Service {
        let seed = self
            .seed
            .unwrap_or_else(|| RandomState::new().hash_one(self.clock.now()));
        let shared = Shared {
            clock: self.clock,
            limits: Arc::new(self.limits),
            addresses: Addresses::new(&self.region, &self.account_id, self.endpoint_url.as_deref()),
            sender_id: self.account_id.into(),
            seed: Seed::new(seed),
            shards: self.shards,
            stale_delete: self.stale_delete,
            budget: self.budget,
            listeners: self.listeners,
            registry: Mutex::new(Registry::default()),
            #[cfg(feature = "aws-protocol")]
            requests: Default::default(),
        };
        Service {
            shared: Arc::new(shared),
        }
    }
}

impl fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBuilder")
            .field("account_id", &self.account_id)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
