//! The options of an endpoint.

use {
    super::{call::EndpointParts, digest::Recent, endpoint::Endpoint, throttle::Throttle},
    crate::service::Service,
    std::sync::Arc,
};

/// The builder of an [`Endpoint`].
///
/// # Examples
/// ```
/// use requeue::{Service, aws::Endpoint};
///
/// let endpoint = Endpoint::builder(&Service::new()).throttling(true).build();
/// assert!(endpoint.service().queue("jobs").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct EndpointBuilder {
    service: Service,
    throttling: bool,
    host_urls: bool,
}

impl Endpoint {
    /// Begins an endpoint that is told more than its service.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Service, aws::Endpoint};
    /// let throttled = Endpoint::builder(&Service::new()).throttling(true).build();
    /// assert!(throttled.service().queue("jobs").is_err());
    /// ```
    pub fn builder(service: &Service) -> EndpointBuilder {
        EndpointBuilder {
            service: service.clone(),
            throttling: false,
            host_urls: false,
        }
    }
}

impl EndpointBuilder {
    /// Whether calls beyond the quotas of FIFO queues are refused with `RequestThrottled`; by default none is.
    ///
    /// The quotas are fields of [`Limits`](crate::Limits) and count per second of the service's clock, a burst of one
    /// second's worth at most. Calls of this endpoint alone are counted, not those of the native interface. Of a queue
    /// in high-throughput mode (F40), what is sent to one message group has a quota as well.
    ///
    /// # Source
    /// [Amazon SQS quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Limits, ManualClock, QueueAttributes, Service, aws::{Endpoint, Request}};
    ///
    /// let mut limits = Limits::aws();
    /// limits.fifo_calls = 2; // per second
    /// let clock = ManualClock::default();
    /// let service = Service::builder().limits(limits).clock(clock.clone()).build();
    /// service.create_queue("jobs.fifo", QueueAttributes::new().fifo_queue(true))?;
    /// let endpoint = Endpoint::builder(&service).throttling(true).build();
    /// let receive = || {
    ///     let request = Request::post("/", r#"{"QueueUrl":"jobs.fifo"}"#);
    ///     pollster::block_on(endpoint.handle(request.header("X-Amz-Target", "AmazonSQS.ReceiveMessage"))).status
    /// };
    /// assert_eq!([receive(), receive(), receive()], [200, 200, 403]);
    /// clock.advance(std::time::Duration::from_millis(500));
    /// assert_eq!([receive(), receive()], [200, 403]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn throttling(mut self, enforced: bool) -> Self {
        self.throttling = enforced;
        self
    }

    /// Whether the queue URLs in answers have the host and port of the request's `Host` header, so that a client reaches
    /// them wherever it reaches the endpoint; by default they are those of the service.
    ///
    /// Scheme and path stay. A request with no `Host`, with two, or with a malformed one gets the service's URL.
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service, aws::{Endpoint, Request}};
    ///
    /// let service = Service::builder().endpoint_url("http://0.0.0.0:9324").build();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// let endpoint = Endpoint::builder(&service).host_urls(true).build();
    /// let request = Request::post("/", r#"{"QueueName":"jobs"}"#).header("X-Amz-Target", "AmazonSQS.GetQueueUrl");
    /// let response = pollster::block_on(endpoint.handle(request.header("Host", "localhost:9324")));
    /// assert_eq!(response.body, br#"{"QueueUrl":"http://localhost:9324/000000000000/jobs"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn host_urls(mut self, from_host: bool) -> Self {
        self.host_urls = from_host;
        self
    }

    /// The endpoint.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Service, aws::{Endpoint, Request}};
    /// let endpoint = Endpoint::builder(&Service::new()).build();
    /// let request = Request::post("/", "{}").header("X-Amz-Target", "AmazonSQS.ListQueues");
    /// assert_eq!(pollster::block_on(endpoint.handle(request)).status, 200);
    /// ```
    #[must_use]
    pub fn build(self) -> Endpoint {
        Endpoint {
            parts: Arc::new(EndpointParts {
                service: self.service,
                throttle: self.throttling.then(Throttle::default),
                host_urls: self.host_urls,
                recent: Recent::default(),
            }),
        }
    }
}
