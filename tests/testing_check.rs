//! The check passes a correct consumer, notices each property that a wrong one breaks, and tells it in short.

#[path = "testing_check/bad_input.rs"]
mod bad_input;
#[path = "testing_check/checkpoints.rs"]
mod checkpoints;
#[path = "testing_check/consumers.rs"]
mod consumers;
#[path = "testing_check/crashes.rs"]
mod crashes;
#[path = "testing_check/dead_letters.rs"]
mod dead_letters;
#[path = "testing_check/faults.rs"]
mod faults;
#[path = "testing_check/holds.rs"]
mod holds;
#[path = "testing_check/long.rs"]
mod long;
#[path = "testing_check/properties.rs"]
mod properties;
#[path = "testing_check/regressions.rs"]
mod regressions;
#[path = "testing_check/replay.rs"]
mod replay;
#[path = "testing_check/runs.rs"]
mod runs;
#[path = "testing_check/wakes.rs"]
mod wakes;
