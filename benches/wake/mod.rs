//! How long a receiver that waits needs to have the message in hand.

use crate::{
    contenders::{BODY, Contender, Crossbeam, HandWritten, Shared, Standard},
    driver::{Entrant, median},
    timed,
};
use requeue::{Message, Queue};
use std::{
    hint,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// Long enough for a receiver to settle, come back and park.
const PAUSE: Duration = Duration::from_micros(100);

const WAIT: Duration = Duration::from_secs(20);

/// Blocking receivers.
pub(crate) fn threads() -> Vec<Entrant> {
    let (queue, hand_written) = (queue(), Arc::new(HandWritten::open()));
    let (flume, flume_receiver) = flume::unbounded();
    let (crossbeam, crossbeam_receiver) = crossbeam_channel::unbounded();
    let (async_channel, async_receiver) = async_channel::unbounded();
    let (tokio, mut tokio_receiver) = tokio::sync::mpsc::unbounded_channel();
    let (requeue_sender, hand_written_sender) = (Standard(queue.clone()), Arc::clone(&hand_written));
    vec![
        latency(
            "requeue",
            move || requeue_sender.send(BODY),
            move || queue.receive().wait_time(WAIT).blocking().expect("the queue lives"),
            settle,
        ),
        latency(
            HandWritten::NAME,
            move || hand_written_sender.send(BODY),
            move || hand_written.take_waiting(),
            drop,
        ),
        latency(
            Crossbeam::NAME,
            move || crossbeam.send(BODY.to_owned()).expect("the receiver lives"),
            move || crossbeam_receiver.recv().expect("the sender lives"),
            drop,
        ),
        latency(
            "flume",
            move || flume.send(BODY.to_owned()).expect("the receiver lives"),
            move || flume_receiver.recv().expect("the sender lives"),
            drop,
        ),
        latency(
            "async-channel",
            move || {
                async_channel.try_send(BODY.to_owned()).expect("the receiver lives");
            },
            move || async_receiver.recv_blocking().expect("the sender lives"),
            drop,
        ),
        latency(
            "tokio::sync::mpsc",
            move || tokio.send(BODY.to_owned()).expect("the receiver lives"),
            move || tokio_receiver.blocking_recv().expect("the sender lives"),
            drop,
        ),
    ]
}

/// Makes the entrants of a function that takes a sender, an async receiver and what becomes of a received message.
macro_rules! every_future {
    ($entrant:ident) => {{
        let queue = queue();
        let (async_channel, async_receiver) = async_channel::unbounded();
        let (flume, flume_receiver) = flume::unbounded();
        let (tokio, mut tokio_receiver) = tokio::sync::mpsc::unbounded_channel();
        let sender = Standard(queue.clone());
        vec![
            $entrant(
                "requeue",
                move || sender.send(BODY),
                async move || queue.receive().wait_time(WAIT).await.expect("the queue lives"),
                settle,
            ),
            $entrant(
                "async-channel",
                move || async_channel.try_send(BODY.to_owned()).expect("the receiver lives"),
                async move || async_receiver.recv().await.expect("the sender lives"),
                drop,
            ),
            $entrant(
                "flume",
                move || flume.send(BODY.to_owned()).expect("the receiver lives"),
                async move || flume_receiver.recv_async().await.expect("the sender lives"),
                drop,
            ),
            $entrant(
                "tokio::sync::mpsc",
                move || tokio.send(BODY.to_owned()).expect("the receiver lives"),
                async move || tokio_receiver.recv().await.expect("the sender lives"),
                drop,
            ),
        ]
    }};
}

/// Futures on another thread, which a tiny executor parks.
pub(crate) fn futures() -> Vec<Entrant> {
    every_future!(future_latency)
}

/// Futures polled by hand on the sending thread: first poll, send, wake, second poll, delete.
pub(crate) fn polled() -> Vec<Entrant> {
    every_future!(two_polls)
}

fn queue() -> Queue {
    Queue::standard("bench").build().expect("the settings are the defaults")
}

fn settle(messages: Vec<Message>) {
    assert_eq!(messages.len(), 1, "one message was sent");
    messages[0].delete().expect("a message in flight can be deleted");
}

/// The median time from just before a send to the instant at which a parked receiver has the message.
fn latency<H>(
    name: &'static str,
    send: impl Fn() + 'static,
    mut receive: impl FnMut() -> H + Send + 'static,
    settle: fn(H),
) -> Entrant
where
    H: 'static,
{
    let run = move |operations| {
        // 0: nothing has arrived since the last send.
        let (origin, arrived) = (Instant::now(), &AtomicU64::new(0));
        let receive = &mut receive;
        thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..operations {
                    let message = receive();
                    arrived.store(nanoseconds_since(origin), Ordering::Release);
                    settle(message);
                }
            });
            let one = |_| {
                let sent = spin_for(PAUSE, origin);
                send();
                while arrived.load(Ordering::Acquire) == 0 {
                    hint::spin_loop();
                }
                (arrived.swap(0, Ordering::Relaxed) - sent) as f64
            };
            median((0..operations).map(one))
        })
    };
    Entrant {
        name,
        run: Box::new(run),
    }
}

fn future_latency<H>(
    name: &'static str,
    send: impl Fn() + 'static,
    mut receive: impl AsyncFnMut() -> H + Send + 'static,
    settle: fn(H),
) -> Entrant
where
    H: 'static,
{
    latency(name, send, move || block_on(receive()), settle)
}

fn two_polls<H>(
    name: &'static str,
    send: impl Fn() + 'static,
    mut receive: impl AsyncFnMut() -> H + 'static,
    settle: fn(H),
) -> Entrant
where
    H: 'static,
{
    let woken = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut operation = move || {
        let (mut future, context) = (pin!(receive()), &mut Context::from_waker(&waker));
        assert!(future.as_mut().poll(context).is_pending(), "nothing was sent yet");
        send();
        assert!(
            woken.0.swap(false, Ordering::Acquire),
            "the send did not wake the receiver"
        );
        let Poll::Ready(message) = future.as_mut().poll(context) else {
            panic!("the receiver was woken for nothing");
        };
        settle(message);
    };
    Entrant {
        name,
        run: Box::new(move |operations| timed(operations, || (0..operations).for_each(|_| operation()))),
    }
}

fn nanoseconds_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).expect("the bench ends within centuries")
}

/// Keeps this processor busy for a while, as a sender at work does; answers the time at the end.
fn spin_for(pause: Duration, origin: Instant) -> u64 {
    let end = origin.elapsed() + pause;
    while origin.elapsed() < end {
        hint::spin_loop();
    }
    nanoseconds_since(origin)
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor: polls, and parks until the waker unparks; a spurious return costs one more poll.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, context) = (pin!(future), &mut Context::from_waker(&waker));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return output;
        }
        thread::park();
    }
}
