//! Reading a log: what is in it, where it ends, and whether something acknowledged is missing.
//!
//! Frames are numbered without a gap. Where the next number is missing, a later frame or mark that says it was synced
//! proves that it was acknowledged: the log is damaged. Otherwise nobody was told of what was there, and the log ends
//! before it.

use {
    super::{
        frame::{HEADER, Header, HeaderError, Item, Mark, Seed, VERSION, zeros},
        opening::no_segments,
        segment,
    },
    crate::{
        journal::{
            error::JournalError,
            fs::{FileSystem, LogFile},
            lock,
        },
        queue::Position,
    },
    std::{collections::VecDeque, io},
};

pub(super) type OnFrame<'a> = &'a mut dyn FnMut(Position, &[u8]) -> Result<(), JournalError>;
/// Is told what is damaged; reading goes on if it answers `Ok`.
pub(super) type OnDamage<'a> = &'a mut dyn FnMut(JournalError) -> Result<(), JournalError>;
pub(super) type OnProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// What [`read`] found.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Names and lengths, oldest first.
    pub(crate) segments: Vec<(String, u64)>,
    /// Whether frames that nobody was told of follow the last one.
    pub(crate) is_torn: bool,
}

/// Reads the log of a directory and changes nothing. After damage that `on_damage` accepts it goes on with what is
/// readable.
pub(crate) fn read(
    fs: &dyn FileSystem,
    on_frame: OnFrame<'_>,
    on_damage: OnDamage<'_>,
    on_progress: OnProgress<'_>,
) -> Result<Contents, JournalError> {
    lock::take(|| fs.lock_to_read())?;
    let directory = Directory::list(fs)?;
    if directory.segments.is_empty() {
        let nothing = JournalError::NoJournal {
            directory: fs.locate(""),
        };
        return Err(no_segments(fs).unwrap_or(nothing));
    }
    let mut reader = Reader::new(fs, &directory, false, on_damage)?;
    reader.read_all(on_frame, on_damage, on_progress)?;
    Ok(Contents {
        is_torn: reader.is_torn,
        segments: reader
            .files
            .iter()
            .map(|it| (segment::name(it.number), it.length))
            .collect(),
    })
}

/// The files of a directory.
pub(super) struct Directory {
    pub(super) segments: Vec<u32>,
    pub(super) temporary: Vec<String>,
}

impl Directory {
    pub(super) fn list(fs: &dyn FileSystem) -> Result<Self, JournalError> {
        let names = fs.list().map_err(JournalError::io("list", fs.locate("")))?;
        let (mut segments, mut temporary, mut other) = (Vec::new(), Vec::new(), None);
        for name in names {
            if let Some(number) = segment::number_in(&name) {
                segments.push(number);
            } else if segment::is_temporary(&name) {
                temporary.push(name);
            } else if !is_ignored(&name) {
                other = Some(name);
            }
        }
        segments.sort_unstable();
        match other {
            Some(name) if segments.is_empty() => Err(JournalError::NotAJournal { file: fs.locate(&name) }),
            _ => Ok(Self { segments, temporary }),
        }
    }
}

/// What may be in a directory beside a log: the lock, and what systems put into empty directories.
fn is_ignored(name: &str) -> bool {
    name == lock::NAME || name == "lost+found" || name.starts_with('.')
}

/// So much is read at once.
const BLOCK: usize = 1 << 18;

/// A segment to be read.
pub(super) struct File {
    pub(super) number: u32,
    pub(super) file: Box<dyn LogFile>,
    pub(super) length: u64,
    /// What of `length` is there.
    found: u64,
    /// `None` if nothing of it can be read.
    seed: Option<Seed>,
    /// Whether its header is damaged.
    is_headless: bool,
}

