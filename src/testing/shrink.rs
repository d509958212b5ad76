//! Shrinks a failing schedule.
//!
//! Not proptest's shrinking of a whole input: a schedule is a list whose steps do nothing where they do not apply, so
//! that any part of it is a schedule again. Removing steps in ever smaller runs, while the story does not grow, ends
//! at a shorter story than simplifying values one by one. What was drawn is then told by the rules by which a case goes
//! on by itself, and strange faults give way to simpler ones. Messages are simplified by their own strategy.
//!
//! Every schedule that is taken costs less than the one before, so that shrinking ends, and a schedule that was shrunk
//! is left alone.

use super::{
    case::{self, CaseOutcome, Script},
    faults::Fault,
    inputs::Drawn,
    ledger::Property,
    schedule::CaseSchedule,
    setup::Setup,
    source::{Opportunities, Step, Strike},
};

/// After so many runs the shortest so far is taken.
const MOST_RUNS: usize = 2_000;

/// And after so many acts in them, which only long cases reach.
const MOST_ACTS: usize = 2_000_000;

/// Pairs of steps are tried in schedules up to this length.
const LONGEST_FOR_PAIRS: usize = 24;

/// Pairs of waits are tried where there are no more than so many.
const MOST_WAITS_FOR_PAIRS: usize = 4;

/// So many opportunities of a fault are tried at a place.
const MOST_PASSED: u32 = 16;

/// So many ways to tell all that was drawn by runs are tried at once.
const MOST_RETOLD: usize = 300;

/// What a schedule costs its reader; the first part in which two differ decides.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Cost {
    /// Of the story.
    events: usize,
    sampled: bool,
    faults: usize,
    strangeness: usize,
    /// Turns and waits that follow no rule.
    drawn: usize,
    steps: usize,
    /// Opportunities, acts and milliseconds.
    numbers: u64,
    messages: usize,
}

impl Cost {
    fn of(schedule: &CaseSchedule, events: usize) -> Self {
        let CaseSchedule { plan, steps } = schedule;
        let strikes = || steps.iter().filter_map(|step| step.strike());
        let is_drawn = |step: &&Step| matches!(step, Step::Turn { .. } | Step::Advance { .. });
        let lengths = steps.iter().filter_map(|step| length(*step));
        let passed = strikes().map(|strike| u64::from(strike.passed));
        Self {
            events,
            sampled: plan.shards > 1,
            faults: strikes().count(),
            strangeness: strikes().map(|strike| strike.fault.strangeness()).sum(),
            drawn: steps.iter().filter(is_drawn).count(),
            steps: steps.len(),
            numbers: passed.chain(lengths).fold(0, u64::saturating_add),
            messages: plan.messages.len(),
        }
    }
}

struct Shrinker<'a, W> {
    setup: &'a Setup<W>,
    /// Those that may take the place of others, the simplest first.
    faults: &'a [Fault],
    property: Property,
    best: CaseSchedule,
    cost: Cost,
    /// The steps whose lengths are known to be the shortest.
    shortened: Vec<Step>,
    runs: usize,
    acts: usize,
}

/// The simplest schedule found that fails as this one does. Only `faults` take the place of others.
pub(super) fn shrink<W>(
    setup: &Setup<W>,
    schedule: CaseSchedule,
    drawn: Drawn,
    outcome: &CaseOutcome,
    faults: &[Fault],
) -> CaseSchedule {
    let Some(violation) = &outcome.violation else {
        return schedule;
    };
    let mut shrinker = Shrinker {
        setup,
        faults,
        property: violation.property.clone(),
        cost: Cost::of(&schedule, outcome.event_count),
        best: schedule,
        shortened: Vec::new(),
        runs: 0,
        acts: 0,
    };
    shrinker.simplify_steps();
    shrinker.simplify_messages(drawn);
    shrinker.drop_what_is_not_sent();
    shrinker.simplify_steps();
    shrinker.best
}

