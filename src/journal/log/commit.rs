//! Writing and syncing: whoever comes first does it for all.
//!
//! The *writer* holds the lock of the [`Tail`], takes the whole buffer and writes it. The *syncer* has set
//! [`State::syncing`] and syncs all that was written; writes go on meanwhile. Locks are taken in the order tail,
//! `reserving`, state, and the lock of the state is never held during I/O.

use {
    super::{
        Level, Shared,
        frame::{HEAD, HEADER, Mark, seal_frame, u32_at},
        segment::{self, Segment},
        wakers::{RoomWakers, Wakers},
    },
    crate::{
        error::StorageError,
        queue::Position,
        sync::{MutexGuard, wake},
        time::Timestamp,
    },
    std::{
        collections::VecDeque,
        io, mem,
        sync::{Arc, atomic::Ordering},
        task::Waker,
    },
};

/// The end of the log, where frames are written.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) segment: Arc<Segment>,
    pub(super) offset: u64,
    /// The number of the last frame there.
    pub(super) number: u64,
    /// The buffer that the next writer gives in exchange.
    pub(super) spare: Vec<u8>,
}

/// What became of frames to be written.
struct Done {
    /// So many bytes of them were written.
    bytes: usize,
    /// Why the rest was not.
    held_up: Option<io::Error>,
}

/// What is known about a log; its lock is held for moments only.
#[derive(Debug)]
pub(super) struct State {
    /// Frames to be written. Of their heads only the lengths are there.
    pub(super) buffer: Vec<u8>,
    /// Bytes of frames being written.
    pub(super) in_flight: usize,
    /// No frame in the buffer or being written is larger.
    pub(super) largest: usize,
    /// Numbers of frames: the last one in the buffer, written, and synced.
    pub(super) appended: Position,
    pub(super) written: Position,
    pub(super) synced: Position,
    /// Up to which frame the log itself says that frames were synced.
    pub(super) marked: Position,
    pub(super) current: Arc<Segment>,
    /// Bytes of frames that the current segment still takes.
    pub(super) room: u64,
    /// The next segment.
    pub(super) reserve: Option<Arc<Segment>>,
    /// Why the next segment could not be made, until it is.
    pub(super) reserve_error: Option<Arc<io::Error>>,
    /// Frames stay in the buffer because the next segment cannot be made. They are written once it can.
    pub(super) held_up: bool,
    /// Space that is kept for what is carried forward.
    pub(super) held: u64,
    /// Full segments, oldest first: number and length.
    pub(super) sealed: VecDeque<(u32, u64)>,
    /// Full segments that are not synced.
    pub(super) dirty: Vec<Arc<Segment>>,
    /// The oldest segment that is still needed.
    pub(super) oldest: u32,
    pub(super) syncing: bool,
    /// A sync under way covers this frame at least.
    pub(super) sync_covers: Position,
    /// Which of [`Shared::sync_done`] those wait for whose frames the sync under way covers.
    pub(super) covered: usize,
    /// When frames written have to be synced, for [`Level::Interval`].
    pub(super) sync_at: Option<Timestamp>,
    pub(super) failure: Option<Arc<io::Error>>,
    pub(super) closed: bool,
    pub(super) write_wakers: Wakers,
    pub(super) sync_wakers: Wakers,
    /// Of those who wait for space in the buffer or for the next segment.
    pub(super) room_wakers: RoomWakers,
    pub(super) compact: bool,
    /// Somebody runs the housekeeping, or it was told to.
    pub(super) told: bool,
    pub(super) thread: Option<Waker>,
}

impl State {
    pub(super) fn new(current: Arc<Segment>) -> Self {
        Self {
            buffer: Vec::new(),
            in_flight: 0,
            largest: 0,
            appended: 0,
            written: 0,
            synced: 0,
            marked: 0,
            current,
            room: 0,
            reserve: None,
            reserve_error: None,
            held_up: false,
            held: 0,
            sealed: VecDeque::new(),
            dirty: Vec::new(),
            oldest: 1,
            syncing: false,
            sync_covers: 0,
            covered: 0,
            sync_at: None,
            failure: None,
            closed: false,
            write_wakers: Wakers::default(),
            sync_wakers: Wakers::default(),
            room_wakers: RoomWakers::default(),
            compact: false,
            told: false,
            thread: None,
        }
    }

    pub(super) fn pending(&self) -> usize {
        self.buffer.len() + self.in_flight
    }

