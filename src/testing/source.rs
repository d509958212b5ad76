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
    /// The outside world does what the action with this number does.
    Action { action: usize, strike: Option<Strike> },
    /// All go on by themselves, by turns and while time passes, until the fault has struck.
    RunUntil { strike: Strike },
    /// All go on by themselves for so many acts.
    RunFor { acts: u32 },
}

impl Step {
    pub(super) const fn strike(self) -> Option<Strike> {
        match self {
            Self::Send { strike, .. }
            | Self::Turn { strike, .. }
            | Self::Advance { strike, .. }
            | Self::Action { strike, .. } => strike,
            Self::RunUntil { strike } => Some(strike),
            Self::RunFor { .. } => None,
        }
    }

    /// The step with another fault; a run until a fault strikes keeps its own if there is none.
    pub(super) const fn with_strike(mut self, new: Option<Strike>) -> Self {
        match &mut self {
            Self::Send { strike, .. }
            | Self::Turn { strike, .. }
            | Self::Advance { strike, .. }
            | Self::Action { strike, .. } => *strike = new,
            Self::RunUntil { strike } => {
                if let Some(new) = new {
                    *strike = new;
                }
            }
            Self::RunFor { .. } => {}
        }
        self
    }
}

/// How many opportunities each fault had, by its place among [`Fault::ALL`].
pub(super) type Opportunities = [u32; Fault::ALL.len()];

/// Decides which fault strikes at the current step, and remembers it.
///
/// At most one fault strikes in a step, so that a step can name it.
pub(super) struct Source {
    chance: Option<Box<Chance>>,
    /// The fault that the step names, until it has struck.
    due: Option<Strike>,
    /// The fault that struck in this step.
    struck: Option<Strike>,
    /// Since the step began.
    opportunities: Opportunities,
}

impl Source {
    /// Faults are drawn.
    pub(super) fn chance(chance: Chance) -> Self {
        Self {
            chance: Some(Box::new(chance)),
            ..Self::steps()
        }
    }

    /// Each step names its fault.
    pub(super) const fn steps() -> Self {
        Self {
            chance: None,
            due: None,
            struck: None,
            opportunities: [0; Fault::ALL.len()],
        }
    }

    /// Begins a step in which this fault strikes, or none.
    pub(super) const fn begin(&mut self, due: Option<Strike>) {
        self.due = due;
        self.struck = None;
        self.opportunities = [0; Fault::ALL.len()];
    }

    /// From now on nothing strikes but what a step names.
    pub(super) fn be_quiet(&mut self) {
        self.chance = None;
        self.begin(None);
    }

    /// The fault among `candidates` that strikes here.
    pub(super) fn choose(&mut self, candidates: &[Fault]) -> Option<Fault> {
        let fault = match (&mut self.chance, self.struck) {
            (_, Some(_)) => None,
            (Some(chance), None) => chance.draw(candidates),
            (None, None) => self.due(candidates),
        };
        if let Some(fault) = fault {
            let passed = self.opportunities[fault as usize];
            self.struck = Some(Strike { fault, passed });
        }
        for candidate in candidates {
            self.opportunities[*candidate as usize] += 1;
        }
        fault
    }

    fn due(&self, candidates: &[Fault]) -> Option<Fault> {
        let Strike { fault, passed } = self.due?;
        (candidates.contains(&fault) && self.opportunities[fault as usize] == passed).then_some(fault)
    }

    /// Takes back a fault that found nothing to strike.
    pub(super) const fn missed(&mut self) {
        self.struck = None;
    }

    /// The fault that has struck since the step began.
    pub(super) const fn struck(&self) -> Option<Strike> {
        self.struck
    }

    /// What could have struck since the step began.
    pub(super) const fn opportunities(&self) -> &Opportunities {
        &self.opportunities
    }
}
