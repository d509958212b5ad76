//! What has become of the jobs, from the facts of the queue and the reports of the workers.

use {
    crate::{files::some, measure::Measured, worker::Report},
    requeue::{Fact, MessageId, MessageSnapshot},
    sha2::{Digest, Sha256},
    std::{
        collections::{BTreeMap, BTreeSet, HashMap},
        sync::Arc,
    },
};

#[derive(Default)]
pub(crate) struct Tally {
    /// Messages in the queue of jobs, with their bodies.
    open: HashMap<MessageId, Arc<str>>,
    all_sent: bool,
    pub(crate) sent: BTreeSet<Arc<str>>,
    pub(crate) refused: Vec<(String, String)>,
    pub(crate) receives: u64,
    /// Receives of a message that had been received before.
    pub(crate) retries: u64,
    /// Visibility timeouts that were made longer.
    pub(crate) extensions: u64,
    pub(crate) done: BTreeMap<String, Measured>,
    /// Jobs done once more.
    pub(crate) duplicates: u64,
    /// Of each job that failed, the latest reason.
    reasons: HashMap<String, String>,
    /// What left for the dead-letter queue since it was last emptied.
    pub(crate) dead: BTreeSet<Arc<str>>,
}

impl Tally {
    /// Takes note of what an earlier run has left: its jobs, its dead letters and its results.
    pub(crate) fn note_found(
        &mut self,
        jobs: Vec<MessageSnapshot>,
        dead: Vec<MessageSnapshot>,
        done: impl Iterator<Item = (String, Measured)>,
    ) {
        self.done.extend(done);
        self.dead
            .extend(dead.into_iter().map(|letter| letter.content.body().clone()));
        self.open
            .extend(jobs.into_iter().map(|job| (job.message_id, job.content.body().clone())));
        self.sent.extend(self.done.keys().map(|path| Arc::from(&**path)));
        self.sent.extend(self.dead.iter().chain(self.open.values()).cloned());
    }

    /// Takes note of what happened in the queue of jobs.
    pub(crate) fn note_fact(&mut self, fact: Fact) {
        match fact {
            Fact::Sent {
                message_id, content, ..
            }
            | Fact::MovedIn {
                message_id, content, ..
            } => {
                self.sent.insert(Arc::clone(content.body()));
                self.open.insert(message_id, Arc::clone(content.body()));
            }
            Fact::Received { receive_count, .. } => {
                self.receives += 1;
                self.retries += u64::from(receive_count > 1);
            }
            Fact::VisibilityChanged { .. } => self.extensions += 1,
            Fact::DeadLettered { message_id, .. } => self.dead.extend(self.open.remove(&message_id)),
            Fact::Deleted { message_id, .. } | Fact::Expired { message_id, .. } => {
                self.open.remove(&message_id);
            }
            _ => {}
        }
    }

    /// Takes note of a report, and answers with what is to be said about it.
    pub(crate) fn note_report(&mut self, report: Report) -> Option<String> {
        match report {
            Report::AllSent(jobs) => {
                self.all_sent = true;
                Some(format!("sent {}", some(jobs, "job")))
            }
            Report::Refused { name, reason } => {
                self.refused.push((name, reason));
                None
            }
            Report::Done { path, measured } => {
                self.duplicates += u64::from(self.done.insert(path, measured).is_some());
                None
            }
            Report::Failed { path, reason } => {
                self.reasons.insert(path, reason);
                None
            }
            Report::Killed { held, done } => Some(format!(
                "a worker dies holding {}: {done} done, none deleted",
                some(held, "job")
            )),
            Report::Trouble(text) => Some(text),
        }
    }

    /// How many jobs are on their way.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    pub(crate) const fn is_all_sent(&self) -> bool {
        self.all_sent
    }

    /// Why a job is a dead letter. It need not have failed: its visibility timeout may have ended while a worker
    /// held it that was killed or too slow.
    pub(crate) fn reason(&self, path: &str) -> &str {
        match self.reasons.get(path) {
            Some(reason) => reason,
            None if self.done.contains_key(path) => "done, but after its visibility timeout had ended",
            None => "no worker was done with it in time, or it failed in an earlier run",
        }
    }

    /// Jobs that are neither done nor among the dead letters.
    pub(crate) fn unaccounted<'a>(&'a self, dead: &'a BTreeSet<Arc<str>>) -> impl Iterator<Item = &'a str> {
        let accounted = move |path: &str| self.done.contains_key(path) || dead.contains(path);
        self.sent
            .iter()
            .map(|path| &**path)
            .filter(move |path| !accounted(path))
    }

    /// SHA-256 over the lines that `sha256sum` would print for the files that were done, in order of their names.
    pub(crate) fn sha256(&self) -> String {
        let mut all = Sha256::new();
        for (path, measured) in &self.done {
            all.update(format!("{}  {path}\n", hex(&measured.sha256)));
        }
        hex(&all.finalize())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
