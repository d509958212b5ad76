//! The engine: the state that all workers of a runner share, and the loop that each worker runs.

use {
    super::{
        at_once::{Rest, WorkerState},
        backlog::WorkItem,
        counters::{Count, Outcome},
        dispatcher::{Dispatcher, ReceiveTask, Task},
        event::RunnerEvent,
        failure::FailurePolicy,
        handler::Handler,
        job::{Job, SpareJobs},
        report::RunnerReport,
        runner::{RunnerError, exited_early},
    },
    crate::{
        backend::{
            Backoff, MessageCounts, MessageQueue, MessageQueueError, QueueLimits, ReceiveRequest, ReceivedMessage,
            Retries,
        },
        clock::{Clock, Until, give_way},
        sync::{Mutex, contain, wake},
        time::Timestamp,
    },
    std::{
        future::{Future, poll_fn},
        iter,
        pin::{Pin, pin},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{self, Waker},
        time::Duration,
    },
};

#[cfg(feature = "tracing")]
use super::trace;

/// The pause between a failed receive and the next.
const RECEIVE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));

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
    fn wake_all(&self, wakers: impl IntoIterator<Item = Waker>, over: Option<Vec<Waker>>) {
        wake(wakers);
        if let Some(wakers) = over {
            self.stopping.store(true, Ordering::Release);
            wake(wakers);
        }
    }

    /// The result of a runner that has ended.
    pub(super) fn result(&self) -> Result<RunnerReport, RunnerError> {
        let mut dispatcher = self.dispatcher.lock();
        dispatcher.end();
        match dispatcher.error() {
            None if dispatcher.worker_exited_early() => Err(RunnerError::Thread { error: exited_early() }),
            None => Ok(dispatcher.report()),
            Some(error) => Err(RunnerError::Queue {
                error: error.clone(),
                report: Box::new(dispatcher.report()),
            }),
        }
    }
}

