//! What has come of a check so far, and how its failures are told.

use {
    super::{
        CaseFailure, Check, CheckError, Passed, chance::Which, outcome::Phase, regressions::Regression, seed::CaseSeed,
    },
    crate::testing::{
        case::{self, CaseOutcome, Script, Unfit},
        faults::Fault,
        inputs::Drawn,
        ledger::Violation,
        schedule::{CaseSchedule, Plan},
        setup::QueueConfig,
        shrink,
        story::{Event, Story, explain_deaths, steps_without_death},
        watchdog::{self, Call},
    },
    std::sync::Arc,
};

/// A schedule up to this length is told in the line that says how to see it again.
const LONGEST_IN_A_LINE: usize = 100;

/// What has come of the schedules and cases so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) passed: Passed,
    /// One of each property, in the order in which they were found.
    pub(super) failures: Vec<CaseFailure>,
    pub(super) failed: u64,
    /// A program has sent a message.
    has_sent: bool,
}

/// Where a schedule and its messages come from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    Replay,
    /// The seed of its messages.
    Exhaustive(CaseSeed),
    /// And how many independent messages were drawn.
    Chance(Which, u64),
}

impl Origin {
    const fn phase(self) -> Phase {
        match self {
            Self::Replay => Phase::Replay,
            Self::Exhaustive(_) => Phase::Exhaustive,
            Self::Chance(..) => Phase::Chance,
        }
    }
}

impl Tally {
    pub(super) fn count(&mut self, outcome: &CaseOutcome) {
        self.passed.steps += outcome.acts as u64;
        for (fault, count) in &outcome.faults {
            *self.passed.faults.entry(*fault).or_default() += count;
        }
        for name in &outcome.reached {
            *self.passed.reached.entry(Arc::clone(name)).or_default() += 1;
        }
        self.passed.fates.add(outcome.fates);
        self.has_sent |= outcome.has_sent;
        if let Some(error) = &outcome.returned {
            *self.passed.errors.entry(error.clone()).or_default() += 1;
        }
        self.failed += u64::from(outcome.violation.is_some());
    }

    /// How many were run in the phase that failed.
    const fn run_in_the_last_phase(&self) -> u64 {
        match (self.passed.cases, self.passed.schedules) {
            (0, 0) => self.passed.regressions,
            (0, schedules) => schedules,
            (cases, _) => cases,
        }
    }
}

