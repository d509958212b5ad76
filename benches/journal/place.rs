//! Where the contenders write, and what this process wrote.

use {
    super::{
        contenders::{Bare, Store},
        driver::median,
    },
    std::{
        fs, io,
        path::{Path, PathBuf},
        time::Instant,
    },
    tempfile::TempDir,
};

/// A new directory below `TMPDIR`; it is removed when dropped.
pub(crate) fn directory() -> TempDir {
    TempDir::with_prefix("requeue-journal-").expect("the directory for temporary files can be written")
}

/// A new directory in `parent`.
pub(crate) fn within(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    fs::create_dir(&path).expect("the parent can be written");
    path
}

/// The file system of a directory, as Linux names it.
pub(crate) fn file_system(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let point = Path::new(mount.split(' ').nth(4)?);
        directory
            .starts_with(point)
            .then(|| (point, file_system.split(' ').next()))
    });
    let deepest = mounts.max_by_key(|(point, _)| point.components().count());
    deepest
        .and_then(|(_, file_system)| file_system)
        .unwrap_or("an unknown file system")
        .to_owned()
}

/// The median of so many appends of `bytes` with an `fdatasync` each, in nanoseconds.
pub(crate) fn fdatasync(parent: &Path, bytes: usize, appends: usize) -> f64 {
    let bare = Bare::open(&within(parent, "fdatasync"), bytes);
    let append = |_| {
        let begun = Instant::now();
        bare.send("");
        begun.elapsed().as_nanos() as f64
    };
    median((0..appends).map(append))
}

/// What this process has written since it began, as Linux counts it.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    /// Bytes that were passed to the operating system.
    pub(crate) passed: f64,
    /// Bytes of the pages that the operating system then had to write to the disk.
    pub(crate) pages: f64,
}

impl Written {
    /// `None` where `/proc` does not tell.
    pub(crate) fn now() -> Option<Self> {
        let io = fs::read_to_string("/proc/self/io").ok()?;
        let field = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Some(Self {
            passed: field("wchar:")?,
            pages: field("write_bytes:")?,
        })
    }

    /// What `work` writes.
    pub(crate) fn during(work: impl FnOnce()) -> Option<Self> {
        let before = Self::now();
        work();
        let (before, after) = (before?, Self::now()?);
        Some(Self {
            passed: after.passed - before.passed,
            pages: after.pages - before.pages,
        })
    }
}

/// The lengths of all files below a directory, but for the few bytes of the lock of a journal.
pub(crate) fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A file that was removed since it was listed has no length any more.
        match entry.metadata() {
            _ if entry.file_name() == "LOCK" => {}
            Ok(metadata) if metadata.is_dir() => bytes += size(&entry.path())?,
            Ok(metadata) => bytes += metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
