//! Sends: what goes to the store, and what is refused.

use {
    super::{Bench, LARGE, large, stores::Trouble},
    bytes::Bytes,
    futures_util::stream,
    requeue::{
        Budget, MessageAttributeValue, Queue, QueueAttributes, SendMessage,
        backend::{ErrorKind, MessageQueue},
        payloads::{BuildPayloadQueueError, ObjectPayloadStore, PayloadQueue, PointerFormat, chunks_of},
    },
    std::{io, time::Duration},
};

#[test]
fn a_body_goes_to_the_store_once_it_exceeds_the_threshold_with_its_attributes() {
    // E1
    let bench = Bench::with(|queue| queue.maximum_message_size(1_048_576), |builder| builder);
    // The name, the type `String` and the value come to ten bytes.
    let with_attribute = |size| SendMessage::new("x".repeat(size)).attribute("ab", MessageAttributeValue::string("cd"));
    bench.send("x".repeat(262_144)).unwrap();
    bench.send(with_attribute(262_134)).unwrap();
    assert_eq!(bench.store.objects(), []);
    bench.send("x".repeat(262_145)).unwrap();
    bench.send(with_attribute(262_135)).unwrap();
    let sizes: Vec<_> = bench.store.objects().into_iter().map(|it| it.1).collect();
    assert_eq!(sizes.iter().sum::<u64>(), 262_145 + 262_135);
    assert!(bench.stored()[3].starts_with('['));
}

#[test]
fn all_bodies_go_to_the_store_where_that_is_asked_for() {
    // E1 E2
    let bench = Bench::with(|queue| queue, |builder| builder.offload_all(true));
    bench.send("x").unwrap();
    let objects = bench.store.objects();
    assert_eq!(objects.len(), 1);
    let (key, size) = &objects[0];
    assert!(key.starts_with("jobs/") && key.len() == "jobs/".len() + 36, "{key}");
    assert_eq!(*size, 1);
    let expected = format!(
        r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{{"s3BucketName":"payloads","s3Key":"{key}"}}]"#
    );
    assert_eq!(bench.stored(), [expected]);
    let error = bench.send("").unwrap_err();
    assert_eq!(
        error.code, "MissingParameter",
        "the queue refuses it, as without a store"
    );
}

#[test]
fn the_attribute_that_marks_a_pointer_is_the_callers_choice() {
    // E4
    for (format, name) in [
        (PointerFormat::ExtendedPayloadSize, "ExtendedPayloadSize"),
        (PointerFormat::SqsLargePayloadSize, "SQSLargePayloadSize"),
        (PointerFormat::Legacy, "SQSLargePayloadSize"),
    ] {
        let bench = Bench::with(|queue| queue, |builder| builder.pointer_format(format).checksums(false));
        bench.send(large()).unwrap();
        let message = bench.queue.receive().blocking().unwrap().remove(0);
        let attributes: Vec<_> = message.attributes().iter().collect();
        assert_eq!(attributes, [(name, &MessageAttributeValue::number("300000"))]);
    }
}

#[test]
fn reserved_attributes_are_refused_whatever_the_size() {
    // E4
    let bench = Bench::new();
    for name in ["ExtendedPayloadSize", "SQSLargePayloadSize", "PayloadSHA256"] {
        for body in ["x".to_owned(), large()] {
            let message = SendMessage::new(body).attribute(name, MessageAttributeValue::number("1"));
            let error = bench.send(message).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Refused);
            assert!(error.message.contains(name), "{error}");
        }
    }
    assert!(bench.stored().is_empty() && bench.store.objects().is_empty());
}

#[test]
fn nine_attributes_fit_beside_a_payload_and_not_more_than_the_threshold() {
    // E5
    let bench = Bench::new();
    let with = |count: usize, size: usize| {
        (0..count).fold(SendMessage::new(large()), |message, number| {
            message.attribute(number.to_string(), MessageAttributeValue::string("v".repeat(size)))
        })
    };
    let error = bench.send(with(10, 1)).unwrap_err();
    assert!(error.message.contains("10 attributes, at most 9"), "{error}");
    let error = bench.send(with(1, 262_144)).unwrap_err();
    assert!(error.message.contains("262151 bytes"), "{error}");
    assert_eq!(bench.store.objects(), []);
    bench.send(with(9, 1)).unwrap();
    let message = bench.receive().unwrap().remove(0);
    assert_eq!((message.attributes().len(), message.body().len()), (9, LARGE));
}

