//! `Queue::change_visibility`: how long one reception hides a message, and which handles may say so.

use {
    crate::common::{
        MILLISECOND, VISIBILITY, assert_refused, bodies, counts, each_with_one_in_flight, fifo, in_group, receive,
        secs, standard, take, take_for,
    },
    requeue::{ChangeVisibilityError, Clock, ManualClock, Message, Queue, ReceiptHandle},
    std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

/// The longest that one reception hides a message.
const CAP: Duration = secs(43_200);

/// Asserts that the message comes back exactly `span` from now.
#[track_caller]
fn assert_back_after(span: Duration, clock: &ManualClock, jobs: &Queue) {
    clock.advance(span - MILLISECOND);
    assert!(receive(jobs, 1).is_empty());
    clock.advance(MILLISECOND);
    assert_eq!(bodies(&receive(jobs, 1)), ["m"]);
}

#[track_caller]
fn assert_not_available(message: &Message) {
    let text = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
         visibility timeout change.",
        message.receipt_handle()
    );
    assert_refused!(message.change_visibility(secs(10)), "InvalidParameterValue", text);
}

#[track_caller]
fn assert_beyond_cap(message: &Message, seconds: u64) {
    let text = format!(
        "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message \
         is beyond the limit [43200 seconds]"
    );
    assert_refused!(message.change_visibility(secs(seconds)), "InvalidParameterValue", text);
}

#[test]
fn a_new_timeout_counts_from_the_call_and_replaces_the_old_one() {
    // D24
    for (clock, jobs, message) in each_with_one_in_flight() {
        clock.advance(secs(20));
        jobs.change_visibility(&message.receipt_handle(), secs(60)).unwrap();
        assert_back_after(secs(60), &clock, &jobs);
    }
}

#[test]
fn a_new_timeout_may_be_shorter() {
    // D24
    for (clock, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(secs(5)).unwrap();
        assert_eq!(counts(&jobs), [0, 1, 0]);
        assert_back_after(secs(5), &clock, &jobs);
    }
}

#[test]
fn zero_gives_a_message_back_at_once() {
    // D24
    for (_, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(Duration::ZERO).unwrap();
        assert_eq!(counts(&jobs), [1, 0, 0]);
        assert_eq!(take(&jobs).approximate_receive_count(), 2);
    }
}

#[test]
fn a_timeout_below_a_millisecond_is_zero() {
    for (_, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(Duration::from_nanos(999_999)).unwrap();
        assert_eq!(counts(&jobs), [1, 0, 0]);
    }
}

#[test]
fn the_async_forms_are_ready_at_once() {
    let [(_, jobs, message), (_, others, other)] = each_with_one_in_flight();
    let context = &mut Context::from_waker(Waker::noop());
    let change = pin!(message.change_visibility_async(Duration::ZERO)).poll(context);
    assert_eq!(change, Poll::Ready(Ok(())));
    let handle = other.receipt_handle();
    let change = pin!(others.change_visibility_async(&handle, Duration::ZERO)).poll(context);
    assert_eq!(change, Poll::Ready(Ok(())));
    assert_eq!((counts(&jobs), counts(&others)), ([1, 0, 0], [1, 0, 0]));
}

#[test]
fn a_timeout_longer_than_12_hours_is_out_of_range() {
    // D25
    let text = "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.";
    for (clock, jobs, message) in each_with_one_in_flight() {
        assert_refused!(message.change_visibility(secs(43_201)), "InvalidParameterValue", text);
        assert_back_after(VISIBILITY, &clock, &jobs);
    }
}

#[test]
fn one_reception_hides_a_message_for_12_hours_in_total() {
    // D26 D27
    for (clock, jobs, message) in each_with_one_in_flight() {
        clock.advance(secs(5));
        assert_beyond_cap(&message, 43_200);
        assert_beyond_cap(&message, 43_196);
        assert_eq!(counts(&jobs), [0, 1, 0]);
        message.change_visibility(secs(43_195)).unwrap();
        assert_back_after(secs(43_195), &clock, &jobs);
    }
}

#[test]
fn a_refused_extension_leaves_the_old_timeout() {
    // D26 D27
    for (clock, jobs, message) in each_with_one_in_flight() {
        clock.advance(secs(10));
        assert_beyond_cap(&message, 43_199);
        assert_back_after(secs(20), &clock, &jobs);
    }
}

#[test]
fn the_cap_starts_anew_with_each_receive_and_not_with_the_send() {
    // D26 D28
    let clock = ManualClock::default();
    let jobs = standard(&clock)
        .message_retention_period(secs(1_209_600))
        .build()
        .unwrap();
    jobs.send("m").unwrap();
    clock.advance(CAP);
    let first = take_for(&jobs, CAP);
    clock.advance(CAP);
    let second = take(&jobs);
    clock.advance(secs(1));
    second.change_visibility(CAP - secs(1)).unwrap();
    assert_eq!(
        first.change_visibility(CAP).unwrap_err().code(),
        "InvalidParameterValue"
    );
    assert_back_after(CAP - secs(1), &clock, &jobs);
}

#[test]
fn short_extensions_hide_a_message_as_long_as_the_cap_allows() {
    // D29 D26
    for (clock, jobs, message) in each_with_one_in_flight() {
        let end = clock.now().saturating_add(CAP);
        for _ in 0..47 {
            message.change_visibility(secs(900)).unwrap();
            clock.advance(secs(899));
            assert!(receive(&jobs, 1).is_empty());
        }
        let left = end.saturating_duration_since(clock.now());
        assert_eq!(left, secs(947));
        assert_beyond_cap(&message, 948);
        message.change_visibility(left).unwrap();
        assert_back_after(left, &clock, &jobs);
    }
}

