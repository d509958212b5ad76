//! Receives: what comes back, and what does not.

use {
    super::{Bench, LARGE, large, stores::Trouble},
    futures_util::StreamExt,
    requeue::{
        MessageAttributeValue, SendMessage,
        backend::{ErrorKind, Loaded, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
    },
    std::{
        future::Future,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

fn load(bench: &Bench, message: &ReceivedMessage) -> Result<Loaded, MessageQueueError> {
    pollster::block_on(bench.payloads.load(message))
}

#[test]
fn body_and_attributes_come_back_and_reserved_names_do_not() {
    // E6
    let bench = Bench::new();
    let message = SendMessage::new(large()).attribute("kind", MessageAttributeValue::string("cat"));
    bench.send(message).unwrap();
    bench.send("small").unwrap();
    let messages = bench.receive().unwrap();
    assert!(messages[0].body() == large() && messages[0].is_loaded());
    let names: Vec<_> = messages[0].attributes().iter().map(|it| it.0).collect();
    assert_eq!((names, messages[1].body()), (vec!["kind"], "small"));
    assert_eq!(messages[0].queue_url(), bench.queue.url());
    // E7: the handle is the queue's own, standard base64.
    let handle = messages[0].receipt_handle();
    assert!(!handle.contains('-'));
    assert!(bench.queue.delete(&handle.parse().unwrap()).is_ok());
}

#[test]
fn both_reserved_names_mark_a_pointer_whichever_is_written() {
    // E3 E6
    let bench = Bench::with(|queue| queue, |builder| builder.offload_all(true));
    bench.send("elsewhere").unwrap();
    let pointer = bench.stored().remove(0);
    let python = pointer.replace(',', ", ").replace(':', ": ");
    for (name, body) in [("SQSLargePayloadSize", &pointer), ("ExtendedPayloadSize", &python)] {
        let copy = SendMessage::new(body.as_str()).attribute(name, MessageAttributeValue::number("9"));
        bench.queue.send(copy).unwrap();
    }
    let bodies: Vec<_> = bench.receive().unwrap().iter().map(|it| it.body().to_owned()).collect();
    assert_eq!(bodies, ["elsewhere"; 3]);
}

#[test]
fn a_message_without_its_body_is_loaded_once_for_all_its_clones() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let message = bench.receive_without_bodies().remove(0);
    assert!(!message.is_loaded() && message.body().starts_with('['));
    let clone = message.clone();
    assert_eq!(load(&bench, &message), Ok(Loaded::Complete));
    assert_eq!(load(&bench, &message), Ok(Loaded::Complete));
    assert!(clone.is_loaded() && clone.body().len() == LARGE);
    assert_eq!(bench.store.log(), ["put", "get"]);
}

#[test]
fn a_body_that_is_too_large_to_load_is_read_as_a_stream() {
    let bench = Bench::with(|queue| queue, |builder| builder.load_at_most_bytes(LARGE as u64 - 1));
    bench.send(large()).unwrap();
    let message = bench.receive().unwrap().remove(0);
    assert!(!message.is_loaded());
    let body = pollster::block_on(bench.payloads.open(&message)).unwrap();
    assert_eq!(body.size_bytes(), Some(LARGE as u64));
    let chunks: Vec<_> = pollster::block_on(body.collect());
    let body: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.unwrap()).collect();
    assert!(body == large().as_bytes());
    bench.send("small").unwrap();
    let small = bench.receive().unwrap().remove(0);
    let mut copy = Vec::new();
    let body = pollster::block_on(bench.payloads.open(&small)).unwrap();
    assert_eq!(pollster::block_on(body.copy_to(&mut copy)), Ok(5));
    assert_eq!(copy, b"small");
}

#[test]
fn a_payload_that_is_gone_is_an_error_that_names_it() {
    // E8
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let key = bench.store.objects().remove(0).0;
    bench.store.lose_all();
    let error = bench.receive().unwrap_err();
    assert_eq!((error.kind, &*error.code), (ErrorKind::Refused, "PayloadNotFound"));
    assert_eq!(error.message, format!("payload {key} is gone"));
    bench.send("small").unwrap();
    bench.clock.advance(Duration::from_secs(30));
    let messages = bench.receive().unwrap();
    assert_eq!(messages.len(), 1, "what can be loaded is not held up");
    assert_eq!(messages[0].body(), "small");
}

#[test]
fn a_message_whose_payload_is_gone_is_discarded_where_that_is_asked_for() {
    // E8
    let bench = Bench::with(|queue| queue, |builder| builder.discard_missing(true));
    bench.send(large()).unwrap();
    bench.store.lose_all();
    assert_eq!(bench.receive().unwrap().len(), 0);
    assert!(bench.stored().is_empty());
}

#[test]
fn a_damaged_payload_is_an_error_and_not_a_body() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    for (trouble, expected) in [
        (Trouble::OtherByte, "its SHA-256 is another one"),
        (Trouble::Shorter, "it has 299999 bytes of 300000"),
        (Trouble::Longer, "it has more than 300000 bytes"),
    ] {
        bench.store.set(trouble);
        let message = bench.receive_without_bodies().remove(0);
        let error = load(&bench, &message).unwrap_err();
        assert_eq!((error.kind, &*error.code), (ErrorKind::Refused, "PayloadDamaged"));
        assert!(error.message.ends_with(expected), "{error}");
        assert!(!message.is_loaded());
        let body = pollster::block_on(bench.payloads.open(&message)).unwrap();
        let streamed = pollster::block_on(body.copy_to(&mut std::io::sink()));
        assert_eq!(streamed.unwrap_err(), error);
        bench.clock.advance(Duration::from_secs(30));
    }
    bench.store.set(None);
    assert_eq!(bench.receive().unwrap()[0].body().len(), LARGE);
}