#[test]
fn a_pointer_that_the_queue_refuses_leaves_no_payload() {
    let bench = Bench::new();
    let error = bench
        .send(SendMessage::new(large()).delay(Duration::from_secs(901)))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert_eq!(bench.store.objects(), []);
    bench.queue.delete_queue().unwrap();
    let error = bench.send(large()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::QueueDoesNotExist);
    assert_eq!(bench.store.objects(), []);
}

#[test]
fn a_store_that_fails_sends_nothing() {
    let bench = Bench::new();
    bench.store.set(Trouble::Put);
    let error = bench.send(large()).unwrap_err();
    assert_eq!((error.kind, &*error.code), (ErrorKind::Transient, "PayloadStoreError"));
    assert!(error.message.ends_with("was not stored: the store is down"), "{error}");
    assert!(bench.stored().is_empty());
    bench.send("small").unwrap();
}

#[test]
fn a_large_body_has_the_alphabet_of_a_small_one() {
    // M2
    let bench = Bench::new();
    for body in ["\u{7}", "\u{ffff}"] {
        let error = bench.send(format!("{}{body}", large())).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
    }
    assert_eq!(bench.store.objects(), []);
}

#[test]
fn a_repetition_on_a_fifo_queue_is_one_by_its_body_and_not_by_its_pointer() {
    // F7
    let bench = Bench::fifo();
    for body in [large(), large(), format!("{}y", large())] {
        bench.send(SendMessage::new(body).message_group_id("a")).unwrap();
    }
    assert_eq!(bench.stored().len(), 2);
    let streamed = chunks_of(io::Cursor::new(large()));
    pollster::block_on(
        bench
            .payloads
            .send_stream(SendMessage::new("").message_group_id("a"), streamed),
    )
    .unwrap();
    assert_eq!(bench.stored().len(), 2);
    let own = SendMessage::new(large())
        .message_group_id("a")
        .message_deduplication_id("own");
    bench.send(own).unwrap();
    assert_eq!(bench.stored().len(), 3);
}

#[test]
fn a_stream_is_stored_in_parts_and_comes_back_whole() {
    // E1 E2
    let bench = Bench::new();
    let body: String = (0..3_000_000)
        .map(|number: u32| char::from(b'a' + (number % 26) as u8))
        .collect();
    for size in [1, 300_000, 8 << 20, (8 << 20) + 1, 20_000_000] {
        let body: String = body.chars().cycle().take(size).collect();
        let stream = chunks_of(io::Cursor::new(body.clone()));
        pollster::block_on(bench.payloads.send_stream(SendMessage::new(""), stream)).unwrap();
        let message = bench.receive().unwrap().remove(0);
        assert!(message.body() == body, "{size}");
        bench.delete(&[message]);
    }
    assert_eq!(bench.store.objects(), []);
}

#[test]
fn a_stream_that_is_no_body_sends_nothing() {
    let bench = Bench::new();
    let send = |message, chunks: Vec<io::Result<&'static [u8]>>| {
        let chunks = stream::iter(chunks.into_iter().map(|chunk| chunk.map(Bytes::from_static)));
        pollster::block_on(bench.payloads.send_stream(message, chunks)).unwrap_err()
    };
    let message = || SendMessage::new("");
    for (chunks, expected) in [
        (vec![Ok(&b"caf\xe9"[..]), Ok(b" au lait")], "the body is not UTF-8"),
        (vec![Ok(b"\xe2\x82")], "the body is not UTF-8"),
        (vec![Ok(b"bell\x07")], "the body has a character that SQS does not take"),
        (vec![], "the body is empty"),
        (
            vec![Ok(b"x"), Err(io::Error::other("no more"))],
            "the stream of the body failed: no more",
        ),
    ] {
        let error = send(message(), chunks);
        // A source that fails may work the next time.
        let kind = if expected.contains("failed") {
            ErrorKind::Transient
        } else {
            ErrorKind::Refused
        };
        assert_eq!((error.kind, &*error.message), (kind, expected));
    }
    let error = send(SendMessage::new("x"), vec![Ok(b"y")]);
    assert_eq!(error.message, "the message has a body beside the stream");
    let reserved = message().attribute("ExtendedPayloadSize", MessageAttributeValue::number("1"));
    assert!(send(reserved, vec![Ok(b"y")]).message.contains("reserved"));
    assert!(bench.stored().is_empty() && bench.store.objects().is_empty());
}

