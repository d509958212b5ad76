//! Errors of SQS and of the SDK, as errors of the message queue.

use {
    crate::{
        backend::{ErrorKind, MessageQueueError},
        error::ErrorCode,
    },
    aws_credential_types::provider::error::CredentialsError,
    aws_sdk_sqs::{
        error::{BuildError, ConnectorError, ProvideErrorMetadata, SdkError},
        types::BatchResultErrorEntry,
    },
    std::{error::Error, iter},
};

/// What a text about a receipt handle says when the message is not in flight under it (D19). The same code is given for
/// other parameters, such as a visibility timeout that is too long in total (D26).
const NOT_HELD: [&str; 3] = [
    "for parameter ReceiptHandle is invalid",
    "receipt handle has expired",
    "not available for visibility timeout change",
];

pub(super) fn refused(code: &'static str, text: impl Into<String>) -> MessageQueueError {
    MessageQueueError::new(ErrorKind::Refused, code, text)
}

pub(super) fn not_built(error: BuildError) -> MessageQueueError {
    refused("ConstructionFailure", error_text(&error))
}

pub(super) fn from_sdk<E>(error: SdkError<E>) -> MessageQueueError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (kind, code) = match &error {
        SdkError::ServiceError(answer) => return from_service(answer.err(), answer.raw().status().as_u16()),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) => return from_connector(error),
            None => (ErrorKind::Transient, "DispatchFailure"),
        },
        SdkError::TimeoutError(_) => (ErrorKind::Transient, "TimeoutError"),
        SdkError::ResponseError(_) => (ErrorKind::Transient, "ResponseError"),
        _ => (ErrorKind::Refused, "ConstructionFailure"),
    };
    MessageQueueError::new(kind, code, error_text(&error))
}

/// Converts an error response, or a response that cannot be parsed.
fn from_service<E: ProvideErrorMetadata + Error + 'static>(error: &E, status: u16) -> MessageQueueError {
    let text = error.message().map_or_else(|| error_text(error), str::to_owned);
    let Some(code) = error.code() else {
        let kind = kind_of_status(status);
        return MessageQueueError::new(kind, format!("HTTP {status}"), text);
    };
    let kind = kind_of_code(code, &text).unwrap_or_else(|| kind_of_status(status));
    MessageQueueError::new(kind, code.to_owned(), text)
}

pub(super) fn from_entry(entry: &BatchResultErrorEntry) -> MessageQueueError {
    let text = entry.message().unwrap_or("no reason was given");
    let kind = kind_of_code(entry.code(), text);
    let kind = match kind {
        Some(kind) => kind,
        None if entry.sender_fault() => ErrorKind::Refused,
        None => ErrorKind::Transient,
    };
    MessageQueueError::new(kind, entry.code().to_owned(), text)
}

/// Whether an error concerns the message of the call rather than the call.
pub(super) fn concerns_the_message(error: &MessageQueueError) -> bool {
    error.kind == ErrorKind::NotHeld || ErrorCode::named(&error.code) == Some(ErrorCode::InvalidParameterValue)
}

/// Converts an error without a response. Errors that the SDK itself would retry are transient.
fn from_connector(error: &ConnectorError) -> MessageQueueError {
    let text = error_text(error);
    let credentials = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>());
    match credentials {
        Some(CredentialsError::ProviderTimedOut(_)) => {
            return MessageQueueError::new(ErrorKind::Transient, "NoCredentials", no_credentials(&text));
        }
        Some(_) => return denied(&text),
        // The type of an error for want of any provider is private to the SDK.
        None if text.contains("auth scheme") || text.contains("identity resolver") => {
            return denied(&text);
        }
        None => {}
    }
    let transient = error.is_io() || error.is_timeout() || error.as_other().is_some();
    let kind = if transient {
        ErrorKind::Transient
    } else {
        ErrorKind::Refused
    };
    MessageQueueError::new(kind, "DispatchFailure", text)
}

