//! What every case of a check has in common.

use {
    super::{consumer::Consumer, ledger::FinalMessage},
    crate::queue::QueueBuilder,
    std::{
        cell::{Cell, RefCell},
        rc::Rc,
    },
};

/// The world of a case: what the user's consumers change, and the invariants look at.
///
/// An async handler must not hold a borrow of it where it awaits: the invariants could not look, and that is told as a
/// failure.
///
/// # Examples
/// ```
/// use requeue::testing::{Consumer, World};
///
/// fn counter(world: &World<u32>) -> Consumer {
///     let world = world.clone();
///     Consumer::each(move |_, _| {
///         *world.borrow_mut() += 1;
///         Ok::<_, String>(())
///     })
/// }
/// # let world = World::default();
/// # drop(counter(&world));
/// # assert_eq!(*world.borrow(), 0);
/// ```
pub type World<W> = Rc<RefCell<W>>;

pub(super) struct QueueConfig {
    pub(super) build: Box<dyn Fn() -> QueueBuilder>,
    pub(super) max_receive_count: Option<u32>,
    /// Known once the check has been examined.
    pub(super) fifo: Cell<bool>,
}

type Make<W> = Box<dyn Fn(&World<W>) -> Consumer>;
type Invariant<W> = Box<dyn Fn(&W) -> bool>;
type FinalInvariant<W> = Box<dyn Fn(&W, &[FinalMessage]) -> bool>;

pub(super) struct Factory<W> {
    pub(super) name: Rc<str>,
    pub(super) make: Make<W>,
}

/// What every case of a check has in common.
pub(super) struct Setup<W> {
    pub(super) world: Box<dyn Fn() -> W>,
    pub(super) queues: Vec<QueueConfig>,
    pub(super) consumers: Vec<Factory<W>>,
    pub(super) invariants: Vec<(String, Invariant<W>)>,
    pub(super) finals: Vec<(String, FinalInvariant<W>)>,
    pub(super) holds: bool,
    /// How often more a case waits in vain for another thread.
    pub(super) patience: Cell<u32>,
}
