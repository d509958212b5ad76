//! How messages end without a consumer: retention (D37-D42) and purge (D43-D47).

use {
    crate::common::{
        DAY, MILLISECOND, assert_refused, bodies, counts, fifo, in_group, receive, receive_for, secs, send_grouped,
        standard, take, take_for, wait_for,
    },
    requeue::{Clock, ManualClock, Queue, QueueAttributes, SendMessage},
    std::time::Duration,
};

const MINUTE: Duration = secs(60);

/// A standard and a FIFO queue that keep messages for a minute, each with a clock of its own.
fn each_for_a_minute() -> [(ManualClock, Queue); 2] {
    [standard, fifo].map(|builder| {
        let clock = ManualClock::default();
        let jobs = builder(&clock).message_retention_period(MINUTE).build().unwrap();
        (clock, jobs)
    })
}

fn keep(jobs: &Queue, period: Duration) {
    jobs.set_attributes(QueueAttributes::new().message_retention_period(period))
        .unwrap();
}

#[test]
fn a_visible_message_disappears_at_the_end_of_its_retention() {
    // D37 D41
    for (clock, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "m")).unwrap();
        assert_eq!(
            jobs.snapshot().messages[0].expires_at,
            clock.now().saturating_add(MINUTE)
        );
        clock.advance(MINUTE - MILLISECOND);
        assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), ["m"]);
        clock.advance(MILLISECOND);
        assert_eq!((counts(&jobs), jobs.snapshot().messages.len()), ([0, 0, 0], 0));
        assert!(receive(&jobs, 1).is_empty());
    }
}

#[test]
fn a_message_in_flight_disappears_at_the_end_of_its_retention() {
    // D37
    for (clock, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "m")).unwrap();
        let message = take_for(&jobs, secs(600));
        clock.advance(MINUTE - MILLISECOND);
        assert_eq!(counts(&jobs), [0, 1, 0]);
        clock.advance(MILLISECOND);
        assert_eq!(counts(&jobs), [0, 0, 0]);
        assert_eq!(message.delete(), Ok(()), "D39");
    }
}

#[test]
fn a_delayed_message_disappears_at_the_end_of_its_retention() {
    // D37 D36
    for (clock, jobs) in each_for_a_minute() {
        jobs.set_attributes(QueueAttributes::new().delay(secs(900))).unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        clock.advance(MINUTE - MILLISECOND);
        assert_eq!(counts(&jobs), [0, 0, 1]);
        clock.advance(MILLISECOND);
        assert_eq!(counts(&jobs), [0, 0, 0]);
        clock.advance(secs(900));
        assert!(receive(&jobs, 1).is_empty());
    }
}

#[test]
fn retention_counts_from_the_send_and_not_from_the_end_of_the_delay() {
    // D38
    for (clock, jobs) in each_for_a_minute() {
        jobs.set_attributes(QueueAttributes::new().delay(secs(50))).unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        clock.advance(secs(50));
        assert_eq!(counts(&jobs), [1, 0, 0]);
        clock.advance(secs(10));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn no_receive_and_no_extension_prolongs_retention() {
    // D38
    for (clock, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "m")).unwrap();
        for _ in 0..5 {
            take_for(&jobs, secs(5)).change_visibility(secs(10)).unwrap();
            clock.advance(secs(10));
        }
        take_for(&jobs, secs(600));
        clock.advance(secs(10));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn retention_moves_nothing_to_a_dead_letter_queue() {
    // D37
    let clock = ManualClock::default();
    let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
    let builder = standard(&clock).message_retention_period(MINUTE);
    let jobs = builder.dead_letter(&dead, 1).build().unwrap();
    jobs.send("m").unwrap();
    take_for(&jobs, Duration::ZERO);
    clock.advance(MINUTE);
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [0, 0, 0]));
}

#[test]
fn each_message_has_a_retention_of_its_own() {
    // D37
    for (clock, jobs) in each_for_a_minute() {
        for body in ["m1", "m2", "m3"] {
            jobs.send(in_group("g", body)).unwrap();
            clock.advance(secs(20));
        }
        assert_eq!(bodies(&receive_for(&jobs, 10, Duration::ZERO)), ["m2", "m3"]);
        clock.advance(secs(20));
        assert_eq!(bodies(&receive_for(&jobs, 10, Duration::ZERO)), ["m3"]);
    }
}

