//! Dead-letter moves from many threads at once: down a chain, and round a circle.

use {
    super::crew::{CONSUMERS, PRODUCERS},
    crate::{
        common::{counts, millis, receive, secs},
        waiter::within_patience,
    },
    requeue::{
        Fact, FactEntry, FactListener, Limits, ManualClock, Message, Queue, QueueAttributes, RedrivePolicy,
        SendMessage, Service,
    },
    std::{
        collections::BTreeSet,
        sync::{
            Arc, OnceLock,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        thread,
        time::Duration,
    },
};

const MESSAGES: usize = 400;

/// `jobs`, its dead-letter queue, and that one's own.
fn chain(clock: &ManualClock, fifo: bool) -> [Queue; 3] {
    let named = |name: &str| {
        let builder = if fifo {
            Queue::fifo(format!("{name}.fifo")).content_based_deduplication(true)
        } else {
            Queue::standard(name)
        };
        builder.clock(clock.clone()).visibility_timeout(millis(100))
    };
    let last = named("last").build().unwrap();
    let middle = named("middle").dead_letter(&last, 2).build().unwrap();
    let jobs = named("jobs").dead_letter(&middle, 3).build().unwrap();
    [jobs, middle, last]
}

fn send_all(queue: &Queue) {
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            scope.spawn(move || {
                for number in 0..MESSAGES / PRODUCERS {
                    let message = SendMessage::new(format!("{producer}-{number}"));
                    queue
                        .send(message.message_group_id(format!("g{}", number % 9)))
                        .unwrap();
                }
            });
        }
    });
}

fn bodies(queue: &Queue) -> Vec<String> {
    let messages = queue.snapshot().messages;
    messages
        .iter()
        .map(|message| message.content.body().to_string())
        .collect()
}

#[test]
fn poison_goes_down_a_chain_and_is_in_some_queue_at_every_instant() {
    // L6, L8, L16, L17
    for fifo in [false, true] {
        within_patience(move || {
            let clock = ManualClock::default();
            let queues = chain(&clock, fifo);
            send_all(&queues[0]);
            let (over, ended) = (AtomicBool::new(false), AtomicUsize::new(0));
            let received = [const { AtomicUsize::new(0) }; 2];
            thread::scope(|scope| {
                for consumer in 0..2 * CONSUMERS {
                    let (queue, received) = (&queues[consumer % 2], &received[consumer % 2]);
                    let (over, ended) = (&over, &ended);
                    scope.spawn(move || {
                        while !over.load(Ordering::Acquire) {
                            let receive = queue.receive().max_messages(1 + consumer).wait_time(secs(1));
                            let messages = receive.blocking().unwrap();
                            received.fetch_add(messages.len(), Ordering::Relaxed);
                        }
                        ended.fetch_add(1, Ordering::Release);
                    });
                }
                scope.spawn(|| {
                    // In the order of the moves: what leaves one queue after the look at it is seen in the next.
                    while counts(&queues[2])[0] < MESSAGES {
                        let seen: BTreeSet<_> = queues.iter().flat_map(bodies).collect();
                        assert_eq!(seen.len(), MESSAGES, "a message is in no queue");
                        clock.advance(millis(20));
                    }
                    over.store(true, Ordering::Release);
                    // A consumer may have looked just before, and begin to wait only now.
                    while ended.load(Ordering::Acquire) < 2 * CONSUMERS {
                        clock.advance(secs(1));
                    }
                });
            });
            assert_eq!(received.map(AtomicUsize::into_inner), [3 * MESSAGES, 2 * MESSAGES]);
            assert_eq!(queues.each_ref().map(counts), [[0; 3], [0; 3], [MESSAGES, 0, 0]]);
            let mut last = bodies(&queues[2]);
            last.sort_unstable();
            last.dedup();
            assert_eq!(last.len(), MESSAGES, "none twice");
            assert!(receive(&queues[2], 10).iter().all(has_been_received_five_times));
        });
    }
}

/// L8: three times in the first queue, twice in the second, and now.
fn has_been_received_five_times(message: &Message) -> bool {
    message.approximate_receive_count() == 6
}

/// Two queues, each the other's dead-letter queue.
fn circle(clock: &ManualClock, fifo: bool) -> [Queue; 2] {
    let service = Service::builder().clock(clock.clone()).build();
    let attributes = || {
        let attributes = QueueAttributes::new().visibility_timeout(Duration::ZERO);
        if fifo {
            attributes.fifo_queue(true).content_based_deduplication(true)
        } else {
            attributes
        }
    };
    let suffix = if fifo { ".fifo" } else { "" };
    let queues = ["a", "b"].map(|name| service.create_queue(&format!("{name}{suffix}"), attributes()).unwrap());
    for (source, target) in [(0, 1), (1, 0)] {
        let policy = RedrivePolicy::new(queues[target].arn(), 1);
        let attributes = QueueAttributes::new().redrive_policy(policy);
        service.set_attributes(queues[source].name(), attributes).unwrap();
    }
    queues
}

