//! Closed forms: what queueing theory says about a scenario without running it.

use {
    super::{Arrivals, Fleet, Scenario, ServiceTime, Slow, draw::Times, report::text::rounded},
    serde::Serialize,
    std::{collections::BTreeMap, time::Duration},
};

/// The sums take a step for each server, and no more than that.
const MOST_SERVERS: usize = 10_000_000;

/// Independent equal servers behind one queue, by the means and the variations of two times.
///
/// A server is one handler call at a time: a fleet has `workers * concurrency` of them. All answers are for the steady
/// state, and `None` if there is none (a utilisation of 1 or more) or a number is not one that is allowed. For loads that
/// keep more than 10,000,000 servers busy, only the utilisation and the time to drain are known.
///
/// # Examples
/// ```
/// use requeue::sim::Station;
///
/// // M/M/3: two messages a second, one second each.
/// let station = Station::poisson(2.0, 1.0, 3);
/// assert_eq!(station.utilisation(), Some(2.0 / 3.0));
/// assert!((station.chance_to_wait().unwrap() - 4.0 / 9.0).abs() < 1e-12);
/// assert!((station.mean_wait().unwrap() - 4.0 / 9.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Station {
    /// Messages per second, more than 0.
    pub arrival_rate: f64,
    /// The squared coefficient of variation of the time between arrivals: 1 for Poisson, 0 for constant arrivals.
    pub arrival_scv: f64,
    /// The mean service time in seconds, more than 0.
    pub service_mean: f64,
    /// The squared coefficient of variation of the service time: 1 for exponential, 0 for constant times.
    pub service_scv: f64,
    /// At least 1.
    pub servers: usize,
}

impl Station {
    /// Poisson arrivals at `arrival_rate` a second, exponential times with a mean of `service_mean` seconds: M/M/c.
    ///
    /// Set the two `scv` for other variations.
    ///
    /// # Examples
    /// ```
    /// let mut station = requeue::sim::Station::poisson(0.5, 1.0, 1);
    /// assert_eq!(station.mean_wait(), Some(1.0)); // M/M/1
    /// station.service_scv = 0.0;
    /// assert_eq!(station.mean_wait(), Some(0.5)); // M/D/1
    /// ```
    #[must_use]
    pub const fn poisson(arrival_rate: f64, service_mean: f64, servers: usize) -> Self {
        Self {
            arrival_rate,
            arrival_scv: 1.0,
            service_mean,
            service_scv: 1.0,
            servers,
        }
    }

    /// The mean number of servers that are needed: arrivals per service time.
    fn erlangs(&self) -> Option<f64> {
        let erlangs = self.arrival_rate * self.service_mean;
        let positive = 0.0 < self.arrival_rate && 0.0 < self.service_mean && erlangs.is_finite();
        let varied = |scv: f64| 0.0 <= scv && scv.is_finite();
        (positive && varied(self.arrival_scv) && varied(self.service_scv) && 0 < self.servers).then_some(erlangs)
    }

    /// The share of time that a server is busy; 1 or more if the servers cannot keep up.
    #[must_use]
    pub fn utilisation(&self) -> Option<f64> {
        self.erlangs().map(|it| it / self.servers as f64)
    }

    /// The share of messages that do not find a free server (Erlang C): exact for M/M/c and for M/G/1, otherwise an
    /// approximation.
    #[must_use]
    pub fn chance_to_wait(&self) -> Option<f64> {
        erlang_c(self.servers, self.erlangs()?)
    }

    /// The mean time in seconds until a server begins with a message.
    ///
    /// Exact for M/M/c (Erlang C) and M/G/1 (Pollaczek and Khinchine), otherwise the approximation of Allen and
    /// Cunneen: that of M/M/c times the mean of the two squared coefficients of variation.
    ///
    /// # Examples
    /// ```
    /// // A call centre of Erlang's kind: 100 calls an hour of 3 minutes each, 7 agents.
    /// let station = requeue::sim::Station::poisson(100.0 / 3600.0, 180.0, 7);
    /// assert!((station.mean_wait().unwrap() - 29.2).abs() < 0.1);
    /// // None can be given where the servers cannot keep up.
    /// assert_eq!(requeue::sim::Station::poisson(2.0, 1.0, 2).mean_wait(), None);
    /// ```
    #[must_use]
    pub fn mean_wait(&self) -> Option<f64> {
        self.wait_given(self.chance_to_wait()?)
    }

