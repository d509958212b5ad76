//! The lock library, named in this file only.
//!
//! Its locks are never poisoned: a consumer that panics leaves a queue usable for the others.

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
