//! Each fault strikes a single queue as it says it does.

use {
    crate::common::{self, VISIBILITY, counts, fifo, in_group, millis, secs, standard},
    requeue::{
        Clock, Fact, FactEntry, FactListener, ManualClock, Message, Queue, QueueAttributes, ReceiveError,
        testing::{CallError, Fault, FaultError, Faults, FaultyQueue},
    },
    std::{
        sync::{Arc, OnceLock},
        time::Duration,
    },
};

/// A standard queue that meets one fault, always.
pub(crate) fn always(fault: Fault) -> (ManualClock, Queue, FaultyQueue) {
    scripted(Faults::none().with(fault, 1.0))
}

pub(crate) fn scripted(faults: Faults) -> (ManualClock, Queue, FaultyQueue) {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let faulty = FaultyQueue::new(&jobs, &clock, faults, 7).unwrap();
    (clock, jobs, faulty)
}

pub(crate) fn ids(messages: &[Message]) -> Vec<requeue::MessageId> {
    messages.iter().map(Message::message_id).collect()
}

#[test]
fn without_faults_it_is_the_queue() {
    let (_, jobs, faulty) = scripted(Faults::none());
    faulty.send("m").unwrap();
    let messages = faulty.receive(10).unwrap();
    faulty.change_visibility(&messages[0], VISIBILITY).unwrap();
    faulty.delete(&messages[0]).unwrap();
    assert_eq!((counts(&jobs), faulty.struck()), ([0, 0, 0], vec![]));
}

#[test]
fn a_message_in_flight_is_delivered_twice() {
    let (_, jobs, faulty) = always(Fault::DuplicateInFlight);
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
    let (_, jobs, faulty) = always(Fault::DuplicateAfterDelete);
    faulty.send("m").unwrap();
    let first = faulty.receive(1).unwrap();
    faulty.delete(&first[0]).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 0]);
    assert_eq!(ids(&faulty.receive(1).unwrap()), ids(&first));
    assert!(faulty.receive(1).unwrap().is_empty());
}

#[test]
fn a_release_and_a_postponement_meet_the_faults_of_a_change_of_visibility() {
    type Call = fn(&FaultyQueue, &Message) -> Result<(), CallError<requeue::ChangeVisibilityError>>;
    let release: Call = |faulty, message| faulty.release(message);
    let postpone: Call = |faulty, message| faulty.postpone(message, secs(20));
    for (call, hidden) in [(release, 0), (postpone, 1)] {
        for (fault, code, at_once, later) in [
            (Fault::VisibilityFails, Some("ServiceUnavailable"), false, false),
            (Fault::VisibilityResponseLost, None, true, true),
            (Fault::VisibilityLate, None, false, true),
        ] {
            let (clock, jobs, faulty) = always(fault);
            faulty.send("m").unwrap();
            let message = faulty.receive(1).unwrap().remove(0);
            assert_eq!(call(&faulty, &message).unwrap_err().code(), code, "{fault}");
            // What is taken back is a receive that does not count.
            let looks = |taken_back: bool| {
                let state = if taken_back { [1 - hidden, hidden, 0] } else { [0, 1, 0] };
                assert_eq!(counts(&jobs), state, "{fault}");
                let received = jobs.snapshot().messages[0].approximate_receive_count;
                assert_eq!(received, u32::from(!taken_back), "{fault}");
            };
            looks(at_once);
            clock.advance(Fault::LATE);
            looks(later);
            assert_eq!(faulty.struck().iter().map(|it| it.1).collect::<Vec<_>>(), [fault]);
        }
    }
}

#[test]
fn a_late_release_of_a_lease_that_is_over_is_lost() {
    let (clock, jobs, faulty) = always(Fault::VisibilityLate);
    faulty.send("m").unwrap();
    let poll = faulty.receive_with(|poll| poll.visibility_timeout(secs(2))).unwrap();
    assert_eq!(faulty.release(&poll[0]), Err(CallError::ResponseLost));
    clock.advance(Fault::LATE);
    assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 1);
}

#[test]
fn no_copy_of_a_reception_that_was_taken_back_is_delivered() {
    let script = Faults::script([(4, Fault::ReceiveResponseLost), (5, Fault::DuplicateInFlight)]);
    let (_, _, faulty) = scripted(script);
    faulty.send("m").unwrap();
    let first = faulty.receive(1).unwrap();
    faulty.release(&first[0]).unwrap();
    // The lost reception has the count of the first, and another handle.
    assert_eq!(faulty.receive(1).unwrap_err(), CallError::ResponseLost);
    assert!(faulty.receive(1).unwrap().is_empty());
}

