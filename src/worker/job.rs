//! Jobs: messages given to handlers, each with the lease on its message.

use {
    super::lease::{Change, Lease, Place},
    crate::{
        backend::{ReceivedMessage, limits::MAX_MESSAGES},
        clock::Clock,
        queue::Message,
        sync::Mutex,
        time::Timestamp,
    },
    std::{
        fmt,
        future::Future,
        ops::Deref,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
        time::Duration,
    },
};

/// A message that a handler works on; all clones are the same job.
///
/// It dereferences to its [`ReceivedMessage`], and knows whether the lease is still held: the runner's heartbeat renews
/// the visibility timeout of every job that it holds, and when that fails another consumer may receive the message.
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{Job, Runner}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// jobs.send("resize cat.png")?;
/// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
///     assert_eq!(job.body(), "resize cat.png");
///     assert!(job.is_held());
///     Ok::<(), String>(())
/// })?;
/// assert_eq!(runner.blocking()?.succeeded, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Job {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` only in [`SpareJobs`].
    message: Option<ReceivedMessage>,
    /// `None` for the clock of the message's queue, which saves a reference count that all threads share.
    clock: Option<Arc<dyn Clock>>,
    received_at: Timestamp,
    lease: Lease,
    extras: Mutex<Option<Box<Extras>>>,
}

/// What few jobs have, in an allocation of its own.
#[derive(Default)]
struct Extras {
    progress: Option<Arc<str>>,
    /// The span of the handler call, until the message is settled.
    #[cfg(feature = "tracing")]
    span: Option<tracing::Span>,
}

/// The allocations of jobs that have ended, for the next ones.
#[derive(Default)]
pub(super) struct SpareJobs(Vec<Job>);

impl SpareJobs {
    /// Keeps the allocation of a job that nobody else has; its message is dropped.
    pub(super) fn keep(&mut self, mut job: Job) {
        if self.0.len() == MAX_MESSAGES {
            return;
        }
        if let Some(inner) = Arc::get_mut(&mut job.inner) {
            inner.message = None;
            inner.clock = None;
            *inner.extras.get_mut() = None;
            self.0.push(job);
        }
    }

    /// A job with a message that is held until an instant.
    #[inline]
    pub(super) fn job(
        &mut self,
        message: ReceivedMessage,
        clock: Option<Arc<dyn Clock>>,
        received_at: Timestamp,
        until: Timestamp,
        renew_at: Timestamp,
    ) -> Job {
        let mut job = self.0.pop().unwrap_or_else(Job::empty);
        // Written in place: what is built elsewhere and then moved is read back before its stores are done.
        let inner = Arc::get_mut(&mut job.inner).expect("invariant: nobody else has a spare job");
        inner.message = Some(message);
        inner.clock = clock;
        inner.received_at = received_at;
        inner.lease = Lease::new(until, renew_at);
        job
    }
}

impl Job {
    /// A spare job.
    #[cold]
    fn empty() -> Self {
        Self {
            inner: Arc::new(Inner {
                message: None,
                clock: None,
                received_at: Timestamp::ZERO,
                lease: Lease::new(Timestamp::ZERO, Timestamp::ZERO),
                extras: Mutex::new(None),
            }),
        }
    }

    /// The message.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
    ///     assert_eq!(job.message().body(), job.body());
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn message(&self) -> &ReceivedMessage {
        let message = self.inner.message.as_ref();
        message.expect("invariant: a job that is not spare has a message")
    }