#[test]
fn four_days_is_the_retention_of_a_queue_that_sets_none() {
    // D37
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    jobs.send("m").unwrap();
    clock.advance(4 * DAY - MILLISECOND);
    assert_eq!(counts(&jobs), [1, 0, 0]);
    clock.advance(MILLISECOND);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn a_shorter_retention_ends_old_messages_at_once() {
    // D40 Q40
    for (clock, jobs) in each_for_a_minute() {
        keep(&jobs, secs(600));
        jobs.send(in_group("g", "old")).unwrap();
        take_for(&jobs, secs(3_600));
        clock.advance(secs(90));
        jobs.send(in_group("h", "young")).unwrap();
        keep(&jobs, MINUTE);
        assert_eq!(counts(&jobs), [1, 0, 0]);
        clock.advance(MINUTE - MILLISECOND);
        assert_eq!(take_for(&jobs, Duration::ZERO).body(), "young");
        clock.advance(MILLISECOND);
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn a_longer_retention_prolongs_stored_messages() {
    // D40 Q40
    for (clock, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "m")).unwrap();
        clock.advance(secs(59));
        keep(&jobs, secs(120));
        clock.advance(secs(61) - MILLISECOND);
        assert_eq!(counts(&jobs), [1, 0, 0]);
        clock.advance(MILLISECOND);
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn a_longer_retention_brings_nothing_back() {
    // D40 D41
    for (clock, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "m")).unwrap();
        clock.advance(MINUTE);
        keep(&jobs, secs(600));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn what_is_due_at_one_instant_ends_before_it_is_received() {
    // D41: retention and visibility timeout end in the same millisecond
    for (clock, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "m")).unwrap();
        take_for(&jobs, MINUTE);
        clock.advance(MINUTE);
        assert!(receive(&jobs, 1).is_empty());
    }
}

#[test]
fn a_long_poll_is_given_no_expired_message() {
    // D41
    let [(clock, jobs), _] = each_for_a_minute();
    jobs.send("m").unwrap();
    take_for(&jobs, MINUTE);
    clock.advance(secs(50));
    assert!(wait_for(&clock, jobs.receive().wait_time(secs(20))).unwrap().is_empty());
}

#[test]
fn purge_deletes_messages_of_every_phase() {
    // D43 D45
    for (_, jobs) in each_for_a_minute() {
        jobs.send(in_group("a", "in flight")).unwrap();
        take(&jobs);
        jobs.send(in_group("b", "visible")).unwrap();
        jobs.set_attributes(QueueAttributes::new().delay(secs(10))).unwrap();
        jobs.send(in_group("c", "delayed")).unwrap();
        assert_eq!(counts(&jobs), [1, 1, 1]);
        assert_eq!(jobs.purge(), Ok(()));
        assert_eq!((counts(&jobs), jobs.snapshot().messages.len()), ([0, 0, 0], 0));
    }
}

#[test]
fn nothing_purged_comes_back() {
    // D43 D45
    for (clock, jobs) in each_for_a_minute() {
        jobs.send(in_group("a", "in flight")).unwrap();
        let held = take(&jobs);
        jobs.set_attributes(QueueAttributes::new().delay(secs(10))).unwrap();
        jobs.send(in_group("b", "delayed")).unwrap();
        jobs.purge().unwrap();
        assert!(held.change_visibility(Duration::ZERO).is_err());
        clock.advance(MINUTE);
        assert!(receive(&jobs, 10).is_empty());
    }
}

#[test]
fn a_message_sent_after_a_purge_stays() {
    // D45
    for (_, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "before")).unwrap();
        jobs.purge().unwrap();
        jobs.send(in_group("g", "after")).unwrap();
        assert_eq!(bodies(&receive(&jobs, 10)), ["after"]);
    }
}

#[test]
fn a_second_purge_within_a_minute_is_refused_and_deletes_nothing() {
    // D44
    for (clock, jobs) in each_for_a_minute() {
        jobs.purge().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let text = format!(
            "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
            jobs.name()
        );
        assert_refused!(jobs.purge(), "PurgeQueueInProgress", text);
        clock.advance(MINUTE - MILLISECOND);
        assert_refused!(jobs.purge(), "PurgeQueueInProgress", text);
        assert_eq!(counts(&jobs), [1, 0, 0]);
        clock.advance(MILLISECOND);
        assert_eq!(
            jobs.purge(),
            Ok(()),
            "the minute counts from the purge that was accepted"
        );
    }
}

#[test]
fn the_minute_between_purges_is_that_of_one_queue() {
    // D44
    let [(_, here), (_, there)] = each_for_a_minute();
    assert_eq!((here.purge(), there.purge()), (Ok(()), Ok(())));
}

#[test]
fn purge_unlocks_groups_and_forgets_duplicates() {
    // D46
    let [_, (_, jobs)] = each_for_a_minute();
    let first = jobs.send(in_group("g", "m")).unwrap();
    take(&jobs);
    jobs.purge().unwrap();
    let second = jobs.send(in_group("g", "m")).unwrap();
    assert_ne!(second.message_id, first.message_id);
    assert_eq!(bodies(&receive(&jobs, 10)), ["m"]);
}

#[test]
fn sequence_numbers_go_on_after_a_purge() {
    // D47
    let [_, (_, jobs)] = each_for_a_minute();
    send_grouped(&jobs, ["g-1", "g-2"]);
    let before = jobs.send(in_group("g", "m")).unwrap().sequence_number;
    jobs.purge().unwrap();
    assert!(jobs.send(in_group("g", "m")).unwrap().sequence_number > before);
}

#[test]
fn purge_changes_no_setting() {
    // D47
    for (clock, jobs) in each_for_a_minute() {
        let before = jobs.settings();
        clock.advance(secs(1));
        jobs.purge().unwrap();
        assert_eq!(jobs.settings(), before);
    }
}

#[test]
fn a_deleted_queue_is_not_purged() {
    // Q36
    for (_, jobs) in each_for_a_minute() {
        jobs.delete_queue().unwrap();
        assert_refused!(jobs.purge(), "QueueDoesNotExist", "The specified queue does not exist.");
    }
}

#[test]
fn a_queue_deletes_what_it_holds_and_is_deleted_once() {
    // Q35 Q36 C8
    for (_, jobs) in each_for_a_minute() {
        jobs.send(in_group("g", "m")).unwrap();
        take(&jobs);
        jobs.send(SendMessage::new("n").message_group_id("h")).unwrap();
        assert_eq!(jobs.delete_queue(), Ok(()));
        assert_eq!((counts(&jobs), jobs.snapshot().messages.len()), ([0, 0, 0], 0));
        assert_refused!(
            jobs.delete_queue(),
            "QueueDoesNotExist",
            "The specified queue does not exist."
        );
        let changed = jobs.set_attributes(QueueAttributes::new().delay(secs(1)));
        assert_refused!(changed, "QueueDoesNotExist", "The specified queue does not exist.");
    }
}
