//! Four producers and four consumers of a standard queue.

use {
    super::crew::{CONSUMERS, Ledger, PRODUCERS, STYLES, Style, Work, consume, elapsed, start_producers},
    crate::{
        common::{VISIBILITY, millis, secs, standard},
        waiter::within_patience,
    },
    requeue::{Budget, ManualClock, Message, Queue, ReceiveError, SendMessage},
    std::{
        future::{Future, IntoFuture},
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll, Wake},
        thread::{self, Thread},
        time::Duration,
    },
};

fn plain(producer: usize, number: usize) -> SendMessage {
    SendMessage::new(format!("{producer}-{number}"))
}

/// Each message must be handled once, since no time passes.
fn each_once(queue: &Queue, style: Style, total: usize, message: fn(usize, usize) -> SendMessage) {
    let (work, ledger) = (Work::new(queue, total), Ledger::default());
    thread::scope(|scope| {
        for _ in 0..CONSUMERS {
            scope.spawn(|| {
                consume(queue, style, |messages| {
                    messages.iter().for_each(|message| ledger.enter(message, VISIBILITY));
                    style.delete(queue, messages);
                    work.done(messages.len());
                });
            });
        }
        start_producers(scope, queue, style, total, message);
    });
    ledger.check_once(total);
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn each_message_is_handled_once() {
    within_patience(|| {
        for style in STYLES {
            each_once(&standard(&ManualClock::default()).build().unwrap(), style, 4_000, plain);
        }
    });
}

#[test]
fn each_message_is_handled_once_in_the_sampled_profile() {
    // D14
    within_patience(|| {
        for style in STYLES {
            let queue = standard(&ManualClock::default()).shards(10).build().unwrap();
            each_once(&queue, style, 2_000, plain);
        }
    });
}

#[test]
fn each_message_of_a_fair_queue_is_handled_once() {
    // N1: three of four messages are of one noisy group
    within_patience(|| {
        for style in STYLES {
            let queue = standard(&ManualClock::default()).build().unwrap();
            each_once(&queue, style, 2_000, |producer, number| {
                let group = if producer == 3 {
                    format!("g{}", number % 7)
                } else {
                    "noisy".to_owned()
                };
                plain(producer, number).message_group_id(group)
            });
        }
    });
}

#[test]
fn each_message_is_handled_once_through_a_queue_with_room_for_three() {
    within_patience(|| {
        let budget = Budget::new().messages(3);
        let queue = standard(&ManualClock::default()).budget(budget).build().unwrap();
        let total = 2_000;
        let (work, ledger) = (Work::new(&queue, total), Ledger::default());
        thread::scope(|scope| {
            for consumer in 0..CONSUMERS {
                let (queue, work, ledger) = (&queue, &work, &ledger);
                let style = STYLES[consumer % 2];
                scope.spawn(move || {
                    consume(queue, style, |messages| {
                        assert!(queue.snapshot().messages.len() <= 3);
                        messages.iter().for_each(|message| ledger.enter(message, VISIBILITY));
                        style.delete(queue, messages);
                        work.done(messages.len());
                    });
                });
            }
            for producer in 0..PRODUCERS {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..total / PRODUCERS {
                        let message = plain(producer, number);
                        let sent = if number % 2 == 0 {
                            queue.send_timeout(message, secs(20))
                        } else {
                            pollster::block_on(queue.send_timeout_async(message, secs(20)))
                        };
                        sent.unwrap();
                    }
                });
            }
        });
        ledger.check_once(total);
    });
}

