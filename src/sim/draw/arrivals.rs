//! When a producer sends, and of which group and size.

use {
    super::{Generator, Streams, exponential, generator, groups, groups::GroupDraw, uniform},
    crate::sim::{Arrivals, Producer, TraceEntry},
    std::{collections::BTreeMap, sync::Arc, time::Duration},
};

/// A message that a producer sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim) struct Arrival {
    /// Microseconds from the start of the run.
    pub(in crate::sim) at: u64,
    /// Its message group, for [`ArrivalStream::group_name`].
    pub(in crate::sim) group: Option<u32>,
    /// Of its body, if a trace says it.
    pub(in crate::sim) bytes: Option<usize>,
}

/// The messages of one producer in the order of their time.
#[derive(Clone, Debug)]
pub(in crate::sim) struct ArrivalStream {
    random: Generator,
    now: Moment,
    end: u64,
    pub(super) number: u64,
    process: Process,
    groups: GroupDraw,
    /// Those that a trace names first, then those that are drawn.
    names: Vec<Arc<str>>,
    /// How many groups a trace names.
    named: u32,
}

#[derive(Clone, Debug)]
enum Process {
    Constant { rate: f64 },
    Poisson { mean_gap: f64 },
    Profile(Profile),
    Bursts(Bursts),
    Trace(Trace),
    Nothing,
}

/// A moment as whole microseconds and a fraction, so that sums over months lose nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) micros: u64,
    /// 0 to 1.
    pub(super) fraction: f64,
}

impl Moment {
    pub(super) const START: Self = Self {
        micros: 0,
        fraction: 0.0,
    };

    #[inline]
    pub(super) fn advance(&mut self, micros: f64) {
        let sum = self.fraction + micros;
        let whole = sum.floor();
        self.micros = self.micros.saturating_add(whole as u64);
        self.fraction = sum - whole;
    }
}

impl ArrivalStream {
    /// The stream of `producer`, the name of which is `name`.
    pub(in crate::sim) fn new(producer: &Producer, seed: u64, replication: u32, name: &str) -> Self {
        let streams = Streams::new(seed, replication);
        let groups = GroupDraw::new(&producer.groups, streams.key("groups", name));
        let mut names = Vec::new();
        let process = match &producer.arrivals {
            Arrivals::Constant { rate } if 0.0 < *rate => Process::Constant { rate: *rate },
            Arrivals::Poisson { rate } if 0.0 < *rate => Process::Poisson { mean_gap: 1e6 / rate },
            Arrivals::Profile { rates } => Profile::new(rates).map_or(Process::Nothing, Process::Profile),
            Arrivals::Bursts {
                rate,
                off_rate,
                mean_on,
                mean_off,
            } => Bursts::new(
                [*off_rate, *rate],
                [*mean_off, *mean_on],
                generator(streams.key("bursts", name), 0, 0),
            )
            .map_or(Process::Nothing, Process::Bursts),
            Arrivals::Trace { entries, .. } => {
                let trace = Trace::new(entries);
                names = trace.names();
                Process::Trace(trace)
            }
            Arrivals::Constant { .. } | Arrivals::Poisson { .. } => Process::Nothing,
        };
        let named = names.len() as u32;
        names.extend(groups::names(groups.count()));
        Self {
            random: generator(streams.key("arrivals", name), 0, 0),
            now: Moment::START,
            end: u64::MAX,
            number: 0,
            process,
            groups,
            names,
            named,
        }
    }

    /// Ends the stream: no message is sent at `micros` or later.
    pub(in crate::sim) const fn ending_at(mut self, micros: u64) -> Self {
        self.end = micros;
        self
    }

    /// The next message; none after the end of the stream or of a trace.
    #[inline]
    pub(in crate::sim) fn next(&mut self) -> Option<Arrival> {
        self.number += 1;
        let at = match &mut self.process {
            Process::Constant { rate } => (self.number as f64 * 1e6 / *rate) as u64,
            Process::Poisson { mean_gap } => {
                self.now.advance(exponential(&mut self.random) * *mean_gap);
                self.now.micros
            }
            Process::Profile(profile) => profile.next(exponential(&mut self.random)),
            Process::Bursts(bursts) => {
                bursts.advance(&mut self.now, exponential(&mut self.random), self.end);
                self.now.micros
            }
            Process::Trace(trace) => {
                let (mut arrival, group) = trace.next()?;
                if self.end <= arrival.at {
                    return None;
                }
                let drawn = || self.groups.draw(self.number - 1).map(|it| self.named + it);
                arrival.group = group.or_else(drawn);
                return Some(arrival);
            }
            Process::Nothing => return None,
        };
        (at < self.end).then(|| Arrival {
            at,
            group: self.groups.draw(self.number - 1),
            bytes: None,
        })
    }

    /// The name of a group of an [`Arrival`] of this stream.
    pub(in crate::sim) fn group_name(&self, group: u32) -> &Arc<str> {
        &self.names[group as usize]
    }
}

