//! Tries everything that can go wrong once, and then everything that can go wrong twice.
//!
//! First the undisturbed schedules: some messages are sent, and all go on by themselves. Each opportunity that a fault
//! had in one that passed, and each moment for an action of the outside world, is a disturbance, which is then tried
//! alone: all go on until it strikes, and then to the end. What could strike after that makes the pairs.

use {
    super::{
        Check, CheckError,
        scene::{Disturbance, Prospects, Scene, Single},
        seed::CaseSeed,
        tally::{Origin, Tally},
    },
    crate::{
        clock::{Clock, SystemClock},
        testing::{
            case::{self, CaseOutcome, Script},
            schedule::{Plan, PlannedMessage},
            source::Step,
        },
    },
    std::ops::Range,
};

/// So many messages are sent at most.
const MOST_MESSAGES: u64 = 3;

/// So often messages are drawn.
const DRAWS: u64 = 32;

/// Draws after the first are left out when the undisturbed schedules have taken so many steps.
const MOST_STEPS_OF_DRAWS: u64 = 10_000;

/// So many scenes of one kind are disturbed.
const MOST_OF_A_KIND: usize = 2;

/// So many steps the single disturbances take, about, for each pair that may be tried; and no fewer than this.
const STEPS_OF_SINGLES_FOR_A_PAIR: u64 = 200;
const LEAST_STEPS_OF_SINGLES: u64 = 10_000;

/// So many steps a schedule with a pair may take on average.
const STEPS_OF_A_PAIR: u64 = 40;

/// More acts than it takes to settle a few messages.
const UNTIL_ALL_IS_QUIET: Step = Step::RunFor { acts: 10_000 };

