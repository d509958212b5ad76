//! [`inspect`], what is in a journal that nobody has open.

use {
    super::{
        error::JournalError,
        fs::{FileSystem, RealFileSystem},
        reading::Reading,
    },
    crate::{
        attributes::QueueSettings,
        clock::{Clock as _, SystemClock},
        limits::Limits,
        state::{QueueImage, QueueSnapshot, QueueState, Recorded, StaleDelete},
        time::Timestamp,
    },
    std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
        sync::Arc,
    },
};

/// What is in the directory of a journal; the answer of [`inspect`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The region of the service, `None` if nothing was recorded yet.
    pub region: Option<String>,
    /// The account of the service, `None` if nothing was recorded yet.
    pub account_id: Option<String>,
    /// The queues, in the order of their creation.
    pub queues: Vec<InspectedQueue>,
    /// The files, oldest first.
    pub segments: Vec<InspectedSegment>,
    /// How many records were read. A record is what one call changed.
    pub records: u64,
    /// Whether writes that nobody was told of follow the last record: the process or the machine died while it wrote. The
    /// next opening cuts them off.
    pub is_torn: bool,
    /// What is damaged, in the order in which it was found; empty if the journal can be opened. Queues and messages are
    /// then what the readable rest says, as [`salvage`](super::salvage) would copy it.
    pub damage: Vec<JournalError>,
}

/// A queue of an [`Inspection`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedQueue {
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub settings: QueueSettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its counts and all its messages, as of the inspection.
    pub snapshot: QueueSnapshot,
}

/// A file of an [`Inspection`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct InspectedSegment {
    /// Its name in the directory.
    pub name: String,
    /// The length that it was made with.
    pub bytes: u64,
}

/// Reads the journal in a directory that no process has open, and changes nothing in it.
///
/// Messages are shown as they would be if the journal were opened now: a visibility timeout that has ended since has
/// ended, a message whose retention is over is gone. Everything is read into memory.
///
/// # Errors
/// [`Locked`](JournalError::Locked) if a process has the journal open, [`NewerVersion`](JournalError::NewerVersion) if a
/// later release wrote it, [`NoJournal`](JournalError::NoJournal) or [`NotAJournal`](JournalError::NotAJournal) if there is
/// none, and others if the operating system refuses to read it. Damage is no
/// error: it stands in [`damage`](Inspection::damage).
///
/// # Examples
/// ```
/// use requeue::{Queue, journal::inspect};
///
/// # let directory = std::env::temp_dir().join(format!("requeue-inspect-{}", std::process::id()));
/// let jobs = Queue::standard("jobs").journal(&directory).open()?;
/// jobs.send("resize cat.png")?;
/// jobs.close()?;
///
/// let found = inspect(&directory)?;
/// let [jobs] = &found.queues[..] else { panic!("one queue") };
/// assert_eq!((jobs.name.as_str(), jobs.snapshot.counts.visible), ("jobs", 1));
/// assert_eq!(&**jobs.snapshot.messages[0].content.body(), "resize cat.png");
/// assert!(found.damage.is_empty());
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inspect(directory: impl AsRef<Path>) -> Result<Inspection, JournalError> {
    let files = RealFileSystem::existing(directory.as_ref())?;
    inspect_in(&files, SystemClock::new().now())
}

pub(super) fn inspect_in(files: &dyn FileSystem, now: Timestamp) -> Result<Inspection, JournalError> {
    let limits = Limits::default();
    let Reading {
        mut image,
        contents,
        records,
        damage,
    } = Reading::of(files, &limits)?;
    // As opening does it.
    let (epoch, at) = (image.epoch + 1, now);
    image.apply(0, Recorded::Opened { epoch, at });
    let limits = Arc::new(limits);
    let queues = image.queues.into_values();
    let queues = queues.map(|queue| InspectedQueue::of(queue, &limits, now, &files.locate("")));
    let (region, account_id) = image.header.map(|header| (header.region, header.account_id)).unzip();
    Ok(Inspection {
        region,
        account_id,
        queues: queues.collect::<Result<_, _>>()?,
        segments: contents
            .segments
            .into_iter()
            .map(|(name, bytes)| InspectedSegment { name, bytes })
            .collect(),
        records,
        is_torn: contents.is_torn,
        damage,
    })
}

impl InspectedQueue {
    fn of(mut image: QueueImage, limits: &Arc<Limits>, now: Timestamp, directory: &Path) -> Result<Self, JournalError> {
        let inconsistent = |reason: String| JournalError::Inconsistent {
            directory: PathBuf::from(directory),
            reason,
        };
        let Some(header) = image.header.clone() else {
            return Err(inconsistent("a queue has no header".to_owned()));
        };
        let tags = std::mem::take(&mut image.tags);
        let state = QueueState::restore(image, Arc::clone(limits), StaleDelete::default(), 1, 0, now);
        let state = state.map_err(|error| inconsistent(error.to_string()))?;
        Ok(Self {
            name: header.name,
            settings: header.settings,
            tags,
            snapshot: state.snapshot(now),
        })
    }
}

#[cfg(test)]
pub(in crate::journal) mod tests;
