//! Queues: create, find, list, change, empty and delete them.

use {
    super::{
        attributes,
        call::Call,
        fault::Fault,
        model::{
            CreateQueueRequest, CreateQueueResult, DeleteQueueRequest, GetQueueAttributesRequest,
            GetQueueAttributesResult, GetQueueUrlRequest, GetQueueUrlResult, ListDeadLetterSourceQueuesRequest,
            ListDeadLetterSourceQueuesResult, ListQueuesRequest, ListQueuesResult, Nothing, PurgeQueueRequest,
            SetQueueAttributesRequest,
        },
        range::count,
    },
    crate::{
        error::{CreateQueueError, QueueError, SetQueueAttributesError, check},
        limits::Limits,
        service::ListQueues,
    },
};

pub(super) fn create(call: &Call<'_>, input: CreateQueueRequest) -> Result<CreateQueueResult, Fault> {
    let (sent, limits) = (&input.attributes, call.service().limits());
    // The name comes before the attributes (X11), of which one says what names are good.
    let fifo = sent
        .get("FifoQueue")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    check::queue_name(&input.queue_name, fifo, limits)?;
    let attributes = attributes::read(sent, limits)?;
    let queue = call
        .service()
        .create_queue_with_tags(&input.queue_name, attributes, input.tags)
        .map_err(|error| match error {
            CreateQueueError::InvalidParameterValue(error) => attributes::verbatim(error, sent),
            error => error.into(),
        })?;
    Ok(CreateQueueResult {
        queue_url: call.url(queue.url()),
    })
}

pub(super) fn delete(call: &Call<'_>, input: DeleteQueueRequest) -> Result<Nothing, Fault> {
    call.queue(&input.queue_url)?.delete_queue()?;
    Ok(Nothing)
}

pub(super) fn purge(call: &Call<'_>, input: PurgeQueueRequest) -> Result<Nothing, Fault> {
    call.queue(&input.queue_url)?.purge()?;
    Ok(Nothing)
}

/// A queue of another account does not exist here (Q8).
pub(super) fn get_url(call: &Call<'_>, input: GetQueueUrlRequest) -> Result<GetQueueUrlResult, Fault> {
    let owner = input.queue_owner_aws_account_id;
    if owner.is_some_and(|owner| owner != call.service().account_id()) || input.queue_name.contains(['/', ':']) {
        return Err(QueueError::QueueDoesNotExist.into());
    }
    let queue = call.service().queue(&input.queue_name)?;
    Ok(GetQueueUrlResult {
        queue_url: call.url(queue.url()),
    })
}

pub(super) fn get_attributes(
    call: &Call<'_>,
    input: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    Ok(GetQueueAttributesResult {
        attributes: attributes::write(&queue, &input.attribute_names)?,
    })
}

pub(super) fn set_attributes(call: &Call<'_>, input: SetQueueAttributesRequest) -> Result<Nothing, Fault> {
    if input.attributes.is_empty() {
        return Err(Fault::missing("Attributes"));
    }
    let queue = call.queue(&input.queue_url)?;
    let sent = &input.attributes;
    let attributes = attributes::read(sent, call.service().limits())?;
    let set = call.service().set_attributes(queue.name(), attributes);
    set.map_err(|error| match error {
        SetQueueAttributesError::InvalidParameterValue(error) => attributes::verbatim(error, sent),
        error => error.into(),
    })?;
    Ok(Nothing)
}

pub(super) fn list(call: &Call<'_>, input: ListQueuesRequest) -> Result<ListQueuesResult, Fault> {
    let page = page(input.max_results, input.next_token, call.service().limits())?;
    let listed = call
        .service()
        .list_queues(&page.prefix(input.queue_name_prefix.unwrap_or_default()))?;
    Ok(ListQueuesResult {
        queue_urls: listed.items.iter().map(|url| call.url(url)).collect(),
        next_token: listed.next_token,
    })
}

pub(super) fn list_dead_letter_sources(
    call: &Call<'_>,
    input: ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    let page = page(input.max_results, input.next_token, call.service().limits())?;
    let listed = call.service().list_dead_letter_source_queues(queue.name(), &page)?;
    Ok(ListDeadLetterSourceQueuesResult {
        queue_urls: Some(listed.items.iter().map(|url| call.url(url)).collect()),
        next_token: listed.next_token,
    })
}

fn page(max_results: Option<i64>, next_token: Option<String>, limits: &Limits) -> Result<ListQueues, Fault> {
    let mut page = ListQueues::new();
    if let Some(given) = max_results {
        page = page.max_results(count("MaxResults", given, limits.list_results)?);
    }
    if let Some(token) = next_token {
        page = page.next_token(token);
    }
    Ok(page)
}
