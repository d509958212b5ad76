//! The metrics that SQS publishes for a queue (7.2).

use {
    super::{FactListener, Queue},
    crate::{
        state::{Fact, FactEntry, MessagePhase, MessageSnapshot},
        sync::Mutex,
    },
    std::{
        collections::BTreeMap,
        ops::Bound,
        sync::{Arc, Weak},
        time::Duration,
    },
};

/// Sizes of sent messages in bytes, as M6 counts them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SentMessageSize {
    /// The smallest.
    pub min: usize,
    /// The largest.
    pub max: usize,
    /// All together.
    pub sum: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    empty_receives: u64,
    deduplicated: u64,
    deleted: u64,
    received: u64,
    sent: u64,
    size: Option<SentMessageSize>,
}

/// A [`FactListener`] that counts what SQS counts, for any number of queues.
///
/// Clones share their counts. The counts of a queue start when the listener is attached, never go down, and are kept as
/// long as the queue is: a deleted queue can still be reported on by its handles. Some time after the last of
/// them is gone it is forgotten, as facts of other queues are counted. A queue created again under the same name begins at zero, and so does
/// each of two queues of one ARN.
///
/// A listener of your own that forwards facts to this one must pass the `Arc` that it was given: by that queues are told
/// apart.
///
/// # Source
/// [Available CloudWatch metrics](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
///
/// # Examples
/// ```
/// use requeue::{Metrics, Queue};
///
/// let metrics = Metrics::new();
/// let jobs = Queue::standard("jobs").listener(metrics.clone()).build()?;
/// jobs.send("resize cat.png")?;
/// jobs.receive().blocking()?;
/// let report = metrics.report(&jobs);
/// assert_eq!((report.number_of_messages_sent, report.number_of_messages_received), (1, 1));
/// assert_eq!(report.approximate_number_of_messages_not_visible, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    queues: Arc<Mutex<Queues>>,
}

/// The counters of all queues, by the address of their ARN, which is no other queue's as long as its entry is here.
#[derive(Debug, Default)]
struct Queues {
    entries: BTreeMap<usize, (Weak<str>, Counters)>,
    /// Where the search for queues that are gone goes on.
    searched: usize,
    /// Facts counted so far.
    facts: u64,
}

impl Queues {
    fn counters(&mut self, arn: &Arc<str>) -> &mut Counters {
        self.facts += 1;
        if self.facts % 64 == 0 || !self.entries.contains_key(&address(arn)) {
            self.forget_some();
        }
        let new = || (Arc::downgrade(arn), Counters::default());
        &mut self.entries.entry(address(arn)).or_insert_with(new).1
    }

    /// Looks at some entries, and removes those of queues that are gone.
    fn forget_some(&mut self) {
        const SOME: usize = 128;
        let after = (Bound::Excluded(self.searched), Bound::Unbounded);
        let looked_at: Vec<usize> = self
            .entries
            .range(after)
            .take(SOME)
            .map(|(&address, _)| address)
            .collect();
        self.searched = looked_at.get(SOME - 1).copied().unwrap_or(0);
        for address in looked_at {
            if self.entries[&address].0.strong_count() == 0 {
                self.entries.remove(&address);
            }
        }
    }
}

fn address(arn: &Arc<str>) -> usize {
    arn.as_ptr() as usize
}

/// One reading of all metrics of a queue: counts since the listener was attached, and gauges of this instant.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MetricsReport {
    /// Age of the oldest message that is visible or in flight. A standard queue leaves out messages received three
    /// times or more; in a dead-letter queue the age counts from the move (L18). `None` if there is none.
    pub approximate_age_of_oldest_message: Option<Duration>,
    /// The same without noisy groups (N11).
    pub approximate_age_of_oldest_message_in_quiet_groups: Option<Duration>,
    /// FIFO: groups with a message in flight.
    pub approximate_number_of_groups_with_inflight_messages: usize,
    /// Delayed messages.
    pub approximate_number_of_messages_delayed: usize,
    /// Delayed messages outside noisy groups.
    pub approximate_number_of_messages_delayed_in_quiet_groups: usize,
    /// Messages in flight.
    pub approximate_number_of_messages_not_visible: usize,
    /// Messages in flight outside noisy groups.
    pub approximate_number_of_messages_not_visible_in_quiet_groups: usize,
    /// Visible messages.
    pub approximate_number_of_messages_visible: usize,
    /// Visible messages outside noisy groups.
    pub approximate_number_of_messages_visible_in_quiet_groups: usize,
    /// Standard: groups that are noisy.
    pub approximate_number_of_noisy_groups: usize,
    /// Receives that returned nothing.
    pub number_of_empty_receives: u64,
    /// FIFO: sends that repeated an earlier one.
    pub number_of_deduplicated_sent_messages: u64,
    /// Successful deletes, repeated ones included, and messages deleted by id; neither purge nor retention.
    pub number_of_messages_deleted: u64,
    /// Messages delivered, not calls.
    pub number_of_messages_received: u64,
    /// Messages sent or put in by a move task; not those that arrived as dead letters (L18).
    pub number_of_messages_sent: u64,
    /// `None` until a message was sent.
    pub sent_message_size: Option<SentMessageSize>,
}

