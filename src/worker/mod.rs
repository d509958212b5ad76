//! Handlers run over a queue: in threads or async, on the embedded queue or on Amazon SQS. Feature `worker`.
//!
//! A [`Runner`] calls a handler for every message, settles the message by the handler's result, and renews its lease
//! meanwhile. It works on any [`MessageQueue`](crate::backend::MessageQueue).
//!
//! ```text
//!   workers (threads, or futures in one task)        lease renewer (renews leases, gives back the backlog)
//!        \      take their next task                /
//!         +--> dispatcher: backlog, idle workers, receives, counters
//!        /
//!   queue <- receive, delete, change visibility      handler <- job
//! ```
//!
//! Threads and futures drive the same async loop, which does by plain calls what needs no waiting.

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
