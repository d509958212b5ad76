//! Strategies of `proptest` for all that goes into a queue: valid values with the edges of their ranges among them, and
//! invalid ones that know the rule they break.
//!
//! Valid messages have at most 1,024 bytes, so that every queue takes them; [`fifo_message`] has a deduplication id, so
//! that it needs no content-based deduplication. An invalid value is a [`Broken`]: exactly one thing is wrong with it,
//! and it carries the rule's id and the code of the error, so that you can test what your code does with errors. Limits
//! are those of SQS.
//!
//! # Examples
//! ```
//! use proptest::prelude::*;
//! use requeue::{Queue, testing::strategies::{broken_standard_message, standard_message}};
//!
//! proptest!(|(good in standard_message(), bad in broken_standard_message())| {
//!     let jobs = Queue::standard("jobs").build()?;
//!     prop_assert!(jobs.send(good).is_ok());
//!     let error = jobs.send(bad.value).unwrap_err();
//!     prop_assert_eq!(error.code(), bad.code, "rule {}", bad.rule);
//! });
//! ```

mod broken;
mod broken_queues;
mod steps;
mod valid;

pub use broken::{
    Broken, broken_batch_entry_id, broken_body, broken_delay, broken_fifo_batch, broken_fifo_message,
    broken_max_messages, broken_message_attributes, broken_message_deduplication_id, broken_message_group_id,
    broken_receive_request_attempt_id, broken_standard_batch, broken_standard_message, broken_visibility_timeout,
    broken_wait_time,
};
pub use broken_queues::{
    broken_fifo_attributes, broken_fifo_queue_name, broken_queue_name, broken_standard_attributes,
};
pub use steps::{Step, fifo_steps, standard_steps};
pub use valid::{
    batch_entry_id, body, delay, fifo_attributes, fifo_batch, fifo_message, fifo_queue_name, max_messages,
    message_attribute_name, message_attribute_value, message_attributes, message_deduplication_id, message_group_id,
    queue_name, receive_request_attempt_id, standard_attributes, standard_batch, standard_message, visibility_timeout,
    wait_time,
};
