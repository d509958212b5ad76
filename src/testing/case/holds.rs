//! Which handler works on which message, and whether it still holds it.

use {
    super::{Case, Held, Run},
    crate::{
        clock::Clock,
        message::MessageId,
        queue::Message,
        state::MessagePhase,
        testing::ledger::{Property, Violation},
        time::Timestamp,
    },
    std::collections::HashSet,
};

impl<W> Case<'_, W> {
    /// A handler works on its messages from its first poll on, except on those that it fails in it.
    pub(super) fn takes_up(&mut self, at: usize, run: &Run, answers: Option<&[Result<(), String>]>) -> Held {
        self.let_go();
        let all: Vec<_> = run.messages.iter().map(|message| message.message_id()).collect();
        let excused = run.pulse.excused.get();
        for (place, message) in all.iter().enumerate() {
            if answers.is_none_or(|answers| matches!(answers.get(place), Some(Ok(())))) {
                self.ledger.begins(at, *message, &all, excused)?;
            }
        }
        Ok(())
    }

    /// Tells the ledger what handlers at work have deleted, given back or left.
    fn let_go(&mut self) {
        let now = self.shared.clock.now();
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(run) = &slot.run else { continue };
            let given_back = run
                .messages
                .iter()
                .filter(|it| run.pulse.has_given_back(it.message_id()));
            // What follows in its group waits for it to come again.
            let groups: HashSet<_> = given_back.filter_map(|it| it.message_group_id()).collect();
            for message in &run.messages {
                let id = message.message_id();
                let is_left = message.message_group_id().is_some_and(|group| groups.contains(group));
                if is_left || !run.pulse.may_work_on(id, now, slot.consumer.batch) {
                    self.ledger.ends(at, id);
                }
            }
        }
    }

    /// Before a handler goes on: whether it waited for longer than it held anything.
    pub(super) fn check_wait(&self, at: usize, run: &Run) -> Held {
        let now = self.shared.clock.now();
        let lost = run.polled.and_then(|before| run.pulse.lost_in_a_wait(before, now));
        lost.map_or(Ok(()), |lost| self.overran(at, lost))
    }

    /// Whether a handler finished what it no longer held.
    pub(super) fn check_finished(&self, at: usize, run: &Run, answers: Option<&[Result<(), String>]>) -> Held {
        let answered = run.messages.iter().zip(answers.unwrap_or_default());
        let finished = answered.filter(|it| it.1.is_ok()).map(|it| it.0.message_id());
        let late = run.pulse.finished_too_late(finished, self.shared.clock.now());
        late.map_or(Ok(()), |late| self.overran(at, late))
    }

    fn overran(&self, at: usize, (message, until): (MessageId, Timestamp)) -> Held {
        if !self.setup.holds {
            return Ok(());
        }
        let ago = self.shared.clock.now().saturating_duration_since(until).as_secs_f64();
        let (who, name) = (&self.slots[at].name, self.name(message));
        let sentence = format!("{who} was still at work on {name}, which others could receive since {ago} s");
        self.tell(who, None, || format!("is at work on {name}"));
        Err(Violation::new(Property::HoldsWhatItWorksOn, sentence))
    }

    /// A late change of a visibility timeout may undo one that was made after it, of which a handler cannot know.
    pub(super) fn excuse_who_lost(&mut self, message: MessageId) {
        let snapshot = self.queue.snapshot();
        let stored = snapshot.messages.iter().find(|it| it.message_id == message);
        let hidden_until = match stored.map(|it| it.phase) {
            Some(MessagePhase::InFlight { until }) => until,
            _ => snapshot.at,
        };
        for at in 0..self.slots.len() {
            let run = self.slots[at].run.as_ref();
            if run.is_some_and(|run| run.pulse.overrates(message, hidden_until)) {
                self.excuse(at);
            }
        }
    }

    /// A handler that waits for no time may have waited for one that stood still, as for a lock.
    pub(super) fn excuse_who_waited_for(&mut self, paused: usize) {
        for at in (0..self.slots.len()).filter(|at| *at != paused) {
            if self.slots[at].run.is_some() && !self.slots[at].is_at_work() {
                self.excuse(at);
            }
        }
    }

    /// All that a consumer received last is late through no fault of its own.
    pub(super) fn excuse(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.excused = true;
        if let Some(run) = &slot.run {
            run.pulse.excused.set(true);
        }
        self.strike(at, &[]);
    }

    /// A fault struck a consumer: what becomes of its messages is not its doing, and neither what becomes of `others`.
    pub(super) fn strike(&mut self, at: usize, others: &[Message]) {
        let slot = &self.slots[at];
        let at_work = slot.run.iter().flat_map(|run| &run.messages);
        for message in slot.waiting.iter().chain(&slot.done).chain(at_work).chain(others) {
            self.ledger.struck(message.message_id());
        }
    }
}
