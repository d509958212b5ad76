//! Why a call was refused: one enum per operation, each naming its cause as SQS does.
//!
//! `code()` of an error is the name of SQS's error shape, and the text is SQS's own wherever it is known. A text that
//! several operations share is written once, in [`InvalidParameterValue`] and its causes or in `text`.
mod attribute;
pub(crate) mod check;
mod message_attribute;
mod parameter;
mod queue;
mod service;
mod text;

pub(crate) use attribute::AttributeError;
pub use attribute::{InvalidAttributeName, InvalidAttributeValue};
pub use message_attribute::InvalidMessageAttribute;
pub use parameter::{InvalidParameterValue, InvalidReason, MissingParameter};
pub use queue::{
    BatchError, BudgetLimit, ChangeVisibilityError, DeleteError, ParseMessageIdError, ParseReceiptHandleError,
    PurgeError, QueueError, ReceiveError, SendBatchError, SendError,
};
pub use service::{
    CreateQueueError, ListError, MoveTaskError, PermissionError, ResourceNotFound, SetQueueAttributesError, TagError,
};

/// Gives an error enum its `code()`: the name of the variant, unless another one is given for it.
macro_rules! codes {
    ($error:ident: $($variant:ident $(= $code:literal)?),+ $(,)?) => {
        impl $error {
            /// The name SQS gives to this error.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $crate::error::codes!(@name $variant $($code)?),)+
                }
            }
        }
    };
    (@name $variant:ident) => { stringify!($variant) };
    (@name $variant:ident $code:literal) => { $code };
}
use codes;
