//! FIFO messages that repeat an accepted one need no room (F11).

use {
    super::{WAIT, stored},
    crate::{
        common::{fifo, in_group, secs, send_grouped, take},
        waiter::{Face, Polled, Waiter, with_each_face},
    },
    requeue::{Budget, DeduplicationScope, FifoThroughputLimit, ManualClock, QueueAttributes},
};

#[test]
fn a_repeated_send_needs_no_room_even_while_others_wait_for_it() {
    // F11
    let clock = ManualClock::default();
    let orders = fifo(&clock).budget(Budget::new().messages(1)).build().unwrap();
    let first = orders.send(in_group("g", "a")).unwrap();
    let mut sender = Waiter::sending(Face::Future, &clock, 1, &orders, in_group("g", "b"), WAIT);
    assert_eq!(orders.send_timeout(in_group("g", "a"), WAIT).unwrap(), first);
    sender.waits();
    assert_eq!(stored(&orders), ["a"]);
}

#[test]
fn a_message_that_becomes_a_repetition_while_it_waits_is_answered_at_once() {
    // F11
    with_each_face(|face, clock| {
        let orders = fifo(clock).budget(Budget::new().messages(2)).build().unwrap();
        send_grouped(&orders, ["g-0", "h-0"]);
        let repeat = || in_group("g", "a").message_deduplication_id("a");
        let first = Waiter::sending(face, clock, 1, &orders, repeat(), WAIT);
        let mut other = Waiter::sending(face, clock, 2, &orders, in_group("g", "b"), WAIT);
        let again = Waiter::sending(face, clock, 3, &orders, repeat(), WAIT);
        let elsewhere = in_group("h", "c").message_deduplication_id("a");
        let elsewhere = Waiter::sending(face, clock, 4, &orders, elsewhere, WAIT);
        take(&orders).delete().unwrap();
        let original = first.result().unwrap();
        assert_eq!(again.result().unwrap(), original, "{face:?}");
        assert_eq!(
            elsewhere.result().unwrap(),
            original,
            "{face:?}: one scope for the queue"
        );
        other.waits();
        assert_eq!(stored(&orders), ["h-0", "a"]);
    });
}

#[test]
fn a_message_with_the_id_of_another_group_is_no_repetition_where_the_scope_is_the_group() {
    // F15
    let clock = ManualClock::default();
    let attributes = QueueAttributes::new()
        .deduplication_scope(DeduplicationScope::MessageGroup)
        .fifo_throughput_limit(FifoThroughputLimit::PerMessageGroupId);
    let orders = fifo(&clock).budget(Budget::new().messages(1)).build().unwrap();
    orders.set_attributes(attributes).unwrap();
    clock.advance(secs(3_600));
    send_grouped(&orders, ["g-0"]);
    let send = |group: &str| {
        let (orders, message) = (orders.clone(), in_group(group, "a").message_deduplication_id("a"));
        let mut send = Polled::new(async move { orders.send_timeout_async(message, WAIT).await });
        assert!(send.poll().is_pending());
        send
    };
    let [mut first, other, mut again] = ["g", "h", "g"].map(send);
    take(&orders).delete().unwrap();
    assert!(first.poll().is_ready());
    assert_eq!((other.wakes.count(), again.wakes.count()), (0, 1));
    assert!(again.poll().is_ready());
}

#[test]
fn a_thousand_repetitions_of_one_message_are_all_answered() {
    // F11: each step wakes a few, and who is woken the next
    let clock = ManualClock::default();
    let orders = fifo(&clock).budget(Budget::new().messages(1)).build().unwrap();
    send_grouped(&orders, ["g-0"]);
    let mut line: Vec<_> = (0..1_000)
        .map(|_| {
            let orders = orders.clone();
            let mut send = Polled::new(async move { orders.send_timeout_async(in_group("g", "a"), WAIT).await });
            assert!(send.poll().is_pending());
            send
        })
        .collect();
    take(&orders).delete().unwrap();
    while line.iter().any(|sender| sender.wakes.count() > 0) {
        line.retain_mut(|sender| sender.wakes.take() == 0 || sender.poll().is_pending());
    }
    assert!(line.is_empty());
    assert_eq!(stored(&orders), ["a"]);
}
