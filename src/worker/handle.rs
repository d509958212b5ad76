//! Runner handles: stop, pause, resize and observe a runner, also before it starts.

use {
    super::{
        engine::Control,
        error::{BuildRunnerError, RunnerError},
        job_status::{self, JobStatus},
        report::{RunnerReport, RunnerState},
    },
    crate::{backend, sync::Mutex},
    std::{fmt, sync::Arc},
};

/// Steers and observes a [`Runner`](super::Runner) from anywhere, its own handlers included; clones steer the same
/// runner.
///
/// [`RunnerBuilder::handle`](super::RunnerBuilder::handle) has it before there is a runner: what it is told until then
/// holds from the beginning. Once the runner has ended, only [`report`](Self::report) does something. No method waits,
/// and all may be called by several threads at once: the last call counts, but a stop is final.
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{Job, Runner}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let _ = jobs.send_batch(["1", "last", "3"])?;
/// let builder = Runner::builder(&jobs);
/// let handle = builder.handle();
/// let report = builder.each(move |job: &Job| {
///     if job.body() == "last" {
///         handle.stop();
///     }
///     Ok::<(), String>(())
/// })?.blocking()?;
/// assert_eq!(report.succeeded, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RunnerHandle {
    link: Arc<Mutex<Link>>,
}

/// What a handle is connected to.
enum Link {
    Builder(Orders),
    Runner(Arc<Control>),
}

/// What a handle was told before there was a runner.
#[derive(Clone, Copy, Default)]
struct Orders {
    stop: bool,
    pause: bool,
    concurrency: Option<usize>,
}

impl Orders {
    fn report(&self) -> RunnerReport {
        let mut report = RunnerReport::new();
        report.state = match (self.stop, self.pause) {
            (true, _) => RunnerState::Stopping,
            (false, true) => RunnerState::Paused,
            (false, false) => RunnerState::Running,
        };
        report
    }
}

impl RunnerHandle {
    pub(super) fn of(control: &Arc<Control>) -> Self {
        let link = Link::Runner(Arc::clone(control));
        let link = Arc::new(Mutex::new(link));
        Self { link }
    }

    /// Connects the handle to its runner, which carries out what the handle was told before.
    fn connect(&self, control: &Arc<Control>) {
        let mut link = self.link.lock();
        // Under the lock, so that no later call overtakes these.
        if let Link::Builder(orders) = &*link {
            if let Some(concurrency) = orders.concurrency {
                control.set_concurrency(concurrency);
            }
            if orders.pause {
                control.pause();
            }
            if orders.stop {
                control.stop(None);
            }
        }
        *link = Link::Runner(Arc::clone(control));
    }

    /// Tells the runner something, or notes it for the runner to be built.
    fn order(&self, tell: impl FnOnce(&Control), note: impl FnOnce(&mut Orders)) {
        let control = match &mut *self.link.lock() {
            Link::Runner(control) => Arc::clone(control),
            Link::Builder(orders) => return note(orders),
        };
        tell(&control);
    }

