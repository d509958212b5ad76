//! The backlog: jobs received and not begun; on a FIFO queue those of a group in order, one at a time.

mod group_limits;
mod groups;

pub(super) use group_limits::GroupLimitsConfig;

use {
    super::{batch::BatchSettings, job::Job},
    crate::time::Timestamp,
    groups::Groups,
    std::{collections::VecDeque, slice, sync::Arc, time::Duration},
};

/// The limit in bytes on the bodies and attributes of a batch (E17).
const BATCH_BYTES: usize = 6 * 1024 * 1024;

/// The jobs of one handler call.
#[derive(Clone, Debug)]
pub(super) enum WorkItem {
    One(Job),
    Batch(Arc<Vec<Job>>),
}

impl WorkItem {
    pub(super) fn jobs(&self) -> &[Job] {
        match self {
            Self::One(job) => slice::from_ref(job),
            Self::Batch(jobs) => jobs,
        }
    }
}

/// Jobs received that no handler has begun.
#[derive(Debug)]
pub(super) struct Backlog {
    batch: Option<BatchSettings>,
    order: Order,
    count: usize,
    /// Size of all jobs by [`bytes`]; maintained only for batches.
    bytes: usize,
}

#[derive(Debug)]
enum Order {
    /// As received.
    Received(VecDeque<Job>),
    Groups(Box<Groups>),
}

/// Messages that the limits of their group hold back, and that do not fit in the backlog.
#[derive(Debug)]
pub(super) struct PutOff {
    /// One, or on a FIFO queue the jobs of a group in order.
    pub(super) jobs: Vec<Job>,
    /// When the first may return.
    pub(super) until: Timestamp,
}

impl Backlog {
    pub(super) fn new(fifo: bool, batch: Option<BatchSettings>, limits: Option<GroupLimitsConfig>) -> Self {
        let batch_size = batch.map_or(1, |batch| batch.size);
        Self {
            batch,
            order: if fifo || limits.is_some() {
                Order::Groups(Box::new(Groups::new(fifo, batch_size, limits)))
            } else {
                Order::Received(VecDeque::new())
            },
            count: 0,
            bytes: 0,
        }
    }

    /// Whether groups may hold jobs back.
    pub(super) const fn has_groups(&self) -> bool {
        matches!(self.order, Order::Groups(_))
    }

