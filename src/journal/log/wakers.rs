//! Wakers of those who wait for frames.

use {
    crate::queue::Position,
    std::{collections::BTreeMap, io, sync::Arc, task::Waker},
};

/// By the number of the frame.
#[derive(Debug, Default)]
pub(super) struct Wakers(BTreeMap<Position, Vec<Waker>>);

impl Wakers {
    pub(super) fn add(&mut self, position: Position, waker: &Waker) {
        let wakers = self.0.entry(position).or_default();
        if !wakers.iter().any(|it| it.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes those who wait for frames up to this one.
    pub(super) fn take_to(&mut self, position: Position) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(first) = self.0.first_entry().filter(|it| *it.key() <= position) {
            wakers.append(&mut first.remove());
        }
        wakers
    }
}

/// Answers of callers that never come back for them are forgotten beyond so many.
const MOST_REFUSED: usize = 1_024;

/// Of async callers who wait to be let in. A task has one waker at a time, by which it is known.
#[derive(Debug, Default)]
pub(super) struct RoomWakers {
    /// With the bytes that the next segment has to take, or 0 if writing the buffer is enough.
    waiting: BTreeMap<Identity, (Waker, u64)>,
    /// Those for whom the next segment could not be made, until they ask.
    refused: BTreeMap<Identity, (Waker, Arc<io::Error>)>,
}

/// What [`Waker::will_wake`] compares. No other waker has it as long as this one is kept.
type Identity = (usize, usize);

fn identity(waker: &Waker) -> Identity {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}

impl RoomWakers {
    pub(super) fn add(&mut self, waker: &Waker, needed: u64) {
        self.waiting.insert(identity(waker), (waker.clone(), needed));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The least that a next segment has to take for somebody.
    pub(super) fn needed(&self) -> Option<u64> {
        self.waiting
            .values()
            .map(|(_, needed)| *needed)
            .filter(|it| *it > 0)
            .min()
    }

    /// Takes those for whom it was enough to write the buffer.
    pub(super) fn take_written(&mut self) -> Vec<Waker> {
        let written = |(_, needed): &(Waker, u64)| *needed == 0;
        let taken = self.waiting.values().filter(|it| written(it));
        let taken = taken.map(|(waker, _)| waker.clone()).collect();
        self.waiting.retain(|_, it| !written(it));
        taken
    }

    /// Takes all.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.refused.clear();
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().map(|(waker, _)| waker).collect()
    }

    /// Takes those who need a next segment, which could not be made.
    pub(super) fn refuse(&mut self, error: &Arc<io::Error>) -> Vec<Waker> {
        if self.refused.len() > MOST_REFUSED {
            self.refused.clear();
        }
        let mut wakers = Vec::new();
        let (refused, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(_, (_, needed))| *needed > 0);
        self.waiting = waiting;
        let refused: BTreeMap<Identity, (Waker, u64)> = refused;
        for (identity, (waker, _)) in refused {
            wakers.push(waker.clone());
            self.refused.insert(identity, (waker, error.clone()));
        }
        wakers
    }

    /// Why the caller with this waker was refused since it was added.
    pub(super) fn take_refusal(&mut self, waker: &Waker) -> Option<Arc<io::Error>> {
        self.refused.remove(&identity(waker)).map(|(_, error)| error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Parker;

    #[test]
    fn a_task_that_asks_again_is_known_by_its_waker() {
        let (mut room, parkers) = (RoomWakers::default(), [Parker::new(), Parker::new()]);
        let wakers = parkers.each_ref().map(Parker::waker);
        for _ in 0..3 {
            room.add(&wakers[0].clone(), 10);
            room.add(&wakers[1].clone(), 0);
        }
        assert_eq!((room.waiting.len(), room.needed()), (2, Some(10)));
        assert!(room.take_written().iter().all(|it| it.will_wake(&wakers[1])));
        assert_eq!(room.refuse(&Arc::new(io::Error::other("full"))).len(), 1);
        assert!(room.is_empty() && room.take_refusal(&wakers[1]).is_none());
        assert!(room.take_refusal(&wakers[0].clone()).is_some());
        assert!(room.take_refusal(&wakers[0]).is_none());
    }
}
