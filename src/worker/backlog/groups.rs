//! Jobs by message group: those of a FIFO group one at a time and in order, others as their limits allow.

use {
    super::{
        PutOff,
        group_limits::{GroupLimits, GroupLimitsConfig},
        remove,
    },
    crate::{time::Timestamp, worker::job::Job},
    std::{
        cmp::Reverse,
        collections::{BTreeMap, BTreeSet, VecDeque},
        mem,
        sync::Arc,
        time::Duration,
    },
};

/// Until a job of a group has ended, its jobs are taken to last for as long as one is in progress, and for so long at
/// least.
const SHORTEST_UNKNOWN: Duration = Duration::from_millis(100);

/// The weight of the newest job in the mean time that a group's jobs take: one of so many.
const MEAN_OF: u32 = 8;

/// Where the jobs of a group wait.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    /// It has none, or waits for its own in progress (FIFO).
    #[default]
    None,
    /// In `ready`: a job may begin.
    Ready,
    /// It has no token.
    Limited,
    /// As many jobs are in progress as may be.
    Full,
}

/// Where a group belongs.
#[derive(Clone, Copy, Debug, Default)]
struct Filed {
    place: Place,
    /// How many of its jobs count: those that may begin, or all that its limits hold back.
    jobs: usize,
    /// When it gets a token that it lacks.
    token_at: Option<Timestamp>,
}

/// Invariant: each group is counted as it is filed.
#[derive(Debug)]
pub(super) struct Groups {
    fifo: bool,
    /// The most jobs of a FIFO group in one work item.
    batch_size: usize,
    limits: Option<GroupLimits>,
    // Ordered, so that calls for all jobs are the same on every run.
    groups: BTreeMap<Arc<str>, Group>,
    /// Invariant: exactly the groups whose place is `Ready`, in the order in which they came to be.
    ready: VecDeque<Arc<str>>,
    /// Jobs of ready groups that may begin.
    ready_jobs: usize,
    /// The groups that lack a token, by when they get it.
    limited: BTreeSet<(Timestamp, Arc<str>)>,
    /// The groups that limits hold back, by their number of jobs; those of equal number in the order of their ids.
    held: BTreeSet<(usize, Reverse<Arc<str>>)>,
    held_jobs: usize,
    /// The latest time that the backlog was told.
    now: Timestamp,
}

#[derive(Debug, Default)]
struct Group {
    jobs: VecDeque<Job>,
    /// Jobs in progress.
    busy: usize,
    filed: Filed,
    /// When the last of its jobs began.
    began_at: Timestamp,
    /// The mean time that its jobs take, once one has ended.
    mean: Option<Duration>,
}

impl Groups {
    pub(super) fn new(fifo: bool, batch_size: usize, limits: Option<GroupLimitsConfig>) -> Self {
        Self {
            fifo,
            batch_size,
            limits: limits.map(GroupLimits::new),
            groups: BTreeMap::new(),
            ready: VecDeque::new(),
            ready_jobs: 0,
            limited: BTreeSet::new(),
            held: BTreeSet::new(),
            held_jobs: 0,
            now: Timestamp::ZERO,
        }
    }

