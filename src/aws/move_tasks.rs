//! Message move tasks.

use {
    super::{
        call::Call,
        fault::Fault,
        model::{
            CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult, ListMessageMoveTasksRequest,
            ListMessageMoveTasksResult, ListMessageMoveTasksResultEntry, StartMessageMoveTaskRequest,
            StartMessageMoveTaskResult,
        },
        range::count,
    },
    crate::{
        error::{MoveTaskError, ResourceNotFound},
        service::{MessageMoveTask, StartMessageMoveTask},
    },
};

pub(super) fn start(call: &Call<'_>, input: StartMessageMoveTaskRequest) -> Result<StartMessageMoveTaskResult, Fault> {
    // The queues come before the range (X11).
    let known = |arn: &str, missing: ResourceNotFound| {
        let found = call.service().queue_by_arn(arn);
        found.map(drop).ok_or_else(|| MoveTaskError::from(missing))
    };
    known(&input.source_arn, ResourceNotFound::SourceArn)?;
    let mut start = StartMessageMoveTask::new(input.source_arn);
    if let Some(destination_arn) = input.destination_arn {
        known(&destination_arn, ResourceNotFound::DestinationArn)?;
        start = start.destination_arn(destination_arn);
    }
    if let Some(given) = input.max_number_of_messages_per_second {
        let limit = call.service().limits().move_task_messages_per_second;
        let rate = count("MaxNumberOfMessagesPerSecond", given, limit as usize)?;
        start = start.max_messages_per_second(rate as u32);
    }
    let handle = call.service().start_message_move_task(&start)?;
    Ok(StartMessageMoveTaskResult {
        task_handle: handle.to_string(),
    })
}

pub(super) fn cancel(
    call: &Call<'_>,
    input: CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResult, Fault> {
    let moved = call.service().cancel_message_move_task(input.task_handle)?;
    Ok(CancelMessageMoveTaskResult {
        approximate_number_of_messages_moved: wide(moved),
    })
}

pub(super) fn list(call: &Call<'_>, input: ListMessageMoveTasksRequest) -> Result<ListMessageMoveTasksResult, Fault> {
    let limit = call.service().limits().list_move_task_results;
    let most = input
        .max_results
        .map(|given| count("MaxResults", given, limit))
        .transpose();
    if most.is_err() {
        // The source comes before the range (X11).
        call.service().list_message_move_tasks(&input.source_arn, None)?;
    }
    let tasks = call.service().list_message_move_tasks(&input.source_arn, most?)?;
    Ok(ListMessageMoveTasksResult {
        results: tasks.into_iter().map(entry).collect(),
    })
}

fn entry(task: MessageMoveTask) -> ListMessageMoveTasksResultEntry {
    ListMessageMoveTasksResultEntry {
        task_handle: task.task_handle.map(|handle| handle.to_string()),
        status: task.status.to_string(),
        source_arn: task.source_arn,
        destination_arn: task.destination_arn,
        max_number_of_messages_per_second: task.max_messages_per_second.map(i64::from),
        approximate_number_of_messages_moved: wide(task.approximate_number_of_messages_moved),
        approximate_number_of_messages_to_move: wide(task.approximate_number_of_messages_to_move),
        failure_reason: task.failure_reason.map(|reason| reason.to_string()),
        started_timestamp: wide(task.started_timestamp.as_millis()),
    }
}

fn wide(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
