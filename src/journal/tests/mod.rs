//! Crashes, failing disks and damage, on a file system in memory.

mod creating;
mod log_crash;
mod log_damage;
mod log_faults;
mod log_script;
mod queue_crash;
mod queue_faults;
mod queue_script;
mod queue_space;
#[cfg(feature = "topics")]
mod topic_space;