    /// Files groups anew that have got a token.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((at, id)) = self.limited.first() {
            if *at > self.now {
                return;
            }
            let id = Arc::clone(id);
            self.file(&id);
        }
    }

    /// When the next group gets a token.
    pub(super) fn next_token_at(&self) -> Option<Timestamp> {
        self.limited.first().map(|(at, _)| *at)
    }

    /// The most work items that could begin now.
    pub(super) fn startable(&self) -> usize {
        // One FIFO group may fill a batch by itself.
        if self.fifo {
            self.ready.len()
        } else {
            self.ready_jobs.div_ceil(self.batch_size)
        }
    }

    /// How many groups it knows.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.groups.len()
    }

    pub(super) const fn ready_jobs(&self) -> usize {
        self.ready_jobs
    }

    pub(super) fn push(&mut self, job: Job) {
        let id = job.message_group_id().unwrap_or_default();
        let id = match self.groups.get_key_value(id) {
            Some((id, _)) => Arc::clone(id),
            None => Arc::from(id),
        };
        self.groups.entry(Arc::clone(&id)).or_default().jobs.push_back(job);
        self.file(&id);
    }

    /// The first job of the group whose turn it is.
    pub(super) fn first(&self) -> Option<&Job> {
        self.groups.get(self.ready.front()?)?.jobs.front()
    }

    /// Takes the next job.
    pub(super) fn take_one(&mut self) -> Option<Job> {
        let id = self.ready.pop_front()?;
        let group = self.groups.get_mut(&id)?;
        let job = group.jobs.pop_front();
        let filed = group.begin(1, self.now);
        self.begun(&id, filed, 1);
        job
    }

    /// Takes jobs of ready groups, all that may begin of one before the next, while they fit.
    pub(super) fn take(&mut self, mut fits: impl FnMut(&Job) -> bool) -> Vec<Job> {
        let (mut taken, mut full) = (Vec::new(), false);
        while !full {
            let Some(id) = self.ready.pop_front() else { break };
            let Some(group) = self.groups.get_mut(&id) else { break };
            let before = taken.len();
            while !full && taken.len() - before < group.filed.jobs {
                full = !group.jobs.front().is_some_and(&mut fits);
                taken.extend(if full { None } else { group.jobs.pop_front() });
            }
            let count = taken.len() - before;
            if count == 0 {
                self.ready.push_front(id);
                break;
            }
            let filed = group.begin(count, self.now);
            self.begun(&id, filed, count);
        }
        taken
    }

    /// Counts jobs of a group that was the first of those that are ready, and filed so, as begun.
    fn begun(&mut self, id: &Arc<str>, filed: Filed, count: usize) {
        self.uncount(id, filed);
        if let Some(limits) = &mut self.limits {
            limits.take_tokens(id, self.now, count);
        }
        // A FIFO group has no place while it is busy.
        if !self.fifo {
            self.file(id);
        }
    }

    /// Ends a job in progress, whose handler took so long.
    pub(super) fn release(&mut self, job: &Job, span: Duration) {
        let id = job.message_group_id().unwrap_or_default();
        let Some(group) = self.groups.get_mut(id) else { return };
        group.end(span);
        if group.is_over() {
            self.groups.remove(id);
        } else if let Some((id, _)) = self.groups.get_key_value(id) {
            let id = Arc::clone(id);
            self.file(&id);
        }
        if let Some(limits) = &mut self.limits {
            limits.sweep(self.now);
        }
    }

    /// Removes and returns the jobs behind this one in its FIFO group, in order.
    ///
    /// Jobs received later than this one have returned to the queue since, and stay.
    pub(super) fn take_behind(&mut self, job: &Job) -> Vec<Job> {
        let id = job.message_group_id().unwrap_or_default();
        let Some(group) = self.groups.get_mut(id).filter(|_| self.fifo) else {
            return Vec::new();
        };
        // A job that is not in the backlog is in progress, and precedes all that are.
        let first = group.jobs.iter().position(|it| it.is(job)).map_or(0, |at| at + 1);
        let later = group.jobs.split_off(first).into_iter();
        let (taken, left): (Vec<Job>, Vec<Job>) = later.partition(|it| it.received_at() <= job.received_at());
        group.jobs.extend(left);
        self.file(&Arc::from(id));
        taken
    }

    pub(super) fn remove(&mut self, job: &Job) -> bool {
        let id = job.message_group_id().unwrap_or_default();
        let group = self.groups.get_mut(id);
        let removed = group.is_some_and(|group| remove(&mut group.jobs, job));
        self.file(&Arc::from(id));
        removed
    }

    /// Whether limits hold back more jobs than they may.
    pub(super) fn has_excess(&self) -> bool {
        self.limits
            .as_ref()
            .is_some_and(|limits| self.held_jobs > limits.config.max_held)
    }

    /// Removes jobs beyond those that limits may hold back, the newest of the group that has the most; on a FIFO queue
    /// all of its jobs.
    pub(super) fn put_off(&mut self) -> Vec<PutOff> {
        let mut put_off = Vec::new();
        let Some(limits) = &mut self.limits else {
            return put_off;
        };
        let excess = self.held_jobs.saturating_sub(limits.config.max_held);
        let most = self
            .held
            .last()
            .filter(|_| excess > 0)
            .map(|(_, Reverse(id))| Arc::clone(id));
        let Some((id, group)) = most.and_then(|id| Some((Arc::clone(&id), self.groups.get_mut(&id)?))) else {
            return put_off;
        };
        let left = if self.fifo {
            0
        } else {
            group.jobs.len().saturating_sub(excess)
        };
        let jobs = group.jobs.split_off(left);
        let spacing = (group.filed.place == Place::Full).then(|| group.spacing(limits.config.concurrency, self.now));
        let mut return_at = || limits.return_at(&id, left, spacing, self.now);
        if self.fifo {
            let (jobs, until) = (jobs.into(), return_at());
            put_off.push(PutOff { jobs, until });
        } else {
            put_off.extend(jobs.into_iter().map(|job| PutOff {
                jobs: vec![job],
                until: return_at(),
            }));
        }
        self.file(&id);
        put_off
    }

    pub(super) fn take_all(&mut self) -> Vec<Job> {
        let mut all: Vec<Job> = self.groups.values_mut().flat_map(|it| it.jobs.drain(..)).collect();
        let ids: Vec<_> = self.groups.keys().cloned().collect();
        // At once, as each search in it takes as long as it is.
        self.ready.clear();
        ids.iter().for_each(|id| self.file(id));
        // The order of give-backs is the same on every run.
        all.sort_by_cached_key(|job| {
            let number = job.sequence_number().map(|number| (number.len(), number.into_owned()));
            (job.received_at(), number)
        });
        all
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.groups.values().flat_map(|group| &group.jobs)
    }

    /// Puts a group where it belongs after a change to its jobs, to those in progress, or to its tokens.
    fn file(&mut self, id: &Arc<str>) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let new = group.belongs(id, self.fifo, self.batch_size, self.limits.as_ref(), self.now);
        let old = mem::replace(&mut group.filed, new);
        if group.is_over() {
            self.groups.remove(id);
        }
        self.uncount(id, old);
        match new.place {
            Place::None => {}
            Place::Ready => {
                self.ready_jobs += new.jobs;
                if old.place != Place::Ready {
                    self.ready.push_back(Arc::clone(id));
                }
            }
            Place::Limited | Place::Full => {
                self.held_jobs += new.jobs;
                self.held.insert((new.jobs, Reverse(Arc::clone(id))));
            }
        }
        if old.place == Place::Ready && new.place != Place::Ready {
            self.ready.retain(|ready| ready != id);
        }
        self.limited.extend(new.token_at.map(|at| (at, Arc::clone(id))));
    }

    /// Undoes how a group was counted, but for its turn among those that are ready.
    fn uncount(&mut self, id: &Arc<str>, filed: Filed) {
        match filed.place {
            Place::None => {}
            Place::Ready => self.ready_jobs -= filed.jobs,
            Place::Limited | Place::Full => {
                self.held_jobs -= filed.jobs;
                self.held.remove(&(filed.jobs, Reverse(Arc::clone(id))));
            }
        }
        if let Some(at) = filed.token_at {
            self.limited.remove(&(at, Arc::clone(id)));
        }
    }
}

