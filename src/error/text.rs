//! Texts of SQS that more than one error type renders.
use std::fmt;
use std::time::Duration;

/// X9.
pub(super) const QUEUE_DOES_NOT_EXIST: &str = "The specified queue does not exist.";

/// M3, and M16 for the text of an attribute.
pub(super) const INVALID_CHARACTERS: &str = "Invalid characters found. Valid unicode characters are \
    #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

/// M31.
pub(super) fn empty_batch(entry: &str) -> String {
    format!("There should be at least one {entry} in the request.")
}

/// M32.
pub(super) fn invalid_batch_entry_id(limit: usize) -> String {
    format!(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
         It can be at most {limit} letters long."
    )
}

/// M34.
pub(super) fn repeated_id(id: &str) -> String {
    format!("Id {id} repeated.")
}

/// M35.
pub(super) fn too_many_entries(count: usize, limit: usize) -> String {
    format!("Maximum number of entries per request are {limit}. You have sent {count}.")
}

/// Ours.
pub(super) fn no_dead_letter_queue(target: Option<&str>) -> String {
    match target {
        None => "queue has no dead-letter queue".to_owned(),
        Some(arn) => format!("dead-letter queue {arn} does not exist"),
    }
}

/// A span in seconds, without a fraction where it has none, as SQS writes every span.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs())?;
        match self.0.subsec_nanos() {
            0 => Ok(()),
            nanos => write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_in_seconds_with_a_fraction_only_where_there_is_one() {
        for (span, text) in [
            (Duration::ZERO, "0"),
            (Duration::from_secs(43_200), "43200"),
            (Duration::from_millis(20_500), "20.5"),
            (Duration::from_nanos(1), "0.000000001"),
            (Duration::MAX, "18446744073709551615.999999999"),
        ] {
            assert_eq!(Seconds(span).to_string(), text);
        }
    }
}
