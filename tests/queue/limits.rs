//! Every limit of a queue: one below, at it, one above, with SQS's value and with one of our own (section 9).
//!
//! Limits of names, tags, permissions and move tasks in a service have tests of their own.

use {
    crate::common::{
        DAY, MILLISECOND, bodies, counts, fifo, in_group, receive, receive_for, secs, standard, take, take_for,
    },
    requeue::{
        Clock, DeduplicationScope, Limits, ManualClock, MessageAttributeValue, MessageAttributes, Queue,
        QueueAttributes, QueueBuilder, RedriveAllowPolicy, SendBatchEntry, SendMessage,
    },
    std::time::Duration,
};

/// Asserts that `limit` is the greatest number allowed.
#[track_caller]
fn at_most(limit: u64, allowed: impl Fn(u64) -> bool) {
    let answers = [limit.saturating_sub(1), limit, limit + 1].map(allowed);
    assert_eq!(answers, [true, true, false], "around {limit}");
}

/// Asserts that `limit` is the smallest number allowed.
#[track_caller]
fn at_least(limit: u64, allowed: impl Fn(u64) -> bool) {
    let answers = [limit - 1, limit, limit + 1].map(allowed);
    assert_eq!(answers, [false, true, true], "around {limit}");
}

/// SQS's limits, and the same with one of them changed.
fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn each_type(limits: &Limits) -> [Queue; 2] {
    let clock = ManualClock::default();
    [standard(&clock), fifo(&clock)].map(|builder| builder.limits(limits.clone()).build().unwrap())
}

fn text(length: u64) -> String {
    "x".repeat(usize::try_from(length).unwrap())
}

/// Whether a standard queue with these attributes can be built.
fn builds(limits: &Limits, attributes: impl FnOnce(QueueBuilder) -> QueueBuilder) -> bool {
    attributes(standard(&ManualClock::default()).limits(limits.clone()))
        .build()
        .is_ok()
}

#[test]
fn the_length_of_a_queue_name() {
    // Q1 Q2
    for (length, limits) in [(80, Limits::default()), (20, limits(|it| it.queue_name_length = 20))] {
        at_most(length, |length| {
            Queue::standard(text(length)).limits(limits.clone()).build().is_ok()
        });
        at_most(length, |length| {
            Queue::fifo(text(length - 5) + ".fifo")
                .limits(limits.clone())
                .build()
                .is_ok()
        });
    }
    assert!(Queue::standard("").build().is_err() && Queue::standard("q").build().is_ok());
}

#[test]
fn the_size_limit_of_a_queue() {
    // Q16
    let ours = limits(|it| (it.maximum_message_size_min, it.maximum_message_size_max) = (10, 20));
    for (least, most, limits) in [(1_024, 1_048_576, Limits::default()), (10, 20, ours)] {
        let sized = |size: u64| builds(&limits, |it| it.maximum_message_size(usize::try_from(size).unwrap()));
        at_least(least, sized);
        at_most(most, sized);
    }
}

#[test]
fn the_size_of_a_message() {
    // M8
    for (size, limits) in [
        (262_144, Limits::default()),
        (1_048_576, Limits::aws()),
        (2_000, limits(|it| it.maximum_message_size_default = 2_000)),
    ] {
        for jobs in each_type(&limits) {
            at_most(size, |size| jobs.send(in_group("g", &text(size))).is_ok());
        }
    }
    let jobs = standard(&ManualClock::default())
        .maximum_message_size(1_048_576)
        .build()
        .unwrap();
    at_most(1_048_576, |size| jobs.send(text(size)).is_ok());
    at_least(1, |size| jobs.send(text(size)).is_ok());
}

#[test]
fn the_size_of_a_batch() {
    // M10
    let jobs = standard(&ManualClock::default()).build().unwrap();
    at_most(1_048_576, |size| {
        let parts = [262_144, 262_144, 262_144, 262_000, size - 3 * 262_144 - 262_000];
        jobs.send_batch(parts.map(text)).is_ok()
    });
    let ours = limits(|it| it.batch_bytes = 100);
    at_most(100, |size| {
        each_type(&ours)[0].send_batch([text(50), text(size - 50)]).is_ok()
    });
}

