//! The ways of the verbs: what a case sets up beside its queues, and which of them the cases have reached.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use proptest::prelude::*;

use crate::steps::{Shape, Step};

/// What makes a queue or a call special without changing what the rules say of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) listener: bool,
    pub(crate) budget: Budget,
    /// Messages are deleted and hidden by what was received, not by handles.
    pub(crate) by_message: bool,
    /// Long polls that find nothing go on waiting.
    pub(crate) waits: bool,
    /// A send waits for capacity, as a future that is polled once.
    pub(crate) sends_wait: bool,
    /// 1 unless short polls see a sample.
    pub(crate) shards: usize,
    /// Nobody looks at the queues between a move of the clock and the next verb.
    pub(crate) blind: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            listener: false,
            budget: Budget::None,
            by_message: false,
            waits: false,
            sends_wait: false,
            shards: 1,
            blind: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Budget {
    None,
    Messages(usize),
    Bytes(usize),
}

pub(crate) fn setting(shape: &Shape) -> BoxedStrategy<Setting> {
    let budget = if shape.behind {
        Just(Budget::None).boxed()
    } else {
        prop_oneof![
            3 => Just(Budget::None),
            2 => (1..12_usize).prop_map(Budget::Messages),
            2 => (10..60_usize).prop_map(Budget::Bytes),
        ]
        .boxed()
    };
    let shards = if shape.sampled { Just(3) } else { Just(1) };
    let behind = shape.behind;
    let waits = prop::bool::weighted(0.75);
    let switches = (any::<bool>(), any::<bool>(), waits, any::<bool>(), any::<bool>());
    (switches, budget, shards)
        .prop_map(
            move |((listener, by_message, waits, sends_wait, blind), budget, shards)| Setting {
                listener,
                budget,
                by_message,
                waits,
                sends_wait,
                shards,
                blind: blind || behind,
            },
        )
        .boxed()
}

/// How often each way of each verb was reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways(Rc<RefCell<BTreeMap<(&'static str, &'static str), usize>>>);

impl Ways {
    pub(crate) fn reach(&self, verb: &'static str, way: &'static str) {
        *self.0.borrow_mut().entry((verb, way)).or_default() += 1;
    }

    /// The ways that the cases of a shape have to reach, and did not.
    pub(crate) fn missed(&self, shape: &Shape) -> Vec<String> {
        let reached = self.0.borrow();
        let missed = expected(shape).into_iter().filter(|way| !reached.contains_key(way));
        missed.map(|(verb, way)| format!("{verb}: {way}")).collect()
    }

    /// The ways of a shape that were reached, the rarest first.
    pub(crate) fn rarest(&self, shape: &Shape) -> Vec<(usize, String)> {
        let reached = self.0.borrow();
        let count = |way| reached.get(&way).copied().unwrap_or(0);
        let ways = expected(shape).into_iter();
        let mut all: Vec<_> = ways.map(|way| (count(way), format!("{}: {}", way.0, way.1))).collect();
        all.sort_unstable();
        all
    }
}

pub(crate) const SEND: &str = "send";
pub(crate) const SEND_BATCH: &str = "send_batch";
pub(crate) const RECEIVE: &str = "receive";
pub(crate) const DELETE: &str = "delete";
pub(crate) const DELETE_BATCH: &str = "delete_batch";
pub(crate) const DELETE_BY_ID: &str = "delete_by_id";
pub(crate) const CHANGE_VISIBILITY: &str = "change_visibility";
pub(crate) const CHANGE_VISIBILITY_BATCH: &str = "change_visibility_batch";
pub(crate) const PURGE: &str = "purge";
pub(crate) const SET_ATTRIBUTES: &str = "set_attributes";
pub(crate) const FACT: &str = "fact";

const OF_MESSAGES: [&str; 8] = [
    SEND,
    SEND_BATCH,
    RECEIVE,
    DELETE,
    DELETE_BATCH,
    DELETE_BY_ID,
    CHANGE_VISIBILITY,
    CHANGE_VISIBILITY_BATCH,
];

/// The verb of a step; none for what has one way.
pub(crate) const fn verb(step: &Step) -> Option<&'static str> {
    Some(match step {
        Step::Send { .. } => SEND,
        Step::SendBatch { .. } => SEND_BATCH,
        Step::Receive { .. } => RECEIVE,
        Step::Delete { .. } => DELETE,
        Step::DeleteBatch { .. } => DELETE_BATCH,
        Step::DeleteById { .. } => DELETE_BY_ID,
        Step::ChangeVisibility { .. } => CHANGE_VISIBILITY,
        Step::ChangeVisibilityBatch { .. } => CHANGE_VISIBILITY_BATCH,
        Step::Purge { .. } => PURGE,
        Step::SetAttributes { .. } => SET_ATTRIBUTES,
        _ => return None,
    })
}

