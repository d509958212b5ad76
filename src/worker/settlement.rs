//! Settlement: what becomes of the messages of a handler call.

use {
    super::{
        backlog::PutOff,
        call::Call,
        count::{Count, Outcome},
        engine::Engine,
        event::{FailureCause, RunnerEvent},
        failure::{Failure, FailurePolicy, Verdict},
        handler::{Answer, Handler},
        job::Job,
    },
    crate::{
        backend::{
            EntryFailure, ErrorKind, MessageQueue, MessageQueueError, QueueLimits, ReceivedMessage, Retries,
            limits::MAX_MESSAGES,
            timing::{DELETE_BACKOFF, SAFETY},
        },
        sync::wake,
        time::Timestamp,
    },
    std::{
        borrow::Cow,
        collections::{BTreeMap, HashSet},
        slice,
        time::Duration,
    },
};

/// A job that was not done, and why.
struct Undone<'j> {
    job: &'j Job,
    failure: Failure,
    /// `None` for a message out of order, which did not fail itself (E21).
    cause: Option<FailureCause>,
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Settles the messages of a call by its result, `None` if the jobs were done; no outcome if all were deleted at once.
    pub(super) async fn settle(&self, jobs: &[Job], call: Option<Box<Call>>) -> Option<Box<Outcome>> {
        match call {
            None if jobs.len() <= MAX_MESSAGES => self.delete_once(jobs).await,
            call => Some(self.settle_each(jobs, call).await),
        }
    }

    async fn settle_each(&self, jobs: &[Job], call: Option<Box<Call>>) -> Box<Outcome> {
        let mut outcome = Box::<Outcome>::default();
        jobs.iter().for_each(|job| job.lease().decide());
        let undone = match call.map_or(Call::Answered(Answer::Done), |call| *call) {
            Call::Answered(Answer::Done) => Vec::new(),
            Call::Answered(Answer::Failed(failure)) => all(jobs, &failure, FailureCause::Answer),
            Call::Answered(Answer::Batch(answer)) => {
                let failures = answer.sort_out(jobs.iter().map(|job| job.message_id()));
                self.in_order(jobs, failures)
            }
            Call::Panicked(reason) => {
                outcome.add(Count::Panicked, jobs.len() as u64);
                all(jobs, &Failure::from(reason), FailureCause::Panic)
            }
            Call::TimedOut(timeout) => {
                outcome.add(Count::TimedOut, jobs.len() as u64);
                let reason = format!("the handler did not end within {timeout:?}");
                all(jobs, &Failure::from(reason), FailureCause::Timeout)
            }
            Call::Late(answer) => {
                self.report_late(jobs, answer);
                return outcome;
            }
        };
        if undone.is_empty() {
            self.delete(jobs, &mut outcome).await;
        } else {
            let done = without(jobs, &undone);
            self.delete(&done, &mut outcome).await;
            self.give_up(undone, &mut outcome).await;
        }
        outcome
    }

    /// The jobs that failed, and on a FIFO queue those that follow a failure in their group (E21).
    fn in_order<'j>(&self, jobs: &'j [Job], failures: Vec<Option<Failure>>) -> Vec<Undone<'j>> {
        let mut groups = HashSet::new();
        let mut undone = Vec::new();
        for (job, failure) in jobs.iter().zip(failures) {
            let group = job.message_group_id().filter(|_| self.config.fifo);
            let late = group.is_some_and(|group| groups.contains(group));
            let (failure, cause) = match failure {
                _ if late => (after_failure(), None),
                Some(failure) => (failure, Some(FailureCause::Answer)),
                None => continue,
            };
            groups.extend(group);
            undone.push(Undone { job, failure, cause });
        }
        undone
    }

    // Done.

    /// Deletes the messages of jobs that were done, as many as one call takes; no outcome if all were deleted at once.
    async fn delete_once(&self, jobs: &[Job]) -> Option<Box<Outcome>> {
        self.before_removal(jobs).await;
        match self.queue.delete(&messages(jobs)).await {
            Ok(failed) if failed.is_empty() => None,
            result => Some(self.delete_again(jobs, result).await),
        }
    }

    /// Deletes the messages of jobs that were done.
    async fn delete(&self, jobs: &[Job], outcome: &mut Outcome) {
        for jobs in jobs.chunks(MAX_MESSAGES) {
            match self.delete_once(jobs).await {
                None => outcome.add(Count::Succeeded, jobs.len() as u64),
                Some(more) => outcome.add_all(&more),
            }
        }
    }

    /// Retries a delete for the jobs that it failed for, while their leases are held.
    async fn delete_again(
        &self,
        jobs: &[Job],
        mut result: Result<Vec<EntryFailure>, MessageQueueError>,
    ) -> Box<Outcome> {
        let mut outcome = Box::<Outcome>::default();
        let (mut jobs, retries) = (Cow::Borrowed(jobs), Retries::new(DELETE_BACKOFF, Duration::MAX));
        loop {
            let failed = failed_jobs(&jobs, result);
            outcome.add(Count::Succeeded, (jobs.len() - failed.len()) as u64);
            let now = self.now();
            let pause = failed.iter().find_map(|(_, error)| retries.pause(error, now));
            let left = self.sort_undeleted(failed, &mut outcome, pause).await;
            let Some(pause) = pause.filter(|_| !left.is_empty()) else {
                return outcome;
            };
            // The lease is renewed between two deletes. `delete_called` comes first: a renewal that finds the message gone
            // must not report a lost lease.
            left.iter().for_each(|job| job.lease().delete_called());
            left.iter().for_each(|job| job.lease().pause_settling());
            self.until(self.now().saturating_add(pause)).await;
            self.before_removal(&left).await;
            result = self.queue.delete(&messages(&left)).await;
            jobs = Cow::Owned(left);
        }
    }

    /// Reports failed deletes; returns the jobs to retry, after `pause`.
    async fn sort_undeleted(
        &self,
        failed: Vec<(Job, MessageQueueError)>,
        outcome: &mut Outcome,
        pause: Option<Duration>,
    ) -> Vec<Job> {
        let mut again = Vec::new();
        for (job, error) in failed {
            let retry_after = pause.filter(|_| error.kind.may_pass() && job.is_held());
            self.report(|| RunnerEvent::NotDeleted {
                job: job.clone(),
                error,
                retry_after,
            });
            if retry_after.is_some() {
                again.push(job);
            } else {
                outcome.add(Count::NotDeleted, 1);
                self.give_back_group(&job).await;
            }
        }
        again
    }

    // Not done.

    /// Settles the messages of failed jobs as their handlers or the policy say.
    async fn give_up(&self, undone: Vec<Undone<'_>>, outcome: &mut Outcome) {
        for undone in undone {
            self.report_undone(&undone, outcome);
            // The rest of the group leaves the backlog before the message can return.
            let rest = self.control.dispatcher.lock().abandon_group(undone.job);
            self.carry_out(undone, outcome).await;
            self.give_back(&rest).await;
        }
    }

    /// Counts and reports why a job was not done.
    fn report_undone(&self, undone: &Undone<'_>, outcome: &mut Outcome) {
        let Undone { job, failure, cause } = undone;
        let reason = || failure.reason().to_owned();
        match (*cause, failure.verdict()) {
            (None, _) => {
                outcome.add(Count::OutOfOrder, 1);
                self.report(|| RunnerEvent::OutOfOrder { job: (*job).clone() });
            }
            (Some(_), Verdict::RetryAfter(delay)) => {
                outcome.add(Count::Postponed, 1);
                self.report(|| RunnerEvent::Postponed {
                    job: (*job).clone(),
                    reason: reason(),
                    delay: delay.min(max_hidden_time(job, self.now(), self.config.limits)),
                });
            }
            (Some(cause), verdict) => {
                outcome.add(Count::Failed, 1);
                // The move to the dead-letter queue reports its reason itself.
                if verdict != Verdict::DeadLetter {
                    self.queue.report_failure(job.message(), failure.reason());
                }
                self.report(|| RunnerEvent::Failed {
                    job: (*job).clone(),
                    reason: reason(),
                    cause,
                });
            }
        }
    }

    async fn carry_out(&self, undone: Undone<'_>, outcome: &mut Outcome) {
        let Undone { job, failure, cause } = undone;
        let message = job.message();
        job.lease().settle();
        job.lease().stop_renewal();
        if cause.is_none() {
            return self.postpone(job, Duration::ZERO).await;
        }
        if matches!(failure.verdict(), Verdict::DeadLetter | Verdict::Discard) {
            self.before_removal(slice::from_ref(job)).await;
        }
        let delay = match failure.verdict() {
            Verdict::RetryAfter(delay) => return self.postpone(job, delay).await,
            Verdict::Policy => self.delay_by_policy(job),
            Verdict::DeadLetter if !self.may_change(job) => {
                self.queue.report_failure(message, failure.reason());
                return self.left_to_timeout(job, not_held());
            }
            Verdict::DeadLetter => {
                match self.queue.dead_letter(message, failure.reason()).await {
                    Ok(()) => outcome.add(Count::DeadLettered, 1),
                    Err(error) => {
                        self.queue.report_failure(message, failure.reason());
                        self.left_to_timeout(job, error);
                    }
                }
                return;
            }
            Verdict::Discard => {
                let failed = failed_jobs(slice::from_ref(job), self.queue.delete(slice::from_ref(message)).await);
                match failed.into_iter().next() {
                    None => outcome.add(Count::Discarded, 1),
                    Some((_, error)) => self.left_to_timeout(job, error),
                }
                return;
            }
        };
        if let Some(delay) = delay {
            self.hide(job, delay).await;
        }
    }

    fn delay_by_policy(&self, job: &Job) -> Option<Duration> {
        match self.config.policy {
            FailurePolicy::LeaveToTimeout => None,
            FailurePolicy::RetryNow => Some(Duration::ZERO),
            FailurePolicy::Backoff(backoff) => {
                Some(backoff.draw(self.config.seed, &job.message_id(), job.approximate_receive_count()))
            }
        }
    }

    /// Makes a message visible `delay` from now, or at the latest instant that the queue allows.
    async fn hide(&self, job: &Job, delay: Duration) {
        if let Some(delay) = self.delay_once_settled(job, delay).await {
            let jobs = slice::from_ref(job);
            let changed = self.queue.change_visibility(&messages(jobs), delay).await;
            for (job, error) in failed_jobs(jobs, changed) {
                self.left_to_timeout(&job, error);
            }
        }
    }

    /// Like [`hide`](Self::hide), for a receive that is not to count.
    async fn postpone(&self, job: &Job, delay: Duration) {
        if let Some(delay) = self.delay_once_settled(job, delay).await {
            self.postpone_all(slice::from_ref(job), delay).await;
        }
    }

    /// The jobs whose messages a call may change, to be asked right before it: an earlier call may have taken longer than
    /// their leases.
    fn still_held(&self, jobs: &[Job]) -> Vec<Job> {
        let (held, lost): (Vec<Job>, Vec<Job>) = jobs.iter().cloned().partition(|job| self.may_change(job));
        lost.iter().for_each(|job| self.left_to_timeout(job, not_held()));
        held
    }

    /// Postpones up to ten messages whose renewals are answered; returns how many of them it was done for.
    async fn postpone_all(&self, jobs: &[Job], delay: Duration) -> usize {
        if jobs.is_empty() {
            return 0;
        }
        let postponed = if delay.is_zero() {
            self.queue.release(&messages(jobs)).await
        } else {
            self.queue.postpone(&messages(jobs), delay).await
        };
        let failed = failed_jobs(jobs, postponed);
        for (job, error) in &failed {
            self.left_to_timeout(job, error.clone());
        }
        jobs.len() - failed.len()
    }

    /// Postpones messages that the limits of their groups hold back, which are counted as not given back so far. The
    /// rest of a FIFO group follows its first message, in order.
    pub(super) async fn put_off(&self, put_off: &[PutOff]) {
        let jobs = put_off.iter().flat_map(|it| &it.jobs);
        jobs.for_each(|job| job.lease().stop_renewal());
        let mut by_delay: BTreeMap<Duration, Vec<Job>> = BTreeMap::new();
        for PutOff { jobs, until } in put_off {
            let Some(first) = jobs.first() else { continue };
            let delay = until.saturating_duration_since(self.now());
            if let Some(delay) = self.delay_once_settled(first, delay).await {
                by_delay.entry(self.round(delay)).or_default().push(first.clone());
            }
        }
        for (delay, jobs) in by_delay {
            for jobs in jobs.chunks(MAX_MESSAGES) {
                let returned = self.postpone_all(&self.still_held(jobs), delay).await;
                self.gave_back(returned);
            }
        }
        for PutOff { jobs, .. } in put_off {
            self.give_back(jobs.get(1..).unwrap_or_default()).await;
        }
    }

    /// A delay in whole seconds, rounded up, on a queue whose calls cost something, so that one call serves for many.
    fn round(&self, delay: Duration) -> Duration {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        if self.config.in_process {
            delay
        } else {
            Duration::from_secs(seconds)
        }
    }

    /// Waits until no renewal of the message is under way; answers with what is left of `delay` then.
    ///
    /// A lost message returns by itself; on a standard queue a call would shorten the next consumer's lease (D19).
    async fn delay_once_settled(&self, job: &Job, delay: Duration) -> Option<Duration> {
        let visible_at = self.now().saturating_add(delay);
        // The lease that a renewal has extended meanwhile ends later, and is waited for no longer than it was known to be.
        self.renewal_answered(job, job.lease().held_until()).await;
        if !self.may_change(job) {
            self.left_to_timeout(job, not_held());
            return None;
        }
        let now = self.now();
        let longest = max_hidden_time(job, now, self.config.limits);
        Some(visible_at.saturating_duration_since(now).min(longest))
    }

    fn left_to_timeout(&self, job: &Job, error: MessageQueueError) {
        self.report(|| RunnerEvent::LeftToTimeout {
            job: job.clone(),
            error,
        });
    }

    /// Gives back the backlog of the group of a job that is not settled.
    async fn give_back_group(&self, job: &Job) {
        if self.config.fifo {
            let rest = self.control.dispatcher.lock().abandon_group(job);
            self.give_back(&rest).await;
        }
    }

    /// Gives back messages that no handler has begun, in order; they are counted as not given back so far.
    pub(super) async fn give_back(&self, jobs: &[Job]) {
        self.return_with(jobs, |count| self.gave_back(count)).await;
    }

    fn gave_back(&self, count: usize) {
        let wakers = self.control.dispatcher.lock().given_back(count, self.now());
        wake(wakers);
    }

    /// Gives back messages whose handlers were cut off.
    pub(super) async fn return_to_queue(&self, jobs: &[Job]) {
        self.return_with(jobs, |_| {}).await;
    }

    /// Makes messages visible, and reports how many each call returned.
    ///
    /// Those whose renewal is under way follow once it is answered, and keep no other waiting.
    async fn return_with(&self, jobs: &[Job], returned: impl Fn(usize)) {
        jobs.iter().for_each(|job| job.lease().stop_renewal());
        let mut left = jobs.to_vec();
        while !left.is_empty() {
            let now = self.now();
            let waits = |job: &Job| job.lease().is_renewing() && job.lease().is_held_at(now);
            let (renewing, settled) = left.into_iter().partition::<Vec<_>, _>(waits);
            for jobs in settled.chunks(MAX_MESSAGES) {
                returned(self.postpone_all(&self.still_held(jobs), Duration::ZERO).await);
            }
            self.any_renewal_answered(&renewing).await;
            left = renewing;
        }
    }
}

