//! The five-minute windows of a FIFO queue: accepted sends, and receives with an attempt id.

use {
    super::{
        index::{Index, Pages},
        recent::{Place, Recent, after, distance},
        record::Receipt,
    },
    crate::{
        attributes::DeduplicationScope,
        message::{Id, MessageId},
        time::Timestamp,
    },
    foldhash::fast::RandomState,
    std::hash::BuildHasher,
};

/// The send that a later one with the same key repeats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Original {
    pub(crate) message_id: MessageId,
    pub(crate) sequence: u64,
}

/// A send in the memory of a FIFO queue.
#[cfg(feature = "journal")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RememberedSend {
    pub(crate) group: Id,
    pub(crate) deduplication_id: Id,
    pub(crate) message_id: MessageId,
    pub(crate) sequence: u64,
    pub(crate) forgotten_at: Timestamp,
}

/// The latest so many sends are found without the index, and enter it together: each waits for a cache line of its own,
/// and so they wait at the same time, not one after the other.
const ENTERED_AT_ONCE: usize = 32;

/// What finds accepted sends by their ids under one scope.
#[derive(Debug)]
struct ByIds {
    scope: DeduplicationScope,
    /// Of the entries with one key the latest is in the index or among those that are to enter it, and no other.
    index: Index,
    hasher: RandomState,
    /// The hashes of the first `latest` entries from the place `latest_from` on, which are to enter the index.
    hashes: [u32; ENTERED_AT_ONCE],
    latest: usize,
    latest_from: Place,
}

impl ByIds {
    fn new(scope: DeduplicationScope) -> Self {
        Self {
            scope,
            index: Index::new(),
            hasher: RandomState::default(),
            hashes: [0; ENTERED_AT_ONCE],
            latest: 0,
            latest_from: 0,
        }
    }

    fn hash(&self, group: &[u8], id: &[u8]) -> u32 {
        let hash = match self.scope {
            DeduplicationScope::MessageGroup => self.hasher.hash_one((group, id)),
            DeduplicationScope::Queue => self.hasher.hash_one(id),
        };
        hash as u32
    }

    /// The latest entry with this key.
    fn find(&self, entries: &Recent<Original>, hash: u32, group: &[u8], id: &[u8]) -> Option<Place> {
        let has_key = |place: Place| {
            let (own_group, own_id) = entries.texts(place);
            own_id == id && (self.scope == DeduplicationScope::Queue || own_group == group)
        };
        // One comparison of all: nearly always there is none, and what is left from before does no harm.
        if self.hashes.iter().fold(false, |any, own| any | (*own == hash)) {
            for (count, own) in (0..).zip(&self.hashes[..self.latest]) {
                if *own == hash && has_key(after(self.latest_from, count)) {
                    return Some(after(self.latest_from, count));
                }
            }
        }
        self.index.find(hash, has_key)
    }

    /// Adds the entry that was remembered last, whose key no other entry here has.
    fn add_latest(&mut self, place: Place, hash: u32) {
        if self.latest == ENTERED_AT_ONCE {
            self.enter_latest();
        }
        if self.latest == 0 {
            self.latest_from = place;
        }
        self.hashes[self.latest] = hash;
        self.latest += 1;
    }

    #[inline(never)]
    fn enter_latest(&mut self) {
        for (count, hash) in (0..).zip(&self.hashes[..self.latest]) {
            self.index.insert(*hash, after(self.latest_from, count));
        }
        self.latest = 0;
    }

    fn remove(&mut self, place: Place, hash: u32) {
        if distance(self.latest_from, place) < self.latest as u32 {
            self.enter_latest();
        }
        self.index.remove(hash, place);
    }

    /// Enters an entry in the place of an earlier one with the same key.
    fn enter(&mut self, entries: &Recent<Original>, place: Place) {
        let (group, id) = entries.texts(place);
        let hash = self.hash(group, id);
        if let Some(earlier) = self.find(entries, hash, group, id) {
            self.remove(earlier, hash);
        }
        self.index.insert(hash, place);
    }

    /// Takes an entry out if it is the latest with its key.
    fn forget(&mut self, entries: &Recent<Original>, place: Place) {
        let (group, id) = entries.texts(place);
        let hash = self.hash(group, id);
        self.remove(place, hash);
    }
}

/// A change of scope that does not act yet.
#[derive(Debug)]
struct Change {
    by_ids: ByIds,
    acts_at: Timestamp,
    /// The first entry that is not in the index of the new scope yet.
    next: Place,
}

