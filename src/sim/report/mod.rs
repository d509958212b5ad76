//! What the replications of a scenario found.

mod build;
pub(super) mod chart;
pub(super) mod csv;
mod estimate;
pub(super) mod figures;
mod forms;
pub(super) mod html;
#[cfg(test)]
pub(super) mod made_up;
pub(super) mod metric;
pub(super) mod save;
pub(super) mod table;
#[cfg(test)]
mod tests;
pub(super) mod text;

pub use {estimate::Estimate, save::SaveError};

use {
    super::Sizing,
    serde::Serialize,
    std::{collections::BTreeMap, fmt},
};

/// What the replications of a scenario found: means with their intervals, distributions, time series and cost.
///
/// Counts, times and series are of one replication, as the mean over all of them. Times are seconds, shares are 0 to 1,
/// and everything but the series leaves the warm-up out. A number is NaN, and `null` as JSON, where nothing was
/// measured.
///
/// It prints as a table for a terminal; the other forms are [`Report::save`], [`Report::to_html`],
/// [`Report::write_json`], [`Report::write_series`] and [`Report::write_totals`].
///
/// # Examples
/// ```
/// use requeue::sim::Scenario;
///
/// let scenario = Scenario::from_toml("
///     replications = 3
///     [queue.jobs]
///     [producer.web]
///     queue = 'jobs'
///     arrivals.poisson = { rate = 1 }
///     [fleet.workers]
///     queue = 'jobs'
///     service.constant = { time = 0.5 }
/// ")?;
/// let report = scenario.run()?;
/// let wait = report.queues["jobs"].time_to_first_receive.mean;
/// assert!((0.2..0.3).contains(&wait.mean) && wait.half_width.is_some(), "{wait}");
/// assert!(report.to_string().contains("3 replications"));
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The name of the scenario.
    pub name: String,
    /// The seed of everything drawn by chance.
    pub seed: u64,
    /// How many replications there were.
    pub replications: usize,
    /// How long a replication was to be, warm-up included, in seconds.
    pub horizon: f64,
    /// How much of it was not measured, in seconds.
    pub warm_up: f64,
    /// How much of it was measured, in seconds: less than the horizon without the warm-up if runs ended early.
    pub measured: f64,
    /// Set if more comes in than the workers can do.
    pub unstable: Option<Unstable>,
    /// What makes the numbers doubtful, a sentence each.
    pub warnings: Vec<String>,
    /// Dollars for the API calls of all queues in the measured time.
    pub cost: Estimate,
    /// Dollars for the API calls of all queues in 30 days that are like the measured time.
    pub cost_per_month: Estimate,
    /// The queues by name.
    pub queues: BTreeMap<String, QueueReport>,
    /// The fleets by name.
    pub fleets: BTreeMap<String, FleetReport>,
    /// What closed forms expect of the queues, to compare.
    pub sizing: Sizing,
    /// The ends of the intervals that the points of the time series stand for, in seconds from the start of the run.
    pub times: Vec<f64>,
}

/// More comes in than the workers can do, so that the backlog grows for as long as the run lasts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Unstable {
    /// The queue, if it is known which one.
    pub queue: Option<String>,
    /// The [`offered_load`](super::offered_load()) of that queue. 1 and more is too much.
    pub load: Option<f64>,
    /// When the first of the replications ended that held too many messages, in seconds from the start of the run.
    /// `None` if all reached their horizon.
    pub ended_at: Option<f64>,
    /// How many messages it held then.
    pub messages: Option<u64>,
    /// How many bytes their bodies had: a run ends by these too, if it holds more than 1 KiB for each message of
    /// [`message_limit`](super::Scenario::message_limit).
    pub bytes: Option<u64>,
    /// How many replications ended early.
    pub ended_early: usize,
}

/// What became of the messages of a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueReport {
    /// Whether it is a FIFO queue.
    pub fifo: bool,
    /// Whether it is the dead-letter queue of another.
    pub dead_letter_queue: bool,
    /// Its [`offered_load`](super::offered_load()). `None` if no producer sends to it or no fleet works on it.
    pub offered_load: Option<f64>,
    /// Messages that came in.
    pub sent: Estimate,
    /// Receives of a message, each counted.
    pub received: Estimate,
    /// Messages that a handler completed at least once.
    pub done: Estimate,
    /// Messages that handlers completed more than once.
    pub done_more_than_once: Estimate,
    /// Messages that handlers began more than once.
    pub begun_more_than_once: Estimate,
    /// Messages that went to the dead-letter queue.
    pub dead_lettered: Estimate,
    /// Messages whose retention period ended.
    pub expired: Estimate,
    /// Sends that were refused because the queue was full.
    pub refused: Estimate,
    /// Messages in the queue at the end of the run.
    pub left: Estimate,
    /// Messages completed per second.
    pub throughput: Estimate,
    /// Messages completed more than once, as a share of those completed.
    pub duplicate_share: Estimate,
    /// Messages that went to the dead-letter queue, as a share of those that left the queue.
    pub dead_letter_share: Estimate,
    /// Messages in the queue, the time average.
    pub present: Estimate,
    /// Visible messages, the time average.
    pub visible: Estimate,
    /// Messages in flight, the time average.
    pub in_flight: Estimate,
    /// From the send to the first receive.
    pub time_to_first_receive: TimeReport,
    /// From the send to the first handler that completed it.
    pub time_to_completion: TimeReport,
    /// How many messages left the queue after how many receives: `[n]` after `n`, the last one after that many or more.
    pub receives: Vec<f64>,
    /// The groups by name, as far as they are kept apart; `others` stands for the rest. Empty without groups.
    pub groups: BTreeMap<String, GroupReport>,
    /// API calls by the name of the action, such as `SendMessageBatch`.
    pub calls: BTreeMap<String, CallsReport>,
    /// Dollars for all of them in the measured time.
    pub cost: Estimate,
    /// Dollars for all of them in 30 days that are like the measured time.
    pub cost_per_month: Estimate,
    /// The check by Little's law.
    pub little: LittleReport,
    /// Over time.
    pub series: QueueSeriesReport,
}

