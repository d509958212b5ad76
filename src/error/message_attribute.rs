//! What can be wrong with the user attributes of a message.

/// Why a message attribute is refused, one cause of [`InvalidParameterValue`](super::InvalidParameterValue).
///
/// # Source
/// [`MessageAttributeValue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageAttributeValue.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMessageAttribute {
    /// The message has more attributes than allowed (M12).
    #[error("Number of message attributes [{count}] exceeds the allowed maximum [{limit}].")]
    TooMany {
        /// How many it has.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The name is longer than allowed (M13).
    #[error("Message (user) attribute names must be shorter than {limit} Bytes")]
    NameTooLong {
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The name is empty or holds something other than letters, digits, `_`, `-` and `.` (M13).
    #[error("message attribute name {name:?} is not one or more letters, digits, underscores, hyphens and periods")]
    NameCharacters {
        /// The name.
        name: String,
    },
    /// The name starts or ends with a period or holds two in a row (M13).
    #[error("message attribute name {name:?} starts or ends with a period or holds two in a row")]
    NamePeriods {
        /// The name.
        name: String,
    },
    /// The name starts with `AWS.` or `Amazon.` in any case (M13).
    #[error(
        "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. \
         These strings are reserved for internal use."
    )]
    NameReserved {
        /// The name.
        name: String,
    },
    /// The data type is empty (M20).
    #[error("data type of message attribute {name:?} is missing")]
    DataTypeMissing {
        /// The name of the attribute.
        name: String,
    },
    /// The data type is longer than allowed (M14).
    #[error("data type of message attribute {name:?} is longer than {limit} characters")]
    DataTypeTooLong {
        /// The name of the attribute.
        name: String,
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The data type is neither `String`, `Number` nor `Binary`, each optionally with a label (M14).
    #[error(
        "The message attribute '{name}' has an invalid message attribute type, \
         the set of supported type prefixes is Binary, Number, and String."
    )]
    DataType {
        /// The name of the attribute.
        name: String,
    },
    /// The label after the data type is empty or holds something other than names may (M14).
    #[error(
        "data type {data_type:?} of message attribute {name:?} has a label that is not \
         letters, digits, underscores, hyphens and periods"
    )]
    DataTypeLabel {
        /// The name of the attribute.
        name: String,
        /// The data type with its label.
        data_type: String,
    },
    /// The value is empty, or is bytes where the data type wants text or text where it wants bytes (M15).
    #[error(
        "Message ({}) attribute '{name}' must contain a non-empty value of type '{expected}'.",
        if *.system { "system" } else { "user" }
    )]
    Empty {
        /// The name of the attribute.
        name: String,
        /// What its value has to be, `String` or `Binary`.
        expected: &'static str,
        /// Whether it is a system attribute.
        system: bool,
    },
    /// The value is a list, which the model has and the service does not take (M19).
    #[error("message attribute {name:?} has a list of values, which is not supported")]
    ListValues {
        /// The name of the attribute.
        name: String,
    },
    /// The value is given both as text and as bytes (M15).
    #[error("message attribute {name:?} has both a StringValue and a BinaryValue")]
    TwoValues {
        /// The name of the attribute.
        name: String,
    },
    /// There is no such system attribute, or a send cannot set it (M22).
    #[error("Message system attribute name '{name}' is invalid.")]
    SystemName {
        /// The name.
        name: String,
    },
    /// The system attribute is not a `String` (M22).
    #[error("data type of message system attribute {name:?} is not String")]
    SystemDataType {
        /// The name of the attribute.
        name: String,
    },
    /// The text holds a character that bodies may not hold (M16).
    #[error("{}", super::text::INVALID_CHARACTERS)]
    Characters {
        /// The name of the attribute.
        name: String,
    },
    /// The text of a `Number` is no decimal number, or one beyond 38 digits or 10^-128 to 10^126 (M17).
    #[error(
        "value {value:?} of message attribute {name:?} is not a number of at most 38 digits between 10^-128 and 10^126"
    )]
    Number {
        /// The name of the attribute.
        name: String,
        /// The text.
        value: String,
    },
}
