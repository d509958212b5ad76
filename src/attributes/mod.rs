//! Attributes of a queue: what a request may set, the checks on its way in, and the values in force.
//!
//! A [`QueueAttributes`] may hold anything; `apply` checks it against limits and queue type and answers with new
//! [`QueueSettings`], or changes nothing. Whether a dead-letter target exists is not decided here.
#[cfg(feature = "aws-protocol")]
mod access_policy;
mod apply;
mod compare;
#[cfg(feature = "aws-protocol")]
mod json;
mod policies;
mod settings;
mod table;

#[cfg(feature = "aws-protocol")]
pub(crate) use access_policy::{AccessPolicy, OverQuota, Statement};
pub use policies::{DeduplicationScope, FifoThroughputLimit, RedriveAllowPolicy, RedrivePolicy};
use table::name;
pub use table::{QueueAttributes, QueueSettings};
