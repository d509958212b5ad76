//! The dispatcher: assigns jobs, receives and lease renewals to the workers of a runner.
//!
//! A *worker* is a permit to run one handler. The thread or future that drives it asks the dispatcher for its next task.
//! One worker at a time makes a long poll, for as many messages as there are idle workers. While receives bring messages,
//! other idle workers make short polls. A worker without a task is *parked* until its waker is called.
//!
//! Invariants:
//! * at most one long poll is under way;
//! * a work item begins only while fewer are in progress than the concurrency says, and not while the runner is paused
//!   or stopping;
//! * a work item begins only if the rate has a token for each of its jobs, and their groups allow them;
//! * limits of groups hold back no more jobs than they may, unless the runner is paused: the next worker puts them off;
//! * on a FIFO queue at most one work item at a time has jobs of a group, and they begin in the order of their receives;
//!   a job whose handler has timed out and not ended is settled, and holds neither its group nor a place in the report;
//! * while all workers have such handlers, nothing is received, and the backlog goes back;
//! * each job received is exactly one of: in the backlog, in progress, settled, given back (or to be), abandoned; so
//!   none is lost, and none begins twice;
//! * a worker is exactly one of: runnable, parked, busy. If a work item or a receive could begin and no runnable worker
//!   is left for it, then none is parked: whoever makes it possible gets the waker of a parked worker;
//! * if time alone lets a job begin or be received, a worker asks by then: one that is parked has a timer, and a long
//!   poll ends;
//! * after a stop no worker is parked, none begins anything, and the backlog goes back;
//! * the dispatcher calls no queue, handler or waker: time is an argument, and wakers are returned to the caller.

mod end;
mod leases;
mod limits;
mod returns;
mod steering;
#[cfg(test)]
mod tests;
mod watch;

use {
    super::{
        backlog::{Backlog, PutOff, WorkItem},
        count::{Count, Outcome},
        counters::Counters,
        job::Job,
        lease::Lease,
        rate_limit::{Bucket, Rate},
    },
    crate::{
        backend::{MessageCounts, MessageQueueError},
        time::Timestamp,
    },
    std::{mem, sync::Arc, task::Waker, time::Duration},
    watch::next_measurement,
};

/// How often a runner that waits for the messages of others counts them, where counts are exact.
const RECOUNT: Duration = Duration::from_secs(1);

/// When a runner ends by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Never,
    /// A receive returned nothing, and nothing is in progress.
    NoneVisible,
    /// The queue has counted no message at all, and nothing is in progress.
    NoneLeft,
}

/// The settings of a dispatcher.
#[derive(Clone, Copy, Debug)]
pub(super) struct DispatcherConfig {
    pub(super) concurrency: usize,
    /// Extra messages to request beyond the number of idle workers.
    pub(super) prefetch: usize,
    /// The largest number of messages in one handler call.
    pub(super) batch_size: usize,
    pub(super) max_messages: usize,
    pub(super) wait_time: Duration,
    pub(super) end: End,
    pub(super) fifo: bool,
    /// How long the backlog waits for handlers after a stop, or while all have timed out, where giving it back costs a
    /// receive.
    pub(super) give_back_after: Duration,
    /// The rate at which jobs may begin.
    pub(super) rate: Option<Rate>,
    /// How long before its token a job may be received.
    pub(super) receive_ahead: Duration,
    /// Whether jobs of the backlog may have to wait for a time: for a token, or for the rest of a batch.
    pub(super) timed: bool,
    /// Time from a receive or a renewal until the lease is next due; no lease is due sooner.
    pub(super) renew_interval: Duration,
    pub(super) handler_timeout: Option<Duration>,
}

/// A worker's next task: a tag and a word, so that registers carry it from call to call.
#[derive(Debug)]
pub(super) enum Task {
    /// Run the handler for the work item of this job, which begins now.
    One(Job),
    /// The same for a batch.
    Batch(Arc<Vec<Job>>),
    Receive(ReceiveTask),
    /// Hide messages that the limits of their groups hold back.
    PutOff(Arc<Vec<PutOff>>),
    /// Ask the queue how many messages it holds; the number is that of changes so far.
    Count(u64),
    End,
}

/// A receive to make.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveTask {
    /// The time to wait in milliseconds, shifted by [`ReceiveTask::WAIT`], and the largest number of messages.
    packed: u64,
}