impl<W: 'static> Check<W> {
    pub(super) const fn is_enough(&self, tally: &Tally) -> bool {
        self.first_only && tally.failed > 0
    }

    /// Takes note of what came of a plan, and makes it short if it is the first to break its property.
    pub(super) fn note(
        &self,
        origin: Origin,
        plan: &Plan,
        outcome: &CaseOutcome,
        tally: &mut Tally,
    ) -> Result<(), CheckError> {
        tally.count(outcome);
        let Some(violation) = &outcome.violation else {
            return Ok(());
        };
        let same = |failure: &&mut CaseFailure| failure.violation.property == violation.property;
        if let Some(known) = tally.failures.iter_mut().find(same) {
            add_faults(known, origin, outcome);
            return Ok(());
        }
        let mut failure = self.shrunk(origin, plan.clone(), outcome, violation)?;
        add_faults(&mut failure, origin, outcome);
        tally.failures.push(failure);
        Ok(())
    }

    fn shrunk(
        &self,
        origin: Origin,
        plan: Plan,
        outcome: &CaseOutcome,
        violation: &Violation,
    ) -> Result<CaseFailure, CheckError> {
        let drawn = match origin {
            Origin::Replay => Drawn::default(),
            Origin::Exhaustive(seed) => {
                let mut drawn = self.drawn(seed, self.most_messages())?;
                drawn.truncate(plan.messages.len());
                drawn
            }
            Origin::Chance(which, count) => self.drawn(which.seed, count)?,
        };
        let faults = self.legal_faults(plan.variant);
        let steps = outcome.steps.clone();
        let schedule = shrink::shrink(&self.setup, CaseSchedule { plan, steps }, drawn, outcome, &faults);
        let [told, again] = [self.tell(&schedule)?, self.tell(&schedule)?];
        let difference = first_difference(&told, &again);
        let may_differ = told.may_differ || again.may_differ;
        let failure = self.failure(schedule, told, origin);
        let same = |failure: &CaseFailure| failure.violation.property == violation.property;
        match (failure.filter(same), difference) {
            (Some(failure), None) => Ok(failure),
            (Some(failure), Some(_)) if may_differ => Ok(failure),
            (_, difference) => {
                let difference =
                    difference.unwrap_or_else(|| "it did not hold once, and held in the same case again".to_owned());
                Err(self.not_deterministic(Some(violation), difference))
            }
        }
    }

    fn tell(&self, schedule: &CaseSchedule) -> Result<CaseOutcome, Unfit> {
        case::run(&self.setup, &schedule.plan, Script::Steps(&schedule.steps), true)
    }

    /// Whether a case that passed took the same way when it was run again, and told.
    pub(super) fn compare(
        &self,
        case: u64,
        passed: &CaseOutcome,
        told: &CaseOutcome,
        again: &CaseOutcome,
    ) -> Result<(), CheckError> {
        let violation = told.violation.as_ref().or(again.violation.as_ref());
        let may_differ = [passed, told, again].iter().any(|it| it.may_differ);
        if may_differ && violation.is_none() {
            return Ok(());
        }
        let difference = first_difference(told, again);
        let way = |outcome: &CaseOutcome| (outcome.event_count, outcome.acts, outcome.faults.clone());
        let differs = |it: &&CaseOutcome| way(it) != way(passed) || it.steps != passed.steps;
        let other = [told, again].into_iter().find(differs);
        if difference.is_none() && other.is_none() && violation.is_none() {
            return Ok(());
        }
        let difference = difference.unwrap_or_else(|| {
            let (events, others) = (passed.event_count, other.unwrap_or(told).event_count);
            format!("case {case} took another way when it was run again, with {events} events and {others}")
        });
        Err(self.not_deterministic(violation, difference))
    }

    fn not_deterministic(&self, violation: Option<&Violation>, difference: String) -> CheckError {
        let difference = match violation {
            Some(violation) => format!("{violation}; {difference}"),
            None => difference,
        };
        CheckError::NotDeterministic {
            name: self.name.clone(),
            violation: violation.cloned(),
            difference,
        }
    }

    pub(super) fn failure(&self, schedule: CaseSchedule, outcome: CaseOutcome, origin: Origin) -> Option<CaseFailure> {
        const KEEP: &str = "keep it by regression_file";
        let violation = outcome.violation?;
        let (case, seed) = match origin {
            Origin::Chance(which, _) => (which.number, which.seed.persisted()),
            _ => (None, None),
        };
        let replay = match (origin, case, &seed) {
            (Origin::Replay, ..) => "the same schedule".to_owned(),
            (_, Some(case), _) => format!("replay_case({case}) with seed {}; or {KEEP}", self.seed),
            (_, None, Some(seed)) => format!("seed {seed}; or {KEEP}"),
            (_, None, None) => format!("run it again, or {KEEP}{}", in_a_line(&schedule)),
        };
        let mut events = outcome.events;
        explain_deaths(&mut events, |number| {
            let steps = steps_without_death(&schedule.steps, number)?;
            let undisturbed = case::run(&self.setup, &schedule.plan, Script::Steps(&steps), true);
            undisturbed.ok().map(|it| it.events)
        });
        let story = Story {
            events,
            violation: violation.sentence.clone(),
            replay,
        };
        Some(CaseFailure {
            violation,
            story,
            also_with: Vec::new(),
            schedule,
            case,
            seed,
            regression: None,
            phase: origin.phase(),
        })
    }

    /// Runs a regression; one that fails is told as it is, since it was made short before it was kept.
    pub(super) fn add_regression(&self, regression: Regression, tally: &mut Tally) -> Result<(), CheckError> {
        let outcome = self.tell(&regression.schedule);
        let outcome = outcome.map_err(|unfit| regression.unfit(unfit))?;
        tally.count(&outcome);
        tally.passed.regressions += 1;
        let failure = self.failure(regression.schedule.clone(), outcome, Origin::Replay);
        let Some(failure) = failure.map(|failure| regression.failed(failure)) else {
            return Ok(());
        };
        let same = |it: &CaseFailure| it.violation.property == failure.violation.property;
        if !tally.failures.iter().any(same) {
            tally.failures.push(failure);
        }
        Ok(())
    }

    /// `fifo` of each queue, of which a fault may not have been met.
    pub(super) fn answer(&self, mut tally: Tally, fifo: &[bool]) -> Result<Passed, CheckError> {
        let cases = tally.run_in_the_last_phase();
        for failure in &mut tally.failures {
            let strangeness = |faults: &Vec<Fault>| faults.iter().map(|fault| fault.strangeness()).collect::<Vec<_>>();
            failure
                .also_with
                .sort_by_key(|faults| (faults.len(), strangeness(faults)));
        }
        let mut failures = tally.failures.into_iter();
        let Some(first) = failures.next() else {
            let mut passed = tally.passed;
            let legal = |fault: &Fault| fifo.iter().any(|fifo| self.faults.legal(*fifo).any(|it| it == *fault));
            let never = |fault: &Fault| legal(fault) && !passed.faults.contains_key(fault);
            passed.never_met = Fault::ALL.into_iter().filter(never).collect();
            return Ok(passed);
        };
        Err(CheckError::Failed {
            name: self.name.clone(),
            failure: Box::new(first),
            others: failures.collect(),
            failed: tally.failed,
            cases,
        })
    }

    /// Whether the consumers did anything at all.
    pub(super) fn worked(&self, tally: &Tally) -> Result<(), CheckError> {
        let Tally { passed, has_sent, .. } = tally;
        if passed.fates.received > 0 || *has_sent || !tally.failures.is_empty() {
            return Ok(());
        }
        Err(CheckError::NothingReceived {
            name: self.name.clone(),
            error: passed.errors.keys().next().cloned(),
            cases: passed.all(),
        })
    }

    /// Whether all that was to hold sometimes did.
    pub(super) fn reached(&self, mut passed: Passed) -> Result<Passed, CheckError> {
        let names = self.setup.sometimes.iter().map(|it| Arc::clone(&it.0));
        names.for_each(|name| _ = passed.reached.entry(name).or_default());
        let never = passed.reached.iter().filter(|it| *it.1 == 0);
        let names: Vec<_> = never.map(|it| it.0.to_string()).collect();
        if names.is_empty() {
            return Ok(passed);
        }
        Err(CheckError::NeverReached {
            name: self.name.clone(),
            names,
            cases: passed.all(),
        })
    }

    pub(super) fn drawn(&self, seed: CaseSeed, count: u64) -> Result<Drawn, CheckError> {
        let drawn = watchdog::within(Call::Strategy, || self.inputs.draw(seed.of_the_messages(), count));
        drawn.map_err(|reason| CheckError::NoMessage(reason.to_string()))
    }

    pub(super) fn legal_faults(&self, variant: usize) -> Vec<Fault> {
        let fifo = self.setup.variant(variant).all(QueueConfig::is_fifo);
        self.faults.legal(fifo).collect()
    }
}

