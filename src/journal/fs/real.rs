//! The file system of the machine.

use {
    super::{FileSystem, LogFile},
    crate::{
        journal::{error::JournalError, lock::DirectoryLock},
        sync::Mutex,
    },
    fs4::FileExt as _,
    std::{
        fs::{self, File, OpenOptions},
        io,
        path::{Path, PathBuf},
    },
};

/// A directory of the machine.
#[derive(Debug)]
pub(crate) struct RealFileSystem {
    directory: PathBuf,
    lock: Mutex<Option<DirectoryLock>>,
}

impl RealFileSystem {
    /// A directory, which is made with those above it if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, JournalError> {
        if directory.as_os_str().is_empty() {
            return Err(JournalError::EmptyPath);
        }
        let missing: Vec<_> = directory.ancestors().take_while(|it| !it.exists()).collect();
        for path in missing.into_iter().rev().filter(|it| !it.as_os_str().is_empty()) {
            match fs::create_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(JournalError::io("create", path.to_owned()))?,
            }
            let here = Path::new(".");
            let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
            let parent = parent.unwrap_or(here);
            sync_directory(parent).map_err(JournalError::io("sync", parent.to_owned()))?;
        }
        Self::existing(directory)
    }

    /// A directory that is there.
    pub(crate) fn existing(directory: &Path) -> Result<Self, JournalError> {
        if directory.as_os_str().is_empty() {
            return Err(JournalError::EmptyPath);
        }
        let found = fs::metadata(directory).map_err(JournalError::io("open", directory.to_owned()))?;
        if !found.is_dir() {
            let path = directory.to_owned();
            return Err(JournalError::NotADirectory { path });
        }
        Ok(Self {
            directory: directory.to_owned(),
            lock: Mutex::new(None),
        })
    }
}

impl FileSystem for RealFileSystem {
    fn lock(&self) -> Result<(), JournalError> {
        *self.lock.lock() = Some(DirectoryLock::acquire(&self.directory)?);
        Ok(())
    }

    fn lock_to_read(&self) -> Result<(), JournalError> {
        *self.lock.lock() = DirectoryLock::acquire_to_read(&self.directory)?;
        Ok(())
    }

    fn unlock(&self) {
        *self.lock.lock() = None;
    }

    fn has_segments(&self) -> bool {
        self.lock.lock().as_ref().is_some_and(DirectoryLock::has_segments)
    }

    fn note_segments(&self) -> io::Result<()> {
        self.lock.lock().as_mut().map_or(Ok(()), DirectoryLock::note_segments)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.directory)?.map(|it| Ok(it?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.locate(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.locate(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(RealFile(File::open(self.locate(name))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.locate(from), self.locate(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.locate(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        sync_directory(&self.directory)
    }

    fn locate(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// On Windows a directory cannot be synced, and NTFS journals names by itself.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(directory)?.sync_all()
}

#[derive(Debug)]
struct RealFile(File);

impl LogFile for RealFile {
    fn allocate(&self, length: u64) -> io::Result<()> {
        match self.0.allocate(length) {
            Ok(()) if self.length()? == length => Ok(()),
            // The space is there and the length is not.
            Ok(()) => self.0.set_len(length),
            Err(error) if is_unsupported(&error) => write_zeros(self, length),
            Err(error) => Err(error),
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(not(windows))]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }

    #[cfg(not(windows))]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = |buffer: &mut [u8], offset| std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset);
        let mut done = 0;
        while done < buffer.len() {
            match read(&mut buffer[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let write = |bytes: &[u8], offset| std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset);
        let mut done = 0;
        while done < bytes.len() {
            match write(&bytes[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Whether the file system has no way to allocate: `EOPNOTSUPP`, `ENOSYS`, or the `EINVAL` of ZFS.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

fn write_zeros(file: &dyn LogFile, length: u64) -> io::Result<()> {
    let zeros = [0; 1 << 16];
    let mut offset = 0;
    while offset < length {
        let part = zeros.len().min(usize::try_from(length - offset).unwrap_or(usize::MAX));
        file.write_at(&zeros[..part], offset)?;
        offset += part as u64;
    }
    Ok(())
}
