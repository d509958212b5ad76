//! From what replications measured to a report.

use {
    super::{
        CallsReport, Estimate, FleetReport, FleetSeriesReport, GroupReport, LittleReport, QueueReport,
        QueueSeriesReport, Report, SeriesReport, TimeReport, Unstable, text,
    },
    crate::sim::{
        Deploy, Scenario, Sizing,
        measure::{Calls, FleetMeasured, Measured, QueueMeasured, QueueSeries, QueueTotals, Sample, Series},
        offered_load,
    },
    hdrhistogram::Histogram,
    std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    },
};

/// By how much the sides of Little's law may differ.
const LITTLE_TOLERANCE: f64 = 0.01;

/// Of message seconds: below this the sides of Little's law consist of rounding.
const LITTLE_LEAST: f64 = 1.0;

const MONTH: f64 = 30.0 * 86_400.0;

/// Points of a cumulative distribution.
const CURVE_POINTS: usize = 200;

/// The most deploys that are marked.
const DEPLOYS: usize = 500;

impl Report {
    /// What `runs`, of which there is at least one, found.
    pub(in crate::sim) fn new(scenario: &Scenario, runs: &[Measured]) -> Self {
        let span = Estimate::over(runs.iter().map(|it| it.span.as_secs_f64())).mean;
        let names: BTreeSet<&String> = runs.iter().flat_map(|it| it.queues.keys()).collect();
        let queues: BTreeMap<_, _> = names
            .into_iter()
            .map(|name| (name.clone(), queue(scenario, name, runs)))
            .collect();
        let names: BTreeSet<&String> = runs.iter().flat_map(|it| it.fleets.keys()).collect();
        let fleets = names
            .into_iter()
            .map(|name| (name.clone(), fleet(scenario, name, runs)))
            .collect();
        let cost = Estimate::over(runs.iter().map(|run| cost(scenario, run.queues.values())));
        let points = scenario.points.max(1);
        let interval = scenario.horizon.as_secs_f64() / points as f64;
        let unstable = unstable(&queues, runs);
        let mut report = Self {
            name: scenario.name.clone(),
            seed: scenario.seed,
            replications: runs.len(),
            horizon: scenario.horizon.as_secs_f64(),
            warm_up: scenario.warm_up.as_secs_f64(),
            measured: span,
            unstable,
            warnings: Vec::new(),
            cost,
            cost_per_month: per_month(cost, span),
            queues,
            fleets,
            sizing: Sizing::of(scenario),
            times: (1..=points).map(|it| it as f64 * interval).collect(),
        };
        report.warnings = report.doubts();
        report
    }

    fn doubts(&self) -> Vec<String> {
        let little = self.queues.iter().filter(|(_, queue)| !queue.little.holds);
        let little = little.map(|(name, queue)| {
            format!(
                "Little's law does not hold for queue {name:?}: it counted {} message seconds, its messages spent {}",
                text::number(queue.little.counted),
                text::number(queue.little.spent),
            )
        });
        let empty = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.dead_letter_queue && queue.sent.mean == 0.0);
        let empty = empty.map(|(name, _)| format!("queue {name:?} got no message in the measured time"));
        little.chain(empty).collect()
    }
}

fn per_month(cost: Estimate, span: f64) -> Estimate {
    if span > 0.0 {
        cost.scaled(MONTH / span)
    } else {
        Estimate::NOTHING
    }
}

/// The replications that ended early, or else a load that no run survives if it lasts long enough.
fn unstable(queues: &BTreeMap<String, QueueReport>, runs: &[Measured]) -> Option<Unstable> {
    let overloaded = queues
        .iter()
        .filter_map(|(name, queue)| queue.offered_load.map(|load| (name, load)))
        .filter(|(_, load)| *load >= 1.0)
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let overflows = || runs.iter().filter_map(|it| it.overflow.as_ref());
    let first = overflows().min_by_key(|it| it.at);
    if first.is_none() && overloaded.is_none() {
        return None;
    }
    Some(Unstable {
        queue: overloaded.map(|it| it.0.clone()),
        load: overloaded.map(|it| it.1),
        ended_at: first.map(|it| it.at.as_secs_f64()),
        messages: first.map(|it| it.messages),
        bytes: first.map(|it| it.bytes),
        ended_early: overflows().count(),
    })
}