#[test]
fn without_a_checksum_size_alone_tells() {
    let bench = Bench::with(|queue| queue, |builder| builder.checksums(false));
    bench.send(large()).unwrap();
    bench.store.set(Trouble::OtherByte);
    assert_eq!(bench.receive().unwrap()[0].body().len(), LARGE);
    bench.clock.advance(Duration::from_secs(30));
    bench.store.set(Trouble::Shorter);
    assert!(bench.receive().is_err());
}

#[test]
fn a_forged_pointer_is_refused_and_neither_read_nor_deleted() {
    let bench = Bench::new();
    let forge = |key: &str, size: &str| {
        let pointer = format!(
            r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{{"s3BucketName":"payloads","s3Key":"{key}"}}]"#
        );
        let size = MessageAttributeValue::number(size);
        bench
            .queue
            .send(SendMessage::new(pointer).attribute("ExtendedPayloadSize", size))
            .unwrap();
    };
    for key in ["secrets/key", "jobs/../secrets/key", "jobs/"] {
        forge(key, "10");
    }
    forge("jobs/key", "-1");
    let messages = bench.receive_without_bodies();
    assert_eq!(messages.len(), 4);
    for message in &messages {
        let error = load(&bench, message).unwrap_err();
        assert_eq!(
            (error.kind, &*error.code),
            (ErrorKind::Refused, "PayloadPointerInvalid")
        );
        assert!(error.message.contains(&*message.message_id()), "{error}");
        assert!(pollster::block_on(bench.payloads.open(message)).is_err());
    }
    bench.delete(&messages);
    assert!(bench.stored().is_empty());
    assert_eq!(bench.store.log(), [""; 0]);
}

#[test]
fn a_pointer_that_lies_about_its_size_is_one_to_a_damaged_payload() {
    let bench = Bench::with(|queue| queue, |builder| builder.offload_all(true));
    bench.send("elsewhere").unwrap();
    let pointer = bench.stored().remove(0);
    let size = MessageAttributeValue::number("2147483648");
    bench
        .queue
        .send(SendMessage::new(pointer).attribute("ExtendedPayloadSize", size))
        .unwrap();
    let messages = bench.receive_without_bodies();
    assert!(matches!(load(&bench, &messages[0]), Ok(Loaded::Complete)));
    let error = load(&bench, &messages[1]).unwrap_err();
    assert!(error.message.ends_with("it has 9 bytes of 2147483648"), "{error}");
}

