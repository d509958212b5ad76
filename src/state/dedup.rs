//! What a FIFO queue remembers of the last five minutes: accepted sends, and receives with an attempt id.

use {
    super::{
        slab::Slot,
        touched::{touch, touch_each},
    },
    crate::{attributes::DeduplicationScope, message::MessageId, time::Timestamp},
    foldhash::fast::RandomState,
    std::{
        collections::{HashMap, VecDeque},
        hash::BuildHasher,
        sync::Arc,
        time::Duration,
    },
};

/// The send that a later one with the same key repeats.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub(crate) message_id: MessageId,
    pub(crate) sequence: u64,
    forgotten_at: Timestamp,
    hash: u32,
    /// The place of the entry before this one with the same hash; a place that no entry has if there is none.
    earlier: u64,
    /// Where its text begins: the group, and the id behind it.
    text: u64,
    group_len: u32,
    id_len: u32,
}

/// The `earlier` of the first entry with its hash.
const NO_PLACE: u64 = u64::MAX;

/// Accepted sends of the deduplication interval (F7-F17).
///
/// Every entry keeps group and id, so that a change of scope can index the memory anew (F16). The group is part of the
/// key only while the scope is the message group. Keys with the same hash are told apart by their texts.
#[derive(Debug)]
pub(crate) struct Deduplication {
    scope: DeduplicationScope,
    /// A change of scope that does not act yet, and when it will.
    pending: Option<(Timestamp, DeduplicationScope)>,
    /// In order of acceptance; `dropped` counts those that have left at the front.
    entries: VecDeque<Original>,
    dropped: u64,
    /// The texts of the entries in the same order; `text_dropped` counts the bytes that have left at the front.
    texts: VecDeque<u8>,
    text_dropped: u64,
    /// For each hash of a key the place, counted from the first entry ever, of the send accepted last. Half of a place
    /// tells it from all others that are remembered.
    latest: HashMap<u32, u32, RandomState>,
}

impl Deduplication {
    pub(crate) fn new(scope: DeduplicationScope) -> Self {
        Self {
            scope,
            pending: None,
            entries: VecDeque::new(),
            dropped: 0,
            texts: VecDeque::new(),
            text_dropped: 0,
            latest: HashMap::default(),
        }
    }

    /// Forgets what is due and lets a change of scope act whose time has come.
    #[inline]
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while self.entries.front().is_some_and(|it| it.forgotten_at <= now) {
            self.forget_first();
        }
        if let Some((_, scope)) = self.pending.filter(|&(at, _)| at <= now) {
            self.pending = None;
            self.scope = scope;
            self.index_anew();
        }
    }

    fn forget_first(&mut self) {
        touch();
        if let Some(entry) = self.entries.pop_front() {
            if self.latest.get(&entry.hash) == Some(&half(self.dropped)) {
                self.latest.remove(&entry.hash);
            }
            self.dropped += 1;
            self.texts.drain(..entry.group_len as usize + entry.id_len as usize);
            self.text_dropped += u64::from(entry.group_len) + u64::from(entry.id_len);
        }
    }

    fn index_anew(&mut self) {
        touch_each(self.entries.len());
        self.latest.clear();
        let mut texts = &*self.texts.make_contiguous();
        for (place, entry) in (self.dropped..).zip(&mut self.entries) {
            let (group, rest) = texts.split_at(entry.group_len as usize);
            let (id, rest) = rest.split_at(entry.id_len as usize);
            texts = rest;
            entry.hash = hash(self.latest.hasher(), self.scope, group, id);
            let earlier = self.latest.insert(entry.hash, half(place));
            entry.earlier = earlier.map_or(NO_PLACE, |earlier| whole(earlier, self.dropped));
        }
    }

    pub(crate) fn original(&self, group: &str, id: &str) -> Option<&Original> {
        let hash = hash(self.latest.hasher(), self.scope, group.as_bytes(), id.as_bytes());
        self.at(self.find(hash, group, id)?)
    }

    /// Remembers a send, or answers with the one that it repeats.
    pub(crate) fn remember(
        &mut self,
        group: &str,
        id: &str,
        message_id: MessageId,
        sequence: u64,
        forgotten_at: Timestamp,
    ) -> Option<&Original> {
        let hash = hash(self.latest.hasher(), self.scope, group.as_bytes(), id.as_bytes());
        if let Some(place) = self.find(hash, group, id) {
            return self.at(place);
        }
        self.push(hash, group, id, message_id, sequence, forgotten_at);
        None
    }

    fn push(
        &mut self,
        hash: u32,
        group: &str,
        id: &str,
        message_id: MessageId,
        sequence: u64,
        forgotten_at: Timestamp,
    ) {
        assert!(
            self.entries.len() < u32::MAX as usize,
            "invariant: fewer than 2^32 sends are remembered"
        );
        let place = self.dropped + self.entries.len() as u64;
        let earlier = self.latest.insert(hash, half(place));
        self.entries.push_back(Original {
            message_id,
            sequence,
            forgotten_at,
            hash,
            earlier: earlier.map_or(NO_PLACE, |earlier| whole(earlier, self.dropped)),
            text: self.text_dropped + self.texts.len() as u64,
            group_len: length(group),
            id_len: length(id),
        });
        self.texts.extend(group.as_bytes());
        self.texts.extend(id.as_bytes());
    }

    /// The place of the latest entry with this key.
    fn find(&self, hash: u32, group: &str, id: &str) -> Option<u64> {
        let mut place = whole(*self.latest.get(&hash)?, self.dropped);
        while let Some(entry) = self.at(place) {
            if self.has_key(entry, group, id) {
                return Some(place);
            }
            place = entry.earlier;
        }
        None
    }

    fn at(&self, place: u64) -> Option<&Original> {
        touch();
        let index = place.checked_sub(self.dropped)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    fn has_key(&self, entry: &Original, group: &str, id: &str) -> bool {
        let start = (entry.text - self.text_dropped) as usize;
        let middle = start + entry.group_len as usize;
        let end = middle + entry.id_len as usize;
        let is = |range, text: &str| self.texts.range(range).eq(text.as_bytes());
        is(middle..end, id) && (self.scope == DeduplicationScope::Queue || is(start..middle, group))
    }

    /// The queue's attribute says `scope`; it acts from `at` (F16).
    pub(crate) fn change_scope(&mut self, scope: DeduplicationScope, at: Timestamp) {
        self.pending = (scope != self.scope).then_some((at, scope));
    }

    pub(crate) fn clear(&mut self) {
        touch_each(self.entries.len());
        *self = Self {
            pending: self.pending,
            ..Self::new(self.scope)
        };
    }
}