fn queue(scenario: &Scenario, name: &str, runs: &[Measured]) -> QueueReport {
    let all: Vec<(&Measured, &QueueMeasured)> = runs.iter().filter_map(|it| Some((it, it.queues.get(name)?))).collect();
    let queues = || all.iter().map(|it| it.1);
    let total = |of: fn(&QueueTotals) -> u64| Estimate::over(queues().map(|it| of(&it.totals) as f64));
    let series =
        |of: fn(&QueueSeries) -> &Series| series(all.iter().map(|(run, it)| (reached(scenario, run), of(&it.series))));
    let span = Estimate::over(all.iter().map(|it| it.0.span.as_secs_f64())).mean;
    let cost = Estimate::over(queues().map(|it| cost(scenario, [it])));
    QueueReport {
        fifo: queues().any(|it| it.fifo),
        dead_letter_queue: queues().any(|it| it.dead_letter_queue),
        offered_load: offered_load(scenario, name).map(|it| text::rounded(it, 8)),
        sent: total(|it| it.sent),
        received: total(|it| it.received),
        done: total(|it| it.done),
        done_more_than_once: total(|it| it.done_more_than_once),
        begun_more_than_once: total(|it| it.begun_more_than_once),
        dead_lettered: total(|it| it.dead_lettered),
        expired: total(|it| it.expired),
        refused: total(|it| it.refused),
        left: total(|it| it.left),
        throughput: Estimate::of(queues().map(|it| &it.throughput)),
        duplicate_share: Estimate::of(queues().map(|it| &it.duplicates)),
        dead_letter_share: Estimate::of(queues().map(|it| &it.dead_letters)),
        present: Estimate::of(queues().map(|it| &it.present)),
        visible: Estimate::of(queues().map(|it| &it.visible)),
        in_flight: Estimate::of(queues().map(|it| &it.in_flight)),
        time_to_first_receive: time(queues().map(|it| &it.time_to_first_receive)),
        time_to_completion: time(queues().map(|it| &it.time_to_completion)),
        receives: receives(queues()),
        groups: groups(&queues().collect::<Vec<_>>()),
        calls: calls(scenario, &queues().collect::<Vec<_>>()),
        cost,
        cost_per_month: per_month(cost, span),
        little: little(queues()),
        series: QueueSeriesReport {
            visible: series(|it| &it.visible),
            in_flight: series(|it| &it.in_flight),
            delayed: series(|it| &it.delayed),
            dead_letters: series(|it| &it.dead_letters),
            age_of_oldest: series(|it| &it.age_of_oldest),
            arrivals: series(|it| &it.arrivals),
            completions: series(|it| &it.completions),
        },
    }
}

fn receives<'a>(queues: impl Iterator<Item = &'a QueueMeasured>) -> Vec<f64> {
    let (mut sums, mut count) = (Vec::new(), 0.0);
    for queue in queues {
        count += 1.0;
        sums.resize(sums.len().max(queue.receives.len()), 0.0);
        sums.iter_mut()
            .zip(&queue.receives)
            .for_each(|(sum, it)| *sum += *it as f64);
    }
    sums.iter_mut().for_each(|it| *it /= count);
    sums
}

fn groups(all: &[&QueueMeasured]) -> BTreeMap<String, GroupReport> {
    let names: BTreeSet<&String> = all.iter().flat_map(|it| it.groups.keys()).collect();
    let report = |name: &String| {
        let groups = || all.iter().filter_map(|it| it.groups.get(name));
        // A replication that does not name the group had no message of it.
        let none = all.len() - groups().count();
        let none = || std::iter::repeat_n(0.0, none);
        GroupReport {
            sent: Estimate::over(groups().map(|it| it.sent as f64).chain(none())),
            done: Estimate::over(groups().map(|it| it.done as f64).chain(none())),
            time_to_first_receive: time(groups().map(|it| &it.time_to_first_receive)),
            time_to_completion: time(groups().map(|it| &it.time_to_completion)),
        }
    };
    names.into_iter().map(|name| (name.clone(), report(name))).collect()
}

