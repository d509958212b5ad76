//! What handlers did, and what must never be seen while they do it.

use {
    super::{case::Case, faulty::Excuses},
    requeue::{Queue, worker::Job},
    std::{
        cell::RefCell,
        collections::{BTreeMap, BTreeSet},
        rc::Rc,
    },
};

#[derive(Default)]
struct Entries {
    /// Handlers under way, by a number of their own.
    running: BTreeMap<u64, Vec<Job>>,
    next: u64,
    completed: BTreeSet<String>,
    /// First completions, in order.
    order: Vec<String>,
    /// What a handler decided to discard or to send to the dead-letter queue.
    given_up: BTreeSet<String>,
    /// Two held a message at a time, which a fault allowed.
    overlaps: u64,
    handled: u64,
    /// How often handlers began a message, less the times that they put it off.
    attempts: BTreeMap<String, u32>,
    /// What must not be; a panic would be taken for one of a handler.
    breaches: Vec<String>,
}

/// The ledger of one case; clones share its entries.
#[derive(Clone)]
pub(crate) struct Ledger {
    case: Rc<Case>,
    jobs: Queue,
    pub(crate) excuses: Excuses,
    entries: Rc<RefCell<Entries>>,
}

/// A handler under way; dropping it ends it.
pub(crate) struct Entry {
    ledger: Ledger,
    number: u64,
}

impl Ledger {
    pub(crate) fn new(case: &Case, jobs: &Queue) -> Self {
        Self {
            case: Rc::new(case.clone()),
            jobs: jobs.clone(),
            excuses: Excuses::default(),
            entries: Rc::default(),
        }
    }

    /// A handler begins.
    pub(crate) fn begin(&self, jobs: &[Job]) -> Entry {
        self.look_for_other_holders(jobs);
        if self.case.fifo {
            self.look_for_predecessors(jobs);
        }
        let mut entries = self.entries.borrow_mut();
        entries.handled += jobs.len() as u64;
        for job in jobs {
            *entries.attempts.entry(job.body().to_owned()).or_default() += 1;
        }
        entries.next += 1;
        let number = entries.next;
        entries.running.insert(number, jobs.to_vec());
        Entry {
            ledger: self.clone(),
            number,
        }
    }

    pub(crate) fn breach(&self, breach: String) {
        self.entries.borrow_mut().breaches.push(breach);
    }

    fn look_for_other_holders(&self, jobs: &[Job]) {
        let mut entries = self.entries.borrow_mut();
        let mut breaches = Vec::new();
        for job in jobs {
            if !job.is_held() {
                breaches.push(format!("{} is begun, and not held", job.body()));
            }
            let others = entries.running.values().flatten();
            let same = |other: &&Job| other.message_id() == job.message_id() && other.is_held();
            if others.filter(same).count() == 0 {
                continue;
            }
            if self.case.net.duplicates(self.case.fifo) {
                entries.overlaps += 1;
            } else {
                breaches.push(format!("{} is held twice", job.body()));
            }
        }
        entries.breaches.append(&mut breaches);
    }

    /// Whatever was sent to its group before a message is settled, or comes before it in the same call.
    fn look_for_predecessors(&self, jobs: &[Job]) {
        let there = self.jobs.snapshot().messages;
        for (at, job) in jobs.iter().enumerate() {
            let before = there
                .iter()
                .filter(|it| it.content.group_id() == job.message_group_id() && **it.content.body() < *job.body());
            for other in before {
                if !jobs[..at].iter().any(|own| own.body() == &**other.content.body()) {
                    let breach = format!("{} is begun before {}", job.body(), other.content.body());
                    self.entries.borrow_mut().breaches.push(breach);
                }
            }
        }
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.case.fifo
    }

    /// A handler did its job. One that went on without its lease has no place in the order.
    pub(crate) fn complete(&self, job: &Job) {
        let mut entries = self.entries.borrow_mut();
        let new = entries.completed.insert(job.body().to_owned());
        if new && job.is_held() {
            entries.order.push(job.body().to_owned());
        }
    }

    pub(crate) fn give_up(&self, body: &str) {
        self.entries.borrow_mut().given_up.insert(body.to_owned());
    }

    /// A handler has begun a message and answers that it is put off, or left alone behind a failure.
    pub(crate) fn put_off(&self, body: &str) {
        let mut entries = self.entries.borrow_mut();
        let attempts = entries.attempts.entry(body.to_owned()).or_default();
        *attempts = attempts.saturating_sub(1);
    }

    /// A runner ends that cannot give back all that it has. Whose lease has just ended, by a jump of the clock for
    /// example, is not in flight any more, and nobody has told of it.
    pub(crate) fn excuse_all_received(&self) {
        let messages = self.jobs.snapshot().messages.into_iter();
        let received = messages.filter(|message| message.approximate_receive_count > 0);
        received.for_each(|message| self.excuses.add(message.content.body()));
    }

    pub(crate) fn handled(&self) -> u64 {
        self.entries.borrow().handled
    }

    pub(crate) fn overlaps(&self) -> u64 {
        self.entries.borrow().overlaps
    }

    /// Every message was completed, given up by a handler, or received as often as is allowed and not more.
    pub(crate) fn assert_accounted_for(&self, sent: &[String], dead: &Queue) {
        let entries = self.entries.borrow();
        assert!(entries.breaches.is_empty(), "{:?}: {:?}", entries.breaches, self.case);
        let dead = dead.snapshot().messages;
        let dead: BTreeMap<&str, u32> = dead
            .iter()
            .map(|it| (&**it.content.body(), it.approximate_receive_count))
            .collect();
        for body in sent {
            let completed = entries.completed.contains(body);
            let given_up = entries.given_up.contains(body);
            match (dead.get(body.as_str()), self.case.max_receive_count) {
                _ if completed || given_up => {}
                (Some(receives), Some(max)) => {
                    assert!(*receives >= max, "{body} is dead after {receives}: {:?}", self.case);
                    // Where what is given back does not count, each receive that does is a failure of its own, or a fault
                    // struck it.
                    let own = entries.attempts.get(body).copied().unwrap_or(0);
                    assert!(
                        own + self.excuses.of(body) >= max || !self.case.restores,
                        "{body} is dead after {own} failures of its own: {:?}",
                        self.case
                    );
                }
                _ => panic!("{body} is lost: {:?}", self.case),
            }
        }
        if self.case.fifo {
            let mut last: BTreeMap<&str, &str> = BTreeMap::new();
            for body in &entries.order {
                let group = body.split('-').next().unwrap();
                let before = last.insert(group, body);
                assert!(
                    before.is_none_or(|before| before < body.as_str()),
                    "{:?}: {:?}",
                    entries.order,
                    self.case
                );
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.entries.borrow_mut().running.remove(&self.number);
    }
}
