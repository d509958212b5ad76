//! One message on its way to the queues.

use {
    super::{
        envelope::{Envelope, Origin},
        message::{DeliveryFailure, PublishMessage, Published},
        subscribers::{FanOut, Subscriber},
    },
    crate::{
        error::SendError,
        message::{Content, MessageAttributes, MessageId, SendMessage, SequenceNumber},
        queue::Queue,
        time::Timestamp,
    },
    std::{cell::OnceCell, sync::Arc},
};

/// A message that was accepted, with whoever was subscribed then.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) message: PublishMessage,
    pub(super) message_id: MessageId,
    pub(super) sequence_number: Option<SequenceNumber>,
    pub(super) at: Timestamp,
    pub(super) fan_out: Arc<FanOut>,
}

impl Accepted {
    /// What is known before any queue has it.
    pub(super) fn published(&self) -> Published {
        Published {
            message_id: self.message_id,
            sequence_number: self.sequence_number,
            repeated: false,
            delivered: 0,
            failures: Vec::new(),
        }
    }

    /// Sends to one queue after the other, with no lock of the topic held.
    pub(super) fn deliver(&self, origin: &Origin<'_>) -> Published {
        let forms = Forms {
            accepted: self,
            origin,
            contents: Default::default(),
            envelope: OnceCell::new(),
        };
        let mut published = self.published();
        for subscriber in self.fan_out.matching(&self.message) {
            match forms.send(&subscriber.queue, subscriber, subscriber.attributes.raw) {
                Ok(()) => published.delivered += 1,
                Err(error) => published.failures.push(DeliveryFailure {
                    subscription_arn: Arc::clone(&subscriber.arn),
                    error,
                    dead_lettered: forms.dead_letter(subscriber),
                }),
            }
        }
        published
    }
}

/// A message in the forms in which queues get it, each made once.
struct Forms<'a> {
    accepted: &'a Accepted,
    origin: &'a Origin<'a>,
    /// By whether it is raw and whether the queue is a FIFO queue. The body of an enveloped one is yet to be put in.
    contents: [[OnceCell<Content>; 2]; 2],
    envelope: OnceCell<Envelope>,
}

impl Forms<'_> {
    fn send(&self, queue: &Queue, subscriber: &Subscriber, raw: bool) -> Result<(), SendError> {
        let content = self.contents[usize::from(raw)][usize::from(queue.is_fifo())]
            .get_or_init(|| self.content(raw, queue.is_fifo()));
        let content = if raw {
            content.clone()
        } else {
            Content {
                body: self.envelope().for_subscription(&subscriber.arn),
                extras: content.extras.clone(),
            }
        };
        queue.send(SendMessage { content, delay: None }).map(drop)
    }

    /// Whether the dead-letter queue takes it, as it was to be delivered or else in an envelope, which has room for more
    /// than ten attributes (E27).
    fn dead_letter(&self, subscriber: &Subscriber) -> bool {
        subscriber.attributes.dead_letter.as_ref().is_some_and(|queue| {
            let raw = subscriber.attributes.raw;
            self.send(queue, subscriber, raw).is_ok() || raw && self.send(queue, subscriber, false).is_ok()
        })
    }

    /// Ids of a FIFO topic reach FIFO queues alone (E25), and the group of a standard topic any queue (E29). An enveloped
    /// message has no user attributes (E26).
    fn content(&self, raw: bool, to_fifo: bool) -> Content {
        let content = self.accepted.message.message.content();
        let keeps_ids = to_fifo || self.accepted.sequence_number.is_none();
        if raw && keeps_ids {
            return content.clone();
        }
        content.with_extras(|extras| {
            if !keeps_ids {
                (extras.group_id, extras.deduplication_id) = (None, None);
            }
            if let Some(rare) = extras.rare.as_mut().filter(|_| !raw) {
                rare.attributes = MessageAttributes::new();
            }
        })
    }

    fn envelope(&self) -> &Envelope {
        let accepted = self.accepted;
        self.envelope.get_or_init(|| {
            Envelope::new(
                self.origin,
                &accepted.message,
                accepted.message_id,
                accepted.sequence_number,
                accepted.at,
            )
        })
    }
}
