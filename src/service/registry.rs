//! What a service knows about its queues. Plain data: nothing here calls a queue, so that its lock may be taken
//! while a queue's own lock is held, and never the other way round.

use {
    super::task::Task,
    crate::{
        queue::{DeadLetterRoute, DeadLetterTarget, Queue},
        state::touched::touch,
        time::Timestamp,
    },
    std::{
        collections::{BTreeMap, BTreeSet, VecDeque},
        ops::Bound,
        sync::{Arc, Weak},
        time::Duration,
    },
};

/// Behind the lock of a service.
#[derive(Debug, Default)]
pub(super) struct Registry {
    queues: BTreeMap<String, Registered>,
    /// Names by the number of their queue, which it has in the journal.
    #[cfg(feature = "journal")]
    names: BTreeMap<u64, String>,
    deleted: Deleted,
    /// By name of a dead-letter queue, the queues whose redrive policy names it. The dead-letter queue need not exist.
    sources: BTreeMap<String, Sources>,
    active: ActiveTasks,
    /// How many queues were ever created, and how many move tasks started: what makes their seeds and ids differ.
    pub(super) created: u64,
    pub(super) started: u64,
}

/// The queues whose redrive policy names the same queue.
#[derive(Debug)]
struct Sources {
    target: Arc<DeadLetterTarget>,
    names: BTreeSet<String>,
}

/// One queue.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) queue: Queue,
    pub(super) tags: BTreeMap<String, String>,
    /// The newest first; only the first can be active.
    pub(super) tasks: VecDeque<Arc<Task>>,
    /// The name by which the queue stands in `Registry::sources`.
    target: Option<String>,
}

impl Registered {
    /// With a `target`, the queue must have been [entered](Registry::enter_source) as a source of it.
    pub(super) fn new(queue: Queue, tags: BTreeMap<String, String>, target: Option<String>) -> Self {
        Self {
            queue,
            tags,
            tasks: VecDeque::new(),
            target,
        }
    }
}

impl Registry {
    /// A queue that was deleted by its handle is not here any more.
    pub(super) fn get(&self, name: &str) -> Option<&Registered> {
        self.queues.get(name).filter(|entry| !entry.queue.is_gone())
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Registered> {
        self.queues.get_mut(name).filter(|entry| !entry.queue.is_gone())
    }

    /// Queues whose name begins with `prefix` and comes after `after`, in order of their names.
    pub(super) fn after<'a>(&'a self, prefix: &'a str, after: &str) -> impl Iterator<Item = &'a Queue> + use<'a> {
        let range = self.queues.range::<str, _>((first(prefix, after), Bound::Unbounded));
        let named = range.take_while(move |(name, _)| name.starts_with(prefix));
        let queues = named.map(|(_, entry)| &entry.queue).inspect(|_| touch());
        queues.filter(|queue| !queue.is_gone())
    }

