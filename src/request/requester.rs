//! The requester: sends requests and waits for their answers.

use {
    super::{
        OF_HOST, QUEUE_NAME, RESPONSE_QUEUE_URL,
        slots::{End, MAX_OPEN, RequesterReport, Slots, Ticket},
    },
    crate::{
        backend::{MessageQueue, MessageQueueError, ReceivedMessage, limits::MAX_ATTRIBUTES},
        clock::{Clock, Until, block_on},
        message::{MessageAttributeValue, SendMessage},
        queue::Queue,
    },
    std::{
        fmt,
        future::{Future, poll_fn},
        hash::{BuildHasher, RandomState},
        pin::{Pin, pin},
        sync::Arc,
        task::Poll,
        time::Duration,
    },
};

/// Sends requests to a queue and waits for their answers, which all come over one host queue; clones share both.
///
/// Each request names a virtual queue of its own in its attribute `ResponseQueueUrl` (E11, E15). Somebody has to consume
/// the host queue and [`deliver`](Self::deliver) what comes: a [`Runner`](crate::worker::Runner), say. The host queue is
/// for one requester and its clones alone.
///
/// # Source
/// [Amazon SQS temporary queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-temporary-queues.html).
///
/// # Examples
/// ```
/// use requeue::{Queue, request::{Requester, Responder}, worker::{Job, Runner}};
///
/// let requests = Queue::standard("requests").build()?;
/// let answers = Queue::standard("answers").build()?;
/// let requester = Requester::new(&requests, &answers);
/// let delivering = requester.clone();
/// let listening = Runner::builder(&answers).each(move |job: &Job| delivering.deliver(job))?.spawn()?;
///
/// // Elsewhere, somebody who answers.
/// let responder = Responder::to(&answers);
/// let upper = move |job: &Job| responder.answer(job, job.body().to_uppercase()).blocking();
/// let responding = Runner::builder(&requests).each(upper)?.spawn()?;
///
/// assert_eq!(requester.request("hello").blocking()?.body(), "HELLO");
/// # drop((responding, listening));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Requester<R = Queue, H = R> {
    requests: R,
    host: H,
    slots: Arc<Slots>,
}

/// Why a request has no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// With the attribute that names the answer queue the request would have too many attributes (M12).
    #[error("the request has {count} attributes, with {RESPONSE_QUEUE_URL} it may have {MAX_ATTRIBUTES}")]
    #[non_exhaustive]
    TooManyAttributes {
        /// How many it has.
        count: usize,
    },
    /// The requester itself names the answer queue.
    #[error("the request has an attribute {RESPONSE_QUEUE_URL} of its own")]
    ResponseQueueTaken,
    /// Too many requests wait (E13).
    #[error("{MAX_OPEN} requests wait for an answer, which is the limit")]
    TooManyInFlight,
    /// The request was not sent.
    #[error("the request was not sent: {0}")]
    NotSent(#[source] MessageQueueError),
    /// No answer came in time (E15).
    #[error("no answer came within {0:?}")]
    Timeout(Duration),
}

/// Why a message on the host queue is for no request, in flight or over, of this requester: an orphan (E12).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// It names no virtual queue.
    #[error("the message names no virtual queue, it has no text {QUEUE_NAME}")]
    Unnamed,
    /// It names a virtual queue that this requester never had.
    #[error("there was no request with the virtual queue \"{name}\"")]
    #[non_exhaustive]
    Unknown {
        /// The name; of a long one the middle is left out.
        name: String,
    },
}

impl<R: MessageQueue + Clone, H: MessageQueue + Clone> Requester<R, H> {
    /// A requester that sends to `requests` and has its answers sent to `host`.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, request::Requester};
    ///
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// assert_eq!(Requester::new(&requests, &answers).report().requests, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(requests: &R, host: &H) -> Self {
        let seed = RandomState::new().hash_one(host.clock().now());
        Self {
            requests: requests.clone(),
            host: host.clone(),
            slots: Arc::new(Slots::new(seed)),
        }
    }

    /// The seed of the names of the virtual queues, which by default is a different one each time; with the same seed,
    /// answers to an earlier requester could be taken for answers to this one.
    ///
    /// # Examples
    /// ```
    /// # use {requeue::{Queue, request::Requester}, std::time::Duration};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let requester = Requester::new(&requests, &answers).seed(7);
    /// assert!(requester.request("hello").timeout(Duration::ZERO).blocking().is_err());
    /// let message = &requests.receive().blocking()?[0];
    /// let url = message.attributes().get("ResponseQueueUrl").unwrap().string_value().unwrap();
    /// assert_eq!(url, format!("{}#0000000000000007-1", answers.url()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.slots = Arc::new(Slots::new(seed));
        self
    }

    /// Begins a request: send it and wait, 30 s at most unless [`timeout`](RequestBuilder::timeout) says otherwise.
    ///
    /// # Examples
    /// ```
    /// # use {requeue::{Queue, request::{RequestError, Requester}}, std::time::Duration};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let requester = Requester::new(&requests, &answers);
    /// let moment = Duration::from_millis(1);
    /// let unheard = requester.request("is anybody there").timeout(moment).blocking();
    /// assert_eq!(unheard.unwrap_err(), RequestError::Timeout(moment));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request(&self, message: impl Into<SendMessage>) -> RequestBuilder<'_, R, H> {
        RequestBuilder {
            requester: self,
            message: message.into(),
            timeout: Duration::from_secs(30),
        }
    }
}

