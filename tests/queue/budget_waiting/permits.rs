//! Permits: room for a message that is sent later. A budget is not SQS's, and so no rules are named.

use {
    super::{WAIT, for_bytes, for_messages, stored},
    crate::{
        common::{fifo, in_group, millis, receive, send_grouped, standard, take},
        waiter::Polled,
    },
    requeue::{Budget, BudgetLimit, ManualClock, Permit, Queue, ReserveError},
    std::{task::Poll, time::Duration},
};

fn at_once(queue: &Queue, bytes: usize) -> Result<Permit, ReserveError> {
    queue.reserve_timeout(bytes, Duration::ZERO)
}

/// A wait for a permit that finds no room.
fn pending(queue: &Queue, bytes: usize) -> Polled<Result<Permit, ReserveError>> {
    let queue = queue.clone();
    let mut reserve = Polled::new(async move { queue.reserve_timeout_async(bytes, WAIT).await });
    assert!(reserve.poll().is_pending());
    reserve
}

#[test]
fn a_permit_counts_as_a_message_until_it_is_used_or_dropped() {
    let jobs = for_messages(&ManualClock::default(), 2);
    let (used, unused) = (at_once(&jobs, 1).unwrap(), at_once(&jobs, 1).unwrap());
    let limit = BudgetLimit::Messages(2);
    let full = |bytes| ReserveError::QueueFull {
        messages: 2,
        bytes,
        size: 1,
        limit,
    };
    assert_eq!(at_once(&jobs, 1).unwrap_err(), full(2));
    assert!(jobs.send("x").is_err() && jobs.send_timeout("x", Duration::ZERO).is_err());
    assert_eq!(jobs.send_batch(["x"]).unwrap().failed.len(), 1);
    used.send("abc").unwrap();
    assert_eq!(at_once(&jobs, 1).unwrap_err(), full(4), "now as the message");
    drop(unused);
    jobs.send("d").unwrap();
    assert_eq!(stored(&jobs), ["abc", "d"]);
}

#[test]
fn the_room_of_a_permit_dropped_unused_goes_to_the_next_in_line() {
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    let permit = at_once(&jobs, 1).unwrap();
    let (mut first, mut second) = (pending(&jobs, 1), pending(&jobs, 1));
    drop(permit);
    assert_eq!((first.wakes.take(), second.wakes.count()), (1, 0));
    assert!(second.poll().is_pending(), "it does not go ahead of the first");
    let Poll::Ready(Ok(permit)) = first.poll() else {
        panic!("there is room")
    };
    drop(permit);
    assert_eq!(second.wakes.take(), 1);
    drop(second);
    assert!(
        at_once(&jobs, 1).is_ok(),
        "a wait given up after its wake gives the room back"
    );
}

#[test]
fn a_wait_given_up_in_line_leaves_its_place_to_the_next() {
    let clock = ManualClock::default();
    let jobs = for_bytes(&clock, 10);
    jobs.send("12345").unwrap();
    let (large, mut small) = (pending(&jobs, 10), pending(&jobs, 5));
    drop(large);
    assert_eq!(small.wakes.take(), 1);
    let Poll::Ready(Ok(permit)) = small.poll() else {
        panic!("there is room")
    };
    permit.send("abcde").unwrap();
}

#[test]
fn a_blocked_thread_gets_a_permit_when_there_is_room() {
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    jobs.send("a").unwrap();
    std::thread::scope(|scope| {
        let permit = scope.spawn(|| jobs.reserve_timeout(1, WAIT));
        clock.wait_for_sleepers(1);
        take(&jobs).delete().unwrap();
        permit.join().unwrap().unwrap().send("b").unwrap();
    });
    assert_eq!(stored(&jobs), ["b"]);
}

#[test]
fn a_wait_for_a_permit_ends_when_its_time_is_up() {
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    jobs.send("abc").unwrap();
    let mut wait = pending(&jobs, 1);
    clock.advance(WAIT - millis(1));
    assert!(wait.poll().is_pending());
    clock.advance(millis(1));
    let Poll::Ready(Err(error)) = wait.poll() else {
        panic!("it waits")
    };
    let text =
        "no room for a message of 1 byte beside 1 message of 3 bytes stored or promised, the budget is 1 message";
    assert_eq!((error.code(), error.to_string().as_str()), ("OverLimit", text));
}