#[test]
fn what_follows_an_unreadable_message_in_its_group_waits_for_it() {
    // F18
    let bench = Bench::fifo();
    let send = |body: String, group: &str| {
        let id = format!("{} {group}", body.len());
        let message = SendMessage::new(body)
            .message_group_id(group)
            .message_deduplication_id(id.replace(' ', "-"));
        bench.send(message).unwrap();
    };
    send("1".to_owned(), "a");
    send(large(), "a");
    send("333".to_owned(), "a");
    send("1".to_owned(), "b");
    bench.store.set(Trouble::Get);
    let bodies = |messages: &[ReceivedMessage]| messages.iter().map(|it| it.body().len()).collect::<Vec<_>>();
    let messages = bench.receive().unwrap();
    assert_eq!(bodies(&messages), [1, 1]);
    bench.delete(&messages);
    assert!(bench.receive().unwrap().is_empty(), "the group is locked");
    bench.store.set(None);
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(bodies(&bench.receive().unwrap()), [LARGE, 3]);
}

#[test]
fn a_plain_body_that_looks_like_a_pointer_is_a_body() {
    // E4
    let bench = Bench::new();
    let body = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
    bench.send(body).unwrap();
    assert_eq!(bench.receive().unwrap()[0].body(), body);
}

#[test]
fn a_size_beyond_all_payloads_is_refused_and_an_unknown_one_is_beyond_a_limit() {
    // E1 E3
    let bench = Bench::with(
        |queue| queue,
        |builder| builder.offload_all(true).load_at_most_bytes(1_000),
    );
    bench.send("elsewhere").unwrap();
    let pointer = bench.stored().remove(0);
    let bare = &pointer[pointer.find('{').unwrap()..pointer.len() - 1];
    for (body, size) in [(&*pointer, "2147483649"), (bare, "9")] {
        let size = MessageAttributeValue::number(size);
        bench
            .queue
            .send(SendMessage::new(body).attribute("ExtendedPayloadSize", size))
            .unwrap();
    }
    let messages = bench.receive_without_bodies();
    assert_eq!(load(&bench, &messages[1]).unwrap_err().code, "PayloadPointerInvalid");
    assert_eq!(load(&bench, &messages[2]), Ok(Loaded::Complete));
    assert!(!messages[2].is_loaded());
    let body = pollster::block_on(bench.payloads.open(&messages[2])).unwrap();
    assert_eq!(pollster::block_on(body.copy_to(&mut std::io::sink())), Ok(9));
}

#[test]
fn a_receive_waits_for_bodies_for_half_of_the_visibility_timeout() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.send("small").unwrap();
    bench.store.set(Trouble::GetNeverEnds);
    let request = ReceiveRequest::new(10);
    let mut receive = Box::pin(bench.payloads.receive(request));
    let mut poll = || receive.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    bench.clock.advance(Duration::from_millis(14_999));
    assert!(poll().is_pending());
    bench.clock.advance(Duration::from_millis(1));
    let Poll::Ready(Ok(messages)) = poll() else {
        panic!("it waits on")
    };
    assert!(messages.iter().map(|message| message.body()).eq(["small"]));
    bench.delete(&messages);
    assert_eq!(bench.stored().len(), 1);
}

#[test]
fn others_have_their_turn_while_a_stream_is_read() {
    let bench = Bench::new();
    bench.send("x".repeat(20 << 20)).unwrap();
    let message = bench.receive_without_bodies().remove(0);
    let mut body = pollster::block_on(bench.payloads.open(&message)).unwrap();
    let (mut turns, mut size) = (0, 0);
    loop {
        match body.poll_next_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => turns += 1,
            Poll::Ready(Some(chunk)) => size += chunk.unwrap().len(),
            Poll::Ready(None) => break,
        }
    }
    assert_eq!((size, turns), (20 << 20, 4), "one behind each 4 MiB");
}

#[test]
fn a_damaged_payload_that_was_opened_is_not_deleted_with_the_message() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let messages = bench.receive_without_bodies();
    bench.store.set(Trouble::OtherByte);
    let body = pollster::block_on(bench.payloads.open(&messages[0])).unwrap();
    let error = pollster::block_on(body.copy_to(&mut std::io::sink())).unwrap_err();
    assert_eq!(error.code, "PayloadDamaged");
    bench.delete(&messages);
    assert_eq!((bench.store.objects().len(), bench.payloads.orphans()), (1, 1));
}

#[test]
fn a_loaded_body_is_not_whole_in_its_debug_text() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let text = format!("{:?}", bench.receive().unwrap()[0]);
    assert!(text.contains("body_bytes: 300000") && text.len() < 2_000, "{text}");
}
