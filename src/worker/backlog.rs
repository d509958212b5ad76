//! The backlog: jobs received and not begun; on a FIFO queue those of a group in order, one at a time.

use {
    super::{batch::BatchSettings, job::Job},
    crate::time::Timestamp,
    std::{
        collections::{BTreeMap, VecDeque},
        slice,
        sync::Arc,
        time::Duration,
    },
};

/// The limit in bytes on the bodies and attributes of a batch (E17).
const BATCH_BYTES: usize = 6 * 1024 * 1024;

/// The jobs of one handler call: two words, which registers carry from call to call.
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
    Standard(VecDeque<Job>),
    Fifo(Groups),
}

/// Invariant: a group is in `ready` exactly if it has jobs and is not busy.
#[derive(Debug, Default)]
struct Groups {
    // Ordered, so that calls for all jobs are the same on every run.
    groups: BTreeMap<Arc<str>, Group>,
    ready: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct Group {
    jobs: VecDeque<Job>,
    busy: bool,
}

impl Backlog {
    pub(super) fn new(fifo: bool, batch: Option<BatchSettings>) -> Self {
        Self {
            batch,
            order: if fifo {
                Order::Fifo(Groups::default())
            } else {
                Order::Standard(VecDeque::new())
            },
            count: 0,
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.count += 1;
        if self.batch.is_some() {
            self.bytes += bytes(&job);
        }
        match &mut self.order {
            Order::Standard(jobs) => jobs.push_back(job),
            Order::Fifo(groups) => groups.push(job),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The most work items that could begin now; jobs of busy groups do not count.
    pub(super) fn startable(&self, now: Timestamp) -> usize {
        let free = match (&self.order, &self.batch) {
            (Order::Standard(jobs), None) => jobs.len(),
            (Order::Standard(jobs), Some(batch)) => jobs.len().div_ceil(batch.size),
            // One group may fill a batch by itself.
            (Order::Fifo(groups), _) => groups.ready.len(),
        };
        let ready = self.batch.is_none_or(|batch| self.is_ready(&batch, now));
        if ready { free } else { 0 }
    }

    /// When the window of an incomplete batch ends.
    pub(super) fn window_end(&self) -> Option<Timestamp> {
        let batch = self.batch.filter(|batch| !batch.window.is_zero())?;
        self.first().map(|job| job.received_at().saturating_add(batch.window))
    }

    /// Takes the next work item; its groups are then busy.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<WorkItem> {
        let item = match self.batch {
            None => WorkItem::One(match &mut self.order {
                Order::Standard(jobs) => jobs.pop_front(),
                Order::Fifo(groups) => groups.take(),
            }?),
            Some(batch) => {
                if !self.is_ready(&batch, now) {
                    return None;
                }
                WorkItem::Batch(self.take_batch(batch.size)?)
            }
        };
        self.forget(item.jobs());
        Some(item)
    }

    /// Marks the group of a job as not busy.
    pub(super) fn release(&mut self, job: &Job) {
        if let Order::Fifo(groups) = &mut self.order {
            groups.release(job.message_group_id().unwrap_or_default());
        }
    }

    /// Removes and returns the jobs behind this one in its group, in order: they cannot begin before it.
    ///
    /// Jobs received later than this one have returned to the queue since, and stay.
    pub(super) fn abandon_group(&mut self, job: &Job) -> Vec<Job> {
        let Order::Fifo(groups) = &mut self.order else {
            return Vec::new();
        };
        let jobs = groups.take_behind(job);
        self.forget(&jobs);
        jobs
    }

    /// Removes this job; returns whether it was in the backlog.
    pub(super) fn remove(&mut self, job: &Job) -> bool {
        let removed = match &mut self.order {
            Order::Standard(jobs) => remove(jobs, job),
            Order::Fifo(groups) => groups.remove(job),
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
            Order::Standard(jobs) => jobs.drain(..).collect(),
            Order::Fifo(groups) => {
                groups.ready.clear();
                let mut all: Vec<Job> = groups.groups.values_mut().flat_map(|it| it.jobs.drain(..)).collect();
                groups.groups.retain(|_, group| group.busy);
                // The order of give-backs is the same on every run.
                all.sort_by_cached_key(|job| {
                    let number = job.sequence_number().map(|number| (number.len(), number.into_owned()));
                    (job.received_at(), number)
                });
                all
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        let (standard, fifo) = match &self.order {
            Order::Standard(jobs) => (Some(jobs.iter()), None),
            Order::Fifo(groups) => (None, Some(groups.groups.values().flat_map(|group| &group.jobs))),
        };
        standard.into_iter().flatten().chain(fifo.into_iter().flatten())
    }

    fn first(&self) -> Option<&Job> {
        match &self.order {
            Order::Standard(jobs) => jobs.front(),
            Order::Fifo(groups) => groups.groups.get(groups.ready.front()?)?.jobs.front(),
        }
    }

    fn is_ready(&self, batch: &BatchSettings, now: Timestamp) -> bool {
        let waited = |window: Duration| {
            let first = self.first();
            first.is_some_and(|job| now.saturating_duration_since(job.received_at()) >= window)
        };
        self.count >= batch.size || waited(batch.window) || self.bytes >= BATCH_BYTES
    }

    fn forget(&mut self, jobs: &[Job]) {
        self.count -= jobs.len();
        if self.batch.is_some() {
            self.bytes -= jobs.iter().map(bytes).sum::<usize>();
        }
    }

    fn take_batch(&mut self, size: usize) -> Option<Arc<Vec<Job>>> {
        let (mut jobs, mut total) = (Vec::new(), 0);
        let mut fits = |jobs: &Vec<Job>, job: &Job| {
            total += bytes(job);
            jobs.is_empty() || (jobs.len() < size && total <= BATCH_BYTES)
        };
        match &mut self.order {
            Order::Standard(backlog) => {
                while let Some(job) = backlog.pop_front() {
                    if !fits(&jobs, &job) {
                        backlog.push_front(job);
                        break;
                    }
                    jobs.push(job);
                }
            }
            Order::Fifo(groups) => {
                while let Some(job) = groups.peek() {
                    if !fits(&jobs, job) {
                        break;
                    }
                    jobs.extend(groups.take_more());
                }
                groups.end_batch(&jobs);
            }
        }
        (!jobs.is_empty()).then(|| Arc::new(jobs))
    }
}

impl Groups {
    fn push(&mut self, job: Job) {
        let id = job.message_group_id().unwrap_or_default();
        if !self.groups.contains_key(id) {
            self.groups.insert(Arc::from(id), Group::default());
        }
        let Some((id, _)) = self.groups.get_key_value(id) else {
            return;
        };
        let id = Arc::clone(id);
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.jobs.is_empty() && !group.busy {
            self.ready.push_back(id);
        }
        group.jobs.push_back(job);
    }

    fn take_behind(&mut self, job: &Job) -> Vec<Job> {
        let id = job.message_group_id().unwrap_or_default();
        let Some(group) = self.groups.get_mut(id) else {
            return Vec::new();
        };
        // A job that is not in the backlog is in progress, and precedes all that are.
        let first = group.jobs.iter().position(|it| it.is(job)).map_or(0, |at| at + 1);
        let later = group.jobs.split_off(first).into_iter();
        let (taken, left): (Vec<Job>, Vec<Job>) = later.partition(|it| it.received_at() <= job.received_at());
        group.jobs.extend(left);
        self.tidy(id);
        taken
    }

    fn remove(&mut self, job: &Job) -> bool {
        let id = job.message_group_id().unwrap_or_default();
        let removed = self
            .groups
            .get_mut(id)
            .is_some_and(|group| remove(&mut group.jobs, job));
        self.tidy(id);
        removed
    }

    /// Removes a group that has no jobs and is not busy.
    fn tidy(&mut self, id: &str) {
        if self.groups.get(id).is_some_and(|it| it.jobs.is_empty() && !it.busy) {
            self.groups.remove(id);
            self.ready.retain(|ready| &**ready != id);
        }
    }

    /// Takes the next job of a ready group; the group is then busy.
    fn take(&mut self) -> Option<Job> {
        let id = self.ready.pop_front()?;
        let group = self.groups.get_mut(&id)?;
        group.busy = true;
        group.jobs.pop_front()
    }

    fn peek(&self) -> Option<&Job> {
        self.groups.get(self.ready.front()?)?.jobs.front()
    }

    /// Takes the next job for a batch, which empties one group before the next.
    fn take_more(&mut self) -> Option<Job> {
        let id = self.ready.front()?;
        let group = self.groups.get_mut(id)?;
        let job = group.jobs.pop_front();
        group.busy = true;
        if group.jobs.is_empty() {
            self.ready.pop_front();
        }
        job
    }

    /// The rest of a full batch's last group waits for that batch.
    fn end_batch(&mut self, batch: &[Job]) {
        let last = batch.last().and_then(|job| job.message_group_id());
        if last.is_some() && self.ready.front().map(|id| &**id) == last {
            self.ready.pop_front();
        }
    }

    fn release(&mut self, id: &str) {
        let Some((key, group)) = self.groups.get_key_value(id) else {
            return;
        };
        if !group.busy {
            return;
        }
        let key = Arc::clone(key);
        if group.jobs.is_empty() {
            self.groups.remove(&key);
        } else if let Some(group) = self.groups.get_mut(&key) {
            group.busy = false;
            self.ready.push_back(key);
        }
    }
}

fn remove(jobs: &mut VecDeque<Job>, job: &Job) -> bool {
    let at = jobs.iter().position(|it| it.is(job));
    at.and_then(|at| jobs.remove(at)).is_some()
}

/// The size of a job in a batch.
fn bytes(job: &Job) -> usize {
    job.body().len() + job.attributes().size_bytes()
}
