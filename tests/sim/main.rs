//! The queue lab.

mod scenario;
