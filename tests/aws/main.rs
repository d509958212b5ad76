//! The HTTP API of SQS, as bytes and through the AWS SDK.

#[path = "../common/mod.rs"]
mod common;

mod attributes;
mod cases;
mod query;
#[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
mod sdk;
mod throttling;
