//! Documentation only: what is not one item's to say.
//!
//! * [`architecture`]: the rooms of the crate, who may know whom, and why.
//! * [`differences`]: where SQS leaves the answer open and what this crate answers; what it does not do; what it adds.
//! * [`changelog`]: what changed, by release.
#![cfg_attr(
    feature = "aws-protocol",
    doc = "* [`sqs_door`]: the HTTP API of SQS, in process and over loopback, and where it differs."
)]
#![cfg_attr(
    feature = "testing",
    doc = "* [`consumers`]: how to let the testing kit find the bug in a consumer, and how to read its story."
)]
#![cfg_attr(
    feature = "worker",
    doc = "* [`worker`]: handlers run over a queue, and what becomes of a message."
)]

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("differences.md")]
pub mod differences {}

#[cfg(feature = "testing")]
#[doc = include_str!("consumers.md")]
pub mod consumers {}

#[cfg(feature = "aws-protocol")]
#[doc = include_str!("sqs_door.md")]
pub mod sqs_door {}

#[cfg(feature = "worker")]
#[doc = include_str!("worker.md")]
pub mod worker {}

#[doc = include_str!("../../CHANGELOG.md")]
pub mod changelog {}
