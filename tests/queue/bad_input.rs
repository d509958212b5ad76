//! What no caller should do: the answer is an error or a sensible result, never a panic and never a changed queue.

use {
    crate::common::{
        DAY, MILLISECOND, VISIBILITY, YEAR, bodies, counts, fifo, in_group, receive, receive_for, secs, standard, take,
        take_for,
    },
    requeue::{
        Budget, Clock, Limits, ManualClock, MessageAttributeValue, Queue, QueueAttributes, QueueBuilder, ReceiptHandle,
        SendBatchEntry, SendError, SendMessage, Timestamp,
    },
    std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

fn each_type(clock: &ManualClock) -> [QueueBuilder; 2] {
    [standard(clock), fifo(clock)]
}

/// Every call with every span and count given, whatever comes of it; then a look whether the queue is sound.
fn exercise(jobs: &Queue, clock: &ManualClock, span: Duration, count: usize) {
    let _ = jobs.send("ungrouped");
    let _ = jobs.send(in_group("g", "grouped"));
    let _ = jobs.send(in_group("g", "delayed").delay(span));
    let _ = jobs.send_batch([in_group("h", "1"), in_group("h", "2")]);
    for _ in 0..2 {
        let poll = jobs
            .receive()
            .max_messages(count)
            .visibility_timeout(span)
            .wait_time(Duration::ZERO);
        let received = poll.receive_request_attempt_id("a").blocking().unwrap_or_default();
        for message in received {
            let _ = jobs.change_visibility(&message.receipt_handle(), span);
            let _ = jobs.change_visibility_batch([(&message, span)]);
        }
        let _ = receive_for_as_asked(jobs);
        clock.advance(secs(1));
    }
    let _ = jobs.set_attributes(QueueAttributes::new().delay(span));
    let _ = jobs.set_attributes(QueueAttributes::new().visibility_timeout(span));
    let _ = jobs.set_attributes(QueueAttributes::new().message_retention_period(span));
    let _ = jobs.set_attributes(QueueAttributes::new().receive_message_wait_time(span));
    let _ = jobs.set_attributes(QueueAttributes::new().kms_data_key_reuse_period(span));
    let _ = jobs.set_attributes(QueueAttributes::new().maximum_message_size(count));
    clock.advance(secs(50));
    let held = receive_for_as_asked(jobs);
    let _ = jobs.delete_batch(&held);
    let _ = jobs.noisy_groups();
    assert_sound(jobs);
    let _ = jobs.purge();
    assert_sound(jobs);
}

fn receive_for_as_asked(jobs: &Queue) -> Vec<requeue::Message> {
    jobs.receive().wait_time(Duration::ZERO).blocking().unwrap_or_default()
}

/// The counters are those of the snapshot and sum to what is stored (C2).
#[track_caller]
fn assert_sound(jobs: &Queue) {
    let (counted, snapshot) = (counts(jobs), jobs.snapshot());
    assert_eq!(jobs.counts(), snapshot.counts);
    assert_eq!(counted.iter().sum::<usize>(), snapshot.messages.len());
}

const SPANS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_millis(u64::MAX),
    Duration::from_secs(u64::MAX),
    Duration::MAX,
];

#[test]
fn no_span_and_no_count_makes_a_queue_panic() {
    for span in SPANS {
        for count in [0, 1, 10, 11, usize::MAX / 2, usize::MAX] {
            let clock = ManualClock::default();
            for builder in each_type(&clock) {
                exercise(&builder.build().unwrap(), &clock, span, count);
            }
        }
    }
}

