//! Conformance: wait times and batch sizes of receives.

use {
    super::{
        fixture::Fixture,
        scene::{Scene, bodies, millis, require, secs, settle},
    },
    crate::backend::{MessageQueue, ReceiveRequest},
    futures_util::future::join,
    std::{
        cell::Cell,
        collections::{BTreeSet, HashSet},
        future::{Future, poll_fn},
        pin::pin,
        task,
        time::Duration,
    },
};

/// A wait may end so much later than it should.
const LATE: Duration = secs(2);

pub(super) async fn a_receive_keeps_its_maximum<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    let sent: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    scene
        .send_all(&sent.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let mut came = Vec::new();
    for maximum in [3, 1, 10, 10, 10, 10, 10, 10, 10, 10] {
        let messages = scene.receive(ReceiveRequest::new(maximum).wait_time(secs(1))).await;
        let count = messages.len();
        require!(
            count <= maximum,
            "a receive of at most {maximum} brings no more, not {count}"
        );
        came.extend(bodies(&messages));
    }
    let distinct: HashSet<&String> = came.iter().collect();
    require!(
        distinct.len() == sent.len() && came.len() == sent.len(),
        "every message is received once while it is hidden, not {came:?}"
    );
}

pub(super) async fn a_long_poll_waits_to_its_end<F: Fixture>(fixture: &F) {
    let scene = Scene::standard(fixture).await;
    for wait in [millis(300), secs(2)] {
        let (start, over) = (scene.now(), Cell::new(None));
        let receive = async {
            let messages = scene.receive(ReceiveRequest::new(1).wait_time(wait)).await;
            over.set(Some(scene.since(start)));
            messages
        };
        let time = async {
            let mut passed = Duration::ZERO;
            while over.get().is_none() && passed < wait + LATE {
                scene.pass(millis(100)).await;
                passed += millis(100);
            }
        };
        let (messages, ()) = join(receive, time).await;
        let came = bodies(&messages);
        require!(came.is_empty(), "an empty queue has no messages, not {came:?}");
        let took = over.get().unwrap_or_default();
        require!(
            took >= wait && took <= wait + LATE,
            "a receive from an empty queue waits as long as its wait time, {wait:?} and not {took:?}"
        );
    }
    let start = scene.now();
    scene.require_hidden("an empty queue has no messages").await;
    let took = scene.since(start);
    require!(
        took < secs(1),
        "a receive without a wait time does not wait, not even {took:?}"
    );
}

pub(super) async fn a_long_poll_ends_with_a_message<F: Fixture>(fixture: &F) {
    for fifo in [false, true] {
        let scene = Scene::of(fixture, fifo, secs(30), false).await;
        let start = Cell::new(scene.now());
        let receive = async {
            let messages = scene.receive(ReceiveRequest::new(10).wait_time(secs(20))).await;
            (bodies(&messages), scene.since(start.get()))
        };
        let send = async {
            scene.pass(secs(1)).await;
            start.set(scene.now());
            scene.send_all(&["m"]).await;
        };
        let ((came, took), ()) = join(receive, send).await;
        require!(
            came == ["m"],
            "a receive that waits brings a message that is sent, not {came:?}"
        );
        require!(
            took <= LATE,
            "a receive that waits ends when a message is sent, not {took:?} later"
        );
    }
}

/// The most long polls, of 2 s each, for what a dropped receive has taken: a server may go on with it for its whole wait
/// time, and the visibility timeout follows.
const MAX_RECEIVES: usize = 20;

/// Whatever a dropped receive has taken comes back when its visibility timeout ends, or at once if the queue is in
/// process; that it comes more than once is no loss.
pub(super) async fn a_dropped_receive_loses_nothing<F: Fixture>(fixture: &F) {
    const MAX_POLLS: usize = 64;
    for fifo in [false, true] {
        for polls in 1..=MAX_POLLS {
            let scene = Scene::of(fixture, fifo, secs(5), false).await;
            let over = {
                let mut receive = pin!(scene.queue.receive(ReceiveRequest::new(10).wait_time(secs(20))));
                let early = poll_times(receive.as_mut(), polls).await;
                scene.send_all(&["1", "2"]).await;
                let late = poll_times(receive.as_mut(), if early { 0 } else { polls - 1 }).await;
                early || late
            };
            let hides_nothing = scene.queue.is_in_process() && !over;
            let (receives, wait) = if hides_nothing {
                (1, Duration::ZERO)
            } else {
                scene.pass(secs(6)).await;
                (MAX_RECEIVES, secs(2))
            };
            let mut came = BTreeSet::new();
            for _ in 0..receives {
                let messages = scene.receive(ReceiveRequest::new(10).wait_time(wait)).await;
                came.extend(bodies(&messages));
                // Only so does the next of the group follow.
                scene.delete(&messages).await;
                if came.len() == 2 {
                    break;
                }
            }
            let told = if hides_nothing {
                "a receive that is dropped hides no message of a queue in process"
            } else {
                "a receive that is dropped loses no message"
            };
            require!(came.iter().eq(["1", "2"]), "{told}, but there came {came:?}");
            if over {
                break;
            }
        }
    }
}

/// Polls a future up to this many times, as it is woken or time passes; returns whether it completed.
async fn poll_times(mut future: std::pin::Pin<&mut impl Future>, polls: usize) -> bool {
    for _ in 0..polls {
        let polled = poll_fn(|context| task::Poll::Ready(future.as_mut().poll(context))).await;
        if polled.is_ready() {
            return true;
        }
        settle().await;
    }
    false
}