#[test]
fn poison_that_goes_round_in_a_circle_is_neither_lost_nor_doubled_and_locks_nobody_up() {
    // L16, L17: every receive in one queue moves what the last one returned to the other
    for fifo in [false, true] {
        within_patience(move || {
            let clock = ManualClock::default();
            let queues = circle(&clock, fifo);
            send_all(&queues[0]);
            let left = AtomicUsize::new(20_000);
            thread::scope(|scope| {
                for consumer in 0..2 * CONSUMERS {
                    let (queue, left) = (&queues[consumer % 2], &left);
                    scope.spawn(move || {
                        while left.load(Ordering::Relaxed) > 0 {
                            let received = receive(queue, 1 + consumer).len();
                            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                                Some(left.saturating_sub(received.max(1)))
                            });
                        }
                    });
                }
            });
            let stored: Vec<_> = queues.iter().flat_map(bodies).collect();
            let different: BTreeSet<_> = stored.iter().collect();
            assert_eq!((stored.len(), different.len()), (MESSAGES, MESSAGES));
        });
    }
}

#[test]
fn a_target_deleted_under_load_loses_only_what_had_arrived() {
    // L9: what has not been moved is delivered as if there were no policy
    for _ in 0..20 {
        within_patience(|| {
            let clock = ManualClock::default();
            let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
            let jobs = Queue::standard("jobs").clock(clock).visibility_timeout(Duration::ZERO);
            let jobs = jobs.dead_letter(&dead, 1).build().unwrap();
            send_all(&jobs);
            let (arrived, gone) = (AtomicUsize::new(0), AtomicBool::new(false));
            thread::scope(|scope| {
                for _ in 0..CONSUMERS {
                    scope.spawn(|| {
                        while !gone.load(Ordering::Acquire) {
                            receive(&jobs, 10);
                        }
                    });
                }
                scope.spawn(|| {
                    while dead.counts().visible < MESSAGES / 4 {
                        thread::yield_now();
                    }
                    // Nothing arrives between the last look and the end, or else it is lost with the queue.
                    arrived.store(dead.counts().visible, Ordering::Relaxed);
                    dead.delete_queue().unwrap();
                    gone.store(true, Ordering::Release);
                });
            });
            let left = counts(&jobs)[0];
            assert!(left <= MESSAGES - arrived.load(Ordering::Relaxed));
            let mut received = BTreeSet::new();
            for message in std::iter::repeat_with(|| receive(&jobs, 10))
                .take_while(|it| !it.is_empty())
                .flatten()
            {
                received.insert(message.body().to_owned());
                message.delete().unwrap();
            }
            assert_eq!(
                (received.len(), counts(&jobs)),
                (left, [0; 3]),
                "none is stuck on its way"
            );
        });
    }
}

/// Receives from a queue whenever a dead letter arrives in another.
#[derive(Clone, Default)]
struct Greedy(Arc<OnceLock<Queue>>);

impl FactListener for Greedy {
    fn on_fact(&self, _queue: &Arc<str>, entry: &FactEntry) {
        if let (Some(jobs), Fact::Arrived { .. }) = (self.0.get(), &entry.fact) {
            jobs.receive().max_messages(10).blocking().unwrap();
        }
    }
}

#[test]
fn fifo_dead_letters_of_a_group_arrive_in_order_although_others_receive_meanwhile() {
    // F18: what is behind a message in its group waits until that has left.
    const MESSAGES: usize = 250;
    let (clock, greedy) = (ManualClock::default(), Greedy::default());
    let mut limits = Limits::default();
    limits.receive_messages = MESSAGES;
    let dead = Queue::fifo("dead.fifo")
        .clock(clock.clone())
        .listener(greedy.clone())
        .build()
        .unwrap();
    let jobs = Queue::fifo("jobs.fifo")
        .clock(clock)
        .limits(limits)
        .dead_letter(&dead, 1);
    let jobs = jobs.content_based_deduplication(true).build().unwrap();
    for number in 0..MESSAGES {
        let message = SendMessage::new(format!("{number:03}")).message_group_id("g");
        jobs.send(message).unwrap();
    }
    let failed = jobs.receive().max_messages(MESSAGES).visibility_timeout(Duration::ZERO);
    assert_eq!(failed.blocking().unwrap().len(), MESSAGES);
    assert!(greedy.0.set(jobs.clone()).is_ok());
    assert!(jobs.receive().blocking().unwrap().is_empty());
    let bodies: Vec<_> = dead
        .snapshot()
        .messages
        .into_iter()
        .map(|message| message.content.body().clone())
        .collect();
    assert_eq!(bodies.len(), MESSAGES);
    assert!(bodies.is_sorted(), "{bodies:?}");
}
