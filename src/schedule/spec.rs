//! What a schedule sends, and when.

use {
    super::cron::Cron,
    crate::{message::SendMessage, time::Timestamp},
    std::{sync::Arc, time::Duration},
};

/// When a job is due, and what becomes of times that were missed.
///
/// A [`Timestamp`], a [`Duration`] and a [`Cron`] are schedules too. A duration stands for the instant that it ends at,
/// counted from the adding: if the clock is set, the job is still due at that instant.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, Queue, schedule::{CatchUp, Cron, Schedule, Scheduler}};
/// use std::time::Duration;
///
/// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
/// let scheduler = Scheduler::builder(&jobs).build();
/// let schedules = scheduler.handle();
/// schedules.add("tea", Duration::from_secs(90), "tea is ready")?;
/// schedules.add("nightly", Schedule::from(Cron::new("0 3 * * *")?).catch_up(CatchUp::Skip), "clean up")?;
/// assert_eq!(schedules.report().held, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(super) when: When,
    pub(super) catch_up: CatchUp,
    pub(super) since: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) enum When {
    At(Timestamp),
    After(Duration),
    Cron(Cron),
}

/// What becomes of times that were missed because the clock jumped, or the scheduler did not run or could not send.
///
/// A time is missed if it is found later than the scheduler's
/// [tolerance](super::SchedulerBuilder::tolerance), or if another time of the same schedule has come since.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum CatchUp {
    /// Nothing is sent for them.
    Skip,
    /// One job is sent for all of them, with the latest for its due time.
    #[default]
    Once,
    /// A job is sent for each of them, in order: for the latest `at_most`.
    All {
        /// At most so many jobs at once, and never more than 1,000.
        at_most: usize,
    },
}

/// Their times are found while the agenda is held, so that there has to be an end.
const MAX_CAUGHT_UP: usize = 1_000;

impl CatchUp {
    /// For how many missed times a job is sent.
    pub(super) fn max_jobs(self) -> usize {
        match self {
            Self::Skip => 0,
            Self::Once => 1,
            Self::All { at_most } => at_most.min(MAX_CAUGHT_UP),
        }
    }
}

impl Schedule {
    const fn new(when: When) -> Self {
        Self {
            when,
            catch_up: CatchUp::Once,
            since: None,
        }
    }

    /// What becomes of times that were missed; [`CatchUp::Once`] by default.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Timestamp, schedule::{CatchUp, Schedule}};
    ///
    /// let hello = Schedule::from(Timestamp::from_millis(1_767_225_600_000)).catch_up(CatchUp::Skip);
    /// assert!(format!("{hello:?}").contains("Skip"));
    /// ```
    #[must_use]
    pub const fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// Counts durations and cron patterns from this time instead of the time of the adding: after a restart, the
    /// time of the last job that was sent, so that what was missed meanwhile is caught up with.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Queue, schedule::{Cron, Schedule, Scheduler}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).until_none_held().build();
    /// let two_days_ago = clock.now().saturating_sub(Duration::from_secs(2 * 86_400));
    /// scheduler.handle().add("nightly", Schedule::from(Cron::new("0 3 * * *")?).since(two_days_ago), "clean up")?;
    /// assert!(scheduler.handle().due(1)[0].due < clock.now());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }
}

impl From<Timestamp> for Schedule {
    /// Once, at this time.
    fn from(at: Timestamp) -> Self {
        Self::new(When::At(at))
    }
}

impl From<Duration> for Schedule {
    /// Once, after so long.
    fn from(after: Duration) -> Self {
        Self::new(When::After(after))
    }
}

impl From<Cron> for Schedule {
    /// At each time that the pattern names.
    fn from(cron: Cron) -> Self {
        Self::new(When::Cron(cron))
    }
}

/// The most bytes of a name: with `@` and a time of up to 20 digits it is a deduplication id, which has 128 at most.
pub(super) const MAX_NAME: usize = 100;

/// Why a schedule was not added.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddScheduleError {
    /// The schedule says when the message is to be seen.
    #[error("the message has a delay of {0:?} of its own, it is the schedule that says when")]
    Delay(Duration),
    /// A FIFO queue takes no message without one (F2).
    #[error("the message names no message group, which a FIFO queue requires")]
    MissingGroup,
    /// The name cannot be part of a deduplication id.
    #[error("the schedule name {0:?} is not 1 to {MAX_NAME} ASCII letters, digits and punctuation marks")]
    Name(String),
    /// Another schedule of the scheduler has that name, and has jobs to be sent.
    #[error("there is a schedule named {0:?} already")]
    NameInUse(String),
    /// The pattern names no time to come.
    #[error("the cron pattern {0:?} names no time to come")]
    Never(String),
    /// Nothing would be sent.
    #[error("the scheduler has ended")]
    Stopped,
}

/// What makes the messages of a schedule.
#[derive(Clone)]
pub(super) enum Source {
    Fixed(SendMessage),
    /// Called when the job is due.
    Made(Arc<dyn Fn(Timestamp) -> SendMessage + Send + Sync>),
}
