//! The 23 actions: for each its input, its output, and the function that answers it.

use super::{
    batches,
    call::Call,
    fault::Fault,
    messages, model, move_tasks, permissions, queues,
    shape::{Kind, Wire},
    tags,
    value::Value,
};

/// An action as a protocol has to know it: the structures that it reads and writes.
#[derive(Debug)]
pub(super) struct Action {
    id: Id,
    pub(super) name: &'static str,
    pub(super) input: Kind,
    pub(super) output: Kind,
}

/// The action of this name.
pub(super) fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// Declares the actions: the name, input and output in the model, and the function; `await` if it may wait.
macro_rules! actions {
    ($($name:ident($input:ident) -> $output:ident = $function:path $(, $await:tt)?;)*) => {
        #[derive(Clone, Copy, Debug)]
        enum Id {
            $($name),*
        }

        pub(super) const ACTIONS: &[Action] = &[$(Action {
            id: Id::$name,
            name: stringify!($name),
            input: <model::$input as Wire>::KIND,
            output: <model::$output as Wire>::KIND,
        }),*];

        /// Answers an action: its output, null if it has none.
        pub(super) async fn answer(call: &Call<'_>, action: &Action, input: Value<'_>) -> Result<Value<'static>, Fault> {
            match action.id {
                $(Id::$name => {
                    let output = $function(call, model::$input::decode(input)?)$(.$await)?;
                    output.map(model::$output::encode)
                })*
            }
        }
    };
}

actions! {
    AddPermission(AddPermissionRequest) -> Nothing = permissions::add;
    CancelMessageMoveTask(CancelMessageMoveTaskRequest) -> CancelMessageMoveTaskResult = move_tasks::cancel;
    ChangeMessageVisibility(ChangeMessageVisibilityRequest) -> Nothing = messages::change_visibility, await;
    ChangeMessageVisibilityBatch(ChangeMessageVisibilityBatchRequest) -> ChangeMessageVisibilityBatchResult =
        batches::change_visibility, await;
    CreateQueue(CreateQueueRequest) -> CreateQueueResult = queues::create;
    DeleteMessage(DeleteMessageRequest) -> Nothing = messages::delete, await;
    DeleteMessageBatch(DeleteMessageBatchRequest) -> DeleteMessageBatchResult = batches::delete, await;
    DeleteQueue(DeleteQueueRequest) -> Nothing = queues::delete;
    GetQueueAttributes(GetQueueAttributesRequest) -> GetQueueAttributesResult = queues::get_attributes;
    GetQueueUrl(GetQueueUrlRequest) -> GetQueueUrlResult = queues::get_url;
    ListDeadLetterSourceQueues(ListDeadLetterSourceQueuesRequest) -> ListDeadLetterSourceQueuesResult =
        queues::list_dead_letter_sources;
    ListMessageMoveTasks(ListMessageMoveTasksRequest) -> ListMessageMoveTasksResult = move_tasks::list;
    ListQueueTags(ListQueueTagsRequest) -> ListQueueTagsResult = tags::list;
    ListQueues(ListQueuesRequest) -> ListQueuesResult = queues::list;
    PurgeQueue(PurgeQueueRequest) -> Nothing = queues::purge;
    ReceiveMessage(ReceiveMessageRequest) -> ReceiveMessageResult = messages::receive, await;
    RemovePermission(RemovePermissionRequest) -> Nothing = permissions::remove;
    SendMessage(SendMessageRequest) -> SendMessageResult = messages::send, await;
    SendMessageBatch(SendMessageBatchRequest) -> SendMessageBatchResult = batches::send, await;
    SetQueueAttributes(SetQueueAttributesRequest) -> Nothing = queues::set_attributes;
    StartMessageMoveTask(StartMessageMoveTaskRequest) -> StartMessageMoveTaskResult = move_tasks::start;
    TagQueue(TagQueueRequest) -> Nothing = tags::tag;
    UntagQueue(UntagQueueRequest) -> Nothing = tags::untag;
}

#[cfg(test)]
mod tests;
