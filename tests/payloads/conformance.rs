//! A payload queue does what a runner asks of any queue.

use {
    super::stores::Troubled,
    requeue::{Queue, payloads::PayloadQueue, testing::conformance},
};

#[test]
fn a_payload_queue_is_a_message_queue_whether_bodies_are_in_the_store_or_not() {
    for all in [false, true] {
        // One store: a dead letter keeps its payload.
        let store = Troubled::new();
        let wrap = move |queue: &Queue| {
            let builder = PayloadQueue::builder(queue, store.clone()).offload_all(all);
            builder.build().unwrap()
        };
        let fixture = conformance::InProcess::new(move |_, _, queue| wrap(queue));
        for requirement in conformance::requirements() {
            // It sends ten attributes, and beside a payload there is room for nine (E5).
            if !(all && requirement.name() == "a_dead_letter_moves_at_once") {
                requirement.check(&fixture);
            }
        }
    }
}