#[test]
fn spans_beyond_their_range_are_refused_and_change_nothing() {
    // D25 D32 3.2 Q16 Q28
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take(&jobs);
        let before = (jobs.settings(), jobs.snapshot());
        for span in &SPANS[2..] {
            let refused = [
                jobs.send(in_group("g", "n").delay(*span)).unwrap_err().code(),
                jobs.receive().visibility_timeout(*span).blocking().unwrap_err().code(),
                jobs.receive().wait_time(*span).blocking().unwrap_err().code(),
                message.change_visibility(*span).unwrap_err().code(),
            ];
            assert_eq!(refused, ["InvalidParameterValue"; 4]);
            for attributes in [
                QueueAttributes::new().delay(*span),
                QueueAttributes::new().visibility_timeout(*span),
                QueueAttributes::new().message_retention_period(*span),
                QueueAttributes::new().receive_message_wait_time(*span),
                QueueAttributes::new().kms_data_key_reuse_period(*span),
                QueueAttributes::new()
                    .visibility_timeout(secs(1))
                    .maximum_message_size(usize::MAX),
                QueueAttributes::new()
                    .visibility_timeout(secs(1))
                    .maximum_message_size(0),
            ] {
                assert_eq!(
                    jobs.set_attributes(attributes).unwrap_err().code(),
                    "InvalidAttributeValue"
                );
            }
        }
        assert_eq!((jobs.settings(), jobs.snapshot()), before);
    }
}

/// Limits of which every count and span is the one given, but for the length of names.
fn all(count: usize, span: Duration, small: u32, share: f64) -> Limits {
    let mut limits = Limits::default();
    limits.maximum_message_size_min = count;
    limits.maximum_message_size_max = count;
    limits.maximum_message_size_default = count;
    limits.batch_bytes = count;
    limits.batch_entries = count;
    limits.batch_entry_id_length = count;
    limits.message_attributes = count;
    limits.attribute_name_length = count;
    limits.attribute_data_type_length = count;
    limits.delay = span;
    limits.visibility_timeout = span;
    limits.message_retention_period_min = span;
    limits.message_retention_period_max = span;
    limits.receive_wait_time = span;
    limits.receive_messages = count;
    limits.in_flight_standard = count;
    limits.in_flight_fifo = count;
    limits.id_length = count;
    limits.deduplication_interval = span;
    limits.receive_attempt_interval = span;
    limits.deduplication_scope_change_delay = span;
    limits.max_receive_count = small;
    limits.redrive_allow_source_queues = count;
    limits.purge_interval = span;
    limits.recreate_interval = span;
    limits.policy_bytes = count;
    limits.kms_data_key_reuse_period_min = span;
    limits.kms_data_key_reuse_period_max = span;
    limits.noisy_share = share;
    limits.noisy_in_flight_min = count;
    limits.noisy_interval = span;
    limits
}

#[test]
fn no_limits_make_a_queue_panic() {
    for (count, small) in [(0, 0), (1, 1), (usize::MAX, u32::MAX)] {
        for limit in SPANS {
            for span in SPANS {
                let clock = ManualClock::default();
                for builder in each_type(&clock) {
                    let limits = all(count, limit, small, 0.1);
                    let jobs = builder.limits(limits).build().unwrap();
                    exercise(&jobs, &clock, span, count);
                    clock.advance(YEAR);
                    exercise(&jobs, &clock, span, count);
                    clock.advance(Duration::MAX);
                    exercise(&jobs, &clock, span, count);
                }
            }
        }
    }
}

#[test]
fn limits_of_zero_refuse_everything() {
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.limits(all(0, Duration::ZERO, 0, 0.0)).build().unwrap();
        assert!(jobs.send(in_group("g", "m")).is_err());
        assert!(jobs.send_batch([in_group("g", "m")]).is_err());
        assert!(jobs.receive().blocking().is_err());
    }
}

