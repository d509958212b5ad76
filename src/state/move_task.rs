//! A message move task as a pure state machine with time as an argument (L24-L34).
//!
//! It knows no queue. Whoever drives it asks [`MoveTask::next`] what an instant asks for, does it, and answers with
//! [`MoveTask::settle`]; between the two the status may be read and the task cancelled, so figures are right while a
//! message is under way.
//!
//! ```text
//! Running --> Completed | Failed
//!    +--> Cancelling --> Cancelled      (one more message may move on the way)
//! ```

use {
    crate::time::Timestamp,
    std::{fmt, num::NonZeroU32, time::Duration},
};

/// Where a message move task stands (L28).
///
/// # Source
/// [`ListMessageMoveTasks`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasksResultEntry.html).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum MoveTaskStatus {
    /// Messages are being moved.
    Running,
    /// Nothing visible was left to move.
    Completed,
    /// Cancelled, with the next message still under way.
    Cancelling,
    /// Cancelled; what was moved stays moved.
    Cancelled,
    /// A message could not be moved, or the task took too long; what was moved stays moved.
    Failed,
}

impl MoveTaskStatus {
    /// SQS's word for it.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(requeue::MoveTaskStatus::Running.as_str(), "RUNNING");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for MoveTaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a message move task failed; the text is SQS's `FailureReason`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum MoveTaskFailure {
    /// The task has no destination of its own, and a message does not name the queue it came from (L25).
    CouldNotDetermineMessageSource,
    /// The destination does not exist, or no longer (L32).
    NonExistentQueue,
    /// The task ran for as long as one may (L33).
    DurationExceeded,
}

impl MoveTaskFailure {
    /// SQS's text for it; [`DurationExceeded`](Self::DurationExceeded) has none on record and is worded here.
    ///
    /// # Examples
    /// ```
    /// let reason = requeue::MoveTaskFailure::NonExistentQueue;
    /// assert_eq!(reason.as_str(), "AWS.SimpleQueueService.NonExistentQueue");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CouldNotDetermineMessageSource => "CouldNotDetermineMessageSource",
            Self::NonExistentQueue => "AWS.SimpleQueueService.NonExistentQueue",
            Self::DurationExceeded => "DurationExceeded",
        }
    }
}

impl fmt::Display for MoveTaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a task asks its driver for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// Move one message, then call [`MoveTask::settle`].
    Move,
    /// Come back at this instant.
    WaitUntil(Timestamp),
    /// Nothing, ever again.
    Over,
}

/// What came of a [`Next::Move`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MoveOutcome {
    Moved { more_visible: bool },
    NothingVisible,
    Failed(MoveTaskFailure),
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct MoveTask {
    /// Messages per second; `None` is as fast as possible.
    rate: Option<NonZeroU32>,
    started_at: Timestamp,
    pub(super) ends_at: Timestamp,
    /// When a message was due, and how many were moved before: what the rate counts from.
    paced_from: (Timestamp, u64),
    /// The latest time seen.
    pub(super) now: Timestamp,
    pub(super) moved: u64,
    pub(super) status: MoveTaskStatus,
    pub(super) failure: Option<MoveTaskFailure>,
}

impl MoveTask {
    pub(crate) fn start(now: Timestamp, rate: Option<NonZeroU32>, longest: Duration) -> Self {
        Self {
            rate,
            started_at: now,
            ends_at: now.saturating_add(longest),
            paced_from: (now, 0),
            now,
            moved: 0,
            status: MoveTaskStatus::Running,
            failure: None,
        }
    }

    pub(crate) const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// How many messages were moved so far.
    pub(crate) const fn moved(&self) -> u64 {
        self.moved
    }

    pub(crate) const fn status(&self) -> MoveTaskStatus {
        self.status
    }

    /// Why the task failed, exactly if it did.
    pub(crate) const fn failure(&self) -> Option<MoveTaskFailure> {
        self.failure
    }

