//! A directory in memory that fails when it is told to, fills up, and forgets in a power cut what was not synced.
//!
//! It is pessimistic where file systems differ. A sync of a file does not keep its name, and after a sync that failed no
//! later one makes up for it. Changes of names that were not synced survive in their order. Of a file any sectors of
//! 512 bytes that were not synced may survive, each as any write since the last sync left it, and so may its length.

use {
    super::fs::{FileSystem, LogFile},
    crate::sync::Mutex,
    disk::Disk,
    std::{
        collections::{BTreeMap, BTreeSet},
        fmt,
        io::{self, ErrorKind},
        sync::Arc,
    },
};

mod disk;
mod tests;

pub(crate) use disk::{Bounds, Image, SECTOR};

/// A kind of call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Call {
    Create,
    Open,
    Rename,
    Remove,
    SyncDirectory,
    Allocate,
    Read,
    Write,
    Sync,
}

impl Call {
    fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// EIO.
    Io,
    /// ENOSPC.
    Full,
}

impl Failure {
    pub(crate) fn error(self) -> io::Error {
        match self {
            Self::Io => io::Error::other("input/output error"),
            Self::Full => io::Error::new(ErrorKind::StorageFull, "no space left on device"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    call: Call,
    /// Of the calls of the kind, from 1.
    first: u64,
    last: u64,
    failure: Failure,
}

/// One process's view of a directory in memory. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct SimFs {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    disk: Disk,
    capacity: Option<u64>,
    calls: BTreeMap<Call, u64>,
    /// Calls that may have changed something.
    changes: u64,
    faults: Vec<Fault>,
    skipped: BTreeSet<Call>,
    record: Option<Vec<Moment>>,
}

/// The state of a disk between two calls.
#[derive(Clone)]
pub(crate) struct Moment {
    disk: Disk,
    /// [`SimFs::changes`] at this moment.
    pub(crate) changes: u64,
}

impl Moment {
    /// Calls `each` once for each directory that a power cut may leave at this moment.
    pub(crate) fn power_cut(&self, bounds: Bounds, each: impl FnMut(Image)) {
        self.disk.images(bounds, each);
    }

    /// The directory for the next process, if this one is killed: nothing is lost, and what was not synced is not synced.
    pub(crate) fn killed(&self) -> SimFs {
        SimFs::of(self.disk.without_users())
    }
}

impl SimFs {
    fn of(disk: Disk) -> Self {
        let sim = Self::default();
        sim.shared.lock().disk = disk;
        sim
    }

    pub(crate) fn from_image(image: &Image) -> Self {
        Self::of(Disk::from(image))
    }

    /// Fails calls of a kind: the `first` from now on (1 is the next), or that one and all after it.
    pub(crate) fn fail(&self, call: Call, first: u64, for_ever: bool, failure: Failure) {
        let mut shared = self.shared.lock();
        let first = shared.calls.get(&call).copied().unwrap_or(0) + first;
        let last = if for_ever { u64::MAX } else { first };
        shared.faults.push(Fault {
            call,
            first,
            last,
            failure,
        });
    }

    /// Ends all failures.
    pub(crate) fn mend(&self) {
        self.shared.lock().faults.clear();
    }

    /// Answers calls of a kind that they succeeded and does nothing: `Sync` or `SyncDirectory`.
    pub(crate) fn skip(&self, call: Call) {
        self.shared.lock().skipped.insert(call);
    }

    /// How many bytes the files may take; `None` is no bound.
    pub(crate) fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.lock().capacity = bytes;
    }

    /// Bytes that the files take.
    pub(crate) fn used(&self) -> u64 {
        self.shared.lock().disk.used()
    }

    /// Calls of a kind so far, failed ones too.
    pub(crate) fn calls(&self, call: Call) -> u64 {
        self.shared.lock().calls.get(&call).copied().unwrap_or(0)
    }

    /// Calls so far that change something, failed ones too.
    pub(crate) fn changes(&self) -> u64 {
        self.shared.lock().changes
    }

    /// Keeps this moment and, from now on, the one after each call that changes something.
    pub(crate) fn record(&self) {
        let mut shared = self.shared.lock();
        shared.record = Some(Vec::new());
        shared.keep();
    }

    /// The moments kept, oldest first.
    pub(crate) fn moments(&self) -> Vec<Moment> {
        self.shared.lock().record.take().unwrap_or_default()
    }

    pub(crate) fn moment(&self) -> Moment {
        self.shared.lock().moment()
    }

    /// The directory as programs see it.
    pub(crate) fn seen(&self) -> Image {
        self.shared.lock().disk.seen()
    }

    fn file(&self, name: &str, file: u64, shared: &mut Shared) -> Box<dyn LogFile> {
        shared.disk.use_file(file);
        Box::new(SimFile {
            name: name.to_owned(),
            file,
            shared: self.shared.clone(),
        })
    }
}

impl fmt::Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.shared.lock().disk.names.keys().cloned().collect();
        f.debug_struct("SimFs").field("names", &names).finish_non_exhaustive()
    }
}

