//! Receives that load the bodies of what they have received.

use {
    super::{
        error::MessageQueueError,
        message_queue::{Loaded, MessageQueue, ReceiveRequest},
        received::ReceivedMessage,
    },
    crate::{
        clock::{Clock, Until},
        error::{ErrorCode, ErrorKind},
        time::Timestamp,
    },
    futures_util::future::join_all,
    std::{
        collections::HashSet,
        future::{Future, poll_fn},
        pin::{Pin, pin},
        task::Poll,
    },
};

/// The messages whose bodies could be loaded within half of the visibility timeout. The others are left to that, and what
/// follows them in their group is given back; if none could be, the first reason is the error.
pub(crate) async fn load_bodies<Q: MessageQueue>(
    queue: &Q,
    request: &ReceiveRequest,
    messages: Vec<ReceivedMessage>,
) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
    if messages.iter().all(ReceivedMessage::is_loaded) {
        return Ok(messages);
    }
    let lease = request.visibility_timeout.unwrap_or_else(|| queue.visibility_timeout());
    let until = queue.clock().now().saturating_add(lease / 2);
    let until = Some(until).filter(|_| !lease.is_zero());
    let loads = join_all(messages.iter().map(|message| load_until(queue, message, until))).await;
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

/// Loads a body, or fails once the time is over: the other messages of the answer must not wait until they are nobody's.
async fn load_until<Q: MessageQueue>(
    queue: &Q,
    message: &ReceivedMessage,
    until: Option<Timestamp>,
) -> Result<Loaded, MessageQueueError> {
    let mut load = pin!(queue.load(message));
    let mut end = until.map(|until| Until::new(&queue.clock(), until));
    poll_fn(|context| {
        if let Poll::Ready(loaded) = load.as_mut().poll(context) {
            return Poll::Ready(loaded);
        }
        let Some(end) = &mut end else { return Poll::Pending };
        Pin::new(end).poll(context).map(|()| {
            let id = message.message_id();
            let text = format!("the body of message {id} was not loaded within half of its visibility timeout");
            Err(MessageQueueError::new(
                ErrorKind::Transient,
                ErrorCode::RequestTimeout.name(),
                text,
            ))
        })
    })
    .await
}
