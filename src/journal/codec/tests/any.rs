//! Entries of every kind, with values that no queue would have among them.

use {
    crate::{
        attributes::{DeduplicationScope, FifoThroughputLimit, QueueSettings, RedriveAllowPolicy, RedrivePolicy},
        limits::Limits,
        message::{Content, DeadLetter, Extras, Id, MessageAttributeValue, MessageAttributes, MessageId},
        state::{
            Fact, FactEntry, MessageImage, MoveTaskFailure, MoveTaskStatus, Origin, PhaseImage, Place, QueueHeader,
            Recorded, RememberedSend, ServiceHeader, TaskImage,
        },
        time::Timestamp,
    },
    proptest::{collection, option, prelude::*, sample::select},
    std::{num::NonZeroU32, sync::Arc, time::Duration},
};

fn instant() -> BoxedStrategy<Timestamp> {
    let millis = prop_oneof![
        any::<u64>(),
        1_700_000_000_000..1_900_000_000_000_u64,
        select(vec![0, 1, u64::MAX])
    ];
    millis.prop_map(Timestamp::from_millis).boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![".{0,40}", Just("x".repeat(300))].boxed()
}

fn id() -> BoxedStrategy<Id> {
    ".{0,30}".prop_map(|text| Id::from(&*text)).boxed()
}

fn message_id() -> BoxedStrategy<MessageId> {
    any::<[u8; 16]>().prop_map(MessageId::from_bytes).boxed()
}

fn span() -> BoxedStrategy<Duration> {
    prop_oneof![any::<Duration>(), (0..1_209_600_u64).prop_map(Duration::from_secs)].boxed()
}

fn attribute() -> BoxedStrategy<MessageAttributeValue> {
    let data_type = select(vec!["String", "Number", "Binary", "Number.EUR", ""]);
    prop_oneof![
        (data_type.clone(), text()).prop_map(|(data_type, text)| MessageAttributeValue::new(data_type, text)),
        (data_type, any::<Vec<u8>>()).prop_map(|(data_type, bytes)| MessageAttributeValue::new(data_type, bytes)),
    ]
    .boxed()
}

fn dead_letter() -> BoxedStrategy<DeadLetter> {
    (text(), option::of(text()), instant(), instant(), any::<u32>())
        .prop_map(
            |(source, reason, sent_at, arrived_at, carried_receive_count)| DeadLetter {
                source: source.into(),
                reason: reason.map(Arc::from),
                sent_at,
                arrived_at,
                carried_receive_count,
            },
        )
        .boxed()
}

fn extras() -> BoxedStrategy<Extras> {
    let attributes = collection::btree_map(text(), attribute(), 0..4).prop_map(MessageAttributes::from_iter);
    let rare = option::of((attributes, option::of(text()), option::of(dead_letter())));
    (option::of(id()), option::of(id()), rare)
        .prop_map(|(group_id, deduplication_id, given)| {
            let mut extras = Extras {
                group_id,
                deduplication_id,
                rare: None,
            };
            if let Some((attributes, trace_header, dead_letter)) = given {
                let rare = extras.rare_mut();
                rare.attributes = attributes;
                rare.trace_header = trace_header.map(Arc::from);
                rare.dead_letter = dead_letter.map(Box::new);
            }
            extras
        })
        .boxed()
}

pub(super) fn content() -> BoxedStrategy<Content> {
    (text(), option::of(extras()))
        .prop_map(|(body, extras)| Content {
            body: body.into(),
            extras: extras.map(Arc::new),
        })
        .boxed()
}

fn scope() -> BoxedStrategy<DeduplicationScope> {
    select(vec![DeduplicationScope::Queue, DeduplicationScope::MessageGroup]).boxed()
}

fn redrive_policy() -> BoxedStrategy<RedrivePolicy> {
    (text(), any::<u32>(), any::<bool>())
        .prop_map(|(target, count, count_first)| {
            let mut policy = RedrivePolicy::new(target, count);
            policy.count_first = count_first;
            policy
        })
        .boxed()
}

fn redrive_allow_policy() -> BoxedStrategy<RedriveAllowPolicy> {
    prop_oneof![
        Just(RedriveAllowPolicy::AllowAll),
        Just(RedriveAllowPolicy::DenyAll),
        collection::vec(text(), 0..4).prop_map(RedriveAllowPolicy::ByQueue),
    ]
    .boxed()
}

