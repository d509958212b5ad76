//! CreateQueue: names, what an existing queue is compared with, and the 60 seconds after a deletion.

use crate::common::secs;
use requeue::{
    CreateQueueError, DeduplicationScope, FifoThroughputLimit, Limits, ManualClock, QueueAttributes,
    RedriveAllowPolicy, RedrivePolicy, SendMessage, Service,
};
use std::{thread, time::Duration};

const STANDARD_NAME: &str = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
const FIFO_NAME: &str = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, \
    must end with .fifo suffix and be 1 to 80 in length";

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn fifo() -> QueueAttributes {
    bare().fifo_queue(true)
}

fn service() -> (ManualClock, Service) {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    (clock, service)
}

fn refusal(service: &Service, name: &str, attributes: QueueAttributes) -> (&'static str, String) {
    let error = service.create_queue(name, attributes).unwrap_err();
    (error.code(), error.to_string())
}

fn invalid(text: &str) -> (&'static str, String) {
    ("InvalidParameterValue", text.to_owned())
}

#[test]
fn a_name_has_1_to_80_characters() {
    // Q1 Q3
    let (_, service) = service();
    for length in [1, 2, 79, 80] {
        let name = "a".repeat(length);
        assert_eq!(service.create_queue(&name, bare()).unwrap().name(), name);
    }
    for length in [0, 81] {
        assert_eq!(refusal(&service, &"a".repeat(length), bare()), invalid(STANDARD_NAME));
    }
}

#[test]
fn the_suffix_of_a_fifo_name_counts_toward_the_80_characters() {
    // Q2 Q5
    let (_, service) = service();
    for stem in [1, 74, 75] {
        let name = format!("{}.fifo", "a".repeat(stem));
        assert!(service.create_queue(&name, fifo()).unwrap().is_fifo());
    }
    for stem in [0, 76] {
        let name = format!("{}.fifo", "a".repeat(stem));
        assert_eq!(refusal(&service, &name, fifo()), invalid(FIFO_NAME));
    }
}

#[test]
fn a_name_has_only_letters_digits_hyphens_and_underscores() {
    // Q1 Q2 Q3
    let (_, service) = service();
    assert!(service.create_queue("AZaz09-_", bare()).is_ok());
    for name in ["a/b", "/a", "a b", "a.b", "a.fif", "a:b", "\u{e9}", "a\n"] {
        assert_eq!(refusal(&service, name, bare()), invalid(STANDARD_NAME), "{name:?}");
        let name = format!("{name}.fifo");
        assert_eq!(refusal(&service, &name, fifo()), invalid(FIFO_NAME), "{name:?}");
    }
}

#[test]
fn the_length_of_a_name_is_a_limit_that_can_be_changed() {
    // Q1
    let mut limits = Limits::default();
    limits.queue_name_length = 6;
    let service = Service::builder().limits(limits).build();
    assert!(service.create_queue("abcdef", bare()).is_ok() && service.create_queue("a.fifo", fifo()).is_ok());
    let error = service.create_queue("abcdefg", bare()).unwrap_err();
    assert!(error.to_string().ends_with("1 to 6 in length"), "{error}");
}

#[test]
fn a_standard_queue_has_no_fifo_suffix() {
    // Q4
    let (_, service) = service();
    assert_eq!(refusal(&service, "orders.fifo", bare()), invalid(STANDARD_NAME));
    assert_eq!(
        refusal(&service, "orders.fifo", bare().fifo_queue(false)),
        invalid(STANDARD_NAME)
    );
}

#[test]
fn a_fifo_queue_has_the_suffix() {
    // Q5
    let (_, service) = service();
    for name in ["orders", "orders.FIFO", "orders.fifo2", "fifo"] {
        assert_eq!(refusal(&service, name, fifo()), invalid(FIFO_NAME), "{name}");
    }
}

#[test]
fn names_differ_by_case() {
    // Q1
    let (_, service) = service();
    let lower = service.create_queue("jobs", bare()).unwrap();
    let upper = service.create_queue("Jobs", bare()).unwrap();
    lower.send("m").unwrap();
    assert_eq!(upper.counts().visible, 0);
    assert_eq!(service.queue("Jobs").unwrap().url(), upper.url());
}

#[test]
fn a_queue_is_usable_at_once() {
    // Q11
    let (_, service) = service();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    jobs.send("m").unwrap();
    assert_eq!(
        service.queue("jobs").unwrap().receive().blocking().unwrap()[0].body(),
        "m"
    );
}

