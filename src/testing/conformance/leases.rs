//! Conformance: visibility timeouts and their changes.

use {
    super::{
        fixture::Fixture,
        scene::{Scene, bodies, millis, require, require_done, secs},
    },
    crate::{
        backend::{ErrorKind, MessageQueue},
        message::SendMessage,
    },
    std::{slice, time::Duration},
};

pub(super) async fn a_received_message_is_hidden<F: Fixture>(fixture: &F) {
    for (own, asked) in [
        (secs(4), None),
        (secs(30), Some(secs(4))),
        (secs(30), Some(millis(3_500))),
    ] {
        let scene = Scene::of(fixture, false, own, false).await;
        scene.send_all(&["m"]).await;
        let timeout = asked.unwrap_or(own);
        let start = scene.now();
        match asked {
            Some(asked) => drop(scene.take_one_for(asked).await),
            None => drop(scene.take(1).await),
        }
        scene.pass(timeout - millis(300)).await;
        scene
            .require_hidden("a received message is hidden for its visibility timeout")
            .await;
        scene.take(1).await;
        require_about(
            scene.since(start),
            timeout,
            "a message that is not deleted comes back after its visibility timeout",
        );
    }
}

pub(super) async fn a_message_can_be_given_back<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    scene.send_all(&["1", "2", "3"]).await;
    let messages = scene.take(3).await;
    let given_back = "a message that is held can be given back";
    require_done(
        &scene.change_visibility(&messages[..1], Duration::ZERO).await,
        given_back,
    );
    let start = scene.now();
    let came = bodies(&scene.take(1).await);
    require!(
        came == [messages[0].body()],
        "what is given back comes at once, and nothing else: {came:?} came"
    );
    require_done(
        &scene.change_visibility(&messages[1..], Duration::ZERO).await,
        given_back,
    );
    scene.take(2).await;
    require_about(scene.since(start), Duration::ZERO, "what is given back comes at once");
    let nothing = scene.queue.change_visibility(&[], secs(1)).await;
    require!(
        nothing.as_ref().is_ok_and(Vec::is_empty),
        "to hide nothing is no failure, not {nothing:?}"
    );
}

pub(super) async fn a_lease_can_be_extended<F: Fixture>(fixture: &F) {
    for timeout in [secs(4), millis(3_500)] {
        let scene = Scene::of(fixture, false, secs(3), false).await;
        scene.send_all(&["1", "2"]).await;
        let messages = scene.take(2).await;
        scene.pass(secs(2)).await;
        let extended = "a message that is held can be hidden for longer";
        let start = scene.now();
        // One by one and together: the former makes the call for one message, the latter that for several.
        require_done(&scene.change_visibility(&messages[..1], timeout).await, extended);
        require_done(&scene.change_visibility(&messages, timeout).await, extended);
        scene.pass(timeout - millis(300)).await;
        scene
            .require_hidden("a changed visibility timeout counts in full from the change")
            .await;
        scene.take(2).await;
        require_about(
            scene.since(start),
            timeout,
            "a changed visibility timeout counts from the change",
        );
    }
}

pub(super) async fn failures_are_reported_by_index<F: Fixture>(fixture: &F) {
    for gone in [0, 1, 2] {
        let scene = Scene::standard(fixture).await;
        scene.send_all(&["1", "2", "3"]).await;
        let messages = scene.take(3).await;
        let deleted = slice::from_ref(&messages[gone]);
        require_done(&scene.delete(deleted).await, "a message that is held is deleted");
        for (messages, place) in [(deleted, 0), (&messages[..], gone)] {
            let failures = scene.change_visibility(messages, Duration::ZERO).await;
            let reported: Vec<_> = failures.iter().map(|it| (it.index, it.error.kind)).collect();
            require!(
                reported == [(place, ErrorKind::NotHeld)],
                "a message that is gone is NotHeld under its index, {place} of {}, not {reported:?}",
                messages.len()
            );
        }
        let mut came = bodies(&scene.take(2).await);
        came.sort();
        let expected: Vec<_> = ["1", "2", "3"]
            .into_iter()
            .filter(|body| *body != messages[gone].body())
            .collect();
        require!(
            came == expected,
            "the failure of one entry leaves the others, {expected:?}, alone: {came:?} came"
        );
    }
}

/// Queues that count in seconds round up, and what has to come may take a moment.
fn require_about(span: Duration, expected: Duration, what: &str) {
    let latest = expected + secs(2);
    require!(span <= latest, "{what}, after {expected:?} and not {span:?}");
}

pub(super) async fn what_is_released_or_postponed_comes_back<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    scene.send_all(&["m"]).await;
    let restores = scene.queue.restores_receive_count();
    let start = scene.now();
    let released = scene.queue.release(&scene.take(1).await).await;
    require!(
        released.as_ref().is_ok_and(Vec::is_empty),
        "a message that is held can be released, not {released:?}"
    );
    let again = scene.take(1).await;
    require_about(scene.since(start), Duration::ZERO, "what is released comes at once");
    require_count(again[0].approximate_receive_count(), 2, restores, "released");
    let start = scene.now();
    let postponed = scene.queue.postpone(&again, secs(4)).await;
    require!(
        postponed.as_ref().is_ok_and(Vec::is_empty),
        "a message that is held can be postponed, not {postponed:?}"
    );
    scene.pass(secs(4) - millis(300)).await;
    scene.require_hidden("what is postponed is hidden for its delay").await;
    let last = scene.take(1).await;
    require_about(scene.since(start), secs(4), "what is postponed comes after its delay");
    require_count(last[0].approximate_receive_count(), 3, restores, "postponed");
}

fn require_count(count: u32, receives: u32, restores: bool, how: &str) {
    let expected = if restores { 1 } else { receives };
    require!(
        count == expected,
        "with `restores_receive_count` {restores}, what was {how} has receive count {expected}, not {count}"
    );
}

pub(super) async fn counts_tell_what_is_left<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    scene.send_all(&["1", "2"]).await;
    scene.send(SendMessage::new("3").delay(secs(600))).await;
    let held = [scene.take_one().await];
    let counts = scene.queue.counts().await;
    let found = counts.map(|it| (it.approximate, [it.visible, it.in_flight, it.delayed]));
    // What is approximate may lag behind.
    require!(
        matches!(found, Ok((true, _) | (false, [1, 1, 1]))),
        "of three messages one is visible, one in flight and one delayed, not {found:?}"
    );
    require_done(&scene.delete(&held).await, "a message that is held can be deleted");
}