#[test]
fn the_entries_of_a_batch() {
    // M35 M31
    for (count, limits) in [(10, Limits::default()), (3, limits(|it| it.batch_entries = 3))] {
        let [jobs, _] = each_type(&limits);
        jobs.send("m").unwrap();
        let handle = take(&jobs).receipt_handle();
        let times = |count: u64| 0..count;
        at_most(count, |count| jobs.send_batch(times(count).map(|_| "m")).is_ok());
        at_most(count, |count| jobs.delete_batch(times(count).map(|_| handle)).is_ok());
        at_least(1, |count| jobs.send_batch(times(count).map(|_| "m")).is_ok());
    }
}

#[test]
fn the_length_of_a_batch_entry_id() {
    // M32
    for (length, limits) in [(80, Limits::default()), (5, limits(|it| it.batch_entry_id_length = 5))] {
        let [jobs, _] = each_type(&limits);
        let sends = |length| jobs.send_batch([SendBatchEntry::new(text(length), "m")]).is_ok();
        at_most(length, sends);
        at_least(1, sends);
    }
}

#[test]
fn the_attributes_of_a_message() {
    // M12
    for (count, limits) in [(10, Limits::default()), (2, limits(|it| it.message_attributes = 2))] {
        let [jobs, _] = each_type(&limits);
        at_most(count, |count| {
            let named = (0..count).map(|number| (number.to_string(), MessageAttributeValue::string("v")));
            jobs.send(SendMessage::new("m").attributes(named.collect::<MessageAttributes>()))
                .is_ok()
        });
    }
}

#[test]
fn the_length_of_an_attribute_name_and_of_its_type() {
    // M13 M14
    let ours = limits(|it| (it.attribute_name_length, it.attribute_data_type_length) = (20, 20));
    for (length, limits) in [(256, Limits::default()), (20, ours)] {
        let [jobs, _] = each_type(&limits);
        let named = |length: u64| SendMessage::new("m").attribute(text(length), MessageAttributeValue::string("v"));
        at_most(length, |length| jobs.send(named(length)).is_ok());
        at_least(1, |length| jobs.send(named(length)).is_ok());
        let typed = |length: u64| MessageAttributeValue::string("v").label(text(length - 7));
        at_most(length, |length| {
            jobs.send(SendMessage::new("m").attribute("n", typed(length))).is_ok()
        });
    }
}

#[test]
fn the_digits_of_a_number() {
    // M17
    let [jobs, _] = each_type(&Limits::default());
    let number = |text: String| jobs.send(SendMessage::new("m").attribute("n", MessageAttributeValue::number(text)));
    at_most(38, |digits| {
        number("9".repeat(usize::try_from(digits).unwrap())).is_ok()
    });
    at_most(126, |exponent| number(format!("1e{exponent}")).is_ok());
    at_most(128, |exponent| number(format!("1e-{exponent}")).is_ok());
}

/// The spans that a millisecond around `limit` and `limit` itself are.
#[track_caller]
fn at_most_for(limit: Duration, allowed: impl Fn(Duration) -> bool) {
    let answers = [limit - MILLISECOND, limit, limit + MILLISECOND].map(allowed);
    assert_eq!(answers, [true, true, false], "around {limit:?}");
}

#[test]
fn the_delay_of_a_message_and_of_a_queue() {
    // D32 Q16
    for (delay, limits) in [
        (secs(900), Limits::default()),
        (secs(3), limits(|it| it.delay = secs(3))),
    ] {
        let [jobs, _] = each_type(&limits);
        at_most_for(delay, |delay| jobs.send(SendMessage::new("m").delay(delay)).is_ok());
        at_most_for(delay, |delay| builds(&limits, |it| it.delay(delay)));
    }
}

