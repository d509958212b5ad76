//! The machine's time; no other file reads it.

use std::{
    sync::LazyLock,
    task::Waker,
    time::{Duration, Instant, SystemTime},
};

use super::{Alarm, Clock, Parker, timer};
use crate::Timestamp;

/// The machine's time: the wall clock read once per process, plus a monotonic span.
///
/// It never runs backwards, on any thread, and setting the machine's wall clock does not move it. All values of this
/// type are the same clock. Time that the machine spends suspended may not count, as for [`Instant`].
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

/// The one reading of the wall clock.
struct Origin {
    instant: Instant,
    /// What the wall showed at `instant`, since the Unix epoch; zero for a wall set before it.
    wall: Duration,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(Origin::read);

impl Origin {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn read() -> Self {
        let instant = Instant::now();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { instant, wall }
    }
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

    /// How long until [`now`](Clock::now) is at or past `deadline`; `None` if it is.
    pub(super) fn remaining(deadline: Timestamp) -> Option<Duration> {
        Duration::from_millis(deadline.as_millis()).checked_sub(since_unix_epoch()).filter(|it| !it.is_zero())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
fn since_unix_epoch() -> Duration {
    let origin = &*ORIGIN;
    origin.wall + Instant::now().saturating_duration_since(origin.instant)
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        let since = since_unix_epoch();
        Timestamp::from_millis(since.as_secs() * 1000 + u64::from(since.subsec_millis()))
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