    /// Whether new calls can be recorded.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        if self.closed {
            return Err(StorageError::Closed);
        }
        match &self.failure {
            None => Ok(()),
            Some(source) => Err(StorageError::Stopped { source: source.clone() }),
        }
    }

    /// Whether an entry that is not safe yet still can be.
    fn outcome(&self) -> Result<(), StorageError> {
        match &self.failure {
            None => Ok(()),
            Some(source) => Err(StorageError::Unknown { source: source.clone() }),
        }
    }

    /// Whether `bytes` more can be appended without a new segment, and `margin` after that.
    pub(super) fn has_space(&self, bytes: u64, margin: u64) -> bool {
        let all = self.pending() as u64 + bytes + self.held;
        let Some(reserve) = self.reserve.as_ref().map(|it| it.capacity()) else {
            return all + margin <= self.room;
        };
        // A frame that does not fit into the rest of the current segment leaves that empty.
        let wasted = bytes.max(self.largest as u64);
        all + margin <= self.room.max(reserve) || all + wasted + margin <= self.room + reserve
    }

    fn mark(&self, number: u64) -> Mark {
        Mark {
            number,
            synced: self.synced,
            oldest: self.oldest,
            seals: false,
        }
    }

    /// Ends the log: nothing is written after a write or sync that failed. [`Shared::announced`] wakes those who wait.
    pub(super) fn fail<T>(&mut self, error: io::Error) -> Result<T, StorageError> {
        let source = self.failure.get_or_insert_with(|| Arc::new(error)).clone();
        self.buffer = Vec::new();
        self.in_flight = 0;
        Err(StorageError::Unknown { source })
    }

    /// Tells the housekeeping that there is something to do.
    pub(super) fn tell(&mut self) -> Option<Waker> {
        let told = mem::replace(&mut self.told, true);
        self.thread.clone().filter(|_| !told)
    }
}

impl Shared {
    /// Blocks until a frame is with the operating system.
    pub(super) fn write(&self, position: Position) -> Result<(), StorageError> {
        if self.written.load(Ordering::Acquire) >= position {
            return Ok(());
        }
        let mut tail = self.tail.lock();
        let written = self.write_buffer(&mut tail, position);
        drop(tail);
        wake(self.announced(written)?);
        Ok(())
    }

    /// Writes the buffer, if `position` is in it, and answers with those who wait for that. A full disk leaves it as it is.
    fn write_buffer(&self, tail: &mut Tail, position: Position) -> Result<Vec<Waker>, StorageError> {
        if self.written.load(Ordering::Acquire) >= position {
            return Ok(Vec::new());
        }
        self.check_process()?;
        let mut state = self.state.lock();
        state.outcome()?;
        mem::swap(&mut state.buffer, &mut tail.spare);
        state.in_flight = tail.spare.len();
        let mark = state.mark(state.written);
        let last = state.appended;
        drop(state);

        let mut frames = mem::take(&mut tail.spare);
        let written = self.write_frames(tail, &mut frames, mark);

        let mut state = self.state.lock();
        let done = written.or_else(|error| state.fail(error))?;
        if let Some(error) = done.held_up {
            // Nothing of these frames is on the disk, and nothing that is there says that they are.
            frames.drain(..done.bytes);
            frames.append(&mut state.buffer);
            mem::swap(&mut state.buffer, &mut frames);
            state.in_flight = 0;
            state.held_up = true;
            state.written = tail.number;
            state.room = tail.segment.room(tail.offset);
            self.written.store(tail.number, Ordering::Release);
            if tail.number >= position {
                return Ok(state.write_wakers.take_to(tail.number));
            }
            return Err(StorageError::Full {
                source: Arc::new(error),
            });
        }
        frames.clear();
        frames.shrink_to(2 * self.options.buffer_bytes);
        tail.spare = frames;
        state.in_flight = 0;
        state.held_up = false;
        if state.buffer.is_empty() {
            state.largest = 0;
        }
        state.written = last;
        state.marked = state.marked.max(mark.synced);
        state.room = tail.segment.room(tail.offset);
        self.written.store(last, Ordering::Release);
        let mut wakers = state.write_wakers.take_to(last);
        wakers.extend(state.room_wakers.take_written());
        if self.wants_reserve(&state) {
            wakers.extend(state.tell());
        }
        Ok(wakers)
    }

    /// Writes frames whose heads are blank, with the numbers after the tail's. `mark` has what the marks on the way say.
    ///
    /// Those for which the next segment cannot be made are left.
    fn write_frames(&self, tail: &mut Tail, frames: &mut [u8], mark: Mark) -> io::Result<Done> {
        if tail.offset <= HEADER as u64 {
            self.put_mark(tail, mark)?;
        }
        let (mut from, mut at) = (0, 0);
        while at < frames.len() {
            let size = HEAD + u32_at(frames, at) as usize;
            if (at - from + size) as u64 > tail.segment.room(tail.offset) {
                self.put(tail, &frames[from..at])?;
                from = at;
                let reserving = self.reserving.lock();
                if let Err(error) = self.make_reserve(&reserving, size as u64) {
                    return Ok(Done {
                        bytes: at,
                        held_up: Some(error),
                    });
                }
                self.roll(reserving, tail, mark)?;
            }
            tail.number += 1;
            seal_frame(&mut frames[at..at + size], tail.segment.seed, tail.number, mark.synced);
            at += size;
        }
        self.put(tail, &frames[from..])?;
        Ok(Done {
            bytes: at,
            held_up: None,
        })
    }

