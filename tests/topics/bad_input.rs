//! What topics refuse, and what is large or deep.

use super::{attributes, fifo_queue, queue, text, with};
use requeue::{
    Limits, MessageAttributeValue, Queue,
    topics::{FilterPolicy, PublishError, PublishMessage, SubscribeError, Topic},
};

fn standard() -> Topic {
    Topic::standard("events").build().unwrap()
}

#[test]
fn names_and_sizes_of_topics() {
    // E32
    for name in ["", "a b", "events.fifo", "\u{e9}", "a/b", &"x".repeat(257)] {
        let error = Topic::standard(name).build().unwrap_err();
        assert_eq!(error.code(), "InvalidParameter");
        assert_eq!(
            error.to_string(),
            format!(
                "Invalid parameter: Topic Name: {name:?} is not 1 to 256 ASCII letters, digits, hyphens and underscores"
            )
        );
    }
    for name in [
        "",
        "events",
        ".fifo",
        "events.FIFO",
        "a b.fifo",
        &format!("{}.fifo", "x".repeat(252)),
    ] {
        let error = Topic::fifo(name).build().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("Invalid parameter: Fifo Topic names must end with .fifo"),
            "{name}"
        );
    }
    assert!(Topic::standard("x".repeat(256)).build().is_ok());
    assert!(Topic::fifo(format!("{}.fifo", "x".repeat(251))).build().is_ok());
    for (bytes, is_taken) in [
        (0, false),
        (262_143, false),
        (262_144, true),
        (1_048_576, true),
        (1_048_577, false),
    ] {
        assert_eq!(
            Topic::standard("a").maximum_message_size(bytes).build().is_ok(),
            is_taken,
            "{bytes}"
        );
    }
    assert!(Topic::standard("a").content_based_deduplication(true).build().is_err());
    assert!(Topic::standard("a").content_based_deduplication(false).build().is_ok());
}

#[test]
fn messages_that_no_queue_would_take() {
    // E25 E32
    let (standard, fifo) = (standard(), Topic::fifo("events.fifo").build().unwrap());
    let events = queue("events");
    standard.subscribe(&events).create().unwrap();
    let message = || PublishMessage::new("x");
    let long = "x".repeat(262_145);
    for (topic, message, reason) in [
        (&standard, PublishMessage::new(""), "Empty message"),
        (&standard, PublishMessage::new(&*long), "Message too long"),
        (&standard, with("k", text(&long[..262_140])), "Message too long"),
        (&standard, message().subject(""), "Subject"),
        (&standard, message().subject("a\nb"), "Subject"),
        (&standard, message().subject("x".repeat(101)), "Subject"),
        (
            &standard,
            message().message_deduplication_id("1"),
            "MessageDeduplicationId Reason: The request includes",
        ),
        (
            &standard,
            message().message_group_id("a b"),
            "Value a b for parameter MessageGroupId is invalid.",
        ),
        (&standard, PublishMessage::new("\u{0}"), "Invalid characters found."),
        (&standard, with("AWS.k", text("v")), ""),
        (&standard, with("k", text("")), ""),
        (&standard, with("k", MessageAttributeValue::number("x")), ""),
        (
            &fifo,
            message().message_deduplication_id("1"),
            "The MessageGroupId parameter is required for FIFO topics",
        ),
        (
            &fifo,
            message().message_group_id("g"),
            "The topic should either have ContentBasedDeduplication enabled",
        ),
        (
            &fifo,
            message().message_group_id("g").message_deduplication_id(""),
            "Value ",
        ),
    ] {
        let error = topic.publish(message).unwrap_err();
        assert_eq!(error.code(), "InvalidParameter");
        let expected = format!("Invalid parameter: {reason}");
        assert!(error.to_string().starts_with(&expected), "{error}: {expected}");
    }
    assert_eq!(events.counts().visible, 0);
    assert!(standard.publish(message().subject("x".repeat(100))).is_ok());
    assert!(standard.publish(&long[..262_144]).is_ok());
}

