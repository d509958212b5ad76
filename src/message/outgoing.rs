//! [`SendMessage`], what a producer hands to a queue, and [`Content`], what the queue keeps of it.
use super::check::{check_attributes, check_trace_header, is_text};
use super::{MessageAttributeValue, MessageAttributes};
use crate::error::{InvalidParameterValue, InvalidReason, MissingParameter, SendError, check};
use crate::limits::Limits;
use std::sync::Arc;
use std::time::Duration;

/// Everything a message has beyond its body, kept apart so that a plain message costs no more than its body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Extras {
    pub(crate) attributes: MessageAttributes,
    pub(crate) group_id: Option<Arc<str>>,
    pub(crate) deduplication_id: Option<Arc<str>>,
    pub(crate) trace_header: Option<Arc<str>>,
    /// ARN of the queue that the message was dead-lettered from (L11).
    pub(crate) dead_letter_source: Option<Arc<str>>,
}

impl Extras {
    /// F1, F3, F4.
    fn check_ids(&self, limits: &Limits, fifo: bool) -> Result<(), InvalidParameterValue> {
        const DEDUPLICATION_ID: &str = "MessageDeduplicationId";
        if let Some(id) = &self.group_id {
            check::check_id("MessageGroupId", id, limits)?;
        }
        if let Some(id) = &self.deduplication_id {
            check::check_id(DEDUPLICATION_ID, id, limits)?;
            if !fifo {
                return Err(InvalidParameterValue::of(
                    DEDUPLICATION_ID,
                    &**id,
                    InvalidReason::QueueType,
                ));
            }
        }
        Ok(())
    }

    /// M12 to M25.
    fn check_attributes(&self, limits: &Limits) -> Result<(), InvalidParameterValue> {
        check_attributes(&self.attributes, limits)?;
        if let Some(header) = &self.trace_header {
            check_trace_header(header)?;
        }
        Ok(())
    }
}

static NO_ATTRIBUTES: MessageAttributes = MessageAttributes::new();

/// A message to be sent: a body, and whatever else SQS lets a producer say about it.
///
/// Building one checks nothing; the queue it is sent to does. A `&str`, a `String` and an `Arc<str>` are messages too.
///
/// # Source
/// [`SendMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
///
/// # Examples
/// ```
/// # use requeue::{MessageAttributeValue, SendMessage};
/// # use std::time::Duration;
/// let order = SendMessage::new("order-17")
///     .delay(Duration::from_secs(5))
///     .attribute("kind", MessageAttributeValue::string("book"));
/// assert_eq!((order.body(), order.get_attributes().len()), ("order-17", 1));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SendMessage {
    content: Content,
    delay: Option<Duration>,
}

impl SendMessage {
    /// A message with nothing but a body: at least one character, without control characters other than tab, line
    /// feed and carriage return, without U+FFFE and U+FFFF, kept byte for byte (rules M1, M2, M4).
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// assert_eq!(SendMessage::new("order-17"), SendMessage::from("order-17"));
    /// ```
    #[must_use]
    pub fn new(body: impl Into<Arc<str>>) -> Self {
        Self {
            content: Content {
                body: body.into(),
                extras: None,
            },
            delay: None,
        }
    }

