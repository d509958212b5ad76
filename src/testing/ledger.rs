//! Built-in properties: the life of every message, followed by the queue's facts.

use {
    crate::{
        message::MessageId,
        queue::Queue,
        state::{Fact, FactEntry},
    },
    std::{
        collections::{HashMap, HashSet, VecDeque},
        mem,
        sync::Arc,
    },
};

pub use super::{
    fate::{Fate, Fates, FinalMessage},
    violation::{Property, Violation},
};

/// On whose behalf something happens in the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Actor {
    /// A handler at work, whose messages the kit deletes.
    Acknowledged,
    /// A handler that deletes by itself.
    Deleting,
    /// The kit, or time.
    Kit,
}

#[derive(Debug)]
struct Track {
    last: FinalMessage,
    /// Its receives that count: those that were neither released nor postponed.
    counted: u32,
    /// Its receives that a consumer of the check got.
    handed: u32,
    /// How often it was begun or reported as failed before it was dead-lettered.
    tries: u32,
    /// Its receives since no fault strikes any more.
    received_at_the_end: u32,
    /// It came as a dead letter.
    arrived: bool,
    /// A fault struck who had it, whenever that was.
    struck: bool,
    /// The last that was heard of it is that a consumer reported it as failed: if it is dead-lettered next, the
    /// consumer gave it up.
    failed: bool,
    /// A handler answered `Ok` for it, or a fault makes that impossible to know.
    finished: bool,
}

impl Track {
    /// Nobody can come too early after it.
    const fn is_settled(&self) -> bool {
        self.finished || self.last.fate.is_some()
    }

    /// Whether it was dead-lettered, and nobody but its consumers has brought it there unbegun.
    fn is_dead_unbegun(&self) -> bool {
        let is_known = !self.struck && self.handed == self.last.received;
        self.last.fate == Some(Fate::DeadLettered) && self.tries == 0 && is_known
    }
}

/// The life of every message in a queue of a case.
#[derive(Default, Debug)]
pub(super) struct Ledger {
    queue: Arc<str>,
    tracks: Vec<Track>,
    /// How many have not left the queue.
    open: usize,
    places: HashMap<MessageId, usize>,
    /// The places of the messages that something happened to, one after the other.
    changes: Vec<usize>,
    /// Of each group, which consumer works on which message.
    working: HashMap<Arc<str>, HashSet<(usize, MessageId)>>,
    /// Of each group, the places of its messages from the first on that is not settled.
    groups: HashMap<Arc<str>, VecDeque<usize>>,
    fifo: bool,
    /// From now on no fault strikes.
    is_ending: bool,
    none_expires: bool,
    max_receive_count: Option<u32>,
}

impl Ledger {
    pub(super) fn new(queue: &Queue, max_receive_count: Option<u32>) -> Self {
        Self {
            queue: Arc::from(queue.name()),
            fifo: queue.is_fifo(),
            max_receive_count,
            ..Self::default()
        }
    }

    pub(super) fn last(&self) -> impl Iterator<Item = FinalMessage> {
        self.tracks.iter().map(|track| track.last.clone())
    }

    pub(super) fn fates(&self) -> Fates {
        let mut fates = Fates::default();
        for track in &self.tracks {
            fates.received += u64::from(track.last.received > 0);
            if track.arrived {
                continue;
            }
            fates.messages += 1;
            match track.last.fate {
                Some(Fate::Deleted) => fates.deleted += 1,
                Some(Fate::DeadLettered) => fates.dead_lettered += 1,
                Some(Fate::Expired) => fates.expired += 1,
                None => {}
            }
        }
        fates
    }

    pub(super) fn len(&self) -> usize {
        self.tracks.len()
    }

    /// Whether a message has not left the queue yet.
    pub(super) const fn is_open(&self) -> bool {
        self.open > 0
    }

    fn track(&mut self, message: MessageId) -> Option<&mut Track> {
        let place = *self.places.get(&message)?;
        self.tracks.get_mut(place)
    }

    fn leave(&mut self, message: MessageId, fate: Fate) {
        let left = self.track(message).map(|track| track.last.fate.replace(fate));
        if left == Some(None) {
            self.open -= 1;
        }
    }

    fn name(&self, message: MessageId) -> &str {
        let track = self.places.get(&message).and_then(|place| self.tracks.get(*place));
        track.map_or("a message", |track| &track.last.name)
    }

