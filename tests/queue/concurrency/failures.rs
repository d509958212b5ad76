//! Threads that panic, and queues that are deleted under load.

use {
    super::crew::{CONSUMERS, Ledger, PRODUCERS, Style, Work, consume, start_producers},
    crate::{
        common::{counts, fifo, in_group, millis, secs, standard},
        waiter::within_patience,
    },
    requeue::{Budget, ManualClock, Message, Queue, ReceiveError, SendError, SendMessage},
    std::{
        future::IntoFuture,
        panic::{self, AssertUnwindSafe},
        sync::Barrier,
        thread,
    },
};

#[test]
fn a_consumer_thread_that_panics_leaves_its_messages_to_the_others() {
    // Its messages come back at the end of their timeout.
    for ordered in [false, true] {
        within_patience(move || {
            let clock = ManualClock::default();
            let queue = if ordered { fifo(&clock) } else { standard(&clock) };
            let timeout = millis(200);
            let queue = queue.visibility_timeout(timeout).build().unwrap();
            let total = 200;
            let (work, ledger) = (Work::new(&queue, total), Ledger::default());
            let handle = |messages: &[Message]| {
                for message in messages {
                    ledger.enter(message, timeout);
                    if message.approximate_receive_count() == 1 && message.body().ends_with('5') {
                        panic::resume_unwind(Box::new("a consumer's own panic"));
                    }
                    // On a FIFO queue the handle may be too old by now; then another has the message.
                    if message.delete().is_ok() {
                        work.done(usize::from(ledger.is_news(message)));
                    }
                }
            };
            thread::scope(|scope| {
                for _ in 0..CONSUMERS {
                    scope.spawn(|| {
                        // A crew that hires again: a thread for each panic.
                        while thread::scope(|scope| scope.spawn(|| consume(&queue, Style::Batches, handle)).join())
                            .is_err()
                        {}
                    });
                }
                start_producers(scope, &queue, Style::Single, total, |producer, number| {
                    in_group(&format!("g{}", number % 20), &format!("{producer}-{number}"))
                });
                scope.spawn(|| work.drive(&clock, millis(20)));
            });
        });
    }
}

#[test]
fn a_panic_while_a_receive_waits_takes_it_out_of_line() {
    let queue = standard(&ManualClock::default()).build().unwrap();
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut receive = Box::pin(queue.receive().wait_time(secs(20)).into_future());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(receive.as_mut().poll(&mut context).is_pending());
        assert_eq!(queue.waiting(), 1);
        panic::resume_unwind(Box::new("the caller's own panic"));
    }));
    assert!(result.is_err());
    assert_eq!(queue.waiting(), 0);
    queue.send("a").unwrap();
    assert_eq!(counts(&queue), [1, 0, 0]);
}

/// Works on the queue until it is gone.
fn work_to_the_end(queue: &Queue, worker: usize) {
    let mut turn = worker;
    loop {
        turn += 1;
        let message = SendMessage::new(turn.to_string()).message_group_id(format!("g{}", turn % 3));
        let gone = match worker % 4 {
            0 => queue
                .send(message)
                .is_err_and(|error| error == SendError::QueueDoesNotExist),
            1 => match queue.send_timeout(message, secs(20)) {
                Ok(_) => false,
                Err(error) => error == SendError::QueueDoesNotExist,
            },
            2 => received(queue.receive().max_messages(10).wait_time(secs(20)).blocking()),
            _ => received(pollster::block_on(queue.receive().wait_time(secs(20)).into_future())),
        };
        if gone {
            return;
        }
    }
}

/// Says whether the queue is gone.
fn received(result: Result<Vec<Message>, ReceiveError>) -> bool {
    let Ok(messages) = result else { return true };
    messages.iter().any(|message| message.delete().is_err())
}

#[test]
fn a_queue_deleted_under_load_ends_every_call_with_queue_does_not_exist() {
    // Q35, Q38
    for round in 0..40 {
        within_patience(move || {
            let clock = ManualClock::default();
            let queue = if round % 2 == 0 { fifo(&clock) } else { standard(&clock) };
            let queue = queue.budget(Budget::new().messages(8)).build().unwrap();
            let start = Barrier::new(PRODUCERS + CONSUMERS + 1);
            thread::scope(|scope| {
                for worker in 0..PRODUCERS + CONSUMERS {
                    let (queue, start) = (&queue, &start);
                    scope.spawn(move || {
                        start.wait();
                        work_to_the_end(queue, worker);
                    });
                }
                start.wait();
                for _ in 0..round % 10 {
                    thread::yield_now();
                }
                queue.delete_queue().unwrap();
            });
            assert_eq!((queue.waiting(), counts(&queue)), (0, [0; 3]));
            assert!(queue.delete_queue().is_err());
        });
    }
}

#[test]
fn of_many_threads_that_delete_a_queue_one_does() {
    // C8
    within_patience(|| {
        for _ in 0..100 {
            let queue = standard(&ManualClock::default()).build().unwrap();
            let deleted = thread::scope(|scope| {
                let deletes = [(); 4].map(|()| scope.spawn(|| queue.delete_queue().is_ok()));
                deletes.map(|delete| delete.join().unwrap())
            });
            assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1);
        }
    });
}
