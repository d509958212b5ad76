//! Subscriptions: the builder of one, and the handle of one.

use {
    super::{
        Inner, Topic,
        error::SubscribeError,
        policy::FilterPolicy,
        subscribers::{Attributes, Subscriber, Subscribers},
    },
    crate::queue::Queue,
    std::{fmt, sync::Arc},
};

impl Topic {
    /// Begins a subscription of a queue: by default of every message, in an envelope, without a dead-letter queue.
    ///
    /// # Source
    /// [`Subscribe`](https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, topics::{FilterPolicy, Topic}};
    ///
    /// let topic = Topic::standard("events").build()?;
    /// let (orders, failed) = (Queue::standard("orders").build()?, Queue::standard("orders-failed").build()?);
    /// topic
    ///     .subscribe(&orders)
    ///     .filter_policy(FilterPolicy::body(r#"{"type": ["order"]}"#)?)
    ///     .raw_message_delivery(true)
    ///     .dead_letter(&failed)
    ///     .create()?;
    /// topic.publish(r#"{"type": "order", "id": 17}"#)?.check()?;
    /// topic.publish(r#"{"type": "visit", "id": 18}"#)?.check()?;
    /// assert_eq!(orders.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(&self, queue: &Queue) -> Subscribe {
        Subscribe {
            topic: self.clone(),
            queue: queue.clone(),
            attributes: Attributes::default(),
        }
    }
}

/// What a subscription is to be; [`create`](Self::create) makes it.
#[must_use = "a subscription exists once it is created"]
pub struct Subscribe {
    topic: Topic,
    queue: Queue,
    attributes: Attributes,
}

impl Subscribe {
    /// `FilterPolicy`: which messages the queue gets, by default all (E30).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::{FilterPolicy, Topic}};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).filter_policy(FilterPolicy::attributes(r#"{"region": ["eu"]}"#)?).create()?;
    /// assert_eq!(topic.publish("order-17")?.delivered, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_policy(mut self, policy: FilterPolicy) -> Self {
        self.attributes.policy = Some(policy);
        self
    }

    /// `RawMessageDelivery`: whether the queue gets the body and the attributes as they were published (E27), by default
    /// not but an envelope (E26).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).raw_message_delivery(true).create()?;
    /// topic.publish("order-17")?.check()?;
    /// assert_eq!(orders.receive().blocking()?[0].body(), "order-17");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw_message_delivery(mut self, raw: bool) -> Self {
        self.attributes.raw = raw;
        self
    }

    /// `RedrivePolicy`: where a message goes that the queue does not take, by default nowhere. Another queue of the same
    /// type.
    ///
    /// It goes there as it was to be delivered, but in an envelope if it is raw and has more than ten attributes. A message
    /// that is too large for the queue is lost if it is so for this one too: an envelope may be more than twice as large as
    /// the body in it, so give both queues room for it by their `MaximumMessageSize`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service, topics::Topic};
    /// let service = Service::new();
    /// let orders = service.create_queue("orders", QueueAttributes::new())?;
    /// let failed = service.create_queue("orders-failed", QueueAttributes::new())?;
    /// let topic = Topic::standard("events").service(&service).build()?;
    /// topic.subscribe(&orders).dead_letter(&failed).create()?;
    /// service.delete_queue("orders")?;
    /// let failure = &topic.publish("order-17")?.failures[0];
    /// assert_eq!((failure.error.code(), failure.is_lost()), ("QueueDoesNotExist", false));
    /// assert_eq!(failed.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dead_letter(mut self, queue: &Queue) -> Self {
        self.attributes.dead_letter = Some(queue.clone());
        self
    }

    /// Makes the subscription, or finds the one that the queue has with the same attributes. It acts at once.
    ///
    /// # Errors
    /// `InvalidParameter` for a FIFO queue on a standard topic, a queue that is subscribed with other attributes, and a
    /// dead-letter queue that is of the other type or the queue itself; `FilterPolicyLimitExceeded` and
    /// `SubscriptionLimitExceeded` (E25, E32).
    ///
    /// # Source
    /// [`Subscribe`](https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// let subscription = topic.subscribe(&orders).create()?;
    /// assert_eq!(topic.subscribe(&orders).create()?.arn(), subscription.arn());
    /// let error = topic.subscribe(&orders).raw_message_delivery(true).create().unwrap_err();
    /// assert_eq!(error.code(), "InvalidParameter");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(self) -> Result<Subscription, SubscribeError> {
        let Self {
            topic,
            queue,
            attributes,
        } = self;
        let inner = &topic.inner;
        if queue.is_fifo() && !inner.fifo {
            return Err(SubscribeError::FifoQueueOnStandardTopic);
        }
        check_dead_letter(&queue, attributes.dead_letter.as_ref())?;
        let mut core = inner.core.lock();
        let subscribers = &mut core.subscribers;
        if let Some(existing) = subscribers.all().iter().find(|it| it.queue.is(&queue)) {
            if !existing.attributes.is_same_as(&attributes) {
                return Err(SubscribeError::DifferentAttributes);
            }
            let existing = Arc::clone(existing);
            drop(core);
            return Ok(Subscription::new(topic, &existing));
        }
        inner.check_subscriptions(subscribers)?;
        inner.check_policies(subscribers, attributes.policy.as_ref())?;
        subscribers.created += 1;
        let number = subscribers.created;
        let subscriber = Arc::new(Subscriber {
            number,
            arn: format!("{}:{}", inner.arn, inner.draw_id("subscription", number)).into(),
            queue,
            attributes,
        });
        let leftover = subscribers.push(Arc::clone(&subscriber));
        drop(core);
        drop(leftover);
        Ok(Subscription::new(topic, &subscriber))
    }
}

