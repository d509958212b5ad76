//! Sends jobs when they are due, once or by a cron pattern. Feature `schedule`.
//!
//! ```text
//!   handle: add, cancel, list --> agenda: what is due when <-- scheduler: sends what is due, retries, sleeps
//! ```
//!
//! The agenda is a pure machine that is told the time. There is one sender, so that jobs keep their order.

mod agenda;
mod catch_up;
mod cron;
mod error;
mod event;
mod handle;
mod scheduler;
mod spec;

pub use {
    cron::{Cron, CronError},
    error::SchedulerError,
    event::{SchedulerEvent, SchedulerReport},
    handle::{Cancelled, DueJob, SchedulerHandle},
    scheduler::{Scheduler, SchedulerBuilder},
    spec::{AddScheduleError, CatchUp, Schedule},
};
