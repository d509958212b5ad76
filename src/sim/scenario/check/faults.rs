//! Checks of faults by their names and probabilities.

use {
    super::at::At,
    crate::{
        sim::scenario::{ScenarioError, build::is_fifo, error::nearest},
        testing::{Fault, FaultError},
    },
    std::collections::BTreeMap,
};

/// Whose calls the faults befall.
#[derive(Clone, Copy, Debug)]
pub(super) enum Calls {
    OfProducers,
    OfWorkers,
}

pub(super) fn check(
    at: &At<'_>,
    faults: &BTreeMap<String, f64>,
    queue: &str,
    calls: Calls,
) -> Result<(), ScenarioError> {
    for (name, probability) in faults {
        let at = at.to(name);
        let Ok(fault) = name.parse::<Fault>() else {
            let usable = Fault::ALL.into_iter().filter(|it| calls.instead_of(*it).is_none());
            let names: Vec<_> = usable.map(|it| it.to_string()).collect();
            let nearest = nearest(name, names.iter().map(String::as_str));
            return Err(at.fail(format!("there is no fault {name:?}{nearest}")));
        };
        if let Some(instead) = calls.instead_of(fault) {
            return Err(at.fail(format!("{fault} is no fault of these calls, {instead}")));
        }
        if !(0.0..=1.0).contains(probability) {
            let probability = *probability;
            return Err(at.fail(FaultError::Probability { fault, probability }.to_string()));
        }
        if is_fifo(queue) && !fault.is_legal_on_fifo() {
            let queue = queue.to_owned();
            return Err(at.fail(FaultError::NotOnFifo { fault, queue }.to_string()));
        }
    }
    Ok(())
}

impl Calls {
    /// What to use for a fault that does not befall these calls.
    const fn instead_of(self, fault: Fault) -> Option<&'static str> {
        match (self, fault) {
            (_, Fault::CrashBeforeWork | Fault::CrashBeforeDelete | Fault::CrashAfterDelete) => {
                Some("workers crash by `crashes` of a fleet")
            }
            (_, Fault::Outage) => Some("the calls of workers fail one by one"),
            (_, Fault::PausePastVisibility) => Some("handlers outlast their visibility timeout by `slow` of a fleet"),
            (_, Fault::ClockJump) => Some("the time of a scenario does not jump"),
            (Self::OfProducers, Fault::SendResponseLost | Fault::SendLate | Fault::SendThrottled) => None,
            (Self::OfProducers, _) => Some("it is one of the workers and stands in `faults` of a fleet"),
            (Self::OfWorkers, Fault::SendResponseLost | Fault::SendLate | Fault::SendThrottled) => {
                Some("it is one of sends and stands in `faults` of a producer")
            }
            (Self::OfWorkers, _) => None,
        }
    }
}
