//! [`StorageError`], why a journal could not record a call.

use super::codes;
use std::{io, sync::Arc};

/// Why a call was not recorded in the journal of its queue, or perhaps not.
///
/// Only queues with a journal answer with it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk is full. Nothing was stored, and the queue serves on: the same call succeeds once there is room.
    #[error("the disk of the journal is full: {source}")]
    Full {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The write or sync of this call failed, and with it the journal stopped. Whether the call is in the journal shows
    /// when it is opened again; a FIFO message that is sent again with its deduplication id is stored once (F11).
    #[error("the outcome is unknown, because the journal could not be written: {source}")]
    Unknown {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A write or sync of an earlier call failed, and the journal stopped. Nothing was stored.
    #[error("the journal stopped at an earlier failure and must be opened again: {source}")]
    Stopped {
        /// What the operating system said then.
        source: Arc<io::Error>,
    },
    /// Everything is recorded, and what is not needed any more could not be removed: the files only grow. Closing answers
    /// with it.
    #[error("the journal could not be compacted: {source}")]
    Compaction {
        /// What failed last.
        source: Arc<io::Error>,
    },
    /// The journal was closed. Nothing was stored.
    #[error("the journal is closed")]
    Closed,
    /// The process that calls is a fork of the one that opened the journal. Nothing was stored.
    #[error("the journal was opened by process {opened_by}, of which this process is a fork")]
    Forked {
        /// The process that opened it.
        opened_by: u32,
    },
}

codes! {
    /// use requeue::StorageError;
    /// assert_eq!(StorageError::Closed.code(), "InternalFailure");
    StorageError:
    Full = ServiceUnavailable, Unknown = InternalFailure, Stopped = InternalFailure, Closed = InternalFailure,
    Compaction = InternalFailure, Forked = InternalFailure
}

/// Two are equal if they are of one kind.
impl PartialEq for StorageError {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Eq for StorageError {}