/// Accepted sends of the deduplication interval (F7-F17).
///
/// Every entry keeps group and id. An index finds it under the scope in force; before a change of scope acts, another
/// index is filled with the same entries under the new scope, some in each step (F16).
#[derive(Debug)]
pub(crate) struct Deduplication {
    entries: Recent<Original>,
    by_ids: ByIds,
    change: Option<Box<Change>>,
    /// What is left of the memory of former indexes.
    retired: Pages,
}

impl Deduplication {
    pub(crate) fn new(scope: DeduplicationScope) -> Self {
        Self {
            entries: Recent::new(),
            by_ids: ByIds::new(scope),
            change: None,
            retired: Pages::new(),
        }
    }

    /// Forgets what is due, prepares a change of scope, and lets it act when its time has come; at most `at_once`
    /// entries of each. Answers with when there is more to do.
    pub(crate) fn advance(&mut self, now: Timestamp, at_once: usize) -> Timestamp {
        let forgotten_at = self.entries.forget_due(now, at_once, |entries, place| {
            self.by_ids.forget(entries, place);
            if let Some(change) = &mut self.change {
                change.by_ids.forget(entries, place);
            }
        });
        self.retired.truncate(self.retired.len().saturating_sub(at_once / 8));
        if self.retired.is_empty() {
            self.retired = Pages::new();
        }
        let retired_at = if self.retired.is_empty() {
            Timestamp::MAX
        } else {
            Timestamp::ZERO
        };
        forgotten_at.min(retired_at).min(self.advance_change(now, at_once))
    }

    fn advance_change(&mut self, now: Timestamp, at_once: usize) -> Timestamp {
        let Some(change) = &mut self.change else {
            return Timestamp::MAX;
        };
        if distance(change.next, self.entries.end()) > self.entries.len() {
            change.next = self.entries.first();
        }
        for _ in 0..at_once {
            if change.next == self.entries.end() {
                break;
            }
            change.by_ids.enter(&self.entries, change.next);
            change.next = after(change.next, 1);
        }
        if change.next != self.entries.end() {
            return Timestamp::ZERO;
        }
        if change.acts_at > now {
            return change.acts_at;
        }
        std::mem::swap(&mut self.by_ids, &mut change.by_ids);
        self.end_change();
        Timestamp::MAX
    }

    /// Drops the index that is not in force, if there is one: its memory goes some at a time.
    fn end_change(&mut self) {
        if let Some(mut change) = self.change.take() {
            self.retired.append(&mut change.by_ids.index.clear());
        }
    }

    /// The send that one with this key repeats at `now`.
    pub(crate) fn original(&self, now: Timestamp, group: &Id, id: &Id) -> Option<Original> {
        let (group, id) = (group.as_bytes(), id.as_bytes());
        let place = self
            .by_ids
            .find(&self.entries, self.by_ids.hash(group, id), group, id)?;
        let entry = self.entries.get(place)?;
        (entry.forgotten_at > now).then_some(entry.value)
    }

    /// Remembers a send at `now`, or answers with the one that it repeats.
    pub(crate) fn remember(
        &mut self,
        now: Timestamp,
        group: &Id,
        id: &Id,
        original: Original,
        forgotten_at: Timestamp,
    ) -> Option<Original> {
        let (group, id) = (group.as_bytes(), id.as_bytes());
        let hash = self.by_ids.hash(group, id);
        if let Some(place) = self.by_ids.find(&self.entries, hash, group, id) {
            let entry = self.entries.get(place).filter(|it| it.forgotten_at > now);
            if let Some(entry) = entry {
                return Some(entry.value);
            }
            // The entry is past its time but not yet trimmed. An index holds at most one entry of a key.
            self.by_ids.remove(place, hash);
        }
        let place = self.entries.push(group, id, original, forgotten_at);
        self.by_ids.add_latest(place, hash);
        // An index that is complete stays so: otherwise all sends before the change acts would be left to its instant.
        if let Some(change) = self.change.as_mut().filter(|change| change.next == place) {
            change.by_ids.enter(&self.entries, place);
            change.next = after(place, 1);
        }
        None
    }

    /// The queue's attribute says `scope`; it acts from `acts_at` (F16).
    pub(crate) fn change_scope(&mut self, scope: DeduplicationScope, acts_at: Timestamp) {
        self.end_change();
        if scope != self.by_ids.scope {
            self.change = Some(Box::new(Change {
                by_ids: ByIds::new(scope),
                acts_at,
                next: self.entries.first(),
            }));
        }
    }

