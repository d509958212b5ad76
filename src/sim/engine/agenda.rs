//! What happens next, and when.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Microseconds of virtual time since the start of the run.
pub(super) type Micros = u64;

/// More than the number of any event that was entered.
const LAST: u64 = 1 << 63;

/// What may happen at an instant. A number that has changed meanwhile, of a job or of a life of a worker, makes it void.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Event {
    /// The next message of a producer is due.
    Send { producer: u32 },
    /// A producer sends the batch that it has begun.
    Flush { producer: u32, batch: u32 },
    /// A producer sends a message again.
    Resend { producer: u32, message: u32 },
    /// The call of a receive is answered.
    Answer { answer: u32 },
    /// A handler ends.
    HandlerEnds { job: u32, serial: u32 },
    /// The call that settles a job is made.
    Settle { job: u32, serial: u32 },
    /// A worker renews the leases that are due.
    Renew { worker: u32, life: u32 },
    /// A worker polls again after an empty short poll.
    Poll { worker: u32, life: u32 },
    /// A worker starts.
    Start { worker: u32, life: u32 },
    /// A worker that stops in order has waited for its handlers long enough.
    StopTimeout { worker: u32, life: u32 },
    /// A worker dies.
    Crash { worker: u32, life: u32 },
    /// The number of workers of a fleet is looked at.
    Scale { fleet: u32 },
    /// A deploy begins.
    Deploy { fleet: u32, deploy: u32 },
    /// A part of the run is over, for which a number of its own is kept.
    Mark,
}

/// Events in the order of their time, and at one instant in the order in which they were entered; renewals last, as a
/// runner looks at its handlers first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    entered: u64,
    /// How many stayed when void ones were last dropped.
    stayed: usize,
}

/// With fewer events than this none is worth dropping.
const FEW: usize = 1_000;

impl Agenda {
    #[inline]
    pub(super) fn enter(&mut self, at: Micros, event: Event) {
        let last = if matches!(event, Event::Renew { .. }) { LAST } else { 0 };
        self.events.push(Reverse((at, self.entered | last, event)));
        self.entered += 1;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Drops the void events once they may be half of all: one that is due in years would stay until then.
    pub(super) fn drop_void(&mut self, mut is_void: impl FnMut(&Event) -> bool) {
        if self.events.len() < 2 * self.stayed.max(FEW) {
            return;
        }
        self.events.retain(|Reverse((.., event))| !is_void(event));
        self.stayed = self.events.len();
    }

    #[inline]
    pub(super) fn next_at(&self) -> Option<Micros> {
        self.events.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next event, if it is due, which stays.
    #[inline]
    pub(super) fn next_due(&self, now: Micros) -> Option<&Event> {
        let Reverse((at, _, event)) = self.events.peek()?;
        (*at <= now).then_some(event)
    }

    /// The next event, if it is due.
    #[inline]
    pub(super) fn take_due(&mut self, now: Micros) -> Option<Event> {
        if self.next_at()? > now {
            return None;
        }
        self.events.pop().map(|Reverse((.., event))| event)
    }
}
