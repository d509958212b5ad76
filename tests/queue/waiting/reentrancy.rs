//! Wakers and listeners that call the queue back, and code of an executor that runs where it is least expected.

use {
    crate::{
        common::{bodies, fifo, in_group, millis, receive, secs, send_grouped, standard, take_for},
        waiter::{Polled, Wakes, long_poll, within_patience},
    },
    requeue::{Budget, Clock, Fact, FactEntry, FactListener, ManualClock, Queue, QueueAttributes},
    std::{
        future::Future,
        panic,
        pin::Pin,
        sync::{Arc, Barrier, Mutex, OnceLock},
        task::{Context, Poll, Wake, Waker},
        thread,
        time::Duration,
    },
};

const WAIT: Duration = secs(20);

struct Call<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn calling(call: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(Call(call)).into()
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A receive that keeps what it gets from nobody.
fn receiving(queue: &Queue) -> Task {
    let queue = queue.clone();
    Box::pin(async move { drop(queue.receive().wait_time(WAIT).await) })
}

fn poll(task: &mut Task, waker: &Waker) -> Poll<()> {
    task.as_mut().poll(&mut Context::from_waker(waker))
}

#[test]
fn a_waker_may_call_the_queue() {
    within_patience(|| {
        let jobs = standard(&ManualClock::default()).build().unwrap();
        let (sent, owned) = (OnceLock::new(), jobs.clone());
        let waker = calling(move || {
            sent.get_or_init(|| owned.send("from the waker").unwrap());
            assert_eq!(owned.waiting(), 1);
        });
        let mut task = receiving(&jobs);
        assert!(poll(&mut task, &waker).is_pending());
        jobs.send("a").unwrap();
        assert_eq!(bodies(&receive(&jobs, 10)), ["a", "from the waker"]);
    });
}

#[test]
fn a_waker_may_poll_its_own_future() {
    within_patience(|| {
        let jobs = standard(&ManualClock::default()).build().unwrap();
        let task = Arc::new(Mutex::new(receiving(&jobs)));
        let owned = Arc::clone(&task);
        let waker = calling(move || {
            let waker = Waker::noop();
            assert!(poll(&mut owned.lock().unwrap(), waker).is_ready());
        });
        assert!(poll(&mut task.lock().unwrap(), &waker).is_pending());
        jobs.send("a").unwrap();
        assert_eq!(jobs.waiting(), 0);
    });
}

#[test]
fn a_waker_may_drop_another_receive_of_the_queue() {
    within_patience(|| {
        let jobs = standard(&ManualClock::default()).build().unwrap();
        let mut other = receiving(&jobs);
        assert!(poll(&mut other, Waker::noop()).is_pending());
        let other = Mutex::new(Some(other));
        // The other is the first in line, so the first message wakes it and the second the one that drops it.
        let waker = calling(move || drop(other.lock().unwrap().take()));
        let mut task = receiving(&jobs);
        assert!(poll(&mut task, &waker).is_pending());
        jobs.send("a").unwrap();
        assert_eq!(jobs.waiting(), 2);
        jobs.send("b").unwrap();
        assert_eq!(jobs.waiting(), 1);
        assert!(poll(&mut task, &waker).is_ready());
    });
}

/// A waker that owns a future, as the task of an executor does.
struct Owner(Mutex<Task>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

/// A waker whose last drop ends a receive, which waits once it is polled.
fn owner_of_a_receive(queue: &Queue) -> Arc<Owner> {
    Arc::new(Owner(Mutex::new(receiving(queue))))
}

fn begin_to_wait(owner: &Owner) {
    assert!(poll(&mut owner.0.lock().unwrap(), Waker::noop()).is_pending());
}

/// A receive that waits under a waker whose last drop ends another, and which only the queue still holds: the clock
/// has called it, in vain.
fn last_in_line(clock: &ManualClock, jobs: &Queue) -> Task {
    jobs.send("a").unwrap();
    take_for(jobs, secs(5));
    let (mut task, owner) = (receiving(jobs), owner_of_a_receive(jobs));
    assert!(poll(&mut task, &Arc::clone(&owner).into()).is_pending());
    begin_to_wait(&owner);
    assert_eq!(jobs.waiting(), 2);
    clock.advance(secs(5));
    take_for(jobs, secs(60));
    assert_eq!(Arc::strong_count(&owner), 2, "it is in line only");
    task
}

#[test]
fn a_waker_that_is_replaced_may_drop_another_receive_of_the_queue() {
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = standard(&clock).build().unwrap();
        let mut task = last_in_line(&clock, &jobs);
        assert!(
            poll(&mut task, Waker::noop()).is_pending(),
            "in the hands of another task"
        );
        assert_eq!(jobs.waiting(), 1);
    });
}

