//! Handlers that cannot be interrupted and outlast their timeout: their jobs fail while they still run.

use {
    super::{
        call::Call,
        dispatcher::Stuck,
        engine::Engine,
        event::RunnerEvent,
        handler::{Answer, Handler},
        job::Job,
    },
    crate::{backend::MessageQueue, sync::wake},
};

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Settles the messages of a handler call that has timed out and not ended.
    pub(super) async fn settle_stuck(&self, stuck: Stuck) {
        let timeout = self.config.handler_timeout.unwrap_or_default();
        // The jobs were counted when they were found, so that a stop meanwhile counts them as nothing else.
        drop(self.settle(&stuck.jobs, Some(Box::new(Call::TimedOut(timeout)))).await);
        // The handler that still runs has no claim to the message any more.
        for job in &stuck.jobs {
            job.lease().mark_lost();
        }
        self.give_back(&stuck.behind).await;
        let wakers = self.control.dispatcher.lock().stuck_settled(self.now());
        wake(wakers);
    }

    /// Reports the answer of a handler whose jobs are settled as timed out.
    pub(super) fn report_late(&self, jobs: &[Job], answer: Option<Answer>) {
        let failures = match answer {
            None => return,
            Some(Answer::Done) => vec![None; jobs.len()],
            Some(Answer::Failed(failure)) => vec![Some(failure); jobs.len()],
            Some(Answer::Batch(answer)) => answer.sort_out(jobs.iter().map(|job| job.message_id())),
        };
        for (job, failure) in jobs.iter().zip(failures) {
            self.report(|| RunnerEvent::AnsweredLate {
                job: job.clone(),
                answer: failure.map_or(Ok(()), |failure| Err(failure.reason().to_owned())),
            });
        }
    }
}
