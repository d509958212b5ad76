//! The error codes of SQS in one table: what each is called by this crate and by each protocol, the HTTP status of its
//! answer, and what it means for the caller.

/// What an error means for whoever made the call.
#[cfg(feature = "worker")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The queue does not exist (any more).
    QueueDoesNotExist,
    /// The message is not in flight under the handle of this reception (any more): deleted, expired or received again.
    NotHeld,
    /// The same call may succeed later: throttling, a lost answer, a service that is down.
    Transient,
    /// The caller is not let in: credentials are missing, expired or wrong, or lack a permission. The same call may succeed
    /// once somebody has mended that.
    Denied,
    /// The same call will fail again: a bad parameter, or something that the queue cannot do.
    Refused,
}

#[cfg(feature = "worker")]
impl ErrorKind {
    /// Whether the same call may succeed later.
    ///
    /// # Examples
    /// ```
    /// use requeue::backend::ErrorKind;
    ///
    /// assert!(ErrorKind::Transient.may_pass() && ErrorKind::Denied.may_pass());
    /// assert!(!ErrorKind::Refused.may_pass());
    /// ```
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Transient | Self::Denied)
    }
}

/// Declares the codes. A code's name is the one that `code()` of this crate's errors answers with. It has an HTTP
/// status; in parentheses its names in the JSON and query protocols where they differ from that; behind an arrow the
/// [`ErrorKind`] where the code alone decides it.
macro_rules! error_codes {
    (
        modelled { $($modelled:tt)* }
        framework { $($framework:tt)* }
    ) => {
        error_codes! { @rows
            $($modelled)*
            $($framework)*
        }
        error_codes! { @modelled $($modelled)* }
    };
    (@rows $($code:ident $status:literal $(json $json:literal)? $(query $query:literal)? $(=> $kind:ident)?;)+) => {
        /// A code of the errors that SQS answers with.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[cfg_attr(
            not(feature = "worker-sqs"),
            allow(dead_code, reason = "only a client of SQS meets codes that nothing here raises")
        )]
        pub(crate) enum ErrorCode {
            $($code),+
        }

        impl ErrorCode {
            #[cfg(any(feature = "worker-sqs", all(test, feature = "aws-protocol")))]
            pub(crate) const ALL: &[Self] = &[$(Self::$code),+];

            /// The name that errors of this crate give it.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)+
                }
            }

            /// What the JSON protocol calls it, without the namespace.
            #[cfg(any(feature = "aws-protocol", feature = "worker-sqs"))]
            pub(crate) const fn json_name(self) -> &'static str {
                match self {
                    $(Self::$code => error_codes!(@first $($json,)? stringify!($code)),)+
                }
            }

            /// What the query protocol calls it, and the header that keeps SDKs compatible with it.
            #[cfg(any(feature = "aws-protocol", feature = "worker-sqs"))]
            pub(crate) const fn query_name(self) -> &'static str {
                match self {
                    $(Self::$code => error_codes!(@first $($query,)? stringify!($code)),)+
                }
            }

            /// The HTTP status of the answer.
            #[cfg(feature = "aws-protocol")]
            pub(crate) const fn status(self) -> u16 {
                match self {
                    $(Self::$code => $status,)+
                }
            }

            /// What it means for the caller, `None` if the code alone does not tell.
            #[cfg(feature = "worker")]
            pub(crate) const fn kind(self) -> Option<ErrorKind> {
                match self {
                    $(Self::$code => error_codes!(@kind $($kind)?),)+
                }
            }
        }
    };
    (@modelled $($code:ident $status:literal $(json $json:literal)? $(query $query:literal)? $(=> $kind:ident)?;)+) => {
        impl ErrorCode {
            /// Whether the API model of SQS lists it. Any other is an error of the framework beneath the service (W2).
            #[cfg(feature = "aws-protocol")]
            pub(crate) const fn is_modelled(self) -> bool {
                matches!(self, $(Self::$code)|+)
            }
        }
    };
    (@first $name:expr $(, $other:expr)?) => { $name };
    (@kind) => { None };
    (@kind $kind:ident) => { Some(ErrorKind::$kind) };
}

