//! A worker: a process that receives messages and has handlers for some of them at once.

use {
    super::agenda::Micros,
    crate::{queue::Message, sim::scenario::Fleet},
    std::collections::VecDeque,
};

/// What a worker knows. The rules are those of the dispatcher of [`worker`](crate::worker); a test compares both.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) fleet: u32,
    /// Which of its fleet it is.
    pub(super) place: u32,
    /// How often it has stopped; what was planned for an earlier life is void.
    pub(super) life: u32,
    /// How often it has started.
    pub(super) starts: u32,
    pub(super) phase: Phase,
    /// Jobs whose handlers run or that are being settled.
    pub(super) working: Vec<u32>,
    /// Jobs that are not begun, in the order in which they were received.
    pub(super) backlog: VecDeque<u32>,
    /// Messages that the receives under way ask for.
    requested: usize,
    receives: usize,
    long_poll: bool,
    last_receive_nonempty: bool,
    /// Answers with messages that are on their way to it.
    pub(super) arriving: u32,
    /// Receives that have failed in a row.
    pub(super) failed_receives: u32,
    /// Whether an empty short poll is followed by a pause, which is not over.
    pub(super) pausing: bool,
    /// When it looks at its leases.
    pub(super) renews_at: Option<Micros>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Running,
    /// No message is received or begun any more.
    Stopping(Then),
    /// It will start.
    Down,
    /// It has left the fleet.
    Gone,
}

/// What follows when a worker has stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Then {
    Leave,
    /// A new start after so long; and then the next of a rolling deploy.
    Restart(Micros),
}

/// A receive that a worker makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ask {
    pub(super) max_messages: usize,
    /// Whether it may wait.
    pub(super) long: bool,
    pub(super) at: Micros,
}

/// A message that a worker has.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) worker: u32,
    pub(super) message: Message,
    /// Its number in the ledger.
    pub(super) track: u32,
    /// By which its draws are made.
    pub(super) key: u64,
    pub(super) received_at: Micros,
    pub(super) held_until: Micros,
    /// When its lease is next due.
    pub(super) renew_at: Micros,
    /// None in the backlog.
    pub(super) began_at: Option<Micros>,
    /// How its handler will end, or has ended.
    pub(super) ending: Ending,
    pub(super) poison: bool,
    /// How often the delete of its message has failed.
    pub(super) failed_calls: u32,
    /// Whether its handler has ended.
    pub(super) ended: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    Success,
    Failure,
    /// The handler timeout ends it.
    Timeout,
}

impl Job {
    /// Whether its lease is to be renewed: between two deletes it is.
    pub(super) const fn is_renewable(&self) -> bool {
        !self.ended || self.failed_calls > 0
    }
}

impl Worker {
    pub(super) const fn new(fleet: u32, place: u32) -> Self {
        Self {
            fleet,
            place,
            life: 0,
            starts: 0,
            phase: Phase::Down,
            working: Vec::new(),
            backlog: VecDeque::new(),
            requested: 0,
            receives: 0,
            long_poll: false,
            last_receive_nonempty: false,
            arriving: 0,
            failed_receives: 0,
            pausing: false,
            renews_at: None,
        }
    }

    pub(super) fn start(&mut self) {
        self.phase = Phase::Running;
        self.starts += 1;
    }

    /// Forgets all that it was about to do; returns the jobs that it had.
    pub(super) fn end_life(&mut self, phase: Phase) -> Vec<u32> {
        let jobs = self.working.drain(..).chain(self.backlog.drain(..)).collect();
        *self = Self {
            life: self.life + 1,
            starts: self.starts,
            phase,
            ..Self::new(self.fleet, self.place)
        };
        jobs
    }

    /// Whether a handler may begin or a receive be made: a runner has a place for each handler, and one that receives
    /// takes up a place.
    #[inline]
    pub(super) fn has_place(&self, concurrency: usize) -> bool {
        self.phase == Phase::Running && self.working.len() + self.receives < concurrency
    }

    /// The receive that it makes now, if any; what may begin has begun.
    pub(super) fn ask(&self, fleet: &Fleet, now: Micros) -> Option<Ask> {
        let Fleet {
            concurrency,
            prefetch,
            max_messages,
            ..
        } = *fleet;
        if self.pausing || !self.has_place(concurrency) {
            return None;
        }
        // What is in the backlog all the same waits for its group, and not for a place.
        let idle = concurrency - self.working.len();
        let room = idle.saturating_add(prefetch).saturating_sub(self.requested);
        let may = self.receives == 0 || self.last_receive_nonempty;
        (may && room > 0).then(|| Ask {
            max_messages: room.min(max_messages),
            long: !self.long_poll,
            at: now,
        })
    }

    pub(super) const fn is_receiving(&self) -> bool {
        self.receives > 0
    }

    pub(super) const fn asks(&mut self, ask: Ask) {
        self.requested += ask.max_messages;
        self.receives += 1;
        self.long_poll |= ask.long;
    }

    pub(super) const fn answered(&mut self, ask: Ask, messages: usize) {
        self.requested -= ask.max_messages;
        self.receives -= 1;
        self.long_poll &= !ask.long;
        self.last_receive_nonempty = messages > 0;
    }
}
