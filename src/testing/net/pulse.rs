//! What the kit knows about one run of a handler, above all until when the run knows that it holds its messages.

use {
    super::{Crash, Shared},
    crate::{message::MessageId, queue::Message, state::Fact, sync::Mutex, testing::story::Place, time::Timestamp},
    std::{collections::BTreeMap, mem, thread, time::Duration},
};

/// What a run can know of its hold on a message.
#[derive(Clone, Copy)]
struct Hold {
    /// Hidden at least until then.
    until: Timestamp,
    /// Its timeout was shortened: the run is done with it, unless it still finishes it.
    given_back: bool,
    /// When the context last changed it, whose answer is then what the run knows.
    asked: Option<Timestamp>,
    /// So many of the facts that the case has not looked at yet were there before it.
    since: usize,
}

/// What the kit knows of one run of a handler.
#[derive(Default)]
pub(in crate::testing) struct Pulse {
    messages: Vec<MessageId>,
    /// The messages that the run has neither deleted nor seen taken away.
    held: Mutex<BTreeMap<MessageId, Hold>>,
    /// The latest end of a hold so far.
    latest: Shared<Timestamp>,
    /// What it deleted although its hold had ended.
    overran: Shared<Option<(MessageId, Timestamp)>>,
    /// The waits on the virtual clock that are under way.
    pub(in crate::testing) waits: Shared<u32>,
    /// Something that is not the run's doing took away its chance to keep its messages.
    pub(in crate::testing) excused: Shared<bool>,
    /// A fault hit a delete, so that whether the message is gone is not the run's doing.
    pub(in crate::testing) blameless: Shared<bool>,
    /// A fault struck one of its calls.
    pub(in crate::testing) struck: Shared<bool>,
    /// How often it has done something, and how often when [`may_lose_more`](Self::may_lose_more) was asked last.
    acts: Shared<u64>,
    acts_before: Shared<u64>,
    /// How many receives of its own wait for messages.
    pub(in crate::testing) asking: Shared<u32>,
    /// It has sent a message.
    pub(in crate::testing) sent: Shared<bool>,
    /// The run has called the queue.
    pub(in crate::testing) called: Shared<bool>,
    /// The kit is in the handler, and waits for it to return, to wait or to die.
    pub(in crate::testing) entered: Shared<bool>,
    /// The run is dead: none of its calls reaches the queue.
    pub(in crate::testing) dead: Shared<bool>,
    /// The call in which it died.
    pub(in crate::testing) crash: Shared<Option<Crash>>,
    /// Its last call.
    pub(in crate::testing) place: Shared<Option<Place>>,
    /// What it received by itself, until the kit has looked.
    pub(in crate::testing) received: Shared<Vec<MessageId>>,
    /// What it deleted or tried to, until the kit has looked.
    pub(in crate::testing) finished: Shared<Vec<MessageId>>,
}

/// What became of a change of a visibility timeout, as the run knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::testing) enum Changed {
    Done,
    /// It may have been done, or be done yet.
    Unknown,
    /// It was not done.
    Failed,
    /// The queue refused, because somebody else took the message away.
    Gone,
}

impl Pulse {
    pub(in crate::testing) fn new(messages: &[Message], excused: bool) -> Self {
        let pulse = Self {
            messages: messages.iter().map(Message::message_id).collect(),
            ..Self::default()
        };
        pulse.hold(messages.iter().map(|it| (it.message_id(), it.invisible_until())), 0);
        pulse.excused.set(excused);
        pulse
    }

    /// Messages that are hidden for it until then. One that it holds for longer already it still holds.
    fn hold(&self, messages: impl IntoIterator<Item = (MessageId, Timestamp)>, since: usize) {
        let mut held = self.held.lock();
        for (message, until) in messages {
            let known = held
                .get(&message)
                .filter(|known| known.until > until && !known.given_back);
            let hold = Hold {
                until: known.map_or(until, |known| known.until),
                given_back: false,
                asked: None,
                since,
            };
            held.insert(message, hold);
            self.latest.set(self.latest.get().max(until));
        }
    }

