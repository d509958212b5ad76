//! The dead-letter queue of a queue, and the copies sent to it.

use {
    super::{
        SqsQueue,
        error::{from_sdk, refused},
    },
    crate::{
        backend::{ErrorKind, MessageQueueError, ReceivedMessage, limits::MAX_ATTRIBUTES},
        message::{MessageAttributeValue, MessageAttributes, SendMessage},
    },
    aws_sdk_sqs::types::QueueAttributeName,
    std::sync::OnceLock,
};

const MAX_REASON_CHARS: usize = 1_024;

/// What is known of the dead-letter queue.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    /// The ARN that the redrive policy names, if any.
    arn: Option<String>,
    url: OnceLock<String>,
}

/// The ARN of the dead-letter queue in the document of a redrive policy, if it names one (L2).
fn target_of(document: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(document).ok()?;
    policy.get("deadLetterTargetArn")?.as_str().map(str::to_owned)
}

impl DeadLetters {
    pub(super) fn at(url: String) -> Self {
        Self {
            arn: None,
            url: url.into(),
        }
    }

    pub(super) fn by_policy(document: Option<&str>) -> Self {
        Self {
            arn: document.and_then(target_of),
            url: OnceLock::new(),
        }
    }
}

impl SqsQueue {
    pub(super) async fn copy_to_dead_letter_queue(
        &self,
        message: &ReceivedMessage,
        reason: &str,
    ) -> Result<(), MessageQueueError> {
        let url = self.find_dead_letter_queue().await?;
        let copy = self.copy(message);
        let attributes = with_reason(message.attributes(), reason);
        let sent = match attributes {
            Some(attributes) => match self.send_to(url, &copy.clone().attributes(attributes)).await {
                // With its reason the message may be too large.
                Err(error) if error.kind == ErrorKind::Refused => self.send_to(url, &copy).await,
                sent => sent,
            },
            None => self.send_to(url, &copy).await,
        };
        sent.map_err(|error| about_dead_letter_queue(error, url))
    }

    fn copy(&self, message: &ReceivedMessage) -> SendMessage {
        let mut copy = SendMessage::new(message.body()).attributes(message.attributes().clone());
        if let Some(group) = message.message_group_id() {
            copy = copy.message_group_id(group);
        }
        if self.fifo {
            copy = copy.message_deduplication_id(&*message.message_id());
        }
        if let Some(header) = message.aws_trace_header() {
            copy = copy.aws_trace_header(header);
        }
        copy
    }

    async fn find_dead_letter_queue(&self) -> Result<&str, MessageQueueError> {
        if let Some(url) = self.dead_letters.url.get() {
            return Ok(url);
        }
        // Only a URL that was found is cached: a missing queue may be created at any time.
        let arn = match self.dead_letters.arn.clone() {
            Some(arn) => arn,
            None => {
                let target = self.ask_for_target().await?;
                target.ok_or_else(|| no_dead_letter_queue(&self.url))?
            }
        };
        let url = self.ask_for_url(&arn).await?;
        Ok(self.dead_letters.url.get_or_init(|| url))
    }

    async fn ask_for_target(&self) -> Result<Option<String>, MessageQueueError> {
        let get = self.client.get_queue_attributes().queue_url(&*self.url);
        let get = get.attribute_names(QueueAttributeName::RedrivePolicy);
        let answer = get.send().await.map_err(from_sdk)?;
        let attributes = answer.attributes.unwrap_or_default();
        let policy = attributes.get(&QueueAttributeName::RedrivePolicy);
        Ok(policy.and_then(|document| target_of(document)))
    }

    async fn ask_for_url(&self, arn: &str) -> Result<String, MessageQueueError> {
        let mut parts = arn.rsplitn(3, ':');
        let (Some(name), Some(account)) = (parts.next(), parts.next()) else {
            return Err(does_not_exist(arn));
        };
        let get = self.client.get_queue_url().queue_name(name);
        let answer = get.queue_owner_aws_account_id(account).send().await;
        let answer = answer.map_err(|error| about_dead_letter_queue(from_sdk(error), arn))?;
        answer.queue_url.ok_or_else(|| does_not_exist(arn))
    }
}

/// The attributes with the reason added, unless it is empty or there are ten attributes already.
fn with_reason(attributes: &MessageAttributes, reason: &str) -> Option<MessageAttributes> {
    let replaces = attributes.get(SqsQueue::REASON).is_some();
    if reason.is_empty() || (attributes.len() >= MAX_ATTRIBUTES && !replaces) {
        return None;
    }
    let reason = reason.chars().take(MAX_REASON_CHARS);
    let reason: String = reason.map(|it| if is_allowed(it) { it } else { '\u{fffd}' }).collect();
    let mut attributes = attributes.clone();
    attributes.insert(SqsQueue::REASON, MessageAttributeValue::string(reason));
    Some(attributes)
}

/// M2, M16.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// It is not the queue itself that is missing.
fn about_dead_letter_queue(error: MessageQueueError, queue: &str) -> MessageQueueError {
    match error.kind {
        ErrorKind::QueueDoesNotExist => does_not_exist(queue),
        _ => error,
    }
}

fn does_not_exist(queue: &str) -> MessageQueueError {
    unsupported(format!("dead-letter queue {queue} does not exist"))
}

fn no_dead_letter_queue(url: &str) -> MessageQueueError {
    unsupported(format!("queue {url} has no dead-letter queue"))
}

fn unsupported(text: String) -> MessageQueueError {
    refused("AWS.SimpleQueueService.UnsupportedOperation", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(names: impl IntoIterator<Item = String>) -> MessageAttributes {
        let value = MessageAttributeValue::number("1");
        names.into_iter().map(|name| (name, value.clone())).collect()
    }

    fn reason(attributes: Option<MessageAttributes>) -> Option<String> {
        let value = attributes?.get(SqsQueue::REASON)?.string_value()?.to_owned();
        Some(value)
    }

    #[test]
    fn a_reason_is_the_last_attribute_for_which_there_is_room() {
        // M12
        let numbered = |count: usize| attributes((0..count).map(|it| it.to_string()));
        assert_eq!(reason(with_reason(&numbered(9), "late")), Some("late".to_owned()));
        assert_eq!(with_reason(&numbered(10), "late"), None);
        assert_eq!(with_reason(&numbered(0), ""), None);
        let again = attributes((0..9).map(|it| it.to_string()).chain([SqsQueue::REASON.to_owned()]));
        assert_eq!(reason(with_reason(&again, "late")), Some("late".to_owned()));
    }

    #[test]
    fn a_reason_has_no_more_and_no_other_characters_than_sqs_takes() {
        // M2
        let cleaned = |text: &str| reason(with_reason(&attributes([]), text)).unwrap();
        assert_eq!(
            cleaned("a\0b\u{1f}c\t\r\n\u{ffff}\u{1f600}"),
            "a\u{fffd}b\u{fffd}c\t\r\n\u{fffd}\u{1f600}"
        );
        let long = "\u{e9}".repeat(MAX_REASON_CHARS + 1);
        assert_eq!(cleaned(&long).chars().count(), MAX_REASON_CHARS);
    }
}
