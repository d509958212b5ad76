//! Every fault strikes a queue as it says it does, and no other way.

#[path = "common/mod.rs"]
mod common;

use {
    common::{VISIBILITY, counts, fifo, in_group, millis, standard},
    requeue::{
        ManualClock, Message, Queue, ReceiveError,
        testing::{CallError, Fault, FaultError, Faults, FaultyQueue},
    },
    std::time::Duration,
};

/// A standard queue that meets one fault, always.
fn always(fault: Fault) -> (ManualClock, Queue, FaultyQueue) {
    scripted(Faults::none().with(fault, 1.0))
}

fn scripted(faults: Faults) -> (ManualClock, Queue, FaultyQueue) {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let faulty = FaultyQueue::new(&jobs, &clock, faults, 7).unwrap();
    (clock, jobs, faulty)
}

fn ids(messages: &[Message]) -> Vec<requeue::MessageId> {
    messages.iter().map(Message::message_id).collect()
}

#[test]
fn without_faults_it_is_the_queue() {
    let (_, jobs, mut faulty) = scripted(Faults::none());
    faulty.send("m").unwrap();
    let messages = faulty.receive(10).unwrap();
    faulty.change_visibility(&messages[0], VISIBILITY).unwrap();
    faulty.delete(&messages[0]).unwrap();
    assert_eq!((counts(&jobs), faulty.struck()), ([0, 0, 0], &[][..]));
}

#[test]
fn a_message_in_flight_is_delivered_twice() {
    let (_, jobs, mut faulty) = always(Fault::DuplicateInFlight);
    faulty.send("m").unwrap();
    let (first, second) = (faulty.receive(1).unwrap(), faulty.receive(1).unwrap());
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(counts(&jobs), [0, 1, 0]);
    faulty.delete(&second[0]).unwrap();
    assert!(
        faulty.receive(1).unwrap().is_empty(),
        "a deleted message is not in flight"
    );
}

#[test]
fn a_deleted_message_is_delivered_once_more() {
    let (_, jobs, mut faulty) = always(Fault::DuplicateAfterDelete);
    faulty.send("m").unwrap();
    let first = faulty.receive(1).unwrap();
    faulty.delete(&first[0]).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 0]);
    assert_eq!(ids(&faulty.receive(1).unwrap()), ids(&first));
    assert!(faulty.receive(1).unwrap().is_empty());
}

#[test]
fn messages_come_in_reverse() {
    let (_, _, mut faulty) = always(Fault::Reordered);
    for body in ["a", "b", "c"] {
        faulty.send(body).unwrap();
    }
    assert_eq!(common::bodies(&faulty.receive(10).unwrap()), ["c", "b", "a"]);
}

#[test]
fn receives_come_to_nothing_in_four_ways() {
    for (fault, in_flight) in [
        (Fault::SampledPoll, 0),
        (Fault::ReceiveResponseLost, 1),
        (Fault::ReceiveThrottled, 0),
        (Fault::OverLimit, 0),
    ] {
        let (_, jobs, mut faulty) = always(fault);
        faulty.send("m").unwrap();
        let result = faulty.receive(1);
        assert_eq!(counts(&jobs)[1], in_flight, "{fault}");
        match (fault, result) {
            (Fault::SampledPoll, Ok(messages)) => assert!(messages.is_empty()),
            (Fault::ReceiveResponseLost, Err(error)) => assert_eq!(error, CallError::ResponseLost),
            (Fault::ReceiveThrottled, Err(error)) => assert_eq!(error.code(), Some("RequestThrottled")),
            (Fault::OverLimit, Err(error)) => assert_eq!(error, CallError::Refused(ReceiveError::OverLimit)),
            (_, other) => panic!("{fault}: {other:?}"),
        }
        assert_eq!(faulty.struck().len(), 1);
    }
}

#[test]
fn deletes_are_lost_refused_or_late() {
    for (fault, at_once, later) in [
        (Fault::DeleteResponseLost, 0, 0),
        (Fault::DeleteFails, 1, 1),
        (Fault::DeleteLate, 1, 0),
    ] {
        let (clock, jobs, mut faulty) = always(fault);
        faulty.send("m").unwrap();
        let messages = faulty.receive(1).unwrap();
        faulty.delete(&messages[0]).unwrap_err();
        assert_eq!(counts(&jobs)[1], at_once, "{fault}");
        clock.advance(Fault::LATE);
        faulty.receive(1).unwrap();
        assert_eq!(counts(&jobs)[1], later, "{fault}");
    }
}

