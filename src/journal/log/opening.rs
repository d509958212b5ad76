//! Opening a log to append to it.

use {
    super::{
        LogOptions, Shared,
        commit::{State, Tail},
        frame::{HEADER, Header, zeros},
        reader::{Directory, File, OnFrame, OnProgress, Reader},
        segment::{self, Segment},
    },
    crate::{
        journal::{error::JournalError, fs::FileSystem, lock},
        queue::Position,
        sync::{Condvar, Mutex},
    },
    std::{
        collections::VecDeque,
        hash::{BuildHasher, RandomState},
        sync::{Arc, atomic::AtomicU64},
    },
};

/// Opens the log of a directory, or makes one.
pub(super) fn open(
    fs: Arc<dyn FileSystem>,
    options: LogOptions,
    on_frame: OnFrame<'_>,
    on_end: &mut dyn FnMut() -> Result<(), JournalError>,
    on_progress: OnProgress<'_>,
) -> Result<Shared, JournalError> {
    // What is no journal is not locked either: that would make a file.
    Directory::list(&*fs)?;
    lock::take(|| fs.lock())?;
    let directory = Directory::list(&*fs)?;
    let opened = if directory.segments.is_empty() {
        no_segments(&*fs).map_or(Ok(()), Err)?;
        on_end()?;
        create(&*fs, &options, &directory)?
    } else {
        let mut reader = Reader::new(&*fs, &directory, true, &mut Err)?;
        reader.read_all(on_frame, &mut Err, on_progress)?;
        on_end()?;
        reader.repair(&directory)?
    };
    let noted = fs.note_segments();
    noted.map_err(JournalError::io("write", fs.locate(lock::NAME)))?;
    Ok(opened.share(fs, options))
}

/// What is wrong if a directory without segments had some.
pub(super) fn no_segments(fs: &dyn FileSystem) -> Option<JournalError> {
    fs.has_segments().then(|| JournalError::Damaged {
        file: fs.locate(&segment::name(1)),
        offset: 0,
        records: None,
    })
}

fn create(fs: &dyn FileSystem, options: &LogOptions, directory: &Directory) -> Result<Opened, JournalError> {
    remove_files(fs, &directory.temporary)?;
    let store = options.store.unwrap_or_else(|| {
        let half = |salt: u64| u128::from(RandomState::new().hash_one((salt, options.clock.now())));
        half(0) << 64 | half(1)
    });
    let length = segment::length_for(0).max(options.segment_bytes);
    let first = Segment::create(fs, store, 1, length, || {});
    let first = first.map_err(JournalError::io("create", fs.locate(&segment::name(1))))?;
    Ok(Opened {
        store,
        current: first,
        offset: HEADER,
        last: 0,
        proven: 0,
        oldest: 1,
        sealed: VecDeque::new(),
        reserve: None,
    })
}

fn remove_files(fs: &dyn FileSystem, names: &[String]) -> Result<(), JournalError> {
    for name in names {
        fs.remove(name).map_err(JournalError::io("remove", fs.locate(name)))?;
    }
    Ok(())
}

/// A log that can be appended to.
struct Opened {
    store: u128,
    current: Segment,
    offset: usize,
    last: Position,
    proven: Position,
    oldest: u32,
    sealed: VecDeque<(u32, u64)>,
    reserve: Option<Segment>,
}

