//! The lease renewer: renews the visibility timeout of every message that the runner holds, and detects lost leases.

use {
    super::{
        dispatcher::{RenewerTask, Stuck},
        engine::Engine,
        event::RunnerEvent,
        handler::Handler,
        job::Job,
        settlement::{failed_jobs, max_hidden_time, messages},
    },
    crate::{
        backend::{
            EntryFailure, ErrorKind, MessageQueue, MessageQueueError,
            limits::MAX_MESSAGES,
            timing::{RENEWAL_RETRY, last_due, latency_margin},
        },
        clock::Until,
        sync::wake,
        time::{TICK, Timestamp},
    },
    futures_util::stream::{FuturesUnordered, StreamExt},
    std::{
        future::{Future, poll_fn},
        pin::Pin,
        task::{Context, Poll},
        time::Duration,
    },
};

/// The least time after a stop for the queue to answer the calls that give messages back, even if handlers get less.
pub(super) const GIVE_BACK: Duration = Duration::from_secs(5);

/// The least time after the shutdown timeout for the queue to answer the calls that give messages back.
const GIVE_BACK_ABANDONED: Duration = Duration::from_secs(1);

/// A call to the queue; several may be under way at once.
enum LeaseCall {
    Renew(Vec<Job>, Duration),
    GiveBack(Vec<Job>),
    /// The jobs are counted as abandoned.
    GiveBackAbandoned(Vec<Job>),
    SettleStuck(Stuck),
}

