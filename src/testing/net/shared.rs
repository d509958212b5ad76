//! A small value that the kit shares with the code under test.

use {crate::sync::Mutex, std::mem};

/// As a `Cell`, which may go to another thread.
#[derive(Default)]
pub(in crate::testing) struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    pub(in crate::testing) fn set(&self, value: T) {
        *self.0.lock() = value;
    }

    pub(in crate::testing) fn take(&self) -> T
    where
        T: Default,
    {
        mem::take(&mut self.0.lock())
    }

    pub(in crate::testing) fn get(&self) -> T
    where
        T: Copy,
    {
        *self.0.lock()
    }

    pub(in crate::testing) fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut self.0.lock())
    }
}