/// The distribution of a time, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TimeReport {
    /// How many values there are, over all replications.
    pub count: u64,
    /// The mean.
    pub mean: Estimate,
    /// The median, of all replications together as the other quantiles. Quantiles are exact to three digits.
    pub p50: f64,
    /// The quantile that 90 % do not exceed.
    pub p90: f64,
    /// The quantile that 95 % do not exceed.
    pub p95: f64,
    /// The quantile that 99 % do not exceed.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
    /// The cumulative distribution: times, and the shares of values that do not exceed them, both ascending.
    pub curve: Vec<(f64, f64)>,
}

/// What became of the messages of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupReport {
    /// Messages that came in.
    pub sent: Estimate,
    /// Messages that a handler completed at least once.
    pub done: Estimate,
    /// From the send to the first receive.
    pub time_to_first_receive: TimeReport,
    /// From the send to the first handler that completed it.
    pub time_to_completion: TimeReport,
}

/// Calls of one action, and what they cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CallsReport {
    /// Requests.
    pub requests: Estimate,
    /// Requests that are billed: one of more than 64 KiB counts as several.
    pub billed: Estimate,
    /// Dollars.
    pub cost: Estimate,
}

/// Little's law: what the queue counted over time is what its messages spent in it. Message seconds.
///
/// The two sides come from different sources: the left one from the queue's own counts, the right one from the times at
/// which messages came and went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LittleReport {
    /// The integral over time of the messages that the queue counted.
    pub counted: f64,
    /// The sum of the times that messages spent in the queue.
    pub spent: f64,
    /// The first over the second; NaN if no message spent any time.
    pub ratio: f64,
    /// Whether both agree within 1 %.
    pub holds: bool,
}

/// Numbers of a queue over time. Levels are time averages of the interval of each point, flows are per second.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueSeriesReport {
    /// Visible messages.
    pub visible: SeriesReport,
    /// Messages in flight.
    pub in_flight: SeriesReport,
    /// Delayed messages.
    pub delayed: SeriesReport,
    /// Of a dead-letter queue what it holds, of another what its dead-letter queue has of it.
    pub dead_letters: SeriesReport,
    /// The age of the oldest message, in seconds.
    pub age_of_oldest: SeriesReport,
    /// Messages that came in, per second.
    pub arrivals: SeriesReport,
    /// Messages that handlers completed, per second.
    pub completions: SeriesReport,
}

/// A number over time, at the points of [`Report::times`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SeriesReport {
    /// The mean over the replications.
    pub mean: Vec<f64>,
    /// The least of the replications.
    pub least: Vec<f64>,
    /// The greatest of the replications.
    pub greatest: Vec<f64>,
}

/// How a fleet of workers fared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FleetReport {
    /// The name of its queue.
    pub queue: String,
    /// Workers, the time average.
    pub workers: Estimate,
    /// Handlers that run over the handlers that could run, 0 to 1, the time average.
    pub utilisation: Estimate,
    /// Handlers that began.
    pub begun: Estimate,
    /// Handlers that failed.
    pub failed: Estimate,
    /// Handlers cut short by a crash, a kill or their timeout.
    pub cut_short: Estimate,
    /// Workers that crashed.
    pub crashes: Estimate,
    /// Workers that started again.
    pub restarts: Estimate,
    /// Extensions of visibility timeouts.
    pub heartbeats: Estimate,
    /// Deletes and changes of visibility that the queue refused or a fault lost.
    pub failed_calls: Estimate,
    /// Seconds of all handlers.
    pub busy_seconds: Estimate,
    /// Seconds of handlers that led to nothing: they failed, were cut short, or repeated what was done.
    pub wasted_seconds: Estimate,
    /// The wasted seconds as a share of all, 0 to 1.
    pub wasted_share: Estimate,
    /// How long handlers took that ended by themselves.
    pub service_time: TimeReport,
    /// How often each fault happened, by its name.
    pub faults: BTreeMap<String, Estimate>,
    /// Outages, from and until, in seconds from the start of the run.
    pub outages: Vec<(f64, f64)>,
    /// Restarts of all workers, in seconds from the start of the run.
    pub deploys: Vec<f64>,
    /// Over time.
    pub series: FleetSeriesReport,
}

/// Numbers of a fleet over time: time averages of the interval of each point.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FleetSeriesReport {
    /// Workers.
    pub workers: SeriesReport,
    /// Handlers that run over the handlers that could run, 0 to 1.
    pub utilisation: SeriesReport,
}

/// Such as `unstable: load 1.3: queue "jobs" gets more than its workers can do`, and after which time a run ended.
impl fmt::Display for Unstable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unstable")?;
        if let Some(load) = self.load {
            write!(f, ": load {}", text::number(load))?;
        }
        if let Some(queue) = &self.queue {
            write!(f, ": queue {queue:?} gets more than its workers can do")?;
        }
        if let (Some(at), Some(messages), Some(bytes)) = (self.ended_at, self.messages, self.bytes) {
            let messages = text::counted(messages as f64, "message");
            let bytes = text::counted(bytes as f64, "byte");
            write!(
                f,
                ": the run ended after {} with {messages} of {bytes} in its queues, more than message_limit allows",
                text::span(at)
            )?;
        }
        Ok(())
    }
}
