//! The check of a consumer: cases drawn from a seed, and the first that fails made short.

use {
    super::{
        case::{self, Outcome, Script, Unfit, World},
        consumer::Consumer,
        faults::{Fault, FaultError, Faults},
        ledger::{FinalMessage, Violation},
        schedule::{Plan, Schedule, ScheduleError},
        shrink,
        story::Story,
    },
    crate::{
        clock::ManualClock,
        error::{CreateQueueError, SendError},
        message::SendMessage,
        queue::{Queue, QueueBuilder},
    },
    proptest::{
        strategy::{BoxedStrategy, Strategy, ValueTree},
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    },
    std::{cell::Cell, collections::BTreeMap, fmt, fs, io, path::Path, rc::Rc},
};

/// More steps than this a case never has, before it is brought to its end.
const MOST_STEPS: u64 = 40;

pub(super) struct QueueConfig {
    pub(super) build: Box<dyn Fn() -> QueueBuilder>,
    pub(super) max_receive_count: Option<u32>,
    /// Known once the check has been examined.
    pub(super) fifo: Cell<bool>,
}

type Make<W> = Box<dyn Fn(&World<W>) -> Consumer>;
type Invariant<W> = Box<dyn Fn(&W) -> bool>;
type FinalInvariant<W> = Box<dyn Fn(&W, &[FinalMessage]) -> bool>;

pub(super) struct Factory<W> {
    pub(super) name: Rc<str>,
    pub(super) make: Make<W>,
}

/// What every case of a check has in common.
pub(super) struct Setup<W> {
    pub(super) world: Box<dyn Fn() -> W>,
    pub(super) queues: Vec<QueueConfig>,
    pub(super) consumers: Vec<Factory<W>>,
    pub(super) invariants: Vec<(String, Invariant<W>)>,
    pub(super) finals: Vec<(String, FinalInvariant<W>)>,
    pub(super) holds: bool,
}

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
///         Consumer::each(move |message| {
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
        },
        messages: None,
        messages_at_most: 6,
        faults: Faults::everyday(),
        cases: 1_000,
        seed: 0,
    }
}

/// A check to be made, begun by [`check`](check()): say what differs, then [`run`](Self::run) it.
#[must_use = "a check does nothing until it is run"]
pub struct Check<W> {
    name: String,
    setup: Setup<W>,
    messages: Option<BoxedStrategy<SendMessage>>,
    messages_at_most: u64,
    faults: Faults,
    cases: u64,
    seed: u64,
}

impl<W> fmt::Debug for Check<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a check that found nothing has done.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Passed {
    /// Cases run.
    pub cases: u64,
    /// Steps taken in all cases, those that bring a case to its end included.
    pub steps: u64,
    /// How often each fault struck.
    pub faults: BTreeMap<Fault, usize>,
}

/// A failing case, made short.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// What did not hold.
    pub violation: Violation,
    /// How it came to that.
    pub story: Story,
    /// The case, to be kept and replayed.
    pub schedule: Schedule,
    /// Which case it was, counted from 0; `None` for a replayed schedule.
    pub case: Option<u64>,
}

impl Failure {
    /// Saves the schedule as a file, which [`Check::replay_file`] reads.
    ///
    /// # Errors
    /// What writing answers.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, self.schedule.to_string())
    }
}

/// Why a check did not pass.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// A property does not hold.
    #[error("the check {name} failed{}\n{}", .failure.case.map_or_else(String::new, |case| format!(" in case {case}")), .failure.story)]
    #[non_exhaustive]
    Failed {
        /// The check.
        name: String,
        /// How.
        failure: Box<Failure>,
    },
    /// No queue, no consumer or no strategy for messages was given.
    #[error("the check has no {0}")]
    Incomplete(&'static str),
    /// The strategy for messages has none to give.
    #[error("the strategy for messages gives none: {0}")]
    NoMessage(String),
    /// A queue could not be made.
    #[error("the queue cannot be made: {0}")]
    Queue(CreateQueueError),
    /// The strategy gave a message that the queue refuses.
    #[error("the queue refuses a message: {0}")]
    Message(SendError),
    /// A fault is not legal for one of the queues.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The schedule to be replayed cannot be read.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The file of a schedule cannot be read.
    #[error("the schedule cannot be read: {0}")]
    File(String),
}

impl CheckError {
    /// The failure, unless the check itself is at fault.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// The story of the failure, unless the check itself is at fault.
    #[must_use]
    pub fn story(&self) -> Option<&Story> {
        self.failure().map(|failure| &failure.story)
    }
}

