//! The log: frames of bytes in segments. It knows no queue.
//!
//! A frame is appended to a buffer without I/O, which fixes its place in the log; then its caller waits, with no lock
//! held, until it is as safe as it has to be. [`frame`] is the format, [`commit`] writes and syncs, [`reader`] reads.

mod commit;
mod frame;
mod housekeeping;
mod opening;
mod reader;
mod segment;
#[cfg(test)]
mod tests;
mod wakers;

pub(crate) use reader::{Contents, read};

use {
    super::{error::JournalError, fs::FileSystem},
    crate::{
        clock::{Clock, SystemClock},
        error::StorageError,
        queue::Position,
        sync::{Condvar, Mutex, wake},
        time::Timestamp,
    },
    commit::{State, Tail},
    frame::{HEAD, LONGEST_BODY},
    housekeeping::{Compaction, Thread},
    reader::{OnFrame, OnProgress},
    std::{
        fmt, io,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        task::{Context, Poll},
        time::Duration,
    },
};

/// How safe a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    /// The operating system has it: it survives the death of the process.
    Written,
    /// It survives a power cut.
    Synced,
    /// Written, and synced within this time.
    Interval(Duration),
}

/// Who makes segments ahead, syncs full ones and those of [`Level::Interval`], compacts, and does I/O for async callers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Housekeeping {
    /// A thread of the log.
    Thread,
    /// Every caller at the end of its call, so that the same calls do the same I/O.
    #[cfg(test)]
    Inline,
}

#[derive(Clone)]
pub(crate) struct LogOptions {
    /// The length of a segment. A frame too large for it gets a longer one.
    pub(crate) segment_bytes: u64,
    /// Callers are held up while more than this is to be written.
    pub(crate) buffer_bytes: usize,
    pub(crate) housekeeping: Housekeeping,
    /// Tells when [`Level::Interval`] is over.
    pub(crate) clock: Arc<dyn Clock>,
    /// The id of a new log; chance by default.
    pub(crate) store: Option<u128>,
    /// Tells which process this is.
    pub(crate) process_id: fn() -> u32,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            buffer_bytes: 4 << 20,
            housekeeping: Housekeeping::Thread,
            clock: Arc::new(SystemClock::new()),
            store: None,
            process_id: std::process::id,
        }
    }
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("segment_bytes", &self.segment_bytes)
            .field("buffer_bytes", &self.buffer_bytes)
            .field("housekeeping", &self.housekeeping)
            .finish_non_exhaustive()
    }
}

/// An open log. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Log {
    shared: Arc<Shared>,
    thread: Thread,
}

/// What the log shares with its thread.
struct Shared {
    fs: Arc<dyn FileSystem>,
    options: LogOptions,
    store: u128,
    opened_by: u32,
    state: Mutex<State>,
    tail: Mutex<Tail>,
    /// Held by whoever makes or takes the next segment.
    reserving: Mutex<()>,
    /// [`State::written`] and [`State::synced`], to be read without the lock.
    written: AtomicU64,
    synced: AtomicU64,
    /// The lengths of all segments, the next one included.
    bytes: AtomicU64,
    /// Callers sleep on one of the two until a sync is over; [`State::covered`] says which.
    sync_done: [Condvar; 2],
    compaction: Mutex<Option<Compaction>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("fs", &self.fs)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Opens the log of a directory, or makes one in an empty directory, and calls `on_frame` for each frame in it, then
    /// `on_end`; until that has answered nothing is changed.
    ///
    /// `on_progress` is told how many bytes were read, and of how many. A torn tail of frames that nobody was told of is
    /// cut. An error leaves the directory as it was found, unless writing to it failed.
    pub(crate) fn open(
        fs: Arc<dyn FileSystem>,
        options: LogOptions,
        on_frame: OnFrame<'_>,
        on_end: &mut dyn FnMut() -> Result<(), JournalError>,
        on_progress: OnProgress<'_>,
    ) -> Result<Self, JournalError> {
        let shared = Arc::new(opening::open(fs, options, on_frame, on_end, on_progress)?);
        shared.mark_synced();
        shared.state.lock().check()?;
        let thread = Thread::start(&shared)?;
        Ok(Self { shared, thread })
    }

