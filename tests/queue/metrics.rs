//! The metrics that SQS publishes (7.2): counts that only grow, and gauges of the instant.

use {
    crate::common::{
        counts, fifo, in_group, receive, receive_for, secs, send_grouped, standard, take, take_for, wait_for,
    },
    requeue::{
        ManualClock, MessageAttributeValue, Metrics, MetricsReport, Queue, QueueAttributes, QueueBuilder,
        RedrivePolicy, SendMessage, Service, StartMessageMoveTask,
    },
    std::time::Duration,
};

/// A queue and how to read its metrics.
fn metered(builder: QueueBuilder) -> (Queue, impl Fn() -> MetricsReport) {
    let metrics = Metrics::new();
    let jobs = builder.listener(metrics.clone()).build().unwrap();
    let read = jobs.clone();
    (jobs, move || metrics.report(&read))
}

#[test]
fn messages_are_counted_and_not_calls() {
    let (jobs, report) = metered(standard(&ManualClock::default()));
    jobs.send("m").unwrap();
    let _ = jobs.send_batch(["a", "b", ""]).unwrap();
    assert!(jobs.send("").is_err());
    assert_eq!(report().number_of_messages_sent, 3);
    let messages = receive(&jobs, 10);
    assert_eq!(report().number_of_messages_received, 3);
    let _ = jobs.delete_batch(&messages).unwrap();
    assert_eq!(report().number_of_messages_deleted, 3);
    assert_eq!(report().number_of_empty_receives, 0);
}

#[test]
fn every_receive_of_a_message_counts() {
    // C4
    let (jobs, report) = metered(standard(&ManualClock::default()));
    jobs.send("m").unwrap();
    for _ in 0..3 {
        receive_for(&jobs, 1, Duration::ZERO);
    }
    let report = report();
    assert_eq!(
        (report.number_of_messages_sent, report.number_of_messages_received),
        (1, 3)
    );
}

#[test]
fn a_receive_that_returns_nothing_is_empty_whether_short_or_long() {
    let clock = ManualClock::default();
    let (jobs, report) = metered(standard(&clock));
    receive(&jobs, 10);
    assert!(wait_for(&clock, jobs.receive().wait_time(secs(20))).unwrap().is_empty());
    assert!(jobs.receive().max_messages(0).blocking().is_err());
    assert_eq!(report().number_of_empty_receives, 2);
}

#[test]
fn repeated_deletes_of_one_message_count_again() {
    let (jobs, report) = metered(standard(&ManualClock::default()));
    jobs.send("m").unwrap();
    let message = take(&jobs);
    for _ in 0..3 {
        message.delete().unwrap();
    }
    assert_eq!(report().number_of_messages_deleted, 3);
}

#[test]
fn only_a_delete_that_succeeds_counts() {
    let clock = ManualClock::default();
    let (jobs, report) = metered(fifo(&clock));
    send_grouped(&jobs, ["g-1"]);
    let expired = take_for(&jobs, Duration::ZERO);
    assert!(expired.delete().is_err());
    assert_eq!(report().number_of_messages_deleted, 0);
}

#[test]
fn neither_purge_nor_retention_counts_as_a_delete() {
    let clock = ManualClock::default();
    let (jobs, report) = metered(standard(&clock).message_retention_period(secs(60)));
    jobs.send("m").unwrap();
    clock.advance(secs(60));
    jobs.send("n").unwrap();
    jobs.purge().unwrap();
    assert_eq!((report().number_of_messages_deleted, counts(&jobs)), (0, [0, 0, 0]));
}

#[test]
fn duplicates_are_counted_apart() {
    let (jobs, report) = metered(fifo(&ManualClock::default()));
    for _ in 0..3 {
        jobs.send(in_group("g", "m")).unwrap();
    }
    let report = report();
    assert_eq!(
        (
            report.number_of_messages_sent,
            report.number_of_deduplicated_sent_messages
        ),
        (1, 2)
    );
    assert_eq!(report.sent_message_size.unwrap().sum, 1);
}