fn check_dead_letter(queue: &Queue, dead_letter: Option<&Queue>) -> Result<(), SubscribeError> {
    match dead_letter {
        Some(dead_letter) if dead_letter.is(queue) => Err(SubscribeError::DeadLetterQueueIsQueue),
        Some(dead_letter) if dead_letter.is_fifo() != queue.is_fifo() => {
            Err(SubscribeError::DeadLetterQueueType { fifo: queue.is_fifo() })
        }
        _ => Ok(()),
    }
}

impl Inner {
    fn check_subscriptions(&self, subscribers: &Subscribers) -> Result<(), SubscribeError> {
        let limit = self.limits.large_topic_subscriptions;
        let is_large = self.maximum_message_size > self.limits.topic_message_size_min;
        if is_large && subscribers.all().len() >= limit {
            return Err(SubscribeError::SubscriptionLimitExceeded {
                limit,
                maximum_message_size: self.maximum_message_size,
            });
        }
        Ok(())
    }

    /// Whether there may be one more with this policy.
    fn check_policies(&self, subscribers: &Subscribers, policy: Option<&FilterPolicy>) -> Result<(), SubscribeError> {
        let limit = self.limits.filter_policies;
        if policy.is_some() && subscribers.with_policy() >= limit {
            return Err(SubscribeError::FilterPolicyLimitExceeded { limit });
        }
        Ok(())
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("topic", &self.topic)
            .field("queue", &self.queue)
            .field("attributes", &self.attributes)
            .finish()
    }
}

/// A queue's subscription to a topic: a handle, and dropping it changes nothing.
///
/// # Examples
/// ```
/// use requeue::{Queue, topics::Topic};
///
/// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
/// let subscription = topic.subscribe(&orders).create()?;
/// assert_eq!(topic.publish("order-17")?.delivered, 1);
/// assert!(subscription.unsubscribe());
/// assert_eq!(topic.publish("order-18")?.delivered, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Subscription {
    topic: Topic,
    number: u64,
    arn: Arc<str>,
    queue: Queue,
}

impl Subscription {
    pub(super) fn new(topic: Topic, subscriber: &Subscriber) -> Self {
        Self {
            topic,
            number: subscriber.number,
            arn: Arc::clone(&subscriber.arn),
            queue: subscriber.queue.clone(),
        }
    }