    /// Appends the frame that `fill` writes, without I/O, and answers with its number: 0 if it writes nothing, or if the
    /// log is closed or failed.
    pub(crate) fn append(&self, fill: impl FnOnce(&mut Vec<u8>)) -> Position {
        let mut state = self.shared.state.lock();
        if state.check().is_err() {
            return 0;
        }
        let start = state.buffer.len();
        let blank = Blank {
            buffer: &mut state.buffer,
            start,
            keep: false,
        };
        let Some(size) = blank.fill(fill) else { return 0 };
        if size > HEAD + LONGEST_BODY {
            state.buffer.truncate(start);
            let error = io::Error::new(io::ErrorKind::InvalidInput, "a call changed more than 4 GiB");
            drop(state.fail::<()>(error));
            return 0;
        }
        state.largest = state.largest.max(size);
        state.appended += 1;
        state.appended
    }

    /// Whether [`admit`](Self::admit) would let a call in at once.
    pub(crate) fn has_room(&self, bytes: usize, for_send: bool) -> bool {
        let state = self.shared.state.lock();
        state.check().is_ok() && !self.is_behind(&state, bytes) && self.fits(&state, bytes, for_send)
    }

    /// Blocks while too much is still to be written, and refuses a call whose frame of about `bytes` would have no space.
    ///
    /// A send is let in only while the next segment is there or can be made: the current one is then left for what settles
    /// messages, and for compaction, which makes room again. One that is refused presses that.
    pub(crate) fn admit(&self, bytes: usize, for_send: bool) -> Result<(), StorageError> {
        let admitted = self.admit_quietly(bytes, for_send);
        if matches!(admitted, Err(StorageError::Full { .. })) {
            self.nudge();
            self.thread.work_inline(&self.shared);
        }
        admitted
    }

    /// [`admit`](Self::admit) for the compaction itself.
    pub(crate) fn admit_quietly(&self, bytes: usize, for_send: bool) -> Result<(), StorageError> {
        loop {
            let state = self.shared.state.lock();
            state.check()?;
            let appended = state.appended;
            if self.is_behind(&state, bytes) {
                drop(state);
                self.shared.write(appended).map_err(not_stored)?;
                continue;
            }
            if self.fits(&state, bytes, for_send) {
                return Ok(());
            }
            let pending = state.pending();
            drop(state);
            if pending > 0 {
                // How full the segments are is known better afterwards.
                self.shared.write(appended).map_err(not_stored)?;
            }
            self.shared.check_process()?;
            let reserving = self.shared.reserving.lock();
            let needed = frame_bytes(bytes) + self.margin(for_send);
            let made = self.shared.make_reserve(&reserving, needed);
            made.map_err(|source| StorageError::Full {
                source: Arc::new(source),
            })?;
        }
    }

    /// [`admit`](Self::admit) for an async caller, whose waker is woken when it is worth another call: the thread of the
    /// log does the I/O.
    pub(crate) fn poll_admit(
        &self,
        bytes: usize,
        for_send: bool,
        context: &Context<'_>,
    ) -> Poll<Result<(), StorageError>> {
        if !self.thread.is_running() {
            return Poll::Ready(self.admit(bytes, for_send));
        }
        self.shared.check_process()?;
        let mut state = self.shared.state.lock();
        state.check()?;
        let refused = state.room_wakers.take_refusal(context.waker());
        let needed = if self.is_behind(&state, bytes) {
            0
        } else if self.fits(&state, bytes, for_send) {
            return Poll::Ready(Ok(()));
        } else if let Some(source) = refused {
            drop(state);
            self.nudge();
            return Poll::Ready(Err(StorageError::Full { source }));
        } else {
            frame_bytes(bytes) + self.margin(for_send)
        };
        state.room_wakers.add(context.waker(), needed);
        let thread = state.tell();
        drop(state);
        wake(thread);
        Poll::Pending
    }