    fn put(&self, tail: &mut Tail, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            tail.segment.file.write_at(bytes, tail.offset)?;
            tail.offset += bytes.len() as u64;
        }
        Ok(())
    }

    fn put_mark(&self, tail: &mut Tail, mark: Mark) -> io::Result<()> {
        let number = tail.number;
        self.put(tail, &Mark { number, ..mark }.to_bytes(tail.segment.seed))
    }

    /// Goes on in the next segment.
    fn roll(&self, reserving: MutexGuard<'_, ()>, tail: &mut Tail, mark: Mark) -> io::Result<()> {
        let Some(next) = self.state.lock().reserve.take() else {
            return Err(io::Error::other("the next segment is missing"));
        };
        self.put_mark(tail, Mark { seals: true, ..mark })?;
        let full = mem::replace(&mut tail.segment, next);
        tail.offset = HEADER as u64;
        self.put_mark(tail, mark)?;

        let mut state = self.state.lock();
        state.current = tail.segment.clone();
        state.room = tail.segment.room(tail.offset);
        state.sealed.push_back((full.number, full.length));
        state.dirty.push(full);
        state.compact = true;
        let waker = state.tell();
        drop(state);
        // Not before the segment is the current one: the one after it would be made with its number, and in its place.
        drop(reserving);
        wake(waker);
        Ok(())
    }

    /// Makes the next segment if there is none with this much space. Only those who hold `reserving` change it.
    pub(super) fn make_reserve(&self, _: &MutexGuard<'_, ()>, frames: u64) -> io::Result<()> {
        let number = {
            let state = self.state.lock();
            if state.reserve.as_ref().is_some_and(|it| it.capacity() >= frames) {
                return Ok(());
            }
            state.current.number.checked_add(1)
        };
        let number = number.ok_or_else(|| io::Error::other("the numbers of segments are used up"))?;
        let frames = usize::try_from(frames).unwrap_or(usize::MAX / 2);
        let length = segment::length_for(frames).max(self.options.segment_bytes);
        // What was written to one that lost its name would be lost.
        let before_replacing = || {
            if let Some(smaller) = self.state.lock().reserve.take() {
                self.bytes.fetch_sub(smaller.length, Ordering::Relaxed);
            }
        };
        let made = Segment::create(&*self.fs, self.store, number, length, before_replacing);
        let mut state = self.state.lock();
        match made {
            Ok(made) => {
                self.bytes.fetch_add(made.length, Ordering::Relaxed);
                state.reserve = Some(Arc::new(made));
                state.reserve_error = None;
                Ok(())
            }
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                state.reserve_error = Some(Arc::new(error));
                Err(copy)
            }
        }
    }

    /// Blocks until a frame survives a power cut.
    pub(super) fn sync(&self, position: Position) -> Result<(), StorageError> {
        if self.synced.load(Ordering::Acquire) >= position {
            return Ok(());
        }
        self.check_process()?;
        let mut state = self.state.lock();
        let position = position.min(state.appended);
        loop {
            if state.synced >= position {
                return Ok(());
            }
            state.outcome()?;
            if state.syncing {
                let covered = position <= state.sync_covers;
                let slot = if covered { state.covered } else { 1 - state.covered };
                self.sync_done[slot].wait(&mut state);
            } else {
                state.syncing = true;
                state.sync_covers = state.appended;
                drop(state);
                self.lead_sync()?;
                state = self.state.lock();
            }
        }
    }

    /// Writes and syncs for all; the caller has set [`State::syncing`].
    fn lead_sync(&self) -> Result<(), StorageError> {
        let result = self.write_and_sync();
        let mut state = self.state.lock();
        let mut wakers = Vec::new();
        if let Ok(synced) = result {
            state.synced = synced;
            self.synced.store(synced, Ordering::Release);
            wakers = state.sync_wakers.take_to(synced);
        }
        state.syncing = false;
        let done = state.covered;
        state.covered = 1 - done;
        // One of those not covered goes on with the next sync. If more was synced than was known to be covered when
        // they began to wait, the one woken might be safe already and leave the others asleep.
        let all = state.synced > state.sync_covers;
        drop(state);
        if all {
            self.sync_done[1 - done].notify_all();
        } else {
            self.sync_done[1 - done].notify_one();
        }
        self.sync_done[done].notify_all();
        wake(wakers);
        self.announced(result)?;
        self.mark_synced();
        Ok(())
    }

    fn write_and_sync(&self) -> Result<Position, StorageError> {
        let appended = self.state.lock().appended;
        self.write(appended)?;
        let mut state = self.state.lock();
        state.outcome()?;
        state.sync_at = None;
        let written = state.written;
        let full = mem::take(&mut state.dirty);
        let current = state.current.clone();
        drop(state);
        for segment in full.iter().chain([&current]) {
            let synced = segment.file.sync();
            synced.or_else(|error| self.state.lock().fail(error))?;
        }
        Ok(written)
    }

    /// Answers with the result. If it is an error, wakes all who wait; no lock is held.
    fn announced<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        if result.is_err() {
            let mut state = self.state.lock();
            let mut wakers = state.room_wakers.take();
            wakers.extend(state.write_wakers.take_to(Position::MAX));
            wakers.extend(state.sync_wakers.take_to(Position::MAX));
            drop(state);
            for done in &self.sync_done {
                done.notify_all();
            }
            wake(wakers);
        }
        result
    }

    /// Writes down what was synced, if no frame that is to be written will say it.
    pub(super) fn mark_synced(&self) {
        let owed = |state: &State| state.buffer.is_empty() && state.marked < state.synced && state.failure.is_none();
        if !owed(&self.state.lock()) {
            return;
        }
        let mut tail = self.tail.lock();
        let state = self.state.lock();
        // Two marks at most stand behind the last frame.
        if !owed(&state) || tail.offset + 2 * HEAD as u64 > tail.segment.length {
            return;
        }
        let mark = state.mark(tail.number);
        drop(state);
        let written = self.write_mark(&mut tail, mark);
        drop(tail);
        // What was synced stays so, whatever became of the mark.
        drop(self.announced(written));
    }

    fn write_mark(&self, tail: &mut Tail, mark: Mark) -> Result<(), StorageError> {
        let written = self.put_mark(tail, mark);
        let mut state = self.state.lock();
        written.or_else(|error| state.fail(error))?;
        state.marked = state.marked.max(mark.synced);
        state.room = tail.segment.room(tail.offset);
        Ok(())
    }

    /// Writes down and syncs that segments before `oldest` are not needed, after all that was appended so far.
    pub(super) fn raise_oldest(&self, oldest: u32) -> Result<(), StorageError> {
        let mut tail = self.tail.lock();
        let appended = self.state.lock().appended;
        let written = self.write_buffer(&mut tail, appended);
        let raised = written.and_then(|wakers| {
            self.write_oldest(&mut tail, oldest)?;
            Ok(wakers)
        });
        drop(tail);
        wake(self.announced(raised)?);
        self.sync_written()
    }

    fn write_oldest(&self, tail: &mut Tail, oldest: u32) -> Result<(), StorageError> {
        self.check_process()?;
        let is_full = tail.offset + 2 * HEAD as u64 > tail.segment.length;
        let mut reserving = None;
        if is_full {
            let guard = self.reserving.lock();
            let made = self.make_reserve(&guard, 0);
            made.map_err(|error| StorageError::Full {
                source: Arc::new(error),
            })?;
            reserving = Some(guard);
        }
        let mut state = self.state.lock();
        state.outcome()?;
        state.oldest = oldest;
        let mark = state.mark(tail.number);
        drop(state);
        if let Some(reserving) = reserving {
            // The next segment begins with the mark.
            let rolled = self.roll(reserving, tail, mark);
            return rolled.or_else(|error| self.state.lock().fail(error));
        }
        self.write_mark(tail, mark)
    }

    /// Syncs all that was written, marks too.
    pub(super) fn sync_written(&self) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        while state.syncing {
            let covered = state.covered;
            self.sync_done[covered].wait(&mut state);
        }
        state.outcome()?;
        state.syncing = true;
        state.sync_covers = state.appended;
        drop(state);
        self.lead_sync()
    }

    pub(super) fn check_process(&self) -> Result<(), StorageError> {
        if (self.options.process_id)() == self.opened_by {
            return Ok(());
        }
        Err(StorageError::Forked {
            opened_by: self.opened_by,
        })
    }

    /// Notes that a frame, which is written, has to be synced in time.
    pub(super) fn sync_within(&self, position: Position, level: Level) {
        let Level::Interval(interval) = level else { return };
        if self.synced.load(Ordering::Acquire) >= position {
            return;
        }
        let at = self.options.clock.now().saturating_add(interval);
        let mut state = self.state.lock();
        if state.synced < position && state.sync_at.is_none_or(|it| at < it) {
            state.sync_at = Some(at);
            let waker = state.tell();
            drop(state);
            wake(waker);
        }
    }
}