impl<R, H> Requester<R, H> {
    /// Delivers a message of the host queue to the request that it answers; for the handler that consumes that queue.
    ///
    /// An answer that comes late or twice is done as well, and counted.
    ///
    /// # Errors
    /// [`DeliverError`]: the message is for nobody here. The handler decides what becomes of such an orphan: deleted with
    /// an event of the runner as here, which is what the client of AWS does (E12), or by the runner's policy with
    /// `requester.deliver(job)` alone.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, request::Requester, worker::{Failure, Job, Runner}};
    ///
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// answers.send("lost and found")?;
    /// let requester = Requester::new(&requests, &answers);
    /// let delivering = requester.clone();
    /// let runner = Runner::builder(&answers).until_none_visible().each(move |job: &Job| {
    ///     delivering.deliver(job).map_err(Failure::discard)
    /// })?;
    /// assert_eq!(runner.blocking()?.discarded, 1);
    /// assert_eq!(requester.report().orphans, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deliver(&self, message: &ReceivedMessage) -> Result<(), DeliverError> {
        self.slots.deliver(message)
    }

    /// What the requester has done so far.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, request::Requester};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// assert_eq!(Requester::new(&requests, &answers).report().in_flight, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> RequesterReport {
        self.slots.report()
    }
}

impl<R: MessageQueue, H: MessageQueue> fmt::Debug for Requester<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requester")
            .field("requests", &self.requests.url())
            .field("host", &self.host.url())
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

/// A request to be made, begun by [`Requester::request`]: block or await.
///
/// The future gives the request up when it is dropped; its answer is then late.
#[must_use = "nothing is sent until it is blocked on or awaited"]
pub struct RequestBuilder<'requester, R = Queue, H = R> {
    requester: &'requester Requester<R, H>,
    message: SendMessage,
    timeout: Duration,
}

impl<R, H> RequestBuilder<'_, R, H> {
    /// How long to wait for the answer, the time of sending included, under the clock of the host queue.
    ///
    /// # Examples
    /// ```
    /// # use {requeue::{Queue, request::Requester}, std::time::Duration};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let requester = Requester::new(&requests, &answers);
    /// let error = requester.request("hello").timeout(Duration::ZERO).blocking().unwrap_err();
    /// assert_eq!(error.to_string(), "no answer came within 0ns");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<R: MessageQueue, H: MessageQueue> RequestBuilder<'_, R, H> {
    /// Sends the request and blocks the thread until the answer is here, or its time is over.
    ///
    /// # Errors
    /// [`RequestError`]: it was not sent, or no answer came in time. A request that timed out may still be worked on.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, Queue, SendMessage, request::Requester};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let number = |message: SendMessage, n: u8| message.attribute(n.to_string(), MessageAttributeValue::number("1"));
    /// let full = (0..10).fold(SendMessage::new("hello"), number);
    /// let error = Requester::new(&requests, &answers).request(full).blocking().unwrap_err();
    /// assert_eq!(error.to_string(), "the request has 10 attributes, with ResponseQueueUrl it may have 10");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking(self) -> Result<ReceivedMessage, RequestError> {
        block_on(&*self.requester.host.clock(), self.ask())
    }

    async fn ask(self) -> Result<ReceivedMessage, RequestError> {
        let Requester {
            requests, host, slots, ..
        } = self.requester;
        let clock: Arc<dyn Clock> = host.clock();
        let mut over = Until::new(&clock, clock.now().saturating_add(self.timeout));
        let mut ticket = slots_for(&self.message, slots)?;
        let url = format!("{}{OF_HOST}{}", host.url(), ticket.name());
        let message = self
            .message
            .attribute(RESPONSE_QUEUE_URL, MessageAttributeValue::string(url));
        let mut sending = pin!(Some(requests.send(message)));
        poll_fn(|context| {
            if let Some(send) = sending.as_mut().as_pin_mut() {
                match send.poll(context) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => sending.set(None),
                    Poll::Ready(Err(error)) => {
                        let answer = ticket.close(End::NotSent);
                        return Poll::Ready(answer.ok_or(RequestError::NotSent(error)));
                    }
                }
            }
            if let Poll::Ready(answer) = ticket.poll_answer(context) {
                return Poll::Ready(Ok(answer));
            }
            let over = Pin::new(&mut over).poll(context);
            over.map(|()| ticket.close(End::TimedOut).ok_or(RequestError::Timeout(self.timeout)))
        })
        .await
    }
}

/// A slot for a request that can be sent.
fn slots_for(message: &SendMessage, slots: &Arc<Slots>) -> Result<Ticket, RequestError> {
    let attributes = message.get_attributes();
    if attributes.get(RESPONSE_QUEUE_URL).is_some() {
        return Err(RequestError::ResponseQueueTaken);
    }
    let count = attributes.len();
    if count >= MAX_ATTRIBUTES {
        return Err(RequestError::TooManyAttributes { count });
    }
    slots.open().ok_or(RequestError::TooManyInFlight)
}

impl<'requester, R: MessageQueue, H: MessageQueue> IntoFuture for RequestBuilder<'requester, R, H> {
    type Output = Result<ReceivedMessage, RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'requester>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.ask())
    }
}

impl<R: MessageQueue, H: MessageQueue> fmt::Debug for RequestBuilder<'_, R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuilder")
            .field("message", &self.message)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
