//! One future, several executors: it needs nothing of them but a waker.

use {
    crate::{
        common::{counts, secs, standard, wait_for},
        waiter::within_patience,
    },
    requeue::{Clock, ManualClock, Queue, ReceiveError, SendMessage},
    std::{thread, time::Duration},
};

const WAIT: Duration = secs(20);

/// Receives and deletes until a receive comes back empty; how many messages that were.
async fn consume(jobs: Queue) -> Result<usize, ReceiveError> {
    let mut consumed = 0;
    loop {
        let messages = jobs.receive().max_messages(10).wait_time(WAIT).await?;
        if messages.is_empty() {
            return Ok(consumed);
        }
        for message in messages {
            message.delete_async().await.expect("the queue exists");
            consumed += 1;
        }
    }
}

/// One message at once, the others each some seconds after the one before.
fn send_ten(jobs: &Queue) {
    for n in 0..10 {
        jobs.send(SendMessage::new("job").delay(secs(9 * n))).unwrap();
    }
}

#[test]
fn a_loop_that_polls_for_nothing_is_an_executor() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    send_ten(&jobs);
    let start = clock.now();
    let mut received = 0;
    while let Some(message) = wait_for(&clock, jobs.receive().wait_time(WAIT)).unwrap().pop() {
        message.delete().unwrap();
        received += 1;
    }
    assert_eq!(received, 10);
    assert_eq!(clock.now().saturating_duration_since(start), secs(81) + WAIT);
}

#[test]
fn pollster_is_an_executor() {
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = standard(&clock).build().unwrap();
        send_ten(&jobs);
        let consumer = thread::spawn({
            let jobs = jobs.clone();
            || pollster::block_on(consume(jobs))
        });
        drive(&clock, || consumer.is_finished());
        assert_eq!(consumer.join().unwrap(), Ok(10));
        assert_eq!((jobs.waiting(), counts(&jobs)), (0, [0, 0, 0]));
    });
}

#[test]
fn tokio_is_an_executor_of_many_tasks_on_one_thread() {
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = standard(&clock).build().unwrap();
        send_ten(&jobs);
        let consumers = thread::spawn({
            let jobs = jobs.clone();
            || {
                let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
                executor.block_on(async move {
                    let tasks: Vec<_> = (0..20).map(|_| tokio::spawn(consume(jobs.clone()))).collect();
                    let mut consumed = 0;
                    for task in tasks {
                        consumed += task.await.unwrap().unwrap();
                    }
                    consumed
                })
            }
        });
        drive(&clock, || consumers.is_finished());
        assert_eq!(consumers.join().unwrap(), 10);
        assert_eq!((jobs.waiting(), counts(&jobs)), (0, [0, 0, 0]));
    });
}

/// Moves time on from deadline to deadline while the executor of another thread runs.
fn drive(clock: &ManualClock, finished: impl Fn() -> bool) {
    while !finished() {
        // An alarm that has gone off is off the list at once, so this never moves twice for one.
        match clock.next_deadline() {
            Some(deadline) => clock.advance_to(deadline),
            None => thread::yield_now(),
        }
    }
}