#[test]
fn a_share_that_is_no_share_makes_no_panic() {
    // N3
    for share in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        0.0,
        1.0,
        2.0,
        f64::MIN_POSITIVE,
    ] {
        let clock = ManualClock::default();
        let mut limits = Limits::default();
        (limits.noisy_share, limits.noisy_in_flight_min) = (share, 0);
        let jobs = standard(&clock).limits(limits).build().unwrap();
        for tenant in ["a", "b", "b"] {
            jobs.send(in_group(tenant, tenant)).unwrap();
        }
        for message in receive_for(&jobs, 2, secs(5)) {
            clock.advance(secs(1));
            message.delete().unwrap();
        }
        let _ = jobs.noisy_groups();
        assert_eq!(bodies(&receive(&jobs, 10)), ["b"], "{share}");
    }
}

#[test]
fn a_receive_without_bounds_returns_all_there_is() {
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let mut limits = Limits::default();
        limits.receive_messages = usize::MAX;
        let jobs = builder.limits(limits).build().unwrap();
        for number in 0..100 {
            jobs.send(in_group("g", &number.to_string())).unwrap();
        }
        assert_eq!(receive(&jobs, usize::MAX).len(), 100);
    }
}

#[test]
fn processing_time_has_no_bound() {
    // N9
    let clock = ManualClock::at(Timestamp::ZERO);
    let jobs = standard(&clock)
        .limits(all(usize::MAX, Duration::MAX, 1, 0.1))
        .build()
        .unwrap();
    for _ in 0..3 {
        jobs.send(in_group("g", "m")).unwrap();
    }
    let held = receive_for(&jobs, 3, Duration::MAX);
    clock.advance(Duration::MAX - MILLISECOND);
    held.iter().for_each(|message| message.delete().unwrap());
    assert_sound(&jobs);
}

#[test]
fn any_number_of_shards_makes_a_queue() {
    // D14
    for shards in [0, 1, 2, 100_000, usize::MAX] {
        let jobs = standard(&ManualClock::default()).shards(shards).build().unwrap();
        for number in 0..100 {
            jobs.send(in_group(&number.to_string(), "m")).unwrap();
        }
        assert_sound(&jobs);
        let mut left = 100;
        while left > 0 {
            let received = jobs.receive().max_messages(10).wait_time(secs(1)).blocking().unwrap();
            assert!(!received.is_empty());
            left -= received.len();
        }
    }
}

#[test]
fn at_the_end_of_time_calls_still_answer() {
    let clock = ManualClock::at(Timestamp::MAX);
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        exercise(&jobs, &clock, secs(5), 5);
        clock.advance(YEAR);
        exercise(&jobs, &clock, Duration::MAX, 5);
    }
}