    fn wait_given(&self, chance: f64) -> Option<f64> {
        let free = self.servers as f64 - self.erlangs()?;
        Some(chance * self.service_mean / free * f64::midpoint(self.arrival_scv, self.service_scv))
    }

    /// The mean number of messages that no server has begun (Little's law).
    #[must_use]
    pub fn mean_backlog(&self) -> Option<f64> {
        self.mean_wait().map(|it| it * self.arrival_rate)
    }

    /// The fewest servers with which the mean wait is at most `target` seconds; `None` above ten million.
    ///
    /// # Examples
    /// ```
    /// let station = requeue::sim::Station::poisson(20.0, 0.4, 1);
    /// assert_eq!(station.servers_for(0.05), Some(11));
    /// ```
    #[must_use]
    pub fn servers_for(&self, target: f64) -> Option<usize> {
        let erlangs = self.erlangs()?;
        let mut blocked = 1.0;
        for servers in 1..=MOST_SERVERS {
            blocked = erlangs * blocked / (servers as f64 + erlangs * blocked);
            // The chance to wait is below the smallest number.
            if blocked == 0.0 {
                break;
            }
            let station = Self { servers, ..*self };
            let wait = waiting(servers, erlangs, blocked).and_then(|it| station.wait_given(it));
            if wait.is_some_and(|it| it <= target) {
                return Some(servers);
            }
        }
        None
    }

    /// How long in seconds it takes on average until a backlog of so many messages is gone while others keep coming.
    ///
    /// # Examples
    /// ```
    /// // Ten servers do 25 a second, 20 come.
    /// let station = requeue::sim::Station::poisson(20.0, 0.4, 10);
    /// assert_eq!(station.drain_time(6_000.0), Some(1_200.0));
    /// ```
    #[must_use]
    pub fn drain_time(&self, backlog: f64) -> Option<f64> {
        let free = self.servers as f64 - self.erlangs()?;
        (0.0 < free && 0.0 <= backlog).then(|| backlog * self.service_mean / free)
    }
}

/// The chance to wait in M/M/c with a load of so many erlangs (arrival rate times mean service time); `None` from
/// `servers` erlangs on, and for loads that keep more than 10,000,000 servers busy.
///
/// # Examples
/// ```
/// use requeue::sim::erlang_c;
///
/// assert_eq!(erlang_c(1, 0.8), Some(0.8));
/// assert!((erlang_c(2, 1.0).unwrap() - 1.0 / 3.0).abs() < 1e-12);
/// assert_eq!(erlang_c(2, 2.0), None);
/// ```
#[must_use]
pub fn erlang_c(servers: usize, erlangs: f64) -> Option<f64> {
    if !(0.0..servers as f64).contains(&erlangs) {
        return None;
    }
    // Erlang B by its recursion, which neither overflows nor cancels. Once it is 0 it stays so.
    let mut blocked = 1.0;
    for k in 1..=servers.min(MOST_SERVERS) {
        blocked = erlangs * blocked / (k as f64 + erlangs * blocked);
        if blocked == 0.0 {
            break;
        }
    }
    (servers <= MOST_SERVERS || blocked == 0.0).then(|| waiting(servers, erlangs, blocked))?
}

/// Erlang C from Erlang B.
fn waiting(servers: usize, erlangs: f64, blocked: f64) -> Option<f64> {
    let utilisation = erlangs / servers as f64;
    (utilisation < 1.0).then(|| blocked / (1.0 - utilisation * (1.0 - blocked)))
}

/// The shortest visibility timeout in seconds that at most a share of handler calls outlasts.
///
/// Without heartbeat these messages are received again. It counts from the receive, so it holds where a worker begins
/// with a message at once. Infinite if no timeout does it.
///
/// # Examples
/// ```
/// use requeue::sim::{ServiceTime, visibility_timeout_for};
///
/// let service = ServiceTime::exponential(std::time::Duration::from_secs(2));
/// assert!((visibility_timeout_for(0.01, &service, None) - 2.0 * 100_f64.ln()).abs() < 1e-6);
/// ```
#[must_use]
pub fn visibility_timeout_for(share: f64, service: &ServiceTime, slow: Option<Slow>) -> f64 {
    Times::new(service, slow).quantile(1.0 - share)
}

