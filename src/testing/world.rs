//! [`World`], what the consumers of a case change and the invariants look at.

use {
    super::quiet,
    crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    std::{fmt, ops, sync::Arc, thread},
};

/// So often a borrow waits for another thread that has the world at the moment.
const MOST_YIELDS: u32 = 1_000;

/// The world of a case: what the user's consumers change, and the invariants look at. A handle: clones share it.
///
/// It is borrowed as a [`RefCell`](std::cell::RefCell) is. Where `W` is `Send` and `Sync` so is the handle, so that a
/// spawned task may have one. An async handler must not hold a borrow of it where it awaits: the invariants could not
/// look, and that is told as a failure. A consumer that is dead borrows it no more: what it has caught unwinds it again.
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
pub struct World<W>(Arc<RwLock<W>>);

impl<W> World<W> {
    /// A world of its own, for tests without a check.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::World;
    /// let world = World::new(vec!["order-1"]);
    /// world.clone().borrow_mut().push("order-2");
    /// assert_eq!(world.borrow().len(), 2);
    /// ```
    #[must_use]
    pub fn new(world: W) -> Self {
        Self(Arc::new(RwLock::new(world)))
    }

    /// Looks at the world.
    ///
    /// # Panics
    /// While it is borrowed mutably.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::World;
    /// let world = World::new(5);
    /// assert_eq!(*world.borrow() + *world.borrow(), 10);
    /// ```
    #[track_caller]
    pub fn borrow(&self) -> impl ops::Deref<Target = W> + use<'_, W> {
        quiet::stay_dead();
        match patiently(|| self.0.try_read_recursive()) {
            Some(guard) => RwLockReadGuard::map(guard, |world| world),
            None => panic!("the world is borrowed mutably already"),
        }
    }

    /// For the kit, which has no place of its own to tell; `None` while it is borrowed mutably.
    pub(super) fn try_borrow(&self) -> Option<impl ops::Deref<Target = W> + use<'_, W>> {
        patiently(|| self.0.try_read_recursive())
    }

    /// Changes the world.
    ///
    /// # Panics
    /// While it is borrowed.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::World;
    /// let world = World::new(5);
    /// *world.borrow_mut() += 1;
    /// assert_eq!(*world.borrow(), 6);
    /// ```
    #[track_caller]
    pub fn borrow_mut(&self) -> impl ops::DerefMut<Target = W> + use<'_, W> {
        quiet::stay_dead();
        match patiently(|| self.0.try_write()) {
            Some(guard) => RwLockWriteGuard::map(guard, |world| world),
            None => panic!("the world is borrowed already"),
        }
    }
}

/// A borrow of another thread ends soon; one of this thread never does.
fn patiently<T>(attempt: impl Fn() -> Option<T>) -> Option<T> {
    (0..MOST_YIELDS).find_map(|_| {
        attempt().or_else(|| {
            thread::yield_now();
            None
        })
    })
}

impl<W> Clone for World<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Default> Default for World<W> {
    fn default() -> Self {
        Self::new(W::default())
    }
}

impl<W: fmt::Debug> fmt::Debug for World<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = f.debug_tuple("World");
        match self.0.try_read_recursive() {
            Some(world) => told.field(&*world).finish(),
            None => told.field(&"borrowed").finish(),
        }
    }
}

impl<W: PartialEq> PartialEq for World<W> {
    fn eq(&self, other: &Self) -> bool {
        *self.borrow() == *other.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_is_borrowed_by_many_who_look_or_one_who_changes_it() {
        let world = World::new(1);
        let first = world.borrow();
        assert_eq!(*first + *world.borrow(), 2);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(world.borrow_mut()))).is_err());
        drop(first);
        let mut changed = world.borrow_mut();
        *changed = 2;
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(world.borrow()))).is_err());
    }
}
