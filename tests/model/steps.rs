//! Random steps, biased towards the states in which rules meet: few groups and ids, and clocks that stop at deadlines.

use proptest::{collection::vec, option, prelude::*};

use crate::reference::*;

/// Which queues take part, and what their steps are made of.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) setups: Vec<Setup>,
    pub(crate) limits: ModelLimits,
    /// How many message groups producers use; on standard queues some messages have none.
    pub(crate) groups: usize,
    /// Whether redrive policies change on the way (L5).
    pub(crate) redrives: bool,
    /// Each queue has a dead-letter queue that was deleted, with this `maxReceiveCount`: for the rules it has none (L9).
    pub(crate) gone: Option<u32>,
    /// Whether short polls see a sample (D9).
    pub(crate) sampled: bool,
    /// Whether more falls due at once than one step of the library does.
    pub(crate) behind: bool,
}

impl Shape {
    pub(crate) fn fifo(&self) -> bool {
        self.setups[0].fifo
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send {
        queue: usize,
        draft: Draft,
    },
    SendBatch {
        queue: usize,
        drafts: Vec<Draft>,
        ids: BatchIds,
    },
    Receive {
        queue: usize,
        request: Request,
    },
    Delete {
        handle: Pick,
    },
    DeleteBatch {
        handles: Vec<Pick>,
        ids: BatchIds,
    },
    /// The latest messages of any queue, the one before, and so on, of what was ever sent.
    DeleteById {
        queue: usize,
        back: Vec<usize>,
    },
    ChangeVisibility {
        handle: Pick,
        timeout: u64,
    },
    ChangeVisibilityBatch {
        handles: Vec<(Pick, u64)>,
        ids: BatchIds,
    },
    /// So many messages in batches of ten.
    Burst {
        queue: usize,
        messages: usize,
    },
    Purge {
        queue: usize,
    },
    SetAttributes {
        queue: usize,
        change: Change,
    },
    SetRedrive {
        queue: usize,
        target: usize,
        maximum: Option<u32>,
    },
    MoveTask {
        queue: usize,
        destination: Option<usize>,
    },
    Clock(Move),
    /// The queues are given up, and opened again from their journal.
    #[cfg(feature = "journal")]
    Reopen(Ending),
}

/// How queues with a journal end.
#[cfg(feature = "journal")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Closed,
    Dropped,
    /// What is opened is a copy of the directory as it was before they were dropped.
    Crashed,
}

/// The ids of the entries of a batch: their places, or with a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BatchIds {
    Places,
    Repeated,
    Invalid,
}

impl BatchIds {
    pub(crate) fn of(self, place: usize) -> String {
        match self {
            Self::Places => format!("entry-{place}"),
            Self::Repeated => format!("entry_{}", place / 2),
            Self::Invalid => format!("entry {place}"),
        }
    }
}

/// A receipt handle out of all that were ever given out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pick {
    /// The latest, the one before, and so on.
    Recent(usize),
    Any(usize),
    /// Used on another queue than its own.
    Astray(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    By(u64),
    /// One of the next deadlines of the reference, a millisecond early, exactly, or a millisecond late.
    ToDeadline {
        next: usize,
        off: i64,
        /// Whether it may be further away than a few minutes, where retention ends most of what is stored.
        far: bool,
    },
    Back(u64),
}

const YEAR: u64 = 365 * 24 * 3_600 * SECOND;

pub(crate) fn steps(shape: &Shape, most: usize) -> impl Strategy<Value = Vec<Step>> + use<> {
    vec(step(shape, true), 1..most)
}

/// The same, and now and then the queues end and are opened again.
#[cfg(feature = "journal")]
pub(crate) fn reopened(shape: &Shape, most: usize) -> impl Strategy<Value = Vec<Step>> + use<> {
    let ending = prop::sample::select(vec![Ending::Closed, Ending::Dropped, Ending::Crashed, Ending::Crashed]);
    vec(
        prop_oneof![
            12 => step(shape, true),
            1 => ending.prop_map(Step::Reopen),
        ],
        1..most,
    )
}

/// Bursts that fall due at one instant, and every verb just after it as likely as another.
pub(crate) fn bursts(shape: &Shape) -> impl Strategy<Value = Vec<Step>> + use<> {
    let burst = (140..200_usize).prop_map(|messages| Step::Burst { queue: 0, messages });
    let span = prop_oneof![4 => Just(2 * SECOND), 2 => Just(61 * SECOND)];
    let due = span.prop_map(|span| Step::Clock(Move::By(span)));
    let round = (
        burst,
        vec(step(shape, true), 0..4),
        due,
        step(shape, false),
        vec(step(shape, true), 0..6),
    );
    vec(round, 1..3).prop_map(|rounds| {
        let steps = |(burst, before, due, verb, after)| [vec![burst], before, vec![due, verb], after].concat();
        rounds.into_iter().flat_map(steps).collect()
    })
}

