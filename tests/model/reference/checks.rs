//! What the reference refuses before it looks at any stored message.

use sha2::{Digest, Sha256};

use super::store::RefQueue;
use super::types::*;

pub(super) const LONGEST_DELAY: u64 = 900 * SECOND;

impl RefQueue {
    pub(super) fn check(&self, draft: &Draft) -> Result<(), Refusal> {
        if draft.body.is_empty() {
            return refuse(
                "MissingParameter",
                "The request must contain the parameter MessageBody.",
            ); // M1
        }
        if draft.delay.is_some_and(|delay| delay > LONGEST_DELAY) {
            return refuse("InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900."); // D32
        }
        if let Some(group) = &draft.message_group_id {
            check_id(
                group,
                "MessageGroupId can only include alphanumeric and punctuation characters",
            )?; // F1
        }
        if draft.deduplication_id.is_some() && !self.setup.fifo {
            return refuse("InvalidParameterValue", "is not valid for this queue type."); // F4
        }
        if let Some(deduplication_id) = &draft.deduplication_id {
            check_id(
                deduplication_id,
                "MessageDeduplicationId can only include alphanumeric and punctuation characters",
            )?; // F3
        }
        if self.setup.fifo && draft.delay.is_some_and(|delay| delay > 0) {
            return refuse("InvalidParameterValue", "is not valid for this queue type."); // D34
        }
        if draft
            .body
            .chars()
            .any(|it| it < ' ' && !"\t\n\r".contains(it) || matches!(it, '\u{FFFE}' | '\u{FFFF}'))
        {
            return refuse("InvalidMessageContents", "Invalid characters found."); // M3
        }
        if draft.body.len() > self.setup.maximum_message_size {
            return refuse("InvalidParameterValue", "Message must be shorter than"); // M8
        }
        Ok(())
    }

    /// A budget refuses a message that would exceed it, whatever the phases of those stored.
    pub(super) fn check_budget(&self, draft: &Draft, limits: &ModelLimits) -> Result<(), Refusal> {
        let sizes = self.messages.iter().map(|it| size(&it.body, it.attribute.as_deref()));
        if self.messages.len() >= limits.stored_messages || sizes.sum::<usize>() + draft.size() > limits.stored_bytes {
            return refuse("OverLimit", "");
        }
        Ok(())
    }

    pub(super) fn deduplication_id_of(&self, draft: &Draft) -> Result<Option<String>, Refusal> {
        match &draft.deduplication_id {
            _ if !self.setup.fifo => Ok(None),
            Some(explicit) => Ok(Some(explicit.clone())), // F7
            None if self.setup.content_based_deduplication => Ok(Some(content_hash(&draft.body))),
            None => refuse(
                "InvalidParameterValue",
                "The queue should either have ContentBasedDeduplication",
            ), // F8
        }
    }
}

/// F1: 1 to 128 letters, digits and punctuation characters of ASCII.
pub(super) fn check_id(id: &str, text: &'static str) -> Result<(), Refusal> {
    if (1..=128).contains(&id.len()) && id.chars().all(|it| it.is_ascii_graphic()) {
        return Ok(());
    }
    refuse("InvalidParameterValue", text)
}

pub(super) fn check_visibility(visibility: u64) -> Result<(), Refusal> {
    if visibility > TWELVE_HOURS {
        return refuse("InvalidParameterValue", "Must be between 0 and 43200"); // D25
    }
    Ok(())
}

/// M31 and M32; M33 comes between this and [`check_batch_length`].
pub(super) fn check_batch_ids(ids: &[&str]) -> Result<(), Refusal> {
    if ids.is_empty() {
        return refuse("EmptyBatchRequest", "There should be at least one");
    }
    let is_valid = |id: &str| {
        (1..=80).contains(&id.len())
            && id
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_')
    };
    if !ids.iter().all(|id| is_valid(id)) {
        return refuse("InvalidBatchEntryId", "A batch entry id can only contain");
    }
    Ok(())
}

/// M34 and M35.
pub(super) fn check_batch_length(ids: &[&str]) -> Result<(), Refusal> {
    if (1..ids.len()).any(|place| ids[..place].contains(&ids[place])) {
        return refuse("BatchEntryIdsNotDistinct", "repeated.");
    }
    if ids.len() > 10 {
        return refuse(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        );
    }
    Ok(())
}

/// The deduplication id that a body gets by content: lower-case hexadecimal SHA-256 (F7).
#[must_use]
pub(crate) fn content_hash(body: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(body.as_bytes()))
}