    /// Takes note of a fact, caused by `actor`; `named` is how the story calls its message.
    pub(super) fn fact(
        &mut self,
        entry: &FactEntry,
        actor: Actor,
        named: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        let failed = matches!(entry.fact, Fact::Failed { .. });
        let id = entry.fact.message_id();
        self.changes.extend(id.and_then(|id| self.places.get(&id)));
        let before = id.and_then(|id| self.track(id));
        let given_up = before.is_some_and(|track| mem::replace(&mut track.failed, failed));
        match &entry.fact {
            Fact::Sent {
                message_id, content, ..
            }
            | Fact::Arrived {
                message_id, content, ..
            }
            | Fact::MovedIn { message_id, content } => {
                self.open += 1;
                self.changes.push(self.tracks.len());
                self.places.insert(*message_id, self.tracks.len());
                if let Some(group) = content.group_id().filter(|_| self.fifo) {
                    let group = self.groups.entry(Arc::from(group)).or_default();
                    group.push_back(self.tracks.len());
                }
                self.tracks.push(Track {
                    last: FinalMessage {
                        message_id: *message_id,
                        name: named(),
                        queue: Arc::clone(&self.queue),
                        body: Arc::clone(content.body()),
                        message_group_id: content.group_id().map(Arc::from),
                        received: 0,
                        fate: None,
                    },
                    counted: 0,
                    handed: 0,
                    tries: 0,
                    received_at_the_end: 0,
                    arrived: matches!(entry.fact, Fact::Arrived { .. }),
                    struck: false,
                    failed: false,
                    finished: false,
                });
            }
            Fact::Received { message_id, .. } => {
                let is_ending = self.is_ending;
                if let Some(track) = self.track(*message_id) {
                    track.last.received += 1;
                    track.received_at_the_end += u32::from(is_ending);
                    track.counted += 1;
                }
                return self.successors_later(*message_id);
            }
            Fact::Released { message_id } | Fact::Postponed { message_id, .. } => {
                if let Some(track) = self.track(*message_id) {
                    track.counted = track.counted.saturating_sub(1);
                }
            }
            Fact::Deleted { message_id } => {
                self.leave(*message_id, Fate::Deleted);
                if actor == Actor::Acknowledged {
                    let sentence = format!("{} was deleted before its handler returned", self.name(*message_id));
                    return Err(Violation::new(Property::NoDeleteBeforeReturn, sentence));
                }
            }
            Fact::Expired { message_id } => {
                self.leave(*message_id, Fate::Expired);
                self.free(*message_id);
                return self.expired(*message_id);
            }
            Fact::Failed { message_id, .. } => {
                self.begun(*message_id);
            }
            Fact::DeadLettered { message_id } => return self.dead_lettered(*message_id, given_up),
            _ => {}
        }
        Ok(())
    }

    fn dead_lettered(&mut self, message: MessageId, given_up: bool) -> Result<(), Violation> {
        let allowed = self.max_receive_count;
        self.leave(message, Fate::DeadLettered);
        let Some(track) = self.track(message) else {
            return Ok(());
        };
        let received = track.counted;
        if given_up || Some(received) == allowed {
            return Ok(());
        }
        let allowed = allowed.map_or_else(|| "none".to_owned(), |it| it.to_string());
        let sentence = format!(
            "{} was dead-lettered after {received} receives, where {allowed} are allowed",
            self.name(message)
        );
        Err(Violation::new(Property::DeadLetteredAfterAllowedReceives, sentence))
    }

    /// One receive may have come too late, and what a case lets pass before its end is no consumer's doing.
    fn expired(&mut self, message: MessageId) -> Result<(), Violation> {
        const ENOUGH: u32 = 2;
        let none_expires = self.none_expires;
        let guilty = |track: &&mut Track| none_expires && !track.arrived && track.received_at_the_end >= ENOUGH;
        let Some(track) = self.track(message).filter(guilty) else {
            return Ok(());
        };
        let FinalMessage { name, received, .. } = &track.last;
        let sentence =
            format!("{name} expired after {received} receives: nobody finished it, and it is no dead letter");
        Err(Violation::new(Property::NoneExpires, sentence))
    }

    /// From now on no fault strikes, and everybody goes on.
    pub(super) const fn begin_the_end(&mut self, none_expires: bool) {
        self.is_ending = true;
        self.none_expires = none_expires;
    }

