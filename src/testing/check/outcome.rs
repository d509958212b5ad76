//! What a check found, or why it could not be run.

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
    std::{
        fmt, fs, io, iter,
        path::{Path, PathBuf},
    },
};

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
/// let again = check.replay(&failure.schedule).unwrap_err();
/// assert_eq!(again.failure().unwrap().story.events, failure.story.events);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CaseFailure {
    /// What did not hold.
    pub violation: Violation,
    /// How it came to that.
    pub story: Story,
    /// Other sets of faults that each lead to the same violation, as far as the run has tried them: single faults, or
    /// pairs if none does alone. The simplest come first.
    pub also_with: Vec<Vec<Fault>>,
    /// The case, to be kept and replayed.
    pub schedule: CaseSchedule,
    /// Which random case it was, counted from 0; `None` for any other schedule.
    pub case: Option<u64>,
    /// The seed of the case, as [`Check::replay_seed`](super::Check::replay_seed) takes it; `None` for a schedule.
    pub seed: Option<PersistedSeed>,
    /// Where a regression file keeps it, as `file:line`; `None` if it is no regression.
    pub regression: Option<String>,
    pub(super) phase: Phase,
}

/// What a schedule was run for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Replay,
    Exhaustive,
    Chance,
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

    /// Saves the story as a page of HTML with a picture; see [`Story::to_html`].
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
    /// # let path = std::env::temp_dir().join(format!("requeue-doc-{}.html", std::process::id()));
    /// let error = check.run().unwrap_err();
    /// error.failure().unwrap().save_html(&path)?;
    /// assert!(std::fs::read_to_string(&path)?.contains(": no disk"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn save_html(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let title = format!("The failure{}", self.place());
        fs::write(path, self.story.page(&title, self.also().as_deref()))
    }

    /// The other faults that lead to the same, in a line.
    fn also(&self) -> Option<String> {
        const MOST: usize = 6;
        let named = |set: &Vec<Fault>| set.iter().map(Fault::to_string).collect::<Vec<_>>().join(" and ");
        let sets: Vec<_> = self.also_with.iter().take(MOST).map(named).collect();
        let more = match self.also_with.len().saturating_sub(MOST) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (!sets.is_empty()).then(|| format!("also with: {}{more}", sets.join("; ")))
    }

    /// The faults of its story, the simplest first; an outage is one, however many calls it strikes.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<_> = self.story.events.iter().filter_map(|event| event.fault).collect();
        let is_out = faults.contains(&Fault::Outage);
        faults.retain(|fault| *fault != Fault::Outage);
        faults.extend(is_out.then_some(Fault::Outage));
        faults.sort_by_key(|fault| fault.strangeness());
        faults
    }

    /// Where it failed.
    fn place(&self) -> String {
        match (&self.regression, self.case, self.phase) {
            (Some(place), ..) => format!(" in the regression at {place}, which failed before"),
            (None, Some(case), _) => format!(" in case {case}"),
            (None, None, Phase::Chance) => " in the case of a seed".to_owned(),
            (None, None, Phase::Replay) => " in a replayed schedule".to_owned(),
            (None, None, Phase::Exhaustive) => match self.faults().len() {
                0 => " without a fault".to_owned(),
                1 => " with a single fault".to_owned(),
                count => format!(" with {count} faults"),
            },
        }
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
#[derive(Clone, thiserror::Error)]
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
        /// How many of the schedules or cases failed that were run last.
        failed: u64,
        /// Of how many.
        cases: u64,
    },
    /// A schedule took another way when it was run again.
    #[error(
        "the check {name} is not deterministic: {difference}; something in it depends on more than its schedule, as on \
         the machine's clock, another thread, a `select!` of tokio without `biased` or what an earlier case left behind"
    )]
    #[non_exhaustive]
    NotDeterministic {
        /// The check.
        name: String,
        /// What did not hold, if that is how it was noticed.
        violation: Option<Violation>,
        /// What was different, in a sentence.
        difference: String,
    },
    /// No case failed, and some that was to hold sometimes never did.
    #[error("the check {name} passed {cases} schedules and cases, but in none of them did it hold that {}", .names.join(", or that "))]
    #[non_exhaustive]
    NeverReached {
        /// The check.
        name: String,
        /// What never held, as [`sometimes`](super::Check::sometimes) names it.
        names: Vec<String>,
        /// How many schedules and cases passed.
        cases: u64,
    },
    /// No case failed, but no consumer has received a message, or sent one.
    #[error(
        "the check {name} passed {cases} schedules and cases, but in none of them did a consumer receive a message{}",
        .error.as_ref().map_or_else(String::new, |error| format!("; {error}"))
    )]
    #[non_exhaustive]
    NothingReceived {
        /// The check.
        name: String,
        /// A program and the error that it returned, if one did.
        error: Option<String>,
        /// How many schedules and cases passed.
        cases: u64,
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
    /// The check has no queue of this name.
    #[error("the check has no queue named {0:?}")]
    NoQueue(String),
    /// Two queues of the check have this name.
    #[error("the check has two queues named {0:?}")]
    SameName(String),
    /// The dead letters of this queue come back to it.
    #[error("the dead letters of the queue {0:?} come back to it")]
    Circle(String),
    /// A fault is not legal for one of the queues.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The schedule to be replayed cannot be read.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The file of a schedule or of regressions cannot be read.
    #[error("{} cannot be read: {problem}", .file.display())]
    #[non_exhaustive]
    File {
        /// The file.
        file: PathBuf,
        /// What reading it answers.
        problem: String,
    },
    /// A regression file has a line that cannot be read, or the check has not all that a regression names.
    #[error("{}:{line}: {problem}", .file.display())]
    #[non_exhaustive]
    Regression {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The seed is of another generator than proptest's default, which cases are not drawn from.
    #[error("{0} is no seed of proptest's ChaCha generator")]
    Seed(PersistedSeed),
}

/// As text: a test that answers an error, or unwraps one, shows the story.
impl fmt::Debug for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl CheckError {
    pub(super) fn file(file: &Path, error: &io::Error) -> Self {
        Self::File {
            file: file.to_owned(),
            problem: error.to_string(),
        }
    }

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

    /// The error as text, with colours for a terminal or without; [`Display`](std::fmt::Display) is without.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, _| message.delete()))
    ///     .messages_at_most(1)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().starts_with("the check jobs failed without a fault; 1 of 1 schedule failed\n"));
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
    let what = match failure.phase {
        Phase::Exhaustive => "schedule",
        Phase::Replay | Phase::Chance => "case",
    };
    let plural = if of == 1 { "" } else { "s" };
    let also = failure.also().map_or_else(String::new, |it| it + "\n");
    let first = format!("the check {name} failed{place}; {failed} of {of} {what}{plural} failed\n{story}{also}");
    let others = others.iter().map(|other| {
        let Story { violation, replay, .. } = &other.story;
        // The shortest way to see it again is named first.
        let replay = replay.split("; or").next().unwrap_or_default();
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
            Unfit::NoQueue(name) => Self::NoQueue(name),
            Unfit::Circle(name) => Self::Circle(name),
        }
    }
}
