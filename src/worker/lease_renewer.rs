//! The lease renewer: renews the visibility timeout of every message that the runner holds, and detects lost leases.

use {
    super::{
        builder::TICK,
        dispatcher::RenewerTask,
        engine::Engine,
        event::RunnerEvent,
        handler::Handler,
        job::Job,
        message_queue::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError},
        quotas::MAX_MESSAGES,
        work::{failed_jobs, max_hidden_time, messages},
    },
    crate::{clock::Until, time::Timestamp},
    futures_util::stream::{FuturesUnordered, StreamExt},
    std::{
        future::{Future, poll_fn},
        pin::Pin,
        task::{Context, Poll},
        time::Duration,
    },
};

/// A failed renewal is retried after this fraction of the renewal interval.
const RETRY: u32 = 5;

/// The least time after a stop for the queue to answer the calls that give messages back, even if handlers get less.
pub(super) const GIVE_BACK: Duration = Duration::from_secs(5);

/// A call to the queue; several may be under way at once.
enum LeaseCall {
    Renew(Vec<Job>, Duration),
    GiveBack(Vec<Job>),
}

/// The result of a [`LeaseCall`].
enum Done {
    /// These jobs left the backlog, because an earlier one of their group was lost.
    Renewed(Vec<Job>),
    GaveBack,
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Renews leases until the runner has ended, or its shutdown timeout is over.
    pub(super) async fn renew_leases(&self) {
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
                    match self.next_calls(context, &mut alarm, giving_back > 0) {
                        Poll::Ready(Some(calls)) => due = calls,
                        Poll::Ready(None) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                for call in due {
                    giving_back += usize::from(matches!(call, LeaseCall::GiveBack(_)));
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
                RenewerTask::Sleep(until) => (false, until),
                RenewerTask::Over => (true, Timestamp::MAX),
            };
            if let Some(stopped_at) = dispatcher.stopped_at() {
                let handlers_end = stopped_at.saturating_add(self.config.shutdown_timeout);
                let last = stopped_at.saturating_add(self.config.shutdown_timeout.max(GIVE_BACK));
                let done = idle || handlers_end <= now;
                let busy = giving_back || dispatcher.is_polling();
                if done && (!busy || last <= now) {
                    dispatcher.abandon();
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
        let (mut calls, mut whole) = (Vec::new(), Vec::new());
        for job in jobs {
            let left = max_hidden_time(&job, now, self.config.limits);
            let gains = now.saturating_add(left) > job.held_until();
            if job.held_until() <= now {
                calls.extend(give_back(self.mark_lost(&job)));
                continue;
            }
            // Until the renewal is answered, only the end of the lease is due.
            if !job.set_renew_at(job.held_until()) || !self.config.heartbeat || now >= job.renew_until() || !gains {
                continue;
            }
            if left < self.config.visibility_timeout {
                calls.push(LeaseCall::Renew(vec![job], left));
            } else {
                whole.push(job);
            }
        }
        let batches = whole.chunks(MAX_MESSAGES).map(<[Job]>::to_vec);
        calls.extend(batches.map(|jobs| LeaseCall::Renew(jobs, self.config.visibility_timeout)));
        calls
    }

    async fn run_call(&self, call: LeaseCall) -> Done {
        match call {
            LeaseCall::Renew(jobs, timeout) => {
                let now = self.now();
                let changed = self.queue.change_visibility(&messages(&jobs), timeout).await;
                Done::Renewed(self.renewed(&jobs, changed, now, timeout))
            }
            LeaseCall::GiveBack(jobs) => {
                self.give_back(&jobs).await;
                Done::GaveBack
            }
        }
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
        let until = called_at.saturating_add(timeout);
        let mut behind = Vec::new();
        for job in jobs.iter().filter(|job| !job.renewal_stopped()) {
            let failure = failed.iter().find(|(failed, _)| failed.is(job));
            match failure.map(|(_, error)| error.kind) {
                None => {
                    job.hold_until(until);
                    // A shorter renewal reaches the 12 hours, and is the last.
                    let last = timeout < self.config.visibility_timeout;
                    let renew_at = called_at.saturating_add(self.config.renew_interval);
                    job.set_renew_at(if last { until } else { renew_at.min(until) });
                }
                Some(ErrorKind::NotHeld | ErrorKind::QueueDoesNotExist) if !job.is_settling() => {
                    behind.extend(self.mark_lost(job));
                }
                Some(_) => {
                    let retry = self
                        .now()
                        .saturating_add((self.config.renew_interval / RETRY).max(TICK));
                    job.set_renew_at(retry.min(job.held_until()));
                }
            }
        }
        behind
    }

    /// Marks a job's lease as lost; returns the jobs behind it in its FIFO group, which leave the backlog.
    pub(super) fn mark_lost(&self, job: &Job) -> Vec<Job> {
        if !job.mark_lost() {
            return Vec::new();
        }
        let behind = self.control.dispatcher.lock().lease_lost(job);
        self.report(|| RunnerEvent::LeaseLost { job: job.clone() });
        behind
    }
}

fn give_back(jobs: Vec<Job>) -> Option<LeaseCall> {
    (!jobs.is_empty()).then_some(LeaseCall::GiveBack(jobs))
}
