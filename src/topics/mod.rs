//! Topics: one message for many queues, as Amazon SNS delivers to SQS (E25-E32). Feature `topics`.
//!
//! [The guide](crate::guide::topics) begins with an example and lists the operators of filter policies.
//!
//! ```text
//!   publish -- check, number --> index of policies --> subscriptions that match --> raw or enveloped --> their queues
//!                                                                                        refused there --> dead letters
//! ```
//!
//! A topic has a lock of its own, under which no queue is called. A standard topic delivers in the threads that publish,
//! side by side. On a FIFO topic they take turns to store a message, so that all queues get its messages in one order, and
//! wait for the queues' journals after that.

mod builder;
mod delivery;
mod envelope;
mod error;
mod memory;
mod message;
mod policy;
mod subscribers;
mod subscription;
mod turn;

pub use {
    builder::TopicBuilder,
    envelope::Envelope,
    error::{CreateTopicError, LostMessageError, ParseEnvelopeError, PublishError, SubscribeError},
    message::{DeadLetterDelivery, DeliveryFailure, PublishMessage, Published},
    policy::{ConditionError, FilterPolicy, FilterPolicyError, FilterPolicyScope, NumericError},
    subscription::{Subscribe, Subscription},
};

use {
    crate::{
        clock::Clock,
        limits::Limits,
        message::{MessageId, Seed, SequenceNumber},
        sync::{Condvar, Mutex},
        time::Timestamp,
    },
    delivery::Accepted,
    envelope::Origin,
    memory::{Memory, Original},
    message::ByContent,
    std::{collections::VecDeque, fmt, sync::Arc},
    subscribers::Subscribers,
    turn::Waiting,
};

/// A topic: what is published to it goes to every queue whose subscription matches.
///
/// A handle: cloning it is cheap, and all clones are the same topic. It keeps its queues alive, and stores no message: a
/// message is in the queues when [`publish`](Self::publish) returns, or nowhere.
///
/// # Examples
/// ```
/// use requeue::{MessageAttributeValue, Queue};
/// use requeue::topics::{FilterPolicy, PublishMessage, Topic};
///
/// let topic = Topic::standard("orders").build()?;
/// let (billing, archive) = (Queue::standard("billing").build()?, Queue::standard("archive").build()?);
/// let paid = FilterPolicy::attributes(r#"{"state": ["paid"]}"#)?;
/// topic.subscribe(&billing).filter_policy(paid).raw_message_delivery(true).create()?;
/// topic.subscribe(&archive).create()?;
///
/// topic.publish("order-16")?.check()?;
/// topic.publish(PublishMessage::new("order-17").attribute("state", MessageAttributeValue::string("paid")))?.check()?;
/// assert_eq!(archive.counts().visible, 2);
/// assert_eq!(billing.receive().max_messages(10).blocking()?[0].body(), "order-17");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Topic {
    inner: Arc<Inner>,
}

/// The topic behind its handles.
struct Inner {
    name: String,
    arn: Arc<str>,
    region: String,
    fifo: bool,
    by_content: bool,
    maximum_message_size: usize,
    limits: Limits,
    clock: Arc<dyn Clock>,
    seed: Seed,
    /// The sequence number before the first, later for a topic that is built later.
    first_sequence: u64,
    core: Mutex<Core>,
    /// Signalled when a FIFO topic has delivered all that it accepted.
    delivered: Condvar,
}

/// What the lock guards.
#[derive(Default)]
struct Core {
    subscribers: Subscribers,
    /// How many messages were ever accepted.
    published: u64,
    memory: Memory,
    /// FIFO only: what is to be delivered next.
    accepted: VecDeque<Accepted>,
    /// FIFO only: whether a thread delivers, which it does with the lock released.
    delivering: bool,
    /// FIFO only: futures that wait for their turn.
    waiting: Waiting,
}

