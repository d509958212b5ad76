//! Queues, messages and tasks as they stand, as they are written.

use {
    super::{
        content::Content,
        settings::{Scope, Settings},
    },
    crate::{
        attributes::DeduplicationScope,
        message::{Id, MessageId},
        state::{
            MessageImage, MoveTaskFailure, MoveTaskStatus, PhaseImage, QueueHeader, RememberedSend, ServiceHeader,
            TaskImage,
        },
        time::Timestamp,
    },
    serde::{Deserialize, Serialize},
    std::num::NonZeroU32,
};

#[derive(Deserialize, Serialize)]
pub(super) struct Queue<'a> {
    name: &'a str,
    #[serde(borrow)]
    settings: Settings<'a>,
    next_sequence: u64,
    became_visible: u64,
    purged_at: Option<u64>,
    scope_change: Option<ScopeChange>,
}

#[derive(Deserialize, Serialize)]
struct ScopeChange {
    #[serde(with = "Scope")]
    scope: DeduplicationScope,
    until: u64,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Message<'a> {
    sequence: u64,
    slot: u32,
    message_id: [u8; 16],
    retention_base: u64,
    phase: Phase,
    first_received_at: u64,
    received_at: u64,
    receive_count: u32,
    reception: u32,
    #[serde(borrow)]
    content: Content<'a>,
}

#[derive(Deserialize, Serialize)]
enum Phase {
    Delayed { from: u64, until: u64 },
    Visible { since: u64 },
    InFlight { until: u64, since: u64, changed: bool },
}

#[derive(Deserialize, Serialize)]
pub(super) struct Remembered<'a> {
    group: &'a str,
    deduplication_id: &'a str,
    message_id: [u8; 16],
    sequence: u64,
    forgotten_at: u64,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Task<'a> {
    id: [u8; 16],
    /// Number and ARN.
    #[serde(borrow)]
    destination: Option<(u64, &'a str)>,
    rate: Option<NonZeroU32>,
    to_move: u64,
    started_at: u64,
    moved: u64,
    #[serde(with = "Status")]
    status: MoveTaskStatus,
    failure: Option<Failed>,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "MoveTaskStatus")]
enum Status {
    Running,
    Completed,
    Cancelling,
    Cancelled,
    Failed,
}

#[derive(Deserialize, Serialize)]
struct Failed(#[serde(with = "Failure")] MoveTaskFailure);

#[derive(Deserialize, Serialize)]
#[serde(remote = "MoveTaskFailure")]
enum Failure {
    CouldNotDetermineMessageSource,
    NonExistentQueue,
    DurationExceeded,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Service<'a> {
    region: &'a str,
    account_id: &'a str,
    seed: u64,
    created: u64,
    started: u64,
}

impl<'a> From<&'a QueueHeader> for Queue<'a> {
    fn from(header: &'a QueueHeader) -> Self {
        Self {
            name: &header.name,
            settings: (&header.settings).into(),
            next_sequence: header.next_sequence,
            became_visible: header.became_visible,
            purged_at: header.purged_at.map(Timestamp::as_millis),
            scope_change: header.scope_change.map(|(scope, until)| ScopeChange {
                scope,
                until: until.as_millis(),
            }),
        }
    }
}

impl From<Queue<'_>> for QueueHeader {
    fn from(read: Queue<'_>) -> Self {
        let scope_change = |change: ScopeChange| (change.scope, Timestamp::from_millis(change.until));
        Self {
            name: read.name.to_owned(),
            settings: read.settings.into(),
            next_sequence: read.next_sequence,
            became_visible: read.became_visible,
            purged_at: read.purged_at.map(Timestamp::from_millis),
            scope_change: read.scope_change.map(scope_change),
        }
    }
}

impl<'a> From<&'a MessageImage> for Message<'a> {
    fn from(image: &'a MessageImage) -> Self {
        Self {
            sequence: image.sequence,
            slot: image.slot,
            message_id: image.message_id.to_bytes(),
            retention_base: image.retention_base.as_millis(),
            phase: image.phase.into(),
            first_received_at: image.first_received_at.as_millis(),
            received_at: image.received_at.as_millis(),
            receive_count: image.receive_count,
            reception: image.reception,
            content: (&image.content).into(),
        }
    }
}

