//! Handlers run over a queue: in threads or async, on the embedded queue or on Amazon SQS. Feature `worker`.
//!
//! A [`Runner`] calls a handler for every message, settles the message by the handler's result, and renews its lease
//! meanwhile. It works on any [`MessageQueue`].
//!
//! ```text
//!   workers (threads, or futures in one task)        lease renewer (renews leases, gives back the backlog)
//!        \      take their next task                /
//!         +--> dispatcher: backlog, idle workers, receives, counters
//!        /
//!   queue <- receive, delete, change visibility      handler <- job
//! ```
//!
//! Threads and futures drive the same async loop.

mod backlog;
mod batch;
#[cfg(feature = "serde")]
mod batch_json;
mod block_on;
mod builder;
pub mod conformance;
mod counters;
mod dispatcher;
mod embedded;
mod engine;
mod event;
mod failure;
mod handler;
mod job;
mod lease_renewer;
mod message_queue;
mod notify;
mod quotas;
mod received;
mod report;
mod request;
mod runner;
#[cfg(feature = "schedule")]
mod schedule;
mod settings;
#[cfg(feature = "worker-sqs")]
mod sqs;
#[cfg(feature = "tracing")]
mod trace;
#[cfg(feature = "serde")]
mod typed;
mod work;

#[cfg(feature = "schedule")]
pub use schedule::{
    AddScheduleError, Cancelled, CatchUp, Cron, CronError, DueJob, RunningScheduler, Schedule, Scheduler,
    SchedulerBuilder, SchedulerError, SchedulerEvent, SchedulerHandle, SchedulerReport,
};
#[cfg(feature = "worker-sqs")]
pub use sqs::SqsQueue;
#[cfg(feature = "tracing")]
pub use trace::{ParseTraceHeaderError, TraceHeader};
#[cfg(feature = "serde")]
pub use typed::{
    EachTyped, EachTypedAsync, ParseJobError, SendJobError, TypedMessage, TypedQueue, TypedReceive, TypedRunnerBuilder,
    UnparsedPolicy,
};
pub use {
    batch::{BatchAnswer, BatchSettings},
    builder::RunnerBuilder,
    event::{FailureCause, RunnerEvent},
    failure::{Backoff, Failure, FailurePolicy},
    handler::{Batch, BatchAsync, Each, EachAsync, Handler},
    job::{Job, LeaseLost},
    message_queue::{EntryFailure, ErrorKind, MessageCounts, MessageQueue, MessageQueueError, ReceiveRequest},
    quotas::QueueLimits,
    received::{MessageParts, ReceivedMessage},
    report::{Distribution, RunnerReport},
    request::{
        Request, RequestError, Requester, RequesterReport, Respond, RespondAsync, RespondRunnerBuilder, Responder,
        ResponderReport,
    },
    runner::{Runner, RunnerError, RunnerHandle, Running},
    settings::BuildRunnerError,
};
