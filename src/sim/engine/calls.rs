//! The API calls that a run makes, and the requests that are billed for them.

use {super::window::Place, crate::sim::measure::Calls, std::collections::BTreeMap};

/// A request is billed for each part of its payload of this size.
const BILLED_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    SendMessage,
    SendMessageBatch,
    ReceiveMessage,
    DeleteMessage,
    ChangeMessageVisibility,
    ChangeMessageVisibilityBatch,
}

const NAMES: [&str; 6] = [
    "SendMessage",
    "SendMessageBatch",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
];

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallCounts {
    counts: [Calls; NAMES.len()],
}

impl CallCounts {
    #[inline]
    pub(super) const fn add(&mut self, action: Action, bytes: usize, place: Place) {
        if place.batch.is_none() {
            return;
        }
        let calls = &mut self.counts[action as usize];
        calls.requests += 1;
        calls.billed += if bytes <= BILLED_BYTES {
            1
        } else {
            bytes.div_ceil(BILLED_BYTES) as u64
        };
    }

    pub(super) fn named(&self) -> BTreeMap<&'static str, Calls> {
        let named = NAMES.into_iter().zip(self.counts);
        named.filter(|it| it.1.requests > 0).collect()
    }
}
