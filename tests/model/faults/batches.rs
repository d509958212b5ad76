//! Batches meet what single calls meet, and one entry of them may fail.

use {
    crate::{
        common::{bodies, counts, fifo, in_group, millis},
        faults::queue::{always, ids, scripted},
    },
    requeue::{
        BatchResult, Clock, DeleteBatchEntry, ManualClock, Message,
        testing::{CallError, Fault, Faults, FaultyQueue},
    },
    std::{fmt::Debug, time::Duration},
};

/// The ids of what succeeded and of what failed.
fn outcome<T>(result: &BatchResult<T>) -> (Vec<&str>, Vec<&str>) {
    (
        result.successful.iter().map(|it| it.id.as_ref()).collect(),
        result.failed.iter().map(|it| it.id.as_ref()).collect(),
    )
}

/// Three messages in flight that were received through a network without faults.
fn three_in_flight(fault: Fault) -> (ManualClock, requeue::Queue, FaultyQueue, Vec<Message>) {
    let (clock, jobs, faulty) = always(fault);
    jobs.send_batch(["a", "b", "c"]).unwrap().sent().for_each(drop);
    let messages = crate::common::receive(&jobs, 10);
    (clock, jobs, faulty, messages)
}

#[track_caller]
fn one_of_three_fails<T>(result: &BatchResult<T>) {
    let (successful, failed) = outcome(result);
    assert_eq!((successful.len(), failed.len()), (2, 1));
    let failure = &result.failed[0];
    assert!(!failure.sender_fault, "the sender has done nothing wrong (M39)");
    assert_eq!(failure.code, "InternalError");
}

#[test]
fn one_entry_fails_and_the_others_do_not() {
    let (_, jobs, faulty) = always(Fault::BatchEntryFails);
    one_of_three_fails(&faulty.send_batch(["a", "b", "c"]).unwrap());
    assert_eq!(counts(&jobs), [2, 0, 0]);

    let (_, jobs, faulty, messages) = three_in_flight(Fault::BatchEntryFails);
    let back = messages.iter().map(|message| (message, Duration::ZERO));
    one_of_three_fails(&faulty.change_visibility_batch(back).unwrap());
    assert_eq!(counts(&jobs), [2, 1, 0]);

    let (_, jobs, faulty, messages) = three_in_flight(Fault::BatchEntryFails);
    one_of_three_fails(&faulty.delete_batch(&messages).unwrap());
    assert_eq!(counts(&jobs), [0, 1, 0]);
}

#[test]
fn every_entry_fails_at_some_time() {
    let (_, _, faulty) = always(Fault::BatchEntryFails);
    let mut failed: Vec<String> = (0..50)
        .map(|_| outcome(&faulty.send_batch(["a", "b", "c"]).unwrap()).1.concat())
        .collect();
    failed.sort();
    failed.dedup();
    assert_eq!(failed, ["0", "1", "2"]);
}

#[test]
fn failures_keep_the_ids_and_the_order_of_the_request() {
    // M38 M39
    let (_, _, faulty) = always(Fault::BatchEntryFails);
    for _ in 0..30 {
        let entries = [("first", ""), ("second", "b"), ("third", "\u{1}"), ("fourth", "d")];
        let result = faulty.send_batch(entries).unwrap();
        let place = |id: &&str| entries.iter().position(|entry| entry.0 == *id);
        let (successful, failed) = outcome(&result);
        assert!(successful.is_sorted_by_key(place) && failed.is_sorted_by_key(place));
        assert_eq!(successful.len() + failed.len(), 4);
        let ours: Vec<_> = result.failed.iter().filter(|it| !it.sender_fault).collect();
        assert_eq!((ours.len(), ours[0].code), (1, "InternalError"));
    }
}

