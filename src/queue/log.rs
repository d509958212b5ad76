//! What a queue asks of a journal, and how its calls wait for it.

use {
    super::{Core, Inner},
    crate::{
        error::StorageError,
        state::{Fact, FactEntry, QueueState},
    },
    std::{
        fmt,
        future::poll_fn,
        sync::Arc,
        task::{Context, Poll, Waker},
    },
};

/// How many entries a journal has when one is in it; 0 is none.
pub(crate) type Position = u64;

/// What a call does, which says how safe its entry has to be before the call returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    Send,
    Receive,
    ChangeVisibility,
    Delete,
    /// Purges, settings, tags, queues, move tasks.
    Manage,
}

/// Writes down the facts of queues.
pub(crate) trait FactLog: fmt::Debug + Send + Sync + 'static {
    /// Whether [`admit`](Self::admit) would let a call in at once.
    fn has_room(&self, verb: Verb, bytes: usize) -> bool;

    /// Blocks while too much is still to be written, and refuses what could not be recorded. No lock is held.
    fn admit(&self, verb: Verb, bytes: usize) -> Result<(), StorageError>;

    /// The same for an async caller, whose waker is woken when it is worth another call.
    fn poll_admit(&self, verb: Verb, bytes: usize, context: &mut Context<'_>) -> Poll<Result<(), StorageError>>;

    /// Fixes the order of the facts of one step, by which what is stored grew by so many bytes: the lock of the queue is
    /// held, and nothing is written yet. Answers 0 if none of them is recorded, and with a position that is never reached
    /// once the journal has stopped.
    fn append(&self, queue: u64, facts: &[FactEntry], grown_bytes: i64) -> Position;

    /// Blocks until an entry and all before it are as safe as the verb asks for.
    fn wait(&self, verb: Verb, position: Position) -> Result<(), StorageError>;

    /// The same for an async caller.
    fn poll_wait(&self, verb: Verb, position: Position, context: &mut Context<'_>) -> Poll<Result<(), StorageError>>;

    /// Writes and syncs all that is recorded, and ends.
    #[cfg(feature = "journal")]
    fn close(&self) -> Result<(), StorageError>;

    /// Records what is not a fact of a queue; of number 0 what is of no queue. A crash leaves all of it or nothing;
    /// answers 0 for none.
    #[cfg(feature = "journal")]
    fn record(&self, queue: u64, recorded: &[crate::state::Recorded]) -> Position;
}

/// The journal of a queue, and the queue's number in it.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pub(crate) log: Arc<dyn FactLog>,
    pub(crate) number: u64,
}

/// Where a queue is in its journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    /// Its latest entry. What a call answers with depends on no later one.
    pub(super) latest: Position,
    /// On a FIFO queue its latest entry with a send. A message is received once it is as safe as its send: otherwise a
    /// power cut could lose a send whose message was processed, and the producer sends it again (F11).
    pub(super) sent: Position,
    /// Whether the journal is closed, so that nobody may begin to wait any more.
    pub(super) closed: bool,
    /// What the journal knows to be stored.
    #[cfg(feature = "journal")]
    pub(super) stored_bytes: u64,
}

impl Recorded {
    pub(super) const NONE: Self = Self {
        latest: 0,
        sent: 0,
        closed: false,
        #[cfg(feature = "journal")]
        stored_bytes: 0,
    };
}

impl Recorder {
    /// Records the facts that are not recorded yet.
    pub(super) fn append(&self, core: &mut Core) {
        let facts = core.effects.unrecorded();
        if facts.is_empty() {
            return;
        }
        let position = self
            .log
            .append(self.number, facts, grown_bytes(&core.state, &mut core.recorded));
        if position > 0 {
            let sent = core.state.is_fifo() && facts.iter().any(|entry| matches!(entry.fact, Fact::Sent { .. }));
            core.recorded.latest = position;
            if sent {
                core.recorded.sent = position;
            }
        }
        core.effects.mark_recorded();
    }
}

/// By how much what is stored grew since the last entry.
#[cfg(feature = "journal")]
fn grown_bytes(state: &QueueState, recorded: &mut Recorded) -> i64 {
    let before = std::mem::replace(&mut recorded.stored_bytes, state.stored_bytes());
    recorded.stored_bytes as i64 - before as i64
}

/// Nobody asks without a journal.
#[cfg(not(feature = "journal"))]
const fn grown_bytes(_: &QueueState, _: &mut Recorded) -> i64 {
    0
}

impl Inner {
    /// Makes a call that answers with the entry on which its answer depends, once the journal lets it in, and returns when
    /// that entry is safe.
    #[inline]
    pub(super) fn record<T, E: From<StorageError>>(
        &self,
        verb: Verb,
        bytes: usize,
        call: impl FnOnce() -> Result<(T, Position), E>,
    ) -> Result<T, E> {
        if self.recorder.is_some() {
            self.admit(verb, bytes)?;
        }
        let (answer, position) = call()?;
        if position > 0 {
            self.settle(verb, position)?;
        }
        Ok(answer)
    }

    /// [`record`](Self::record) for an async caller.
    pub(super) async fn record_async<T, E: From<StorageError>>(
        &self,
        verb: Verb,
        bytes: usize,
        call: impl FnOnce() -> Result<(T, Position), E>,
    ) -> Result<T, E> {
        if let Some(recorder) = &self.recorder {
            poll_fn(|context| recorder.log.poll_admit(verb, bytes, context)).await?;
        }
        let (answer, position) = call()?;
        self.settle_async(verb, position).await?;
        Ok(answer)
    }

    #[inline(never)]
    pub(super) fn admit(&self, verb: Verb, bytes: usize) -> Result<(), StorageError> {
        match &self.recorder {
            None => Ok(()),
            Some(recorder) => recorder.log.admit(verb, bytes),
        }
    }

    /// Lets an attempt in, which waits under the waker that is asked for otherwise.
    #[inline]
    pub(super) fn poll_admit(
        &self,
        verb: Verb,
        bytes: usize,
        waker: &mut dyn FnMut() -> Waker,
    ) -> Poll<Result<(), StorageError>> {
        match &self.recorder {
            Some(recorder) if !recorder.log.has_room(verb, bytes) => {
                recorder.log.poll_admit(verb, bytes, &mut Context::from_waker(&waker()))
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Blocks until the entry at this position is safe.
    #[inline(never)]
    pub(crate) fn settle(&self, verb: Verb, position: Position) -> Result<(), StorageError> {
        match &self.recorder {
            Some(recorder) if position > 0 => recorder.log.wait(verb, position),
            _ => Ok(()),
        }
    }

    pub(super) async fn settle_async(&self, verb: Verb, position: Position) -> Result<(), StorageError> {
        poll_fn(|context| self.poll_settle(verb, position, context)).await
    }

    pub(super) fn poll_settle(
        &self,
        verb: Verb,
        position: Position,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), StorageError>> {
        match &self.recorder {
            Some(recorder) if position > 0 => recorder.log.poll_wait(verb, position, context),
            _ => Poll::Ready(Ok(())),
        }
    }
}