impl File {
    fn open(
        fs: &dyn FileSystem,
        number: u32,
        to_write: bool,
    ) -> Result<(Self, Result<Header, HeaderError>), JournalError> {
        let name = segment::name(number);
        let at = || fs.locate(&name);
        let opened = if to_write {
            fs.open(&name)
        } else {
            fs.open_to_read(&name)
        };
        let file = opened.map_err(JournalError::io("open", at()))?;
        let found = file.length().map_err(JournalError::io("read", at()))?;
        let mut header = Err(HeaderError::Damaged);
        if found >= HEADER as u64 {
            let mut bytes = [0; HEADER];
            file.read_at(&mut bytes, 0).map_err(JournalError::io("read", at()))?;
            header = Header::from_bytes(&bytes);
        }
        let length = header.as_ref().map_or(found, |it| it.length);
        let opened = Self {
            number,
            file,
            length,
            found: found.min(length),
            seed: None,
            is_headless: header.is_err(),
        };
        Ok((opened, header))
    }

    /// Reads what is there. Memory is touched up to where the zeros begin that end the file: the rest of `bytes` is fresh
    /// from the allocator, and takes no memory until it is written.
    pub(super) fn read(&self, fs: &dyn FileSystem, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
        let found = usize::try_from(self.found).unwrap_or(usize::MAX);
        *bytes = Vec::new();
        *bytes = vec![0; found];
        let read = self.used(found).and_then(|used| {
            let mut offset = 0;
            for block in bytes[..used].chunks_mut(BLOCK) {
                self.file.read_at(block, offset)?;
                offset += block.len() as u64;
            }
            Ok(())
        });
        read.map_err(JournalError::io("read", fs.locate(&segment::name(self.number))))
    }

    /// Where the zeros begin that end the first `found` bytes, up to a block later.
    fn used(&self, found: usize) -> io::Result<usize> {
        let mut block = vec![0; BLOCK.min(found)];
        let mut end = found;
        while end > 0 {
            let start = (end - 1) / BLOCK * BLOCK;
            let block = &mut block[..end - start];
            self.file.read_at(block, start as u64)?;
            if zeros(block) < block.len() {
                break;
            }
            end = start;
        }
        Ok(end)
    }
}

/// A place in the files of a [`Reader`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) offset: usize,
}

/// Something that is missing, for which no frame was missed yet.
struct Missing {
    file: u32,
    offset: u64,
}

