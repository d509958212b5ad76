//! Errors: one enum per operation, with SQS's codes.
//!
//! `code()` of an error is the name of SQS's error shape, and the text is SQS's own wherever it is known. A text that
//! several operations share is written once, in [`InvalidParameterValue`] and its causes or in `text`.
mod attribute;
pub(crate) mod check;
mod code;
#[cfg(feature = "serde")]
mod json;
mod message_attribute;
mod parameter;
mod queue;
mod service;
mod storage;
mod text;

pub(crate) use attribute::AttributeError;
pub use attribute::{InvalidAttributeName, InvalidAttributeValue};
pub(crate) use code::ErrorCode;
#[cfg(feature = "worker")]
pub use code::ErrorKind;
#[cfg(feature = "serde")]
pub use json::{ParseJsonError, WriteJsonError};
pub use message_attribute::InvalidMessageAttribute;
pub use parameter::{InvalidParameterValue, InvalidReason, MissingParameter};
pub use queue::{
    BatchError, BudgetLimit, ChangeVisibilityError, DeadLetterError, DeleteError, ParseMessageIdError,
    ParseReceiptHandleError, PurgeError, QueueError, ReceiveError, ReserveError, SendBatchError, SendError,
};
#[cfg(feature = "aws-protocol")]
pub use service::PermissionError;
pub use service::{CreateQueueError, ListError, MoveTaskError, ResourceNotFound, SetQueueAttributesError, TagError};
pub use storage::StorageError;
#[cfg(any(feature = "serde", feature = "worker"))]
pub(crate) use text::excerpt;

