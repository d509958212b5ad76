//! Who gets what when several receivers wait (D12), and how much (D10).

use {
    crate::{
        common::{bodies, counts, fifo, in_group, millis, receive, secs, standard, take_for},
        waiter::{Face, Polled, Received, Receiver, Waiter, long_poll, with_each_face},
    },
    requeue::{Clock as _, ManualClock, Queue, SendMessage},
    std::{task::Poll, time::Duration},
};

const WAIT: Duration = secs(20);

/// So many long polls for one message each, in the order in which they began to wait.
fn line(face: Face, clock: &ManualClock, queue: &Queue, length: usize) -> Vec<Receiver> {
    let begin = |nth| Waiter::receiving(face, clock, nth, queue, |queue| queue.receive().wait_time(WAIT));
    (1..=length).map(begin).collect()
}

fn futures(queue: &Queue, length: usize) -> Vec<Polled<Received>> {
    let begin = |_| {
        let mut future = long_poll(queue, |queue| queue.receive().wait_time(WAIT));
        assert!(future.poll().is_pending());
        future
    };
    (0..length).map(begin).collect()
}

fn one(body: &str) -> Received {
    Ok(vec![body.to_owned()])
}

#[test]
fn messages_go_to_whoever_has_waited_longest() {
    // D12
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let line = line(face, clock, &jobs, 3);
        for (waiter, body) in line.into_iter().zip(["a", "b", "c"]) {
            jobs.send(body).unwrap();
            assert_eq!(waiter.over(), one(body), "{face:?}");
        }
        assert_eq!((jobs.waiting(), counts(&jobs)), (0, [0, 3, 0]));
    });
}

#[test]
fn each_message_wakes_one_receiver_after_the_clock_was_set_back() {
    // D11: by a clock that was an hour ahead, both waits would be over.
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let start = clock.now();
    clock.advance(secs(3_600));
    assert_eq!(counts(&jobs), [0, 0, 0]);
    clock.set(start);
    let mut line = futures(&jobs, 2);
    for (nth, body) in ["a", "b"].into_iter().enumerate() {
        jobs.send(body).unwrap();
        assert_eq!(line[nth].wakes.take(), 1, "{body}");
        assert_eq!(line[nth].poll(), Poll::Ready(one(body)));
    }
}

#[test]
fn a_batch_is_shared_by_the_first_in_line() {
    // D12: each gets one, as it asked for, and the one who came last waits on
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let mut line = line(face, clock, &jobs, 3);
        assert_eq!(jobs.send_batch(["a", "b"]).unwrap().failed, []);
        let mut last = line.pop().unwrap();
        for (waiter, body) in line.into_iter().zip(["a", "b"]) {
            assert_eq!(waiter.over(), one(body), "{face:?}");
        }
        last.waits();
        assert_eq!(jobs.waiting(), 1);
        jobs.send("c").unwrap();
        assert_eq!(last.over(), one("c"));
    });
}

#[test]
fn deadlines_of_one_instant_are_shared_by_the_first_in_line() {
    // D12, at an instant at which nobody calls
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        for body in ["a", "b"] {
            jobs.send(SendMessage::new(body).delay(secs(5))).unwrap();
        }
        let mut line = line(face, clock, &jobs, 3);
        clock.advance(secs(5));
        let mut last = line.pop().unwrap();
        for (waiter, body) in line.into_iter().zip(["a", "b"]) {
            assert_eq!(waiter.over(), one(body), "{face:?}");
        }
        last.waits();
        assert_eq!(jobs.waiting(), 1);
    });
}

#[test]
fn one_message_is_for_one_of_all_who_wait() {
    // D12
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let line = line(face, clock, &jobs, 8);
        jobs.send("a").unwrap();
        clock.advance(WAIT);
        let got: Vec<_> = line.into_iter().map(|waiter| waiter.over().unwrap()).collect();
        assert_eq!(got.concat(), ["a"], "{face:?}");
        assert_eq!(got[0], ["a"]);
    });
}

#[test]
fn who_is_woken_to_watch_a_timeout_is_still_the_next_in_line() {
    // D12: the first receives, and so begins a timeout; the second is woken for that, and then there is a message.
    let jobs = standard(&ManualClock::default())
        .visibility_timeout(secs(5))
        .build()
        .unwrap();
    let mut line = futures(&jobs, 3);
    jobs.send("a").unwrap();
    assert_eq!(line[0].poll(), Poll::Ready(one("a")));
    assert_eq!(line[1].wakes.take(), 1);
    jobs.send("b").unwrap();
    assert_eq!((line[1].wakes.take(), line[2].wakes.take()), (1, 0));
    assert_eq!(line[1].poll(), Poll::Ready(one("b")));
}

#[test]
fn who_looked_in_vain_keeps_the_place_in_line() {
    // D12
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut line = futures(&jobs, 2);
    jobs.send("a").unwrap();
    assert_eq!(line[0].wakes.take(), 1);
    assert_eq!(receive(&jobs, 1).len(), 1, "a short poll is quicker");
    assert!(line[0].poll().is_pending());
    jobs.send("b").unwrap();
    assert_eq!((line[0].wakes.take(), line[1].wakes.take()), (1, 0));
    assert_eq!(line[0].poll(), Poll::Ready(one("b")));
}

