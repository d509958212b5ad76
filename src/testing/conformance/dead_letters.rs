//! Conformance: dead letters.

use {
    super::{
        fixture::Fixture,
        scene::{Scene, bodies, require, require_done, require_kind, secs},
    },
    crate::{
        backend::{ErrorKind, MessageQueue},
        message::{MessageAttributeValue, MessageAttributes, SendMessage},
    },
    std::{
        future::{Future, poll_fn},
        pin::pin,
        slice, task,
        time::Duration,
    },
};

/// For how long a message is held that is to be moved; in real time it is waited out many times.
const LEASE: Duration = secs(10);
const SHORT_LEASE: Duration = secs(5);

pub(super) async fn a_dead_letter_moves_at_once<F: Fixture>(fixture: &F) {
    let long = "why ".repeat(100_000);
    for reason in ["not an image", "", "\0\u{1}\u{ffff}", &long] {
        for attributes in [0, 10] {
            let scene = Scene::with_dead_letter_queue(fixture, false).await;
            let value = MessageAttributeValue::string("\u{e9}");
            let attributes: MessageAttributes = (0..attributes).map(|it| (format!("a{it}"), value.clone())).collect();
            scene.send(SendMessage::new("m").attributes(attributes.clone())).await;
            let message = scene.take_one_for(LEASE).await;
            let moved = scene.dead_letter(&message, reason).await;
            let reported: String = reason.chars().take(20).collect();
            require!(
                moved.is_ok(),
                "a message can be dead-lettered for a reason such as {reported:?}: {moved:?}"
            );
            let start = scene.now();
            let dead = scene.take_dead_letter().await;
            let took = scene.since(start);
            require!(
                took <= secs(2),
                "a dead letter is in its queue at once, not {took:?} later"
            );
            let body = dead.body();
            require!(body == "m", "a dead letter keeps its body, not {body:?}");
            let kept = attributes
                .iter()
                .all(|(name, value)| dead.attributes().get(name) == Some(value));
            require!(
                kept,
                "a dead letter keeps its attributes, not only {:?}",
                dead.attributes()
            );
            scene.pass(LEASE + secs(1)).await;
            scene
                .require_hidden("a dead letter does not come back to the queue that it came from")
                .await;
        }
    }
}

pub(super) async fn a_dead_letter_frees_its_group<F: Fixture>(fixture: &F) {
    let scene = Scene::with_dead_letter_queue(fixture, true).await;
    scene.send_all(&["1", "2"]).await;
    let message = scene.take_one().await;
    let moved = scene.dead_letter(&message, "it is late").await;
    require!(
        moved.is_ok(),
        "a message of a FIFO queue can be dead-lettered: {moved:?}"
    );
    let dead = scene.take_dead_letter().await;
    let (body, group) = (dead.body(), dead.message_group_id());
    require!(
        (body, group) == ("1", Some("g")),
        "a dead letter keeps its body and group, not {body:?} and {group:?}"
    );
    let next = bodies(&scene.take(1).await);
    require!(
        next == ["2"],
        "a group goes on when its first message is dead-lettered, but {next:?} came"
    );
}

/// A move may be cut short between any two steps, as by a crash.
pub(super) async fn a_dead_letter_is_never_nowhere<F: Fixture>(fixture: &F) {
    const MAX_STEPS: usize = 64;
    for fifo in [false, true] {
        for steps in 1..=MAX_STEPS {
            let scene = Scene::with_dead_letter_queue(fixture, fifo).await;
            scene.send_all(&["m"]).await;
            let message = scene.take_one_for(SHORT_LEASE).await;
            let over = {
                let mut dead_letter = pin!(scene.queue.dead_letter(&message, "it is late"));
                let mut left = steps;
                poll_fn(|context| {
                    let polled = dead_letter.as_mut().poll(context);
                    require_somewhere(&scene);
                    left -= 1;
                    match polled {
                        task::Poll::Ready(_) => task::Poll::Ready(true),
                        task::Poll::Pending if left == 0 => task::Poll::Ready(false),
                        task::Poll::Pending => task::Poll::Pending,
                    }
                })
                .await
            };
            scene.pass(SHORT_LEASE + secs(1)).await;
            let mut found = scene.look().await;
            if found.is_empty() {
                found.push(scene.take_dead_letter().await);
            }
            let found = bodies(&found);
            require!(
                found == ["m"],
                "a move that is cut short leaves the message in a queue, but {found:?} came"
            );
            if over {
                break;
            }
        }
    }
}

fn require_somewhere<F: Fixture>(scene: &Scene<'_, F>) {
    let here = scene.fixture().messages_in(&scene.queue);
    let there = scene
        .dead_letter_queue
        .as_ref()
        .and_then(|queue| scene.fixture().messages_in(queue));
    if let (Some(here), Some(there)) = (here, there) {
        require!(
            here + there > 0,
            "a dead letter is in one of the two queues at any time"
        );
    }
}

pub(super) async fn a_missing_dead_letter_queue_is_reported<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    scene.send_all(&["m"]).await;
    let message = scene.take_one().await;
    let moved = scene.dead_letter(&message, "it is late").await;
    require_kind(
        moved,
        ErrorKind::Refused,
        "a dead letter of a queue without a dead-letter queue",
    );
    scene
        .require_hidden("a message that cannot be dead-lettered stays hidden")
        .await;
    scene.pass(secs(31)).await;
    let again = scene.take_one().await;
    require_done(
        &scene.delete(slice::from_ref(&again)).await,
        "a message that is held is deleted",
    );
}
