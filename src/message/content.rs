//! [`Content`], what a queue keeps of a message that was sent.
use super::{Id, MessageAttributes};
use crate::time::Timestamp;
use std::sync::Arc;

/// Everything a message has beyond its body, kept apart so that a plain message costs no more than its body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Extras {
    pub(crate) group_id: Option<Id>,
    pub(crate) deduplication_id: Option<Id>,
    /// What few messages have.
    pub(crate) rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Rare {
    pub(crate) attributes: MessageAttributes,
    pub(crate) trace_header: Option<Arc<str>>,
    pub(crate) dead_letter: Option<Box<DeadLetter>>,
}

/// What a dead letter brings from the queue that it was in before.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// ARN of that queue (L11).
    pub(crate) source: Arc<str>,
    /// Why a consumer sent it to the dead-letter queue.
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) sent_at: Timestamp,
    pub(crate) arrived_at: Timestamp,
    /// Its receives before; those after them drive redrive (L8).
    pub(crate) carried_receive_count: u32,
}

/// Content is the same whenever it was sent, and however often it was received.
impl PartialEq for DeadLetter {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, &self.reason) == (&other.source, &other.reason)
    }
}

impl Eq for DeadLetter {}

impl Extras {
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

static NO_ATTRIBUTES: MessageAttributes = MessageAttributes::new();

/// What a stored message carries: body, attributes and ids. Checked when it was sent, cheap to clone.
///
/// # Examples
/// ```
/// use requeue::{Fact, FactChannel, Queue};
///
/// let (listener, facts) = FactChannel::unbounded();
/// Queue::standard("jobs").listener(listener).build()?.send("resize cat.png")?;
/// let Fact::Sent { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
/// assert_eq!(&**content.body(), "resize cat.png");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Content {
    pub(crate) body: Arc<str>,
    pub(crate) extras: Option<Arc<Extras>>,
}