    /// The same of the queues whose redrive policy names `target` (L23).
    pub(super) fn sources_after<'a>(
        &'a self,
        target: &str,
        prefix: &'a str,
        after: &'a str,
    ) -> impl Iterator<Item = &'a Queue> + use<'a> {
        let range = (first(prefix, after), Bound::Unbounded);
        let sources = self.sources.get(target).into_iter();
        let sources = sources.flat_map(move |sources| sources.names.range::<str, _>(range));
        let named = sources.take_while(move |name| name.starts_with(prefix));
        let names = named.inspect(|_| touch());
        names.filter_map(|name| self.get(name)).map(|entry| &entry.queue)
    }

    /// Whether the redrive policy of some queue names this one.
    pub(super) fn is_dead_letter_queue(&self, name: &str) -> bool {
        self.sources_after(name, "", "").next().is_some()
    }

    /// Whether fewer than `limit` move tasks are active.
    pub(super) fn may_start_task(&mut self, limit: usize) -> bool {
        self.active.are_fewer_than(limit)
    }

    /// Enters the newest task of a queue, and lets go of those beyond the newest `remembered`; the caller drops them
    /// with the lock released.
    pub(super) fn push_task(&mut self, source: &str, task: Arc<Task>, remembered: usize) -> VecDeque<Arc<Task>> {
        let Some(entry) = self.queues.get_mut(source) else {
            return VecDeque::new();
        };
        self.active.tasks.push(Arc::downgrade(&task));
        entry.tasks.push_front(task);
        let kept = remembered.max(1).min(entry.tasks.len());
        entry.tasks.split_off(kept)
    }

    /// What stands under a name, be it gone.
    pub(super) fn entry(&self, name: &str) -> Option<&Registered> {
        self.queues.get(name)
    }

    /// Takes a name that is free. Queues whose redrive policy names it have a dead-letter queue from here on.
    pub(super) fn insert(&mut self, name: &str, entry: Registered) {
        if let Some(sources) = self.sources.get(name) {
            sources.target.replace(&entry.queue);
        }
        #[cfg(feature = "journal")]
        if entry.queue.number() > 0 {
            self.names.insert(entry.queue.number(), name.to_owned());
        }
        self.queues.insert(name.to_owned(), entry);
    }

    /// All queues.
    #[cfg(feature = "journal")]
    pub(super) fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values().map(|entry| &entry.queue)
    }

    /// The tasks of all queues.
    #[cfg(feature = "journal")]
    pub(super) fn tasks(&self) -> Vec<Arc<Task>> {
        self.queues.values().flat_map(|entry| &entry.tasks).cloned().collect()
    }

    /// The queue of this number in the journal.
    #[cfg(feature = "journal")]
    pub(super) fn numbered(&self, number: u64) -> Option<&Registered> {
        self.get(self.names.get(&number)?)
    }

    /// When a name was given up that cannot be used again yet.
    #[cfg(feature = "journal")]
    pub(super) fn deleted_at(&self, name: &str) -> Option<Timestamp> {
        self.deleted.names.get(name).copied()
    }

    #[cfg(feature = "journal")]
    pub(super) fn note_deleted(&mut self, name: &str, at: Timestamp, interval: Duration) {
        self.deleted.note(name, at, interval);
    }

    /// Gives a name up, to be free again after `interval` (Q37).
    ///
    /// The caller drops the entry with the lock released, because that may run foreign code.
    pub(super) fn remove(&mut self, name: &str, now: Timestamp, interval: Duration) -> Option<Registered> {
        let entry = self.queues.remove(name)?;
        #[cfg(feature = "journal")]
        self.names.remove(&entry.queue.number());
        self.leave_source(name, entry.target.as_deref());
        self.deleted.note(name, now, interval);
        Some(entry)
    }

    /// Whether a name was given up less than `interval` ago.
    pub(super) fn is_deleted(&mut self, name: &str, now: Timestamp, interval: Duration) -> bool {
        self.deleted.contains(name, now, interval)
    }

    /// Lets go of a few names that can be used again.
    pub(super) fn forget_deleted(&mut self, now: Timestamp, interval: Duration) {
        self.deleted.forget(now, interval);
    }

    /// Notes that the redrive policy of `source` names `target`; the way there, unless the source is unknown.
    pub(super) fn link(&mut self, source: &str, target: &str) -> Option<DeadLetterRoute> {
        let entry = self.queues.get_mut(source)?;
        let before = entry.target.replace(target.to_owned());
        self.leave_source(source, before.as_deref());
        Some(self.enter_source(source, target))
    }

    /// Notes that `source` has no redrive policy.
    pub(super) fn unlink(&mut self, source: &str) {
        let before = self.queues.get_mut(source).and_then(|entry| entry.target.take());
        self.leave_source(source, before.as_deref());
    }

    /// The way of dead letters from `source` to `target`.
    pub(super) fn enter_source(&mut self, source: &str, target: &str) -> DeadLetterRoute {
        let queue = self.queues.get(target).map(|entry| &entry.queue);
        let sources = self.sources.entry(target.to_owned()).or_insert_with(|| Sources {
            target: Arc::new(DeadLetterTarget::new(queue)),
            names: BTreeSet::new(),
        });
        sources.names.insert(source.to_owned());
        DeadLetterRoute::in_service(&sources.target)
    }

    fn leave_source(&mut self, source: &str, target: Option<&str>) {
        let Some(target) = target else {
            return;
        };
        if let Some(sources) = self.sources.get_mut(target) {
            sources.names.remove(source);
            if sources.names.is_empty() {
                self.sources.remove(target);
            }
        }
    }
}

/// The first name that may begin with `prefix` and comes after `after`.
fn first<'a>(prefix: &'a str, after: &'a str) -> Bound<&'a str> {
    if after < prefix {
        Bound::Included(prefix)
    } else {
        Bound::Excluded(after)
    }
}

/// The move tasks that may be active. One that is over is let go of when the list has doubled, or could be too long.
#[derive(Debug, Default)]
struct ActiveTasks {
    tasks: Vec<Weak<Task>>,
    /// How many were active when they were counted last.
    counted: usize,
}

impl ActiveTasks {
    fn are_fewer_than(&mut self, limit: usize) -> bool {
        const FEW: usize = 16;
        if self.tasks.len() >= limit.min(self.counted.saturating_mul(2).max(FEW)) {
            self.tasks
                .retain(|task| task.upgrade().is_some_and(|task| task.is_active()));
            self.counted = self.tasks.len();
            self.tasks.shrink_to(self.counted.saturating_mul(2).max(FEW));
        }
        self.tasks.len() < limit
    }
}