    /// It has received messages by itself, after so many facts that the case has not looked at yet.
    pub(super) fn receive(&self, messages: &[(MessageId, Timestamp)], held: &[(MessageId, Timestamp)], since: usize) {
        self.hold(held.iter().copied(), since);
        // Of a copy that somebody has had for longer it holds nothing.
        for (message, until) in messages.iter().filter(|it| !held.contains(it)) {
            self.held
                .lock()
                .retain(|it, hold| it != message || hold.until >= *until);
        }
        self.received
            .with(|received| received.extend(messages.iter().map(|it| it.0)));
    }

    /// It can no longer know what it holds, through no fault of its own.
    pub(in crate::testing) fn hold_nothing(&self) {
        self.held.lock().clear();
    }

    /// It has done something that a crash may interrupt, which a receive of nothing is not.
    pub(in crate::testing) fn act(&self) {
        self.acts.with(|acts| *acts += 1);
    }

    /// Whether a crash now may lose more than one when this was asked before.
    pub(in crate::testing) fn may_lose_more(&self) -> bool {
        let acts = self.acts.get();
        let before = self.acts_before.with(|before| mem::replace(before, acts));
        before < acts || (acts > 0 && self.asking.get() == 0)
    }

    /// The messages that it holds as far as it knows.
    pub(in crate::testing) fn holding(&self) -> Vec<MessageId> {
        self.held.lock().keys().copied().collect()
    }

    /// What it was given or has received, and still holds as far as it knows.
    pub(super) fn at_hand(&self) -> Vec<MessageId> {
        let held = self.held.lock();
        let given = self.messages.iter().filter(|it| held.contains_key(it));
        let received = held.keys().filter(|it| !self.messages.contains(it));
        given.chain(received).copied().collect()
    }

    /// An effect of its own for a message. One that it no longer holds has been taken from it without its noticing.
    pub(super) fn affect(&self, message: MessageId, now: Timestamp) {
        let until = self.held.lock().get(&message).map(|hold| hold.until);
        if let (Some(until), false) = (until.filter(|until| *until <= now), self.excused.get()) {
            self.overran.set(Some((message, until)));
        }
    }

    /// What the run was given.
    pub(super) fn messages(&self) -> &[MessageId] {
        &self.messages
    }

    /// A call of the context changed a timeout. A hold that has ended is not renewed by it (D30).
    pub(super) fn change(&self, message: MessageId, now: Timestamp, timeout: Duration, changed: Changed) {
        let mut held = self.held.lock();
        let Some(hold) = held.get_mut(&message) else { return };
        hold.asked = Some(now);
        if hold.until <= now {
            return;
        }
        let until = now.saturating_add(timeout);
        if changed == Changed::Gone {
            held.remove(&message);
            return;
        }
        hold.given_back = until < hold.until || (hold.given_back && changed != Changed::Done);
        hold.until = match changed {
            Changed::Done => until,
            Changed::Unknown => until.min(hold.until),
            Changed::Failed | Changed::Gone => hold.until,
        };
        self.latest.set(self.latest.get().max(hold.until));
    }

    /// A delete was answered, or its answer was lost. Who deletes what it no longer holds has not noticed, unless the
    /// queue refused.
    pub(in crate::testing) fn delete(&self, message: MessageId, now: Timestamp, refused: bool) {
        let hold = self.held.lock().remove(&message);
        if let Some(hold) = hold.filter(|hold| hold.until <= now && !refused) {
            self.overran.set(Some((message, hold.until)));
        }
    }

