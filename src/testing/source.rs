//! Where the next step of a case and its fault come from: a random generator or a schedule.

use super::faults::{Chance, Fault};

/// A fault, and which of the step's opportunities for it it takes: how many it lets pass.
///
/// A step has several where time passes for several consumers, or a handler makes several calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Strike {
    pub(super) fault: Fault,
    pub(super) passed: u32,
}

/// One step of a schedule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The producer sends the message with this number.
    Send { message: usize, strike: Option<Strike> },
    /// This consumer does what is next for it: receive, begin its work, go on with it, or delete.
    Turn { consumer: usize, strike: Option<Strike> },
    /// Time passes, and whoever sleeps until then goes on.
    Advance { millis: u64, strike: Option<Strike> },
}

impl Step {
    pub(super) const fn strike(self) -> Option<Strike> {
        match self {
            Self::Send { strike, .. } | Self::Turn { strike, .. } | Self::Advance { strike, .. } => strike,
        }
    }

    pub(super) const fn with_strike(mut self, new: Option<Strike>) -> Self {
        match &mut self {
            Self::Send { strike, .. } | Self::Turn { strike, .. } | Self::Advance { strike, .. } => *strike = new,
        }
        self
    }
}

/// Decides which fault strikes at the current step, and remembers it.
pub(super) enum Source {
    /// Faults are drawn.
    Chance(Box<Drawn>),
    /// The fault of the step, until it has struck.
    Step(Option<Strike>),
    /// Nothing strikes: the case is being brought to its end.
    Quiet,
}

/// What is drawn, and what the current step has seen of it.
pub(super) struct Drawn {
    chance: Chance,
    struck: Option<Strike>,
    /// How many opportunities each fault has had in this step.
    opportunities: [u32; Fault::ALL.len()],
}

impl Source {
    pub(super) fn chance(chance: Chance) -> Self {
        Self::Chance(Box::new(Drawn {
            chance,
            struck: None,
            opportunities: [0; Fault::ALL.len()],
        }))
    }

    /// The fault among `candidates` that strikes here. At most one strikes per step, so that a step can name it.
    pub(super) fn choose(&mut self, candidates: &[Fault]) -> Option<Fault> {
        match self {
            Self::Quiet => None,
            Self::Chance(drawn) => drawn.choose(candidates),
            Self::Step(strike) => {
                let due = strike.as_mut().filter(|strike| candidates.contains(&strike.fault))?;
                if due.passed > 0 {
                    due.passed -= 1;
                    return None;
                }
                strike.take().map(|strike| strike.fault)
            }
        }
    }

    /// Takes back a fault that found nothing to strike.
    pub(super) const fn missed(&mut self) {
        if let Self::Chance(drawn) = self {
            drawn.struck = None;
        }
    }

    /// Ends a step: the fault that struck, if it was drawn.
    pub(super) const fn finish(&mut self) -> Option<Strike> {
        match self {
            Self::Chance(drawn) => {
                drawn.opportunities = [0; Fault::ALL.len()];
                drawn.struck.take()
            }
            _ => None,
        }
    }
}

impl Drawn {
    fn choose(&mut self, candidates: &[Fault]) -> Option<Fault> {
        let fault = match self.struck {
            Some(_) => None,
            None => self.chance.draw(candidates),
        };
        self.struck = self.struck.or_else(|| {
            let passed = self.opportunities[fault? as usize];
            Some(Strike { fault: fault?, passed })
        });
        for candidate in candidates {
            self.opportunities[*candidate as usize] += 1;
        }
        fault
    }
}
