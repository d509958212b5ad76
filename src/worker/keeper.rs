//! The keeper of the leases: renews the visibility timeout of every message in hand, and notices those that are lost.

use {
    super::{
        desk::Rounds,
        event::RunnerEvent,
        handler::Handler,
        job::Job,
        message_queue::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError},
        shop::Shop,
        work::{CALL, failed_jobs, hidden_at_most, messages},
    },
    crate::time::Timestamp,
    futures_util::stream::{FuturesUnordered, StreamExt},
    std::{
        future::{Future, poll_fn},
        pin::Pin,
        task::Poll,
        time::Duration,
    },
};

/// A renewal that failed is tried again after this part of the time between two.
const RETRY: u32 = 5;

impl<Q: MessageQueue, H: Handler> Shop<Q, H> {
    /// Keeps the leases until the runner is over, or its time to stop is.
    pub(super) async fn keep(&self) {
        loop {
            match self.rounds().await {
                Rounds::Due(jobs) => self.look_after(jobs).await,
                Rounds::GiveBack(jobs) => self.give_back(&jobs).await,
                Rounds::Sleep(_) => {}
                Rounds::Over => return,
            }
        }
    }

    /// What is to be done; sleeps until there is something.
    async fn rounds(&self) -> Rounds {
        let mut alarm = None;
        poll_fn(|context| {
            loop {
                let now = self.now();
                let mut desk = self.control.desk.lock();
                let patience = desk.stopped_at().map(|at| at.saturating_add(self.plan.grace));
                let rounds = desk.rounds(now, context.waker());
                let Rounds::Sleep(until) = rounds else {
                    return Poll::Ready(rounds);
                };
                if patience.is_some_and(|end| end <= now) {
                    desk.abandon();
                    return Poll::Ready(Rounds::Over);
                }
                drop(desk);
                let until = patience.map_or(until, |end| end.min(until));
                if until == Timestamp::MAX {
                    alarm = None;
                    return Poll::Pending;
                }
                if Pin::new(alarm.insert(self.until(until))).poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    async fn look_after(&self, jobs: Vec<Job>) {
        let now = self.now();
        let mut renewable = Vec::new();
        for job in jobs {
            if job.held_until() <= now {
                self.lose(&job);
            } else if self.plan.heartbeat && now < job.renew_until() && !hidden_at_most(&job, now).is_zero() {
                renewable.push(job);
            } else {
                job.set_beat(job.held_until());
            }
        }
        let mut calls: FuturesUnordered<_> = renewable.chunks(CALL).map(|jobs| self.renew(jobs)).collect();
        while calls.next().await.is_some() {}
    }

    async fn renew(&self, jobs: &[Job]) {
        let now = self.now();
        // Those that come near the longest time are left out by what they share: the shortest time that one has left.
        let left = jobs.iter().map(|job| hidden_at_most(job, now)).min();
        let timeout = left.unwrap_or_default().min(self.plan.visibility_timeout);
        let changed = self.queue.change_visibility(&messages(jobs), timeout).await;
        self.renewed(jobs, changed, now, timeout);
    }

    fn renewed(
        &self,
        jobs: &[Job],
        changed: Result<Vec<EntryFailure>, MessageQueueError>,
        called_at: Timestamp,
        timeout: Duration,
    ) {
        let failed = failed_jobs(jobs, changed);
        self.control.desk.lock().report.heartbeats += (jobs.len() - failed.len()) as u64;
        let beat = called_at.saturating_add(self.plan.beat());
        let until = called_at.saturating_add(timeout);
        for job in jobs.iter().filter(|job| job.beat_at() != Timestamp::MAX) {
            let failure = failed
                .iter()
                .find(|(failed, _)| failed.is(job))
                .map(|(_, error)| error.kind);
            match failure {
                None => {
                    job.hold_until(until);
                    job.set_beat(beat.min(until));
                }
                Some(ErrorKind::NotHeld | ErrorKind::QueueDoesNotExist) => self.lose(job),
                Some(_) => {
                    let retry = self.now().saturating_add(self.plan.beat() / RETRY);
                    job.set_beat(retry.min(job.held_until()));
                }
            }
        }
    }

    fn lose(&self, job: &Job) {
        if job.lose() {
            self.control.desk.lock().report.lost += 1;
            self.tell(|| RunnerEvent::Lost { job: job.clone() });
        }
    }
}
