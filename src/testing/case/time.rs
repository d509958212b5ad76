//! How time passes in a case, and how a case ends.

use {
    super::{Case, Held, Slot},
    crate::{
        clock::{Clock, SystemClock},
        state::MessagePhase,
        testing::{
            faults::Fault,
            ledger::{Actor, Property, Violation},
            wire::Arrived,
        },
        time::Timestamp,
    },
    std::{rc::Rc, time::Duration},
};

/// So many receives, and waits while no handler is at work, bring a case to its end before what is left is left to its
/// retention.
const MOST_LAST_ACTS: usize = 400;

/// So often a check waits in vain for another thread to wake a handler, before it takes it that nobody will.
pub(in crate::testing) const PATIENCE: u32 = 5;

/// How long it waits each time, in the machine's time.
const MOST_REAL_TIME: Duration = Duration::from_millis(100);

impl<W> Case<'_, W> {
    pub(super) fn advance(&mut self, span: Duration) -> Held {
        if self.choose(&[Fault::ClockJump]).is_some() {
            self.tell(&Rc::from("clock"), Some(Fault::ClockJump), || "jumps".to_owned());
            (0..self.slots.len()).for_each(|at| self.excuse(at));
            self.shared.clock.advance(Fault::JUMP);
            return self.fall_due();
        }
        let target = self.shared.clock.now().saturating_add(span);
        self.let_the_busy_go_on()?;
        self.advance_to(target)
    }

    /// Moves time to `target`; whoever sleeps until before then goes on in between.
    fn advance_to(&mut self, target: Timestamp) -> Held {
        self.hear_other_threads()?;
        while let Some(next) = self.next_wake().filter(|next| *next <= target) {
            self.shared.clock.advance_to(next.max(self.shared.clock.now()));
            self.fall_due()?;
            for at in 0..self.slots.len() {
                if self.slots[at].is_due(self.shared.clock.now()) {
                    self.turn(at)?;
                }
            }
            self.let_the_busy_go_on()?;
            self.hear_other_threads()?;
        }
        self.shared.clock.advance_to(target.max(self.shared.clock.now()));
        self.fall_due()
    }

    /// Time passes only while everybody waits: whoever holds a message works on it, and deletes what it has done, at
    /// the instant it could, unless a fault keeps it from doing so.
    fn let_the_busy_go_on(&mut self) -> Held {
        // Who goes on may wake one before it.
        while self.slots.iter().any(Slot::is_busy) {
            for at in 0..self.slots.len() {
                while self.slots[at].is_busy() {
                    self.turn(at)?;
                }
            }
        }
        Ok(())
    }

    /// What other threads do for a handler takes no virtual time: it is waited for, but not for ever.
    fn hear_other_threads(&mut self) -> Held {
        while self.setup.patience.get() > 0 && self.slots.iter().any(Slot::may_be_woken_from_elsewhere) {
            let clock = SystemClock::new();
            let deadline = clock.now().saturating_add(MOST_REAL_TIME);
            clock.park_until(&self.parker, Some(deadline));
            if self.slots.iter().any(Slot::is_busy) {
                self.setup.patience.set(PATIENCE);
                self.let_the_busy_go_on()?;
            } else {
                self.setup.patience.set(self.setup.patience.get() - 1);
            }
        }
        Ok(())
    }

    fn next_wake(&self) -> Option<Timestamp> {
        let late = self.shared.wire.borrow().next_late();
        let waits = self.shared.clock.next_deadline();
        self.slots.iter().filter_map(Slot::wake).chain(late).chain(waits).min()
    }

    pub(super) fn fall_due(&mut self) -> Held {
        let arrived = self.shared.wire.borrow_mut().apply_late();
        self.note_facts(Actor::Kit)?;
        for late in arrived {
            if let Arrived::Visibility(id) = late {
                self.excuse_who_lost(id);
            }
            self.tell(&Rc::from("network"), None, || match late {
                Arrived::Send => "delivers the late send".to_owned(),
                Arrived::Delete(id) => format!("delivers the late delete of {}", self.name(id)),
                Arrived::Visibility(id) => format!("delivers the late change of visibility of {}", self.name(id)),
            });
        }
        Ok(())
    }

    /// Without further faults, lets everybody go on until no message is left.
    pub(super) fn bring_to_an_end(&mut self) -> Held {
        let mut left = MOST_LAST_ACTS;
        while left > 0 {
            let mut busy = false;
            for at in 0..self.slots.len() {
                let idle = self.slots[at].is_idle();
                let worth = !idle || self.queue.counts().visible > 0;
                if worth && self.turn(at)? {
                    self.acts += 1;
                    busy = true;
                    left = left.saturating_sub(usize::from(idle));
                    self.check_invariants()?;
                }
            }
            if busy {
                continue;
            }
            // A sampled poll that found nothing may find something the next time.
            let free = self.slots.iter().any(|slot| slot.is_idle() && slot.paused.is_none());
            let sampled = self.plan.shards > 1 && self.queue.counts().visible > 0;
            if free && sampled {
                left -= 1;
                continue;
            }
            let Some(next) = self.next_moment() else { break };
            left -= usize::from(!self.slots.iter().any(Slot::is_at_work));
            self.advance_to(next)?;
        }
        // Who sleeps wakes; one that does so for ever meets the limit of polls.
        self.let_the_busy_go_on()?;
        self.hear_other_threads()?;
        while let Some(next) = self.next_wake() {
            self.advance_to(next)?;
        }
        if let Some(slot) = self.slots.iter().find(|slot| slot.run.is_some()) {
            let messages = slot.run.iter().flat_map(|run| run.messages.clone()).collect::<Vec<_>>();
            let sentence = format!(
                "{} never finished {}: nothing wakes it any more",
                slot.name,
                self.names(&messages)
            );
            return Err(Violation::new(Property::EveryHandlerFinishes, sentence));
        }
        if self.ledger.is_open() {
            let expires = self.queue.snapshot().messages.iter().map(|it| it.expires_at).max();
            expires.map_or(Ok(()), |expires| self.advance_to(expires))?;
            // The queue tells of an expiry when it is called next.
            let _ = self.queue.counts();
            self.note_facts(Actor::Kit)?;
        }
        self.check_invariants()
    }

    /// The next time at which something can happen by itself.
    pub(super) fn next_moment(&self) -> Option<Timestamp> {
        let now = self.shared.clock.now();
        let paused = self.slots.iter().filter_map(|slot| slot.paused);
        let snapshot = self.queue.snapshot();
        let hidden = snapshot.messages.iter().filter_map(|message| match message.phase {
            MessagePhase::InFlight { until } | MessagePhase::Delayed { until } => Some(until),
            MessagePhase::Visible => None,
        });
        hidden
            .chain(paused)
            .chain(self.next_wake())
            .filter(|it| *it > now)
            .min()
    }
}
