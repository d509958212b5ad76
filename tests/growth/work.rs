//! What a thread has done: records touched and allocations freed, and the most of it under one lock.

use {
    crate::state::touched,
    stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc},
    std::{
        alloc::System,
        cell::{Cell, RefCell},
    },
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes allocated and not freed, by the whole process.
pub(crate) fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Work done by a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Accesses to records and to entries of windows.
    pub(crate) touched: usize,
    /// Allocations given back: dropping a container of any kind shows here.
    pub(crate) freed: usize,
}

/// The most work done under one lock while the test did something.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) during: &'static str,
    pub(crate) work: Work,
}

impl Work {
    pub(crate) const NONE: Self = Self { touched: 0, freed: 0 };

    pub(crate) fn so_far() -> Self {
        Self {
            touched: touched::count(),
            freed: ALLOCATOR.stats().deallocations,
        }
    }

    /// The most of each kind.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            touched: self.touched.max(other.touched),
            freed: self.freed.max(other.freed),
        }
    }

    /// The lock taken at `self` is about to be released.
    pub(crate) fn note_hold(self) {
        let now = Self::so_far();
        let work = Self {
            touched: now.touched - self.touched,
            freed: now.freed - self.freed,
        };
        let during = DURING.get();
        HOLDS.with_borrow_mut(|holds| match holds.iter_mut().find(|hold| hold.during == during) {
            Some(hold) => hold.work = hold.work.max(work),
            None => holds.push(Hold { during, work }),
        });
    }
}

/// The longest holds since this was last asked, one for each thing done.
pub(crate) fn take_holds() -> Vec<Hold> {
    // Has room for all, so that no case is charged with it.
    HOLDS.replace(Vec::with_capacity(64))
}

/// Names what the test does from here on.
pub(crate) fn during(what: &'static str) {
    DURING.set(what);
}

std::thread_local! {
    static HOLDS: RefCell<Vec<Hold>> = const { RefCell::new(Vec::new()) };
    static DURING: Cell<&'static str> = const { Cell::new("") };
}
