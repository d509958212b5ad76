//! The engine: the state that all workers of a runner share.

use {
    super::{
        count::Count,
        dispatcher::Dispatcher,
        error::{RunnerError, exited_early},
        event::RunnerEvent,
        failure::FailurePolicy,
        handler::Handler,
        report::RunnerReport,
    },
    crate::{
        backend::{MessageQueue, MessageQueueError, QueueLimits, Retries, timing::RECEIVE_BACKOFF},
        clock::{Clock, Until},
        sync::{Mutex, catch, contain, panic_text, wake},
        time::Timestamp,
    },
    std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::Waker,
        time::Duration,
    },
};

#[cfg(feature = "tracing")]
use super::trace;

pub(super) type OnEvent = Arc<dyn Fn(&RunnerEvent) + Send + Sync>;

/// The validated settings of an engine.
#[derive(Clone)]
pub(super) struct EngineConfig {
    /// The concurrency that the runner is built with.
    pub(super) concurrency: usize,
    pub(super) visibility_timeout: Duration,
    /// Time from a receive or a renewal until the lease is next due.
    pub(super) renew_interval: Duration,
    pub(super) heartbeat: bool,
    pub(super) handler_timeout: Option<Duration>,
    pub(super) policy: FailurePolicy,
    pub(super) seed: u64,
    pub(super) fifo: bool,
    /// Whether the queue lives in this process: its calls take effect at once, and receives can be dropped.
    pub(super) in_process: bool,
    /// How long before the end of a lease no message is hidden or given back any more.
    pub(super) latency_margin: Duration,
    pub(super) limits: QueueLimits,
    /// FIFO: the most messages of a group in one receive, so that one group does not fill all workers.
    pub(super) max_messages_per_group: usize,
    /// Whether the clock is the queue's own, which a message of an embedded queue knows.
    pub(super) clock_of_queue: bool,
    /// How long handlers may run on after a stop.
    pub(super) shutdown_timeout: Duration,
    /// How long receives may fail by errors that may pass.
    pub(super) outage_timeout: Duration,
    pub(super) on_event: Option<OnEvent>,
}

/// The part of a runner that its handle shares: it has no type parameters.
pub(super) struct Control {
    pub(super) dispatcher: Mutex<Dispatcher>,
    pub(super) clock: Arc<dyn Clock>,
    stopping: AtomicBool,
}

impl Control {
    pub(super) fn new(dispatcher: Dispatcher, clock: Arc<dyn Clock>) -> Self {
        Self {
            dispatcher: Mutex::new(dispatcher),
            clock,
            stopping: AtomicBool::new(false),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self, error: Option<MessageQueueError>) {
        self.stopping.store(true, Ordering::Release);
        let wakers = self.dispatcher.lock().stop(self.clock.now(), error);
        wake(wakers);
    }

    pub(super) fn pause(&self) {
        let wakers = self.dispatcher.lock().pause();
        wake(wakers);
    }

    pub(super) fn resume(&self) {
        let wakers = self.dispatcher.lock().resume(self.clock.now());
        wake(wakers);
    }

    pub(super) fn set_concurrency(&self, concurrency: usize) {
        let wakers = self.dispatcher.lock().set_concurrency(concurrency, self.clock.now());
        wake(wakers);
    }

    /// Calls the dispatcher's wakers, after its lock is released; `over` are those of a runner that has just ended.
    #[cold]
    pub(super) fn wake_all(&self, wakers: impl IntoIterator<Item = Waker>, over: Option<Vec<Waker>>) {
        wake(wakers);
        if let Some(wakers) = over {
            self.stopping.store(true, Ordering::Release);
            wake(wakers);
        }
    }

    /// Why a runner has ended one of whose threads has failed.
    pub(super) fn thread_error(&self, error: io::Error) -> RunnerError {
        let mut dispatcher = self.dispatcher.lock();
        dispatcher.end();
        let report = Box::new(dispatcher.report());
        RunnerError::Thread { error, report }
    }

    /// The result of a runner that has ended.
    pub(super) fn result(&self) -> Result<RunnerReport, RunnerError> {
        let mut dispatcher = self.dispatcher.lock();
        dispatcher.end();
        match dispatcher.error() {
            None if dispatcher.worker_exited_early() => {
                drop(dispatcher);
                Err(self.thread_error(exited_early()))
            }
            None => Ok(dispatcher.report()),
            Some(error) => Err(RunnerError::Queue {
                error: error.clone(),
                report: Box::new(dispatcher.report()),
            }),
        }
    }
}

/// Marks the runner as over when it is dropped.
pub(super) struct Life<'c>(pub(super) &'c Control);

