//! Reports of runners: counters and distributions.

use {
    hdrhistogram::Histogram,
    std::{fmt, time::Duration},
};

/// The longest span recorded: 14 days, the longest retention of a message.
const MAX_MILLIS: u64 = 14 * 24 * 60 * 60 * 1_000;

/// What a runner has done so far, or in its whole life.
///
/// Each job received counts once: `received` is the sum of `succeeded`, `failed`, `postponed`, `out_of_order`,
/// `not_deleted`, `given_back`, `not_given_back` and `abandoned`, and of `in_progress` and `backlog`, which are 0 once
/// the runner has ended.
///
/// As text it is a few lines for people.
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{Job, Runner}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let _ = jobs.send_batch(["1", "two", "3"])?;
/// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| job.body().parse::<u32>().map(drop))?;
/// let report = runner.blocking()?;
/// assert_eq!((report.received, report.succeeded, report.failed), (3, 2, 1));
/// assert_eq!(report.handling_time.count(), 3);
/// assert!(report.to_string().starts_with("ended: concurrency 1, 0 in progress, 0 in the backlog\n3 received"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunnerReport {
    /// What the runner does now.
    pub state: RunnerState,
    /// How many handlers run at the same time at most.
    pub concurrency: usize,
    /// Jobs whose handlers are running, or whose messages are being settled; not those whose synchronous handler runs on
    /// after its timeout, which have failed.
    pub in_progress: usize,
    /// Jobs received that no handler has begun.
    pub backlog: usize,
    /// Messages received.
    pub received: u64,
    /// Of those, the messages that had been received before.
    pub retries: u64,
    /// Jobs whose handler succeeded, and whose message was deleted.
    pub succeeded: u64,
    /// Jobs whose handler answered an error, did not end in time or panicked, or whose body could not be loaded.
    pub failed: u64,
    /// Of the failed, those whose handler panicked.
    pub panicked: u64,
    /// Of the failed, those whose handler did not end in time.
    pub timed_out: u64,
    /// Of the failed, those sent to the dead-letter queue at once.
    pub dead_lettered: u64,
    /// Of the failed, those deleted because the handler said so, or because their payload is gone.
    pub discarded: u64,
    /// Jobs whose handler answered [`Failure::retry_after`](super::Failure::retry_after), which is no failure.
    pub postponed: u64,
    /// Jobs of a batch that go back because an earlier one of their message group was not done (E21).
    pub out_of_order: u64,
    /// Jobs whose lease was lost before they were settled: it expired, or a renewal was refused.
    pub lost: u64,
    /// Jobs whose handler succeeded, and whose message could not be deleted while it was held.
    pub not_deleted: u64,
    /// Jobs that no handler had begun, given back to the queue: at the end, because an earlier one of their message group
    /// failed, because the limits of their group [put them off](super::RunnerBuilder::group_backlog), or because handlers
    /// that have timed out keep all threads.
    pub given_back: u64,
    /// Jobs that no handler had begun, and that come back when their visibility timeout ends: they were lost before, or
    /// giving them back failed or has not been answered.
    pub not_given_back: u64,
    /// Jobs whose handlers were running when the shutdown timeout ended. [`Runner::run`](super::Runner::run) cuts these
    /// off and gives their messages back, which is no failure: on an embedded queue the receive does not count, on Amazon
    /// SQS it does. On threads they run on; whatever they answer then counts as nothing else.
    pub abandoned: u64,
    /// Renewals of visibility timeouts.
    pub heartbeats: u64,
    /// Receives that failed.
    pub receive_errors: u64,
    /// From the send of a message to the beginning of its handler, or of the load of its body.
    pub queue_wait: Distribution,
    /// How long handlers took, and the loads of bodies before them; in a batch each message counts the time of the batch.
    pub handling_time: Distribution,
    /// How often each message received had been received, that time included.
    pub receives: Distribution,
}

impl RunnerReport {
    pub(super) fn new() -> Self {
        Self {
            state: RunnerState::Running,
            concurrency: 0,
            in_progress: 0,
            backlog: 0,
            received: 0,
            retries: 0,
            succeeded: 0,
            failed: 0,
            panicked: 0,
            timed_out: 0,
            dead_lettered: 0,
            discarded: 0,
            postponed: 0,
            out_of_order: 0,
            lost: 0,
            not_deleted: 0,
            given_back: 0,
            not_given_back: 0,
            abandoned: 0,
            heartbeats: 0,
            receive_errors: 0,
            queue_wait: Distribution::new(),
            handling_time: Distribution::new(),
            receives: Distribution::new(),
        }
    }

