//! [`SchedulerHandle`]: add, cancel, list, stop.

use {
    super::{
        agenda::Agenda,
        error::SchedulerError,
        event::SchedulerReport,
        spec::{AddScheduleError, Schedule, Source},
    },
    crate::{
        backend::{self, MessageQueueError},
        clock::Clock,
        message::SendMessage,
        sync::{Mutex, wake},
        time::Timestamp,
    },
    std::{fmt, sync::Arc},
};

/// What is known of a scheduler from outside, whatever its queue.
pub(super) struct SchedulerState {
    pub(super) agenda: Mutex<Agenda>,
    pub(super) clock: Arc<dyn Clock>,
}

impl SchedulerState {
    pub(super) fn stop(&self, error: Option<MessageQueueError>) {
        let waker = self.agenda.lock().stop(error);
        wake(waker);
    }

    pub(super) fn result(&self) -> Result<SchedulerReport, SchedulerError> {
        let agenda = self.agenda.lock();
        let report = agenda.report();
        match agenda.error() {
            None => Ok(report),
            Some(error) => Err(SchedulerError::Queue {
                error: error.clone(),
                report,
            }),
        }
    }
}

/// Adds schedules to a [`Scheduler`](super::Scheduler) and cancels them, whether it runs or not; clones do the same.
#[derive(Clone)]
pub struct SchedulerHandle {
    pub(super) shared: Arc<SchedulerState>,
}

/// What became of a schedule that was cancelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Cancelled {
    /// No further job of it is sent.
    Prevented,
    /// The queue is being asked to take a job of it at this moment; none other is sent.
    Sending,
}

/// The next job of a schedule.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DueJob {
    /// The name of the schedule.
    pub name: Arc<str>,
    /// When the job is due.
    pub due: Timestamp,
}

impl SchedulerHandle {
    /// Adds a schedule of a message that is the same each time.
    ///
    /// `name` is 1 to 100 ASCII letters, digits and punctuation marks, and no other schedule that still has jobs to be
    /// sent has it. On a FIFO queue a message without deduplication id gets `name@due`, with the due time in
    /// milliseconds: a job that is sent again within five minutes, by this process or by another one with a schedule of
    /// that name, is the same message, whatever its body is (F11). On a standard queue each process sends its own.
    ///
    /// # Errors
    /// [`AddScheduleError`]; nothing is added.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Queue, schedule::{Cron, Scheduler}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let schedules = Scheduler::builder(&jobs).build().handle();
    /// schedules.add("nightly", Cron::new("0 3 * * *")?, "clean up")?;
    /// schedules.add("tea", clock.now().saturating_add(Duration::from_secs(60)), "tea is ready")?;
    /// let error = schedules.add("nightly", Cron::new("0 4 * * *")?, "clean up").unwrap_err();
    /// assert_eq!(error.to_string(), "there is a schedule named \"nightly\" already");
    /// assert_eq!(schedules.report().added, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add(
        &self,
        name: impl Into<Arc<str>>,
        schedule: impl Into<Schedule>,
        message: impl Into<SendMessage>,
    ) -> Result<(), AddScheduleError> {
        self.add_source(name.into(), schedule.into(), Source::Fixed(message.into()))
    }

    /// Adds a schedule whose messages `make` makes of their due times, when they are due.
    ///
    /// A delay that it gives a message counts from then. A panic in it is reported, and that job not sent.
    ///
    /// # Errors
    /// [`AddScheduleError`]; nothing is added.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Queue, schedule::{Schedule, Scheduler}};
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).until_none_held().build();
    /// scheduler.handle().add_with("report", clock.now(), |due| format!("report of {due}"))?;
    /// assert_eq!(scheduler.blocking()?.sent, 1);
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "report of 1767225600000");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_with<M: Into<SendMessage>>(
        &self,
        name: impl Into<Arc<str>>,
        schedule: impl Into<Schedule>,
        make: impl Fn(Timestamp) -> M + Send + Sync + 'static,
    ) -> Result<(), AddScheduleError> {
        self.add_source(
            name.into(),
            schedule.into(),
            Source::Made(Arc::new(move |due| make(due).into())),
        )
    }

    fn add_source(&self, name: Arc<str>, schedule: Schedule, source: Source) -> Result<(), AddScheduleError> {
        let now = self.shared.clock.now();
        let mut agenda = self.shared.agenda.lock();
        agenda.add(name, schedule, source, now)?;
        let waker = agenda.take_waker();
        drop(agenda);
        wake(waker);
        Ok(())
    }

    /// Cancels a schedule; `None` if it has no job to be sent, because it is cancelled already or the queue has all.
    ///
    /// A job that the queue has, as one that is sent once and due within 15 minutes on a standard queue, is out of reach.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::{Cancelled, Cron, Scheduler}};
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let schedules = Scheduler::builder(&jobs).build().handle();
    /// schedules.add("nightly", Cron::new("0 3 * * *")?, "clean up")?;
    /// assert_eq!(schedules.cancel("nightly"), Some(Cancelled::Prevented));
    /// assert_eq!(schedules.cancel("nightly"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self, name: &str) -> Option<Cancelled> {
        let mut agenda = self.shared.agenda.lock();
        let sending = agenda.cancel(name)?;
        let waker = agenda.take_waker();
        drop(agenda);
        wake(waker);
        Some(if sending {
            Cancelled::Sending
        } else {
            Cancelled::Prevented
        })
    }

    /// The next jobs of the schedules held, at most `limit`, those due first in front.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let schedules = Scheduler::builder(&jobs).build().handle();
    /// schedules.add("lunch", Duration::from_secs(7_200), "soup")?;
    /// schedules.add("tea", Duration::from_secs(3_600), "tea")?;
    /// assert_eq!(&*schedules.due(1)[0].name, "tea");
    /// assert_eq!(schedules.due(10).len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn due(&self, limit: usize) -> Vec<DueJob> {
        let agenda = self.shared.agenda.lock();
        let jobs = agenda.due().take(limit);
        jobs.map(|(due, name)| DueJob {
            name: Arc::clone(name),
            due,
        })
        .collect()
    }

    /// What the scheduler has done so far.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// assert_eq!(Scheduler::builder(&jobs).build().handle().report().sent, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> SchedulerReport {
        self.shared.agenda.lock().report()
    }

    /// Ends the scheduler for good. What it holds is not sent and stays listed.
    ///
    /// A send that is under way is dropped: whether the queue takes that job is open.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::{AddScheduleError, Scheduler}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).build();
    /// scheduler.handle().add("tea", Duration::from_secs(5), "tea")?;
    /// scheduler.handle().stop();
    /// assert_eq!(scheduler.blocking()?.held, 1);
    /// let late = scheduler.handle().add("tea", Duration::from_secs(5), "tea");
    /// assert_eq!(late, Err(AddScheduleError::Stopped));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self) {
        self.shared.stop(None);
    }
}

impl backend::sealed::Sealed for SchedulerHandle {}

impl backend::Handle for SchedulerHandle {
    type Output = Result<SchedulerReport, SchedulerError>;

    fn stop(&self) {
        Self::stop(self);
    }
}

impl fmt::Debug for SchedulerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchedulerHandle")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}
