//! The SQS door: the wire protocols of Amazon SQS as bytes in, bytes out.
//!
//! [`Endpoint::handle`] answers what an AWS SDK sends, all 23 actions, in the JSON and in the older query protocol.
//! Nothing here opens a socket; `examples/sqs_endpoint/` shows how a server is put before it.

mod action;
mod attributes;
mod batches;
mod builder;
mod call;
mod digest;
mod endpoint;
mod fault;
mod form;
mod host;
mod http;
mod json;
mod messages;
mod model;
mod move_tasks;
mod permissions;
mod query;
mod queues;
mod range;
#[cfg(feature = "aws-sdk")]
mod sdk;
mod shape;
mod tags;
mod throttle;
mod xml;

#[cfg(feature = "aws-sdk")]
pub use {crate::clock::SdkClock, sdk::SdkHttpClient};
pub use {
    builder::EndpointBuilder,
    endpoint::Endpoint,
    http::{Request, Response},
};