/// The ways that every shape reaches, of each verb.
fn of_all() -> Vec<(&'static str, &'static str)> {
    let mut ways = Vec::new();
    for verb in OF_MESSAGES.into_iter().chain([PURGE, SET_ATTRIBUTES]) {
        ways.extend([(verb, "with a listener"), (verb, "without a listener")]);
        ways.extend([(verb, "while a receiver waits"), (verb, "while nobody waits")]);
        ways.push((verb, "without a budget"));
        ways.push((verb, "with a budget of messages"));
        ways.push((verb, "with a budget of bytes"));
    }
    for verb in [DELETE, DELETE_BATCH, CHANGE_VISIBILITY, CHANGE_VISIBILITY_BATCH] {
        ways.extend([(verb, "by handle"), (verb, "by message")]);
    }
    ways
}

fn of_sends(shape: &Shape) -> Vec<(&'static str, &'static str)> {
    let mut ways = Vec::new();
    for verb in [SEND, SEND_BATCH] {
        ways.extend([
            (verb, "with an attribute"),
            (verb, "with a body alone"),
            (verb, "refused"),
        ]);
        ways.push((verb, "refused for the budget"));
        if shape.fifo() {
            ways.push((verb, "of what was sent before"));
        } else {
            ways.push((verb, "with a delay of its own"));
        }
        if !shape.fifo() && shape.groups > 0 {
            ways.extend([(verb, "with a group"), (verb, "without a group")]);
        }
        if shape.setups.iter().any(|it| it.delay > 0) {
            ways.push((verb, "with the delay of the queue"));
        }
    }
    ways.extend([(SEND, "that waits for capacity"), (SEND, "that has capacity at once")]);
    ways
}

fn of_receives(shape: &Shape) -> Vec<(&'static str, &'static str)> {
    let mut ways: Vec<&str> = vec![
        "asked for one",
        "asked for many",
        "of what was received before",
        "with a limit of each group",
        "without the attribute",
        "of one",
        "of many",
        "of nothing",
        "with timeout zero",
        "with a timeout",
        "by a short poll",
        "by a long poll",
        "by a receiver that had waited",
        "of nothing after a wait",
    ];
    if shape.fifo() {
        ways.extend([
            "with an attempt id",
            "again with an attempt id",
            "again, but not retryable",
        ]);
    }
    if shape.setups.iter().any(|it| it.redrive.is_some()) {
        ways.push("that finds a dead letter");
    }
    if shape.gone.is_some() {
        ways.push("of what would be a dead letter");
    }
    if shape.limits.in_flight < 10 {
        ways.push("with the most in flight");
    }
    if shape.limits.noisy_in_flight < 10 {
        ways.push("from a queue with noisy groups");
    }
    if shape.sampled {
        ways.extend(["from one shard of many", "from all shards of many"]);
    }
    ways.into_iter().map(|way| (RECEIVE, way)).collect()
}

fn of_entries(shape: &Shape) -> Vec<(&'static str, &'static str)> {
    let mut ways = Vec::new();
    for verb in [SEND_BATCH, DELETE_BATCH, CHANGE_VISIBILITY_BATCH] {
        ways.extend([(verb, "with all entries good"), (verb, "refused as a whole")]);
        // A standard queue deletes by any handle of its own (D19).
        if verb != DELETE_BATCH || shape.fifo() {
            ways.push((verb, "with an entry that fails"));
        }
    }
    ways.push((CHANGE_VISIBILITY, "to zero"));
    ways.push((CHANGE_VISIBILITY, "to later"));
    if shape.setups.len() > 1 {
        for verb in [DELETE, DELETE_BATCH, CHANGE_VISIBILITY, CHANGE_VISIBILITY_BATCH] {
            ways.push((verb, "of another queue's message"));
        }
    }
    ways
}

fn expected(shape: &Shape) -> Vec<(&'static str, &'static str)> {
    if shape.behind {
        let verbs = OF_MESSAGES.into_iter().chain([PURGE]);
        return verbs.map(|verb| (verb, "with more due than one step does")).collect();
    }
    let mut ways = [of_all(), of_sends(shape), of_receives(shape), of_entries(shape)].concat();
    let facts = [
        "Sent",
        "Received",
        "ReceivedNothing",
        "Deleted",
        "DeletedAgain",
        "Returned",
        "VisibilityChanged",
        "Expired",
        "Purged",
        "SettingsChanged",
    ];
    ways.extend(facts.map(|fact| (FACT, fact)));
    if shape.fifo() {
        ways.extend([(FACT, "Deduplicated"), (FACT, "ReceivedAgain")]);
    }
    if shape.setups.iter().any(|it| it.redrive.is_some()) {
        ways.extend([(FACT, "DeadLettered"), (FACT, "Arrived")]);
    }
    ways
}