    /// Whether the message is still in flight under this reception, as far as the runner knows.
    ///
    /// False once its visibility timeout has ended unrenewed, a renewal was refused, or the job has failed by its handler
    /// timeout while the handler still runs: somebody else may have it. Where the queue does not report when a timeout
    /// ends, it counts from the response to the receive, and so ends late by the response's latency.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, worker::{Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let clock = clock.clone();
    /// let runner = Runner::builder(&jobs).heartbeat(false).until_none_visible().each(move |job: &Job| {
    ///     clock.set(job.sent_timestamp().saturating_add(Duration::from_secs(30)));
    ///     assert!(!job.is_held());
    ///     Ok::<(), String>(())
    /// })?;
    /// # drop(runner);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.now().is_some_and(|now| self.inner.lease.is_held_at(now))
    }

    /// How long the message is still held unless the lease is renewed; zero once it is [not held](Self::is_held) any more.
    ///
    /// The heartbeat renews the lease while the handler runs, up to the handler timeout and the 12 hours that SQS allows.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, worker::{Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let clock = clock.clone();
    /// let runner = Runner::builder(&jobs).heartbeat(false).until_none_visible().each(move |job: &Job| {
    ///     assert_eq!(job.lease_left(), Duration::from_secs(30));
    ///     clock.set(job.sent_timestamp().saturating_add(Duration::from_secs(20)));
    ///     assert_eq!(job.lease_left(), Duration::from_secs(10));
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lease_left(&self) -> Duration {
        self.now().map_or(Duration::ZERO, |now| self.lease_left_at(now))
    }

    pub(super) fn lease_left_at(&self, now: Timestamp) -> Duration {
        let lease = &self.inner.lease;
        if lease.is_lost() {
            return Duration::ZERO;
        }
        lease.held_until().saturating_duration_since(now)
    }

    /// How often a handler of this message failed before, as far as the queue tells: its receive count less one.
    ///
    /// On an embedded queue, releases and postponements do not count. What does count is a consumer that let the visibility
    /// timeout end, and on a dead-letter queue the receives before (L8). On Amazon SQS every receive counts, whatever became
    /// of it, so there it is an upper bound.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{FailurePolicy, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).failure_policy(FailurePolicy::RetryNow).until_none_visible();
    /// let runner = runner.each(|job: &Job| match job.failures() {
    ///     0..3 => Err("not yet"),
    ///     failures => {
    ///         assert_eq!(failures, 3);
    ///         Ok(())
    ///     }
    /// })?;
    /// assert_eq!(runner.blocking()?.failed, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.approximate_receive_count().saturating_sub(1)
    }

    /// Whether the runner is being stopped, for handlers that look between two steps of their work.
    ///
    /// The handler may go on until the [`shutdown_timeout`](super::RunnerBuilder::shutdown_timeout) ends. Only a stop while
    /// the handler runs is seen: a job that is kept beyond its handler hears of none.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Failure, Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize a million pictures")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
    ///     for _picture in 0..3 {
    ///         if job.is_stopping() {
    ///             return Err(Failure::retry_after(Duration::ZERO, "the runner is being stopped"));
    ///         }
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.inner.lease.is_stopping()
    }

    /// A future that completes when the runner is being stopped, for handlers that end their work early then.
    ///
    /// It stays pending until then, and for ever once the handler has ended, so it is for a `select!` beside the work.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Failure, Job, Runner}};
    /// use std::{future::pending, time::Duration};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("watch the oven")?;
    /// let runner = Runner::builder(&jobs).each_async(|job: Job| async move {
    ///     let (work, stopping) = (std::pin::pin!(pending::<()>()), job.stopping());
    ///     futures_util::future::select(work, stopping).await;
    ///     Err::<(), _>(Failure::retry_after(Duration::ZERO, "the runner is being stopped"))
    /// })?;
    /// let handle = runner.handle();
    /// let running = std::thread::spawn(move || runner.blocking());
    /// while handle.report().received == 0 {
    ///     std::thread::yield_now();
    /// }
    /// handle.stop();
    /// running.join().unwrap()?;
    /// assert_eq!(jobs.counts().visible, 1, "it is back, and was never received");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stopping(&self) -> Stopping {
        Stopping(self.changed(Change::Stopping))
    }

    /// Tells who watches the runner how far the work has come; it replaces what was told before.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
    ///     job.set_progress("3 of 8 sizes");
    ///     assert_eq!(job.progress().as_deref(), Some("3 of 8 sizes"));
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_progress(&self, text: impl Into<Arc<str>>) {
        let text = text.into();
        let before = self.inner.extras.lock().get_or_insert_default().progress.replace(text);
        // The old text is freed after the lock is released.
        drop(before);
    }

    /// What [`set_progress`](Self::set_progress) last told; `None` if nothing.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
    ///     assert_eq!(job.progress(), None);
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn progress(&self) -> Option<Arc<str>> {
        self.inner.extras.lock().as_ref()?.progress.clone()
    }

    /// A future that completes when the lease is lost, for handlers that cancel their work then.
    ///
    /// It stays pending while the heartbeat renews the lease, so it is for a `select!` beside the work.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each_async(|job: Job| async move {
    ///     let (work, lost) = (std::pin::pin!(std::future::ready(())), job.lease_lost());
    ///     match futures_util::future::select(work, lost).await {
    ///         futures_util::future::Either::Left(_) => Ok(()),
    ///         futures_util::future::Either::Right(_) => Err("somebody else may do it"),
    ///     }
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lease_lost(&self) -> LeaseLost {
        LeaseLost(self.changed(Change::Lost))
    }

    #[cfg(feature = "tracing")]
    pub(super) fn span(&self) -> Option<tracing::Span> {
        self.inner.extras.lock().as_ref()?.span.clone()
    }

    #[cfg(feature = "tracing")]
    pub(super) fn set_span(&self, span: &tracing::Span) {
        self.inner.extras.lock().get_or_insert_default().span = Some(span.clone());
    }

    #[cfg(feature = "tracing")]
    pub(super) fn close_span(&self) {
        let span = self.inner.extras.lock().as_mut().and_then(|extras| extras.span.take());
        // Dropped without the lock: it calls a subscriber.
        drop(span);
    }

    fn now(&self) -> Option<Timestamp> {
        let of_queue = || self.embedded().map(Message::clock);
        self.inner.clock.as_deref().or_else(of_queue).map(Clock::now)
    }

    /// Whether both are the same job.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// A future that completes when no renewal is under way.
    pub(super) fn renewed(&self) -> Changed {
        self.changed(Change::Renewed)
    }

    fn changed(&self, change: Change) -> Changed {
        Changed {
            job: self.clone(),
            change,
            place: None,
        }
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.inner.lease
    }

    pub(super) fn received_at(&self) -> Timestamp {
        self.inner.received_at
    }
}