#[test]
fn no_fault_makes_a_bad_batch_good() {
    // M31 M34 M35
    let (_, jobs, faulty) = always(Fault::BatchEntryFails);
    let eleven = vec!["m"; 11];
    let handle = {
        jobs.send("m").unwrap();
        crate::common::take(&jobs).receipt_handle()
    };
    let twice = ["a", "a"].map(|id| DeleteBatchEntry::new(id, handle));
    let refused = |result: Result<(), CallError<requeue::BatchError>>| match result {
        Err(CallError::Refused(error)) => error.code(),
        other => panic!("{other:?}"),
    };
    match faulty.send_batch(eleven) {
        Err(CallError::Refused(error)) => assert_eq!(error.code(), "TooManyEntriesInBatchRequest"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        refused(faulty.delete_batch(twice).map(drop)),
        "BatchEntryIdsNotDistinct"
    );
    assert_eq!(
        refused(faulty.delete_batch::<&Message>([]).map(drop)),
        "EmptyBatchRequest"
    );
    let none: [(&Message, Duration); 0] = [];
    assert_eq!(
        refused(faulty.change_visibility_batch(none).map(drop)),
        "EmptyBatchRequest"
    );
    assert_eq!((counts(&jobs), faulty.struck()), ([0, 1, 0], vec![]));
}

#[track_caller]
fn fails<T: Debug, E: Debug + PartialEq>(fault: Fault, result: Result<T, CallError<E>>) {
    let expected = match fault {
        Fault::SendThrottled => CallError::RequestThrottled,
        Fault::DeleteFails | Fault::VisibilityFails => CallError::ServiceUnavailable,
        _ => CallError::ResponseLost,
    };
    assert_eq!(result.unwrap_err(), expected, "{fault}");
}

#[test]
fn whole_batches_are_lost_late_or_refused() {
    for (fault, at_once, later) in [
        (Fault::SendResponseLost, 3, 3),
        (Fault::SendLate, 0, 3),
        (Fault::SendThrottled, 0, 0),
    ] {
        let (clock, jobs, faulty) = always(fault);
        fails(fault, faulty.send_batch(["a", "b", "c"]));
        assert_eq!(counts(&jobs)[0], at_once, "{fault}");
        clock.advance(Fault::LATE);
        assert_eq!(counts(&jobs)[0], later, "{fault}");
    }
    for (fault, at_once, later) in [
        (Fault::DeleteResponseLost, 0, 0),
        (Fault::DeleteLate, 3, 0),
        (Fault::DeleteFails, 3, 3),
    ] {
        let (clock, jobs, faulty, messages) = three_in_flight(fault);
        fails(fault, faulty.delete_batch(&messages));
        assert_eq!(counts(&jobs)[1], at_once, "{fault}");
        clock.advance(Fault::LATE);
        assert_eq!(counts(&jobs)[1], later, "{fault}");
    }
    for (fault, at_once, later) in [
        (Fault::VisibilityResponseLost, 3, 3),
        (Fault::VisibilityLate, 0, 3),
        (Fault::VisibilityFails, 0, 0),
    ] {
        let (clock, jobs, faulty, messages) = three_in_flight(fault);
        let back = messages.iter().map(|message| (message, Duration::ZERO));
        fails(fault, faulty.change_visibility_batch(back));
        assert_eq!(counts(&jobs)[0], at_once, "{fault}");
        clock.advance(Fault::LATE);
        assert_eq!(counts(&jobs)[0], later, "{fault}");
    }
}

#[test]
fn a_late_batch_arrives_at_its_instant_and_in_its_order() {
    // M40
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let faulty = FaultyQueue::new(&jobs, &clock, Faults::script([(1, Fault::SendLate)]), 1).unwrap();
    let due = clock.now().saturating_add(Fault::LATE);
    faulty
        .send_batch(["a", "b"].map(|body| in_group("g", body)))
        .unwrap_err();
    clock.advance(millis(1));
    faulty.send(in_group("g", "c")).unwrap();
    clock.advance(Fault::JUMP);
    let messages = faulty.receive(10).unwrap();
    assert_eq!(bodies(&messages), ["c", "a", "b"]);
    assert_eq!(messages[1].sent_timestamp(), due);
}

#[test]
fn what_a_batch_has_deleted_may_come_again() {
    let (_, jobs, faulty) = scripted(Faults::script([(4, Fault::DuplicateAfterDelete)]));
    let _ = faulty.send_batch(["a", "b"]).unwrap();
    let messages = faulty.receive(10).unwrap();
    assert!(faulty.delete_batch(&messages).unwrap().failed.is_empty());
    assert_eq!(ids(&faulty.receive(10).unwrap()), ids(&messages[1..]));
    assert_eq!(counts(&jobs), [0, 0, 0]);
}
