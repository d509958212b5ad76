//! Four producers and four consumers of a FIFO queue.

use {
    super::crew::{CONSUMERS, Ledger, STYLES, Style, Work, consume, start_producers},
    crate::{
        common::{VISIBILITY, fifo, in_group, millis, secs},
        waiter::within_patience,
    },
    requeue::{ManualClock, Message, SendMessage, SequenceNumber},
    std::{
        collections::BTreeMap,
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
        thread,
    },
};

const GROUPS: usize = 7;

/// `<producer>-<number>` in a group that all producers share.
fn grouped(producer: usize, number: usize) -> SendMessage {
    in_group(&format!("g{}", number % GROUPS), &format!("{producer}-{number}"))
}

fn group_of(message: &Message) -> usize {
    let group = message.message_group_id().unwrap();
    group[1..].parse().unwrap()
}

/// What was handled, by group and in the order of handling.
#[derive(Default)]
struct Journal(Mutex<BTreeMap<usize, Vec<(SequenceNumber, String)>>>);

impl Journal {
    fn enter(&self, message: &Message) {
        let mut journal = self.0.lock().unwrap();
        let entry = (message.sequence_number().unwrap(), message.body().to_owned());
        journal.entry(group_of(message)).or_default().push(entry);
    }

    /// Asserts that each group was handled in the order of its numbers, and each producer's messages as it sent them.
    fn check(self, messages: usize) {
        let journal = self.0.into_inner().unwrap();
        assert_eq!(journal.values().map(Vec::len).sum::<usize>(), messages);
        for (group, handled) in journal {
            assert!(handled.is_sorted(), "g{group}: {handled:?}");
            let mut last = BTreeMap::new();
            for (_, body) in handled {
                let (producer, number) = body.split_once('-').unwrap();
                let number: usize = number.parse().unwrap();
                let before = last.insert(producer.to_owned(), number);
                assert!(before < Some(number), "g{group}: {body} after {before:?}");
            }
        }
    }
}

#[test]
fn each_group_is_handled_in_order_by_one_consumer_at_a_time() {
    // F18, F21
    within_patience(|| {
        for style in STYLES {
            let queue = fifo(&ManualClock::default()).build().unwrap();
            let total = 2_000;
            let (work, ledger, journal) = (Work::new(&queue, total), Ledger::default(), Journal::default());
            let busy = [const { AtomicBool::new(false) }; GROUPS];
            let handle = |messages: &[Message]| {
                for of_group in messages.chunk_by(|a, b| group_of(a) == group_of(b)) {
                    let busy = &busy[group_of(&of_group[0])];
                    assert!(!busy.swap(true, Ordering::AcqRel), "two consumers hold one group");
                    for message in of_group {
                        ledger.enter(message, VISIBILITY);
                        journal.enter(message);
                    }
                    // The last delete lets the next consumer in before it returns.
                    busy.store(false, Ordering::Release);
                    style.delete(&queue, of_group);
                }
                work.done(messages.len());
            };
            thread::scope(|scope| {
                for _ in 0..CONSUMERS {
                    scope.spawn(|| consume(&queue, style, handle));
                }
                start_producers(scope, &queue, style, total, grouped);
            });
            journal.check(total);
            ledger.check_once(total);
        }
    });
}

#[test]
fn each_group_stays_in_order_when_messages_time_out() {
    // F23, F43: time moves; some messages are dropped when first received, and the group waits for them
    within_patience(|| {
        for style in STYLES {
            let clock = ManualClock::default();
            let timeout = millis(500);
            let queue = fifo(&clock).visibility_timeout(timeout).build().unwrap();
            let total = 600;
            let (work, ledger, journal) = (Work::new(&queue, total), Ledger::default(), Journal::default());
            let handle = |messages: &[Message]| {
                messages.iter().for_each(|message| ledger.enter(message, timeout));
                // What follows a failure in its group must not be handled before it.
                let mut failed = [false; GROUPS];
                for message in messages {
                    let group = group_of(message);
                    let fails = message.body().ends_with('3') && message.approximate_receive_count() == 1;
                    failed[group] |= fails;
                    if !failed[group] && settle(message, &journal) {
                        work.done(1);
                    }
                }
            };
            thread::scope(|scope| {
                for _ in 0..CONSUMERS {
                    scope.spawn(|| consume(&queue, style, handle));
                }
                start_producers(scope, &queue, style, total, grouped);
                scope.spawn(|| work.drive(&clock, millis(20)));
            });
            journal.check(total);
            ledger.check(total);
        }
    });
}

/// Handles the message if its timeout has not ended meanwhile, in which case another will.
fn settle(message: &Message, journal: &Journal) -> bool {
    // D19: only the latest handle of a message in flight can do either; from here on it is safe from the clock.
    if message.change_visibility(secs(36_000)).is_err() {
        return false;
    }
    journal.enter(message);
    message.delete().unwrap();
    true
}

#[test]
fn groups_that_come_and_go_are_handled_in_order() {
    // F24: mostly one message to a group
    within_patience(|| {
        let queue = fifo(&ManualClock::default()).build().unwrap();
        let total = 2_000;
        let (work, ledger) = (Work::new(&queue, total), Ledger::default());
        thread::scope(|scope| {
            for _ in 0..CONSUMERS {
                scope.spawn(|| {
                    consume(&queue, Style::Batches, |messages| {
                        messages.iter().for_each(|message| ledger.enter(message, VISIBILITY));
                        Style::Batches.delete(&queue, messages);
                        work.done(messages.len());
                    });
                });
            }
            start_producers(scope, &queue, Style::Batches, total, |producer, number| {
                in_group(&format!("{producer}-{}", number / 2), &format!("{producer}-{number}"))
            });
        });
        ledger.check_once(total);
    });
}

#[test]
fn a_message_sent_by_four_producers_at_once_is_stored_once() {
    // F9, F11
    within_patience(|| {
        let queue = fifo(&ManualClock::default()).build().unwrap();
        let total = 500;
        thread::scope(|scope| {
            start_producers(scope, &queue, Style::Batches, total * 4, |_, number| grouped(0, number));
        });
        let stored: Vec<_> = queue.snapshot().messages;
        assert_eq!(stored.len(), total);
        let handled = Ledger::default();
        let journal = Journal::default();
        while let Some(messages) =
            Some(queue.receive().max_messages(10).blocking().unwrap()).filter(|it| !it.is_empty())
        {
            messages.iter().for_each(|message| handled.enter(message, VISIBILITY));
            messages.iter().for_each(|message| journal.enter(message));
            Style::Batches.delete(&queue, &messages);
        }
        handled.check_once(total);
        journal.check(total);
    });
}