    /// A consumer of the check has received a message.
    pub(super) fn handed(&mut self, message: MessageId) {
        if let Some(track) = self.track(message) {
            track.handed += 1;
        }
    }

    /// A handler is given a message; whether that was in time to fail at it before it is dead-lettered.
    pub(super) fn begun(&mut self, message: MessageId) -> bool {
        let track = self.track(message).filter(|track| track.last.fate.is_none());
        track.map(|track| track.tries += 1).is_some()
    }

    /// The handler that was given it in time has not begun it after all.
    pub(super) fn not_begun(&mut self, message: MessageId) {
        if let Some(track) = self.track(message) {
            track.tries = track.tries.saturating_sub(1);
        }
    }

    /// A fault struck who has a message.
    pub(super) fn struck(&mut self, message: MessageId) {
        if let Some(track) = self.track(message) {
            track.struck = true;
        }
    }

    /// A handler has begun to work on a message, received together with others; `excused` if it was held up until others
    /// could have it.
    pub(super) fn begins(
        &mut self,
        consumer: usize,
        message: MessageId,
        with: &[MessageId],
        excused: bool,
    ) -> Result<(), Violation> {
        let Some(group) = self.group_of(message) else {
            return Ok(());
        };
        self.predecessors_first(message, with)?;
        if excused {
            return Ok(());
        }
        self.alone(consumer, message)?;
        self.working.entry(group).or_default().insert((consumer, message));
        Ok(())
    }

    /// No other consumer works in the message's group.
    fn alone(&self, consumer: usize, message: MessageId) -> Result<(), Violation> {
        let Some(group) = self.group_of(message) else {
            return Ok(());
        };
        let mut working = self.working.get(&group).into_iter().flatten();
        if working.all(|it| it.0 == consumer) {
            return Ok(());
        }
        let sentence = format!("two handlers worked on group {group} at once");
        Err(Violation::new(Property::OneHandlerPerGroup, sentence))
    }

    /// A handler no longer works on a message: it returned, or died, or a fault keeps it from holding the message.
    pub(super) fn ends(&mut self, consumer: usize, message: MessageId) {
        if let Some(working) = self.group_of(message).and_then(|group| self.working.get_mut(&group)) {
            working.remove(&(consumer, message));
        }
    }

    /// What expires lets others into its group while it is held: nobody need be alone with it.
    fn free(&mut self, message: MessageId) {
        if let Some(working) = self.group_of(message).and_then(|group| self.working.get_mut(&group)) {
            working.retain(|it| it.1 != message);
        }
    }

    /// A handler answered `Ok`, also for what it had given back in between.
    pub(super) fn finished(&mut self, consumer: usize, message: MessageId, excused: bool) -> Result<(), Violation> {
        let known = self.places.get(&message).and_then(|place| self.tracks.get(*place));
        let open = known.is_some_and(|track| !track.finished && track.last.fate.is_none());
        if open && !excused {
            self.alone(consumer, message)?;
        }
        self.predecessors_first(message, &[])?;
        self.forgive(message);
        Ok(())
    }

    /// Whether a consumer finished a message cannot be told any more.
    pub(super) fn forgive(&mut self, message: MessageId) {
        if let Some(track) = self.track(message) {
            track.finished = true;
        }
    }

    fn group_of(&self, message: MessageId) -> Option<Arc<str>> {
        let track = self.tracks.get(*self.places.get(&message)?)?;
        track.last.message_group_id.clone().filter(|_| self.fifo)
    }

    /// The story's name of the message that came last.
    pub(super) fn newest(&self) -> Option<&str> {
        self.tracks.last().map(|track| &*track.last.name)
    }

    pub(super) fn is_stored(&self, message: MessageId) -> bool {
        let track = self.places.get(&message).and_then(|place| self.tracks.get(*place));
        track.is_some_and(|track| track.last.fate.is_none())
    }

    pub(super) fn is_deleted(&self, message: MessageId) -> bool {
        let track = self.places.get(&message).and_then(|place| self.tracks.get(*place));
        track.is_some_and(|track| track.last.fate == Some(Fate::Deleted))
    }

