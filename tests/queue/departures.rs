//! Dead letters on their way: what others see and do meanwhile, and many of them at once (L7, L9, L17).

use {
    crate::common::{bodies, counts, fifo, in_group, receive, receive_for, secs, standard, take},
    requeue::{
        Fact, FactEntry, FactListener, Limits, ManualClock, Queue, QueueAttributes, QueueBuilder, RedrivePolicy,
        Service, StartMessageMoveTask,
    },
    std::{
        sync::{
            Arc, Mutex, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
        thread,
        time::Duration,
    },
};

/// Builders of a dead-letter queue and its source, of either type.
fn each_type(clock: &ManualClock) -> [(QueueBuilder, QueueBuilder); 2] {
    let dead = Queue::standard("dead").clock(clock.clone());
    let fifo_dead = Queue::fifo("dead.fifo").clock(clock.clone());
    [(dead, standard(clock)), (fifo_dead, fifo(clock))]
}

/// Receives messages and gives them back at once.
fn fail(jobs: &Queue, max_messages: usize) -> usize {
    receive_for(jobs, max_messages, Duration::ZERO).len()
}

/// Receives from both queues while a message is on its way.
#[derive(Clone, Default)]
struct Watcher {
    queues: Arc<OnceLock<(Queue, Queue)>>,
    seen: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl FactListener for Watcher {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        if matches!(entry.fact, Fact::Arrived { .. } | Fact::DeadLettered { .. }) {
            let (jobs, dead) = self.queues.get().unwrap();
            let found = (fail(jobs, 10), fail(dead, 10));
            self.seen.lock().unwrap().push(found);
        }
    }
}

#[test]
fn a_message_on_its_way_is_received_from_the_target_alone() {
    // L17
    let clock = ManualClock::default();
    let watcher = Watcher::default();
    let dead = Queue::standard("dead")
        .clock(clock.clone())
        .listener(watcher.clone())
        .build()
        .unwrap();
    let jobs = standard(&clock)
        .dead_letter(&dead, 1)
        .listener(watcher.clone())
        .build()
        .unwrap();
    assert!(watcher.queues.set((jobs.clone(), dead)).is_ok());
    jobs.send("m").unwrap();
    fail(&jobs, 1);
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!(*watcher.seen.lock().unwrap(), [(0, 1), (0, 1)]);
}

/// Deletes a dead-letter queue at the first fact after it was told to.
#[derive(Clone)]
struct Remover(Queue, Arc<AtomicBool>);

impl FactListener for Remover {
    fn on_fact(&self, _: &Arc<str>, _: &FactEntry) {
        if self.1.swap(false, Ordering::Relaxed) {
            self.0.delete_queue().unwrap();
        }
    }
}

/// A queue whose next receive would send its poison away, and who can remove the target meanwhile.
fn poisoned(dead: QueueBuilder, jobs: QueueBuilder) -> (Remover, Queue) {
    let dead = dead.build().unwrap();
    let remover = Remover(dead.clone(), Arc::default());
    let jobs = jobs.dead_letter(&dead, 1).listener(remover.clone()).build().unwrap();
    jobs.send(in_group("g", "poison")).unwrap();
    fail(&jobs, 1);
    (remover, jobs)
}

#[test]
fn a_message_whose_target_is_deleted_while_it_is_on_its_way_stays() {
    // L9 L17: the facts of a receive are handed on before its dead letters leave
    let clock = ManualClock::default();
    for (dead, jobs) in each_type(&clock) {
        let (remover, jobs) = poisoned(dead, jobs);
        jobs.send(in_group("g", "next")).unwrap();
        remover.1.store(true, Ordering::Relaxed);
        assert_eq!(bodies(&receive(&jobs, 1)), ["next"]);
        assert_eq!(counts(&jobs), [1, 1, 0]);
        let messages = receive(&jobs, 10);
        assert_eq!(
            (bodies(&messages), messages[0].approximate_receive_count()),
            (vec!["poison"], 2)
        );
    }
}

#[test]
fn a_message_that_stayed_wakes_a_long_poll_when_it_is_given_back() {
    // L9 D11
    let clock = ManualClock::default();
    for (dead, jobs) in each_type(&clock) {
        let (remover, jobs) = poisoned(dead, jobs);
        jobs.send(in_group("h", "next")).unwrap();
        remover.1.store(true, Ordering::Relaxed);
        assert_eq!(bodies(&receive(&jobs, 1)), ["next"]);
        let poison = take(&jobs);
        thread::scope(|scope| {
            let poll = scope.spawn(|| jobs.receive().wait_time(secs(20)).blocking().unwrap());
            clock.wait_for_sleepers(1);
            poison.change_visibility(Duration::ZERO).unwrap();
            assert_eq!(bodies(&poll.join().unwrap()), ["poison"]);
        });
    }
}

#[test]
fn a_receive_goes_on_after_any_number_of_dead_letters() {
    // L7 F28
    let clock = ManualClock::default();
    for poison in [1, 99, 100, 101, 200, 250] {
        for (dead, jobs) in each_type(&clock) {
            let dead = dead.build().unwrap();
            let mut limits = Limits::default();
            limits.receive_messages = 1_000;
            let jobs = jobs.dead_letter(&dead, 1).limits(limits).build().unwrap();
            for number in 0..poison {
                jobs.send(in_group("g", &number.to_string())).unwrap();
            }
            assert_eq!(fail(&jobs, 1_000), poison);
            jobs.send(in_group("g", "good")).unwrap();
            assert_eq!(bodies(&receive(&jobs, 1)), ["good"], "{poison} dead letters before it");
            assert_eq!((counts(&jobs), counts(&dead)), ([0, 1, 0], [poison, 0, 0]));
            jobs.send(in_group("h", "more")).unwrap();
            assert_eq!(fail(&jobs, 10), 1);
            assert_eq!(fail(&jobs, 10), 0, "only one is left to leave");
            let letters = dead.snapshot().messages;
            assert!(
                letters[..poison]
                    .iter()
                    .enumerate()
                    .all(|(place, it)| **it.content.body() == *place.to_string()),
                "in order"
            );
        }
    }
}

#[test]
fn a_dead_letter_received_with_visibility_zero_can_be_moved_back() {
    // F25 L31
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock).seed(1).build();
    let attributes = || {
        QueueAttributes::new()
            .fifo_queue(true)
            .content_based_deduplication(true)
    };
    let dead = service.create_queue("dead.fifo", attributes()).unwrap();
    let policy = RedrivePolicy::new(dead.arn(), 1);
    let jobs = service
        .create_queue("jobs.fifo", attributes().redrive_policy(policy))
        .unwrap();
    for body in ["m1", "m2", "m3"] {
        jobs.send(in_group("g", body)).unwrap();
    }
    assert_eq!((fail(&jobs, 10), fail(&jobs, 10)), (3, 0));
    assert_eq!(fail(&dead, 2), 2);
    service
        .start_message_move_task(&StartMessageMoveTask::new(dead.arn()))
        .unwrap();
    assert_eq!(counts(&dead), [0, 0, 0]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["m1", "m2", "m3"]);
}