    /// What the run did to its messages without the context; what happened to one before it had it is not its doing.
    pub(in crate::testing) fn heed<'f>(&self, facts: impl IntoIterator<Item = &'f Fact>, now: Timestamp) {
        for (place, fact) in facts.into_iter().enumerate() {
            self.heed_one(fact, place, now);
        }
        self.held.lock().values_mut().for_each(|hold| hold.since = 0);
    }

    fn heed_one(&self, fact: &Fact, place: usize, now: Timestamp) {
        let Some(message) = fact.message_id() else { return };
        let hold = self.held.lock().get(&message).copied();
        let Some(hold) = hold.filter(|hold| hold.asked != Some(now) && hold.since <= place) else {
            return;
        };
        match fact {
            Fact::ReceivedAgain { invisible_until, .. }
            | Fact::VisibilityChanged { invisible_until, .. }
            | Fact::Postponed { invisible_until, .. } => {
                let timeout = invisible_until.saturating_duration_since(now);
                self.change(message, now, timeout, Changed::Done);
            }
            Fact::Returned { .. } | Fact::Released { .. } if hold.until > now => {
                self.change(message, now, Duration::ZERO, Changed::Done);
            }
            Fact::Deleted { .. } => self.delete(message, now, false),
            Fact::DeadLettered { .. } => drop(self.held.lock().remove(&message)),
            _ => {}
        }
    }

    /// Whether a message turned out to be hidden for less time than the run knows.
    pub(in crate::testing) fn overrates(&self, message: MessageId, hidden_until: Timestamp) -> bool {
        let held = self.held.lock();
        held.get(&message).is_some_and(|hold| hidden_until < hold.until)
    }

    /// A message that the run has been at work on without holding it, if it has waited since `before`.
    ///
    /// Which of several messages it is at work on it alone knows: as long as it holds one, it may be at work on that.
    pub(in crate::testing) fn lost_in_a_wait(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> Option<(MessageId, Timestamp)> {
        if self.excused.get() || before >= now {
            return None;
        }
        let held = self.held.lock();
        let mut kept = held.iter().filter(|it| !it.1.given_back);
        let first = kept.next().filter(|it| it.1.until < now)?;
        kept.all(|it| it.1.until < now).then_some((*first.0, first.1.until))
    }

    /// A message that the run has finished, now or by a delete, although its hold had ended.
    pub(in crate::testing) fn finished_too_late(
        &self,
        mut answered_ok: impl Iterator<Item = MessageId>,
        now: Timestamp,
    ) -> Option<(MessageId, Timestamp)> {
        if self.excused.get() {
            return None;
        }
        let held = self.held.lock();
        let late = |message: MessageId| {
            let hold = held.get(&message).filter(|hold| hold.until <= now)?;
            Some((message, hold.until))
        };
        self.overran.get().or_else(|| answered_ok.find_map(late))
    }

    /// Whether the run may be at work on a message, for all that can be told; `batch` if it takes several, each of which
    /// is done with when it is deleted. Who is left in the dark about a delete may try it again, or go on.
    pub(in crate::testing) fn may_work_on(&self, message: MessageId, now: Timestamp, batch: bool) -> bool {
        let held = self.held.lock();
        let Some(hold) = held.get(&message) else {
            return !self.excused.get() && !self.blameless.get() && !batch;
        };
        let holds_another = || held.values().any(|it| !it.given_back && it.until > now);
        !self.excused.get() && !hold.given_back && (hold.until > now || !holds_another())
    }

    pub(in crate::testing) fn has_given_back(&self, message: MessageId) -> bool {
        self.held.lock().get(&message).is_some_and(|hold| hold.given_back)
    }

    /// Until when the last of its messages is hidden, as it knows.
    pub(in crate::testing) fn held_until(&self) -> Option<Timestamp> {
        self.held.lock().values().map(|hold| hold.until).max()
    }

    /// The latest time until which it has held any message.
    pub(in crate::testing) fn latest(&self) -> Timestamp {
        self.latest.get()
    }

    /// Whether a call can be the last act of the run: not from elsewhere, not while the handler unwinds already, which
    /// would end the process, and not where a panic ends it anyway.
    pub(super) fn can_die(&self) -> bool {
        cfg!(panic = "unwind") && self.entered.get() && !thread::panicking()
    }
}
