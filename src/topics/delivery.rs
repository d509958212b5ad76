//! One message on its way to the queues.

use {
    super::{
        envelope::{EnvelopeText, Origin},
        message::{DeadLetterDelivery, DeliveryFailure, PublishMessage, Published},
        subscribers::{FanOut, Subscriber},
    },
    crate::{
        error::{InvalidMessageAttribute, InvalidParameterValue, SendError, StorageError},
        message::{Content, MessageAttributes, MessageId, SendMessage, SequenceNumber},
        queue::{Position, Queue},
        time::Timestamp,
    },
    std::{cell::OnceCell, collections::VecDeque, sync::Arc},
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

    /// Stores the message in one queue after the other, with no lock of the topic held.
    pub(super) fn store(self, origin: &Origin<'_>) -> Delivery {
        let mut delivery = Delivery {
            published: self.published(),
            unsettled: VecDeque::new(),
            accepted: self,
        };
        let forms = delivery.accepted.forms(origin);
        for subscriber in delivery.accepted.fan_out.matching(&delivery.accepted.message) {
            match forms.store(&subscriber.queue, subscriber, subscriber.attributes.raw) {
                Ok(position) => {
                    delivery.published.delivered += 1;
                    note_unsettled(&mut delivery.unsettled, subscriber, position, None);
                }
                Err(error) => {
                    let (published, unsettled) = (&mut delivery.published, &mut delivery.unsettled);
                    forms.fail(subscriber, error, published, unsettled);
                }
            }
        }
        delivery
    }

    fn forms<'a>(&'a self, origin: &'a Origin<'a>) -> Forms<'a> {
        Forms {
            accepted: self,
            origin,
            contents: Default::default(),
            envelope: OnceCell::new(),
        }
    }
}

impl FanOut {
    /// Waits until the journals of the queues that a message is for, and of their dead-letter queues, have room for it.
    ///
    /// Then a store finds it, as a rule. It asks again: an envelope is larger, and others may have taken the room, be they
    /// other queues of the same journal.
    pub(super) async fn wait_for_room(&self, message: &PublishMessage) {
        if !self.is_journaled() {
            return;
        }
        let bytes = message.message.size_bytes();
        let queues: Vec<Queue> = self.matching(message).flat_map(|it| it.queues()).cloned().collect();
        for queue in queues {
            // A journal that has no room says so to the store.
            let _ = queue.wait_for_room_async(bytes).await;
        }
    }
}

/// A message that is stored, but maybe not yet in the journals.
#[derive(Debug)]
pub(super) struct Delivery {
    accepted: Accepted,
    published: Published,
    unsettled: VecDeque<Unsettled>,
}

/// An entry of a journal that is to be safe.
#[derive(Debug)]
struct Unsettled {
    subscriber: Arc<Subscriber>,
    position: Position,
    /// Of the dead letter of this failure; otherwise of the message itself.
    failure: Option<usize>,
}

fn note_unsettled(
    unsettled: &mut VecDeque<Unsettled>,
    subscriber: &Arc<Subscriber>,
    position: Position,
    failure: Option<usize>,
) {
    if position > 0 {
        unsettled.push_back(Unsettled {
            subscriber: Arc::clone(subscriber),
            position,
            failure,
        });
    }
}

impl Unsettled {
    fn queue(&self) -> &Queue {
        let dead_letter = self.subscriber.attributes.dead_letter.as_ref();
        dead_letter
            .filter(|_| self.failure.is_some())
            .unwrap_or(&self.subscriber.queue)
    }
}

impl Delivery {
    pub(super) fn is_settled(&self) -> bool {
        self.unsettled.is_empty()
    }

    /// Blocks until the journals have it.
    pub(super) fn settle(mut self, origin: &Origin<'_>) -> Published {
        while let Some(next) = self.unsettled.pop_front() {
            let settled = next.queue().settle_send(next.position);
            self.settled(&next, settled, origin);
        }
        self.published
    }

    /// The same for an async caller.
    pub(super) async fn settle_async(mut self, origin: &Origin<'_>) -> Published {
        while let Some(next) = self.unsettled.pop_front() {
            let settled = next.queue().settle_send_async(next.position).await;
            self.settled(&next, settled, origin);
        }
        self.published
    }

    /// What a journal does not take is a failed delivery, or a dead letter that is none.
    fn settled(&mut self, of: &Unsettled, settled: Result<(), StorageError>, origin: &Origin<'_>) {
        let Err(error) = settled else { return };
        if let Some(failure) = of.failure {
            self.published.failures[failure].dead_letter = DeadLetterDelivery::Refused(error.into());
            return;
        }
        self.published.delivered -= 1;
        let (published, unsettled) = (&mut self.published, &mut self.unsettled);
        let forms = self.accepted.forms(origin);
        forms.fail(&of.subscriber, error.into(), published, unsettled);
    }
}

/// A message in the forms in which queues get it, each made once.
struct Forms<'a> {
    accepted: &'a Accepted,
    origin: &'a Origin<'a>,
    /// By whether it is raw and whether the queue is a FIFO queue. The body of an enveloped one is yet to be put in.
    contents: [[OnceCell<Content>; 2]; 2],
    envelope: OnceCell<EnvelopeText>,
}

impl Forms<'_> {
    fn store(&self, queue: &Queue, subscriber: &Subscriber, raw: bool) -> Result<Position, SendError> {
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
        queue.store(SendMessage { content, delay: None })
    }

    /// Notes that the queue of a subscription did not take the message, which may be its dead letter then.
    fn fail(
        &self,
        subscriber: &Arc<Subscriber>,
        error: SendError,
        published: &mut Published,
        unsettled: &mut VecDeque<Unsettled>,
    ) {
        let (dead_letter, position) = match self.dead_letter(subscriber) {
            Ok(None) => (DeadLetterDelivery::NoQueue, 0),
            Ok(Some(position)) => (DeadLetterDelivery::Taken, position),
            Err(error) => (DeadLetterDelivery::Refused(error), 0),
        };
        note_unsettled(unsettled, subscriber, position, Some(published.failures.len()));
        published.failures.push(DeliveryFailure {
            subscription_arn: Arc::clone(&subscriber.arn),
            error,
            dead_letter,
        });
    }

    /// Stores it in the dead-letter queue, as it was to be delivered or else in an envelope, which has room for more than
    /// ten attributes (E27).
    fn dead_letter(&self, subscriber: &Subscriber) -> Result<Option<Position>, SendError> {
        let Some(queue) = &subscriber.attributes.dead_letter else {
            return Ok(None);
        };
        let stored = match self.store(queue, subscriber, subscriber.attributes.raw) {
            Err(SendError::InvalidParameterValue(InvalidParameterValue::MessageAttribute(
                InvalidMessageAttribute::TooMany { .. },
            ))) => self.store(queue, subscriber, false),
            stored => stored,
        };
        stored.map(Some)
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

    fn envelope(&self) -> &EnvelopeText {
        let accepted = self.accepted;
        self.envelope.get_or_init(|| {
            EnvelopeText::new(
                self.origin,
                &accepted.message,
                accepted.message_id,
                accepted.sequence_number,
                accepted.at,
            )
        })
    }
}
