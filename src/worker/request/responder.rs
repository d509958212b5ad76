//! The responder: runs a handler for requests and sends its answers.

use {
    super::{OF_HOST, QUEUE_NAME, RESPONSE_QUEUE_URL},
    crate::{
        backend::{Backoff, ErrorKind, MessageQueue, limits::MAX_ATTRIBUTES},
        clock::Until,
        message::{MessageAttributeValue, SendMessage},
        worker::{
            builder::RunnerBuilder,
            failure::Failure,
            handler::{Answer, Handler, sealed},
            job::Job,
            runner::Runner,
            settings::BuildRunnerError,
        },
    },
    std::{
        fmt,
        future::Future,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    },
};

/// The pause between a failed send of an answer and its retry.
const ANSWER_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Answers requests: a runner whose handler returns a message, sent to the queue that the request names; clones share
/// the counters.
///
/// The answer is sent before the request is deleted. A request that nobody waits for any more, because its answer queue
/// does not exist, is done all the same (E15), and so is one that names no answer queue: it is a job like any other, and
/// its answer is dropped. Requests whose handler fails, and answers that the queue refuses, are failures of the job; a
/// send that fails for now is tried again while the job is held. A job that is done again answers again, which the
/// requester ignores.
///
/// # Examples
/// ```
/// use requeue::{Queue, Service, worker::Job, request::{Requester, Responder}};
///
/// let service = Service::new();
/// let [requests, answers] = ["requests", "answers"].map(|name| service.create_queue(name, Default::default()));
/// let (requests, answers) = (requests?, answers?);
/// // Whom it may answer: every queue of the service.
/// let responder = Responder::new(&requests, move |url: &str| service.queue(url).ok());
/// let responding = responder.runner(|it| it.concurrency(2)).each(|job: &Job| {
///     let number: u64 = job.body().parse()?;
///     Ok::<_, std::num::ParseIntError>((number * number).to_string())
/// })?.spawn()?;
///
/// let requester = Requester::new(&requests, &answers);
/// let listening = requester.runner(|it| it)?.spawn()?;
/// assert_eq!(requester.request("12").blocking()?.body(), "144");
/// # drop((responding, listening));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Responder<Q, D> {
    requests: Q,
    answers: Arc<Answers<D>>,
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

/// Where answers go.
struct Answers<D> {
    directory: D,
    answered: AtomicU64,
    gone: AtomicU64,
    unrequested: AtomicU64,
}

impl<Q, D, A> Responder<Q, D>
where
    Q: MessageQueue + Clone,
    D: Fn(&str) -> Option<A>,
    A: MessageQueue,
{
    /// A responder to the requests on this queue, which sends its answers to the queues that `directory` knows by their
    /// URLs, and to no other.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, request::Responder};
    ///
    /// let requests = Queue::standard("requests").build()?;
    /// let responder = Responder::new(&requests, |_: &str| None::<Queue>);
    /// assert_eq!(responder.report().answered, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(requests: &Q, directory: D) -> Self {
        let answers = Answers {
            directory,
            answered: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            unrequested: AtomicU64::new(0),
        };
        Self {
            requests: requests.clone(),
            answers: Arc::new(answers),
        }
    }

    /// Begins a runner whose handler answers; `configure` changes its settings.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::Job, request::Responder};
    /// # let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let responder = Responder::to(&requests, &answers);
    /// requests.send("a job like any other")?;
    /// let runner = responder.runner(|it| it.until_none_visible()).each(|_: &Job| Ok::<_, String>("done"))?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// assert_eq!(responder.report().unrequested, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runner(&self, configure: impl FnOnce(RunnerBuilder<Q>) -> RunnerBuilder<Q>) -> RespondRunnerBuilder<Q, D> {
        RespondRunnerBuilder {
            builder: configure(Runner::builder(&self.requests)),
            answers: Arc::clone(&self.answers),
        }
    }
}

