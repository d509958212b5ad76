//! Random cases, each from its seed.

use {
    super::{
        Check, CheckError,
        seed::{CaseSeed, mix},
        tally::{Origin, Tally},
    },
    crate::testing::{
        case::{self, Script},
        faults::{Fault, Faults},
        schedule::Plan,
    },
};

/// One case of so many is run again, to see whether it takes the same way.
const ONE_OF: u64 = 64;

/// Which case is run, and how it is called.
#[derive(Clone, Copy)]
pub(super) struct Which {
    pub(super) seed: CaseSeed,
    /// `None` for a seed from elsewhere.
    pub(super) number: Option<u64>,
}

impl Which {
    /// Of a seed from elsewhere.
    pub(super) const fn of(seed: CaseSeed) -> Self {
        Self { seed, number: None }
    }
}

impl<W: 'static> Check<W> {
    pub(super) fn numbered(&self, number: u64) -> Which {
        Which {
            seed: CaseSeed::of(self.seed, number),
            number: Some(number),
        }
    }

    /// Runs all cases, whatever comes of them.
    pub(super) fn run_cases(&self, fifo: &[bool], tally: &mut Tally) -> Result<(), CheckError> {
        for number in 0..self.cases {
            self.add(self.numbered(number), fifo, tally)?;
            if self.is_enough(tally) {
                break;
            }
        }
        Ok(())
    }

    /// Runs a case.
    pub(super) fn add(&self, which: Which, fifo: &[bool], tally: &mut Tally) -> Result<(), CheckError> {
        let (plan, count, script) = self.draw(which.seed, fifo)?;
        let outcome = case::run(&self.setup, &plan, script, false)?;
        tally.passed.cases += 1;
        self.note(Origin::Chance(which, count), &plan, &outcome, tally)?;
        let passed = outcome.violation.is_none();
        if let Some(number) = which.number.filter(|number| passed && number % ONE_OF == ONE_OF - 1) {
            let again = || {
                let (plan, _, script) = self.draw(which.seed, fifo)?;
                Ok::<_, CheckError>(case::run(&self.setup, &plan, script, true)?)
            };
            self.compare(number, &outcome, &again()?, &again()?)?;
        }
        Ok(())
    }

    /// A case, and how many independent messages it has.
    pub(super) fn draw(&self, seed: CaseSeed, fifo: &[bool]) -> Result<(Plan, u64, Script<'static>), CheckError> {
        let of_the_steps = seed.of_the_steps();
        let mut dice = Faults::none().chance("", false, of_the_steps)?;
        let variant = dice.below(fifo.len() as u64) as usize;
        let sampled = !fifo[variant] && self.faults.probability(Fault::SampledPoll) > 0.0 && dice.below(4) == 0;
        let steps = 4 + dice.below(self.steps_at_most - 3);
        // More than there are steps can never be sent.
        let count = (1 + dice.below(self.messages_at_most)).min(steps);
        let plan = Plan {
            seed: of_the_steps,
            variant,
            shards: if sampled { 10 } else { 1 },
            messages: self.drawn(seed, count)?.messages(),
        };
        let faults = self.faults.chance("", fifo[variant], mix(of_the_steps, 1))?;
        let (faults, dice, steps) = (Box::new(faults), Box::new(dice), steps as usize);
        Ok((plan, count, Script::Chance { faults, dice, steps }))
    }
}
