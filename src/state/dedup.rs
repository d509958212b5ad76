//! What a FIFO queue remembers of the last five minutes: accepted sends, and receives with an attempt id.

use {
    super::slab::Slot,
    crate::{attributes::DeduplicationScope, message::MessageId, time::Timestamp},
    foldhash::fast::RandomState,
    std::{
        collections::{HashMap, VecDeque, hash_map},
        sync::Arc,
        time::Duration,
    },
};

/// The send that a later one with the same key repeats.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub(crate) message_id: MessageId,
    pub(crate) sequence: u64,
    group: Arc<str>,
    id: Arc<str>,
    forgotten_at: Timestamp,
}

/// The group is part of the key only while the scope is the message group.
type Key = (Option<Arc<str>>, Arc<str>);

/// Accepted sends of the deduplication interval (F7-F17).
///
/// Every entry keeps group and id, so that a change of scope can index the memory anew (F16).
#[derive(Debug)]
pub(crate) struct Deduplication {
    scope: DeduplicationScope,
    /// A change of scope that does not act yet, and when it will.
    pending: Option<(Timestamp, DeduplicationScope)>,
    /// In order of acceptance; `dropped` counts those that have left at the front.
    entries: VecDeque<Original>,
    dropped: u64,
    /// For each key the place, counted from the first entry ever, of the send accepted last.
    index: HashMap<Key, u64, RandomState>,
}

impl Deduplication {
    pub(crate) fn new(scope: DeduplicationScope) -> Self {
        Self {
            scope,
            pending: None,
            entries: VecDeque::new(),
            dropped: 0,
            index: HashMap::default(),
        }
    }

    /// Forgets what is due and lets a change of scope act whose time has come.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while self.entries.front().is_some_and(|it| it.forgotten_at <= now) {
            if let Some(entry) = self.entries.pop_front() {
                let key = self.key(&entry.group, &entry.id);
                if self.index.get(&key) == Some(&self.dropped) {
                    self.index.remove(&key);
                }
                self.dropped += 1;
            }
        }
        if let Some((at, scope)) = self.pending {
            if at <= now {
                self.pending = None;
                self.scope = scope;
                let places = (self.dropped..).zip(&self.entries);
                self.index = places.map(|(place, it)| (self.key(&it.group, &it.id), place)).collect();
            }
        }
    }

    pub(crate) fn original(&self, group: &Arc<str>, id: &Arc<str>) -> Option<&Original> {
        let place = *self.index.get(&self.key(group, id))?;
        self.at(place)
    }

    /// Remembers a send, or answers with the one that it repeats.
    pub(crate) fn remember(
        &mut self,
        group: &Arc<str>,
        id: &Arc<str>,
        message_id: MessageId,
        sequence: u64,
        forgotten_at: Timestamp,
    ) -> Option<&Original> {
        match self.index.entry(self.key(group, id)) {
            hash_map::Entry::Occupied(entry) => {
                let place = *entry.get();
                self.at(place)
            }
            hash_map::Entry::Vacant(entry) => {
                entry.insert(self.dropped + self.entries.len() as u64);
                self.entries.push_back(Original {
                    message_id,
                    sequence,
                    group: Arc::clone(group),
                    id: Arc::clone(id),
                    forgotten_at,
                });
                None
            }
        }
    }

    fn at(&self, place: u64) -> Option<&Original> {
        self.entries.get(usize::try_from(place - self.dropped).ok()?)
    }

    /// The queue's attribute says `scope`; it acts from `at` (F16).
    pub(crate) fn change_scope(&mut self, scope: DeduplicationScope, at: Timestamp) {
        self.pending = (scope != self.scope).then_some((at, scope));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.index.clear();
        self.dropped = 0;
    }

    fn key(&self, group: &Arc<str>, id: &Arc<str>) -> Key {
        let group = (self.scope == DeduplicationScope::MessageGroup).then(|| Arc::clone(group));
        (group, Arc::clone(id))
    }
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
