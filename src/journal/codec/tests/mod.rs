mod any;
mod bytes;
mod image;

use {
    super::*,
    crate::{
        message::{Content, MessageId},
        state::{Place, Recorded},
        time::Timestamp,
    },
    any::{recorded, recorded_fact},
    proptest::{collection, prelude::*},
    serde::de::value::SeqDeserializer,
};

/// What a body says, with the queue.
fn read(body: &[u8]) -> Result<Vec<(u64, Recorded)>, DecodeError> {
    let mut entries = Vec::new();
    decode(body, &mut |queue, recorded| {
        entries.push((queue, recorded));
        Ok::<_, DecodeError>(())
    })?;
    Ok(entries)
}

fn written(queue: u64, entries: &[Recorded]) -> Vec<u8> {
    let mut body = Vec::new();
    begin(queue, &mut body);
    for entry in entries {
        encode(entry, &mut body);
    }
    body
}

fn plain(text: &str) -> Content {
    Content {
        body: text.into(),
        extras: None,
    }
}

/// Of a queue that has been in use for a while.
fn fact(fact: Fact) -> FactEntry {
    FactEntry {
        number: 3_000_000,
        at: Timestamp::from_millis(1_796_000_000_000),
        fact,
        place: Place {
            slot: 1_000,
            sequence: 1_000_000,
            since: 1_000_000,
        },
        origin: None,
    }
}

fn size(entry: Fact) -> usize {
    let mut out = Vec::new();
    encode_fact(&fact(entry), &mut out);
    out.len()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(queue: u64, entries in collection::vec(recorded(), 0..8)) {
        let body = written(queue, &entries);
        let of_queue: Vec<_> = entries.into_iter().map(|entry| (queue, entry)).collect();
        let read = read(&body).unwrap();
        prop_assert_eq!(&read, &of_queue);
        // Contents are equal whenever they were sent, and policies in whatever order: their texts tell more.
        prop_assert_eq!(format!("{read:?}"), format!("{of_queue:?}"));
    }

    #[test]
    fn a_fact_is_written_the_same_by_itself(fact in recorded_fact()) {
        let (mut by_itself, mut as_entry) = (Vec::new(), Vec::new());
        encode_fact(&fact, &mut by_itself);
        encode(&Recorded::Fact(fact), &mut as_entry);
        prop_assert!(!by_itself.is_empty());
        prop_assert_eq!(by_itself, as_entry);
    }

    #[test]
    fn no_bytes_are_a_panic(body: Vec<u8>) {
        let _ = read(&body);
    }

    #[test]
    fn a_body_with_a_wrong_byte_is_another_body_or_an_error(
        entries in collection::vec(recorded(), 1..4), place: prop::sample::Index, byte: u8,
    ) {
        let mut body = written(7, &entries);
        let place = place.index(body.len());
        body[place] = byte;
        if let Ok(entries) = read(&body) {
            prop_assert!(entries.len() <= body.len());
        }
    }

    #[test]
    fn a_body_that_is_cut_off_within_an_entry_is_an_error_that_says_where(
        entry in recorded(), cut: prop::sample::Index,
    ) {
        let body = written(7, &[entry]);
        prop_assume!(body.len() > 2);
        let cut = 2 + cut.index(body.len() - 2);
        let reason = "it ends too early";
        prop_assert_eq!(read(&body[..cut]), Err(DecodeError::Malformed { offset: 1, reason }));
    }
}

#[test]
fn facts_that_change_nothing_are_not_written() {
    let message_id = MessageId::from_bytes([7; 16]);
    let reason = "not an image".into();
    for same in [
        Fact::ReceivedNothing,
        Fact::DeletedAgain,
        Fact::Deduplicated { message_id },
        Fact::Failed { message_id, reason },
    ] {
        assert!(!is_recorded(&same), "{same:?}");
        assert_eq!(size(same), 0);
    }
    assert!(is_recorded(&Fact::Deleted { message_id }) && is_recorded(&Fact::QueueDeleted));
}