#[test]
fn a_waker_that_leaves_the_line_may_drop_another_receive_of_the_queue() {
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = standard(&clock).build().unwrap();
        drop(last_in_line(&clock, &jobs));
        assert_eq!(jobs.waiting(), 0);

        let mut task = last_in_line(&clock, &jobs);
        jobs.send("b").unwrap();
        assert!(poll(&mut task, Waker::noop()).is_ready());
        assert_eq!(jobs.waiting(), 0);
    });
}

#[test]
fn a_waker_that_ends_with_the_queue_may_drop_another_receive_of_it() {
    within_patience(|| {
        let jobs = standard(&ManualClock::default()).build().unwrap();
        let mut task = receiving(&jobs);
        let owner = owner_of_a_receive(&jobs);
        assert!(poll(&mut task, &Arc::clone(&owner).into()).is_pending());
        begin_to_wait(&owner);
        drop(owner);
        jobs.delete_queue().unwrap();
        assert_eq!(jobs.waiting(), 0);
        assert!(poll(&mut task, Waker::noop()).is_ready());
    });
}

#[test]
fn a_waker_that_a_sender_leaves_behind_may_drop_a_receive_of_the_queue() {
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = standard(&clock)
            .budget(Budget::new().bytes(3))
            .message_retention_period(secs(60));
        let jobs = jobs.build().unwrap();
        for leaves in [false, true] {
            jobs.send("a").unwrap();
            clock.advance(secs(30));
            jobs.send("bb").unwrap();
            let _held = [(); 2].map(|()| take_for(&jobs, secs(3_600)));
            let owner = owner_of_a_receive(&jobs);
            begin_to_wait(&owner);
            let owned = jobs.clone();
            let mut task: Task = Box::pin(async move { drop(owned.send_timeout_async("ccc", secs(1_000)).await) });
            assert!(poll(&mut task, &Arc::clone(&owner).into()).is_pending());
            // The clock calls the waker at an expiry that makes too little room.
            clock.advance(secs(30));
            assert_eq!((jobs.waiting(), Arc::strong_count(&owner)), (1, 2));
            drop(owner);
            if leaves {
                drop(task);
            } else {
                assert!(poll(&mut task, Waker::noop()).is_pending());
            }
            assert_eq!(jobs.waiting(), 0);
            clock.advance(secs(60));
        }
    });
}

fn panicking() -> Waker {
    calling(|| panic::resume_unwind(Box::new("a waker's own panic")))
}

#[test]
fn a_waker_that_panics_takes_nobody_elses_wake_and_no_fact() {
    // One delete unlocks the group for a receiver and makes room for a sender.
    let facts = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&facts);
    let listener = Listener(move |entry: &FactEntry| log.lock().unwrap().push(entry.fact.clone()));
    let jobs = fifo(&ManualClock::default())
        .budget(Budget::new().messages(2))
        .listener(listener);
    let jobs = jobs.build().unwrap();
    send_grouped(&jobs, ["g-1", "g-2"]);
    let first = take_for(&jobs, secs(30));
    let mut receiver = receiving(&jobs);
    assert!(poll(&mut receiver, &panicking()).is_pending());
    let owned = jobs.clone();
    let mut sender = Polled::new(async move { owned.send_timeout_async(in_group("g", "g-3"), WAIT).await });
    assert!(sender.poll().is_pending());
    first.delete().unwrap();
    assert_eq!(sender.wakes.count(), 1);
    assert!(matches!(facts.lock().unwrap().last(), Some(Fact::Deleted { .. })));
    assert!(poll(&mut receiver, Waker::noop()).is_ready());
}