#[test]
fn changes_of_visibility_are_lost_refused_or_late() {
    for (fault, at_once, later) in [
        (Fault::VisibilityResponseLost, 1, 1),
        (Fault::VisibilityFails, 0, 0),
        (Fault::VisibilityLate, 0, 1),
    ] {
        let (clock, jobs, mut faulty) = always(fault);
        faulty.send("m").unwrap();
        let messages = faulty.receive(1).unwrap();
        faulty.change_visibility(&messages[0], Duration::ZERO).unwrap_err();
        assert_eq!(counts(&jobs)[0], at_once, "{fault}");
        clock.advance(Fault::LATE);
        faulty.send("another").unwrap();
        assert_eq!(counts(&jobs)[0], later + 1, "{fault}");
    }
}

#[test]
fn sends_are_lost_late_or_throttled() {
    for (fault, at_once, later) in [
        (Fault::SendResponseLost, 1, 1),
        (Fault::SendLate, 0, 1),
        (Fault::SendThrottled, 0, 0),
    ] {
        let (clock, jobs, mut faulty) = always(fault);
        faulty.send("m").unwrap_err();
        assert_eq!(counts(&jobs)[0], at_once, "{fault}");
        clock.advance(Fault::LATE - millis(1));
        faulty.receive(1).unwrap();
        assert_eq!(counts(&jobs)[0] + counts(&jobs)[1], at_once, "{fault}");
        clock.advance(millis(1));
        faulty.receive(1).unwrap();
        assert_eq!(counts(&jobs)[0] + counts(&jobs)[1], later, "{fault}");
    }
}

#[test]
fn one_entry_of_a_batch_fails_and_the_others_do_not() {
    let (_, jobs, mut faulty) = always(Fault::BatchEntryFails);
    for body in ["a", "b", "c"] {
        faulty.send(body).unwrap();
    }
    let messages = faulty.receive(10).unwrap();
    let result = faulty.delete_batch(&messages).unwrap();
    assert_eq!((result.successful.len(), result.failed.len()), (2, 1));
    assert_eq!(counts(&jobs)[1], 1);
}

#[test]
fn the_clock_jumps() {
    let (clock, jobs, mut faulty) = scripted(Faults::script([(3, Fault::ClockJump)]));
    faulty.send("m").unwrap();
    let first = faulty.receive(1).unwrap();
    assert_eq!(counts(&jobs)[1], 1);
    assert_eq!(ids(&faulty.receive(1).unwrap()), ids(&first), "its timeout is over");
    assert_eq!(faulty.struck(), [(requeue::Clock::now(&clock), Fault::ClockJump)]);
}

#[test]
fn a_fifo_queue_refuses_what_sqs_rules_out_and_presets_leave_it_out() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    for fault in Fault::ALL {
        let named = FaultyQueue::new(&jobs, &clock, Faults::none().with(fault, 0.5), 1);
        let scripted = FaultyQueue::new(&jobs, &clock, Faults::script([(1, fault)]), 1);
        let refused = matches!(named, Err(FaultError::NotOnFifo { fault: it, .. }) if it == fault);
        assert_eq!(
            (refused, scripted.is_err()),
            (!fault.is_legal_on_fifo(), refused),
            "{fault}"
        );
    }
    let mut faulty = FaultyQueue::new(&jobs, &clock, Faults::worst_legal(), 1).unwrap();
    for number in 0..500 {
        let _ = faulty.send(in_group("g", &number.to_string()));
        let _ = faulty.receive(10);
    }
    let struck = faulty.struck();
    assert!(!struck.is_empty() && struck.iter().all(|(_, fault)| fault.is_legal_on_fifo()));
}

#[test]
fn a_probability_is_between_0_and_1() {
    let (clock, jobs, _) = scripted(Faults::none());
    for probability in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let faults = Faults::none().with(Fault::ClockJump, probability);
        let error = FaultyQueue::new(&jobs, &clock, faults, 1).unwrap_err();
        assert!(matches!(error, FaultError::Probability { .. }), "{probability}");
    }
}

#[test]
fn the_same_seed_strikes_in_the_same_way() {
    let run = |seed| {
        let clock = ManualClock::default();
        let jobs = standard(&clock).build().unwrap();
        let mut faulty = FaultyQueue::new(&jobs, &clock, Faults::worst_legal(), seed).unwrap();
        for number in 0..200 {
            let _ = faulty.send(number.to_string());
            for message in faulty.receive(3).unwrap_or_default() {
                let _ = faulty.delete(&message);
            }
        }
        (faulty.struck().to_vec(), jobs.snapshot())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}
