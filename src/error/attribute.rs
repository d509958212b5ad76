//! What can be wrong with the attributes of a queue.
use super::parameter::InvalidParameterValue;
use std::borrow::Cow;

/// Why an attribute's name is refused.
///
/// # Source
/// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAttributeName {
    /// The attribute does not exist, or not on this type of queue, or cannot be set (Q17, Q18, Q25).
    #[error("Unknown Attribute {attribute}.")]
    Unknown {
        /// SQS's name of the attribute.
        attribute: Cow<'static, str>,
    },
    /// The attribute is for FIFO queues (Q19).
    #[error("You can specify the {attribute} only when FifoQueue is set to true.")]
    FifoOnly {
        /// SQS's name of the attribute.
        attribute: &'static str,
    },
    /// Both kinds of server-side encryption are switched on in one call (Q24).
    #[error(
        "You can use one type of server-side encryption (SSE) at one time. \
         You can either enable KMS SSE or SQS SSE."
    )]
    TwoEncryptions,
}

/// Why an attribute's value is refused.
///
/// # Source
/// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAttributeValue {
    /// The value is out of range, malformed, or at odds with another attribute (Q16, Q22, Q26).
    #[error("Invalid value for the parameter {attribute}.")]
    Refused {
        /// SQS's name of the attribute.
        attribute: Cow<'static, str>,
    },
    /// A FIFO queue stays one (Q21).
    #[error("Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")]
    QueueType,
}

/// Why a set of attributes is refused, the part that creating and changing a queue have in common.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum AttributeError {
    #[error(transparent)]
    Name(#[from] InvalidAttributeName),
    #[error(transparent)]
    Value(#[from] InvalidAttributeValue),
    #[error(transparent)]
    Parameter(#[from] InvalidParameterValue),
}
