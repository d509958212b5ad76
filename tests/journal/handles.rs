//! Handles that are dropped, closed, or asked for in the wrong directory.

use {
    crate::{
        directory::{Directory, bytes},
        open::{clock_at, service},
    },
    requeue::{
        Budget, Queue, QueueAttributes, ReceiveError, SendError, Service, StorageError,
        journal::{Durability, JournalError, inspect, salvage},
    },
    std::{
        fs,
        future::{Future, IntoFuture},
        path::Path,
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    },
};

const START: u64 = 1_700_000_000_000;

#[test]
fn a_journal_can_be_opened_right_after_its_last_handle_is_dropped() {
    let directory = Directory::new();
    for round in 0..30 {
        let service = Service::builder()
            .journal(directory.path())
            .segment_bytes(32 << 10)
            .durability(Durability::Written)
            .open()
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
        for _ in 0..100 {
            jobs.send("x".repeat(1_000)).unwrap();
        }
        loop {
            let received = jobs.receive().max_messages(10).blocking().unwrap();
            if received.is_empty() {
                break;
            }
            received.iter().for_each(|message| message.delete().unwrap());
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn closing_ends_long_polls_and_sends_that_wait_for_capacity() {
    for close_by_queue in [false, true] {
        let directory = Directory::new();
        let service = Service::builder()
            .clock(clock_at(START))
            .budget(Budget::new().messages(1))
            .journal(directory.path())
            .open()
            .unwrap();
        let empty = service.create_queue("empty", QueueAttributes::new()).unwrap();
        let full = service.create_queue("full", QueueAttributes::new()).unwrap();
        full.send("first").unwrap();
        let woken = [(); 2].map(|()| Arc::new(Woken::default()));
        let wakers = woken.each_ref().map(|it| Waker::from(it.clone()));
        let [mut receiver, mut sender] = wakers.each_ref().map(Context::from_waker);
        let mut receive = pin!(empty.receive().wait_time(Duration::from_secs(20)).into_future());
        let mut send = pin!(full.send_timeout_async("second", Duration::from_secs(20)));
        assert!(receive.as_mut().poll(&mut receiver).is_pending());
        assert!(send.as_mut().poll(&mut sender).is_pending());
        if close_by_queue {
            empty.close().unwrap();
        } else {
            service.close().unwrap();
        }
        assert!(woken.iter().all(|it| it.0.load(Ordering::Acquire)), "both are woken");
        let received = receive.as_mut().poll(&mut receiver);
        assert!(matches!(
            received,
            Poll::Ready(Err(ReceiveError::Storage(StorageError::Closed)))
        ));
        let sent = send.as_mut().poll(&mut sender);
        assert!(matches!(
            sent,
            Poll::Ready(Err(SendError::Storage(StorageError::Closed)))
        ));
    }
}

#[test]
fn a_queue_that_is_not_in_a_journal_of_others_is_refused() {
    let directory = Directory::new();
    let jobs = Queue::standard("jobs").journal(directory.path()).open().unwrap();
    jobs.close().unwrap();
    let before = bytes(directory.path());
    let error = Queue::standard("jbos").journal(directory.path()).open().unwrap_err();
    assert!(matches!(&error, JournalError::NotInJournal { queues, .. } if *queues == ["jobs"]));
    let text = error.to_string();
    assert!(text.contains("\"jbos\"") && text.contains("jobs"), "{text}");
    assert_eq!(bytes(directory.path()), before, "it was changed");
    assert!(Queue::standard("jobs").journal(directory.path()).open().is_ok());
}

#[test]
fn a_directory_without_a_journal_is_not_read_as_an_empty_one() {
    let directory = Directory::new();
    let empty = directory.join("empty");
    fs::create_dir(&empty).unwrap();
    let errors = [
        inspect(&empty).map(drop).unwrap_err(),
        salvage(&empty, directory.join("rest")).map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, JournalError::NoJournal { directory } if directory.ends_with("empty")));
    }
}

#[test]
fn a_journal_whose_segments_are_gone_is_damaged_and_not_new() {
    let directory = Directory::new();
    let journal = directory.join("journal");
    service(&journal, &clock_at(START)).close().unwrap();
    for entry in fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("LOCK") {
            fs::remove_file(path).unwrap();
        }
    }
    let opened = Service::builder().journal(&journal).open().map(drop);
    for result in [opened, inspect(&journal).map(drop)] {
        let error = result.unwrap_err();
        assert!(matches!(error, JournalError::Damaged { records: None, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("cannot be told") && text.contains("salvage"), "{text}");
    }
    fs::remove_dir_all(&journal).unwrap();
    service(&journal, &clock_at(START)).close().unwrap();
}

#[test]
fn an_empty_path_is_refused_by_name() {
    let errors = [
        Service::builder().journal("").open().map(drop).unwrap_err(),
        inspect("").map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, JournalError::EmptyPath), "{error}");
    }
    assert!(!Path::new("LOCK").exists());
}

#[cfg(feature = "worker")]
#[test]
fn a_runner_whose_journal_is_closed_ends_with_that_error() {
    use requeue::worker::{Job, Runner};

    let directory = Directory::new();
    let jobs = Queue::standard("jobs").clock(clock_at(START)).journal(directory.path());
    let jobs = jobs.open().unwrap();
    jobs.close().unwrap();
    let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(())).unwrap();
    let error = runner.blocking().unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}
