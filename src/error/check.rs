//! Ranges and alphabets of parameters, checked against [`Limits`].
use super::parameter::{InvalidParameterValue, InvalidReason};
use crate::limits::Limits;
use crate::time::whole_millis;
use std::time::Duration;

/// `MaxNumberOfMessages` of a receive (rule 3.2).
pub(crate) fn max_number_of_messages(count: usize, limits: &Limits) -> Result<(), InvalidParameterValue> {
    check_count("MaxNumberOfMessages", count, limits.receive_messages)
}

/// An optional count of at least one: also `MaxResults` (Q10, L29) and `MaxNumberOfMessagesPerSecond` (L24).
pub(crate) fn check_count(parameter: &'static str, count: usize, limit: usize) -> Result<(), InvalidParameterValue> {
    let in_range = (1..=limit).contains(&count);
    let refused = || InvalidParameterValue::of(parameter, count.to_string(), InvalidReason::Count { limit });
    in_range.then_some(()).ok_or_else(refused)
}

/// `VisibilityTimeout` of a receive or a visibility change (rule 3.2, D25), as the queue keeps it.
pub(crate) fn visibility_timeout(timeout: Duration, limits: &Limits) -> Result<Duration, InvalidParameterValue> {
    let limit = limits.visibility_timeout;
    check_span(
        "VisibilityTimeout",
        timeout,
        limit,
        InvalidReason::VisibilityTimeout { limit },
    )
}

/// `WaitTimeSeconds` of a receive (rule 3.2), as the queue keeps it.
pub(crate) fn wait_time(wait: Duration, limits: &Limits) -> Result<Duration, InvalidParameterValue> {
    let limit = limits.receive_wait_time;
    check_span("WaitTimeSeconds", wait, limit, InvalidReason::WaitTime { limit })
}

/// `DelaySeconds` of a message (D32), as the queue keeps it.
pub(crate) fn delay(delay: Duration, limits: &Limits) -> Result<Duration, InvalidParameterValue> {
    let limit = limits.delay;
    check_span("DelaySeconds", delay, limit, InvalidReason::Delay { limit })
}

#[inline]
fn check_span(
    parameter: &'static str,
    span: Duration,
    limit: Duration,
    reason: InvalidReason,
) -> Result<Duration, InvalidParameterValue> {
    let kept = whole_millis(span);
    if kept > limit {
        return Err(InvalidParameterValue::of_span(parameter, span, reason));
    }
    Ok(kept)
}

/// `MessageGroupId`, `MessageDeduplicationId` and `ReceiveRequestAttemptId` (F1, F3, F31).
pub(crate) fn check_id(parameter: &'static str, id: &str, limits: &Limits) -> Result<(), InvalidParameterValue> {
    let limit = limits.id_length;
    let refused = || InvalidParameterValue::of(parameter, id, InvalidReason::Id { parameter, limit });
    is_id(id.as_bytes(), limits).then_some(()).ok_or_else(refused)
}

/// Whether a text is within the length and the alphabet of ids (F1, F3, F31).
pub(crate) fn is_id(text: &[u8], limits: &Limits) -> bool {
    // Without an early end the loop takes many bytes at once.
    let graphic = text.iter().fold(true, |all, byte| all & byte.is_ascii_graphic());
    graphic && (1..=limits.id_length).contains(&text.len())
}

/// Whether `text` has 1 to `limit` letters, digits, `-` and `_`: names of queues, batch entry ids, permission labels
/// (Q1, M32, Q50).
pub(crate) fn is_name(text: &str, limit: usize) -> bool {
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=limit).contains(&text.len()) && text.bytes().all(in_alphabet)
}

