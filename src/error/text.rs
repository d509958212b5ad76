//! Texts of SQS that more than one error type renders.
use std::fmt;
use std::time::Duration;

/// X9.
pub(super) const QUEUE_DOES_NOT_EXIST: &str = "The specified queue does not exist.";

/// M3, and M16 for the text of an attribute.
pub(super) const INVALID_CHARACTERS: &str = "Invalid characters found. Valid unicode characters are \
    #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

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

/// A text that others wrote, as one line of an error: control characters escaped, and of more than 243 characters the
/// first 160 and the last 80.
#[cfg(any(feature = "serde", feature = "worker"))]
pub(crate) fn excerpt(text: &str) -> String {
    const FIRST: usize = 160;
    const LAST: usize = 80;
    const BETWEEN: &str = "...";
    let ends = [text.char_indices().nth(FIRST), text.char_indices().nth_back(LAST - 1)];
    let parts = match ends.map(|end| end.map(|(at, _)| at)) {
        [Some(first), Some(last)] if text.chars().count() > FIRST + BETWEEN.len() + LAST => {
            [&text[..first], BETWEEN, &text[last..]]
        }
        _ => [text, "", ""],
    };
    let mut line = String::new();
    for character in parts.iter().flat_map(|part| part.chars()) {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(feature = "serde", feature = "worker"))]
    #[test]
    fn an_excerpt_is_one_line_with_both_ends_of_the_text() {
        let text = |length: usize| "x".repeat(length);
        for (whole, expected) in [
            (String::new(), String::new()),
            (text(240), text(240)),
            (text(243), text(243)),
            (text(244), format!("{}...{}", text(160), text(80))),
            (
                format!("a{}z", "y".repeat(1_000_000)),
                format!("a{}...{}z", "y".repeat(159), "y".repeat(79)),
            ),
            (
                "\u{e9}".repeat(300),
                format!("{}...{}", "\u{e9}".repeat(160), "\u{e9}".repeat(80)),
            ),
            ("a\nb\u{0}c\u{85}".to_owned(), r"a\nb\u{0}c\u{85}".to_owned()),
        ] {
            assert_eq!(excerpt(&whole), expected);
        }
    }

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
