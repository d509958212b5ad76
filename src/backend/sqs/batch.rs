//! The failed entries of a batch call.

use {
    super::error::from_entry,
    crate::backend::{EntryFailure, ErrorKind, MessageQueueError},
    aws_sdk_sqs::types::BatchResultErrorEntry,
    std::collections::{HashMap, HashSet},
};

/// The failures among `count` entries whose ids are their indices, in order; one that the answer leaves out has failed.
pub(super) fn failures<'a>(
    count: usize,
    successful: impl Iterator<Item = &'a str>,
    failed: &[BatchResultErrorEntry],
) -> Vec<EntryFailure> {
    let successful: HashSet<&str> = successful.collect();
    let failed: HashMap<&str, &BatchResultErrorEntry> = failed.iter().map(|entry| (entry.id(), entry)).collect();
    let failure = |index: usize| {
        let id = index.to_string();
        let error = match failed.get(id.as_str()) {
            Some(entry) => from_entry(entry),
            None if successful.contains(id.as_str()) => return None,
            None => left_out(&id),
        };
        Some(EntryFailure::new(index, error))
    };
    (0..count).filter_map(failure).collect()
}

fn left_out(id: &str) -> MessageQueueError {
    let text = format!("the answer does not say what became of entry {id} of the batch");
    MessageQueueError::new(ErrorKind::Transient, "ResponseError", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_to_be_done_has_failed() {
        let entry = |id: &str, code: &str, sender_fault| {
            let entry = BatchResultErrorEntry::builder().id(id).code(code);
            entry.sender_fault(sender_fault).build().unwrap()
        };
        let failed = [
            entry("4", "InternalError", false),
            entry("1", "ReceiptHandleIsInvalid", true),
        ];
        let failures = failures(5, ["0", "3", "9"].into_iter(), &failed);
        let failures: Vec<_> = failures.iter().map(|it| (it.index, it.error.kind)).collect();
        let expected = [
            (1, ErrorKind::NotHeld),
            (2, ErrorKind::Transient),
            (4, ErrorKind::Transient),
        ];
        assert_eq!(failures, expected);
    }
}