impl Drop for Life<'_> {
    fn drop(&mut self) {
        self.0.dispatcher.lock().end();
    }
}

/// The queue, the handler and the settings that all workers of a runner share.
pub(super) struct Engine<Q, H> {
    pub(super) queue: Q,
    pub(super) handler: H,
    pub(super) config: EngineConfig,
    pub(super) control: Arc<Control>,
    pub(super) receive_retries: Retries,
}

/// The permit to run one handler at a time; dropping it removes the worker, whether it ever ran or not.
pub(super) struct WorkerPermit {
    control: Arc<Control>,
    pub(super) worker: usize,
}

impl WorkerPermit {
    /// Adds a worker if there is a task for one.
    pub(super) fn acquire_if_needed(control: &Arc<Control>) -> Option<Self> {
        let worker = control.dispatcher.lock().add_worker_if_needed(control.clock.now())?;
        let control = Arc::clone(control);
        Some(Self { control, worker })
    }

    /// Adds a worker if there are fewer than the concurrency says.
    pub(super) fn acquire(control: &Arc<Control>) -> Option<Self> {
        let worker = control.dispatcher.lock().add_worker()?;
        let control = Arc::clone(control);
        Some(Self { control, worker })
    }

    /// The number of the worker, from 1; that of a worker that has ended is used again.
    pub(super) const fn number(&self) -> usize {
        self.worker + 1
    }

    /// Removes the worker, which could not be started, while the runner goes on with the others; returns their number.
    pub(super) fn retire(self) -> usize {
        let mut dispatcher = self.control.dispatcher.lock();
        dispatcher.retire(self.worker);
        dispatcher.staff()
    }
}

impl Drop for WorkerPermit {
    fn drop(&mut self) {
        // By a panic of the clock, perhaps, which may not panic again while the first is under way.
        let mut now = None;
        contain(|| now = Some(self.control.clock.now()));
        let wakers = self.control.dispatcher.lock().worker_ended(self.worker, now);
        wake(wakers);
    }
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    pub(super) fn new(queue: Q, handler: H, config: EngineConfig, control: Arc<Control>) -> Self {
        Self {
            receive_retries: Retries::new(RECEIVE_BACKOFF, config.outage_timeout),
            queue,
            handler,
            config,
            control,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.control.clock.now()
    }

    pub(super) fn until(&self, at: Timestamp) -> Until {
        Until::new(&self.control.clock, at)
    }

    pub(super) fn count(&self, what: Count, number: usize) {
        self.control.dispatcher.lock().counters.add(what, number as u64);
    }

    pub(super) fn report(&self, event: impl FnOnce() -> RunnerEvent) {
        #[cfg(not(feature = "tracing"))]
        let wanted = self.config.on_event.is_some();
        #[cfg(feature = "tracing")]
        let wanted = self.config.on_event.is_some() || trace::is_watched();
        if !wanted {
            return;
        }
        let event = event();
        #[cfg(feature = "tracing")]
        trace::emit(&event, self.queue.url());
        if let Some(on_event) = &self.config.on_event {
            let _ = catch(|| on_event(&event)).map_err(panic_text);
        }
    }
}
