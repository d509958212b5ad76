//! A fleet as the engine runs it.

use {
    super::{
        agenda::Micros,
        window::{TICK, micros},
        worker::Ending,
    },
    crate::{
        backend::{Backoff, timing},
        queue::Queue,
        sim::{
            draw::{Streams, Times, exponential, generator, uniform},
            measure::FleetMeasured,
            scenario::{FailurePolicy, Fleet, OutageEffect},
        },
        testing::{Fault, FaultError, Faults, FaultyQueue},
    },
    std::{collections::BTreeMap, ops::Range, time::Duration},
};

pub(super) struct FleetState {
    pub(super) name: String,
    pub(super) queue: u32,
    pub(super) fifo: bool,
    pub(super) config: Fleet,
    pub(super) wire: Option<FaultyQueue>,
    times: Times,
    latency: Option<Times>,
    keys: Keys,
    backoff: Option<Backoff>,
    backoff_seed: u64,
    /// The visibility timeout of its receives.
    pub(super) visibility: Micros,
    /// How long after a receive or a renewal a lease is due, if leases are looked at.
    pub(super) renew_interval: Option<Micros>,
    /// How long before its end a lease is not renewed any more.
    pub(super) renew_margin: Micros,
    /// Its workers, those that have left included.
    pub(super) workers: Vec<u32>,
    /// How many there are or will be.
    pub(super) wanted: usize,
    pub(super) rolls: Vec<Roll>,
    pub(super) running: usize,
    pub(super) busy: usize,
    pub(super) calls: u64,
    pub(super) measured: FleetMeasured,
}

/// A rolling deploy under way.
#[derive(Debug)]
pub(super) struct Roll {
    pub(super) deploy: u32,
    /// Places of the workers that are still to be restarted. As many deploys as there are workers may be under way.
    pub(super) left: Range<usize>,
    /// The worker that is being restarted.
    pub(super) current: Option<u32>,
}

struct Keys {
    service: u64,
    failure: u64,
    crash: u64,
    latency: u64,
}

/// What becomes of a handler call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) takes: Micros,
    pub(super) ending: Ending,
}

impl FleetState {
    pub(super) fn new(
        name: &str,
        config: &Fleet,
        streams: Streams,
        (index, queue): (u32, &Queue),
        wire: Option<FaultyQueue>,
        measured: FleetMeasured,
    ) -> Self {
        let visibility = config
            .visibility_timeout
            .unwrap_or_else(|| queue.settings().visibility_timeout);
        let renew_margin = micros(timing::latency_margin(visibility));
        let renew_interval = match config.heartbeat {
            true => Some(micros(timing::renew_interval(visibility))),
            // What waits for its group goes back before its lease ends. On a standard queue nothing waits.
            false => queue.is_fifo().then(|| micros(timing::last_due(visibility))),
        };
        let renew_interval = renew_interval.map(|it| (it / TICK * TICK).max(TICK));
        let backoff = match config.failure_policy {
            FailurePolicy::Backoff { base, max } => Some(Backoff::new(base, max)),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            queue: index,
            fifo: queue.is_fifo(),
            config: config.clone(),
            wire,
            times: Times::new(&config.service, config.slow),
            latency: config.call_latency.as_ref().map(|it| Times::new(it, None)),
            keys: Keys {
                // Of the queue's messages and not of the fleet's calls: all points of a sweep draw the same times.
                service: streams.key("service", &config.queue),
                failure: streams.key("failure", &config.queue),
                crash: streams.key("crash", name),
                latency: streams.key("latency", name),
            },
            backoff,
            backoff_seed: streams.key("backoff", name),
            visibility: micros(visibility),
            renew_interval,
            renew_margin,
            workers: Vec::new(),
            wanted: config.workers,
            rolls: Vec::new(),
            running: 0,
            busy: 0,
            calls: 0,
            measured,
        }
    }

    /// How the handler call of this message goes that begins now.
    pub(super) fn course(&self, number: u64, attempt: u32, poison: bool, now: Micros) -> Course {
        let mut takes = self.times.draw(&mut generator(self.keys.service, number, attempt));
        let mut ending = Ending::Success;
        if poison || self.fails(number, attempt) {
            ending = Ending::Failure;
        }
        for outage in &self.config.outages {
            let (from, until) = (micros(outage.from), micros(outage.until));
            if (from..until).contains(&(now + takes)) {
                ending = Ending::Failure;
                if outage.effect == OutageEffect::Hang {
                    takes = until - now;
                }
            }
        }
        if let Some(timeout) = self
            .config
            .handler_timeout
            .map(micros)
            .filter(|timeout| *timeout < takes)
        {
            return Course {
                takes: timeout,
                ending: Ending::Timeout,
            };
        }
        Course { takes, ending }
    }

    fn fails(&self, number: u64, attempt: u32) -> bool {
        let probability = self.config.failure_probability;
        probability > 0.0 && uniform(&mut generator(self.keys.failure, number, attempt)) < probability
    }

    /// After which time a message comes back whose handler failed; none leaves it to its timeout.
    pub(super) fn delay_of_failure(&self, message_id: impl FnOnce() -> String, receive_count: u32) -> Option<Duration> {
        match self.config.failure_policy {
            FailurePolicy::LeaveToTimeout => None,
            FailurePolicy::RetryNow => Some(Duration::ZERO),
            FailurePolicy::Backoff { .. } => {
                let backoff = self.backoff.as_ref()?;
                Some(backoff.draw(self.backoff_seed, &message_id(), receive_count))
            }
        }
    }

    /// When a worker that starts now will crash.
    pub(super) fn crash_after(&self, worker: u32, start: u32) -> Option<Micros> {
        let crashes = self.config.crashes?;
        let drawn = exponential(&mut generator(self.keys.crash, u64::from(worker), start));
        Some((drawn * crashes.mean_interval.as_secs_f64() * 1e6) as Micros)
    }

    /// How long the next call takes.
    pub(super) fn latency(&mut self) -> Micros {
        let Some(latency) = &self.latency else { return 0 };
        self.calls += 1;
        latency.draw(&mut generator(self.keys.latency, self.calls, 0))
    }

    /// Counts the faults that have struck since it was last called.
    pub(super) fn count_faults(&mut self) {
        for (_, fault) in self.wire.iter().flat_map(FaultyQueue::take_struck) {
            *self.measured.faults.entry(fault.to_string()).or_default() += 1;
        }
    }

    /// Forgets the faults of the warm-up.
    pub(super) fn forget_faults(&mut self) {
        self.count_faults();
        self.measured.faults.clear();
    }

    /// How many handlers could run.
    pub(super) const fn capacity(&self) -> usize {
        self.running * self.config.concurrency
    }
}

/// The faults of a fleet or a producer by their names.
pub(super) fn faults(named: &BTreeMap<String, f64>) -> Result<Option<Faults>, FaultError> {
    let mut faults = Faults::none();
    for (name, probability) in named {
        faults = faults.with(name.parse::<Fault>()?, *probability);
    }
    Ok((!named.is_empty()).then_some(faults))
}
