//! Tags of queues.

use super::{
    call::Call,
    fault::Fault,
    model::{ListQueueTagsRequest, ListQueueTagsResult, Nothing, TagQueueRequest, UntagQueueRequest},
};

pub(super) fn list(call: &Call<'_>, input: ListQueueTagsRequest) -> Result<ListQueueTagsResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    Ok(ListQueueTagsResult {
        tags: call.service().list_queue_tags(queue.name())?,
    })
}

pub(super) fn tag(call: &Call<'_>, input: TagQueueRequest) -> Result<Nothing, Fault> {
    if input.tags.is_empty() {
        return Err(Fault::missing("Tags"));
    }
    let queue = call.queue(&input.queue_url)?;
    call.service().tag_queue(queue.name(), input.tags)?;
    Ok(Nothing)
}

pub(super) fn untag(call: &Call<'_>, input: UntagQueueRequest) -> Result<Nothing, Fault> {
    if input.tag_keys.is_empty() {
        return Err(Fault::missing("TagKeys"));
    }
    let queue = call.queue(&input.queue_url)?;
    call.service().untag_queue(queue.name(), input.tag_keys)?;
    Ok(Nothing)
}
