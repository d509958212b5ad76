//! The wire protocols of Amazon SQS as bytes in, bytes out. Feature `aws-protocol`.
//!
//! ```
//! use requeue::{QueueAttributes, Service, aws::{Endpoint, Request}};
//!
//! let service = Service::builder().build();
//! service.create_queue("jobs", QueueAttributes::new())?;
//! let endpoint = Endpoint::new(&service);
//!
//! let send = r#"{"QueueUrl":"jobs","MessageBody":"resize cat.png"}"#;
//! let send = Request::post("/", send).header("X-Amz-Target", "AmazonSQS.SendMessage");
//! assert_eq!(pollster::block_on(endpoint.handle(send)).status, 200);
//! # Ok::<(), requeue::CreateQueueError>(())
//! ```
//!
//! [`Endpoint::handle`] answers what an AWS SDK sends, all 23 actions, in the JSON and in the older query protocol.
//! Nothing here opens a socket; the example `sqs_endpoint` is a server around it. With the feature `aws-sdk`,
//! `Service::sdk_config` configures an `aws_sdk_sqs::Client` that calls it in process.
//!
//! The guide is [The SQS endpoint](crate::guide::sqs_endpoint).

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
#[cfg(all(feature = "aws-sdk", feature = "testing"))]
mod network;
mod permissions;
mod query;
mod queues;
mod range;
#[cfg(feature = "aws-sdk")]
mod sdk;
mod shape;
mod tags;
mod throttle;
mod value;
mod xml;

#[cfg(feature = "aws-sdk")]
pub use {crate::clock::SdkClock, sdk::SdkHttpClient};
pub use {
    builder::EndpointBuilder,
    endpoint::Endpoint,
    http::{Request, Response},
};
