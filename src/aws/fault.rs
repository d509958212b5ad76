//! Why a request is answered with an error: a code of the catalogue and a text.

use crate::error::{
    BatchError, ChangeVisibilityError, CreateQueueError, DeleteError, ErrorCode, InvalidAttributeName,
    InvalidAttributeValue, InvalidParameterValue, InvalidReason, ListError, MissingParameter, MoveTaskError,
    ParseReceiptHandleError, PermissionError, PurgeError, QueueError, ReceiveError, SendBatchError, SendError,
    SetQueueAttributesError, TagError,
};

/// An error to be answered.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

impl Fault {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A required parameter is missing (X8).
    pub(super) fn missing(name: &'static str) -> Self {
        MissingParameter::new(name).into()
    }

    pub(super) fn invalid(parameter: &'static str, value: impl Into<String>, reason: InvalidReason) -> Self {
        InvalidParameterValue::of(parameter, value, reason).into()
    }

    /// The request cannot be read as what the action takes.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::MalformedInput, message)
    }

    /// There is no such action.
    pub(super) fn unknown_operation() -> Self {
        Self::new(ErrorCode::UnknownOperationException, "")
    }

    /// The action is not one of a queue's own address (W6).
    pub(super) fn invalid_action(action: &str) -> Self {
        let message = format!("The action {action} is not valid for this endpoint.");
        Self::new(ErrorCode::InvalidAction, message)
    }

    /// The queue URL names no queue of any service, as the query protocol says it (X10).
    pub(super) fn invalid_address(address: &str) -> Self {
        let message = format!("The address {address} is not valid for this endpoint.");
        Self::new(ErrorCode::InvalidAddress, message)
    }

    /// The same error where addresses are not told from names: what an invalid one names does not exist (X10).
    pub(super) fn without_address(self) -> Self {
        match self.code {
            ErrorCode::InvalidAddress => QueueError::QueueDoesNotExist.into(),
            _ => self,
        }
    }

    /// The quota of calls is used up.
    pub(super) fn throttled() -> Self {
        Self::new(ErrorCode::RequestThrottled, "Rate exceeded")
    }
}

macro_rules! from_errors {
    ($($error:ident $(= $code:ident)?),+ $(,)?) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::new(from_errors!(@code error $($code)?), error.to_string())
            }
        }
    )+};
    (@code $error:ident) => { $error.error_code() };
    (@code $error:ident $code:ident) => { ErrorCode::$code };
}
from_errors!(
    BatchError,
    ChangeVisibilityError,
    CreateQueueError,
    DeleteError,
    InvalidAttributeName = InvalidAttributeName,
    InvalidAttributeValue = InvalidAttributeValue,
    InvalidParameterValue = InvalidParameterValue,
    ListError,
    MissingParameter = MissingParameter,
    MoveTaskError,
    ParseReceiptHandleError = ReceiptHandleIsInvalid,
    PermissionError,
    PurgeError,
    QueueError,
    ReceiveError,
    SendBatchError,
    SendError,
    SetQueueAttributesError,
    TagError,
);
