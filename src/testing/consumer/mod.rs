//! Consumers under test: the handler, how it receives, and whether it deletes for itself.

mod context;

pub use context::{Context, Wait};

use {
    crate::queue::Message,
    std::{
        fmt,
        future::{Future, ready},
        pin::Pin,
        time::Duration,
    },
};

/// What a handler says of each of its messages.
pub(super) type Answers = Vec<Result<(), String>>;
pub(super) type Work = Pin<Box<dyn Future<Output = Answers>>>;
type Start = Box<dyn FnMut(Vec<Message>, Context) -> Work>;

/// A consumer: a handler, who deletes what it has done, and how it receives.
///
/// A handler takes one message ([`each`](Self::each)) or up to ten ([`batch`](Self::batch)), and either returns its
/// answer or is async. It is given a [`Context`], by which it may call the queue, ask the time and, if it is async,
/// [wait](Context::wait). It runs in one thread under virtual time and must not block. What it keeps between its
/// messages is kept until it crashes. What it answers `Ok` is deleted for it, unless it
/// [deletes itself](Self::deletes_itself).
///
/// # Examples
/// ```
/// use requeue::testing::Consumer;
/// use std::time::Duration;
///
/// let strict = Consumer::each(|message, _| message.body().parse::<u32>().map(drop));
/// let slow = Consumer::each_async(|message, context| async move {
///     context.wait(Duration::from_secs(20)).await;
///     message.body().parse::<u32>().map(drop)
/// });
/// # drop((strict, slow));
/// ```
pub struct Consumer {
    /// For a program without messages, and it answers for none.
    pub(super) start: Start,
    /// Whether it receives by itself.
    pub(super) program: bool,
    /// The queue that it receives from; the first of the check if it is not said.
    pub(super) queue: Option<String>,
    /// How many share what it keeps.
    pub(super) workers: usize,
    #[cfg(feature = "testing-tokio")]
    pub(super) on_tokio: bool,
    /// Whether the handler takes all that was received at once.
    pub(super) batch: bool,
    /// Whether the kit deletes what the handler has done.
    pub(super) acknowledged: bool,
    pub(super) max_messages: usize,
    pub(super) visibility_timeout: Option<Duration>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("batch", &self.batch)
            .field("acknowledged", &self.acknowledged)
            .field("max_messages", &self.max_messages)
            .finish_non_exhaustive()
    }
}

impl Consumer {
    /// A handler of one message.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let checked = check("uploads", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("resize cat.png"))
    ///     .consumer("resizer", |_| Consumer::each(|message, context| match message.body() {
    ///         "resize cat.png" => context.send("upload cat.png").map(drop),
    ///         _ => Ok(()),
    ///     }))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[must_use]
    pub fn each<E: fmt::Display>(mut handler: impl FnMut(&Message, &Context) -> Result<(), E> + 'static) -> Self {
        Self::new(false, move |messages, context| {
            let answers = messages.iter().map(|message| answer(handler(message, &context)));
            Box::pin(ready(answers.collect()))
        })
    }

    /// A handler of up to ten messages that answers for each, in their order. The first that gets no answer counts as
    /// failed, and those after it as not begun; if none gets one, all failed.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("numbers", || ())
    ///     .queue_with_dead_letters(3, || Queue::standard("numbers"))
    ///     .messages(Just("five"))
    ///     .consumer("adder", |_| Consumer::batch(|messages, _| {
    ///         messages.iter().map(|message| message.body().parse::<u32>().map(drop)).collect()
    ///     }))
    ///     .run();
    /// assert!(checked.is_ok(), "a dead letter is no failure");
    /// ```
    #[must_use]
    pub fn batch<E: fmt::Display>(
        mut handler: impl FnMut(&[Message], &Context) -> Vec<Result<(), E>> + 'static,
    ) -> Self {
        Self::new(true, move |messages, context| {
            let answers = handler(&messages, &context).into_iter().map(answer);
            Box::pin(ready(answers.collect()))
        })
    }

