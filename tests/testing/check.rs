//! The check passes a correct consumer, notices each property that a wrong one breaks, and tells it in short.

mod bad_input;
mod blocked;
mod checkpoints;
pub(crate) mod consumers;
mod crashes;
mod dead_letters;
mod faults;
mod groups;
mod holds;
mod idle;
mod inputs;
mod long;
mod outage;
mod panics;
mod phases;
mod properties;
mod ready_properties;
mod regressions;
mod replay;
mod runs;
mod sometimes;
mod stories;
mod waits;
mod wakes;