error_codes! {
    modelled {
        BatchEntryIdsNotDistinct 400 query "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
        BatchRequestTooLong 400 query "AWS.SimpleQueueService.BatchRequestTooLong";
        EmptyBatchRequest 400 query "AWS.SimpleQueueService.EmptyBatchRequest";
        InvalidAddress 404;
        InvalidAttributeName 400;
        InvalidAttributeValue 400;
        InvalidBatchEntryId 400 query "AWS.SimpleQueueService.InvalidBatchEntryId";
        InvalidIdFormat 400;
        InvalidMessageContents 400;
        InvalidSecurity 403 => Denied;
        KmsAccessDenied 400 query "KMS.AccessDeniedException";
        KmsDisabled 400 query "KMS.DisabledException";
        KmsInvalidKeyUsage 400 query "KMS.InvalidKeyUsageException";
        KmsInvalidState 400 query "KMS.InvalidStateException";
        KmsNotFound 400 query "KMS.NotFoundException";
        KmsOptInRequired 403 query "KMS.OptInRequired";
        KmsThrottled 400 query "KMS.ThrottlingException" => Transient;
        MessageNotInflight 400 query "AWS.SimpleQueueService.MessageNotInflight" => NotHeld;
        OverLimit 403 => Transient;
        PurgeQueueInProgress 403 query "AWS.SimpleQueueService.PurgeQueueInProgress";
        QueueDeletedRecently 400 query "AWS.SimpleQueueService.QueueDeletedRecently";
        QueueDoesNotExist 400 query "AWS.SimpleQueueService.NonExistentQueue" => QueueDoesNotExist;
        QueueNameExists 400 query "QueueAlreadyExists";
        ReceiptHandleIsInvalid 404 => NotHeld;
        RequestThrottled 403 => Transient;
        ResourceNotFoundException 404;
        TooManyEntriesInBatchRequest 400 query "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
        UnsupportedOperation 400 query "AWS.SimpleQueueService.UnsupportedOperation";
    }
    framework {
        InvalidParameterValue 400 json "InvalidParameterValueException" => Refused;
        MissingParameter 400 json "MissingRequiredParameterException";
        InvalidAction 400;
        MalformedInput 400 json "SerializationException";
        UnknownOperationException 404;
        // Never raised here: the endpoint neither signs nor fails.
        AccessDenied 403 => Denied;
        ExpiredToken 403 => Denied;
        IncompleteSignature 403 => Denied;
        InternalError 500 => Transient;
        InternalFailure 500 => Transient;
        InvalidAccessKeyId 403 => Denied;
        InvalidClientTokenId 403 => Denied;
        MissingAuthenticationToken 403 => Denied;
        NotAuthorized 401 => Denied;
        OptInRequired 403 => Denied;
        RequestExpired 403 => Denied;
        RequestLimitExceeded 503 => Transient;
        RequestTimeout 408 => Transient;
        ServiceUnavailable 503 => Transient;
        SignatureDoesNotMatch 403 => Denied;
        SlowDown 503 => Transient;
        Throttled 400 => Transient;
        Throttling 400 => Transient;
        TooManyRequests 429 => Transient;
        UnrecognizedClient 403 => Denied;
    }
}

#[cfg(feature = "worker-sqs")]
impl ErrorCode {
    /// The code that an answer names, in whichever protocol.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let text = bare(text);
        let names = |code: &Self| [code.name(), code.json_name(), code.query_name()];
        let mut codes = Self::ALL.iter().copied();
        codes.find(|code| names(code).into_iter().any(|name| bare(name) == text))
    }
}

/// A code without the prefixes and suffixes of the protocols.
#[cfg(feature = "worker-sqs")]
fn bare(code: &str) -> &str {
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    let code = code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code);
    code.strip_suffix("Exception").unwrap_or(code)
}

#[cfg(all(test, feature = "worker-sqs"))]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_by_each_of_its_names_and_nothing_else_is() {
        for code in ErrorCode::ALL.iter().copied() {
            for name in [code.name(), code.json_name(), code.query_name()] {
                assert_eq!(ErrorCode::named(name), Some(code), "{name}");
                assert_eq!(
                    ErrorCode::named(&format!("com.amazonaws.sqs#{name}")),
                    Some(code),
                    "{name}"
                );
            }
        }
        assert_eq!(ErrorCode::named("UnsupportedOperations"), None);
    }
}
