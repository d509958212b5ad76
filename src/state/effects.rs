//! Effects: what a step of the state machine asks its caller to carry out.

use {
    super::{
        fact::{Fact, FactEntry},
        slab::Slot,
    },
    crate::{
        message::{Content, MessageId},
        time::Timestamp,
    },
    std::sync::Arc,
};

/// Why a message departs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    /// It was received too often (L6).
    DeadLetter,
    /// A consumer gave it up.
    GivenUp,
    /// A move task takes it (L24).
    MoveTask,
}

/// A message on its way to another queue.
///
/// It stays stored here as departing until [`departed`](super::QueueState::departed) or
/// [`departure_refused`](super::QueueState::departure_refused) is called with it.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    pub(crate) cause: Cause,
    pub(crate) slot: Slot,
    pub(crate) sequence: u64,
    pub(crate) message_id: MessageId,
    pub(crate) content: Content,
    pub(crate) sent_at: Timestamp,
    pub(crate) retention_base: Timestamp,
    pub(crate) first_received_at: Timestamp,
    pub(crate) receive_count: u32,
    /// What the consumer said that gave it up.
    pub(crate) reason: Option<Arc<str>>,
}

/// An out-parameter of every step; the caller empties it with the lock released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Messages to offer to another queue.
    pub(crate) departures: Vec<Departure>,
    /// Facts not yet delivered. Their numbering lives here because it is fixed under the lock that guards the state.
    pub(crate) facts: Vec<FactEntry>,
    listening: bool,
    numbered: u64,
}

impl Effects {
    /// `listening` says whether anyone wants facts; if not, none are built.
    pub(crate) fn new(listening: bool) -> Self {
        Self {
            listening,
            ..Self::default()
        }
    }

    pub(crate) const fn is_listening(&self) -> bool {
        self.listening
    }

    #[inline]
    pub(crate) fn fact(&mut self, at: Timestamp, fact: impl FnOnce() -> Fact) {
        if self.listening {
            self.numbered += 1;
            self.facts.push(FactEntry {
                number: self.numbered,
                at,
                fact: fact(),
            });
        }
    }
}
