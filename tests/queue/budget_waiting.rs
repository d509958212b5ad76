//! Sends that wait for room in a queue with a budget: what makes room, who gets it, how a wait ends.
//!
//! A budget is not SQS's; the events by which messages leave are, and so their rules are named.

use crate::{common, waiter};

mod order;
mod permits;
mod repetitions;

use {
    common::{counts, fifo, in_group, millis, receive, receive_for, secs, send_grouped, standard, take, take_for},
    requeue::{
        Budget, BudgetLimit, ManualClock, Queue, QueueAttributes, RedrivePolicy, SendError, SendMessage, Sent, Service,
        StartMessageMoveTask,
    },
    std::time::Duration,
    waiter::{FACES, Face, Polled, Waiter, with_each_face},
};

const WAIT: Duration = secs(20);
const LONG: Duration = secs(1_000_000);

type Sender = Waiter<Result<Sent, SendError>>;

fn for_messages(clock: &ManualClock, messages: usize) -> Queue {
    standard(clock)
        .budget(Budget::new().messages(messages))
        .build()
        .unwrap()
}

/// A queue with room for one message, which is there.
fn full(clock: &ManualClock) -> Queue {
    let jobs = for_messages(clock, 1);
    jobs.send("a").unwrap();
    jobs
}

fn for_bytes(clock: &ManualClock, bytes: usize) -> Queue {
    standard(clock).budget(Budget::new().bytes(bytes)).build().unwrap()
}

/// A send of this body, waiting as the first sleeper on the clock.
fn waiting(face: Face, clock: &ManualClock, queue: &Queue, body: &str) -> Sender {
    Waiter::sending(face, clock, 1, queue, body, WAIT)
}

/// A send as a future that finds no room.
fn pending(queue: &Queue, body: impl Into<String>) -> Polled<Result<Sent, SendError>> {
    let (queue, body) = (queue.clone(), body.into());
    let mut send = Polled::new(async move { queue.send_timeout_async(body, WAIT).await });
    assert!(send.poll().is_pending());
    send
}

fn stored(queue: &Queue) -> Vec<String> {
    let messages = queue.snapshot().messages;
    messages
        .iter()
        .map(|message| message.content.body().to_string())
        .collect()
}

#[test]
fn a_delete_makes_room() {
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let message = take(&jobs);
        let mut sender = waiting(face, clock, &jobs, "b");
        sender.waits();
        assert_eq!(stored(&jobs), ["a"]);
        message.delete().unwrap();
        let sent = sender.result().unwrap();
        assert_eq!(take(&jobs).message_id(), sent.message_id, "{face:?}");
    });
}

#[test]
fn a_batch_of_deletes_makes_room_for_as_many() {
    with_each_face(|face, clock| {
        let jobs = for_messages(clock, 2);
        assert_eq!(jobs.send_batch(["a", "b"]).unwrap().failed, []);
        let messages = receive(&jobs, 10);
        let line = ["c", "d", "e"].into_iter().zip(1..);
        let line = line.map(|(body, nth)| Waiter::sending(face, clock, nth, &jobs, body, WAIT));
        let mut line: Vec<_> = line.collect();
        assert_eq!(jobs.delete_batch(&messages).unwrap().failed, []);
        let mut last = line.pop().unwrap();
        for sender in line {
            assert!(sender.result().is_ok(), "{face:?}");
        }
        last.waits();
        assert_eq!(stored(&jobs), ["c", "d"]);
    });
}

#[test]
fn an_expiry_makes_room_at_that_instant() {
    // D37, D41
    with_each_face(|face, clock| {
        let jobs = for_messages(clock, 1);
        let attributes = QueueAttributes::new().message_retention_period(secs(60));
        jobs.set_attributes(attributes).unwrap();
        jobs.send("a").unwrap();
        clock.advance(secs(50));
        let mut sender = waiting(face, clock, &jobs, "b");
        clock.advance(millis(9_999));
        sender.waits();
        assert_eq!(stored(&jobs), ["a"]);
        clock.advance(millis(1));
        assert!(sender.result().is_ok(), "{face:?}");
        assert_eq!(stored(&jobs), ["b"]);
    });
}