impl<Q: MessageQueue + Clone> Responder<Q, ()> {
    /// A responder to the requests on this queue that sends its answers to one host queue, and to no other.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, request::Responder};
    /// let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// assert_eq!(Responder::to(&requests, &answers).report().gone, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to<A: MessageQueue + Clone>(
        requests: &Q,
        host: &A,
    ) -> Responder<Q, impl Fn(&str) -> Option<A> + Send + Sync + 'static> {
        let host = host.clone();
        Responder::new(requests, move |url: &str| (url == host.url()).then(|| host.clone()))
    }
}

impl<Q, D> Responder<Q, D> {
    /// What the responder has done so far.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, request::Responder};
    /// # let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// assert_eq!(Responder::to(&requests, &answers).report().answered, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> ResponderReport {
        let Answers {
            answered,
            gone,
            unrequested,
            ..
        } = &*self.answers;
        let [answered, gone, unrequested] = [answered, gone, unrequested].map(|it| it.load(Ordering::Relaxed));
        ResponderReport {
            answered,
            gone,
            unrequested,
        }
    }
}

impl<Q: Clone, D> Clone for Responder<Q, D> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
            answers: Arc::clone(&self.answers),
        }
    }
}

impl<Q: MessageQueue, D> fmt::Debug for Responder<Q, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("requests", &self.requests.url())
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

