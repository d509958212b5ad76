//! Runs a check: draws cases from seeds and shrinks the failing ones.

use {
    super::{
        CaseFailure, Check, CheckError, Passed,
        outcome::Summary,
        seed::{CaseSeed, mix},
    },
    crate::{
        clock::ManualClock,
        message::SendMessage,
        queue::Queue,
        testing::{
            case::{self, CaseOutcome, Script},
            faults::{Fault, Faults},
            ledger::Violation,
            schedule::{CaseSchedule, Plan, ScheduleError},
            shrink,
            story::{Story, is_coloured},
        },
    },
    proptest::{
        strategy::{Strategy, ValueTree},
        test_runner::{Config, PersistedSeed, Reason, TestRunner},
    },
    std::{fs, io, path::Path},
};

/// More steps than this a case never has, before it is brought to its end.
const MOST_STEPS: u64 = 40;

type Tree = Box<dyn ValueTree<Value = SendMessage>>;

/// Which case is run, and how it is called.
#[derive(Clone, Copy)]
struct Which {
    seed: CaseSeed,
    /// `None` for a regression.
    number: Option<u64>,
}

/// What has come of the cases so far.
#[derive(Default)]
struct Tally {
    passed: Passed,
    /// One of each property, in the order in which they were found.
    failures: Vec<CaseFailure>,
    failed: u64,
}