#[test]
fn sizes_have_no_datapoint_until_something_was_sent() {
    // M6 M11
    let (jobs, report) = metered(standard(&ManualClock::default()));
    receive(&jobs, 1);
    assert_eq!(report().sent_message_size, None);
    jobs.send("\u{e9}").unwrap();
    jobs.send(SendMessage::new("12345").attribute("n", MessageAttributeValue::number("1")))
        .unwrap();
    let size = report().sent_message_size.unwrap();
    assert_eq!((size.min, size.max, size.sum), (2, 13, 15));
}

#[test]
fn a_dead_letter_is_not_sent_again_and_ages_from_its_move() {
    // L18 C5
    let clock = ManualClock::default();
    let (dead, dead_report) = metered(Queue::standard("dead").clock(clock.clone()));
    let (jobs, report) = metered(standard(&clock).dead_letter(&dead, 1));
    jobs.send("m").unwrap();
    take_for(&jobs, Duration::ZERO);
    clock.advance(secs(100));
    assert_eq!(report().approximate_age_of_oldest_message, Some(secs(100)));
    assert!(receive(&jobs, 1).is_empty());
    clock.advance(secs(7));
    let (source, target) = (report(), dead_report());
    assert_eq!(
        (source.number_of_messages_sent, source.number_of_messages_deleted),
        (1, 0)
    );
    assert_eq!(
        (source.number_of_messages_received, source.number_of_empty_receives),
        (1, 1)
    );
    assert_eq!((target.number_of_messages_sent, target.sent_message_size), (0, None));
    assert_eq!(target.approximate_number_of_messages_visible, 1);
    assert_eq!(target.approximate_age_of_oldest_message, Some(secs(7)));
    assert_eq!(source.approximate_age_of_oldest_message, None);
}

#[test]
fn a_message_put_in_by_a_move_task_counts_as_sent() {
    // L30
    let (clock, metrics) = (ManualClock::default(), Metrics::new());
    let service = Service::builder()
        .clock(clock)
        .listener(metrics.clone())
        .build();
    let dead = service.create_queue("dead", QueueAttributes::new()).unwrap();
    let policy = QueueAttributes::new().redrive_policy(RedrivePolicy::new(dead.arn(), 1));
    let jobs = service.create_queue("jobs", policy).unwrap();
    jobs.send("m").unwrap();
    receive_for(&jobs, 1, Duration::ZERO);
    assert!(receive(&jobs, 1).is_empty());
    service
        .start_message_move_task(&StartMessageMoveTask::new(dead.arn()))
        .unwrap();
    let report = metrics.report(&jobs);
    assert_eq!(report.number_of_messages_sent, 2);
    assert_eq!(
        (
            report.number_of_messages_deleted,
            metrics.report(&dead).number_of_messages_deleted
        ),
        (0, 0)
    );
}

#[test]
fn the_oldest_message_is_visible_or_in_flight() {
    let clock = ManualClock::default();
    let (jobs, report) = metered(standard(&clock));
    assert_eq!(report().approximate_age_of_oldest_message, None);
    jobs.send(SendMessage::new("delayed").delay(secs(100))).unwrap();
    clock.advance(secs(10));
    assert_eq!(report().approximate_age_of_oldest_message, None, "delayed");
    jobs.send("m").unwrap();
    let message = take_for(&jobs, secs(600));
    clock.advance(secs(5));
    assert_eq!(report().approximate_age_of_oldest_message, Some(secs(5)), "in flight");
    clock.advance(secs(85));
    assert_eq!(
        report().approximate_age_of_oldest_message,
        Some(secs(100)),
        "visible, since its send"
    );
    assert_eq!(take(&jobs).body(), "delayed");
    message.delete().unwrap();
    assert_eq!(report().approximate_age_of_oldest_message, Some(secs(100)));
}

#[test]
fn a_standard_queue_leaves_out_what_was_received_three_times() {
    // D48
    let clock = ManualClock::default();
    let (jobs, report) = metered(standard(&clock));
    jobs.send("poison").unwrap();
    clock.advance(secs(10));
    jobs.send("m").unwrap();
    for (receives, age) in [(1, 10), (2, 10), (3, 0)] {
        assert_eq!(receive_for(&jobs, 1, Duration::ZERO).len(), 1);
        let oldest = report().approximate_age_of_oldest_message;
        assert_eq!(oldest, Some(secs(age)), "after {receives} receives");
    }
}