/// The result of a [`LeaseCall`].
enum Done {
    /// These jobs left the backlog, because an earlier one of their group was lost.
    Renewed(Vec<Job>),
    GaveBack,
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Renews leases until the runner has ended, or its shutdown timeout is over.
    ///
    /// With `cuts_off` the caller drops the workers as soon as [`Dispatcher::is_timed_out`] says so, and the messages of
    /// their handlers are given back.
    ///
    /// [`Dispatcher::is_timed_out`]: super::dispatcher::Dispatcher::is_timed_out
    pub(super) async fn renew_leases(&self, cuts_off: bool) {
        let mut calls = FuturesUnordered::new();
        let mut giving_back = 0;
        let mut alarm = None;
        poll_fn(|context| {
            loop {
                let mut due = Vec::new();
                while let Poll::Ready(Some(done)) = calls.poll_next_unpin(context) {
                    match done {
                        Done::GaveBack => giving_back -= 1,
                        Done::Renewed(behind) => due.extend(give_back(behind)),
                    }
                }
                if due.is_empty() {
                    match self.next_calls(context, &mut alarm, giving_back > 0, cuts_off) {
                        Poll::Ready(Some(calls)) => due = calls,
                        Poll::Ready(None) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                for call in due {
                    giving_back += usize::from(!matches!(call, LeaseCall::Renew(..)));
                    calls.push(self.run_call(call));
                }
            }
        })
        .await;
    }

    /// The next calls to make; `None` when the runner is over.
    fn next_calls(
        &self,
        context: &mut Context<'_>,
        alarm: &mut Option<Until>,
        giving_back: bool,
        cuts_off: bool,
    ) -> Poll<Option<Vec<LeaseCall>>> {
        loop {
            let now = self.now();
            let mut dispatcher = self.control.dispatcher.lock();
            let (idle, mut until) = match dispatcher.next_renewer_task(now, context.waker()) {
                RenewerTask::Due(jobs) => {
                    drop(dispatcher);
                    return Poll::Ready(Some(self.plan_renewals(jobs)));
                }
                RenewerTask::GiveBack(jobs) => return Poll::Ready(Some(vec![LeaseCall::GiveBack(jobs)])),
                RenewerTask::GiveBackAbandoned(jobs) => {
                    return Poll::Ready(Some(vec![LeaseCall::GiveBackAbandoned(jobs)]));
                }
                RenewerTask::Stuck(stuck) => {
                    // Other jobs of its groups may begin.
                    let wakers = dispatcher.wake_parked(now);
                    drop(dispatcher);
                    wake(wakers);
                    return Poll::Ready(Some(vec![LeaseCall::SettleStuck(stuck)]));
                }
                RenewerTask::Sleep(until) => (false, until),
                RenewerTask::Over => (true, Timestamp::MAX),
            };
            if let Some(stopped_at) = dispatcher.stopped_at() {
                // A stop has two ends: `handlers_end`, when running handlers are cut off, and `last`, when receives and
                // the calls that give messages back are no longer waited for.
                let handlers_end = stopped_at.saturating_add(self.config.shutdown_timeout);
                let last = self.config.shutdown_timeout.saturating_add(GIVE_BACK_ABANDONED);
                let last = stopped_at.saturating_add(last.max(GIVE_BACK));
                let done = idle || handlers_end <= now;
                if done && !idle {
                    dispatcher.abandon();
                    dispatcher.measure(now);
                    if cuts_off {
                        return Poll::Pending;
                    }
                }
                let busy = giving_back || dispatcher.is_polling();
                if done && (!busy || last <= now) {
                    return Poll::Ready(None);
                }
                until = until.min(if done { last } else { handlers_end });
            }
            drop(dispatcher);
            if until == Timestamp::MAX {
                *alarm = None;
                return Poll::Pending;
            }
            if Pin::new(alarm.insert(self.until(until))).poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn plan_renewals(&self, jobs: Vec<Job>) -> Vec<LeaseCall> {
        let now = self.now();
        let (mut calls, mut whole, mut unbegun) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            let left = max_hidden_time(&job, now, self.config.limits);
            let gains = now.saturating_add(left) > job.lease().held_until();
            if job.lease().renewal_stopped() {
                continue;
            }
            if job.lease().held_until() <= now {
                calls.extend(give_back(self.mark_lost(&job)));
                continue;
            }
            // Until the renewal is answered, only the end of the lease is due.
            job.lease().set_renew_at(job.lease().held_until());
            if !self.config.heartbeat || now >= job.lease().renew_until() || !gains {
                unbegun.extend(self.take_unbegun(&job));
            } else if left < self.config.visibility_timeout {
                calls.push(LeaseCall::Renew(vec![job], left));
            } else {
                whole.push(job);
            }
        }
        let batches = whole.chunks(MAX_MESSAGES).map(<[Job]>::to_vec);
        calls.extend(batches.map(|jobs| LeaseCall::Renew(jobs, self.config.visibility_timeout)));
        calls.extend(give_back(unbegun));
        calls
    }

    /// Removes a job whose lease cannot be renewed from the backlog, with the rest of its FIFO group: given back while
    /// they are held, they cost nothing where that can be.
    fn take_unbegun(&self, job: &Job) -> Vec<Job> {
        let (jobs, wakers) = {
            let mut dispatcher = self.control.dispatcher.lock();
            // Fewer jobs may need fewer tokens.
            (dispatcher.take_unbegun(job), dispatcher.wake_parked(self.now()))
        };
        wake(wakers);
        jobs
    }

    async fn run_call(&self, call: LeaseCall) -> Done {
        match call {
            LeaseCall::Renew(jobs, timeout) => {
                let now = self.now();
                let jobs = self.still_to_renew(jobs, now);
                if jobs.is_empty() {
                    return Done::Renewed(Vec::new());
                }
                let changed = self.queue.change_visibility(&messages(&jobs), timeout).await;
                let behind = self.renewed(&jobs, changed, now, timeout);
                jobs.iter().for_each(|job| job.lease().end_renewal());
                Done::Renewed(behind)
            }
            LeaseCall::GiveBack(jobs) => {
                self.give_back(&jobs).await;
                Done::GaveBack
            }
            LeaseCall::GiveBackAbandoned(jobs) => {
                self.return_to_queue(&jobs).await;
                Done::GaveBack
            }
            LeaseCall::SettleStuck(stuck) => {
                self.settle_stuck(stuck).await;
                Done::GaveBack
            }
        }
    }

    /// Marks renewals as called, right before they are; leaves out jobs that are being settled, or whose lease could end
    /// before the call arrives: on a standard queue it would change the next consumer's lease (D19).
    fn still_to_renew(&self, mut jobs: Vec<Job>, now: Timestamp) -> Vec<Job> {
        let margin = latency_margin(self.config.visibility_timeout);
        jobs.retain(|job| {
            let renew = job.lease().is_held_at(now.saturating_add(margin)) && job.lease().begin_renewal();
            if !renew {
                job.lease().set_renew_at(self.retry_at(job));
            }
            renew
        });
        jobs
    }

    /// When a renewal that failed or could not be called is tried again.
    fn retry_at(&self, job: &Job) -> Timestamp {
        let pause = (self.config.renew_interval / RENEWAL_RETRY).max(TICK);
        self.now().saturating_add(pause).min(job.lease().held_until())
    }

    /// Applies the answer to a renewal; returns the jobs that left the backlog because of lost leases.
    fn renewed(
        &self,
        jobs: &[Job],
        changed: Result<Vec<EntryFailure>, MessageQueueError>,
        called_at: Timestamp,
        timeout: Duration,
    ) -> Vec<Job> {
        let failed = failed_jobs(jobs, changed);
        self.control.dispatcher.lock().renewed(jobs.len() - failed.len());
        // The queue counts the new timeout from the instant at which it handled the call, which is not known but not
        // before `called_at`. The lease is therefore never believed to last longer than it does.
        let until = called_at.saturating_add(timeout);
        let mut behind = Vec::new();
        for job in jobs {
            let failure = failed.iter().find(|(failed, _)| failed.is(job));
            match failure.map(|(_, error)| error.kind) {
                None => {
                    job.lease().hold_until(until);
                    // A shorter renewal reaches the 12 hours, and is the last.
                    let last = timeout < self.config.visibility_timeout;
                    let next = if last {
                        last_due(timeout)
                    } else {
                        self.config.renew_interval
                    };
                    job.lease().set_renew_at(called_at.saturating_add(next).min(until));
                }
                // After a delete that may have arrived, the same answer says that it has.
                Some(ErrorKind::NotHeld | ErrorKind::QueueDoesNotExist) if !job.lease().is_delete_called() => {
                    behind.extend(self.mark_lost(job));
                }
                Some(_) => job.lease().set_renew_at(self.retry_at(job)),
            }
        }
        behind
    }

    /// Marks a job's lease as lost; returns the jobs behind it in its FIFO group, which leave the backlog.
    pub(super) fn mark_lost(&self, job: &Job) -> Vec<Job> {
        if !job.lease().mark_lost() {
            return Vec::new();
        }
        let (behind, wakers) = {
            let mut dispatcher = self.control.dispatcher.lock();
            // Fewer jobs may need fewer tokens.
            (dispatcher.lease_lost(job), dispatcher.wake_parked(self.now()))
        };
        wake(wakers);
        self.report(|| RunnerEvent::LeaseLost { job: job.clone() });
        behind
    }

    /// Keeps renewals from being called, and waits for those that are under way.
    ///
    /// One that is not answered is waited for half of what is left of its lease, so that there is time to delete or move
    /// the message while it is held: whether it is renewed then makes no difference.
    pub(super) async fn before_removal(&self, jobs: &[Job]) {
        if self.stop_renewing(jobs) {
            self.renewals_answered(jobs).await;
        }
    }

    /// The first part of [`before_removal`](Self::before_removal): whether there are renewals to wait for.
    pub(super) fn stop_renewing(&self, jobs: &[Job]) -> bool {
        let mut renewing = false;
        for job in jobs {
            renewing |= job.lease().settle();
        }
        renewing
    }

    /// The second part of [`before_removal`](Self::before_removal).
    pub(super) async fn renewals_answered(&self, jobs: &[Job]) {
        let now = self.now();
        for job in jobs {
            let left = job.lease().held_until().saturating_duration_since(now);
            if !self.renewal_answered(job, now.saturating_add(left / 2)).await {
                job.lease().delete_called();
            }
        }
    }

    /// Waits for the answer to the renewal that is under way, if there is one; `false` if there is none before `end`.
    pub(super) async fn renewal_answered(&self, job: &Job, end: Timestamp) -> bool {
        if !job.lease().is_renewing() {
            return true;
        }
        let (mut renewed, mut end) = (job.renewed(), self.until(end));
        poll_fn(|context| match Pin::new(&mut renewed).poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => Pin::new(&mut end).poll(context).map(|()| false),
        })
        .await
    }

    /// Whether a call that changes visibility arrives while the message is held and changes nobody else's lease.
    pub(super) fn may_change(&self, job: &Job) -> bool {
        job.lease()
            .is_held_at(self.now().saturating_add(self.config.latency_margin))
    }

    /// Waits until a renewal of one of these jobs is answered, or the first of their leases ends.
    pub(super) async fn any_renewal_answered(&self, jobs: &[Job]) {
        let Some(end) = jobs.iter().map(|job| job.lease().held_until()).min() else {
            return;
        };
        let mut end = self.until(end);
        let mut renewals: Vec<_> = jobs.iter().map(Job::renewed).collect();
        poll_fn(|context| {
            // Every one is polled, so that each answer wakes this task.
            let polls = renewals.iter_mut().map(|renewed| Pin::new(renewed).poll(context));
            if polls.filter(Poll::is_ready).count() > 0 {
                return Poll::Ready(());
            }
            Pin::new(&mut end).poll(context)
        })
        .await;
    }
}

/// How long before the end of a lease no message is hidden or given back any more.
pub(super) fn change_margin(in_process: bool, visibility_timeout: Duration) -> Duration {
    if in_process {
        Duration::ZERO
    } else {
        latency_margin(visibility_timeout)
    }
}

fn give_back(jobs: Vec<Job>) -> Option<LeaseCall> {
    (!jobs.is_empty()).then_some(LeaseCall::GiveBack(jobs))
}