impl ReceiveTask {
    const WAIT: u32 = 32;

    fn new(max_messages: usize, wait_time: Duration) -> Self {
        let max_messages = u32::try_from(max_messages).unwrap_or(u32::MAX);
        let wait_millis = u32::try_from(wait_time.as_millis()).unwrap_or(u32::MAX);
        Self {
            packed: u64::from(wait_millis) << Self::WAIT | u64::from(max_messages),
        }
    }

    pub(super) const fn max_messages(self) -> usize {
        self.packed as u32 as usize
    }

    pub(super) const fn wait_time(self) -> Duration {
        Duration::from_millis(self.packed >> Self::WAIT)
    }

    const fn is_long_poll(self) -> bool {
        self.packed >> Self::WAIT > 0
    }
}

/// The lease renewer's next task.
#[derive(Debug)]
pub(super) enum RenewerTask {
    /// The leases of these jobs are due for renewal, or have ended.
    Due(Vec<Job>),
    /// The runner stops, and no handler will begin these jobs.
    GiveBack(Vec<Job>),
    /// The handlers of these jobs were cut off.
    GiveBackAbandoned(Vec<Job>),
    /// A handler has timed out and not ended.
    Stuck(Stuck),
    /// Nothing is due before this instant, unless the waker is called.
    Sleep(Timestamp),
    Over,
}

/// A handler call that was found to have timed out and has not ended; its jobs are counted.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) jobs: Vec<Job>,
    /// The jobs of the same groups that left the backlog.
    pub(super) behind: Vec<Job>,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    /// It has a task, has ended, or has just found none.
    #[default]
    Busy,
    /// It will ask for a task: it was started or woken, or is between two tasks.
    Runnable,
    /// It has no task, and is woken when there is one.
    Parked,
}

#[derive(Debug, Default)]
struct Worker {
    phase: Phase,

    /// The work item in progress, and when it began.
    item: Option<(WorkItem, Timestamp)>,
    /// Jobs of the work item that were counted as not begun.
    not_begun: usize,
    /// The work item, and when it began, once it is counted as abandoned.
    abandoned: Option<(WorkItem, Timestamp)>,
    /// When the handler was found to have timed out, while it runs on: its jobs are counted, and their groups released.
    timed_out_at: Option<Timestamp>,
    /// [`Dispatcher::returns`] when its last receive began.
    returns: u64,
    /// The waker, while the worker is parked or waits for the queue.
    waker: Option<Waker>,
    /// It has been told to end, because there are more workers than the concurrency says.
    retired: bool,
}

#[derive(Debug)]
pub(super) struct Dispatcher {
    config: DispatcherConfig,
    backlog: Backlog,
    /// The tokens of the rate.
    bucket: Bucket,
    workers: Vec<Worker>,
    /// The places in `workers` of those that have ended and may be replaced.
    vacant: Vec<usize>,
    /// Workers without a task, woken in last-in, first-out order.
    parked: Vec<usize>,
    /// The parked worker that asks again by itself, and when.
    timer: Option<(usize, Timestamp)>,
    /// Number of runnable workers.
    runnable: usize,
    working: usize,
    /// Number of jobs of the work items in progress, without those that were left out or have timed out.
    in_progress: usize,
    /// Number of workers in progress whose handlers have timed out.
    blocked: usize,
    /// Number of workers that have not ended, and of those among them that were told to.
    alive: usize,
    retiring: usize,
    /// Nothing new is begun or received.
    paused: bool,
    /// Receives under way, and the messages they request.
    polls: usize,
    requested: usize,
    /// One of the receives is a long poll.
    long_poll: bool,
    /// The last receive to end returned messages.
    last_receive_nonempty: bool,
    /// A receive returned nothing, and no message may have returned to the queue since it began.
    seen_empty: bool,
    /// Bumped whenever a message may have returned; an empty receive that began earlier does not prove the queue empty.
    returns: u64,
    /// A count is due once nothing is in progress: the queue may hold no message any more.
    count_due: bool,
    counting: bool,
    /// Bumped by what may make a count out of date.
    changes: u64,
    /// The last count found messages that cannot be received yet, and is up to date.
    left: bool,
    /// Counts in a row of nothing, if they are approximate.
    zeros: u32,
    none_left: bool,
    /// The longest wait for a message before the queue is counted again.
    recount: Duration,
    stopped_at: Option<Timestamp>,
    /// The runner has ended.
    over: bool,
    /// When a worker last asked for a task.
    asked_at: Timestamp,
    error: Option<MessageQueueError>,
    /// The shutdown timeout is over.
    timed_out: bool,
    /// Jobs whose handlers were cut off.
    cut_off: Vec<Job>,
    /// A worker ended before the runner was stopped.
    worker_exited_early: bool,
    renewer: Option<Waker>,
    /// When the renewer's timer fires, if it sleeps.
    renewer_wakes_at: Timestamp,
    /// A handler has begun that times out before the renewer's timer fires.
    renewer_is_late: bool,
    /// Handler calls that have timed out and not ended, and whose messages are being settled.
    stuck: usize,
    /// The count of received messages when the renewer last found no lease.
    idle_at_received: Option<u64>,
    pub(super) counters: Counters,
}

