//! Request and response over two queues, as the temporary queue clients of AWS have it (E11-E16).
//!
//! ```text
//!   requester -- request, ResponseQueueUrl = host#name --> request queue --> responder
//!        ^                                                                      |
//!        +-- runner <-- host queue <-- answer, QueueName = name ----------------+
//! ```
//!
//! A virtual queue is a slot in a table, one for each pending request. One runner consumes the host queue for all.

mod requester;
mod responder;
mod slots;

pub use {
    requester::{Request, RequestError, Requester},
    responder::{Respond, RespondAsync, RespondRunnerBuilder, Responder, ResponderReport},
    slots::RequesterReport,
};

/// Names the virtual queue that is to have the answer (E15).
const RESPONSE_QUEUE_URL: &str = "ResponseQueueUrl";

/// Names the virtual queue that a message on the host queue is for (E12).
const QUEUE_NAME: &str = "__AmazonSQSVirtualQueuesClient.QueueName";

/// Separates the URL of a host queue from the name of a virtual queue (E11).
const OF_HOST: char = '#';
