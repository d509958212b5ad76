//! Why a request is answered with an error: a code of the catalogue and a text.

use crate::error::{
    BatchError, ChangeVisibilityError, CreateQueueError, DeleteError, InvalidAttributeName, InvalidAttributeValue,
    InvalidParameterValue, InvalidReason, ListError, MissingParameter, MoveTaskError, ParseReceiptHandleError,
    PermissionError, PurgeError, QueueError, ReceiveError, SendBatchError, SendError, SetQueueAttributesError,
    TagError,
};

/// An error as the protocols name it (section 0.4).
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Code {
    /// The shape, with its namespace: what the JSON protocol says.
    pub(super) shape: &'static str,
    /// What the query protocol says, and the header that keeps SDKs compatible with it.
    pub(super) query: &'static str,
    pub(super) status: u16,
}

const fn code(shape: &'static str, query: &'static str, status: u16) -> Code {
    Code { shape, query, status }
}

const UNSUPPORTED_OPERATION: Code = code(
    "UnsupportedOperation",
    "AWS.SimpleQueueService.UnsupportedOperation",
    400,
);

/// Every error of the model, and what SQS answers beyond it.
pub(super) const CATALOGUE: &[Code] = &[
    code(
        "BatchEntryIdsNotDistinct",
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        400,
    ),
    code("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400),
    code("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400),
    code("InvalidAddress", "InvalidAddress", 404),
    code("InvalidAttributeName", "InvalidAttributeName", 400),
    code("InvalidAttributeValue", "InvalidAttributeValue", 400),
    code("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400),
    code("InvalidIdFormat", "InvalidIdFormat", 400),
    code("InvalidMessageContents", "InvalidMessageContents", 400),
    code("InvalidSecurity", "InvalidSecurity", 403),
    code("KmsAccessDenied", "KMS.AccessDeniedException", 400),
    code("KmsDisabled", "KMS.DisabledException", 400),
    code("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException", 400),
    code("KmsInvalidState", "KMS.InvalidStateException", 400),
    code("KmsNotFound", "KMS.NotFoundException", 400),
    code("KmsOptInRequired", "KMS.OptInRequired", 403),
    code("KmsThrottled", "KMS.ThrottlingException", 400),
    code("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400),
    code("OverLimit", "OverLimit", 403),
    code(
        "PurgeQueueInProgress",
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        403,
    ),
    code(
        "QueueDeletedRecently",
        "AWS.SimpleQueueService.QueueDeletedRecently",
        400,
    ),
    code("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400),
    code("QueueNameExists", "QueueAlreadyExists", 400),
    code("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404),
    code("RequestThrottled", "RequestThrottled", 403),
    code("ResourceNotFoundException", "ResourceNotFoundException", 404),
    code(
        "TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        400,
    ),
    UNSUPPORTED_OPERATION,
    code("InvalidParameterValueException", "InvalidParameterValue", 400),
    code("MissingRequiredParameterException", "MissingParameter", 400),
    code("InvalidAction", "InvalidAction", 400),
    code("SerializationException", "MalformedInput", 400),
    code("UnknownOperationException", "UnknownOperationException", 404),
];

/// How many codes at the end of the catalogue are of the protocols and not of the model.
const UNMODELLED: usize = 5;

impl Code {
    /// The code that errors of this crate, or a protocol, call `name`.
    fn named(name: &str) -> &'static Self {
        let of_the_queue = |code: &&Self| code.query == name || code.shape == name;
        let found = CATALOGUE.iter().find(of_the_queue);
        found.unwrap_or(&UNSUPPORTED_OPERATION)
    }

    /// The namespace of the shape: errors outside the model are those of the framework beneath the service (W2).
    pub(super) fn namespace(&self) -> &'static str {
        let modelled = &CATALOGUE[..CATALOGUE.len() - UNMODELLED];
        if modelled.contains(self) {
            "com.amazonaws.sqs"
        } else {
            "com.amazon.coral.service"
        }
    }
}

/// An error to be answered.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: &'static Code,
    pub(super) message: String,
}

impl Fault {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: Code::named(code),
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
        Self::new("SerializationException", message)
    }

    /// There is no such action.
    pub(super) fn unknown_operation() -> Self {
        Self::new("UnknownOperationException", "")
    }

    /// The action is not one of a queue's own address (W6).
    pub(super) fn invalid_action(action: &str) -> Self {
        let message = format!("The action {action} is not valid for this endpoint.");
        Self::new("InvalidAction", message)
    }

    /// The queue URL names no queue of any service, as the query protocol says it (X10).
    pub(super) fn invalid_address(address: &str) -> Self {
        let message = format!("The address {address} is not valid for this endpoint.");
        Self::new("InvalidAddress", message)
    }

    /// The same error where addresses are not told from names: what an invalid one names does not exist (X10).
    pub(super) fn without_address(self) -> Self {
        match self.code.shape {
            "InvalidAddress" => QueueError::QueueDoesNotExist.into(),
            _ => self,
        }
    }

    /// The quota of calls is used up.
    pub(super) fn throttled() -> Self {
        Self::new("RequestThrottled", "Rate exceeded")
    }
}

macro_rules! from_errors {
    ($($error:ident),+ $(,)?) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::new(error.code(), error.to_string())
            }
        }
    )+};
}
from_errors!(
    BatchError,
    ChangeVisibilityError,
    CreateQueueError,
    DeleteError,
    InvalidParameterValue,
    ListError,
    MoveTaskError,
    ParseReceiptHandleError,
    PermissionError,
    PurgeError,
    QueueError,
    ReceiveError,
    SendBatchError,
    SendError,
    SetQueueAttributesError,
    TagError,
);

impl From<MissingParameter> for Fault {
    fn from(error: MissingParameter) -> Self {
        Self::new("MissingParameter", error.to_string())
    }
}

impl From<InvalidAttributeName> for Fault {
    fn from(error: InvalidAttributeName) -> Self {
        Self::new("InvalidAttributeName", error.to_string())
    }
}

impl From<InvalidAttributeValue> for Fault {
    fn from(error: InvalidAttributeValue) -> Self {
        Self::new("InvalidAttributeValue", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{DeadLetterError, ReserveError};

    #[test]
    fn the_catalogue_knows_every_code_of_this_crate() {
        macro_rules! codes {
            ($($error:ident)+) => { [$($error::CODES),+].concat() };
        }
        let mut codes = codes!(
            BatchError ChangeVisibilityError CreateQueueError DeadLetterError DeleteError ListError MoveTaskError
            PermissionError PurgeError QueueError ReceiveError ReserveError SendBatchError SendError
            SetQueueAttributesError TagError
        );
        codes.extend(["InvalidParameterValue", "MissingParameter", "ReceiptHandleIsInvalid"]);
        for code in codes {
            let found = Code::named(code);
            assert!(
                found.shape == code || found.query == code,
                "{code} is taken for {}",
                found.shape
            );
        }
    }
}