fn step(shape: &Shape, any: bool) -> BoxedStrategy<Step> {
    let fifo = shape.setups[0].fifo;
    let queues = shape.setups.len();
    let queue = || prop_oneof![1 => Just(0), 1 => 0..queues];
    let batch_ids = || {
        prop_oneof![
            20 => Just(BatchIds::Places),
            1 => Just(BatchIds::Repeated),
            1 => Just(BatchIds::Invalid),
        ]
    };
    let entries = || prop_oneof![1 => 0..=1_usize, 12 => 2..=5_usize, 1 => 10..=11_usize];
    let handles = || prop_oneof![1 => 0..=0_usize, 16 => 1..=2_usize, 8 => 2..=5_usize, 1 => 10..=11_usize];
    let draft = draft(fifo, shape.groups);
    let drafts = {
        let draft = draft.clone();
        entries().prop_flat_map(move |length| vec(draft.clone(), length))
    };
    let picks = handles().prop_flat_map(|length| vec(pick(), length));
    let back = vec(prop_oneof![4 => 0..8_usize, 1 => 0..200_usize], 0..5);
    let changes = handles().prop_flat_map(|length| vec((pick(), timeout()), length));
    let redrive = if shape.redrives {
        let parts = (queue(), queue(), option::of(1..4_u32));
        let changes = parts.prop_map(|(queue, target, maximum)| Step::SetRedrive { queue, target, maximum });
        let tasks =
            (0..queues, option::of(queue())).prop_map(|(queue, destination)| Step::MoveTask { queue, destination });
        prop_oneof![changes, tasks].boxed()
    } else {
        moves().prop_map(Step::Clock).boxed()
    };
    let weight = |usual: u32| if any { usual } else { 10 };
    let step = prop_oneof![
        weight(24) => (queue(), draft).prop_map(|(queue, draft)| Step::Send { queue, draft }),
        weight(5) => (queue(), drafts, batch_ids())
            .prop_map(|(queue, drafts, ids)| Step::SendBatch { queue, drafts, ids }),
        weight(30) => (queue(), request(fifo)).prop_map(|(queue, request)| Step::Receive { queue, request }),
        weight(10) => pick().prop_map(|handle| Step::Delete { handle }),
        weight(4) => (picks, batch_ids()).prop_map(|(handles, ids)| Step::DeleteBatch { handles, ids }),
        weight(4) => (queue(), back).prop_map(|(queue, back)| Step::DeleteById { queue, back }),
        weight(9) => (pick(), timeout()).prop_map(|(handle, timeout)| Step::ChangeVisibility { handle, timeout }),
        weight(4) => (changes, batch_ids())
            .prop_map(|(handles, ids)| Step::ChangeVisibilityBatch { handles, ids }),
        if any { 4 } else { 10 } => queue().prop_map(|queue| Step::Purge { queue }),
        if any { 5 } else { 1 } => (queue(), change(fifo)).prop_map(|(queue, change)| Step::SetAttributes { queue, change }),
        if any { 2 } else { 1 } => redrive,
        if any { 22 } else { 1 } => moves().prop_map(Step::Clock),
    ];
    step.boxed()
}

/// At most one thing is wrong with a message, so that no order among checks is presumed.
fn draft(fifo: bool, groups: usize) -> BoxedStrategy<Draft> {
    let named = (0..groups.max(1)).prop_map(|group| Some(format!("g{group}")));
    let group = match (groups, fifo) {
        (0, _) => Just(None).boxed(),
        (_, true) => named.boxed(),
        (_, false) => prop_oneof![3 * groups as u32 => named, 1 => Just(None)].boxed(),
    };
    let deduplication_id = prop_oneof![
        6 => Just(None),
        6 => (0..3_u32).prop_map(|id| Some(format!("d{id}"))),
        4 => (0..1_000_u32).prop_map(|id| Some(format!("unique-{id}"))),
        1 => Just(Some(content_hash("a"))),
    ];
    let deduplication_id = if fifo {
        deduplication_id.boxed()
    } else {
        Just(None).boxed()
    };
    let delay = prop_oneof![
        8 => Just(None),
        1 => Just(Some(0)),
        3 => prop::sample::select(if fifo { vec![0] } else { vec![1, 999, SECOND, 2 * SECOND, 900 * SECOND] })
            .prop_map(Some),
    ];
    let body = prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    let attribute = option::weighted(0.2, Just("t".to_owned()));
    let parts = (body, delay, group, deduplication_id, attribute);
    let plain = parts.prop_map(|(body, delay, group, deduplication_id, attribute)| Draft {
        body,
        delay,
        message_group_id: group,
        deduplication_id,
        attribute,
    });
    let fault = prop_oneof![40 => Just(0), 3 => 1..=7_u8];
    (plain, fault)
        .prop_map(move |(mut draft, fault)| {
            match fault {
                1 => draft.body = String::new(),
                2 => draft.body = "\u{1}".to_owned(),
                3 => draft.body = "x".repeat(1_025),
                4 => draft.delay = Some(900 * SECOND + 1),
                5 => draft.message_group_id = Some("no good".to_owned()),
                6 if fifo => draft.deduplication_id = Some("no good".to_owned()),
                6 => draft.deduplication_id = Some("d0".to_owned()),
                7 if fifo => draft.message_group_id = None,
                _ => {}
            }
            draft
        })
        .boxed()
}

