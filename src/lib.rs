//! Amazon SQS's semantics as an embeddable, in-process message queue, with no network layer.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod limits;
mod time;

pub use limits::Limits;
pub use time::Timestamp;