    /// Whether the task still keeps another one from starting (L26c).
    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.status, MoveTaskStatus::Running | MoveTaskStatus::Cancelling)
    }

    /// What is to be done at `now`; an earlier `now` is read as the latest seen.
    pub(crate) fn next(&mut self, now: Timestamp) -> Next {
        self.now = self.now.max(now);
        if self.status == MoveTaskStatus::Running && self.now >= self.ends_at {
            self.fail(MoveTaskFailure::DurationExceeded);
        }
        if !self.is_active() {
            return Next::Over;
        }
        let due = self.next_due();
        if due <= self.now {
            Next::Move
        } else if self.status == MoveTaskStatus::Running {
            Next::WaitUntil(due.min(self.ends_at))
        } else {
            Next::WaitUntil(due)
        }
    }

    /// The k-th message after what the rate counts from is due k / rate seconds later: rounding never adds up.
    fn next_due(&self) -> Timestamp {
        let (from, before) = self.paced_from;
        let after = self.rate.map_or(0, |rate| {
            let millis = u128::from(self.moved.saturating_sub(before)) * 1_000 / u128::from(rate.get());
            u64::try_from(millis).unwrap_or(u64::MAX)
        });
        from.saturating_add(Duration::from_millis(after))
    }

    /// The rate counts from the next message on, as of now. It is due no earlier than now, so that what was due while
    /// nothing could move does not move all at once, and no later than one message after another is.
    #[cfg(feature = "journal")]
    pub(super) fn pace_from_here(&mut self) {
        let longest = self.rate.map_or(0, |rate| 1_000 / u64::from(rate.get()) + 1);
        let latest = self.now.saturating_add(Duration::from_millis(longest));
        self.paced_from = (self.next_due().clamp(self.now, latest), self.moved);
    }

    /// Takes note of what came of a move; a task that is being cancelled is over then, whatever it was.
    pub(crate) fn settle(&mut self, outcome: MoveOutcome) {
        self.moved += u64::from(matches!(outcome, MoveOutcome::Moved { .. }));
        match (self.status, outcome) {
            (MoveTaskStatus::Cancelling, _) => self.status = MoveTaskStatus::Cancelled,
            (MoveTaskStatus::Running, MoveOutcome::Moved { more_visible: true }) => {}
            (MoveTaskStatus::Running, MoveOutcome::Moved { more_visible: false } | MoveOutcome::NothingVisible) => {
                self.status = MoveTaskStatus::Completed;
            }
            (MoveTaskStatus::Running, MoveOutcome::Failed(reason)) => self.fail(reason),
            (MoveTaskStatus::Completed | MoveTaskStatus::Cancelled | MoveTaskStatus::Failed, _) => {}
        }
    }

    fn fail(&mut self, reason: MoveTaskFailure) {
        self.status = MoveTaskStatus::Failed;
        self.failure = Some(reason);
    }

    /// Asks a running task to end, and answers with how many messages were moved so far; `None` if it is not running.
    pub(crate) fn cancel(&mut self) -> Option<u64> {
        if self.status != MoveTaskStatus::Running {
            return None;
        }
        self.status = MoveTaskStatus::Cancelling;
        Some(self.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);
    const MOVED: MoveOutcome = MoveOutcome::Moved { more_visible: true };

    fn after(millis: u64) -> Timestamp {
        START.saturating_add(Duration::from_millis(millis))
    }

    fn task(rate: u32) -> MoveTask {
        MoveTask::start(START, NonZeroU32::new(rate), Duration::from_secs(36 * 3_600))
    }

    /// Moves what is due at `now` and answers with the instant to come back at.
    fn tick(task: &mut MoveTask, now: Timestamp) -> Option<Timestamp> {
        loop {
            match task.next(now) {
                Next::Move => task.settle(MOVED),
                Next::WaitUntil(at) => return Some(at),
                Next::Over => return None,
            }
        }
    }

    #[test]
    fn a_rate_spreads_messages_evenly_and_without_drift() {
        // L24
        let mut task = task(3);
        let mut due = vec![0];
        let mut now = START;
        while task.moved() < 300 {
            now = tick(&mut task, now).unwrap();
            due.push(now.saturating_duration_since(START).as_millis());
        }
        assert_eq!(due[..7], [0, 333, 666, 1_000, 1_333, 1_666, 2_000]);
        assert_eq!(due[300], 100_000);
    }

    #[test]
    fn a_late_tick_makes_up_for_what_fell_due() {
        // L24
        let mut task = task(10);
        assert_eq!(tick(&mut task, after(0)), Some(after(100)));
        assert_eq!(tick(&mut task, after(99)), Some(after(100)));
        assert_eq!(task.moved(), 1);
        assert_eq!(tick(&mut task, after(1_049)), Some(after(1_100)));
        assert_eq!(task.moved(), 11);
        assert_eq!(
            tick(&mut task, after(50)),
            Some(after(1_100)),
            "an earlier time undid something"
        );
    }

    #[test]
    fn a_task_without_rate_moves_until_nothing_is_visible() {
        // L31 L33
        let mut task = task(0);
        for _ in 0..1_000 {
            assert_eq!(task.next(START), Next::Move);
            task.settle(MOVED);
        }
        task.settle(MoveOutcome::Moved { more_visible: false });
        assert_eq!((task.status(), task.moved()), (MoveTaskStatus::Completed, 1_001));
        assert_eq!((task.next(START), task.failure()), (Next::Over, None));
    }

    #[test]
    fn a_source_found_empty_completes_the_task() {
        let mut task = task(1);
        assert_eq!(task.next(START), Next::Move);
        task.settle(MoveOutcome::NothingVisible);
        assert_eq!((task.status(), task.moved()), (MoveTaskStatus::Completed, 0));
    }

    #[test]
    fn a_cancelled_task_moves_at_most_one_more_message() {
        // L28 B49
        let mut task = task(1);
        tick(&mut task, after(1_500));
        assert_eq!(task.cancel(), Some(2));
        assert_eq!(task.cancel(), None);
        assert_eq!(tick(&mut task, after(1_999)), Some(after(2_000)));
        assert_eq!(task.status(), MoveTaskStatus::Cancelling);
        assert_eq!(tick(&mut task, after(9_000)), None);
        assert_eq!((task.status(), task.moved()), (MoveTaskStatus::Cancelled, 3));
    }

    #[test]
    fn a_cancelled_task_ends_cancelled_even_if_its_last_message_cannot_move() {
        // L28
        for outcome in [
            MoveOutcome::NothingVisible,
            MoveOutcome::Failed(MoveTaskFailure::NonExistentQueue),
        ] {
            let mut task = task(1);
            tick(&mut task, after(0));
            task.cancel();
            assert_eq!(task.next(after(1_000)), Next::Move);
            task.settle(outcome);
            assert_eq!(
                (task.status(), task.moved(), task.failure()),
                (MoveTaskStatus::Cancelled, 1, None)
            );
        }
    }

    #[test]
    fn a_task_fails_for_good() {
        // L32
        let mut task = task(1);
        tick(&mut task, after(2_000));
        assert_eq!(task.next(after(3_000)), Next::Move);
        task.settle(MoveOutcome::Failed(MoveTaskFailure::NonExistentQueue));
        assert_eq!((task.status(), task.moved()), (MoveTaskStatus::Failed, 3));
        assert_eq!(task.failure(), Some(MoveTaskFailure::NonExistentQueue));
        assert_eq!((task.next(after(4_000)), task.cancel()), (Next::Over, None));
    }

    #[test]
    fn a_task_fails_when_it_has_run_for_36_hours_and_not_before() {
        // L33
        let limit = 36 * 3_600 * 1_000;
        let mut task = task(1);
        assert_eq!(tick(&mut task, after(limit - 1)), Some(after(limit)));
        assert_eq!((task.status(), task.moved()), (MoveTaskStatus::Running, 36 * 3_600));
        assert_eq!(tick(&mut task, after(limit)), None);
        assert_eq!(task.failure(), Some(MoveTaskFailure::DurationExceeded));
        assert_eq!(task.moved(), 36 * 3_600);
    }

    #[test]
    fn the_end_of_the_longest_run_is_waited_for_if_no_message_is_due_before() {
        // L33
        let mut task = MoveTask::start(START, NonZeroU32::new(1), Duration::from_millis(1_500));
        assert_eq!(tick(&mut task, after(1_000)), Some(after(1_500)));
    }
}