#[test]
fn messages_come_in_reverse() {
    let (_, _, faulty) = always(Fault::Reordered);
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
        let (_, jobs, faulty) = always(fault);
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
        let (clock, jobs, faulty) = always(fault);
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
        let (clock, jobs, faulty) = always(fault);
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
        let (clock, jobs, faulty) = always(fault);
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
fn the_clock_jumps() {
    let (clock, jobs, faulty) = scripted(Faults::script([(3, Fault::ClockJump)]));
    faulty.send("m").unwrap();
    let first = faulty.receive(1).unwrap();
    assert_eq!(counts(&jobs)[1], 1);
    assert_eq!(ids(&faulty.receive(1).unwrap()), ids(&first), "its timeout is over");
    assert_eq!(faulty.struck(), [(clock.now(), Fault::ClockJump)]);
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
    let faulty = FaultyQueue::new(&jobs, &clock, Faults::worst_legal(), 1).unwrap();
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
        let faulty = FaultyQueue::new(&jobs, &clock, Faults::worst_legal(), seed).unwrap();
        for number in 0..200 {
            let _ = faulty.send(number.to_string());
            for message in faulty.receive(3).unwrap_or_default() {
                let _ = faulty.delete(&message);
            }
        }
        (faulty.struck(), jobs.snapshot())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn a_late_call_takes_effect_at_its_own_instant() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let script = Faults::script([(1, Fault::SendLate), (3, Fault::DeleteLate)]);
    let faulty = FaultyQueue::new(&jobs, &clock, script, 1).unwrap();
    let due = clock.now().saturating_add(Fault::LATE);
    faulty.send(in_group("g", "m")).unwrap_err();
    clock.advance(VISIBILITY);
    let messages = faulty.receive(1).unwrap();
    assert_eq!(messages[0].sent_timestamp(), due);
    faulty.delete(&messages[0]).unwrap_err();
    // A FIFO queue would refuse it later, as expired.
    clock.advance(Fault::JUMP);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn late_calls_are_lost_with_the_last_handle() {
    let (clock, jobs, faulty) = always(Fault::SendLate);
    let clone = faulty.clone();
    faulty.send("a").unwrap_err();
    drop(faulty);
    clock.advance(Fault::LATE);
    assert_eq!(counts(&jobs)[0], 1);
    clone.send("b").unwrap_err();
    drop(clone);
    assert_eq!(clock.next_deadline(), None);
    clock.advance(Fault::LATE);
    assert_eq!(counts(&jobs)[0], 1);
}

#[test]
fn a_receive_asks_for_what_the_queue_knows_and_does_not_wait() {
    let (clock, jobs, faulty) = scripted(Faults::none());
    let begun = clock.now();
    assert!(faulty.receive_with(|poll| poll.wait_time(secs(20))).unwrap().is_empty());
    assert_eq!((clock.now(), clock.next_deadline()), (begun, None));
    jobs.set_attributes(QueueAttributes::new().receive_message_wait_time(secs(20)))
        .unwrap();
    assert!(faulty.receive(1).unwrap().is_empty());
    jobs.send_batch(["a", "b"]).unwrap().sent().for_each(drop);
    let messages = faulty
        .receive_with(|poll| poll.max_messages(2).visibility_timeout(secs(5)))
        .unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].invisible_until(), begun.saturating_add(secs(5)));
}

#[test]
fn a_long_poll_asks_every_server_and_meets_no_limit() {
    // D10 D15
    for fault in [Fault::SampledPoll, Fault::OverLimit] {
        let (_, jobs, faulty) = always(fault);
        jobs.send_batch(["a", "b"]).unwrap().sent().for_each(drop);
        assert_eq!(
            faulty.receive_with(|poll| poll.wait_time(secs(1))).unwrap().len(),
            1,
            "{fault}"
        );
        jobs.set_attributes(QueueAttributes::new().receive_message_wait_time(secs(20)))
            .unwrap();
        assert_eq!(faulty.receive_with(|poll| poll).unwrap().len(), 1, "{fault}");
        assert_eq!(faulty.struck(), vec![]);
    }
}

