//! What listeners are told while many threads work.

use {
    super::crew::{CONSUMERS, Ledger, PRODUCERS, STYLES, Style, Work, consume, start_producers},
    crate::{
        common::{fifo, in_group, millis, standard},
        waiter::within_patience,
    },
    requeue::{Budget, Fact, FactEntry, FactListener, ManualClock, Message, MessageId, Queue, SendMessage},
    std::{
        collections::{BTreeMap, BTreeSet},
        panic,
        sync::{
            Arc, Mutex, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
        thread,
        time::Duration,
    },
};

/// Keeps every entry, and sees to it that no two threads tell it something at once.
#[derive(Clone, Default)]
struct Log {
    entries: Arc<Mutex<Vec<FactEntry>>>,
    inside: Arc<AtomicBool>,
}

impl FactListener for Log {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        assert!(!self.inside.swap(true, Ordering::AcqRel), "two threads at once");
        self.entries.lock().unwrap().push(entry.clone());
        self.inside.store(false, Ordering::Release);
    }
}

impl Log {
    fn knows(&self, is_it: impl Fn(&Fact) -> bool) -> bool {
        // Backwards: what is asked for has just happened.
        self.entries
            .lock()
            .unwrap()
            .iter()
            .rev()
            .any(|entry| is_it(&entry.fact))
    }

    /// Asserts that nothing is missing and in order, and that each message lived as a message does.
    fn check(&self, messages: usize) {
        let entries = self.entries.lock().unwrap();
        assert!(entries.iter().map(|entry| entry.number).eq(1..=entries.len() as u64));
        assert!(entries.is_sorted_by_key(|entry| entry.at));
        let mut lives = BTreeMap::<String, Life>::new();
        for entry in entries.iter() {
            match &entry.fact {
                Fact::Sent { message_id, .. } => {
                    assert!(lives.insert(message_id.to_string(), Life::Waiting(0)).is_none());
                }
                Fact::Received {
                    message_id,
                    receive_count,
                    ..
                } => advance(&mut lives, *message_id, |life| match life {
                    Life::Waiting(times) if times + 1 == *receive_count => Some(Life::InFlight(*receive_count)),
                    _ => None,
                }),
                Fact::Returned { message_id, .. } => advance(&mut lives, *message_id, |life| match life {
                    Life::InFlight(times) => Some(Life::Waiting(times)),
                    _ => None,
                }),
                Fact::Deleted { message_id, .. } => advance(&mut lives, *message_id, |life| match life {
                    Life::InFlight(_) | Life::Waiting(1..) => Some(Life::Over),
                    _ => None,
                }),
                _ => {}
            }
        }
        assert_eq!(lives.len(), messages);
        assert!(lives.values().all(|life| *life == Life::Over));
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Life {
    /// Received so many times, and visible.
    Waiting(u32),
    InFlight(u32),
    Over,
}

fn advance(lives: &mut BTreeMap<String, Life>, message_id: MessageId, step: impl Fn(Life) -> Option<Life>) {
    let life = lives.get_mut(&message_id.to_string()).expect("a message that was sent");
    *life = step(*life).unwrap_or_else(|| panic!("{message_id}: {life:?}"));
}

#[test]
fn facts_come_in_order_without_gaps_and_before_the_call_returns() {
    within_patience(|| {
        for style in STYLES {
            let (clock, log) = (ManualClock::default(), Log::default());
            let timeout = millis(300);
            let queue = standard(&clock)
                .visibility_timeout(timeout)
                .listener(log.clone())
                .build()
                .unwrap();
            let total = 400;
            let (work, ledger) = (Work::new(&queue, total), Ledger::default());
            let handle = |messages: &[Message]| {
                for message in messages {
                    let (id, count) = (message.message_id(), message.approximate_receive_count());
                    assert!(
                        log.knows(|fact| matches!(fact, Fact::Received { message_id, receive_count, .. }
                        if *message_id == id && *receive_count == count))
                    );
                    let fails = message.body().ends_with('7') && count == 1;
                    // Who is too slow may find the queue gone: another handled the message, and it was the last.
                    if fails || message.delete().is_err() {
                        continue;
                    }
                    assert!(log.knows(|fact| matches!(fact, Fact::Deleted { message_id, .. } if *message_id == id)));
                    work.done(usize::from(ledger.is_news(message)));
                }
            };
            thread::scope(|scope| {
                for _ in 0..CONSUMERS {
                    scope.spawn(|| consume(&queue, style, handle));
                }
                for producer in 0..PRODUCERS {
                    let (queue, log) = (&queue, &log);
                    scope.spawn(move || {
                        for number in 0..total / PRODUCERS {
                            let sent = queue.send(format!("{producer}-{number}")).unwrap();
                            let is_it = |fact: &Fact| {
                                matches!(fact, Fact::Sent { message_id, .. } if *message_id == sent.message_id)
                            };
                            assert!(log.knows(is_it), "the call returned before the listener was told");
                        }
                    });
                }
                scope.spawn(|| work.drive(&clock, millis(10)));
            });
            log.check(total);
        }
    });
}

/// Panics at every third fact, silently.
struct Panicking(Log);

impl FactListener for Panicking {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        if entry.number % 3 == 0 {
            panic::resume_unwind(Box::new("a listener's own panic"));
        }
        self.0.on_fact(queue, entry);
    }
}

#[test]
fn a_listener_that_panics_takes_nothing_from_the_queue_nor_from_other_listeners() {
    within_patience(|| {
        let (clock, log, other) = (ManualClock::default(), Log::default(), Log::default());
        let listeners = fifo(&clock).listener(Panicking(log.clone())).listener(other.clone());
        let queue = listeners.build().unwrap();
        let total = 400;
        let work = Work::new(&queue, total);
        thread::scope(|scope| {
            for _ in 0..CONSUMERS {
                scope.spawn(|| {
                    consume(&queue, Style::Batches, |messages| {
                        Style::Batches.delete(&queue, messages);
                        work.done(messages.len());
                    });
                });
            }
            start_producers(scope, &queue, Style::Single, total, |producer, number| {
                in_group(&format!("g{}", number % 5), &format!("{producer}-{number}"))
            });
        });
        other.check(total);
        let told: BTreeSet<_> = log.entries.lock().unwrap().iter().map(|entry| entry.number).collect();
        let last = other.entries.lock().unwrap().len() as u64;
        let expected: BTreeSet<_> = (1..=last).filter(|number| number % 3 != 0).collect();
        assert_eq!(told, expected, "it misses what it panicked at, and nothing else");
    });
}

/// Sends an answer to the other queue for every message sent to its own, until there have been enough.
struct Answering {
    other: Arc<OnceLock<Queue>>,
    own: Log,
}

impl FactListener for Answering {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self.own.on_fact(queue, entry);
        if let Fact::Sent { content, .. } = &entry.fact {
            let hops: u32 = content.body().parse().unwrap();
            if hops > 0 {
                let other = self.other.get().unwrap();
                other.send((hops - 1).to_string()).unwrap();
            }
        }
    }
}

