//! Jobs: messages given to handlers, each with the lease on its message.

use {
    super::lease::Lease,
    crate::{backend::ReceivedMessage, clock::Clock, queue::Message, time::Timestamp},
    std::{
        fmt,
        future::Future,
        ops::Deref,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
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
    message: ReceivedMessage,
    /// `None` for the clock of the message's queue, which saves a reference count that all threads share.
    clock: Option<Arc<dyn Clock>>,
    received_at: Timestamp,
    lease: Lease,
}

impl Job {
    pub(super) fn new(
        message: ReceivedMessage,
        clock: Option<Arc<dyn Clock>>,
        received_at: Timestamp,
        until: Timestamp,
        renew_at: Timestamp,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                message,
                clock,
                received_at,
                lease: Lease::new(until, renew_at),
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
        &self.inner.message
    }

    /// Whether the message is still in flight under this reception, as far as the runner knows.
    ///
    /// False once its visibility timeout has ended unrenewed, or a renewal was refused: somebody else may have it. Where
    /// the queue does not report when a timeout ends, it counts from the response to the receive, and so ends late by the
    /// response's latency.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, worker::{Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(&clock).build()?;
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
        let of_queue = || self.inner.message.embedded().map(Message::clock);
        let now = self.inner.clock.as_deref().or_else(of_queue).map(Clock::now);
        now.is_some_and(|now| self.inner.lease.is_held_at(now))
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
        LeaseLost { job: self.clone() }
    }

    /// Whether both are the same job.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
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
        &self.inner.message
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("message", &self.inner.message)
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}

/// A future that completes when a job's lease is lost, by [`Job::lease_lost`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct LeaseLost {
    job: Job,
}

impl Future for LeaseLost {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.job.inner.lease.poll_lost(context)
    }
}