impl<W: 'static> Check<W> {
    /// Runs the regressions, if files of them were named, and then the cases; makes the first failure of every property
    /// short.
    ///
    /// A panic of a handler is a failure as any other: the cases after it are run.
    ///
    /// # Errors
    /// [`CheckError`]: the failures with their stories, or what is wrong with the check.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{CheckError, Consumer, check}}};
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| {
    ///         assert!(message.approximate_receive_count() < 2, "not again");
    ///         Ok::<_, String>(())
    ///     }))
    ///     .cases(100)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(matches!(error, CheckError::Failed { failed: 1..=99, cases: 100, .. }));
    /// ```
    pub fn run(&self) -> Result<Passed, CheckError> {
        let fifo = self.examine()?;
        let regressions = self.regressions()?;
        let known = regressions.iter().map(|seed| Which {
            seed: *seed,
            number: None,
        });
        let drawn = (0..self.cases).map(|number| self.numbered(number));
        let mut tally = Tally::default();
        for which in known.chain(drawn) {
            match self.add(which, &fifo, &mut tally) {
                // A check that is at fault only now has not failed for nothing until then.
                Err(error) if tally.failures.is_empty() => return Err(error),
                Err(_) => break,
                Ok(()) if self.first_only && tally.failed > 0 => break,
                Ok(()) => {}
            }
        }
        self.keep(&regressions, &tally.failures);
        self.answer(tally)
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
    /// As [`run`](Self::run), and if the schedule asks for a queue that the check does not have.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, CaseSchedule, check}}};
    /// let schedule: CaseSchedule = "requeue schedule 1\nqueue 0 seed 7 shards 1\nmessage job\nsend 0\nturn 0\nend 4\n".parse()?;
    /// let replayed = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .replay(&schedule);
    /// assert_eq!(replayed?.cases, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay(&self, schedule: &CaseSchedule) -> Result<Passed, CheckError> {
        self.examine()?;
        let (queue, queues) = (schedule.plan.queue, self.setup.queues.len());
        if queue >= queues {
            return Err(ScheduleError::Queue { queue, queues }.into());
        }
        let outcome = case::run(&self.setup, &schedule.plan, Script::Steps(&schedule.steps), true)?;
        let mut tally = Tally::default();
        tally.count(&outcome);
        tally.passed.cases = 1;
        if let Some(failure) = self.failure(schedule.clone(), outcome, None) {
            tally.failures.push(failure);
        }
        self.answer(tally)
    }

    /// Runs the schedule of a file that [`CaseFailure::save`] wrote.
    ///
    /// # Errors
    /// As [`replay`](Self::replay), and if the file cannot be read.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # let path = std::env::temp_dir().join(format!("requeue-replay-{}.schedule", std::process::id()));
    /// std::fs::write(&path, "requeue schedule 1\nqueue 0 seed 7 shards 1\nend 1\n")?;
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
        let text = fs::read_to_string(path).map_err(|error| CheckError::File(error.to_string()))?;
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
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let check = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| {
    ///         assert!(message.approximate_receive_count() < 2, "not again");
    ///         Ok::<_, String>(())
    ///     }));
    /// let error = check.run().unwrap_err();
    /// let failure = error.failure().unwrap();
    /// let again = check.replay_case(failure.case.unwrap()).unwrap_err();
    /// assert_eq!(again.failure(), Some(failure));
    /// ```
    pub fn replay_case(&self, case: u64) -> Result<Passed, CheckError> {
        self.replay_one(self.numbered(case))
    }

    /// Runs the case of a seed in proptest's form, as [`CaseFailure::seed`] and regression files have it.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`CheckError::Regression`] for a seed of another generator than ChaCha.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{CheckError, Consumer, check}}};
    /// let check = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()));
    /// let error = check.run().unwrap_err();
    /// let seed = error.failure().unwrap().seed.as_ref().unwrap();
    /// assert!(check.replay_seed(seed).is_err());
    /// let other = "xs 1 2 3 4".parse().unwrap();
    /// assert!(matches!(check.replay_seed(&other), Err(CheckError::Regression(_))));
    /// ```
    pub fn replay_seed(&self, seed: &PersistedSeed) -> Result<Passed, CheckError> {
        let seed = CaseSeed::read(seed).ok_or_else(|| CheckError::Regression(seed.clone()))?;
        self.replay_one(Which { seed, number: None })
    }

    fn replay_one(&self, which: Which) -> Result<Passed, CheckError> {
        let (fifo, mut tally) = (self.examine()?, Tally::default());
        self.add(which, &fifo, &mut tally)?;
        self.answer(tally)
    }

    /// Whether there is something to check, and for each queue whether it is FIFO.
    fn examine(&self) -> Result<Vec<bool>, CheckError> {
        let missing = [
            ("queue", self.setup.queues.is_empty()),
            ("consumer", self.setup.consumers.is_empty()),
            ("strategy for messages", self.messages.is_none()),
        ];
        if let Some((what, _)) = missing.iter().find(|it| it.1) {
            return Err(CheckError::Incomplete(what));
        }
        let clock = ManualClock::default();
        let mut fifo = Vec::new();
        for config in &self.setup.queues {
            let queue: Queue = (config.build)()
                .clock(clock.clone())
                .build()
                .map_err(CheckError::Queue)?;
            self.faults.chance(queue.name(), queue.is_fifo(), 0)?;
            config.fifo.set(queue.is_fifo());
            fifo.push(queue.is_fifo());
        }
        Ok(fifo)
    }

    // Regressions.

    fn regressions(&self) -> Result<Vec<CaseSeed>, CheckError> {
        let Some(persistence) = &self.persistence else {
            return Ok(Vec::new());
        };
        let seeds = persistence.borrow().load_persisted_failures2(self.source_file);
        let read = |seed: PersistedSeed| CaseSeed::read(&seed).ok_or(CheckError::Regression(seed));
        seeds.into_iter().map(read).collect()
    }

    fn keep(&self, known: &[CaseSeed], failures: &[CaseFailure]) {
        let Some(persistence) = &self.persistence else {
            return;
        };
        for failure in failures {
            let seed = failure.seed.clone();
            let is_known = |seed: &PersistedSeed| CaseSeed::read(seed).is_some_and(|it| known.contains(&it));
            if let Some(seed) = seed.filter(|seed| !is_known(seed)) {
                let name = &self.name;
                let summary = Summary { name, failure };
                persistence
                    .borrow_mut()
                    .save_persisted_failure2(self.source_file, seed, &summary);
            }
        }
    }

    // Cases.

    fn numbered(&self, number: u64) -> Which {
        Which {
            seed: CaseSeed::of(self.seed, number),
            number: Some(number),
        }
    }

    /// Runs a case, and makes it short if it is the first to break its property.
    fn add(&self, which: Which, fifo: &[bool], tally: &mut Tally) -> Result<(), CheckError> {
        let (plan, script) = self.draw(which.seed, fifo)?;
        let outcome = case::run(&self.setup, &plan, script, false)?;
        tally.count(&outcome);
        match which.number {
            Some(_) => tally.passed.cases += 1,
            None => tally.passed.regressions += 1,
        }
        let Some(violation) = &outcome.violation else {
            return Ok(());
        };
        let same = |failure: &CaseFailure| failure.violation.property == violation.property;
        if !tally.failures.iter().any(same) {
            tally.failures.push(self.shrunk(which, plan, &outcome, violation)?);
        }
        Ok(())
    }

    fn draw(&self, seed: CaseSeed, fifo: &[bool]) -> Result<(Plan, Script<'static>), CheckError> {
        let of_the_steps = seed.of_the_steps();
        let mut dice = Faults::none().chance("", false, of_the_steps)?;
        let queue = dice.below(fifo.len() as u64) as usize;
        let sampled = !fifo[queue] && self.faults.probability(Fault::SampledPoll) > 0.0 && dice.below(4) == 0;
        let count = 1 + dice.below(self.messages_at_most);
        let trees = self.trees(seed, count)?;
        let plan = Plan {
            seed: of_the_steps,
            queue,
            shards: if sampled { 10 } else { 1 },
            messages: trees.iter().map(ValueTree::current).collect(),
        };
        let faults = self.faults.chance("", fifo[queue], mix(of_the_steps, 1))?;
        let steps = (4 + dice.below(MOST_STEPS - 4)) as usize;
        let (faults, dice) = (Box::new(faults), Box::new(dice));
        Ok((plan, Script::Chance { faults, dice, steps }))
    }

    fn trees(&self, seed: CaseSeed, count: u64) -> Result<Vec<Tree>, CheckError> {
        let Some(strategy) = &self.messages else {
            return Err(CheckError::Incomplete("strategy for messages"));
        };
        let mut runner = TestRunner::new_with_rng(Config::default(), seed.of_the_messages());
        let none = |reason: Reason| CheckError::NoMessage(reason.to_string());
        (0..count)
            .map(|_| strategy.new_tree(&mut runner).map_err(none))
            .collect()
    }

    fn shrunk(
        &self,
        which: Which,
        plan: Plan,
        outcome: &CaseOutcome,
        violation: &Violation,
    ) -> Result<CaseFailure, CheckError> {
        let trees = self.trees(which.seed, plan.messages.len() as u64)?;
        let steps = outcome.steps.clone();
        let schedule = shrink::shrink(&self.setup, CaseSchedule { plan, steps }, trees, outcome);
        let told = case::run(&self.setup, &schedule.plan, Script::Steps(&schedule.steps), true)?;
        let failure = self.failure(schedule, told, Some(which));
        let same = |failure: &CaseFailure| failure.violation.property == violation.property;
        failure.filter(same).ok_or_else(|| CheckError::NotDeterministic {
            name: self.name.clone(),
            violation: violation.clone(),
        })
    }

    /// `which` is `None` for a replayed schedule.
    fn failure(&self, schedule: CaseSchedule, outcome: CaseOutcome, which: Option<Which>) -> Option<CaseFailure> {
        const OR: &str = "; or save the schedule and replay its file";
        let violation = outcome.violation?;
        let (case, seed) = (which.and_then(|it| it.number), which.and_then(|it| it.seed.persisted()));
        let replay = match (case, &seed) {
            (Some(case), _) => format!("seed {}, case {case}{OR}", self.seed),
            (None, Some(seed)) => format!("regression {seed}{OR}"),
            (None, None) => "the same schedule".to_owned(),
        };
        let story = Story {
            events: outcome.events,
            violation: violation.sentence.clone(),
            replay,
        };
        Some(CaseFailure {
            violation,
            story,
            schedule,
            case,
            seed,
        })
    }

    fn answer(&self, tally: Tally) -> Result<Passed, CheckError> {
        let Tally {
            passed,
            failures,
            failed,
        } = tally;
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else {
            return Ok(passed);
        };
        Err(CheckError::Failed {
            name: self.name.clone(),
            failure: Box::new(first),
            others: failures.collect(),
            failed,
            cases: passed.cases + passed.regressions,
        })
    }
}

impl Tally {
    fn count(&mut self, outcome: &CaseOutcome) {
        self.passed.steps += outcome.acts as u64;
        for (fault, count) in &outcome.faults {
            *self.passed.faults.entry(*fault).or_default() += count;
        }
        self.failed += u64::from(outcome.violation.is_some());
    }
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        crate::{
            queue::Queue,
            testing::{check, consumer::Consumer},
        },
        proptest::strategy::Just,
        std::time::Duration,
    };

    /// Of two consumers at once, with several calls in a step, and faults that find nothing to strike.
    fn busy() -> Check<u32> {
        let mut check = check("busy", || 0)
            .queue_with_dead_letters(3, || Queue::standard("jobs"))
            .queue(|| Queue::fifo("jobs.fifo").content_based_deduplication(true))
            .messages(Just(SendMessage::new("job").message_group_id("g")))
            .faults(Faults::worst_legal())
            .always("at most four are done", |done| *done <= 4);
        for name in ["c1", "c2"] {
            check = check.consumer(name, |done| {
                let done = done.clone();
                let consumer = Consumer::batch_async(move |messages, context| {
                    let done = done.clone();
                    async move {
                        let mut answers = Vec::new();
                        for message in messages {
                            let _ = context.change_visibility(&message, Duration::from_secs(20));
                            context.wait(Duration::from_secs(7)).await;
                            *done.borrow_mut() += 1;
                            answers.push(context.delete(&message).or_else(|_| context.delete(&message)));
                        }
                        answers
                    }
                });
                consumer.deletes_itself()
            });
        }
        check
    }

    #[test]
    fn the_steps_of_a_drawn_case_take_it_the_same_way_again() {
        let (check, mut let_pass) = (busy(), 0);
        let fifo = check.examine().unwrap();
        for number in 0..1_000 {
            let (plan, script) = check.draw(check.numbered(number).seed, &fifo).unwrap();
            let drawn = case::run(&check.setup, &plan, script, true).unwrap();
            let again = case::run(&check.setup, &plan, Script::Steps(&drawn.steps), true).unwrap();
            assert_eq!(again.events, drawn.events, "case {number}");
            assert_eq!((again.violation, again.acts), (drawn.violation, drawn.acts));
            assert_eq!((again.faults, &again.steps), (drawn.faults.clone(), &drawn.steps));
            let strikes: Vec<_> = drawn.steps.iter().filter_map(|step| step.strike()).collect();
            assert_eq!(strikes.len(), drawn.faults.values().sum::<usize>(), "case {number}");
            let_pass += strikes.iter().filter(|strike| strike.passed > 0).count();
        }
        assert!(let_pass > 0, "no step had two opportunities");
    }

    #[test]
    fn a_fault_that_can_strike_at_first_is_made_to() {
        for seed in 0..20 {
            let check = check("interrupted", || 0)
                .queue(|| Queue::standard("jobs"))
                .messages(Just("job"))
                .consumer("c", |open| {
                    let open = open.clone();
                    Consumer::each(move |message, context| {
                        *open.borrow_mut() += 1;
                        for _ in 0..4 {
                            let _ = context.change_visibility(message, Duration::from_secs(20));
                        }
                        *open.borrow_mut() -= 1;
                        Ok::<_, String>(())
                    })
                })
                .faults(Faults::none().with(Fault::CrashBeforeDelete, 0.2))
                .always("what is begun is ended", |open| *open == 0)
                .seed(seed);
            let error = check.first_failure_only().run().unwrap_err();
            let steps = &error.failure().unwrap().schedule.steps;
            let strikes: Vec<_> = steps.iter().filter_map(|step| step.strike()).collect();
            assert!(strikes.len() == 1 && strikes[0].passed == 0, "{strikes:?}");
        }
    }

    #[test]
    fn shrinking_a_short_case_again_leaves_it_alone() {
        let check = busy().cases(300);
        let error = check.run().unwrap_err();
        for failure in error.failures() {
            let CaseSchedule { plan, steps } = failure.schedule.clone();
            let outcome = case::run(&check.setup, &plan, Script::Steps(&steps), false).unwrap();
            let again = shrink::shrink(&check.setup, CaseSchedule { plan, steps }, Vec::new(), &outcome);
            assert_eq!(again, failure.schedule, "{}", failure.story);
        }
    }
}
