//! What the page can do to queues and runners, each after a confirmation there.

use {
    crate::data::{Dashboard, Missing},
    requeue::{MessageAttributeValue, MessageId, Queue, SendMessage, StartMessageMoveTask},
    serde::Deserialize,
    serde_json::{Value, json},
    std::{collections::HashSet, error::Error, fmt, time::Duration},
};

/// Attributes of a message, at most. More are refused before a message is made of them, which takes time.
const MAX_ATTRIBUTES: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// Moves dead letters back where they came from, or all to one queue.
    Redrive {
        queue: String,
        destination: Option<String>,
        per_second: Option<u32>,
    },
    /// Ends a redrive.
    Cancel {
        task_handle: String,
    },
    Purge {
        queue: String,
    },
    Pause {
        runner: String,
    },
    Resume {
        runner: String,
    },
    Send(Box<Send>),
    Delete {
        queue: String,
        message_id: String,
    },
    /// Deletes the messages of a count that was confirmed, as far as they are still there, and no other.
    DeleteMatching {
        queue: String,
        selection: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Send {
    queue: String,
    body: String,
    group_id: Option<String>,
    deduplication_id: Option<String>,
    delay_seconds: Option<u32>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    value: String,
}

/// Why an action did nothing.
#[derive(Debug)]
pub(crate) enum ActionError {
    Missing(Missing),
    /// The queue, the service or the message says no.
    Refused(String),
    /// The count is not known (any more).
    Forgotten,
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => missing.fmt(f),
            Self::Refused(why) => f.write_str(why),
            Self::Forgotten => f.write_str("this count is not kept any more, nothing was deleted"),
        }
    }
}

impl From<Missing> for ActionError {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

fn refused(error: impl Error) -> ActionError {
    ActionError::Refused(error.to_string())
}

/// Carries out an action; the answer says what was done, in `done`.
pub(crate) fn act(dashboard: &Dashboard, action: Action) -> Result<Value, ActionError> {
    match action {
        Action::Redrive {
            queue,
            destination,
            per_second,
        } => redrive(dashboard, &queue, destination.as_deref(), per_second),
        Action::Cancel { task_handle } => {
            let moved = dashboard
                .service
                .cancel_message_move_task(task_handle)
                .map_err(refused)?;
            Ok(done(format!("The redrive was cancelled after {}.", messages(moved))))
        }
        Action::Purge { queue } => purge(dashboard, &queue),
        Action::Pause { runner } => {
            dashboard.handle(&runner)?.pause();
            Ok(done(format!("{runner} receives nothing new.")))
        }
        Action::Resume { runner } => {
            dashboard.handle(&runner)?.resume();
            Ok(done(format!("{runner} goes on.")))
        }
        Action::Send(message) => send(dashboard, *message),
        Action::Delete { queue, message_id } => delete(dashboard, &queue, &message_id),
        Action::DeleteMatching { queue, selection } => delete_matching(dashboard, &queue, &selection),
    }
}

fn redrive(
    dashboard: &Dashboard,
    queue: &str,
    destination: Option<&str>,
    per_second: Option<u32>,
) -> Result<Value, ActionError> {
    let source = dashboard.queue(queue)?;
    let mut request = StartMessageMoveTask::new(source.arn());
    if let Some(destination) = destination {
        request = request.destination_arn(dashboard.queue(destination)?.arn());
    }
    if let Some(per_second) = per_second {
        request = request.max_messages_per_second(per_second);
    }
    let handle = dashboard.service.start_message_move_task(&request).map_err(refused)?;
    dashboard.changed(&source);
    let mut answer = done(format!("The redrive of {} has begun.", source.name()));
    answer["task_handle"] = handle.as_str().into();
    Ok(answer)
}

fn purge(dashboard: &Dashboard, queue: &str) -> Result<Value, ActionError> {
    let queue = dashboard.queue(queue)?;
    queue.purge().map_err(refused)?;
    dashboard.changed(&queue);
    Ok(done(format!("{} was purged.", queue.name())))
}

fn send(dashboard: &Dashboard, send: Send) -> Result<Value, ActionError> {
    let queue = dashboard.queue(&send.queue)?;
    let count = send.attributes.len();
    if count > MAX_ATTRIBUTES {
        return Err(ActionError::Refused(format!(
            "a message has at most {MAX_ATTRIBUTES} attributes, this one has {count}"
        )));
    }
    let mut message = SendMessage::new(send.body);
    if let Some(id) = send.group_id {
        message = message.message_group_id(id);
    }
    if let Some(id) = send.deduplication_id {
        message = message.message_deduplication_id(id);
    }
    if let Some(seconds) = send.delay_seconds {
        message = message.delay(Duration::from_secs(seconds.into()));
    }
    let mut names = HashSet::new();
    for Attribute { name, data_type, value } in send.attributes {
        if !names.insert(name.clone()) {
            return Err(ActionError::Refused(format!(
                "attribute {name} is given more than once"
            )));
        }
        message = message.attribute(name, MessageAttributeValue::new(data_type, value));
    }
    let sent = queue.send(message).map_err(refused)?;
    dashboard.changed(&queue);
    let mut answer = done(format!("Message {} was sent.", sent.message_id));
    answer["message_id"] = sent.message_id.to_string().into();
    Ok(answer)
}

fn delete(dashboard: &Dashboard, queue: &str, message_id: &str) -> Result<Value, ActionError> {
    let queue = dashboard.queue(queue)?;
    let missing = || Missing::Message(message_id.to_owned());
    let id: MessageId = message_id.parse().map_err(|_| missing())?;
    match delete_by_id(dashboard, &queue, &[id])? {
        0 => Err(missing().into()),
        _ => Ok(done(format!("Message {id} was deleted."))),
    }
}

fn delete_matching(dashboard: &Dashboard, queue: &str, selection: &str) -> Result<Value, ActionError> {
    let queue = dashboard.queue(queue)?;
    let selection = dashboard
        .take_selection(&queue, selection)
        .ok_or(ActionError::Forgotten)?;
    let deleted = delete_by_id(dashboard, &queue, &selection.messages)?;
    let mut answer = done(format!("{} deleted.", were(deleted)));
    answer["deleted"] = deleted.into();
    Ok(answer)
}

fn delete_by_id(dashboard: &Dashboard, queue: &Queue, ids: &[MessageId]) -> Result<usize, ActionError> {
    let deleted = queue.delete_by_id(ids).map_err(refused)?;
    dashboard.changed(queue);
    Ok(deleted)
}

fn done(text: String) -> Value {
    json!({ "done": text })
}

fn messages(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} message{plural}")
}

fn were(count: usize) -> String {
    let verb = if count == 1 { "was" } else { "were" };
    format!("{} {verb}", messages(count as u64))
}