impl Reader<'_> {
    /// Makes the directory what was read: cuts the tail, and makes all that was read survive a power cut.
    fn repair(mut self, directory: &Directory) -> Result<Opened, JournalError> {
        let (fs, end) = (self.fs, self.end);
        let first_touched = self.unproven.front().map_or(end, |it| it.1.min(end));
        for index in first_touched.file..=end.file {
            let from = if index == first_touched.file {
                first_touched.offset
            } else {
                HEADER
            };
            self.rewrite(index, from)?;
        }
        // Newest first: of a tail that is removed in part the rest has no gap.
        let mut removed = Vec::new();
        let mut after: Vec<File> = self.files.drain(end.file + 1..).collect();
        let keeps = !self.is_torn
            && after
                .first()
                .is_some_and(|it| it.number == self.files[end.file].number + 1);
        let mut reserve = None;
        if keeps && self.is_unused(&after[0])? {
            reserve = Some(after.remove(0));
        }
        removed.extend(after.iter().rev().map(|it| segment::name(it.number)));
        let oldest = self.oldest.unwrap_or(1);
        let needless = self.files[..end.file].iter().filter(|it| it.number < oldest);
        removed.extend(needless.map(|it| segment::name(it.number)));
        removed.extend(directory.temporary.iter().cloned());
        remove_files(fs, &removed)?;
        // Also a name that was read may not be safe yet.
        fs.sync_directory().map_err(JournalError::io("sync", fs.locate("")))?;

        let store = self.store;
        let segment = |file: File| {
            let header = Header {
                store,
                number: file.number,
                length: file.length,
            };
            Segment::new(file.file, header)
        };
        let current = self.files.swap_remove(end.file);
        let sealed = self.files.iter().filter(|it| it.number >= oldest);
        Ok(Opened {
            store,
            offset: end.offset,
            last: self.last.unwrap_or(0),
            proven: self.proven,
            oldest,
            sealed: sealed.map(|it| (it.number, it.length)).collect(),
            current: segment(current),
            reserve: reserve.map(segment),
        })
    }

    /// Writes frames again that may not be synced, zeros after the last one, and syncs.
    ///
    /// A sync that failed in an earlier process may have left pages that are not on disk and that no later sync writes:
    /// only a new write does.
    fn rewrite(&self, index: usize, from: usize) -> Result<(), JournalError> {
        let (file, end) = (&self.files[index], self.end);
        let at = || self.fs.locate(&segment::name(file.number));
        let mut bytes = Vec::new();
        file.read(self.fs, &mut bytes)?;
        let mut until = bytes.len();
        if index == end.file {
            until = end.offset;
            let tail = &mut bytes[end.offset..];
            let used = tail.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
            tail[..used].fill(0);
            until += used;
        }
        if from < until {
            let written = file.file.write_at(&bytes[from..until], from as u64);
            written.map_err(JournalError::io("write", at()))?;
        }
        file.file.sync().map_err(JournalError::io("sync", at()))
    }

    fn is_unused(&self, file: &File) -> Result<bool, JournalError> {
        let mut bytes = Vec::new();
        file.read(self.fs, &mut bytes)?;
        Ok(zeros(&bytes[HEADER..]) == bytes.len() - HEADER)
    }
}

impl Opened {
    fn share(self, fs: Arc<dyn FileSystem>, options: LogOptions) -> Shared {
        let current = Arc::new(self.current);
        let sealed: u64 = self.sealed.iter().map(|(_, length)| length).sum();
        let bytes = sealed + current.length + self.reserve.as_ref().map_or(0, |it| it.length);
        let state = State {
            appended: self.last,
            written: self.last,
            synced: self.last,
            marked: self.proven,
            room: current.room(self.offset as u64),
            reserve: self.reserve.map(Arc::new),
            sealed: self.sealed,
            oldest: self.oldest,
            ..State::new(current.clone())
        };
        Shared {
            fs,
            store: self.store,
            opened_by: (options.process_id)(),
            state: Mutex::new(state),
            tail: Mutex::new(Tail {
                segment: current,
                offset: self.offset as u64,
                number: self.last,
                spare: Vec::new(),
            }),
            reserving: Mutex::new(()),
            written: AtomicU64::new(self.last),
            synced: AtomicU64::new(self.last),
            bytes: AtomicU64::new(bytes),
            sync_done: [Condvar::new(), Condvar::new()],
            compaction: Mutex::new(None),
            options,
        }
    }
}