#[test]
fn an_entry_is_small() {
    let message_id = MessageId::from_bytes([7; 16]);
    let now = fact(Fact::QueueDeleted).at;
    let sent = size(Fact::Sent {
        message_id,
        content: plain(&"x".repeat(256)),
        visible_at: now,
    });
    let received = size(Fact::Received {
        message_id,
        receive_count: 1,
        invisible_until: now.saturating_add(std::time::Duration::from_secs(43_200)),
    });
    assert_eq!((sent - 256, received), (35, 18));
    assert_eq!(size(Fact::Deleted { message_id }), 10);
}

#[test]
fn a_stored_message_is_named_by_its_sequence_alone() {
    let message_id = MessageId::from_bytes([7; 16]);
    let body = written(7, &[Recorded::Fact(fact(Fact::Deleted { message_id }))]);
    let [(7, Recorded::Fact(read))] = &read(&body).unwrap()[..] else {
        panic!("another entry")
    };
    assert_eq!((read.number, read.place.slot, read.place.sequence), (0, 0, 1_000_000));
    assert_eq!(read.fact.message_id(), Some(MessageId::from_bytes([0; 16])));
}

#[test]
fn a_kind_that_is_not_known_was_written_by_a_newer_version() {
    let mut body = written(7, &[Recorded::Fact(fact(Fact::QueueDeleted))]);
    let offset = body.len();
    write(&(LATEST_KIND + 1), &mut body);
    let error = read(&body).unwrap_err();
    assert_eq!(error, DecodeError::NewerKind { offset, kind: 25 });
    let text = "the entry at byte 8 is of kind 25, which was written by a newer version: this one knows 0 to 24";
    assert_eq!(error.to_string(), text);
}

#[test]
fn an_entry_that_cannot_be_read_says_where_and_why() {
    let [tags, service] = [18, 22];
    for (bytes, offset, reason) in [
        (&[][..], 0, "it ends too early"),
        (&[0xff; 11][..], 0, "a number in it has no end or is too large"),
        (&[7, tags, 1, 1, 0xff, 0][..], 1, "a text in it is not UTF-8"),
        (&[7, tags, 0, 19, 1, 5, 2][..], 3, "it ends too early"),
        (
            &[7, service, 1, b'r', 0xff, 0xff, 0xff, 0xff, 0xf][..],
            1,
            "it ends too early",
        ),
        // A list that claims to have 2^63 elements.
        (
            &[7, tags, 255, 255, 255, 255, 255, 255, 255, 255, 127][..],
            1,
            "it ends too early",
        ),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error, DecodeError::Malformed { offset, reason }, "{bytes:?}");
        let text = format!("the entry at byte {offset} cannot be read: {reason}");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn what_the_reader_answers_ends_the_reading() {
    let body = written(
        7,
        &[Recorded::Fact(fact(Fact::QueueDeleted)), Recorded::Tags([].into())],
    );
    let mut entries = 0;
    let stop = DecodeError::NewerKind { offset: 0, kind: 0 };
    let answer = decode(&body, &mut |_, _| {
        entries += 1;
        Err(stop)
    });
    assert_eq!((answer, entries), (Err(stop), 1));
}

#[test]
fn a_list_takes_no_more_room_than_it_has_elements() {
    struct Claiming(std::ops::Range<u64>);

    impl Iterator for Claiming {
        type Item = u64;

        fn next(&mut self) -> Option<u64> {
            self.0.next()
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            (1 << 40, Some(1 << 40))
        }
    }

    let sequence = SeqDeserializer::<_, serde::de::value::Error>::new(Claiming(0..2));
    let elements: Vec<u64> = content::list(sequence).unwrap();
    assert_eq!((elements.len(), elements.capacity() < 100), (2, true));
}
