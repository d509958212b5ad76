//! Shrinks a failing schedule.
//!
//! Not proptest's shrinking of a whole input: a schedule is a list whose steps do nothing where they do not apply, so
//! that any part of it is a schedule again. Removing steps in ever smaller runs, while the story does not grow, ends
//! at a shorter story than simplifying values one by one. Messages are simplified by their own strategy.

use {
    super::{
        case::{self, CaseOutcome, Script},
        ledger::Property,
        schedule::CaseSchedule,
        setup::Setup,
        source::{Step, Strike},
    },
    crate::message::SendMessage,
    proptest::strategy::ValueTree,
};

/// After so many runs the shortest so far is taken.
const MOST_RUNS: usize = 2_000;

/// Pairs of steps are tried in schedules up to this length.
const LONGEST_FOR_PAIRS: usize = 24;

type Tree = Box<dyn ValueTree<Value = SendMessage>>;

struct Shrinker<'a, W> {
    setup: &'a Setup<W>,
    property: Property,
    best: CaseSchedule,
    /// Of the story of the best.
    event_count: usize,
    runs: usize,
}

pub(super) fn shrink<W>(
    setup: &Setup<W>,
    schedule: CaseSchedule,
    trees: Vec<Tree>,
    outcome: &CaseOutcome,
) -> CaseSchedule {
    let Some(violation) = &outcome.violation else {
        return schedule;
    };
    let mut shrinker = Shrinker {
        setup,
        property: violation.property.clone(),
        best: schedule,
        event_count: outcome.event_count,
        runs: 0,
    };
    loop {
        let before = shrinker.best.clone();
        shrinker.be_strict();
        shrinker.remove_steps();
        shrinker.remove_faults();
        shrinker.remove_around_sends();
        shrinker.remove_pairs();
        shrinker.shorten_waits();
        if shrinker.best == before {
            break;
        }
    }
    shrinker.simplify_messages(trees);
    shrinker.drop_what_is_not_sent();
    shrinker.best
}

impl<W> Shrinker<'_, W> {
    /// Takes a candidate if it fails in the same way, and its story is no longer.
    fn offer(&mut self, candidate: CaseSchedule) -> bool {
        if self.runs >= MOST_RUNS {
            return false;
        }
        self.runs += 1;
        let Ok(outcome) = case::run(self.setup, &candidate.plan, Script::Steps(&candidate.steps), false) else {
            return false;
        };
        let same = outcome
            .violation
            .is_some_and(|violation| violation.property == self.property);
        if !same || outcome.event_count > self.event_count {
            return false;
        }
        self.event_count = outcome.event_count;
        self.best = candidate;
        true
    }

    fn remove_steps(&mut self) {
        let mut length = self.best.steps.len();
        while length > 0 {
            let mut at = 0;
            while at < self.best.steps.len() {
                let mut candidate = self.best.clone();
                let end = (at + length).min(candidate.steps.len());
                candidate.steps.drain(at..end);
                if !self.offer(candidate) {
                    at += length;
                }
            }
            length /= 2;
        }
    }

    fn remove_faults(&mut self) {
        for at in 0..self.best.steps.len() {
            let step = self.best.steps[at];
            let Some(Strike { fault, passed }) = step.strike() else {
                continue;
            };
            let mut candidate = self.best.clone();
            candidate.steps[at] = step.with_strike(None);
            if !self.offer(candidate.clone()) && passed > 0 {
                candidate.steps[at] = step.with_strike(Some(Strike { fault, passed: 0 }));
                self.offer(candidate);
            }
        }
    }

    fn shorten_waits(&mut self) {
        for at in 0..self.best.steps.len() {
            let Step::Advance { millis, strike } = self.best.steps[at] else {
                continue;
            };
            for shorter in [1, 1_000, 10_000, 30_000] {
                let mut candidate = self.best.clone();
                candidate.steps[at] = Step::Advance {
                    millis: shorter,
                    strike,
                };
                if shorter >= millis || self.offer(candidate) {
                    break;
                }
            }
        }
    }

    /// Does without sampling, and without the polls that found nothing because of it.
    fn be_strict(&mut self) {
        if self.best.plan.shards == 1 {
            return;
        }
        let steps = Script::Steps(&self.best.steps);
        let Ok(outcome) = case::run(self.setup, &self.best.plan, steps, false) else {
            return;
        };
        let mut candidate = self.best.clone();
        candidate.plan.shards = 1;
        for steps in [self.best.steps.clone(), outcome.effective] {
            candidate.steps = steps;
            if self.offer(candidate.clone()) {
                return;
            }
        }
    }

    /// What becomes of a message goes with its send, and leaves the sends of others in between.
    fn remove_around_sends(&mut self) {
        let mut first = 0;
        while first < self.best.steps.len() && self.best.steps.len() <= LONGEST_FOR_PAIRS {
            let length = self.best.steps.len();
            let shorter = (first + 1..=length).rev().any(|end| {
                let mut candidate = self.best.clone();
                let inner = candidate.steps.drain(first..end).skip(1);
                let sends: Vec<_> = inner.filter(|step| matches!(step, Step::Send { .. })).collect();
                candidate.steps.splice(first..first, sends);
                self.offer(candidate)
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
                let mut candidate = self.best.clone();
                candidate.steps.remove(second);
                candidate.steps.remove(first);
                if !self.offer(candidate) {
                    second += 1;
                }
            }
            first += 1;
        }
    }

    fn simplify_messages(&mut self, trees: Vec<Tree>) {
        let sent = |at: usize, steps: &[Step]| {
            let sends = |step: &Step| matches!(step, Step::Send { message, .. } if *message == at);
            steps.iter().any(sends)
        };
        for (at, mut tree) in trees.into_iter().enumerate() {
            if !sent(at, &self.best.steps) {
                continue;
            }
            let mut more = tree.simplify();
            for _ in 0..64 {
                if !more || self.runs >= MOST_RUNS {
                    break;
                }
                let mut candidate = self.best.clone();
                candidate.plan.messages[at] = tree.current();
                more = if self.offer(candidate) {
                    tree.simplify()
                } else {
                    tree.complicate()
                };
            }
        }
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