fn price(scenario: &Scenario, queue: &QueueMeasured) -> f64 {
    let million = if queue.fifo {
        scenario.prices.fifo
    } else {
        scenario.prices.standard
    };
    million / 1e6
}

fn cost<'a>(scenario: &Scenario, queues: impl IntoIterator<Item = &'a QueueMeasured>) -> f64 {
    let billed = |queue: &QueueMeasured| queue.calls.values().map(|it| it.billed).sum::<u64>() as f64;
    // From zero: the sum of no floats is -0.
    queues
        .into_iter()
        .fold(0.0, |sum, it| sum + billed(it) * price(scenario, it))
}

fn calls(scenario: &Scenario, all: &[&QueueMeasured]) -> BTreeMap<String, CallsReport> {
    let names: BTreeSet<&str> = all.iter().flat_map(|it| it.calls.keys().copied()).collect();
    let report = |name: &str| {
        let of = |f: &dyn Fn(Calls, &QueueMeasured) -> f64| {
            Estimate::over(
                all.iter()
                    .map(|it| f(it.calls.get(name).copied().unwrap_or_default(), it)),
            )
        };
        CallsReport {
            requests: of(&|it, _| it.requests as f64),
            billed: of(&|it, _| it.billed as f64),
            cost: of(&|it, queue| it.billed as f64 * price(scenario, queue)),
        }
    };
    names.into_iter().map(|name| (name.to_owned(), report(name))).collect()
}

fn little<'a>(queues: impl Iterator<Item = &'a QueueMeasured>) -> LittleReport {
    let (mut counted, mut spent, mut holds) = (0.0, 0.0, true);
    for it in queues.map(|it| it.little) {
        counted += it.counted;
        spent += it.spent;
        let difference = (it.counted - it.spent).abs();
        holds &= difference <= (it.spent * LITTLE_TOLERANCE).max(LITTLE_LEAST);
    }
    LittleReport {
        counted,
        spent,
        ratio: counted / spent,
        holds,
    }
}

/// Each series with the number of its points that its run reached; a point that no run reached is NaN.
fn series<'a>(all: impl Iterator<Item = (usize, &'a Series)>) -> SeriesReport {
    let all: Vec<(usize, &Series)> = all.collect();
    let points = all.iter().map(|it| it.1.values().len()).max().unwrap_or(0);
    let reached = |point: usize| {
        let reached = all.iter().filter(move |it| point < it.0);
        reached.filter_map(move |it| it.1.values().get(point).copied())
    };
    SeriesReport {
        mean: (0..points).map(|it| Estimate::over(reached(it)).mean).collect(),
        least: (0..points).map(|it| reached(it).fold(f64::NAN, f64::min)).collect(),
        greatest: (0..points).map(|it| reached(it).fold(f64::NAN, f64::max)).collect(),
    }
}

/// How many points of the series a run reached.
fn reached(scenario: &Scenario, run: &Measured) -> usize {
    let points = scenario.points.max(1);
    match &run.overflow {
        None => points,
        Some(it) => {
            let share = it.at.as_secs_f64() / scenario.horizon.as_secs_f64();
            ((share * points as f64).ceil() as usize).min(points)
        }
    }
}

fn time<'a>(samples: impl Iterator<Item = &'a Sample>) -> TimeReport {
    let all: Vec<&Sample> = samples.collect();
    let mean = Estimate::of(all.iter().map(|it| it.mean()));
    let histogram = Sample::merged(all.iter().copied());
    let count = histogram.len();
    let quantile = |share| {
        if count == 0 {
            f64::NAN
        } else {
            Duration::from_micros(histogram.value_at_quantile(share)).as_secs_f64()
        }
    };
    TimeReport {
        count,
        mean,
        p50: quantile(0.5),
        p90: quantile(0.9),
        p95: quantile(0.95),
        p99: quantile(0.99),
        max: quantile(1.0),
        curve: curve(&histogram),
    }
}

