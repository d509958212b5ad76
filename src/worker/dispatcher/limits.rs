//! What the limits of the runner allow to begin and to receive, and when a parked worker looks again.

use super::*;

impl Dispatcher {
    /// The next work item, if one may begin.
    pub(super) fn take_item(&mut self, now: Timestamp) -> Option<WorkItem> {
        // A surplus worker that has not ended may find as many in progress as the concurrency says.
        let may_begin = !self.paused && self.working < self.config.concurrency;
        may_begin.then(|| self.take_by_rate(now)).flatten()
    }

    pub(super) fn begin(&mut self, worker: usize, item: &WorkItem, now: Timestamp) {
        for job in item.jobs() {
            self.counters
                .waited(now.saturating_duration_since(job.sent_timestamp()));
        }
        self.workers[worker].item = Some((item.clone(), now));
        self.working += 1;
        self.in_progress += item.jobs().len();
        self.watch_timeout(now);
    }

    /// The next work item, if there are tokens for it.
    #[inline]
    pub(super) fn take_by_rate(&mut self, now: Timestamp) -> Option<WorkItem> {
        if self.config.rate.is_none() {
            return self.backlog.take(now);
        }
        self.take_for_tokens(now)
    }

    fn take_for_tokens(&mut self, now: Timestamp) -> Option<WorkItem> {
        let rate = self.config.rate.as_ref()?;
        let tokens = self.bucket.tokens(rate, now, Duration::ZERO);
        // A batch begins whole.
        if tokens < self.next_item_size().max(1) {
            return None;
        }
        let item = self.backlog.take_at_most(now, tokens)?;
        self.bucket.take(rate, now, item.jobs().len());
        Some(item)
    }

    /// Removes jobs beyond those that the limits of groups may hold back.
    pub(super) fn put_off(&mut self) -> Option<Vec<PutOff>> {
        if self.paused {
            return None;
        }
        let put_off = self.backlog.put_off();
        put_off.iter().for_each(|it| self.counters.not_begun(it.jobs.len()));
        (!put_off.is_empty()).then_some(put_off)
    }

    /// Whether a parked worker has to be woken for it to put off what is held back.
    pub(super) fn needs_put_off(&self) -> bool {
        self.runnable == 0 && !self.paused && self.backlog.has_excess()
    }

    /// How many work items may begin now.
    pub(super) fn startable(&self, now: Timestamp) -> usize {
        let startable = self.backlog.startable(now);
        match &self.config.rate {
            Some(rate) if startable > 0 => {
                startable.min(self.bucket.tokens(rate, now, Duration::ZERO) / self.next_item_size().max(1))
            }
            _ => startable,
        }
    }

    /// How many messages may be received by the rate: those that may begin soon, in whole batches.
    pub(super) fn receivable(&self, now: Timestamp) -> usize {
        let Some(rate) = &self.config.rate else {
            return usize::MAX;
        };
        let tokens = self.bucket.tokens(rate, now, self.config.receive_ahead);
        let batch_size = self.config.batch_size;
        (tokens / batch_size * batch_size).saturating_sub(self.spoken_for())
    }

    /// How long a receive may wait, as the worker that makes it may be the one that begins what may begin then.
    pub(super) fn until_start(&self, now: Timestamp) -> Duration {
        let start = if self.config.timed { self.next_start(now) } else { None };
        start.map_or(Duration::MAX, |at| at.saturating_duration_since(now))
    }

    /// When a parked worker has to look again, if none does so by then.
    pub(super) fn untimed(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.config.timed || self.paused || self.stopped_at.is_some() {
            return None;
        }
        let at = self.next_start(now).into_iter().chain(self.next_receive(now)).min()?;
        self.timer.is_none_or(|(_, timed)| at < timed).then_some(at)
    }

    /// Whether a parked worker has to be woken for it to set its timer.
    pub(super) fn needs_timer(&self, now: Timestamp) -> bool {
        // A runnable worker takes what there is or sets the timer.
        self.runnable == 0 && self.untimed(now).is_some()
    }

    /// When time alone lets a work item begin that cannot begin now.
    fn next_start(&self, now: Timestamp) -> Option<Timestamp> {
        let at = self.backlog.next_start()?;
        let token = self.config.rate.as_ref().map(|rate| {
            let size = self.next_item_size().max(1);
            self.bucket.available_at(rate, now, size)
        });
        Some(at.max(token.unwrap_or(at))).filter(|at| *at > now)
    }

    /// When time alone lets messages be received that cannot be received now.
    fn next_receive(&self, now: Timestamp) -> Option<Timestamp> {
        let rate = self.config.rate.as_ref().filter(|_| self.may_receive())?;
        let batch_size = self.config.batch_size;
        let tokens = (self.spoken_for() / batch_size + 1).saturating_mul(batch_size);
        let ahead = self.config.receive_ahead;
        // No more than a full bucket comes by time alone.
        if tokens > Bucket::default().tokens(rate, now, ahead) {
            return None;
        }
        let at = self.bucket.available_at(rate, now, tokens);
        Some(at.saturating_sub(ahead)).filter(|at| *at > now)
    }

    /// The tokens of messages that were received or requested and have not begun.
    fn spoken_for(&self) -> usize {
        self.backlog.ready_jobs().saturating_add(self.requested)
    }

    /// The most jobs of the next work item.
    fn next_item_size(&self) -> usize {
        self.backlog.ready_jobs().min(self.config.batch_size)
    }
}