#[test]
fn at_the_beginning_of_time_a_queue_works() {
    let clock = ManualClock::at(Timestamp::ZERO);
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take(&jobs);
        assert_eq!(message.sent_timestamp(), clock.now());
        message.delete().unwrap();
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn a_clock_that_jumps_back_stands_still_until_it_has_caught_up() {
    for span in [secs(1), DAY, 50 * YEAR] {
        for builder in [standard, fifo] {
            let clock = ManualClock::default();
            let jobs = builder(&clock).build().unwrap();
            let start = clock.now();
            jobs.send(in_group("g", "m")).unwrap();
            let message = take(&jobs);
            clock.set(start.saturating_sub(span));
            assert!(receive(&jobs, 1).is_empty(), "in flight");
            jobs.send(in_group("h", "n")).unwrap();
            let other = take(&jobs);
            assert_eq!(
                (other.body(), other.sent_timestamp()),
                ("n", start),
                "time as last seen"
            );
            assert_eq!(other.invisible_until(), start.saturating_add(VISIBILITY));
            message.change_visibility(secs(10)).unwrap();
            other.delete().unwrap();
            clock.set(start.saturating_add(secs(10) - MILLISECOND));
            assert!(receive(&jobs, 1).is_empty());
            clock.set(start.saturating_add(secs(10)));
            assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
            assert_sound(&jobs);
        }
    }
}

#[test]
fn a_clock_that_jumps_back_ends_neither_windows_nor_retention() {
    // F9 D37 D44
    let clock = ManualClock::default();
    let jobs = fifo(&clock).message_retention_period(secs(60)).build().unwrap();
    let start = clock.now();
    jobs.purge().unwrap();
    let first = jobs.send(in_group("g", "m")).unwrap();
    clock.set(start.saturating_sub(YEAR));
    assert_eq!(jobs.send(in_group("g", "m")), Ok(first));
    assert!(jobs.purge().is_err());
    assert_eq!(counts(&jobs), [1, 0, 0]);
    clock.set(start.saturating_add(secs(60)));
    assert_eq!((jobs.purge(), counts(&jobs)), (Ok(()), [0, 0, 0]));
}

#[test]
fn a_clock_that_jumps_forward_by_years_ends_what_is_due() {
    for builder in [standard, fifo] {
        let clock = ManualClock::default();
        let jobs = builder(&clock).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let held = take(&jobs);
        clock.advance(100 * YEAR);
        assert_eq!(counts(&jobs), [0, 0, 0]);
        assert_eq!(held.delete(), Ok(()));
        jobs.send(in_group("g", "n")).unwrap();
        assert_eq!(take(&jobs).sent_timestamp(), clock.now());
    }
}

#[test]
fn a_forged_handle_is_invalid_whatever_it_says() {
    // D19
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let genuine = take(&jobs).receipt_handle().to_string();
        let mut parsed = 0;
        for place in 4..genuine.len() {
            for other in ["A", "B", "Q", "_", "9"] {
                let forged = format!("{}{other}{}", &genuine[..place], &genuine[place + 1..]);
                let Ok(handle) = forged.parse::<ReceiptHandle>() else {
                    continue;
                };
                if forged != genuine {
                    parsed += 1;
                    assert_eq!(jobs.delete(&handle).unwrap_err().code(), "ReceiptHandleIsInvalid");
                    let changed = jobs.change_visibility(&handle, Duration::ZERO);
                    assert_eq!(changed.unwrap_err().code(), "ReceiptHandleIsInvalid");
                }
            }
        }
        assert!(parsed > 100, "forgeries decode");
        assert_eq!(counts(&jobs), [0, 1, 0]);
    }
}

#[test]
fn text_that_is_no_handle_does_not_parse() {
    // D19
    let long = "A".repeat(100_000);
    for text in [
        "",
        "AQEB",
        "\u{1f980}",
        "AQEB\0",
        "aqeb",
        " AQEB",
        &long,
        &format!("AQEB{long}"),
    ] {
        assert_eq!(
            text.parse::<ReceiptHandle>().unwrap_err().code(),
            "ReceiptHandleIsInvalid"
        );
    }
}

#[test]
fn a_message_outlives_every_handle_of_its_queue() {
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take(&jobs);
        drop(jobs);
        message.change_visibility(secs(60)).unwrap();
        let jobs = message.queue();
        assert_eq!(counts(&jobs), [0, 1, 0]);
        message.delete().unwrap();
        jobs.delete_queue().unwrap();
        assert_eq!(
            message.queue().send(in_group("g", "m")).unwrap_err().code(),
            "QueueDoesNotExist"
        );
    }
}

#[test]
fn ids_with_control_characters_or_129_characters_are_refused_everywhere() {
    // F1 F3 F31 M32
    let clock = ManualClock::default();
    for bad in [
        "\0",
        "a\nb",
        "\u{7f}",
        "\u{80}",
        "\u{feff}",
        " ",
        &"x".repeat(129),
        &"x".repeat(1_000_000),
    ] {
        for builder in each_type(&clock) {
            let jobs = builder.build().unwrap();
            let code = "InvalidParameterValue";
            assert_eq!(jobs.send(in_group(bad, "m")).unwrap_err().code(), code);
            let sent = jobs.send(in_group("g", "m").message_deduplication_id(bad));
            assert_eq!(sent.unwrap_err().code(), code);
            let batch = jobs.send_batch([SendBatchEntry::new(bad.to_owned(), in_group("g", "m"))]);
            assert_eq!(batch.unwrap_err().code(), "InvalidBatchEntryId");
            let received = jobs.receive().receive_request_attempt_id(bad).blocking();
            assert_eq!(received.is_err(), jobs.is_fifo());
            assert_eq!(counts(&jobs), [0, 0, 0]);
        }
        assert_eq!(
            Queue::standard(bad).build().unwrap_err().code(),
            "InvalidParameterValue"
        );
        assert_eq!(
            Queue::fifo(format!("{bad}.fifo")).build().unwrap_err().code(),
            "InvalidParameterValue"
        );
    }
}