    /// A memory of these sends, the oldest first, while `scope` is in force.
    #[cfg(feature = "journal")]
    pub(super) fn restore(scope: DeduplicationScope, sends: impl Iterator<Item = RememberedSend>) -> Self {
        let mut memory = Self::new(scope);
        for send in sends {
            let original = Original {
                message_id: send.message_id,
                sequence: send.sequence,
            };
            let (group, id) = (send.group.as_bytes(), send.deduplication_id.as_bytes());
            let place = memory.entries.push(group, id, original, send.forgotten_at);
            memory.by_ids.enter(&memory.entries, place);
        }
        memory
    }

    /// The send that stored the message with this sequence, if it is remembered at `now`.
    #[cfg(feature = "journal")]
    pub(super) fn send(&self, now: Timestamp, sequence: u64) -> Option<RememberedSend> {
        let place = self.entries.partition_point(|original| original.sequence < sequence)?;
        let entry = self.entries.get(place)?;
        let found = entry.value.sequence == sequence && entry.forgotten_at > now;
        let (group, id) = self.entries.texts(place);
        let id_of = |text| std::str::from_utf8(text).ok().map(Id::from);
        found.then_some(RememberedSend {
            group: id_of(group)?,
            deduplication_id: id_of(id)?,
            message_id: entry.value.message_id,
            sequence,
            forgotten_at: entry.forgotten_at,
        })
    }

    /// The scope in force while another one does not act yet, and when that one will.
    #[cfg(feature = "journal")]
    pub(super) fn scope_change(&self) -> Option<(DeduplicationScope, Timestamp)> {
        let change = self.change.as_ref()?;
        Some((self.by_ids.scope, change.acts_at))
    }

    /// Roughly the bytes of what is remembered.
    #[cfg(feature = "journal")]
    pub(super) fn bytes(&self) -> u64 {
        const EACH: u64 = 40;
        u64::from(self.entries.len()) * EACH + self.entries.text_bytes()
    }

    /// Forgets every send; answers with the memory.
    pub(crate) fn clear(&mut self) -> Self {
        let mut emptied = Self::new(self.by_ids.scope);
        if let Some(change) = &self.change {
            emptied.change_scope(change.by_ids.scope, change.acts_at);
        }
        std::mem::replace(self, emptied)
    }
}

/// Receives with an attempt id, for replay (F31-F35).
#[derive(Debug)]
pub(crate) struct Attempts {
    entries: Recent<Vec<Receipt>>,
    by_id: Index,
    hasher: RandomState,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            entries: Recent::new(),
            by_id: Index::new(),
            hasher: RandomState::default(),
        }
    }

    /// Forgets what is due, at most `at_once` receives. Answers with when there is more to do.
    pub(crate) fn advance(&mut self, now: Timestamp, at_once: usize) -> Timestamp {
        self.entries.forget_due(now, at_once, |entries, place| {
            let hash = self.hasher.hash_one(entries.texts(place).1) as u32;
            self.by_id.remove(hash, place);
        })
    }

    /// What the receive with this id delivered, as of `now`.
    pub(crate) fn get(&self, now: Timestamp, id: &str) -> Option<&[Receipt]> {
        let entry = self.entries.get(self.find(id)?)?;
        (entry.forgotten_at > now).then_some(&*entry.value)
    }

    /// Keeps what a fresh receive delivered until `forgotten_at`; a receive of nothing is not kept (F34).
    pub(crate) fn remember(&mut self, id: &str, receipts: Vec<Receipt>, forgotten_at: Timestamp) {
        if receipts.is_empty() {
            return;
        }
        let (hash, earlier) = (self.hash(id), self.find(id));
        let place = self.entries.push(&[], id.as_bytes(), receipts, forgotten_at);
        if let Some(earlier) = earlier {
            self.by_id.remove(hash, earlier);
        }
        self.by_id.insert(hash, place);
    }

    fn find(&self, id: &str) -> Option<Place> {
        let is_it = |place| self.entries.texts(place).1 == id.as_bytes();
        self.by_id.find(self.hash(id), is_it)
    }

    fn hash(&self, id: &str) -> u32 {
        self.hasher.hash_one(id.as_bytes()) as u32
    }
}

#[cfg(test)]
mod tests {
    use {super::*, proptest::prelude::*};