/// What the closed forms say about each queue of a scenario.
///
/// # Examples
/// ```
/// let scenario = requeue::sim::Scenario::from_toml(
///     r#"
/// [queue.jobs]
/// [producer.web]
/// queue = "jobs"
/// arrivals.poisson = { rate = 20 }
/// [fleet.workers]
/// queue = "jobs"
/// workers = 10
/// service.exponential = { mean = 0.4 }
///     "#,
/// )?;
/// let sizing = requeue::sim::Sizing::of(&scenario);
/// let jobs = sizing.queues["jobs"].as_ref().unwrap();
/// assert_eq!(jobs.station.utilisation(), Some(0.8));
/// assert_eq!(jobs.exactness, requeue::sim::Exactness::Exact);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sizing {
    /// By the name of the queue; or why there is no closed form for it.
    pub queues: BTreeMap<String, Result<QueueSizing, NotSized>>,
}

/// What the closed forms say about one queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueSizing {
    /// The only fleet of the queue.
    pub fleet: String,
    /// How many handler calls each worker has at once.
    pub concurrency: usize,
    /// What the forms are asked of.
    pub station: Station,
    /// Whether they are exact.
    pub exactness: Exactness,
    /// The share of time that a server is busy.
    pub utilisation: f64,
    /// The share of messages that no worker can begin at once.
    pub chance_to_wait: f64,
    /// Seconds from the moment when a message is visible until a worker begins with it.
    pub mean_wait: f64,
    /// Messages that no worker has begun.
    pub mean_backlog: f64,
    /// Seconds until a thousand messages of backlog are gone.
    pub drain_time_per_thousand: f64,
    /// The fewest workers with which the mean wait is at most the mean service time.
    pub workers_for_short_wait: Option<usize>,
    /// The visibility timeouts in seconds with which, without heartbeat, 1 % and 0.1 % of messages are received again.
    pub visibility_timeouts: [f64; 2],
}

/// Whether a closed form is exact.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exactness {
    /// M/M/c, or M/G/1.
    Exact,
    /// The approximation of Allen and Cunneen.
    Approximation,
}

/// Why there is no closed form for a queue.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotSized {
    /// No producer sends to it.
    #[error("no producer sends to the queue")]
    NoProducer,
    /// It has no fleet, or several.
    #[error("the queue has {0} fleets, not one")]
    Fleets(usize),
    /// Messages of one group wait for each other.
    #[error("messages of a FIFO queue wait for their group")]
    Fifo,
    /// A producer is not as the forms assume.
    #[error("producer {producer:?} has {what}")]
    Producer {
        /// Its name.
        producer: String,
        /// What they know nothing of.
        what: &'static str,
    },
    /// A full queue refuses messages.
    #[error("the queue has a budget")]
    Budget,
    /// The fleet is not as the forms assume.
    #[error("fleet {fleet:?} has {what}")]
    Fleet {
        /// Its name.
        fleet: String,
        /// What they know nothing of.
        what: &'static str,
    },
    /// Some messages are handled more than once.
    #[error("messages are retried: {0}")]
    Retries(&'static str),
    /// More messages come than the servers can do.
    #[error("unstable: load {0:.2}")]
    Unstable(f64),
}

impl Sizing {
    /// Asks the closed forms about each queue of `scenario`.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let one = |name: &String| (name.clone(), size(scenario, name));
        Self {
            queues: scenario.queue.keys().map(one).collect(),
        }
    }
}

