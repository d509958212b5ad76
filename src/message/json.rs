//! Message bodies as JSON values. Feature `serde`.

use {
    super::SendMessage,
    crate::error::{ParseJsonError, WriteJsonError},
    serde::{Deserialize, Serialize},
};

impl SendMessage {
    /// A message whose body is `value` as JSON; [`Message::parse`](crate::Message::parse) reads it.
    ///
    /// No character of the value is one that a queue refuses (M2): JSON has an escape for each. The body counts against
    /// `MaximumMessageSize` as any other, and the send says so.
    ///
    /// # Errors
    /// [`WriteJsonError`] for a value without a form in JSON, as a map whose keys are no texts.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, Deserialize, PartialEq, Serialize)]
    /// struct Resize {
    ///     file: String,
    ///     width: u32,
    /// }
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(SendMessage::json(&Resize { file: "cat.png".to_owned(), width: 640 })?)?;
    /// let message = &jobs.receive().blocking()?[0];
    /// assert_eq!(message.body(), r#"{"file":"cat.png","width":640}"#);
    /// assert_eq!(message.parse::<Resize>()?.width, 640);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, WriteJsonError> {
        match serde_json::to_string(value) {
            // These two stand in strings only, and are the only characters of valid JSON that M2 leaves out.
            Ok(body) if body.contains(NOT_IN_BODIES) => {
                let body = body.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff");
                Ok(Self::new(body))
            }
            Ok(body) => Ok(Self::new(body)),
            Err(error) => Err(WriteJsonError::of::<T>(&error)),
        }
    }
}

const NOT_IN_BODIES: [char; 2] = ['\u{fffe}', '\u{ffff}'];

/// Reads a body as JSON.
pub(crate) fn parse<'b, T: Deserialize<'b>>(body: &'b str) -> Result<T, ParseJsonError> {
    serde_json::from_str(body).map_err(|error| ParseJsonError::of::<T>(&error))
}