#[test]
fn listeners_that_answer_each_other_from_many_threads_come_to_an_end() {
    within_patience(|| {
        let clock = ManualClock::default();
        let [to_a, to_b]: [Arc<OnceLock<Queue>>; 2] = Default::default();
        let logs = [Log::default(), Log::default()];
        let build = |name, other: &Arc<OnceLock<Queue>>, own: &Log| {
            let listener = Answering {
                other: Arc::clone(other),
                own: own.clone(),
            };
            Queue::standard(name)
                .clock(clock.clone())
                .listener(listener)
                .build()
                .unwrap()
        };
        let queues = [build("a", &to_b, &logs[0]), build("b", &to_a, &logs[1])];
        to_a.get_or_init(|| queues[0].clone());
        to_b.get_or_init(|| queues[1].clone());
        let (sends, hops) = (50, 4);
        thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let queue = &queues[producer % 2];
                scope.spawn(move || (0..sends).for_each(|_| drop_sent(queue.send(hops.to_string()))));
            }
        });
        for (queue, log) in queues.iter().zip(&logs) {
            // Two producers send to each; of what they cause, half lands here.
            assert_eq!(queue.snapshot().messages.len(), 2 * sends * (hops + 1));
            let entries = log.entries.lock().unwrap();
            assert!(entries.iter().map(|entry| entry.number).eq(1..=entries.len() as u64));
        }
    });
}

fn drop_sent<T, E: std::fmt::Debug>(sent: Result<T, E>) {
    sent.unwrap();
}

/// Holds the budget's numbers against the facts.
#[test]
fn a_budget_is_never_exceeded_under_contention() {
    within_patience(|| {
        let (clock, log) = (ManualClock::default(), Log::default());
        let queue = standard(&clock)
            .budget(Budget::new().messages(5))
            .listener(log.clone())
            .build()
            .unwrap();
        let total = 400;
        let work = Work::new(&queue, total);
        thread::scope(|scope| {
            for _ in 0..CONSUMERS {
                scope.spawn(|| {
                    consume(&queue, Style::Single, |messages| {
                        Style::Single.delete(&queue, messages);
                        work.done(messages.len());
                    });
                });
            }
            for producer in 0..PRODUCERS {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..total / PRODUCERS {
                        let message = SendMessage::new(format!("{producer}-{number}"));
                        queue.send_timeout(message, Duration::from_secs(20)).unwrap();
                    }
                });
            }
        });
        let (mut stored, mut most) = (0, 0);
        for entry in log.entries.lock().unwrap().iter() {
            match entry.fact {
                Fact::Sent { .. } => stored += 1,
                Fact::Deleted { .. } => stored -= 1,
                _ => {}
            }
            most = most.max(stored);
        }
        assert!(stored == 0 && most <= 5, "{most} messages at once");
        log.check(total);
    });
}
