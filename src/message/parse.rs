//! Validates a [`SendMessage`] for a queue.
use super::check::{check_attributes, check_trace_header, is_text};
use super::{Extras, Id, SendMessage};
use crate::error::{InvalidParameterValue, InvalidReason, MissingParameter, SendError, check};
use crate::limits::Limits;

impl SendMessage {
    /// Whether a queue takes this message, or why not.
    ///
    /// Checks M1 to M25, F1 to F4, D32 and D34 in the order of X11: what is missing (body, on FIFO the group), ranges
    /// and alphabets (delay, then group before deduplication id as in F5), what the type of queue forbids, and last
    /// the message itself (body, size, attributes, trace header). Not checked is F8, for which the queue's state
    /// counts.
    #[inline]
    pub(crate) fn check(&self, limits: &Limits, maximum_message_size: usize, fifo: bool) -> Result<(), SendError> {
        let Self { content, delay } = self;
        if content.body.is_empty() {
            return Err(MissingParameter::new("MessageBody").into());
        }
        if fifo && content.group().is_none() {
            return Err(MissingParameter::new("MessageGroupId").into());
        }
        let delay = delay.map(|delay| check::delay(delay, limits)).transpose()?;
        if let Some(extras) = &content.extras {
            extras.check_ids(limits, fifo)?;
        }
        if let Some(positive) = delay.filter(|delay| fifo && !delay.is_zero()) {
            return Err(InvalidParameterValue::of_span("DelaySeconds", positive, InvalidReason::DelayOnFifo).into());
        }
        if !is_text(&content.body) {
            return Err(SendError::InvalidMessageContents);
        }
        let size = content.size_bytes();
        if size > maximum_message_size {
            return Err(InvalidParameterValue::MessageTooLong {
                size,
                limit: maximum_message_size,
                in_batch: false,
            }
            .into());
        }
        if let Some(extras) = &content.extras {
            extras.check_attributes(limits)?;
        }
        Ok(())
    }
}

impl Extras {
    /// F1, F3, F4.
    fn check_ids(&self, limits: &Limits, fifo: bool) -> Result<(), InvalidParameterValue> {
        const DEDUPLICATION_ID: &str = "MessageDeduplicationId";
        if let Some(id) = &self.group_id {
            check_id("MessageGroupId", id, limits)?;
        }
        if let Some(id) = &self.deduplication_id {
            check_id(DEDUPLICATION_ID, id, limits)?;
            if !fifo {
                return Err(InvalidParameterValue::of(
                    DEDUPLICATION_ID,
                    id.as_str(),
                    InvalidReason::QueueType,
                ));
            }
        }
        Ok(())
    }

    /// M12 to M25.
    fn check_attributes(&self, limits: &Limits) -> Result<(), InvalidParameterValue> {
        let Some(rare) = &self.rare else {
            return Ok(());
        };
        check_attributes(&rare.attributes, limits)?;
        if let Some(header) = &rare.trace_header {
            check_trace_header(header)?;
        }
        Ok(())
    }
}

