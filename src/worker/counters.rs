//! Counters of a runner, for its report and, with the feature `metrics`, for the installed recorder.

use {
    super::{
        count::{Count, Outcome},
        report::RunnerReport,
    },
    std::time::Duration,
};

#[cfg(feature = "metrics")]
use super::meters::Meters;

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
