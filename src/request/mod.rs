//! Request and response over two queues, as the temporary queue clients of AWS have it (E11-E16). Feature `worker`.
//!
//! ```text
//!   requester: request() -- request, ResponseQueueUrl = host#name --> request queue --> handler
//!       ^                                                                                  |
//!       |                                                                         responder: answer()
//!       |                                                                                  |
//!   deliver() <-- handler <-- host queue <------ answer, QueueName = name -----------------+
//! ```
//!
//! A virtual queue is a slot in a table, one for each pending request. Both handlers are ordinary ones, of any
//! [`Runner`](crate::worker::Runner) or loop.

mod requester;
mod responder;
mod slots;

pub use {
    requester::{DeliverError, RequestBuilder, RequestError, Requester},
    responder::{AnswerError, Answering, Responder, ResponderReport},
    slots::RequesterReport,
};

/// Names the virtual queue that is to have the answer (E15).
const RESPONSE_QUEUE_URL: &str = "ResponseQueueUrl";

/// Names the virtual queue that a message on the host queue is for (E12).
const QUEUE_NAME: &str = "__AmazonSQSVirtualQueuesClient.QueueName";

/// Separates the URL of a host queue from the name of a virtual queue (E11).
const OF_HOST: char = '#';
