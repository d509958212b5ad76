//! Where the next step of a case and its fault come from: chance, or a schedule.

use super::faults::{Chance, Fault};

/// One step of a schedule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The producer sends the message with this number.
    Send { message: usize, fault: Option<Fault> },
    /// This consumer does what is next for it: receive, begin its work, go on with it, or delete.
    Turn { consumer: usize, fault: Option<Fault> },
    /// Time passes, and whoever sleeps until then goes on.
    Advance { millis: u64, fault: Option<Fault> },
}

impl Step {
    pub(super) const fn fault(self) -> Option<Fault> {
        match self {
            Self::Send { fault, .. } | Self::Turn { fault, .. } | Self::Advance { fault, .. } => fault,
        }
    }

    pub(super) const fn with_fault(mut self, new: Option<Fault>) -> Self {
        match &mut self {
            Self::Send { fault, .. } | Self::Turn { fault, .. } | Self::Advance { fault, .. } => *fault = new,
        }
        self
    }
}

/// Decides which fault strikes at the current step, and remembers it.
pub(super) enum Source {
    /// Faults are drawn.
    Chance(Box<Chance>, Option<Fault>),
    /// The fault of the step, until it has struck.
    Step(Option<Fault>),
    /// Nothing strikes: the case is being brought to its end.
    Quiet,
}

impl Source {
    /// The fault among `candidates` that strikes here. At most one strikes per step, so that a step can name it.
    pub(super) fn choose(&mut self, candidates: &[Fault]) -> Option<Fault> {
        match self {
            Self::Chance(_, Some(_)) | Self::Quiet => None,
            Self::Chance(chance, struck) => {
                *struck = chance.draw(candidates);
                *struck
            }
            Self::Step(fault) => {
                let struck = (*fault).filter(|fault| candidates.contains(fault));
                if struck.is_some() {
                    *fault = None;
                }
                struck
            }
        }
    }

    /// Takes back a fault that found nothing to strike.
    pub(super) const fn missed(&mut self) {
        if let Self::Chance(_, struck) = self {
            *struck = None;
        }
    }

    /// Ends a step: the fault that struck, if it was drawn.
    pub(super) const fn finish(&mut self) -> Option<Fault> {
        match self {
            Self::Chance(_, struck) => struck.take(),
            _ => None,
        }
    }
}
