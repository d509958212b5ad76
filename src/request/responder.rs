//! The responder: sends each answer to the queue that its request names.

use {
    super::{OF_HOST, QUEUE_NAME, RESPONSE_QUEUE_URL},
    crate::{
        backend::{
            Backoff, ErrorKind, MessageQueue, MessageQueueError, ReceivedMessage, Retries, limits::MAX_ATTRIBUTES,
        },
        clock::{Clock, Until, block_on},
        message::{MessageAttributeValue, SendMessage},
        queue::Queue,
    },
    futures_util::future::{Either, select},
    std::{
        fmt,
        future::Future,
        pin::{Pin, pin},
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    },
};

/// The pause between a failed send of an answer and its retry.
const ANSWER_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// As long as a requester waits by default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers requests, from within any handler of the request queue; clones share the counters.
///
/// Send the answer first and let the handler succeed then, so that the request is deleted once it is answered. A request
/// that is done again is answered again, which the requester ignores.
///
/// # Source
/// [Amazon SQS temporary queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-temporary-queues.html).
///
/// # Examples
/// ```
/// use requeue::{Queue, request::{Requester, Responder}, worker::{Failure, Job, Runner}};
///
/// let requests = Queue::standard("requests").build()?;
/// let answers = Queue::standard("answers").build()?;
/// let responder = Responder::to(&answers);
/// let responding = Runner::builder(&requests).concurrency(2).each(move |job: &Job| {
///     let number: u64 = job.body().parse()?;
///     responder.answer(job, (number * number).to_string()).blocking()?;
///     Ok::<(), Failure>(())
/// })?.spawn()?;
///
/// let requester = Requester::new(&requests, &answers);
/// let delivering = requester.clone();
/// let listening = Runner::builder(&answers).each(move |job: &Job| delivering.deliver(job))?.spawn()?;
/// assert_eq!(requester.request("12").blocking()?.body(), "144");
/// # drop((responding, listening));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Responder<A = Queue> {
    shared: Arc<ResponderState<A>>,
}

/// What a responder has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ResponderReport {
    /// Answers sent.
    pub answered: u64,
    /// Answers dropped because the queue they were for does not exist, or is not known here.
    pub gone: u64,
    /// Answers dropped because the request named no queue.
    pub unrequested: u64,
}

/// Why an answer was not sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// With the attribute that names the virtual queue the answer would have too many attributes (M12).
    #[error("the answer has {count} attributes, with {QUEUE_NAME} it may have {MAX_ATTRIBUTES}")]
    #[non_exhaustive]
    TooManyAttributes {
        /// How many it has.
        count: usize,
    },
    /// Its queue refused it, as it will again.
    #[error("the answer was not sent: {0}")]
    Refused(#[source] MessageQueueError),
    /// Its queue did not take it in time.
    #[error("the answer was not sent within {timeout:?}: {}", last(error.as_ref()))]
    #[non_exhaustive]
    Timeout {
        /// How long it was tried.
        timeout: Duration,
        /// The last error; `None` if the queue did not answer at all.
        #[source]
        error: Option<MessageQueueError>,
    },
}

fn last(error: Option<&MessageQueueError>) -> String {
    error.map_or_else(|| "its queue did not answer".to_owned(), ToString::to_string)
}

/// Finds a queue by its URL.
type Directory<A> = dyn Fn(&str) -> Option<A> + Send + Sync;

struct ResponderState<A> {
    directory: Box<Directory<A>>,
    answered: AtomicU64,
    gone: AtomicU64,
    unrequested: AtomicU64,
}

impl<A: MessageQueue> Responder<A> {
    /// A responder that sends its answers to the queues that `directory` knows by their URLs, and to no other.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, Service, request::Responder};
    ///
    /// let service = Service::new();
    /// // It may answer to every queue of the service.
    /// let responder: Responder<Queue> = Responder::new(move |url| service.queue(url).ok());
    /// assert_eq!(responder.report().answered, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(directory: impl Fn(&str) -> Option<A> + Send + Sync + 'static) -> Self {
        let shared = ResponderState {
            directory: Box::new(directory),
            answered: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            unrequested: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A responder that sends its answers to one host queue, and to no other.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, request::Responder};
    /// assert_eq!(Responder::to(&Queue::standard("answers").build()?).report().gone, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to(host: &A) -> Self
    where
        A: Clone,
    {
        let host = host.clone();
        Self::new(move |url| (url == host.url()).then(|| host.clone()))
    }

    /// Begins an answer to a request: send it, within 30 s unless [`timeout`](Answering::timeout) says otherwise.
    ///
    /// An answer is dropped, and counted, if its queue does not exist or is unknown here, because nobody waits for it any
    /// more (E15), and if the request names no answer queue, because it is a job like any other.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, request::{AnswerError, Responder}, worker::{Job, Runner}};
    ///
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// requests.send("a job like any other")?;
    /// let responder = Responder::to(&answers);
    /// let own = responder.clone();
    /// let runner = Runner::builder(&requests).until_none_visible().each_async(move |job: Job| {
    ///     let responder = own.clone();
    ///     async move {
    ///         responder.answer(&job, "done").await?;
    ///         Ok::<(), AnswerError>(())
    ///     }
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// assert_eq!(responder.report().unrequested, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn answer<'r>(&'r self, request: &'r ReceivedMessage, answer: impl Into<SendMessage>) -> Answering<'r, A> {
        Answering {
            shared: &self.shared,
            request,
            answer: answer.into(),
            timeout: ANSWER_TIMEOUT,
        }
    }
}

