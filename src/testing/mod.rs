//! Tools for tests of what uses a queue, in virtual time and by property: feature `testing`, with `proptest` behind it.

pub mod assertions;
pub mod model;
pub mod strategies;
