//! Messages on their way in: what a producer says, what a queue keeps of it, and the names a message goes by.
//!
//! A [`SendMessage`] may hold anything; its `parse` checks it once and answers with a [`Content`], which is valid ever
//! after. Nothing here knows a queue.
mod attribute;
mod check;
mod ids;
mod outgoing;

pub use attribute::{AttributeContent, MessageAttributeValue, MessageAttributes};
pub use ids::{MessageId, ReceiptHandle, SequenceNumber};
pub use outgoing::SendMessage;
pub(crate) use outgoing::{Content, Extras};
