//! Clocks: they tell the time, and wake those who wait for an instant.
//!
//! A [`Clock`] tells the time and also waits for it; otherwise virtual time could not wake a sleeper. [`SystemClock`]
//! is the machine's time, [`ManualClock`] moves only when told to. Outside `clock/` nothing in this crate
//! reads the machine's time, and no code here knows what a queue is.

#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
mod fresh;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(miri))))]
mod fresh {
    #[inline]
    pub(super) fn millis(read: impl FnOnce() -> u64) -> u64 {
        read()
    }

    pub(super) fn publish(millis: u64) -> u64 {
        millis
    }
}
#[cfg(feature = "worker")]
mod block_on;
mod manual;
mod parker;
#[cfg(feature = "aws-sdk")]
mod sdk;
mod system;
mod timer;
#[cfg(any(feature = "aws-sdk", feature = "worker"))]
mod until;
mod wall;

#[cfg(feature = "worker")]
pub(crate) use block_on::{block_on, give_way};
pub use manual::ManualClock;
pub use parker::Parker;
#[cfg(feature = "aws-sdk")]
pub use sdk::SdkClock;
pub use system::SystemClock;
#[cfg(any(feature = "aws-sdk", feature = "worker"))]
pub(crate) use until::Until;

use std::{fmt, sync::Arc, task::Waker};

use crate::time::Timestamp;

/// Tells the time and waits for it.
///
/// [`SystemClock`] and [`ManualClock`] are the two that come with the crate; a clock of your own can be built on
/// [`Parker::park`], [`Parker::park_timeout`] and [`Alarm::new`], or by handing on to one of those two.
///
/// # Examples
/// A clock that lives an hour in the future:
/// ```
/// use requeue::{Alarm, Clock, ManualClock, Parker, Timestamp};
/// use std::{task::Waker, time::Duration};
///
/// const HOUR: Duration = Duration::from_secs(3600);
/// struct HourAhead<C>(C);
///
/// impl<C: Clock> Clock for HourAhead<C> {
///     fn now(&self) -> Timestamp {
///         self.0.now().saturating_add(HOUR)
///     }
///     fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
///         self.0.park_until(parker, deadline.map(|it| it.saturating_sub(HOUR)));
///     }
///     fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
///         self.0.wake_at(deadline.saturating_sub(HOUR), waker)
///     }
/// }
///
/// let noon = ManualClock::default();
/// assert_eq!(HourAhead(noon.clone()).now().saturating_duration_since(noon.now()), HOUR);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time, to the millisecond.
    fn now(&self) -> Timestamp;

    /// Blocks the calling thread until `parker` is unparked or `deadline` is reached; `None` waits without end.
    ///
    /// A wake that came before the call is not lost: the call takes it and returns at once, as it does for a
    /// deadline already reached. It may return for no reason at all, so a caller looks again at what it waits for. If
    /// it returns because of the deadline, [`now`](Self::now) is at or past it.
    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>);

    /// Wakes `waker` once `deadline` is reached; dropping the [`Alarm`] cancels it.
    ///
    /// A deadline already reached wakes too, possibly from within this call: hold no lock that the waker takes.
    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        (**self).park_until(parker, deadline);
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        (**self).wake_at(deadline, waker)
    }
}

/// A wake asked of a [`Clock`], cancelled by dropping it.
///
/// A wake that is already under way on another thread may still arrive just after the drop. The default alarm has
/// nothing to cancel.
///
/// # Examples
/// ```
/// use requeue::{Clock, ManualClock};
/// use std::{task::Waker, time::Duration};
///
/// let clock = ManualClock::default();
/// let due = clock.now().saturating_add(Duration::from_secs(5));
/// let alarm = clock.wake_at(due, Waker::noop().clone());
/// assert_eq!(clock.next_deadline(), Some(due));
/// drop(alarm);
/// assert_eq!(clock.next_deadline(), None);
/// ```
#[derive(Default)]
#[must_use = "dropping an alarm cancels it"]
pub struct Alarm {
    cancel: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Alarm {
    /// An alarm that runs `cancel` when it is dropped, for clocks outside this crate.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
    ///
    /// let cancelled = Arc::new(AtomicBool::new(false));
    /// let flag = cancelled.clone();
    /// drop(requeue::Alarm::new(move || flag.store(true, Ordering::Relaxed)));
    /// assert!(cancelled.load(Ordering::Relaxed));
    /// ```
    pub fn new(cancel: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self {
            cancel: Some(Box::new(cancel)),
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            cancel();
        }
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    struct Call<F>(F);

    impl<F: Fn() + Send + Sync> Wake for Call<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    /// A waker that calls `f`.
    pub(super) fn waker_fn(f: impl Fn() + Send + Sync + 'static) -> Waker {
        Waker::from(Arc::new(Call(f)))
    }

    #[test]
    fn a_shared_clock_of_unknown_type_is_a_clock() {
        let manual = ManualClock::default();
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        let at = clock.now().saturating_add(std::time::Duration::from_secs(1));
        let alarm = Clock::wake_at(&clock, at, Waker::noop().clone());
        assert_eq!(manual.next_deadline(), Some(at));
        Clock::park_until(&clock, &Parker::new(), Some(Clock::now(&clock)));
        drop(alarm);
    }

    #[test]
    fn alarms_and_clocks_may_cross_threads() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Alarm>();
        crosses::<SystemClock>();
        crosses::<ManualClock>();
    }
}
