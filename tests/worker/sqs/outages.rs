//! A network that fails for a while, under a runner: nothing is lost, and work goes on when it is back.

use {
    crate::{
        common::http::{Cut, client_cut_off},
        common::{counts, nap, run, secs},
    },
    futures_util::future::join,
    requeue::{
        Clock, ManualClock, Queue, QueueAttributes, Service,
        backend::{ErrorKind, SqsQueue},
        worker::{Job, Runner, RunnerEvent, RunnerReport},
    },
    std::{
        sync::{Arc, Mutex},
        time::Duration,
    },
};

/// Works for two minutes on a queue with one message; the way to it is cut for the actions, from 10 s to 20 s.
fn work(cut: Cut, actions: &'static [&'static str], handling: Duration) -> (RunnerReport, Vec<ErrorKind>, Queue) {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    let queue = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    let (start, time) = (clock.now(), clock.clone());
    let client = client_cut_off(&service, move |action| {
        let since = time.now().saturating_duration_since(start);
        let down = (secs(10)..secs(20)).contains(&since);
        (down && actions.contains(&action)).then_some(cut)
    });
    let jobs = SqsQueue::with_visibility_timeout(client, queue.url(), secs(30)).clock(clock.clone());
    let errors = Arc::new(Mutex::new(Vec::new()));
    let (seen, time) = (Arc::clone(&errors), clock.clone());
    let runner = Runner::builder(&jobs).on_event(move |event| {
        if let RunnerEvent::ReceiveFailed { error, .. } | RunnerEvent::NotDeleted { error, .. } = event {
            seen.lock().unwrap().push(error.kind);
        }
    });
    let runner = runner.each_async(move |_: Job| {
        let time = time.clone();
        async move {
            nap(&time, handling).await;
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let (handle, sender) = (runner.handle(), queue.clone());
    let rest = async {
        nap(&clock, secs(1)).await;
        sender.send("m").unwrap();
        nap(&clock, secs(120)).await;
        handle.stop();
    };
    let (report, ()) = run(&clock, join(runner.run(), rest));
    let errors = errors.lock().unwrap().clone();
    (report.unwrap(), errors, queue)
}

#[test]
fn receives_go_on_when_the_network_is_back() {
    let (report, errors, queue) = work(Cut::Request, &["ReceiveMessage"], secs(9));
    assert_eq!((report.received, report.succeeded), (1, 1), "{report:?}");
    assert!(
        report.receive_errors > 2 && errors.iter().all(|kind| *kind == ErrorKind::Transient),
        "{errors:?}"
    );
    assert_eq!(counts(&queue), [0, 0, 0]);
}

#[test]
fn a_delete_is_tried_again_while_the_message_is_held() {
    for cut in [Cut::Request, Cut::Answer] {
        let (report, errors, queue) = work(cut, &["DeleteMessage"], secs(12));
        assert_eq!(
            (report.received, report.succeeded, report.not_deleted),
            (1, 1, 0),
            "{report:?}"
        );
        assert!(
            errors.len() > 1 && errors.iter().all(|kind| *kind == ErrorKind::Transient),
            "{errors:?}"
        );
        assert_eq!(counts(&queue), [0, 0, 0]);
    }
}

#[test]
fn heartbeats_are_tried_again_while_the_message_is_held() {
    for cut in [Cut::Request, Cut::Answer] {
        let (report, _, queue) = work(cut, &["ChangeMessageVisibility"], secs(60));
        assert_eq!(
            (report.received, report.succeeded, report.lost),
            (1, 1, 0),
            "{report:?}"
        );
        assert_eq!(counts(&queue), [0, 0, 0]);
    }
}

#[test]
fn a_message_whose_receive_is_lost_comes_back() {
    let (report, errors, queue) = work(Cut::Answer, &["ReceiveMessage"], secs(12));
    assert_eq!((report.received, report.succeeded), (1, 1), "{report:?}");
    assert!(!errors.is_empty());
    assert_eq!(counts(&queue), [0, 0, 0]);
}