impl Metrics {
    /// Counters at zero.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Metrics, Queue};
    /// let metrics = Metrics::new();
    /// let jobs = Queue::standard("jobs").listener(metrics.clone()).build()?;
    /// assert_eq!(metrics.report(&jobs).number_of_messages_sent, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The metrics of `queue` as of this call; counts are zero if this listener is not attached to it.
    ///
    /// Of a deleted queue, the counts are those at its end, and all gauges are zero. Takes time in proportion to the
    /// messages stored, as [`Queue::snapshot`] does.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Metrics, Queue};
    /// # use std::time::Duration;
    /// let (metrics, clock) = (Metrics::new(), ManualClock::default());
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(metrics.clone()).build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "cat.png"])?;
    /// clock.advance(Duration::from_secs(5));
    /// let report = metrics.report(&jobs);
    /// assert_eq!(report.approximate_age_of_oldest_message, Some(Duration::from_secs(5)));
    /// assert_eq!(report.sent_message_size.map(|size| (size.min, size.max, size.sum)), Some((7, 14, 21)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self, queue: &Queue) -> MetricsReport {
        let queues = self.queues.lock();
        let entry = queues.entries.get(&address(&queue.inner.arn));
        let counters = entry.map_or_else(Counters::default, |(_, counters)| *counters);
        drop(queues);
        MetricsReport {
            number_of_empty_receives: counters.empty_receives,
            number_of_deduplicated_sent_messages: counters.deduplicated,
            number_of_messages_deleted: counters.deleted,
            number_of_messages_received: counters.received,
            number_of_messages_sent: counters.sent,
            sent_message_size: counters.size,
            ..gauges(queue)
        }
    }
}

impl FactListener for Metrics {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        let mut queues = self.queues.lock();
        let counters = queues.counters(queue);
        match &entry.fact {
            Fact::Sent { content, .. } => {
                let size = content.size_bytes();
                counters.sent += 1;
                let before = counters.size.unwrap_or(SentMessageSize {
                    min: size,
                    max: size,
                    sum: 0,
                });
                counters.size = Some(SentMessageSize {
                    min: before.min.min(size),
                    max: before.max.max(size),
                    sum: before.sum + size as u64,
                });
            }
            Fact::MovedIn { .. } => counters.sent += 1,
            Fact::Deduplicated { .. } => counters.deduplicated += 1,
            Fact::Received { .. } => counters.received += 1,
            Fact::ReceivedNothing => counters.empty_receives += 1,
            Fact::Deleted { .. } | Fact::DeletedAgain => counters.deleted += 1,
            _ => {}
        }
    }
}

fn gauges(queue: &Queue) -> MetricsReport {
    let noisy = queue.noisy_groups();
    let snapshot = queue.snapshot();
    let mut report = MetricsReport {
        approximate_number_of_noisy_groups: noisy.len(),
        approximate_number_of_groups_with_inflight_messages: queue.groups_with_in_flight(),
        approximate_number_of_messages_delayed: snapshot.counts.delayed,
        approximate_number_of_messages_not_visible: snapshot.counts.in_flight,
        approximate_number_of_messages_visible: snapshot.counts.visible,
        ..MetricsReport::default()
    };
    for message in &snapshot.messages {
        let delayed = matches!(message.phase, MessagePhase::Delayed { .. });
        let ages = !delayed && (queue.is_fifo() || message.approximate_receive_count < 3);
        let age = ages.then(|| snapshot.at.saturating_duration_since(message.arrived_timestamp));
        let oldest = &mut report.approximate_age_of_oldest_message;
        *oldest = age.max(*oldest);
        let group = message.content.group_id();
        if !group.is_some_and(|group| noisy.iter().any(|it| **it == *group)) {
            count_quiet(&mut report, message, age);
        }
    }
    report
}

fn count_quiet(report: &mut MetricsReport, message: &MessageSnapshot, age: Option<Duration>) {
    let oldest = &mut report.approximate_age_of_oldest_message_in_quiet_groups;
    *oldest = age.max(*oldest);
    *match message.phase {
        MessagePhase::Visible => &mut report.approximate_number_of_messages_visible_in_quiet_groups,
        MessagePhase::Delayed { .. } => &mut report.approximate_number_of_messages_delayed_in_quiet_groups,
        MessagePhase::InFlight { .. } => &mut report.approximate_number_of_messages_not_visible_in_quiet_groups,
    } += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_that_are_gone_are_forgotten_deleted_or_not() {
        let metrics = Metrics::new();
        let build = |name: String| Queue::standard(name).listener(metrics.clone()).build().unwrap();
        let kept: Vec<_> = (0..10).map(|n| build(format!("kept-{n}"))).collect();
        let count = |queue: &Queue| metrics.report(queue).number_of_messages_sent;
        for queue in &kept {
            queue.send("m").unwrap();
        }
        for n in 0..2_000 {
            let queue = build("jobs".to_owned());
            queue.send("m").unwrap();
            assert_eq!(count(&queue), 1, "it inherits nothing");
            if n % 2 == 0 {
                queue.delete_queue().unwrap();
            }
        }
        let entries = metrics.queues.lock().entries.len();
        assert!(entries <= 40, "{entries} entries for 10 queues");
        assert!(kept.iter().all(|queue| count(queue) == 1));
    }

    #[test]
    fn a_burst_of_queues_is_forgotten_as_another_goes_on() {
        let metrics = Metrics::new();
        let queues: Vec<_> = (0..1_000)
            .map(|_| Queue::standard("jobs").listener(metrics.clone()).build().unwrap())
            .collect();
        for queue in &queues {
            queue.send("m").unwrap();
        }
        assert_eq!(metrics.queues.lock().entries.len(), 1_000);
        let goes_on = queues[0].clone();
        drop(queues);
        (0..1_000).for_each(|_| drop(goes_on.receive().blocking().unwrap()));
        assert_eq!(metrics.queues.lock().entries.len(), 1);
    }
}
