//! Envelopes as a consumer reads them.

use super::{fifo_queue, queue, received};
use proptest::{collection::btree_map, option, prelude::*};
use requeue::{
    ManualClock, MessageAttributeValue, MessageAttributes, Queue, Timestamp,
    topics::{Envelope, ParseEnvelopeError, PublishMessage, Topic},
};

/// Characters that a message may have, those that JSON escapes among them.
fn text(length: &'static str) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[\t\n\r -~\u{a1}-\u{d7ff}\u{1f600}]{length}")).unwrap()
}

fn value() -> impl Strategy<Value = MessageAttributeValue> {
    prop_oneof![
        text("{1,20}").prop_map(MessageAttributeValue::string),
        any::<i32>().prop_map(|number| MessageAttributeValue::number(number.to_string()).label("EUR")),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(MessageAttributeValue::binary),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(|bytes| MessageAttributeValue::binary(bytes).label("png")),
        Just(MessageAttributeValue::new("String.Array", r#"["a", 1]"#)),
    ]
}

fn attributes() -> impl Strategy<Value = MessageAttributes> {
    btree_map("[a-z][A-Za-z0-9_-]{0,9}", value(), 0..12).prop_map(|all| all.into_iter().collect())
}

fn subject() -> impl Strategy<Value = Option<String>> {
    option::of("[ -~\u{a1}-\u{ff}]{1,100}")
}

fn only(queue: &Queue) -> Envelope {
    let [message] = &received(queue)[..] else {
        panic!("not one message")
    };
    message.body().parse().unwrap()
}

proptest! {
    #[test]
    fn what_a_topic_delivers_is_read_back(
        body in text("{1,50}"),
        subject in subject(),
        attributes in attributes(),
        millis in 0_u64..=253_402_207_200_999, // to the end of the year 9999
        is_fifo in any::<bool>(),
    ) {
        // E26
        let at = Timestamp::from_millis(millis);
        let (topic, events) = if is_fifo {
            (Topic::fifo("events.fifo"), fifo_queue("events.fifo"))
        } else {
            (Topic::standard("events"), queue("events"))
        };
        let topic = topic.clock(ManualClock::at(at)).build().unwrap();
        let subscription = topic.subscribe(&events).create().unwrap();
        let mut message = PublishMessage::new(&*body).attributes(attributes.clone());
        if let Some(subject) = &subject {
            message = message.subject(&**subject);
        }
        if is_fifo {
            message = message.message_group_id("g").message_deduplication_id("1");
        }
        let published = topic.publish(message).unwrap();
        published.check().unwrap();
        let read = only(&events);
        prop_assert_eq!(read.message_id, published.message_id);
        prop_assert_eq!(read.sequence_number, published.sequence_number.map(|number| number.to_string()));
        prop_assert_eq!(&read.topic_arn, topic.arn());
        prop_assert_eq!((read.subject, read.message), (subject, body));
        prop_assert_eq!((read.timestamp, read.attributes), (at, attributes));
        let signed = [&read.signature_version, &read.signature, &read.signing_cert_url];
        prop_assert!(signed.iter().all(|it| it.is_none() == is_fifo));
        prop_assert!(read.unsubscribe_url.ends_with(subscription.arn()));
    }

    #[test]
    fn no_body_makes_reading_panic(body in any::<String>(), member in any::<String>()) {
        let _ = body.parse::<Envelope>();
        let _ = BODY.replace("invoice", &member).parse::<Envelope>();
        let _ = BODY.replace("2025-06-01T09:15:30.042Z", &member).parse::<Envelope>();
    }
}

/// As Amazon SNS writes it: with spaces and line breaks, and members that are not of this crate.
const BODY: &str = r#"{
  "Type" : "Notification",
  "MessageId" : "7b1c0d2e-90ab-5cde-8f01-23456789abcd",
  "TopicArn" : "arn:aws:sns:eu-west-1:210987654321:invoices",
  "Subject" : "invoice",
  "Message" : "{\"id\": 4711, \"text\": \"\u00e9\"}",
  "Timestamp" : "2025-06-01T09:15:30.042Z",
  "SignatureVersion" : "1",
  "Signature" : "c2lnbmF0dXJl",
  "SigningCertURL" : "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1f2e3d4c5b6a79880123456789abcdef.pem",
  "UnsubscribeURL" : "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:eu-west-1:210987654321:invoices:0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
  "MessageAttributes" : {
    "currency" : {"Type":"String","Value":"EUR"},
    "digest" : {"Type":"Binary","Value":"3q2+7w=="},
    "total" : {"Type":"Number","Value":"12.50"}
  },
  "Later" : {"any": [1, null]}
}"#;

#[test]
fn a_notification_of_sns_is_read() {
    // E26
    let envelope: Envelope = BODY.parse().unwrap();
    assert_eq!(envelope.message_id.to_string(), "7b1c0d2e-90ab-5cde-8f01-23456789abcd");
    assert_eq!(envelope.topic_arn, "arn:aws:sns:eu-west-1:210987654321:invoices");
    assert_eq!(envelope.subject.as_deref(), Some("invoice"));
    assert_eq!(envelope.message, "{\"id\": 4711, \"text\": \"\u{e9}\"}");
    assert_eq!(envelope.timestamp, Timestamp::from_millis(1_748_769_330_042));
    assert_eq!(
        (envelope.sequence_number, envelope.signature_version, envelope.signature),
        (None, Some("1".to_owned()), Some("c2lnbmF0dXJl".to_owned()))
    );
    assert!(envelope.signing_cert_url.unwrap().ends_with("abcdef.pem"));
    assert!(envelope.unsubscribe_url.ends_with("9e0f1a2b3c4d"));
    let expected: MessageAttributes = [
        ("currency", MessageAttributeValue::string("EUR")),
        ("digest", MessageAttributeValue::binary([0xde, 0xad, 0xbe, 0xef])),
        ("total", MessageAttributeValue::number("12.50")),
    ]
    .into_iter()
    .collect();
    assert_eq!(envelope.attributes, expected);
}

#[test]
fn what_is_no_envelope_says_why() {
    // E26
    let error = |from: &str, to: &str| {
        assert!(BODY.contains(from), "{from}");
        BODY.replacen(from, to, 1).parse::<Envelope>().unwrap_err()
    };
    for (from, to, text) in [
        (
            "\"Notification\"",
            "\"SubscriptionConfirmation\"",
            "the envelope has the type \"SubscriptionConfirmation\" and not \"Notification\"",
        ),
        ("\"Type\" :", "\"type\" :", "the envelope has no member \"Type\""),
        (
            "\"Message\" :",
            "\"message\" :",
            "the envelope has no member \"Message\"",
        ),
        (
            "\"UnsubscribeURL\" :",
            "\"UnsubscribeUrl\" :",
            "the envelope has no member \"UnsubscribeURL\"",
        ),
        (
            "\"7b1c0d2e-",
            "\"x-",
            "member \"MessageId\" of the envelope is malformed: \"x-90ab-5cde-8f01-23456789abcd\"",
        ),
        (
            "2025-06-01T",
            "2025-06-31T",
            "member \"Timestamp\" of the envelope is malformed: \"2025-06-31T09:15:30.042Z\"",
        ),
        (
            "\"invoice\"",
            "17",
            "member \"Subject\" of the envelope is malformed: 17",
        ),
        (
            "3q2+7w==",
            "3q2-",
            "member \"MessageAttributes.digest\" of the envelope is malformed: \
             {\"Type\":\"Binary\",\"Value\":\"3q2-\"}",
        ),
        (
            "{\"Type\":\"String\",\"Value\":\"EUR\"}",
            "\"EUR\"",
            "member \"MessageAttributes.currency\" of the envelope is malformed: \"EUR\"",
        ),
    ] {
        assert_eq!(error(from, to).to_string(), text);
    }
    for body in [
        "",
        "order-17",
        "[1]",
        "null",
        &BODY[..BODY.len() - 1],
        &"{\"Type\":".repeat(200),
    ] {
        let error = body.parse::<Envelope>().unwrap_err();
        assert!(
            matches!(error, ParseEnvelopeError::NotAnObject { .. }),
            "{body}: {error}"
        );
    }
}