fn size(scenario: &Scenario, queue: &str) -> Result<QueueSizing, NotSized> {
    let (arrival_rate, arrival_scv) = arrivals(scenario, queue)?;
    let fleets: Vec<_> = fleets(scenario, queue).collect();
    let [(name, fleet)] = fleets[..] else {
        return Err(NotSized::Fleets(fleets.len()));
    };
    if queue.ends_with(".fifo") {
        return Err(NotSized::Fifo);
    }
    if scenario.queue.get(queue).is_some_and(|it| it.budget.is_some()) {
        return Err(NotSized::Budget);
    }
    if let Some(what) = beyond_the_forms(fleet) {
        let fleet = name.clone();
        return Err(NotSized::Fleet { fleet, what });
    }
    let times = Times::new(&fleet.service, fleet.slow);
    if let Some(what) = retries(scenario, queue, fleet, &times) {
        return Err(NotSized::Retries(what));
    }
    let mean = times.mean();
    let station = Station {
        arrival_rate,
        arrival_scv,
        service_mean: mean,
        service_scv: (times.second_moment() / (mean * mean) - 1.0).max(0.0),
        servers: servers(fleet),
    };
    let exponential = matches!(fleet.service, ServiceTime::Exponential { .. }) && fleet.slow.is_none();
    let exact = arrival_scv == 1.0 && (exponential || station.servers == 1);
    answer(name, fleet.concurrency, station, exact, &times)
        .ok_or_else(|| NotSized::Unstable(station.utilisation().unwrap_or(f64::INFINITY)))
}

fn answer(name: &str, concurrency: usize, station: Station, exact: bool, times: &Times) -> Option<QueueSizing> {
    Some(QueueSizing {
        fleet: name.to_owned(),
        concurrency,
        station,
        exactness: if exact {
            Exactness::Exact
        } else {
            Exactness::Approximation
        },
        utilisation: station.utilisation()?,
        chance_to_wait: station.chance_to_wait()?,
        mean_wait: station.mean_wait()?,
        mean_backlog: station.mean_backlog()?,
        drain_time_per_thousand: station.drain_time(1_000.0)?,
        workers_for_short_wait: station
            .servers_for(station.service_mean)
            .map(|it| it.div_ceil(concurrency)),
        // The last digits of a gamma distribution depend on the mathematics of the machine, and reports must not.
        visibility_timeouts: [0.99, 0.999].map(|it| rounded(times.quantile(it), 8)),
    })
}

fn fleets<'a>(scenario: &'a Scenario, queue: &str) -> impl Iterator<Item = (&'a String, &'a Fleet)> {
    scenario.fleet.iter().filter(move |it| it.1.queue == queue)
}

/// The rate, and the squared coefficient of variation weighted by it.
fn arrivals(scenario: &Scenario, queue: &str) -> Result<(f64, f64), NotSized> {
    let (mut sum, mut varied) = (0.0, 0.0);
    for (name, producer) in scenario.producer.iter().filter(|it| it.1.queue == queue) {
        let beyond = |what| {
            let producer = name.clone();
            Err(NotSized::Producer { producer, what })
        };
        if producer.batch_size > 1 {
            return beyond("sends in batches");
        }
        if !producer.faults.is_empty() {
            return beyond("faults");
        }
        match producer.arrivals {
            Arrivals::Poisson { rate } => (sum, varied) = (sum + rate, varied + rate),
            Arrivals::Constant { rate } => sum += rate,
            _ => return beyond("arrivals that are neither Poisson nor constant"),
        }
    }
    if sum > 0.0 {
        Ok((sum, varied / sum))
    } else {
        Err(NotSized::NoProducer)
    }
}

const fn servers(fleet: &Fleet) -> usize {
    fleet.workers.saturating_mul(fleet.concurrency)
}

fn beyond_the_forms(fleet: &Fleet) -> Option<&'static str> {
    [
        (fleet.autoscaling.is_some(), "autoscaling"),
        (fleet.crashes.is_some(), "crashes"),
        (!fleet.outages.is_empty(), "outages"),
        (!fleet.deploys.is_empty(), "deploys"),
        (!fleet.faults.is_empty(), "faults"),
        (fleet.handler_timeout.is_some(), "a handler timeout"),
        (fleet.call_latency.is_some(), "a latency of calls"),
        (fleet.prefetch > 0 && fleet.workers > 1, "messages fetched ahead"),
        (fleet.wait_time.is_zero(), "receives that do not wait"),
        (
            servers(fleet) > MOST_SERVERS,
            "more than ten million places for handlers",
        ),
    ]
    .into_iter()
    .find_map(|(is_so, what)| is_so.then_some(what))
}