#[test]
fn a_changed_timeout_is_that_of_one_reception() {
    // D23
    for (clock, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(secs(2)).unwrap();
        clock.advance(secs(2));
        take(&jobs);
        assert_back_after(VISIBILITY, &clock, &jobs);
    }
}

#[test]
fn changing_visibility_counts_no_receive_and_makes_no_handle() {
    // D3 D18
    for (_, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(secs(60)).unwrap();
        assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 1);
        assert_eq!(message.delete(), Ok(()));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn a_message_whose_timeout_ended_is_not_hidden_again() {
    // D19, second row; D30
    for (clock, jobs, message) in each_with_one_in_flight() {
        clock.advance(VISIBILITY);
        if jobs.is_fifo() {
            assert_not_available(&message);
        } else {
            assert_eq!(message.change_visibility(secs(60)), Ok(()));
        }
        assert_eq!(counts(&jobs), [1, 0, 0]);
        assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
    }
}

#[test]
fn a_message_visible_again_is_not_subject_to_the_cap() {
    // D19 D30: nothing is left that the cap could bound
    let [(clock, jobs, message), _] = each_with_one_in_flight();
    clock.advance(VISIBILITY);
    assert_eq!(message.change_visibility(CAP), Ok(()));
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn an_older_handle_works_on_the_current_reception_of_a_standard_queue() {
    // D19, fourth row
    let [(clock, jobs, older), _] = each_with_one_in_flight();
    clock.advance(VISIBILITY);
    take(&jobs);
    older.change_visibility(secs(60)).unwrap();
    clock.advance(secs(59));
    assert!(receive(&jobs, 1).is_empty());
    older.change_visibility(Duration::ZERO).unwrap();
    assert_eq!(take(&jobs).approximate_receive_count(), 3);
}

#[test]
fn an_older_handle_has_expired_on_a_fifo_queue() {
    // D19, fourth row
    let [_, (clock, jobs, older)] = each_with_one_in_flight();
    clock.advance(VISIBILITY);
    take(&jobs);
    let text = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        older.receipt_handle()
    );
    assert_refused!(older.change_visibility(Duration::ZERO), "InvalidParameterValue", text);
    assert_eq!(counts(&jobs), [0, 1, 0]);
}

#[test]
fn the_visibility_of_what_is_gone_cannot_be_changed() {
    // D19, fifth row
    let clock = ManualClock::default();
    for (_, _, message) in each_with_one_in_flight() {
        message.delete().unwrap();
        assert_not_available(&message);
    }
    for (_, jobs, message) in each_with_one_in_flight() {
        jobs.purge().unwrap();
        jobs.send(in_group("g", "another")).unwrap();
        take(&jobs);
        assert_not_available(&message);
    }
    for builder in [standard(&clock), fifo(&clock)] {
        let jobs = builder.message_retention_period(secs(60)).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take_for(&jobs, secs(600));
        clock.advance(secs(60));
        assert_not_available(&message);
    }
}

#[test]
fn the_visibility_of_what_was_dead_lettered_cannot_be_changed() {
    // D19, fifth row
    let clock = ManualClock::default();
    for (dead, builder) in [
        (Queue::standard("dead"), standard(&clock)),
        (Queue::fifo("dead.fifo"), fifo(&clock)),
    ] {
        let dead = dead.clock(clock.clone()).build().unwrap();
        let jobs = builder.dead_letter(&dead, 1).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take_for(&jobs, Duration::ZERO);
        assert!(receive(&jobs, 1).is_empty());
        assert_not_available(&message);
    }
}

#[test]
fn a_malformed_handle_is_invalid() {
    // D19, sixth row
    let parsed = "garbage".parse::<ReceiptHandle>().map_err(ChangeVisibilityError::from);
    let text = "The input receipt handle \"garbage\" is not a valid receipt handle.";
    assert_refused!(parsed, "ReceiptHandleIsInvalid", text);
}

#[test]
fn a_handle_of_another_queue_is_invalid() {
    // D19, seventh row
    let [(_, jobs, _), (_, _, foreign)] = each_with_one_in_flight();
    let handle = foreign.receipt_handle();
    let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
    assert_refused!(
        jobs.change_visibility(&handle, Duration::ZERO),
        "ReceiptHandleIsInvalid",
        text
    );
    assert_eq!(counts(&jobs), [0, 1, 0]);
}

#[test]
fn the_range_is_checked_before_the_handle() {
    // X11
    let [(_, jobs, _), (_, _, foreign)] = each_with_one_in_flight();
    let error = jobs
        .change_visibility(&foreign.receipt_handle(), secs(43_201))
        .unwrap_err();
    assert_eq!(error.code(), "InvalidParameterValue");
}

#[test]
fn whatever_is_wrong_it_is_not_called_message_not_inflight() {
    // D21
    for (clock, _, message) in each_with_one_in_flight() {
        clock.advance(VISIBILITY);
        for timeout in [Duration::ZERO, secs(1), CAP, secs(43_201)] {
            if let Err(error) = message.change_visibility(timeout) {
                assert_eq!(error.code(), "InvalidParameterValue");
            }
        }
    }
}

#[test]
fn a_deleted_queue_changes_nothing() {
    // Q36
    for (_, jobs, message) in each_with_one_in_flight() {
        jobs.delete_queue().unwrap();
        let text = "The specified queue does not exist.";
        assert_refused!(message.change_visibility(secs(1)), "QueueDoesNotExist", text);
    }
}