/// The name of a queue of the given type (Q1 to Q5).
pub(crate) fn queue_name(name: &str, fifo: bool, limits: &Limits) -> Result<(), InvalidParameterValue> {
    let limit = limits.queue_name_length;
    if !fifo {
        let refused = || InvalidParameterValue::QueueName {
            name: name.to_owned(),
            limit,
        };
        return is_name(name, limit).then_some(()).ok_or_else(refused);
    }
    const SUFFIX: &str = ".fifo";
    let stem = name
        .strip_suffix(SUFFIX)
        .filter(|stem| is_name(stem, limit.saturating_sub(SUFFIX.len())));
    stem.map(|_| ()).ok_or_else(|| InvalidParameterValue::FifoQueueName {
        name: name.to_owned(),
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(result: Result<Duration, InvalidParameterValue>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_receive_takes_1_to_10_messages() {
        // 3.2
        let check = |count| max_number_of_messages(count, &Limits::aws());
        assert_eq!((check(1), check(9), check(10)), (Ok(()), Ok(()), Ok(())));
        for count in [0, 11] {
            assert_eq!(
                check(count).unwrap_err().to_string(),
                format!(
                    "Value {count} for parameter MaxNumberOfMessages is invalid. \
                     Reason: Must be between 1 and 10, if provided."
                )
            );
        }
    }

    #[test]
    fn a_visibility_timeout_is_at_most_43200_s() {
        // 3.2 D25
        let check = |millis| visibility_timeout(Duration::from_millis(millis), &Limits::aws());
        assert_eq!(check(0), Ok(Duration::ZERO));
        assert_eq!(check(43_199_999), Ok(Duration::from_millis(43_199_999)));
        assert_eq!(check(43_200_000), Ok(Duration::from_secs(43_200)));
        assert_eq!(
            reason(check(43_200_001)),
            "Value 43200.001 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200."
        );
        let fraction = Duration::from_secs(43_200) + Duration::from_nanos(999_999);
        assert_eq!(
            visibility_timeout(fraction, &Limits::aws()),
            Ok(Duration::from_secs(43_200))
        );
    }

    #[test]
    fn a_wait_is_at_most_20_s() {
        // 3.2
        let check = |millis| wait_time(Duration::from_millis(millis), &Limits::aws());
        assert_eq!(check(19_999), Ok(Duration::from_millis(19_999)));
        assert_eq!(check(20_000), Ok(Duration::from_secs(20)));
        assert_eq!(
            reason(check(21_000)),
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        );
        assert!(check(20_001).is_err());
    }

    #[test]
    fn a_delay_is_at_most_900_s() {
        // D32
        let check = |millis| delay(Duration::from_millis(millis), &Limits::aws());
        assert_eq!(check(899_999), Ok(Duration::from_millis(899_999)));
        assert_eq!(check(900_000), Ok(Duration::from_secs(900)));
        assert!(check(900_001).is_err());
        assert_eq!(
            reason(check(901_000)),
            "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
        );
    }

    #[test]
    fn an_id_has_1_to_128_letters_digits_and_punctuation_characters() {
        // F1 F3 F31
        let check = |id: &str| check_id("MessageGroupId", id, &Limits::aws());
        let punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
        assert_eq!(punctuation.len(), 32);
        for id in ["a", "Z9", punctuation, &"a".repeat(127), &"a".repeat(128)] {
            assert_eq!(check(id), Ok(()), "{id}");
        }
        for id in ["", " ", "a b", "tab\t", "\u{e9}", "\u{7f}", &"a".repeat(129)] {
            assert_eq!(
                check(id).unwrap_err().to_string(),
                format!(
                    "Value {id} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include \
                     alphanumeric and punctuation characters. 1 to 128 in length."
                )
            );
        }
    }

    #[test]
    fn a_standard_queue_name_has_1_to_80_letters_digits_hyphens_and_underscores() {
        // Q1 Q3 Q4
        let check = |name: &str| queue_name(name, false, &Limits::aws());
        for name in ["a", "A-9_z", &"a".repeat(79), &"a".repeat(80)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", "a/b", "a.b", "a b", "\u{e9}", "orders.fifo", &"a".repeat(81)] {
            assert_eq!(
                check(name).unwrap_err().to_string(),
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
            );
        }
    }

    #[test]
    fn a_fifo_queue_name_ends_in_fifo_and_counts_the_suffix() {
        // Q2 Q5
        let check = |name: &str| queue_name(name, true, &Limits::aws());
        for name in [
            "a.fifo",
            &format!("{}.fifo", "a".repeat(74)),
            &format!("{}.fifo", "a".repeat(75)),
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".fifo",
            "a",
            "a.FIFO",
            "a.b.fifo",
            "a.fifo.fifo",
            &format!("{}.fifo", "a".repeat(76)),
        ] {
            assert_eq!(
                check(name).unwrap_err().to_string(),
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end \
                 with .fifo suffix and be 1 to 80 in length"
            );
        }
    }
}