#[test]
fn the_visibility_timeout_of_a_queue_a_receive_and_a_change() {
    // D25 D28 Q16
    for (timeout, limits) in [
        (secs(43_200), Limits::default()),
        (secs(40), limits(|it| it.visibility_timeout = secs(40))),
    ] {
        at_most_for(timeout, |timeout| builds(&limits, |it| it.visibility_timeout(timeout)));
        for jobs in each_type(&limits) {
            at_most_for(timeout, |timeout| {
                jobs.receive().visibility_timeout(timeout).blocking().is_ok()
            });
            jobs.send(in_group("g", "m")).unwrap();
            let message = take(&jobs);
            at_most_for(timeout, |timeout| message.change_visibility(timeout).is_ok());
        }
    }
}

#[test]
fn the_invisibility_of_one_reception_in_total() {
    // D26
    for (cap, limits) in [
        (secs(43_200), Limits::default()),
        (secs(40), limits(|it| it.visibility_timeout = secs(40))),
    ] {
        let clock = ManualClock::default();
        let jobs = standard(&clock).limits(limits).build().unwrap();
        jobs.send("m").unwrap();
        let message = take(&jobs);
        clock.advance(secs(10));
        at_most_for(cap - secs(10), |timeout| message.change_visibility(timeout).is_ok());
    }
}

#[test]
fn the_retention_of_a_queue() {
    // Q16
    let ours = limits(|it| {
        (it.message_retention_period_min, it.message_retention_period_max) = (secs(2), secs(5));
    });
    for (least, most, limits) in [(secs(60), secs(1_209_600), Limits::default()), (secs(2), secs(5), ours)] {
        let kept = |period: Duration| builds(&limits, |it| it.message_retention_period(period));
        at_most_for(most, kept);
        assert_eq!(
            [least - MILLISECOND, least, least + MILLISECOND].map(kept),
            [false, true, true]
        );
    }
}

#[test]
fn the_wait_of_a_queue_and_of_a_receive() {
    // 3.2 Q16
    for (wait, limits) in [
        (secs(20), Limits::default()),
        (secs(3), limits(|it| it.receive_wait_time = secs(3))),
    ] {
        at_most_for(wait, |wait| builds(&limits, |it| it.receive_message_wait_time(wait)));
        let [jobs, _] = each_type(&limits);
        jobs.send("m").unwrap();
        let poll = |wait| jobs.receive().visibility_timeout(Duration::ZERO).wait_time(wait);
        at_most_for(wait, |wait| poll(wait).blocking().is_ok());
    }
}

#[test]
fn the_messages_of_one_receive() {
    // 3.2
    for (count, limits) in [(10, Limits::default()), (30, limits(|it| it.receive_messages = 30))] {
        for jobs in each_type(&limits) {
            for body in 0..40 {
                jobs.send(in_group("g", &body.to_string())).unwrap();
            }
            let receives = |count: u64| {
                let count = usize::try_from(count).unwrap();
                let poll = jobs
                    .receive()
                    .max_messages(count)
                    .visibility_timeout(Duration::ZERO)
                    .blocking();
                poll.is_ok_and(|messages| messages.len() == count)
            };
            at_most(count, receives);
            at_least(1, receives);
        }
    }
}

/// Receives until nothing more comes and says how many messages came.
fn drain(jobs: &Queue) -> usize {
    let mut drained = 0;
    while let Ok(messages) = jobs.receive().max_messages(10).visibility_timeout(DAY / 2).blocking() {
        if messages.is_empty() {
            break;
        }
        drained += messages.len();
    }
    drained
}

#[test]
fn the_messages_in_flight() {
    // D15 D17 F29
    let ours = limits(|it| (it.in_flight_standard, it.in_flight_fifo) = (14, 14));
    for (most, limits) in [(120_000, Limits::default()), (14, ours)] {
        for jobs in each_type(&limits) {
            for number in 0..most + 5 {
                let message = in_group(&number.to_string(), "m");
                let with_id = |message: SendMessage| message.message_deduplication_id(number.to_string());
                jobs.send(if jobs.is_fifo() { with_id(message) } else { message })
                    .unwrap();
            }
            assert_eq!(drain(&jobs), most);
            assert_eq!(counts(&jobs), [5, most, 0]);
            assert_eq!(jobs.receive().blocking().is_ok(), jobs.is_fifo());
        }
    }
}

