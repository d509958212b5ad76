//! The two disciplines: the order in which messages are delivered, and what locks them.

mod fair;
mod fifo;
mod orders;
mod send_order;
mod standard;

pub(crate) use {
    fifo::Fifo,
    standard::{Reach, Standard},
};

use {
    super::{record::Records, slab::Slot},
    crate::time::Timestamp,
};

/// How this queue orders its visible messages.
#[derive(Debug)]
pub(crate) enum Discipline {
    Standard(Standard),
    Fifo(Fifo),
}

impl Discipline {
    /// A record was stored; if it is visible, [`became_visible`](Self::became_visible) follows.
    #[inline(always)]
    pub(crate) fn admit(&mut self, records: &mut Records, slot: Slot) {
        match self {
            Self::Standard(standard) => standard.admit(&mut records[slot]),
            Self::Fifo(fifo) => fifo.admit(records, slot),
        }
    }

    /// The record is about to be removed; if it was visible, [`leaves_visible`](Self::leaves_visible) came before.
    #[inline]
    pub(crate) fn release(&mut self, records: &mut Records, slot: Slot) {
        match self {
            Self::Standard(standard) => standard.release(records[slot].group),
            Self::Fifo(fifo) => fifo.release(records, slot),
        }
    }

    /// The record's phase is visible since this instant.
    #[inline]
    pub(crate) fn became_visible(&mut self, records: &mut Records, slot: Slot) {
        match self {
            Self::Standard(standard) => standard.insert_visible(records, slot),
            Self::Fifo(fifo) => fifo.insert_visible(records, slot),
        }
    }

    /// The record's phase is about to be another than visible; [`phase_changed`](Self::phase_changed) follows.
    #[inline]
    pub(crate) fn leaves_visible(&mut self, records: &mut Records, slot: Slot) {
        match self {
            Self::Standard(standard) => standard.remove_visible(records, slot),
            Self::Fifo(fifo) => fifo.remove_visible(records, slot),
        }
    }

    /// The record's phase is another than before; if it is visible, [`became_visible`](Self::became_visible) does
    /// this too.
    pub(crate) fn phase_changed(&mut self, records: &Records, slot: Slot) {
        if let Self::Fifo(fifo) = self {
            fifo.refresh(records, records[slot].group);
        }
    }

    /// The visible message that has been in the queue longest, locked groups and noisy tenants included (L31).
    pub(crate) fn oldest_visible(&self, records: &Records) -> Option<Slot> {
        match self {
            Self::Standard(standard) => standard.oldest_visible(records),
            Self::Fifo(fifo) => fifo.oldest_visible(records),
        }
    }

    #[inline]
    pub(crate) fn reception_began(&mut self, group: Slot) {
        match self {
            Self::Standard(standard) => standard.reception_began(group),
            Self::Fifo(fifo) => fifo.reception_began(group),
        }
    }

    /// A reception of a message that began at `received_at` ended.
    #[inline]
    pub(crate) fn reception_ended(&mut self, group: Slot, received_at: Timestamp, now: Timestamp) {
        match self {
            Self::Standard(standard) => standard.reception_ended(group, received_at, now),
            Self::Fifo(fifo) => fifo.reception_ended(group),
        }
    }
}