#[test]
fn a_message_whose_timeout_ends_is_handled_again_and_not_before() {
    // D23, D27: time moves; a third of the messages are dropped when first received, others are handled too slowly
    within_patience(|| {
        for style in STYLES {
            let clock = ManualClock::default();
            let timeout = millis(500);
            let queue = standard(&clock).visibility_timeout(timeout).build().unwrap();
            let total = 1_000;
            let (work, ledger) = (Work::new(&queue, total), Ledger::default());
            thread::scope(|scope| {
                for _ in 0..CONSUMERS {
                    scope.spawn(|| {
                        consume(&queue, style, |messages| {
                            messages.iter().for_each(|message| ledger.enter(message, timeout));
                            let handled = messages.iter().filter(|message| handle(message, &ledger));
                            work.done(handled.count());
                        });
                    });
                }
                start_producers(scope, &queue, style, total, |producer, number| {
                    plain(producer, number).delay(millis(number as u64 % 3))
                });
                scope.spawn(|| work.drive(&clock, millis(20)));
            });
            ledger.check(total);
            assert!(elapsed(&clock) >= timeout);
        }
    });
}

/// Deletes the message unless it fails; says whether it was the first to do so. Who is too slow may be the second.
fn handle(message: &Message, ledger: &Ledger) -> bool {
    let fails = message.body().ends_with(['0', '3', '6']) && message.approximate_receive_count() == 1;
    // The queue may be gone when who is too slow comes.
    !fails && message.delete().is_ok() && ledger.is_news(message)
}

struct Unpark(Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::Release);
        self.0.unpark();
    }
}

/// A long poll that is given up after so many wakes without being polled again; or runs to its end.
fn receive_or_give_up(queue: &Queue, give_up_after: usize) -> Option<Result<Vec<Message>, ReceiveError>> {
    let mut receive = pin!(queue.receive().wait_time(secs(20)).into_future());
    let unpark = Arc::new(Unpark(thread::current(), AtomicUsize::new(0)));
    let waker = Arc::clone(&unpark).into();
    for wakes in 0.. {
        if let Poll::Ready(result) = receive.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(result);
        }
        while unpark.1.load(Ordering::Acquire) <= wakes {
            thread::park_timeout(Duration::from_millis(1));
            if give_up_after == 0 {
                return None;
            }
        }
        if wakes + 1 == give_up_after {
            return None;
        }
    }
    None
}

#[test]
fn receivers_that_give_up_at_any_moment_lose_no_message_and_no_wake() {
    // Were a wake lost, a message would lie there and the patient receivers sleep.
    within_patience(|| {
        let queue = standard(&ManualClock::default()).build().unwrap();
        let total = 2_000;
        let (work, ledger) = (Work::new(&queue, total), Ledger::default());
        let handle = |messages: &[Message]| {
            messages.iter().for_each(|message| ledger.enter(message, VISIBILITY));
            Style::Single.delete(&queue, messages);
            work.done(messages.len());
        };
        thread::scope(|scope| {
            scope.spawn(|| consume(&queue, Style::Single, handle));
            for consumer in 0..CONSUMERS {
                let (queue, handle) = (&queue, &handle);
                scope.spawn(move || {
                    for turn in consumer.. {
                        match receive_or_give_up(queue, turn % 3) {
                            Some(Ok(messages)) => handle(&messages),
                            Some(Err(_)) => return,
                            None => {}
                        }
                    }
                });
            }
            start_producers(scope, &queue, Style::Single, total, plain);
        });
        ledger.check_once(total);
        assert_eq!(queue.waiting(), 0);
    });
}

#[test]
fn threads_and_futures_share_a_queue() {
    within_patience(|| {
        let queue = standard(&ManualClock::default()).build().unwrap();
        let total = 2_000;
        let (work, ledger) = (Work::new(&queue, total), Ledger::default());
        let handle = |messages: &[Message]| {
            messages.iter().for_each(|message| ledger.enter(message, VISIBILITY));
            Style::Batches.delete(&queue, messages);
            work.done(messages.len());
        };
        thread::scope(|scope| {
            for _ in 0..CONSUMERS / 2 {
                scope.spawn(|| consume(&queue, Style::Batches, handle));
                scope.spawn(|| {
                    pollster::block_on(async {
                        while let Ok(messages) = queue.receive().max_messages(10).wait_time(secs(20)).await {
                            handle(&messages);
                        }
                    });
                });
            }
            start_producers(scope, &queue, Style::Single, total, plain);
        });
        ledger.check_once(total);
    });
}
