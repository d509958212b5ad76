//! A running move task: carries out what its state machine asks for.
//!
//! A task that is not done at once has an alarm at the clock for its next message, whose waker moves it; no thread is
//! ours. A look at the task from outside moves what is due as well. One thread moves at a time, with no lock held.

use {
    super::ServiceState,
    crate::{
        clock::{Alarm, Clock},
        error::StorageError,
        message::MessageId,
        queue::{Position, Queue},
        state::{Departure, MoveOutcome, MoveTask, MoveTaskFailure, MoveTaskStatus, Next},
        sync::Mutex,
        time::Timestamp,
    },
    std::{
        fmt,
        num::NonZeroU32,
        sync::{Arc, Weak},
        task::{Wake, Waker},
        time::Duration,
    },
};

/// How many messages a look at a task moves of those that came after its start.
const PORTION: u64 = 1_000;

/// The difference between two instants that follow one another.
const RESOLUTION: Duration = Duration::from_millis(1);

/// A task waits so long for capacity in the journal.
const PAUSE: Duration = Duration::from_secs(1);

/// Where a task moves messages.
#[derive(Debug)]
pub(super) enum Destination {
    /// To the queue from which each came.
    Origin,
    Queue(Queue),
    /// To a queue that was gone when the service was opened again: its number in the journal, and its ARN.
    #[cfg(feature = "journal")]
    Gone {
        number: u64,
        arn: String,
    },
}

impl Destination {
    pub(super) fn arn(&self) -> Option<&str> {
        match self {
            Self::Origin => None,
            Self::Queue(queue) => Some(queue.arn()),
            #[cfg(feature = "journal")]
            Self::Gone { arn, .. } => Some(arn),
        }
    }
}

pub(super) struct Task {
    pub(super) id: MessageId,
    pub(super) source: Queue,
    pub(super) destination: Destination,
    pub(super) rate: Option<NonZeroU32>,
    /// Messages visible at the start.
    pub(super) to_move: u64,
    service: Weak<ServiceState>,
    progress: Mutex<Progress>,
}

struct Progress {
    machine: MoveTask,
    /// For the next message.
    alarm: Option<Alarm>,
    /// A thread is moving messages. Another that comes by leaves `again` and goes.
    moving: bool,
    again: bool,
}

/// How a task stands.
pub(super) struct Report {
    pub(super) status: MoveTaskStatus,
    pub(super) failure: Option<MoveTaskFailure>,
    pub(super) moved: u64,
    pub(super) started_at: Timestamp,
}

/// What the clock holds of a task: a service that is dropped takes its tasks along.
struct Ticker(Weak<Task>);

impl Wake for Ticker {
    fn wake(self: Arc<Self>) {
        if let Some(task) = self.0.upgrade() {
            task.tick();
        }
    }
}