/// An id is looked at as bytes, and is a text only in an error.
fn check_id(parameter: &'static str, id: &Id, limits: &Limits) -> Result<(), InvalidParameterValue> {
    if check::is_id(id.as_bytes(), limits) {
        return Ok(());
    }
    check::check_id(parameter, id.as_str(), limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Content, MessageAttributeValue, MessageAttributes};
    use std::sync::Arc;
    use std::time::Duration;

    const SIZE: usize = 1_024;

    fn parse(message: impl Into<SendMessage>, fifo: bool) -> Result<Content, SendError> {
        let message = message.into();
        message.check(&Limits::aws(), SIZE, fifo)?;
        Ok(message.content)
    }

    /// What is wrong with `message` on a standard queue: code and text.
    fn refused(message: impl Into<SendMessage>) -> (&'static str, String) {
        let error = parse(message, false).unwrap_err();
        (error.code(), error.to_string())
    }

    fn with(name: &str, value: MessageAttributeValue) -> SendMessage {
        SendMessage::new("x").attribute(name, value)
    }

    #[test]
    fn no_attributes_given_are_no_attributes() {
        let plain = SendMessage::new("x").message_group_id("g");
        assert_eq!(plain.clone().attributes(MessageAttributes::new()), plain);
        let one = MessageAttributes::from_iter([("n", MessageAttributeValue::string("v"))]);
        let cleared = plain.attributes(one).attributes(MessageAttributes::new());
        assert!(cleared.get_attributes().is_empty());
    }

    #[test]
    fn a_plain_message_shares_its_body_and_has_no_extras() {
        let body: Arc<str> = "order-17".into();
        let content = parse(Arc::clone(&body), false).unwrap();
        assert!(Arc::ptr_eq(content.body(), &body) && content.extras.is_none());
    }

    #[test]
    fn an_empty_body_is_a_missing_parameter() {
        // M1
        let text = "The request must contain the parameter MessageBody.".to_owned();
        assert_eq!(refused(""), ("MissingParameter", text));
        assert!(parse("x", false).is_ok());
    }

    #[test]
    fn a_body_with_a_forbidden_character_has_invalid_contents() {
        // M2 M3
        for body in ["\0", "a\u{1f}", "a\u{fffe}b", "\u{ffff}"] {
            let text = "Invalid characters found. Valid unicode characters are \
                        #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
            assert_eq!(refused(body), ("InvalidMessageContents", text.to_owned()));
        }
    }

    #[test]
    fn a_body_is_kept_byte_for_byte() {
        // M4 M5
        for body in ["a\r\nb\rc\nd\t", "{\"broken", "\u{fffd}\u{7f}\u{85}\u{1fffe}", " "] {
            assert_eq!(&**parse(body, false).unwrap().body(), body);
        }
    }

    #[test]
    fn size_is_body_and_attributes_with_names_and_labelled_types() {
        // M6 M7
        let message = SendMessage::new("\u{e9}")
            .attribute("n\u{e9}", MessageAttributeValue::number("1.50").label("x"))
            .attribute("b", MessageAttributeValue::binary([0; 5]))
            .message_group_id("group")
            .aws_trace_header("Root=1");
        assert_eq!(message.size_bytes(), 2 + (3 + 8 + 4) + (1 + 6 + 5));
    }

    #[test]
    fn a_message_is_not_longer_than_its_queue_takes() {
        // M8 M9
        let sized = |size: usize| with("k", MessageAttributeValue::string("v".repeat(size - 8)));
        assert!(parse(sized(SIZE - 1), false).is_ok() && parse(sized(SIZE), false).is_ok());
        let error = parse(sized(SIZE + 1), false).unwrap_err();
        assert_eq!(
            error,
            SendError::from(InvalidParameterValue::MessageTooLong {
                size: SIZE + 1,
                limit: SIZE,
                in_batch: false
            })
        );
        let tail = "Reason: Message must be shorter than 1024 bytes.";
        assert_eq!(error.to_string(), format!("One or more parameters are invalid. {tail}"));
        assert_eq!(
            error.in_batch().to_string(),
            format!("One or more parameters cannot be validated. {tail}")
        );
    }

    #[test]
    fn a_message_has_at_most_10_attributes() {
        // M12
        let many = |count: usize| {
            let names = (0..count).map(|name| (name.to_string(), MessageAttributeValue::string("v")));
            SendMessage::new("x").attributes(names.collect())
        };
        assert!(parse(many(9), false).is_ok() && parse(many(10), false).is_ok());
        let text = "Number of message attributes [11] exceeds the allowed maximum [10].".to_owned();
        assert_eq!(refused(many(11)), ("InvalidParameterValue", text));
    }

    #[test]
    fn an_attribute_name_has_1_to_256_letters_digits_and_marks() {
        // M13
        let value = || MessageAttributeValue::string("v");
        let long = |length: usize| "\u{e9}".repeat(length);
        for name in [
            "a",
            "A_z-0.9",
            "\u{c0}\u{24f}\u{1e00}",
            "aws",
            "AWSx",
            "amazonas.x",
            &long(255),
            &long(256),
        ] {
            assert!(parse(with(name, value()), false).is_ok(), "{name}");
        }
        for name in ["", "a b", "a/b", "\u{d7}", "\u{f7}", "\u{416}", "a\0"] {
            let error = refused(with(name, value())).1;
            assert!(
                error.ends_with("is not one or more letters, digits, underscores, hyphens and periods"),
                "{error}"
            );
        }
        for name in [".a", "a.", "a..b", "."] {
            let error = refused(with(name, value())).1;
            assert!(
                error.ends_with("starts or ends with a period or holds two in a row"),
                "{error}"
            );
        }
        let too_long = refused(with(&long(257), value()));
        assert_eq!(
            too_long.1,
            "Message (user) attribute names must be shorter than 256 Bytes"
        ); // M21
        for name in ["AWS.x", "aws.", "aMaZoN.x", "Amazon."] {
            assert_eq!(
                refused(with(name, value())),
                (
                    "InvalidParameterValue",
                    "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. \
                     These strings are reserved for internal use."
                        .to_owned() // M21
                )
            );
        }
    }

    #[test]
    fn a_data_type_is_one_of_three_with_an_optional_label_in_256_characters() {
        // M14 M18 M20
        let label = |length: usize| format!("String.{}", "l".repeat(length - 7));
        for data_type in [
            "String",
            "String.a.b",
            "String.\u{e9}_-",
            &label(255),
            &label(256),
            "Number.int",
        ] {
            assert!(
                parse(with("k", MessageAttributeValue::new(data_type, "1")), false).is_ok(),
                "{data_type}"
            );
        }
        let unknown = |data_type: &str| refused(with("k", MessageAttributeValue::new(data_type, "1"))).1;
        for data_type in ["string", "Text", "StringList", ".String", "Stringx.y"] {
            assert_eq!(
                unknown(data_type),
                "The message attribute 'k' has an invalid message attribute type, \
                 the set of supported type prefixes is Binary, Number, and String."
            );
        }
        assert_eq!(
            unknown(&label(257)),
            "data type of message attribute \"k\" is longer than 256 characters"
        );
        assert_eq!(unknown(""), "data type of message attribute \"k\" is missing");
        for data_type in ["String.", "String.a b"] {
            let error = unknown(data_type);
            assert!(error.contains("has a label that is not letters"), "{error}");
        }
    }

    #[test]
    fn a_value_is_not_empty_and_fits_its_type() {
        // M15
        let text_wanted = [
            MessageAttributeValue::string(""),
            MessageAttributeValue::number(""),
            MessageAttributeValue::new("String.x", vec![1]),
        ];
        for value in text_wanted {
            let text = "Message (user) attribute 'k' must contain a non-empty value of type 'String'.".to_owned();
            assert_eq!(refused(with("k", value)), ("InvalidParameterValue", text));
        }
        for value in [
            MessageAttributeValue::binary([]),
            MessageAttributeValue::new("Binary", "text"),
        ] {
            let text = "Message (user) attribute 'k' must contain a non-empty value of type 'Binary'.".to_owned();
            assert_eq!(refused(with("k", value)), ("InvalidParameterValue", text));
        }
        assert!(parse(with("k", MessageAttributeValue::binary([0])), false).is_ok());
    }

    #[test]
    fn a_forbidden_character_in_an_attribute_is_an_invalid_parameter() {
        // M16
        let (code, text) = refused(with("k", MessageAttributeValue::string("\0")));
        assert_eq!(code, "InvalidParameterValue");
        assert!(
            text.starts_with("Invalid characters found. Valid unicode characters are #x9"),
            "{text}"
        );
    }

    #[test]
    fn a_number_is_checked_and_kept_as_sent() {
        // M17
        assert_eq!(
            refused(with("k", MessageAttributeValue::number("twelve"))).0,
            "InvalidParameterValue"
        );
        let content = parse(with("k", MessageAttributeValue::number("+0012.50")), false).unwrap();
        assert_eq!(content.attributes().get("k").unwrap().string_value(), Some("+0012.50"));
    }

    #[test]
    fn a_trace_header_is_any_text_that_is_not_empty() {
        // M22 M25
        assert!(parse(SendMessage::new("x").aws_trace_header("anything"), false).is_ok());
        assert_eq!(
            refused(SendMessage::new("x").aws_trace_header("")).1,
            "Message (system) attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'."
        );
        assert_eq!(
            refused(SendMessage::new("x").aws_trace_header("\0")).0,
            "InvalidParameterValue"
        );
    }

    #[test]
    fn ids_obey_one_alphabet_on_both_types_of_queue() {
        // F1 F3, limits in the tests of check_id
        for fifo in [false, true] {
            let error = parse(SendMessage::new("x").message_group_id("a b"), fifo).unwrap_err();
            let text = "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include \
                        alphanumeric and punctuation characters. 1 to 128 in length.";
            assert_eq!(
                (error.code(), error.to_string()),
                ("InvalidParameterValue", text.to_owned())
            );
        }
        let message = SendMessage::new("x").message_group_id("g").message_deduplication_id("");
        let text = "Value  for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only \
                    include alphanumeric and punctuation characters. 1 to 128 in length."; // X8: two spaces
        assert_eq!(parse(message, true).unwrap_err().to_string(), text);
    }

    #[test]
    fn a_fifo_queue_wants_a_group_and_a_standard_queue_no_deduplication_id() {
        // F2 F4 N1
        let error = parse("x", true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The request must contain the parameter MessageGroupId."
        );
        assert_eq!(error.code(), "MissingParameter");
        assert_eq!(
            refused(SendMessage::new("x").message_deduplication_id("d")).1,
            "Value d for parameter MessageDeduplicationId is invalid. \
             Reason: The request includes a parameter that is not valid for this queue type."
        );
        let tenant = SendMessage::new("x").message_group_id("g");
        assert_eq!(parse(tenant, false).unwrap().group_id(), Some("g"));
    }

    #[test]
    fn a_delay_is_for_standard_queues_and_zero_means_nothing_on_fifo() {
        // D32 D33 D34
        let delayed = |delay| SendMessage::new("x").delay(delay);
        let grouped = |delay| delayed(delay).message_group_id("g");
        let (second, sliver) = (Duration::from_secs(1), Duration::from_nanos(999_999));
        assert!(parse(delayed(900 * second + sliver), false).is_ok());
        assert!(parse(delayed(Duration::ZERO), false).is_ok());
        assert!(parse(grouped(Duration::ZERO), true).is_ok());
        assert!(parse(grouped(sliver), true).is_ok());
        assert_eq!(
            parse(grouped(2 * second), true).unwrap_err().to_string(),
            "Value 2 for parameter DelaySeconds is invalid. \
             Reason: The request include parameter that is not valid for this queue type."
        );
        for (fifo, error) in [
            (false, refused(delayed(901 * second))),
            (true, refused(grouped(901 * second))),
        ] {
            let text = "Value 901 for parameter DelaySeconds is invalid. \
                        Reason: DelaySeconds must be >= 0 and <= 900.";
            assert_eq!(error.1, text, "fifo: {fifo}");
        }
    }

    #[test]
    fn what_is_missing_is_found_before_what_is_bad_and_the_message_itself_comes_last() {
        // X11 F5: each step repairs the complaint before it
        let bad = SendMessage::new("")
            .delay(Duration::from_secs(901))
            .attribute("", MessageAttributeValue::string(""));
        let mut message = bad.message_deduplication_id("").aws_trace_header("");
        let complaint = |message: &SendMessage| parse(message.clone(), true).unwrap_err().to_string();
        assert!(complaint(&message).contains("MessageBody"));
        message.content.body = "\0".repeat(SIZE + 1).into();
        assert!(complaint(&message).contains("MessageGroupId"));
        message = message.message_group_id("");
        assert!(complaint(&message).contains("DelaySeconds must be"));
        message = message.delay(Duration::from_secs(1));
        assert!(complaint(&message).contains("MessageGroupId"));
        message = message.message_group_id("g");
        assert!(complaint(&message).contains("MessageDeduplicationId"));
        message = message.message_deduplication_id("d");
        assert!(complaint(&message).contains("DelaySeconds"));
        message = message.delay(Duration::ZERO);
        assert!(complaint(&message).contains("Invalid characters"));
        message.content.body = "x".repeat(SIZE + 1).into();
        assert!(complaint(&message).contains("shorter than"));
        message.content.body = "x".into();
        assert!(complaint(&message).contains("attribute name"));
        message = message.attributes(MessageAttributes::new());
        assert!(complaint(&message).contains("(system)"));
        assert!(parse(message.aws_trace_header("Root=1"), true).is_ok());
    }
}
