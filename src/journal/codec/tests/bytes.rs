//! The bytes of format 1, for each kind of entries and each value that is one of a few.
//!
//! A line never changes: directories that were written once are read for ever.

use {
    super::*,
    crate::{
        attributes::{DeduplicationScope, FifoThroughputLimit, QueueSettings, RedriveAllowPolicy, RedrivePolicy},
        limits::Limits,
        message::{DeadLetter, Extras, Id, MessageAttributeValue},
        state::{
            MessageImage, MoveTaskFailure, MoveTaskStatus, Origin, PhaseImage, QueueHeader, RememberedSend,
            ServiceHeader, TaskImage,
        },
    },
    std::{fmt::Write, num::NonZeroU32, sync::Arc, time::Duration},
};

const NIL: MessageId = MessageId::from_bytes([0; 16]);
const ID: MessageId = MessageId::from_bytes(*b"0123456789abcdef");
const NOW: Timestamp = Timestamp::from_millis(0x4000);

fn stored(fact: Fact) -> Recorded {
    at_place(0, 5, 0, fact)
}

fn shown(fact: Fact) -> Recorded {
    at_place(0, 5, 9, fact)
}

fn came(fact: Fact) -> Recorded {
    at_place(3, 5, 9, fact)
}

fn at_place(slot: u32, sequence: u64, since: u64, fact: Fact) -> Recorded {
    Recorded::Fact(FactEntry {
        number: 0,
        at: NOW,
        fact,
        place: Place { slot, sequence, since },
        origin: None,
    })
}

fn from_another_queue(entry: Recorded) -> Recorded {
    let Recorded::Fact(entry) = entry else { return entry };
    let origin = Some(Origin { queue: 2, sequence: 6 });
    Recorded::Fact(FactEntry { origin, ..entry })
}

fn full() -> Content {
    let mut extras = Extras {
        group_id: Some(Id::from("g")),
        deduplication_id: Some(Id::from("d")),
        rare: None,
    };
    let rare = extras.rare_mut();
    rare.trace_header = Some("t".into());
    rare.attributes.insert("a", MessageAttributeValue::number("1"));
    rare.attributes.insert("b", MessageAttributeValue::binary([0xff]));
    rare.dead_letter = Some(Box::new(DeadLetter {
        source: "s".into(),
        reason: Some("r".into()),
        sent_at: Timestamp::from_millis(1),
        arrived_at: Timestamp::from_millis(2),
        carried_receive_count: 3,
    }));
    Content {
        body: "x".into(),
        extras: Some(Arc::new(extras)),
    }
}

fn settings() -> QueueSettings {
    let mut settings = QueueSettings::fifo(&Limits::aws());
    settings.policy = Some("p".into());
    settings.redrive_policy = Some(RedrivePolicy::new("r", 3));
    settings.redrive_allow_policy = Some(RedriveAllowPolicy::ByQueue(vec!["a".into()]));
    settings.kms_master_key_id = Some("k".into());
    settings.deduplication_scope = DeduplicationScope::MessageGroup;
    settings.fifo_throughput_limit = FifoThroughputLimit::PerMessageGroupId;
    settings
}

fn header(allow: RedriveAllowPolicy, scope_change: Option<(DeduplicationScope, Timestamp)>) -> Recorded {
    let mut settings = QueueSettings::standard(&Limits::aws());
    settings.redrive_allow_policy = Some(allow);
    settings.visibility_timeout = Duration::from_millis(1);
    Recorded::Queue(QueueHeader {
        name: "q".into(),
        settings,
        next_sequence: 4,
        became_visible: 5,
        purged_at: scope_change.map(|(_, at)| at),
        scope_change,
    })
}

fn message(phase: PhaseImage) -> Recorded {
    Recorded::Message(MessageImage {
        slot: 3,
        sequence: 5,
        message_id: ID,
        content: plain("x"),
        retention_base: NOW,
        phase,
        first_received_at: Timestamp::from_millis(1),
        received_at: Timestamp::from_millis(2),
        receive_count: 3,
        reception: 4,
    })
}

fn task(status: MoveTaskStatus, failure: Option<MoveTaskFailure>) -> Recorded {
    Recorded::Task(TaskImage {
        id: ID,
        destination: failure.map(|_| (2, "arn".into())),
        rate: failure.and(NonZeroU32::new(10)),
        to_move: 300,
        started_at: NOW,
        moved: 4,
        status,
        failure,
    })
}