#[test]
fn a_waker_that_panics_does_not_keep_the_end_of_the_queue_from_the_others() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut receiver = receiving(&jobs);
    assert!(poll(&mut receiver, &panicking()).is_pending());
    let mut other = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
    assert!(other.poll().is_pending());
    jobs.delete_queue().unwrap();
    assert_eq!(other.wakes.count(), 1);
    assert!(other.poll().is_ready() && poll(&mut receiver, Waker::noop()).is_ready());
}

#[test]
fn a_receiver_dropped_with_a_wake_for_one_whose_waker_panics_is_dropped_well() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut first = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
    assert!(first.poll().is_pending());
    let mut next = receiving(&jobs);
    assert!(poll(&mut next, &panicking()).is_pending());
    jobs.send("a").unwrap();
    drop(first);
    assert!(poll(&mut next, Waker::noop()).is_ready());
}

/// Calls back for each fact.
struct Listener<F>(F);

impl<F: Fn(&FactEntry) + Send + Sync + 'static> FactListener for Listener<F> {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        (self.0)(entry);
    }
}

/// A queue that is handed to its own listener once it exists.
fn with_listener(clock: &ManualClock, listener: impl Fn(&Queue, &FactEntry) + Send + Sync + 'static) -> Queue {
    let itself = Arc::new(OnceLock::<Queue>::new());
    let own = Arc::clone(&itself);
    let on_fact = move |entry: &FactEntry| listener(own.get().unwrap(), entry);
    let queue = standard(clock).listener(Listener(on_fact)).build().unwrap();
    itself.get_or_init(|| queue.clone());
    queue
}

#[test]
fn a_listener_may_receive_with_a_long_poll_from_its_own_queue() {
    within_patience(|| {
        let clock = ManualClock::default();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let jobs = with_listener(&clock, move |jobs, entry| {
            if matches!(entry.fact, Fact::Sent { .. }) {
                let messages = jobs.receive().wait_time(WAIT).blocking().unwrap();
                log.lock().unwrap().push(messages[0].body().to_owned());
            }
        });
        jobs.send("a").unwrap();
        jobs.send("b").unwrap();
        assert_eq!(*received.lock().unwrap(), ["a", "b"]);
    });
}

#[test]
fn what_a_listener_causes_is_handed_on_after_it_returns_and_before_the_call_does() {
    within_patience(|| {
        let facts = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&facts);
        let jobs = with_listener(&ManualClock::default(), move |jobs, entry| {
            let seen = log.lock().unwrap().len();
            log.lock().unwrap().push(entry.number);
            if entry.number < 4 {
                jobs.send("again").unwrap();
            }
            assert_eq!(log.lock().unwrap().len(), seen + 1, "none in between");
        });
        jobs.send("a").unwrap();
        assert_eq!(*facts.lock().unwrap(), [1, 2, 3, 4]);
    });
}

#[test]
fn a_listener_may_delete_its_queue_and_drop_its_receivers() {
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = with_listener(&clock, |jobs, entry| {
            if matches!(entry.fact, Fact::Sent { .. }) {
                jobs.delete_queue().unwrap();
            }
        });
        let mut waiting = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
        assert!(waiting.poll().is_pending());
        jobs.send("a").unwrap();
        let Poll::Ready(ended) = waiting.poll() else {
            panic!("it waits for a queue that is gone")
        };
        assert_eq!(ended.unwrap_err().code(), "QueueDoesNotExist");
    });
}

#[test]
fn listeners_of_two_queues_may_call_each_others_queue_at_the_same_time() {
    within_patience(|| {
        let clock = ManualClock::default();
        let queues: Arc<OnceLock<[Queue; 2]>> = Arc::default();
        let both_inside = Arc::new(Barrier::new(2));
        let build = |own: usize| {
            let (queues, both_inside) = (Arc::clone(&queues), Arc::clone(&both_inside));
            let forward = move |entry: &FactEntry| {
                if let Fact::Sent { content, .. } = &entry.fact {
                    if &**content.body() == "forward" {
                        both_inside.wait();
                        queues.get().unwrap()[1 - own].send("forwarded").unwrap();
                    }
                }
            };
            Queue::standard(["a", "b"][own])
                .clock(clock.clone())
                .listener(Listener(forward))
                .build()
                .unwrap()
        };
        let both = queues.get_or_init(|| [build(0), build(1)]);
        thread::scope(|scope| {
            for queue in both {
                scope.spawn(|| queue.send("forward").unwrap());
            }
        });
        for queue in both {
            assert_eq!(bodies(&receive(queue, 10)), ["forward", "forwarded"]);
        }
    });
}