fn request(fifo: bool) -> impl Strategy<Value = Request> {
    let maximum = prop_oneof![
        4 => Just(None),
        8 => (1..=4_usize).prop_map(Some),
        8 => Just(Some(10)),
        1 => prop::sample::select(vec![0_usize, 11]).prop_map(Some),
    ];
    let visibility = prop_oneof![
        12 => Just(None),
        4 => Just(Some(0)),
        8 => timeout().prop_map(Some),
    ];
    let wait = prop_oneof![
        12 => Just(None),
        2 => Just(Some(0)),
        12 => prop::sample::select(vec![1, SECOND, 20 * SECOND, 20 * SECOND]).prop_map(Some),
        1 => prop::sample::select(vec![1, 20 * SECOND + 1]).prop_map(Some),
    ];
    let attempt = prop_oneof![
        if fifo { 6 } else { 20 } => Just(None),
        6 => prop::sample::select(vec!["A", "B"]).prop_map(|id| Some(id.to_owned())),
        1 => Just(Some("no good".to_owned())),
    ];
    let per_group = option::weighted(0.15, 1..=2_usize);
    let parts = (maximum, visibility, wait, attempt, per_group, prop::bool::weighted(0.1));
    parts.prop_map(
        |(maximum, visibility, wait, attempt, per_group, without_attribute)| Request {
            max_messages: maximum,
            visibility_timeout: visibility,
            wait_time: wait,
            receive_request_attempt_id: attempt,
            max_messages_per_group: per_group,
            without_attribute,
        },
    )
}

fn timeout() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        12 => prop::sample::select(vec![1, 999, SECOND, 2 * SECOND, 5 * SECOND, 30 * SECOND, 61 * SECOND]),
        3 => prop::sample::select(vec![TWELVE_HOURS - SECOND, TWELVE_HOURS - 1, TWELVE_HOURS]),
        1 => Just(TWELVE_HOURS + 1),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        10 => (0..5_usize).prop_map(Pick::Recent),
        10 => (0..60_usize).prop_map(Pick::Any),
        1 => (0..60_usize).prop_map(Pick::Astray),
    ]
}

/// Often one attribute out of range beside good ones (Q28).
fn change(fifo: bool) -> impl Strategy<Value = Change> {
    let seconds = |values: Vec<u64>| option::weighted(0.3, prop::sample::select(values).prop_map(|it| it * SECOND));
    let visibility = seconds(vec![0, 1, 5, 30, 30, 43_200, 43_201]);
    let delay = seconds(vec![0, 0, 1, 5, 900, 901]);
    let retention = seconds(vec![59, 60, 120, 600, 1_209_600, 1_209_600, 1_209_601]);
    let own = if fifo { 0.3 } else { 0.02 };
    let content_based_deduplication = option::weighted(own, any::<bool>());
    let scope = option::weighted(own, prop::sample::select(vec![Scope::Queue, Scope::MessageGroup]));
    (visibility, delay, retention, content_based_deduplication, scope).prop_map(
        move |(visibility, delay, retention, content_based_deduplication, scope)| {
            // Which of two bad attributes is named is no rule.
            let keep = |value: Option<u64>| {
                value.filter(|_| fifo || (content_based_deduplication.is_none() && scope.is_none()))
            };
            Change {
                visibility_timeout: keep(visibility),
                delay: keep(delay),
                message_retention_period: keep(retention),
                content_based_deduplication,
                deduplication_scope: scope,
            }
        },
    )
}

fn moves() -> impl Strategy<Value = Move> {
    let spans = vec![
        0,
        1,
        500,
        999,
        SECOND,
        SECOND + 1,
        2 * SECOND,
        10 * SECOND,
        30 * SECOND,
        60 * SECOND,
    ];
    prop_oneof![
        30 => prop::sample::select(spans).prop_map(Move::By),
        1 => prop::sample::select(vec![FIVE_MINUTES, TWELVE_HOURS, YEAR, 10 * YEAR]).prop_map(Move::By),
        30 => (0..5_usize, -1..=1_i64).prop_map(|(next, off)| Move::ToDeadline { next, off, far: false }),
        2 => (0..5_usize, -1..=1_i64).prop_map(|(next, off)| Move::ToDeadline { next, off, far: true }),
        1 => prop::sample::select(vec![1, SECOND, FIVE_MINUTES]).prop_map(Move::Back),
    ]
}