fn denied(text: &str) -> MessageQueueError {
    MessageQueueError::new(ErrorKind::Denied, "NoCredentials", no_credentials(text))
}

fn no_credentials(text: &str) -> String {
    format!("the client has no credentials to sign the request with: {text}")
}

fn kind_of_code(code: &str, text: &str) -> Option<ErrorKind> {
    match ErrorCode::named(code)? {
        ErrorCode::InvalidParameterValue if NOT_HELD.iter().any(|said| text.contains(said)) => Some(ErrorKind::NotHeld),
        code => code.kind(),
    }
}

/// A success response that cannot be parsed counts as a lost response.
const fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::Denied,
        400..=499 if status != 408 && status != 429 => ErrorKind::Refused,
        _ => ErrorKind::Transient,
    }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// The text of an error and its causes, each once.
fn error_text(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            let colon = if text.is_empty() { "" } else { ": " };
            text = text + colon + &cause;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, text: &str) -> Option<ErrorKind> {
        kind_of_code(code, text)
    }

    #[test]
    fn a_code_means_the_same_in_every_protocol() {
        for code in [
            "AWS.SimpleQueueService.NonExistentQueue",
            "QueueDoesNotExist",
            "com.amazonaws.sqs#QueueDoesNotExist",
        ] {
            assert_eq!(kind(code, ""), Some(ErrorKind::QueueDoesNotExist), "{code}");
        }
        for code in [
            "RequestThrottled",
            "ThrottlingException",
            "KMS.ThrottlingException",
            "OverLimit",
        ] {
            assert_eq!(kind(code, ""), Some(ErrorKind::Transient), "{code}");
        }
        assert_eq!(kind("ReceiptHandleIsInvalid", ""), Some(ErrorKind::NotHeld));
        for code in [
            "AccessDeniedException",
            "com.amazon.coral.service#ExpiredTokenException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ] {
            assert_eq!(kind(code, ""), Some(ErrorKind::Denied), "{code}");
        }
        assert_eq!(kind("SomethingElse", ""), None);
    }

    #[test]
    fn an_invalid_parameter_costs_the_lease_only_if_it_is_the_handle() {
        // D19 D26
        for (text, expected) in [
            (
                "Value h for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
                ErrorKind::NotHeld,
            ),
            (
                "Value h for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
                 visibility timeout change.",
                ErrorKind::NotHeld,
            ),
            (
                "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message \
                 is beyond the limit [43200 seconds]",
                ErrorKind::Refused,
            ),
        ] {
            for code in ["InvalidParameterValue", "InvalidParameterValueException"] {
                assert_eq!(kind(code, text), Some(expected), "{text}");
            }
        }
    }

    #[test]
    fn an_unknown_code_is_judged_by_the_status() {
        for (status, expected) in [
            (200, ErrorKind::Transient),
            (400, ErrorKind::Refused),
            (401, ErrorKind::Denied),
            (403, ErrorKind::Denied),
            (408, ErrorKind::Transient),
            (429, ErrorKind::Transient),
            (500, ErrorKind::Transient),
            (503, ErrorKind::Transient),
        ] {
            assert_eq!(kind_of_status(status), expected, "{status}");
        }
    }

    #[test]
    fn an_entry_that_is_not_the_senders_fault_may_be_tried_again() {
        let kind = |code: &str, sender_fault| {
            let entry = BatchResultErrorEntry::builder().id("0").code(code);
            from_entry(&entry.sender_fault(sender_fault).build().unwrap()).kind
        };
        assert_eq!(kind("SomethingElse", false), ErrorKind::Transient);
        assert_eq!(kind("SomethingElse", true), ErrorKind::Refused);
        assert_eq!(kind("RequestThrottled", true), ErrorKind::Transient);
    }

    #[test]
    fn a_cause_is_told_once() {
        let inner = std::io::Error::other("no route");
        assert_eq!(error_text(&std::io::Error::other(inner)), "no route");
    }
}
