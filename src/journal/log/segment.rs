//! Segments: the files of a log.

use {
    super::frame::{HEAD, HEADER, Header, Seed},
    crate::journal::fs::{FileSystem, LogFile},
    std::io,
};

/// What a segment keeps free of frames: a mark at its start, one after its last frame, and the one that seals it.
const MARKS: usize = 3 * HEAD;

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) file: Box<dyn LogFile>,
    pub(super) length: u64,
    pub(super) seed: Seed,
}

pub(super) fn name(number: u32) -> String {
    format!("segment-{number:010}.log")
}

fn temporary(number: u32) -> String {
    format!("segment-{number:010}.tmp")
}

/// The number in the name of a segment.
pub(super) fn number_in(file: &str) -> Option<u32> {
    let digits = file.strip_prefix("segment-")?.strip_suffix(".log")?;
    digits.parse().ok().filter(|it| *it > 0 && name(*it) == file)
}

/// Whether a file is what an interrupted [`Segment::create`] leaves behind.
pub(super) fn is_temporary(file: &str) -> bool {
    let digits = file.strip_prefix("segment-").and_then(|it| it.strip_suffix(".tmp"));
    digits
        .and_then(|it| it.parse().ok())
        .is_some_and(|it| temporary(it) == file)
}

/// The length of a segment that has this much space for frames.
pub(super) fn length_for(frames: usize) -> u64 {
    (HEADER + MARKS + frames) as u64
}

impl Segment {
    /// Makes a segment, in place of the one of its number. Its space is allocated, and it survives a power cut.
    ///
    /// `before_replacing` is called before another segment may lose its name, also if making this one fails then.
    pub(super) fn create(
        fs: &dyn FileSystem,
        store: u128,
        number: u32,
        length: u64,
        before_replacing: impl FnOnce(),
    ) -> io::Result<Self> {
        let made = Self::try_create(fs, store, number, length, before_replacing);
        if made.is_err() {
            // Gives the space back; if that fails too, opening the log removes the file.
            drop(fs.remove(&temporary(number)));
        }
        made
    }

    fn try_create(
        fs: &dyn FileSystem,
        store: u128,
        number: u32,
        length: u64,
        before_replacing: impl FnOnce(),
    ) -> io::Result<Self> {
        let temporary = temporary(number);
        let file = match fs.create(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs.remove(&temporary)?;
                fs.create(&temporary)?
            }
            made => made?,
        };
        let header = Header { store, number, length };
        file.allocate(length)?;
        file.write_at(&header.to_bytes(), 0)?;
        file.sync()?;
        before_replacing();
        fs.rename(&temporary, &name(number))?;
        fs.sync_directory()?;
        Ok(Self::new(file, header))
    }

    pub(super) fn new(file: Box<dyn LogFile>, header: Header) -> Self {
        Self {
            number: header.number,
            file,
            length: header.length,
            seed: header.seed(),
        }
    }

    /// How many bytes of frames an empty one takes.
    pub(super) fn capacity(&self) -> u64 {
        self.length.saturating_sub((HEADER + MARKS) as u64)
    }

    /// How many bytes of frames it takes from `offset` on.
    pub(super) fn room(&self, offset: u64) -> u64 {
        let marks = if offset <= HEADER as u64 { MARKS } else { 2 * HEAD };
        self.length.saturating_sub(offset + marks as u64)
    }
}
