//! What a service knows about its queues. Plain data: nothing here calls a queue, so that its lock may be taken
//! while a queue's own lock is held, and never the other way round.

use {
    super::task::Task,
    crate::{queue::Queue, state::touched::touch, time::Timestamp},
    std::{
        collections::{BTreeMap, BTreeSet, VecDeque},
        ops::Bound,
        sync::Arc,
        time::Duration,
    },
};

/// Behind the lock of a service.
#[derive(Debug, Default)]
pub(super) struct Registry {
    queues: BTreeMap<String, Registered>,
    deleted: Deleted,
    /// By name of a dead-letter queue, the names of queues whose redrive policy names it, and perhaps of queues whose
    /// policy did. The dead-letter queue need not exist.
    sources: BTreeMap<String, BTreeSet<String>>,
    /// How many queues were ever created, and how many move tasks started: what makes their seeds and ids differ.
    pub(super) created: u64,
    pub(super) started: u64,
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
    pub(super) fn new(queue: Queue, tags: BTreeMap<String, String>) -> Self {
        Self {
            queue,
            tags,
            tasks: VecDeque::new(),
            target: None,
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
        let first = if after < prefix {
            Bound::Included(prefix)
        } else {
            Bound::Excluded(after)
        };
        let range = self.queues.range::<str, _>((first, Bound::Unbounded));
        let named = range.take_while(move |(name, _)| name.starts_with(prefix));
        let queues = named.map(|(_, entry)| &entry.queue).inspect(|_| touch());
        queues.filter(|queue| !queue.is_gone())
    }

    /// All move tasks that are remembered.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.queues.values().inspect(|_| touch()).flat_map(|entry| &entry.tasks)
    }

    /// Enters the newest task of a queue, and lets go of those beyond the newest `remembered`; the caller drops them
    /// with the lock released.
    pub(super) fn push_task(&mut self, source: &str, task: Arc<Task>, remembered: usize) -> VecDeque<Arc<Task>> {
        let Some(entry) = self.queues.get_mut(source) else {
            return VecDeque::new();
        };
        entry.tasks.push_front(task);
        let kept = remembered.max(1).min(entry.tasks.len());
        entry.tasks.split_off(kept)
    }

    /// What stands under a name, be it gone.
    pub(super) fn entry(&self, name: &str) -> Option<&Registered> {
        self.queues.get(name)
    }

    /// Takes a name that is free.
    pub(super) fn insert(&mut self, name: &str, entry: Registered) {
        self.queues.insert(name.to_owned(), entry);
    }

    /// Gives a name up, to be free again after `interval` (Q37).
    ///
    /// The caller drops the entry with the lock released, because that may run foreign code.
    pub(super) fn remove(&mut self, name: &str, now: Timestamp, interval: Duration) -> Option<Registered> {
        let entry = self.queues.remove(name)?;
        self.unlink(name, entry.target.as_deref());
        self.deleted.note(name, now, interval);
        Some(entry)
    }

    /// Whether a name was given up less than `interval` ago.
    pub(super) fn is_deleted(&mut self, name: &str, now: Timestamp, interval: Duration) -> bool {
        self.deleted.contains(name, now, interval)
    }

    /// Notes that the redrive policy of `source` names `target`, or none.
    pub(super) fn link(&mut self, source: &str, target: Option<&str>) {
        let Some(entry) = self.queues.get_mut(source) else {
            return;
        };
        let before = std::mem::replace(&mut entry.target, target.map(str::to_owned));
        self.unlink(source, before.as_deref());
        if let Some(target) = target {
            let sources = self.sources.entry(target.to_owned()).or_default();
            sources.insert(source.to_owned());
        }
    }

    fn unlink(&mut self, source: &str, target: Option<&str>) {
        let Some(target) = target else {
            return;
        };
        if let Some(sources) = self.sources.get_mut(target) {
            sources.remove(source);
            if sources.is_empty() {
                self.sources.remove(target);
            }
        }
    }

    /// Queues whose redrive policy may name `target`; their settings have the last word.
    pub(super) fn candidates(&self, target: &str) -> Vec<Queue> {
        let names = self.sources.get(target).into_iter().flatten();
        names
            .inspect(|_| touch())
            .filter_map(|name| self.get(name))
            .map(|entry| entry.queue.clone())
            .collect()
    }
}

/// Names that cannot be used again yet (Q37).
#[derive(Debug, Default)]
struct Deleted {
    names: BTreeMap<String, Timestamp>,
    /// The same in order of time.
    order: VecDeque<(Timestamp, String)>,
    /// The latest time seen: a clock that jumps back lengthens no wait and keeps `order` sorted.
    now: Timestamp,
}

impl Deleted {
    /// A name is free again `interval` after this; with an interval of zero at once.
    fn note(&mut self, name: &str, now: Timestamp, interval: Duration) {
        let now = self.forget(now, interval);
        if !interval.is_zero() {
            self.names.insert(name.to_owned(), now);
            self.order.push_back((now, name.to_owned()));
        }
    }

    fn contains(&mut self, name: &str, now: Timestamp, interval: Duration) -> bool {
        self.forget(now, interval);
        self.names.contains_key(name)
    }

    /// Lets go of names whose time is over, so that only the names of the last `interval` are kept.
    fn forget(&mut self, now: Timestamp, interval: Duration) -> Timestamp {
        self.now = self.now.max(now);
        while let Some((at, _)) = self.order.front() {
            if at.saturating_add(interval) > self.now {
                break;
            }
            if let Some((at, name)) = self.order.pop_front() {
                touch();
                if self.names.get(&name) == Some(&at) {
                    self.names.remove(&name);
                }
            }
        }
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn links_are_let_go_with_the_queues_they_come_from() {
        // L23
        let mut registry = Registry::default();
        let names = |registry: &Registry, target: &str| {
            let queues = registry.candidates(target);
            queues.iter().map(|queue| queue.name().to_owned()).collect::<Vec<_>>()
        };
        for name in ["b", "a"] {
            let queue = Queue::standard(name).build().unwrap();
            registry.insert(name, Registered::new(queue, BTreeMap::new()));
            registry.link(name, Some("dead"));
        }
        assert_eq!(names(&registry, "dead"), ["a", "b"]);
        registry.link("a", Some("other"));
        assert_eq!(
            (names(&registry, "dead"), names(&registry, "other")),
            (vec!["b".into()], vec!["a".into()])
        );
        registry.link("b", None);
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
    fn a_clock_that_jumps_back_does_not_lengthen_the_wait() {
        let mut deleted = Deleted::default();
        deleted.note("a", at(100), MINUTE);
        deleted.note("b", at(10), MINUTE);
        assert!(deleted.contains("b", at(20), MINUTE));
        assert!(!deleted.contains("b", at(160), MINUTE));
    }
}