#[test]
fn the_length_of_ids() {
    // F1 F3 F31
    for (length, limits) in [(128, Limits::default()), (4, limits(|it| it.id_length = 4))] {
        let [standard, fifo] = each_type(&limits);
        at_most(length, |length| standard.send(in_group(&text(length), "m")).is_ok());
        at_most(length, |length| fifo.send(in_group(&text(length), "m")).is_ok());
        at_most(length, |length| {
            fifo.send(in_group("g", "m").message_deduplication_id(text(length)))
                .is_ok()
        });
        at_most(length, |length| {
            fifo.receive()
                .receive_request_attempt_id(text(length))
                .blocking()
                .is_ok()
        });
        at_least(1, |length| standard.send(in_group(&text(length), "m")).is_ok());
        at_least(1, |length| {
            fifo.receive()
                .receive_request_attempt_id(text(length))
                .blocking()
                .is_ok()
        });
    }
}

#[test]
fn the_deduplication_interval() {
    // F9
    for (interval, limits) in [
        (secs(300), Limits::default()),
        (secs(7), limits(|it| it.deduplication_interval = secs(7))),
    ] {
        at_most_for(interval - MILLISECOND, |span| {
            let clock = ManualClock::default();
            let jobs = fifo(&clock).limits(limits.clone()).build().unwrap();
            let first = jobs.send(in_group("g", "m")).unwrap();
            clock.advance(span);
            jobs.send(in_group("g", "m")) == Ok(first)
        });
    }
}

#[test]
fn the_delay_of_a_change_of_scope() {
    // F16
    let ours = limits(|it| it.deduplication_scope_change_delay = secs(7));
    for (delay, limits) in [(secs(60), Limits::default()), (secs(7), ours)] {
        at_most_for(delay - MILLISECOND, |span| {
            let clock = ManualClock::default();
            let jobs = fifo(&clock).limits(limits.clone()).build().unwrap();
            let first = jobs.send(in_group("g", "m")).unwrap();
            let scope = QueueAttributes::new().deduplication_scope(DeduplicationScope::MessageGroup);
            jobs.set_attributes(scope).unwrap();
            clock.advance(span);
            jobs.send(in_group("h", "m")) == Ok(first)
        });
    }
}

#[test]
fn the_interval_of_a_receive_attempt() {
    // F32 F35
    for (interval, limits) in [
        (secs(300), Limits::default()),
        (secs(7), limits(|it| it.receive_attempt_interval = secs(7))),
    ] {
        at_most_for(interval - MILLISECOND, |span| {
            let clock = ManualClock::default();
            let jobs = fifo(&clock)
                .limits(limits.clone())
                .visibility_timeout(secs(600))
                .build()
                .unwrap();
            jobs.send(in_group("g", "m")).unwrap();
            let attempt = || jobs.receive().receive_request_attempt_id("a").blocking().unwrap();
            assert_eq!(bodies(&attempt()), ["m"]);
            clock.advance(span);
            !attempt().is_empty()
        });
    }
}

#[test]
fn the_receives_before_a_dead_letter() {
    // L2a
    let dead = Queue::standard("dead").build().unwrap();
    for (count, limits) in [(1_000, Limits::default()), (3, limits(|it| it.max_receive_count = 3))] {
        let counted = |count: u64| builds(&limits, |it| it.dead_letter(&dead, u32::try_from(count).unwrap()));
        at_most(count, counted);
        at_least(1, counted);
    }
}

#[test]
fn the_sources_of_an_allow_policy() {
    // L20
    for (count, limits) in [
        (10, Limits::default()),
        (2, limits(|it| it.redrive_allow_source_queues = 2)),
    ] {
        let [jobs, _] = each_type(&limits);
        let names = |count: u64| {
            let arns = (0..count).map(|number| format!("arn:aws:sqs:us-east-1:000000000000:q{number}"));
            let policy = RedriveAllowPolicy::ByQueue(arns.collect());
            jobs.set_attributes(QueueAttributes::new().redrive_allow_policy(policy))
                .is_ok()
        };
        at_most(count, names);
        at_least(1, names);
    }
}

