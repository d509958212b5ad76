//! A clock as the time source and sleep of the AWS SDK.

use {
    super::{Clock, Until},
    crate::time::Timestamp,
    aws_smithy_async::{
        future::timeout::{TimedOutError, Timeout},
        rt::sleep::{AsyncSleep, Sleep},
        time::TimeSource,
    },
    std::{
        fmt,
        future::Future,
        sync::Arc,
        time::{Duration, SystemTime},
    },
};

/// 9999-01-01T00:00:00Z. The SDK writes dates with four digits for the year, and fails on later ones.
const LAST_DATE: Timestamp = Timestamp::from_millis(253_370_764_800_000);
/// What rounds a span up to whole milliseconds.
const ALMOST_A_MILLISECOND: Duration = Duration::from_nanos(999_999);

/// A [`Clock`] for `sleep_impl` and `time_source` of the AWS SDK, so that its timeouts and retries keep the time of the
/// queues.
///
/// A sleep lasts at least as long as asked for, in whole milliseconds, and needs no particular executor. Dates from the
/// year 9999 on are all shown as its first day.
///
/// # Examples
/// ```
/// use aws_sdk_sqs::config::{AsyncSleep, retry::RetryConfig};
/// use requeue::{Clock, ManualClock, aws::SdkClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let sleep = SdkClock::new(clock.clone()).sleep(Duration::from_secs(5));
/// clock.advance(Duration::from_secs(5));
/// pollster::block_on(sleep); // is over
/// ```
#[derive(Clone)]
pub struct SdkClock {
    clock: Arc<dyn Clock>,
}

impl SdkClock {
    /// Shows the time of `clock`.
    ///
    /// # Examples
    /// ```
    /// use aws_smithy_async::time::TimeSource;
    /// use requeue::{ManualClock, Timestamp, aws::SdkClock};
    /// use std::time::SystemTime;
    ///
    /// let clock = SdkClock::new(ManualClock::at(Timestamp::ZERO));
    /// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn new(clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock) }
    }

    /// Gives `call` no more than `span` from now.
    pub(crate) fn within<T>(
        self,
        span: Option<Duration>,
        call: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, TimedOutError>> {
        let end = span.map(|span| self.sleep(span));
        async {
            match end {
                Some(end) => Timeout::new(call, end).await,
                None => Ok(call.await),
            }
        }
    }
}

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.clock.now().min(LAST_DATE).as_millis())
    }
}

impl AsyncSleep for SdkClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        let span = duration.saturating_add(ALMOST_A_MILLISECOND);
        Sleep::new(Until::new(&self.clock, self.clock.now().saturating_add(span)))
    }
}

impl fmt::Debug for SdkClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkClock").field("now", &self.clock.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use {
        super::{
            super::{ManualClock, SystemClock},
            *,
        },
        std::{
            pin::Pin,
            sync::atomic::{AtomicUsize, Ordering},
            task::{Context, Poll, Wake, Waker},
        },
    };

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(sleep: &mut Sleep, waker: &Waker) -> Poll<()> {
        Pin::new(sleep).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn a_sleep_ends_at_its_deadline_and_not_before() {
        let clock = ManualClock::default();
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut sleep = SdkClock::new(clock.clone()).sleep(Duration::from_micros(1_999_001));
        assert_eq!(poll(&mut sleep, &waker), Poll::Pending);
        clock.advance(Duration::from_millis(1_999));
        assert_eq!(
            (poll(&mut sleep, &waker), woken.0.load(Ordering::Relaxed)),
            (Poll::Pending, 0)
        );
        clock.advance(Duration::from_millis(1));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "polled twice, woken once");
        assert_eq!(poll(&mut sleep, &waker), Poll::Ready(()));
    }

    #[test]
    fn a_sleep_that_is_over_or_dropped_leaves_no_alarm() {
        let clock = ManualClock::default();
        let mut sleeps = [1, 2].map(|secs| SdkClock::new(clock.clone()).sleep(Duration::from_secs(secs)));
        for sleep in &mut sleeps {
            assert_eq!(poll(sleep, Waker::noop()), Poll::Pending);
        }
        clock.set(clock.now().saturating_add(Duration::from_secs(1)));
        let [mut over, dropped] = sleeps;
        assert_eq!(poll(&mut over, Waker::noop()), Poll::Ready(()));
        assert!(clock.next_deadline().is_some());
        drop(dropped);
        assert_eq!(clock.next_deadline(), None);
    }

    #[test]
    fn a_sleep_of_no_time_is_over_and_one_of_all_time_ends_with_it() {
        let clock = ManualClock::default();
        let sdk = SdkClock::new(clock.clone());
        assert_eq!(poll(&mut sdk.sleep(Duration::ZERO), Waker::noop()), Poll::Ready(()));
        let mut endless = sdk.sleep(Duration::MAX);
        assert_eq!(poll(&mut endless, Waker::noop()), Poll::Pending);
        clock.advance(Duration::MAX);
        assert_eq!(poll(&mut endless, Waker::noop()), Poll::Ready(()));
    }

    #[test]
    fn a_sleep_of_the_machines_clock_ends_by_itself() {
        let (clock, span) = (SystemClock::new(), Duration::from_millis(5));
        let start = clock.now();
        pollster::block_on(SdkClock::new(clock).sleep(span));
        assert!(clock.now().saturating_duration_since(start) >= span);
    }

    #[test]
    fn dates_that_the_sdk_cannot_write_are_not_shown() {
        let show = |at| SdkClock::new(ManualClock::at(at)).now();
        let last = SystemTime::UNIX_EPOCH + Duration::from_millis(LAST_DATE.as_millis());
        assert_eq!(
            show(Timestamp::from_millis(1)),
            SystemTime::UNIX_EPOCH + Duration::from_millis(1)
        );
        assert_eq!((show(LAST_DATE), show(Timestamp::MAX)), (last, last));
    }
}