    /// Lets jobs begin whose groups have got a token; other methods go by the latest time that this was told.
    pub(super) fn advance(&mut self, now: Timestamp) {
        if let Order::Groups(groups) = &mut self.order {
            groups.advance(now);
        }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.count += 1;
        if self.batch.is_some() {
            self.bytes += bytes(&job);
        }
        match &mut self.order {
            Order::Received(jobs) => jobs.push_back(job),
            Order::Groups(groups) => groups.push(job),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// How many groups it knows.
    #[cfg(test)]
    pub(super) fn groups(&self) -> usize {
        match &self.order {
            Order::Received(_) => 0,
            Order::Groups(groups) => groups.count(),
        }
    }

    /// The jobs that no group holds back.
    pub(super) fn ready_jobs(&self) -> usize {
        match &self.order {
            Order::Received(jobs) => jobs.len(),
            Order::Groups(groups) => groups.ready_jobs(),
        }
    }

    /// The most work items that could begin now; jobs that their groups hold back do not count.
    pub(super) fn startable(&self, now: Timestamp) -> usize {
        let free = match (&self.order, &self.batch) {
            (Order::Received(jobs), None) => jobs.len(),
            (Order::Received(jobs), Some(batch)) => jobs.len().div_ceil(batch.size),
            (Order::Groups(groups), _) => groups.startable(),
        };
        let ready = self.batch.is_none_or(|batch| self.is_ready(&batch, now));
        if ready { free } else { 0 }
    }

    /// When a work item may begin, if time alone brings that: a past instant if one may begin now.
    pub(super) fn next_start(&self) -> Option<Timestamp> {
        let token = match &self.order {
            Order::Received(_) => None,
            Order::Groups(groups) => groups.next_token_at(),
        };
        let ready = match self.batch {
            Some(batch) if self.ready_jobs() < batch.size && !self.is_large() => {
                self.first().map(|job| job.received_at().saturating_add(batch.window))
            }
            _ => (self.ready_jobs() > 0).then_some(Timestamp::ZERO),
        };
        ready.into_iter().chain(token).min()
    }

    /// Takes the next work item; its groups then hold back what they have to.
    #[inline]
    pub(super) fn take(&mut self, now: Timestamp) -> Option<WorkItem> {
        if let (None, Order::Received(jobs)) = (&self.batch, &mut self.order) {
            let job = jobs.pop_front()?;
            self.count -= 1;
            return Some(WorkItem::One(job));
        }
        self.take_at_most(now, usize::MAX)
    }

    /// The same, of at most this many jobs.
    pub(super) fn take_at_most(&mut self, now: Timestamp, max_jobs: usize) -> Option<WorkItem> {
        let item = match self.batch {
            None => WorkItem::One(match &mut self.order {
                Order::Received(jobs) => jobs.pop_front(),
                Order::Groups(groups) => groups.take_one(),
            }?),
            Some(batch) => {
                if !self.is_ready(&batch, now) {
                    return None;
                }
                WorkItem::Batch(self.take_batch(batch.size.min(max_jobs))?)
            }
        };
        self.forget(item.jobs());
        Some(item)
    }

    /// Whether the limits of groups hold back more jobs than they may.
    pub(super) fn has_excess(&self) -> bool {
        matches!(&self.order, Order::Groups(groups) if groups.has_excess())
    }

    /// Removes jobs beyond those that the limits of groups may hold back, those of one group.
    pub(super) fn put_off(&mut self) -> Vec<PutOff> {
        let Order::Groups(groups) = &mut self.order else {
            return Vec::new();
        };
        let put_off = groups.put_off();
        for PutOff { jobs, .. } in &put_off {
            self.forget(jobs);
        }
        put_off
    }

    /// Ends a job in progress, whose handler took so long.
    pub(super) fn release(&mut self, job: &Job, span: Duration) {
        if let Order::Groups(groups) = &mut self.order {
            groups.release(job, span);
        }
    }

    /// Removes and returns the jobs behind this one in its group, in order: they cannot begin before it.
    ///
    /// Jobs received later than this one have returned to the queue since, and stay.
    pub(super) fn abandon_group(&mut self, job: &Job) -> Vec<Job> {
        let Order::Groups(groups) = &mut self.order else {
            return Vec::new();
        };
        let jobs = groups.take_behind(job);
        self.forget(&jobs);
        jobs
    }

    /// Removes this job; returns whether it was in the backlog.
    pub(super) fn remove(&mut self, job: &Job) -> bool {
        let removed = match &mut self.order {
            Order::Received(jobs) => remove(jobs, job),
            Order::Groups(groups) => groups.remove(job),
        };
        if removed {
            self.forget(slice::from_ref(job));
        }
        removed
    }

    /// Removes and returns all jobs, those of a group in order.
    pub(super) fn take_all(&mut self) -> Vec<Job> {
        (self.count, self.bytes) = (0, 0);
        match &mut self.order {
            Order::Received(jobs) => jobs.drain(..).collect(),
            Order::Groups(groups) => groups.take_all(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        let (received, groups) = match &self.order {
            Order::Received(jobs) => (Some(jobs.iter()), None),
            Order::Groups(groups) => (None, Some(groups.iter())),
        };
        received.into_iter().flatten().chain(groups.into_iter().flatten())
    }

    fn first(&self) -> Option<&Job> {
        match &self.order {
            Order::Received(jobs) => jobs.front(),
            Order::Groups(groups) => groups.first(),
        }
    }

    fn is_ready(&self, batch: &BatchSettings, now: Timestamp) -> bool {
        let waited = |window: Duration| {
            let first = self.first();
            first.is_some_and(|job| now.saturating_duration_since(job.received_at()) >= window)
        };
        self.ready_jobs() >= batch.size || waited(batch.window) || self.is_large()
    }

    /// Whether the jobs fill a batch by their size, of which no limit holds back any.
    fn is_large(&self) -> bool {
        matches!(self.order, Order::Received(_)) && self.bytes >= BATCH_BYTES
    }

    fn forget(&mut self, jobs: &[Job]) {
        self.count -= jobs.len();
        if self.batch.is_some() {
            self.bytes -= jobs.iter().map(bytes).sum::<usize>();
        }
    }

    fn take_batch(&mut self, size: usize) -> Option<Arc<Vec<Job>>> {
        let (mut count, mut total) = (0, 0_usize);
        let mut fits = |job: &Job| {
            count += 1;
            total = total.saturating_add(bytes(job));
            count == 1 || (count <= size && total <= BATCH_BYTES)
        };
        let jobs: Vec<Job> = match &mut self.order {
            Order::Received(backlog) => {
                let fit = backlog.iter().take_while(|job| fits(job)).count();
                backlog.drain(..fit).collect()
            }
            Order::Groups(groups) => groups.take(fits),
        };
        (!jobs.is_empty()).then(|| Arc::new(jobs))
    }
}

fn remove(jobs: &mut VecDeque<Job>, job: &Job) -> bool {
    let at = jobs.iter().position(|it| it.is(job));
    at.and_then(|at| jobs.remove(at)).is_some()
}

/// The size of a job in a batch.
fn bytes(job: &Job) -> usize {
    job.body_bytes().saturating_add(job.attributes().size_bytes())
}