impl Content {
    /// The body, byte for byte as sent (M4).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, Queue};
    /// # let (listener, facts) = FactChannel::unbounded();
    /// Queue::standard("jobs").listener(listener).build()?.send("resize\tcat.png ")?;
    /// let Fact::Sent { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(&**content.body(), "resize\tcat.png ");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &Arc<str> {
        &self.body
    }

    /// The user attributes.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, MessageAttributeValue, Queue, SendMessage};
    /// # let (listener, facts) = FactChannel::unbounded();
    /// let cat = SendMessage::new("resize cat.png").attribute("width", MessageAttributeValue::number("640"));
    /// Queue::standard("jobs").listener(listener).build()?.send(cat.clone())?;
    /// let Fact::Sent { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(content.attributes(), cat.get_attributes());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn attributes(&self) -> &MessageAttributes {
        self.rare().map_or(&NO_ATTRIBUTES, |rare| &rare.attributes)
    }

    /// The message group id, if sent with one.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, Queue, SendMessage};
    /// # let (listener, facts) = FactChannel::unbounded();
    /// let cat = SendMessage::new("resize cat.png").message_group_id("customer-3");
    /// Queue::standard("jobs").listener(listener).build()?.send(cat)?;
    /// let Fact::Sent { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(content.group_id(), Some("customer-3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn group_id(&self) -> Option<&str> {
        self.group().map(Id::as_str)
    }

    /// FIFO only: the deduplication id, given or computed from the body (F7).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, Queue, SendMessage};
    /// # let (listener, facts) = FactChannel::unbounded();
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).listener(listener).build()?;
    /// orders.send(SendMessage::new("order-17").message_group_id("customer-3"))?;
    /// let Fact::Sent { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(content.deduplication_id().map(|sha256| sha256.len()), Some(64));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn deduplication_id(&self) -> Option<&str> {
        self.deduplication().map(Id::as_str)
    }

    /// The X-Ray trace header, if sent with one (M22).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, Queue, SendMessage};
    /// # let (listener, facts) = FactChannel::unbounded();
    /// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    /// let cat = SendMessage::new("resize cat.png").aws_trace_header(header);
    /// Queue::standard("jobs").listener(listener).build()?.send(cat)?;
    /// let Fact::Sent { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(content.trace_header().map(|header| &**header), Some(header));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn trace_header(&self) -> Option<&Arc<str>> {
        self.rare()?.trace_header.as_ref()
    }

    /// ARN of the queue that the message was dead-lettered from (L11).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, Queue};
    /// # use std::time::Duration;
    /// # let (listener, facts) = FactChannel::unbounded();
    /// let failed = Queue::standard("jobs-failed").listener(listener).build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 1).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().visibility_timeout(Duration::ZERO).blocking()?;
    /// assert!(jobs.receive().blocking()?.is_empty(), "it was received once, and moves away instead");
    /// let Fact::Arrived { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(content.dead_letter_source().map(|arn| &**arn), Some(jobs.arn()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dead_letter_source(&self) -> Option<&Arc<str>> {
        Some(&self.dead_letter()?.source)
    }

    /// The reason that a consumer gave when it sent the message to the dead-letter queue; `None` if it came there
    /// because it was received too often. SQS has no such thing.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, Queue};
    /// # let (listener, facts) = FactChannel::unbounded();
    /// let failed = Queue::standard("jobs-failed").listener(listener).build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// jobs.send("resize cat.txt")?;
    /// jobs.receive().blocking()?[0].dead_letter("not an image")?;
    /// let Fact::Arrived { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(content.dead_letter_reason().map(|reason| &**reason), Some("not an image"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dead_letter_reason(&self) -> Option<&Arc<str>> {
        self.dead_letter()?.reason.as_ref()
    }

    /// Size in bytes as M6 counts it: body and user attributes, neither ids nor system attributes (M7).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, FactChannel, MessageAttributeValue, Queue, SendMessage};
    /// # let (listener, facts) = FactChannel::unbounded();
    /// let cat = SendMessage::new("cat.png").attribute("kind", MessageAttributeValue::string("cat"));
    /// Queue::standard("jobs").listener(listener).build()?.send(cat.message_group_id("customer-3"))?;
    /// let Fact::Sent { content, .. } = facts.recv()?.1.fact else { panic!("another fact") };
    /// assert_eq!(content.size_bytes(), "cat.png".len() + "kind".len() + "String".len() + "cat".len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.body.len() + self.rare().map_or(0, |rare| rare.attributes.size_bytes())
    }

    /// [`group_id`](Self::group_id), cheap to clone.
    pub(crate) fn group(&self) -> Option<&Id> {
        self.extras.as_ref()?.group_id.as_ref()
    }

    /// [`deduplication_id`](Self::deduplication_id), cheap to clone.
    pub(crate) fn deduplication(&self) -> Option<&Id> {
        self.extras.as_ref()?.deduplication_id.as_ref()
    }

    #[inline]
    pub(crate) fn dead_letter(&self) -> Option<&DeadLetter> {
        self.rare()?.dead_letter.as_deref()
    }

    #[inline]
    fn rare(&self) -> Option<&Rare> {
        self.extras.as_ref()?.rare.as_deref()
    }

    /// The same body with changed extras; this content and its other clones stay as they are.
    pub(crate) fn with_extras(&self, change: impl FnOnce(&mut Extras)) -> Self {
        let mut extras = self.extras.as_deref().cloned().unwrap_or_default();
        change(&mut extras);
        extras.rare.take_if(|rare| **rare == Rare::default());
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
    use crate::message::{MessageAttributeValue, SendMessage};

    #[test]
    fn changed_extras_leave_other_clones_alone() {
        // L11 L30
        let sent = SendMessage::new("x")
            .attribute("k", MessageAttributeValue::string("v"))
            .content;
        let dead_letter = DeadLetter {
            source: "arn".into(),
            reason: None,
            sent_at: Timestamp::ZERO,
            arrived_at: Timestamp::ZERO,
            carried_receive_count: 1,
        };
        let dead = sent.with_extras(|extras| extras.rare_mut().dead_letter = Some(Box::new(dead_letter)));
        assert_eq!(
            (sent.dead_letter_source(), dead.dead_letter_source().map(AsRef::as_ref)),
            (None, Some("arn"))
        );
        assert!(Arc::ptr_eq(sent.body(), dead.body()) && dead.attributes() == sent.attributes());
        let back = dead.with_extras(|extras| extras.rare_mut().dead_letter = None);
        assert_eq!(back, sent);
        let plain = SendMessage::new("x").content;
        assert!(
            plain
                .with_extras(|extras| extras.rare_mut().dead_letter = None)
                .extras
                .is_none()
        );
    }
}
