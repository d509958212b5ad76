//! What is done beside the calls: making segments ahead, syncing in time, compaction, and the I/O of async callers.

use {
    super::{Housekeeping, Shared, commit::State},
    crate::{
        clock::Parker,
        error::StorageError,
        journal::error::JournalError,
        queue::Position,
        sync::{Mutex, contain, wake},
        time::Timestamp,
    },
    std::{
        path::PathBuf,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread::{self, JoinHandle},
    },
};

pub(super) type Compaction = Arc<dyn Fn() -> bool + Send + Sync>;

/// The thread of a log, if it has one.
#[derive(Debug)]
pub(super) struct Thread {
    handle: Mutex<Option<JoinHandle<()>>>,
    has_thread: bool,
    /// Set while a caller does the work, if there is no thread: the work makes calls too.
    busy: AtomicBool,
}

impl Thread {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, JournalError> {
        let mut started = None;
        let has_thread = shared.options.housekeeping == Housekeeping::Thread;
        if has_thread {
            let shared = shared.clone();
            let thread = thread::Builder::new().name("requeue-journal".into());
            let spawned = thread.spawn(move || shared.run());
            started = Some(spawned.map_err(JournalError::io("start the thread of", PathBuf::from("the journal")))?);
        }
        Ok(Self {
            handle: Mutex::new(started),
            has_thread,
            busy: AtomicBool::new(false),
        })
    }

    /// Whether a thread does the I/O of async callers.
    pub(super) fn is_running(&self) -> bool {
        self.has_thread
    }

    pub(super) fn stop(&self, shared: &Shared) {
        let Some(handle) = self.handle.lock().take() else {
            return;
        };
        let mut state = shared.state.lock();
        state.told = true;
        let waker = state.thread.clone();
        drop(state);
        wake(waker);
        // The compaction may drop the last handle of what the log belongs to.
        if handle.thread().id() != thread::current().id() {
            drop(handle.join());
        }
    }

    /// Does the work on the calling thread, if there is no thread for it.
    pub(super) fn work_inline(&self, shared: &Shared) {
        if self.has_thread || self.busy.swap(true, Ordering::Acquire) {
            return;
        }
        while shared.work() {}
        self.busy.store(false, Ordering::Release);
    }
}

enum Work {
    /// A next segment that takes so many bytes, for callers who wait for it.
    MakeRoom(u64),
    Write,
    Sync,
    Reserve,
    Compact,
}

impl Shared {
    fn run(&self) {
        let parker = Parker::new();
        self.state.lock().thread = Some(parker.waker());
        loop {
            while self.work() {}
            let mut state = self.state.lock();
            if state.closed {
                state.thread = None;
                return;
            }
            // Work that came in since then comes with a wake.
            let told = std::mem::replace(&mut state.told, false);
            let goes_on = state.failure.is_none() && !state.held_up;
            let until = state.sync_at.filter(|_| goes_on);
            drop(state);
            if !told {
                self.options.clock.park_until(&parker, until);
            }
        }
    }

    /// Does what is most urgent; false if nothing is.
    fn work(&self) -> bool {
        let now = self.options.clock.now();
        let mut state = self.state.lock();
        if state.closed || state.failure.is_some() {
            return false;
        }
        let Some(work) = self.next_work(&mut state, now) else {
            return false;
        };
        let (appended, written) = (state.appended, state.written);
        drop(state);
        match work {
            Work::MakeRoom(needed) => self.make_room(appended, needed).is_ok(),
            Work::Write => self.write(appended).is_ok(),
            Work::Sync if appended > written => self.sync(appended).is_ok(),
            Work::Sync => self.sync_written().is_ok(),
            // It is tried again when somebody needs it.
            Work::Reserve => self.make_reserve(&self.reserving.lock(), 0).is_ok(),
            Work::Compact => self.compact(),
        }
    }

    fn next_work(&self, state: &mut State, now: Timestamp) -> Option<Work> {
        if let Some(needed) = state.room_wakers.needed() {
            return Some(Work::MakeRoom(needed));
        }
        if !state.write_wakers.is_empty() || !state.room_wakers.is_empty() {
            return Some(Work::Write);
        }
        let is_due = state.sync_at.is_some_and(|it| it <= now);
        if !state.sync_wakers.is_empty() || is_due || !state.dirty.is_empty() {
            return Some(Work::Sync);
        }
        if self.wants_reserve(state) {
            return Some(Work::Reserve);
        }
        std::mem::take(&mut state.compact).then_some(Work::Compact)
    }

    /// Writes the buffer, since how full the segments are is known better afterwards, makes the next segment, and wakes
    /// those who wait for it, also if it could not be made.
    fn make_room(&self, appended: Position, needed: u64) -> Result<(), StorageError> {
        self.write(appended)?;
        let made = self.make_reserve(&self.reserving.lock(), needed);
        let mut state = self.state.lock();
        let wakers = match made {
            Ok(()) => state.room_wakers.take(),
            Err(error) => state.room_wakers.refuse(&Arc::new(error)),
        };
        drop(state);
        wake(wakers);
        Ok(())
    }

    /// Whether the next segment should be made now: the current one is half full.
    pub(super) fn wants_reserve(&self, state: &State) -> bool {
        state.reserve.is_none() && state.reserve_error.is_none() && state.room < self.options.segment_bytes / 2
    }

    /// Runs the compaction; it is run again if it says so.
    fn compact(&self) -> bool {
        let Some(run) = self.compaction.lock().clone() else {
            return true;
        };
        let mut more = false;
        contain(|| more = run());
        if more {
            self.state.lock().compact = true;
        }
        true
    }
}
