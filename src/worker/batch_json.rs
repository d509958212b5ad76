//! The JSON form of what a batch handler answers, to the letter of AWS Lambda's table (E20).

use {
    super::{batch::BatchAnswer, failure::Failure},
    serde_json::{Map, Value, json},
};

const FAILURES: &str = "batchItemFailures";
const IDENTIFIER: &str = "itemIdentifier";

/// The reason of a failure that an answer in JSON lists: the format has no field for reasons.
const LISTED: &str = "the answer lists the message among its batchItemFailures";

impl BatchAnswer {
    /// Reads a partial batch response (E20): `{"batchItemFailures":[{"itemIdentifier":"<message id>"}]}`.
    ///
    /// What it lists has failed, the rest has succeeded. `null`, `{}`, and a list that is empty or null say that all
    /// have succeeded. Text that is not JSON, a wrong key name, and an identifier that is empty or null say that all
    /// have failed, as does one that is not in the batch once a runner has the answer. Keys beside those that it needs
    /// are ignored.
    ///
    /// # Source
    /// [Partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BatchAnswer, BatchSettings, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["1", "two", "3"])?;
    /// let runner = Runner::builder(&jobs).until_none_visible().batch(BatchSettings::default(), |batch: &[Job]| {
    ///     let second = batch[1].message_id();
    ///     BatchAnswer::from_json(&format!(r#"{{"batchItemFailures":[{{"itemIdentifier":"{second}"}}]}}"#))
    /// })?;
    /// let report = runner.blocking()?;
    /// assert_eq!((report.succeeded, report.failed), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(text: &str) -> Self {
        match serde_json::from_str(text) {
            Ok(value) => read(&value).unwrap_or_else(Self::failure),
            Err(error) => Self::failure(format!("the answer is not JSON: {error}")),
        }
    }

    /// Writes it as a partial batch response, without reasons: the format has no field for them.
    ///
    /// That all have failed is written as an empty identifier, which is taken so (E20).
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::BatchAnswer;
    ///
    /// let answer = BatchAnswer::success().fail_id("m1", "too wide");
    /// assert_eq!(answer.to_json(), r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#);
    /// assert!(!BatchAnswer::from_json(&BatchAnswer::failure("no disk").to_json()).is_success());
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let ids = self.failures.keys().map(String::as_str);
        let item = |id| json!({ IDENTIFIER: id });
        let items: Vec<_> = match &self.all {
            Some(_) => vec![item("")],
            None => ids.map(item).collect(),
        };
        json!({ FAILURES: items }).to_string()
    }
}

/// The answer, or why it fails the whole batch.
fn read(answer: &Value) -> Result<BatchAnswer, Failure> {
    let answer = match answer {
        Value::Null => return Ok(BatchAnswer::success()),
        Value::Object(answer) => answer,
        other => return Err(format!("the answer is {other}, it has to be an object or null").into()),
    };
    let listed = match answer.get(FAILURES) {
        Some(Value::Array(listed)) => listed,
        Some(Value::Null) => return Ok(BatchAnswer::success()),
        None if answer.is_empty() => return Ok(BatchAnswer::success()),
        Some(other) => return Err(format!("{FAILURES} is {other}, it has to be a list or null").into()),
        None => return Err(wrong_key(answer, FAILURES)),
    };
    listed.iter().try_fold(BatchAnswer::success(), |answer, item| {
        Ok(answer.fail_id(identifier(item)?, LISTED))
    })
}

fn identifier(item: &Value) -> Result<&str, Failure> {
    let Value::Object(item) = item else {
        return Err(format!("{FAILURES} lists {item}, it has to list objects").into());
    };
    match item.get(IDENTIFIER) {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        Some(other) => Err(format!("{IDENTIFIER} is {other}, it has to be the id of a message").into()),
        None => Err(wrong_key(item, IDENTIFIER)),
    }
}

fn wrong_key(object: &Map<String, Value>, wanted: &str) -> Failure {
    let keys: Vec<_> = object.keys().collect();
    Failure::from(format!("the answer has the keys {keys:?} and not {wanted:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    /// What an answer says of a batch of `m1` and `m2`: whether each failed.
    fn failed(json: &str) -> [bool; 2] {
        let ids = ["m1", "m2"].into_iter().map(Cow::Borrowed);
        let failures = BatchAnswer::from_json(json).sort_out(ids);
        [failures[0].is_some(), failures[1].is_some()]
    }

    #[test]
    fn a_partial_batch_response_is_taken_as_e20_has_it() {
        const NONE: [bool; 2] = [false, false];
        const ALL: [bool; 2] = [true, true];
        for (json, expected) in [
            ("null", NONE),
            ("{}", NONE),
            (r#"{"batchItemFailures":[]}"#, NONE),
            (r#"{"batchItemFailures":null}"#, NONE),
            (r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#, [true, false]),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"m2"}],"by":"me"}"#,
                [false, true],
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m1"}]}"#,
                ALL,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m2"}]}"#,
                [false, true],
            ),
            ("", ALL),
            ("m1", ALL),
            (r#"{"batchItemFailures":[]"#, ALL),
            ("[]", ALL),
            (r#""m1""#, ALL),
            ("true", ALL),
            (r#"{"batchItemFailure":[]}"#, ALL),
            (r#"{"BatchItemFailures":[]}"#, ALL),
            (r#"{"batchItemFailures":{}}"#, ALL),
            (r#"{"batchItemFailures":"m1"}"#, ALL),
            (r#"{"batchItemFailures":["m1"]}"#, ALL),
            (r#"{"batchItemFailures":[{}]}"#, ALL),
            (r#"{"batchItemFailures":[{"identifier":"m1"}]}"#, ALL),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, ALL),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, ALL),
            (r#"{"batchItemFailures":[{"itemIdentifier":1}]}"#, ALL),
            (r#"{"batchItemFailures":[{"itemIdentifier":"m3"}]}"#, ALL),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m3"}]}"#,
                ALL,
            ),
        ] {
            assert_eq!(failed(json), expected, "{json}");
        }
    }

    #[test]
    fn an_answer_reads_as_it_was_written() {
        // E20
        for (answer, expected) in [
            (BatchAnswer::success(), [false, false]),
            (BatchAnswer::success().fail_id("m2", "x"), [false, true]),
            (
                BatchAnswer::success().fail_id("m1", "x").fail_id("m2", "y"),
                [true, true],
            ),
            (BatchAnswer::failure("x"), [true, true]),
            (BatchAnswer::success().fail_id("a \" b", "x"), [true, true]),
        ] {
            assert_eq!(failed(&answer.to_json()), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_failure_of_all_says_what_is_wrong_with_the_answer() {
        let reason = |json| BatchAnswer::from_json(json).all.map(|it| it.reason().to_owned());
        let wrong = r#"the answer has the keys ["failures"] and not "batchItemFailures""#;
        assert_eq!(reason(r#"{"failures":[]}"#).as_deref(), Some(wrong));
        assert_eq!(
            reason("7").as_deref(),
            Some("the answer is 7, it has to be an object or null")
        );
        let null = "itemIdentifier is null, it has to be the id of a message";
        assert_eq!(
            reason(r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#).as_deref(),
            Some(null)
        );
        assert!(reason("x").unwrap().starts_with("the answer is not JSON: "));
    }
}