/// Gives an error enum its `code()`: the [`ErrorCode`] with the name of the variant, unless another one is given for it.
/// Behind a semicolon stand variants whose error has a code of its own. Begins with the lines of an example.
macro_rules! codes {
    ($(#[doc = $line:literal])+ $error:ident: $($variant:ident $(= $code:ident)?),+ $(; $($nested:ident),+)?) => {
        impl $error {
            pub(crate) const fn error_code(&self) -> $crate::error::ErrorCode {
                match self {
                    $(Self::$variant { .. } => $crate::error::codes!(@code $variant $($code)?),)+
                    $($(Self::$nested(error) => error.error_code(),)+)?
                }
            }

            /// The name SQS gives to this error.
            ///
            /// # Examples
            /// ```
            $(#[doc = $line])+
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub const fn code(&self) -> &'static str {
                self.error_code().name()
            }
        }
    };
    (@code $variant:ident) => { $crate::error::ErrorCode::$variant };
    (@code $variant:ident $code:ident) => { $crate::error::ErrorCode::$code };
}
use codes;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SendMessage;
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);

    fn value(parameter: &'static str, value: &str, reason: InvalidReason) -> String {
        InvalidParameterValue::of(parameter, value, reason).to_string()
    }

    #[test]
    fn a_missing_queue_has_one_text_and_code_everywhere() {
        // X9 Q8 Q35 Q36
        let text = "The specified queue does not exist.";
        macro_rules! each {
            ($($error:ident)+) => {$(
                let error = $error::QueueDoesNotExist;
                assert_eq!((error.code(), error.to_string().as_str()), ("QueueDoesNotExist", text));
            )+};
        }
        each!(SendError ReceiveError DeleteError ChangeVisibilityError DeadLetterError BatchError);
        each!(PurgeError QueueError SetQueueAttributesError ListError TagError);
        #[cfg(feature = "aws-protocol")]
        each!(PermissionError);
    }

    #[test]
    fn batch_errors_keep_text_and_code_where_batches_of_messages_raise_them() {
        // M31 M32 M34 M35
        let (id, limit) = ("a b".to_owned(), 80);
        for (error, code, text) in [
            (
                BatchError::EmptyBatchRequest {
                    entry: "SendMessageBatchRequestEntry",
                },
                "EmptyBatchRequest",
                "There should be at least one SendMessageBatchRequestEntry in the request.",
            ),
            (
                BatchError::InvalidBatchEntryId { id, limit },
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most \
                 80 letters long.",
            ),
            (
                BatchError::BatchEntryIdsNotDistinct { id: "7".to_owned() },
                "BatchEntryIdsNotDistinct",
                "Id 7 repeated.",
            ),
            (
                BatchError::TooManyEntriesInBatchRequest { count: 11, limit: 10 },
                "TooManyEntriesInBatchRequest",
                "Maximum number of entries per request are 10. You have sent 11.",
            ),
            (
                BatchError::QueueDoesNotExist,
                "QueueDoesNotExist",
                "The specified queue does not exist.",
            ),
        ] {
            assert_eq!((error.code(), error.to_string().as_str()), (code, text));
            let error = SendBatchError::from(error);
            assert_eq!((error.code(), error.to_string().as_str()), (code, text));
        }
    }

    #[test]
    fn a_batch_of_messages_has_errors_of_its_own() {
        // M10 M36 F8
        let error = SendBatchError::BatchRequestTooLong {
            size: 1_048_577,
            limit: 1_048_576,
        };
        let text = "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.";
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("BatchRequestTooLong", text)
        );
        let missing = InvalidParameterValue::Missing(MissingParameter::new("MessageGroupId"));
        let error = SendBatchError::from(missing);
        let text = "The request must contain the parameter MessageGroupId.";
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("InvalidParameterValue", text)
        );
        assert_eq!(
            InvalidParameterValue::NoDeduplicationId.to_string(),
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
             explicitly"
        );
    }

    #[test]
    fn receipt_handles_and_attempts_are_refused_in_the_words_of_sqs() {
        // D19 D26 F33
        assert_eq!(
            value("ReceiptHandle", "h", InvalidReason::ReceiptHandleExpired),
            "Value h for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        );
        assert_eq!(
            value("ReceiptHandle", "h", InvalidReason::NotAvailable),
            "Value h for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
             visibility timeout change."
        );
        let limit = Duration::from_secs(43_200);
        let reason = InvalidReason::TotalVisibilityTimeout { limit };
        assert_eq!(
            InvalidParameterValue::of_span("VisibilityTimeout", limit, reason).to_string(),
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message \
             is beyond the limit [43200 seconds]"
        );
        assert_eq!(
            value("ReceiveRequestAttemptId", "a", InvalidReason::NotRetryable),
            "Value a for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not \
             valid anymore since the receive call is not retryable."
        );
        let error = DeleteError::from("h".parse::<crate::message::ReceiptHandle>().unwrap_err());
        assert_eq!(error.code(), "ReceiptHandleIsInvalid");
        assert_eq!(
            error.to_string(),
            "The input receipt handle \"h\" is not a valid receipt handle."
        );
    }

    #[test]
    fn a_dead_letter_is_refused_with_a_code_of_sqs_in_words_of_ours() {
        // L9 D19 D30
        let target = Some("arn:aws:sqs:us-east-1:000000000000:failed".to_owned());
        for (target, text) in [
            (None, "queue has no dead-letter queue"),
            (
                target,
                "dead-letter queue arn:aws:sqs:us-east-1:000000000000:failed does not exist",
            ),
        ] {
            let error = DeadLetterError::NoDeadLetterQueue { target };
            assert_eq!(
                (error.code(), error.to_string().as_str()),
                ("UnsupportedOperation", text)
            );
        }
        assert_eq!(
            value("ReceiptHandle", "h", InvalidReason::NotInFlight),
            "Value h for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not in flight."
        );
    }

    #[test]
    fn limits_of_a_queue_are_named_in_the_words_of_sqs() {
        // D16 D44
        assert_eq!(ReceiveError::OverLimit.code(), "OverLimit");
        assert_eq!(
            ReceiveError::OverLimit.to_string(),
            "Too many messages have been received without being deleted.\nPlease delete your received messages or let \
             them timeout before receiving more."
        );
        let error = PurgeError::PurgeQueueInProgress {
            queue: "orders".to_owned(),
            interval: MINUTE,
        };
        assert_eq!(error.code(), "PurgeQueueInProgress");
        assert_eq!(
            error.to_string(),
            "Only one PurgeQueue operation on orders is allowed every 60 seconds."
        );
    }

    #[test]
    fn a_full_queue_hands_the_message_back() {
        let message = SendMessage::new("x").message_group_id("g");
        let error = SendError::QueueFull {
            message: Box::new(message.clone()),
            messages: 10,
            bytes: 20,
            size: 1,
            limit: BudgetLimit::Messages(10),
        };
        assert_eq!(error.code(), "OverLimit");
        assert_eq!(
            error.to_string(),
            "no room for a message of 1 byte beside 10 messages of 20 bytes stored or promised, the budget is 10 messages"
        );
        assert!(matches!(error, SendError::QueueFull { message: back, .. } if *back == message));
        assert_eq!(BudgetLimit::Bytes(20).to_string(), "20 bytes");
    }

    #[test]
    fn creating_a_queue_is_refused_in_the_words_of_sqs() {
        // Q30 Q37 Q46
        let error = CreateQueueError::QueueNameExists {
            attribute: "DelaySeconds",
        };
        let text = "A queue already exists with the same name and a different value for attribute DelaySeconds";
        assert_eq!((error.code(), error.to_string().as_str()), ("QueueNameExists", text));
        let error = CreateQueueError::QueueDeletedRecently { interval: MINUTE };
        let text = "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("QueueDeletedRecently", text)
        );
        let error = CreateQueueError::from(InvalidParameterValue::TooManyTags {
            queue: "orders".to_owned(),
        });
        let text = "Too many tags added for queue orders.";
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("InvalidParameterValue", text)
        );
    }

    #[test]
    fn a_dead_letter_target_is_refused_in_the_words_of_sqs() {
        // L3a L3b
        for (reason, text) in [
            (InvalidReason::TargetUnknown, "Dead letter target does not exist."),
            (
                InvalidReason::TargetType,
                "Dead-letter queue must be same type of queue as the source.",
            ),
        ] {
            let head = "Value {} for parameter RedrivePolicy is invalid. Reason: ";
            assert_eq!(value("RedrivePolicy", "{}", reason), format!("{head}{text}"));
        }
    }

    #[cfg(feature = "aws-protocol")]
    #[test]
    fn permissions_are_refused_in_the_words_of_sqs() {
        // Q50 Q52 Q53
        for (parameter, given, reason, text) in [
            ("Label", "L", InvalidReason::LabelExists, "Already exists."),
            ("Label", "L", InvalidReason::LabelUnknown, "can't find label."),
            (
                "ActionName",
                "SQS:A",
                InvalidReason::OwnerOnly,
                "Only the queue owner is allowed to invoke this action.",
            ),
            (
                "ActionName",
                "SQS:A",
                InvalidReason::ActionUnknown,
                "Please refer to the appropriate WSDL for a list of valid actions.",
            ),
            ("PrincipalId", "[]", InvalidReason::Principal, "Unable to verify."),
        ] {
            let head = format!("Value {given} for parameter {parameter} is invalid. Reason: ");
            assert_eq!(value(parameter, given, reason), format!("{head}{text}"));
        }
        let error = PermissionError::OverLimit {
            counted: "Actions",
            count: 8,
            limit: 7,
        };
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("OverLimit", "8 Actions were found, maximum allowed is 7.")
        );
    }

    #[test]
    fn move_tasks_are_refused_in_the_words_of_sqs() {
        // L26 to L26h
        let missing =
            |resource: &str| format!("The resource that you specified for the {resource} parameter doesn't exist.");
        for (cause, text) in [
            (ResourceNotFound::SourceArn, missing("SourceArn")),
            (ResourceNotFound::DestinationArn, missing("DestinationArn")),
            (ResourceNotFound::Task, "Task does not exist.".to_owned()),
        ] {
            let error = MoveTaskError::from(cause);
            assert_eq!((error.code(), error.to_string()), ("ResourceNotFoundException", text));
        }
        for (cause, text) in [
            (
                InvalidParameterValue::NotADeadLetterQueue,
                "Source queue must be configured as a Dead Letter Queue.",
            ),
            (
                InvalidParameterValue::MoveTaskRunning,
                "There is already a task running. Only one active task is allowed for a source queue arn at a given \
                 time.",
            ),
            (
                InvalidParameterValue::SourceArn,
                "You must use this format to specify the SourceArn: \
                 arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
            ),
            (
                InvalidParameterValue::TaskHandle,
                "Value for parameter TaskHandle is invalid.",
            ),
        ] {
            let error = MoveTaskError::from(cause);
            assert_eq!(
                (error.code(), error.to_string().as_str()),
                ("InvalidParameterValue", text)
            );
        }
    }
}
