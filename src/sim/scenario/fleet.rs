//! Who works on a queue, and what goes wrong.

use {
    super::{ServiceTime, seconds, setters::setters},
    serde::{Deserialize, Serialize},
    std::{collections::BTreeMap, time::Duration},
};

/// Workers of one kind on one queue. Each worker is a process with the settings of a
/// [`Runner`](crate::worker::Runner), and what a runner refuses is refused here; only [`wait_time`](field@Self::wait_time)
/// may be 0 s as well.
///
/// # Examples
/// ```
/// use requeue::sim::{Fleet, Scenario, ServiceTime};
/// use std::time::Duration;
///
/// let text = r#"
///     [queue.jobs]
///     [fleet.workers]
///     queue = "jobs"
///     workers = 8
///     service.exponential = { mean = 0.25 }
/// "#;
/// let workers = Fleet::new("jobs", ServiceTime::exponential(Duration::from_millis(250))).workers(8);
/// assert_eq!(Scenario::from_toml(text)?.fleet["workers"], workers);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fleet {
    /// The name of the queue.
    pub queue: String,
    /// How many workers there are, 1 to 100,000; by default 1. With autoscaling, how many there are at first.
    #[serde(default = "one")]
    pub workers: usize,
    /// How their number follows the load; by default it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How many messages a worker handles at once, 1 to 1,000,000,000; by default 1.
    #[serde(default = "one")]
    pub concurrency: usize,
    /// How many messages a worker receives beyond those it can begin at once; by default 0. Without heartbeats it is 0.
    #[serde(default)]
    pub prefetch: usize,
    /// The most messages of one receive, 1 to 10; by default 10.
    #[serde(default = "ten")]
    pub max_messages: usize,
    /// How long a receive waits for a first message, 0 s to 20 s; by default 20 s.
    #[serde(default = "twenty_seconds", with = "seconds")]
    pub wait_time: Duration,
    /// The pause after an empty receive that does not wait, at least 1 ms; by default 1 s.
    #[serde(default = "one_second", with = "seconds")]
    pub poll_interval: Duration,
    /// The visibility timeout of each receive, 1 ms to 12 h; by default the queue's.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub visibility_timeout: Option<Duration>,
    /// Whether visibility timeouts are extended while a handler runs; by default they are.
    #[serde(default = "yes")]
    pub heartbeat: bool,
    /// How long a handler takes.
    pub service: ServiceTime,
    /// Some handlers take much longer; by default none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
    /// How long each receive and each call for a received message takes; by default 0 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_latency: Option<ServiceTime>,
    /// After which time a handler is given up as failed, more than 0 s and at most 12 h; by default never.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub handler_timeout: Option<Duration>,
    /// The probability that a handler fails, whatever the message, 0 to 1; by default 0.
    #[serde(default)]
    pub failure_probability: f64,
    /// What becomes of the message of a handler that failed; by default it comes back when its visibility timeout ends.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// Workers that die with all they hold; by default none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crashes: Option<Crashes>,
    /// When what the handlers need is down; by default never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// When all workers are restarted; by default never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploys: Vec<Deploy>,
    /// How long a worker that stops in order waits for its handlers; by default 30 s.
    #[serde(default = "thirty_seconds", with = "seconds")]
    pub shutdown_timeout: Duration,
    /// The probabilities of faults between workers and queue, 0 to 1, by the names of [`Fault`](crate::testing::Fault);
    /// by default there are none. They are faults of receives, deletes and changes of visibility; crashes have a
    /// setting of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, f64>,
}

impl Fleet {
    /// One worker on `queue` whose handler takes this time.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Fleet, ServiceTime};
    /// # use std::time::Duration;
    /// let workers = Fleet::new("jobs", ServiceTime::constant(Duration::from_secs(1))).heartbeat(false);
    /// assert_eq!((workers.workers, workers.max_messages, workers.heartbeat), (1, 10, false));
    /// assert_eq!(workers.wait_time, Duration::from_secs(20));
    /// ```
    #[must_use]
    pub fn new(queue: impl Into<String>, service: ServiceTime) -> Self {
        Self {
            queue: queue.into(),
            workers: one(),
            autoscaling: None,
            concurrency: one(),
            prefetch: 0,
            max_messages: ten(),
            wait_time: twenty_seconds(),
            poll_interval: one_second(),
            visibility_timeout: None,
            heartbeat: yes(),
            service,
            slow: None,
            call_latency: None,
            handler_timeout: None,
            failure_probability: 0.0,
            failure_policy: FailurePolicy::default(),
            crashes: None,
            outages: Vec::new(),
            deploys: Vec::new(),
            shutdown_timeout: thirty_seconds(),
            faults: BTreeMap::new(),
        }
    }

