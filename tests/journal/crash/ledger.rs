//! What the reports allow and demand of what is found afterwards.
//!
//! A call whose answer was not reported may have been recorded or not. Reports of different threads may come in another
//! order than what they report; receive counts tell which reception of a message is the later one.

use {
    super::{
        history::{Answer, Call, Draft, Held, Received, Report},
        load::{FAILED, FAILED_ORDERS, JOBS, ORDERS},
    },
    std::collections::{BTreeMap, BTreeSet, HashMap},
};

/// A queue remembers a send for so long (F9).
const FIVE_MINUTES: u64 = 300_000;

/// A message as it is found in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) queue: String,
    /// None if the body is not what was sent.
    pub(crate) key: Option<String>,
    pub(crate) id: String,
    pub(crate) count: u32,
    pub(crate) phase: Phase,
    pub(crate) blocked: bool,
    pub(crate) group: Option<String>,
    pub(crate) sequence: Option<u128>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Visible,
    Delayed(u64),
    InFlight(u64),
}

/// Between the first and the second, both included.
type Span = (u64, u64);

#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
enum Is {
    #[default]
    No,
    Perhaps,
    Surely,
}

/// What is known of one message.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Where it was last.
    queue: String,
    group: Option<String>,
    stored: Is,
    gone: Is,
    /// The receive count of the reception that deleted it.
    deleted_at: u32,
    /// The latest id; a move task gives another one.
    id: Option<String>,
    /// In the queue where it was last.
    sequence: Option<u128>,
    /// What the send was answered with.
    sent_as: Option<u128>,
    first_sent_at: u64,
    /// Its place among all first sends.
    order: u64,
    /// The end of the delay.
    delayed: Option<Span>,
    /// Receives by id.
    counts: HashMap<String, u32>,
    /// It was given back uncounted since it was last looked at: counts no longer tell which reception is the later one.
    released: bool,
    /// The latest reception under the latest id.
    handle: Option<String>,
    /// The end of its visibility timeout, where it is known.
    invisible: Option<Span>,
    /// Ids under which it has left its source for the dead-letter queue.
    left: BTreeSet<String>,
}

/// What was reported so far, and what it makes wrong.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    messages: BTreeMap<String, Known>,
    /// The open call of each thread, and when it began.
    open: BTreeMap<usize, (u64, Call)>,
    /// Receives that may have been counted, by queue.
    unanswered: HashMap<String, u32>,
    /// Messages that were hidden by a consumer which may no longer have held them, and its receive count.
    disturbed: BTreeMap<String, u32>,
    tags: BTreeSet<u64>,
    /// First sends so far.
    sends: u64,
    pub(crate) clock: u64,
    /// Answers so far.
    pub(crate) answers: usize,
    violations: Vec<String>,
    /// Messages that were received after they were deleted, and what is wrong then unless they were disturbed.
    back: Vec<(String, String)>,
}

/// The queues that a message may be in which was in this one.
fn reach(queue: &str) -> &'static [&'static str] {
    match queue {
        JOBS | FAILED => &[JOBS, FAILED],
        ORDERS => &[ORDERS, FAILED_ORDERS],
        FAILED_ORDERS => &[FAILED_ORDERS],
        _ => &[super::load::WORK],
    }
}

impl Known {
    fn count(&self, id: &str) -> u32 {
        self.counts.get(id).copied().unwrap_or(0)
    }