impl Task {
    pub(super) fn new(
        service: &Arc<ServiceState>,
        id: MessageId,
        (source, destination): (Queue, Destination),
        rate: Option<NonZeroU32>,
        to_move: u64,
        machine: MoveTask,
    ) -> Self {
        Self {
            id,
            source,
            destination,
            rate,
            to_move,
            service: Arc::downgrade(service),
            progress: Mutex::new(Progress {
                machine,
                alarm: None,
                moving: false,
                again: false,
            }),
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.progress.lock().machine.is_active()
    }

    pub(super) fn report(&self) -> Report {
        let machine = &self.progress.lock().machine;
        Report {
            status: machine.status(),
            failure: machine.failure(),
            moved: machine.moved(),
            started_at: machine.started_at(),
        }
    }

    /// See [`MoveTask::cancel`].
    /// Answers with the entry of the journal that says so as well.
    pub(super) fn cancel(&self, service: &ServiceState) -> Option<(u64, Position)> {
        let mut progress = self.progress.lock();
        let moved = progress.machine.cancel()?;
        Some((moved, service.record_task(self, &progress.machine)))
    }

    /// Records how the task stands.
    pub(super) fn record(&self, service: &ServiceState) -> Position {
        service.record_task(self, &self.progress.lock().machine)
    }

    /// Moves what is due, unless another thread is at it, and sees to it that what comes next is moved in time.
    ///
    /// A call moves what was there at the start and a portion of what came later, so that it returns although others
    /// send as fast as it moves; the rest follows by alarms.
    pub(super) fn tick(self: &Arc<Self>) {
        let Some(mut turn) = Turn::begin(self) else {
            return;
        };
        let mut portion = None;
        // For one message at a time: who drops the last handle of the service ends its tasks, also in the middle.
        while let Some(service) = self.service.upgrade() {
            let now = service.environment.clock.now();
            let mut progress = self.progress.lock();
            let moved = progress.machine.moved();
            let end = *portion.get_or_insert_with(|| self.to_move.max(moved.saturating_add(PORTION)));
            let next = progress.machine.next(now);
            drop(progress);
            let alarm = match next {
                // Not at `now`: an alarm that is due when it is set goes off before the turn ends.
                Next::Move if moved >= end => {
                    let at = now.saturating_add(RESOLUTION);
                    Some(service.environment.clock.wake_at(at, self.ticker()))
                }
                Next::Move => match self.move_one(&service) {
                    Ok(outcome) => {
                        self.settle(outcome, &service);
                        continue;
                    }
                    // The message stays where it is. A journal that has stopped moves nothing any more.
                    Err(StorageError::Full { .. }) => {
                        let at = now.saturating_add(PAUSE);
                        Some(service.environment.clock.wake_at(at, self.ticker()))
                    }
                    Err(_) => None,
                },
                Next::WaitUntil(at) => Some(service.environment.clock.wake_at(at, self.ticker())),
                Next::Over => None,
            };
            match turn.end(alarm) {
                Some(again) => turn = again,
                None => return,
            }
        }
    }

    fn ticker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::new(Ticker(Arc::downgrade(self))))
    }

    /// Two phases with no lock held between them: at no instant is the message in neither queue (L34).
    fn move_one(&self, service: &ServiceState) -> Result<MoveOutcome, StorageError> {
        let Some(departure) = self.source.depart_for_move() else {
            return Ok(MoveOutcome::NothingVisible);
        };
        let destination = self.destination_of(&departure, service);
        let arrived = destination.map(|destination| destination.arrive_by_move(&departure));
        if let Ok(Ok(true)) = arrived {
            self.source.departed(&departure);
            let visible = self.source.counts().visible;
            return Ok(MoveOutcome::Moved {
                more_visible: visible > 0,
            });
        }
        self.source.departure_refused(&departure);
        let arrived = arrived.map_or_else(|failure| Ok(Err(failure)), |arrived| arrived.map(Ok))?;
        Ok(MoveOutcome::Failed(
            arrived.err().unwrap_or(MoveTaskFailure::NonExistentQueue),
        ))
    }

    fn destination_of(&self, departure: &Departure, service: &ServiceState) -> Result<Queue, MoveTaskFailure> {
        match &self.destination {
            Destination::Origin => self.origin(departure, service),
            Destination::Queue(queue) => Ok(queue.clone()),
            #[cfg(feature = "journal")]
            Destination::Gone { .. } => Err(MoveTaskFailure::NonExistentQueue),
        }
    }

    fn settle(&self, outcome: MoveOutcome, service: &ServiceState) {
        let mut progress = self.progress.lock();
        progress.machine.settle(outcome);
        if !progress.machine.is_active() {
            service.record_task(self, &progress.machine);
        }
    }

    /// The queue from which a message came into the dead-letter queue (L25). Of a dead-letter queue's own messages it
    /// is no other queue (L3d): a task that moved them would never run out of messages.
    fn origin(&self, departure: &Departure, service: &ServiceState) -> Result<Queue, MoveTaskFailure> {
        let arn = departure.content.dead_letter_source();
        let arn = arn.filter(|arn| &***arn != self.source.arn());
        let arn = arn.ok_or(MoveTaskFailure::CouldNotDetermineMessageSource)?;
        service.by_arn(arn).ok_or(MoveTaskFailure::NonExistentQueue)
    }
}

/// The right to move messages. Given back also when a foreign waker panics, so that the task does not stand still.
struct Turn<'a> {
    task: &'a Task,
    ended: bool,
}

impl<'a> Turn<'a> {
    fn begin(task: &'a Task) -> Option<Self> {
        let mut progress = task.progress.lock();
        if progress.moving {
            progress.again = true;
            return None;
        }
        (progress.moving, progress.again) = (true, false);
        Some(Self { task, ended: false })
    }

    /// Leaves an alarm for the next message; the turn comes back if someone came by meanwhile, so that time must be
    /// looked at again.
    fn end(mut self, alarm: Option<Alarm>) -> Option<Self> {
        let mut progress = self.task.progress.lock();
        let before = std::mem::replace(&mut progress.alarm, alarm);
        let again = std::mem::take(&mut progress.again);
        progress.moving = again;
        drop(progress);
        // Only with the lock released: it runs code of the clock.
        drop(before);
        self.ended = !again;
        again.then_some(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.task.progress.lock().moving = false;
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id).finish_non_exhaustive()
    }
}
