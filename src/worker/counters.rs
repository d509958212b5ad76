//! Counters of a runner, for its report and, with the feature `metrics`, for the installed recorder.

use {super::report::RunnerReport, std::time::Duration};

#[cfg(feature = "metrics")]
use super::meters::Meters;

/// Declares each count with its field of the report, and what its metric counts.
macro_rules! counts {
    ($($count:ident $field:ident $text:literal,)+) => {
        /// A counter; see the fields of [`RunnerReport`].
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Count {
            $($count,)+
        }

        impl Count {
            pub(super) const ALL: &[Self] = &[$(Self::$count,)+];

            /// The name of the metric, and what it counts.
            #[cfg(feature = "metrics")]
            pub(super) const fn metric(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$count => (concat!("requeue_worker_", stringify!($field), "_total"), $text),)+
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
    Received received "messages received",
    Retries retries "of the received, messages that had been received before",
    Succeeded succeeded "jobs done, and their messages deleted",
    Failed failed "jobs whose handler answered an error, panicked or did not end in time",
    Panicked panicked "of the failed, jobs whose handler panicked",
    TimedOut timed_out "of the failed, jobs whose handler did not end in time",
    DeadLettered dead_lettered "of the failed, messages sent to the dead-letter queue at once",
    Discarded discarded "of the failed, messages deleted because the handler said so",
    Postponed postponed "jobs that their handler put off, which is no failure",
    OutOfOrder out_of_order "jobs of a batch that go back because an earlier one of their group was not done",
    Lost lost "jobs whose lease was lost before they were settled",
    NotDeleted not_deleted "jobs done whose message could not be deleted while it was held",
    GivenBack given_back "jobs that no handler had begun, given back to the queue",
    Abandoned abandoned "jobs whose handlers were running when the shutdown timeout ended",
    Heartbeats heartbeats "renewals of visibility timeouts",
    ReceiveErrors receive_errors "receives that failed",
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
    pub(super) meters: Meters,
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
        self.meters.count(what, number);
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
