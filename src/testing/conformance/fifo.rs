//! Conformance: order in message groups, and expired leases.

use {
    super::{
        fixture::Fixture,
        scene::{Scene, bodies, require, require_done, secs},
    },
    crate::backend::{EntryFailure, ErrorKind, ReceiveRequest, ReceivedMessage},
    std::{slice, time::Duration},
};

pub(super) async fn groups_keep_their_order<F: Fixture>(fixture: &F) {
    let scene = Scene::fifo(fixture).await;
    scene.send_all(&["1", "2", "3", "4"]).await;
    let first = scene.receive(ReceiveRequest::new(2).wait_time(secs(2))).await;
    let came = bodies(&first);
    require!(
        !came.is_empty() && came == ["1", "2"][..came.len()],
        "the messages of a group come in order, not {came:?}"
    );
    scene.require_hidden("a group waits for its messages in flight").await;
    scene.send(scene.message("other", "other")).await;
    let came = bodies(&scene.take(1).await);
    require!(came == ["other"], "another group does not wait, but {came:?} came");
    require_done(&scene.delete(&first).await, "a message that is held is deleted");
    let rest = take_group(&scene, 4 - first.len()).await;
    let expected = &["1", "2", "3", "4"][first.len()..];
    require!(
        rest == expected,
        "a group goes on, in order, when its messages in flight are deleted: not {rest:?}"
    );
}

/// Takes and deletes messages of one group, however many come at a time.
async fn take_group<F: Fixture>(scene: &Scene<'_, F>, count: usize) -> Vec<String> {
    let mut came = Vec::new();
    while came.len() < count {
        let messages = scene.receive(ReceiveRequest::new(10).wait_time(secs(2))).await;
        require!(
            !messages.is_empty(),
            "a group that nobody holds can be received: after {came:?} nothing came"
        );
        came.extend(bodies(&messages));
        require_done(&scene.delete(&messages).await, "a message that is held is deleted");
    }
    came
}

pub(super) async fn given_back_in_order<F: Fixture>(fixture: &F) {
    let scene = Scene::fifo(fixture).await;
    scene.send_all(&["1", "2", "3"]).await;
    let messages = scene.take(3).await;
    // The order matters if each becomes visible on its own.
    let failures = scene.change_visibility(&messages, Duration::ZERO).await;
    require_done(&failures, "messages that are held can be given back");
    let start = scene.now();
    let came = take_group(&scene, 3).await;
    require!(
        came == ["1", "2", "3"],
        "messages given back come again in the order of their group, not {came:?}"
    );
    let took = scene.since(start);
    require!(took <= secs(2), "messages given back come at once, not {took:?} later");
}

pub(super) async fn an_expired_lease_is_reported<F: Fixture>(fixture: &F) {
    let scene = Scene::fifo(fixture).await;
    let [mut over, mut held] = [Vec::new(), Vec::new()];
    for (group, timeout, messages) in [("a", secs(3), &mut over), ("b", secs(60), &mut held)] {
        scene.send(scene.message(group, group)).await;
        messages.push(scene.take_one_for(timeout).await);
    }
    scene.pass(secs(4)).await;
    let change = |messages: Vec<ReceivedMessage>| {
        let scene = &scene;
        async move { scene.change_visibility(&messages, secs(60)).await }
    };
    require_not_held(&change(over.clone()).await, 0, "hide");
    require_not_held(&scene.delete(&over).await, 0, "delete");
    let both = [held[0].clone(), over[0].clone()];
    require_not_held(&change(both.to_vec()).await, 1, "hide");
    require_not_held(&scene.delete(&both).await, 1, "delete");
    let again = scene.take_one().await;
    require!(
        again.body() == "a" && again.approximate_receive_count() == 2,
        "a message whose visibility timeout is over is not deleted by its old handle, but {again:?} came"
    );
    // The handle of the first reception is of no use while the second lasts.
    require_not_held(&scene.delete(slice::from_ref(&over[0])).await, 0, "delete");
    require_done(
        &scene.delete(slice::from_ref(&again)).await,
        "a message that is held is deleted",
    );
}

fn require_not_held(failures: &[EntryFailure], index: usize, verb: &str) {
    let reported: Vec<_> = failures.iter().map(|it| (it.index, it.error.kind)).collect();
    require!(
        reported == [(index, ErrorKind::NotHeld)],
        "to {verb} a message of a FIFO queue whose visibility timeout is over is NotHeld under its index, {index}, not \
         {reported:?}"
    );
}
