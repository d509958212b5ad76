//! What the kit knows about one run of a handler, above all until when the run knows that it holds its messages.

use {
    super::Crash,
    crate::{message::MessageId, queue::Message, state::Fact, time::Timestamp},
    std::{
        cell::{Cell, RefCell},
        collections::BTreeMap,
        thread,
        time::Duration,
    },
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
}

/// What the kit knows of one run of a handler.
#[derive(Default)]
pub(in crate::testing) struct Pulse {
    messages: Vec<MessageId>,
    /// The messages that the run has neither deleted nor seen taken away.
    held: RefCell<BTreeMap<MessageId, Hold>>,
    /// The latest end of a hold so far.
    latest: Cell<Timestamp>,
    /// What it deleted although its hold had ended.
    overran: Cell<Option<(MessageId, Timestamp)>>,
    /// The waits on the virtual clock that are under way.
    pub(in crate::testing) waits: Cell<u32>,
    /// Something that is not the run's doing took away its chance to keep its messages.
    pub(in crate::testing) excused: Cell<bool>,
    /// A fault hit a delete, so that whether the message is gone is not the run's doing.
    pub(in crate::testing) blameless: Cell<bool>,
    /// A fault struck one of its calls.
    pub(in crate::testing) struck: Cell<bool>,
    /// The run has called the queue.
    pub(in crate::testing) called: Cell<bool>,
    /// The kit is in the handler, and waits for it to return, to wait or to die.
    pub(in crate::testing) entered: Cell<bool>,
    /// The run is dead: none of its calls reaches the queue.
    pub(in crate::testing) dead: Cell<bool>,
    /// The call in which it died.
    pub(in crate::testing) crash: Cell<Option<Crash>>,
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
        for message in messages {
            let hold = Hold {
                until: message.invisible_until(),
                given_back: false,
                asked: None,
            };
            pulse.held.borrow_mut().insert(message.message_id(), hold);
            pulse.latest.set(pulse.latest.get().max(hold.until));
        }
        pulse.excused.set(excused);
        pulse
    }

    /// What the run was given.
    pub(super) fn messages(&self) -> &[MessageId] {
        &self.messages
    }

    /// A call of the context changed a timeout. A hold that has ended is not renewed by it (D30).
    pub(super) fn change(&self, message: MessageId, now: Timestamp, timeout: Duration, changed: Changed) {
        let mut held = self.held.borrow_mut();
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
    pub(super) fn delete(&self, message: MessageId, now: Timestamp, refused: bool) {
        let hold = self.held.borrow_mut().remove(&message);
        if let Some(hold) = hold.filter(|hold| hold.until <= now && !refused) {
            self.overran.set(Some((message, hold.until)));
        }
    }

    /// The run did this to its message without the context.
    pub(in crate::testing) fn heed(&self, fact: &Fact, now: Timestamp) {
        let Some(message) = fact.message_id() else { return };
        let hold = self.held.borrow().get(&message).copied();
        let Some(hold) = hold.filter(|hold| hold.asked != Some(now)) else {
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
            Fact::DeadLettered { .. } => drop(self.held.borrow_mut().remove(&message)),
            _ => {}
        }
    }

    /// Whether a message turned out to be hidden for less time than the run knows.
    pub(in crate::testing) fn overrates(&self, message: MessageId, hidden_until: Timestamp) -> bool {
        let held = self.held.borrow();
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
        let held = self.held.borrow();
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
        let held = self.held.borrow();
        let late = |message: MessageId| {
            let hold = held.get(&message).filter(|hold| hold.until <= now)?;
            Some((message, hold.until))
        };
        self.overran.get().or_else(|| answered_ok.find_map(late))
    }

    /// Whether the run may be at work on a message, for all that can be told; `batch` if it takes several, each of which
    /// is done with when it is deleted.
    pub(in crate::testing) fn may_work_on(&self, message: MessageId, now: Timestamp, batch: bool) -> bool {
        let held = self.held.borrow();
        let Some(hold) = held.get(&message) else {
            return !self.excused.get() && !batch;
        };
        let holds_another = || held.values().any(|it| !it.given_back && it.until > now);
        !self.excused.get() && !hold.given_back && (hold.until > now || !holds_another())
    }

    pub(in crate::testing) fn has_given_back(&self, message: MessageId) -> bool {
        self.held.borrow().get(&message).is_some_and(|hold| hold.given_back)
    }

    /// Until when the last of its messages is hidden, as it knows.
    pub(in crate::testing) fn held_until(&self) -> Option<Timestamp> {
        self.held.borrow().values().map(|hold| hold.until).max()
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
