//! The system clock; no other file reads the machine's time.

use std::{
    sync::LazyLock,
    task::Waker,
    time::{Duration, Instant, SystemTime},
};

use super::{
    Alarm, Clock, Parker, fresh, timer,
    wall::{Follower, Machine},
};
use crate::time::Timestamp;

/// The machine's time: a monotonic clock that follows the wall clock.
///
/// It never runs backwards, on any thread, and the wall is looked at every 10 ms of use. If the wall was set forward, or
/// the machine was suspended, the clock shows that within 10 ms of use. If the wall was set back, the clock goes on, slower by a
/// tenth, until the wall has caught up: ten times as long as the wall was set back by. What waits for a deadline looks at
/// the time every 10 s at least, so that after a step it ends not more than 10 s late. All values of this type are the
/// same clock.
///
/// Blocked threads wait without help. The first [`wake_at`](Clock::wake_at) in the process starts one thread,
/// `requeue-timer`, which sleeps whenever nothing is due.
///
/// # Examples
/// ```
/// use requeue::{Clock, SystemClock};
///
/// let clock = SystemClock::new();
/// let before = clock.now();
/// assert!(clock.now() >= before);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SystemClock {
    _private: (),
}

/// The longest sleep between two looks at the time, which may have been set forward.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

static FOLLOWER: Follower = Follower::new();
static START: LazyLock<Instant> = LazyLock::new(Real::instant);

/// The machine that this program runs on.
struct Real;

impl Real {
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    fn instant() -> Instant {
        Instant::now()
    }
}

impl Machine for Real {
    fn monotonic(&self) -> u64 {
        let start = *START;
        micros(Self::instant().saturating_duration_since(start))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn wall(&self) -> u64 {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        micros(wall.unwrap_or_default())
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

impl SystemClock {
    /// The machine's time.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, SystemClock, Timestamp};
    /// let start_of_2020 = Timestamp::from_millis(1_577_836_800_000);
    /// assert!(SystemClock::new().now() > start_of_2020);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For how long to sleep before looking again whether [`now`](Clock::now) is at or past `deadline`; `None` if it is.
    pub(super) fn remaining(deadline: Timestamp) -> Option<Duration> {
        let now = FOLLOWER.micros(&Real);
        let remaining = deadline.as_millis().saturating_mul(1_000).saturating_sub(now);
        if remaining == 0 {
            // A reading from before the deadline may still be fresh.
            fresh::publish(now / 1_000);
            return None;
        }
        Some(Duration::from_micros(remaining).min(LONGEST_SLEEP))
    }
}

impl Timestamp {
    /// The same point of the machine's calendar, its fraction of a millisecond dropped; `None` before the Unix epoch.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// # use std::time::{Duration, SystemTime};
    /// let at = SystemTime::UNIX_EPOCH + Duration::from_micros(1_500);
    /// assert_eq!(Timestamp::from_system_time(at), Some(Timestamp::from_millis(1)));
    /// assert_eq!(Timestamp::from_system_time(SystemTime::UNIX_EPOCH - Duration::from_millis(1)), None);
    /// ```
    #[must_use]
    pub fn from_system_time(at: SystemTime) -> Option<Self> {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(Self::ZERO.saturating_add(since))
    }

    /// The same point of the machine's calendar; `None` if the platform cannot represent it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// # use std::time::{Duration, SystemTime};
    /// let at = Timestamp::from_millis(1_500).to_system_time();
    /// assert_eq!(at, Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500)));
    /// ```
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.as_millis()))
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(fresh::millis(|| FOLLOWER.micros(&Real) / 1_000))
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        let Some(deadline) = deadline else {
            return parker.park();
        };
        while let Some(remaining) = Self::remaining(deadline) {
            if parker.park_timeout(remaining) {
                return;
            }
        }
        parker.take_wake();
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        timer::wake_at(deadline, waker)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use super::*;

    fn after(span: Duration) -> Timestamp {
        SystemClock::new().now().saturating_add(span)
    }

    #[test]
    fn time_never_runs_backwards_across_threads() {
        let latest = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let seen = latest.load(Ordering::SeqCst);
                        let now = SystemClock::new().now().as_millis();
                        assert!(seen <= now, "{seen} was seen before {now}");
                        latest.fetch_max(now, Ordering::SeqCst);
                    }
                });
            }
        });
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "compares the clock with the machine's")]
    fn time_is_that_of_the_wall_and_goes_with_the_monotonic_clock() {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let (instant, now) = (Instant::now(), SystemClock::new().now());
        let off = now.as_millis().abs_diff(wall.as_millis().try_into().unwrap());
        assert!(off < 10_000, "{off} ms from the wall, which no one has set meanwhile");

        SystemClock::new().park_until(&Parker::new(), Some(after(Duration::from_millis(20))));
        let (later, span) = (SystemClock::new().now(), instant.elapsed());
        let told = later.saturating_duration_since(now);
        assert!(told <= span + Duration::from_millis(1), "{told:?} in {span:?}");
    }

    #[test]
    fn parking_lasts_until_the_deadline_and_not_less() {
        let deadline = after(Duration::from_millis(5));
        SystemClock::new().park_until(&Parker::new(), Some(deadline));
        assert!(deadline <= SystemClock::new().now());
    }

    #[test]
    fn stray_unparks_do_not_end_a_park() {
        let deadline = after(Duration::from_millis(10));
        let parked = thread::current();
        let strays = thread::spawn(move || {
            while SystemClock::new().now() < deadline {
                parked.unpark();
                thread::yield_now();
            }
        });
        SystemClock::new().park_until(&Parker::new(), Some(deadline));
        assert!(deadline <= SystemClock::new().now());
        strays.join().unwrap();
    }

    #[test]
    fn a_wake_before_the_park_ends_one_park() {
        let parker = Parker::new();
        parker.waker().wake();
        SystemClock::new().park_until(&parker, None);
        let deadline = after(Duration::from_millis(5));
        SystemClock::new().park_until(&parker, Some(deadline));
        assert!(deadline <= SystemClock::new().now(), "the first park took the wake");
    }

    #[test]
    fn a_deadline_reached_ends_a_park_at_once_and_takes_the_wake() {
        let parker = Parker::new();
        parker.waker().wake();
        SystemClock::new().park_until(&parker, Some(Timestamp::ZERO));
        assert!(!parker.take_wake());
    }

    #[test]
    fn a_deadline_beyond_what_the_machine_can_hold_waits_for_the_wake() {
        let parker = Parker::new();
        for deadline in [Timestamp::MAX, Timestamp::from_millis(u64::MAX / 2 + 1)] {
            let waker = parker.waker();
            let other = thread::spawn(move || {
                SystemClock::new().park_until(&Parker::new(), Some(after(Duration::from_millis(2))));
                waker.wake();
            });
            SystemClock::new().park_until(&parker, Some(deadline));
            other.join().unwrap();
        }
        assert_eq!(SystemClock::remaining(Timestamp::MAX), Some(LONGEST_SLEEP));
    }
}
