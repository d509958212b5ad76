//! Who gets the room, in what order.

use {
    super::{LONG, WAIT, for_bytes, for_messages, full, pending, stored, waiting},
    crate::{
        common::{bodies, fifo, in_group, millis, receive, receive_for, secs, standard, take},
        waiter::{Face, Polled, Waiter, with_each_face, within_patience},
    },
    requeue::{Budget, BudgetLimit, Clock as _, ManualClock, Queue, QueueAttributes, SendError},
    std::{collections::VecDeque, task::Poll, time::Duration},
};

#[test]
fn room_not_taken_by_the_end_of_a_wait_goes_to_others() {
    // A future may be kept and never polled.
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    jobs.send("a").unwrap();
    let mut idle = pending(&jobs, "b");
    take(&jobs).delete().unwrap();
    assert_eq!(jobs.send("c").unwrap_err().code(), "OverLimit", "the room is promised");
    clock.advance(WAIT);
    assert!(jobs.send("c").is_err(), "its last instant");
    clock.advance(millis(1));
    jobs.send("c").unwrap();
    let Poll::Ready(Err(SendError::QueueFull { .. })) = idle.poll() else {
        panic!("its wait is over")
    };
}

#[test]
fn room_not_taken_by_the_end_of_a_wait_goes_to_the_next_in_line() {
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let _idle = pending(&jobs, "b");
        let mut next = Waiter::sending(face, clock, 2, &jobs, "c", LONG);
        take(&jobs).delete().unwrap();
        clock.advance(WAIT);
        next.waits();
        clock.advance(millis(1));
        assert!(next.result().is_ok(), "{face:?}");
        assert_eq!(stored(&jobs), ["c"]);
    });
}

#[test]
fn senders_are_let_in_longest_first() {
    with_each_face(|face, clock| {
        let jobs = full(clock);
        let line = ["b", "c", "d"].into_iter().zip(1..);
        let line = line.map(|(body, nth)| Waiter::sending(face, clock, nth, &jobs, body, WAIT));
        let line: Vec<_> = line.collect();
        for (sender, body) in line.into_iter().zip(["b", "c", "d"]) {
            take(&jobs).delete().unwrap();
            assert!(sender.result().is_ok(), "{face:?}");
            assert_eq!(stored(&jobs), [body]);
        }
    });
}

#[test]
fn at_an_expiry_the_sender_that_has_waited_longest_is_let_in() {
    // Also if it was woken in vain in between, and so asked the clock last.
    with_each_face(|face, clock| {
        let jobs = for_messages(clock, 1);
        let attributes = QueueAttributes::new().message_retention_period(secs(60));
        jobs.set_attributes(attributes).unwrap();
        jobs.send("a").unwrap();
        let line = ["b", "c"].into_iter().zip(1..);
        let mut line = line.map(|(body, nth)| Waiter::sending(face, clock, nth, &jobs, body, LONG));
        let (mut first, mut second) = (line.next().unwrap(), line.next().unwrap());
        for period in [61, 60] {
            let attributes = QueueAttributes::new().message_retention_period(secs(period));
            jobs.set_attributes(attributes).unwrap();
            first.waits();
        }
        clock.advance(secs(60));
        assert!(first.result().is_ok(), "{face:?}");
        second.waits();
        assert_eq!(stored(&jobs), ["b"]);
        clock.advance(secs(60));
        assert!(second.result().is_ok(), "{face:?}");
        assert_eq!(stored(&jobs), ["c"]);
    });
}

#[test]
fn a_large_message_is_not_passed_over_by_smaller_ones() {
    with_each_face(|face, clock| {
        let jobs = for_bytes(clock, 10);
        jobs.send("12345678").unwrap();
        jobs.send("9").unwrap();
        let mut large = Waiter::sending(face, clock, 1, &jobs, "abcdefghij", LONG);
        let mut small = Waiter::sending(face, clock, 2, &jobs, "ab", LONG);
        let taken = receive(&jobs, 2);
        taken[1].delete().unwrap();
        large.waits();
        small.waits();
        assert_eq!(jobs.send("c").unwrap_err().code(), "OverLimit", "nor by who comes now");
        assert_eq!(jobs.send_timeout("c", Duration::ZERO).unwrap_err().code(), "OverLimit");
        taken[0].delete().unwrap();
        assert!(large.result().is_ok(), "{face:?}");
        small.waits();
        take(&jobs).delete().unwrap();
        assert!(small.result().is_ok(), "{face:?}");
    });
}

#[test]
fn a_large_message_gets_in_although_small_ones_never_cease() {
    let clock = ManualClock::default();
    let jobs = for_bytes(&clock, 10);
    for n in 0..10 {
        jobs.send(n.to_string()).unwrap();
    }
    let mut large = pending(&jobs, "abcdefgh");
    let mut small = VecDeque::from([pending(&jobs, "x")]);
    for deletes in 1.. {
        take(&jobs).delete().unwrap();
        small.push_back(pending(&jobs, "x"));
        if large.wakes.take() > 0 {
            assert_eq!(deletes, 8);
            assert!(large.poll().is_ready());
            break;
        }
        assert!(small.iter().all(|sender| sender.wakes.count() == 0));
    }
}