fn retries(scenario: &Scenario, queue: &str, fleet: &Fleet, times: &Times) -> Option<&'static str> {
    let config = scenario.queue.get(queue)?;
    let visibility = fleet
        .visibility_timeout
        .or(config.visibility_timeout)
        .unwrap_or(DEFAULT_VISIBILITY);
    let poison = |it: &super::Producer| it.queue == queue && it.poison_share > 0.0;
    if fleet.failure_probability > 0.0 {
        Some("handlers fail")
    } else if scenario.producer.values().any(poison) {
        Some("a share of messages is poison")
    } else if !fleet.heartbeat && times.cdf(visibility.as_secs_f64()) < 1.0 - 1e-6 {
        Some("without heartbeat, some handler calls outlast the visibility timeout")
    } else {
        None
    }
}

/// Of a queue that says nothing else.
const DEFAULT_VISIBILITY: Duration = Duration::from_secs(30);

/// The load of `queue`: handler seconds that come per second over those that its fleets can do, retries after failures
/// and handler timeouts included and autoscaled fleets at their most. From 1 on the backlog grows without end.
///
/// `None` if no producer sends to the queue or no fleet works on it. What comes from other queues as dead letters is
/// not counted.
///
/// # Examples
/// ```
/// let scenario = requeue::sim::Scenario::from_toml(
///     r#"
/// [queue.jobs]
/// [producer.web]
/// queue = "jobs"
/// arrivals.constant = { rate = 13 }
/// [fleet.workers]
/// queue = "jobs"
/// workers = 5
/// service.constant = { time = 0.5 }
///     "#,
/// )?;
/// assert_eq!(requeue::sim::offered_load(&scenario, "jobs"), Some(1.3));
/// assert_eq!(requeue::sim::offered_load(&scenario, "others"), None);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[must_use]
pub fn offered_load(scenario: &Scenario, queue: &str) -> Option<f64> {
    let limit = scenario
        .queue
        .get(queue)?
        .dead_letter
        .as_ref()
        .map(|it| it.max_receive_count);
    let (mut capacity, mut failures) = (0.0, 0.0);
    for (_, fleet) in fleets(scenario, queue) {
        let workers = fleet.autoscaling.as_ref().map_or(fleet.workers, |it| it.max);
        let times = Times::new(&fleet.service, fleet.slow);
        // A handler that is given up fails, and its place is free again.
        let (mean, in_time) = match fleet.handler_timeout.map(|it| it.as_secs_f64()) {
            Some(timeout) => (times.mean_until(timeout), times.cdf(timeout)),
            None => (times.mean(), 1.0),
        };
        let rate = workers as f64 * fleet.concurrency as f64 / mean;
        capacity += rate;
        failures += rate * (1.0 - (1.0 - fleet.failure_probability) * in_time);
    }
    let failure = failures / capacity;
    let calls = scenario
        .producer
        .values()
        .filter(|it| it.queue == queue)
        .map(|producer| {
            let poison = producer.poison_share.min(1.0);
            // A poison message without a limit comes back until it expires; it is counted as one that can be done.
            let of_poison = limit.map_or_else(|| attempts(failure, None), f64::from);
            let mean = (1.0 - poison) * attempts(failure, limit) + poison * of_poison;
            mean * mean_rate(&producer.arrivals, scenario.horizon)
        });
    let load = calls.sum::<f64>() / capacity;
    (0.0 < load).then_some(load)
}

/// The mean number of handler calls of a message, each of which fails with probability `failure`.
fn attempts(failure: f64, limit: Option<u32>) -> f64 {
    match limit {
        Some(limit) if failure >= 1.0 => f64::from(limit),
        Some(limit) => (1.0 - libm::pow(failure, f64::from(limit))) / (1.0 - failure),
        None => 1.0 / (1.0 - failure),
    }
}

fn mean_rate(arrivals: &Arrivals, horizon: Duration) -> f64 {
    match arrivals {
        Arrivals::Constant { rate } | Arrivals::Poisson { rate } => *rate,
        Arrivals::Profile { rates } => rates.iter().sum::<f64>() / rates.len() as f64,
        Arrivals::Bursts {
            rate,
            off_rate,
            mean_on,
            mean_off,
        } => {
            let (on, off) = (mean_on.as_secs_f64(), mean_off.as_secs_f64());
            (rate * on + off_rate * off) / (on + off)
        }
        Arrivals::Trace { entries, .. } => {
            entries.iter().filter(|it| it.time < horizon).count() as f64 / horizon.as_secs_f64()
        }
    }
}

#[cfg(test)]
mod tests;
