//! Conformance: errors and their classification.

use {
    super::{
        fixture::Fixture,
        scene::{Scene, require, require_done, require_kind, secs},
    },
    crate::{
        backend::{
            EntryFailure, ErrorKind, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage,
            limits::MAX_VISIBILITY,
        },
        message::{MessageAttributeValue, SendMessage},
    },
    futures_util::future::join,
    std::slice,
};

pub(super) async fn bad_parameters_are_refused<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    for (message, what) in [
        (SendMessage::new(""), "a send without a body"),
        (SendMessage::new("\0"), "a send of a character that SQS does not take"),
        (
            SendMessage::new("m").attribute("AWS.x", MessageAttributeValue::string("1")),
            "a send of an attribute with a reserved name",
        ),
    ] {
        require_kind(scene.queue.send(message).await, ErrorKind::Refused, what);
    }
    scene.send_all(&["m"]).await;
    for poll in [
        ReceiveRequest::new(0),
        ReceiveRequest::new(11),
        ReceiveRequest::new(1).wait_time(secs(21)),
        ReceiveRequest::new(1).visibility_timeout(MAX_VISIBILITY + secs(1)),
    ] {
        let refused = scene.queue.receive(poll).await.map(drop);
        require_kind(refused, ErrorKind::Refused, &format!("a receive of {poll:?}"));
    }
    let message = scene.take_one().await;
    let held = slice::from_ref(&message);
    // The second is within the limit on its own, and beyond it with the time that the message is held already.
    scene.pass(secs(2)).await;
    for timeout in [MAX_VISIBILITY + secs(1), MAX_VISIBILITY] {
        let refused = first(scene.queue.change_visibility(held, timeout).await);
        require_kind(
            refused,
            ErrorKind::Refused,
            &format!("a visibility timeout of {timeout:?} after 2 s"),
        );
        scene
            .require_hidden("a refused change leaves the visibility timeout as it was")
            .await;
    }
    require_done(
        &scene.delete(held).await,
        "a message that is held is deleted after a refused change",
    );
}

/// An error of the only message, reported for the entry or for the call.
fn first(result: Result<Vec<EntryFailure>, MessageQueueError>) -> Result<(), MessageQueueError> {
    result?.into_iter().next().map_or(Ok(()), |failure| Err(failure.error))
}

pub(super) async fn a_deleted_queue_is_reported<F: Fixture>(fixture: &F) {
    for fifo in [false, true] {
        let scene = Scene::with_dead_letter_queue(fixture, fifo).await;
        scene.send_all(&["1", "2", "3"]).await;
        let messages = scene.take(3).await;
        let start = scene.now();
        let receive = scene.queue.receive(ReceiveRequest::new(1).wait_time(secs(20)));
        let delete = async {
            scene.pass(secs(1)).await;
            fixture.delete_queue(&scene.queue).await;
        };
        let (waited, ()) = join(receive, delete).await;
        let (took, came) = (scene.since(start), waited.as_ref().map(Vec::len));
        require!(
            took <= secs(22),
            "a receive ends with its wait even if the queue is deleted, not after {took:?}"
        );
        if came != Ok(0) {
            require_kind(
                waited.map(drop),
                ErrorKind::QueueDoesNotExist,
                "a receive from a queue that is deleted",
            );
        }
        require_gone(&scene.queue, &messages).await;
    }
}

async fn require_gone<Q: MessageQueue>(queue: &Q, messages: &[ReceivedMessage]) {
    let gone = |result, what: &str| {
        require_kind(
            result,
            ErrorKind::QueueDoesNotExist,
            &format!("{what} on a deleted queue"),
        );
    };
    gone(queue.receive(ReceiveRequest::new(1)).await.map(drop), "a receive");
    let message = SendMessage::new("4");
    let message = if queue.is_fifo() {
        message.message_group_id("g").message_deduplication_id("4")
    } else {
        message
    };
    gone(queue.send(message).await, "a send");
    for messages in [&messages[..1], messages] {
        gone(queue.delete(messages).await.map(drop), "a delete");
        let timeout = secs(30);
        gone(
            queue.change_visibility(messages, timeout).await.map(drop),
            "a change of visibility",
        );
    }
    gone(queue.dead_letter(&messages[0], "it is late").await, "a dead letter");
}
