//! What must hold in a check.

use {
    super::Check,
    crate::testing::{
        ledger::FinalMessage,
        properties::{Effects, in_order, never_missing, never_twice, nothing_lost},
        setup::Requirement,
    },
    std::{fmt::Display, hash::Hash, rc::Rc, sync::Arc},
};

impl<W: 'static> Check<W> {
    /// What must hold after every turn: whatever a consumer or the outside world has done, and before anything else is
    /// done. The name completes the sentence "it does not hold that".
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let error = check("jobs", || 0)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |done| {
    ///         let done = done.clone();
    ///         Consumer::each(move |_, _| {
    ///             *done.borrow_mut() += 1;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .always("at most two jobs are done", |done| *done <= 2)
    ///     .run()
    ///     .unwrap_err();
    /// assert_eq!(error.story().unwrap().violation, "it does not hold that at most two jobs are done");
    /// ```
    pub fn always(mut self, name: impl Into<String>, holds: impl Fn(&W) -> bool + 'static) -> Self {
        let requirement = Requirement::named(name.into(), move |world, _| holds(world));
        self.setup.always.push(requirement);
        self
    }

    /// What must hold at the end of every case, when every message has met its fate.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("jobs", || 0)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |done| {
    ///         let done = done.clone();
    ///         Consumer::each(move |_, _| {
    ///             *done.borrow_mut() += 1;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .finally("every job is done", |done, messages| *done >= messages.len())
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn finally(mut self, name: impl Into<String>, holds: impl Fn(&W, &[FinalMessage]) -> bool + 'static) -> Self {
        let requirement = Requirement::named(name.into(), move |world, messages| holds(world, &messages.all()));
        self.setup.finally.push(requirement);
        self
    }

    /// What must hold once in a run, after any turn of any case: a run in which it never does fails, for all that is
    /// checked about it was checked in vain. [`Passed::reached`](super::Passed::reached) says in how many cases it did.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{CheckError, Consumer, check}}};
    /// # #[derive(Default)] struct Shop { charged: u32, refunded: u32 }
    /// let error = check("refunds", Shop::default)
    ///     .queue(|| Queue::standard("orders"))
    ///     .messages(Just("charge 5 EUR")) // and no "refund 5 EUR"
    ///     .consumer("cashier", |shop| {
    ///         let shop = shop.clone();
    ///         Consumer::each(move |order, _| {
    ///             match order.body() {
    ///                 "charge 5 EUR" => shop.borrow_mut().charged += 1,
    ///                 _ => shop.borrow_mut().refunded += 1,
    ///             }
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .always("no more is refunded than charged", |shop| shop.refunded <= shop.charged)
    ///     .sometimes("a charge happens", |shop| shop.charged > 0)
    ///     .sometimes("a refund happens", |shop| shop.refunded > 0)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(matches!(&error, CheckError::NeverReached { names, .. } if *names == ["a refund happens"]));
    /// ```
    pub fn sometimes(mut self, name: impl Into<String>, holds: impl Fn(&W) -> bool + 'static) -> Self {
        self.setup.sometimes.push((Arc::from(name.into()), Box::new(holds)));
        self
    }

    /// Effects that happen exactly once for each key: never twice, at any moment, and at the end the key that a deleted
    /// message demands is there.
    ///
    /// `effect` is what happens to a key, as in "order-1 was charged twice". `effects` are the keys in the world, in the
    /// order of their effects, and `demands` is the key of a message; with `None` it demands no effect. A key is an id of
    /// the business: two messages with the same key demand one effect, so ids are best drawn as a
    /// [`message_sequence`](Self::message_sequence). A message that became a dead letter demands nothing.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let error = check("charges", Vec::<String>::new)
    ///     .queue(|| Queue::standard("orders"))
    ///     .message_sequence(Just(vec!["order-1", "order-2"]))
    ///     .consumer("charger", |charged| {
    ///         let charged = charged.clone();
    ///         Consumer::each(move |order, _| {
    ///             charged.borrow_mut().push(order.body().to_owned());
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .effects_exactly_once("charged", |charged| charged.clone(), |order| Some(order.body.to_string()))
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.story().unwrap().violation.ends_with(" was charged twice"));
    /// ```
    pub fn effects_exactly_once<K: Eq + Hash + Display + 'static>(
        mut self,
        effect: &str,
        effects: impl Fn(&W) -> Vec<K> + 'static,
        demands: impl Fn(&FinalMessage) -> Option<K> + 'static,
    ) -> Self {
        let effects: Effects<W, K> = Rc::new(effects);
        self.setup.always.push(never_twice(effect, Rc::clone(&effects)));
        let finally = never_missing(effect, effects, Box::new(demands));
        self.setup.finally.push(finally);
        self
    }

    /// Effects that follow, in each group of messages, the order in which the messages were sent. What comes again later
    /// does not matter, nor what never comes.
    ///
    /// The arguments are those of [`effects_exactly_once`](Self::effects_exactly_once). Messages without a group are one
    /// group. A message that became a dead letter or expired is in no order, nor is any other with its key.
    ///
    /// # Examples
    /// A consumer that works off a batch from its end:
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, SendMessage, testing::{Consumer, check}}};
    /// let orders = ["placed", "paid"].map(|body| SendMessage::new(body).message_group_id("order-1"));
    /// let error = check("orders", Vec::<String>::new)
    ///     .queue(|| Queue::fifo("orders.fifo").content_based_deduplication(true))
    ///     .message_sequence(Just(orders.to_vec()))
    ///     .consumer("clerk", |recorded| {
    ///         let recorded = recorded.clone();
    ///         Consumer::batch(move |messages, _| {
    ///             let bodies = messages.iter().rev().map(|message| message.body().to_owned());
    ///             recorded.borrow_mut().extend(bodies);
    ///             messages.iter().map(|_| Ok::<_, String>(())).collect()
    ///         })
    ///     })
    ///     .effects_in_order("recorded", |recorded| recorded.clone(), |message| Some(message.body.to_string()))
    ///     .run()
    ///     .unwrap_err();
    /// let violation = &error.story().unwrap().violation;
    /// assert_eq!(violation, "paid was recorded before placed, which was sent first in group order-1");
    /// ```
    pub fn effects_in_order<K: Eq + Hash + Display + 'static>(
        mut self,
        effect: &str,
        effects: impl Fn(&W) -> Vec<K> + 'static,
        demands: impl Fn(&FinalMessage) -> Option<K> + 'static,
    ) -> Self {
        let requirement = in_order(effect, Rc::new(effects), Box::new(demands));
        self.setup.always.push(requirement);
        self
    }

    /// At the end, each message that was deleted from one queue has a message of the same key that was sent to another.
    ///
    /// `key_of` is the key of a message of either queue; a message of the first with `None` demands nothing. A run answers
    /// [`CheckError::NoQueue`](super::CheckError::NoQueue) if the check has no queue of one of the names. That a dead letter
    /// is not lost the kit checks by itself.
    ///
    /// # Examples
    /// A clerk that swallows the error of a send:
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let error = check("orders", || ())
    ///     .queue(|| Queue::standard("orders"))
    ///     .queue(|| Queue::standard("payments"))
    ///     .messages(Just("order-1"))
    ///     .consumer("clerk", |_| Consumer::each(|order, context| {
    ///         let payments = context.queue("payments").map_err(|error| error.to_string())?;
    ///         let _ = payments.send(order.body());
    ///         Ok::<_, String>(())
    ///     }))
    ///     .nothing_lost("orders", "payments", |message| Some(message.body.to_string()))
    ///     .run()
    ///     .unwrap_err();
    /// let violation = &error.story().unwrap().violation;
    /// assert_eq!(violation, "m1 was deleted from orders, but order-1 was never sent to payments");
    /// ```
    pub fn nothing_lost<K: Eq + Hash + Display + 'static>(
        mut self,
        from: impl Into<String>,
        to: impl Into<String>,
        key_of: impl Fn(&FinalMessage) -> Option<K> + 'static,
    ) -> Self {
        let (from, to) = (from.into(), to.into());
        self.setup.named_queues.extend([from.clone(), to.clone()]);
        self.setup.finally.push(nothing_lost(from, to, Box::new(key_of)));
        self
    }

    /// Every message ends in success or as a dead letter: none expires while consumers leave it or fail it again and again.
    ///
    /// Only what expires at the end of a case counts, where no fault strikes and everybody goes on: if it was received twice
    /// since, or not at all for an hour. Time that a case lets pass before is no consumer's doing.
    ///
    /// # Examples
    /// A poison message on a queue without a dead-letter queue:
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Property, check}}};
    /// let error = check("numbers", || ())
    ///     .queue(|| Queue::standard("numbers"))
    ///     .messages(Just("five"))
    ///     .consumer("adder", |_| Consumer::each(|message, _| message.body().parse::<u32>().map(drop)))
    ///     .none_expires()
    ///     .run()
    ///     .unwrap_err();
    /// assert_eq!(error.failure().unwrap().violation.property, Property::NoneExpires);
    /// ```
    pub const fn none_expires(mut self) -> Self {
        self.setup.none_expires = true;
        self
    }

    /// Also checks that no handler works on a message whose visibility timeout has ended.
    ///
    /// A handler is judged by what it can know: that a message stays hidden until the time told by its receive and by
    /// the last change that was answered with success. A change that was refused, failed or unanswered extends nothing.
    /// It must not wait past that time, nor finish the message after it, nor say after it that it does something for the
    /// message, by [`Context::effect`](super::super::Context::effect); giving up at once is right, and so is giving
    /// the message back by a shorter timeout. One that has several messages may leave some of them while it holds
    /// another, if it does not finish them. Pauses and jumps of the clock excuse all that was received with them.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let render = || check("films", || ())
    ///     .queue(|| Queue::standard("films").visibility_timeout(Duration::from_secs(30)))
    ///     .messages(Just("film.mov"))
    ///     .consumer("renderer", |_| Consumer::each_async(|_, context| async move {
    ///         context.wait(Duration::from_secs(45)).await;
    ///         Ok::<_, String>(())
    ///     }));
    /// assert!(render().run().is_ok());
    /// assert!(render().watch_visibility().run().is_err());
    /// ```
    pub const fn watch_visibility(mut self) -> Self {
        self.setup.holds = true;
        self
    }
}
