//! A receive that is given up loses no message and hides none.

use {
    crate::{
        common::{bodies, counts, fifo, receive, secs, send_grouped, standard, take_for},
        waiter::{Polled, Received, Waiter, long_poll, with_each_face},
    },
    requeue::{ManualClock, Queue, SendMessage},
    std::{
        future::{Future, IntoFuture},
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

const WAIT: Duration = secs(20);

fn one(body: &str) -> Received {
    Ok(vec![body.to_owned()])
}

fn unpolled(queue: &Queue) -> Polled<Received> {
    long_poll(queue, |queue| queue.receive().wait_time(WAIT))
}

fn pending(queue: &Queue) -> Polled<Received> {
    let mut poll = unpolled(queue);
    assert!(poll.poll().is_pending());
    poll
}

#[test]
fn a_future_dropped_before_its_first_poll_has_never_been_in_line() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("a").unwrap();
    drop(unpolled(&jobs));
    drop(jobs.receive().into_future());
    assert_eq!((jobs.waiting(), counts(&jobs)), (0, [1, 0, 0]));
    let mut waiting = unpolled(&jobs);
    assert_eq!(waiting.poll(), Poll::Ready(one("a")));
}

#[test]
fn a_future_dropped_in_line_leaves_its_place_to_the_next() {
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let first = pending(&jobs);
        let next = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        drop(first);
        assert_eq!(jobs.waiting(), 1);
        jobs.send("a").unwrap();
        assert_eq!(next.over(), one("a"), "{face:?}");
    });
}

#[test]
fn a_future_dropped_after_its_wake_passes_it_on() {
    // Its message would otherwise stay unseen until the next event.
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let first = pending(&jobs);
        let mut next = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        jobs.send("a").unwrap();
        assert_eq!(first.wakes.count(), 1);
        next.waits();
        drop(first);
        assert_eq!(next.over(), one("a"), "{face:?}");
    });
}

#[test]
fn a_wake_is_passed_on_along_the_whole_line() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut line: Vec<_> = (0..5).map(|_| pending(&jobs)).collect();
    let mut last = line.pop().unwrap();
    jobs.send("a").unwrap();
    for future in line {
        assert_eq!((future.wakes.count(), last.wakes.count()), (1, 0));
        drop(future);
    }
    assert_eq!((last.wakes.count(), last.poll()), (1, Poll::Ready(one("a"))));
}

#[test]
fn a_future_dropped_after_its_wake_in_vain_wakes_nobody() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let (first, next) = (pending(&jobs), pending(&jobs));
    jobs.send("a").unwrap();
    take_for(&jobs, secs(20)).delete().unwrap();
    drop(first);
    assert_eq!(next.wakes.count(), 0);
}

#[test]
fn a_future_kept_after_its_wake_and_not_polled_holds_a_message_up_until_the_next_call() {
    // D11 D12
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let idle = pending(&jobs);
        let mut next = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        jobs.send("a").unwrap();
        assert_eq!(idle.wakes.count(), 1);
        next.waits();
        assert_eq!(counts(&jobs), [1, 0, 0], "any call");
        assert_eq!(next.over(), one("a"), "{face:?}");
    });
}

#[test]
fn a_future_kept_after_the_clock_woke_it_holds_a_message_up_until_the_next_call() {
    // D11 D12: the end of a delay, at which nobody calls
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        jobs.send(SendMessage::new("a").delay(secs(5))).unwrap();
        let idle = pending(&jobs);
        let mut next = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        clock.advance(secs(5));
        assert_eq!(idle.wakes.count(), 1);
        next.waits();
        assert_eq!(counts(&jobs), [1, 0, 0], "any call");
        assert_eq!(next.over(), one("a"), "{face:?}");
    });
}

#[test]
fn a_future_kept_after_its_wake_and_not_polled_does_not_keep_others_from_what_falls_due() {
    // D11 D12
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        let idle = pending(&jobs);
        let mut next = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        jobs.send("a").unwrap();
        take_for(&jobs, secs(5));
        assert_eq!(idle.wakes.count(), 1);
        next.waits();
        clock.advance(secs(5));
        assert_eq!(next.over(), one("a"), "{face:?}");
    });
}

#[test]
fn a_future_dropped_at_the_end_of_a_timeout_passes_its_wake_on() {
    // Woken by the clock, not by the queue, which does not know of it yet.
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        jobs.send("a").unwrap();
        take_for(&jobs, secs(5));
        let first = pending(&jobs);
        let mut next = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        clock.advance(secs(5));
        assert_eq!(first.wakes.count(), 1);
        next.waits();
        drop(first);
        clock.advance(Duration::ZERO);
        assert_eq!(next.over(), one("a"), "{face:?}");
    });
}

