//! A job in the hands of a handler, and the lease on its message.

use {
    super::{bell::Bell, received::ReceivedMessage},
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
/// It reads as its [`ReceivedMessage`], and knows whether the message is still held: the runner's heartbeat renews the
/// visibility timeout of every job in hand, and when that fails the message may be in other hands.
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{Job, Runner}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// jobs.send("resize cat.png")?;
/// let runner = Runner::builder(&jobs).until_empty().each(|job: &Job| {
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

/// The heartbeat has let go of the job.
const LET_GO: u64 = u64::MAX;

struct Inner {
    message: ReceivedMessage,
    /// `None` for that of the message's queue: one count less that all threads share.
    clock: Option<Arc<dyn Clock>>,
    received_at: Timestamp,
    /// Milliseconds of the instant until which the message is known to be held.
    until: AtomicU64,
    /// When the heartbeat is to look again, in milliseconds.
    beat: AtomicU64,
    /// Until when the heartbeat may go on, in milliseconds.
    renew_until: AtomicU64,
    lost: Bell,
    /// Its message is being settled, so that it may be gone by our own doing.
    settling: AtomicBool,
}

impl Job {
    pub(super) fn new(
        message: ReceivedMessage,
        clock: Option<Arc<dyn Clock>>,
        received_at: Timestamp,
        until: Timestamp,
        beat: Timestamp,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                message,
                clock,
                received_at,
                until: AtomicU64::new(until.as_millis()),
                beat: AtomicU64::new(beat.as_millis()),
                renew_until: AtomicU64::new(u64::MAX),
                lost: Bell::default(),
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
    /// let runner = Runner::builder(&jobs).until_empty().each(|job: &Job| {
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
    /// the queue does not tell when a timeout ends, it counts from the answer to the receive, and so ends late by the
    /// answer's way.
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
    /// let runner = Runner::builder(&jobs).heartbeat(false).until_empty().each(move |job: &Job| {
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

    /// Is over once the message is not held any more: what a handler watches to cancel its work.
    ///
    /// It stays pending as long as the heartbeat holds the message, so it is for a `select!` beside the work.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_empty().each_async(|job: Job| async move {
    ///     let (work, lost) = (std::pin::pin!(std::future::ready(())), job.lost());
    ///     match futures_util::future::select(work, lost).await {
    ///         futures_util::future::Either::Left(_) => Ok(()),
    ///         futures_util::future::Either::Right(_) => Err("somebody else may do it"),
    ///     }
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lost(&self) -> Lost {
        Lost { job: self.clone() }
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

    /// When the heartbeat is to look at it again.
    pub(super) fn beat_at(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.beat.load(Ordering::Relaxed))
    }

    /// Says whether the heartbeat is still to look at it.
    pub(super) fn set_beat(&self, at: Timestamp) -> bool {
        let kept = |beat| (beat != LET_GO).then_some(at.as_millis());
        let set = self.inner.beat.fetch_update(Ordering::AcqRel, Ordering::Acquire, kept);
        set.is_ok()
    }

    /// The heartbeat is not to look at it any more: what becomes of the message is said otherwise.
    pub(super) fn let_go(&self) {
        self.inner.beat.store(LET_GO, Ordering::Release);
    }

    pub(super) fn is_let_go(&self) -> bool {
        self.inner.beat.load(Ordering::Acquire) == LET_GO
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

    /// From here on the queue may know the message no more without its being lost.
    pub(super) fn settle(&self) {
        self.inner.settling.store(true, Ordering::Release);
    }

    pub(super) fn is_settling(&self) -> bool {
        self.inner.settling.load(Ordering::Acquire)
    }

    /// Whether the loss of the message has been noticed.
    pub(super) fn is_lost(&self) -> bool {
        self.inner.lost.is_rung()
    }

    /// Notices that the message is not held any more; says whether that is news.
    pub(super) fn lose(&self) -> bool {
        self.inner.lost.ring()
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

/// Waits for the loss of a message, by [`Job::lost`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Lost {
    job: Job,
}

impl Future for Lost {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.job.inner.lost.poll_rung(context)
    }
}
