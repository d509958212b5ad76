//! [rules]: guide::rules
//! [differences]: guide::differences
//! [architecture]: guide::architecture
//! [changelog]: guide::changelog
//! [examples]: guide#in-the-repository
//! [benches]: guide#in-the-repository
//! [contributing]: guide#in-the-repository
//! [security]: guide#in-the-repository
#![doc = concat!("[outage chart]: data:image/svg+xml;base64,", include_str!("guide/outage.base64"))]
#![doc = concat!("[dashboard picture]: data:image/webp;base64,", include_str!("guide/dashboard.base64"))]
#![cfg_attr(feature = "testing", doc = "[consumers]: guide::consumers")]
#![cfg_attr(feature = "aws-protocol", doc = "[endpoint]: guide::sqs_endpoint")]
#![cfg_attr(feature = "worker", doc = "[worker]: guide::worker")]
#![cfg_attr(feature = "sim", doc = "[simulation]: guide::simulation")]
#![cfg_attr(feature = "journal", doc = "[durability]: guide::durability")]
#![cfg_attr(feature = "topics", doc = "[topics]: guide::topics")]
#![cfg_attr(feature = "payloads", doc = "[payloads]: guide::payloads")]
#![cfg_attr(not(feature = "testing"), doc = "[consumers]: guide")]
#![cfg_attr(not(feature = "aws-protocol"), doc = "[endpoint]: guide")]
#![cfg_attr(not(feature = "worker"), doc = "[worker]: guide")]
#![cfg_attr(not(feature = "sim"), doc = "[simulation]: guide")]
#![cfg_attr(not(feature = "journal"), doc = "[durability]: guide")]
#![cfg_attr(not(feature = "topics"), doc = "[topics]: guide")]
#![cfg_attr(not(feature = "payloads"), doc = "[payloads]: guide")]
//! [`Service`]: Service
//! [`ManualClock`]: ManualClock
// Rustdoc takes the first definition of a link, so these replace the paths that README has for the repository.
// As a doctest README needs the features that its programs use.
#![cfg_attr(
    any(not(doctest), all(feature = "worker-sqs", feature = "aws-sdk", feature = "testing", feature = "journal")),
    doc = include_str!("../README.md")
)]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attributes;
#[cfg(feature = "aws-protocol")]
pub mod aws;
#[cfg(feature = "worker")]
pub mod backend;
mod clock;
mod error;
pub mod guide;
#[cfg(feature = "journal")]
pub mod journal;
mod limits;
mod message;
#[cfg(feature = "payloads")]
pub mod payloads;
mod queue;
#[cfg(feature = "worker")]
pub mod request;
#[cfg(feature = "schedule")]
pub mod schedule;
mod service;
#[cfg(feature = "sim")]
pub mod sim;
mod state;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
#[cfg(feature = "topics")]
pub mod topics;
#[cfg(feature = "worker")]
pub mod worker;

// The public interface is:
pub use attributes::{
    DeduplicationScope, FifoThroughputLimit, QueueAttributes, QueueSettings, RedriveAllowPolicy, RedrivePolicy,
};
pub use clock::{Alarm, Clock, ManualClock, Parker, SystemClock};
#[cfg(feature = "aws-protocol")]
pub use error::PermissionError;
pub use error::{
    BatchError, BudgetLimit, ChangeVisibilityError, CreateQueueError, DeadLetterError, DeleteError,
    InvalidAttributeName, InvalidAttributeValue, InvalidMessageAttribute, InvalidParameterValue, InvalidReason,
    ListError, MissingParameter, MoveTaskError, ParseMessageIdError, ParseReceiptHandleError, PurgeError, QueueError,
    ReceiveError, ReserveError, ResourceNotFound, SendBatchError, SendError, SetQueueAttributesError, StorageError,
    TagError,
};
#[cfg(feature = "serde")]
pub use error::{ParseJsonError, WriteJsonError};
pub use limits::Limits;
pub use message::{
    AttributeContent, Content, MessageAttributeValue, MessageAttributes, MessageId, ReceiptHandle, SendMessage,
    SequenceNumber,
};
pub use queue::{
    BatchFailure, BatchResult, BatchSuccess, Budget, ChangeVisibilityBatchEntry, DeleteBatchEntry, FactChannel,
    FactListener, Message, Metrics, MetricsReport, Permit, Queue, QueueBuilder, Receive, ReceiveFuture,
    ReserveTimeoutFuture, SendBatchEntry, SendTimeoutFuture, SentMessageSize,
};
#[cfg(feature = "aws-protocol")]
pub use service::Permission;
pub use service::{ListQueues, MessageMoveTask, Page, Service, ServiceBuilder, StartMessageMoveTask, TaskHandle};
pub use state::{
    Counts, Fact, FactEntry, MessagePhase, MessageSnapshot, MoveTaskFailure, MoveTaskStatus, QueueSnapshot, Sent,
    StaleDelete,
};
pub use time::Timestamp;
