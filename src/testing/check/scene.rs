//! [`Scene`], a short case that goes on by itself, and what could disturb it.

use {
    super::seed::CaseSeed,
    crate::testing::{
        case::CaseOutcome,
        faults::Fault,
        schedule::Plan,
        source::{Opportunities, Step, Strike},
    },
    std::ops::Range,
};

const FAULTS_OF_A_SEND: [Fault; 3] = [Fault::SendThrottled, Fault::SendResponseLost, Fault::SendLate];

/// A plan, and where in it something can go wrong.
pub(super) struct Scene {
    pub(super) seed: CaseSeed,
    pub(super) plan: Plan,
    /// A disturbance strikes in what happens of itself after these steps.
    pub(super) before: Vec<Step>,
    /// Or in one of these sends among them.
    pub(super) sends: Range<usize>,
    /// What follows a disturbance.
    pub(super) after: Vec<Step>,
    pub(super) faults: Vec<Fault>,
    /// How many actions the outside world knows.
    pub(super) actions: usize,
    /// What could happen after the first steps, if no others followed.
    pub(super) prospects: Prospects,
    /// Of the whole, undisturbed.
    pub(super) acts: u64,
}

/// What could happen at the end of a schedule.
#[derive(Clone, Copy)]
pub(super) struct Prospects {
    opportunities: Opportunities,
    acts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Disturbance {
    /// The fault strikes a send among the first steps, by its place.
    Send {
        place: usize,
        fault: Fault,
    },
    Fault(Strike),
    /// The outside world acts after so many acts of others.
    Action {
        acts: u32,
        action: usize,
    },
}

/// A disturbance that has happened, and broken nothing.
pub(super) struct Single {
    pub(super) disturbance: Disturbance,
    pub(super) prospects: Prospects,
}

impl Prospects {
    pub(super) const fn after(outcome: &CaseOutcome) -> Self {
        Self {
            opportunities: outcome.opportunities,
            acts: outcome.last_acts,
        }
    }

    /// How many disturbances there are, if of each kind at most so many are taken.
    fn count(&self, scene: &Scene, most: u32) -> u64 {
        let opportunities = scene.faults.iter().map(|fault| self.opportunities[*fault as usize]);
        let moments = (0..scene.actions).map(|_| self.acts.saturating_add(1));
        opportunities.chain(moments).map(|it| u64::from(it.min(most))).sum()
    }

    /// The simplest faults come first, and actions before all.
    fn disturbances<'s>(&self, scene: &'s Scene, most: u32) -> impl Iterator<Item = Disturbance> + use<'s> {
        let Self { opportunities, acts } = *self;
        let actions = (0..scene.actions).flat_map(move |action| {
            let moments = spread(acts.saturating_add(1), most);
            moments.map(move |acts| Disturbance::Action { acts, action })
        });
        let strikes = scene.faults.iter().flat_map(move |fault| {
            let passed = spread(opportunities[*fault as usize], most);
            passed.map(|passed| Disturbance::Fault(Strike { fault: *fault, passed }))
        });
        actions.chain(strikes)
    }
}

/// At most so many of the numbers below `end`, evenly spread.
fn spread(end: u32, most: u32) -> impl Iterator<Item = u32> {
    let count = end.min(most);
    (0..count).map(move |at| (u64::from(at) * u64::from(end) / u64::from(count)) as u32)
}

impl Scene {
    /// The schedule with these disturbances, of which those of sends come first.
    pub(super) fn steps(&self, disturbances: &[Disturbance]) -> Vec<Step> {
        let mut steps = self.before.clone();
        let mut after = &self.after[..];
        for disturbance in disturbances {
            match *disturbance {
                Disturbance::Send { place, fault } => {
                    steps[place] = steps[place].with_strike(Some(Strike { fault, passed: 0 }));
                    continue;
                }
                Disturbance::Fault(strike) => steps.push(Step::RunUntil { strike }),
                Disturbance::Action { acts, action } => {
                    steps.extend(Some(Step::RunFor { acts }).filter(|_| acts > 0));
                    steps.push(Step::Action { action, strike: None });
                }
            }
            steps.extend(after);
            after = &[];
        }
        steps.extend(after);
        steps
    }

    pub(super) fn count_singles(&self, most_of_a_kind: u32) -> u64 {
        self.of_sends(0).count() as u64 + self.prospects.count(self, most_of_a_kind)
    }

    pub(super) fn singles(&self, most_of_a_kind: u32) -> impl Iterator<Item = Disturbance> + '_ {
        self.of_sends(0)
            .chain(self.prospects.disturbances(self, most_of_a_kind))
    }

    pub(super) fn count_pairs(&self, first: &Single) -> u64 {
        let sends = self.of_sends(self.first_send_after(first)).count();
        sends as u64 + first.prospects.count(self, u32::MAX)
    }

    /// What could happen after a disturbance, together with it.
    pub(super) fn pairs(&self, first: &Single) -> impl Iterator<Item = [Disturbance; 2]> + '_ {
        let disturbance = first.disturbance;
        let sends = self.of_sends(self.first_send_after(first));
        let seconds = sends.chain(first.prospects.disturbances(self, u32::MAX));
        seconds.map(move |second| [disturbance, second])
    }

    const fn first_send_after(&self, first: &Single) -> usize {
        match first.disturbance {
            Disturbance::Send { place, .. } => place + 1,
            _ => self.sends.end,
        }
    }

    /// The sends from this place on, each with each of its faults.
    fn of_sends(&self, from: usize) -> impl Iterator<Item = Disturbance> + '_ {
        let places = self.sends.start.max(from)..self.sends.end;
        let faults = || FAULTS_OF_A_SEND.into_iter().filter(|fault| self.faults.contains(fault));
        places.flat_map(move |place| faults().map(move |fault| Disturbance::Send { place, fault }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_of_many_is_spread_evenly() {
        let taken = |end, most| spread(end, most).collect::<Vec<_>>();
        assert_eq!(taken(4, 9), [0, 1, 2, 3]);
        assert_eq!(taken(9, 3), [0, 3, 6]);
        assert_eq!(taken(u32::MAX, 2), [0, u32::MAX / 2]);
        assert!(taken(0, 3).is_empty() && taken(3, 0).is_empty());
    }
}
