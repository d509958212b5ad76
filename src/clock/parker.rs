//! Blocks one thread until a [`Waker`] wakes it.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Wake, Waker},
    thread::{self, Thread, ThreadId},
    time::Duration,
};

use crate::sync::Mutex;

/// Parks the thread that made it until its waker is called; the thread's half of
/// [`Clock::park_until`](crate::Clock::park_until).
///
/// A wake that comes before the park is kept, once, and ends the next park at once. A `Parker` stays on its thread;
/// its wakers go anywhere.
///
/// # Examples
/// ```
/// use requeue::{Clock, Parker, SystemClock};
///
/// let parker = Parker::new();
/// let waker = parker.waker();
/// let other = std::thread::spawn(move || waker.wake());
/// SystemClock::new().park_until(&parker, None); // returns because of the wake, whichever comes first
/// assert!(other.join().is_ok());
/// ```
pub struct Parker {
    shared: Arc<ParkerState>,
    /// Neither `Send` nor `Sync`: only the thread that is unparked may park.
    on_its_thread: PhantomData<*const ()>,
}

struct ParkerState {
    id: ParkerId,
    thread: Thread,
    /// A wake that no park has taken yet.
    notified: AtomicBool,
    /// The clock in which this parker last parked, if it wants to know about wakes.
    watcher: Mutex<Option<Arc<dyn Watcher>>>,
}

/// Tells one parker from another, for as long as the process lives.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ParkerId(u64);

/// A clock that follows which of its parkers run.
///
/// Called with no lock held. For a parker that is `watched` before it checks [`Parker::take_wake`], every wake is
/// either seen by that check or reported after it.
pub(super) trait Watcher: Send + Sync {
    /// The waker of `parker` is being called; once this returns, the wake has been taken note of.
    fn on_wake(&self, parker: ParkerId);
    /// `parker` is gone, or parks in another clock.
    fn on_leave(&self, parker: ParkerId);
}

impl Parker {
    /// A parker for the calling thread.
    ///
    /// # Examples
    /// ```
    /// let parker = requeue::Parker::new();
    /// parker.waker().wake();
    /// parker.park(); // returns at once: the wake was kept
    /// assert!(!parker.park_timeout(std::time::Duration::ZERO)); // and taken by that park
    /// ```
    #[must_use]
    pub fn new() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            shared: Arc::new(ParkerState {
                id: ParkerId(NEXT_ID.fetch_add(1, Ordering::Relaxed)),
                thread: thread::current(),
                notified: AtomicBool::new(false),
                watcher: Mutex::new(None),
            }),
            on_its_thread: PhantomData,
        }
    }

    /// A waker that unparks this thread, now or the next time it parks.
    ///
    /// # Examples
    /// ```
    /// let parker = requeue::Parker::new();
    /// assert!(parker.waker().will_wake(&parker.waker()));
    /// assert!(!parker.waker().will_wake(&requeue::Parker::new().waker()));
    /// ```
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.shared))
    }

    /// Blocks until the waker is called, in the machine's time; for clocks outside this crate.
    ///
    /// # Examples
    /// ```
    /// let parker = requeue::Parker::new();
    /// let waker = parker.waker();
    /// let other = std::thread::spawn(move || waker.wake());
    /// parker.park();
    /// assert!(other.join().is_ok());
    /// ```
    pub fn park(&self) {
        while !self.take_wake() {
            thread::park();
        }
    }

    /// Blocks until the waker is called or about `timeout` of the machine's time is over; true if it was called.
    ///
    /// It may return false early. Any `timeout` is allowed; one too long for the machine waits without end.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// let parker = requeue::Parker::new();
    /// assert!(!parker.park_timeout(Duration::from_millis(1)));
    /// parker.waker().wake();
    /// assert!(parker.park_timeout(Duration::MAX));
    /// ```
    #[must_use = "false may mean an early return"]
    pub fn park_timeout(&self, timeout: Duration) -> bool {
        if self.take_wake() {
            return true;
        }
        thread::park_timeout(timeout);
        self.take_wake()
    }

    /// Takes the kept wake, if there is one.
    pub(super) fn take_wake(&self) -> bool {
        self.shared.notified.swap(false, Ordering::AcqRel)
    }

    /// From the return of this call on, `watcher` hears of every wake; a watcher before it hears that this one left.
    pub(super) fn watch(&self, watcher: Arc<dyn Watcher>) {
        let before = {
            let mut slot = self.shared.watcher.lock();
            if slot.as_ref().is_some_and(|it| Arc::ptr_eq(it, &watcher)) {
                return;
            }
            slot.replace(watcher)
        };
        if let Some(before) = before {
            before.on_leave(self.shared.id);
        }
    }

    pub(super) fn id(&self) -> ParkerId {
        self.shared.id
    }

    pub(super) fn thread_id(&self) -> ThreadId {
        self.shared.thread.id()
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        let watcher = self.shared.watcher.lock().take();
        if let Some(watcher) = watcher {
            watcher.on_leave(self.shared.id);
        }
    }
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker")
            .field("thread", &self.shared.thread)
            .field("notified", &self.shared.notified.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Wake for ParkerState {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// The flag is set before the watcher is read: a parker that begins to be watched in between sees the flag.
    fn wake_by_ref(self: &Arc<Self>) {
        self.notified.store(true, Ordering::Release);
        let watcher = self.watcher.lock().clone();
        if let Some(watcher) = watcher {
            watcher.on_wake(self.id);
        }
        self.thread.unpark();
    }
}
