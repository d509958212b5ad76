//! Receives that load the bodies of what they have received.

use {
    super::{
        error::MessageQueueError,
        message_queue::{Loaded, MessageQueue},
        received::ReceivedMessage,
    },
    futures_util::future::join_all,
    std::collections::HashSet,
};

/// The messages whose bodies could be loaded. The others are left to their visibility timeout, and what follows them in
/// their group is given back; if none could be, the first reason is the error.
pub(crate) async fn load_bodies<Q: MessageQueue>(
    queue: &Q,
    messages: Vec<ReceivedMessage>,
) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
    if messages.iter().all(ReceivedMessage::is_loaded) {
        return Ok(messages);
    }
    let loads = join_all(messages.iter().map(|message| queue.load(message))).await;
    let (mut loaded, mut behind, mut discarded) = (Vec::new(), Vec::new(), Vec::new());
    let (mut groups, mut first_error) = (HashSet::new(), None);
    for (message, load) in messages.iter().zip(loads) {
        let group = message.message_group_id().filter(|_| queue.is_fifo());
        match load {
            _ if group.is_some_and(|group| groups.contains(group)) => behind.push(message.clone()),
            Ok(Loaded::Complete) => loaded.push(message.clone()),
            Ok(Loaded::Discard(_)) => discarded.push(message.clone()),
            Err(error) => {
                queue.report_failure(message, &error.to_string());
                groups.extend(group);
                first_error = first_error.or(Some(error));
            }
        }
    }
    // They come back by themselves if these calls fail.
    if !behind.is_empty() {
        let _ = queue.release(&behind).await;
    }
    if !discarded.is_empty() {
        let _ = queue.delete(&discarded).await;
    }
    match first_error {
        Some(error) if loaded.is_empty() => Err(error),
        _ => Ok(loaded),
    }
}