    /// The report with all recorded values in its distributions.
    pub(super) fn settled(&self) -> Self {
        let mut report = self.clone();
        for distribution in [&mut report.queue_wait, &mut report.handling_time, &mut report.receives] {
            distribution.settle();
        }
        report
    }
}

impl fmt::Display for RunnerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: concurrency {}, {} in progress, {} in the backlog",
            self.state, self.concurrency, self.in_progress, self.backlog
        )?;
        write!(
            f,
            "{} received ({} again), {} succeeded, {} failed",
            self.received, self.retries, self.succeeded, self.failed
        )?;
        let rare = [
            ("postponed", self.postponed),
            ("out of order", self.out_of_order),
            ("panicked", self.panicked),
            ("timed out", self.timed_out),
            ("dead-lettered", self.dead_lettered),
            ("discarded", self.discarded),
            ("lost", self.lost),
            ("not deleted", self.not_deleted),
            ("given back", self.given_back),
            ("not given back", self.not_given_back),
            ("abandoned", self.abandoned),
            ("receive errors", self.receive_errors),
        ];
        for (what, count) in rare.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        write!(
            f,
            "\nmedian, 99 %, longest: queue wait {}; handling time {}",
            Spans(&self.queue_wait),
            Spans(&self.handling_time)
        )
    }
}

/// The median, the 99 % quantile and the longest of spans.
struct Spans<'d>(&'d Distribution);

impl fmt::Display for Spans<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.count() == 0 {
            return f.write_str("none");
        }
        for (at, millis) in [self.0.quantile(0.5), self.0.quantile(0.99), self.0.max()]
            .into_iter()
            .enumerate()
        {
            f.write_str(if at > 0 { ", " } else { "" })?;
            match millis {
                0 => f.write_str("<1ms")?,
                _ => write!(f, "{:?}", Duration::from_millis(millis))?,
            }
        }
        Ok(())
    }
}

/// The state of a runner.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RunnerState {
    /// It works, or has not been started.
    Running,
    /// It begins and receives nothing new until it is resumed.
    Paused,
    /// It has been stopped, and lets handlers end and gives messages back.
    Stopping,
    /// It has ended, or was dropped while it ran.
    Ended,
}

impl fmt::Display for RunnerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        })
    }
}

/// The distribution of a quantity to two significant digits: durations in whole milliseconds, or counts.
#[derive(Clone)]
pub struct Distribution {
    histogram: Histogram<u64>,
    /// The latest value, and its repeats in a row that are not in the histogram yet.
    latest: u64,
    repeats: u64,
}

impl Distribution {
    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, MAX_MILLIS, 2);
        Self {
            histogram: histogram.expect("invariant: the bounds are in order and two digits are allowed"),
            latest: 0,
            repeats: 0,
        }
    }

    /// Quick handlers take the same time to the millisecond, so that most calls only count a repeat.
    pub(super) fn record(&mut self, value: u64) {
        if value != self.latest {
            self.settle();
            self.latest = value;
        }
        self.repeats += 1;
    }

    fn settle(&mut self) {
        let repeats = std::mem::take(&mut self.repeats);
        if repeats > 0 {
            self.histogram.saturating_record_n(self.latest, repeats);
        }
    }

    pub(super) fn record_span(&mut self, span: Duration) {
        self.record(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    }

    /// How many there are.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::{Job, Runner}};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
    /// assert_eq!(runner.blocking()?.queue_wait.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The mean; 0 if there are none.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::{Job, Runner}};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
    /// assert_eq!(runner.blocking()?.receives.mean(), 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.histogram.mean()
    }

    /// The number that this part of them, 0 to 1, does not exceed; 0 if there are none.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::{Job, Runner}};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
    /// assert_eq!(runner.blocking()?.receives.quantile(0.99), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, part: f64) -> u64 {
        self.histogram.value_at_quantile(part)
    }

    /// The largest; 0 if there are none.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::{Job, Runner}};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
    /// assert_eq!(runner.blocking()?.handling_time.max(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max(&self) -> u64 {
        self.histogram.max()
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution")
            .field("count", &self.count())
            .field("mean", &self.mean())
            .field("median", &self.quantile(0.5))
            .field("max", &self.max())
            .finish()
    }
}
