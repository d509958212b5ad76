//! Those who send the jobs, and those who do them.

use {
    crate::measure::{Measured, measure},
    crossbeam_channel::Sender,
    requeue::{Clock, Message, Queue, ReceiveError, SendBatchEntry, SystemClock, Timestamp},
    std::{
        collections::VecDeque,
        panic,
        path::{Path, PathBuf},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
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
    /// A worker is about to die, with so many jobs in its hands of which so many are done.
    Killed { worker: usize, held: usize, done: usize },
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

pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) root: PathBuf,
    pub(crate) jobs: Queue,
    pub(crate) visibility: Duration,
    pub(crate) clock: SystemClock,
    pub(crate) reports: Sender<Report>,
    /// Set as long as somebody has to die.
    pub(crate) kill: Arc<AtomicBool>,
}

impl Worker {
    /// Works until the queue is deleted.
    pub(crate) fn run(&self) {
        loop {
            let receive = self
                .jobs
                .receive()
                .max_messages(BATCH)
                .wait_time(Duration::from_secs(20));
            match receive.blocking() {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) if self.kill.swap(false, Ordering::Relaxed) => self.die_over(messages),
                Ok(messages) => self.work_off(messages),
                Err(ReceiveError::QueueDoesNotExist) => return,
                Err(error) => {
                    return self.report(Report::Trouble(format!(
                        "worker {} cannot receive: {error}",
                        self.number
                    )));
                }
            }
        }
    }

    fn work_off(&self, messages: Vec<Message>) {
        let mut held = Held {
            worker: self,
            renewed_at: self.clock.now(),
            to_do: messages.into(),
            done: Vec::with_capacity(BATCH),
        };
        while let Some(message) = held.to_do.front().cloned() {
            let done = self.work_on(&message, || held.keep());
            held.to_do.pop_front();
            if done {
                held.done.push(message);
            }
        }
        held.delete_done();
    }

    /// Does one job; a job that fails is left alone, and comes back when its visibility timeout ends.
    fn work_on(&self, message: &Message, keep: impl FnMut()) -> bool {
        let path = message.body().to_owned();
        match measure(&self.root.join(&path), keep) {
            Ok(measured) => {
                self.report(Report::Done { path, measured });
                true
            }
            Err(error) => {
                let reason = error.to_string();
                self.report(Report::Failed { path, reason });
                false
            }
        }
    }

    /// Does half of the jobs, deletes none, and ends the thread as a panic does, but without its message.
    fn die_over(&self, messages: Vec<Message>) {
        let half = &messages[..messages.len() / 2];
        let done = half.iter().filter(|message| self.work_on(message, || {})).count();
        let (worker, held) = (self.number, messages.len());
        self.report(Report::Killed { worker, held, done });
        panic::resume_unwind(Box::new("killed on purpose"));
    }

    fn report(&self, report: Report) {
        tell(&self.reports, report);
    }
}

fn tell(reports: &Sender<Report>, report: Report) {
    // Nobody listens any more when the main thread has given up.
    let _ = reports.send(report);
}

/// A batch in the hands of a worker.
struct Held<'a> {
    worker: &'a Worker,
    renewed_at: Timestamp,
    /// The first is being worked on.
    to_do: VecDeque<Message>,
    done: Vec<Message>,
}

impl Held<'_> {
    /// Keeps the visibility timeouts from ending, once half of them is over.
    fn keep(&mut self) {
        let Worker {
            clock,
            visibility,
            jobs,
            ..
        } = self.worker;
        let now = clock.now();
        if now.saturating_duration_since(self.renewed_at) < *visibility / 2 {
            return;
        }
        self.delete_done();
        // Entries fail whose message another worker has finished meanwhile: nothing is left to keep.
        let _ = jobs.change_visibility_batch(self.to_do.iter().map(|message| (message, *visibility)));
        self.renewed_at = now;
    }

    fn delete_done(&mut self) {
        if self.done.is_empty() {
            return;
        }
        let trouble = match self.worker.jobs.delete_batch(&self.done) {
            Ok(result) => result.failed.into_iter().map(|failure| failure.message).next(),
            Err(error) => Some(error.to_string()),
        };
        if let Some(trouble) = trouble {
            self.worker
                .report(Report::Trouble(format!("done, but not deleted: {trouble}")));
        }
        self.done.clear();
    }
}