pub(super) struct Reader<'a> {
    pub(super) fs: &'a dyn FileSystem,
    pub(super) store: u128,
    pub(super) files: Vec<File>,
    /// The number of the last frame; `None` before the first mark of a log whose older segments were removed.
    pub(super) last: Option<Position>,
    /// Frames up to this one were synced, as far as the log says.
    pub(super) proven: Position,
    /// The oldest segment that is needed, once a mark said so.
    pub(super) oldest: Option<u32>,
    /// Where the last item ends, and the next one belongs.
    pub(super) end: Place,
    /// Frames after `proven`, and where they are.
    pub(super) unproven: VecDeque<(Position, Place)>,
    missing: Option<Missing>,
    /// Whether damage was reported.
    is_damaged: bool,
    is_sealed: bool,
    pub(super) is_torn: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        fs: &'a dyn FileSystem,
        directory: &Directory,
        to_write: bool,
        on_damage: OnDamage<'_>,
    ) -> Result<Self, JournalError> {
        let (mut files, mut store) = (Vec::new(), None);
        let mut foreign = Vec::new();
        for number in &directory.segments {
            let (file, header) = File::open(fs, *number, to_write)?;
            let at = fs.locate(&segment::name(*number));
            match header {
                Err(HeaderError::Newer(version)) => {
                    return Err(JournalError::NewerVersion {
                        file: at,
                        version,
                        supported: VERSION,
                    });
                }
                Ok(header) if header.number != *number || store.is_some_and(|it| it != header.store) => {
                    foreign.push(files.len());
                    on_damage(JournalError::ForeignSegment { file: at })?;
                }
                Ok(header) => store = Some(header.store),
                Err(HeaderError::Damaged) => {}
            }
            files.push(file);
        }
        for (index, file) in files.iter_mut().enumerate() {
            if !foreign.contains(&index) {
                file.seed = store.map(|it| Seed::new(it, file.number));
            }
        }
        Ok(Self {
            fs,
            store: store.unwrap_or_default(),
            last: files.first().is_none_or(|it| it.number == 1).then_some(0),
            files,
            proven: 0,
            oldest: None,
            end: Place {
                file: 0,
                offset: HEADER,
            },
            unproven: VecDeque::new(),
            missing: None,
            is_damaged: false,
            is_sealed: false,
            is_torn: false,
        })
    }

    pub(super) fn read_all(
        &mut self,
        on_frame: OnFrame<'_>,
        on_damage: OnDamage<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<(), JournalError> {
        let total = self.files.iter().map(|it| it.found).sum();
        let (mut bytes, mut done) = (Vec::new(), 0);
        on_progress(0, total);
        for index in 0..self.files.len() {
            let (number, before) = (
                self.files[index].number,
                index.checked_sub(1).map(|it| self.files[it].number),
            );
            if let Some(skipped) = before.map(|it| it + 1).filter(|it| *it != number) {
                self.miss(skipped, 0);
            }
            if self.files[index].is_headless {
                self.miss(number, 0);
            }
            self.files[index].read(self.fs, &mut bytes)?;
            self.read_file(index, &bytes, on_frame, on_damage)?;
            if self.is_torn {
                break;
            }
            let (found, length) = (self.files[index].found, self.files[index].length);
            if found < length {
                self.miss(number, found);
            }
            done += found;
            on_progress(done, total);
        }
        self.finish(on_damage)
    }

    /// What has to be there and cannot be seen from the items alone.
    fn finish(&mut self, on_damage: OnDamage<'_>) -> Result<(), JournalError> {
        self.report_missing(0, on_damage)?;
        let Some((first, last)) = self.files.first().zip(self.files.last()) else {
            return Ok(());
        };
        let (first, last) = (first.number, last.number);
        if self.last.is_none() && !self.is_damaged {
            on_damage(self.damaged(first, HEADER as u64, 0))?;
        }
        if let Some(oldest) = self.oldest.filter(|it| first > *it) {
            on_damage(self.damaged(oldest, 0, 0))?;
        }
        if self.is_sealed && self.end.file == self.files.len() {
            on_damage(self.damaged(last.saturating_add(1), 0, 0))?;
        }
        Ok(())
    }

    fn read_file(
        &mut self,
        index: usize,
        bytes: &[u8],
        on_frame: OnFrame<'_>,
        on_damage: OnDamage<'_>,
    ) -> Result<(), JournalError> {
        let Some(seed) = self.files[index].seed else {
            return Ok(());
        };
        let mut offset = HEADER;
        while let Some((item, start, end)) = next_item(bytes, offset, seed) {
            offset = end;
            let (number, lost) = match &item {
                Item::Frame { number, intact, .. } => (*number, u64::from(!intact)),
                Item::Mark(mark) => (mark.number, 0),
            };
            // The number that has to come before this item.
            let before = if matches!(item, Item::Frame { .. }) {
                number.saturating_sub(1)
            } else {
                number
            };
            let last = match self.last {
                Some(last) => last,
                None => {
                    if !matches!(item, Item::Mark(_)) || start != HEADER || self.missing.is_some() {
                        self.miss(self.files[index].number, HEADER as u64);
                    }
                    before
                }
            };
            self.last = Some(last);
            if before < last {
                // A copy of something that was read before.
                continue;
            }
            let lost = before - last + lost;
            if lost > 0 {
                if self.missing.is_none() && !self.is_proven(last + 1, index, &bytes[start..], seed)? {
                    self.is_torn = true;
                    return Ok(());
                }
                let end = self.end;
                let (file, offset) = self
                    .files
                    .get(end.file)
                    .map_or((self.files[index].number, 0), |it| (it.number, end.offset as u64));
                self.missing.get_or_insert(Missing { file, offset });
                self.last = Some(number);
            }
            self.report_missing(lost, on_damage)?;
            self.accept(index, start, end, &item);
            if let Item::Frame { body, intact: true, .. } = item {
                on_frame(number, &bytes[body])?;
            }
        }
        Ok(())
    }

    fn accept(&mut self, index: usize, start: usize, end: usize, item: &Item) {
        self.end = Place {
            file: index,
            offset: end,
        };
        self.is_sealed = false;
        match *item {
            Item::Frame { number, synced, .. } => {
                self.last = Some(number);
                self.proven = self.proven.max(synced);
                let place = Place {
                    file: index,
                    offset: start,
                };
                self.unproven.push_back((number, place));
            }
            Item::Mark(Mark {
                synced, oldest, seals, ..
            }) => {
                self.proven = self.proven.max(synced);
                self.oldest = Some(oldest);
                self.is_sealed = seals;
                if seals {
                    self.end = Place {
                        file: index + 1,
                        offset: HEADER,
                    };
                }
            }
        }
        while self.unproven.front().is_some_and(|it| it.0 <= self.proven) {
            self.unproven.pop_front();
        }
    }

    /// Whether something from here on says that a frame was synced.
    fn is_proven(&self, number: Position, index: usize, rest: &[u8], seed: Seed) -> Result<bool, JournalError> {
        let says = |bytes: &[u8], mut offset: usize, seed| {
            while let Some((item, _, end)) = next_item(bytes, offset, seed) {
                let (Item::Frame { synced, .. } | Item::Mark(Mark { synced, .. })) = item;
                if synced >= number {
                    return true;
                }
                offset = end;
            }
            false
        };
        if says(rest, 0, seed) {
            return Ok(true);
        }
        let mut bytes = Vec::new();
        for file in &self.files[index + 1..] {
            file.read(self.fs, &mut bytes)?;
            if file.seed.is_some_and(|seed| says(&bytes, HEADER, seed)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn miss(&mut self, file: u32, offset: u64) {
        self.missing.get_or_insert(Missing { file, offset });
    }

    fn report_missing(&mut self, records: u64, on_damage: OnDamage<'_>) -> Result<(), JournalError> {
        match self.missing.take() {
            None => Ok(()),
            Some(missing) => {
                self.is_damaged = true;
                on_damage(self.damaged(missing.file, missing.offset, records))
            }
        }
    }

    fn damaged(&self, file: u32, offset: u64, records: u64) -> JournalError {
        JournalError::Damaged {
            file: self.fs.locate(&segment::name(file)),
            offset,
            records: Some(records).filter(|it| *it > 0),
        }
    }
}

/// The next item from `offset` on, where it begins and where it ends.
fn next_item(bytes: &[u8], offset: usize, seed: Seed) -> Option<(Item, usize, usize)> {
    let found = |start| Item::at(bytes, start, seed).map(|(item, end)| (item, start, end));
    found(offset).or_else(|| found(Item::find(bytes, offset, seed)?))
}

/// Reads one segment of an open log.
pub(super) fn read_segment(
    fs: &dyn FileSystem,
    store: u128,
    number: u32,
    on_frame: OnFrame<'_>,
) -> Result<(), JournalError> {
    let (file, _) = File::open(fs, number, false)?;
    let (seed, mut bytes) = (Seed::new(store, number), Vec::new());
    file.read(fs, &mut bytes)?;
    let (mut offset, mut last) = (HEADER, None);
    while let Some((item, end)) = Item::at(&bytes, offset, seed) {
        match item {
            Item::Mark(mark) if mark.seals => return Ok(()),
            Item::Mark(mark) => last = Some(mark.number),
            Item::Frame {
                number,
                body,
                intact: true,
                ..
            } if last.is_none_or(|it| it + 1 == number) => {
                last = Some(number);
                on_frame(number, &bytes[body])?;
            }
            Item::Frame { .. } => break,
        }
        offset = end;
    }
    Err(JournalError::Damaged {
        file: fs.locate(&segment::name(number)),
        offset: offset as u64,
        records: None,
    })
}
