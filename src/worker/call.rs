//! Calls handlers for jobs whose leases are held.

use {
    super::{
        count::Outcome,
        engine::Engine,
        event::RunnerEvent,
        failure::Failure,
        handler::{Answer, Handler},
        job::Job,
        lease::Lease,
        worker_state::WorkerState,
    },
    crate::{
        backend::MessageQueue,
        sync::{catch, contain, panicked},
        time::Timestamp,
    },
    std::{
        any::Any,
        collections::HashMap,
        future::{Future, poll_fn},
        pin::{Pin, pin},
        task::{self, Context},
        time::Duration,
    },
};

#[cfg(feature = "tracing")]
use super::trace::Trace;

/// An async handler that blocks its thread for longer between two await points is reported.
const BLOCKED: Duration = Duration::from_millis(250);

/// The result of a handler call.
pub(super) enum Call {
    Answered(Answer),
    Panicked(String),
    TimedOut(Duration),
    /// It answered this, or did not end, after its jobs had been settled as timed out.
    Late(Option<Answer>),
}

/// A handler's future; a panic while it is dropped is contained.
struct Contained<'p, F>(Pin<&'p mut Option<F>>);

impl<F> Drop for Contained<'_, F> {
    fn drop(&mut self) {
        contain(|| self.0.set(None));
    }
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Calls the handler for the jobs whose leases are still held, and settles them; no outcome if all jobs that began
    /// succeeded and were deleted.
    pub(super) async fn work(&self, jobs: &[Job], state: &mut WorkerState) -> Option<Box<Outcome>> {
        if !jobs.iter().all(|job| job.lease().is_held_at(state.now)) {
            return Box::pin(self.work_on_held(jobs, state)).await;
        }
        match self.call(jobs, state).await {
            None if self.delete_at_once(jobs) => None,
            call => Box::pin(self.settle(jobs, call)).await,
        }
    }

    async fn work_on_held(&self, jobs: &[Job], state: &mut WorkerState) -> Option<Box<Outcome>> {
        let mut held = self.leave_out_lost(state.worker, jobs).await;
        // More leases may be lost while messages are given back.
        while !held.iter().all(Job::is_held) {
            held = self.leave_out_lost(state.worker, &held).await;
        }
        if held.is_empty() {
            return None;
        }
        state.now = self.now();
        let call = self.call(&held, state).await;
        self.settle(&held, call).await
    }

    /// Leaves out jobs whose lease was lost in the backlog, which another consumer may have, and those that follow them
    /// in their group (E21).
    async fn leave_out_lost(&self, worker: usize, jobs: &[Job]) -> Vec<Job> {
        let mut lost = HashMap::new();
        let (mut held, mut behind) = (Vec::new(), Vec::new());
        for job in jobs {
            let group = job.message_group_id().filter(|_| self.config.fifo);
            // A job received later has returned to the queue since, and does not follow a lost one.
            let follows = |group| lost.get(group).is_some_and(|at| job.received_at() <= *at);
            if group.is_some_and(follows) {
                behind.push(job.clone());
            } else if job.is_held() {
                held.push(job.clone());
            } else {
                behind.extend(self.mark_lost(job));
                lost.extend(group.map(|group| (group, job.received_at())));
            }
        }
        self.control
            .dispatcher
            .lock()
            .not_begun(worker, jobs.len() - held.len());
        self.give_back(&behind).await;
        held
    }

    /// Calls the handler; its panic is caught, and its timeout ends the call. `None` if the jobs were done.
    async fn call(&self, jobs: &[Job], state: &mut WorkerState) -> Option<Box<Call>> {
        let mut timeout = self.config.handler_timeout.map(|timeout| {
            let end = self.now().saturating_add(timeout);
            jobs.iter().for_each(|job| job.lease().set_renew_until(end));
            (timeout, self.until(end))
        });
        let timed = jobs.first().filter(|_| timeout.is_some()).map(Job::lease);
        #[cfg(feature = "tracing")]
        let trace = Trace::open(self.queue.url(), jobs);
        // A `let` of its own: compilers before 1.89 free what `pin!` makes as an argument at the end of the statement.
        let handling = pin!(Some(self.handle(jobs)));
        let mut handling = Contained(handling);
        let mut began_at = Some(state.now);
        poll_fn(|context| {
            let Some(running) = handling.0.as_mut().as_pin_mut() else {
                return task::Poll::Pending;
            };
            // Only the first poll begins with the work item.
            let poll = || self.poll_handler(jobs, running, context, began_at.take(), state);
            #[cfg(feature = "tracing")]
            let poll = || trace.within(poll);
            timed.into_iter().for_each(Lease::begin_poll);
            let polled = poll();
            let is_pending = matches!(polled, Ok(task::Poll::Pending));
            if timed.is_some_and(|lease| lease.end_poll(!is_pending)) {
                return not_done(Call::Late(late_answer(polled)));
            }
            match polled {
                Ok(task::Poll::Ready(Answer::Done)) => return task::Poll::Ready(None),
                Ok(task::Poll::Ready(answer)) => return not_done(Call::Answered(answer)),
                Ok(task::Poll::Pending) => {}
                Err(panic) => return not_done(Call::Panicked(panic_text(panic))),
            }
            match &mut timeout {
                Some((timeout, end)) => match Pin::new(end).poll(context) {
                    task::Poll::Ready(()) => not_done(Call::TimedOut(*timeout)),
                    task::Poll::Pending => task::Poll::Pending,
                },
                None => task::Poll::Pending,
            }
        })
        .await
    }

    fn poll_handler<F: Future>(
        &self,
        jobs: &[Job],
        handling: Pin<&mut F>,
        context: &mut Context<'_>,
        began_at: Option<Timestamp>,
        state: &mut WorkerState,
    ) -> Result<task::Poll<F::Output>, Box<dyn Any + Send>> {
        if !state.watched {
            return catch(|| handling.poll(context));
        }
        let began_at = began_at.unwrap_or_else(|| self.now());
        let polled = catch(|| handling.poll(context));
        self.watch(jobs, began_at, state);
        polled
    }

    /// Reports a handler that has blocked its thread since it was polled.
    pub(super) fn watch(&self, jobs: &[Job], polled_at: Timestamp, state: &mut WorkerState) {
        let now = self.now();
        state.now = now;
        let span = now.saturating_duration_since(polled_at);
        if let (true, Some(job)) = (span >= BLOCKED, jobs.first()) {
            self.report(|| RunnerEvent::Blocked { job: job.clone(), span });
        }
    }
}

fn late_answer(polled: Result<task::Poll<Answer>, Box<dyn Any + Send>>) -> Option<Answer> {
    match polled {
        Ok(task::Poll::Ready(answer)) => Some(answer),
        Ok(task::Poll::Pending) => None,
        Err(panic) => Some(Answer::Failed(Failure::from(panic_text(panic)))),
    }
}

#[cold]
fn not_done(call: Call) -> task::Poll<Option<Box<Call>>> {
    task::Poll::Ready(Some(Box::new(call)))
}

/// The reason of a failure by a handler's panic.
pub(super) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    panicked("the handler", payload)
}