impl Deref for Job {
    type Target = ReceivedMessage;

    fn deref(&self) -> &ReceivedMessage {
        self.message()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("message", self.message())
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}

/// A future that completes when the lease of a job has changed.
#[derive(Debug)]
pub(super) struct Changed {
    job: Job,
    change: Change,
    place: Place,
}

impl Future for Changed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { job, change, place } = &mut *self;
        job.inner.lease.poll(*change, place, context)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        self.job.inner.lease.leave(&mut self.place);
    }
}

/// A future that completes when a job's lease is lost, by [`Job::lease_lost`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct LeaseLost(Changed);

impl Future for LeaseLost {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}

/// A future that completes when the runner of a job is being stopped, by [`Job::stopping`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Stopping(Changed);

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use {super::*, crate::queue::Queue};

    fn job(spare: &mut SpareJobs, body: &str) -> Job {
        let jobs = Queue::standard("jobs").build().unwrap();
        jobs.send(body).unwrap();
        let message = ReceivedMessage::from(jobs.receive().blocking().unwrap().remove(0));
        let [received_at, until] = [1, 2].map(Timestamp::from_millis);
        spare.job(message, None, received_at, until, until)
    }

    #[test]
    fn a_spare_job_has_let_go_of_its_message_and_becomes_a_new_one() {
        let mut spare = SpareJobs::default();
        let first = job(&mut spare, "first");
        let address = Arc::as_ptr(&first.inner);
        first.set_progress("half");
        first.lease().settle();
        spare.keep(first);
        assert!(spare.0[0].inner.message.is_none());
        let second = job(&mut spare, "second");
        assert_eq!(Arc::as_ptr(&second.inner), address);
        assert_eq!((second.body(), second.progress()), ("second", None));
        assert!(second.lease().begin_renewal(), "nothing of the first is left");
    }

    #[test]
    fn a_job_that_somebody_else_has_is_no_spare_one() {
        let mut spare = SpareJobs::default();
        let first = job(&mut spare, "first");
        spare.keep(first.clone());
        assert!(spare.0.is_empty());
        assert_eq!(first.body(), "first");
    }

    #[test]
    fn spare_jobs_are_few() {
        let mut spare = SpareJobs::default();
        let jobs: Vec<Job> = (0..MAX_MESSAGES + 5).map(|_| job(&mut spare, "job")).collect();
        jobs.into_iter().for_each(|job| spare.keep(job));
        assert_eq!(spare.0.len(), MAX_MESSAGES);
    }
}
