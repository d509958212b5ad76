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
