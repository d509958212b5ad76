//! [`Journal`], what queues and services write to.

use {
    super::{codec, compact::Compaction, durability::Durabilities, log::Log},
    crate::{
        error::StorageError,
        queue::{FactLog, Position, Verb},
        state::{Fact, FactEntry, Recorded},
        time::Timestamp,
    },
    std::{
        sync::atomic::{AtomicI64, AtomicU64, Ordering},
        task::{Context, Poll},
    },
};

/// A journal that is open.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) log: Log,
    durabilities: Durabilities,
    /// Roughly what would have to be carried forward, in bytes.
    stored_bytes: AtomicI64,
    pub(super) compaction: Compaction,
    /// How often the journal was opened.
    epoch: u64,
    /// The latest instant of an entry since it was opened, in milliseconds.
    latest: AtomicU64,
}

impl Journal {
    pub(super) fn new(
        log: Log,
        durabilities: Durabilities,
        segment_bytes: u64,
        (epoch, opened_at): (u64, Timestamp),
    ) -> Self {
        Self {
            log,
            durabilities,
            stored_bytes: AtomicI64::new(0),
            compaction: Compaction::new(segment_bytes),
            epoch,
            latest: AtomicU64::new(opened_at.as_millis()),
        }
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored_bytes.load(Ordering::Relaxed).max(0) as u64
    }

    /// Appends a record; a log that is closed or has stopped takes none.
    fn appended(&self, fill: impl FnOnce(&mut Vec<u8>)) -> Position {
        match self.log.append(fill) {
            0 => NEVER,
            position => position,
        }
    }

    /// Records what the clock says. If it went back while the journal was open, that is the latest instant of an entry, as
    /// the queues have it.
    pub(super) fn record_clock(&self) -> Position {
        let now = self.log.now();
        self.appended(|out| {
            let latest = Timestamp::from_millis(self.latest.load(Ordering::Relaxed));
            let (epoch, at) = (self.epoch, now.max(latest));
            codec::begin(0, out);
            codec::encode(&Recorded::Opened { epoch, at }, out);
        })
    }

    /// What is stored grew by so many bytes.
    pub(super) fn grow(&self, bytes: i64) {
        if bytes == 0 {
            return;
        }
        self.stored_bytes.fetch_add(bytes, Ordering::Relaxed);
        if bytes < 0 {
            self.compaction.note_freed(bytes.unsigned_abs());
            if self.wants_compaction() || self.may_press() {
                self.log.nudge();
            }
        }
    }

    /// What a call asks for. A receive leaves space to settle what it takes.
    fn asked(&self, verb: Verb, bytes: usize) -> usize {
        match verb {
            Verb::Receive => bytes + self.compaction.settling_bytes(),
            _ => bytes,
        }
    }
}

/// The position of what was not appended.
const NEVER: Position = Position::MAX;

/// What the log is asked to wait for; of 0 it says why nothing is appended any more.
const fn reached(position: Position) -> Position {
    if position == NEVER { 0 } else { position }
}

/// Whether a call is refused while there is little room: what only takes away or ends is let in for longer.
const fn brings(verb: Verb) -> bool {
    matches!(verb, Verb::Send)
}

impl FactLog for Journal {
    fn has_room(&self, verb: Verb, bytes: usize) -> bool {
        self.log.has_room(self.asked(verb, bytes), brings(verb))
    }

    fn admit(&self, verb: Verb, bytes: usize) -> Result<(), StorageError> {
        self.log.admit(self.asked(verb, bytes), brings(verb))
    }

    fn poll_admit(&self, verb: Verb, bytes: usize, context: &mut Context<'_>) -> Poll<Result<(), StorageError>> {
        self.log.poll_admit(self.asked(verb, bytes), brings(verb), context)
    }

    fn append(&self, queue: u64, facts: &[FactEntry], grown_bytes: i64) -> Position {
        if !facts.iter().any(|entry| codec::is_recorded(&entry.fact)) {
            // What a queue forgets in passing is recorded by nothing.
            self.grow(grown_bytes);
            return 0;
        }
        let latest = facts.iter().map(|entry| entry.at.as_millis()).max();
        self.latest.fetch_max(latest.unwrap_or(0), Ordering::Relaxed);
        let position = self.appended(|out| {
            codec::begin(queue, out);
            facts.iter().for_each(|entry| codec::encode_fact(entry, out));
        });
        if facts.iter().any(|entry| matches!(entry.fact, Fact::QueueDeleted)) {
            self.compaction.forget_others();
        }
        self.grow(grown_bytes);
        position
    }

    fn wait(&self, verb: Verb, position: Position) -> Result<(), StorageError> {
        self.log.wait(reached(position), self.durabilities.level(verb))
    }

    fn poll_wait(&self, verb: Verb, position: Position, context: &mut Context<'_>) -> Poll<Result<(), StorageError>> {
        self.log
            .poll_wait(reached(position), self.durabilities.level(verb), context)
    }

    fn record(&self, queue: u64, recorded: &[Recorded]) -> Position {
        if recorded.is_empty() {
            return 0;
        }
        self.appended(|out| {
            let before = out.len();
            codec::begin(queue, out);
            recorded.iter().for_each(|it| codec::encode(it, out));
            self.compaction.note_recorded(out.len() - before);
        })
    }

    fn close(&self) -> Result<(), StorageError> {
        let closed = self.log.close();
        closed.and_then(|()| self.compaction.outcome())
    }
}