#[test]
fn a_shorter_retention_makes_room_when_it_ends() {
    // D40: the change may bring the expiry nearer, or about at once
    for (face, period, rest) in FACES.into_iter().flat_map(|face| [(face, 60, 10), (face, 61, 11)]) {
        let clock = ManualClock::default();
        let jobs = for_messages(&clock, 1);
        jobs.send("a").unwrap();
        clock.advance(secs(50));
        let mut sender = waiting(face, &clock, &jobs, "b");
        let attributes = QueueAttributes::new().message_retention_period(secs(period));
        jobs.set_attributes(attributes).unwrap();
        clock.advance(secs(rest) - millis(1));
        sender.waits();
        clock.advance(millis(1));
        assert!(sender.result().is_ok(), "{face:?}");
    }
    with_each_face(|face, clock| {
        let jobs = full(clock);
        clock.advance(secs(70));
        let sender = waiting(face, clock, &jobs, "b");
        let attributes = QueueAttributes::new().message_retention_period(secs(60));
        jobs.set_attributes(attributes).unwrap();
        assert!(sender.result().is_ok(), "{face:?}: expired by the change");
    });
}

#[test]
fn a_purge_makes_room() {
    // D43
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let sender = waiting(face, clock, &jobs, "b");
        jobs.purge().unwrap();
        assert!(sender.result().is_ok(), "{face:?}");
        assert_eq!(stored(&jobs), ["b"]);
    });
}

#[test]
fn a_dead_letter_move_makes_room() {
    // L6: at the receive that would exceed the count, and not before
    with_each_face(|face, clock| {
        let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
        let budget = Budget::new().messages(1);
        let jobs = standard(clock).dead_letter(&dead, 1).budget(budget).build().unwrap();
        jobs.send("poison").unwrap();
        take_for(&jobs, secs(1));
        let mut sender = waiting(face, clock, &jobs, "b");
        clock.advance(secs(1));
        sender.waits();
        assert!(receive(&jobs, 1).is_empty(), "moved");
        assert!(sender.result().is_ok(), "{face:?}");
        assert_eq!(
            (stored(&dead), stored(&jobs)),
            (vec!["poison".to_owned()], vec!["b".to_owned()])
        );
    });
}

#[test]
fn a_move_task_makes_room_in_its_source() {
    // L24; what it brings is never refused
    with_each_face(|face, clock| {
        let service = Service::builder()
            .clock(clock.clone())
            .budget(Budget::new().messages(1))
            .build();
        let dead = service.create_queue("dead", QueueAttributes::new()).unwrap();
        let policy = RedrivePolicy::new(dead.arn(), 1);
        let jobs = QueueAttributes::new().redrive_policy(policy);
        let jobs = service.create_queue("jobs", jobs).unwrap();
        jobs.send("job").unwrap();
        dead.send("dead").unwrap();
        let sender = waiting(face, clock, &dead, "b");
        let task = StartMessageMoveTask::new(dead.arn()).destination_arn(jobs.arn());
        service.start_message_move_task(&task).unwrap();
        assert!(sender.result().is_ok(), "{face:?}");
        assert_eq!(stored(&jobs)[..2], ["job", "dead"], "beyond the budget");
    });
}

#[test]
fn receives_and_timeouts_make_no_room() {
    // A message counts until it leaves, whatever its phase.
    with_each_face(|face, clock| {
        let jobs = for_messages(clock, 1);
        jobs.send(SendMessage::new("a").delay(secs(1))).unwrap();
        let mut sender = waiting(face, clock, &jobs, "b");
        for _ in 0..5 {
            clock.advance(secs(1));
            receive_for(&jobs, 1, secs(1));
            sender.waits();
            assert_eq!(stored(&jobs), ["a"]);
        }
    });
}

#[test]
fn a_wait_that_finds_no_room_ends_exactly_when_its_time_is_up_and_gives_the_message_back() {
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let message = SendMessage::new("b").delay(secs(7)).message_group_id("g");
        let mut sender = Waiter::sending(face, clock, 1, &jobs, message.clone(), WAIT);
        clock.advance(WAIT - millis(1));
        sender.waits();
        clock.advance(millis(1));
        let error = sender.result().unwrap_err();
        assert_eq!(error.code(), "OverLimit");
        let SendError::QueueFull {
            message: back, limit, ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((*back, limit), (message, BudgetLimit::Messages(1)), "{face:?}");
        assert_eq!(stored(&jobs), ["a"]);
    });
}