impl<A> Responder<A> {
    /// What the responder has done so far.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, request::Responder};
    /// assert_eq!(Responder::to(&Queue::standard("answers").build()?).report().answered, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> ResponderReport {
        let ResponderState {
            answered,
            gone,
            unrequested,
            ..
        } = &*self.shared;
        let [answered, gone, unrequested] = [answered, gone, unrequested].map(|it| it.load(Ordering::Relaxed));
        ResponderReport {
            answered,
            gone,
            unrequested,
        }
    }
}

impl<A> Clone for Responder<A> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<A> fmt::Debug for Responder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

/// An answer to be sent, begun by [`Responder::answer`]: block or await.
///
/// A send that fails for now is tried again, after pauses of 100 ms to 5 s. Whether the queue has an answer whose future
/// was dropped, or whose time was over, is open.
#[must_use = "nothing is sent until it is blocked on or awaited"]
pub struct Answering<'r, A = Queue> {
    shared: &'r ResponderState<A>,
    request: &'r ReceivedMessage,
    answer: SendMessage,
    timeout: Duration,
}

impl<A> Answering<'_, A> {
    /// How long to try, under the clock of the answer's queue; with zero it is tried once.
    ///
    /// # Examples
    /// ```
    /// # use {requeue::{Queue, backend::ReceivedMessage, request::Responder}, std::time::Duration};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// requests.send("a job like any other")?;
    /// let request = ReceivedMessage::from(requests.receive().blocking()?.remove(0));
    /// Responder::to(&answers).answer(&request, "done").timeout(Duration::from_secs(5)).blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<A: MessageQueue> Answering<'_, A> {
    /// Sends the answer and blocks the thread until its queue has it, or its time is over; for handlers on threads.
    ///
    /// # Errors
    /// [`AnswerError`], which `?` makes a failure of the request.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, Queue, SendMessage, backend::ReceivedMessage, request::Responder};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let url = MessageAttributeValue::string(format!("{}#me", answers.url()));
    /// requests.send(SendMessage::new("hello").attribute("ResponseQueueUrl", url))?;
    /// let request = ReceivedMessage::from(requests.receive().blocking()?.remove(0));
    /// Responder::to(&answers).answer(&request, "HELLO").blocking()?;
    /// assert_eq!(answers.receive().blocking()?[0].body(), "HELLO");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking(self) -> Result<(), AnswerError> {
        match self.address()? {
            Some((queue, answer)) => block_on(&*queue.clock(), self.send(&queue, answer)),
            None => Ok(()),
        }
    }

    async fn run(self) -> Result<(), AnswerError> {
        match self.address()? {
            Some((queue, answer)) => self.send(&queue, answer).await,
            None => Ok(()),
        }
    }

    /// The queue that the request names, and the answer with the attributes and ids that this queue requires; `None` if
    /// nobody waits for it.
    fn address(&self) -> Result<Option<(A, SendMessage)>, AnswerError> {
        let url = self.request.attributes().get(RESPONSE_QUEUE_URL);
        let Some(url) = url.and_then(|it| it.string_value()) else {
            self.shared.unrequested.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        let (url, name) = match url.split_once(OF_HOST) {
            Some((host, name)) => (host, Some(name)),
            None => (url, None),
        };
        let Some(queue) = (self.shared.directory)(url) else {
            self.shared.gone.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        let mut answer = self.answer.clone();
        if let Some(name) = name {
            let attributes = answer.get_attributes();
            let count = attributes.len();
            if count >= MAX_ATTRIBUTES && attributes.get(QUEUE_NAME).is_none() {
                return Err(AnswerError::TooManyAttributes { count });
            }
            answer = answer.attribute(QUEUE_NAME, MessageAttributeValue::string(name));
        }
        if queue.is_fifo() && answer.get_message_group_id().is_none() {
            // Answers to different requests need no order.
            answer = answer.message_group_id(&*self.request.message_id());
        }
        if queue.is_fifo() && answer.get_message_deduplication_id().is_none() {
            answer = answer.message_deduplication_id(&*self.request.message_id());
        }
        Ok(Some((queue, answer)))
    }

    async fn send(&self, queue: &A, answer: SendMessage) -> Result<(), AnswerError> {
        let clock: Arc<dyn Clock> = queue.clock();
        let after = |time| Until::new(&clock, clock.now().saturating_add(time));
        let mut over = after(self.timeout);
        let retries = Retries::new(ANSWER_BACKOFF, Duration::MAX);
        let mut last = None;
        loop {
            match select(pin!(queue.send(answer.clone())), &mut over).await {
                Either::Left((Ok(()), _)) => {
                    self.shared.answered.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Either::Left((Err(error), _)) if error.kind == ErrorKind::QueueDoesNotExist => {
                    self.shared.gone.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Either::Left((Err(error), _)) => {
                    let Some(pause) = retries.pause(&error, clock.now()) else {
                        return Err(AnswerError::Refused(error));
                    };
                    last = Some(error);
                    if let Either::Left(_) = select(after(pause), &mut over).await {
                        continue;
                    }
                }
                Either::Right(_) => {}
            }
            let timeout = self.timeout;
            return Err(AnswerError::Timeout { timeout, error: last });
        }
    }
}

impl<'r, A: MessageQueue> IntoFuture for Answering<'r, A> {
    type Output = Result<(), AnswerError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'r>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<A> fmt::Debug for Answering<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering")
            .field("request", &self.request)
            .field("answer", &self.answer)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