impl From<Unfit> for CheckError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Queue(error) => Self::Queue(error),
            Unfit::Message(error) => Self::Message(error),
        }
    }
}

impl<W: 'static> Check<W> {
    /// Adds a queue; with several, each case takes one. Clock, seed and listener are set by the check.
    pub fn queue(mut self, build: impl Fn() -> QueueBuilder + 'static) -> Self {
        self.setup.queues.push(QueueConfig {
            build: Box::new(build),
            max_receive_count: None,
            fifo: Cell::new(false),
        });
        self
    }

    /// Adds a queue with a dead-letter queue, which takes a message after so many receives.
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
    pub fn messages<M>(mut self, strategy: impl Strategy<Value = M> + 'static) -> Self
    where
        M: Into<SendMessage> + fmt::Debug + 'static,
    {
        self.messages = Some(strategy.prop_map(Into::into).boxed());
        self
    }

    /// How many messages a case sends at most; the default is 6, and at least one is sent.
    pub const fn messages_at_most(mut self, messages: u64) -> Self {
        self.messages_at_most = if messages == 0 { 1 } else { messages };
        self
    }

    /// Adds a consumer. `make` is called at the beginning of a case, and again when the consumer has crashed: what it
    /// keeps outside the world is then forgotten.
    pub fn consumer(mut self, name: &str, make: impl Fn(&World<W>) -> Consumer + 'static) -> Self {
        self.setup.consumers.push(Factory {
            name: Rc::from(name),
            make: Box::new(make),
        });
        self
    }

    /// What must hold after every step. The name completes the sentence "it does not hold that".
    pub fn always(mut self, name: impl Into<String>, holds: impl Fn(&W) -> bool + 'static) -> Self {
        self.setup.invariants.push((name.into(), Box::new(holds)));
        self
    }

    /// What must hold at the end of every case, when every message has met its fate.
    pub fn finally(mut self, name: impl Into<String>, holds: impl Fn(&W, &[FinalMessage]) -> bool + 'static) -> Self {
        self.setup.finals.push((name.into(), Box::new(holds)));
        self
    }

    /// Also checks that no handler works on a message whose visibility timeout has ended, without noticing: by a
    /// heartbeat that is refused, or by being done in time.
    pub const fn watch_visibility(mut self) -> Self {
        self.setup.holds = true;
        self
    }

    /// Which faults strike; the default is [`Faults::everyday`].
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// How many cases are run; the default is 1,000.
    pub const fn cases(mut self, cases: u64) -> Self {
        self.cases = cases;
        self
    }

    /// The seed of it all; the default is 0. The same seed gives the same cases.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs the cases until one fails, and makes that one short.
    ///
    /// # Errors
    /// [`CheckError`]: a failure with its story, or what is wrong with the check.
    pub fn run(&self) -> Result<Passed, CheckError> {
        let fifo = self.examine()?;
        let mut passed = Passed {
            cases: 0,
            steps: 0,
            faults: BTreeMap::new(),
        };
        for number in 0..self.cases {
            let (plan, script) = self.draw(number, &fifo)?;
            let outcome = case::run(&self.setup, &plan, script, false)?;
            passed.cases += 1;
            passed.steps += outcome.acts as u64;
            for (fault, count) in &outcome.faults {
                *passed.faults.entry(*fault).or_default() += count;
            }
            if outcome.violation.is_some() {
                return Err(self.shrunk(number, plan, outcome)?);
            }
        }
        passed.faults.retain(|_, count| *count > 0);
        Ok(passed)
    }

    /// Runs the check as a test does: a failure is a panic with the story.
    ///
    /// # Panics
    /// If [`run`](Self::run) answers an error.
    #[track_caller]
    pub fn assert(&self) {
        if let Err(error) = self.run() {
            panic!("{error}");
        }
    }

    /// Runs one schedule that failed before.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn replay(&self, schedule: &Schedule) -> Result<Passed, CheckError> {
        self.examine()?;
        let (queue, queues) = (schedule.plan.queue, self.setup.queues.len());
        if queue >= queues {
            return Err(ScheduleError::Queue { queue, queues }.into());
        }
        let outcome = case::run(&self.setup, &schedule.plan, Script::Steps(&schedule.steps), true)?;
        let (steps, faults) = (outcome.acts as u64, outcome.faults.clone());
        match self.failure(schedule.clone(), outcome, None) {
            Some(error) => Err(error),
            None => Ok(Passed {
                cases: 1,
                steps,
                faults,
            }),
        }
    }

    /// Runs the schedule of a file that [`Failure::save`] wrote.
    ///
    /// # Errors
    /// As [`run`](Self::run), and if the file cannot be read.
    pub fn replay_file(&self, path: impl AsRef<Path>) -> Result<Passed, CheckError> {
        let text = fs::read_to_string(path).map_err(|error| CheckError::File(error.to_string()))?;
        self.replay(&text.parse()?)
    }

    /// Whether there is something to check, and for each queue whether it is FIFO.
    fn examine(&self) -> Result<Vec<bool>, CheckError> {
        let missing = [
            ("queue", self.setup.queues.is_empty()),
            ("consumer", self.setup.consumers.is_empty()),
            ("strategy for messages", self.messages.is_none()),
        ];
        if let Some((what, _)) = missing.iter().find(|it| it.1) {
            return Err(CheckError::Incomplete(what));
        }
        let clock = ManualClock::default();
        let mut fifo = Vec::new();
        for config in &self.setup.queues {
            let queue: Queue = (config.build)().clock(&clock).build().map_err(CheckError::Queue)?;
            self.faults.chance(queue.name(), queue.is_fifo(), 0)?;
            config.fifo.set(queue.is_fifo());
            fifo.push(queue.is_fifo());
        }
        Ok(fifo)
    }

    fn draw(&self, number: u64, fifo: &[bool]) -> Result<(Plan, Script<'static>), CheckError> {
        let seed = mix(self.seed, number);
        let mut dice = Faults::none().chance("", false, seed)?;
        let queue = dice.below(fifo.len() as u64) as usize;
        let sampled = !fifo[queue] && self.faults.probability(Fault::SampledPoll) > 0.0 && dice.below(4) == 0;
        let count = 1 + dice.below(self.messages_at_most);
        let trees = self.trees(seed, count)?;
        let plan = Plan {
            seed,
            queue,
            shards: if sampled { 10 } else { 1 },
            messages: trees.iter().map(ValueTree::current).collect(),
        };
        let faults = self.faults.chance("", fifo[queue], mix(seed, 1))?;
        let steps = (4 + dice.below(MOST_STEPS - 4)) as usize;
        let (faults, dice) = (Box::new(faults), Box::new(dice));
        Ok((plan, Script::Chance { faults, dice, steps }))
    }

    fn trees(&self, seed: u64, count: u64) -> Result<Vec<Box<dyn ValueTree<Value = SendMessage>>>, CheckError> {
        let Some(strategy) = &self.messages else {
            return Err(CheckError::Incomplete("strategy for messages"));
        };
        let mut bytes = [0; 32];
        for (at, part) in bytes.chunks_mut(8).enumerate() {
            part.copy_from_slice(&mix(seed, 2 + at as u64).to_le_bytes());
        }
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let none = |reason: proptest::test_runner::Reason| CheckError::NoMessage(reason.to_string());
        (0..count)
            .map(|_| strategy.new_tree(&mut runner).map_err(none))
            .collect()
    }

    fn shrunk(&self, number: u64, plan: Plan, outcome: Outcome) -> Result<CheckError, CheckError> {
        let trees = self.trees(plan.seed, plan.messages.len() as u64)?;
        let schedule = Schedule {
            plan,
            steps: outcome.steps.clone(),
        };
        let schedule = shrink::shrink(&self.setup, schedule, trees, &outcome);
        let told = case::run(&self.setup, &schedule.plan, Script::Steps(&schedule.steps), true)?;
        let whole = self.failure(schedule, told, Some(number));
        Ok(whole.unwrap_or(CheckError::Incomplete(
            "deterministic consumer: a failure did not come again",
        )))
    }

    fn failure(&self, schedule: Schedule, outcome: Outcome, case: Option<u64>) -> Option<CheckError> {
        let violation = outcome.violation?;
        let replay = case.map_or_else(
            || "the same schedule".to_owned(),
            |case| {
                format!(
                    "seed {}, case {case}; or save the schedule and replay its file",
                    self.seed
                )
            },
        );
        let story = Story {
            events: outcome.events,
            violation: violation.sentence.clone(),
            replay,
        };
        let failure = Failure {
            violation,
            story,
            schedule,
            case,
        };
        Some(CheckError::Failed {
            name: self.name.clone(),
            failure: Box::new(failure),
        })
    }
}

/// Another seed from a seed and a number, as SplitMix64 does it.
fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