#[test]
fn room_made_as_the_time_is_up_is_taken() {
    with_each_face(|face, clock| {
        let jobs = for_messages(clock, 1);
        let attributes = QueueAttributes::new().message_retention_period(secs(60));
        jobs.set_attributes(attributes).unwrap();
        jobs.send("a").unwrap();
        let sender = Waiter::sending(face, clock, 1, &jobs, "b", secs(60));
        clock.advance(secs(60));
        assert!(sender.result().is_ok(), "{face:?}");
    });
}

#[test]
fn what_need_not_wait_does_not() {
    let clock = ManualClock::default();
    let start = clock.next_deadline();
    let jobs = for_messages(&clock, 1);
    jobs.send_timeout("a", WAIT).unwrap();
    assert_eq!(jobs.send_timeout("b", Duration::ZERO).unwrap_err().code(), "OverLimit");
    assert_eq!(
        jobs.send_timeout("", WAIT).unwrap_err().code(),
        "MissingParameter",
        "M1"
    );
    let unbounded = standard(&clock).build().unwrap();
    unbounded.send_timeout("a", WAIT).unwrap();
    jobs.delete_queue().unwrap();
    assert_eq!(jobs.send_timeout("b", WAIT).unwrap_err(), SendError::QueueDoesNotExist);
    assert_eq!(clock.next_deadline(), start, "nobody asked the clock for anything");
}

#[test]
fn deleting_the_queue_ends_every_wait_for_room() {
    // Q35
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let line = [1, 2, 3].map(|nth| Waiter::sending(face, clock, nth, &jobs, "a", WAIT));
        jobs.delete_queue().unwrap();
        for sender in line {
            assert_eq!(sender.result().unwrap_err(), SendError::QueueDoesNotExist, "{face:?}");
        }
    });
}

#[test]
fn a_send_that_waited_wakes_a_receiver() {
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let message = take(&jobs);
        let sender = waiting(face, clock, &jobs, "b");
        let receiver = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        message.delete().unwrap();
        assert!(sender.result().is_ok(), "{face:?}");
        assert_eq!(receiver.over(), Ok(vec!["b".to_owned()]), "{face:?}");
    });
}

#[test]
fn a_delete_that_unlocks_a_group_makes_room_and_wakes_the_receiver_too() {
    // F18
    with_each_face(|face, clock| {
        let orders = fifo(clock).budget(Budget::new().messages(2)).build().unwrap();
        send_grouped(&orders, ["g-1", "g-2"]);
        let first = take(&orders);
        let sender = Waiter::sending(face, clock, 1, &orders, in_group("g", "g-3"), WAIT);
        let receiver = Waiter::receiving(face, clock, 2, &orders, |orders| orders.receive().wait_time(WAIT));
        first.delete().unwrap();
        assert!(sender.result().is_ok(), "{face:?}");
        assert_eq!(receiver.over(), Ok(vec!["g-2".to_owned()]), "{face:?}");
    });
}

#[test]
fn a_sender_dropped_before_its_first_poll_sends_nothing() {
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    drop(jobs.send_timeout_async("a", WAIT));
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn a_sender_dropped_in_line_sends_nothing_and_holds_nobody_up() {
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let first = pending(&jobs, "b");
        let next = Waiter::sending(face, clock, 2, &jobs, "c", WAIT);
        drop(first);
        take(&jobs).delete().unwrap();
        assert!(next.result().is_ok(), "{face:?}");
        assert_eq!(stored(&jobs), ["c"]);
    });
}

#[test]
fn a_sender_dropped_after_its_wake_passes_the_turn_on() {
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let first = pending(&jobs, "b");
        let mut next = Waiter::sending(face, clock, 2, &jobs, "c", WAIT);
        take(&jobs).delete().unwrap();
        assert_eq!(first.wakes.count(), 1);
        next.waits();
        // A look that is no step of the queue: a step would wake the next in line too.
        assert!(stored(&jobs).is_empty());
        drop(first);
        assert!(next.result().is_ok(), "{face:?}");
    });
}

#[test]
fn a_sender_that_would_have_looked_at_an_expiry_leaves_that_to_the_next() {
    with_each_face(|face, clock| {
        let jobs = for_messages(clock, 1);
        let attributes = QueueAttributes::new().message_retention_period(secs(60));
        jobs.set_attributes(attributes).unwrap();
        jobs.send("a").unwrap();
        let first = pending(&jobs, "b");
        let mut next = Waiter::sending(face, clock, 2, &jobs, "c", LONG);
        drop(first);
        next.waits();
        clock.advance(secs(60));
        assert!(next.result().is_ok(), "{face:?}");
    });
}