    /// The ARN of the topic with an id behind it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// let subscription = topic.subscribe(&orders).create()?;
    /// assert!(subscription.arn().starts_with("arn:aws:sns:us-east-1:000000000000:events:"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The queue that is subscribed.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// assert_eq!(topic.subscribe(&orders).create()?.queue().name(), "orders");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The filter policy at present, with its text and scope; `None` without one, and once the subscription has ended.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::{FilterPolicy, FilterPolicyScope, Topic}};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// let subscription = topic.subscribe(&orders).filter_policy(FilterPolicy::body(r#"{"id": [17]}"#)?).create()?;
    /// let policy = subscription.filter_policy().unwrap();
    /// assert_eq!((policy.as_str(), policy.scope()), (r#"{"id": [17]}"#, FilterPolicyScope::MessageBody));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn filter_policy(&self) -> Option<FilterPolicy> {
        self.attributes()?.policy
    }

    /// Whether the queue gets raw messages at present, and no envelopes; not once the subscription has ended.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// assert!(topic.subscribe(&orders).raw_message_delivery(true).create()?.raw_message_delivery());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn raw_message_delivery(&self) -> bool {
        self.attributes().is_some_and(|it| it.raw)
    }

    /// The dead-letter queue at present; `None` without one, and once the subscription has ended.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// let failed = Queue::standard("orders-failed").build()?;
    /// let subscription = topic.subscribe(&orders).dead_letter(&failed).create()?;
    /// assert_eq!(subscription.dead_letter().unwrap().arn(), failed.arn());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dead_letter(&self) -> Option<Queue> {
        self.attributes()?.dead_letter
    }

    /// Replaces the filter policy, `None` for none; messages that are published from here on go by it. SNS may need 15
    /// minutes for that (E32).
    ///
    /// # Errors
    /// `FilterPolicyLimitExceeded` (E32), and `NotFound` if the subscription has ended.
    ///
    /// # Source
    /// [`SetSubscriptionAttributes`](https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::{FilterPolicy, Topic}};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// let subscription = topic.subscribe(&orders).create()?;
    /// subscription.set_filter_policy(FilterPolicy::body(r#"{"type": ["order"]}"#)?)?;
    /// assert_eq!(topic.publish("order-17")?.delivered, 0);
    /// subscription.set_filter_policy(None)?;
    /// assert_eq!(topic.publish("order-17")?.delivered, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_filter_policy(&self, policy: impl Into<Option<FilterPolicy>>) -> Result<(), SubscribeError> {
        let policy = policy.into();
        self.change(|inner, subscribers, attributes| {
            if attributes.policy.is_none() {
                inner.check_policies(subscribers, policy.as_ref())?;
            }
            attributes.policy = policy;
            Ok(())
        })
    }

    /// Replaces `RawMessageDelivery`; messages that are published from here on go by it.
    ///
    /// # Errors
    /// `NotFound` if the subscription has ended.
    ///
    /// # Source
    /// [`SetSubscriptionAttributes`](https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?.set_raw_message_delivery(true)?;
    /// topic.publish("order-17")?.check()?;
    /// assert_eq!(orders.receive().blocking()?[0].body(), "order-17");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_raw_message_delivery(&self, raw: bool) -> Result<(), SubscribeError> {
        self.change(|_, _, attributes| {
            attributes.raw = raw;
            Ok(())
        })
    }

    /// Replaces the dead-letter queue, `None` for none; messages that are published from here on go by it.
    ///
    /// # Errors
    /// `InvalidParameter` for a queue of the other type or the subscribed one, and `NotFound` if the subscription has
    /// ended.
    ///
    /// # Source
    /// [`SetSubscriptionAttributes`](https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// let (subscription, failed) = (topic.subscribe(&orders).create()?, Queue::standard("orders-failed").build()?);
    /// subscription.set_dead_letter(&failed)?;
    /// orders.delete_queue()?;
    /// assert!(!topic.publish("order-17")?.failures[0].is_lost());
    /// assert_eq!(failed.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_dead_letter<'q>(&self, queue: impl Into<Option<&'q Queue>>) -> Result<(), SubscribeError> {
        let queue = queue.into();
        self.change(|_, _, attributes| {
            check_dead_letter(&self.queue, queue)?;
            attributes.dead_letter = queue.cloned();
            Ok(())
        })
    }

    /// Makes a subscriber with other attributes, or leaves the one that there is.
    fn change(
        &self,
        change: impl FnOnce(&Inner, &Subscribers, &mut Attributes) -> Result<(), SubscribeError>,
    ) -> Result<(), SubscribeError> {
        let inner = &self.topic.inner;
        let mut core = inner.core.lock();
        let subscriber = core.subscribers.get(self.number).ok_or(SubscribeError::NotFound)?;
        let mut attributes = subscriber.attributes.clone();
        change(inner, &core.subscribers, &mut attributes)?;
        let subscriber = Arc::new(Subscriber {
            number: self.number,
            arn: Arc::clone(&self.arn),
            queue: self.queue.clone(),
            attributes,
        });
        let leftover = core.subscribers.replace(subscriber);
        drop(core);
        drop(leftover);
        Ok(())
    }

    fn attributes(&self) -> Option<Attributes> {
        let core = self.topic.inner.core.lock();
        core.subscribers.get(self.number).map(|it| it.attributes.clone())
    }

    /// Ends the subscription, and says whether there was still one. A message that is being delivered may still arrive.
    ///
    /// # Source
    /// [`Unsubscribe`](https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// let subscription = topic.subscribe(&orders).create()?;
    /// assert!(subscription.unsubscribe() && !subscription.unsubscribe());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unsubscribe(&self) -> bool {
        let leftover = self.topic.inner.core.lock().subscribers.remove(self.number);
        leftover.is_some()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("arn", &self.arn)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
