//! The keeper of the leases: renews the visibility timeout of every message in hand, and notices those that are lost.

use {
    super::{
        builder::TICK,
        desk::Rounds,
        event::RunnerEvent,
        handler::Handler,
        job::Job,
        message_queue::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError},
        quotas::MOST_MESSAGES,
        shop::Shop,
        work::{failed_jobs, hidden_at_most, messages},
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

/// A renewal that failed is tried again after this part of the time between two.
const RETRY: u32 = 5;

/// So long after a stop the queue has time to answer that messages are given back, even if handlers have less.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// A call to the queue; while one is under way, the keeper goes on with the others.
enum Errand {
    Renew(Vec<Job>, Duration),
    GiveBack(Vec<Job>),
}

/// What came of an errand.
enum Done {
    /// These wait no longer, because of what was lost.
    Renewed(Vec<Job>),
    GaveBack,
}

impl<Q: MessageQueue, H: Handler> Shop<Q, H> {
    /// Keeps the leases until the runner is over, or its time to stop is.
    pub(super) async fn keep(&self) {
        let mut errands = FuturesUnordered::new();
        let mut giving_back = 0;
        let mut alarm = None;
        poll_fn(|context| {
            loop {
                let mut due = Vec::new();
                while let Poll::Ready(Some(done)) = errands.poll_next_unpin(context) {
                    match done {
                        Done::GaveBack => giving_back -= 1,
                        Done::Renewed(behind) => due.extend(give_back(behind)),
                    }
                }
                if due.is_empty() {
                    match self.rounds(context, &mut alarm, giving_back > 0) {
                        Poll::Ready(Some(errands)) => due = errands,
                        Poll::Ready(None) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                for errand in due {
                    giving_back += usize::from(matches!(errand, Errand::GiveBack(_)));
                    errands.push(self.run_errand(errand));
                }
            }
        })
        .await;
    }

    /// What is to be done, or nothing more; comes again when there is something.
    fn rounds(
        &self,
        context: &mut Context<'_>,
        alarm: &mut Option<Until>,
        giving_back: bool,
    ) -> Poll<Option<Vec<Errand>>> {
        loop {
            let now = self.now();
            let mut desk = self.control.desk.lock();
            let (idle, mut until) = match desk.rounds(now, context.waker()) {
                Rounds::Due(jobs) => {
                    drop(desk);
                    return Poll::Ready(Some(self.look_after(jobs)));
                }
                Rounds::GiveBack(jobs) => return Poll::Ready(Some(vec![Errand::GiveBack(jobs)])),
                Rounds::Sleep(until) => (false, until),
                Rounds::Over => (true, Timestamp::MAX),
            };
            if let Some(stopped_at) = desk.stopped_at() {
                let patience = stopped_at.saturating_add(self.plan.grace);
                let last = stopped_at.saturating_add(self.plan.grace.max(GIVE_BACK));
                let done = idle || patience <= now;
                let busy = giving_back || desk.is_polling();
                if done && (!busy || last <= now) {
                    desk.abandon();
                    return Poll::Ready(None);
                }
                until = until.min(if done { last } else { patience });
            }
            drop(desk);
            if until == Timestamp::MAX {
                *alarm = None;
                return Poll::Pending;
            }
            if Pin::new(alarm.insert(self.until(until))).poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn look_after(&self, jobs: Vec<Job>) -> Vec<Errand> {
        let now = self.now();
        let (mut errands, mut whole) = (Vec::new(), Vec::new());
        for job in jobs {
            let left = hidden_at_most(&job, now);
            let gains = now.saturating_add(left) > job.held_until();
            if job.held_until() <= now {
                errands.extend(give_back(self.lose(&job)));
                continue;
            }
            // Until the renewal is answered, nothing is due but the end of the lease.
            if !job.set_beat(job.held_until()) || !self.plan.heartbeat || now >= job.renew_until() || !gains {
                continue;
            }
            if left < self.plan.visibility_timeout {
                errands.push(Errand::Renew(vec![job], left));
            } else {
                whole.push(job);
            }
        }
        let calls = whole.chunks(MOST_MESSAGES).map(<[Job]>::to_vec);
        errands.extend(calls.map(|jobs| Errand::Renew(jobs, self.plan.visibility_timeout)));
        errands
    }

    async fn run_errand(&self, errand: Errand) -> Done {
        match errand {
            Errand::Renew(jobs, timeout) => {
                let now = self.now();
                let changed = self.queue.change_visibility(&messages(&jobs), timeout).await;
                Done::Renewed(self.renewed(&jobs, changed, now, timeout))
            }
            Errand::GiveBack(jobs) => {
                self.give_back(&jobs).await;
                Done::GaveBack
            }
        }
    }

    /// Notes what a renewal did; says what waits no longer, because of what was lost.
    fn renewed(
        &self,
        jobs: &[Job],
        changed: Result<Vec<EntryFailure>, MessageQueueError>,
        called_at: Timestamp,
        timeout: Duration,
    ) -> Vec<Job> {
        let failed = failed_jobs(jobs, changed);
        self.control.desk.lock().renewed(jobs.len() - failed.len());
        let until = called_at.saturating_add(timeout);
        let mut behind = Vec::new();
        for job in jobs.iter().filter(|job| !job.is_let_go()) {
            let failure = failed.iter().find(|(failed, _)| failed.is(job));
            match failure.map(|(_, error)| error.kind) {
                None => {
                    job.hold_until(until);
                    // The shorter time is the last there is.
                    let last = timeout < self.plan.visibility_timeout;
                    let beat = called_at.saturating_add(self.plan.beat);
                    job.set_beat(if last { until } else { beat.min(until) });
                }
                Some(ErrorKind::NotHeld | ErrorKind::QueueDoesNotExist) if !job.is_settling() => {
                    behind.extend(self.lose(job));
                }
                Some(_) => {
                    let retry = self.now().saturating_add((self.plan.beat / RETRY).max(TICK));
                    job.set_beat(retry.min(job.held_until()));
                }
            }
        }
        behind
    }

    /// Notices that a job is lost; answers with what waits behind it on a FIFO queue, which waits no longer.
    pub(super) fn lose(&self, job: &Job) -> Vec<Job> {
        if !job.lose() {
            return Vec::new();
        }
        let behind = self.control.desk.lock().lost(job);
        self.tell(|| RunnerEvent::Lost { job: job.clone() });
        behind
    }
}

fn give_back(jobs: Vec<Job>) -> Option<Errand> {
    (!jobs.is_empty()).then_some(Errand::GiveBack(jobs))
}
