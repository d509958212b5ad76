//! The JSON document that a queue gets without raw delivery (E26).

use {
    super::message::PublishMessage,
    crate::{
        message::{MessageAttributeValue, MessageId, SequenceNumber},
        time::Timestamp,
    },
    data_encoding::BASE64,
    std::{fmt::Write as _, sync::Arc},
};

/// What the envelope says of a message, written once for all subscriptions. Only the address to unsubscribe by, which
/// stands in the middle, is a subscription's own.
pub(super) struct Envelope {
    head: String,
    unsubscribe_url: String,
    tail: String,
}

/// What the envelope says of the topic.
pub(super) struct Origin<'t> {
    pub(super) topic_arn: &'t str,
    pub(super) region: &'t str,
}

impl Envelope {
    pub(super) fn new(
        origin: &Origin<'_>,
        message: &PublishMessage,
        id: MessageId,
        sequence_number: Option<SequenceNumber>,
        now: Timestamp,
    ) -> Self {
        let mut head = String::with_capacity(message.body().len() + 512);
        head.push_str("{\"Type\":\"Notification\"");
        member(&mut head, "MessageId", &id.to_string());
        if let Some(number) = sequence_number {
            member(&mut head, "SequenceNumber", &number.to_string());
        }
        member(&mut head, "TopicArn", origin.topic_arn);
        if let Some(subject) = &message.subject {
            member(&mut head, "Subject", subject);
        }
        member(&mut head, "Message", message.body());
        member(&mut head, "Timestamp", &iso_8601(now));
        let host = format!("https://sns.{}.amazonaws.com", origin.region);
        if sequence_number.is_none() {
            member(&mut head, "SignatureVersion", "1");
            member(&mut head, "Signature", UNSIGNED);
            let certificate = format!("{host}/SimpleNotificationService-{NO_CERTIFICATE}.pem");
            member(&mut head, "SigningCertURL", &certificate);
        }
        Self {
            head,
            unsubscribe_url: format!("{host}/?Action=Unsubscribe&SubscriptionArn="),
            tail: attributes(message),
        }
    }

    pub(super) fn for_subscription(&self, arn: &str) -> Arc<str> {
        let mut text = String::with_capacity(self.head.len() + self.tail.len() + arn.len() + 128);
        text.push_str(&self.head);
        member(&mut text, "UnsubscribeURL", &format!("{}{arn}", self.unsubscribe_url));
        text.push_str(&self.tail);
        text.into()
    }
}

/// Base64 as a signature is, and true: nothing here signs.
const UNSIGNED: &str = "unsigned";

const NO_CERTIFICATE: &str = "00000000000000000000000000000000";

fn attributes(message: &PublishMessage) -> String {
    let mut text = String::new();
    for (name, value) in message.get_attributes().iter() {
        text.push_str(if text.is_empty() {
            ",\"MessageAttributes\":{"
        } else {
            ","
        });
        push_text(&mut text, name);
        text.push_str(":{\"Type\":");
        push_text(&mut text, value.data_type());
        member(&mut text, "Value", &content(value));
        text.push('}');
    }
    text.push_str(if text.is_empty() { "}" } else { "}}" });
    text
}

fn content(value: &MessageAttributeValue) -> String {
    let encoded = value.binary_value().map(|bytes| BASE64.encode(bytes));
    encoded
        .or_else(|| value.string_value().map(str::to_owned))
        .unwrap_or_default()
}

/// A member behind others.
fn member(text: &mut String, name: &str, value: &str) {
    text.push(',');
    push_text(text, name);
    text.push(':');
    push_text(text, value);
}

fn push_text(text: &mut String, value: &str) {
    let quoted = serde_json::to_string(value);
    text.push_str(&quoted.expect("invariant: a text has a form in JSON"));
}

/// To the millisecond, as `2026-11-30T02:20:07.123Z`.
fn iso_8601(at: Timestamp) -> String {
    const DAY: u64 = 86_400;
    let (days, seconds) = (at.as_secs() / DAY, at.as_secs() % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second, millis) = (seconds / 3_600, seconds / 60 % 60, seconds % 60, at.as_millis() % 1_000);
    let mut text = String::with_capacity(24);
    let written = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
    );
    written.expect("invariant: a string takes any text");
    text
}

/// Year, month and day, so many days after 1970-01-01. Years begin in March here, so that a leap day ends one; after 400
/// years the calendar repeats.
fn civil(days: u64) -> (u64, u64, u64) {
    const FROM_YEAR_0: u64 = 719_468;
    const IN_400_YEARS: u64 = 146_097;
    let days = days + FROM_YEAR_0;
    let (cycle, day) = (days / IN_400_YEARS, days % IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (cycle * 400 + year + u64::from(is_next_year), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_the_calendar_has_them() {
        // E26
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (1_796_006_407_123, "2026-11-30T02:40:07.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso_8601(Timestamp::from_millis(millis)), text);
        }
        assert!(iso_8601(Timestamp::MAX).starts_with("584556019-04-03T14:25:51.615"));
    }
}