impl From<Message<'_>> for MessageImage {
    fn from(read: Message<'_>) -> Self {
        Self {
            sequence: read.sequence,
            slot: read.slot,
            message_id: MessageId::from_bytes(read.message_id),
            content: read.content.into(),
            retention_base: Timestamp::from_millis(read.retention_base),
            phase: read.phase.into(),
            first_received_at: Timestamp::from_millis(read.first_received_at),
            received_at: Timestamp::from_millis(read.received_at),
            receive_count: read.receive_count,
            reception: read.reception,
        }
    }
}

impl From<PhaseImage> for Phase {
    fn from(phase: PhaseImage) -> Self {
        match phase {
            PhaseImage::Delayed { from, until } => Self::Delayed {
                from: from.as_millis(),
                until: until.as_millis(),
            },
            PhaseImage::Visible { since } => Self::Visible { since },
            PhaseImage::InFlight { until, since, changed } => Self::InFlight {
                until: until.as_millis(),
                since,
                changed,
            },
        }
    }
}

impl From<Phase> for PhaseImage {
    fn from(read: Phase) -> Self {
        match read {
            Phase::Delayed { from, until } => Self::Delayed {
                from: Timestamp::from_millis(from),
                until: Timestamp::from_millis(until),
            },
            Phase::Visible { since } => Self::Visible { since },
            Phase::InFlight { until, since, changed } => Self::InFlight {
                until: Timestamp::from_millis(until),
                since,
                changed,
            },
        }
    }
}

impl<'a> From<&'a RememberedSend> for Remembered<'a> {
    fn from(send: &'a RememberedSend) -> Self {
        Self {
            group: send.group.as_str(),
            deduplication_id: send.deduplication_id.as_str(),
            message_id: send.message_id.to_bytes(),
            sequence: send.sequence,
            forgotten_at: send.forgotten_at.as_millis(),
        }
    }
}

impl From<Remembered<'_>> for RememberedSend {
    fn from(read: Remembered<'_>) -> Self {
        Self {
            group: Id::from(read.group),
            deduplication_id: Id::from(read.deduplication_id),
            message_id: MessageId::from_bytes(read.message_id),
            sequence: read.sequence,
            forgotten_at: Timestamp::from_millis(read.forgotten_at),
        }
    }
}

impl<'a> From<&'a TaskImage> for Task<'a> {
    fn from(task: &'a TaskImage) -> Self {
        Self {
            id: task.id.to_bytes(),
            destination: task.destination.as_ref().map(|(number, arn)| (*number, &**arn)),
            rate: task.rate,
            to_move: task.to_move,
            started_at: task.started_at.as_millis(),
            moved: task.moved,
            status: task.status,
            failure: task.failure.map(Failed),
        }
    }
}

impl From<Task<'_>> for TaskImage {
    fn from(read: Task<'_>) -> Self {
        Self {
            id: MessageId::from_bytes(read.id),
            destination: read.destination.map(|(number, arn)| (number, arn.to_owned())),
            rate: read.rate,
            to_move: read.to_move,
            started_at: Timestamp::from_millis(read.started_at),
            moved: read.moved,
            status: read.status,
            failure: read.failure.map(|Failed(failure)| failure),
        }
    }
}

impl<'a> From<&'a ServiceHeader> for Service<'a> {
    fn from(header: &'a ServiceHeader) -> Self {
        Self {
            region: &header.region,
            account_id: &header.account_id,
            seed: header.seed,
            created: header.created,
            started: header.started,
        }
    }
}

impl From<Service<'_>> for ServiceHeader {
    fn from(read: Service<'_>) -> Self {
        Self {
            region: read.region.to_owned(),
            account_id: read.account_id.to_owned(),
            seed: read.seed,
            created: read.created,
            started: read.started,
        }
    }
}
