//! Replaying the entries gives the same queues, at every prefix.

use {
    super::{
        super::RememberedSend,
        world::{FAILED, JOBS, Step, World, step},
    },
    crate::state::{QueueState, StaleDelete, snapshot::QueueSnapshot},
    proptest::prelude::*,
};

/// All that can be seen of a queue without a step.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    snapshot: QueueSnapshot,
    later: QueueSnapshot,
    counts: String,
    header: String,
}

fn seen(state: &QueueState) -> Seen {
    let later = state.now.saturating_add(std::time::Duration::from_millis(2_500));
    let mut header = state.header("jobs");
    // A message that was given up and taken has no fact of when it would have been visible again.
    header.became_visible = 0;
    Seen {
        snapshot: state.snapshot(state.now),
        later: state.snapshot(later),
        counts: format!(
            "{:?} {} {} {} {:?} {:?} {}",
            state.counts(),
            state.len(),
            state.bytes(),
            state.groups_with_in_flight(),
            state.next_deadline(),
            state.next_expiry(),
            state.has_receivable(),
        ),
        header: format!("{header:?}"),
    }
}

/// Every message as it would be carried forward, to the last number: the text tells instants apart that equality of
/// contents does not.
fn carried(state: &QueueState) -> Vec<String> {
    let stored = state.records.iter();
    let mut images: Vec<_> = stored
        .filter_map(|(slot, record)| state.carried(slot, record.sequence))
        .collect();
    images.sort_by_key(|image| image.sequence);
    images.iter().map(|image| format!("{image:?}")).collect()
}

/// The sends that are remembered.
fn remembered(state: &QueueState) -> Vec<RememberedSend> {
    let sequences = 0..state.next_sequence;
    sequences.filter_map(|sequence| state.remembered(sequence)).collect()
}

/// A kind of world, the share of its steps that are followed by compaction, and its steps.
#[derive(Clone, Debug)]
struct Case {
    fifo: bool,
    shards: usize,
    stale_delete: StaleDelete,
    at_once: usize,
    steps: Vec<(Step, Option<usize>)>,
}

fn case() -> impl Strategy<Value = Case> {
    let compaction = prop_oneof![6 => Just(None), 1 => (0_usize..40).prop_map(Some)];
    (
        any::<bool>(),
        prop_oneof![2 => Just(1_usize), 1 => Just(3)],
        prop_oneof![Just(StaleDelete::Delete), Just(StaleDelete::Ignore)],
        prop_oneof![3 => Just(128_usize), 1 => Just(1)],
        prop::collection::vec((step(), compaction), 1..60),
    )
        .prop_map(|(fifo, shards, stale_delete, at_once, steps)| Case {
            fifo,
            shards,
            stale_delete,
            at_once,
            steps,
        })
}

/// So many steps are taken by a replica beside the queues that it was built of.
const STEPS_BESIDE: usize = 12;

fn holds(case: &Case) -> Result<(), TestCaseError> {
    let mut world = World::new(case.fifo, case.shards, case.stale_delete, case.at_once);
    let mut replicas: Vec<(usize, World)> = Vec::new();
    for (number, (step, compaction)) in case.steps.iter().enumerate() {
        let answers = world.take(step);
        for (since, replica) in &mut replicas {
            let (since, own) = (*since, replica.take(step));
            prop_assert_eq!(&own, &answers, "step {}, replica of step {}", number, since);
        }
        if let Some(count) = compaction {
            world.compact(*count);
        }
        let replica = world.replica(case.shards, case.stale_delete);
        for (own, real) in replica.queues.iter().zip(&world.queues) {
            prop_assert_eq!(carried(own), carried(real), "step {}", number);
            prop_assert_eq!(remembered(own), remembered(real), "step {}", number);
        }
        replicas.push((number, replica));
        for (since, replica) in &replicas {
            for index in [JOBS, FAILED].map(|queue| queue as usize - 1) {
                let (own, real) = (seen(&replica.queues[index]), seen(&world.queues[index]));
                prop_assert_eq!(
                    own,
                    real,
                    "queue {}, step {}, replica of step {}",
                    index + 1,
                    number,
                    since
                );
            }
        }
        replicas.retain(|&(since, _)| since + STEPS_BESIDE > number);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_is_what_its_facts_say(case in case()) {
        holds(&case)?;
    }
}
