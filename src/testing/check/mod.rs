//! [`Check`], the settings of a check of a consumer.

mod chance;
mod exhaustive;
mod inputs;
mod outcome;
mod passed;
mod properties;
mod regressions;
mod run;
mod scene;
mod seed;
mod tally;
#[cfg(test)]
mod tests;

pub use {
    outcome::{CaseFailure, CheckError},
    passed::Passed,
};

use {
    super::{
        case::PATIENCE,
        consumer::Consumer,
        consumer::Context,
        faults::Faults,
        inputs::Inputs,
        setup::{ActionConfig, Factory, QueueConfig, Redrive, Setup},
        world::World,
    },
    crate::queue::QueueBuilder,
    std::{cell::Cell, fmt, panic::Location, path::PathBuf, sync::Arc, time::Duration},
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
            redrives: Vec::new(),
            consumers: Vec::new(),
            actions: Vec::new(),
            always: Vec::new(),
            sometimes: Vec::new(),
            finally: Vec::new(),
            holds: false,
            none_expires: false,
            blocked_after: Duration::from_secs(30),
            named_queues: Vec::new(),
            quiet_period: Duration::from_secs(60),
            patience: Cell::new(PATIENCE),
        },
        inputs: Inputs::default(),
        messages_at_most: 6,
        faults: Faults::mixed(),
        pairs: 500,
        cases: 1_000,
        steps_at_most: 40,
        seed: 0,
        first_only: false,
        regression_file: None,
    }
}

/// The builder of a check, from [`check`](check()): settings first, then [`run`](Self::run).
#[must_use = "a check does nothing until it is run"]
pub struct Check<W> {
    name: String,
    setup: Setup<W>,
    inputs: Inputs,
    messages_at_most: u64,
    faults: Faults,
    pairs: u64,
    cases: u64,
    steps_at_most: u64,
    seed: u64,
    first_only: bool,
    regression_file: Option<PathBuf>,
}

