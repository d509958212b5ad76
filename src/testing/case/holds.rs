//! Which handler works on which message, and whether it still holds it.

use {
    super::{Case, Held, process::Run},
    crate::{
        clock::Clock,
        message::MessageId,
        queue::Message,
        state::MessagePhase,
        testing::{
            ledger::{Ledger, Property, Violation},
            log::Told,
        },
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
                self.ledger(at).begins(at, *message, &all, excused)?;
            }
        }
        Ok(())
    }

    /// Tells the ledger what handlers at work have deleted, given back or left.
    fn let_go(&mut self) {
        let now = self.net.clock.now();
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(run) = &slot.run else { continue };
            let process = &self.processes[slot.process];
            let ledger = &mut self.ledgers[process.line];
            let given_back = run
                .messages
                .iter()
                .filter(|it| run.pulse.has_given_back(it.message_id()));
            // What follows in its group waits for it to come again.
            let groups: HashSet<_> = given_back.filter_map(|it| it.message_group_id()).collect();
            for message in &run.messages {
                let id = message.message_id();
                let is_left = message.message_group_id().is_some_and(|group| groups.contains(group));
                if is_left || !run.pulse.may_work_on(id, now, process.consumer.batch) {
                    ledger.ends(at, id);
                }
            }
        }
    }

    /// Before a handler goes on: whether it waited for longer than it held anything.
    pub(super) fn check_wait(&self, at: usize, run: &Run) -> Held {
        let now = self.net.clock.now();
        let lost = run.polled.and_then(|before| run.pulse.lost_in_a_wait(before, now));
        lost.map_or(Ok(()), |lost| self.overran(at, lost))
    }

    /// Whether a handler finished what it no longer held.
    pub(super) fn check_finished(&self, at: usize, run: &Run, answers: Option<&[Result<(), String>]>) -> Held {
        let answered = run.messages.iter().zip(answers.unwrap_or_default());
        let finished = answered.filter(|it| it.1.is_ok()).map(|it| it.0.message_id());
        let late = run.pulse.finished_too_late(finished, self.net.clock.now());
        late.map_or(Ok(()), |late| self.overran(at, late))
    }

    fn overran(&self, at: usize, (message, until): (MessageId, Timestamp)) -> Held {
        if !self.setup.holds {
            return Ok(());
        }
        let ago = self.net.clock.now().saturating_duration_since(until).as_secs_f64();
        let (who, name) = (&self.slots[at].name, self.name(message));
        let sentence = format!("{who} was still at work on {name}, which others could receive since {ago} s");
        let queue = &self.net.lines[self.process(at).line].name;
        self.net.tell(who, None, |_| {
            Told::from(format!("is at work on {name}")).of(queue, [name.clone()])
        });
        Err(Violation::new(Property::HoldsWhatItWorksOn, sentence))
    }

    /// A late change of a visibility timeout may undo one that was made after it, of which a handler cannot know.
    pub(super) fn excuse_who_lost(&mut self, message: MessageId) {
        let snapshots: Vec<_> = self.net.lines.iter().map(|line| line.queue().snapshot()).collect();
        let mut stored = snapshots.iter().flat_map(|snapshot| &snapshot.messages);
        let hidden_until = match stored.find(|it| it.message_id == message).map(|it| it.phase) {
            Some(MessagePhase::InFlight { until }) => until,
            _ => self.net.clock.now(),
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
            if self.slots[at].run.is_some() && !self.slots[at].is_at_work(self.net.clock.now()) {
                self.excuse(at);
            }
        }
    }

    /// All that a consumer received last is late through no fault of its own.
    pub(super) fn excuse(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.excused = true;
        if let Some(run) = &slot.run {
            match slot.program {
                true => run.pulse.hold_nothing(),
                false => run.pulse.excused.set(true),
            }
        }
        self.strike(at, &[]);
    }

    /// The ledger of the queue that a worker receives from.
    pub(super) fn ledger(&mut self, at: usize) -> &mut Ledger {
        let line = self.process(at).line;
        &mut self.ledgers[line]
    }

    /// A fault struck a consumer: what becomes of its messages is not its doing, and neither what becomes of `others`.
    pub(super) fn strike(&mut self, at: usize, others: &[Message]) {
        let slot = &self.slots[at];
        let at_work = slot.run.iter().flat_map(|run| &run.messages);
        let own = slot.waiting.iter().chain(&slot.done).chain(at_work).chain(others);
        let mut all: Vec<_> = own.map(Message::message_id).collect();
        all.extend(slot.run.iter().flat_map(|run| run.pulse.holding()));
        self.strike_with(at, &all);
    }

    pub(super) fn strike_with(&mut self, at: usize, messages: &[MessageId]) {
        let program = self.slots[at].program;
        let line = self.process(at).line;
        for (place, ledger) in self.ledgers.iter_mut().enumerate() {
            if program || place == line {
                messages.iter().for_each(|message| ledger.struck(*message));
            }
        }
    }
}