#[test]
fn tiny_and_empty_chunks_make_a_body_as_any_others() {
    let bench = Bench::new();
    let body: String = (0..200_000)
        .map(|number: u32| char::from(b'a' + (number % 26) as u8))
        .collect();
    let bytes = Bytes::from(body.clone());
    let tiny = (0..body.len()).flat_map(|at| [bytes.slice(at..=at), Bytes::new()]);
    let chunks = stream::iter(tiny.map(io::Result::Ok));
    pollster::block_on(bench.payloads.send_stream(SendMessage::new(""), chunks)).unwrap();
    assert!(bench.receive().unwrap()[0].body() == body);
}

#[test]
fn a_builder_refuses_what_cannot_work() {
    // E1 E2
    let queue = Queue::standard("jobs").build().unwrap();
    let builder = || PayloadQueue::builder(&queue, ObjectPayloadStore::in_memory());
    let error = builder().threshold_bytes(1_048_577).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the threshold is 1048577 bytes, at most 1048576 are allowed"
    );
    assert!(builder().threshold_bytes(1_048_576).build().is_ok());
    let error = builder().prefix("jobs\u{e9}").build().unwrap_err();
    assert!(matches!(error, BuildPayloadQueueError::Prefix { .. }));
    assert!(error.to_string().contains("only letters, digits and"), "{error}");
}

#[test]
fn a_threshold_above_the_queues_limit_is_the_queues_business() {
    let service = requeue::Service::new();
    let attributes = QueueAttributes::new().maximum_message_size(1_024);
    let queue = service.create_queue("jobs", attributes).unwrap();
    let jobs = PayloadQueue::builder(&queue, ObjectPayloadStore::in_memory());
    let error = pollster::block_on(jobs.build().unwrap().send(SendMessage::new("x".repeat(2_000)))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
}

#[test]
fn a_full_queue_leaves_no_payload_behind() {
    let bench = Bench::with(|queue| queue.budget(Budget::new().messages(1)), |builder| builder);
    bench.send(large()).unwrap();
    for _ in 0..3 {
        let error = bench.send(large()).unwrap_err();
        assert_eq!((error.kind, &*error.code), (ErrorKind::Transient, "OverLimit"));
    }
    assert_eq!((bench.store.objects().len(), bench.payloads.orphans()), (1, 0));
}

#[test]
fn a_body_that_the_store_takes_in_part_is_not_sent() {
    let bench = Bench::new();
    bench.store.set(Trouble::PutPart);
    let chunks = || ["resize ", "cat.png"].map(|text| io::Result::Ok(Bytes::from(text)));
    let sent = bench.payloads.send_stream(SendMessage::new(""), stream::iter(chunks()));
    let error = pollster::block_on(sent).unwrap_err();
    assert!(
        error.message.ends_with("the store did not take the whole body"),
        "{error}"
    );
    assert_eq!((bench.stored().len(), bench.store.objects().len()), (0, 0));
}

#[test]
fn a_store_that_denies_is_told_apart_from_one_that_may_recover() {
    let bench = Bench::new();
    for (trouble, kind) in [
        (Trouble::Denied, ErrorKind::Denied),
        (Trouble::Put, ErrorKind::Transient),
    ] {
        bench.store.set(trouble);
        let error = bench.send(large()).unwrap_err();
        assert_eq!((error.kind, &*error.code), (kind, "PayloadStoreError"));
    }
}