#[test]
fn a_message_larger_than_the_whole_budget_is_refused_at_once() {
    let clock = ManualClock::default();
    let start = clock.next_deadline();
    let check = |jobs: &Queue, body: &'static str, expected: BudgetLimit| {
        let jobs = jobs.clone();
        let refused = within_patience(move || {
            let future = jobs.send_timeout_async(in_group("g", body), WAIT);
            [jobs.send_timeout(in_group("g", body), WAIT), pollster::block_on(future)]
        });
        for refused in refused {
            let Err(SendError::QueueFull { message, limit, .. }) = refused else {
                panic!("{body} fitted")
            };
            assert_eq!((message.body(), limit), (body, expected));
        }
    };
    for builder in [standard, fifo] {
        let build = |budget| builder(&clock).budget(budget).build().unwrap();
        check(&build(Budget::new().bytes(4)), "12345", BudgetLimit::Bytes(4));
        check(&build(Budget::new().messages(0)), "1", BudgetLimit::Messages(0));
    }
    assert_eq!(clock.next_deadline(), start, "nobody asked the clock for anything");
    let jobs = for_bytes(&clock, 4);
    jobs.send("1234").unwrap();
    let sender = waiting(Face::Future, &clock, &jobs, "abcd");
    assert!(jobs.send_timeout("12345", WAIT).is_err());
    take(&jobs).delete().unwrap();
    assert!(sender.result().is_ok(), "it kept nobody out");
}

#[test]
fn room_for_several_lets_in_several() {
    with_each_face(|face, clock| {
        let jobs = for_bytes(clock, 10);
        jobs.send("1234567890").unwrap();
        let line = ["abc", "def", "ghi", "jkl"].into_iter().zip(1..);
        let line = line.map(|(body, nth)| Waiter::sending(face, clock, nth, &jobs, body, WAIT));
        let mut line: Vec<_> = line.collect();
        take(&jobs).delete().unwrap();
        let mut last = line.pop().unwrap();
        for sender in line {
            assert!(sender.result().is_ok(), "{face:?}");
        }
        last.waits();
        assert_eq!(stored(&jobs), ["abc", "def", "ghi"]);
    });
}

#[test]
fn a_future_that_is_never_polled_keeps_room_from_nobody_for_whom_there_is_room_as_well() {
    with_each_face(|face, clock| {
        let jobs = for_messages(clock, 10);
        for n in 0..10 {
            jobs.send(n.to_string()).unwrap();
        }
        let taken = receive(&jobs, 10);
        let _idle = Waiter::sending(Face::Future, clock, 1, &jobs, "a", LONG);
        let next = Waiter::sending(face, clock, 2, &jobs, "b", WAIT);
        assert_eq!(jobs.delete_batch(&taken).unwrap().failed, []);
        assert!(next.result().is_ok(), "{face:?}");
        assert_eq!(stored(&jobs), ["b"]);
    });
}

#[test]
fn room_for_a_hundred_wakes_32_futures_a_step() {
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 100);
    for n in 0..100 {
        jobs.send(n.to_string()).unwrap();
    }
    let mut line: Vec<_> = (0..100).map(|n| pending(&jobs, n.to_string())).collect();
    let woken = |line: &[Polled<_>]| line.iter().map(|sender| sender.wakes.count()).collect::<Vec<_>>();
    let first = |n| [vec![1; n], vec![0; 100 - n]].concat();
    jobs.purge().unwrap();
    assert_eq!(woken(&line), first(32));
    assert!(line[0].poll().is_ready());
    assert_eq!(woken(&line), first(64));
    assert!(line[1].poll().is_ready() && line[2].poll().is_ready());
    assert_eq!(woken(&line), first(100));
}

#[test]
fn room_is_kept_for_the_first_in_line_after_the_clock_was_set_back() {
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    let start = clock.now();
    clock.advance(secs(3_600));
    jobs.send("a").unwrap();
    let message = take(&jobs);
    clock.set(start);
    let mut first = pending(&jobs, "b");
    message.delete().unwrap();
    assert_eq!(jobs.send("c").unwrap_err().code(), "OverLimit", "the room is promised");
    assert!(first.poll().is_ready());
    assert_eq!(stored(&jobs), ["b"]);
}

#[test]
fn room_for_one_wakes_one_of_a_thousand_senders() {
    let clock = ManualClock::default();
    let jobs = for_messages(&clock, 1);
    jobs.send("0").unwrap();
    let mut line: Vec<_> = (1..=1_000).map(|n| pending(&jobs, n.to_string())).collect();
    for n in 1..=5 {
        take(&jobs).delete().unwrap();
        let mut polls = 0;
        while line.iter().any(|sender| sender.wakes.count() > 0) {
            line.retain_mut(|sender| {
                if sender.wakes.take() == 0 {
                    return true;
                }
                polls += 1;
                sender.poll() == Poll::Pending
            });
        }
        assert_eq!(polls, 1);
        assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), [n.to_string()]);
    }
    assert_eq!(line.len(), 995);
    clock.advance(secs(19));
    assert!(line.iter().all(|sender| sender.wakes.count() == 0));
}
