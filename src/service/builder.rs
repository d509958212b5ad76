//! The builder of a service.

use {
    super::{Service, ServiceState, address::Addresses, registry::Registry},
    crate::{
        message::Seed,
        queue::{Environment, FactLog, environment_setters},
        sync::Mutex,
    },
    std::{fmt, sync::Arc},
};

/// What a service is to be; every queue it creates has this clock, these limits and these listeners.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, QueueAttributes, Service};
///
/// let clock = ManualClock::default();
/// let service = Service::builder().clock(clock.clone()).seed(7).account_id("123456789012").region("eu-west-1").build();
/// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
/// assert_eq!(jobs.arn(), "arn:aws:sqs:eu-west-1:123456789012:jobs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a service exists once it is built"]
pub struct ServiceBuilder {
    environment: Environment,
    account_id: String,
    region: String,
    endpoint_url: Option<String>,
}

impl ServiceBuilder {
    pub(super) fn new() -> Self {
        Self {
            environment: Environment::new(),
            account_id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint_url: None,
        }
    }

    environment_setters!();

    /// What the service says it is, and the user's seed: a journal must be of the same.
    #[cfg(feature = "journal")]
    pub(crate) fn identity(&self) -> (&str, &str, Option<u64>) {
        (&self.region, &self.account_id, self.environment.seed)
    }

    #[cfg(feature = "journal")]
    pub(crate) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A service of this environment, as a queue outside a service has it.
    #[cfg(feature = "journal")]
    pub(crate) fn of_queue(environment: Environment) -> Self {
        Self {
            environment,
            ..Self::new()
        }
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
        self.assemble(None, None, 0)
    }

    /// A seed from a journal, which is opened for the `epoch`-th time, takes the place of one that was drawn.
    pub(super) fn assemble(
        self,
        seed: Option<Seed>,
        log: Option<Arc<dyn FactLog>>,
        #[cfg_attr(not(feature = "topics"), expect(unused_variables, reason = "queues are told it"))] epoch: u64,
    ) -> Service {
        let seed = seed.unwrap_or_else(|| self.environment.seed());
        let shared = ServiceState {
            seed,
            environment: self.environment,
            addresses: Addresses::new(&self.region, &self.account_id, self.endpoint_url.as_deref()),
            sender_id: self.account_id.into(),
            registry: Mutex::new(Registry::default()),
            log,
            #[cfg(feature = "aws-protocol")]
            requests: Default::default(),
            #[cfg(feature = "topics")]
            topic_seed: seed.of_topics(epoch),
            #[cfg(feature = "topics")]
            topics: Default::default(),
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
