//! The result of a check.

use {
    crate::{
        error::{CreateQueueError, ReceiveError, SendError},
        testing::{
            case::Unfit,
            faults::{Fault, FaultError},
            ledger::Violation,
            schedule::{CaseSchedule, ScheduleError},
            story::Story,
        },
    },
    proptest::test_runner::PersistedSeed,
    std::{collections::BTreeMap, fmt, fs, io, iter, path::Path},
};

/// The result of a check without a failure.
///
/// # Examples
/// ```
/// # use requeue::{Queue, testing::{Consumer, Faults, check}};
/// # use proptest::strategy::Just;
/// let passed = check("jobs", || ())
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("job"))
///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
///     .faults(Faults::none())
///     .cases(100)
///     .run()?;
/// assert_eq!((passed.cases, passed.regressions), (100, 0));
/// assert!(passed.steps > 100 && passed.faults.is_empty());
/// # Ok::<(), requeue::testing::CheckError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Passed {
    /// Cases run, without the regressions.
    pub cases: u64,
    /// Cases run again that failed once, from a regression file.
    pub regressions: u64,
    /// Steps taken in all cases, those that bring a case to its end included.
    pub steps: u64,
    /// How often each fault struck.
    pub faults: BTreeMap<Fault, usize>,
}

/// A failing case, after shrinking.
///
/// # Examples
/// ```
/// # use requeue::{Queue, testing::{Consumer, Property, check}};
/// # use proptest::strategy::Just;
/// let check = check("jobs", || ())
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("job"))
///     .consumer("c", |_| Consumer::each(|_, _| -> Result<(), String> { panic!("no disk") }));
/// let error = check.run().unwrap_err();
/// let failure = error.failure().unwrap();
/// assert_eq!(failure.violation.property, Property::NoConsumerPanics);
/// assert_eq!(failure.story.events.len(), 3);
///
/// let again = check.replay_case(failure.case.unwrap()).unwrap_err();
/// assert_eq!(again.failure(), Some(failure));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CaseFailure {
    /// What did not hold.
    pub violation: Violation,
    /// How it came to that.
    pub story: Story,
    /// The case, to be kept and replayed.
    pub schedule: CaseSchedule,
    /// Which case it was, counted from 0; `None` for a regression and for a replayed schedule.
    pub case: Option<u64>,
    /// What a regression file keeps of the case; `None` for a replayed schedule.
    pub seed: Option<PersistedSeed>,
}

impl CaseFailure {
    /// Saves the schedule as a file, which [`Check::replay_file`](super::Check::replay_file) reads.
    ///
    /// # Errors
    /// What writing answers.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// # let check = check("jobs", || ())
    /// #     .queue(|| Queue::standard("jobs"))
    /// #     .messages(Just("job"))
    /// #     .consumer("c", |_| Consumer::each(|_, _| -> Result<(), String> { panic!("no disk") }));
    /// # let path = std::env::temp_dir().join(format!("requeue-doc-{}.schedule", std::process::id()));
    /// let error = check.run().unwrap_err();
    /// error.failure().unwrap().save(&path)?;
    /// let again = check.replay_file(&path).unwrap_err();
    /// assert_eq!(again.failure().unwrap().violation, error.failure().unwrap().violation);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, self.schedule.to_string())
    }

    /// Where it failed.
    fn place(&self) -> String {
        match (self.case, &self.seed) {
            (Some(case), _) => format!(" in case {case}"),
            (None, Some(_)) => " in a regression, which failed before".to_owned(),
            (None, None) => " in a replayed schedule".to_owned(),
        }
    }
}

/// What a regression file says of a failure, behind its seed.
pub(super) struct Summary<'a> {
    pub(super) name: &'a str,
    pub(super) failure: &'a CaseFailure,
}

impl fmt::Debug for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, failure } = self;
        write!(f, "{name}: {}", failure.violation)?;
        for event in &failure.story.events {
            write!(f, "; {} {}", event.who, event.what)?;
            if let Some(fault) = event.fault {
                write!(f, " <- {fault}")?;
            }
        }
        Ok(())
    }
}