#[test]
fn the_interval_of_purges() {
    // D44
    for (interval, limits) in [
        (secs(60), Limits::default()),
        (secs(7), limits(|it| it.purge_interval = secs(7))),
    ] {
        at_most_for(interval - MILLISECOND, |span| {
            let clock = ManualClock::default();
            let jobs = standard(&clock).limits(limits.clone()).build().unwrap();
            jobs.purge().unwrap();
            clock.advance(span);
            jobs.purge().is_err()
        });
    }
}

#[cfg(feature = "aws-protocol")]
#[test]
fn the_bytes_of_a_policy() {
    // Q26 Q55
    for (bytes, limits) in [(8_192, Limits::default()), (100, limits(|it| it.policy_bytes = 100))] {
        let [jobs, _] = each_type(&limits);
        at_most(bytes, |bytes| {
            let policy = format!("{{\"Id\":\"{}\"}}", text(bytes - 9));
            assert_eq!(policy.len() as u64, bytes);
            jobs.set_attributes(QueueAttributes::new().policy(policy)).is_ok()
        });
    }
}

#[test]
fn the_reuse_period_of_a_data_key() {
    // Q16
    let [jobs, _] = each_type(&Limits::default());
    let set = |seconds| {
        let period = QueueAttributes::new().kms_data_key_reuse_period(secs(seconds));
        jobs.set_attributes(period.kms_master_key_id("alias/key")).is_ok()
    };
    at_least(60, set);
    at_most(86_400, set);
}

#[test]
fn what_makes_a_tenant_noisy() {
    // N3 N6
    let ours = |share, least| {
        limits(|it| (it.noisy_share, it.noisy_in_flight_min, it.noisy_interval) = (share, least, secs(10)))
    };
    for (share, least, others, noisy_from) in [(0.5, 1, 4, 5), (0.5, 6, 4, 6), (0.0, 3, 4, 3), (0.9, 1, 1, 10)] {
        let jobs = standard(&ManualClock::default())
            .limits(ours(share, least))
            .build()
            .unwrap();
        for _ in 0..others {
            jobs.send("of nobody").unwrap();
        }
        drain(&jobs);
        for in_flight in 1..=12 {
            jobs.send(in_group("loud", "m")).unwrap();
            drain(&jobs);
            let noisy = !jobs.noisy_groups().is_empty();
            assert_eq!(
                noisy,
                in_flight >= noisy_from,
                "{in_flight} in flight, {share} of {others} more"
            );
        }
    }
    let clock = ManualClock::default();
    let jobs = standard(&clock).limits(ours(0.1, 30)).build().unwrap();
    jobs.send("of nobody").unwrap();
    jobs.send(in_group("loud", "m")).unwrap();
    receive_for(&jobs, 10, secs(5));
    clock.advance(secs(5));
    assert_eq!(jobs.noisy_groups().len(), 1);
    clock.advance(secs(10) - MILLISECOND);
    assert_eq!(jobs.noisy_groups().len(), 1);
    clock.advance(MILLISECOND);
    assert_eq!(
        jobs.noisy_groups().len(),
        0,
        "its processing time slid out of the interval"
    );
}

#[test]
fn the_limits_of_a_queue_are_those_of_the_service_but_for_the_default_size() {
    let default = standard(&ManualClock::default()).build().unwrap().settings();
    assert_eq!(default.maximum_message_size, 262_144);
    let aws = standard(&ManualClock::default())
        .limits(Limits::aws())
        .build()
        .unwrap()
        .settings();
    assert_eq!(aws.maximum_message_size, 1_048_576);
    for settings in [default, aws] {
        assert_eq!(settings.delay, Duration::ZERO);
        assert_eq!(settings.visibility_timeout, secs(30));
        assert_eq!(settings.message_retention_period, 4 * DAY);
        assert_eq!(settings.receive_message_wait_time, Duration::ZERO);
    }
}

#[test]
fn spans_are_kept_to_the_millisecond() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    jobs.send("m").unwrap();
    let message = take_for(&jobs, Duration::from_micros(1_999));
    assert_eq!(message.invisible_until(), clock.now().saturating_add(MILLISECOND));
    clock.advance(MILLISECOND);
    assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
}
