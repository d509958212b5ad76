//! Workers of a process on tokio: whoever of them is polled, the tasks of all may run.

use {
    super::{Case, Held, Slot, process::Run},
    crate::{clock::Clock, state::Fact, testing::net::Pulse},
    std::{iter, sync::Arc},
};

impl<W> Case<'_, W> {
    /// The worker itself, and those whose tasks may run while its work is polled.
    pub(super) fn sharers(&self, at: usize) -> impl Iterator<Item = usize> + use<'_, W> {
        let Slot { process, .. } = self.slots[at];
        let end = if self.slots[at].is_on_tokio() {
            self.slots.len()
        } else {
            0
        };
        let others = (0..end).filter(move |it| *it != at && self.slots[*it].process == process);
        iter::once(at).chain(others)
    }

    /// The pulses of all whose tasks may run while the work of a worker is polled, whose own run is `pulse`.
    pub(super) fn pulses(
        &self,
        at: usize,
        pulse: Option<&Arc<Pulse>>,
    ) -> impl Iterator<Item = (usize, Arc<Pulse>)> + use<'_, W> {
        let of = |it: usize| Some((it, Arc::clone(&self.slots[it].run.as_ref()?.pulse)));
        let own = pulse.map(|pulse| (at, Arc::clone(pulse)));
        own.into_iter().chain(self.sharers(at).filter_map(of))
    }

    pub(super) fn enter(&self, at: usize, pulse: Option<&Arc<Pulse>>) {
        let mut pulses = self.pulses(at, pulse);
        let own = pulses.next();
        pulses.chain(own).for_each(|it| self.net.enter(&it.1));
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
        let crash = |(at, pulse): (usize, Arc<Pulse>)| Some((at, pulse.crash.take()?));
        let Some((dead, crash)) = self.pulses(at, None).find_map(crash) else {
            return Ok(false);
        };
        let Some(Run {
            work, messages, pulse, ..
        }) = self.slots[dead].run.take()
        else {
            return Ok(false);
        };
        // What it drops after its death is not heard of.
        self.drop_dead(dead, &messages, work)?;
        let held = match self.slots[dead].program {
            true => self.absorb(dead, Some(&pulse)),
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