impl Topic {
    /// The name, on a FIFO topic with its suffix `.fifo`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::Topic;
    /// assert_eq!(Topic::fifo("events.fifo").build()?.name(), "events.fifo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The Amazon Resource Name, `arn:aws:sns:<region>:<account>:<name>`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::Topic;
    /// assert_eq!(Topic::standard("events").build()?.arn(), "arn:aws:sns:us-east-1:000000000000:events");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.inner.arn
    }

    /// Whether it is a FIFO topic.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::Topic;
    /// assert!(Topic::fifo("events.fifo").build()?.is_fifo());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.inner.fifo
    }

    /// All subscriptions, the oldest first.
    ///
    /// # Source
    /// [`ListSubscriptionsByTopic`](https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?;
    /// assert_eq!(topic.subscriptions()[0].queue().name(), "orders");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let core = self.inner.core.lock();
        let all = core.subscribers.all().iter();
        all.map(|it| Subscription::new(self.clone(), it)).collect()
    }

    /// Sends a message to the queue of every subscription that matches, one after the other, before it returns.
    ///
    /// A text is a message, and so is a [`PublishMessage`] with attributes, a subject or ids. A queue that does not take
    /// it keeps no other from getting it, and is never tried again: the message goes to the dead-letter queue of the
    /// subscription or is discarded, and [`Published::failures`] says so. On a FIFO topic a repetition within five minutes
    /// is delivered to nobody and answers as the original did, whatever its group (E25).
    ///
    /// # Errors
    /// `InvalidParameter` for an empty or a too large message, for characters, attributes or ids that no queue takes, for a
    /// subject, and for ids that are missing on a FIFO topic or not for a standard one. Nothing is delivered then.
    ///
    /// # Source
    /// [`Publish`](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, topics::Topic};
    ///
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).raw_message_delivery(true).create()?;
    /// let published = topic.publish("order-17")?;
    /// assert_eq!((published.delivered, published.failures.len()), (1, 0));
    /// assert_eq!(orders.receive().blocking()?[0].body(), "order-17");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish(&self, message: impl Into<PublishMessage>) -> Result<Published, PublishError> {
        let inner = &*self.inner;
        let message = inner.prepare(message.into())?;
        if inner.fifo {
            return Ok(inner.publish_in_turn(message));
        }
        let now = inner.clock.now();
        let accepted = inner.core.lock().accept(inner, now, message);
        let delivery = accepted.store(&inner.origin());
        Ok(delivery.settle(&inner.origin()))
    }

    /// [`publish`](Self::publish) for an async caller: it waits for the journals of the queues, and on a FIFO topic for
    /// its turn, without blocking a thread. Where a journal has less room by then than the message takes, as for large
    /// envelopes or for many queues of one journal, it makes room in place.
    ///
    /// A future that is dropped has published to all queues whose subscription matches, or to none; after that it waits
    /// for the journals alone, and a dead letter of a journal that fails is not sent. On a FIFO topic the order is that in
    /// which messages are stored, whether by futures or by threads, and not that in which the futures were made.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, topics::Topic};
    ///
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?;
    /// assert_eq!(pollster::block_on(topic.publish_async("order-17"))?.delivered, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn publish_async(&self, message: impl Into<PublishMessage> + Send) -> Result<Published, PublishError> {
        let inner = &*self.inner;
        let message = inner.prepare(message.into())?;
        if inner.fifo {
            return Ok(inner.publish_in_turn_async(message).await);
        }
        let now = inner.clock.now();
        let accepted = inner.core.lock().accept(inner, now, message);
        accepted.fan_out.wait_for_room(&accepted.message).await;
        let delivery = accepted.store(&inner.origin());
        Ok(delivery.settle_async(&inner.origin()).await)
    }
}

impl Inner {
    fn prepare(&self, mut message: PublishMessage) -> Result<PublishMessage, PublishError> {
        let fifo = self.fifo.then_some(ByContent(self.by_content));
        message.prepare(&self.limits, self.maximum_message_size, fifo)?;
        Ok(message)
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            topic_arn: &self.arn,
            region: &self.region,
        }
    }

    /// The `number`-th id of its kind that the seed gives.
    fn draw_id(&self, kind: &str, number: u64) -> MessageId {
        self.seed.draw_id(kind, number)
    }
}

impl Core {
    fn accept(&mut self, inner: &Inner, now: Timestamp, message: PublishMessage) -> Accepted {
        self.published += 1;
        let number = self.published;
        let message_id = inner.draw_id("message", number);
        let sequence_number = inner.fifo.then(|| SequenceNumber::new(inner.first_sequence + number));
        if let (Some(sequence_number), Some(id)) = (sequence_number, message.message.get_message_deduplication_id()) {
            let original = Original {
                message_id,
                sequence_number,
            };
            self.memory.note(id, original);
        }
        Accepted {
            message,
            message_id,
            sequence_number,
            at: now,
            fan_out: self.subscribers.fan_out(),
        }
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("arn", &self.inner.arn)
            .finish_non_exhaustive()
    }
}