    const ALL: usize = usize::MAX;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Remembers a send whose sequence is the instant at which it is forgotten.
    fn remember(memory: &mut Deduplication, now: u64, group: &str, id: &str, sequence: u64) {
        let message_id = MessageId::from_random(0);
        let original = Original { message_id, sequence };
        assert!(
            memory
                .remember(at(now), &group.into(), &id.into(), original, at(sequence))
                .is_none()
        );
    }

    fn found(memory: &Deduplication, now: u64, group: &str, id: &str) -> Option<u64> {
        memory
            .original(at(now), &group.into(), &id.into())
            .map(|it| it.sequence)
    }

    proptest! {
        #[test]
        fn a_send_repeats_the_latest_with_its_key_that_is_not_due(
            steps in prop::collection::vec((0_u64..150, 0_u64..3, 0_u64..3, prop::bool::weighted(0.01)), 1..600),
            at_once in prop::sample::select(vec![1, ALL]),
        ) {
            // F9 F10 F16
            let (mut memory, mut now) = (Deduplication::new(DeduplicationScope::Queue), 0);
            let (mut by_group, mut sends) = (false, Vec::<(String, String, u64)>::new());
            for (id, group, passed, changes) in steps {
                now += passed;
                memory.advance(at(now), at_once);
                if changes && at_once == ALL {
                    by_group = !by_group;
                    let scopes = [DeduplicationScope::Queue, DeduplicationScope::MessageGroup];
                    memory.change_scope(scopes[usize::from(by_group)], at(now));
                    memory.advance(at(now), ALL);
                }
                // Some ids are short and some are long.
                let (group, id) = (group.to_string(), "i".repeat(id as usize % 30) + &id.to_string());
                let latest = sends.iter().rev().find(|it| it.1 == id && (!by_group || it.0 == group));
                let original = latest.map(|it| it.2).filter(|&forgotten_at| forgotten_at > now);
                prop_assert_eq!(found(&memory, now, &group, &id), original);
                if original.is_none() {
                    // Longer each time, so that it tells one send from another.
                    let forgotten_at = now + 100 + sends.len() as u64;
                    remember(&mut memory, now, &group, &id, forgotten_at);
                    sends.push((group, id, forgotten_at));
                }
            }
        }
    }

    #[test]
    fn what_is_due_is_not_found_although_it_is_not_forgotten_yet() {
        // F9
        let mut memory = Deduplication::new(DeduplicationScope::Queue);
        for (id, sequence) in [("a", 1), ("bb", 2), ("cc", 3)] {
            remember(&mut memory, 0, "group", id, sequence);
        }
        let sequences = |memory: &Deduplication, now| ["a", "bb", "cc", "dd"].map(|id| found(memory, now, "group", id));
        assert_eq!(sequences(&memory, 0), [Some(1), Some(2), Some(3), None]);
        assert_eq!(sequences(&memory, 2), [None, None, Some(3), None]);
        remember(&mut memory, 2, "group", "a", 4);
        assert_eq!(memory.advance(at(2), 1), at(2), "one of two is forgotten");
        assert_eq!(sequences(&memory, 2), [Some(4), None, Some(3), None]);
        assert_eq!(memory.advance(at(2), 1), at(3));
        assert_eq!(memory.advance(at(4), ALL), Timestamp::MAX);
        assert_eq!(memory.entries.len(), 0);
    }

    #[test]
    fn a_change_of_scope_acts_when_its_index_is_complete() {
        // F10 F16
        let mut memory = Deduplication::new(DeduplicationScope::MessageGroup);
        for (group, sequence) in [("a", 11), ("b", 12), ("c", 13)] {
            remember(&mut memory, 0, group, "id", sequence);
        }
        memory.change_scope(DeduplicationScope::Queue, at(5));
        assert_eq!(memory.advance(at(1), 2), Timestamp::ZERO, "one entry is missing");
        assert_eq!(found(&memory, 1, "x", "id"), None);
        remember(&mut memory, 1, "d", "id", 14);
        assert_eq!(memory.advance(at(5), 1), Timestamp::ZERO);
        assert_eq!(found(&memory, 5, "x", "id"), None);
        assert_eq!(memory.advance(at(5), 1), at(11));
        assert_eq!(found(&memory, 5, "x", "id"), Some(14), "the latest of them all");
        memory.change_scope(DeduplicationScope::MessageGroup, at(7));
        assert_eq!(memory.advance(at(7), ALL), at(11));
        assert_eq!(
            ["a", "b", "x"].map(|group| found(&memory, 7, group, "id")),
            [Some(11), Some(12), None]
        );
        assert_eq!(memory.advance(at(14), ALL), Timestamp::MAX);
    }

