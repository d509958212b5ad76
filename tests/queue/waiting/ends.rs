//! How a long poll ends that nothing woke, and whose wait time counts.

use {
    crate::{
        common::{YEAR, counts, millis, receive, secs, standard, take_for, wait_for},
        waiter::{FACES, Face, Polled, Receiver, Waiter, long_poll, with_each_face},
    },
    requeue::{Clock, Fact, FactChannel, Limits, ManualClock, Queue, QueueAttributes, SendMessage, Timestamp},
    std::{task::Poll, time::Duration},
};

const WAIT: Duration = secs(20);

fn waiting(face: Face, clock: &ManualClock, queue: &Queue, wait: Duration) -> Receiver {
    Waiter::receiving(face, clock, 1, queue, move |queue| queue.receive().wait_time(wait))
}

/// When the facts say that a receive found nothing.
fn received_nothing(facts: &crossbeam_channel::Receiver<(std::sync::Arc<str>, requeue::FactEntry)>) -> Vec<Timestamp> {
    let empty = facts
        .try_iter()
        .filter(|(_, entry)| entry.fact == Fact::ReceivedNothing);
    empty.map(|(_, entry)| entry.at).collect()
}

#[test]
fn a_long_poll_that_finds_nothing_ends_empty_exactly_when_its_time_is_up() {
    // D10
    for face in FACES {
        for wait in [millis(1), millis(2_500), WAIT] {
            let clock = ManualClock::default();
            let (listener, facts) = FactChannel::unbounded();
            let jobs = standard(&clock).listener(listener).build().unwrap();
            let over_at = clock.now().saturating_add(wait);
            let mut waiter = waiting(face, &clock, &jobs, wait);
            clock.advance(wait - millis(1));
            waiter.waits();
            assert_eq!((jobs.waiting(), received_nothing(&facts)), (1, Vec::new()), "{face:?}");
            clock.advance(millis(1));
            assert_eq!(waiter.over(), Ok(Vec::new()), "{face:?}");
            assert_eq!(
                (jobs.waiting(), received_nothing(&facts)),
                (0, vec![over_at]),
                "{face:?}"
            );
        }
    }
}

#[test]
fn a_long_poll_that_was_woken_in_vain_has_received_nothing_once() {
    // 7.2: one empty receive, however often it looked
    let clock = ManualClock::default();
    let (listener, facts) = FactChannel::unbounded();
    let jobs = standard(&clock).listener(listener).build().unwrap();
    let mut poll = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
    for _ in 0..3 {
        assert!(poll.poll().is_pending());
        jobs.send("a").unwrap();
        take_for(&jobs, secs(3_600));
    }
    assert!(poll.poll().is_pending());
    let over_at = clock.now().saturating_add(WAIT);
    clock.advance(WAIT);
    assert_eq!(poll.poll(), Poll::Ready(Ok(Vec::new())));
    assert_eq!(received_nothing(&facts), [over_at]);
}

#[test]
fn a_long_poll_that_receives_or_fails_or_is_dropped_has_not_received_nothing() {
    let clock = ManualClock::default();
    let (listener, facts) = FactChannel::unbounded();
    let jobs = standard(&clock).listener(listener).build().unwrap();
    let mut polls = [(); 3].map(|()| long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT)));
    for poll in &mut polls {
        assert!(poll.poll().is_pending());
    }
    let [mut receives, dropped, mut fails] = polls;
    jobs.send("a").unwrap();
    assert!(receives.poll().is_ready());
    drop(dropped);
    jobs.delete_queue().unwrap();
    assert!(fails.poll().is_ready());
    assert_eq!(received_nothing(&facts), []);
}

#[test]
fn a_message_that_falls_due_as_the_time_is_up_is_received() {
    // D10: empty means that nothing was visible during the wait
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        jobs.send(SendMessage::new("a").delay(WAIT)).unwrap();
        let waiter = waiting(face, clock, &jobs, WAIT);
        clock.advance(WAIT);
        assert_eq!(waiter.over(), Ok(vec!["a".to_owned()]), "{face:?}");
    });
}

/// A queue whose receives wait five seconds unless they say otherwise.
fn patient(clock: &ManualClock) -> Queue {
    standard(clock).receive_message_wait_time(secs(5)).build().unwrap()
}

#[test]
fn an_explicit_wait_of_zero_beats_the_queues_own() {
    // D4
    let clock = ManualClock::default();
    let jobs = patient(&clock);
    let start = clock.now();
    assert!(jobs.receive().wait_time(Duration::ZERO).blocking().unwrap().is_empty());
    assert!(
        wait_for(&clock, jobs.receive().wait_time(Duration::ZERO))
            .unwrap()
            .is_empty()
    );
    assert_eq!(clock.now(), start);
}