impl Dispatcher {
    pub(super) fn new(config: DispatcherConfig, backlog: Backlog, counters: Counters) -> Self {
        Self {
            config,
            backlog,
            bucket: Bucket::default(),
            workers: Vec::new(),
            vacant: Vec::new(),
            parked: Vec::new(),
            timer: None,
            runnable: 0,
            working: 0,
            in_progress: 0,
            blocked: 0,
            alive: 0,
            retiring: 0,
            paused: false,
            polls: 0,
            requested: 0,
            long_poll: false,
            last_receive_nonempty: false,
            seen_empty: false,
            returns: 0,
            count_due: config.end == End::NoneLeft,
            counting: false,
            changes: 0,
            left: false,
            zeros: 0,
            none_left: false,
            recount: config.wait_time,
            stopped_at: None,
            over: false,
            asked_at: Timestamp::ZERO,
            error: None,
            timed_out: false,
            cut_off: Vec::new(),
            worker_exited_early: false,
            renewer: None,
            renewer_wakes_at: Timestamp::ZERO,
            renewer_is_late: false,
            stuck: 0,
            idle_at_received: None,
            counters,
        }
    }

    // Workers.

    /// Adds a worker if there is a task for one and the concurrency allows it.
    pub(super) fn add_worker_if_needed(&mut self, now: Timestamp) -> Option<usize> {
        self.backlog.advance(now);
        let needed = self.parked.is_empty() && (self.needs_workers(now) || self.needs_timer(now));
        needed.then(|| self.add_worker()).flatten()
    }

    /// Adds a worker if the concurrency allows it.
    pub(super) fn add_worker(&mut self) -> Option<usize> {
        if self.staff() >= self.config.concurrency || self.stopped_at.is_some() {
            return None;
        }
        let worker = self.vacant.pop().unwrap_or_else(|| {
            self.workers.push(Worker::default());
            self.workers.len() - 1
        });
        self.set_runnable(worker);
        self.alive += 1;
        Some(worker)
    }

    /// Removes a worker that ended, now or at a time that is not known; returns the wakers to call.
    ///
    /// A worker that ends before the runner was torn down by a panic, or by a thread wrapper that did not call it. No
    /// other worker can resume its task, so the runner stops.
    pub(super) fn worker_ended(&mut self, worker: usize, now: Option<Timestamp>) -> Vec<Waker> {
        let now = now.unwrap_or(self.asked_at);
        self.alive -= 1;
        // One that could not be started was never asked for its task.
        self.set_busy(worker);
        self.measure(now);
        if let Some((item, _)) = self.workers[worker].abandoned.take() {
            // What was decided stands, as does an earlier give-back.
            let untouched = |job: &&Job| !job.lease().is_decided() && !job.lease().renewal_stopped();
            self.cut_off.extend(item.jobs().iter().filter(untouched).cloned());
        }
        if self.workers[worker].retired {
            self.retiring -= 1;
            self.workers[worker] = Worker::default();
            self.vacant.push(worker);
        } else if self.stopped_at.is_none() {
            self.worker_exited_early = true;
            return self.stop(now, None);
        }
        match self.alive {
            // A runner that goes on leaves its renewer alone.
            0 if self.stopped_at.is_some() => self.renewer.take().into_iter().collect(),
            // The renewer waits for the last worker.
            _ => Vec::new(),
        }
    }

