//! Jobs that are sent when their time has come: once, or again and again by a cron pattern (feature `schedule`).
//!
//! ```text
//!   handle: add, cancel, list --> book: what is due when <-- scheduler: sends what is due, retries, sleeps
//! ```
//!
//! The book is a pure machine that is told the time. There is one sender, so that jobs keep their order.

mod book;
mod catch_up;
mod cron;
mod event;
mod handle;
mod plan;
mod scheduler;

pub use {
    cron::{Cron, CronError},
    event::{SchedulerEvent, SchedulerReport},
    handle::{Cancelled, DueJob, RunningScheduler, SchedulerHandle},
    plan::{AddScheduleError, CatchUp, Schedule, ScheduleId},
    scheduler::{Scheduler, SchedulerBuilder, SchedulerError},
};
