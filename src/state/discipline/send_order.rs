//! Visible messages of a standard queue in send order, with those received often at the back (D49).

use super::super::{
    lane::{Lane, LaneKind, Links},
    record::{BySequence, Record, Records},
    slab::Slot,
};

/// A message received this often without being deleted goes behind all others.
const LATE_AFTER: u32 = 3;

/// Whether a message goes to the back, and its sequence.
pub(super) type Key = (bool, u64);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct SendOrder {
    prompt: Lane<BySequence>,
    late: Lane<BySequence>,
}

impl SendOrder {
    pub(super) const fn new() -> Self {
        Self {
            prompt: Lane::new(),
            late: Lane::new(),
        }
    }

    pub(super) fn insert(&mut self, records: &mut Records, slot: Slot) {
        let key = key(&records[slot]);
        let links = self.link(records, slot, key);
        *BySequence::links_mut(&mut records[slot]) = links;
    }

    /// The receive count must be the one it was inserted with.
    pub(super) fn remove(&mut self, records: &mut Records, slot: Slot) {
        let record = &records[slot];
        let (links, key) = (BySequence::links(record), key(record));
        self.unlink(records, slot, links, key);
    }

    /// [`insert`](Self::insert) by key; the record is to keep the links that it answers with.
    #[inline]
    pub(super) fn link(&mut self, records: &mut Records, slot: Slot, (late, sequence): Key) -> Links {
        self.lane(late).link(records, slot, sequence)
    }

    /// [`remove`](Self::remove) by what the record holds.
    #[inline]
    pub(super) fn unlink(&mut self, records: &mut Records, slot: Slot, links: Links, (late, sequence): Key) {
        self.lane(late).unlink(records, slot, links, sequence);
    }

    #[inline]
    pub(super) fn first(&self, records: &Records) -> Option<Slot> {
        self.prompt.first(records).or_else(|| self.late.first(records))
    }

    /// The first message with its place in the order.
    pub(super) fn keyed_first(&self, records: &Records) -> Option<(Key, Slot)> {
        self.first(records).map(|slot| (key(&records[slot]), slot))
    }

    /// The first of those not received often, and the first of the others.
    pub(super) fn heads(&self, records: &Records) -> [Option<Slot>; 2] {
        [self.prompt.first(records), self.late.first(records)]
    }

    #[inline]
    fn lane(&mut self, late: bool) -> &mut Lane<BySequence> {
        if late { &mut self.late } else { &mut self.prompt }
    }
}

#[inline]
pub(super) const fn key(record: &Record) -> Key {
    (record.receive_count >= LATE_AFTER, record.sequence)
}
