//! Runs of a scenario: its replications and the points of its sweep, over threads.

use {
    super::{
        Report, SweepReport,
        engine::simulate,
        measure::Measured,
        scenario::{Scenario, ScenarioError},
    },
    crate::sync::Mutex,
    std::{
        num::NonZero,
        sync::atomic::{AtomicU64, AtomicUsize, Ordering},
        thread,
        time::Duration,
    },
};

/// How far a run is, to be read from another thread.
///
/// # Examples
/// ```
/// use requeue::sim::{Progress, Scenario};
///
/// let scenario = Scenario::from_toml("[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.poisson.rate = 2")?;
/// let progress = Progress::new();
/// scenario.run_with(&progress)?;
/// assert_eq!(progress.share(), 1.0);
/// assert!(progress.messages() > 7_000);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Debug, Default)]
pub struct Progress {
    /// Milliseconds of virtual time.
    total: AtomicU64,
    passed: AtomicU64,
    messages: AtomicU64,
}

impl Progress {
    /// Nothing has begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The share of the virtual time that has passed, 0 to 1, over all replications and points.
    #[must_use]
    pub fn share(&self) -> f64 {
        let total = self.total.load(Ordering::Relaxed);
        if total == 0 {
            return 0.0;
        }
        self.passed.load(Ordering::Relaxed).min(total) as f64 / total as f64
    }

    /// How many messages were sent so far, warm-ups included.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    fn begin(&self, spans: impl Iterator<Item = Duration>) {
        let total = spans.fold(0_u64, |sum, it| sum.saturating_add(it.as_millis() as u64));
        self.total.store(total, Ordering::Relaxed);
    }

    /// Adds milliseconds of virtual time and messages.
    pub(super) fn pass(&self, millis: u64, messages: u64) {
        self.passed.fetch_add(millis, Ordering::Relaxed);
        self.messages.fetch_add(messages, Ordering::Relaxed);
    }
}

impl Scenario {
    /// Runs all replications, as many at once as there are cores, and reports what they found.
    ///
    /// The same scenario gives the same report on every machine. A [`sweep`](Self::sweep) is left aside.
    ///
    /// # Errors
    /// What [`check`](Self::check) finds.
    ///
    /// # Examples
    /// ```
    /// use requeue::sim::Scenario;
    ///
    /// let report = Scenario::from_toml("
    ///     [queue.jobs]
    ///     [producer.web]
    ///     queue = 'jobs'
    ///     arrivals.constant = { rate = 1 }
    ///     [fleet.workers]
    ///     queue = 'jobs'
    ///     service.constant = { time = 0.5 }
    /// ")?
    /// .run()?;
    /// assert!((report.fleets["workers"].utilisation.mean - 0.5).abs() < 0.001);
    /// # Ok::<(), requeue::sim::ScenarioError>(())
    /// ```
    pub fn run(&self) -> Result<Report, ScenarioError> {
        self.run_with(&Progress::new())
    }

    /// [`run`](Self::run), and tells meanwhile how far it is.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn run_with(&self, progress: &Progress) -> Result<Report, ScenarioError> {
        self.check()?;
        let runs = run_all(&[self], progress)?;
        Ok(Report::new(self, runs.first().map_or(&[], Vec::as_slice)))
    }

    /// Runs the scenario once for each combination of the values of its [`sweep`](field@Self::sweep), with the same
    /// chance for all of them, and says which reaches the goal.
    ///
    /// # Errors
    /// What [`check`](Self::check) finds in the scenario and in each of the points.
    ///
    /// # Examples
    /// ```
    /// use requeue::sim::Scenario;
    ///
    /// let found = Scenario::from_toml("
    ///     [queue.jobs]
    ///     [producer.web]
    ///     queue = 'jobs'
    ///     arrivals.poisson = { rate = 5 }
    ///     [fleet.workers]
    ///     queue = 'jobs'
    ///     service.exponential = { mean = 0.5 }
    ///     [sweep]
    ///     vary.workers = '3..=6'
    ///     goal = { metric = 'time_to_first_receive', at_most = 0.05 }
    /// ")?
    /// .run_sweep()?;
    /// assert_eq!(found.points.len(), 4);
    /// assert_eq!(found.points[found.answer.unwrap().best.unwrap()].values, [5.0]);
    /// # Ok::<(), requeue::sim::ScenarioError>(())
    /// ```
    pub fn run_sweep(&self) -> Result<SweepReport, ScenarioError> {
        self.run_sweep_with(&Progress::new())
    }

    /// [`run_sweep`](Self::run_sweep), and tells meanwhile how far it is.
    ///
    /// # Errors
    /// Those of [`run_sweep`](Self::run_sweep).
    pub fn run_sweep_with(&self, progress: &Progress) -> Result<SweepReport, ScenarioError> {
        let points = self.checked_points()?;
        let scenarios: Vec<&Self> = points.iter().map(|it| &it.scenario).collect();
        let runs = run_all(&scenarios, progress)?;
        let reports = points.iter().zip(&runs);
        let reports = reports.map(|(point, runs)| (point.values.clone(), Report::new(&point.scenario, runs)));
        Ok(SweepReport::new(self, reports.collect()))
    }
}

/// Runs the replications of each scenario, as many at once as there are cores.
fn run_all(scenarios: &[&Scenario], progress: &Progress) -> Result<Vec<Vec<Measured>>, ScenarioError> {
    let replications = |index: usize| (0..scenarios[index].replications).map(move |replication| (index, replication));
    let tasks: Vec<(usize, u32)> = (0..scenarios.len()).flat_map(replications).collect();
    progress.begin(tasks.iter().map(|(scenario, _)| scenarios[*scenario].horizon));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((scenario, replication)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let measured = simulate(scenarios[*scenario], *replication, progress);
            done.lock().push((*scenario, *replication, measured));
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(tasks.len());
    thread::scope(|scope| {
        // The calling thread is one of them, and does the work alone if the system has no other.
        for _ in 1..threads {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner();
    done.sort_by_key(|it| (it.0, it.1));
    let mut runs: Vec<Vec<Measured>> = scenarios.iter().map(|_| Vec::new()).collect();
    for (scenario, _, measured) in done {
        runs[scenario].push(measured?);
    }
    Ok(runs)
}