    /// Another id is one that a move task gave.
    fn may_have(&self, id: &str) -> bool {
        self.id.as_deref().is_none_or(|known| known == id) || reach(&self.queue).contains(&JOBS)
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            tags: [0].into(),
            ..Self::default()
        }
    }

    fn wrong(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(crate) fn read(&mut self, report: &Report) {
        match report {
            Report::Call { thread, now, call } => {
                self.clock = self.clock.max(*now);
                self.begin(*now, call);
                self.open.insert(*thread, (*now, call.clone()));
            }
            Report::Answer { thread, now, answer } => {
                self.clock = self.clock.max(*now);
                self.answers += 1;
                match self.open.remove(thread) {
                    Some((began, call)) => self.end(began, *now, &call, answer),
                    None => self.wrong(format!("thread {thread} was answered without a call: {answer}")),
                }
            }
            Report::Clock(to) => self.clock = self.clock.max(*to),
            _ => {}
        }
    }

    fn begin(&mut self, now: u64, call: &Call) {
        match call {
            Call::Send { queue, drafts } => drafts.iter().for_each(|draft| self.begin_send(now, queue, draft)),
            Call::Delete { messages, .. } => self.each(messages, |known| known.gone = known.gone.max(Is::Perhaps)),
            Call::Hide { messages, .. } => self.each(messages, |known| known.invisible = None),
            Call::Release { message, .. } => self.each(std::slice::from_ref(message), |known| {
                (known.released, known.invisible, known.handle) = (true, None, None);
            }),
            Call::DeadLetter { message, .. } => {
                self.each(std::slice::from_ref(message), |known| known.invisible = None);
            }
            Call::Tag { value } => {
                self.tags.insert(*value);
            }
            Call::Receive { .. } | Call::Move => {}
        }
    }

    fn each(&mut self, messages: &[Held], mut change: impl FnMut(&mut Known)) {
        for held in messages {
            self.messages.get_mut(&held.key).map(&mut change);
        }
    }

    fn begin_send(&mut self, now: u64, queue: &str, draft: &Draft) {
        self.sends += 1;
        self.messages.entry(draft.key.clone()).or_insert_with(|| Known {
            order: self.sends,
            queue: queue.to_owned(),
            group: draft.group.clone(),
            stored: Is::Perhaps,
            first_sent_at: now,
            delayed: (draft.delay > 0).then_some((now + draft.delay, u64::MAX)),
            ..Known::default()
        });
    }

    fn end(&mut self, began: u64, now: u64, call: &Call, answer: &Answer) {
        match (call, answer) {
            (_, Answer::Refused(text)) => {
                if text.contains("journal") {
                    self.wrong(format!("{call} was refused: {text}"));
                }
                self.unanswered_call(call);
            }
            (Call::Send { drafts, .. }, Answer::Sent(outcomes)) => {
                for (draft, outcome) in drafts.iter().zip(outcomes) {
                    if let Some((id, sequence)) = outcome {
                        self.sent(now, draft, id, *sequence);
                    }
                }
            }
            (Call::Receive { queue }, Answer::Received(messages)) => {
                messages.iter().for_each(|message| self.received(queue, message));
            }
            (Call::Delete { messages, .. }, Answer::Settled(outcomes)) => {
                for (held, outcome) in messages.iter().zip(outcomes) {
                    let Some(known) = self.messages.get_mut(&held.key) else {
                        continue;
                    };
                    if *outcome == Some(true) {
                        (known.gone, known.deleted_at) = (Is::Surely, held.count);
                    }
                }
            }
            (Call::Hide { messages, .. }, Answer::Hidden(outcomes)) => {
                for (held, outcome) in messages.iter().zip(outcomes) {
                    self.hidden(began, held, *outcome);
                }
            }
            (Call::Release { message, .. }, Answer::Settled(outcomes)) => {
                if outcomes.first() != Some(&Some(true)) {
                    self.disturbed.insert(message.key.clone(), message.count);
                }
            }
            (Call::DeadLetter { message, .. }, Answer::Settled(outcomes)) => {
                let Some(known) = self.messages.get_mut(&message.key).filter(|known| !known.released) else {
                    return;
                };
                let id = known.id.clone().filter(|id| known.count(id) == message.count);
                if let (Some(id), Some(Some(true))) = (id, outcomes.first()) {
                    known.left.insert(id);
                }
            }
            (Call::Tag { value }, Answer::Done) => self.tags.retain(|other| other >= value),
            (Call::Move, Answer::Done) => {}
            (call, answer) => self.wrong(format!("{call} was answered with {answer}")),
        }
    }

    fn sent(&mut self, now: u64, draft: &Draft, id: &str, sequence: Option<u128>) {
        let Some(known) = self.messages.get_mut(&draft.key) else {
            return;
        };
        let remembered = now < known.first_sent_at + FIVE_MINUTES;
        match &known.id {
            Some(other) if draft.group.is_some() && remembered && other != id => {
                let text = format!("{} was sent again and is {id}, not {other}", draft.key);
                return self.wrong(text);
            }
            Some(_) => {}
            None => known.id = Some(id.to_owned()),
        }
        if let Some((low, high)) = &mut known.delayed {
            *high = (*high).min(now + draft.delay).max(*low);
        }
        known.stored = Is::Surely;
        let Some(number) = sequence else { return };
        let first = *known.sent_as.get_or_insert(number);
        if known.queue == ORDERS {
            known.sequence.get_or_insert(number);
        }
        if first != number {
            self.wrong(format!(
                "{} was sent again and has number {number}, not {first}",
                draft.key
            ));
        }
    }

    fn received(&mut self, queue: &str, message: &Received) {
        let Received {
            key,
            id,
            count,
            until,
            handle,
            sequence,
        } = message;
        let Some(known) = self.messages.get_mut(key) else {
            return self.wrong(format!("{key} was received from {queue} and never sent"));
        };
        let other_id = known.id.as_ref().is_some_and(|known| known != id);
        known.stored = Is::Surely;
        if *count <= known.count(id) {
            return;
        }
        let is_back = known.gone == Is::Surely && !other_id && *count > known.deleted_at;
        let can_be = reach(&known.queue).contains(&queue) && known.may_have(id);
        known.counts.insert(id.clone(), *count);
        let clear = !other_id && !known.released;
        known.handle = clear.then(|| handle.clone());
        known.invisible = clear.then_some((*until, *until));
        known.id = Some(id.clone());
        if known.queue != queue {
            queue.clone_into(&mut known.queue);
            known.sequence = *sequence;
        }
        if is_back {
            let text = format!("{key} was received from {queue} after it was deleted");
            self.back.push((key.clone(), text));
        }
        if !can_be {
            self.wrong(format!("{key} was received from {queue} as {id}, where it cannot be"));
        }
    }

    fn hidden(&mut self, began: u64, held: &Held, outcome: Option<(bool, u64, u64)>) {
        let Some((sure, low, high)) = outcome else { return };
        if !sure {
            self.disturbed.insert(held.key.clone(), held.count);
        }
        let Some(known) = self.messages.get_mut(&held.key) else {
            return;
        };
        let is_latest = known.id.as_ref().is_some_and(|id| known.count(id) == held.count);
        known.invisible = (sure && is_latest && !known.released && low > began).then_some((low, high));
    }

    /// Nobody knows whether it was recorded.
    fn unanswered_call(&mut self, call: &Call) {
        match call {
            Call::Receive { queue } => *self.unanswered.entry(queue.clone()).or_default() += 1,
            Call::Hide { messages, .. } => {
                self.disturbed
                    .extend(messages.iter().map(|it| (it.key.clone(), it.count)));
            }
            _ => {}
        }
    }

    /// The process is dead: what is open stays without an answer.
    pub(crate) fn died(&mut self) -> Vec<Call> {
        let open = std::mem::take(&mut self.open);
        let calls: Vec<_> = open.into_values().map(|(_, call)| call).collect();
        calls.iter().for_each(|call| self.unanswered_call(call));
        calls
    }

    /// Says what is wrong with what is found, and goes on from there.
    pub(crate) fn check(&mut self, found: &[Found], now: u64, tag: Option<&str>) -> Vec<String> {
        let disturbed = std::mem::take(&mut self.disturbed);
        let back = std::mem::take(&mut self.back).into_iter();
        let back = back.filter(|(key, _)| !disturbed.contains_key(key));
        self.violations.extend(back.map(|(_, text)| text));
        for (key, count) in disturbed {
            let Some(known) = self.messages.get_mut(&key) else {
                continue;
            };
            known.invisible = None;
            if known.gone == Is::Surely && known.deleted_at != count {
                known.gone = Is::Perhaps;
            }
        }
        let mut places: BTreeMap<&str, &Found> = BTreeMap::new();
        for message in found {
            let Some(key) = &message.key else {
                self.wrong(format!("a message of {} is damaged: {message:?}", message.queue));
                continue;
            };
            if let Some(other) = places.insert(key, message) {
                self.wrong(format!("{key} is twice: {other:?} and {message:?}"));
            }
            self.check_one(key, message, now);
        }
        self.check_lost(&places, now);
        self.check_orders(found);
        let value: u64 = tag.and_then(|tag| tag.parse().ok()).unwrap_or(0);
        if !self.tags.contains(&value) {
            let text = format!("the tag is {value} and not one of {:?}", self.tags);
            self.wrong(text);
        }
        self.go_on(&places, value);
        std::mem::take(&mut self.violations)
    }

    fn check_one(&mut self, key: &str, message: &Found, now: u64) {
        let Some(known) = self.messages.get(key).cloned() else {
            return self.wrong(format!("{message:?} was never sent"));
        };
        let mut wrong = |what: &str| {
            self.violations
                .push(format!("{what}: {message:?}, known is {known:?}, now {now}"));
        };
        if known.gone == Is::Surely {
            wrong("a deleted message is back");
        }
        if !reach(&known.queue).contains(&message.queue.as_str()) || known.group != message.group {
            wrong("a message is where it cannot be");
        }
        if !known.may_have(&message.id) {
            wrong("a message has another id");
        }
        if known.left.contains(&message.id) && [JOBS, ORDERS].contains(&message.queue.as_str()) {
            wrong("a message that moved to its dead-letter queue is back");
        }
        let stays = message.queue == known.queue;
        if stays
            && known
                .sequence
                .is_some_and(|sequence| message.sequence != Some(sequence))
        {
            wrong("a message has another sequence number");
        }
        let count = known.count(&message.id);
        let more: u32 = reach(&known.queue)
            .iter()
            .filter_map(|it| self.unanswered.get(*it))
            .sum();
        if message.count < count && !known.released {
            wrong("a receive was forgotten");
        } else if message.count > count + more {
            wrong("a receive was counted that never was");
        }
        if known.released {
            return;
        }
        let same = message.count == count && known.id.as_deref().is_none_or(|id| id == message.id);
        if !same || !stays {
            return;
        }
        let (ends, is) = match (known.invisible, known.delayed, message.phase) {
            (Some(ends), _, phase) => (
                ends,
                matches!(phase, Phase::InFlight(until) if until >= ends.0 && until <= ends.1),
            ),
            (None, Some(ends), phase) if count == 0 => (
                ends,
                matches!(phase, Phase::Delayed(until) if until >= ends.0 && until <= ends.1),
            ),
            (None, _, Phase::InFlight(_) | Phase::Delayed(_)) if count == 0 => {
                return wrong("a message that was never received is invisible");
            }
            _ => return,
        };
        if now < ends.0 && !is {
            wrong("a message came back before its time, or its time has changed");
        } else if now >= ends.1 && message.phase != Phase::Visible {
            wrong("a message does not come back");
        }
    }

    fn check_lost(&mut self, places: &BTreeMap<&str, &Found>, now: u64) {
        let mut lost = Vec::new();
        for (key, known) in &self.messages {
            if known.stored == Is::Surely && known.gone == Is::No && !places.contains_key(key.as_str()) {
                lost.push(format!("{key} is lost: {known:?}, now {now}"));
            }
        }
        self.violations.extend(lost);
    }

    /// F18, F37: a group is in the order of its sends, and blocked behind what is invisible.
    fn check_orders(&mut self, found: &[Found]) {
        for queue in [ORDERS, FAILED_ORDERS] {
            let mut latest: HashMap<&str, (u64, bool)> = HashMap::new();
            let mut sequence = None;
            for message in found.iter().filter(|message| message.queue == queue) {
                if message.sequence <= sequence {
                    self.violations
                        .push(format!("{message:?} comes after number {sequence:?}"));
                }
                sequence = message.sequence;
                let known = message.key.as_deref().and_then(|key| self.messages.get(key));
                let (Some(group), Some(order)) = (message.group.as_deref(), known.map(|known| known.order)) else {
                    continue;
                };
                let (before, locked) = latest.get(group).copied().unwrap_or_default();
                if queue == ORDERS && order <= before {
                    self.violations
                        .push(format!("{message:?} was sent before one that it follows"));
                }
                let visible = message.phase == Phase::Visible;
                if message.blocked != (visible && locked) {
                    self.violations
                        .push(format!("{message:?} is blocked or not against its group"));
                }
                latest.insert(group, (order, locked || !visible));
            }
        }
    }

    fn go_on(&mut self, places: &BTreeMap<&str, &Found>, tag: u64) {
        // A send that was not answered and left nothing was not recorded: it may be made again.
        self.messages
            .retain(|key, known| known.stored == Is::Surely || places.contains_key(key.as_str()));
        for (key, known) in &mut self.messages {
            let Some(message) = places.get(key.as_str()) else {
                known.gone = Is::Surely;
                known.deleted_at = 0;
                continue;
            };
            let same = known.id.as_deref() == Some(&message.id) && known.count(&message.id) == message.count;
            if !same {
                known.handle = None;
            }
            known.invisible = match message.phase {
                Phase::InFlight(until) => Some((until, until)),
                _ => None,
            };
            known.delayed = match message.phase {
                Phase::Delayed(until) => Some((until, until)),
                _ => None,
            };
            known.queue.clone_from(&message.queue);
            known.sequence = message.sequence;
            known.id = Some(message.id.clone());
            known.counts.insert(message.id.clone(), message.count);
            (known.stored, known.gone, known.released) = (Is::Surely, Is::No, false);
        }
        self.unanswered.clear();
        self.tags = [tag].into();
    }

    /// Receipt handles of messages in flight, with their queues and keys.
    pub(crate) fn handles(&self, now: u64) -> Vec<(String, Held, String)> {
        let in_flight = |known: &Known| known.gone == Is::No && known.invisible.is_some_and(|(low, _)| now < low);
        let messages = self.messages.iter().filter(|(_, known)| in_flight(known));
        let handle = |(key, known): (&String, &Known)| {
            let count = known.count(known.id.as_deref()?);
            let held = Held {
                key: key.clone(),
                count,
            };
            Some((known.queue.clone(), held, known.handle.clone()?))
        };
        messages.filter_map(handle).collect()
    }

    /// Messages of the FIFO queue that it still remembers, and keys of those that it does not, or not for long.
    pub(crate) fn remembered(&self, now: u64) -> (Vec<Draft>, BTreeSet<String>) {
        let orders = self.messages.iter().filter(|(_, known)| known.group.is_some());
        let (remembered, forgotten): (Vec<_>, Vec<_>) =
            orders.partition(|(_, known)| now + 1_000 < known.first_sent_at + FIVE_MINUTES);
        let draft = |(key, known): (&String, &Known)| Draft {
            key: key.clone(),
            group: known.group.clone(),
            delay: 0,
        };
        let keys = forgotten.into_iter().map(|(key, _)| key.clone());
        (remembered.into_iter().map(draft).collect(), keys.collect())
    }
}
