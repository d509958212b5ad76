//! What a runner counts, each a field of its report and a metric.

use super::report::RunnerReport;

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

            /// Its field of a report.
            pub(super) const fn of(self, report: &mut RunnerReport) -> &mut u64 {
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
    pub(super) counts: [u64; Count::ALL.len()],
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
