//! Whatever a message may hold comes back as it was sent (M2, M4, W7).

use {
    super::*,
    data_encoding::BASE64,
    proptest::{collection::vec, prelude::*},
};

/// A character that M2 allows, most often one that a form or a parser of XML would like to change.
fn character() -> impl Strategy<Value = char> {
    let legal = |char: &char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    prop_oneof![
        prop::sample::select(
            "\r\n\t &<>]+%=;\"'!-[?\u{85}\u{2028}\u{fffd}\u{7f}"
                .chars()
                .collect::<Vec<_>>()
        ),
        any::<char>().prop_filter("M2", legal),
    ]
}

fn text() -> impl Strategy<Value = String> {
    vec(character(), 1..40).prop_map(String::from_iter)
}

/// Sends a message with a text and some bytes as attributes, and asserts that it is received the same.
#[track_caller]
fn assert_survives(body: &str, text: &str, bytes: &[u8]) {
    let (door, base64) = (Door::with_jobs(), BASE64.encode(bytes));
    let sent = door.of_jobs(
        "SendMessage",
        &[
            ("MessageBody", body),
            ("MessageAttribute.1.Name", "text"),
            ("MessageAttribute.1.Value.DataType", "String.any"),
            ("MessageAttribute.1.Value.StringValue", text),
            ("MessageAttribute.2.Name", "bytes"),
            ("MessageAttribute.2.Value.DataType", "Binary"),
            ("MessageAttribute.2.Value.BinaryValue", &base64),
        ],
    );
    let received = door.of_jobs("ReceiveMessage", &[("MessageAttributeName.1", "All")]);
    assert_eq!(received.text("Body"), body);
    assert_eq!(received.text("StringValue"), text);
    assert_eq!(received.text("BinaryValue"), base64);
    assert_eq!(received.text("MD5OfBody"), sent.text("MD5OfMessageBody"));
    assert_eq!(
        received.text("MD5OfMessageAttributes"),
        sent.text("MD5OfMessageAttributes")
    );
    let queue = door.service.queue("jobs").unwrap();
    assert_eq!(queue.counts().in_flight, 1);
}

#[test]
fn line_ends_spaces_and_markup_survive() {
    // M4
    for text in [
        "\r",
        "\r\n",
        "\n",
        "a\rb\r\nc\nd",
        " ",
        "\t \t",
        "]]>",
        "<a>&amp;</a>",
        "&#13;",
        "%0D+%2B",
        "\u{85}\u{2028}",
    ] {
        assert_survives(text, text, text.as_bytes());
    }
}

#[test]
fn every_character_that_m2_allows_survives() {
    // M2
    let legal = |code: &u32| matches!(code, 0x9 | 0xa | 0xd | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x1_0000..=0x10_ffff);
    let codes: Vec<_> = (0..=0x10_ffff).filter(legal).collect();
    for codes in codes.chunks(0xf000) {
        let text: String = codes.iter().filter_map(|code| char::from_u32(*code)).collect();
        let door = Door::with_jobs();
        door.of_jobs("SendMessage", &[("MessageBody", &text)]);
        assert!(door.of_jobs("ReceiveMessage", &[]).text("Body") == text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_message_survives(body in text(), text in text(), bytes in vec(any::<u8>(), 1..40)) {
        // M2 M4 W7
        assert_survives(&body, &text, &bytes);
    }

    #[test]
    fn no_form_is_more_than_the_door_can_take(
        form in "(Action=(SendMessage|ReceiveMessage|SendMessageBatch|TagQueue))?(&(QueueUrl=jobs|[A-Za-z]{0,3}\\.?[0-9]{0,3}\\.(Name|Value)?=[%+a-f0-9]{0,5}|MessageAttribute\\.[0-9]\\.(Name|Value)(\\.DataType)?=.?)){0,6}",
        bytes in vec(any::<u8>(), 0..20),
    ) {
        let door = Door::with_jobs();
        let body = [form.as_bytes(), &bytes].concat();
        let response = door.ask(Request::post("/", body));
        prop_assert!(response.status < 500);
        let text = std::str::from_utf8(&response.body).unwrap();
        prop_assert!(roxmltree::Document::parse(text).is_ok(), "{text}");
    }
}
