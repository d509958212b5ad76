//! Conformance: messages arrive unchanged until they are deleted.

use {
    super::{
        fixture::Fixture,
        scene::{Scene, bodies, millis, require, require_done, secs},
    },
    crate::{
        backend::{ErrorKind, MessageQueue, ReceiveRequest, ReceivedMessage},
        message::{MessageAttributeValue, MessageAttributes, SendMessage},
    },
    std::time::Duration,
};

/// Clocks of different machines differ.
const SKEW: Duration = secs(60);

const BODY: &str = "\u{e9}t\u{e9} \u{1f600}\t\r\n <&>\"'\\";
const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

fn attributes() -> MessageAttributes {
    let binary: Vec<u8> = (0..=255).collect();
    [
        ("text", MessageAttributeValue::string(BODY)),
        ("price", MessageAttributeValue::number("19.90").label("EUR")),
        ("image", MessageAttributeValue::binary(binary)),
    ]
    .into_iter()
    .collect()
}

pub(super) async fn messages_arrive_as_sent<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    let sent_at = scene.now();
    scene.send(full().message_group_id("tenant-3")).await;
    let message = scene.take_one().await;
    require_whole(&message);
    let group = message.message_group_id();
    require!(group == Some("tenant-3"), "a message keeps its group, not {group:?}");
    let receives = message.approximate_receive_count();
    require!(receives == 1, "the first receive is counted as 1, not {receives}");
    let (sent, received) = (message.sent_timestamp(), message.approximate_first_receive_timestamp());
    require!(
        sent.saturating_add(SKEW) >= sent_at && sent <= scene.now().saturating_add(SKEW),
        "a message reports when it was sent by the queue's clock(), which was at {sent_at} and not at {sent}"
    );
    require!(
        sent <= received && received <= scene.now().saturating_add(SKEW),
        "a message reports when it was first received, which was not at {received}"
    );
    if let Some(until) = message.invisible_until() {
        require!(
            until > sent,
            "if a queue reports when a visibility timeout ends, it ends after the receive"
        );
    }
}

fn full() -> SendMessage {
    SendMessage::new(BODY).attributes(attributes()).aws_trace_header(HEADER)
}

fn require_whole(message: &ReceivedMessage) {
    let body = message.body();
    require!(body == BODY, "a message keeps its body, not {body:?}");
    let kept = message.attributes();
    require!(*kept == attributes(), "a message keeps its attributes, not {kept:?}");
    let header = message.aws_trace_header();
    require!(
        header == Some(HEADER),
        "a message keeps its trace header, not {header:?}"
    );
    require!(!message.message_id().is_empty(), "a message has an id");
    require!(!message.receipt_handle().is_empty(), "a reception has a receipt handle");
}

pub(super) async fn fifo_messages_arrive_as_sent<F: Fixture>(fixture: &F) {
    let scene = Scene::fifo(fixture).await;
    for number in ["1", "2"] {
        scene
            .send(full().message_group_id("orders").message_deduplication_id(number))
            .await;
    }
    let messages = scene.take(2).await;
    for (message, number) in messages.iter().zip(["1", "2"]) {
        require_whole(message);
        let (group, id) = (message.message_group_id(), message.message_deduplication_id());
        require!(group == Some("orders"), "a message keeps its group, not {group:?}");
        require!(
            id == Some(number),
            "a FIFO message keeps its deduplication id {number}, not {id:?}"
        );
    }
    let numbers = messages
        .iter()
        .map(|it| it.sequence_number().and_then(|it| it.parse::<u128>().ok()));
    let numbers: Vec<_> = numbers.collect();
    require!(
        numbers[0].is_some() && numbers[0] < numbers[1],
        "messages of a FIFO queue have rising sequence numbers, not {numbers:?}"
    );
}

pub(super) async fn messages_are_received_again<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    scene.send_all(&["m"]).await;
    let first = scene.take_one().await;
    for receives in 2..=3 {
        scene.pass(secs(31)).await;
        let again = scene.take_one().await;
        let (count, id) = (again.approximate_receive_count(), again.message_id());
        require!(
            count == receives,
            "receives are counted: this is number {receives}, not {count}"
        );
        require!(id == first.message_id(), "a message keeps its id, not {id}");
        let (one, other) = (
            first.approximate_first_receive_timestamp(),
            again.approximate_first_receive_timestamp(),
        );
        require!(
            one == other,
            "the first receive stays the first: it was at {one}, not at {other}"
        );
    }
}

pub(super) async fn delays_are_kept<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    scene.send(SendMessage::new("m").delay(millis(2_500))).await;
    scene.pass(millis(2_200)).await;
    scene
        .require_hidden("a message comes no sooner than its delay of 2.5 s")
        .await;
    let came = bodies(&scene.take(1).await);
    require!(
        came == ["m"],
        "a delayed message comes when its delay is over, not {came:?}"
    );
}

/// What a queue does at once it does as its futures would; it need not do anything so.
pub(super) async fn what_is_done_at_once_is_done<F: Fixture>(fixture: &F) {
    for fifo in [false, true] {
        let scene = Scene::of(fixture, fifo, secs(10), false).await;
        scene.send_all(&["1", "2", "3"]).await;
        let (mut messages, request) = (Vec::new(), ReceiveRequest::new(2).visibility_timeout(secs(30)));
        scene.queue.receive_at_once(&request, &mut messages);
        let received = bodies(&messages);
        require!(
            messages.len() <= 2,
            "a receive at once keeps its maximum, 2 and not {received:?}"
        );
        if !received.is_empty() {
            scene.pass(secs(15)).await;
            let others = bodies(&scene.look().await);
            let again = others.iter().find(|other| received.contains(other));
            require!(
                again.is_none(),
                "what is received at once is hidden for as long as the receive asked: {again:?} came again"
            );
            scene.pass(secs(31)).await;
        }
        let mut messages = scene.take(3).await;
        messages.retain(|message| scene.queue.delete_at_once(message));
        if !messages.is_empty() {
            let deleted = bodies(&messages);
            scene.pass(secs(31)).await;
            let left = bodies(&scene.look().await);
            let again = left.iter().find(|body| deleted.contains(body));
            require!(
                again.is_none(),
                "a message that was deleted at once never comes back: {again:?} came"
            );
        }
    }
}

pub(super) async fn a_delete_is_final<F: Fixture>(fixture: &F) {
    for (fifo, count) in [(false, 1), (false, 3), (true, 1), (true, 3)] {
        let scene = Scene::of(fixture, fifo, secs(10), false).await;
        scene.send_all(&["1", "2", "3"][..count]).await;
        let messages = scene.take(count).await;
        require_done(&scene.delete(&messages).await, "a message that is held is deleted");
        let left = fixture.messages_in(&scene.queue);
        require!(
            matches!(left, None | Some(0)),
            "what is deleted is gone: {left:?} of {count} are left"
        );
        for failure in scene.delete(&messages).await {
            let kind = failure.error.kind;
            require!(
                kind == ErrorKind::NotHeld,
                "a second delete does nothing, or reports NotHeld, not {kind:?}"
            );
        }
        scene.pass(secs(11)).await;
        scene.require_hidden("a deleted message never comes back").await;
    }
    let scene = Scene::standard(fixture).await;
    let nothing = scene.queue.delete(&[]).await;
    require!(
        nothing.as_ref().is_ok_and(Vec::is_empty),
        "to delete nothing is no failure, not {nothing:?}"
    );
}
