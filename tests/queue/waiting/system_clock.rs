//! Long polls in the machine's time: a few milliseconds each, none shorter than it should be.

use {
    crate::waiter::within_patience,
    requeue::{Budget, Clock, Queue, SendMessage, SystemClock, Timestamp},
    std::{future::IntoFuture, thread, time::Duration},
};

const WAIT: Duration = Duration::from_secs(20);
const BRIEF: Duration = Duration::from_millis(8);

fn now() -> Timestamp {
    SystemClock::new().now()
}

fn since(start: Timestamp) -> Duration {
    now().saturating_duration_since(start)
}

fn jobs() -> Queue {
    Queue::standard("jobs").build().unwrap()
}

#[test]
fn a_long_poll_lasts_as_long_as_it_was_asked_to() {
    // D10
    within_patience(|| {
        let (jobs, start) = (jobs(), now());
        assert!(jobs.receive().wait_time(BRIEF).blocking().unwrap().is_empty());
        assert!(since(start) >= BRIEF);
        let start = now();
        let empty = pollster::block_on(jobs.receive().wait_time(BRIEF).into_future());
        assert!(empty.unwrap().is_empty());
        assert!(since(start) >= BRIEF);
    });
}

#[test]
fn a_send_ends_a_long_poll_of_a_thread_and_of_a_future() {
    // D11
    within_patience(|| {
        let (jobs, start) = (jobs(), now());
        let thread = thread::spawn({
            let jobs = jobs.clone();
            move || jobs.receive().wait_time(WAIT).blocking().unwrap().len()
        });
        let future = thread::spawn({
            let jobs = jobs.clone();
            move || pollster::block_on(async { jobs.receive().wait_time(WAIT).await.unwrap().len() })
        });
        while jobs.waiting() < 2 {
            thread::yield_now();
        }
        jobs.send("a").unwrap();
        jobs.send("b").unwrap();
        assert_eq!((thread.join().unwrap(), future.join().unwrap()), (1, 1));
        assert!(since(start) < WAIT);
    });
}

#[test]
fn the_end_of_a_timeout_and_of_a_delay_end_a_long_poll_and_not_before() {
    // D11
    within_patience(|| {
        let jobs = jobs();
        for blocking in [true, false] {
            let receive = || {
                let receive = jobs.receive().wait_time(WAIT).visibility_timeout(BRIEF);
                let received = if blocking {
                    receive.blocking()
                } else {
                    pollster::block_on(receive.into_future())
                };
                received.unwrap().pop().unwrap()
            };
            let start = now();
            jobs.send(SendMessage::new("a").delay(BRIEF)).unwrap();
            let first = receive();
            assert!(since(start) >= BRIEF);
            let again = receive();
            assert!(again.approximate_receive_count() == 2 && now() >= first.invisible_until());
            assert!(since(start) < WAIT);
            again.delete().unwrap();
        }
    });
}

#[test]
fn a_hundred_long_polls_of_one_thread_end_in_time() {
    within_patience(|| {
        let (jobs, start) = (jobs(), now());
        let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let received: usize = executor.block_on(async {
            let poll = |_| {
                let jobs = jobs.clone();
                tokio::spawn(async move { jobs.receive().wait_time(BRIEF).await.unwrap().len() })
            };
            let polls: Vec<_> = (0..100).map(poll).collect();
            tokio::task::yield_now().await;
            assert_eq!(jobs.send_batch(["a", "b"]).unwrap().failed, []);
            let mut received = 0;
            for poll in polls {
                received += poll.await.unwrap();
            }
            received
        });
        assert_eq!((received, jobs.waiting()), (2, 0));
        assert!(since(start) >= BRIEF);
    });
}

#[test]
fn a_send_waits_for_room_as_long_as_it_was_asked_to() {
    within_patience(|| {
        let jobs = Queue::standard("jobs")
            .budget(Budget::new().messages(1))
            .build()
            .unwrap();
        jobs.send("a").unwrap();
        let start = now();
        assert_eq!(jobs.send_timeout("b", BRIEF).unwrap_err().code(), "OverLimit");
        assert!(since(start) >= BRIEF);
        let start = now();
        assert_eq!(
            pollster::block_on(jobs.send_timeout_async("b", BRIEF))
                .unwrap_err()
                .code(),
            "OverLimit"
        );
        assert!(since(start) >= BRIEF);
    });
}