    fn is_behind(&self, state: &State, bytes: usize) -> bool {
        let pending = state.pending();
        pending > 0 && pending.saturating_add(bytes) > self.shared.options.buffer_bytes
    }

    fn fits(&self, state: &State, bytes: usize, for_send: bool) -> bool {
        (!for_send || state.reserve.is_some()) && state.has_space(frame_bytes(bytes), self.margin(for_send))
    }

    /// What is left free after a frame: calls that are let in at the same time do not know of each other.
    fn margin(&self, for_send: bool) -> u64 {
        self.shared.options.segment_bytes / if for_send { 4 } else { 16 }
    }

    /// Blocks until the frame of this number and those before it are as safe as this. Of 0 it says whether the log is open.
    pub(crate) fn wait(&self, position: Position, level: Level) -> Result<(), StorageError> {
        if position == 0 {
            return self.shared.state.lock().check();
        }
        let result = match level {
            Level::Synced => self.shared.sync(position),
            Level::Written | Level::Interval(_) => self.shared.write(position),
        };
        result.map_err(not_written)?;
        self.shared.sync_within(position, level);
        self.thread.work_inline(&self.shared);
        Ok(())
    }

    /// [`wait`](Self::wait) for an async caller: the thread of the log does the I/O.
    pub(crate) fn poll_wait(
        &self,
        position: Position,
        level: Level,
        context: &Context<'_>,
    ) -> Poll<Result<(), StorageError>> {
        let done = match level {
            Level::Synced => &self.shared.synced,
            Level::Written | Level::Interval(_) => &self.shared.written,
        };
        if position == 0 || !self.thread.is_running() || done.load(Ordering::Acquire) >= position {
            return Poll::Ready(self.wait(position, level));
        }
        self.shared.check_process()?;
        let mut state = self.shared.state.lock();
        // The order of these two does not lose a wake: both numbers rise under the lock.
        if state.failure.is_some() || state.held_up || done.load(Ordering::Acquire) >= position {
            drop(state);
            return Poll::Ready(self.wait(position, level));
        }
        let last = state.appended;
        let wakers = match level {
            Level::Synced => &mut state.sync_wakers,
            Level::Written | Level::Interval(_) => &mut state.write_wakers,
        };
        wakers.add(last.min(position), context.waker());
        let thread = state.tell();
        drop(state);
        wake(thread);
        Poll::Pending
    }

    /// The number of the last frame appended.
    pub(crate) fn appended(&self) -> Position {
        self.shared.state.lock().appended
    }

