//! Effects: what a step of the state machine asks its caller to carry out.

use {
    super::{
        fact::{Fact, FactEntry, Origin, Place},
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
    /// The number of the queue in its journal, 0 of one without.
    pub(crate) origin: u64,
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

impl Departure {
    pub(super) const fn from(&self) -> Origin {
        Origin {
            queue: self.origin,
            sequence: self.sequence,
        }
    }
}

/// An out-parameter of every step; the caller empties it with the lock released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Messages to offer to another queue.
    pub(crate) departures: Vec<Departure>,
    /// Facts not yet delivered. Their numbering lives here because it is fixed under the lock that guards the state.
    pub(crate) facts: Vec<FactEntry>,
    /// How many of the facts a journal has.
    recorded: usize,
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

    /// The facts that a journal does not have yet.
    pub(crate) fn unrecorded(&self) -> &[FactEntry] {
        &self.facts[self.recorded..]
    }

    pub(crate) fn mark_recorded(&mut self) {
        self.recorded = self.facts.len();
    }

    /// Empties the list of facts.
    pub(crate) fn take_facts(&mut self) -> Vec<FactEntry> {
        self.recorded = 0;
        std::mem::take(&mut self.facts)
    }

    /// Forgets the facts, but keeps their memory.
    pub(crate) fn clear_facts(&mut self) {
        self.recorded = 0;
        self.facts.clear();
    }

    /// A fact of no message that is stored.
    #[inline]
    pub(crate) fn fact(&mut self, at: Timestamp, fact: impl FnOnce() -> Fact) {
        self.fact_at(at, || (Place::default(), fact()));
    }

    /// A fact of a message at its place.
    #[inline]
    pub(crate) fn fact_at(&mut self, at: Timestamp, fact: impl FnOnce() -> (Place, Fact)) {
        if self.listening {
            let (place, fact) = fact();
            self.push(at, place, None, fact);
        }
    }

    /// A fact of a message that came from another queue.
    #[inline]
    pub(crate) fn fact_from(&mut self, at: Timestamp, origin: Origin, fact: impl FnOnce() -> (Place, Fact)) {
        if self.listening {
            let (place, fact) = fact();
            self.push(at, place, Some(origin), fact);
        }
    }

    fn push(&mut self, at: Timestamp, place: Place, origin: Option<Origin>, fact: Fact) {
        self.numbered += 1;
        self.facts.push(FactEntry {
            number: self.numbered,
            at,
            fact,
            place,
            origin,
        });
    }
}