#[test]
fn names_that_are_none_make_no_queue() {
    // Q1-Q5
    for name in ["", ".", ".fifo", "a b", "a/b", "a.b", "\u{e9}", "q.fifo", "q.FIFO"] {
        assert_eq!(
            Queue::standard(name).build().unwrap_err().code(),
            "InvalidParameterValue",
            "{name}"
        );
    }
    for name in ["", ".fifo", "q", "q.FIFO", "q.fifo.fifo", "a b.fifo", "q.fifo "] {
        assert_eq!(
            Queue::fifo(name).build().unwrap_err().code(),
            "InvalidParameterValue",
            "{name}"
        );
    }
}

#[test]
fn batches_of_any_size_are_answered() {
    // M31 M35
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        for count in [0, 11, 100, 100_000] {
            let entries = (0..count).map(|_| in_group("g", "m"));
            let code = if count == 0 {
                "EmptyBatchRequest"
            } else {
                "TooManyEntriesInBatchRequest"
            };
            assert_eq!(jobs.send_batch(entries).unwrap_err().code(), code);
        }
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn an_id_that_is_the_place_of_another_entry_is_repeated() {
    // M34
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let entries = [SendBatchEntry::new("1", "m"), SendBatchEntry::from("n")];
    assert_eq!(jobs.send_batch(entries).unwrap_err().code(), "BatchEntryIdsNotDistinct");
}

#[test]
fn a_million_attributes_are_refused() {
    // M12
    let jobs = standard(&ManualClock::default())
        .maximum_message_size(1_048_576)
        .build()
        .unwrap();
    let named = (0..20_000).map(|number| (number.to_string(), MessageAttributeValue::string("v")));
    let sent = jobs.send(SendMessage::new("m").attributes(named.collect()));
    assert_eq!(sent.unwrap_err().code(), "InvalidParameterValue");
}

#[test]
fn a_budget_of_nothing_refuses_every_send() {
    let clock = ManualClock::default();
    for budget in [
        Budget::new().messages(0),
        Budget::new().bytes(0),
        Budget::new().messages(0).bytes(usize::MAX),
    ] {
        for builder in each_type(&clock) {
            let jobs = builder.budget(budget).build().unwrap();
            assert!(matches!(
                jobs.send(in_group("g", "m")),
                Err(SendError::QueueFull { .. })
            ));
            let batch = jobs.send_batch([in_group("g", "m")]).unwrap();
            assert_eq!((batch.successful.len(), batch.failed[0].code), (0, "OverLimit"));
            let mut waiting = pin!(jobs.send_timeout_async(in_group("g", "m"), Duration::MAX));
            let polled = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Err(SendError::QueueFull { .. })) = polled else {
                panic!("it can never fit, and waits")
            };
        }
    }
    let jobs = standard(&clock)
        .budget(Budget::new().messages(usize::MAX).bytes(usize::MAX))
        .build()
        .unwrap();
    assert!(jobs.send("m").is_ok());
}

#[test]
fn a_message_is_taken_by_whoever_asks_and_by_nobody_twice() {
    // D12
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let both = [
        take_for(&jobs, secs(1)).body().to_owned(),
        receive(&jobs, 1).len().to_string(),
    ];
    assert_eq!(both, ["m", "0"]);
}