#[test]
fn no_fault_makes_a_bad_receive_good() {
    for fault in [
        Fault::DuplicateInFlight,
        Fault::DuplicateAfterDelete,
        Fault::SampledPoll,
        Fault::OverLimit,
    ] {
        let (_, jobs, faulty) = always(fault);
        jobs.send("a").unwrap();
        let message = faulty.receive_with(|poll| poll.wait_time(secs(1))).unwrap().remove(0);
        jobs.send("b").unwrap();
        if fault == Fault::DuplicateAfterDelete {
            faulty.delete(&message).unwrap();
        }
        let struck = faulty.struck();
        match faulty.receive(11) {
            Err(CallError::Refused(error)) => assert_eq!(error.code(), "InvalidParameterValue", "{fault}"),
            other => panic!("{fault}: {other:?}"),
        }
        assert_eq!(faulty.struck(), struck, "{fault}");
        jobs.delete_queue().unwrap();
        match faulty.receive(1) {
            Err(CallError::Refused(error)) => assert_eq!(error, ReceiveError::QueueDoesNotExist, "{fault}"),
            other => panic!("{fault}: {other:?}"),
        }
    }
}

#[test]
fn a_copy_in_flight_is_of_the_latest_reception() {
    let (clock, jobs, faulty) = scripted(Faults::script([
        (3, Fault::DuplicateInFlight),
        (4, Fault::DuplicateInFlight),
    ]));
    faulty.send("m").unwrap();
    faulty.receive(1).unwrap();
    clock.advance(VISIBILITY);
    let latest = common::take(&jobs);
    assert!(faulty.receive(1).unwrap().is_empty(), "of that one it knows nothing");
    clock.advance(VISIBILITY);
    assert_ne!(faulty.receive(1).unwrap()[0].receipt_handle(), latest.receipt_handle());
    assert_eq!(faulty.struck(), vec![]);
}

#[test]
fn what_retention_or_a_purge_has_ended_does_not_come_again() {
    // D37 D43
    for ends in [
        (|clock: &ManualClock, _: &Queue| clock.advance(secs(60))) as fn(&ManualClock, &Queue),
        |clock, jobs| {
            let before = clock.now();
            clock.advance(secs(60));
            assert_eq!(counts(jobs), [0, 0, 0]);
            clock.set(before);
        },
        |_, jobs| jobs.purge().unwrap(),
    ] {
        let clock = ManualClock::default();
        let jobs = standard(&clock).message_retention_period(secs(60)).build().unwrap();
        let faulty = FaultyQueue::new(&jobs, &clock, Faults::none().with(Fault::DuplicateAfterDelete, 1.0), 1).unwrap();
        for body in ["a", "b"] {
            faulty.send(body).unwrap();
            let message = faulty.receive(1).unwrap().remove(0);
            faulty.delete(&message).unwrap();
        }
        assert_eq!(faulty.receive(1).unwrap().len(), 1);
        ends(&clock, &jobs);
        assert!(faulty.receive(1).unwrap().is_empty());
    }
}

#[test]
fn a_handle_of_another_queue_is_invalid_and_a_refusal_is_no_fault() {
    // D19
    let (clock, _, faulty) = always(Fault::DeleteResponseLost);
    let other = Queue::standard("other").clock(clock).build().unwrap();
    other.send("m").unwrap();
    let message = common::take(&other);
    match faulty.delete(&message) {
        Err(CallError::Refused(error)) => assert_eq!(error.code(), "ReceiptHandleIsInvalid"),
        result => panic!("{result:?}"),
    }
    match faulty.change_visibility(&message, Duration::ZERO) {
        Err(CallError::Refused(error)) => assert_eq!(error.code(), "ReceiptHandleIsInvalid"),
        result => panic!("{result:?}"),
    }
    assert_eq!((counts(&other), faulty.struck()), ([0, 1, 0], vec![]));
}

/// Moves the clock and receives whenever something was sent, from within the call that sent it.
#[derive(Clone)]
struct Meddler(ManualClock, Arc<OnceLock<FaultyQueue>>);

impl FactListener for Meddler {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        if let (Fact::Sent { .. }, Some(faulty)) = (&entry.fact, self.1.get()) {
            self.0.advance(Fault::LATE);
            faulty.receive(1).unwrap();
        }
    }
}

#[test]
fn who_is_called_within_a_call_may_call_again() {
    let clock = ManualClock::default();
    let meddler = Meddler(clock.clone(), Arc::default());
    let jobs = standard(&clock).listener(meddler.clone()).build().unwrap();
    let faulty = FaultyQueue::new(&jobs, &clock, Faults::script([(1, Fault::SendLate)]), 1).unwrap();
    assert!(meddler.1.set(faulty.clone()).is_ok());
    faulty.send("late").unwrap_err();
    faulty.send("in time").unwrap();
    assert_eq!(counts(&jobs), [0, 2, 0]);
}