#[test]
fn creating_a_queue_again_without_attributes_finds_it() {
    // Q29
    let (_, service) = service();
    let jobs = service
        .create_queue("jobs", bare().visibility_timeout(secs(5)))
        .unwrap();
    jobs.send("m").unwrap();
    let again = service.create_queue("jobs", bare()).unwrap();
    assert_eq!(again.url(), jobs.url());
    assert_eq!(again.settings().visibility_timeout, secs(5));
    assert_eq!(again.counts().visible, 1);
}

#[test]
fn a_difference_changes_nothing() {
    // Q29 Q30
    let (clock, service) = service();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    let before = jobs.settings();
    clock.advance(secs(1));
    service
        .create_queue("jobs", bare().delay(secs(1)).visibility_timeout(secs(9)))
        .unwrap_err();
    service.create_queue("jobs", bare().delay(secs(0))).unwrap();
    assert_eq!(jobs.settings(), before);
}

#[test]
fn the_first_attribute_that_differs_is_named() {
    // Q30
    let (_, service) = service();
    let orders = service.create_queue("orders.fifo", fifo()).unwrap();
    let dead = service.create_queue("dead.fifo", fifo()).unwrap();
    let cases = [
        (fifo().delay(secs(1)).visibility_timeout(secs(1)), "DelaySeconds"),
        (fifo().maximum_message_size(1_024), "MaximumMessageSize"),
        (fifo().message_retention_period(secs(60)), "MessageRetentionPeriod"),
        (
            fifo().receive_message_wait_time(secs(20)),
            "ReceiveMessageWaitTimeSeconds",
        ),
        (fifo().visibility_timeout(secs(31)), "VisibilityTimeout"),
        #[cfg(feature = "aws-protocol")]
        (fifo().policy(r#"{"Statement":[]}"#), "Policy"),
        (
            fifo().redrive_policy(RedrivePolicy::new(dead.arn(), 3)),
            "RedrivePolicy",
        ),
        (
            fifo().redrive_allow_policy(RedriveAllowPolicy::DenyAll),
            "RedriveAllowPolicy",
        ),
        (fifo().kms_master_key_id("alias/mine"), "KmsMasterKeyId"),
        (fifo().sqs_managed_sse_enabled(false), "SqsManagedSseEnabled"),
        (fifo().content_based_deduplication(true), "ContentBasedDeduplication"),
        (
            fifo().deduplication_scope(DeduplicationScope::MessageGroup),
            "DeduplicationScope",
        ),
    ];
    for (attributes, attribute) in cases {
        let error = service.create_queue("orders.fifo", attributes).unwrap_err();
        assert_eq!(error, CreateQueueError::QueueNameExists { attribute });
    }
    assert!(
        service
            .create_queue("orders.fifo", fifo())
            .is_ok_and(|it| it.arn() == orders.arn())
    );
}

#[test]
fn a_default_given_explicitly_equals_an_unset_attribute() {
    // Q31
    let (_, service) = service();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    let defaults = bare()
        .delay(secs(0))
        .maximum_message_size(262_144)
        .message_retention_period(secs(345_600))
        .receive_message_wait_time(secs(0))
        .visibility_timeout(secs(30))
        .no_redrive_policy()
        .redrive_allow_policy(RedriveAllowPolicy::AllowAll)
        .kms_master_key_id("");
    #[cfg(feature = "aws-protocol")]
    let defaults = defaults.policy("");
    assert_eq!(service.create_queue("jobs", defaults).unwrap().url(), jobs.url());
}

#[test]
fn counters_that_moved_cause_no_difference() {
    // Q32
    let (_, service) = service();
    let attributes = bare().visibility_timeout(secs(5));
    let jobs = service.create_queue("jobs", attributes.clone()).unwrap();
    jobs.send("one").unwrap();
    jobs.send("two").unwrap();
    jobs.receive().blocking().unwrap();
    assert_eq!(service.create_queue("jobs", attributes).unwrap().url(), jobs.url());
}

#[test]
fn tags_of_an_existing_queue_are_neither_compared_nor_applied() {
    // Q33
    let (_, service) = service();
    service
        .create_queue_with_tags("jobs", bare(), [("team", "images")])
        .unwrap();
    service
        .create_queue_with_tags("jobs", bare(), [("team", "text"), ("stage", "test")])
        .unwrap();
    let tags = service.list_queue_tags("jobs").unwrap();
    assert_eq!(
        tags.into_iter().collect::<Vec<_>>(),
        [("team".to_owned(), "images".to_owned())]
    );
}

#[cfg(feature = "aws-protocol")]
#[test]
fn policies_are_compared_as_json_values() {
    // Q34
    let (_, service) = service();
    let policy = |document: &str| bare().policy(document);
    service
        .create_queue("jobs", policy(r#"{"Version":"2012-10-17","Statement":[]}"#))
        .unwrap();
    assert!(
        service
            .create_queue("jobs", policy(r#"{ "Statement": [], "Version": "2012-10-17" }"#))
            .is_ok()
    );
    let error = service
        .create_queue("jobs", policy(r#"{"Version":"2008-10-17","Statement":[]}"#))
        .unwrap_err();
    assert_eq!(error.code(), "QueueNameExists");
}

#[test]
fn redrive_policies_are_compared_by_target_and_count() {
    // Q34
    let (_, service) = service();
    let dead = service.create_queue("dead", bare()).unwrap();
    let redrive = |count| bare().redrive_policy(RedrivePolicy::new(dead.arn(), count));
    service.create_queue("work", redrive(3)).unwrap();
    assert!(service.create_queue("work", redrive(3)).is_ok());
    assert_eq!(
        service.create_queue("work", redrive(4)).unwrap_err().code(),
        "QueueNameExists"
    );
}

#[test]
fn an_attribute_given_alone_is_judged_with_the_others_the_queue_has() {
    // Q22 Q29: the limit per group needs the scope of groups, which the queue has and the request leaves out
    let (_, service) = service();
    let per_group = fifo().fifo_throughput_limit(FifoThroughputLimit::PerMessageGroupId);
    assert_eq!(
        refusal(&service, "orders.fifo", per_group.clone()).0,
        "InvalidAttributeValue"
    );
    let scope = per_group.clone().deduplication_scope(DeduplicationScope::MessageGroup);
    service.create_queue("orders.fifo", scope).unwrap();
    assert!(service.create_queue("orders.fifo", per_group).is_ok());
}

#[test]
fn a_bad_value_for_an_existing_queue_is_reported_as_such() {
    // Q16 X11
    let (_, service) = service();
    service.create_queue("jobs", bare()).unwrap();
    assert_eq!(
        refusal(&service, "jobs", bare().delay(secs(901))),
        (
            "InvalidAttributeValue",
            "Invalid value for the parameter DelaySeconds.".into()
        )
    );
}

#[test]
fn a_queue_is_found_again_although_its_dead_letter_queue_is_gone() {
    // Q29
    let (_, service) = service();
    let dead = service.create_queue("dead", bare()).unwrap();
    let attributes = bare().redrive_policy(RedrivePolicy::new(dead.arn(), 3));
    let jobs = service.create_queue("jobs", attributes.clone()).unwrap();
    service.delete_queue("dead").unwrap();
    assert_eq!(service.create_queue("jobs", attributes).unwrap().url(), jobs.url());
}

#[test]
fn a_refused_creation_leaves_the_name_free() {
    let (_, service) = service();
    let nowhere = RedrivePolicy::new("arn:aws:sqs:us-east-1:000000000000:nowhere", 3);
    service
        .create_queue("jobs", bare().redrive_policy(nowhere))
        .unwrap_err();
    service.create_queue("jobs", bare().delay(secs(901))).unwrap_err();
    assert_eq!(service.queue("jobs").unwrap_err().code(), "QueueDoesNotExist");
    assert!(service.create_queue("jobs", bare().delay(secs(900))).is_ok());
}

#[test]
fn a_name_can_be_used_again_60_seconds_after_its_queue_was_deleted() {
    // Q37
    let (clock, service) = service();
    let deleted_recently = (
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.".to_owned(),
    );
    service.create_queue("jobs", bare()).unwrap();
    service.delete_queue("jobs").unwrap();
    assert_eq!(refusal(&service, "jobs", bare()), deleted_recently);
    clock.advance(Duration::from_millis(59_999));
    assert_eq!(refusal(&service, "jobs", bare()), deleted_recently);
    assert!(service.create_queue("Jobs", bare()).is_ok(), "another name has to wait");
    clock.advance(Duration::from_millis(1));
    assert!(service.create_queue("jobs", bare()).is_ok());
    service.delete_queue("jobs").unwrap();
    clock.advance(Duration::from_millis(60_001));
    assert!(service.create_queue("jobs", bare()).is_ok());
}

#[test]
fn a_queue_deleted_by_its_handle_leaves_its_name_like_any_other() {
    // Q37
    let (clock, service) = service();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    clock.advance(secs(100));
    jobs.delete_queue().unwrap();
    assert_eq!(service.queue("jobs").unwrap_err().code(), "QueueDoesNotExist");
    clock.advance(Duration::from_millis(59_999));
    assert_eq!(refusal(&service, "jobs", bare()).0, "QueueDeletedRecently");
    clock.advance(Duration::from_millis(1));
    assert!(service.create_queue("jobs", bare()).is_ok());
    assert!(service.queue("jobs").is_ok());
}

#[test]
fn a_message_leads_to_its_queue_and_the_service_behind_it() {
    // Q37
    let (_, service) = service();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    jobs.send("m").unwrap();
    let message = jobs.receive().blocking().unwrap().remove(0);
    message.queue().delete_queue().unwrap();
    assert_eq!(refusal(&service, "jobs", bare()).0, "QueueDeletedRecently");
}

#[test]
fn the_wait_before_a_name_can_be_used_again_can_be_switched_off() {
    // Q37
    let mut limits = Limits::default();
    limits.recreate_interval = Duration::ZERO;
    let service = Service::builder().limits(limits).build();
    let first = service.create_queue("jobs", bare()).unwrap();
    first.send("m").unwrap();
    first.delete_queue().unwrap();
    let second = service.create_queue("jobs", bare()).unwrap();
    assert_eq!(second.counts().visible, 0);
    assert_eq!(first.send("m").unwrap_err().code(), "QueueDoesNotExist");
    service.delete_queue("jobs").unwrap();
    assert!(service.create_queue("jobs", bare()).is_ok());
}

#[test]
fn a_queue_created_under_an_old_name_is_wholly_new() {
    // Q36 Q37
    let (clock, service) = service();
    let send = || {
        SendMessage::new("m")
            .message_group_id("g")
            .message_deduplication_id("d")
    };
    let old = service
        .create_queue_with_tags("orders.fifo", fifo().delay(secs(9)), [("a", "b")])
        .unwrap();
    #[cfg(feature = "aws-protocol")]
    service
        .add_permission("orders.fifo", "all", ["123456789012"], ["*"])
        .unwrap();
    let first = old.send(send()).unwrap();
    clock.advance(secs(9));
    let held = old.receive().blocking().unwrap().remove(0);
    service.delete_queue("orders.fifo").unwrap();
    clock.advance(secs(60));

    let new = service.create_queue("orders.fifo", fifo()).unwrap();
    assert_eq!(new.counts(), Default::default());
    assert!(service.list_queue_tags("orders.fifo").unwrap().is_empty());
    #[cfg(feature = "aws-protocol")]
    assert!(service.permissions("orders.fifo").unwrap().is_empty());
    assert_eq!(new.settings().delay, Duration::ZERO);
    let second = new.send(send()).unwrap();
    assert_ne!(
        second.message_id, first.message_id,
        "the old queue's memory of sends lives on"
    );
    assert_eq!(old.send(send()).unwrap_err().code(), "QueueDoesNotExist");
    assert_eq!(held.delete().unwrap_err().code(), "QueueDoesNotExist");
    assert_eq!(
        new.delete(&held.receipt_handle()).unwrap_err().code(),
        "ReceiptHandleIsInvalid"
    );
}

#[test]
fn threads_that_create_one_name_at_once_get_one_queue() {
    // Q29
    let service = Service::new();
    let created = thread::scope(|scope| {
        let create = || service.create_queue("jobs", bare()).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
    });
    for queue in &created {
        queue.send("m").unwrap();
    }
    assert_eq!(created[0].counts().visible, 8);
}

#[test]
fn threads_that_create_and_delete_at_once_leave_a_service_that_works() {
    let mut limits = Limits::default();
    limits.recreate_interval = Duration::ZERO;
    let service = Service::builder().limits(limits).build();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let queue = service.create_queue("jobs", bare()).unwrap();
                    let _ = queue.send("m");
                    let _ = service.delete_queue("jobs");
                }
            });
        }
    });
    let _ = service.delete_queue("jobs");
    assert_eq!(service.queue("jobs").unwrap_err().code(), "QueueDoesNotExist");
    assert!(
        service
            .create_queue("jobs", bare())
            .unwrap()
            .receive()
            .blocking()
            .unwrap()
            .is_empty()
    );
}
