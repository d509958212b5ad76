//! Message move tasks, SQS's redrive: from a dead-letter queue to another queue, or back to where each message came
//! from (L24-L34).

use {
    super::{
        Service, ServiceState,
        address::is_arn,
        task::{Destination, Task},
    },
    crate::{
        clock::Clock,
        error::{InvalidParameterValue, InvalidReason, MoveTaskError, ResourceNotFound, check},
        message::MessageId,
        queue::{Position, Queue},
        state::{MoveTask, MoveTaskFailure, MoveTaskStatus},
        time::Timestamp,
    },
    data_encoding::BASE64,
    std::{fmt, num::NonZeroU32, sync::Arc},
};

/// Which messages to move where, and how fast.
///
/// # Source
/// [`StartMessageMoveTask`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html).
///
/// # Examples
/// ```
/// use requeue::{QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask};
///
/// let service = Service::new();
/// let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
/// let policy = RedrivePolicy::new(failed.arn(), 3);
/// let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
///
/// let request = StartMessageMoveTask::new(failed.arn()).destination_arn(jobs.arn()).max_messages_per_second(50);
/// service.start_message_move_task(&request)?;
/// assert_eq!(service.list_message_move_tasks(failed.arn(), None)?[0].max_messages_per_second, Some(50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StartMessageMoveTask {
    source_arn: String,
    destination_arn: Option<String>,
    max_messages_per_second: Option<u32>,
}

impl StartMessageMoveTask {
    /// All visible messages of this dead-letter queue, each back to the queue it came from, as fast as possible.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask};
    /// # use std::time::Duration;
    /// # let service = Service::new();
    /// # let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// # let policy = RedrivePolicy::new(failed.arn(), 1);
    /// # let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().visibility_timeout(Duration::ZERO).blocking()?;
    /// assert!(jobs.receive().blocking()?.is_empty()); // it has moved to jobs-failed
    /// service.start_message_move_task(&StartMessageMoveTask::new(failed.arn()))?;
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png"); // back where it came from
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(source_arn: impl Into<String>) -> Self {
        Self {
            source_arn: source_arn.into(),
            destination_arn: None,
            max_messages_per_second: None,
        }
    }

    /// All messages to this queue, of the same type.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask};
    /// # let service = Service::new();
    /// # let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// # let policy = RedrivePolicy::new(failed.arn(), 1);
    /// # service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
    /// failed.send("resize cat.png")?;
    /// let by_hand = service.create_queue("by-hand", QueueAttributes::new())?;
    /// service.start_message_move_task(&StartMessageMoveTask::new(failed.arn()).destination_arn(by_hand.arn()))?;
    /// assert_eq!(by_hand.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn destination_arn(mut self, destination_arn: impl Into<String>) -> Self {
        self.destination_arn = Some(destination_arn.into());
        self
    }

    /// So many messages in a second, 1 to 500, at even intervals.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask};
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// # let service = Service::builder().clock(clock.clone()).build();
    /// # let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// # let policy = RedrivePolicy::new(failed.arn(), 1);
    /// # let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
    /// let _ = failed.send_batch(["resize cat.png", "resize dog.png", "resize cow.png"])?;
    /// let request = StartMessageMoveTask::new(failed.arn()).destination_arn(jobs.arn()).max_messages_per_second(2);
    /// service.start_message_move_task(&request)?;
    /// assert_eq!(jobs.counts().visible, 1);
    /// clock.advance(Duration::from_millis(500));
    /// assert_eq!(jobs.counts().visible, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_messages_per_second(mut self, messages: u32) -> Self {
        self.max_messages_per_second = Some(messages);
        self
    }
}

/// Names a running move task; opaque (L27).
///
/// # Source
/// [`CancelMessageMoveTask`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct TaskHandle(String);