impl Shared {
    fn moment(&self) -> Moment {
        Moment {
            disk: self.disk.clone(),
            changes: self.changes,
        }
    }

    fn keep(&mut self) {
        let moment = self.moment();
        if let Some(record) = &mut self.record {
            record.push(moment);
        }
    }

    /// Counts a call, and does it or fails it. A call that fails for good reason is no change.
    fn call<T>(&mut self, call: Call, run: impl FnOnce(&mut Self, Option<Failure>) -> io::Result<T>) -> io::Result<T> {
        let count = self.calls.entry(call).or_insert(0);
        *count += 1;
        let count = *count;
        let fault = self
            .faults
            .iter()
            .find(|it| it.call == call && (it.first..=it.last).contains(&count));
        let failure = fault.map(|it| it.failure);
        let result = run(self, failure);
        if call.changes() {
            self.changes += 1;
            if self.record.is_some() {
                self.keep();
            }
        }
        result
    }

    fn named(&self, name: &str) -> io::Result<u64> {
        let missing = || io::Error::new(ErrorKind::NotFound, format!("no file {name:?}"));
        self.disk.names.get(name).copied().ok_or_else(missing)
    }

    fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |it| it.saturating_sub(self.disk.used()))
    }
}

fn fail(failure: Option<Failure>) -> io::Result<()> {
    failure.map_or(Ok(()), |it| Err(it.error()))
}

impl FileSystem for SimFs {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.shared.lock().disk.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut shared = self.shared.lock();
        let file = shared.call(Call::Create, |shared, failure| {
            fail(failure)?;
            if shared.disk.names.contains_key(name) {
                return Err(io::Error::new(
                    ErrorKind::AlreadyExists,
                    format!("file {name:?} exists"),
                ));
            }
            Ok(shared.disk.link(name))
        })?;
        Ok(self.file(name, file, &mut shared))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut shared = self.shared.lock();
        let file = shared.call(Call::Open, |shared, failure| {
            fail(failure)?;
            shared.named(name)
        })?;
        Ok(self.file(name, file, &mut shared))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shared.lock().call(Call::Rename, |shared, failure| {
            fail(failure)?;
            shared.named(from)?;
            shared.disk.rename(from, to);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.shared.lock().call(Call::Remove, |shared, failure| {
            fail(failure)?;
            shared.named(name)?;
            shared.disk.remove(name);
            Ok(())
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.shared.lock().call(Call::SyncDirectory, |shared, failure| {
            fail(failure)?;
            if !shared.skipped.contains(&Call::SyncDirectory) {
                shared.disk.sync_names();
            }
            Ok(())
        })
    }
}

struct SimFile {
    name: String,
    file: u64,
    shared: Arc<Mutex<Shared>>,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimFile").field(&self.name).finish()
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.shared.lock().disk.leave_file(self.file);
    }
}

fn within(at: u64) -> usize {
    usize::try_from(at).expect("a place in a file in memory")
}

impl LogFile for SimFile {
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.shared.lock().call(Call::Allocate, |shared, failure| {
            fail(failure)?;
            let more = length.saturating_sub(shared.disk.content(self.file).len() as u64);
            if more > shared.room() {
                return Err(Failure::Full.error());
            }
            shared.disk.allocate(self.file, within(length));
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.shared.lock().disk.content(self.file).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.shared.lock().call(Call::Read, |shared, failure| {
            fail(failure)?;
            let content = shared.disk.content(self.file);
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(buffer.len());
            let found = content.get(start..end).ok_or(ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(found);
            Ok(())
        })
    }

    /// Where it fails, the first half is written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.shared.lock().call(Call::Write, |shared, failure| {
            let end = offset + bytes.len() as u64;
            let more = end.saturating_sub(shared.disk.content(self.file).len() as u64);
            let full = (more > shared.room()).then_some(Failure::Full);
            if let Some(failure) = failure.or(full) {
                let half = bytes.len().saturating_sub(within(more)).min(bytes.len() / 2);
                shared.disk.write(self.file, &bytes[..half], within(offset));
                return Err(failure.error());
            }
            shared.disk.write(self.file, bytes, within(offset));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.shared.lock().call(Call::Sync, |shared, failure| {
            if let Some(failure) = failure {
                shared.disk.give_up(self.file);
                return Err(failure.error());
            }
            if !shared.skipped.contains(&Call::Sync) {
                shared.disk.sync(self.file);
            }
            Ok(())
        })
    }
}