pub(super) fn settings() -> BoxedStrategy<QueueSettings> {
    let spans = (span(), span(), span(), span(), span());
    let policies = (
        option::of(text()),
        option::of(redrive_policy()),
        option::of(redrive_allow_policy()),
        option::of(text()),
    );
    let flags = any::<(bool, bool, bool, bool, usize)>();
    let instants = (instant(), instant());
    (spans, policies, flags, scope(), instants)
        .prop_map(|(spans, policies, flags, scope, instants)| {
            let mut settings = QueueSettings::standard(&Limits::aws());
            (
                settings.delay,
                settings.message_retention_period,
                settings.receive_message_wait_time,
                settings.visibility_timeout,
                settings.kms_data_key_reuse_period,
            ) = spans;
            (
                settings.policy,
                settings.redrive_policy,
                settings.redrive_allow_policy,
                settings.kms_master_key_id,
            ) = policies;
            let per_group;
            (
                settings.sqs_managed_sse_enabled,
                settings.fifo_queue,
                settings.content_based_deduplication,
                per_group,
                settings.maximum_message_size,
            ) = flags;
            if per_group {
                settings.fifo_throughput_limit = FifoThroughputLimit::PerMessageGroupId;
            }
            settings.deduplication_scope = scope;
            (settings.created_timestamp, settings.last_modified_timestamp) = instants;
            settings
        })
        .boxed()
}

/// A fact as it is read back.
pub(super) fn recorded_fact() -> BoxedStrategy<FactEntry> {
    let place = any::<(u32, u64, u64)>();
    let origin = option::of(any::<(u64, u64)>());
    (instant(), a_fact(), place, origin)
        .prop_map(|(at, fact, (slot, sequence, since), origin)| {
            let (came, shown, stored) = what_is_kept(&fact);
            FactEntry {
                number: 0,
                at,
                place: Place {
                    slot: if came { slot } else { 0 },
                    sequence: if stored { sequence } else { 0 },
                    since: if came || shown { since } else { 0 },
                },
                origin: origin
                    .filter(|_| matches!(fact, Fact::Arrived { .. } | Fact::MovedIn { .. }))
                    .map(|(queue, sequence)| Origin { queue, sequence }),
                fact,
            }
        })
        .boxed()
}

/// Whether the fact makes a message, makes one visible, and is about one at all.
fn what_is_kept(fact: &Fact) -> (bool, bool, bool) {
    match fact {
        Fact::Sent { .. } | Fact::Arrived { .. } | Fact::MovedIn { .. } => (true, true, true),
        Fact::Returned { .. }
        | Fact::Released { .. }
        | Fact::DelayEnded { .. }
        | Fact::Received { .. }
        | Fact::ReceivedAgain { .. }
        | Fact::VisibilityChanged { .. }
        | Fact::Postponed { .. } => (false, true, true),
        other => (false, false, other.message_id().is_some()),
    }
}

fn a_fact() -> BoxedStrategy<Fact> {
    let nil = MessageId::from_bytes([0; 16]);
    let of_stored = select(vec![
        Fact::Returned { message_id: nil },
        Fact::Released { message_id: nil },
        Fact::DelayEnded { message_id: nil },
        Fact::Deleted { message_id: nil },
        Fact::Expired { message_id: nil },
        Fact::DeadLettered { message_id: nil },
        Fact::MovedOut { message_id: nil },
        Fact::QueueDeleted,
    ]);
    let hidden = (any::<u32>(), instant(), 0..4).prop_map(move |(receive_count, invisible_until, kind)| match kind {
        0 => Fact::Received {
            message_id: nil,
            receive_count,
            invisible_until,
        },
        1 => Fact::ReceivedAgain {
            message_id: nil,
            invisible_until,
        },
        2 => Fact::VisibilityChanged {
            message_id: nil,
            invisible_until,
        },
        _ => Fact::Postponed {
            message_id: nil,
            invisible_until,
        },
    });
    let came = (message_id(), content(), any::<u32>(), instant(), instant(), 0..3);
    let came = came.prop_map(|(message_id, content, receive_count, one, other, kind)| match kind {
        0 => Fact::Sent {
            message_id,
            content,
            visible_at: one,
        },
        1 => Fact::Arrived {
            message_id,
            content,
            receive_count,
            first_received_at: one,
            retention_base: other,
        },
        _ => Fact::MovedIn { message_id, content },
    });
    prop_oneof![
        2 => of_stored,
        2 => hidden,
        2 => came,
        1 => settings().prop_map(|settings| Fact::SettingsChanged { settings: Box::new(settings) }),
        1 => any::<usize>().prop_map(|messages| Fact::Purged { messages }),
    ]
    .boxed()
}

