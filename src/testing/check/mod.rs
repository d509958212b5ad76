//! [`Check`], the settings of a check of a consumer.

mod outcome;
mod run;
mod seed;

pub use outcome::{CaseFailure, CheckError, Passed};

use {
    super::{
        case::PATIENCE,
        consumer::Consumer,
        faults::Faults,
        ledger::FinalMessage,
        setup::{Factory, QueueConfig, Setup, World},
    },
    crate::{message::SendMessage, queue::QueueBuilder},
    proptest::{
        strategy::{BoxedStrategy, Strategy},
        test_runner::{FailurePersistence, FileFailurePersistence},
    },
    std::{
        cell::{Cell, RefCell},
        fmt,
        rc::Rc,
    },
};

/// Begins a check of one or more consumers, which see and change a world that `world` makes anew for every case.
///
/// # Examples
/// A consumer that charges twice if a message comes twice:
/// ```
/// use requeue::{Queue, testing::{Consumer, check}};
/// use proptest::strategy::Just;
///
/// let failure = check("charges", Vec::<String>::new)
///     .queue(|| Queue::standard("orders"))
///     .messages(Just("order-1"))
///     .consumer("charger", |ledger| {
///         let ledger = ledger.clone();
///         Consumer::each(move |message, _| {
///             ledger.borrow_mut().push(message.body().to_owned());
///             Ok::<_, String>(())
///         })
///     })
///     .messages_at_most(1)
///     .always("an order is charged at most once", |ledger| ledger.len() <= 1)
///     .run()
///     .unwrap_err();
/// assert!(failure.to_string().contains("an order is charged at most once"));
/// ```
pub fn check<W: 'static>(name: impl Into<String>, world: impl Fn() -> W + 'static) -> Check<W> {
    Check {
        name: name.into(),
        setup: Setup {
            world: Box::new(world),
            queues: Vec::new(),
            consumers: Vec::new(),
            invariants: Vec::new(),
            finals: Vec::new(),
            holds: false,
            patience: Cell::new(PATIENCE),
        },
        messages: None,
        messages_at_most: 6,
        faults: Faults::everyday(),
        cases: 1_000,
        seed: 0,
        first_only: false,
        source_file: None,
        persistence: None,
    }
}

/// The builder of a check, from [`check`](check()): settings first, then [`run`](Self::run).
#[must_use = "a check does nothing until it is run"]
pub struct Check<W> {
    name: String,
    setup: Setup<W>,
    messages: Option<BoxedStrategy<SendMessage>>,
    messages_at_most: u64,
    faults: Faults,
    cases: u64,
    seed: u64,
    first_only: bool,
    source_file: Option<&'static str>,
    persistence: Option<RefCell<Box<dyn FailurePersistence>>>,
}

