//! The law of the journal: a queue is what its facts say, after whatever steps, and also when what still counts was
//! carried forward and the entries before were dropped.

mod clock;
mod law;
mod rules;
mod world;