/// In the order of the kinds.
fn entries() -> Vec<(Recorded, &'static str)> {
    use {MoveTaskFailure as Failure, MoveTaskStatus as Status};
    let (message_id, invisible_until) = (NIL, Timestamp::from_millis(0x4001));
    vec![
        (
            came(Fact::Sent {
                message_id: ID,
                content: plain("x"),
                visible_at: NOW,
            }),
            "008080010509033031323334353637383961626364656600017800",
        ),
        (
            came(Fact::Sent {
                message_id: ID,
                content: full(),
                visible_at: invisible_until,
            }),
            "00808001050903303132333435363738396162636465660201780101016701016401020161064e756d62657200013101620642696e6172790101ff010174010173010172010203",
        ),
        (
            stored(Fact::Received {
                message_id,
                receive_count: 2,
                invisible_until,
            }),
            "0180800105000202",
        ),
        (
            shown(Fact::ReceivedAgain {
                message_id,
                invisible_until: NOW,
            }),
            "02808001050900",
        ),
        (
            stored(Fact::VisibilityChanged {
                message_id,
                invisible_until,
            }),
            "03808001050002",
        ),
        (shown(Fact::Returned { message_id }), "048080010509"),
        (shown(Fact::Released { message_id }), "058080010509"),
        (
            stored(Fact::Postponed {
                message_id,
                invisible_until: Timestamp::ZERO,
            }),
            "068080010500ffff01",
        ),
        (shown(Fact::DelayEnded { message_id }), "078080010509"),
        (stored(Fact::Deleted { message_id }), "0880800105"),
        (stored(Fact::Expired { message_id }), "0980800105"),
        (stored(Fact::DeadLettered { message_id }), "0a80800105"),
        (
            from_another_queue(came(Fact::Arrived {
                message_id: ID,
                content: plain("x"),
                receive_count: 2,
                first_received_at: Timestamp::from_millis(1),
                retention_base: Timestamp::from_millis(2),
            })),
            "0b80800105090330313233343536373839616263646566010206020102017800",
        ),
        (stored(Fact::MovedOut { message_id }), "0c80800105"),
        (
            from_another_queue(came(Fact::MovedIn {
                message_id: ID,
                content: plain("x"),
            })),
            "0d80800105090330313233343536373839616263646566010206017800",
        ),
        (
            came(Fact::MovedIn {
                message_id: ID,
                content: plain("x"),
            }),
            "0d8080010509033031323334353637383961626364656600017800",
        ),
        (at_place(0, 0, 0, Fact::Purged { messages: 300 }), "0e808001ac02"),
        (
            at_place(
                0,
                0,
                0,
                Fact::SettingsChanged {
                    settings: Box::new(settings()),
                },
            ),
            "0f8080010000808040808c150000001e000101700101720300010201016101016bac020001010001010000",
        ),
        (at_place(0, 0, 0, Fact::QueueDeleted), "10808001"),
        (
            header(RedriveAllowPolicy::AllowAll, None),
            "1101710000808040808c1500000000c0843d0000010000ac02000100000000000004050000",
        ),
        (
            header(RedriveAllowPolicy::DenyAll, Some((DeduplicationScope::Queue, NOW))),
            "1101710000808040808c1500000000c0843d0000010100ac0200010000000000000405018080010100808001",
        ),
        (Recorded::Tags([("k".into(), "v".into())].into()), "1201016b0176"),
        (
            message(PhaseImage::Delayed {
                from: NOW,
                until: NOW.saturating_add(Duration::from_secs(2)),
            }),
            "1305033031323334353637383961626364656680800100808001d08f0101020304017800",
        ),
        (
            message(PhaseImage::Visible { since: 9 }),
            "13050330313233343536373839616263646566808001010901020304017800",
        ),
        (
            message(PhaseImage::InFlight {
                until: NOW,
                since: 9,
                changed: true,
            }),
            "1305033031323334353637383961626364656680800102808001090101020304017800",
        ),
        (
            Recorded::Remembered(RememberedSend {
                group: Id::from("g"),
                deduplication_id: Id::from("d"),
                message_id: ID,
                sequence: 5,
                forgotten_at: NOW,
            }),
            "14016701643031323334353637383961626364656605808001",
        ),
        (
            task(Status::Running, None),
            "15303132333435363738396162636465660000ac02808001040000",
        ),
        (
            task(Status::Completed, None),
            "15303132333435363738396162636465660000ac02808001040100",
        ),
        (
            task(Status::Cancelling, None),
            "15303132333435363738396162636465660000ac02808001040200",
        ),
        (
            task(Status::Cancelled, None),
            "15303132333435363738396162636465660000ac02808001040300",
        ),
        (
            task(Status::Failed, Some(Failure::CouldNotDetermineMessageSource)),
            "153031323334353637383961626364656601020361726e010aac0280800104040100",
        ),
        (
            task(Status::Failed, Some(Failure::NonExistentQueue)),
            "153031323334353637383961626364656601020361726e010aac0280800104040101",
        ),
        (
            task(Status::Failed, Some(Failure::DurationExceeded)),
            "153031323334353637383961626364656601020361726e010aac0280800104040102",
        ),
        (
            Recorded::Service(ServiceHeader {
                region: "r".into(),
                account_id: "a".into(),
                seed: 7,
                created: 8,
                started: 300,
            }),
            "16017201610708ac02",
        ),
        (Recorded::Opened { epoch: 2, at: NOW }, "1702808001"),
        (
            Recorded::NameDeleted {
                name: "q".into(),
                at: NOW,
            },
            "180171808001",
        ),
    ]
}

#[test]
fn format_1_is_these_bytes() {
    let mut kinds = Vec::new();
    for (entry, expected) in entries() {
        let mut out = Vec::new();
        encode(&entry, &mut out);
        let bytes = out.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        assert_eq!(bytes, expected, "{entry:?}");
        kinds.push(u32::from(out[0]));
        assert_eq!(read(&written(7, std::slice::from_ref(&entry))), Ok(vec![(7, entry)]));
    }
    kinds.dedup();
    assert!(kinds.into_iter().eq(0..=LATEST_KIND), "one of each kind, in order");
}