#[test]
fn a_future_that_would_have_looked_at_a_timeout_leaves_that_to_the_next() {
    with_each_face(|face, clock| {
        let jobs = standard(clock).build().unwrap();
        jobs.send("a").unwrap();
        take_for(&jobs, secs(5));
        let first = pending(&jobs);
        let mut next = Waiter::receiving(face, clock, 2, &jobs, |jobs| jobs.receive().wait_time(WAIT));
        clock.advance(secs(1));
        drop(first);
        next.waits();
        clock.advance(secs(4));
        assert_eq!(next.over(), one("a"), "{face:?}");
    });
}

#[test]
fn a_future_dropped_on_a_fifo_queue_leaves_the_group_unlocked() {
    // F18
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let (first, mut next) = (pending(&jobs), pending(&jobs));
    send_grouped(&jobs, ["g-1"]);
    drop(first);
    assert_eq!(next.poll(), Poll::Ready(one("g-1")));
}

#[test]
fn what_a_future_has_received_comes_back_if_it_is_dropped_with_it() {
    // As any message that nobody deletes: at the end of its timeout.
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let mut first = pending(&jobs);
    jobs.send("a").unwrap();
    assert!(first.poll().is_ready());
    drop(first);
    assert_eq!((jobs.waiting(), counts(&jobs)), (0, [0, 1, 0]));
    clock.advance(secs(30));
    assert_eq!(bodies(&receive(&jobs, 1)), ["a"]);
}

#[test]
fn a_future_dropped_after_the_queue_is_deleted_does_no_harm() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let (first, mut next) = (pending(&jobs), pending(&jobs));
    jobs.delete_queue().unwrap();
    drop(first);
    assert_eq!(
        next.poll().map(|result| result.unwrap_err().code()),
        Poll::Ready("QueueDoesNotExist")
    );
}

/// The first of two futures to be ready; the other is dropped within that very poll.
struct Either<F>(Option<[Pin<Box<F>>; 2]>);

impl<F: Future> Future for Either<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let both = self.0.as_mut().expect("not polled again");
        let ready = both.iter_mut().find_map(|it| match it.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        });
        if ready.is_some() {
            self.0 = None;
        }
        ready.map_or(Poll::Pending, Poll::Ready)
    }
}

#[test]
fn of_two_receives_that_race_only_one_takes_a_message() {
    let clock = ManualClock::default();
    let urgent = Queue::standard("urgent").clock(clock.clone()).build().unwrap();
    let normal = Queue::standard("normal").clock(clock).build().unwrap();
    let receive = |queue: &Queue| {
        let queue = queue.clone();
        Box::pin(async move { queue.receive().wait_time(WAIT).await.unwrap().len() })
    };
    for (winner, loser) in [(&urgent, &normal), (&normal, &urgent)] {
        let mut race = pin!(Either(Some([receive(&urgent), receive(&normal)])));
        let mut context = Context::from_waker(Waker::noop());
        assert!(race.as_mut().poll(&mut context).is_pending());
        winner.send("a").unwrap();
        assert_eq!(race.as_mut().poll(&mut context), Poll::Ready(1));
        assert_eq!((urgent.waiting(), normal.waiting()), (0, 0));
        loser.send("b").unwrap();
        assert_eq!(counts(loser)[0], 1, "nobody holds it");
        assert_eq!(bodies(&receive_all(loser)), ["b"]);
    }
}

fn receive_all(queue: &Queue) -> Vec<requeue::Message> {
    let messages = receive(queue, 10);
    messages.iter().for_each(|message| message.delete().unwrap());
    messages
}

#[test]
fn both_receives_of_one_race_on_one_queue_leave_its_line() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let receive = || {
        let jobs = jobs.clone();
        Box::pin(async move { jobs.receive().wait_time(WAIT).await.unwrap().len() })
    };
    let mut race = pin!(Either(Some([receive(), receive()])));
    let mut other = pending(&jobs);
    let mut context = Context::from_waker(Waker::noop());
    assert!(race.as_mut().poll(&mut context).is_pending());
    assert_eq!(jobs.waiting(), 3);
    assert_eq!(jobs.send_batch(["a", "b"]).unwrap().failed, []);
    assert_eq!(other.poll(), Poll::Ready(one("a")));
    assert_eq!(race.as_mut().poll(&mut context), Poll::Ready(1));
    assert_eq!((jobs.waiting(), counts(&jobs)), (0, [0, 2, 0]));
}
