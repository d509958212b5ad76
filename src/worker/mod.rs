//! Runs a handler for every message of a queue, on threads or async. Feature `worker`.
//!
//! ```
//! use requeue::{Queue, worker::{Job, Runner}};
//!
//! fn resize(job: &Job) -> Result<(), std::num::ParseIntError> {
//!     job.body().parse::<u32>().map(drop)
//! }
//!
//! let jobs = Queue::standard("jobs").build()?;
//! jobs.send("640")?;
//!
//! let builder = Runner::builder(&jobs).concurrency(5).until_none_visible();
//! let report = builder.each(resize)?.blocking()?;
//! assert_eq!(report.succeeded, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Runner`] receives messages, calls the handler, settles each message by the handler's result, and renews its
//! lease until then: it deletes what succeeded, and returns what failed to the queue by the [`FailurePolicy`]. It works
//! on any [`MessageQueue`](crate::backend::MessageQueue): the embedded queue, Amazon SQS, or several queues as one.
//!
//! The guide is [Running jobs](crate::guide::worker).

mod at_once;
mod backlog;
mod batch;
#[cfg(feature = "serde")]
mod batch_json;
mod build;
mod builder;
mod call;
mod count;
mod counters;
mod dispatcher;
mod engine;
mod error;
mod event;
mod failure;
mod handle;
mod handler;
mod job;
mod job_status;
mod lease;
mod lease_renewer;
mod limits;
mod load;
#[cfg(feature = "metrics")]
mod meters;
mod rate_limit;
mod report;
mod router;
mod runner;
mod settings;
mod settlement;
mod spawned;
mod stuck;
#[cfg(feature = "tracing")]
mod trace;
mod worker_loop;
mod worker_state;

#[cfg(feature = "tracing")]
pub use trace::{ParseTraceHeaderError, TraceHeader};
pub use {
    batch::{BatchAnswer, BatchSettings},
    builder::RunnerBuilder,
    error::{BuildRunnerError, RunnerError},
    event::{FailureCause, RunnerEvent},
    failure::{Failure, FailurePolicy, IntoFailure},
    handle::RunnerHandle,
    handler::{AsyncHandler, Batch, BatchAsync, Each, EachAsync, Handler},
    job::{Job, LeaseLost, Stopping},
    job_status::JobStatus,
    rate_limit::RateLimit,
    report::{Distribution, RunnerReport, RunnerState},
    router::Router,
    runner::Runner,
    spawned::{HandlerFuture, SpawnedHandler},
};
