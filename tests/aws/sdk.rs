//! An unmodified `aws_sdk_sqs::Client` on a service in process, in virtual time and on no executor in particular.

mod actions;
mod door;
mod errors;
mod messages;
mod waiting;
