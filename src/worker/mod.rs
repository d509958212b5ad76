//! Handlers run over a queue: in threads or async, on the embedded queue or on Amazon SQS. Feature `worker`.
//!
//! A [`Runner`] calls a handler for every message, settles the message by what the handler says, and keeps hold of it
//! meanwhile. It works on anything that is a [`MessageQueue`].
//!
//! ```text
//!   hands (threads, or futures in one task)          keeper (renews leases, gives back what is not begun)
//!        \      ask what to do                      /
//!         +--> desk: waiting jobs, free hands, polls, counts
//!        /
//!   queue <- receive, delete, change visibility      handler <- job
//! ```
//!
//! All hands live the same life, whether a thread or a future lives it, so there is one loop and no second tree.

mod batch;
#[cfg(feature = "serde")]
mod batch_json;
mod bell;
mod block_on;
mod books;
mod builder;
pub mod conformance;
mod desk;
mod embedded;
mod event;
mod failure;
mod handler;
mod job;
mod keeper;
mod message_queue;
mod quotas;
mod received;
mod report;
mod request;
mod runner;
#[cfg(feature = "schedule")]
mod schedule;
mod settings;
mod shop;
#[cfg(feature = "worker-sqs")]
mod sqs;
#[cfg(feature = "tracing")]
mod trace;
#[cfg(feature = "serde")]
mod typed;
mod waiting;
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
    job::{Job, Lost},
    message_queue::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError, Poll},
    received::{MessageParts, ReceivedMessage},
    report::{Distribution, RunnerReport},
    request::{
        Request, RequestError, Requester, RequesterReport, Respond, RespondAsync, RespondRunnerBuilder, Responder,
        ResponderReport,
    },
    runner::{Runner, RunnerError, RunnerHandle, Running},
    settings::BuildRunnerError,
};