    #[test]
    fn entries_forgotten_before_they_enter_the_new_index_are_passed_over() {
        // F16
        let mut memory = Deduplication::new(DeduplicationScope::MessageGroup);
        (1..=9).for_each(|sequence| remember(&mut memory, 0, "a", &sequence.to_string(), sequence));
        memory.change_scope(DeduplicationScope::Queue, at(5));
        memory.advance(at(0), 1);
        memory.advance(at(5), ALL);
        assert_eq!(
            [5, 6, 9].map(|id| found(&memory, 5, "x", &id.to_string())),
            [None, Some(6), Some(9)]
        );
        assert_eq!(memory.advance(at(9), ALL), Timestamp::MAX);
        assert_eq!(memory.entries.len(), 0);
    }

    #[test]
    fn whole_chunks_of_entries_may_be_forgotten_before_they_enter_the_new_index() {
        // F16
        let mut memory = Deduplication::new(DeduplicationScope::MessageGroup);
        (1..=300).for_each(|sequence| remember(&mut memory, 0, "a", &sequence.to_string(), sequence));
        memory.change_scope(DeduplicationScope::Queue, at(5));
        memory.advance(at(0), 1);
        memory.advance(at(250), ALL);
        let sequences = [1, 250, 251, 300].map(|id| found(&memory, 250, "x", &id.to_string()));
        assert_eq!(sequences, [None, None, Some(251), Some(300)]);
        assert_eq!(memory.advance(at(300), ALL), Timestamp::MAX);
    }

    #[test]
    fn a_complete_index_stays_complete() {
        // F16
        let mut memory = Deduplication::new(DeduplicationScope::MessageGroup);
        memory.change_scope(DeduplicationScope::Queue, at(5));
        assert_eq!(memory.advance(at(0), 1), at(5), "there is nothing to enter");
        (11..=20).for_each(|sequence| remember(&mut memory, 1, "a", &sequence.to_string(), sequence));
        memory.advance(at(5), 1);
        assert!((11..=20).all(|id| found(&memory, 5, "x", &id.to_string()) == Some(id)));
    }

    #[test]
    fn the_memory_of_a_former_index_is_dropped_some_at_a_time() {
        let mut memory = Deduplication::new(DeduplicationScope::MessageGroup);
        (1..=120_000).for_each(|id| remember(&mut memory, 0, "a", &id.to_string(), 1_000_000 + id));
        memory.change_scope(DeduplicationScope::Queue, at(5));
        memory.advance(at(5), ALL - 1);
        let retired = memory.retired.len();
        assert!(retired > 100);
        assert_eq!(memory.advance(at(6), 80), Timestamp::ZERO, "there is more to drop");
        assert_eq!(memory.retired.len(), retired - 10);
        memory.advance(at(6), 8 * retired);
        assert_eq!(memory.retired.capacity(), 0);
    }

    #[test]
    fn a_change_of_scope_outlives_a_purge() {
        // D46 F16
        let mut memory = Deduplication::new(DeduplicationScope::MessageGroup);
        remember(&mut memory, 0, "a", "id", 9);
        memory.change_scope(DeduplicationScope::Queue, at(5));
        memory.advance(at(1), ALL);
        drop(memory.clear());
        remember(&mut memory, 1, "a", "id", 10);
        memory.advance(at(5), ALL);
        assert_eq!(found(&memory, 5, "x", "id"), Some(10));
    }

    #[test]
    fn an_attempt_is_known_until_its_time_is_up() {
        // F32 F35
        let mut attempts = Attempts::new();
        let receipt = Receipt {
            slot: 1,
            sequence: 2,
            reception: 3,
        };
        attempts.remember("a", vec![receipt], at(5));
        attempts.remember("nothing", Vec::new(), at(5));
        assert_eq!(attempts.get(at(4), "a"), Some(&[receipt][..]));
        assert_eq!((attempts.get(at(5), "a"), attempts.get(at(4), "nothing")), (None, None));
        attempts.remember("a", vec![receipt; 2], at(9));
        assert_eq!(attempts.get(at(5), "a").map(<[_]>::len), Some(2));
        assert_eq!(attempts.advance(at(5), ALL), at(9));
        assert_eq!(attempts.get(at(5), "a").map(<[_]>::len), Some(2));
        assert_eq!(attempts.advance(at(9), ALL), Timestamp::MAX);
        assert_eq!(attempts.entries.len(), 0);
    }
}