impl TaskHandle {
    /// The handle as text.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask};
    /// # let service = Service::builder().clock(requeue::ManualClock::default()).build();
    /// # let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// # let policy = RedrivePolicy::new(failed.arn(), 1);
    /// # let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
    /// let _ = failed.send_batch(["resize cat.png", "resize dog.png"])?;
    /// let request = StartMessageMoveTask::new(failed.arn()).destination_arn(jobs.arn()).max_messages_per_second(1);
    /// let text = service.start_message_move_task(&request)?.as_str().to_owned();
    /// assert_eq!(service.cancel_message_move_task(text)?, 1); // by the text alone, after one message
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(id: MessageId, source_arn: &str) -> Self {
        let handle = format!(r#"{{"taskId":"{id}","sourceArn":"{source_arn}"}}"#);
        Self(BASE64.encode(handle.as_bytes()))
    }

    /// Task id and source ARN of a handle.
    fn parse(handle: &str) -> Option<(String, String)> {
        let handle = String::from_utf8(BASE64.decode(handle.as_bytes()).ok()?).ok()?;
        let inner = handle.strip_prefix(r#"{"taskId":""#)?.strip_suffix(r#""}"#)?;
        let (id, source_arn) = inner.split_once(r#"","sourceArn":""#)?;
        Some((id.to_owned(), source_arn.to_owned()))
    }
}

impl AsRef<str> for TaskHandle {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A move task as it stands (L29).
///
/// # Source
/// [`ListMessageMoveTasks`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasksResultEntry.html).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MessageMoveTask {
    /// Whether it runs, or how it ended.
    pub status: MoveTaskStatus,
    /// The dead-letter queue.
    pub source_arn: String,
    /// Where all messages go, if the start said so.
    pub destination_arn: Option<String>,
    /// The rate, if the start gave one.
    pub max_messages_per_second: Option<u32>,
    /// Messages moved so far; exact.
    pub approximate_number_of_messages_moved: u64,
    /// Messages visible in the dead-letter queue at the start.
    pub approximate_number_of_messages_to_move: u64,
    /// When it was started.
    pub started_timestamp: Timestamp,
    /// For cancelling it, while it is [`Running`](MoveTaskStatus::Running).
    pub task_handle: Option<TaskHandle>,
    /// Why it failed, if it did.
    pub failure_reason: Option<MoveTaskFailure>,
}

impl Service {
    /// Begins to move the visible messages of a dead-letter queue, the oldest first.
    ///
    /// Without a rate all that is there now is moved before this returns; if others send to the queue meanwhile, the
    /// rest follows a thousand messages at a time, each millisecond of the service's clock. With a rate, the first
    /// message is moved now and the others at even intervals. A machine's clock moves messages from its timer thread, a
    /// [`ManualClock`](crate::ManualClock) while it is advanced. Each arrives as a new message, with a new id and a
    /// receive count of zero (L30). Messages in flight are left, unless they become visible while the task runs (L31).
    /// The task is over when no visible message is left, when it is cancelled, or when a message cannot be moved;
    /// that message stays (L25, L32). At most one task of a queue is active, 100 in a service, each for 36 hours (L33).
    ///
    /// # Errors
    /// `ResourceNotFoundException` for an unknown queue (L26a, L26b), `InvalidParameterValue` for a rate out of range
    /// (L24), a source that is nobody's dead-letter queue (L26), a destination that is the source or of another type
    /// (L26i), or if a task of the source is active (L26c); `OverLimit` if too many tasks are (L33).
    ///
    /// # Source
    /// [`StartMessageMoveTask`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask};
    /// use std::time::Duration;
    ///
    /// let service = Service::new();
    /// let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// let policy = RedrivePolicy::new(failed.arn(), 1);
    /// let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().visibility_timeout(Duration::ZERO).blocking()?;
    /// assert!(jobs.receive().blocking()?.is_empty(), "it was received once, and moves away instead");
    ///
    /// service.start_message_move_task(&StartMessageMoveTask::new(failed.arn()))?;
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_message_move_task(&self, request: &StartMessageMoveTask) -> Result<TaskHandle, MoveTaskError> {
        let shared = &self.shared;
        let source = shared.by_arn(&request.source_arn).ok_or(ResourceNotFound::SourceArn)?;
        let destination = match &request.destination_arn {
            Some(arn) => Some(shared.by_arn(arn).ok_or(ResourceNotFound::DestinationArn)?),
            None => None,
        };
        let rate = self.check_rate(request.max_messages_per_second)?;
        if !shared.registry.lock().is_dead_letter_queue(source.name()) {
            return Err(InvalidParameterValue::NotADeadLetterQueue.into());
        }
        if let Some(destination) = &destination {
            check_destination(destination, &source)?;
        }
        shared.tick_tasks_of(&source);
        shared.admit(0)?;
        let (task, position) = shared.register(source, destination, rate)?;
        shared.settle(position)?;
        task.tick();
        Ok(TaskHandle::new(task.id, task.source.arn()))
    }

    fn check_rate(&self, rate: Option<u32>) -> Result<Option<NonZeroU32>, InvalidParameterValue> {
        let Some(rate) = rate else {
            return Ok(None);
        };
        let as_count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let limit = self.shared.environment.limits.move_task_messages_per_second;
        check::check_count("MaxNumberOfMessagesPerSecond", as_count(rate), as_count(limit))?;
        Ok(NonZeroU32::new(rate))
    }

    /// Ends a running move task, and answers with how many messages it has moved so far (L28).
    ///
    /// What was moved stays moved. The task is [`Cancelling`](MoveTaskStatus::Cancelling) until its next message was
    /// due, which may still move.
    ///
    /// # Errors
    /// `InvalidParameterValue` for a handle that cannot be read (L26e), `ResourceNotFoundException` if its queue or
    /// task is unknown or the task is not running (L26f-L26h).
    ///
    /// # Source
    /// [`CancelMessageMoveTask`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::Service;
    ///
    /// let error = Service::new().cancel_message_move_task("no handle").unwrap_err();
    /// assert_eq!(error.to_string(), "Value for parameter TaskHandle is invalid.");
    /// ```
    pub fn cancel_message_move_task(&self, task_handle: impl AsRef<str>) -> Result<u64, MoveTaskError> {
        self.cancel(task_handle.as_ref())
    }

    fn cancel(&self, task_handle: &str) -> Result<u64, MoveTaskError> {
        let handle = TaskHandle::parse(task_handle);
        let (id, source_arn) = handle.ok_or(InvalidParameterValue::TaskHandle)?;
        let tasks = self.shared.tasks_of(&source_arn).ok_or(ResourceNotFound::SourceArn)?;
        let task = tasks.into_iter().find(|task| task.id.to_string() == id);
        let task = task.ok_or(ResourceNotFound::Task)?;
        task.tick();
        self.shared.admit(0)?;
        let (moved, position) = task.cancel(&self.shared).ok_or(ResourceNotFound::Task)?;
        self.shared.settle(position)?;
        Ok(moved)
    }

    /// The move tasks of a source queue, the newest first: at most `max_results` (1 to 10), by default the newest
    /// alone (L29).
    ///
    /// # Errors
    /// `InvalidParameterValue` for something that is no ARN (L26d) and for `max_results` out of range,
    /// `ResourceNotFoundException` for an unknown queue (L26a).
    ///
    /// # Source
    /// [`ListMessageMoveTasks`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{MoveTaskStatus, QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask};
    ///
    /// let service = Service::new();
    /// let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// let policy = RedrivePolicy::new(failed.arn(), 3);
    /// service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
    /// service.start_message_move_task(&StartMessageMoveTask::new(failed.arn()))?;
    /// let tasks = service.list_message_move_tasks(failed.arn(), None)?;
    /// assert_eq!(tasks[0].status, MoveTaskStatus::Completed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_message_move_tasks(
        &self,
        source_arn: &str,
        max_results: Option<usize>,
    ) -> Result<Vec<MessageMoveTask>, MoveTaskError> {
        if !is_arn(source_arn) {
            return Err(InvalidParameterValue::SourceArn.into());
        }
        let tasks = self.shared.tasks_of(source_arn).ok_or(ResourceNotFound::SourceArn)?;
        let max_results = max_results.unwrap_or(1);
        check::check_count(
            "MaxResults",
            max_results,
            self.shared.environment.limits.list_move_task_results,
        )?;
        let newest = tasks.iter().take(max_results);
        Ok(newest.map(MessageMoveTask::of).collect())
    }
}

/// L26i.
fn check_destination(destination: &Queue, source: &Queue) -> Result<(), InvalidParameterValue> {
    let reason = if destination.is(source) {
        InvalidReason::DestinationIsSource
    } else if destination.is_fifo() != source.is_fifo() {
        InvalidReason::DestinationType
    } else {
        return Ok(());
    };
    Err(InvalidParameterValue::of("DestinationArn", destination.arn(), reason))
}

impl MessageMoveTask {
    fn of(task: &Arc<Task>) -> Self {
        task.tick();
        let report = task.report();
        let running = report.status == MoveTaskStatus::Running;
        Self {
            status: report.status,
            source_arn: task.source.arn().to_owned(),
            destination_arn: task.destination.arn().map(str::to_owned),
            max_messages_per_second: task.rate.map(NonZeroU32::get),
            approximate_number_of_messages_moved: report.moved,
            approximate_number_of_messages_to_move: task.to_move,
            started_timestamp: report.started_at,
            task_handle: running.then(|| TaskHandle::new(task.id, task.source.arn())),
            failure_reason: report.failure,
        }
    }
}

impl ServiceState {
    /// The tasks of a queue, the newest first.
    fn tasks_of(&self, source_arn: &str) -> Option<Vec<Arc<Task>>> {
        let name = self.addresses.name_in_arn(source_arn)?;
        let registry = self.registry.lock();
        Some(registry.get(name)?.tasks.iter().cloned().collect())
    }

    /// Under a clock that wakes late, a task may only seem to be active.
    fn tick_tasks_of(&self, source: &Queue) {
        let tasks = self.tasks_of(source.arn());
        tasks.iter().flatten().for_each(Task::tick);
    }

    /// Enters a task that has moved nothing yet.
    fn register(
        self: &Arc<Self>,
        source: Queue,
        destination: Option<Queue>,
        rate: Option<NonZeroU32>,
    ) -> Result<(Arc<Task>, Position), MoveTaskError> {
        let to_move = source.counts().visible as u64;
        let machine = MoveTask::start(
            self.environment.clock.now(),
            rate,
            self.environment.limits.move_task_duration,
        );
        let name = source.name().to_owned();
        let mut registry = self.registry.lock();
        let entry = registry.get(&name).filter(|entry| entry.queue.is(&source));
        let tasks = &entry.ok_or(ResourceNotFound::SourceArn)?.tasks;
        if tasks.front().is_some_and(|task| task.is_active()) {
            return Err(InvalidParameterValue::MoveTaskRunning.into());
        }
        let limit = self.environment.limits.move_tasks_active;
        if !registry.may_start_task(limit) {
            return Err(MoveTaskError::OverLimit { limit });
        }
        registry.started += 1;
        let id = self.draw_id("move task", registry.started);
        let queues = (source, destination.map_or(Destination::Origin, Destination::Queue));
        let task = Arc::new(Task::new(self, id, queues, rate, to_move, machine));
        let forgotten = registry.push_task(&name, Arc::clone(&task), self.environment.limits.list_move_task_results);
        self.record_service(&registry);
        let position = task.record(self);
        drop(registry);
        drop(forgotten);
        Ok((task, position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_handle_is_base64_of_the_task_id_and_the_source_arn() {
        // L27
        let (id, arn) = (MessageId::from_random(7), "arn:aws:sqs:us-east-1:123456789012:dead");
        let handle = TaskHandle::new(id, arn);
        let text = BASE64.decode(handle.as_str().as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"taskId":"00000000-0000-4000-8000-000000000007","sourceArn":"arn:aws:sqs:us-east-1:123456789012:dead"}"#
        );
        assert_eq!(
            TaskHandle::parse(handle.as_str()),
            Some((id.to_string(), arn.to_owned()))
        );
    }

    #[test]
    fn what_is_not_a_task_handle_is_told_apart() {
        // L26e
        for text in [
            "",
            "{}",
            r#"{"taskId":"1"}"#,
            r#"{"taskId":"1","sourceArn":"a""#,
            r#"{"sourceArn":"a","taskId":"1"}"#,
        ] {
            assert_eq!(TaskHandle::parse(&BASE64.encode(text.as_bytes())), None, "{text}");
        }
        assert_eq!(TaskHandle::parse("no base64!"), None);
        assert_eq!(TaskHandle::parse(&BASE64.encode(b"\xff")), None);
    }
}
