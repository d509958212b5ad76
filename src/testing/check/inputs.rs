//! What a check sends.

use {super::Check, crate::message::SendMessage, proptest::strategy::Strategy, std::fmt};

impl<W: 'static> Check<W> {
    /// What is sent to the first queue: each message is drawn by itself.
    ///
    /// Another call replaces the strategy. With [`messages_to`](Self::messages_to) each message is drawn from one of them.
    /// For ids that must not come twice, or messages that build on each other, see
    /// [`message_sequence`](Self::message_sequence).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// let checked = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages("[a-z]{1,9}")
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .finally("all are short", |(), messages| messages.iter().all(|it| it.body.len() < 10))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn messages<M>(mut self, strategy: impl Strategy<Value = M> + 'static) -> Self
    where
        M: Into<SendMessage> + fmt::Debug + 'static,
    {
        self.inputs.add_each(None, strategy.prop_map(Into::into).boxed());
        self
    }

    /// What the producer sends to another queue of the check: each message is drawn by itself.
    ///
    /// Another call for the same queue replaces the strategy. A run answers
    /// [`CheckError::NoQueue`](super::CheckError::NoQueue) if the check has no queue of this name.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("orders", || ())
    ///     .queue(|| Queue::standard("orders"))
    ///     .queue(|| Queue::standard("cancellations"))
    ///     .messages(Just("order-1"))
    ///     .messages_to("cancellations", Just("cancel order-1"))
    ///     .consumer("shipper", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .consumer("clerk", |_| Consumer::each(|_, _| Ok::<_, String>(())).from("cancellations"))
    ///     .finally("each queue has its own", |(), messages| {
    ///         messages.iter().all(|it| it.body.starts_with("cancel") == (&*it.queue == "cancellations"))
    ///     })
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn messages_to<M>(mut self, queue: impl Into<String>, strategy: impl Strategy<Value = M> + 'static) -> Self
    where
        M: Into<SendMessage> + fmt::Debug + 'static,
    {
        let strategy = strategy.prop_map(Into::into).boxed();
        self.inputs.add_each(Some(queue.into()), strategy);
        self
    }

    /// All that is sent to the first queue, in its order: for unique ids, and messages that build on each other.
    ///
    /// Every case sends all of a sequence that the strategy gives, or the first of it, however
    /// [`messages_at_most`](Self::messages_at_most) is set. A story may leave out any of them: a sequence without some of its
    /// messages has to be legal too. Independent messages are sent in between. Another call replaces the strategy.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Strategy, requeue::{Queue, testing::{Consumer, Faults, check}}};
    /// # use std::collections::BTreeSet;
    /// let orders = (1..=5_u32).prop_map(|count| (1..=count).map(|id| format!("order-{id}")).collect());
    /// let checked = check("orders", || ())
    ///     .queue(|| Queue::standard("orders"))
    ///     .message_sequence(orders)
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .messages_at_most(1) // does not matter
    ///     .finally("no id comes twice", |(), messages| {
    ///         let ids: BTreeSet<_> = messages.iter().map(|it| &it.body).collect();
    ///         ids.len() == messages.len()
    ///     })
    ///     .faults(Faults::none())
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn message_sequence<M>(mut self, strategy: impl Strategy<Value = Vec<M>> + 'static) -> Self
    where
        M: Into<SendMessage> + fmt::Debug + 'static,
    {
        let convert = |all: Vec<M>| all.into_iter().map(Into::into).collect();
        self.inputs.add_sequence(strategy.prop_map(convert).boxed());
        self
    }

    /// How many independent messages a case sends at most; the default is 6, and at least one is sent. It does not
    /// shorten a [`message_sequence`](Self::message_sequence).
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, check}}};
    /// let checked = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .faults(Faults::none())
    ///     .messages_at_most(2)
    ///     .finally("at most two are sent", |(), messages| messages.len() <= 2)
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub const fn messages_at_most(mut self, messages: u64) -> Self {
        self.messages_at_most = if messages == 0 { 1 } else { messages };
        self
    }
}
