//! `Queue::delete`: what each handle a message ever had can do (D19).

mod seals;

use {
    crate::common::{
        VISIBILITY, assert_refused, bodies, counts, each_with_one_in_flight, fifo, in_group, receive, secs, standard,
        take, take_for,
    },
    requeue::{DeleteError, ManualClock, Message, Queue, ReceiptHandle, StaleDelete},
    std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

#[track_caller]
fn assert_expired(jobs: &Queue, message: &Message) {
    let handle = message.receipt_handle();
    let text =
        format!("Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.");
    assert_refused!(jobs.delete(&handle), "InvalidParameterValue", text);
}

#[test]
fn the_latest_handle_deletes_a_message_in_flight() {
    // D19, first row
    for (clock, jobs, message) in each_with_one_in_flight() {
        assert_eq!(jobs.delete(&message.receipt_handle()), Ok(()));
        assert_eq!(counts(&jobs), [0, 0, 0]);
        clock.advance(VISIBILITY);
        assert!(receive(&jobs, 1).is_empty());
    }
}

#[test]
fn a_message_deletes_itself_from_its_queue() {
    for (_, jobs, message) in each_with_one_in_flight() {
        assert_eq!(message.delete(), Ok(()));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn delete_async_is_ready_at_once() {
    let [(_, jobs, message), (_, others, other)] = each_with_one_in_flight();
    let context = &mut Context::from_waker(Waker::noop());
    assert_eq!(pin!(message.delete_async()).poll(context), Poll::Ready(Ok(())));
    let handle = other.receipt_handle();
    assert_eq!(pin!(others.delete_async(&handle)).poll(context), Poll::Ready(Ok(())));
    assert_eq!((counts(&jobs), counts(&others)), ([0, 0, 0], [0, 0, 0]));
}

#[test]
fn the_latest_handle_deletes_after_its_timeout_on_a_standard_queue_alone() {
    // D19, second row; F43
    for (clock, jobs, message) in each_with_one_in_flight() {
        clock.advance(VISIBILITY);
        if jobs.is_fifo() {
            assert_expired(&jobs, &message);
            assert_eq!(bodies(&receive(&jobs, 1)), ["m"], "it stays");
        } else {
            assert_eq!(jobs.delete(&message.receipt_handle()), Ok(()));
            assert_eq!(counts(&jobs), [0, 0, 0]);
        }
    }
}

#[test]
fn a_reception_that_was_given_back_is_over_on_a_fifo_queue() {
    // D19, second row; D24
    for (_, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(Duration::ZERO).unwrap();
        if jobs.is_fifo() {
            assert_expired(&jobs, &message);
        } else {
            assert_eq!(message.delete(), Ok(()));
        }
        assert_eq!(counts(&jobs), [usize::from(jobs.is_fifo()), 0, 0]);
    }
}

#[test]
fn an_extended_handle_deletes_until_the_extension_ends() {
    // D19, third row
    for (clock, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(secs(60)).unwrap();
        clock.advance(secs(59));
        assert_eq!(message.delete(), Ok(()));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
    for (clock, jobs, message) in each_with_one_in_flight() {
        message.change_visibility(secs(60)).unwrap();
        clock.advance(secs(60));
        if jobs.is_fifo() {
            assert_expired(&jobs, &message);
        }
    }
}

#[test]
fn an_older_handle_deletes_a_message_received_again_on_a_standard_queue_alone() {
    // D19, fourth row
    for (clock, jobs, message) in each_with_one_in_flight() {
        clock.advance(VISIBILITY);
        take(&jobs);
        if jobs.is_fifo() {
            assert_expired(&jobs, &message);
            assert_eq!(counts(&jobs), [0, 1, 0]);
        } else {
            assert_eq!(message.delete(), Ok(()));
            assert_eq!(counts(&jobs), [0, 0, 0]);
        }
    }
}

#[test]
fn stale_delete_ignore_leaves_a_message_received_again_where_it_is() {
    // D20
    let clock = ManualClock::default();
    let jobs = standard(&clock).stale_delete(StaleDelete::Ignore).build().unwrap();
    jobs.send("m").unwrap();
    let older = take_for(&jobs, secs(1));
    clock.advance(secs(1));
    let latest = take_for(&jobs, secs(1));
    assert_eq!(older.delete(), Ok(()));
    assert_eq!(counts(&jobs), [0, 1, 0]);
    clock.advance(secs(1));
    assert_eq!(
        older.delete(),
        Ok(()),
        "visible again, but received by a newer handle since"
    );
    assert_eq!(counts(&jobs), [1, 0, 0]);
    assert_eq!(latest.delete(), Ok(()), "the latest handle deletes, in flight or not");
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn a_fifo_queue_refuses_stale_handles_whatever_stale_delete_says() {
    // D19 D20
    let clock = ManualClock::default();
    for stale_delete in [StaleDelete::Delete, StaleDelete::Ignore] {
        let jobs = fifo(&clock).stale_delete(stale_delete).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take_for(&jobs, Duration::ZERO);
        assert_expired(&jobs, &message);
    }
}

#[test]
fn deleting_what_was_deleted_succeeds() {
    // D19, fifth row; C8
    for (_, jobs, message) in each_with_one_in_flight() {
        for _ in 0..3 {
            assert_eq!(message.delete(), Ok(()));
        }
        jobs.send(in_group("g", "another")).unwrap();
        assert_eq!(message.delete(), Ok(()), "it never means a later message");
        assert_eq!(bodies(&receive(&jobs, 1)), ["another"]);
    }
}

#[test]
fn deleting_what_was_purged_succeeds() {
    // D19, fifth row
    for (_, jobs, message) in each_with_one_in_flight() {
        jobs.purge().unwrap();
        jobs.send(in_group("g", "another")).unwrap();
        assert_eq!(message.delete(), Ok(()));
        assert_eq!(bodies(&receive(&jobs, 1)), ["another"]);
    }
}

#[test]
fn deleting_what_retention_ended_succeeds() {
    // D19, fifth row; D39
    let clock = ManualClock::default();
    for builder in [standard(&clock), fifo(&clock)] {
        let jobs = builder.message_retention_period(secs(60)).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take_for(&jobs, secs(600));
        clock.advance(secs(60));
        assert_eq!(message.delete(), Ok(()));
    }
}

#[test]
fn deleting_what_was_dead_lettered_succeeds_and_leaves_the_dead_letter() {
    // D19, fifth row; L10
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
        assert_eq!(message.delete(), Ok(()));
        assert_eq!(counts(&dead), [1, 0, 0]);
    }
}

#[test]
fn a_malformed_handle_is_invalid() {
    // D19, sixth row
    let handle = each_with_one_in_flight()[0].2.receipt_handle().to_string();
    for text in [
        "",
        "garbage",
        "AQEB",
        &handle[1..],
        &handle[..handle.len() - 1],
        &format!("{handle}A"),
    ] {
        let parsed = text.parse::<ReceiptHandle>().map_err(DeleteError::from);
        let expected = format!("The input receipt handle \"{text}\" is not a valid receipt handle.");
        assert_refused!(parsed, "ReceiptHandleIsInvalid", expected);
    }
}

#[test]
fn a_handle_survives_its_text() {
    // D18 M48
    for (_, jobs, message) in each_with_one_in_flight() {
        let text = message.receipt_handle().to_string();
        let handle: ReceiptHandle = text.parse().unwrap();
        assert_eq!(handle, message.receipt_handle());
        jobs.delete(&handle).unwrap();
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn a_handle_of_another_queue_is_invalid() {
    // D19, seventh row
    let [(_, standard, of_standard), (_, fifo, of_fifo)] = each_with_one_in_flight();
    for (jobs, foreign) in [(&standard, &of_fifo), (&fifo, &of_standard)] {
        let handle = foreign.receipt_handle();
        let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        assert_refused!(jobs.delete(&handle), "ReceiptHandleIsInvalid", text);
        assert_eq!(counts(jobs), [0, 1, 0]);
    }
}

#[test]
fn a_handle_of_a_deleted_queue_of_the_same_name_is_invalid() {
    // D19, seventh row
    let clock = ManualClock::default();
    let build = |seed| Queue::standard("jobs").clock(clock.clone()).seed(seed).build().unwrap();
    let before = build(1);
    before.send("m").unwrap();
    let handle = take(&before).receipt_handle();
    before.delete_queue().unwrap();
    let after = build(2);
    after.send("m").unwrap();
    take(&after);
    assert_eq!(after.delete(&handle).unwrap_err().code(), "ReceiptHandleIsInvalid");
    assert_eq!(counts(&after), [0, 1, 0]);
}

#[test]
fn a_deleted_queue_deletes_nothing() {
    // Q36
    for (_, jobs, message) in each_with_one_in_flight() {
        jobs.delete_queue().unwrap();
        let text = "The specified queue does not exist.";
        assert_refused!(message.delete(), "QueueDoesNotExist", text);
        assert_refused!(jobs.delete(&message.receipt_handle()), "QueueDoesNotExist", text);
    }
}

#[test]
fn deleting_one_message_leaves_the_others() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2", "m3"]).unwrap();
    let messages = receive(&jobs, 2);
    messages[1].delete().unwrap();
    assert_eq!(counts(&jobs), [1, 1, 0]);
    messages[0].change_visibility(Duration::ZERO).unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["m1", "m3"]);
}

#[test]
fn a_dropped_message_is_not_deleted() {
    for (clock, jobs, message) in each_with_one_in_flight() {
        drop(message);
        assert_eq!(counts(&jobs), [0, 1, 0]);
        clock.advance(VISIBILITY);
        assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
    }
}
