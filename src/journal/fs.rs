//! The seam for the file system: one directory, and what a log does in it.

use {
    super::error::JournalError,
    std::{fmt, io, path::PathBuf},
};

mod real;

pub(crate) use real::RealFileSystem;

/// A directory with files.
///
/// What was written to a file survives a power cut once [`sync`](LogFile::sync) has returned; the names of files survive
/// one once [`sync_directory`](Self::sync_directory) has.
pub(crate) trait FileSystem: fmt::Debug + Send + Sync + 'static {
    /// Keeps other processes out until [`unlock`](Self::unlock).
    fn lock(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Keeps out those that would change something, and changes nothing itself.
    fn lock_to_read(&self) -> Result<(), JournalError> {
        Ok(())
    }

    fn unlock(&self) {}

    /// Whether [`note_segments`](Self::note_segments) was ever called. The directory is locked.
    fn has_segments(&self) -> bool {
        false
    }

    /// Notes for good that segments were made. The directory is locked.
    fn note_segments(&self) -> io::Result<()> {
        Ok(())
    }

    /// The names of the files, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a new file; fails if there is one of this name.
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>>;

    /// Opens a file to read and write it.
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>>;

    /// Opens a file to read it alone.
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.open(name)
    }

    /// Gives a file another name, in place of the file that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names of files survive a power cut.
    fn sync_directory(&self) -> io::Result<()>;

    /// What to call a file in an error.
    fn locate(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

/// An open file.
pub(crate) trait LogFile: fmt::Debug + Send + Sync {
    /// Gives the file this length and the space for it, which reads as zeros.
    fn allocate(&self, length: u64) -> io::Result<()>;

    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on; fails if the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes what was written survive a power cut.
    fn sync(&self) -> io::Result<()>;
}