    /// Hides the message from consumers for `delay` after the send: 0 to 900 s, to the millisecond (rules D32 to D34).
    ///
    /// On a standard queue this overrides the delay of the queue, with zero as well. A FIFO queue refuses a positive
    /// delay, and zero means the delay of the queue. Without this call the queue's delay counts.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// # use std::time::Duration;
    /// let later = SendMessage::new("order-17").delay(Duration::from_secs(900));
    /// assert_eq!(later.get_delay(), Some(Duration::from_secs(900)));
    /// ```
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Adds a user attribute, replacing one of the same name: at most 10 (rules M12 to M18).
    ///
    /// A name has 1 to 256 letters, digits, `_`, `-` and `.`; it neither starts with `AWS.` or `Amazon.` in any case
    /// nor starts or ends with a dot nor holds two dots in a row.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, SendMessage};
    /// let cat = SendMessage::new("cat.png").attribute("width", MessageAttributeValue::number("640"));
    /// assert_eq!(cat.get_attributes().get("width").unwrap().string_value(), Some("640"));
    /// ```
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: MessageAttributeValue) -> Self {
        self.extras_mut().attributes.insert(name, value);
        self
    }

    /// Replaces all user attributes.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributes, SendMessage};
    /// assert!(SendMessage::new("x").attributes(MessageAttributes::new()).get_attributes().is_empty());
    /// ```
    #[must_use]
    pub fn attributes(mut self, attributes: MessageAttributes) -> Self {
        self.extras_mut().attributes = attributes;
        self
    }

    /// Names the message group: required on a FIFO queue, a tenant of a fair queue on a standard one (rules F1, N1).
    ///
    /// 1 to 128 ASCII letters, digits and punctuation characters; no space.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// assert_eq!(SendMessage::new("x").message_group_id("customer-7").get_message_group_id(), Some("customer-7"));
    /// ```
    #[must_use]
    pub fn message_group_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.extras_mut().group_id = Some(id.into());
        self
    }

    /// Names what a FIFO queue takes for the same message within five minutes; a standard queue refuses it (F3, F4).
    ///
    /// 1 to 128 ASCII letters, digits and punctuation characters; no space. It wins over content-based deduplication.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// assert_eq!(SendMessage::new("x").message_deduplication_id("pay-1").get_message_deduplication_id(), Some("pay-1"));
    /// ```
    #[must_use]
    pub fn message_deduplication_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.extras_mut().deduplication_id = Some(id.into());
        self
    }

    /// Sets the system attribute `AWSTraceHeader`, an X-Ray header whose format is not checked (rules M22, M25).
    ///
    /// It is not empty, obeys the alphabet of bodies and does not count toward the size of the message (rule M7).
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    /// assert_eq!(SendMessage::new("x").aws_trace_header(header).get_aws_trace_header(), Some(header));
    /// ```
    #[must_use]
    pub fn aws_trace_header(mut self, header: impl Into<Arc<str>>) -> Self {
        self.extras_mut().trace_header = Some(header.into());
        self
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &str {
        self.content.body()
    }

    /// The delay asked for, `None` where the queue's counts.
    #[must_use]
    pub fn get_delay(&self) -> Option<Duration> {
        self.delay
    }

    /// The user attributes.
    #[must_use]
    pub fn get_attributes(&self) -> &MessageAttributes {
        self.content.attributes()
    }

    /// The message group, if one is named.
    #[must_use]
    pub fn get_message_group_id(&self) -> Option<&str> {
        self.content.group_id().map(AsRef::as_ref)
    }

    /// The explicit deduplication id, if there is one.
    #[must_use]
    pub fn get_message_deduplication_id(&self) -> Option<&str> {
        self.content.deduplication_id().map(AsRef::as_ref)
    }

    /// The X-Ray trace header, if one is set.
    #[must_use]
    pub fn get_aws_trace_header(&self) -> Option<&str> {
        self.content.trace_header().map(AsRef::as_ref)
    }

    /// The size that counts against `MaximumMessageSize`: body and user attributes, in bytes (rules M6, M7).
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// assert_eq!(SendMessage::new("\u{e9}").message_group_id("customer-7").size_bytes(), 2);
    /// ```
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.content.size_bytes()
    }

    /// What a queue keeps of this message and the delay it asks for, or why the queue refuses it. On FIFO zero asks for
    /// nothing (D34).
    ///
    /// Checks M1 to M25, F1 to F4, D32 and D34 in the order of X11: what is missing (body, on FIFO the group), ranges
    /// and alphabets (delay, then group before deduplication id as in F5), what the type of queue forbids, and last
    /// the message itself (body, size, attributes, trace header). Not checked is F8, for which the queue's state counts.
    pub(crate) fn parse(
        self,
        limits: &Limits,
        maximum_message_size: usize,
        fifo: bool,
    ) -> Result<(Content, Option<Duration>), SendError> {
        let Self { content, delay } = self;
        if content.body.is_empty() {
            return Err(MissingParameter::new("MessageBody").into());
        }
        if fifo && content.group_id().is_none() {
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
        Ok((content, delay.filter(|_| !fifo)))
    }

    /// Undoes [`parse`](Self::parse), for a message that is handed back.
    pub(crate) fn from_parts(content: Content, delay: Option<Duration>) -> Self {
        Self { content, delay }
    }

    fn extras_mut(&mut self) -> &mut Extras {
        Arc::make_mut(self.content.extras.get_or_insert_default())
    }
}

impl From<&str> for SendMessage {
    fn from(body: &str) -> Self {
        Self::new(body)
    }
}

impl From<String> for SendMessage {
    fn from(body: String) -> Self {
        Self::new(body)
    }
}