/// Names that cannot be used again yet (Q37).
#[derive(Debug, Default)]
struct Deleted {
    names: BTreeMap<String, Timestamp>,
    /// The same in order of time.
    order: BTreeSet<(Timestamp, String)>,
    /// The latest time seen: a clock that jumps back lengthens no wait.
    now: Timestamp,
}

impl Deleted {
    /// A name is free again `interval` after this; with an interval of zero at once.
    fn note(&mut self, name: &str, now: Timestamp, interval: Duration) {
        let now = self.forget(now, interval);
        if !interval.is_zero() {
            if let Some(before) = self.names.insert(name.to_owned(), now) {
                self.order.remove(&(before, name.to_owned()));
            }
            self.order.insert((now, name.to_owned()));
        }
    }

    fn contains(&mut self, name: &str, now: Timestamp, interval: Duration) -> bool {
        let now = self.forget(now, interval);
        let deleted = self.names.get(name);
        deleted.is_some_and(|at| at.saturating_add(interval) > now)
    }

    /// Lets go of a few names whose time is over, so that no call does the work of a burst.
    fn forget(&mut self, now: Timestamp, interval: Duration) -> Timestamp {
        const A_FEW: usize = 64;
        self.now = self.now.max(now);
        for _ in 0..A_FEW {
            let Some((at, _)) = self.order.first() else {
                break;
            };
            if at.saturating_add(interval) > self.now {
                break;
            }
            if let Some((_, name)) = self.order.pop_first() {
                touch();
                self.names.remove(&name);
            }
        }
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn names(registry: &Registry, target: &str) -> Vec<String> {
        let sources = registry.sources_after(target, "", "");
        sources.map(|queue| queue.name().to_owned()).collect()
    }

    #[test]
    fn links_are_let_go_with_the_queues_they_come_from() {
        // L23
        let mut registry = Registry::default();
        for name in ["b", "a"] {
            let queue = Queue::standard(name).build().unwrap();
            registry.insert(name, Registered::new(queue, BTreeMap::new(), None));
            assert!(registry.link(name, "dead").is_some());
        }
        assert!(registry.link("unknown", "dead").is_none());
        assert_eq!(names(&registry, "dead"), ["a", "b"]);
        assert!(registry.is_dead_letter_queue("dead") && !registry.is_dead_letter_queue("a"));
        let _ = registry.link("a", "other");
        assert_eq!(
            (names(&registry, "dead"), names(&registry, "other")),
            (vec!["b".into()], vec!["a".into()])
        );
        registry.unlink("b");
        registry.remove("a", at(0), MINUTE);
        assert!(registry.sources.is_empty(), "links pile up");
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn a_deleted_name_is_kept_for_the_interval_and_no_longer() {
        // Q37
        let mut deleted = Deleted::default();
        deleted.note("a", at(10), MINUTE);
        deleted.note("b", at(30), MINUTE);
        assert!(deleted.contains("a", at(69), MINUTE));
        assert!(!deleted.contains("a", at(70), MINUTE) && deleted.contains("b", at(70), MINUTE));
        deleted.note("c", at(200), MINUTE);
        assert_eq!((deleted.names.len(), deleted.order.len()), (1, 1), "old names pile up");
    }

    #[test]
    fn a_burst_of_deleted_names_is_let_go_of_a_few_at_a_time_and_none_is_kept_too_long() {
        // Q37
        let mut deleted = Deleted::default();
        (0..1_000).for_each(|n| deleted.note(&n.to_string(), at(0), MINUTE));
        deleted.note("again", at(1), MINUTE);
        deleted.note("again", at(2), MINUTE);
        assert_eq!((deleted.names.len(), deleted.order.len()), (1_001, 1_001));
        assert!(!deleted.contains("999", at(61), MINUTE) && deleted.contains("again", at(61), MINUTE));
        assert!(deleted.names.len() > 700, "one call did the work of all");
        (0..300).for_each(|_| assert!(!deleted.contains("x", at(62), MINUTE)));
        assert_eq!((deleted.names.len(), deleted.order.len()), (0, 0));
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_lengthen_the_wait() {
        let mut deleted = Deleted::default();
        deleted.note("a", at(100), MINUTE);
        deleted.note("b", at(10), MINUTE);
        assert!(deleted.contains("b", at(20), MINUTE));
        assert!(!deleted.contains("b", at(160), MINUTE));
    }
}
