//! The check passes a correct consumer, notices each property that a wrong one breaks, and tells it in short.

mod bad_input;
mod checkpoints;
mod consumers;
mod crashes;
mod dead_letters;
mod faults;
mod holds;
mod long;
mod properties;
mod regressions;
mod replay;
mod runs;
mod wakes;
