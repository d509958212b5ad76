//! [`JournalError`], why a journal could not be opened, read or closed.

use {
    crate::error::{CreateQueueError, SetQueueAttributesError, StorageError},
    std::{fmt, io, path::PathBuf},
};

/// Why a journal could not be opened, read or closed.
///
/// A directory that is not opened because of what is in it or what was asked for is left as it was found, but for an
/// empty file `LOCK` in a new one. After [`Inconsistent`](Self::Inconsistent), [`CreateQueue`](Self::CreateQueue),
/// [`SetQueueAttributes`](Self::SetQueueAttributes) and [`Storage`](Self::Storage) a torn end may have been cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refused something.
    #[error("cannot {operation} {}: {source}", file.display())]
    Io {
        /// What was tried, such as "create" or "lock".
        operation: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A process has the journal open.
    #[error("{} is open in {}", directory.display(), Holder(*pid))]
    Locked {
        /// The directory of the journal.
        directory: PathBuf,
        /// The id of the process, which may be this one; `None` if it could not be read, as on Windows.
        pid: Option<u32>,
    },
    /// The file system cannot lock files, so that nothing would keep a second process out.
    #[error("the file system of {} has no locks: {source}", file.display())]
    NoLocks {
        /// The file to be locked.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The path of the journal is a file.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The path of the journal is empty.
    #[error("the path of the journal is empty")]
    EmptyPath,
    /// There is no journal to read in the directory.
    #[error("there is no journal in {}", directory.display())]
    NoJournal {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory has no journal and is not empty.
    #[error("the directory holds no journal but something else: {}", file.display())]
    NotAJournal {
        /// A file in it that is not of a journal.
        file: PathBuf,
    },
    /// The directory to copy to is not empty.
    #[error("{} is not empty", directory.display())]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
    /// A later release wrote the journal.
    #[error("{} has version {version} of the format, and this release reads versions up to {supported}", file.display())]
    NewerVersion {
        /// The file.
        file: PathBuf,
        /// The version of its format.
        version: u32,
        /// The latest version that this release reads.
        supported: u32,
    },
    /// Data that was acknowledged cannot be read, or a file is missing or shorter than it was.
    ///
    /// [`salvage`](super::salvage) copies what can be read to a new directory.
    #[error("{} is damaged at byte {offset}: {}; salvage copies what can be read", file.display(), Lost(*records))]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in the file the readable part ends.
        offset: u64,
        /// How many records cannot be read; `None` if that cannot be told. A record holds what one call changed.
        records: Option<u64>,
    },
    /// A file belongs to another journal, or to another place in this one.
    #[error("{} is a segment of another journal, or was renamed", file.display())]
    ForeignSegment {
        /// The file.
        file: PathBuf,
    },
    /// A record is intact and yet says nothing that this release knows.
    #[error("record {record} of the journal cannot be read: {reason}")]
    Undecodable {
        /// The number of the record.
        record: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// What the records say together makes no service.
    #[error("the journal in {} is inconsistent: {reason}", directory.display())]
    Inconsistent {
        /// The directory of the journal.
        directory: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A queue in the journal has settings beyond the limits of the service.
    #[error("the queue {queue:?} in the journal does not keep to the limits given: {source}")]
    Settings {
        /// The name of the queue.
        queue: String,
        /// Which setting, and which limit.
        source: SetQueueAttributesError,
    },
    /// A queue was to be opened by itself, and the journal is of others. A service opens them, and makes queues beside them.
    #[error("the journal in {} has no queue {queue:?}, but {}", directory.display(), queues.join(", "))]
    NotInJournal {
        /// The directory of the journal.
        directory: PathBuf,
        /// The queue that was asked for.
        queue: String,
        /// The queues in the journal.
        queues: Vec<String>,
    },
    /// The journal was written under other settings than those given.
    #[error("the {what} of the journal is {stored}, and {given} was given")]
    Mismatch {
        /// Which setting, such as "region".
        what: &'static str,
        /// The value in the journal.
        stored: String,
        /// The value given.
        given: String,
    },
    /// The queue that is not in the journal yet could not be made.
    #[error(transparent)]
    CreateQueue(#[from] CreateQueueError),
    /// The attributes given do not fit the queue in the journal.
    #[error(transparent)]
    SetQueueAttributes(#[from] SetQueueAttributesError),
    /// The journal failed while it was open.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl JournalError {
    pub(crate) fn io(operation: &'static str, file: PathBuf) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            operation,
            file,
            source,
        }
    }
}

struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) if pid == std::process::id() => write!(f, "this process, {pid}"),
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("a process"),
        }
    }
}

struct Lost(Option<u64>);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("how many records are lost cannot be told"),
            Some(1) => f.write_str("1 record is lost"),
            Some(records) => write!(f, "{records} records are lost"),
        }
    }
}