impl Group {
    /// Counts jobs as in progress; returns how it was filed.
    fn begin(&mut self, count: usize, now: Timestamp) -> Filed {
        self.busy += count;
        self.began_at = now;
        mem::take(&mut self.filed)
    }

    fn end(&mut self, span: Duration) {
        self.busy = self.busy.saturating_sub(1);
        let mean = self.mean.unwrap_or(span);
        self.mean = Some((mean * (MEAN_OF - 1) + span) / MEAN_OF);
    }

    /// Whether it has no jobs, here or in progress.
    fn is_over(&self) -> bool {
        self.jobs.is_empty() && self.busy == 0
    }

    fn belongs(&self, id: &str, fifo: bool, batch_size: usize, limits: Option<&GroupLimits>, now: Timestamp) -> Filed {
        let jobs = self.jobs.len();
        if jobs == 0 || (fifo && self.busy > 0) {
            return Filed::default();
        }
        let at_once = match limits {
            _ if fifo => batch_size,
            Some(limits) => limits.concurrency(id).saturating_sub(self.busy),
            None => usize::MAX,
        };
        let tokens = limits.map_or(usize::MAX, |limits| limits.tokens(id, now));
        let place = match (at_once, tokens) {
            (0, _) => Place::Full,
            (_, 0) => Place::Limited,
            _ => Place::Ready,
        };
        let may_begin = jobs.min(at_once);
        let token_at = |limits: &GroupLimits| limits.available_at(id, now, tokens + 1);
        Filed {
            place,
            jobs: if place == Place::Ready {
                may_begin.min(tokens)
            } else {
                jobs
            },
            token_at: limits.filter(|_| tokens < may_begin).map(token_at),
        }
    }

    /// An estimate of the time between two starts while as many jobs as may are in progress.
    fn spacing(&self, concurrency: usize, now: Timestamp) -> Duration {
        let lasts = now.saturating_duration_since(self.began_at);
        let one = lasts.max(self.mean.unwrap_or(SHORTEST_UNKNOWN));
        one / u32::try_from(concurrency).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        crate::{
            backend::{MessageParts, ReceivedMessage},
            worker::job::SpareJobs,
        },
    };

    fn job(group: usize) -> Job {
        let parts = MessageParts {
            message_group_id: Some(format!("g{group:06}")),
            ..MessageParts::default()
        };
        let message = ReceivedMessage::from(parts);
        SpareJobs::default().job(message, None, Timestamp::ZERO, Timestamp::ZERO, Timestamp::ZERO)
    }

    #[test]
    fn a_stop_takes_the_jobs_of_a_hundred_thousand_groups_at_once() {
        for fifo in [true, false] {
            let mut groups = Groups::new(fifo, 1, None);
            (0..100_000).for_each(|group| groups.push(job(group)));
            assert_eq!(
                (groups.take_all().len(), groups.ready_jobs(), groups.startable()),
                (100_000, 0, 0)
            );
        }
    }
}
