//! Counters of a runner, for its report and, with the feature `metrics`, for the installed recorder.

use {super::report::RunnerReport, std::time::Duration};

/// Declares each count with its field of the report.
macro_rules! counts {
    ($($count:ident $field:ident,)+) => {
        /// A counter; see the fields of [`RunnerReport`].
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Count {
            $($count,)+
        }

        impl Count {
            const ALL: &[Self] = &[$(Self::$count,)+];

            /// The middle part of the metric's name.
            #[cfg(feature = "metrics")]
            const fn name(self) -> &'static str {
                match self {
                    $(Self::$count => stringify!($field),)+
                }
            }

            const fn of(self, report: &mut RunnerReport) -> &mut u64 {
                match self {
                    $(Self::$count => &mut report.$field,)+
                }
            }
        }
    };
}

counts! {
    Received received,
    Retries retries,
    Succeeded succeeded,
    Failed failed,
    Panicked panicked,
    TimedOut timed_out,
    DeadLettered dead_lettered,
    Discarded discarded,
    Postponed postponed,
    OutOfOrder out_of_order,
    Lost lost,
    NotDeleted not_deleted,
    GivenBack given_back,
    Abandoned abandoned,
    Heartbeats heartbeats,
    ReceiveErrors receive_errors,
}

/// The counts that one handler call adds.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    counts: [u64; Count::ALL.len()],
}

impl Outcome {
    pub(super) const fn add(&mut self, what: Count, number: u64) {
        self.counts[what as usize] += number;
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }
}

/// All counters of a runner.
#[derive(Debug)]
pub(super) struct Counters {
    report: RunnerReport,
    #[cfg(feature = "metrics")]
    meters: Meters,
}

impl Counters {
    /// Counters at zero, for a runner on the queue with this URL.
    #[cfg_attr(
        not(feature = "metrics"),
        expect(unused_variables, reason = "metrics carry the queue's name")
    )]
    pub(super) fn new(queue_url: &str) -> Self {
        Self {
            report: RunnerReport::new(),
            #[cfg(feature = "metrics")]
            meters: Meters::new(queue_url),
        }
    }

    pub(super) fn add(&mut self, what: Count, number: u64) {
        *what.of(&mut self.report) += number;
        #[cfg(feature = "metrics")]
        self.meters.counters[what as usize].increment(number);
    }

    pub(super) fn add_all(&mut self, outcome: &Outcome) {
        for (what, number) in Count::ALL.iter().zip(outcome.counts).filter(|(_, number)| *number > 0) {
            self.add(*what, number);
        }
    }

    /// Counts jobs that no handler will begin, and that are still in flight.
    pub(super) const fn not_begun(&mut self, number: usize) {
        self.report.not_given_back += number as u64;
    }

    /// Counts jobs that no handler will begin as given back to the queue.
    pub(super) fn given_back(&mut self, number: usize) {
        // Abandoned jobs count only as abandoned.
        let number = self.report.not_given_back.min(number as u64);
        self.add(Count::GivenBack, number);
        self.report.not_given_back -= number;
    }

    /// Counts a received message by its receive count.
    pub(super) fn received(&mut self, receive_count: u32) {
        self.add(Count::Received, 1);
        if receive_count > 1 {
            self.add(Count::Retries, 1);
        }
        self.report.receives.record(receive_count.into());
        #[cfg(feature = "metrics")]
        self.meters.receives.record(receive_count);
    }

    /// Records the time from a message's send to the start of its handler.
    pub(super) fn waited(&mut self, span: Duration) {
        self.report.queue_wait.record_span(span);
        #[cfg(feature = "metrics")]
        self.meters.queue_wait.record(span);
    }

    /// Records how long a handler took for a message.
    pub(super) fn handled(&mut self, span: Duration) {
        self.report.handling_time.record_span(span);
        #[cfg(feature = "metrics")]
        self.meters.handling_time.record(span);
    }

    pub(super) const fn messages_received(&self) -> u64 {
        self.report.received
    }

    pub(super) fn report(&self) -> RunnerReport {
        self.report.settled()
    }
}

/// The same counters in the `metrics` facade.
#[cfg(feature = "metrics")]
struct Meters {
    /// In the order of [`Count::ALL`].
    counters: Vec<metrics::Counter>,
    queue_wait: metrics::Histogram,
    handling_time: metrics::Histogram,
    receives: metrics::Histogram,
}

#[cfg(feature = "metrics")]
impl Meters {
    fn new(queue_url: &str) -> Self {
        let queue = crate::backend::queue_name(queue_url).into_owned();
        let counter = |count: &Count| {
            let name = format!("requeue_worker_{}_total", count.name());
            metrics::counter!(name, "queue" => queue.clone())
        };
        Self {
            counters: Count::ALL.iter().map(counter).collect(),
            queue_wait: metrics::histogram!("requeue_worker_queue_wait_seconds", "queue" => queue.clone()),
            handling_time: metrics::histogram!("requeue_worker_handling_time_seconds", "queue" => queue.clone()),
            receives: metrics::histogram!("requeue_worker_receives", "queue" => queue.clone()),
        }
    }
}

#[cfg(feature = "metrics")]
impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}
