//! What a FIFO queue never does, told from its deliveries alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use requeue::{Clock, ManualClock, Message, MessageId, ReceiptHandle, SequenceNumber};

use crate::{
    common::{self, VISIBILITY, in_group},
    compare::Same,
};

/// Sees what consumers receive from FIFO queues, and knows nothing of the reference.
#[derive(Default)]
pub(crate) struct Witness {
    /// Until when a message is hidden, as its consumer was told, and by which handle.
    held: HashMap<(usize, MessageId), (u64, ReceiptHandle)>,
    /// By its place in the queue, as one that becomes a dead letter of its own queue gets another (L3d).
    deleted: HashSet<(usize, MessageId, Option<SequenceNumber>)>,
    seen: HashSet<(usize, MessageId)>,
    /// Per queue and group, the latest message that was seen for the first time.
    latest: BTreeMap<(usize, String), SequenceNumber>,
}

impl Witness {
    /// A delete was answered with success.
    pub(crate) fn deleted(&mut self, queue: usize, message: &Message) {
        self.deleted
            .insert((queue, message.message_id(), message.sequence_number()));
    }

    /// From here on nobody knows for certain until when it is hidden.
    pub(crate) fn touched(&mut self, queue: usize, message: MessageId) {
        self.held.remove(&(queue, message));
    }

    /// The same of every message.
    pub(crate) fn knows_no_time(&mut self) {
        self.held.clear();
    }

    pub(crate) fn received(&mut self, queue: usize, now: u64, messages: &[Message]) -> Same {
        let mut last: BTreeMap<&str, SequenceNumber> = BTreeMap::new();
        for message in messages {
            let id = message.message_id();
            let (Some(group), Some(number)) = (message.message_group_id(), message.sequence_number()) else {
                return Err(format!("{id} has no group or no sequence number"));
            };
            if self.deleted.contains(&(queue, id, Some(number))) {
                return Err(format!("{id} comes again after its delete was confirmed (F43)"));
            }
            if last.insert(group, number).is_some_and(|before| before >= number) {
                return Err(format!("{id} stands behind its successor in group {group} (F19)"));
            }
            let handle = message.receipt_handle();
            let held = self
                .held
                .insert((queue, id), (message.invisible_until().as_millis(), handle));
            if held.is_some_and(|(until, before)| now < until && before != handle) {
                return Err(format!("{id} is handed out twice at a time (F21, F43)"));
            }
            let latest = self.latest.entry((queue, group.to_owned())).or_insert(number);
            if self.seen.insert((queue, id)) {
                if number < *latest {
                    return Err(format!("{id} comes after its successor in group {group} (F18)"));
                }
                *latest = number;
            }
        }
        Ok(())
    }
}

#[test]
fn a_witness_notices_what_a_fifo_queue_never_does() {
    let clock = ManualClock::default();
    let jobs = common::fifo(&clock).build().unwrap();
    for body in ["a", "b"] {
        jobs.send(in_group("g", body)).unwrap();
    }
    let now = || clock.now().as_millis();
    let messages = common::receive(&jobs, 10);
    let fresh = || {
        let mut witness = Witness::default();
        witness.received(0, now(), &messages).unwrap();
        witness
    };
    let reversed: Vec<_> = messages.iter().rev().cloned().collect();
    let notices = |result: Same, what: &str| assert!(result.unwrap_err().contains(what), "{what}");
    notices(Witness::default().received(0, now(), &reversed), "behind its successor");
    let mut witness = Witness::default();
    witness.received(0, now(), &messages[1..]).unwrap();
    notices(witness.received(0, now(), &messages[..1]), "after its successor");
    let mut witness = fresh();
    witness.deleted(0, &messages[1]);
    notices(witness.received(0, now(), &messages[1..]), "after its delete");

    fresh().received(0, now(), &messages).unwrap(); // a replay has the same handles
    jobs.change_visibility(&messages[0].receipt_handle(), std::time::Duration::ZERO)
        .unwrap();
    let again = common::receive(&jobs, 1);
    notices(fresh().received(0, now(), &again), "twice at a time");
    let mut witness = fresh();
    witness.touched(0, messages[0].message_id());
    witness.received(0, now(), &again).unwrap();
    let mut witness = fresh();
    clock.advance(VISIBILITY);
    witness.received(0, now(), &common::receive(&jobs, 10)).unwrap();
}
