//! What falls due when: delays, visibility timeouts, retention.

use {
    super::{
        lane::Lane,
        record::{ByEnd, ByRetention, Records},
        slab::Slot,
    },
    crate::time::Timestamp,
    std::time::Duration,
};

/// What becomes of a message whose time has come. At one instant retention comes first: what has expired is
/// never returned (D41).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Due {
    Expires,
    /// A delay or a visibility timeout ends.
    Ends,
}

/// The three clocks a message can run under.
#[derive(Debug)]
pub(crate) struct Deadlines {
    pub(crate) retention: Lane<ByRetention>,
    pub(crate) delayed: Lane<ByEnd>,
    pub(crate) in_flight: Lane<ByEnd>,
    /// Nothing falls due before this instant; something may fall due later than it says.
    pub(crate) not_before: Timestamp,
}

impl Deadlines {
    pub(crate) const fn new() -> Self {
        Self {
            retention: Lane::new(),
            delayed: Lane::new(),
            in_flight: Lane::new(),
            not_before: Timestamp::MAX,
        }
    }

    pub(crate) fn expect_at(&mut self, at: Timestamp) {
        self.not_before = self.not_before.min(at);
    }

    /// The earliest deadline of all, and whose it is; ends of one instant come in queue order.
    pub(crate) fn first(&self, records: &Records, retention_period: Duration) -> Option<(Timestamp, Due, Slot)> {
        let ends = [self.delayed.first(records), self.in_flight.first(records)];
        let ends = ends.into_iter().flatten().map(|slot| {
            let (at, sequence) = <ByEnd as super::lane::LaneKind>::key(&records[slot]);
            (at, Due::Ends, sequence, slot)
        });
        let expires = self.retention.first(records).map(|slot| {
            let record = &records[slot];
            (
                record.retention_base.saturating_add(retention_period),
                Due::Expires,
                record.sequence,
                slot,
            )
        });
        ends.chain(expires).min().map(|(at, due, _, slot)| (at, due, slot))
    }

    /// When the next delay or visibility timeout ends.
    pub(crate) fn next_end(&self, records: &Records) -> Option<Timestamp> {
        let ends = [self.delayed.first_key(records), self.in_flight.first_key(records)];
        ends.into_iter().flatten().map(|(at, _)| at).min()
    }

    /// When the next message expires.
    pub(crate) fn next_expiry(&self, records: &Records, retention_period: Duration) -> Option<Timestamp> {
        self.retention
            .first_key(records)
            .map(|(base, _)| base.saturating_add(retention_period))
    }
}
