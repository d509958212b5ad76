//! A thousand parked receivers cost nothing, and an event wakes only who has something to do.

use {
    crate::{
        common::{counts, fifo, millis, secs, send_grouped, standard, take_for},
        waiter::{Polled, Received, long_poll},
    },
    requeue::{Alarm, Clock, ManualClock, Parker, Queue, SendMessage, Timestamp},
    std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Poll, Waker},
        thread::{self, JoinHandle},
        time::Duration,
    },
};

const WAIT: Duration = secs(20);

fn crowd(queue: &Queue, size: usize) -> Vec<Polled<Received>> {
    let begin = |_| {
        let mut future = long_poll(queue, |queue| queue.receive().wait_time(WAIT));
        assert!(future.poll().is_pending());
        future
    };
    (0..size).map(begin).collect()
}

/// Polls whoever was woken, until nobody is; how many polls that took, and what came of them.
fn run(crowd: &mut Vec<Polled<Received>>) -> (usize, Vec<String>) {
    let (mut polls, mut received) = (0, Vec::new());
    while crowd.iter().any(|future| future.wakes.count() > 0) {
        crowd.retain_mut(|future| {
            if future.wakes.take() == 0 {
                return true;
            }
            polls += 1;
            let Poll::Ready(result) = future.poll() else {
                return true;
            };
            received.extend(result.unwrap());
            false
        });
    }
    (polls, received)
}

#[test]
fn a_message_wakes_one_of_a_thousand_futures_and_another_only_if_one_must_watch_its_timeout() {
    for (timeout, expected) in [(secs(30), 1), (secs(20), 1), (secs(19), 2)] {
        let jobs = standard(&ManualClock::default())
            .visibility_timeout(timeout)
            .build()
            .unwrap();
        let mut crowd = crowd(&jobs, 1_000);
        jobs.send("first").unwrap();
        run(&mut crowd);
        for round in 1..10 {
            jobs.send(format!("{round}")).unwrap();
            let woken = crowd.iter().filter(|future| future.wakes.count() > 0).count();
            assert_eq!(woken, 1);
            let (polls, received) = run(&mut crowd);
            assert_eq!(received, [format!("{round}")]);
            assert_eq!(polls, expected, "polls for one message, {timeout:?}");
        }
        assert_eq!((crowd.len(), jobs.waiting()), (990, 990));
    }
}

#[test]
fn ten_messages_wake_ten_of_a_thousand_futures() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut crowd = crowd(&jobs, 1_000);
    assert_eq!(jobs.send_batch((0..10).map(|n| n.to_string())).unwrap().failed, []);
    let (polls, received) = run(&mut crowd);
    assert_eq!((polls, received.len()), (10, 10));
}

#[test]
fn a_deadline_of_the_queue_wakes_only_the_first_of_a_thousand_futures() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    for second in 1..=10 {
        jobs.send(SendMessage::new(second.to_string()).delay(secs(second)))
            .unwrap();
    }
    let mut crowd = crowd(&jobs, 1_000);
    for second in 1..=10 {
        clock.advance(secs(1));
        assert_eq!(crowd.iter().filter(|future| future.wakes.count() > 0).count(), 1);
        assert!(crowd[0].wakes.count() > 0, "the first in line");
        let (polls, received) = run(&mut crowd);
        assert_eq!(received, [second.to_string()]);
        // The next in line has to watch the deadline after this one.
        assert!(polls <= 2, "{polls} polls for one deadline");
    }
}

#[test]
fn time_that_brings_nothing_wakes_nobody() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let held = (0..100).map(|n| n.to_string()).collect::<Vec<_>>();
    for body in &held {
        jobs.send(body.as_str()).unwrap();
        take_for(&jobs, secs(60));
    }
    let mut crowd = crowd(&jobs, 1_000);
    for _ in 0..19 {
        clock.advance(secs(1));
    }
    assert_eq!(run(&mut crowd), (0, Vec::new()));
    clock.advance(secs(1));
    let (polls, received) = run(&mut crowd);
    assert_eq!(
        (polls, received.len(), crowd.len()),
        (1_000, 0, 0),
        "each once, as its time is up"
    );
    assert_eq!((jobs.waiting(), clock.next_deadline()), (0, None));
}

