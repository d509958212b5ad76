//! The loop of a worker: asks the dispatcher for tasks and carries out those that may have to wait.

use {
    super::{
        at_once::Rest,
        backlog::WorkItem,
        count::{Count, Outcome},
        dispatcher::{Dispatcher, ReceiveTask, Task},
        engine::{Engine, WorkerPermit},
        event::RunnerEvent,
        handler::Handler,
        job::{Job, SpareJobs},
        worker_state::WorkerState,
    },
    crate::{
        backend::{Backoff, MessageCounts, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        clock::give_way,
        sync::wake,
        time::{TICK, Timestamp},
    },
    std::{
        future::{Future, poll_fn},
        iter,
        pin::{Pin, pin},
        sync::Arc,
        task::{self, Waker},
        time::Duration,
    },
};

/// The pauses between the receives of a worker that waits on a queue whose receives may not wait.
const POLL_PAUSES: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

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

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
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
                // Under the lock under which no task was found, so that a task that appears later finds the waker.
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

    pub(super) fn receive_request(&self, receive: ReceiveTask) -> ReceiveRequest {
        let wait_time = if self.may_wait() {
            receive.wait_time()
        } else {
            Duration::ZERO
        };
        ReceiveRequest::new(receive.max_messages())
            .wait_time(wait_time)
            .visibility_timeout(self.config.visibility_timeout)
            .max_messages_per_group(self.config.max_messages_per_group)
            .load_bodies(false)
    }

    /// Whether a receive of the queue may wait for messages.
    fn may_wait(&self) -> bool {
        self.config.limits.max_wait_time >= TICK
    }

    async fn poll(&self, worker: usize, receive: ReceiveTask) -> Option<Vec<ReceivedMessage>> {
        // What a stop would drop, the queue may have answered: the messages stay hidden, and nobody knows of them.
        let cut = if self.config.in_process {
            Cut::StopOrPause
        } else {
            Cut::Timeout
        };
        let answer = if self.may_wait() {
            let receive = self.queue.receive(self.receive_request(receive));
            self.unless_cut(worker, cut, receive).await?
        } else {
            Box::pin(self.poll_repeatedly(worker, receive, cut)).await?
        };
        match answer {
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

    /// Receives without waiting, and after ever longer pauses again, until there are messages or the time of the receive is
    /// over.
    async fn poll_repeatedly(
        &self,
        worker: usize,
        receive: ReceiveTask,
        cut: Cut,
    ) -> Option<Result<Vec<ReceivedMessage>, MessageQueueError>> {
        let end = self.now().saturating_add(receive.wait_time());
        let mut polls = 0;
        loop {
            let request = self.receive_request(receive);
            let answer = self.unless_cut(worker, cut, self.queue.receive(request)).await?;
            let now = self.now();
            let is_empty = answer.as_ref().is_ok_and(Vec::is_empty);
            if !is_empty || now >= end {
                return Some(answer);
            }
            polls += 1;
            let next = now.saturating_add(POLL_PAUSES.limit(polls)).min(end);
            self.unless_cut(worker, Cut::StopOrPause, self.until(next)).await?;
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
            self.control.stop(Some(error.of_queue(self.queue.url())));
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
