//! The metrics of a runner, through the `metrics` facade.

use {
    super::count::Count,
    crate::{backend::queue_name, time::Timestamp},
    metrics::{
        Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
        histogram,
    },
    std::{fmt, time::Duration},
};

/// How exact the age of the oldest message is: it takes a look at all messages held.
const AGE_INTERVAL: Duration = Duration::from_secs(1);

/// The metrics of a runner, all with the name of its queue.
pub(super) struct Meters {
    /// In the order of [`Count::ALL`].
    counters: Vec<Counter>,
    pub(super) queue_wait: Histogram,
    pub(super) handling_time: Histogram,
    pub(super) receives: Histogram,
    backlog: Level,
    in_progress: Level,
    oldest_age: Gauge,
    /// When the age of the oldest message was last told; `None` while nothing is held.
    age_told_at: Option<Timestamp>,
}

/// A gauge that the runners of a queue add up in.
struct Level {
    gauge: Gauge,
    value: usize,
}

impl Level {
    fn set(&mut self, value: usize) {
        if value > self.value {
            self.gauge.increment((value - self.value) as f64);
        } else if value < self.value {
            self.gauge.decrement((self.value - value) as f64);
        }
        self.value = value;
    }
}

impl Meters {
    pub(super) fn new(queue_url: &str) -> Self {
        let queue = queue_name(queue_url).into_owned();
        let count = |count: &Count| {
            let (name, text) = count.metric();
            describe_counter!(name, Unit::Count, text);
            counter!(name, "queue" => queue.clone())
        };
        let distribution = |name: &'static str, unit, text: &'static str| {
            describe_histogram!(name, unit, text);
            histogram!(name, "queue" => queue.clone())
        };
        let level = |name: &'static str, unit, text: &'static str| {
            describe_gauge!(name, unit, text);
            gauge!(name, "queue" => queue.clone())
        };
        Self {
            counters: Count::ALL.iter().map(count).collect(),
            queue_wait: distribution(
                "requeue_worker_queue_wait_seconds",
                Unit::Seconds,
                "from the send of a message to the beginning of its handler",
            ),
            handling_time: distribution(
                "requeue_worker_handling_time_seconds",
                Unit::Seconds,
                "how long handlers took",
            ),
            receives: distribution(
                "requeue_worker_receives",
                Unit::Count,
                "how often each message received had been received, that time included",
            ),
            backlog: Level {
                gauge: level(
                    "requeue_worker_backlog",
                    Unit::Count,
                    "messages held that no handler has begun",
                ),
                value: 0,
            },
            in_progress: Level {
                gauge: level("requeue_worker_in_progress", Unit::Count, "messages whose handlers run"),
                value: 0,
            },
            oldest_age: level(
                "requeue_worker_oldest_age_seconds",
                Unit::Seconds,
                "time since the send of the oldest message held",
            ),
            age_told_at: None,
        }
    }

    pub(super) fn count(&self, what: Count, number: u64) {
        self.counters[what as usize].increment(number);
    }

    /// Tells what the runner holds; returns whether the age of the oldest message is to be told too.
    pub(super) fn held(&mut self, backlog: usize, in_progress: usize, now: Timestamp) -> bool {
        self.backlog.set(backlog);
        self.in_progress.set(in_progress);
        if backlog + in_progress == 0 {
            if self.age_told_at.take().is_some() {
                self.oldest_age.set(0.0);
            }
            return false;
        }
        self.age_told_at
            .is_none_or(|told_at| now.saturating_duration_since(told_at) >= AGE_INTERVAL)
    }

    pub(super) fn oldest_age(&mut self, age: Duration, now: Timestamp) {
        self.oldest_age.set(age.as_secs_f64());
        self.age_told_at = Some(now);
    }
}

impl Drop for Meters {
    fn drop(&mut self) {
        self.held(0, 0, Timestamp::ZERO);
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}