impl<W> Shrinker<'_, W> {
    fn simplify_steps(&mut self) {
        loop {
            let before = self.cost;
            self.be_strict();
            self.remove_steps();
            self.remove_faults();
            self.tell_by_runs();
            self.replace_faults();
            self.remove_around_sends();
            self.remove_pairs();
            self.shorten();
            if self.cost == before {
                break;
            }
        }
    }

    /// Takes a candidate if it fails in the same way, and costs less.
    fn offer(&mut self, candidate: CaseSchedule) -> bool {
        self.offer_below(self.cost, candidate)
    }

    fn offer_steps(&mut self, steps: Vec<Step>) -> bool {
        let plan = self.best.plan.clone();
        steps != self.best.steps && self.offer(CaseSchedule { plan, steps })
    }

    /// Whether the candidate fails in the same way and costs less than `limit`; then it is taken.
    fn offer_below(&mut self, limit: Cost, candidate: CaseSchedule) -> bool {
        let Some(outcome) = self.run(&candidate) else {
            return false;
        };
        let cost = Cost::of(&candidate, outcome.event_count);
        if !self.is_it(&outcome) || cost >= limit {
            return false;
        }
        self.cost = cost;
        self.best = candidate;
        true
    }

    fn is_it(&self, outcome: &CaseOutcome) -> bool {
        let violation = outcome.violation.as_ref();
        violation.is_some_and(|violation| violation.property == self.property)
    }

    /// Nothing is tried any more.
    const fn is_spent(&self) -> bool {
        self.runs >= MOST_RUNS || self.acts >= MOST_ACTS
    }

    fn run(&mut self, candidate: &CaseSchedule) -> Option<CaseOutcome> {
        if self.is_spent() {
            return None;
        }
        self.runs += 1;
        let steps = Script::Steps(&candidate.steps);
        let outcome = case::run(self.setup, &candidate.plan, steps, false).ok()?;
        self.acts += outcome.acts;
        Some(outcome)
    }

    /// What could strike after these steps, unless they fail by themselves.
    fn opportunities_after(&mut self, steps: &[Step]) -> Option<(Opportunities, u32)> {
        let (plan, steps) = (self.best.plan.clone(), steps.to_vec());
        let outcome = self.run(&CaseSchedule { plan, steps })?;
        let passes = outcome.violation.is_none();
        passes.then_some((outcome.opportunities, outcome.last_acts))
    }

    fn remove_steps(&mut self) {
        let mut length = self.best.steps.len();
        while length > 0 {
            let mut at = 0;
            while at < self.best.steps.len() && !self.is_spent() {
                let mut steps = self.best.steps.clone();
                let end = (at + length).min(steps.len());
                steps.drain(at..end);
                if !self.offer_steps(steps) {
                    at += length;
                }
            }
            length /= 2;
        }
    }

    /// Does without a fault, or lets it strike earlier.
    fn remove_faults(&mut self) {
        for at in 0..self.best.steps.len() {
            if self.is_spent() {
                break;
            }
            let step = self.best.steps[at];
            let Some(Strike { fault, passed }) = step.strike() else {
                continue;
            };
            let earlier = [0, 1, passed / 2, passed.saturating_sub(1)];
            let earlier = earlier.into_iter().filter(|it| *it < passed);
            let earlier = earlier.map(|passed| Some(Strike { fault, passed }));
            let without = [None].into_iter().filter(|_| !matches!(step, Step::RunUntil { .. }));
            for strike in without.chain(earlier) {
                let mut steps = self.best.steps.clone();
                steps[at] = step.with_strike(strike);
                if self.offer_steps(steps) {
                    break;
                }
            }
        }
    }

    /// Lowers each wait and each run by itself, and then waits together.
    fn shorten(&mut self) {
        if self.shortened == self.best.steps {
            return;
        }
        self.merge_waits();
        for at in 0..self.best.steps.len() {
            self.shorten_one(at);
        }
        self.shorten_pairs();
        self.shortened.clone_from(&self.best.steps);
    }

    /// What is longer does not always fail as well: the first length that does is looked for from below, and then how
    /// much shorter it can be.
    fn shorten_one(&mut self, at: usize) {
        let length_now = |it: &Self| length(it.best.steps[at]).unwrap_or(0);
        let mut passes = 0;
        let mut next = 1;
        while next < length_now(self) && !self.offer_lengths(&[(at, next)]) {
            (passes, next) = (next, next.saturating_mul(4));
        }
        while length_now(self) > passes + 1 && !self.is_spent() {
            let middle = passes.midpoint(length_now(self));
            if !self.offer_lengths(&[(at, middle)]) {
                passes = middle;
            }
        }
    }

    /// Waits that have to be about as long as each other are lowered together.
    fn shorten_pairs(&mut self) {
        let waits = self.waits();
        if waits.len() > MOST_WAITS_FOR_PAIRS {
            return;
        }
        for (place, first) in waits.iter().enumerate() {
            for second in &waits[place + 1..] {
                self.shorten_both(*first, *second);
            }
        }
    }

    fn shorten_both(&mut self, first: usize, second: usize) {
        let [one, other] = self.lengths(first, second);
        let mut by = one.min(other) / 2;
        while by > 0 && !self.is_spent() {
            let [one, other] = self.lengths(first, second);
            let shorter = by < one.min(other) && self.offer_lengths(&[(first, one - by), (second, other - by)]);
            if !shorter {
                by /= 2;
            }
        }
    }

    /// One wait takes the place of two of which only the sum matters.
    fn merge_waits(&mut self) {
        let mut place = 0;
        while let Some(&[first, second]) = self.waits().get(place..place + 2) {
            let [one, other] = self.lengths(first, second);
            let sum = one.saturating_add(other);
            let merged = [(first, second), (second, first)].into_iter().any(|(kept, removed)| {
                let mut steps = self.best.steps.clone();
                steps[kept] = with_length(steps[kept], sum);
                steps.remove(removed);
                self.offer_steps(steps)
            });
            if self.is_spent() {
                break;
            }
            place += usize::from(!merged);
        }
    }

    fn lengths(&self, first: usize, second: usize) -> [u64; 2] {
        [first, second].map(|at| length(self.best.steps[at]).unwrap_or(0))
    }

    fn waits(&self) -> Vec<usize> {
        let steps = self.best.steps.iter().enumerate();
        let waits = steps.filter(|it| matches!(it.1, Step::Advance { .. }));
        waits.map(|it| it.0).collect()
    }

    fn offer_lengths(&mut self, lengths: &[(usize, u64)]) -> bool {
        let mut steps = self.best.steps.clone();
        for (at, length) in lengths {
            steps[*at] = with_length(steps[*at], *length);
        }
        self.offer_steps(steps)
    }

    /// Does without sampling, and without the polls that found nothing because of it.
    fn be_strict(&mut self) {
        if self.best.plan.shards == 1 {
            return;
        }
        let best = self.best.clone();
        let Some(outcome) = self.run(&best) else { return };
        let mut candidate = self.best.clone();
        candidate.plan.shards = 1;
        for steps in [best.steps, outcome.effective] {
            candidate.steps = steps;
            if self.offer(candidate.clone()) {
                return;
            }
        }
    }

    /// Sends everything first, and then lets all go on by themselves from fault to fault.
    fn tell_by_runs(&mut self) {
        if self.cost.drawn == 0 {
            return;
        }
        let steps = self.best.steps.iter().copied();
        let (sends, rest): (Vec<_>, Vec<_>) = steps.partition(|step| matches!(step, Step::Send { .. }));
        let is_needed = |step: &Step| step.strike().is_some() || matches!(step, Step::Action { .. });
        let rest: Vec<Step> = rest.into_iter().filter(is_needed).collect();
        let mut left = MOST_RETOLD;
        self.tell_rest_by_runs(sends, &rest, &mut left);
    }

    fn tell_rest_by_runs(&mut self, told: Vec<Step>, rest: &[Step], left: &mut usize) -> bool {
        let Some((next, rest)) = rest.split_first() else {
            *left = left.saturating_sub(1);
            return self.offer_steps(told);
        };
        let Some((opportunities, acts)) = self.opportunities_after(&told) else {
            return self.offer_steps(told);
        };
        let ways: Vec<Vec<Step>> = match (*next, next.strike()) {
            (Step::Action { .. }, _) => {
                let before = (0..=acts.min(MOST_PASSED)).map(|acts| Step::RunFor { acts });
                before.map(|run| vec![run, *next]).collect()
            }
            (_, Some(Strike { fault, .. })) => runs_until(fault, &opportunities).map(|run| vec![run]).collect(),
            (_, None) => Vec::new(),
        };
        ways.into_iter()
            .any(|way| *left > 0 && self.tell_rest_by_runs([&told[..], &way].concat(), rest, left))
    }

    /// Another fault may do as well or in a shorter story, and so may a run to the fault instead of the turns that were
    /// drawn before it.
    fn replace_faults(&mut self) {
        let mut at = 0;
        while at < self.best.steps.len() && !self.is_spent() {
            let step = self.best.steps[at];
            let Some(Strike { fault, .. }) = step.strike() else {
                at += 1;
                continue;
            };
            let others = self.faults.iter().copied().filter(|it| *it != fault);
            let faults: Vec<Fault> = others.chain([fault]).collect();
            let replaced = match step {
                Step::Send { .. } | Step::Action { .. } => {
                    self.strike_in_place(at, &faults) || self.strike_after_the_sends(at, &faults)
                }
                Step::RunUntil { .. } => self.strike_in_a_run(at, &faults),
                _ => self.strike_in_place(at, &faults) || self.strike_in_a_run(at, &faults),
            };
            at += usize::from(!replaced);
        }
    }

    fn strike_in_place(&mut self, at: usize, faults: &[Fault]) -> bool {
        let step = self.best.steps[at];
        faults.iter().any(|fault| {
            let mut steps = self.best.steps.clone();
            let strike = Strike {
                fault: *fault,
                passed: 0,
            };
            steps[at] = step.with_strike(Some(strike));
            self.offer_steps(steps)
        })
    }

    /// In a run that takes the place of the step, and perhaps of the turns that were drawn before it.
    fn strike_in_a_run(&mut self, at: usize, faults: &[Fault]) -> bool {
        let is_needed = |step: &Step| {
            let decided = matches!(step, Step::Send { .. } | Step::Action { .. });
            decided || step.strike().is_some()
        };
        let drawn = self.best.steps[..at].iter().rposition(is_needed).map_or(0, |it| it + 1);
        let after = self.best.steps[at + 1..].to_vec();
        let mut begins = vec![drawn, at];
        begins.dedup();
        begins.into_iter().any(|begin| {
            let before = self.best.steps[..begin].to_vec();
            self.strike_between(&before, faults, &after)
        })
    }

    /// In a run of its own, when all is sent.
    fn strike_after_the_sends(&mut self, at: usize, faults: &[Fault]) -> bool {
        let mut steps = self.best.steps.clone();
        steps[at] = steps[at].with_strike(None);
        let is_decided = |step: &Step| matches!(step, Step::Send { .. } | Step::Action { .. });
        let end = steps.iter().rposition(is_decided).map_or(0, |it| it + 1);
        let (before, after) = steps.split_at(end);
        self.strike_between(before, faults, after)
    }

    fn strike_between(&mut self, before: &[Step], faults: &[Fault], after: &[Step]) -> bool {
        let Some((opportunities, _)) = self.opportunities_after(before) else {
            return false;
        };
        let mut runs = faults.iter().flat_map(|fault| runs_until(*fault, &opportunities));
        runs.any(|run| self.offer_steps([before, &[run], after].concat()))
    }

    /// What becomes of a message goes with its send, and leaves the sends of others in between.
    fn remove_around_sends(&mut self) {
        let mut first = 0;
        while first < self.best.steps.len() && self.best.steps.len() <= LONGEST_FOR_PAIRS {
            let length = self.best.steps.len();
            let shorter = (first + 1..=length).rev().any(|end| {
                let mut steps = self.best.steps.clone();
                let inner = steps.drain(first..end).skip(1);
                let sends: Vec<_> = inner.filter(|step| matches!(step, Step::Send { .. })).collect();
                steps.splice(first..first, sends);
                self.offer_steps(steps)
            });
            if !shorter {
                first += 1;
            }
        }
    }

    /// Two steps that need each other can only go together.
    fn remove_pairs(&mut self) {
        let mut first = 0;
        while first < self.best.steps.len() && self.best.steps.len() <= LONGEST_FOR_PAIRS {
            let mut second = first + 1;
            while second < self.best.steps.len() {
                let mut steps = self.best.steps.clone();
                steps.remove(second);
                steps.remove(first);
                if !self.offer_steps(steps) {
                    second += 1;
                }
            }
            first += 1;
        }
    }

    fn simplify_messages(&mut self, drawn: Drawn) {
        drawn.simplify(self.best.clone(), |simpler| {
            // A simpler message costs as much.
            let mut limit = self.cost;
            limit.messages += 1;
            (!self.is_spent()).then(|| self.offer_below(limit, simpler.clone()))
        });
    }

    fn drop_what_is_not_sent(&mut self) {
        let mut candidate = self.best.clone();
        candidate.plan.messages.clear();
        for step in &mut candidate.steps {
            if let Step::Send { message, .. } = step {
                let kept = self.best.plan.messages.get(*message);
                *message = candidate.plan.messages.len();
                candidate.plan.messages.extend(kept.cloned());
            }
        }
        self.offer(candidate);
    }
}

/// Of a wait in milliseconds, and of a run in acts.
fn length(step: Step) -> Option<u64> {
    match step {
        Step::Advance { millis, .. } => Some(millis),
        Step::RunFor { acts } => Some(acts.into()),
        _ => None,
    }
}

/// The same wait or run in another length.
fn with_length(step: Step, length: u64) -> Step {
    match step {
        Step::Advance { strike, .. } => Step::Advance { millis: length, strike },
        Step::RunFor { .. } => Step::RunFor {
            acts: u32::try_from(length).unwrap_or(u32::MAX),
        },
        other => other,
    }
}

/// A run to each of the first opportunities of a fault.
fn runs_until(fault: Fault, opportunities: &Opportunities) -> impl Iterator<Item = Step> + use<> {
    let passed = 0..opportunities[fault as usize].min(MOST_PASSED);
    passed.map(move |passed| Step::RunUntil {
        strike: Strike { fault, passed },
    })
}
