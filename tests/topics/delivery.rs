//! What queues get: envelopes and raw messages, and what becomes of a message that a queue does not take.

use super::{array, attributes, bodies, body, envelope, number, queue, received, text};
use requeue::{
    Budget, ManualClock, MessageAttributeValue, MessageAttributes, Queue, QueueAttributes, Service, Timestamp,
    topics::{DeadLetterDelivery, PublishMessage, Topic},
};

/// `k0` to `k<count - 1>`.
fn many(count: usize) -> MessageAttributes {
    (0..count).map(|number| (format!("k{number}"), text("v"))).collect()
}

#[test]
fn every_subscription_that_matches_gets_its_copy() {
    // E25
    let topic = Topic::standard("events").build().unwrap();
    let queues: Vec<_> = (0..4).map(|number| queue(&format!("q{number}"))).collect();
    let subscribe = |at: usize| topic.subscribe(&queues[at]).raw_message_delivery(true);
    subscribe(0).create().unwrap();
    subscribe(1)
        .filter_policy(attributes(r#"{"k": ["a"]}"#))
        .create()
        .unwrap();
    subscribe(2).filter_policy(body(r#"{"k": ["b"]}"#)).create().unwrap();
    subscribe(3)
        .filter_policy(attributes(r#"{"k": [{"exists": false}]}"#))
        .create()
        .unwrap();
    let both = PublishMessage::new(r#"{"k":"b"}"#).attribute("k", text("a"));
    assert_eq!(topic.publish(both).unwrap().delivered, 3);
    assert_eq!(topic.publish("plain").unwrap().delivered, 2);
    let all: Vec<_> = queues.iter().map(bodies).collect();
    let (json, plain) = (r#"{"k":"b"}"#.to_owned(), "plain".to_owned());
    assert_eq!(
        all,
        [
            vec![json.clone(), plain.clone()],
            vec![json.clone()],
            vec![json],
            vec![plain]
        ]
    );
}

#[test]
fn the_envelope_has_the_members_of_sns_in_their_order() {
    // E26
    let clock = ManualClock::at(Timestamp::from_millis(1_796_006_407_123));
    let topic = Topic::standard("events").clock(clock).seed(7).build().unwrap();
    let events = queue("events");
    let subscription = topic.subscribe(&events).create().unwrap();
    let message = PublishMessage::new("order \"17\"\n\u{e9}")
        .subject("paid")
        .attribute("total", number("19.90"))
        .attribute("key", MessageAttributeValue::binary([0, 1, 0xff]))
        .attribute("tags", array(r#"["a"]"#));
    let published = topic.publish(message).unwrap();
    let expected = format!(
        concat!(
            r#"{{"Type":"Notification","MessageId":"{}","TopicArn":"arn:aws:sns:us-east-1:000000000000:events","#,
            r#""Subject":"paid","Message":"order \"17\"\n{}","Timestamp":"2026-11-30T02:40:07.123Z","#,
            r#""SignatureVersion":"1","Signature":"unsigned","#,
            r#""SigningCertURL":"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-{}.pem","#,
            r#""UnsubscribeURL":"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={}","#,
            r#""MessageAttributes":{{"key":{{"Type":"Binary","Value":"AAH/"}},"#,
            r#""tags":{{"Type":"String.Array","Value":"[\"a\"]"}},"total":{{"Type":"Number","Value":"19.90"}}}}}}"#
        ),
        published.message_id,
        '\u{e9}',
        "0".repeat(32),
        subscription.arn(),
    );
    let message = &received(&events)[0];
    assert_eq!(message.body(), expected);
    assert!(
        message.attributes().is_empty(),
        "the SQS message has no user attributes"
    );
    assert_ne!(message.message_id(), published.message_id);
}

#[test]
fn members_without_content_are_left_out() {
    // E26
    let (topic, events) = (Topic::standard("events").build().unwrap(), queue("events"));
    topic.subscribe(&events).create().unwrap();
    topic.publish("order-17").unwrap().check().unwrap();
    let envelope = envelope(&events);
    let mut names: Vec<_> = envelope.as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    let mut expected = [
        "Type",
        "MessageId",
        "TopicArn",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn raw_messages_are_what_was_published_and_share_its_body() {
    // E27
    let topic = Topic::standard("events").build().unwrap();
    let queues = [queue("a"), queue("b")];
    for queue in &queues {
        topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
    }
    let attributes = many(10);
    topic
        .publish(PublishMessage::new("order-17").attributes(attributes.clone()))
        .unwrap()
        .check()
        .unwrap();
    let bodies = queues
        .each_ref()
        .map(|queue| queue.snapshot().messages[0].content.body().clone());
    assert!(std::sync::Arc::ptr_eq(&bodies[0], &bodies[1]), "the body was copied");
    for queue in &queues {
        let message = &received(queue)[0];
        assert_eq!((message.body(), message.attributes()), ("order-17", &attributes));
    }
}

#[test]
fn more_than_ten_attributes_fail_raw_delivery_alone() {
    // E27
    let topic = Topic::standard("events").build().unwrap();
    let (raw, enveloped, failed) = (queue("raw"), queue("enveloped"), queue("failed"));
    let subscription = topic
        .subscribe(&raw)
        .raw_message_delivery(true)
        .dead_letter(&failed)
        .create()
        .unwrap();
    topic.subscribe(&enveloped).create().unwrap();
    let published = topic
        .publish(PublishMessage::new("order-17").attributes(many(11)))
        .unwrap();
    assert_eq!((published.delivered, published.failures.len()), (1, 1));
    let failure = &published.failures[0];
    assert_eq!(&*failure.subscription_arn, subscription.arn());
    assert_eq!(
        (failure.error.code(), &failure.dead_letter),
        ("InvalidParameterValue", &DeadLetterDelivery::Taken)
    );
    assert!(bodies(&raw).is_empty());
    for queue in [&enveloped, &failed] {
        let envelope = envelope(queue);
        assert_eq!(envelope["MessageAttributes"].as_object().unwrap().len(), 11);
    }
}

#[test]
fn what_a_queue_does_not_take_goes_to_the_dead_letter_queue_or_is_discarded() {
    // E27
    let service = Service::new();
    let create = |name: &str| service.create_queue(name, QueueAttributes::new()).unwrap();
    let topic = Topic::standard("events").service(&service).build().unwrap();
    let (gone, also_gone, alive, failed) = (create("gone"), create("also-gone"), create("alive"), create("failed"));
    let raw = |queue: &Queue| topic.subscribe(queue).raw_message_delivery(true);
    raw(&gone).dead_letter(&failed).create().unwrap();
    raw(&also_gone).create().unwrap();
    raw(&alive).create().unwrap();
    service.delete_queue("gone").unwrap();
    service.delete_queue("also-gone").unwrap();
    let order = PublishMessage::new("order-17").attribute("k", text("v"));
    let published = topic.publish(order.clone()).unwrap();
    let failures: Vec<_> = published
        .failures
        .iter()
        .map(|it| (it.error.code(), &it.dead_letter))
        .collect();
    assert_eq!(
        failures,
        [
            ("QueueDoesNotExist", &DeadLetterDelivery::Taken),
            ("QueueDoesNotExist", &DeadLetterDelivery::NoQueue)
        ]
    );
    assert_eq!(published.delivered, 1);
    for queue in [&alive, &failed] {
        let message = &received(queue)[0];
        assert_eq!(
            (message.body(), message.attributes()),
            ("order-17", order.get_attributes())
        );
    }
    let lost = published.check().unwrap_err();
    assert_eq!(lost.failures, published.failures[1..]);
    assert_eq!(
        lost.to_string(),
        format!(
            "message {} is lost: {}: {}",
            published.message_id, lost.failures[0].subscription_arn, lost.failures[0].error
        )
    );
    service.delete_queue("failed").unwrap();
    let published = topic.publish("order-18").unwrap();
    let DeadLetterDelivery::Refused(error) = &published.failures[0].dead_letter else {
        panic!("{published:?}")
    };
    assert_eq!(error.code(), "QueueDoesNotExist");
    assert_eq!(published.check().unwrap_err().failures, published.failures);
}

#[test]
fn a_queue_that_is_full_or_takes_smaller_messages_fails_by_itself() {
    // E27
    let topic = Topic::standard("events").build().unwrap();
    let full = Queue::standard("full")
        .budget(Budget::new().messages(1))
        .build()
        .unwrap();
    let small = Queue::standard("small").maximum_message_size(1_024).build().unwrap();
    for queue in [&full, &small] {
        topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
    }
    assert_eq!(topic.publish("order-17").unwrap().delivered, 2);
    let published = topic.publish("x".repeat(2_000)).unwrap();
    let codes: Vec<_> = published.failures.iter().map(|it| it.error.code()).collect();
    assert_eq!(codes, ["OverLimit", "InvalidParameterValue"]);
    let gone = queue("gone");
    topic
        .subscribe(&gone)
        .raw_message_delivery(true)
        .dead_letter(&full)
        .create()
        .unwrap();
    gone.delete_queue().unwrap();
    // The envelope of this body would be too large, and is not tried.
    let published = topic.publish("\"".repeat(200_000)).unwrap();
    let DeadLetterDelivery::Refused(error) = &published.failures[2].dead_letter else {
        panic!("{published:?}")
    };
    assert_eq!(error.code(), "OverLimit");
}

#[test]
fn trace_headers_and_groups_of_standard_topics_reach_the_queues() {
    // E29
    let topic = Topic::standard("events").build().unwrap();
    let (raw, enveloped) = (queue("raw"), queue("enveloped"));
    topic.subscribe(&raw).raw_message_delivery(true).create().unwrap();
    topic.subscribe(&enveloped).create().unwrap();
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let message = PublishMessage::new("order-17")
        .aws_trace_header(header)
        .message_group_id("tenant-3");
    let published = topic.publish(message.attribute("k", text("v"))).unwrap();
    published.check().unwrap();
    for (queue, attributes) in [(&raw, 1), (&enveloped, 0)] {
        let message = &received(queue)[0];
        assert_eq!(
            (message.aws_trace_header(), message.message_group_id()),
            (Some(header), Some("tenant-3"))
        );
        assert_eq!(message.attributes().len(), attributes);
    }
}

#[test]
fn a_changed_policy_acts_at_once_and_an_ended_subscription_gets_nothing() {
    // E30 E32
    let (topic, events) = (Topic::standard("events").build().unwrap(), queue("events"));
    let subscription = topic
        .subscribe(&events)
        .filter_policy(body(r#"{"k": [1]}"#))
        .create()
        .unwrap();
    let delivered = |text: &str| topic.publish(text).unwrap().delivered;
    assert_eq!((delivered(r#"{"k": 1}"#), delivered(r#"{"k": 2}"#)), (1, 0));
    subscription.set_filter_policy(body(r#"{"k": [2]}"#)).unwrap();
    assert_eq!((delivered(r#"{"k": 1}"#), delivered(r#"{"k": 2}"#)), (0, 1));
    subscription.set_filter_policy(None).unwrap();
    assert_eq!((delivered(r#"{"k": 1}"#), delivered("x")), (1, 1));
    assert_eq!(topic.subscriptions()[0].arn(), subscription.arn());
    assert!(subscription.unsubscribe() && topic.subscriptions().is_empty());
    assert_eq!(delivered("x"), 0);
    assert_eq!(subscription.set_filter_policy(None).unwrap_err().code(), "NotFound");
    assert!(!subscription.unsubscribe());
}