/// Closer together where the tail is, so that it can be drawn.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let count = histogram.len() as f64;
    let mut curve: Vec<(f64, f64)> = Vec::new();
    let mut below = 0;
    for step in histogram.iter_recorded() {
        below += step.count_since_last_iteration();
        let share = below as f64 / count;
        let distance = curve.last().map_or(1.0, |it| share - it.1);
        let left = 1.0 - curve.last().map_or(0.0, |it| it.1);
        let last = below == histogram.len();
        if last || distance >= (left * 0.05).max(1.0 / count).min(2.0 / CURVE_POINTS as f64) {
            curve.push((Duration::from_micros(step.value_iterated_to()).as_secs_f64(), share));
        }
    }
    curve
}

fn fleet(scenario: &Scenario, name: &str, runs: &[Measured]) -> FleetReport {
    let both: Vec<(usize, &FleetMeasured)> = runs
        .iter()
        .filter_map(|it| Some((reached(scenario, it), it.fleets.get(name)?)))
        .collect();
    let all = &both.iter().map(|it| it.1).collect::<Vec<_>>()[..];
    let count = |of: fn(&FleetMeasured) -> u64| Estimate::over(all.iter().map(|it| of(it) as f64));
    let faults: BTreeSet<&String> = all.iter().flat_map(|it| it.faults.keys()).collect();
    let often = |fault: &String| Estimate::over(all.iter().map(|it| it.faults.get(fault).map_or(0.0, |it| *it as f64)));
    let settings = scenario.fleet.get(name);
    FleetReport {
        queue: all.first().map(|it| it.queue.clone()).unwrap_or_default(),
        workers: Estimate::of(all.iter().map(|it| &it.staff)),
        utilisation: Estimate::of(all.iter().map(|it| &it.busy)),
        begun: count(|it| it.begun),
        failed: count(|it| it.failed),
        cut_short: count(|it| it.cut_short),
        crashes: count(|it| it.crashes),
        restarts: count(|it| it.restarts),
        heartbeats: count(|it| it.heartbeats),
        failed_calls: count(|it| it.failed_calls),
        busy_seconds: Estimate::over(all.iter().map(|it| it.busy_seconds)),
        wasted_seconds: Estimate::over(all.iter().map(|it| it.wasted_seconds)),
        wasted_share: Estimate::of(all.iter().map(|it| &it.wasted)),
        service_time: time(all.iter().map(|it| &it.service_time)),
        faults: faults.into_iter().map(|it| (it.clone(), often(it))).collect(),
        outages: settings.map_or_else(Vec::new, |it| {
            let seconds = it
                .outages
                .iter()
                .map(|it| (it.from.as_secs_f64(), it.until.as_secs_f64()));
            seconds.collect()
        }),
        deploys: settings.map_or_else(Vec::new, |it| deploys(&it.deploys, scenario.horizon)),
        series: FleetSeriesReport {
            workers: series(both.iter().map(|it| (it.0, &it.1.workers))),
            utilisation: series(both.iter().map(|it| (it.0, &it.1.utilisation))),
        },
    }
}

fn deploys(deploys: &[Deploy], horizon: Duration) -> Vec<f64> {
    let mut all = BTreeSet::new();
    for deploy in deploys {
        let times = std::iter::successors(Some(deploy.at), |at| {
            deploy
                .every
                .filter(|it| !it.is_zero())
                .and_then(|every| at.checked_add(every))
        });
        all.extend(times.take_while(|it| *it < horizon).take(DEPLOYS));
    }
    all.into_iter().take(DEPLOYS).map(|it| it.as_secs_f64()).collect()
}
