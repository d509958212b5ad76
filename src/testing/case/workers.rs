//! Workers of a process on tokio: whoever of them is polled, the tasks of all may run.

use {
    super::{Case, Held, process::Run},
    crate::{clock::Clock, state::Fact, testing::net::Pulse},
    std::{iter, sync::Arc},
};

impl<W> Case<'_, W> {
    /// The worker itself, and those whose tasks may run while its work is polled.
    pub(super) fn sharers(&self, at: usize) -> Vec<usize> {
        let process = self.slots[at].process;
        let shares = |it: &usize| self.slots[*it].process == process && self.slots[*it].is_on_tokio();
        let others = (0..self.slots.len()).filter(|it| *it != at).filter(shares);
        iter::once(at).chain(others).collect()
    }

    /// The pulses of all whose tasks may run while the work of a worker is polled, whose own run is `pulse`.
    pub(super) fn pulses(&self, at: usize, pulse: Option<&Arc<Pulse>>) -> Vec<(usize, Arc<Pulse>)> {
        let of = |it: usize| Some((it, Arc::clone(&self.slots[it].run.as_ref()?.pulse)));
        let own = pulse.map(|pulse| (at, Arc::clone(pulse)));
        own.into_iter()
            .chain(self.sharers(at).into_iter().filter_map(of))
            .collect()
    }

    pub(super) fn enter(&self, at: usize, pulse: Option<&Arc<Pulse>>) {
        for (_, pulse) in self.pulses(at, pulse).iter().rev() {
            self.net.enter(pulse);
        }
    }

    pub(super) fn leave(&self, at: usize, pulse: Option<&Arc<Pulse>>) {
        for (_, pulse) in self.pulses(at, pulse) {
            pulse.entered.set(false);
        }
        self.tell_caught(at);
    }

    /// The run that was polled, unless its process has died in a call.
    pub(super) fn outlives(&mut self, at: usize, run: Run) -> Held<Option<Run>> {
        self.slots[at].run = Some(run);
        Ok(match self.bury(at)? {
            true => None,
            false => self.slots[at].run.take(),
        })
    }

    /// Ends a process that has died in a call of one of its workers; whether it has.
    pub(super) fn bury(&mut self, at: usize) -> Held<bool> {
        let pulses = self.pulses(at, None);
        let mut crashes = pulses.iter().filter_map(|(at, pulse)| Some((*at, pulse.crash.take()?)));
        let Some((dead, crash)) = crashes.next() else {
            return Ok(false);
        };
        let messages = match self.slots[dead].run.take() {
            Some(run) => {
                // What it drops after its death is not heard of.
                self.drop_dead(dead, &run.messages, run.work)?;
                run.messages
            }
            None => Vec::new(),
        };
        let held = match self.slots[dead].program {
            true => self.absorb(dead, pulses.iter().find(|it| it.0 == dead).map(|it| &it.1)),
            false => Ok(()),
        };
        self.dies_in_a_call(dead, &messages, crash)?;
        held.map(|()| true)
    }

    /// What workers did without their contexts they know. Of a delete that may have been another's they only know that
    /// the message is gone.
    pub(super) fn heed(&self, at: usize, pulse: Option<&Arc<Pulse>>) {
        let now = self.net.clock.now();
        let facts = self.net.facts.lock();
        for (worker, pulse) in self.pulses(at, pulse) {
            let facts = facts.iter().map(|it| &it.1.fact);
            if worker != at {
                let deleted = facts.clone().filter(|fact| matches!(fact, Fact::Deleted { .. }));
                deleted
                    .filter_map(Fact::message_id)
                    .for_each(|id| pulse.delete(id, now, true));
            }
            pulse.heed(facts, now);
        }
    }
}