#[test]
fn an_event_wakes_the_next_in_line_while_the_first_is_still_on_its_way() {
    // D12
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut line = futures(&jobs, 3);
    jobs.send("a").unwrap();
    jobs.send("b").unwrap();
    let wakes: Vec<_> = line.iter().map(|future| future.wakes.count()).collect();
    assert_eq!(wakes, [1, 1, 0]);
    // Whoever is polled first gets the older message; none waits for the other.
    assert_eq!(line[1].poll(), Poll::Ready(one("a")));
    assert_eq!(line[0].poll(), Poll::Ready(one("b")));
    assert!(line[2].poll().is_pending());
}

#[test]
fn a_receiver_that_takes_all_there_is_leaves_the_others_asleep() {
    // D10
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut first = long_poll(&jobs, |jobs| jobs.receive().max_messages(10).wait_time(WAIT));
    assert!(first.poll().is_pending());
    let mut second = futures(&jobs, 1).pop().unwrap();
    assert_eq!(jobs.send_batch(["a", "b", "c"]).unwrap().failed, []);
    assert_eq!(first.poll().map(|bodies| bodies.unwrap().len()), Poll::Ready(3));
    assert!(second.poll().is_pending());
    assert_eq!(counts(&jobs), [0, 3, 0]);
}

#[test]
fn a_long_poll_returns_what_is_there_and_does_not_wait_to_fill() {
    // D10
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    jobs.send("a").unwrap();
    jobs.send(SendMessage::new("late").delay(millis(1))).unwrap();
    let mut poll = long_poll(&jobs, |jobs| jobs.receive().max_messages(10).wait_time(WAIT));
    assert_eq!(poll.poll(), Poll::Ready(one("a")));
}

#[test]
fn the_next_in_line_looks_at_a_deadline_when_the_first_has_left() {
    // D11: a message in flight, and the one who would have looked at its timeout gone with another message
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        jobs.send("a").unwrap();
        take_for(&jobs, secs(5));
        let mut line = line(face, clock, &jobs, 2).into_iter();
        jobs.send("b").unwrap();
        assert_eq!(line.next().unwrap().over(), one("b"), "{face:?}");
        let mut second = line.next().unwrap();
        second.waits();
        clock.advance(millis(4_999));
        second.waits();
        clock.advance(millis(1));
        assert_eq!(second.over(), one("a"), "{face:?}");
    });
}

#[test]
fn the_next_in_line_looks_at_a_deadline_when_the_first_has_waited_long_enough() {
    // D11
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        jobs.send("a").unwrap();
        take_for(&jobs, secs(5));
        let first = Waiter::receiving(face, clock, 1, &jobs, |jobs| jobs.receive().wait_time(secs(2)));
        let mut second = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        clock.advance(secs(2));
        assert_eq!(first.over(), Ok(Vec::new()), "{face:?}");
        second.waits();
        clock.advance(secs(3));
        assert_eq!(second.over(), one("a"), "{face:?}");
    });
}

#[test]
fn two_long_polls_never_hold_messages_of_one_group() {
    // F21
    with_each_face(|face, clock| {
        let jobs = fifo(clock).build().unwrap();
        let mut line = line(face, clock, &jobs, 3).into_iter();
        let batch = [("g1", "g1-1"), ("g1", "g1-2"), ("g2", "g2-1")];
        let batch = jobs.send_batch(batch.map(|(group, body)| in_group(group, body)));
        assert_eq!(batch.unwrap().failed, []);
        assert_eq!(line.next().unwrap().over(), one("g1-1"), "{face:?}");
        assert_eq!(line.next().unwrap().over(), one("g2-1"), "{face:?}");
        let mut third = line.next().unwrap();
        third.waits();
        assert_eq!((jobs.waiting(), counts(&jobs)), (1, [1, 2, 0]));
    });
}

#[test]
fn b28_three_long_polls_share_a_group_one_message_after_the_other() {
    with_each_face(|face, clock| {
        let jobs = fifo(clock).visibility_timeout(secs(60)).build().unwrap();
        let mut line = line(face, clock, &jobs, 3).into_iter();
        jobs.send(in_group("g1", "m1")).unwrap();
        let first = line.next().unwrap().result().unwrap();
        assert_eq!(bodies(&first), ["m1"], "{face:?}");
        jobs.send(in_group("g1", "m2")).unwrap();
        let (mut second, mut third) = (line.next().unwrap(), line.next().unwrap());
        clock.advance(secs(2));
        second.waits();
        third.waits();
        assert_eq!((jobs.waiting(), counts(&jobs)), (2, [1, 1, 0]), "{face:?}");
        first[0].delete().unwrap();
        assert_eq!(second.over(), one("m2"), "{face:?}: at once");
        third.waits();
        clock.advance(secs(18));
        assert_eq!(third.over(), Ok(Vec::new()), "{face:?}");
    });
}
