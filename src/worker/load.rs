//! Loads the bodies of jobs, where they are not in the queue, before their handler is called.

use {
    super::{
        batch::BatchAnswer,
        engine::Engine,
        failure::Failure,
        handler::{Answer, Handler},
        job::Job,
    },
    crate::backend::{Loaded, MessageQueue},
    futures_util::stream::{self, StreamExt},
    std::collections::HashSet,
};

/// So many bodies of a batch are loaded at once.
const LOADS: usize = 10;

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Calls the handler for jobs, once they have their bodies.
    ///
    /// It is part of the handler call: leases are renewed meanwhile, and timeouts end it.
    pub(super) async fn handle(&self, jobs: &[Job]) -> Answer {
        if jobs.iter().all(|job| job.is_loaded()) {
            return self.handler.handle(jobs).await;
        }
        Box::pin(self.load_and_handle(jobs)).await
    }

    async fn load_and_handle(&self, jobs: &[Job]) -> Answer {
        // A closure here would make the future of a runner not `Send`.
        let mut loads = Vec::with_capacity(jobs.len());
        for job in jobs {
            loads.push(self.load(job));
        }
        let failures: Vec<Option<Failure>> = stream::iter(loads).buffered(LOADS).collect().await;
        if let ([_], [Some(failure)]) = (jobs, &failures[..]) {
            return Answer::Failed(failure.clone());
        }
        let loaded = self.loaded(jobs, &failures);
        let answer = match &loaded[..] {
            [] => Answer::Done,
            loaded => self.handler.handle(loaded).await,
        };
        let answer = match answer {
            Answer::Done => BatchAnswer::success(),
            // Of a single job, which was loaded.
            Answer::Failed(_) => return answer,
            Answer::Batch(answer) => answer,
        };
        let mut all = BatchAnswer::success();
        let answers = answer.sort_out(loaded.iter().map(|job| job.message_id()));
        for (job, failure) in loaded.iter().zip(answers).chain(jobs.iter().zip(failures)) {
            if let Some(failure) = failure {
                all = all.fail(job, failure);
            }
        }
        Answer::Batch(all)
    }

    /// Why a job cannot be worked on for want of its body.
    async fn load(&self, job: &Job) -> Option<Failure> {
        if job.is_loaded() {
            return None;
        }
        let failure = self.load_body(job).await;
        // Another consumer may have the message by now.
        failure.or_else(|| (!job.is_held()).then(|| Failure::from("the lease was lost while the body was loaded")))
    }

    async fn load_body(&self, job: &Job) -> Option<Failure> {
        match self.queue.load(job.message()).await {
            Ok(Loaded::Complete) => None,
            Ok(Loaded::Discard(reason)) => Some(Failure::discard(reason)),
            Err(error) => Some(Failure::from(error)),
        }
    }

    /// The jobs that have what they need, and on a FIFO queue none that follows one without in its group (E21).
    fn loaded(&self, jobs: &[Job], failures: &[Option<Failure>]) -> Vec<Job> {
        let mut groups = HashSet::new();
        let mut loaded = Vec::with_capacity(jobs.len());
        for (job, failure) in jobs.iter().zip(failures) {
            let group = job.message_group_id().filter(|_| self.config.fifo);
            if failure.is_some() {
                groups.extend(group);
            } else if !group.is_some_and(|group| groups.contains(group)) {
                loaded.push(job.clone());
            }
        }
        loaded
    }
}