/// The longest time from now that a message may still be hidden (D26).
pub(super) fn max_hidden_time(job: &Job, now: Timestamp, limits: QueueLimits) -> Duration {
    let longest = limits.max_visibility_timeout.saturating_sub(SAFETY);
    let cap = job.received_at().saturating_add(longest);
    cap.saturating_duration_since(now)
}

fn all<'j>(jobs: &'j [Job], failure: &Failure, cause: FailureCause) -> Vec<Undone<'j>> {
    let undone = |job| Undone {
        job,
        failure: failure.clone(),
        cause: Some(cause),
    };
    jobs.iter().map(undone).collect()
}

/// The jobs that are not in `undone`, which has the same order.
fn without(jobs: &[Job], undone: &[Undone<'_>]) -> Vec<Job> {
    let mut failed = undone.iter().map(|it| it.job).peekable();
    let is_done = |job: &&Job| failed.next_if(|failed| failed.is(job)).is_none();
    jobs.iter().filter(is_done).cloned().collect()
}

fn not_held() -> MessageQueueError {
    let text = "the message is not held any more, it comes back by itself";
    MessageQueueError::new(ErrorKind::NotHeld, "ReceiptHandleIsInvalid", text)
}

fn after_failure() -> Failure {
    Failure::from("an earlier message of its group failed")
}

/// The messages of these jobs.
pub(super) fn messages(jobs: &[Job]) -> Cow<'_, [ReceivedMessage]> {
    match jobs {
        [job] => Cow::Borrowed(slice::from_ref(job.message())),
        jobs => jobs.iter().map(|job| job.message().clone()).collect(),
    }
}

