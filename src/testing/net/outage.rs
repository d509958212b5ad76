//! A time in which the service answers no call of one kind.

use {
    super::CallKind,
    crate::{testing::faults::Fault, time::Timestamp},
};

/// So many calls fail at most: who calls again at once, and lets no time pass, would never see the end.
const MOST_CALLS: u32 = 100;

/// The outage that was last.
#[derive(Default)]
pub(super) struct Outage {
    /// `None` of receives.
    kind: Option<CallKind>,
    until: Timestamp,
    calls: u32,
}

impl Outage {
    /// It begins with a call that has failed.
    pub(super) fn begin(&mut self, kind: Option<CallKind>, now: Timestamp) {
        self.kind = kind;
        self.until = now.saturating_add(Fault::OUTAGE);
        self.calls = MOST_CALLS - 1;
    }

    /// Until when it lasts, and of which calls, if it is not over.
    pub(super) fn end(&self, now: Timestamp) -> Option<(Option<CallKind>, Timestamp)> {
        (self.calls > 0 && now < self.until).then_some((self.kind, self.until))
    }

    /// Whether a call fails now.
    pub(super) fn strikes(&mut self, kind: Option<CallKind>, now: Timestamp) -> bool {
        let strikes = self.end(now).is_some_and(|it| it.0 == kind);
        self.calls -= u32::from(strikes);
        strikes
    }
}
