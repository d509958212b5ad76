//! [`SendMessage`], a message as a producer sends it.
use super::{Content, Extras, Id, MessageAttributeValue, MessageAttributes};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

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
    pub(crate) content: Content,
    pub(crate) delay: Option<Duration>,
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
    #[inline]
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
        self.extras_mut().rare_mut().attributes.insert(name, value);
        self
    }

    /// Replaces all user attributes.
    #[must_use]
    pub fn attributes(mut self, attributes: MessageAttributes) -> Self {
        if !attributes.is_empty() || !self.content.attributes().is_empty() {
            self.extras_mut().rare_mut().attributes = attributes;
        }
        self
    }

    /// Names the message group: required on a FIFO queue, a tenant of a fair queue on a standard one (rules F1, N1).
    ///
    /// 1 to 128 ASCII letters, digits and punctuation characters, no space; the send checks it.
    #[must_use]
    pub fn message_group_id(mut self, id: impl AsRef<str>) -> Self {
        self.extras_mut().group_id = Some(id.as_ref().into());
        self
    }

    /// Names what a FIFO queue takes for the same message within five minutes; a standard queue refuses it (F3, F4).
    ///
    /// 1 to 128 ASCII letters, digits and punctuation characters; no space. It wins over content-based deduplication.
    #[must_use]
    pub fn message_deduplication_id(mut self, id: impl AsRef<str>) -> Self {
        self.extras_mut().deduplication_id = Some(id.as_ref().into());
        self
    }

    /// Sets the system attribute `AWSTraceHeader`, an X-Ray header whose format is not checked (rules M22, M25).
    ///
    /// It is not empty, obeys the alphabet of bodies and does not count toward the size of the message (rule M7).
    #[must_use]
    pub fn aws_trace_header(mut self, header: impl Into<Arc<str>>) -> Self {
        self.extras_mut().rare_mut().trace_header = Some(header.into());
        self
    }

    /// The body.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// assert_eq!(SendMessage::new("resize cat.png").body(), "resize cat.png");
    /// ```
    #[must_use]
    pub fn body(&self) -> &str {
        self.content.body()
    }

    /// The delay asked for, `None` where the queue's counts.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// # use std::time::Duration;
    /// assert_eq!(SendMessage::new("order-17").get_delay(), None);
    /// assert_eq!(SendMessage::new("order-17").delay(Duration::ZERO).get_delay(), Some(Duration::ZERO));
    /// ```
    #[must_use]
    pub fn get_delay(&self) -> Option<Duration> {
        self.delay
    }

    /// The user attributes.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, SendMessage};
    /// let cat = SendMessage::new("cat.png").attribute("kind", MessageAttributeValue::string("cat"));
    /// assert_eq!(cat.get_attributes().get("kind"), Some(&MessageAttributeValue::string("cat")));
    /// ```
    #[must_use]
    pub fn get_attributes(&self) -> &MessageAttributes {
        self.content.attributes()
    }

    /// The message group, if one is named.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// let order = SendMessage::new("order-17");
    /// assert_eq!(order.get_message_group_id(), None);
    /// assert_eq!(order.message_group_id("customer-7").get_message_group_id(), Some("customer-7"));
    /// ```
    #[must_use]
    pub fn get_message_group_id(&self) -> Option<&str> {
        self.content.group_id()
    }

    /// The explicit deduplication id, if there is one.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// let order = SendMessage::new("order-17");
    /// assert_eq!(order.get_message_deduplication_id(), None);
    /// assert_eq!(order.message_deduplication_id("17").get_message_deduplication_id(), Some("17"));
    /// ```
    #[must_use]
    pub fn get_message_deduplication_id(&self) -> Option<&str> {
        self.content.deduplication_id()
    }

    /// The X-Ray trace header, if one is set.
    ///
    /// # Examples
    /// ```
    /// # use requeue::SendMessage;
    /// assert_eq!(SendMessage::new("x").get_aws_trace_header(), None);
    /// assert_eq!(SendMessage::new("x").aws_trace_header("Sampled=1").get_aws_trace_header(), Some("Sampled=1"));
    /// ```
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

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) fn set_deduplication_id(&mut self, id: Option<Id>) {
        self.extras_mut().deduplication_id = id;
    }

    /// Content-based deduplication: the SHA-256 of the body (F7, E28).
    pub(crate) fn set_content_as_deduplication_id(&mut self) {
        let id = data_encoding::HEXLOWER.encode(&Sha256::digest(self.body().as_bytes()));
        self.set_deduplication_id(Some(Id::from(&*id)));
    }

    fn extras_mut(&mut self) -> &mut Extras {
        Arc::make_mut(self.content.extras.get_or_insert_default())
    }
}

impl From<&str> for SendMessage {
    #[inline]
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
