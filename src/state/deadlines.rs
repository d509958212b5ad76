//! The deadlines of messages: delays, visibility timeouts, retention.

use {
    super::{
        lane::Lane,
        record::{ByEnd, ByRetention, Record, Records},
        slab::Slot,
    },
    crate::{attributes::QueueSettings, time::Timestamp},
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
    retention_period: Duration,
    /// Every delay ends this long after the instant that its message keeps. On a FIFO queue that is the queue's delay
    /// after the send, so that a change of it needs no look at the messages (D35); on a standard queue it is zero.
    delay_shift: Duration,
    /// Nothing falls due before this instant; something may fall due later than it says.
    pub(crate) not_before: Timestamp,
    /// Whether something is due that has not been fired yet.
    pub(crate) behind: bool,
}

impl Deadlines {
    pub(crate) const fn new(settings: &QueueSettings) -> Self {
        Self {
            retention: Lane::new(),
            delayed: Lane::new(),
            in_flight: Lane::new(),
            retention_period: settings.message_retention_period,
            delay_shift: if settings.fifo_queue {
                settings.delay
            } else {
                Duration::ZERO
            },
            not_before: Timestamp::ZERO,
            behind: false,
        }
    }

    /// Other settings are in force.
    pub(crate) fn change(&mut self, settings: &QueueSettings) {
        let Self {
            retention_period,
            delay_shift,
            not_before,
            ..
        } = Self::new(settings);
        (self.retention_period, self.delay_shift, self.not_before) = (retention_period, delay_shift, not_before);
    }

    pub(crate) fn expect_at(&mut self, at: Timestamp) {
        self.not_before = self.not_before.min(at);
    }

    pub(crate) fn expect_expiry(&mut self, retention_base: Timestamp) {
        self.expect_at(retention_base.saturating_add(self.retention_period));
    }

    pub(crate) fn expires_at(&self, record: &Record) -> Timestamp {
        record.retention_base.saturating_add(self.retention_period)
    }

    /// When a delay ends.
    pub(crate) fn delay_end(&self, from: Timestamp) -> Timestamp {
        from.saturating_add(self.delay_shift)
    }

    /// The earliest deadline of all, and whose it is; ends of one instant come in queue order.
    pub(crate) fn first(&self, records: &Records) -> Option<(Timestamp, Due, Slot)> {
        let delay = self.delayed.first(records).map(|slot| (slot, self.delay_shift));
        let timeout = self.in_flight.first(records).map(|slot| (slot, Duration::ZERO));
        let ends = delay.into_iter().chain(timeout).map(|(slot, shift)| {
            let (at, sequence) = <ByEnd as super::lane::LaneKind>::key(&records[slot]);
            (at.saturating_add(shift), Due::Ends, sequence, slot)
        });
        let expires = self.retention.first(records).map(|slot| {
            let record = &records[slot];
            (self.expires_at(record), Due::Expires, record.sequence, slot)
        });
        // `Due` comes before the sequence in the tuple: at one instant all expiries precede all ends (D41).
        ends.chain(expires).min().map(|(at, due, _, slot)| (at, due, slot))
    }

    /// When the next delay or visibility timeout ends.
    pub(crate) fn next_end(&self, records: &Records) -> Option<Timestamp> {
        let delay = self.delayed.first_key(records).map(|(from, _)| self.delay_end(from));
        let timeout = self.in_flight.first_key(records).map(|(at, _)| at);
        delay.into_iter().chain(timeout).min()
    }

    /// When the next message expires.
    pub(crate) fn next_expiry(&self, records: &Records) -> Option<Timestamp> {
        self.retention
            .first_key(records)
            .map(|(base, _)| base.saturating_add(self.retention_period))
    }
}
