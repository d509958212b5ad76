//! A runner on `SqsQueue`, whose client a service in process answers, does what it does on the embedded queue.

mod common;
#[path = "common/http.rs"]
mod http;

#[path = "worker_sqs/both.rs"]
mod both;
#[path = "worker_sqs/dead_letters.rs"]
mod dead_letters;
#[path = "worker_sqs/outages.rs"]
mod outages;