#[test]
fn receives_sends_and_deletes_of_others_wake_no_one_without_need() {
    // A crowd waits for a locked group while others work.
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    send_grouped(&jobs, ["g-0"]);
    let mut held = take_for(&jobs, secs(60));
    let mut crowd = crowd(&jobs, 1_000);
    for n in 1..100 {
        send_grouped(&jobs, [format!("g-{n}").as_str()]);
    }
    assert_eq!(run(&mut crowd), (0, Vec::new()));
    held.change_visibility(secs(120)).unwrap();
    assert_eq!(run(&mut crowd), (0, Vec::new()));
    held.delete().unwrap();
    let (polls, received) = run(&mut crowd);
    assert_eq!(received, ["g-1"]);
    assert!(polls <= 2, "{polls} polls");
    assert_eq!(counts(&jobs), [98, 1, 0]);
    jobs.purge().unwrap();
    clock.advance(millis(1));
    assert_eq!(run(&mut crowd), (0, Vec::new()));
    held = {
        send_grouped(&jobs, ["h-1"]);
        let (polls, received) = run(&mut crowd);
        assert!(received == ["h-1"] && polls <= 2);
        held
    };
    drop(held);
}

#[test]
fn a_thousand_wakes_of_futures_that_have_not_looked_yet_do_not_slow_the_sender() {
    // Each send finds the next in line without passing by all who are on their way.
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut crowd = crowd(&jobs, 20_000);
    for n in 0..20_000 {
        jobs.send(n.to_string()).unwrap();
    }
    assert!(crowd.iter().all(|future| future.wakes.count() == 1));
    let (polls, received) = run(&mut crowd);
    assert_eq!((polls, received.len()), (20_000, 20_000));
}

/// A clock that counts how often threads go to sleep on it.
#[derive(Clone, Default)]
struct Counting {
    clock: ManualClock,
    parks: Arc<AtomicUsize>,
}

impl Clock for Counting {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        self.parks.fetch_add(1, Ordering::Relaxed);
        self.clock.park_until(parker, deadline);
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        self.clock.wake_at(deadline, waker)
    }
}

const THREADS: usize = 48;

/// So many threads in line, each of which receives once.
fn threads(clock: &Counting, queue: &Queue) -> Vec<JoinHandle<Vec<String>>> {
    let begin = |nth| {
        let queue = queue.clone();
        let thread = thread::spawn(move || {
            let messages = queue.receive().wait_time(WAIT).blocking().unwrap();
            messages.iter().map(|message| message.body().to_owned()).collect()
        });
        clock.clock.wait_for_sleepers(nth);
        thread
    };
    (1..=THREADS).map(begin).collect()
}

#[test]
fn a_message_wakes_one_of_many_threads() {
    let clock = Counting::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let mut threads = threads(&clock, &jobs).into_iter();
    for round in 0..8 {
        let before = clock.parks.load(Ordering::Relaxed);
        jobs.send(format!("{round}")).unwrap();
        assert_eq!(threads.next().unwrap().join().unwrap(), [format!("{round}")]);
        clock.clock.advance(Duration::ZERO);
        assert_eq!(clock.parks.load(Ordering::Relaxed), before, "no thread looked in vain");
    }
    assert_eq!(jobs.waiting(), THREADS - 8);
    end(&clock, threads);
}

#[test]
fn a_deadline_of_the_queue_wakes_only_the_first_of_many_threads() {
    let clock = Counting::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    for second in 1..=8 {
        jobs.send(SendMessage::new(second.to_string()).delay(secs(second)))
            .unwrap();
    }
    let mut threads = threads(&clock, &jobs).into_iter();
    for second in 1..=8 {
        let before = clock.parks.load(Ordering::Relaxed);
        clock.clock.advance(secs(1));
        assert_eq!(threads.next().unwrap().join().unwrap(), [second.to_string()]);
        clock.clock.advance(Duration::ZERO);
        let parks = clock.parks.load(Ordering::Relaxed) - before;
        assert!(parks <= 1, "{parks} threads looked in vain");
    }
    end(&clock, threads);
}

/// Lets the threads that are left wait until their time is up: each looks once more.
fn end(clock: &Counting, threads: impl Iterator<Item = JoinHandle<Vec<String>>>) {
    let before = clock.parks.load(Ordering::Relaxed);
    clock.clock.advance(WAIT);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), <[String; 0]>::default());
    }
    let parks = clock.parks.load(Ordering::Relaxed) - before;
    assert!(parks <= THREADS, "{parks} looks in vain");
}