    /// `with` were received by the same handler, which has to keep their order itself.
    fn predecessors_first(&mut self, message: MessageId, with: &[MessageId]) -> Result<(), Violation> {
        let (Some(group), Some(place)) = (self.group_of(message), self.places.get(&message).copied()) else {
            return Ok(());
        };
        let places = self.groups.entry(Arc::clone(&group)).or_default();
        while places.front().is_some_and(|first| self.tracks[*first].is_settled()) {
            places.pop_front();
        }
        let mut before = places.iter().take_while(|it| **it < place).map(|it| &self.tracks[*it]);
        let Some(before) = before.find(|track| !track.is_settled() && !with.contains(&track.last.message_id)) else {
            return Ok(());
        };
        let (before, name) = (&before.last.name, self.name(message));
        let sentence = format!("{name} was worked on before {before}, its predecessor in group {group}, was settled");
        Err(Violation::new(Property::PredecessorsFirst, sentence))
    }

    /// A message that comes again may have successors in its group that were deleted, if it was finished before.
    fn successors_later(&self, message: MessageId) -> Result<(), Violation> {
        let place = self.places.get(&message).copied();
        let again = place.filter(|place| self.tracks[*place].last.received > 1 && !self.tracks[*place].finished);
        let (Some(group), Some(place)) = (self.group_of(message), again) else {
            return Ok(());
        };
        let later = self.groups.get(&group).into_iter().flatten().filter(|it| **it > place);
        let deleted = |it: &usize| self.tracks[*it].last.fate == Some(Fate::Deleted);
        let Some(successor) = later.copied().find(deleted) else {
            return Ok(());
        };
        let (before, name) = (&self.tracks[place].last.name, &self.tracks[successor].last.name);
        let sentence = format!("{name} was deleted before {before}, its predecessor in group {group}, was settled");
        Err(Violation::new(Property::PredecessorsFirst, sentence))
    }

