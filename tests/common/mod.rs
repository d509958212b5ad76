//! What the integration tests share: queues in virtual time, and short forms of the calls.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "every test file uses a part of it"
)]

#[cfg(feature = "aws-protocol")]
pub(crate) mod aws;
#[cfg(feature = "worker")]
pub(crate) mod forward;
#[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
pub(crate) mod http;
#[cfg(feature = "worker")]
pub(crate) mod shaky;

use {
    requeue::{Alarm, Clock, ManualClock, Message, Queue, QueueBuilder, SendMessage},
    std::{
        future::{Future, IntoFuture, poll_fn},
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    },
};

/// The visibility timeout of a queue that sets none.
pub(crate) const VISIBILITY: Duration = secs(30);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
pub(crate) const DAY: Duration = secs(86_400);
pub(crate) const YEAR: Duration = secs(365 * 86_400);

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A standard queue named `jobs`.
pub(crate) fn standard(clock: &ManualClock) -> QueueBuilder {
    Queue::standard("jobs").clock(clock.clone()).seed(1)
}

/// A standard queue that holds the messages "0", "1" and so on.
pub(crate) fn numbered(clock: &ManualClock, count: usize) -> Queue {
    let jobs = standard(clock).build().unwrap();
    for number in 0..count {
        jobs.send(number.to_string()).unwrap();
    }
    jobs
}

/// A FIFO queue named `jobs.fifo`, with content-based deduplication.
pub(crate) fn fifo(clock: &ManualClock) -> QueueBuilder {
    Queue::fifo("jobs.fifo")
        .clock(clock.clone())
        .seed(1)
        .content_based_deduplication(true)
}

pub(crate) fn in_group(group: &str, body: &str) -> SendMessage {
    SendMessage::new(body).message_group_id(group)
}

/// Sends bodies such as `g1-m2`, whose group stands before the hyphen.
pub(crate) fn send_grouped<'a>(queue: &Queue, bodies: impl IntoIterator<Item = &'a str>) {
    for body in bodies {
        let group = body.split('-').next().unwrap();
        queue.send(in_group(group, body)).unwrap();
    }
}

/// A short poll with the queue's own visibility timeout.
pub(crate) fn receive(queue: &Queue, max_messages: usize) -> Vec<Message> {
    queue
        .receive()
        .max_messages(max_messages)
        .wait_time(Duration::ZERO)
        .blocking()
        .unwrap()
}

/// A short poll with a visibility timeout of its own.
pub(crate) fn receive_for(queue: &Queue, max_messages: usize, visibility_timeout: Duration) -> Vec<Message> {
    let poll = queue.receive().max_messages(max_messages).wait_time(Duration::ZERO);
    poll.visibility_timeout(visibility_timeout).blocking().unwrap()
}

/// The message that a receive of one returns.
#[track_caller]
pub(crate) fn take(queue: &Queue) -> Message {
    receive(queue, 1).pop().expect("a message to receive")
}

/// The message that a receive of one with this visibility timeout returns.
#[track_caller]
pub(crate) fn take_for(queue: &Queue, visibility_timeout: Duration) -> Message {
    let mut messages = receive_for(queue, 1, visibility_timeout);
    messages.pop().expect("a message to receive")
}

pub(crate) fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(Message::body).collect()
}

/// Messages visible, not visible, and delayed.
pub(crate) fn counts(queue: &Queue) -> [usize; 3] {
    let counts = queue.counts();
    [counts.visible, counts.in_flight, counts.delayed]
}

/// A standard and a FIFO queue, each with a clock of its own and a message `m` received with the queue's timeout.
pub(crate) fn each_with_one_in_flight() -> [(ManualClock, Queue, Message); 2] {
    [standard, fifo].map(|builder| {
        let clock = ManualClock::default();
        let jobs = builder(&clock).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take(&jobs);
        (clock, jobs, message)
    })
}

/// Moves time from deadline to deadline until the receive is over.
pub(crate) fn wait_for<T>(clock: &ManualClock, receive: impl IntoFuture<Output = T>) -> T {
    let mut receive = pin!(receive.into_future());
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = receive.as_mut().poll(&mut context) {
            return result;
        }
        clock.advance_to(clock.next_deadline().expect("a receive that waits has a deadline"));
    }
}

/// Runs a future to its end; time goes on to the next deadline whenever nothing else can.
pub(crate) fn run<T>(clock: &ManualClock, future: impl IntoFuture<Output = T>) -> T {
    #[derive(Default)]
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }
    let (mut future, woken) = (pin!(future.into_future()), Arc::new(Woken::default()));
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        if !woken.0.swap(false, Ordering::AcqRel) {
            clock.advance_to(clock.next_deadline().expect("what waits is woken, or has a deadline"));
        }
    }
}

/// Is over when the clock has moved on by `span`.
pub(crate) async fn nap(clock: &ManualClock, span: Duration) {
    let (end, mut alarm) = (clock.now().saturating_add(span), Alarm::default());
    poll_fn(|context| {
        if clock.now() >= end {
            return Poll::Ready(());
        }
        alarm = clock.wake_at(end, context.waker().clone());
        Poll::Pending
    })
    .await;
}

/// The result of a call that is answered at once, as every call is that does not wait for messages.
#[track_caller]
pub(crate) fn now<T>(call: impl IntoFuture<Output = T>) -> T {
    match pin!(call.into_future()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the call waits"),
    }
}

/// Asserts that a call fails with SQS's code and text.
macro_rules! assert_refused {
    ($result:expr, $code:expr, $text:expr $(,)?) => {{
        let error = $result.unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ($code, AsRef::<str>::as_ref(&$text))
        );
    }};
}
pub(crate) use assert_refused;
