//! The stored record of a message, its phases, and the lists it is linked in.

use {
    super::{
        fact::Place,
        lane::{LaneKind, Links},
        slab::{NO_SLOT, Slab, Slot},
    },
    crate::{
        message::{Content, MessageId},
        time::Timestamp,
    },
};

/// What a handle names: a message and one reception of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) slot: Slot,
    pub(crate) sequence: u64,
    pub(crate) reception: u32,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Sent with a delay, which ends at `from` plus the shift of [`Deadlines`](super::deadlines::Deadlines).
    Delayed { from: Timestamp },
    /// Waiting to be received; `since` counts the events by which messages of this queue became visible.
    Visible { since: u64 },
    /// Received and hidden until `until`.
    InFlight {
        until: Timestamp,
        /// Since when it had been visible, for a release.
        since: u64,
        /// Whether its visibility was changed (F33).
        changed: bool,
    },
    /// On its way to another queue; it stays here until that queue has it. `since` is kept for a return, and
    /// `locks_group` says whether what is behind it in a FIFO group waits until it has left.
    Departing { since: u64, locks_group: bool },
}

impl Phase {
    /// Since when it is or was visible; zero of one that never was.
    #[inline]
    pub(crate) const fn since(&self) -> u64 {
        match *self {
            Self::Delayed { .. } => 0,
            Self::Visible { since } | Self::InFlight { since, .. } | Self::Departing { since, .. } => since,
        }
    }
}

/// One stored message.
#[derive(Debug)]
pub(crate) struct Record {
    /// The place in the queue's order; never used twice, so it tells a message from a later one in the same slot.
    pub(crate) sequence: u64,
    pub(crate) message_id: MessageId,
    pub(crate) content: Content,
    /// What retention counts from: the send, or the arrival on a FIFO dead-letter queue (L14).
    pub(crate) retention_base: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) first_received_at: Timestamp,
    /// Start of the current reception, the base of the 12-hour cap (D26).
    pub(crate) received_at: Timestamp,
    /// `ApproximateReceiveCount`: it runs on through a dead-letter move (L8).
    pub(crate) receive_count: u32,
    /// Numbers the receptions in this queue (D18). Other than the counts it never goes back.
    pub(crate) reception: u32,
    /// The group (FIFO) or tenant (standard) in the discipline's own store.
    pub(crate) group: Slot,
    pub(super) by_retention: Links,
    pub(super) by_phase: Links,
    in_group: Links,
}

/// What a message has behind it when it comes into a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past {
    pub(crate) retention_base: Timestamp,
    pub(crate) first_received_at: Timestamp,
    pub(crate) receive_count: u32,
}

impl Past {
    /// Of a message that is sent at this instant.
    pub(crate) const fn none(sent_at: Timestamp) -> Self {
        Self {
            retention_base: sent_at,
            first_received_at: Timestamp::ZERO,
            receive_count: 0,
        }
    }
}

impl Record {
    /// A message as it comes into the queue, not linked yet.
    #[inline]
    pub(crate) const fn new(sequence: u64, message_id: MessageId, content: Content, past: Past, phase: Phase) -> Self {
        Self {
            sequence,
            message_id,
            content,
            retention_base: past.retention_base,
            phase,
            first_received_at: past.first_received_at,
            received_at: Timestamp::ZERO,
            receive_count: past.receive_count,
            reception: 0,
            group: NO_SLOT,
            by_retention: Links::NONE,
            by_phase: Links::NONE,
            in_group: Links::NONE,
        }
    }

    /// Receives since arrival in this queue (L8).
    pub(crate) fn queue_receive_count(&self) -> u32 {
        let carried = self.content.dead_letter().map_or(0, |it| it.carried_receive_count);
        self.receive_count.saturating_sub(carried)
    }

    #[inline]
    pub(crate) fn sent_at(&self) -> Timestamp {
        self.content.dead_letter().map_or(self.retention_base, |it| it.sent_at)
    }

    /// When it came into this queue: by send, dead-letter move or move task.
    pub(crate) fn arrived_at(&self) -> Timestamp {
        self.content
            .dead_letter()
            .map_or(self.retention_base, |it| it.arrived_at)
    }

    /// What its latest reception is known by.
    #[inline]
    pub(crate) const fn receipt(&self, slot: Slot) -> Receipt {
        Receipt {
            slot,
            sequence: self.sequence,
            reception: self.reception,
        }
    }

    /// Its place, for a fact.
    pub(super) const fn place(&self, slot: Slot) -> Place {
        let mut place = Place::hidden(slot, self.sequence);
        if let Phase::Visible { since } = self.phase {
            place.since = since;
        }
        place
    }

    pub(crate) const fn is_visible(&self) -> bool {
        matches!(self.phase, Phase::Visible { .. })
    }

    pub(crate) const fn is_in_flight(&self) -> bool {
        matches!(self.phase, Phase::InFlight { .. })
    }
}

/// All messages of a queue.
pub(crate) type Records = Slab<Record>;

macro_rules! record_lane {
    ($(#[$doc:meta])* $name:ident, $links:ident, $key:ty, $key_of:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl LaneKind for $name {
            type Node = Record;
            type Key = $key;

            fn key(record: &Record) -> $key {
                let key_of: fn(&Record) -> $key = $key_of;
                key_of(record)
            }
            fn links(record: &Record) -> Links {
                record.$links
            }
            fn links_mut(record: &mut Record) -> &mut Links {
                &mut record.$links
            }
        }
    };
}

record_lane!(
    /// Every message, by the instant its retention counts from.
    ByRetention, by_retention, (Timestamp, u64), |record| (record.retention_base, record.sequence)
);
record_lane!(
    /// Delayed messages and messages in flight, by what the end of their delay counts from or by the end
    /// of their visibility timeout.
    ByEnd, by_phase, (Timestamp, u64), |record| match record.phase {
        Phase::Delayed { from: at } | Phase::InFlight { until: at, .. } => (at, record.sequence),
        Phase::Visible { .. } | Phase::Departing { .. } => (Timestamp::MAX, record.sequence),
    }
);
record_lane!(
    /// All messages of one FIFO group, in sequence order.
    ByGroupOrder, in_group, u64, |record| record.sequence
);
record_lane!(
    /// Visible messages, in sequence order.
    BySequence, by_phase, u64, |record| record.sequence
);