/// What ends a worker's wait for something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cut {
    /// A stop, at once.
    Stop,
    /// A stop or a pause, at once.
    StopOrPause,
    /// A stop, once the shutdown timeout is over.
    Timeout,
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
    worker: usize,
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
        let now = self.control.clock.now();
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

    /// Runs a worker until the runner stops. Threads and futures drive the same async loop, which calls what may have to
    /// wait for the rest of [`run_at_once`](Self::run_at_once); what rarely happens is boxed, so that the loop stays small.
    ///
    /// With `watched` the worker shares its thread: handlers that block it are reported, and the worker yields to the
    /// renewer, the other workers and other tasks.
    pub(super) async fn run_worker(&self, permit: WorkerPermit, watched: bool) {
        let worker = permit.worker;
        let mut state = WorkerState::new(worker, watched, self.now());
        let mut next = self.turn(&mut state, |_, _| None);
        loop {
            let (item, outcome) = match self.run_at_once(next, &mut state) {
                Rest::Begin(item) => {
                    let outcome = self.work(item.jobs(), &mut state).await;
                    (item, outcome)
                }
                Rest::Settle(item, call) => {
                    let outcome = Box::pin(self.settle(item.jobs(), call)).await;
                    (item, outcome)
                }
                Rest::Report(item) => (item, None),
                Rest::Wait(task) => {
                    next = Box::pin(self.wait(task, &mut state)).await;
                    continue;
                }
                Rest::End => return,
            };
            if state.is_turn_over() {
                // Reported first: a worker that yields takes no place from the others.
                self.report_finished(item, outcome, &mut state);
                give_way().await;
                state.begin_turn(self.now());
                next = self.turn(&mut state, |_, _| None);
            } else {
                next = self.finished(item, outcome, &mut state);
            }
        }
    }

    /// Waits for a task, or for the queue's answer to one; returns the next task.
    async fn wait(&self, task: Option<Task>, state: &mut WorkerState) -> Option<Task> {
        let worker = state.worker;
        match task {
            None => {
                let (task, now) = self.wait_for_task(worker).await;
                state.now = now;
                Some(task)
            }
            Some(Task::Receive(receive)) => match self.poll(worker, receive).await {
                Some(messages) => {
                    state.messages = messages;
                    self.received(receive, state)
                }
                None => self.turn(state, |dispatcher, _| {
                    dispatcher.received(worker, receive, None::<iter::Empty<Job>>)
                }),
            },
            Some(Task::PutOff(put_off)) => {
                self.put_off(&put_off).await;
                // A hot group may have more at once.
                give_way().await;
                self.turn(state, |dispatcher, _| {
                    dispatcher.has_put_off(worker);
                    None
                })
            }
            Some(Task::Count(changes)) => {
                let counts = self.count_messages(worker).await;
                self.turn(state, |dispatcher, _| {
                    dispatcher.counted(worker, changes, counts);
                    None
                })
            }
            other => other,
        }
    }

    /// Reports a work item that is settled; returns the next task.
    pub(super) fn finished(
        &self,
        item: WorkItem,
        outcome: Option<Box<Outcome>>,
        state: &mut WorkerState,
    ) -> Option<Task> {
        let worker = state.worker;
        let next = self.turn(state, |dispatcher, now| {
            dispatcher.finished(worker, outcome, now);
            None
        });
        state.keep(item);
        next
    }

    /// Reports a work item that is settled, for a worker that takes its next task later.
    fn report_finished(&self, item: WorkItem, outcome: Option<Box<Outcome>>, state: &mut WorkerState) {
        let now = self.now();
        let wakers = {
            let mut dispatcher = self.control.dispatcher.lock();
            dispatcher.finished(state.worker, outcome, now);
            dispatcher.wake_parked(now)
        };
        wake(wakers);
        state.keep(item);
    }

    /// Reports the messages of a receive, which it takes out of the state; returns the next task.
    pub(super) fn received(&self, receive: ReceiveTask, state: &mut WorkerState) -> Option<Task> {
        let (worker, now) = (state.worker, self.now());
        state.now = now;
        let WorkerState {
            messages, jobs, spare, ..
        } = state;
        // Before the dispatcher is locked; the last one first, so that they are taken off `jobs` in their order.
        while let Some(message) = messages.pop() {
            jobs.push(self.job(message, now, spare));
        }
        self.turn_at(worker, now, |dispatcher| {
            dispatcher.received(worker, receive, Some(iter::from_fn(|| jobs.pop())))
        })
    }

    /// Reports a finished task to the dispatcher and takes the next, under one lock.
    fn turn(
        &self,
        state: &mut WorkerState,
        update: impl FnOnce(&mut Dispatcher, Timestamp) -> Option<Waker>,
    ) -> Option<Task> {
        let now = self.now();
        state.now = now;
        self.turn_at(state.worker, now, |dispatcher| update(dispatcher, now))
    }

    fn turn_at(
        &self,
        worker: usize,
        now: Timestamp,
        update: impl FnOnce(&mut Dispatcher) -> Option<Waker>,
    ) -> Option<Task> {
        let mut dispatcher = self.control.dispatcher.lock();
        let renewer = update(&mut dispatcher);
        let over = dispatcher.is_done(now);
        let task = dispatcher.next(worker, now);
        let woken = if task.is_some() {
            dispatcher.wake_parked(now)
        } else {
            Vec::new()
        };
        drop(dispatcher);
        if !woken.is_empty() || renewer.is_some() || over.is_some() {
            self.control.wake_all(woken.into_iter().chain(renewer), over);
        }
        task
    }

    /// Waits for the worker's next task; returns the instant at which it was taken as well.
    async fn wait_for_task(&self, worker: usize) -> (Task, Timestamp) {
        let mut timer = None;
        poll_fn(|context| {
            let now = self.now();
            let mut dispatcher = self.control.dispatcher.lock();
            let over = dispatcher.is_done(now);
            let task = dispatcher.next(worker, now);
            let (woken, look_again_at) = match &task {
                Some(_) => (dispatcher.wake_parked(now), None),
                None => (Vec::new(), dispatcher.park(worker, context.waker(), now)),
            };
            drop(dispatcher);
            self.control.wake_all(woken, over);
            timer = look_again_at.map(|at| self.until(at));
            if timer
                .as_mut()
                .is_some_and(|timer| Pin::new(timer).poll(context).is_ready())
            {
                // The clock has moved on since the dispatcher was asked.
                context.waker().wake_by_ref();
            }
            task.map_or(task::Poll::Pending, |task| task::Poll::Ready((task, now)))
        })
        .await
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
            contain(|| on_event(&event));
        }
    }

    pub(super) fn receive_request(&self, receive: ReceiveTask) -> ReceiveRequest {
        ReceiveRequest::new(receive.max_messages())
            .wait_time(receive.wait_time())
            .visibility_timeout(self.config.visibility_timeout)
            .max_messages_per_group(self.config.max_messages_per_group)
    }

    async fn poll(&self, worker: usize, receive: ReceiveTask) -> Option<Vec<ReceivedMessage>> {
        let receive = self.queue.receive(self.receive_request(receive));
        // What a stop would drop, the queue may have answered: the messages stay hidden, and nobody knows of them.
        let cut = if self.config.in_process {
            Cut::StopOrPause
        } else {
            Cut::Timeout
        };
        match self.unless_cut(worker, cut, receive).await? {
            Ok(messages) => {
                self.receive_retries.succeeded();
                Some(messages)
            }
            Err(_) if self.control.is_stopping() => {
                self.count(Count::ReceiveErrors, 1);
                None
            }
            Err(error) => {
                self.receive_failed(worker, error).await;
                None
            }
        }
    }

    async fn count_messages(&self, worker: usize) -> Option<MessageCounts> {
        match self.unless_cut(worker, Cut::Stop, self.queue.counts()).await? {
            Ok(counts) => Some(counts),
            Err(error) => {
                self.receive_failed(worker, error).await;
                None
            }
        }
    }

    #[inline]
    fn job(&self, message: ReceivedMessage, now: Timestamp, spare: &mut SpareJobs) -> Job {
        let visibility = self.config.visibility_timeout;
        let until = message
            .invisible_until()
            .unwrap_or_else(|| now.saturating_add(visibility));
        let received_at = until.saturating_sub(visibility);
        let renew_at = received_at.saturating_add(self.config.renew_interval);
        let known = self.config.clock_of_queue && message.embedded().is_some();
        let clock = (!known).then(|| Arc::clone(&self.control.clock));
        spare.job(message, clock, received_at, until, renew_at)
    }

    /// Backs off before the next receive, or ends the runner if the error is permanent or has lasted for too long.
    async fn receive_failed(&self, worker: usize, error: MessageQueueError) {
        self.count(Count::ReceiveErrors, 1);
        let now = self.now();
        let Some(after) = self.receive_retries.pause(&error, now) else {
            self.report(|| RunnerEvent::ReceiveFailed {
                error: error.clone(),
                retry_after: None,
            });
            self.control.stop(Some(error));
            return;
        };
        self.report(|| RunnerEvent::ReceiveFailed {
            error,
            retry_after: Some(after),
        });
        let pause = self.until(now.saturating_add(after));
        self.unless_cut(worker, Cut::Stop, pause).await;
    }

    /// Waits for a call to the queue, or until the runner is stopped or paused.
    async fn unless_cut<T>(&self, worker: usize, cut: Cut, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = pin!(wait);
        let mut timeout = None;
        poll_fn(|context| {
            if cut != Cut::Timeout && self.control.is_stopping() {
                return task::Poll::Ready(None);
            }
            if let task::Poll::Ready(output) = wait.as_mut().poll(context) {
                return task::Poll::Ready(Some(output));
            }
            let (stopped_at, paused) = {
                let mut dispatcher = self.control.dispatcher.lock();
                dispatcher.listen(worker, context.waker());
                (dispatcher.stopped_at(), dispatcher.is_paused())
            };
            match (stopped_at, cut) {
                (None, Cut::StopOrPause) if paused => task::Poll::Ready(None),
                (None, _) => task::Poll::Pending,
                (Some(_), Cut::Stop | Cut::StopOrPause) => task::Poll::Ready(None),
                (Some(stopped_at), Cut::Timeout) => {
                    let end = stopped_at.saturating_add(self.config.shutdown_timeout);
                    let timeout = timeout.get_or_insert_with(|| self.until(end));
                    Pin::new(timeout).poll(context).map(|()| None)
                }
            }
        })
        .await
    }
}
