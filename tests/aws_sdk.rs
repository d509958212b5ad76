//! An unmodified `aws_sdk_sqs::Client` on a service in process, in virtual time and on no executor in particular.

mod common;

#[path = "aws_sdk/actions.rs"]
mod actions;
#[path = "aws_sdk/door.rs"]
mod door;
#[path = "aws_sdk/errors.rs"]
mod errors;
#[path = "aws_sdk/messages.rs"]
mod messages;
#[path = "aws_sdk/waiting.rs"]
mod waiting;