    /// Those of handlers, and those of calls if there are any.
    pub(super) fn service_times(&mut self) -> impl Iterator<Item = &mut ServiceTime> {
        [&mut self.service].into_iter().chain(&mut self.call_latency)
    }

    setters! {
        queue: (Into<String>),
        workers: usize,
        autoscaling: (Some(Autoscaling)),
        concurrency: usize,
        prefetch: usize,
        max_messages: usize,
        wait_time: Duration,
        poll_interval: Duration,
        visibility_timeout: (Some(Duration)),
        heartbeat: bool,
        service: ServiceTime,
        slow: (Some(Slow)),
        call_latency: (Some(ServiceTime)),
        handler_timeout: (Some(Duration)),
        failure_probability: f64,
        failure_policy: FailurePolicy,
        crashes: (Some(Crashes)),
        outages + Outage,
        deploys + Deploy,
        shutdown_timeout: Duration,
        faults + (name = f64),
    }
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

impl Slow {
    /// `share` of the handler calls, 0 to 1, takes `factor` times as long, more than 0.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Slow;
    /// assert_eq!(Slow::new(0.01, 50.0).factor, 50.0);
    /// ```
    #[must_use]
    pub const fn new(share: f64, factor: f64) -> Self {
        Self { share, factor }
    }
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
        /// The longest delay after the first receive, doubled with each; more than 0 s.
        #[serde(with = "seconds")]
        base: Duration,
        /// The longest delay of all, from `base` to 12 h.
        #[serde(with = "seconds")]
        max: Duration,
    },
}

impl FailurePolicy {
    /// Exponential backoff with full jitter, from `base` to `max`, more than 0 s and at most 12 h.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::FailurePolicy;
    /// # use std::time::Duration;
    /// let policy = FailurePolicy::backoff(Duration::from_secs(1), Duration::from_secs(300));
    /// assert!(matches!(policy, FailurePolicy::Backoff { max, .. } if max == Duration::from_secs(300)));
    /// ```
    #[must_use]
    pub const fn backoff(base: Duration, max: Duration) -> Self {
        Self::Backoff { base, max }
    }
}

/// How the number of workers follows the load.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Autoscaling {
    /// By what the number is chosen.
    pub rule: ScalingRule,
    /// The fewest workers, at least 1; by default 1.
    #[serde(default = "one")]
    pub min: usize,
    /// The most workers, `min` to 100,000.
    pub max: usize,
    /// How often the rule is looked at, every second at most; by default every 60 s.
    #[serde(default = "one_minute", with = "seconds")]
    pub interval: Duration,
    /// How long a new worker takes to start; by default 60 s.
    #[serde(default = "one_minute", with = "seconds")]
    pub reaction_time: Duration,
}

impl Autoscaling {
    /// At least 1 worker and at most `max` by this rule, looked at every 60 s, with 60 s to start a worker.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Autoscaling, ScalingRule};
    /// let autoscaling = Autoscaling::new(ScalingRule::backlog_per_worker(100.0), 20).min(2);
    /// assert_eq!((autoscaling.min, autoscaling.max, autoscaling.interval.as_secs()), (2, 20, 60));
    /// ```
    #[must_use]
    pub const fn new(rule: ScalingRule, max: usize) -> Self {
        Self {
            rule,
            min: one(),
            max,
            interval: one_minute(),
            reaction_time: one_minute(),
        }
    }

    setters! {
        rule: ScalingRule,
        min: usize,
        max: usize,
        interval: Duration,
        reaction_time: Duration,
    }
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
    BacklogPerWorker {
        /// Messages, more than 0.
        target: f64,
    },
    /// In proportion to the age of the oldest message over `target`.
    #[non_exhaustive]
    AgeOfOldest {
        /// More than 0 s.
        #[serde(with = "seconds")]
        target: Duration,
    },
}

