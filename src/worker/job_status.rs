//! The jobs in progress, as a report shows them.

use {
    super::{engine::Control, job::Job},
    crate::time::Timestamp,
    std::{fmt, sync::Arc, time::Duration},
};

/// A job whose handler runs, as [`RunnerHandle::jobs`](super::RunnerHandle::jobs) found it.
///
/// As text it is a line for a terminal.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, Queue, SendMessage, worker::{Job, Runner}};
///
/// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
/// jobs.send(SendMessage::new("resize cat.png").message_group_id("customer-3"))?;
/// let runner = Runner::builder(&jobs).each_async(|job: Job| async move {
///     job.set_progress("3 of 8 sizes");
///     job.stopping().await;
///     Ok::<(), String>(())
/// })?;
/// let handle = runner.handle();
/// let running = std::thread::spawn(move || runner.blocking());
/// let job = loop {
///     match handle.jobs().pop() {
///         Some(job) if job.progress.is_some() => break job,
///         _ => std::thread::yield_now(),
///     }
/// };
/// let text = format!("message {} of group customer-3: running for 0ns, held for 30s more, 3 of 8 sizes", job.message_id);
/// assert_eq!(job.to_string(), text);
/// handle.stop();
/// assert_eq!(running.join().unwrap()?.succeeded, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct JobStatus {
    /// The id of its message.
    pub message_id: String,
    /// The message group of its message.
    pub message_group_id: Option<String>,
    /// How often its message has been received, this time included.
    pub approximate_receive_count: u32,
    /// When its handler was called.
    pub began_at: Timestamp,
    /// For how long its handler has run.
    pub running_for: Duration,
    /// How long its lease still lasts, unless it is renewed; zero once it is lost.
    pub lease_left: Duration,
    /// Its handler has outlasted the handler timeout: the job has failed, though the handler cannot be interrupted.
    pub timed_out: bool,
    /// What its handler last told by [`Job::set_progress`].
    pub progress: Option<Arc<str>>,
}

impl JobStatus {
    fn new(job: &Job, began_at: Timestamp, timed_out: bool, now: Timestamp) -> Self {
        Self {
            message_id: job.message_id().into_owned(),
            message_group_id: job.message_group_id().map(str::to_owned),
            approximate_receive_count: job.approximate_receive_count(),
            began_at,
            running_for: now.saturating_duration_since(began_at),
            lease_left: job.lease_left_at(now),
            timed_out,
            progress: job.progress(),
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {}", self.message_id)?;
        if let Some(group) = &self.message_group_id {
            write!(f, " of group {group}")?;
        }
        write!(f, ": running for {:?}", self.running_for)?;
        match self.lease_left {
            _ if self.timed_out => f.write_str(", timed out")?,
            Duration::ZERO => f.write_str(", not held any more")?,
            left => write!(f, ", held for {left:?} more")?,
        }
        match &self.progress {
            Some(progress) => write!(f, ", {progress}"),
            None => Ok(()),
        }
    }
}

/// The jobs that a runner works on.
pub(super) fn of_runner(control: &Control) -> Vec<JobStatus> {
    let jobs = control.dispatcher.lock().running_jobs();
    let now = control.clock.now();
    let status = |(job, began_at, timed_out)| JobStatus::new(&job, began_at, timed_out, now);
    jobs.into_iter().map(status).collect()
}
