//! The batch actions: an invalid entry fails that entry alone (M37, M41).

use {
    super::{
        call::Call,
        fault::Fault,
        messages::{Digests, Outgoing},
        model::{
            BatchResultErrorEntry, ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchResult,
            ChangeMessageVisibilityBatchResultEntry, DeleteMessageBatchRequest, DeleteMessageBatchResult,
            DeleteMessageBatchResultEntry, SendMessageBatchRequest, SendMessageBatchRequestEntry,
            SendMessageBatchResult, SendMessageBatchResultEntry,
        },
        range::visibility_timeout,
        throttle::Load,
    },
    crate::{
        error::{ChangeVisibilityError, InvalidParameterValue, MissingParameter},
        limits::Limits,
        message::ReceiptHandle,
        queue::{BatchFailure, ChangeVisibilityBatchEntry, DeleteBatchEntry, SendBatchEntry},
    },
    std::{collections::HashMap, time::Duration},
};

pub(super) async fn send(call: &Call<'_>, input: SendMessageBatchRequest) -> Result<SendMessageBatchResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    let groups: Vec<_> = input
        .entries
        .iter()
        .map(|entry| entry.message_group_id.as_deref())
        .collect();
    call.admit(&queue, Load::Send(&groups))?;
    let mut digests = HashMap::new();
    let mut entries = Vec::with_capacity(input.entries.len());
    for entry in input.entries {
        let (id, outgoing) = outgoing(entry);
        entries.push(match outgoing.into_message(call.service().limits()) {
            Ok(message) => {
                digests.insert(id.clone(), Digests::of(&message));
                SendBatchEntry::new(id, message)
            }
            Err(refused) => SendBatchEntry::failed(id, *refused),
        });
    }
    let result = queue.send_batch_async(entries).await?;
    let successful = result.successful.into_iter().filter_map(|success| {
        let digests = digests.remove(&*success.id)?;
        Some(SendMessageBatchResultEntry {
            id: success.id.into_owned(),
            message_id: success.output.message_id.to_string(),
            md5_of_message_body: digests.body_of_sent(call, &queue, success.output.message_id),
            md5_of_message_attributes: digests.attributes,
            md5_of_message_system_attributes: digests.system_attributes,
            sequence_number: success.output.sequence_number.map(|number| number.to_string()),
        })
    });
    Ok(SendMessageBatchResult {
        successful: successful.collect(),
        failed: failed(result.failed),
    })
}

fn outgoing(entry: SendMessageBatchRequestEntry) -> (String, Outgoing) {
    let outgoing = Outgoing {
        body: entry.message_body.unwrap_or_default(),
        delay_seconds: entry.delay_seconds,
        attributes: entry.message_attributes,
        system_attributes: entry.message_system_attributes,
        deduplication_id: entry.message_deduplication_id,
        group_id: entry.message_group_id,
    };
    (entry.id.unwrap_or_default(), outgoing)
}

fn failed(failures: Vec<BatchFailure>) -> Vec<BatchResultErrorEntry> {
    let entry = |failure: BatchFailure| BatchResultErrorEntry {
        id: failure.id.into_owned(),
        sender_fault: failure.sender_fault,
        code: failure.code.into(),
        message: failure.message,
    };
    failures.into_iter().map(entry).collect()
}

pub(super) async fn delete(
    call: &Call<'_>,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    call.admit(&queue, Load::Delete(input.entries.len()))?;
    let entries = input.entries.into_iter().map(|entry| {
        let id = entry.id.unwrap_or_default();
        match entry.receipt_handle.unwrap_or_default().parse::<ReceiptHandle>() {
            Ok(handle) => DeleteBatchEntry::new(id, handle),
            Err(error) => DeleteBatchEntry::failed(id, error.into()),
        }
    });
    let result = queue.delete_batch_async(entries).await?;
    let successful = result.successful.into_iter();
    Ok(DeleteMessageBatchResult {
        successful: successful
            .map(|success| DeleteMessageBatchResultEntry {
                id: success.id.into_owned(),
            })
            .collect(),
        failed: failed(result.failed),
    })
}

pub(super) async fn change_visibility(
    call: &Call<'_>,
    input: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    let limits = call.service().limits();
    let entries = input.entries.into_iter().map(|entry| {
        let id = entry.id.unwrap_or_default();
        match change(entry.receipt_handle.as_deref(), entry.visibility_timeout, limits) {
            Ok((handle, timeout)) => ChangeVisibilityBatchEntry::new(id, handle, timeout),
            Err(error) => ChangeVisibilityBatchEntry::failed(id, error),
        }
    });
    let result = queue.change_visibility_batch_async(entries).await?;
    let successful = result.successful.into_iter();
    let successful = successful.map(|success| ChangeMessageVisibilityBatchResultEntry {
        id: success.id.into_owned(),
    });
    Ok(ChangeMessageVisibilityBatchResult {
        successful: successful.collect(),
        failed: failed(result.failed),
    })
}

/// One entry's handle and timeout, which it must have (C7).
fn change(
    handle: Option<&str>,
    timeout: Option<i64>,
    limits: &Limits,
) -> Result<(ReceiptHandle, Duration), ChangeVisibilityError> {
    let missing = || InvalidParameterValue::Missing(MissingParameter::new("VisibilityTimeout"));
    let timeout = visibility_timeout(timeout.ok_or_else(missing)?, limits)?;
    Ok((handle.unwrap_or_default().parse()?, timeout))
}
