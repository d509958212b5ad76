//! Runs a check, phase by phase, or one case of it again.

use {
    super::{
        Check, CheckError, Passed,
        chance::Which,
        seed::CaseSeed,
        tally::{Origin, Tally},
    },
    crate::{
        clock::ManualClock,
        queue::Queue,
        testing::{
            case::{self, Script},
            schedule::CaseSchedule,
            setup::{Identity, QueueConfig},
            story::is_coloured,
            watchdog::{self, Call, Watching},
        },
    },
    proptest::test_runner::PersistedSeed,
    std::{fs, io, path::Path},
};

impl<W: 'static> Check<W> {
    /// Runs the regressions, if a file of them was named. Then it tries every single fault and every single action of the
    /// outside world at every opportunity in short schedules, then pairs of them, and then random cases.
    ///
    /// A phase goes on after a failure, a panicking handler's too, and makes the first failure of every property short; the
    /// first phase that fails is the last, so that what is told is simple.
    ///
    /// # Errors
    /// [`CheckError`]: the failures with their stories, or what is wrong with the check.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Fault, check}}};
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| {
    ///         assert!(message.approximate_receive_count() < 2, "not again");
    ///         Ok::<_, String>(())
    ///     }))
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().starts_with("the check jobs failed with a single fault; "));
    /// assert!(error.failure().unwrap().also_with.contains(&vec![Fault::CrashBeforeWork]));
    /// ```
    pub fn run(&self) -> Result<Passed, CheckError> {
        let _watching = self.watch();
        let fifo = self.examine()?;
        let mut tally = Tally::default();
        for regression in self.regressions()? {
            self.add_regression(regression, &mut tally)?;
            if self.is_enough(&tally) {
                break;
            }
        }
        if tally.failed > 0 {
            return self.answer(tally, &fifo);
        }
        match self.run_phases(&fifo, &mut tally) {
            // A check that is at fault only now has not failed for nothing until then.
            Err(error) if tally.failures.is_empty() => return Err(error),
            _ => {}
        }
        self.keep(&tally.failures);
        self.worked(&tally)?;
        self.answer(tally, &fifo).and_then(|passed| self.reached(passed))
    }

    /// Each phase is run to its end, and the first that fails is the last: its failures are the simplest.
    fn run_phases(&self, fifo: &[bool], tally: &mut Tally) -> Result<(), CheckError> {
        self.try_schedules(fifo, tally)?;
        match tally.failed {
            0 => self.run_cases(fifo, tally),
            _ => Ok(()),
        }
    }

    /// Runs the check as a test does: a failure is a panic with the story, in colour if both standard output and
    /// standard error are terminals and `NO_COLOR` is not set.
    ///
    /// # Panics
    /// If [`run`](Self::run) answers an error.
    ///
    /// # Examples
    /// ```should_panic
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()))
    ///     .assert();
    /// ```
    #[track_caller]
    pub fn assert(&self) {
        if let Err(error) = self.run() {
            let colour = is_coloured(&io::stdout()) && is_coloured(&io::stderr());
            panic!("{}", error.render(colour));
        }
    }

    /// Runs one schedule that failed before.
    ///
    /// # Errors
    /// As [`run`](Self::run), and if the schedule names what the check does not have.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, CaseSchedule, check}}};
    /// let schedule: CaseSchedule = "requeue schedule 2\nmessage \"job\"\nsend 0\nturn 0\nend\n".parse()?;
    /// let replayed = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .replay(&schedule);
    /// assert_eq!(replayed?.cases, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay(&self, schedule: &CaseSchedule) -> Result<Passed, CheckError> {
        let _watching = self.watch();
        self.examine()?;
        schedule.fits(self.extent())?;
        let outcome = case::run(&self.setup, &schedule.plan, Script::Steps(&schedule.steps), true)?;
        let mut tally = Tally::default();
        tally.count(&outcome);
        tally.passed.cases = 1;
        tally
            .failures
            .extend(self.failure(schedule.clone(), outcome, Origin::Replay));
        self.answer(tally, &[])
    }

    /// Runs the schedule of a file that [`CaseFailure::save`](super::CaseFailure::save) wrote.
    ///
    /// # Errors
    /// As [`replay`](Self::replay), and if the file cannot be read.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # let path = std::env::temp_dir().join(format!("requeue-replay-{}.schedule", std::process::id()));
    /// std::fs::write(&path, "requeue schedule 2\nend\n")?;
    /// let check = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())));
    /// assert!(check.replay_file(&path).is_ok());
    /// # std::fs::remove_file(&path)?;
    /// assert!(check.replay_file("no/such.schedule").is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn replay_file(&self, path: impl AsRef<Path>) -> Result<Passed, CheckError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|error| CheckError::file(path, &error))?;
        self.replay(&text.parse()?)
    }

    /// Runs one case of those that the seed of the check gives, counted from 0; it may lie beyond
    /// [`cases`](Self::cases).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, check}}};
    /// let check = check("jobs", || 0)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |done| {
    ///         let done = done.clone();
    ///         Consumer::each(move |_, _| {
    ///             *done.borrow_mut() += 1;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .always("at most four jobs are done", |done| *done <= 4)
    ///     .faults(Faults::none());
    /// let error = check.run().unwrap_err();
    /// let failure = error.failure().unwrap();
    /// let again = check.replay_case(failure.case.unwrap()).unwrap_err();
    /// assert_eq!(again.failure(), Some(failure));
    /// ```
    pub fn replay_case(&self, case: u64) -> Result<Passed, CheckError> {
        self.replay_one(self.numbered(case))
    }

    /// Runs the case of a seed in proptest's form, as [`CaseFailure::seed`](super::CaseFailure::seed) and regression files have it.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`CheckError::Seed`] for a seed of another generator than ChaCha.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{CheckError, Consumer, Faults, check}}};
    /// let check = check("jobs", || 0)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |done| {
    ///         let done = done.clone();
    ///         Consumer::each(move |_, _| {
    ///             *done.borrow_mut() += 1;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .always("at most four jobs are done", |done| *done <= 4)
    ///     .faults(Faults::none());
    /// let error = check.run().unwrap_err();
    /// let seed = error.failure().unwrap().seed.as_ref().unwrap();
    /// assert!(check.replay_seed(seed).is_err());
    /// let other = "xs 1 2 3 4".parse().unwrap();
    /// assert!(matches!(check.replay_seed(&other), Err(CheckError::Seed(_))));
    /// ```
    pub fn replay_seed(&self, seed: &PersistedSeed) -> Result<Passed, CheckError> {
        let seed = CaseSeed::read(seed).ok_or_else(|| CheckError::Seed(seed.clone()))?;
        self.replay_one(Which::of(seed))
    }

    fn replay_one(&self, which: Which) -> Result<Passed, CheckError> {
        let _watching = self.watch();
        let (fifo, mut tally) = (self.examine()?, Tally::default());
        self.add(which, &fifo, &mut tally)?;
        self.answer(tally, &[])
    }

    /// While it lives, code under test that does not return ends the process.
    fn watch(&self) -> Watching {
        watchdog::watch(self.setup.names(&self.name), self.setup.blocked_after)
    }

    /// Whether there is something to check, and for each queue whether it is FIFO.
    pub(super) fn examine(&self) -> Result<Vec<bool>, CheckError> {
        let missing = [
            ("queue", self.setup.queues.is_empty()),
            ("consumer", self.setup.consumers.is_empty()),
            ("strategy for messages", self.inputs.is_empty()),
        ];
        if let Some((what, _)) = missing.iter().find(|it| it.1) {
            return Err(CheckError::Incomplete(what));
        }
        let clock = ManualClock::default();
        let mut fifo = Vec::new();
        for config in self.setup.queues.iter().flatten() {
            let build = || (config.build)().clock(clock.clone()).build();
            let queue: Queue = watchdog::within(Call::Queue, build).map_err(CheckError::Queue)?;
            self.faults.chance(queue.name(), queue.is_fifo(), 0)?;
            config.identity.get_or_init(|| Identity {
                name: queue.name().to_owned(),
                fifo: queue.is_fifo(),
            });
        }
        if let Some(name) = self.setup.name_of_two() {
            return Err(CheckError::SameName(name));
        }
        self.inputs
            .resolve(|name| self.setup.place_of(name))
            .map_err(CheckError::NoQueue)?;
        let unknown = self.setup.named_queues.iter().find(|name| !self.setup.has_queue(name));
        if let Some(name) = unknown {
            return Err(CheckError::NoQueue(name.clone()));
        }
        for variant in 0..self.setup.variants() {
            fifo.push(self.setup.variant(variant).all(QueueConfig::is_fifo));
        }
        Ok(fifo)
    }
}