impl<W> fmt::Debug for Check<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<W: 'static> Check<W> {
    /// Adds a queue; with several, each case takes one. Clock, seed and listener are set by the check.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let passed = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs").visibility_timeout(Duration::from_secs(5)))
    ///     .queue(|| Queue::fifo("jobs.fifo").content_based_deduplication(true))
    ///     .messages(Just(requeue::SendMessage::new("job").message_group_id("g")))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .run()?;
    /// assert_eq!(passed.cases, 1_000);
    /// # Ok::<(), requeue::testing::CheckError>(())
    /// ```
    pub fn queue(mut self, build: impl Fn() -> QueueBuilder + 'static) -> Self {
        self.setup.queues.push(QueueConfig {
            build: Box::new(build),
            max_receive_count: None,
            fifo: Cell::new(false),
        });
        self
    }

    /// Adds a queue with a dead-letter queue, which takes a message after so many receives.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let checked = check("numbers", || ())
    ///     .queue_with_dead_letters(3, || Queue::standard("numbers"))
    ///     .messages(Just("five"))
    ///     .consumer("adder", |_| Consumer::each(|message, _| message.body().parse::<u32>().map(drop)))
    ///     .finally("a poison message is kept", |(), messages| {
    ///         messages.iter().all(|it| it.fate == Some(Fate::DeadLettered) && it.received == 3)
    ///     })
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn queue_with_dead_letters(
        mut self,
        max_receive_count: u32,
        build: impl Fn() -> QueueBuilder + 'static,
    ) -> Self {
        self.setup.queues.push(QueueConfig {
            build: Box::new(build),
            max_receive_count: Some(max_receive_count),
            fifo: Cell::new(false),
        });
        self
    }

    /// What is sent.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
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
        self.messages = Some(strategy.prop_map(Into::into).boxed());
        self
    }

    /// How many messages a case sends at most; the default is 6, and at least one is sent.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
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

    /// Adds a consumer. `make` is called at the beginning of a case, and again when the consumer has crashed: what it
    /// keeps outside the world is then forgotten.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let checked = check("jobs", || 0)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("counter", |total| {
    ///         let (total, mut since_the_crash) = (total.clone(), 0);
    ///         Consumer::each(move |_, _| {
    ///             since_the_crash += 1;
    ///             *total.borrow_mut() += 1;
    ///             if since_the_crash > *total.borrow() { Err("it remembers too much") } else { Ok(()) }
    ///         })
    ///     })
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn consumer(mut self, name: &str, make: impl Fn(&World<W>) -> Consumer + 'static) -> Self {
        self.setup.consumers.push(Factory {
            name: Rc::from(name),
            make: Box::new(make),
        });
        self
    }

    /// What must hold after every step. The name completes the sentence "it does not hold that".
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
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
        self.setup.invariants.push((name.into(), Box::new(holds)));
        self
    }

    /// What must hold at the end of every case, when every message has met its fate.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
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
        self.setup.finals.push((name.into(), Box::new(holds)));
        self
    }

    /// Also checks that no handler works on a message whose visibility timeout has ended.
    ///
    /// A handler is judged by what it can know: that a message stays hidden until the time told by its receive and by
    /// the last change that was answered with success. A change that was refused, failed or unanswered extends nothing.
    /// It must not wait past that time, nor finish the message after it; giving up at once is right, and so is giving
    /// the message back by a shorter timeout. One that has several messages may leave some of them while it holds
    /// another, if it does not finish them. Pauses and jumps of the clock excuse all that was received with them.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
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

    /// Which faults strike; the default is [`Faults::everyday`].
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let passed = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .faults(Faults::none().with(Fault::DeleteFails, 0.1))
    ///     .run()?;
    /// assert!(passed.faults.keys().eq([&Fault::DeleteFails]));
    /// # Ok::<(), requeue::testing::CheckError>(())
    /// ```
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// How many cases are run; the default is 1,000.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let passed = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .cases(10)
    ///     .run()?;
    /// assert_eq!(passed.cases, 10);
    /// # Ok::<(), requeue::testing::CheckError>(())
    /// ```
    pub const fn cases(mut self, cases: u64) -> Self {
        self.cases = cases;
        self
    }

    /// The seed of it all; the default is 0. The same seed gives the same cases.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let run = |seed| check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .seed(seed)
    ///     .run();
    /// assert_eq!(run(7)?, run(7)?);
    /// assert_ne!(run(7)?, run(8)?);
    /// # Ok::<(), requeue::testing::CheckError>(())
    /// ```
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs no further case after the first that fails; by default all are run, and the first failure of every property
    /// is told.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()))
    ///     .first_failure_only()
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().starts_with("the check jobs failed in case 0; 1 of 1 case failed"));
    /// ```
    pub const fn first_failure_only(mut self) -> Self {
        self.first_only = true;
        self
    }

    /// Keeps the seeds of failing cases in the regression file of this source file, as the macro `proptest!` does:
    /// pass `file!()`, and commit the file.
    ///
    /// A run begins with the cases that the file keeps, and appends the first of each property that fails for the first
    /// time. A seed says what chance decides; with another strategy, other faults or other queues it is another case. A
    /// file that several checks or `proptest!` share is run by each. Where the file lies is proptest's to say, unless
    /// [`failure_persistence`](Self::failure_persistence) does. What proptest cannot read or write, a truncated line as
    /// well as a whole file, it names on standard error and goes on without.
    ///
    /// # Examples
    /// ```no_run
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .source_file(file!())
    ///     .assert();
    /// ```
    pub fn source_file(mut self, file: &'static str) -> Self {
        self.source_file = Some(file);
        let default = || RefCell::new(Box::new(FileFailurePersistence::default()) as Box<dyn FailurePersistence>);
        self.persistence.get_or_insert_with(default);
        self
    }

    /// Keeps the seeds of failing cases where `persistence` says, as in proptest's configuration; one that needs to know
    /// the source file is told by [`source_file`](Self::source_file), which also says what is kept and when.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// use proptest::test_runner::FileFailurePersistence;
    ///
    /// # let file = std::env::temp_dir().join(format!("requeue-doc-{}.regressions", std::process::id()));
    /// # let file: &'static str = file.into_os_string().into_string().unwrap().leak();
    /// let check = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()))
    ///     .failure_persistence(FileFailurePersistence::Direct(file));
    /// let found = check.run().unwrap_err();
    /// assert_eq!(found.failure().unwrap().case, Some(0));
    /// let again = check.run().unwrap_err();
    /// assert!(again.to_string().starts_with("the check jobs failed in a regression"));
    /// assert_eq!(again.failure().unwrap().seed, found.failure().unwrap().seed);
    /// # std::fs::remove_file(file).unwrap();
    /// ```
    pub fn failure_persistence(mut self, persistence: impl FailurePersistence + 'static) -> Self {
        self.persistence = Some(RefCell::new(Box::new(persistence)));
        self
    }
}