fn header() -> BoxedStrategy<QueueHeader> {
    let change = option::of((scope(), instant()));
    (text(), settings(), any::<(u64, u64)>(), option::of(instant()), change)
        .prop_map(
            |(name, settings, (next_sequence, became_visible), purged_at, scope_change)| QueueHeader {
                name,
                settings,
                next_sequence,
                became_visible,
                purged_at,
                scope_change,
            },
        )
        .boxed()
}

fn phase() -> BoxedStrategy<PhaseImage> {
    prop_oneof![
        (instant(), instant()).prop_map(|(from, until)| PhaseImage::Delayed { from, until }),
        any::<u64>().prop_map(|since| PhaseImage::Visible { since }),
        (instant(), any::<u64>(), any::<bool>()).prop_map(|(until, since, changed)| PhaseImage::InFlight {
            until,
            since,
            changed
        }),
    ]
    .boxed()
}

fn message() -> BoxedStrategy<MessageImage> {
    let instants = (instant(), instant(), instant());
    let numbers = any::<(u32, u64, u32, u32)>();
    (message_id(), content(), phase(), instants, numbers)
        .prop_map(
            |(message_id, content, phase, instants, (slot, sequence, receive_count, reception))| MessageImage {
                slot,
                sequence,
                message_id,
                content,
                retention_base: instants.0,
                phase,
                first_received_at: instants.1,
                received_at: instants.2,
                receive_count,
                reception,
            },
        )
        .boxed()
}

fn remembered() -> BoxedStrategy<RememberedSend> {
    (id(), id(), message_id(), any::<u64>(), instant())
        .prop_map(
            |(group, deduplication_id, message_id, sequence, forgotten_at)| RememberedSend {
                group,
                deduplication_id,
                message_id,
                sequence,
                forgotten_at,
            },
        )
        .boxed()
}

fn task() -> BoxedStrategy<TaskImage> {
    let status = select(vec![
        MoveTaskStatus::Running,
        MoveTaskStatus::Completed,
        MoveTaskStatus::Cancelling,
        MoveTaskStatus::Cancelled,
        MoveTaskStatus::Failed,
    ]);
    let failure = option::of(select(vec![
        MoveTaskFailure::CouldNotDetermineMessageSource,
        MoveTaskFailure::NonExistentQueue,
        MoveTaskFailure::DurationExceeded,
    ]));
    let destination = option::of((any::<u64>(), text()));
    let numbers = (destination, any::<(Option<NonZeroU32>, u64, u64)>());
    (message_id(), numbers, instant(), status, failure)
        .prop_map(
            |(id, (destination, (rate, to_move, moved)), started_at, status, failure)| TaskImage {
                id,
                destination,
                rate,
                to_move,
                started_at,
                moved,
                status,
                failure,
            },
        )
        .boxed()
}

fn service() -> BoxedStrategy<ServiceHeader> {
    (text(), text(), any::<(u64, u64, u64)>())
        .prop_map(|(region, account_id, (seed, created, started))| ServiceHeader {
            region,
            account_id,
            seed,
            created,
            started,
        })
        .boxed()
}

pub(super) fn recorded() -> BoxedStrategy<Recorded> {
    prop_oneof![
        6 => recorded_fact().prop_map(Recorded::Fact),
        1 => header().prop_map(Recorded::Queue),
        1 => collection::btree_map(text(), text(), 0..4).prop_map(Recorded::Tags),
        2 => message().prop_map(Recorded::Message),
        1 => remembered().prop_map(Recorded::Remembered),
        1 => task().prop_map(Recorded::Task),
        1 => service().prop_map(Recorded::Service),
        1 => (any::<u64>(), instant()).prop_map(|(epoch, at)| Recorded::Opened { epoch, at }),
    ]
    .boxed()
}
