//! Lists of queues, page by page (Q9, Q10, L23).

use {
    super::Service,
    crate::{
        error::{InvalidParameterValue, InvalidReason, ListError, check},
        limits::Limits,
        queue::Queue,
    },
    data_encoding::BASE64,
};

/// Which queues to list, and which page of them.
///
/// # Source
/// [`ListQueues`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html).
///
/// # Examples
/// ```
/// use requeue::{ListQueues, QueueAttributes, Service};
///
/// let service = Service::new();
/// for name in ["jobs-a", "jobs-b", "orders"] {
///     service.create_queue(name, QueueAttributes::new())?;
/// }
/// let jobs = ListQueues::new().prefix("jobs-").max_results(1);
/// let first = service.list_queues(&jobs)?;
/// let second = service.list_queues(&jobs.next_token(first.next_token.unwrap()))?;
/// assert!(first.items[0].ends_with("/jobs-a") && second.items[0].ends_with("/jobs-b"));
/// assert_eq!(second.next_token, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListQueues {
    prefix: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl ListQueues {
    /// All queues, cut at 1000.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ListQueues, QueueAttributes, Service};
    /// # let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// service.create_queue("orders", QueueAttributes::new())?;
    /// assert_eq!(service.list_queues(&ListQueues::new())?.items.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only queues whose name begins with this, in this case (Q9).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ListQueues, QueueAttributes, Service};
    /// # let service = Service::new();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// service.create_queue("Jobs", QueueAttributes::new())?;
    /// assert_eq!(service.list_queues(&ListQueues::new().prefix("job"))?.items, [jobs.url()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// At most so many queues, 1 to 1000; the page says how to go on only if this is set (Q9).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ListQueues, QueueAttributes, Service};
    /// # let service = Service::new();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// service.create_queue("orders", QueueAttributes::new())?;
    /// let page = service.list_queues(&ListQueues::new().max_results(1))?;
    /// assert_eq!(page.items, [jobs.url()]);
    /// assert!(page.next_token.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_results(mut self, max_results: usize) -> Self {
        self.max_results = Some(max_results);
        self
    }

    /// The page after the one that gave this token.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ListQueues, QueueAttributes, Service};
    /// # let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// let orders = service.create_queue("orders", QueueAttributes::new())?;
    /// let one = ListQueues::new().max_results(1);
    /// let token = service.list_queues(&one)?.next_token.unwrap();
    /// assert_eq!(service.list_queues(&one.next_token(token))?.items, [orders.url()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn next_token(mut self, token: impl Into<String>) -> Self {
        self.next_token = Some(token.into());
        self
    }

    /// The name after which the page begins, empty on the first; and its size.
    fn check(&self, limits: &Limits) -> Result<(String, usize), InvalidParameterValue> {
        if let Some(max_results) = self.max_results {
            check::check_count("MaxResults", max_results, limits.list_results)?;
        }
        let after = match &self.next_token {
            Some(token) => decode(token, limits)
                .ok_or_else(|| InvalidParameterValue::of("NextToken", token, InvalidReason::NextToken))?,
            None => String::new(),
        };
        Ok((after, self.max_results.unwrap_or(limits.list_results)))
    }
}

/// One page of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// What is on it, in order.
    pub items: Vec<T>,
    /// Leads to the next page; `None` on the last, and if the request sets no [`max_results`](ListQueues::max_results).
    pub next_token: Option<String>,
}

impl Service {
    /// The URLs of the queues, in ascending order of their names (Q9).
    ///
    /// A token stays good if queues are created or deleted meanwhile, the one it came from among them.
    ///
    /// # Errors
    /// `InvalidParameterValue` for a page size out of range or a token of nobody's making (Q10).
    ///
    /// # Source
    /// [`ListQueues`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{ListQueues, QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(service.list_queues(&ListQueues::new())?.items, [jobs.url()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_queues(&self, request: &ListQueues) -> Result<Page<String>, ListError> {
        let (after, size) = request.check(&self.shared.environment.limits)?;
        let registry = self.shared.registry.lock();
        Ok(page(registry.after(&request.prefix, &after), request, size))
    }

    /// The URLs of the queues whose redrive policy names this queue, in ascending order of their names (L23).
    ///
    /// A prefix in the request selects here too, which SQS does not offer.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `InvalidParameterValue` for a page size out of range or a token of nobody's making (Q10).
    ///
    /// # Source
    /// [`ListDeadLetterSourceQueues`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{ListQueues, QueueAttributes, RedrivePolicy, Service};
    ///
    /// let service = Service::new();
    /// let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// let policy = RedrivePolicy::new(failed.arn(), 3);
    /// let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
    /// let sources = service.list_dead_letter_source_queues("jobs-failed", &ListQueues::new())?;
    /// assert_eq!(sources.items, [jobs.url()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_dead_letter_source_queues(&self, queue: &str, request: &ListQueues) -> Result<Page<String>, ListError> {
        let target = self.shared.find(queue).ok_or(ListError::QueueDoesNotExist)?;
        let (after, size) = request.check(&self.shared.environment.limits)?;
        let registry = self.shared.registry.lock();
        let sources = registry.sources_after(target.name(), &request.prefix, &after);
        Ok(page(sources, request, size))
    }
}

fn page<'a>(queues: impl Iterator<Item = &'a Queue>, request: &ListQueues, size: usize) -> Page<String> {
    let mut queues = queues.peekable();
    let mut items = Vec::new();
    let mut last = None;
    while items.len() < size {
        let Some(queue) = queues.next() else {
            break;
        };
        items.push(queue.url().to_owned());
        last = Some(queue.name());
    }
    let more = request.max_results.is_some() && queues.peek().is_some();
    let next_token = last.filter(|_| more).map(encode);
    Page { items, next_token }
}

/// A token is the last name on its page (Q10).
fn encode(name: &str) -> String {
    BASE64.encode(name.as_bytes())
}

fn decode(token: &str, limits: &Limits) -> Option<String> {
    let name = String::from_utf8(BASE64.decode(token.as_bytes()).ok()?).ok()?;
    let fifo = name.ends_with(".fifo");
    check::queue_name(&name, fifo, limits).ok().map(|()| name)
}