/// What a listener panics with: dropping it panics too.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "the payload was dropped");
    }
}

#[test]
fn a_listener_that_panics_with_something_that_panics_when_dropped_leaves_the_queue_usable() {
    within_patience(|| {
        let jobs = with_listener(&ManualClock::default(), |_, _| panic::resume_unwind(Box::new(Bomb)));
        jobs.send("a").unwrap();
        let other = jobs.clone();
        thread::spawn(move || other.send("b").unwrap()).join().unwrap();
        assert_eq!(bodies(&receive(&jobs, 10)), ["a", "b"]);
    });
}

#[test]
fn what_a_look_finds_expired_is_told_before_it_goes_to_sleep() {
    // D37: nobody looked when it was due, and the long poll may take its twenty seconds
    let (clock, facts) = (ManualClock::default(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&facts);
    let listener = Listener(move |entry: &FactEntry| log.lock().unwrap().push(entry.fact.clone()));
    let jobs = standard(&clock).message_retention_period(secs(60)).listener(listener);
    let jobs = jobs.build().unwrap();
    jobs.send("a").unwrap();
    clock.advance(secs(61));
    let mut waiting = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
    assert!(waiting.poll().is_pending());
    assert!(matches!(facts.lock().unwrap().last(), Some(Fact::Expired { .. })));
}

#[test]
fn facts_are_never_dated_before_the_fact_before() {
    // D40: what a shorter retention ends was due earlier
    let clock = ManualClock::default();
    let facts = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&facts);
    let listener = Listener(move |entry: &FactEntry| log.lock().unwrap().push(entry.clone()));
    let jobs = fifo(&clock).delay(secs(900)).listener(listener).build().unwrap();
    jobs.send(in_group("g", "a")).unwrap();
    clock.advance(secs(800));
    jobs.send(in_group("g", "b")).unwrap();
    clock.advance(secs(50));
    jobs.set_attributes(QueueAttributes::new().delay(secs(10))).unwrap();
    take_for(&jobs, secs(1));
    clock.advance(secs(10));
    let attributes = QueueAttributes::new().message_retention_period(secs(60));
    jobs.set_attributes(attributes).unwrap();
    clock.advance(millis(1));
    let facts = facts.lock().unwrap();
    assert!(facts.is_sorted_by_key(|entry| entry.at), "{facts:#?}");
    let expired = facts.iter().filter(|entry| matches!(entry.fact, Fact::Expired { .. }));
    assert_eq!(expired.count(), 2);
    assert!(clock.now() > facts.last().unwrap().at);
}

#[test]
fn a_future_whose_alarm_went_off_before_the_clock_was_set_back_ends_all_the_same() {
    let clock = ManualClock::default();
    let start = clock.now();
    let jobs = standard(&clock).build().unwrap();
    let mut waiting = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
    assert!(waiting.poll().is_pending());
    clock.advance(WAIT);
    assert_eq!(waiting.wakes.take(), 1);
    clock.set(start);
    assert!(waiting.poll().is_pending());
    clock.advance(WAIT);
    assert_eq!(waiting.wakes.take(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(Ok(Vec::new())));
}

#[test]
fn a_future_may_move_from_task_to_task() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut task = receiving(&jobs);
    let tasks: [Arc<Wakes>; 3] = Default::default();
    for wakes in &tasks {
        assert!(poll(&mut task, &wakes.waker()).is_pending());
    }
    assert_eq!(jobs.waiting(), 1);
    jobs.send("a").unwrap();
    assert_eq!(
        tasks.each_ref().map(|wakes| wakes.count()),
        [0, 0, 1],
        "only the last task is woken"
    );
    drop(Polled::new(task));
}