    /// An async handler of one message.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Property, check}}};
    /// # use std::time::Duration;
    /// let error = check("films", || ())
    ///     .queue(|| Queue::standard("films").visibility_timeout(Duration::from_secs(30)))
    ///     .messages(Just("film.mov"))
    ///     .consumer("renderer", |_| Consumer::each_async(|_, context| async move {
    ///         context.wait(Duration::from_secs(45)).await;
    ///         Ok::<_, String>(())
    ///     }))
    ///     .watch_visibility()
    ///     .run()
    ///     .unwrap_err();
    /// assert_eq!(error.failure().unwrap().violation.property, Property::HoldsWhatItWorksOn);
    /// ```
    #[must_use]
    pub fn each_async<E, F>(mut handler: impl FnMut(Message, Context) -> F + 'static) -> Self
    where
        E: fmt::Display,
        F: Future<Output = Result<(), E>> + 'static,
    {
        Self::new(false, move |messages, context| {
            let work: Vec<F> = messages
                .into_iter()
                .map(|message| handler(message, context.clone()))
                .collect();
            Box::pin(async move {
                let mut answers = Vec::with_capacity(work.len());
                for work in work {
                    answers.push(answer(work.await));
                }
                answers
            })
        })
    }

    /// An async handler of up to ten messages that answers for each, in their order, as in [`batch`](Self::batch).
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let checked = check("pictures", || ())
    ///     .queue(|| Queue::standard("pictures"))
    ///     .messages(Just("cat.png"))
    ///     .consumer("uploader", |_| Consumer::batch_async(|messages, context| async move {
    ///         context.wait(Duration::from_secs(messages.len() as u64)).await;
    ///         messages.iter().map(|_| Ok::<_, String>(())).collect()
    ///     }))
    ///     .watch_visibility()
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[must_use]
    pub fn batch_async<E, F>(mut handler: impl FnMut(Vec<Message>, Context) -> F + 'static) -> Self
    where
        E: fmt::Display,
        F: Future<Output = Vec<Result<(), E>>> + 'static,
    {
        Self::new(true, move |messages, context| {
            let work = handler(messages, context);
            Box::pin(async move { work.await.into_iter().map(answer).collect() })
        })
    }

    /// Says that the handler deletes what it has done by itself, with [`Context::delete`] or [`Message::delete`], and
    /// nobody does so for it.
    ///
    /// Of one that deletes before it is done a check sees what is lost by a crash at an await after the delete, whatever
    /// the world, and at a [`Context::checkpoint`] after it as well. Where neither follows the delete, a crash strikes at
    /// [`Context::delete`] and what follows is never carried out; an invariant has to say what must then have happened.
    /// After a [`Message::delete`] that neither follows nothing can strike.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let orders = |early| check("orders", || 0)
    ///     .queue(|| Queue::standard("orders"))
    ///     .messages(Just("order"))
    ///     .consumer("shipper", move |shipped| {
    ///         let shipped = shipped.clone();
    ///         Consumer::each(move |message, context| {
    ///             if early {
    ///                 context.delete(message)?;
    ///             }
    ///             *shipped.borrow_mut() += 1;
    ///             if early { Ok(()) } else { context.delete(message) }
    ///         })
    ///         .deletes_itself()
    ///     })
    ///     .finally("what is gone is shipped", |shipped, messages| *shipped >= messages.len())
    ///     .run();
    /// assert!(orders(true).is_err());
    /// assert!(orders(false).is_ok());
    /// ```
    #[must_use]
    pub const fn deletes_itself(mut self) -> Self {
        self.acknowledged = false;
        self
    }

    /// At most this many messages per receive, 1 to 10; the default is 10 for a batch handler and 1 for others.
    ///
    /// A handler of one message is given them one after the other; on a FIFO queue those of the same group are left to
    /// their timeouts after a failure. Every receive counts towards the dead-letter queue: where messages are left often
    /// enough, they break [`Property::NoDeadLetterWithoutFailure`](super::Property::NoDeadLetterWithoutFailure).
    /// With a number out of that range the queue refuses every receive, and messages end by their retention.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())).max_messages(10))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[must_use]
    pub const fn max_messages(mut self, max_messages: usize) -> Self {
        self.max_messages = max_messages;
        self
    }

    /// The visibility timeout of its receives, 0 to 12 hours; the default is the queue's.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let render = |timeout| check("films", || ())
    ///     .queue(|| Queue::standard("films"))
    ///     .messages(Just("film.mov"))
    ///     .consumer("renderer", move |_| {
    ///         let consumer = Consumer::each_async(|_, context| async move {
    ///             context.wait(Duration::from_secs(45)).await;
    ///             Ok::<_, String>(())
    ///         });
    ///         consumer.visibility_timeout(Duration::from_secs(timeout))
    ///     })
    ///     .watch_visibility()
    ///     .run();
    /// assert!(render(30).is_err() && render(60).is_ok());
    /// ```
    #[must_use]
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout = Some(timeout);
        self
    }

    /// A program that receives by itself: a loop of its own, a runner, or a service, on the queues of the context.
    ///
    /// It is polled when it is woken, and keeps its own time by [`Context::wait`]. It may run for ever; one that returns
    /// is begun anew while a queue has messages. A crash ends all of it, and it is made anew.
    ///
    /// # Examples
    /// A loop that charges before it deletes:
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Context, FaultError, World, check}}};
    /// # use std::time::Duration;
    /// type Ledger = World<Vec<String>>;
    ///
    /// async fn charge(ledger: Ledger, context: Context) -> Result<(), FaultError> {
    ///     let orders = context.queue("orders")?;
    ///     loop {
    ///         let received = orders.receive_async(|poll| poll.wait_time(Duration::from_secs(20))).await;
    ///         for order in received.into_iter().flatten() {
    ///             ledger.borrow_mut().push(order.body().to_owned());
    ///             let _ = orders.delete(&order);
    ///         }
    ///     }
    /// }
    ///
    /// let error = check("charges", Vec::<String>::new)
    ///     .queue(|| Queue::standard("orders"))
    ///     .messages(Just("order-1"))
    ///     .consumer("charger", |ledger: &Ledger| {
    ///         let ledger = ledger.clone();
    ///         Consumer::program(move |context| charge(ledger.clone(), context))
    ///     })
    ///     .messages_at_most(1)
    ///     .always("an order is charged once", |ledger| ledger.len() <= 1)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().contains("an order is charged once"));
    /// ```
    #[must_use]
    pub fn program<T, F>(mut start: impl FnMut(Context) -> F + 'static) -> Self
    where
        T: fmt::Debug,
        F: Future<Output = T> + 'static,
    {
        let consumer = Self::new(true, move |_, context| {
            let work = start(context);
            Box::pin(async move { vec![ended(&work.await)] })
        });
        Self {
            program: true,
            acknowledged: false,
            ..consumer
        }
    }

    /// The queue that a handler receives from; the default is the first queue of the check.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("numbers", || 0)
    ///     .queue_with_dead_letters(3, || Queue::standard("numbers"))
    ///     .messages(Just("five"))
    ///     .consumer("adder", |_| Consumer::each(|message, _| message.body().parse::<u32>().map(drop)))
    ///     .consumer("clerk", |seen| {
    ///         let seen = seen.clone();
    ///         let look = move |_: &_, _: &_| {
    ///             *seen.borrow_mut() += 1;
    ///             Ok::<_, String>(())
    ///         };
    ///         Consumer::each(look).from("numbers-dead-letters")
    ///     })
    ///     .finally("somebody has seen each", |seen, messages| *seen >= messages.len() / 2)
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[must_use]
    pub fn from(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// So many workers, at least one, who run at the same time: they share what the closure keeps, and die together, as
    /// the threads of one process do. The default is 1.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}, std::{cell::Cell, rc::Rc}};
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| {
    ///         let at_work = Rc::new(Cell::new(0));
    ///         let consumer = Consumer::each_async(move |_, context| {
    ///             let at_work = at_work.clone();
    ///             async move {
    ///                 at_work.set(at_work.get() + 1);
    ///                 context.wait(std::time::Duration::from_secs(1)).await;
    ///                 assert!(at_work.replace(at_work.get() - 1) < 2, "two at once");
    ///                 Ok::<_, String>(())
    ///             }
    ///         });
    ///         consumer.workers(2)
    ///     })
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().contains("two at once"));
    /// ```
    #[must_use]
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = if workers == 0 { 1 } else { workers };
        self
    }

    /// Runs it in a runtime of tokio whose clock is the virtual time: `sleep`, `timeout`, `interval` and `spawn` work.
    ///
    /// Its workers share a runtime of one thread, and a crash ends it with all that was spawned. The check has to run
    /// outside of any other runtime, in a plain `#[test]`.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let checked = check("films", || ())
    ///     .queue(|| Queue::standard("films"))
    ///     .messages(Just("film.mov"))
    ///     .consumer("renderer", |_| {
    ///         let render = || async { tokio::time::sleep(Duration::from_secs(3)).await };
    ///         let consumer = Consumer::each_async(move |_, _| async move {
    ///             tokio::spawn(render()).await.map_err(|error| error.to_string())
    ///         });
    ///         consumer.on_tokio()
    ///     })
    ///     .watch_visibility()
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[cfg(feature = "testing-tokio")]
    #[must_use]
    pub const fn on_tokio(mut self) -> Self {
        self.on_tokio = true;
        self
    }

    fn new(batch: bool, start: impl FnMut(Vec<Message>, Context) -> Work + 'static) -> Self {
        Self {
            start: Box::new(start),
            program: false,
            queue: None,
            workers: 1,
            #[cfg(feature = "testing-tokio")]
            on_tokio: false,
            batch,
            acknowledged: true,
            max_messages: if batch { 10 } else { 1 },
            visibility_timeout: None,
        }
    }
}

/// A program that returns an `Err` says why it ended.
fn ended(output: &impl fmt::Debug) -> Result<(), String> {
    let text = format!("{output:?}");
    if text.starts_with("Err(") { Err(text) } else { Ok(()) }
}

fn answer<E: fmt::Display>(result: Result<(), E>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}
