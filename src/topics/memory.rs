//! What a FIFO topic has had in the last five minutes.

use {
    crate::{
        message::{MessageId, SequenceNumber},
        time::Timestamp,
    },
    foldhash::fast::RandomState,
    std::{
        collections::{HashMap, VecDeque},
        sync::Arc,
        time::Duration,
    },
};

/// The message that a later one with its deduplication id repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Original {
    pub(super) message_id: MessageId,
    pub(super) sequence_number: SequenceNumber,
}

/// Messages by their deduplication ids.
#[derive(Debug, Default)]
pub(super) struct Memory {
    originals: HashMap<Arc<str>, (Timestamp, Original), RandomState>,
    /// The same in order of time.
    order: VecDeque<(Timestamp, Arc<str>)>,
    /// The latest time seen: a clock that jumps back lengthens no memory.
    now: Timestamp,
}

impl Memory {
    /// The message of this id, if it came less than `interval` before `now`.
    pub(super) fn find(&mut self, now: Timestamp, id: &str, interval: Duration) -> Option<Original> {
        self.now = self.now.max(now);
        self.forget(interval);
        let (at, original) = self.originals.get(id)?;
        (at.saturating_add(interval) > self.now).then_some(*original)
    }

    /// To be called behind a [`find`](Self::find) that found nothing.
    pub(super) fn note(&mut self, id: &str, original: Original) {
        let id: Arc<str> = id.into();
        self.order.push_back((self.now, Arc::clone(&id)));
        self.originals.insert(id, (self.now, original));
    }

    /// Forgets a message before its time.
    pub(super) fn remove(&mut self, id: &str) {
        self.originals.remove(id);
    }

    /// Lets go of a few whose time is over, so that no call does the work of a burst.
    fn forget(&mut self, interval: Duration) {
        const A_FEW: usize = 16;
        for _ in 0..A_FEW {
            let over = |(at, _): &(Timestamp, _)| at.saturating_add(interval) <= self.now;
            if !self.order.front().is_some_and(over) {
                break;
            }
            let Some((at, id)) = self.order.pop_front() else {
                break;
            };
            // One that came again after its time has a later entry.
            if self.originals.get(&id).is_some_and(|(latest, _)| *latest == at) {
                self.originals.remove(&id);
            }
        }
        let wanted = (2 * self.order.len()).max(4 * A_FEW);
        if self.order.capacity() > 2 * wanted {
            self.order.shrink_to(wanted);
            self.originals.shrink_to(wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(300);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn original(number: u64) -> Original {
        Original {
            message_id: MessageId::from_random(number.into()),
            sequence_number: SequenceNumber::new(number),
        }
    }

    #[test]
    fn an_id_is_remembered_for_the_interval_and_no_longer() {
        // E25
        let mut memory = Memory::default();
        assert_eq!(memory.find(at(10), "a", INTERVAL), None);
        memory.note("a", original(1));
        assert_eq!(
            memory.find(at(5), "a", INTERVAL),
            Some(original(1)),
            "the clock was set back"
        );
        assert_eq!(memory.find(at(309), "a", INTERVAL), Some(original(1)));
        assert_eq!(memory.find(at(310), "a", INTERVAL), None);
        memory.note("a", original(2));
        assert_eq!(memory.find(at(609), "a", INTERVAL), Some(original(2)));
    }

    #[test]
    fn a_removed_id_is_new_at_once_and_remembered_as_long_as_any() {
        let mut memory = Memory::default();
        assert_eq!(memory.find(at(10), "a", INTERVAL), None);
        memory.note("a", original(1));
        memory.remove("a");
        assert_eq!(memory.find(at(20), "a", INTERVAL), None);
        memory.note("a", original(2));
        assert_eq!(memory.find(at(319), "a", INTERVAL), Some(original(2)));
        assert_eq!(memory.find(at(320), "a", INTERVAL), None);
    }

    #[test]
    fn a_burst_is_let_go_of_a_few_at_a_time_with_its_memory() {
        let mut memory = Memory::default();
        for number in 0..10_000 {
            assert_eq!(memory.find(at(0), &number.to_string(), INTERVAL), None);
            memory.note(&number.to_string(), original(number));
        }
        assert_eq!(memory.find(at(300), "9999", INTERVAL), None);
        assert!(memory.order.len() > 9_900, "one call did the work of all");
        (0..1_000).for_each(|_| assert_eq!(memory.find(at(300), "9999", INTERVAL), None));
        assert!(memory.order.is_empty() && memory.originals.is_empty());
        assert!(memory.order.capacity() < 200 && memory.originals.capacity() < 200);
    }
}