#[test]
fn a_poison_message_at_the_head_of_a_fifo_group_keeps_counting() {
    let clock = ManualClock::default();
    let (jobs, report) = metered(fifo(&clock));
    send_grouped(&jobs, ["g-poison"]);
    for _ in 0..5 {
        take_for(&jobs, secs(1));
        clock.advance(secs(2));
    }
    assert_eq!(report().approximate_age_of_oldest_message, Some(secs(10)));
}

#[test]
fn gauges_agree_with_the_counters_of_the_queue() {
    // C2 C3
    let clock = ManualClock::default();
    let (jobs, report) = metered(standard(&clock));
    for number in 0..6 {
        jobs.send(number.to_string()).unwrap();
    }
    jobs.send(SendMessage::new("delayed").delay(secs(60))).unwrap();
    receive(&jobs, 2);
    let report = report();
    assert_eq!(report.approximate_number_of_messages_visible, 4);
    assert_eq!(report.approximate_number_of_messages_not_visible, 2);
    assert_eq!(report.approximate_number_of_messages_delayed, 1);
    assert_eq!(
        report.approximate_number_of_groups_with_inflight_messages, 0,
        "a standard queue has none"
    );
}

#[test]
fn groups_with_messages_in_flight_are_counted_once_each() {
    let clock = ManualClock::default();
    let (jobs, report) = metered(fifo(&clock));
    let groups = || report().approximate_number_of_groups_with_inflight_messages;
    send_grouped(&jobs, ["a-1", "a-2", "b-1", "c-1"]);
    let held = receive(&jobs, 3);
    assert_eq!(groups(), 2);
    held[0].delete().unwrap();
    assert_eq!(groups(), 2, "a-2 is in flight");
    held[1].delete().unwrap();
    assert_eq!(groups(), 1);
    clock.advance(secs(30));
    assert_eq!(groups(), 0);
}

#[test]
fn metrics_of_many_queues_are_kept_apart_and_clones_share_them() {
    let clock = ManualClock::default();
    let metrics = Metrics::new();
    let [a, b] = ["a", "b"].map(|name| {
        Queue::standard(name)
            .clock(clock.clone())
            .listener(metrics.clone())
            .build()
            .unwrap()
    });
    a.send("m").unwrap();
    let _ = b.send_batch(["m", "n"]).unwrap();
    let sent = |queue: &Queue| metrics.clone().report(queue).number_of_messages_sent;
    assert_eq!((sent(&a), sent(&b)), (1, 2));
}

#[test]
fn a_listener_that_is_not_attached_reads_gauges_alone() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let report = Metrics::new().report(&jobs);
    assert_eq!(
        (
            report.number_of_messages_sent,
            report.approximate_number_of_messages_visible
        ),
        (0, 1)
    );
}

#[test]
fn a_deleted_queue_is_reported_with_its_last_counts_and_its_successor_begins_at_zero() {
    // Q37: a wholly new queue
    let (clock, metrics) = (ManualClock::default(), Metrics::new());
    let service = Service::builder()
        .clock(clock.clone())
        .listener(metrics.clone())
        .build();
    let first = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    first.send("m").unwrap();
    first.delete_queue().unwrap();
    clock.advance(secs(60));
    let second = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    let report = |queue: &Queue| {
        let report = metrics.report(queue);
        let visible = report.approximate_number_of_messages_visible;
        (
            report.number_of_messages_sent,
            report.sent_message_size.map(|size| size.sum),
            visible,
        )
    };
    assert_eq!((report(&first), report(&second)), ((1, Some(1), 0), (0, None, 0)));
    second.send("mm").unwrap();
    assert_eq!((report(&first), report(&second)), ((1, Some(1), 0), (1, Some(2), 1)));
}

#[test]
fn two_queues_of_one_arn_are_kept_apart() {
    let metrics = Metrics::new();
    let clock = ManualClock::default();
    let build = || standard(&clock).listener(metrics.clone()).build().unwrap();
    let (a, b) = (build(), build());
    assert_eq!(a.arn(), b.arn());
    a.send("m").unwrap();
    let sent = |queue: &Queue| metrics.report(queue).number_of_messages_sent;
    assert_eq!((sent(&a), sent(&b), sent(&a.clone())), (1, 0, 1));
}
