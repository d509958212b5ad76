//! Amazon SQS's semantics as an embeddable, in-process message queue, with no network layer.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod limits;
mod sync;
mod time;

pub use clock::{Alarm, Clock, ManualClock, Parker, SystemClock};
pub use limits::Limits;
pub use time::Timestamp;
