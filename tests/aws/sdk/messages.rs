//! What messages carry through the client: groups, dead letters, attributes of every type, digests, request ids.

use {
    super::door::{Door, now},
    aws_sdk_sqs::{
        operation::RequestId,
        primitives::Blob,
        types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName},
    },
    std::{collections::HashMap, time::Duration},
};

const SECOND: Duration = Duration::from_secs(1);

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value);
    value.build().unwrap()
}

fn bytes(data_type: &str, value: Vec<u8>) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder()
        .data_type(data_type)
        .binary_value(Blob::new(value));
    value.build().unwrap()
}

#[test]
fn attributes_of_every_type_come_back_as_they_were() {
    // M14 M15 M29 M44 W7
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let given = HashMap::from([
        ("text".to_owned(), text("String.note", "caf\u{e9}")),
        ("number".to_owned(), text("Number", "007")),
        ("bytes".to_owned(), bytes("Binary.png", (0..=255).collect())),
    ]);
    let send = client.send_message().queue_url(&url).message_body("a");
    let sent = now(send.set_message_attributes(Some(given.clone())).send()).unwrap();
    let receive = |names: &[&str]| {
        let receive = client.receive_message().queue_url(&url).visibility_timeout(0);
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let mut received = now(receive.set_message_attribute_names(Some(names)).send())
            .unwrap()
            .messages
            .unwrap();
        received.remove(0)
    };
    let all = receive(&["All"]);
    assert_eq!(all.message_attributes(), Some(&given));
    assert_eq!(all.md5_of_message_attributes(), sent.md5_of_message_attributes());
    let one = receive(&["tex.*"]);
    assert_eq!(one.message_attributes().unwrap().keys().collect::<Vec<_>>(), ["text"]);
    assert_ne!(one.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(receive(&[]).message_attributes(), None);
}

#[test]
fn digests_are_those_that_sqs_answers() {
    // M26 M27, with a digest of RFC 1321; that of the attributes was made outside this crate
    const BODY: Option<&str> = Some("f96b697d7cb7938d525a2f31aaf161d0");
    const ATTRIBUTES: Option<&str> = Some("4aae296eb02fb79944900e5a4a037616");
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let send = client.send_message().queue_url(&url).message_body("message digest");
    let send = send.message_attributes("b", text("String", "x"));
    let sent = now(send.message_attributes("a", bytes("Binary", vec![0, 255])).send()).unwrap();
    assert_eq!(
        (sent.md5_of_message_body(), sent.md5_of_message_attributes()),
        (BODY, ATTRIBUTES)
    );
    assert_eq!(sent.md5_of_message_system_attributes(), None);
    let receive = client.receive_message().queue_url(&url).message_attribute_names("All");
    let message = &now(receive.send()).unwrap().messages.unwrap()[0];
    assert_eq!(
        (message.md5_of_body(), message.md5_of_message_attributes()),
        (BODY, ATTRIBUTES)
    );
}

#[test]
fn a_fifo_queue_keeps_order_drops_duplicates_and_locks_groups() {
    // F9 F11 F18 F19 F37
    let door = Door::new();
    let attributes = [
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::ContentBasedDeduplication, "true"),
    ];
    let (client, url) = (&door.client, door.create("jobs.fifo", attributes));
    let send = |body: &str| {
        let send = client.send_message().queue_url(&url).message_body(body);
        now(send.message_group_id(&body[..2]).send()).unwrap()
    };
    let first = send("g1-m1");
    for body in ["g2-m1", "g1-m2"] {
        assert!(send(body).sequence_number() > first.sequence_number());
    }
    let again = send("g1-m1");
    assert_eq!(
        (again.message_id(), again.sequence_number()),
        (first.message_id(), first.sequence_number()),
        "a duplicate"
    );
    let receive = client.receive_message().queue_url(&url).max_number_of_messages(2);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    let received = now(receive.send()).unwrap();
    let bodies: Vec<_> = received
        .messages()
        .iter()
        .filter_map(|message| message.body())
        .collect();
    assert_eq!(bodies, ["g1-m1", "g1-m2"]);
    let attributes = received.messages()[0].attributes().unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::MessageGroupId], "g1");
    let number = &attributes[&MessageSystemAttributeName::SequenceNumber];
    assert_eq!(Some(number.as_str()), first.sequence_number());
    send("g1-m3");
    assert_eq!(door.receive(&url), ["g2-m1"], "the other group is locked");
}

#[test]
fn a_message_received_too_often_becomes_a_dead_letter_with_its_id() {
    // L6 L8 L10
    let door = Door::new();
    let (client, dead) = (&door.client, door.create("failed", []));
    let arn = door.queue(&dead).arn().to_owned();
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"2"}}"#);
    let attributes = [
        (QueueAttributeName::RedrivePolicy, policy.as_str()),
        (QueueAttributeName::VisibilityTimeout, "1"),
    ];
    let url = door.create("jobs", attributes);
    let sent = now(client.send_message().queue_url(&url).message_body("poison").send()).unwrap();
    for _ in 0..2 {
        assert_eq!(door.receive(&url), ["poison"]);
        door.clock.advance(SECOND);
    }
    assert_eq!(door.receive(&url), [""; 0]);
    let receive = client.receive_message().queue_url(&dead);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    let message = &now(receive.send()).unwrap().messages.unwrap()[0];
    assert_eq!(
        (message.body(), message.message_id()),
        (Some("poison"), sent.message_id())
    );
    let attributes = message.attributes().unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "3");
    let source = &attributes[&MessageSystemAttributeName::DeadLetterQueueSourceArn];
    assert_eq!(source, door.queue(&url).arn());
}

#[test]
fn answers_and_errors_have_request_ids_of_their_own() {
    // W1
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let list = || {
        now(client.list_queues().send())
            .unwrap()
            .request_id()
            .map(str::to_owned)
    };
    let purge = client.purge_queue().queue_url(&url);
    let answered = now(purge.clone().send()).unwrap().request_id().map(str::to_owned);
    let refused = now(purge.send()).unwrap_err().request_id().map(str::to_owned);
    let ids = [list(), list(), answered, refused];
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(id.as_ref().map(String::len), Some(36), "{ids:?}");
        assert!(!ids[..at].contains(id), "{ids:?}");
    }
}