impl<W: 'static> Check<W> {
    /// Runs schedules without a disturbance and with each single one, and then, if none has failed, with pairs.
    pub(super) fn try_schedules(&self, fifo: &[bool], tally: &mut Tally) -> Result<(), CheckError> {
        let clock = SystemClock::new();
        let begun = clock.now();
        let result = self.try_in_turn(fifo, tally);
        tally.passed.elapsed = clock.now().saturating_duration_since(begun);
        result
    }

    fn try_in_turn(&self, fifo: &[bool], tally: &mut Tally) -> Result<(), CheckError> {
        let scenes = self.try_undisturbed(fifo.len(), tally)?;
        let mut all = Vec::new();
        let steps = self.pairs.saturating_mul(STEPS_OF_SINGLES_FOR_A_PAIR);
        let (mut left, count) = (steps.max(LEAST_STEPS_OF_SINGLES), scenes.len() as u64);
        for (scene, at) in scenes.into_iter().zip(0..) {
            let before = tally.passed.steps;
            let singles = self.try_singles(&scene, left / (count - at), tally)?;
            left = left.saturating_sub(tally.passed.steps - before);
            if self.is_enough(tally) {
                return Ok(());
            }
            all.push((scene, singles));
        }
        match tally.failed {
            0 => self.try_pairs(&all, tally),
            _ => Ok(()),
        }
    }

    fn attempt(
        &self,
        (seed, plan): (CaseSeed, &Plan),
        steps: &[Step],
        tally: &mut Tally,
    ) -> Result<CaseOutcome, CheckError> {
        let outcome = case::run(&self.setup, plan, Script::Steps(steps), false)?;
        tally.passed.schedules += 1;
        self.note(Origin::Exhaustive(seed), plan, &outcome, tally)?;
        Ok(outcome)
    }

    // Without a disturbance.

    /// The scenes to disturb, all of which pass; those of the fewest messages come first.
    fn try_undisturbed(&self, variants: usize, tally: &mut Tally) -> Result<Vec<Scene>, CheckError> {
        let most = self.most_messages() as usize;
        let mut scenes = Vec::new();
        let draws = self.draws()?;
        for (variant, count) in (1..=most).flat_map(|count| (0..variants).map(move |variant| (variant, count))) {
            let mut disturbed = 0;
            let mut known: Vec<Plan> = Vec::new();
            for (seed, messages) in &draws {
                let plan = Plan {
                    seed: seed.of_the_steps(),
                    variant,
                    shards: 1,
                    messages: messages.iter().take(count).cloned().collect(),
                };
                let enough = disturbed >= MOST_OF_A_KIND && tally.passed.steps > MOST_STEPS_OF_DRAWS;
                if enough || known.iter().any(|it| it.messages == plan.messages) {
                    continue;
                }
                let mut of_this = self.at_once((*seed, &plan), tally)?;
                if count == most && plan.messages.len() > 1 && !self.is_enough(tally) {
                    of_this.extend(self.one_by_one((*seed, &plan), tally)?);
                }
                if self.is_enough(tally) {
                    return Ok(Vec::new());
                }
                if disturbed < MOST_OF_A_KIND && !of_this.is_empty() {
                    disturbed += 1;
                    scenes.extend(of_this);
                }
                known.push(plan);
            }
        }
        Ok(scenes)
    }

    /// So many messages are sent at most, if sequences do not have fewer.
    pub(super) fn most_messages(&self) -> u64 {
        self.messages_at_most.min(MOST_MESSAGES)
    }

    /// Messages, and the seeds they come from.
    fn draws(&self) -> Result<Vec<(CaseSeed, Vec<PlannedMessage>)>, CheckError> {
        // Unlike the seeds of random cases.
        let seeds = (0..DRAWS).map(|draw| CaseSeed::of(!self.seed, draw));
        let draw = |seed: CaseSeed| Ok((seed, self.drawn(seed, self.most_messages())?.messages()));
        seeds.map(draw).collect()
    }

    /// All messages are sent at first.
    fn at_once(&self, of: (CaseSeed, &Plan), tally: &mut Tally) -> Result<Vec<Scene>, CheckError> {
        let sends: Vec<_> = (0..of.1.messages.len()).map(send).collect();
        let whole = self.attempt(of, &sends, tally)?;
        let scene = self.scene(of, (&sends, 0..sends.len(), &[]), &whole, &whole);
        Ok(if whole.violation.is_none() {
            vec![scene]
        } else {
            Vec::new()
        })
    }

    /// Each message is sent when all before it are settled, and something goes wrong with one of them.
    fn one_by_one(&self, of: (CaseSeed, &Plan), tally: &mut Tally) -> Result<Vec<Scene>, CheckError> {
        let steps = (0..of.1.messages.len()).flat_map(|at| [UNTIL_ALL_IS_QUIET, send(at)]);
        let steps: Vec<_> = steps.skip(1).collect();
        let whole = self.attempt(of, &steps, tally)?;
        let mut scenes = Vec::new();
        for at in (0..steps.len()).step_by(2).filter(|_| whole.violation.is_none()) {
            let (before, after) = steps.split_at(at + 1);
            let sends = at..at + 1;
            if after.is_empty() {
                scenes.push(self.scene(of, (before, sends, after), &whole, &whole));
                continue;
            }
            let beginning = self.attempt(of, before, tally)?;
            if beginning.violation.is_none() {
                scenes.push(self.scene(of, (before, sends, after), &beginning, &whole));
            }
            if self.is_enough(tally) {
                break;
            }
        }
        Ok(scenes)
    }

    /// `beginning` is what came of the first steps alone.
    fn scene(
        &self,
        (seed, plan): (CaseSeed, &Plan),
        (before, sends, after): (&[Step], Range<usize>, &[Step]),
        beginning: &CaseOutcome,
        whole: &CaseOutcome,
    ) -> Scene {
        Scene {
            seed,
            plan: plan.clone(),
            before: before.to_vec(),
            sends,
            after: after.to_vec(),
            faults: self.legal_faults(plan.variant),
            actions: self.setup.actions.len(),
            prospects: Prospects::after(beginning),
            acts: whole.acts as u64,
        }
    }

    // Disturbed.

    /// Tries every single disturbance, or some of each kind if they took many more steps; those that break nothing.
    fn try_singles(&self, scene: &Scene, steps: u64, tally: &mut Tally) -> Result<Vec<Single>, CheckError> {
        let schedules = steps / scene.acts.max(1);
        let mut most_of_a_kind = u32::MAX;
        while most_of_a_kind > 1 && scene.count_singles(most_of_a_kind) > schedules {
            most_of_a_kind /= 2;
        }
        tally.passed.left_out += scene.count_singles(u32::MAX) - scene.count_singles(most_of_a_kind);
        let mut singles = Vec::new();
        for disturbance in scene.singles(most_of_a_kind) {
            let outcome = self.attempt((scene.seed, &scene.plan), &scene.steps(&[disturbance]), tally)?;
            // What found nothing to strike was no opportunity.
            let happened = matches!(disturbance, Disturbance::Action { .. }) || !outcome.faults.is_empty();
            tally.passed.opportunities += u64::from(happened);
            if happened && outcome.violation.is_none() {
                let prospects = Prospects::after(&outcome);
                singles.push(Single { disturbance, prospects });
            }
            if self.is_enough(tally) {
                break;
            }
        }
        Ok(singles)
    }

    /// Tries all pairs of a scene, or some of them if they are more than half of what is left to be tried.
    fn try_pairs(&self, scenes: &[(Scene, Vec<Single>)], tally: &mut Tally) -> Result<(), CheckError> {
        let (schedules, steps) = (tally.passed.schedules, tally.passed.steps);
        tally.passed.pairs_complete = self.pairs > 0 && tally.passed.left_out == 0;
        for (at, (scene, singles)) in scenes.iter().enumerate() {
            let left = self.pairs.saturating_sub(tally.passed.schedules - schedules);
            let steps_left = self
                .pairs
                .saturating_mul(STEPS_OF_A_PAIR)
                .saturating_sub(tally.passed.steps - steps);
            let share = if at + 1 == scenes.len() { 1 } else { 2 };
            let most = (left / share).min(steps_left / share / scene.acts.max(1));
            let all: u64 = singles.iter().map(|single| scene.count_pairs(single)).sum();
            let taken = most.min(all);
            tally.passed.pairs_complete &= taken == all;
            let pairs = singles.iter().flat_map(|single| scene.pairs(single));
            // Evenly spread over all.
            let is_taken = |number: u64| number * taken / all < (number + 1) * taken / all;
            for (pair, _) in pairs.zip(0..).filter(|it| is_taken(it.1)) {
                self.attempt((scene.seed, &scene.plan), &scene.steps(&pair), tally)?;
                tally.passed.pairs += 1;
                if self.is_enough(tally) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

const fn send(message: usize) -> Step {
    Step::Send { message, strike: None }
}