#[test]
fn subscriptions_that_cannot_be() {
    // E25
    let (topic, ordered) = (standard(), fifo_queue("a.fifo"));
    let error = topic.subscribe(&ordered).create().unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
    );
    let (events, failed) = (queue("events"), queue("failed"));
    let itself = topic
        .subscribe(&events)
        .dead_letter(&events.clone())
        .create()
        .unwrap_err();
    assert_eq!(itself, SubscribeError::DeadLetterQueueIsQueue);
    let other_type = topic.subscribe(&events).dead_letter(&ordered).create().unwrap_err();
    assert_eq!(other_type, SubscribeError::DeadLetterQueueType { fifo: false });
    assert!(topic.subscriptions().is_empty());

    let subscribe = || {
        topic
            .subscribe(&events)
            .filter_policy(attributes(r#"{"k": [1]}"#))
            .dead_letter(&failed)
    };
    let first = subscribe().create().unwrap();
    assert_eq!(subscribe().create().unwrap().arn(), first.arn());
    for other in [
        topic.subscribe(&events),
        subscribe().raw_message_delivery(true),
        subscribe().dead_letter(&queue("failed")),
        subscribe().filter_policy(attributes(r#"{"k": [2]}"#)),
    ] {
        assert_eq!(other.create().unwrap_err(), SubscribeError::DifferentAttributes);
    }
    assert_eq!(topic.subscriptions().len(), 1);
    assert!(
        topic.subscribe(&queue("events")).create().is_ok(),
        "another queue of the same name"
    );
}

#[test]
fn dead_letters_do_not_go_in_a_circle() {
    // E25 E27
    let (topic, a, b) = (standard(), queue("a"), queue("b"));
    topic.subscribe(&a).dead_letter(&b).create().unwrap();
    topic.subscribe(&b).dead_letter(&a).create().unwrap();
    assert_eq!(topic.publish("x").unwrap().delivered, 2);
    assert_eq!((a.counts().visible, b.counts().visible), (1, 1));
    // Neither has room for what is larger than a mebibyte in its envelope.
    let large = Topic::standard("large").maximum_message_size(1 << 20).build().unwrap();
    large.subscribe(&a).dead_letter(&b).create().unwrap();
    large.subscribe(&b).dead_letter(&a).create().unwrap();
    let published = large.publish("x".repeat(1 << 20)).unwrap();
    assert_eq!((published.delivered, published.failures.len()), (0, 2));
    assert!(published.failures.iter().all(|it| it.is_lost()));
}

#[test]
fn an_array_of_one_value_many_times_is_looked_at_once() {
    // E31
    let topic = Topic::standard("events").maximum_message_size(1 << 20).build().unwrap();
    let events = Queue::standard("events").maximum_message_size(1 << 20).build().unwrap();
    let policy = FilterPolicy::body(r#"{"a": [1], "b": [2]}"#).unwrap();
    topic
        .subscribe(&events)
        .raw_message_delivery(true)
        .filter_policy(policy)
        .create()
        .unwrap();
    // One comparison for each pair would be 60,000 million.
    let ones = vec!["1"; 250_000].join(",");
    assert_eq!(
        topic
            .publish(format!(r#"{{"a":[{ones}],"b":[{ones}]}}"#))
            .unwrap()
            .delivered,
        0
    );
    assert_eq!(
        topic.publish(format!(r#"{{"a":[{ones}],"b":[2]}}"#)).unwrap().delivered,
        1
    );
}

#[test]
fn a_long_list_beside_alternatives_is_looked_at_once() {
    // E30 E31
    let list: Vec<_> = (10_000..40_000).map(|it| it.to_string()).collect();
    let list = list.join(",");
    let branches: Vec<_> = (0..149)
        .map(|it| format!(r#"{{"b": [{{"anything-but": {it}}}]}}"#))
        .collect();
    let policy = format!(
        r#"{{"$or": [{}], "a": [{{"anything-but": [{list}]}}]}}"#,
        branches.join(",")
    );
    let policy = FilterPolicy::body(&policy).unwrap();
    // One comparison for each branch and pair would be 134,000 million.
    let message = |last: u32| PublishMessage::new(format!(r#"{{"a": [{list}, {last}], "b": -1}}"#));
    assert!(!policy.matches(&message(39_999)) && policy.matches(&message(40_000)));
}

#[test]
fn a_subject_is_text_of_a_message() {
    // M2
    for subject in ["\u{FFFE}", "a\u{FFFF}", "line\nline"] {
        let error = standard()
            .publish(PublishMessage::new("x").subject(subject))
            .unwrap_err();
        let (subject, limit) = (subject.to_owned(), 100);
        assert_eq!(error, PublishError::Subject { subject, limit });
    }
}

#[test]
fn a_topic_has_200_policies() {
    // E32
    let topic = standard();
    let policy = || attributes(r#"{"k": ["v"]}"#);
    let mut last = None;
    for number in 0..200 {
        let queue = queue(&format!("q{number}"));
        last = Some(topic.subscribe(&queue).filter_policy(policy()).create().unwrap());
    }
    let one_more = queue("one-more");
    let error = topic.subscribe(&one_more).filter_policy(policy()).create().unwrap_err();
    assert_eq!(error.code(), "FilterPolicyLimitExceeded");
    let without = topic.subscribe(&one_more).create().unwrap();
    assert_eq!(
        without.set_filter_policy(policy()).unwrap_err().code(),
        "FilterPolicyLimitExceeded"
    );
    let last = last.unwrap();
    last.set_filter_policy(attributes("{}")).unwrap();
    last.set_filter_policy(None).unwrap();
    without.set_filter_policy(policy()).unwrap();
}

#[test]
fn a_topic_for_large_messages_has_100_subscriptions() {
    // E32
    let topic = Topic::standard("events").maximum_message_size(262_145).build().unwrap();
    for number in 0..100 {
        topic.subscribe(&queue(&format!("q{number}"))).create().unwrap();
    }
    let error = topic.subscribe(&queue("one-more")).create().unwrap_err();
    assert_eq!(error.code(), "SubscriptionLimitExceeded");
    assert!(topic.publish("x".repeat(262_145)).is_ok() && topic.publish("x".repeat(262_146)).is_err());
}

#[test]
fn policies_that_are_no_json_too_large_or_too_deep() {
    // E32
    for text in [
        "",
        "x",
        "{",
        r#"{"a": [1e400]}"#,
        "{\"a\": [1]} x",
        "\u{0}",
        "{'a': [1]}",
    ] {
        let error = FilterPolicy::body(text).unwrap_err().to_string();
        assert!(
            error.starts_with("Invalid parameter: FilterPolicy: failed to parse JSON."),
            "{text}: {error}"
        );
    }
    let sized = |length: usize| format!(r#"{{"a": ["{}"]}}"#, "x".repeat(length - 11));
    assert!(FilterPolicy::attributes(&sized(262_144)).is_ok());
    let error = FilterPolicy::attributes(&sized(262_145)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("262145 bytes long, the longest allowed has 262144"),
        "{error}"
    );
    for (open, close) in [
        ("{\"a\":", "}"),
        ("[", "]"),
        ("{\"a\":[", "]}"),
        (r#"{"$or":[{"a":[1]},"#, "]}"),
    ] {
        let deep = format!("{}[1]{}", open.repeat(10_000), close.repeat(10_000));
        assert!(FilterPolicy::body(&deep).is_err() && FilterPolicy::attributes(&deep).is_err());
    }
    // As deep as the parser goes; it has 120 combinations for its depth.
    let deep = |depth: usize| format!("{}[1]{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let policy = FilterPolicy::body(&deep(120)).unwrap();
    let message = |depth: usize| PublishMessage::new(deep(depth).replace("[1]", "1"));
    assert!(policy.matches(&message(120)) && !policy.matches(&message(119)));
    assert!(
        !policy.matches(&message(100_000)),
        "a body that is too deep is no JSON object to a filter"
    );
    assert!(!policy.matches(&PublishMessage::new("[".repeat(100_000))));
}

#[test]
fn a_number_beyond_a_float_is_no_json_to_a_policy_and_to_a_filter() {
    // E30 E31 E32
    let is_no_json = |text: &str| {
        FilterPolicy::body(text)
            .unwrap_err()
            .to_string()
            .contains("failed to parse JSON.")
    };
    assert!(is_no_json(r#"{"k": [1e400]}"#) && is_no_json(r#"{"k": [{"numeric": ["<", -1e400]}]}"#));
    let (of_body, of_attributes) = (
        FilterPolicy::body(r#"{"k": ["x"]}"#).unwrap(),
        attributes(r#"{"k": ["x"]}"#),
    );
    for (other, expected) in [("1e400", false), ("1e308", true)] {
        let body = PublishMessage::new(format!(r#"{{"k": "x", "other": {other}}}"#));
        assert_eq!(of_body.matches(&body), expected, "{other}");
        let array = MessageAttributeValue::new("String.Array", format!(r#"["x", {other}]"#));
        assert_eq!(of_attributes.matches(&with("k", array)), expected, "{other}");
    }
}

#[test]
fn nested_alternatives_are_refused_before_they_are_multiplied_out() {
    // E32
    let pair = r#""$or": [{"a": [1]}, {"b": [1]}]"#;
    let policy = (0..60).fold(format!("{{{pair}}}"), |inner, _| format!(r#"{{{pair}, "x": {inner}}}"#));
    let mut limits = Limits::aws();
    limits.filter_policy_keys = usize::MAX;
    let scope = requeue::topics::FilterPolicyScope::MessageBody;
    let error = FilterPolicy::within(&policy, scope, &limits).unwrap_err();
    assert!(error.to_string().ends_with("Filter policy is too complex"));
}

#[test]
fn long_keys_and_large_bodies_cost_no_more_than_their_length() {
    // E31
    let topic = Topic::standard("events").maximum_message_size(1 << 20).build().unwrap();
    let events = Queue::standard("events").maximum_message_size(1 << 20).build().unwrap();
    let key = "k".repeat(100_000);
    let policy = FilterPolicy::body(&format!(r#"{{"{key}": {{"a": ["v"]}}}}"#)).unwrap();
    topic
        .subscribe(&events)
        .raw_message_delivery(true)
        .filter_policy(policy)
        .create()
        .unwrap();
    // With the path written out for each, the values below the long key would take gigabytes.
    let inner: Vec<_> = (0..80_000).map(|number| format!("\"{number}\":0")).collect();
    let body = |last: &str| format!(r#"{{"{key}":{{{},"a":"{last}"}}}}"#, inner.join(","));
    assert_eq!(topic.publish(body("v")).unwrap().delivered, 1);
    assert_eq!(topic.publish(body("u")).unwrap().delivered, 0);
}

#[test]
fn a_subscription_tells_and_changes_what_it_is_until_it_ends() {
    let topic = Topic::standard("events").build().unwrap();
    let (orders, failed) = (queue("orders"), queue("failed"));
    let subscription = topic.subscribe(&orders).create().unwrap();
    let is = |policy: Option<&str>, raw: bool, dead_letter: Option<&Queue>| {
        for it in [&subscription, &topic.subscriptions()[0]] {
            let of = it.filter_policy();
            assert_eq!(
                (of.as_ref().map(FilterPolicy::as_str), it.raw_message_delivery()),
                (policy, raw)
            );
            assert_eq!(it.dead_letter().as_ref().map(Queue::arn), dead_letter.map(Queue::arn));
        }
    };
    is(None, false, None);
    subscription.set_raw_message_delivery(true).unwrap();
    subscription.set_dead_letter(&failed).unwrap();
    let policy = r#"{"a": [1]}"#;
    subscription.set_filter_policy(attributes(policy)).unwrap();
    is(Some(policy), true, Some(&failed));
    let itself = subscription.set_dead_letter(&orders);
    assert_eq!(itself, Err(SubscribeError::DeadLetterQueueIsQueue));
    let other_type = subscription.set_dead_letter(&fifo_queue("failed.fifo"));
    assert_eq!(other_type, Err(SubscribeError::DeadLetterQueueType { fifo: false }));
    is(Some(policy), true, Some(&failed));
    subscription.set_dead_letter(None).unwrap();
    is(Some(policy), true, None);
    assert!(subscription.unsubscribe());
    assert_eq!(
        subscription.set_raw_message_delivery(false),
        Err(SubscribeError::NotFound)
    );
    assert_eq!(subscription.set_dead_letter(&failed), Err(SubscribeError::NotFound));
    assert_eq!(
        (subscription.filter_policy(), subscription.raw_message_delivery()),
        (None, false)
    );
}
