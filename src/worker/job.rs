//! Jobs: messages given to handlers, each with the lease on its message.

use {
    super::{notify::Notify, received::ReceivedMessage},
    crate::{clock::Clock, queue::Message, time::Timestamp},
    std::{
        fmt,
        future::Future,
        ops::Deref,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU64, Ordering},
        },
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

/// The value of `renew_at` of a job that is not renewed any more.
const NO_RENEWAL: u64 = u64::MAX;

struct Inner {
    message: ReceivedMessage,
    /// `None` for the clock of the message's queue, which saves a reference count that all threads share.
    clock: Option<Arc<dyn Clock>>,
    received_at: Timestamp,
    /// Milliseconds of the instant until which the message is known to be held.
    until: AtomicU64,
    /// When the lease is next due, in milliseconds.
    renew_at: AtomicU64,
    /// Until when the lease may be renewed, in milliseconds.
    renew_until: AtomicU64,
    lost: Notify,
    /// Its message is being settled, so that a refused renewal does not mean a lost lease.
    settling: AtomicBool,
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
                until: AtomicU64::new(until.as_millis()),
                renew_at: AtomicU64::new(renew_at.as_millis()),
                renew_until: AtomicU64::new(u64::MAX),
                lost: Notify::default(),
                settling: AtomicBool::new(false),
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
        now.is_some_and(|now| self.is_held_at(now))
    }

    pub(super) fn is_held_at(&self, now: Timestamp) -> bool {
        !self.is_lost() && now < self.held_until()
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

    /// Until when the message is known to be held.
    pub(super) fn held_until(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.until.load(Ordering::Relaxed))
    }

    pub(super) fn received_at(&self) -> Timestamp {
        self.inner.received_at
    }

    /// When the lease is next due for renewal.
    pub(super) fn renew_at(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.renew_at.load(Ordering::Relaxed))
    }

    /// Sets when the lease is next due; `false` if it is not renewed any more.
    pub(super) fn set_renew_at(&self, at: Timestamp) -> bool {
        let kept = |renew_at| (renew_at != NO_RENEWAL).then_some(at.as_millis());
        let set = self
            .inner
            .renew_at
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, kept);
        set.is_ok()
    }

    /// Ends the renewal of the lease: the message is about to be settled or given back.
    pub(super) fn stop_renewal(&self) {
        self.inner.renew_at.store(NO_RENEWAL, Ordering::Release);
    }

    pub(super) fn renewal_stopped(&self) -> bool {
        self.inner.renew_at.load(Ordering::Acquire) == NO_RENEWAL
    }

    /// Until when the lease may be renewed.
    pub(super) fn renew_until(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.renew_until.load(Ordering::Relaxed))
    }

    pub(super) fn set_renew_until(&self, at: Timestamp) {
        self.inner.renew_until.store(at.as_millis(), Ordering::Relaxed);
    }

    pub(super) fn hold_until(&self, until: Timestamp) {
        self.inner.until.store(until.as_millis(), Ordering::Relaxed);
    }

    /// Marks the message as being settled: from now on a refused renewal does not mean a lost lease.
    pub(super) fn settle(&self) {
        self.inner.settling.store(true, Ordering::Release);
    }

    pub(super) fn is_settling(&self) -> bool {
        self.inner.settling.load(Ordering::Acquire)
    }

    /// Whether the lease is known to be lost.
    pub(super) fn is_lost(&self) -> bool {
        self.inner.lost.is_notified()
    }

    /// Marks the lease as lost; returns whether it was not yet.
    pub(super) fn mark_lost(&self) -> bool {
        self.inner.lost.notify()
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
        self.job.inner.lost.poll_notified(context)
    }
}