#[test]
fn a_receive_that_says_nothing_waits_as_long_as_the_queue_says() {
    // 3.2
    with_each_face(|face, clock| {
        let jobs = patient(clock);
        let mut waiter = Waiter::receiving(face, clock, 1, &jobs, Queue::receive);
        clock.advance(millis(4_999));
        waiter.waits();
        clock.advance(millis(1));
        assert_eq!(waiter.over(), Ok(Vec::new()), "{face:?}");
    });
}

#[test]
fn an_explicit_wait_beats_the_queues_own_in_either_direction() {
    // D4
    for wait in [millis(1), WAIT] {
        let clock = ManualClock::default();
        let (jobs, start) = (patient(&clock), clock.now());
        assert!(wait_for(&clock, jobs.receive().wait_time(wait)).unwrap().is_empty());
        assert_eq!(clock.now().saturating_duration_since(start), wait);
    }
}

#[test]
fn the_wait_of_a_future_begins_with_its_first_poll() {
    let clock = ManualClock::default();
    let jobs = patient(&clock);
    let mut poll = long_poll(&jobs, Queue::receive);
    clock.advance(secs(60));
    let start = clock.now();
    assert!(poll.poll().is_pending());
    assert_eq!(clock.next_deadline(), Some(start.saturating_add(secs(5))));
}

#[test]
fn a_change_of_the_queues_wait_time_is_for_receives_that_begin_later() {
    // Q39, Q40
    with_each_face(|face, clock| {
        let jobs = patient(clock);
        let waiter = Waiter::receiving(face, clock, 1, &jobs, Queue::receive);
        for wait in [Duration::ZERO, WAIT] {
            let attributes = QueueAttributes::new().receive_message_wait_time(wait);
            jobs.set_attributes(attributes).unwrap();
        }
        clock.advance(secs(5));
        assert_eq!(waiter.over(), Ok(Vec::new()), "{face:?}");
    });
}

#[test]
fn a_queue_with_messages_keeps_no_long_poll_waiting() {
    // D10
    let clock = ManualClock::default();
    let (jobs, start) = (patient(&clock), clock.now());
    jobs.send("a").unwrap();
    assert_eq!(jobs.receive().wait_time(WAIT).blocking().unwrap().len(), 1);
    assert_eq!((clock.now(), jobs.waiting()), (start, 0));
}

#[test]
fn a_wait_without_end_ends_with_a_message() {
    // The limit is a value; an application may lift it.
    with_each_face(|face, clock| {
        let mut limits = Limits::default();
        limits.receive_wait_time = Duration::MAX;
        let jobs = standard(clock).limits(limits).build().unwrap();
        let mut waiter = waiting(face, clock, &jobs, Duration::MAX);
        clock.advance(1_000 * YEAR);
        waiter.waits();
        jobs.send("a").unwrap();
        assert_eq!(waiter.over(), Ok(vec!["a".to_owned()]), "{face:?}");
    });
}

#[test]
fn a_clock_that_jumps_ahead_by_years_ends_the_wait() {
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let waiter = waiting(face, clock, &jobs, WAIT);
        clock.set(clock.now().saturating_add(100 * YEAR));
        assert_eq!(waiter.over(), Ok(Vec::new()), "{face:?}");
    });
}

#[test]
fn a_clock_that_jumps_back_by_years_loses_no_message_and_no_receiver() {
    with_each_face(|face, clock| {
        let start = clock.now();
        let jobs = standard(clock).build().unwrap();
        jobs.send("a").unwrap();
        take_for(&jobs, secs(10));
        let waiter = waiting(face, clock, &jobs, WAIT);
        clock.set(start.saturating_sub(10 * YEAR));
        jobs.send("b").unwrap();
        assert_eq!(waiter.over(), Ok(vec!["b".to_owned()]), "{face:?}");
        // Time goes on from the latest seen: the timeout ends when the clock has made up for the jump.
        let waiter = waiting(face, clock, &jobs, WAIT);
        clock.advance(WAIT);
        assert_eq!(waiter.over(), Ok(Vec::new()), "{face:?}");
        clock.advance_to(start.saturating_add(secs(10)));
        assert_eq!(receive(&jobs, 10).len(), 1, "{face:?}");
        assert_eq!(counts(&jobs), [0, 2, 0]);
    });
}

#[test]
fn a_future_polled_for_nothing_waits_on() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let mut poll: Polled<_> = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
    for second in 0..20 {
        assert!(poll.poll().is_pending(), "{second}");
        assert_eq!(jobs.waiting(), 1);
        clock.advance(secs(1));
    }
    assert_eq!(poll.poll(), Poll::Ready(Ok(Vec::new())));
}