    /// Ends the runner: its handlers within the [`shutdown_timeout`](super::RunnerBuilder::shutdown_timeout), its long
    /// poll at once on an embedded queue. A paused runner ends as well, and a second stop changes nothing.
    ///
    /// On a queue that is not [in process](crate::backend::MessageQueue::is_in_process) the long poll is answered first,
    /// within the shutdown timeout, as its messages could be on their way. Jobs that no handler has begun are given back.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?;
    /// runner.handle().stop();
    /// assert_eq!(runner.blocking()?.received, 0, "it was stopped before it began");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self) {
        self.order(|control| control.stop(None), |orders| orders.stop = true);
    }

    /// Lets the runner begin and receive nothing new until [`resume`](Self::resume); a second pause changes nothing.
    ///
    /// Handlers that run go on to their end. The leases of their messages and of those in the backlog are renewed. A long
    /// poll under way ends at once on an embedded queue; on any other its messages go to the backlog. A paused runner
    /// does not end by itself, as by [`until_none_visible`](super::RunnerBuilder::until_none_visible).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner, RunnerState}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let running = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?.spawn()?;
    /// running.handle().pause();
    /// assert_eq!(running.handle().report().state, RunnerState::Paused);
    /// running.handle().stop();
    /// assert_eq!(running.join()?.state, RunnerState::Ended);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pause(&self) {
        self.order(Control::pause, |orders| orders.pause = true);
    }

    /// Lets a paused runner go on; without a pause it does nothing.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
    /// runner.handle().pause();
    /// let (handle, running) = (runner.handle(), runner.spawn()?);
    /// handle.resume();
    /// assert_eq!(running.join()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(&self) {
        self.order(Control::resume, |orders| orders.pause = false);
    }

    /// Sets how many handlers run at the same time, at least 1, in the place of the builder's
    /// [`concurrency`](super::RunnerBuilder::concurrency).
    ///
    /// A higher number takes effect at once. With a lower one, running handlers go on to their end, and none begins until
    /// fewer than that run. A runner on threads starts and ends threads: one that cannot be started is reported as
    /// [`RunnerEvent::ThreadNotStarted`](super::RunnerEvent::ThreadNotStarted), and the runner goes on with those it has.
    ///
    /// # Errors
    /// [`BuildRunnerError::Concurrency`] for 0; the runner goes on as before. [`pause`](Self::pause) is what lets none
    /// begin.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BuildRunnerError, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?;
    /// runner.handle().set_concurrency(8)?;
    /// assert_eq!(runner.handle().set_concurrency(0), Err(BuildRunnerError::Concurrency));
    /// assert_eq!(runner.handle().report().concurrency, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_concurrency(&self, concurrency: usize) -> Result<(), BuildRunnerError> {
        if concurrency == 0 {
            return Err(BuildRunnerError::Concurrency);
        }
        self.order(
            |control| control.set_concurrency(concurrency),
            |orders| orders.concurrency = Some(concurrency),
        );
        Ok(())
    }

    /// What the runner has done so far, and what it does now; before it is built all numbers are 0.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).concurrency(3).each(|_: &Job| Ok::<(), String>(()))?;
    /// let report = runner.handle().report();
    /// assert_eq!((report.received, report.in_progress, report.concurrency), (0, 0, 3));
    /// println!("{report}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> RunnerReport {
        let control = match &*self.link.lock() {
            Link::Runner(control) => Arc::clone(control),
            Link::Builder(orders) => return orders.report(),
        };
        control.dispatcher.lock().report()
    }

    /// The jobs whose handlers run now, at most as many as the concurrency, times the batch size.
    ///
    /// Those whose handlers outlast the shutdown timeout on threads are among them, until they end.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?;
    /// assert!(runner.handle().jobs().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn jobs(&self) -> Vec<JobStatus> {
        let control = match &*self.link.lock() {
            Link::Runner(control) => Arc::clone(control),
            Link::Builder(_) => return Vec::new(),
        };
        job_status::of_runner(&control)
    }
}

impl backend::sealed::Sealed for RunnerHandle {}

impl backend::Handle for RunnerHandle {
    type Output = Result<RunnerReport, RunnerError>;

    fn stop(&self) {
        Self::stop(self);
    }
}

impl fmt::Debug for RunnerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerHandle")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

/// The handle of a runner to be built. A clone has a handle of its own, as it is for another runner.
pub(super) struct HandleOfBuilder(RunnerHandle);

impl HandleOfBuilder {
    pub(super) fn new() -> Self {
        let link = Arc::new(Mutex::new(Link::Builder(Orders::default())));
        Self(RunnerHandle { link })
    }

    pub(super) fn get(&self) -> RunnerHandle {
        self.0.clone()
    }

    pub(super) fn connect(self, control: &Arc<Control>) {
        self.0.connect(control);
    }
}

impl Clone for HandleOfBuilder {
    fn clone(&self) -> Self {
        Self::new()
    }
}
