//! Visible messages of a standard queue in send order, with those received often at the back (D49).

use super::super::{
    lane::Lane,
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

    #[inline]
    pub(super) fn insert(&mut self, records: &mut Records, slot: Slot) {
        self.lane(&records[slot]).insert(records, slot);
    }

    /// The receive count must be the one it was inserted with.
    #[inline]
    pub(super) fn remove(&mut self, records: &mut Records, slot: Slot) {
        self.lane(&records[slot]).remove(records, slot);
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
    fn lane(&mut self, record: &Record) -> &mut Lane<BySequence> {
        if is_late(record) {
            &mut self.late
        } else {
            &mut self.prompt
        }
    }
}

fn key(record: &Record) -> Key {
    (is_late(record), record.sequence)
}

const fn is_late(record: &Record) -> bool {
    record.receive_count >= LATE_AFTER
}