#[test]
fn more_than_the_whole_budget_is_refused_at_once() {
    let clock = ManualClock::default();
    let start = clock.next_deadline();
    for (jobs, bytes) in [
        (for_bytes(&clock, 4), 5),
        (for_bytes(&clock, 4), usize::MAX),
        (for_messages(&clock, 0), 0),
    ] {
        assert_eq!(jobs.reserve_timeout(bytes, WAIT).unwrap_err().code(), "OverLimit");
    }
    assert_eq!(clock.next_deadline(), start, "nobody asked the clock for anything");
    let jobs = standard(&clock)
        .budget(Budget::new().messages(1).bytes(4))
        .build()
        .unwrap();
    jobs.send("m").unwrap();
    let error = jobs.reserve_timeout(5, WAIT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "message of 5 bytes is larger than the whole budget of 4 bytes"
    );
}

#[test]
fn no_sum_of_sizes_overflows() {
    let clock = ManualClock::default();
    for budget in [
        Budget::new(),
        Budget::new().messages(9),
        Budget::new().bytes(usize::MAX),
    ] {
        let jobs = standard(&clock).budget(budget).build().unwrap();
        let permits: Vec<_> = (0..3).filter_map(|_| at_once(&jobs, usize::MAX).ok()).collect();
        let mut line: Vec<_> = (0..3)
            .map(|_| {
                Polled::new({
                    let jobs = jobs.clone();
                    async move { jobs.reserve_timeout_async(usize::MAX, WAIT).await.is_ok() }
                })
            })
            .collect();
        for wait in &mut line {
            let _ = wait.poll();
        }
        drop(permits);
        drop(line);
        assert!(at_once(&jobs, usize::MAX).is_ok());
    }
}

#[test]
fn a_smaller_message_gives_back_the_rest_and_a_larger_one_needs_room_for_all_of_it() {
    let jobs = for_bytes(&ManualClock::default(), 10);
    let [a, b] = [5, 5].map(|bytes| at_once(&jobs, bytes).unwrap());
    a.send("12").unwrap();
    jobs.send("345").unwrap();
    let error = b.send("123456").unwrap_err();
    assert_eq!(error.code(), "OverLimit", "5 bytes are left");
    let permit = at_once(&jobs, 2).unwrap();
    permit.send("12345").unwrap();
    assert_eq!(stored(&jobs), ["12", "345", "12345"]);
    assert!(jobs.send("x").is_err());
}

#[test]
fn a_message_that_is_refused_uses_the_permit_up() {
    // M1
    let jobs = for_messages(&ManualClock::default(), 1);
    let permit = at_once(&jobs, 0).unwrap();
    assert_eq!(permit.send("").unwrap_err().code(), "MissingParameter");
    jobs.send("a").unwrap();
}

#[test]
fn a_repetition_gives_the_whole_room_back() {
    // F11
    let orders = fifo(&ManualClock::default())
        .budget(Budget::new().messages(2))
        .build()
        .unwrap();
    send_grouped(&orders, ["g-a"]);
    let first = orders.send(in_group("g", "g-a")).unwrap();
    let permit = at_once(&orders, 3).unwrap();
    assert_eq!(permit.send(in_group("g", "g-a")).unwrap(), first);
    orders.send(in_group("g", "b")).unwrap();
    assert_eq!(stored(&orders), ["g-a", "b"]);
}

#[test]
fn a_permit_outlives_purge_deletion_and_every_other_handle() {
    // Q35 D43
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    let permit = at_once(&jobs, 1).unwrap();
    jobs.purge().unwrap();
    assert!(jobs.send("a").is_err());
    let waiting = pending(&jobs, 1);
    let other = jobs.clone();
    drop(jobs);
    other.delete_queue().unwrap();
    drop((other, waiting));
    assert_eq!(permit.send("a").unwrap_err().code(), "QueueDoesNotExist");

    let jobs = for_messages(&clock, 1);
    let permit = at_once(&jobs, 1).unwrap();
    jobs.delete_queue().unwrap();
    assert_eq!(at_once(&jobs, 1).unwrap_err(), ReserveError::QueueDoesNotExist);
    drop((jobs, permit));
}

#[test]
fn a_permit_wakes_the_receiver_that_its_message_is_for() {
    // D11
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    let permit = at_once(&jobs, 1).unwrap();
    let mut receive_next = Polled::new({
        let jobs = jobs.clone();
        async move { jobs.receive().wait_time(WAIT).await.unwrap().len() }
    });
    assert!(receive_next.poll().is_pending());
    permit.send("a").unwrap();
    assert_eq!((receive_next.wakes.take(), receive_next.poll()), (1, Poll::Ready(1)));
    assert!(receive(&jobs, 1).is_empty());
}
