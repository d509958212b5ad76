//! Delayed calls, which take effect at a later instant.

use {
    super::faults::Fault,
    crate::{
        clock::{Alarm, Clock, ManualClock},
        message::MessageId,
        queue::Queue,
        sync::Mutex,
        time::Timestamp,
    },
    std::{collections::BTreeMap, fmt, mem, sync::Arc, task::Waker},
};

/// What a late call did once it arrived, of those that a check makes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Arrived {
    /// Of this actor.
    Send(Arc<str>),
    Delete(MessageId),
    Visibility(MessageId),
}

/// A call that is still to be made; says whether the queue took it.
type Call = Box<dyn FnOnce(&Queue) -> bool + Send>;

struct OnItsWay {
    call: Call,
    arrived: Option<Arrived>,
    /// Kept with the call: dropping it cancels the wake.
    alarm: Alarm,
}

/// When a call is due, and how many were put off before it.
type Key = (Timestamp, u64);

#[derive(Default)]
struct OnTheirWay {
    calls: BTreeMap<Key, OnItsWay>,
    put_off: u64,
}

impl OnTheirWay {
    fn insert(&mut self, due: Timestamp, call: OnItsWay) -> Key {
        self.put_off += 1;
        let key = (due, self.put_off);
        self.calls.insert(key, call);
        key
    }
}

/// The late calls to one queue. No call is made under the lock.
pub(super) struct LateCalls {
    on_their_way: Mutex<OnTheirWay>,
    /// Woken when a call is due, by the clock.
    waker: Option<Waker>,
}

impl fmt::Debug for LateCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let due: Vec<Timestamp> = self.on_their_way.lock().calls.keys().map(|key| key.0).collect();
        f.debug_tuple("LateCalls").field(&due).finish()
    }
}

impl LateCalls {
    pub(super) fn new(waker: Option<Waker>) -> Self {
        Self {
            on_their_way: Mutex::default(),
            waker,
        }
    }

    /// When the next call takes effect.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.on_their_way.lock().calls.keys().next().map(|key| key.0)
    }

    pub(super) fn put_off(&self, clock: &ManualClock, call: Call, arrived: Option<Arrived>) {
        let due = clock.now().saturating_add(Fault::LATE);
        let call = OnItsWay {
            call,
            arrived,
            alarm: Alarm::default(),
        };
        let key = self.on_their_way.lock().insert(due, call);
        // Another thread may move the clock meanwhile: the call has to be found by the wake, and may be gone after it.
        let Some(waker) = self.waker.clone() else { return };
        let mut alarm = clock.wake_at(due, waker);
        if let Some(call) = self.on_their_way.lock().calls.get_mut(&key) {
            mem::swap(&mut call.alarm, &mut alarm);
        }
    }

    /// Makes the calls that are due, in order; one that the queue refuses by now is lost.
    pub(super) fn arrive(&self, queue: &Queue, clock: &ManualClock) -> Vec<Arrived> {
        let mut all = Vec::new();
        while let Some(OnItsWay { call, arrived, alarm }) = self.pop_due(clock.now()) {
            drop(alarm);
            if call(queue) {
                all.extend(arrived);
            }
        }
        all
    }

    fn pop_due(&self, now: Timestamp) -> Option<OnItsWay> {
        let mut on_their_way = self.on_their_way.lock();
        let first = on_their_way.calls.first_entry().filter(|it| it.key().0 <= now)?;
        Some(first.remove())
    }
}