/// Seconds between two rates of a profile.
const HOUR: f64 = 3_600.0;

/// A Poisson process with a rate that is linear within each hour: the integral of the rate from one message to the next
/// is exponential with mean 1.
#[derive(Clone, Debug)]
struct Profile {
    rates: Box<[f64]>,
    /// The integral of the rate over a day or a week.
    period: f64,
    /// Whole hours from the start.
    hour: u64,
    /// Seconds in the hour.
    second: f64,
}

impl Profile {
    fn new(rates: &[f64]) -> Option<Self> {
        let sum: f64 = rates.iter().sum();
        (rates.iter().all(|it| *it >= 0.0) && sum > 0.0 && sum.is_finite()).then(|| Self {
            rates: rates.into(),
            period: sum * HOUR,
            hour: 0,
            second: 0.0,
        })
    }

    fn next(&mut self, integral: f64) -> u64 {
        let count = self.rates.len() as u64;
        // A whole period has the same integral wherever it begins.
        let periods = (integral / self.period).floor();
        self.hour = self.hour.saturating_add((periods * count as f64) as u64);
        let mut integral = integral - periods * self.period;
        loop {
            let (first, last) = (
                self.rates[(self.hour % count) as usize],
                self.rates[(self.hour.wrapping_add(1) % count) as usize],
            );
            let slope = (last - first) / HOUR;
            let rate = first + slope * self.second;
            let left = (rate + last) / 2.0 * (HOUR - self.second);
            if integral < left {
                // The solution of `rate * x + slope / 2 * x^2 = integral` without cancellation.
                let root = (rate * rate + 2.0 * slope * integral).max(0.0).sqrt();
                self.second = (self.second + 2.0 * integral / (rate + root)).min(HOUR);
                return self
                    .hour
                    .saturating_mul(3_600_000_000)
                    .saturating_add((self.second * 1e6) as u64);
            }
            integral -= left.max(0.0);
            self.hour = self.hour.saturating_add(1);
            self.second = 0.0;
        }
    }
}

/// A Poisson process the rate of which alternates between two values.
#[derive(Clone, Debug)]
struct Bursts {
    /// Per microsecond: off, on.
    rates: [f64; 2],
    /// Mean lengths in microseconds: off, on.
    means: [f64; 2],
    on: bool,
    /// What is left of the present phase, in microseconds.
    left: f64,
    /// Of the lengths: they do not depend on the rates.
    random: Generator,
}

impl Bursts {
    fn new(rates: [f64; 2], means: [Duration; 2], mut random: Generator) -> Option<Self> {
        let means = means.map(|it| it.as_secs_f64() * 1e6);
        let mean_rate = rates[0] * means[0] + rates[1] * means[1];
        if !(rates.iter().all(|it| *it >= 0.0) && mean_rate > 0.0 && mean_rate.is_finite()) {
            return None;
        }
        let on = uniform(&mut random) * (means[0] + means[1]) < means[1];
        let left = exponential(&mut random) * means[usize::from(on)];
        Some(Self {
            rates: rates.map(|it| it / 1e6),
            means,
            on,
            left,
            random,
        })
    }

    /// Moves `now` to the next message, or to `end` or beyond it.
    fn advance(&mut self, now: &mut Moment, mut integral: f64, end: u64) {
        while now.micros < end {
            let rate = self.rates[usize::from(self.on)];
            let within = rate * self.left;
            if integral < within {
                let gap = (integral / rate).min(self.left);
                self.left -= gap;
                return now.advance(gap);
            }
            integral -= within;
            now.advance(self.left);
            self.on = !self.on;
            self.left = exponential(&mut self.random) * self.means[usize::from(self.on)];
        }
    }
}

#[derive(Clone, Debug)]
struct Trace {
    entries: Arc<[TraceEntry]>,
    next: usize,
    /// Numbered in the order in which they first appear.
    groups: BTreeMap<Arc<str>, u32>,
}

impl Trace {
    fn new(entries: &Arc<[TraceEntry]>) -> Self {
        let mut groups = BTreeMap::new();
        for group in entries.iter().filter_map(|it| it.group.as_ref()) {
            let number = groups.len() as u32;
            groups.entry(Arc::clone(group)).or_insert(number);
        }
        Self {
            entries: Arc::clone(entries),
            next: 0,
            groups,
        }
    }

    fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.groups.iter().collect();
        names.sort_unstable_by_key(|it| it.1);
        names.into_iter().map(|it| Arc::clone(it.0)).collect()
    }

    fn next(&mut self) -> Option<(Arrival, Option<u32>)> {
        let entry = self.entries.get(self.next)?;
        self.next += 1;
        let group = entry.group.as_ref().and_then(|it| self.groups.get(it).copied());
        let arrival = Arrival {
            at: u64::try_from(entry.time.as_micros()).unwrap_or(u64::MAX),
            group,
            bytes: entry.bytes,
        };
        Some((arrival, group))
    }
}