/// Why a check did not pass.
///
/// # Examples
/// ```
/// use requeue::testing::{CheckError, check};
///
/// let error = check("jobs", || ()).run().unwrap_err();
/// assert!(matches!(error, CheckError::Incomplete("queue")));
/// assert_eq!(error.to_string(), "the check has no queue");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// A property does not hold.
    #[error("{}", told(.name, .failure, .others, (*.failed, *.cases), false))]
    #[non_exhaustive]
    Failed {
        /// The check.
        name: String,
        /// The first failure.
        failure: Box<CaseFailure>,
        /// The first failure of each other property.
        others: Vec<CaseFailure>,
        /// How many cases failed, regressions included.
        failed: u64,
        /// Of how many, regressions included.
        cases: u64,
    },
    /// A case failed, and passed when it was run again.
    #[error(
        "the check {name} failed once, and not again in the same case: {violation}; something in it depends on more \
         than its case"
    )]
    #[non_exhaustive]
    NotDeterministic {
        /// The check.
        name: String,
        /// What did not hold.
        violation: Violation,
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
    /// A consumer receives in a way that the queue refuses.
    #[error("the queue refuses a receive: {0}")]
    Receive(ReceiveError),
    /// A fault is not legal for one of the queues.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The schedule to be replayed cannot be read.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The file of a schedule cannot be read.
    #[error("the schedule cannot be read: {0}")]
    File(String),
    /// A regression file has a seed of another generator than proptest's default, which cases are not drawn from.
    #[error("the regression {0} is no seed of proptest's ChaCha generator")]
    Regression(PersistedSeed),
}

impl CheckError {
    /// The first failure, unless the check itself is at fault.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// let refused = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just(""))
    ///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
    ///     .run();
    /// assert!(refused.unwrap_err().failure().is_none(), "the strategy is wrong, not the consumer");
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<&CaseFailure> {
        self.failures().next()
    }

    /// The first failure, and the first of each other property; none if the check itself is at fault.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// let error = check("jobs", || 0)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |done| {
    ///         let done = done.clone();
    ///         Consumer::each(move |message, _| {
    ///             assert!(message.approximate_receive_count() < 2, "not again");
    ///             *done.borrow_mut() += 1;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .always("at most three jobs are done", |done| *done <= 3)
    ///     .run()
    ///     .unwrap_err();
    /// let properties: Vec<_> = error.failures().map(|it| it.violation.to_string()).collect();
    /// assert_eq!(properties.len(), 2);
    /// ```
    pub fn failures(&self) -> impl Iterator<Item = &CaseFailure> {
        let (first, others) = match self {
            Self::Failed { failure, others, .. } => (Some(&**failure), &others[..]),
            _ => (None, &[][..]),
        };
        first.into_iter().chain(others)
    }

    /// The story of the first failure, unless the check itself is at fault.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()))
    ///     .run()
    ///     .unwrap_err();
    /// assert_eq!(error.story().unwrap().violation, "m1 was deleted before its handler returned");
    /// ```
    #[must_use]
    pub fn story(&self) -> Option<&Story> {
        self.failure().map(|failure| &failure.story)
    }

    /// The error as text, with colours for a terminal or without; [`Display`](fmt::Display) is without.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()))
    ///     .cases(10)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().lines().next().unwrap().ends_with(" of 10 cases failed"));
    /// assert!(error.render(true).contains("\u{1b}[31mviolated:"));
    /// ```
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Failed {
                name,
                failure,
                others,
                failed,
                cases,
            } => told(name, failure, others, (*failed, *cases), colour),
            other => other.to_string(),
        }
    }
}

/// The first story whole, and a line for each other property.
fn told(name: &str, failure: &CaseFailure, others: &[CaseFailure], (failed, of): (u64, u64), colour: bool) -> String {
    let (place, story) = (failure.place(), failure.story.render(colour));
    let cases = if of == 1 { "case" } else { "cases" };
    let first = format!("the check {name} failed{place}; {failed} of {of} {cases} failed\n{story}");
    let others = others.iter().map(|other| {
        let Story { violation, replay, .. } = &other.story;
        // The shortest way to see it again is named first.
        let replay = replay.split(';').next().unwrap_or_default();
        format!("also violated: {violation} (replay: {replay})\n")
    });
    iter::once(first).chain(others).collect()
}

impl From<Unfit> for CheckError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Queue(error) => Self::Queue(error),
            Unfit::Message(error) => Self::Message(error),
            Unfit::Receive(error) => Self::Receive(error),
        }
    }
}