    /// What the clock of the log says.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.options.clock.now()
    }

    /// The lengths of all segments, the next one included.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// The space left without a segment that is not there yet, if the next one is missing and cannot be made.
    pub(crate) fn cramped(&self) -> Option<u64> {
        let state = self.shared.state.lock();
        let is_missing = state.reserve.is_none() && state.reserve_error.is_some();
        is_missing.then(|| state.room.saturating_sub(state.pending() as u64))
    }

    /// Keeps so much space from all calls, for what is carried forward.
    pub(crate) fn hold(&self, bytes: u64) {
        self.shared.state.lock().held = bytes;
    }

    /// Makes the next segment now, if it is missing.
    pub(crate) fn reserve(&self) {
        if self.shared.make_reserve(&self.shared.reserving.lock(), 0).is_ok() {
            let wakers = self.shared.state.lock().room_wakers.take();
            wake(wakers);
        }
    }

    /// The number of segments with frames: the full ones and the current one.
    #[cfg(test)]
    pub(crate) fn segments(&self) -> usize {
        self.shared.state.lock().sealed.len() + 1
    }

    /// The number of the oldest full segment.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.shared.state.lock().sealed.front().map(|it| it.0.into())
    }

    /// The number of the segment that is written to.
    pub(crate) fn newest(&self) -> u64 {
        self.shared.state.lock().current.number.into()
    }

    /// Calls `on_frame` for each frame of the oldest full segment, and answers with the segment's number; `None` if no
    /// segment is full.
    pub(crate) fn read_oldest(&self, on_frame: OnFrame<'_>) -> Result<Option<u64>, JournalError> {
        let oldest = self.shared.state.lock().sealed.front().copied();
        let Some((number, _)) = oldest else { return Ok(None) };
        reader::read_segment(&*self.shared.fs, self.shared.store, number, on_frame)?;
        Ok(Some(number.into()))
    }

    /// Removes the oldest full segment, which [`read_oldest`](Self::read_oldest) named, once all that was appended so far
    /// is synced.
    pub(crate) fn remove_oldest(&self, segment: u64) -> Result<(), JournalError> {
        let oldest = self.shared.state.lock().sealed.front().copied();
        let Some((number, _)) = oldest.filter(|it| u64::from(it.0) == segment) else {
            return Ok(());
        };
        self.shared.raise_oldest(number + 1)?;
        let (fs, name) = (&self.shared.fs, segment::name(number));
        // One that stays is the oldest until it is gone: no gap may follow it.
        fs.remove(&name).map_err(JournalError::io("remove", fs.locate(&name)))?;
        let mut state = self.shared.state.lock();
        if let Some((_, length)) = state.sealed.pop_front() {
            self.shared.bytes.fetch_sub(length, Ordering::Relaxed);
        }
        // There may be room for the next segment now.
        state.reserve_error = None;
        drop(state);
        fs.sync_directory().map_err(JournalError::io("sync", fs.locate("")))
    }

    /// Sets what is run when a segment became full or [`nudge`](Self::nudge) was called, with no lock held; it answers
    /// whether there may be more to do.
    pub(crate) fn set_compaction(&self, run: Box<dyn Fn() -> bool + Send + Sync>) {
        *self.shared.compaction.lock() = Some(run.into());
        self.nudge();
        self.thread.work_inline(&self.shared);
    }

    /// Runs the compaction soon; without a thread, at the end of the next wait. The lock of a queue may be held.
    pub(crate) fn nudge(&self) {
        let mut state = self.shared.state.lock();
        state.compact = true;
        let thread = state.tell();
        drop(state);
        wake(thread);
    }

    /// Writes and syncs all that was appended; then nothing more can be. Ends the thread. Of later calls none does
    /// anything.
    pub(crate) fn close(&self) -> Result<(), StorageError> {
        self.shared.check_process()?;
        let mut state = self.shared.state.lock();
        let closed = std::mem::replace(&mut state.closed, true);
        let appended = state.appended;
        let failure = state.failure.clone();
        let refused = state.room_wakers.take();
        drop(state);
        wake(refused);
        let synced = match failure {
            Some(source) => Err(StorageError::Stopped { source }),
            None => self.shared.sync(appended).map_err(not_written),
        };
        if !closed {
            self.thread.stop(&self.shared);
            self.shared.fs.unlock();
        }
        synced
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever wants to know closes it before.
        drop(self.close());
    }
}

fn frame_bytes(bytes: usize) -> u64 {
    (HEAD as u64).saturating_add(bytes as u64)
}

/// The error of a call that failed before anything of it was appended.
fn not_stored(error: StorageError) -> StorageError {
    match error {
        StorageError::Unknown { source } => StorageError::Stopped { source },
        other => other,
    }
}

/// The error of a call whose frame was appended. On a full disk it stays in the buffer, and may be written yet.
fn not_written(error: StorageError) -> StorageError {
    match error {
        StorageError::Full { source } => StorageError::Unknown { source },
        other => other,
    }
}

/// A frame being filled, which is taken back if that panics.
struct Blank<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
    keep: bool,
}

impl Blank<'_> {
    /// The size of the frame, if it has a body.
    fn fill(mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Option<usize> {
        let start = self.start;
        self.buffer.extend_from_slice(&[0; HEAD]);
        fill(self.buffer);
        let size = self.buffer.len().checked_sub(start).filter(|it| *it > HEAD)?;
        let length = (size - HEAD) as u32;
        self.buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.keep = true;
        Some(size)
    }
}

impl Drop for Blank<'_> {
    fn drop(&mut self) {
        if !self.keep {
            self.buffer.truncate(self.start);
        }
    }
}
