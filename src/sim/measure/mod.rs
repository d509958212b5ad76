//! What one replication measured: the engine fills it in, the report reads it.

mod batches;
mod sample;
mod series;

pub(super) use {
    batches::{BATCHES, Batches},
    sample::Sample,
    series::Series,
};

use std::{collections::BTreeMap, time::Duration};

/// One replication. Everything but `series` is of the time after the warm-up.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// The virtual time that was measured: from the end of the warm-up to the end of the run.
    pub(super) span: Duration,
    /// Set if the run ended before its horizon.
    pub(super) overflow: Option<Overflow>,
    pub(super) queues: BTreeMap<String, QueueMeasured>,
    pub(super) fleets: BTreeMap<String, FleetMeasured>,
}

/// The queues held more messages, or more bytes of their bodies, than the limit says.
#[derive(Clone, Debug)]
pub(super) struct Overflow {
    /// From the start of the run.
    pub(super) at: Duration,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct QueueMeasured {
    pub(super) fifo: bool,
    /// Whether it is the dead-letter queue of another.
    pub(super) dead_letter_queue: bool,
    pub(super) series: QueueSeries,
    pub(super) totals: QueueTotals,
    /// From the send to the first receive by a worker.
    pub(super) time_to_first_receive: Sample,
    /// From the send to the first successful end of a handler.
    pub(super) time_to_completion: Sample,
    /// How many messages left the queue after how many receives: `[n]` after `n`, the last entry for all above.
    pub(super) receives: Vec<u64>,
    /// The groups by name, as far as they are kept apart; `others` stands for the rest. Empty without groups.
    pub(super) groups: BTreeMap<String, GroupMeasured>,
    /// By the action's name, for example `SendMessageBatch`: requests, and how many are billed for them.
    pub(super) calls: BTreeMap<&'static str, Calls>,
    pub(super) little: Little,
    /// Time averages: in the queue in all, visible, in flight.
    pub(super) present: Batches,
    pub(super) visible: Batches,
    pub(super) in_flight: Batches,
    /// Messages done per second.
    pub(super) throughput: Batches,
    /// Messages done more than once, of those done.
    pub(super) duplicates: Batches,
    /// Messages that became dead letters, of those that left.
    pub(super) dead_letters: Batches,
}

/// A point each, over the whole horizon; levels are time averages, flows are per second.
#[derive(Clone, Debug)]
pub(super) struct QueueSeries {
    pub(super) visible: Series,
    pub(super) in_flight: Series,
    pub(super) delayed: Series,
    /// What the queue holds if it is a dead-letter queue; otherwise what its dead-letter queue has of it.
    pub(super) dead_letters: Series,
    /// Seconds, at the end of each interval.
    pub(super) age_of_oldest: Series,
    pub(super) arrivals: Series,
    pub(super) completions: Series,
}

#[derive(Clone, Debug, Default)]
pub(super) struct QueueTotals {
    pub(super) sent: u64,
    /// Receives of a message, each counted.
    pub(super) received: u64,
    /// Messages that a handler ended well at least once.
    pub(super) done: u64,
    /// Those of them that handlers ended well more than once.
    pub(super) done_more_than_once: u64,
    pub(super) dead_lettered: u64,
    pub(super) expired: u64,
    /// Refused sends: the queue was full.
    pub(super) refused: u64,
    /// At the end of the run.
    pub(super) left: u64,
    /// Begun by a handler more than once.
    pub(super) begun_more_than_once: u64,
}

#[derive(Clone, Debug)]
pub(super) struct GroupMeasured {
    pub(super) sent: u64,
    pub(super) done: u64,
    pub(super) time_to_first_receive: Sample,
    pub(super) time_to_completion: Sample,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) requests: u64,
    /// A request of more than 64 KiB is billed as several.
    pub(super) billed: u64,
}

/// Both sides of Little's law over the measured time: the integral of what the queue itself counts, and the sum of the
/// times that messages spent in it as the lab saw them come and go. Message seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Little {
    pub(super) counted: f64,
    pub(super) spent: f64,
}

#[derive(Clone, Debug)]
pub(super) struct FleetMeasured {
    pub(super) queue: String,
    pub(super) workers: Series,
    /// 0 to 1.
    pub(super) utilisation: Series,
    /// Handlers that run over the handlers that could run, by time.
    pub(super) busy: Batches,
    /// Workers, by time.
    pub(super) staff: Batches,
    /// Handler calls begun.
    pub(super) begun: u64,
    pub(super) failed: u64,
    /// Cut short by a crash, a kill or the handler timeout.
    pub(super) cut_short: u64,
    pub(super) crashes: u64,
    pub(super) restarts: u64,
    pub(super) heartbeats: u64,
    /// Deletes and changes of visibility that the queue refused, or that a fault lost.
    pub(super) failed_calls: u64,
    /// Handler seconds in all, and those that led to nothing: failures, what was cut short, and repetitions.
    pub(super) busy_seconds: f64,
    pub(super) wasted_seconds: f64,
    /// The wasted seconds, of all.
    pub(super) wasted: Batches,
    /// The service time of each handler call that ended by itself.
    pub(super) service_time: Sample,
    pub(super) faults: BTreeMap<String, u64>,
}

impl FleetMeasured {
    /// A handler has worked so many seconds for nothing.
    pub(super) fn waste(&mut self, batch: usize, seconds: f64) {
        self.wasted_seconds += seconds;
        self.wasted.add_part(batch, seconds);
    }
}