/// The jobs that a call failed for: all, if the call failed as a whole.
pub(super) fn failed_jobs(
    jobs: &[Job],
    result: Result<Vec<EntryFailure>, MessageQueueError>,
) -> Vec<(Job, MessageQueueError)> {
    match result {
        Ok(failed) => failed
            .into_iter()
            .filter_map(|failure| Some((jobs.get(failure.index)?.clone(), failure.error)))
            .collect(),
        Err(error) => jobs.iter().map(|job| (job.clone(), error.clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::{FactChannel, Queue},
        state::Fact,
        worker::runner::Runner,
    };

    #[test]
    fn facts_tell_once_why_a_message_is_given_up() {
        let (channel, facts) = FactChannel::bounded(100);
        let failed = Queue::standard("failed").build().unwrap();
        let with_target = Queue::standard("jobs").dead_letter(&failed, 5);
        for builder in [with_target, Queue::standard("lonely")] {
            let jobs = builder.listener(channel.clone()).build().unwrap();
            jobs.send("resize cat.txt").unwrap();
            let runner = Runner::builder(&jobs).until_none_visible();
            let runner = runner.each(|_: &Job| Err::<(), _>(Failure::dead_letter("no image")));
            assert_eq!(runner.unwrap().blocking().unwrap().failed, 1);
            let reasons = facts.try_iter().filter_map(|(_, entry)| match entry.fact {
                Fact::Failed { reason, .. } => Some(reason.to_string()),
                _ => None,
            });
            assert_eq!(reasons.collect::<Vec<_>>(), ["no image"], "{}", jobs.name());
        }
    }
}
