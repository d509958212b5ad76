//! Messages before they are stored: what a producer sends, what a queue keeps of it, and ids.
//!
//! A [`SendMessage`] may hold anything; its `parse` checks it once and answers with a [`Content`], which is valid ever
//! after. Nothing here knows a queue.
mod attribute;
mod check;
mod content;
mod id;
mod ids;
#[cfg(feature = "serde")]
mod json;
mod outgoing;
mod parse;
mod seal;

pub use attribute::{AttributeContent, MessageAttributeValue, MessageAttributes};
#[cfg(feature = "worker")]
pub(crate) use check::check_attribute_name;
#[cfg(any(feature = "payloads", feature = "topics"))]
pub(crate) use check::is_text;
pub use content::Content;
pub(crate) use content::{DeadLetter, Extras};
pub(crate) use id::Id;
pub use ids::{MessageId, ReceiptHandle, SequenceNumber};
#[cfg(feature = "serde")]
pub(crate) use json::parse;
pub use outgoing::SendMessage;
pub(crate) use seal::{SealKey, Seed};