    /// Every message has to have an end that somebody answers for.
    pub(super) fn close(&self) -> Result<(), Violation> {
        for track in &self.tracks {
            let name = &track.last.name;
            match track.last.fate {
                None => {
                    let sentence = format!("{name} disappeared: not deleted, not dead-lettered, not expired");
                    return Err(Violation::new(Property::NoneDisappears, sentence));
                }
                Some(Fate::Deleted) if !track.finished => {
                    let sentence = format!("{name} was deleted, but no consumer ever finished it");
                    return Err(Violation::new(Property::DeletedByWhoFinished, sentence));
                }
                Some(Fate::DeadLettered) if track.is_dead_unbegun() => {
                    let receives = match track.counted {
                        1 => "1 receive".to_owned(),
                        counted => format!("{counted} receives"),
                    };
                    let sentence = format!("{name} was dead-lettered after {receives}, and no handler had begun it");
                    return Err(Violation::new(Property::NoDeadLetterWithoutFailure, sentence));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// All messages of a case, queue by queue, each in the order of its sends.
pub(super) struct Messages<'l>(pub(super) &'l [Ledger]);

impl Messages<'_> {
    pub(super) fn all(&self) -> Vec<FinalMessage> {
        self.0.iter().flat_map(Ledger::last).collect()
    }

    /// The messages that something happened to since this was asked last with the same `seen`, each with the numbers of
    /// its queue and of its place there.
    pub(super) fn changed(&self, seen: &mut Vec<usize>) -> impl Iterator<Item = (usize, usize, &FinalMessage)> {
        let all = self.0.iter().enumerate();
        let seen = mem::replace(seen, self.0.iter().map(|ledger| ledger.changes.len()).collect());
        all.flat_map(move |(queue, ledger)| {
            let new = &ledger.changes[seen.get(queue).copied().unwrap_or(0)..];
            new.iter().map(move |at| (queue, *at, &ledger.tracks[*at].last))
        })
    }

    /// The sentence with the messages as the story calls them, where it has their ids.
    pub(super) fn named(&self, sentence: String) -> String {
        let messages = self.0.iter().flat_map(|ledger| &ledger.tracks).map(|track| &track.last);
        messages.fold(sentence, |sentence, it| {
            sentence.replace(&it.message_id.to_string(), &it.name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ManualClock,
        queue::{FactChannel, Queue},
    };
    use std::time::Duration;

    fn jobs() -> Queue {
        Queue::standard("jobs").build().unwrap()
    }

    /// The facts of a message that is received `receives` times and then dead-lettered.
    fn dead_letter(receives: u32) -> Vec<FactEntry> {
        let (listener, facts) = FactChannel::unbounded();
        let clock = ManualClock::default();
        let failed = Queue::standard("failed").clock(clock.clone()).build().unwrap();
        let jobs = Queue::standard("jobs").clock(clock).dead_letter(&failed, receives);
        let jobs = jobs.listener(listener).build().unwrap();
        jobs.send("poison").unwrap();
        for _ in 0..=receives {
            jobs.receive().visibility_timeout(Duration::ZERO).blocking().unwrap();
        }
        facts.try_iter().map(|(_, entry)| entry).collect()
    }

    #[test]
    fn a_dead_letter_that_a_consumer_gave_up_is_allowed_after_any_receives() {
        let (listener, facts) = FactChannel::unbounded();
        let clock = ManualClock::default();
        let failed = Queue::standard("failed").clock(clock.clone()).build().unwrap();
        let jobs = Queue::standard("jobs").clock(clock).dead_letter(&failed, 2);
        let jobs = jobs.listener(listener).build().unwrap();
        jobs.send("poison").unwrap();
        jobs.receive().blocking().unwrap()[0].dead_letter("poison").unwrap();
        let mut ledger = Ledger::new(&jobs, Some(2));
        for (_, entry) in facts.try_iter() {
            ledger.fact(&entry, Actor::Kit, String::new).unwrap();
        }
        assert_eq!(ledger.last().next().unwrap().fate, Some(Fate::DeadLettered));
    }

    #[test]
    fn a_failure_reported_before_the_last_receive_excuses_no_dead_letter() {
        let mut ledger = Ledger::new(&jobs(), Some(2));
        let facts = dead_letter(1);
        let reported = FactEntry {
            fact: Fact::Failed {
                message_id: facts[0].fact.message_id().unwrap(),
                reason: "a try".into(),
            },
            ..facts[0].clone()
        };
        let [sent, received, _, dead_lettered] = facts.try_into().unwrap();
        let heard = [sent, reported, received, dead_lettered];
        let results = heard.map(|entry| ledger.fact(&entry, Actor::Kit, String::new).is_ok());
        assert_eq!(results, [true, true, true, false]);
    }

    #[test]
    fn a_receive_that_was_released_or_postponed_is_none_that_a_dead_letter_needs() {
        for takes_back in [false, true] {
            let (listener, facts) = FactChannel::unbounded();
            let clock = ManualClock::default();
            let failed = Queue::standard("failed").clock(clock.clone()).build().unwrap();
            let jobs = Queue::standard("jobs").clock(clock.clone()).dead_letter(&failed, 1);
            let jobs = jobs.listener(listener).build().unwrap();
            jobs.send("poison").unwrap();
            jobs.receive().blocking().unwrap()[0].release().unwrap();
            jobs.receive().blocking().unwrap()[0]
                .postpone(Duration::from_secs(5))
                .unwrap();
            clock.advance(Duration::from_secs(5));
            jobs.receive().visibility_timeout(Duration::ZERO).blocking().unwrap();
            jobs.receive().blocking().unwrap();
            let mut ledger = Ledger::new(&jobs, Some(1));
            let heard = facts.try_iter().map(|(_, entry)| entry);
            let taken_back = |entry: &FactEntry| matches!(entry.fact, Fact::Released { .. } | Fact::Postponed { .. });
            let heard = heard.filter(|entry| takes_back || !taken_back(entry));
            let result: Result<Vec<()>, _> = heard
                .map(|entry| ledger.fact(&entry, Actor::Kit, String::new))
                .collect();
            assert_eq!(result.is_ok(), takes_back);
        }
    }

    #[test]
    fn a_dead_letter_after_too_few_or_too_many_receives_is_noticed() {
        for (receives, allowed, holds) in [(2, 2, true), (1, 2, false), (3, 2, false)] {
            let mut ledger = Ledger::new(&jobs(), Some(allowed));
            let facts = dead_letter(receives);
            let result: Result<Vec<()>, _> = facts
                .iter()
                .map(|entry| ledger.fact(entry, Actor::Kit, String::new))
                .collect();
            assert_eq!(result.is_ok(), holds, "{receives} of {allowed}");
            let property = result.err().map(|violation| violation.property);
            assert!(holds || property == Some(Property::DeadLetteredAfterAllowedReceives));
        }
    }
}
