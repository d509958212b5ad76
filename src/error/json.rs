//! Errors of reading and writing message bodies as JSON.

use {super::excerpt, std::fmt};

/// Why a body is not read as a value.
///
/// # Examples
/// ```
/// use requeue::Queue;
///
/// let jobs = Queue::standard("jobs").build()?;
/// jobs.send("wide")?;
/// let error = jobs.receive().blocking()?[0].parse::<u32>().unwrap_err();
/// assert_eq!(error.to_string(), "the body is not a u32: expected value at line 1 column 1");
/// assert_eq!(error.type_name, "u32");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body is not a {type_name}: {reason}")]
#[non_exhaustive]
pub struct ParseJsonError {
    /// The type that was asked for.
    pub type_name: &'static str,
    /// What is wrong with the body, in one line; of a long one the middle is left out.
    pub reason: String,
}

impl ParseJsonError {
    pub(crate) fn of<T>(error: &impl fmt::Display) -> Self {
        Self {
            type_name: std::any::type_name::<T>(),
            reason: excerpt(&error.to_string()),
        }
    }
}

/// Why a value is not written as JSON.
///
/// # Examples
/// ```
/// use requeue::SendMessage;
/// use std::collections::BTreeMap;
///
/// let keys_are_no_texts = BTreeMap::from([([640, 480], "cat.png")]);
/// let error = SendMessage::json(&keys_are_no_texts).unwrap_err();
/// assert_eq!(error.reason, "key must be a string");
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the {type_name} cannot be written as JSON: {reason}")]
#[non_exhaustive]
pub struct WriteJsonError {
    /// The type of the value.
    pub type_name: &'static str,
    /// Why, in one line; of a long one the middle is left out.
    pub reason: String,
}

impl WriteJsonError {
    pub(crate) fn of<T: ?Sized>(error: &impl fmt::Display) -> Self {
        Self {
            type_name: std::any::type_name::<T>(),
            reason: excerpt(&error.to_string()),
        }
    }
}