    /// This worker's next task, if there is one.
    pub(super) fn next(&mut self, worker: usize, now: Timestamp) -> Option<Task> {
        self.asked_at = now;
        let task = self.next_task(worker, now);
        self.measure(now);
        task
    }

    fn next_task(&mut self, worker: usize, now: Timestamp) -> Option<Task> {
        self.set_busy(worker);
        if self.stopped_at.is_some() {
            return Some(Task::End);
        }
        if self.backlog.has_groups() {
            self.backlog.advance(now);
            if let Some(put_off) = self.put_off() {
                return Some(Task::PutOff(Arc::new(put_off)));
            }
        }
        if let Some(item) = self.take_item(now) {
            self.begin(worker, &item, now);
            return Some(match item {
                WorkItem::One(job) => Task::One(job),
                WorkItem::Batch(jobs) => Task::Batch(jobs),
            });
        }
        if self.is_surplus(now) {
            self.retire(worker);
            return Some(Task::End);
        }
        if self.paused {
            return None;
        }
        if self.count_due && !self.counting && self.working == 0 && self.backlog.len() == 0 {
            (self.count_due, self.counting) = (false, true);
            return Some(Task::Count(self.changes));
        }
        let receive = self.receive_task(now)?;
        self.polls += 1;
        self.requested += receive.max_messages();
        self.long_poll |= receive.is_long_poll();
        self.workers[worker].returns = self.returns;
        Some(Task::Receive(receive))
    }

    /// Parks this worker until its waker is called; returns when it has to ask again by itself.
    pub(super) fn park(&mut self, worker: usize, waker: &Waker, now: Timestamp) -> Option<Timestamp> {
        self.workers[worker].waker = Some(waker.clone());
        self.workers[worker].phase = Phase::Parked;
        self.parked.push(worker);
        let at = self.untimed(now)?;
        self.timer = Some((worker, at));
        Some(at)
    }

