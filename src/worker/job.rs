//! Jobs: messages given to handlers, each with the lease on its message.

use {
    super::{notify::Notify, received::ReceivedMessage},
    crate::{
        clock::Clock,
        queue::Message,
        sync::{Mutex, contain},
        time::Timestamp,
    },
    std::{
        fmt,
        future::Future,
        mem,
        ops::Deref,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicU8, AtomicU64, Ordering},
        },
        task::{Context, Poll, Waker},
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

/// A renewal has been called and not answered.
const RENEWING: u8 = 1;
/// The message is being settled: no renewal may be called meanwhile.
const SETTLING: u8 = 2;
/// No renewal may be called any more.
const RENEWAL_STOPPED: u8 = 4;
/// A delete may have reached the queue, so that a refused renewal does not mean a lost lease.
const DELETE_CALLED: u8 = 8;
/// The handler has answered, and what becomes of the message is decided.
const DECIDED: u8 = 16;

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
    /// Which calls for the message are under way or allowed.
    ///
    /// Invariant: a renewal is called only while neither `SETTLING` nor `RENEWAL_STOPPED` is set, and whoever sets one of
    /// them waits until `RENEWING` is cleared or the lease ends.
    calls: AtomicU8,
    /// Who waits for the answer to the renewal.
    renewal_waiters: Mutex<Vec<Waker>>,
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
                calls: AtomicU8::new(0),
                renewal_waiters: Mutex::default(),
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

    pub(super) fn set_renew_at(&self, at: Timestamp) {
        self.inner.renew_at.store(at.as_millis(), Ordering::Relaxed);
    }

    /// Ends the renewal of the lease for good: the message is about to be hidden, moved or given back.
    pub(super) fn stop_renewal(&self) {
        self.inner.calls.fetch_or(RENEWAL_STOPPED, Ordering::AcqRel);
    }

    pub(super) fn renewal_stopped(&self) -> bool {
        self.inner.calls.load(Ordering::Acquire) & RENEWAL_STOPPED != 0
    }

    /// Marks a renewal as called; `false` if none may be called now.
    pub(super) fn begin_renewal(&self) -> bool {
        let calls = &self.inner.calls;
        let allowed = |calls| (calls & (RENEWING | SETTLING | RENEWAL_STOPPED) == 0).then_some(calls | RENEWING);
        calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, allowed).is_ok()
    }

    /// Marks the renewal as answered, after its answer has been applied.
    pub(super) fn end_renewal(&self) {
        self.inner.calls.fetch_and(!RENEWING, Ordering::AcqRel);
        let waiters = mem::take(&mut *self.inner.renewal_waiters.lock());
        for waiter in waiters {
            contain(|| waiter.wake());
        }
    }

    /// Whether a renewal has been called and not answered.
    pub(super) fn is_renewing(&self) -> bool {
        self.inner.calls.load(Ordering::Acquire) & RENEWING != 0
    }

    /// Completes when no renewal is under way.
    pub(super) fn poll_renewed(&self, context: &Context<'_>) -> Poll<()> {
        let mut waiters = self.inner.renewal_waiters.lock();
        // Checked under the lock: `end_renewal` clears the mark before it takes the waiters.
        if !self.is_renewing() {
            return Poll::Ready(());
        }
        if !waiters.iter().any(|waiter| waiter.will_wake(context.waker())) {
            waiters.push(context.waker().clone());
        }
        Poll::Pending
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

    /// Marks the message as being settled, so that no renewal is called; returns whether one is under way.
    pub(super) fn settle(&self) -> bool {
        self.inner.calls.fetch_or(SETTLING, Ordering::AcqRel) & RENEWING != 0
    }

    /// Marks what becomes of the message as decided, though other messages of its batch may be settled first.
    pub(super) fn decide(&self) {
        self.inner.calls.fetch_or(DECIDED, Ordering::AcqRel);
    }

    /// Whether what becomes of the message is decided.
    pub(super) fn is_decided(&self) -> bool {
        self.inner.calls.load(Ordering::Acquire) & (SETTLING | DELETE_CALLED | DECIDED) != 0
    }

    /// Marks a delete as called: it may have reached the queue, whatever it answers.
    pub(super) fn delete_called(&self) {
        self.inner.calls.fetch_or(DELETE_CALLED, Ordering::AcqRel);
    }

    pub(super) fn is_delete_called(&self) -> bool {
        self.inner.calls.load(Ordering::Acquire) & DELETE_CALLED != 0
    }

    /// Allows renewals between a failed delete and the next.
    pub(super) fn pause_settling(&self) {
        self.inner.calls.fetch_and(!SETTLING, Ordering::AcqRel);
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
