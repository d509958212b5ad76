//! The lock that keeps a second process out of a journal.

use {
    super::error::JournalError,
    crate::clock::{Clock as _, Parker, SystemClock},
    fs4::{FileExt, TryLockError},
    std::{
        fs::{File, OpenOptions},
        io::{self, Read as _, Seek as _, Write as _},
        path::{Path, PathBuf},
        time::Duration,
    },
};

/// The file that is locked. It holds the id of the process that has the journal open.
pub(crate) const NAME: &str = "LOCK";

/// No process id has more digits.
const LONGEST_ID: usize = 20;

/// The file is not longer than this.
const LONGEST: u64 = 100;

/// An opening waits so often for a lock of its own process, and so long each time: a second in all.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// What the file says from the first segment on, after the id.
const HAS_SEGMENTS: &str = "segments were made here";

/// Takes a lock that this process may be about to give back: the last handle of a journal is gone before its thread has
/// ended, which may be in the middle of compaction.
pub(crate) fn take(mut lock: impl FnMut() -> Result<(), JournalError>) -> Result<(), JournalError> {
    let (clock, parker) = (SystemClock::new(), Parker::new());
    let is_own =
        |result: &_| matches!(result, Err(JournalError::Locked { pid: Some(pid), .. }) if *pid == std::process::id());
    let mut locked = lock();
    for _ in 0..TRIES {
        if !is_own(&locked) {
            break;
        }
        clock.park_until(&parker, Some(clock.now().saturating_add(PAUSE)));
        locked = lock();
    }
    locked
}

/// The lock of a directory, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: File,
    /// What the file held before, which is put back: a directory that could not be opened is left as it was found.
    before: Option<Vec<u8>>,
    /// Whether a segment was ever made here.
    has_segments: bool,
}

impl DirectoryLock {
    /// Locks a directory to change what is in it. Makes the file if it is not there.
    pub(crate) fn acquire(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join(NAME);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(JournalError::io("open", path.clone()))?;
        // `File` has a method of this name since 1.89.
        let locked = FileExt::try_lock(&file);
        check(locked, &mut file, directory, &path)?;
        let mut before = Vec::new();
        let read = (&file).take(LONGEST).read_to_end(&mut before);
        read.map_err(JournalError::io("read", path))?;
        let has_segments = has_segments(&before);
        // It is information alone: on a full disk there may be no room for it.
        drop(replace(&mut file, &content(has_segments)));
        Ok(Self {
            file,
            before: Some(before),
            has_segments,
        })
    }

    /// Locks a directory to read what is in it; `None` if no process ever locked it. Changes nothing.
    pub(crate) fn acquire_to_read(directory: &Path) -> Result<Option<Self>, JournalError> {
        let path = directory.join(NAME);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(JournalError::io("open", path.clone()))?,
        };
        let locked = FileExt::try_lock_shared(&file);
        check(locked, &mut file, directory, &path)?;
        let mut before = Vec::new();
        let read = (&file).take(LONGEST).read_to_end(&mut before);
        read.map_err(JournalError::io("read", path))?;
        Ok(Some(Self {
            file,
            before: None,
            has_segments: has_segments(&before),
        }))
    }

    pub(crate) const fn has_segments(&self) -> bool {
        self.has_segments
    }

    /// Notes for good that segments were made here: without them something is lost.
    pub(crate) fn note_segments(&mut self) -> io::Result<()> {
        if !self.has_segments {
            replace(&mut self.file, &content(true))?;
            self.file.sync_all()?;
            self.has_segments = true;
            self.before = Some(format!("{:LONGEST_ID$}\n{HAS_SEGMENTS}\n", "").into_bytes());
        }
        Ok(())
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The content matters only while the file is locked.
            drop(replace(&mut self.file, before));
        }
        // Closing the file is not enough: a child process that was just forked has it open too, until it starts its program.
        drop(FileExt::unlock(&self.file));
    }
}

fn check(locked: Result<(), TryLockError>, file: &mut File, directory: &Path, path: &Path) -> Result<(), JournalError> {
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            // On Windows nobody else reads a locked file.
            let mut text = String::new();
            let read = file.take(LONGEST).read_to_string(&mut text);
            let id = text.lines().next().and_then(|it| it.trim().parse().ok());
            Err(JournalError::Locked {
                directory: directory.to_owned(),
                pid: read.ok().and(id),
            })
        }
        Err(TryLockError::Error(source)) => Err(refused(source, path.to_owned())),
    }
}

/// Why a file could not be locked, when nobody has it locked.
fn refused(source: io::Error, file: PathBuf) -> JournalError {
    // ENOLCK has no kind of its own.
    let has_no_locks =
        source.kind() == io::ErrorKind::Unsupported || source.raw_os_error() == Some(37) && cfg!(target_os = "linux");
    if has_no_locks {
        return JournalError::NoLocks { file, source };
    }
    JournalError::Io {
        operation: "lock",
        file,
        source,
    }
}

/// What the file holds while it is locked by this process.
fn content(has_segments: bool) -> Vec<u8> {
    let note = if has_segments { HAS_SEGMENTS } else { "" };
    format!("{:LONGEST_ID$}\n{note}\n", std::process::id()).into_bytes()
}

fn has_segments(content: &[u8]) -> bool {
    String::from_utf8_lossy(content).lines().any(|it| it == HAS_SEGMENTS)
}

/// Never shortens the file before it is written: a process that dies meanwhile leaves the note that segments were made.
fn replace(file: &mut File, content: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_waits_for_a_lock_of_its_own_process_alone() {
        let locked = |pid| JournalError::Locked {
            directory: PathBuf::new(),
            pid,
        };
        let own = std::process::id();
        for (pid, tries) in [(Some(own), 3), (Some(own + 1), 1), (None, 1)] {
            let mut tried = 0;
            let taken = take(|| {
                tried += 1;
                if tried < 3 { Err(locked(pid)) } else { Ok(()) }
            });
            assert_eq!((tried, taken.is_ok()), (tries, pid == Some(own)));
        }
    }

    #[test]
    fn a_lock_that_was_given_back_is_free_although_a_fork_has_its_file_open() {
        let directory = std::env::temp_dir().join(format!("requeue-lock-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let lock = DirectoryLock::acquire(&directory).unwrap();
        let inherited = lock.file.try_clone().unwrap();
        drop(lock);
        let again = DirectoryLock::acquire(&directory).map(drop);
        drop(inherited);
        std::fs::remove_dir_all(&directory).unwrap();
        again.unwrap();
    }
}