impl<D, A> Answers<D>
where
    D: Fn(&str) -> Option<A>,
    A: MessageQueue,
{
    /// Sends an answer to the queue that its request names.
    async fn send(&self, job: &Job, answer: SendMessage) -> Result<(), Failure> {
        let url = job
            .attributes()
            .get(RESPONSE_QUEUE_URL)
            .and_then(|it| it.string_value());
        let Some(url) = url else {
            self.unrequested.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let (url, name) = match url.split_once(OF_HOST) {
            Some((host, name)) => (host, Some(name)),
            None => (url, None),
        };
        let Some(queue) = (self.directory)(url) else {
            self.gone.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let answer = address(answer, name, job, queue.is_fifo())?;
        let mut tries = 0;
        loop {
            let Err(error) = queue.send(answer.clone()).await else {
                self.answered.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            };
            match error.kind {
                ErrorKind::QueueDoesNotExist => {
                    self.gone.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                kind if kind.may_pass() && job.is_held() => tries += 1,
                _ => return Err(Failure::from(format!("the answer was not sent: {error}"))),
            }
            let clock = queue.clock();
            Until::new(&clock, clock.now().saturating_add(ANSWER_BACKOFF.limit(tries))).await;
        }
    }
}

/// The answer with the attributes and ids that its queue requires.
fn address(mut answer: SendMessage, name: Option<&str>, job: &Job, fifo: bool) -> Result<SendMessage, Failure> {
    if let Some(name) = name {
        let attributes = answer.get_attributes();
        let count = attributes.len();
        if count >= MAX_ATTRIBUTES && attributes.get(QUEUE_NAME).is_none() {
            let text = format!("the answer has {count} attributes, with {QUEUE_NAME} it may have {MAX_ATTRIBUTES}");
            return Err(text.into());
        }
        answer = answer.attribute(QUEUE_NAME, MessageAttributeValue::string(name));
    }
    if fifo && answer.get_message_group_id().is_none() {
        // Answers to different requests need no order.
        answer = answer.message_group_id(&*job.message_id());
    }
    if fifo && answer.get_message_deduplication_id().is_none() {
        answer = answer.message_deduplication_id(&*job.message_id());
    }
    Ok(answer)
}

/// A runner to be built whose handler answers, begun by [`Responder::runner`].
#[must_use = "a builder does nothing until it is given a handler"]
pub struct RespondRunnerBuilder<Q, D> {
    builder: RunnerBuilder<Q>,
    answers: Arc<Answers<D>>,
}

impl<Q, D, A> RespondRunnerBuilder<Q, D>
where
    Q: MessageQueue,
    D: Fn(&str) -> Option<A>,
    A: MessageQueue,
{
    /// A runner that sends what `handler` answers to each request.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::Job, request::Responder};
    /// # let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let echo = Responder::to(&requests, &answers).runner(|it| it.until_none_visible());
    /// let runner = echo.each(|job: &Job| Ok::<_, String>(job.body().to_owned()))?;
    /// assert_eq!(runner.blocking()?.received, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each<F, M, E>(self, handler: F) -> Result<Runner<Q, Respond<F, D>>, BuildRunnerError>
    where
        F: Fn(&Job) -> Result<M, E>,
        M: Into<SendMessage>,
        E: Into<Failure>,
    {
        let Self { builder, answers } = self;
        builder.build(None, Respond { handler, answers })
    }

    /// A runner that sends what an async `handler` answers to each request.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::Job, request::Responder};
    /// # let (requests, answers) = (Queue::standard("requests").build()?, Queue::standard("answers").build()?);
    /// let echo = Responder::to(&requests, &answers).runner(|it| it.until_none_visible());
    /// let runner = echo.each_async(|job: Job| async move { Ok::<_, String>(job.body().to_owned()) })?;
    /// assert_eq!(pollster::block_on(runner.run())?.received, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each_async<F, T, M, E>(self, handler: F) -> Result<Runner<Q, RespondAsync<F, D>>, BuildRunnerError>
    where
        F: Fn(Job) -> T,
        T: Future<Output = Result<M, E>>,
        M: Into<SendMessage>,
        E: Into<Failure>,
    {
        let Self { builder, answers } = self;
        builder.build(None, RespondAsync { handler, answers })
    }
}

impl<Q: MessageQueue, D> fmt::Debug for RespondRunnerBuilder<Q, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RespondRunnerBuilder")
            .field("builder", &self.builder)
            .finish_non_exhaustive()
    }
}

/// A function that answers, by [`each`](RespondRunnerBuilder::each).
pub struct Respond<F, D> {
    handler: F,
    answers: Arc<Answers<D>>,
}

/// An async function that answers, by [`each_async`](RespondRunnerBuilder::each_async).
pub struct RespondAsync<F, D> {
    handler: F,
    answers: Arc<Answers<D>>,
}

impl<F, D> sealed::Sealed for Respond<F, D> {}
impl<F, D> sealed::Sealed for RespondAsync<F, D> {}

impl<F, M, E, D, A> Handler for Respond<F, D>
where
    F: Fn(&Job) -> Result<M, E>,
    M: Into<SendMessage>,
    E: Into<Failure>,
    D: Fn(&str) -> Option<A>,
    A: MessageQueue,
{
    async fn handle(&self, jobs: &[Job]) -> Answer {
        let Some(job) = jobs.first() else {
            return Answer::Done;
        };
        match (self.handler)(job) {
            Ok(answer) => Answer::of(self.answers.send(job, answer.into()).await),
            Err(error) => Answer::Failed(error.into()),
        }
    }
}

impl<F, T, M, E, D, A> Handler for RespondAsync<F, D>
where
    F: Fn(Job) -> T,
    T: Future<Output = Result<M, E>>,
    M: Into<SendMessage>,
    E: Into<Failure>,
    D: Fn(&str) -> Option<A>,
    A: MessageQueue,
{
    async fn handle(&self, jobs: &[Job]) -> Answer {
        let Some(job) = jobs.first() else {
            return Answer::Done;
        };
        match (self.handler)(job.clone()).await {
            Ok(answer) => Answer::of(self.answers.send(job, answer.into()).await),
            Err(error) => Answer::Failed(error.into()),
        }
    }
}

impl<F, D> fmt::Debug for Respond<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Respond").finish_non_exhaustive()
    }
}

impl<F, D> fmt::Debug for RespondAsync<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RespondAsync").finish_non_exhaustive()
    }
}
