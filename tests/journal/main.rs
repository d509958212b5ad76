//! Queues with a journal: what is left after the death of a process, and what directories are refused.

mod bad_input;
mod clock;
mod crash;
#[path = "../common/directory.rs"]
mod directory;
mod handles;
mod inspecting;
mod open;
mod poison;
mod reopening;
mod restart;
mod torn;
mod version_1;