const fn half(place: u64) -> u32 {
    place as u32
}

/// The place at or after `first` that has this half.
const fn whole(half: u32, first: u64) -> u64 {
    first + half.wrapping_sub(first as u32) as u64
}

fn hash(hasher: &RandomState, scope: DeduplicationScope, group: &[u8], id: &[u8]) -> u32 {
    let hash = match scope {
        DeduplicationScope::MessageGroup => hasher.hash_one((group, id)),
        DeduplicationScope::Queue => hasher.hash_one(id),
    };
    hash as u32
}

fn length(id: &str) -> u32 {
    u32::try_from(id.len()).expect("invariant: an id is shorter than 4 GiB")
}

/// A message as one receive handed it out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed {
    pub(crate) slot: Slot,
    pub(crate) sequence: u64,
    pub(crate) reception: u32,
}

/// Receives with an attempt id, for replay (F31-F35).
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    by_id: HashMap<Arc<str>, (Timestamp, Vec<Handed>)>,
    in_order: VecDeque<(Timestamp, Arc<str>)>,
}

impl Attempts {
    pub(crate) fn advance(&mut self, now: Timestamp, interval: Duration) {
        while let Some((at, _)) = self.in_order.front() {
            if at.saturating_add(interval) > now {
                return;
            }
            if let Some((at, id)) = self.in_order.pop_front() {
                touch();
                if self.by_id.get(&id).is_some_and(|it| it.0 == at) {
                    self.by_id.remove(&id);
                }
            }
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&[Handed]> {
        self.by_id.get(id).map(|it| &*it.1)
    }

    /// Keeps what a fresh receive handed out; an empty hand is not kept (F34).
    pub(crate) fn remember(&mut self, now: Timestamp, id: &Arc<str>, handed: Vec<Handed>) {
        if !handed.is_empty() {
            self.by_id.insert(Arc::clone(id), (now, handed));
            self.in_order.push_back((now, Arc::clone(id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(memory: &mut Deduplication, hash: u32, id: &str, sequence: u64) {
        let at = Timestamp::from_millis(sequence);
        memory.push(hash, "group", id, MessageId::from_random(0), sequence, at);
    }

    fn found(memory: &Deduplication, hash: u32, id: &str) -> Option<u64> {
        memory.at(memory.find(hash, "group", id)?).map(|it| it.sequence)
    }

    #[test]
    fn half_a_place_is_enough_near_the_first() {
        for first in [0, 1, (1 << 32) - 1, 1 << 32, (7 << 32) + 5] {
            for place in [first, first + 1, first + (1 << 32) - 1] {
                assert_eq!(whole(half(place), first), place);
            }
        }
    }

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        let mut memory = Deduplication::new(DeduplicationScope::Queue);
        for (id, sequence) in [("a", 1), ("bb", 2), ("cc", 3)] {
            push(&mut memory, 7, id, sequence);
        }
        let sequences = |memory: &Deduplication| ["a", "bb", "cc", "dd", "c"].map(|id| found(memory, 7, id));
        assert_eq!(sequences(&memory), [Some(1), Some(2), Some(3), None, None]);
        memory.advance(Timestamp::from_millis(1));
        assert_eq!(sequences(&memory), [None, Some(2), Some(3), None, None]);
        memory.advance(Timestamp::from_millis(2));
        push(&mut memory, 7, "a", 4);
        assert_eq!(sequences(&memory), [Some(4), None, Some(3), None, None]);
        memory.advance(Timestamp::from_millis(4));
        assert!(memory.latest.is_empty() && memory.texts.is_empty());
    }
}
