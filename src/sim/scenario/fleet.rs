//! Who works on a queue, and what goes wrong.

use {
    super::{ServiceTime, seconds},
    serde::{Deserialize, Serialize},
    std::{collections::BTreeMap, time::Duration},
};

/// Workers of one kind on one queue. Each worker is a process with the settings of a
/// [`Runner`](crate::worker::Runner).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fleet {
    /// The name of the queue.
    pub queue: String,
    /// How many workers there are; with autoscaling, how many there are at first.
    #[serde(default = "one")]
    pub workers: usize,
    /// How their number follows the load, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How many messages a worker handles at once.
    #[serde(default = "one")]
    pub concurrency: usize,
    /// How many messages a worker receives beyond those it can begin at once.
    #[serde(default)]
    pub prefetch: usize,
    /// The most messages of one receive, 1 to 10.
    #[serde(default = "ten")]
    pub max_messages: usize,
    /// How long a receive waits for a first message, 0 s to 20 s; by default 20 s.
    #[serde(default = "twenty_seconds", with = "seconds")]
    pub wait_time: Duration,
    /// The pause after an empty receive that does not wait; by default 1 s.
    #[serde(default = "one_second", with = "seconds")]
    pub poll_interval: Duration,
    /// The visibility timeout of each receive, instead of the queue's.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub visibility_timeout: Option<Duration>,
    /// Whether visibility timeouts are extended while a handler runs; by default they are.
    #[serde(default = "yes")]
    pub heartbeat: bool,
    /// How long a handler takes.
    pub service: ServiceTime,
    /// Some handlers take much longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
    /// How long each receive and each call for a received message takes; nothing by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_latency: Option<ServiceTime>,
    /// After which time a handler is given up as failed.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub handler_timeout: Option<Duration>,
    /// The probability that a handler fails, 0 to 1, whatever the message.
    #[serde(default)]
    pub failure_probability: f64,
    /// What becomes of the message of a handler that failed.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// Workers that die with all they hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crashes: Option<Crashes>,
    /// When what the handlers need is down.
    #[serde(default)]
    pub outages: Vec<Outage>,
    /// When all workers are restarted.
    #[serde(default)]
    pub deploys: Vec<Deploy>,
    /// How long a worker that stops in order waits for its handlers; by default 30 s.
    #[serde(default = "thirty_seconds", with = "seconds")]
    pub shutdown_timeout: Duration,
    /// The probabilities of faults between workers and queue, by the names of
    /// [`Fault`](crate::testing::Fault).
    #[serde(default)]
    pub faults: BTreeMap<String, f64>,
}

const fn one() -> usize {
    1
}
const fn ten() -> usize {
    10
}
const fn yes() -> bool {
    true
}
const fn one_second() -> Duration {
    Duration::from_secs(1)
}
const fn twenty_seconds() -> Duration {
    Duration::from_secs(20)
}
const fn thirty_seconds() -> Duration {
    Duration::from_secs(30)
}

/// A share of handler calls takes `factor` times as long.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Slow {
    /// 0 to 1.
    pub share: f64,
    /// More than 0.
    pub factor: f64,
}

/// What becomes of the message of a handler that failed, as
/// [`FailurePolicy`](crate::worker::FailurePolicy) has it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// It comes back when its visibility timeout ends.
    #[default]
    LeaveToTimeout,
    /// It comes back at once.
    RetryNow,
    /// It comes back after exponential backoff with full jitter.
    #[non_exhaustive]
    Backoff {
        #[serde(with = "seconds")]
        base: Duration,
        #[serde(with = "seconds")]
        max: Duration,
    },
}

/// How the number of workers follows the load.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Autoscaling {
    /// By what the number is chosen.
    pub rule: ScalingRule,
    /// The fewest workers.
    #[serde(default = "one")]
    pub min: usize,
    /// The most workers.
    pub max: usize,
    /// How often the rule is looked at; by default every 60 s.
    #[serde(default = "one_minute", with = "seconds")]
    pub interval: Duration,
    /// How long a new worker takes to start; by default 60 s.
    #[serde(default = "one_minute", with = "seconds")]
    pub reaction_time: Duration,
}

const fn one_minute() -> Duration {
    Duration::from_secs(60)
}

/// The rule of an autoscaled fleet.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ScalingRule {
    /// As many workers as give each at most so many visible messages.
    #[non_exhaustive]
    BacklogPerWorker { target: f64 },
    /// In proportion to the age of the oldest message over `target`.
    #[non_exhaustive]
    AgeOfOldest {
        #[serde(with = "seconds")]
        target: Duration,
    },
}

/// Workers that die at random with all they hold.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Crashes {
    /// The mean time from the start of a worker to its crash; exponential.
    #[serde(with = "seconds")]
    pub mean_interval: Duration,
    /// How long until it works again.
    #[serde(default = "ten_seconds", with = "seconds")]
    pub restart_time: Duration,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// A time during which what the handlers need is down.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Outage {
    /// From the start of the run.
    #[serde(with = "seconds")]
    pub from: Duration,
    /// From the start of the run.
    #[serde(with = "seconds")]
    pub until: Duration,
    /// What handlers do meanwhile.
    #[serde(default)]
    pub effect: OutageEffect,
}

/// What handlers do during an outage.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OutageEffect {
    /// A handler that ends within the window fails.
    #[default]
    Fail,
    /// A handler that would end within the window ends with it, and fails.
    Hang,
}

/// A restart of all workers of a fleet.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Deploy {
    /// From the start of the run.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// After which time there is another one; none by default.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// In which order.
    #[serde(default)]
    pub kind: DeployKind,
    /// How long a worker is away after it has stopped; by default 10 s.
    #[serde(default = "ten_seconds", with = "seconds")]
    pub restart_time: Duration,
    /// Whether workers stop in order, their handlers first, or are killed; by default they stop in order.
    #[serde(default = "yes")]
    pub graceful: bool,
}

/// In which order workers are restarted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum DeployKind {
    /// One after the other: the next stops when the one before works again.
    #[default]
    Rolling,
    /// All at once.
    AtOnce,
}
