//! [`salvage`], the readable rest of a damaged journal as a new one.

use {
    super::{
        codec,
        error::JournalError,
        fs::{FileSystem, RealFileSystem},
        lock,
        log::{Level, Log, LogOptions},
        reading::Reading,
    },
    crate::{
        limits::Limits,
        state::{QueueImage, Recorded},
    },
    std::{path::Path, sync::Arc},
};

/// A record ends with the entry by which it has so many bytes.
const RECORD_BYTES: usize = 1 << 16;

/// What [`salvage`] copied, and what could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Salvaged {
    /// Queues that the new journal has.
    pub queues: usize,
    /// Messages that it has.
    pub messages: usize,
    /// What was damaged, with file and offset, in the order in which it was found.
    pub damage: Vec<JournalError>,
    /// How many records could not be read, the sum over `damage`: 0 if nothing is damaged, `None` if it cannot be told. A
    /// record is what one call changed.
    pub lost_records: Option<u64>,
}

/// Copies what can be read of a damaged journal to a new directory; the damaged one stays as it is.
///
/// A record that is lost is missing from what the copy says, so look through it before use. A send that is lost is a
/// message less. After a lost receive or delete the message is there as it was before: it is delivered again. A queue of
/// which nothing but messages is readable is called `salvaged-` and its number, and has default attributes; so is the older
/// one of two that have the same name. Receipt handles stay valid, except in a queue where two messages were found at one
/// place.
///
/// A journal without damage is copied as well. If the copy fails, remove what is in `to` and try again.
///
/// # Errors
/// As [`inspect`](super::inspect) for `from`; [`NotEmpty`](JournalError::NotEmpty) if there is anything in `to`, which is
/// created if it is missing; and others if the operating system refuses to write there.
///
/// # Examples
/// ```
/// use requeue::{Queue, journal::salvage};
///
/// # let directory = std::env::temp_dir().join(format!("requeue-salvage-{}", std::process::id()));
/// # let (damaged, rest) = (directory.join("damaged"), directory.join("rest"));
/// let jobs = Queue::standard("jobs").journal(&damaged).open()?;
/// jobs.send("resize cat.png")?;
/// jobs.close()?;
///
/// let salvaged = salvage(&damaged, &rest)?;
/// assert_eq!((salvaged.queues, salvaged.messages, salvaged.lost_records), (1, 1, Some(0)));
/// let jobs = Queue::standard("jobs").journal(&rest).open()?;
/// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
/// # jobs.close()?;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Salvaged, JournalError> {
    let source = RealFileSystem::existing(from.as_ref())?;
    let target = RealFileSystem::open(to.as_ref())?;
    salvage_in(&source, Arc::new(target), LogOptions::default())
}

pub(super) fn salvage_in(
    from: &dyn FileSystem,
    to: Arc<dyn FileSystem>,
    options: LogOptions,
) -> Result<Salvaged, JournalError> {
    let names = to.list().map_err(JournalError::io("list", to.locate("")))?;
    if names.iter().any(|name| name != lock::NAME) {
        return Err(JournalError::NotEmpty {
            directory: to.locate(""),
        });
    }
    let Reading { mut image, damage, .. } = Reading::of(from, &Limits::default())?;
    let log = Log::open(to, options, &mut |_, _| Ok(()), &mut || Ok(()), &mut |_, _| {})?;
    let salvaged = Salvaged {
        queues: image.queues.len(),
        messages: image.queues.values().map(|queue| queue.messages.len()).sum(),
        lost_records: damage.iter().map(lost_records).sum(),
        damage,
    };
    let opened = Recorded::Opened {
        epoch: image.epoch,
        at: image.latest,
    };
    if let Some(service) = image.header.take() {
        let deleted = image.deleted.into_iter();
        let deleted = deleted.map(|(name, at)| Recorded::NameDeleted { name, at });
        write(&log, 0, [opened].into_iter().chain(deleted))?;
        for (number, queue) in image.queues {
            write(&log, number, entries(queue))?;
        }
        log.wait(log.appended(), Level::Synced)?;
        // Without it the directory cannot be opened, so it comes last.
        write(&log, 0, [Recorded::Service(service)].into_iter())?;
        log.wait(log.appended(), Level::Synced)?;
    }
    log.close()?;
    Ok(salvaged)
}

const fn lost_records(damage: &JournalError) -> Option<u64> {
    match damage {
        JournalError::Damaged { records, .. } => *records,
        JournalError::Undecodable { .. } => Some(1),
        _ => None,
    }
}

/// A queue as entries, messages in order.
fn entries(queue: QueueImage) -> impl Iterator<Item = Recorded> {
    let messages = queue.messages.into_values();
    let tags = Some(queue.tags).filter(|tags| !tags.is_empty());
    let head = queue
        .header
        .map(Recorded::Queue)
        .into_iter()
        .chain(tags.map(Recorded::Tags));
    let tasks = queue.tasks.into_iter().map(Recorded::Task);
    let remembered = queue.remembered.into_values().map(Recorded::Remembered);
    head.chain(tasks)
        .chain(remembered)
        .chain(messages.map(Recorded::Message))
}

fn write(log: &Log, queue: u64, entries: impl Iterator<Item = Recorded>) -> Result<(), JournalError> {
    let mut entries = entries.peekable();
    while entries.peek().is_some() {
        let position = log.append(|out| {
            let end = out.len() + RECORD_BYTES;
            codec::begin(queue, out);
            for entry in entries.by_ref() {
                codec::encode(&entry, out);
                if out.len() >= end {
                    break;
                }
            }
        });
        log.wait(position, Level::Written)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