    /// Stores the waker of a worker that waits for the queue, which a stop calls.
    pub(super) fn listen(&mut self, worker: usize, waker: &Waker) {
        let held = &mut self.workers[worker].waker;
        if !held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *held = Some(waker.clone());
        }
    }

    /// The receive that an idle worker may make.
    fn receive_task(&self, now: Timestamp) -> Option<ReceiveTask> {
        let idle = self.config.concurrency.saturating_sub(self.working);
        let idle = idle.saturating_mul(self.config.batch_size);
        // The backlog of a FIFO queue waits for its groups, and not for a worker.
        let waiting = if self.config.fifo { 0 } else { self.backlog.ready_jobs() };
        let room = (idle.saturating_add(self.config.prefetch)).saturating_sub(waiting + self.requested);
        let wanted_messages = room.min(self.receivable(now));
        let settled = self.config.end == End::NoneVisible && self.seen_empty;
        if wanted_messages == 0 || !self.may_receive() || settled {
            return None;
        }
        let long_poll = match self.config.end {
            End::Never => true,
            End::NoneVisible => false,
            // Without a count that says so there may be nothing to wait for.
            End::NoneLeft => self.left || self.working > 0 || self.backlog.len() > 0,
        };
        let wait_time = if self.long_poll || !long_poll {
            Duration::ZERO
        } else {
            self.recount.min(self.until_start(now))
        };
        Some(ReceiveTask::new(
            self.config.max_messages.min(wanted_messages),
            wait_time,
        ))
    }

    /// Whether another receive may be under way.
    const fn may_receive(&self) -> bool {
        !self.counting && !self.is_blocked() && (self.polls == 0 || self.last_receive_nonempty)
    }

    fn needs_workers(&self, now: Timestamp) -> bool {
        if self.paused {
            return false;
        }
        let pollers = usize::from(self.may_receive() && self.receivable(now) > 0);
        let idle = self.config.concurrency.saturating_sub(self.working);
        self.startable(now).min(idle) + pollers > self.runnable
    }

    fn set_runnable(&mut self, worker: usize) {
        if mem::replace(&mut self.workers[worker].phase, Phase::Runnable) != Phase::Runnable {
            self.runnable += 1;
        }
    }

    /// The worker is neither runnable nor parked any more.
    fn set_busy(&mut self, worker: usize) {
        match mem::take(&mut self.workers[worker].phase) {
            Phase::Runnable => self.runnable -= 1,
            // A timer woke it.
            Phase::Parked => self.parked.retain(|parked| *parked != worker),
            Phase::Busy => {}
        }
        self.workers[worker].waker = None;
        if self.timer.is_some_and(|(timed, _)| timed == worker) {
            self.timer = None;
        }
    }

    /// The worker asks for its next task without being woken.
    fn stay_runnable(&mut self, worker: usize) {
        self.workers[worker].waker = None;
        self.set_runnable(worker);
    }

    /// Unparks the worker that was parked last; returns its waker.
    fn unpark(&mut self) -> Option<Waker> {
        let worker = self.parked.pop()?;
        self.set_runnable(worker);
        self.workers[worker].waker.take()
    }

    /// Unparks a worker for each task that is left, after the calling worker has taken its own, and those that are to
    /// end; returns their wakers, and the renewer's if it has to wake earlier.
    #[inline]
    pub(super) fn wake_parked(&mut self, now: Timestamp) -> Vec<Waker> {
        if self.parked.is_empty() && !self.renewer_is_late {
            return Vec::new();
        }
        self.wake_some_parked(now)
    }

    fn wake_some_parked(&mut self, now: Timestamp) -> Vec<Waker> {
        self.backlog.advance(now);
        let mut wakers = Vec::new();
        if mem::take(&mut self.renewer_is_late) {
            wakers.extend(self.renewer.take());
        }
        let needed = |own: &Self| {
            own.needs_workers(now) || own.needs_timer(now) || own.needs_put_off() || own.has_parked_surplus()
        };
        while !self.parked.is_empty() && needed(self) {
            wakers.extend(self.unpark());
        }
        wakers
    }

    // Messages.

    /// Ends a receive, with these jobs or without an answer; returns the renewer's waker if it has to wake.
    pub(super) fn received(
        &mut self,
        worker: usize,
        receive: ReceiveTask,
        jobs: Option<impl Iterator<Item = Job>>,
    ) -> Option<Waker> {
        self.polls -= 1;
        self.requested -= receive.max_messages();
        self.long_poll &= !receive.is_long_poll();
        let (answered, mut look_at) = (jobs.is_some(), None);
        if let Some(jobs) = jobs {
            for job in jobs {
                self.counters.received(job.approximate_receive_count());
                look_at = look_at.or_else(|| Some(job.lease().renew_at().min(next_measurement(job.received_at()))));
                self.backlog.push(job);
            }
        }
        self.last_receive_nonempty = look_at.is_some();
        self.seen_empty = answered && look_at.is_none() && self.workers[worker].returns == self.returns;
        if look_at.is_some() {
            self.changed();
            self.count_due = false;
        } else if answered {
            self.count_due = self.config.end == End::NoneLeft;
        }
        self.stay_runnable(worker);
        let goes_back = self.stopped_at.is_some() || self.is_blocked();
        let renewer = goes_back || look_at.is_some_and(|look_at| look_at < self.renewer_wakes_at);
        renewer.then(|| self.renewer.take()).flatten()
    }

    /// Ends a work item whose messages are settled; without an outcome all jobs succeeded and were deleted.
    pub(super) fn finished(&mut self, worker: usize, outcome: Option<Box<Outcome>>, now: Timestamp) {
        self.may_have_returned();
        self.changed();
        let Worker {
            item,
            not_begun,
            abandoned,
            timed_out_at,
            ..
        } = &mut self.workers[worker];
        *abandoned = None;
        let not_begun = mem::take(not_begun);
        let timed_out = timed_out_at.take().is_some();
        if let Some((item, began_at)) = item {
            self.working -= 1;
            let span = now.saturating_duration_since(*began_at);
            let begun = item.jobs().len() - not_begun;
            (0..begun).for_each(|_| self.counters.handled(span));
            if timed_out {
                self.blocked -= 1;
            } else {
                item.jobs().iter().for_each(|job| self.backlog.release(job, span));
                self.in_progress -= begun;
            }
            match outcome {
                None => self.counters.add(Count::Succeeded, begun as u64),
                Some(outcome) => self.counters.add_all(&outcome),
            }
        }
        self.workers[worker].item = None;
        self.stay_runnable(worker);
    }

    /// Ends a task of hiding messages.
    pub(super) fn has_put_off(&mut self, worker: usize) {
        self.stay_runnable(worker);
    }
}
