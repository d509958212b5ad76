//! Those who send the jobs, and those who do them.

use {
    crate::{
        measure::{Measured, Unreadable, measure},
        queues::write,
    },
    crossbeam_channel::Sender,
    requeue::{
        Queue, SendBatchEntry, SendError,
        backend::Running,
        worker::{BatchSettings, BuildRunnerError, Job, Runner, RunnerEvent, RunnerHandle},
    },
    std::{
        error::Error,
        future::{self, poll_fn},
        path::{Path, PathBuf},
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::Poll,
    },
};

/// As many as a batch may hold.
const BATCH: usize = 10;

/// What senders and workers tell the main thread.
pub(crate) enum Report {
    /// A file could not become a job.
    Refused { name: String, reason: String },
    /// So many files are jobs; every other was refused.
    AllSent(usize),
    /// A job was done; it is deleted afterwards.
    Done { path: String, measured: Measured },
    /// A job cannot be done; it is left to come back.
    Failed { path: String, reason: String },
    /// A worker is about to die, holding so many jobs of which so many are done.
    Killed { held: usize, done: usize },
    /// Something else that somebody should know.
    Trouble(String),
}

/// Sends every file as a job, in batches: the body is its path below the root.
pub(crate) fn send_all(jobs: &Queue, files: &[PathBuf], reports: &Sender<Report>) {
    let refused = |path: &Path, reason: &str| {
        let (name, reason) = (path.display().to_string(), reason.to_owned());
        tell(reports, Report::Refused { name, reason });
    };
    let mut sent = 0;
    for files in files.chunks(BATCH) {
        let named = |(place, path): (usize, &PathBuf)| Some(SendBatchEntry::new(place.to_string(), path.to_str()?));
        let entries: Vec<_> = files.iter().enumerate().filter_map(named).collect();
        for path in files.iter().filter(|path| path.to_str().is_none()) {
            refused(path, "the name is not UTF-8, which a message has to be");
        }
        if entries.is_empty() {
            continue;
        }
        match jobs.send_batch(entries) {
            Ok(result) => {
                sent += result.successful.len();
                for failure in result.failed {
                    let path = failure.id.parse().ok().and_then(|place: usize| files.get(place));
                    refused(path.map_or_else(|| Path::new("?"), PathBuf::as_path), &failure.message);
                }
            }
            Err(error) => files.iter().for_each(|path| refused(path, &error.to_string())),
        }
    }
    tell(reports, Report::AllSent(sent));
}

/// Why a job is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the result was not stored: {0}")]
    NotStored(#[from] SendError),
}

/// What a worker needs: where the files are, where the results go, and whom to tell.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) root: PathBuf,
    pub(crate) results: Option<Queue>,
    pub(crate) reports: Sender<Report>,
}

impl Worker {
    /// Works the jobs off with so many threads. A job that fails is left alone, and comes back when its visibility
    /// timeout ends.
    pub(crate) fn work_off(self, jobs: &Queue, threads: usize) -> Result<Running<RunnerHandle>, Box<dyn Error>> {
        let reports = self.reports.clone();
        let trouble = move |event: &RunnerEvent| {
            if !matches!(event, RunnerEvent::Failed { .. }) {
                tell(&reports, Report::Trouble(event.to_string()));
            }
        };
        let runner = Runner::builder(jobs).concurrency(threads).on_event(trouble);
        Ok(runner.each(move |job: &Job| self.work_on(job.body()))?.spawn()?)
    }

    /// Does one job. It stores the result and reports before the message is deleted.
    fn work_on(&self, path: &str) -> Result<(), JobError> {
        let done = self.measure_and_store(path);
        let path = path.to_owned();
        match done {
            Ok(measured) => tell(&self.reports, Report::Done { path, measured }),
            Err(error) => {
                let reason = error.to_string();
                tell(&self.reports, Report::Failed { path, reason });
                return Err(error);
            }
        }
        Ok(())
    }

    fn measure_and_store(&self, path: &str) -> Result<Measured, JobError> {
        let measured = measure(&self.root.join(path))?;
        if let Some(results) = &self.results {
            results.send(write(path, &measured))?;
        }
        Ok(measured)
    }

    /// Takes a batch, does half of it, deletes nothing and dies: the future that runs it is dropped, which is what a
    /// crash of its process would come to.
    pub(crate) fn die_over_a_batch(self, jobs: &Queue) -> Result<(), BuildRunnerError> {
        let dead = Arc::new(AtomicBool::new(false));
        let dies = Arc::clone(&dead);
        let runner = Runner::builder(jobs).batch_async(BatchSettings::default(), move |batch: Vec<Job>| {
            let half = &batch[..batch.len() / 2];
            let done = half.iter().filter(|job| self.work_on(job.body()).is_ok()).count();
            let held = batch.len();
            tell(&self.reports, Report::Killed { held, done });
            dies.store(true, Ordering::Relaxed);
            future::pending()
        })?;
        let mut running = pin!(runner.run());
        pollster::block_on(poll_fn(|context| {
            let ended = running.as_mut().poll(context).is_ready();
            if ended || dead.load(Ordering::Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        Ok(())
    }
}

fn tell(reports: &Sender<Report>, report: Report) {
    // Nobody listens any more when the main thread has given up.
    let _ = reports.send(report);
}