/// What else breaks the property is worth telling only of schedules with as few faults as it takes.
fn add_faults(failure: &mut CaseFailure, origin: Origin, outcome: &CaseOutcome) {
    let several = outcome.faults.iter().flat_map(|(fault, count)| vec![*fault; *count]);
    let mut faults: Vec<Fault> = several.collect();
    faults.sort_by_key(|fault| fault.strangeness());
    let is_exhaustive = matches!(origin, Origin::Exhaustive(_));
    let is_new = faults != failure.faults() && !failure.also_with.contains(&faults);
    if is_exhaustive && is_new && !faults.is_empty() && !failure.faults().is_empty() {
        failure.also_with.push(faults);
    }
}

/// The first event in which two tellings of a schedule differ.
fn first_difference(one: &CaseOutcome, other: &CaseOutcome) -> Option<String> {
    let count = one.events.len().max(other.events.len());
    let at = (0..count).find(|at| one.events.get(*at) != other.events.get(*at))?;
    let told = |outcome: &CaseOutcome| outcome.events.get(at).map_or_else(|| "the end".to_owned(), told);
    let (one, other) = (told(one), told(other));
    Some(format!(
        "event {} of the same schedule is {one} and, run again, {other}",
        at + 1
    ))
}

fn told(event: &Event) -> String {
    let Event {
        at_millis, who, what, ..
    } = event;
    let place = event.place.map_or_else(String::new, |place| format!(" (at {place})"));
    format!("{:?} at {} s{place}", format!("{who} {what}"), *at_millis as f64 / 1e3)
}

/// The steps of a short schedule.
fn in_a_line(schedule: &CaseSchedule) -> String {
    let steps: Vec<_> = schedule.steps.iter().map(ToString::to_string).collect();
    let steps = steps.join("; ");
    match steps.len() {
        1..=LONGEST_IN_A_LINE => format!(": {steps}"),
        _ => String::new(),
    }
}