impl<W> fmt::Debug for Check<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<W: 'static> Check<W> {
    /// Adds a queue. Clock, seed and listener are set by the check. The first takes the messages, and is where consumers
    /// receive from if they do not say [otherwise](Consumer::from).
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let passed = check("orders", || 0)
    ///     .queue(|| Queue::standard("orders").visibility_timeout(Duration::from_secs(5)))
    ///     .queue(|| Queue::standard("payments"))
    ///     .messages(Just("order-1"))
    ///     .consumer("clerk", |_| Consumer::each(|order, context| {
    ///         let payments = context.queue("payments").map_err(|error| error.to_string())?;
    ///         payments.send(order.body()).map(drop).map_err(|error| error.to_string())
    ///     }))
    ///     .consumer("cashier", |_| Consumer::each(|_, _| Ok::<_, String>(())).from("payments"))
    ///     .finally("each order is paid", |_, messages| {
    ///         let of = |queue: &str| messages.iter().filter(|it| &*it.queue == queue).count();
    ///         of("payments") >= of("orders")
    ///     })
    ///     .run()?;
    /// assert_eq!(passed.cases, 1_000);
    /// # Ok::<(), requeue::testing::CheckError>(())
    /// ```
    pub fn queue(mut self, build: impl Fn() -> QueueBuilder + 'static) -> Self {
        self.setup.queues.push(vec![QueueConfig::new(None, build)]);
        self
    }

    /// Adds another form of the queue that was added last: each case takes one of them.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, SendMessage, testing::{Consumer, check}}};
    /// let checked = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .or_queue(|| Queue::fifo("jobs.fifo").content_based_deduplication(true))
    ///     .messages(Just(SendMessage::new("job").message_group_id("g")))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn or_queue(self, build: impl Fn() -> QueueBuilder + 'static) -> Self {
        self.or(QueueConfig::new(None, build))
    }

    /// Adds a queue with a dead-letter queue of its own, which takes a message after so many receives.
    ///
    /// Of the queue `numbers` it is `numbers-dead-letters`, and of `numbers.fifo` it is `numbers-dead-letters.fifo`.
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
    ///         let mut numbers = messages.iter().filter(|it| &*it.queue == "numbers");
    ///         numbers.all(|it| it.fate == Some(Fate::DeadLettered) && it.received == 3)
    ///     })
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn queue_with_dead_letters(
        mut self,
        max_receive_count: u32,
        build: impl Fn() -> QueueBuilder + 'static,
    ) -> Self {
        let config = QueueConfig::new(Some(max_receive_count), build);
        self.setup.queues.push(vec![config]);
        self
    }

    /// [`or_queue`](Self::or_queue) with a dead-letter queue of its own.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, SendMessage, testing::{Consumer, check}}};
    /// let checked = check("numbers", || ())
    ///     .queue_with_dead_letters(3, || Queue::standard("numbers"))
    ///     .or_queue_with_dead_letters(3, || Queue::fifo("numbers.fifo").content_based_deduplication(true))
    ///     .messages(Just(SendMessage::new("five").message_group_id("g")))
    ///     .consumer("adder", |_| Consumer::each(|message, _| message.body().parse::<u32>().map(drop)))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn or_queue_with_dead_letters(
        self,
        max_receive_count: u32,
        build: impl Fn() -> QueueBuilder + 'static,
    ) -> Self {
        self.or(QueueConfig::new(Some(max_receive_count), build))
    }

    fn or(mut self, config: QueueConfig) -> Self {
        match self.setup.queues.last_mut() {
            Some(forms) => forms.push(config),
            None => self.setup.queues.push(vec![config]),
        }
        self
    }

    /// Lets one queue of the check take the dead letters of another, after so many receives.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("numbers", || 0)
    ///     .queue(|| Queue::standard("numbers"))
    ///     .queue(|| Queue::standard("failed"))
    ///     .dead_letters("numbers", "failed", 3)
    ///     .messages(Just("five"))
    ///     .consumer("adder", |_| Consumer::each(|message, _| message.body().parse::<u32>().map(drop)))
    ///     .consumer("reporter", |reported| {
    ///         let reported = reported.clone();
    ///         let report = move |_: &_, _: &_| {
    ///             *reported.borrow_mut() += 1;
    ///             Ok::<_, String>(())
    ///         };
    ///         Consumer::each(report).from("failed")
    ///     })
    ///     .finally("each failure is reported", |reported, messages| 2 * *reported >= messages.len())
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn dead_letters(
        mut self,
        source: impl Into<String>,
        target: impl Into<String>,
        max_receive_count: u32,
    ) -> Self {
        self.setup.redrives.push(Redrive {
            source: source.into(),
            target: target.into(),
            max_receive_count,
        });
        self
    }

    /// Adds something that the outside world may do at any time, any number of times: a customer cancels, a file is
    /// changed. The context sends to the queues of the check; what it does meets faults, and does not die.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// #[derive(Default)]
    /// struct Order { cancelled: bool, shipped_afterwards: bool }
    ///
    /// let error = check("orders", Order::default)
    ///     .queue(|| Queue::standard("orders"))
    ///     .messages(Just("order-1"))
    ///     .consumer("shipper", |order| {
    ///         let order = order.clone();
    ///         Consumer::each(move |_, _| {
    ///             let mut order = order.borrow_mut();
    ///             order.shipped_afterwards |= order.cancelled;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .action("cancels the order", |order, _| order.borrow_mut().cancelled = true)
    ///     .always("no cancelled order is shipped", |order| !order.shipped_afterwards)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().contains("cancels the order"));
    /// ```
    pub fn action(mut self, name: &str, act: impl Fn(&World<W>, &Context) + 'static) -> Self {
        self.setup.actions.push(ActionConfig {
            name: Arc::from(name),
            act: Box::new(act),
        });
        self
    }

    /// How long a case goes on after the last message is gone, for what programs do later; the default is a minute.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, check}}, std::time::Duration};
    /// let reports = |quiet| check("reports", || 0)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .consumer("daily", |reports| {
    ///         let reports = reports.clone();
    ///         Consumer::program(move |context| {
    ///             let reports = reports.clone();
    ///             async move {
    ///                 context.wait(Duration::from_secs(86_400)).await;
    ///                 *reports.borrow_mut() += 1;
    ///             }
    ///         })
    ///     })
    ///     .quiet_period(Duration::from_secs(quiet))
    ///     .faults(Faults::none())
    ///     .cases(1)
    ///     .finally("a report is written", |reports, _| *reports > 0)
    ///     .run();
    /// assert!(reports(90_000).is_ok());
    /// ```
    pub const fn quiet_period(mut self, quiet_period: Duration) -> Self {
        self.setup.quiet_period = quiet_period;
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
    #[track_caller]
    pub fn consumer(mut self, name: &str, make: impl Fn(&World<W>) -> Consumer + 'static) -> Self {
        self.setup.consumers.push(Factory {
            name: Arc::from(name),
            make: Box::new(make),
            place: Location::caller().into(),
        });
        self
    }

    /// Which faults strike; the default is [`Faults::mixed`].
    ///
    /// Those whose probability is not 0 are tried one by one and in pairs, and then strike in random cases.
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

    /// How many schedules with two disturbances are run at most; the default is 500, and 0 leaves them out.
    ///
    /// A disturbance is a fault that strikes, or an action of the outside world. Those of the fewest messages come first.
    /// Where a schedule takes more than 40 steps, so many fewer are run. Single disturbances take about 200 steps for each
    /// pair, and at least 10,000: a check of a large consumer that asks for few pairs leaves out single ones too, and says
    /// so.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, Fate, Fault, check}}};
    /// # use std::time::Duration;
    /// let check = |pairs| check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .messages_at_most(1)
    ///     .pairs(pairs);
    /// assert!(check(5_000).run()?.pairs_complete);
    /// assert!(!check(10).run()?.pairs_complete);
    /// # Ok::<(), requeue::testing::CheckError>(())
    /// ```
    pub const fn pairs(mut self, schedules: u64) -> Self {
        self.pairs = schedules;
        self
    }

    /// How many random cases are run after the schedules with one disturbance and with two; the default is 1,000.
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

    /// How many steps a random case has at most, before it is brought to its end; the default is 40, and at least 4.
    ///
    /// A step sends a message, lets a consumer act, or lets time pass: a case of 10,000 messages needs about 40,000.
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
    ///     .messages_at_most(1_000)
    ///     .steps_at_most(4_000)
    ///     .cases(5)
    ///     .always("nobody does a hundred jobs", |done| *done < 100)
    ///     .run();
    /// assert!(checked.is_err());
    /// ```
    pub const fn steps_at_most(mut self, steps: u64) -> Self {
        self.steps_at_most = if steps < 4 { 4 } else { steps };
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
    /// assert!(error.to_string().starts_with("the check jobs failed without a fault; 1 of 1 schedule failed"));
    /// ```
    pub const fn first_failure_only(mut self) -> Self {
        self.first_only = true;
        self
    }

    /// How long a single call of a consumer, or of other code of the check, may take in real time before it counts as
    /// blocked; the default is 30 s. With [`Duration::MAX`], as one may want under a debugger, it may take for ever.
    ///
    /// A handler that blocks its thread, or loops for ever without awaiting, never comes back to the kit, and nothing can
    /// stop a thread from outside. The kit then writes the check, the consumer with its place and the place of its last
    /// call to standard error, and ends the process with exit code 101, as a test that panics does: going on would leave
    /// the thread at work among the tests that follow. What comes back later than that, but before the process ends, is
    /// not told.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}, std::time::Duration};
    /// let checked = check("proofs", || ())
    ///     .queue(|| Queue::standard("proofs"))
    ///     .messages(Just("x < 2 -> x < 3"))
    ///     .consumer("prover", |_| Consumer::each(|_, _| Ok::<_, String>(()))) // may take minutes
    ///     .blocked_after(Duration::from_secs(600))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub const fn blocked_after(mut self, limit: Duration) -> Self {
        self.setup.blocked_after = limit;
        self
    }

    /// Keeps failing cases in a file, with which later runs begin: commit it.
    ///
    /// A relative path begins at the current directory, which is the root of the package in `cargo test`. The file is made
    /// when a case fails for the first time. Each run begins with the schedules that the file keeps for checks of this
    /// name, and appends the first failing case of each property that it does not keep yet. Several checks may share a
    /// file. It is text that a person can read and edit: the story as a comment, the name of the check, and the
    /// [`CaseSchedule`](super::CaseSchedule).
    ///
    /// A line that cannot be read is an error of the run. Only a last block that ends too early, as an interrupted write
    /// leaves it, is named on standard error and left out. A file that cannot be written is named there as well.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # let file = std::env::temp_dir().join(format!("requeue-doc-{}.regressions", std::process::id()));
    /// let check = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()))
    ///     .regression_file(&file); // in a test: "tests/consumers.regressions"
    /// let found = check.run().unwrap_err();
    /// assert_eq!(found.failure().unwrap().regression, None);
    /// let again = check.run().unwrap_err();
    /// assert!(again.to_string().starts_with("the check jobs failed in the regression at "));
    /// assert_eq!(again.failure().unwrap().schedule, found.failure().unwrap().schedule);
    /// # std::fs::remove_file(file).unwrap();
    /// ```
    pub fn regression_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.regression_file = Some(path.into());
        self
    }
}