impl ScalingRule {
    /// As many workers as give each at most `target` visible messages, more than 0.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::ScalingRule;
    /// let rule = ScalingRule::backlog_per_worker(100.0);
    /// assert!(matches!(rule, ScalingRule::BacklogPerWorker { target: 100.0, .. }));
    /// ```
    #[must_use]
    pub const fn backlog_per_worker(target: f64) -> Self {
        Self::BacklogPerWorker { target }
    }

    /// In proportion to the age of the oldest message over `target`, more than 0 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::ScalingRule;
    /// # use std::time::Duration;
    /// let rule = ScalingRule::age_of_oldest(Duration::from_secs(60));
    /// assert!(matches!(rule, ScalingRule::AgeOfOldest { target, .. } if target.as_secs() == 60));
    /// ```
    #[must_use]
    pub const fn age_of_oldest(target: Duration) -> Self {
        Self::AgeOfOldest { target }
    }
}

/// Workers that die at random with all they hold.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Crashes {
    /// The mean time from the start of a worker to its crash, which is exponential; at least 1 s.
    #[serde(with = "seconds")]
    pub mean_interval: Duration,
    /// How long until it works again; by default 10 s.
    #[serde(default = "ten_seconds", with = "seconds")]
    pub restart_time: Duration,
}

impl Crashes {
    /// Each worker crashes after `mean_interval` on average, at least 1 s, and works again 10 s later.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Crashes;
    /// # use std::time::Duration;
    /// assert_eq!(Crashes::new(Duration::from_secs(86_400)).restart_time, Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn new(mean_interval: Duration) -> Self {
        Self {
            mean_interval,
            restart_time: ten_seconds(),
        }
    }

    setters! {
        mean_interval: Duration,
        restart_time: Duration,
    }
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// A time during which what the handlers need is down.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Outage {
    /// Its start, from the start of the run and before the horizon.
    #[serde(with = "seconds")]
    pub from: Duration,
    /// Its end, from the start of the run and after `from`.
    #[serde(with = "seconds")]
    pub until: Duration,
    /// What handlers do meanwhile; by default they fail.
    #[serde(default)]
    pub effect: OutageEffect,
}

impl Outage {
    /// Handlers fail between these times from the start of the run.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Outage, OutageEffect};
    /// # use std::time::Duration;
    /// let outage = Outage::new(Duration::from_secs(3_600), Duration::from_secs(4_800));
    /// assert_eq!(outage.effect, OutageEffect::Fail);
    /// assert_eq!(outage.effect(OutageEffect::Hang).effect, OutageEffect::Hang);
    /// ```
    #[must_use]
    pub const fn new(from: Duration, until: Duration) -> Self {
        Self {
            from,
            until,
            effect: OutageEffect::Fail,
        }
    }

    setters! {
        from: Duration,
        until: Duration,
        effect: OutageEffect,
    }
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
    /// From the start of the run, before the horizon.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// After which time there is another one, at least 1 s; by default there is none.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// In which order; by default one after the other.
    #[serde(default)]
    pub kind: DeployKind,
    /// How long a worker is away after it has stopped; by default 10 s.
    #[serde(default = "ten_seconds", with = "seconds")]
    pub restart_time: Duration,
    /// Whether workers stop in order, their handlers first, or are killed; by default they stop in order.
    #[serde(default = "yes")]
    pub graceful: bool,
}

impl Deploy {
    /// A rolling restart in order, at this time from the start of the run, with 10 s for each worker.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Deploy, DeployKind};
    /// # use std::time::Duration;
    /// let deploy = Deploy::new(Duration::from_secs(3_600)).every(Duration::from_secs(86_400));
    /// assert_eq!((deploy.kind, deploy.graceful), (DeployKind::Rolling, true));
    /// ```
    #[must_use]
    pub const fn new(at: Duration) -> Self {
        Self {
            at,
            every: None,
            kind: DeployKind::Rolling,
            restart_time: ten_seconds(),
            graceful: yes(),
        }
    }

    setters! {
        at: Duration,
        every: (Some(Duration)),
        kind: DeployKind,
        restart_time: Duration,
        graceful: bool,
    }
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