impl From<Arc<str>> for SendMessage {
    fn from(body: Arc<str>) -> Self {
        Self::new(body)
    }
}

/// What a stored message carries: valid by construction where it came from [`SendMessage::parse`], cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Content {
    body: Arc<str>,
    extras: Option<Arc<Extras>>,
}

impl Content {
    pub(crate) fn body(&self) -> &Arc<str> {
        &self.body
    }

    pub(crate) fn attributes(&self) -> &MessageAttributes {
        self.extras.as_ref().map_or(&NO_ATTRIBUTES, |extras| &extras.attributes)
    }

    pub(crate) fn group_id(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.group_id.as_ref()
    }

    /// The explicit deduplication id; one computed from the body (F7) is no part of the content.
    pub(crate) fn deduplication_id(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.deduplication_id.as_ref()
    }

    pub(crate) fn trace_header(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.trace_header.as_ref()
    }

    pub(crate) fn dead_letter_source(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.dead_letter_source.as_ref()
    }

    /// Size in bytes as M6 counts it: body and user attributes, neither ids nor system attributes (M7).
    pub(crate) fn size_bytes(&self) -> usize {
        let attributes = self.extras.as_ref().map_or(0, |extras| extras.attributes.size_bytes());
        self.body.len() + attributes
    }

    /// The same body with changed extras; this content and its other clones stay as they are.
    pub(crate) fn with_extras(&self, change: impl FnOnce(&mut Extras)) -> Self {
        let mut extras = self.extras.as_deref().cloned().unwrap_or_default();
        change(&mut extras);
        let extras = (extras != Extras::default()).then(|| Arc::new(extras));
        Self {
            body: Arc::clone(&self.body),
            extras,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 1_024;

    fn parse(message: impl Into<SendMessage>, fifo: bool) -> Result<(Content, Option<Duration>), SendError> {
        message.into().parse(&Limits::aws(), SIZE, fifo)
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
    fn a_plain_message_shares_its_body_and_has_no_extras() {
        let body: Arc<str> = "order-17".into();
        let (content, delay) = parse(Arc::clone(&body), false).unwrap();
        assert!(Arc::ptr_eq(content.body(), &body) && content.extras.is_none() && delay.is_none());
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
            assert_eq!(&**parse(body, false).unwrap().0.body(), body);
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
        let (content, _) = parse(with("k", MessageAttributeValue::number("+0012.50")), false).unwrap();
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
        assert_eq!(parse(tenant, false).unwrap().0.group_id().map(AsRef::as_ref), Some("g"));
    }

    #[test]
    fn a_delay_is_for_standard_queues_and_zero_means_nothing_on_fifo() {
        // D32 D33 D34
        let delayed = |delay| SendMessage::new("x").delay(delay);
        let grouped = |delay| delayed(delay).message_group_id("g");
        let (second, sliver) = (Duration::from_secs(1), Duration::from_nanos(999_999));
        assert_eq!(parse(delayed(second + sliver), false).unwrap().1, Some(second));
        assert_eq!(parse(delayed(Duration::ZERO), false).unwrap().1, Some(Duration::ZERO));
        assert_eq!(parse(grouped(Duration::ZERO), true).unwrap().1, None);
        assert_eq!(parse(grouped(sliver), true).unwrap().1, None);
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

    #[test]
    fn a_message_comes_back_whole_from_its_parts() {
        let message = with("k", MessageAttributeValue::string("v")).delay(Duration::from_secs(1));
        let (content, delay) = parse(message.clone(), false).unwrap();
        assert_eq!(SendMessage::from_parts(content, delay), message);
    }

    #[test]
    fn changed_extras_leave_other_clones_alone() {
        // L11 L30
        let (sent, _) = parse(with("k", MessageAttributeValue::string("v")), false).unwrap();
        let dead = sent.with_extras(|extras| extras.dead_letter_source = Some("arn".into()));
        assert_eq!(
            (sent.dead_letter_source(), dead.dead_letter_source().map(AsRef::as_ref)),
            (None, Some("arn"))
        );
        assert!(Arc::ptr_eq(sent.body(), dead.body()) && dead.attributes() == sent.attributes());
        let back = dead.with_extras(|extras| extras.dead_letter_source = None);
        assert_eq!(back, sent);
        let (plain, _) = parse("x", false).unwrap();
        assert!(
            plain
                .with_extras(|extras| extras.dead_letter_source = None)
                .extras
                .is_none()
        );
    }
}
