//! Stores that never answer, in real time: a store does not live in the time of a queue.

use {
    super::{Bench, large, stores::Trouble},
    futures_util::stream,
    requeue::{
        SendMessage,
        backend::{ErrorKind, MessageQueue},
    },
    std::{future::poll_fn, io, task::Poll, time::Duration},
};

const SHORT: Duration = Duration::from_millis(20);

fn bench() -> Bench {
    Bench::with(|queue| queue, |builder| builder.store_timeout(SHORT))
}

#[test]
fn a_store_that_never_answers_is_given_up() {
    let bench = bench();
    let says_so = |error: &requeue::backend::MessageQueueError| {
        assert_eq!(error.kind, ErrorKind::Transient);
        assert!(
            error.message.ends_with("the store has made no progress for 20ms"),
            "{error}"
        );
    };
    bench.store.set(Trouble::PutNeverEnds);
    says_so(&bench.send(large()).unwrap_err());
    bench.store.set(None);
    bench.send(large()).unwrap();
    for trouble in [Trouble::GetNeverEnds, Trouble::ChunkNeverComes] {
        bench.store.set(trouble);
        says_so(&bench.receive().unwrap_err());
        bench.clock.advance(Duration::from_secs(30));
    }
    bench.store.set(None);
    let messages = bench.receive().unwrap();
    bench.store.set(Trouble::DeleteNeverEnds);
    bench.delete(&messages);
    assert_eq!(bench.payloads.orphans(), 1);
}

#[test]
fn a_slow_source_of_a_stream_is_not_the_stores_fault() {
    let bench = bench();
    let mut alarm = None;
    let mut chunks = vec!["late", "very "];
    let source = stream::poll_fn(move |context| {
        let waker = context.waker().clone();
        let (thread, done) = alarm.get_or_insert_with(|| {
            let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let set = done.clone();
            let thread = std::thread::spawn(move || {
                std::thread::park_timeout(5 * SHORT);
                set.store(true, std::sync::atomic::Ordering::Release);
                waker.wake();
            });
            (thread, done)
        });
        let _ = thread;
        if !done.load(std::sync::atomic::Ordering::Acquire) {
            return Poll::Pending;
        }
        Poll::Ready(
            chunks
                .pop()
                .map(|text| io::Result::Ok(bytes::Bytes::from_static(text.as_bytes()))),
        )
    });
    pollster::block_on(bench.payloads.send_stream(SendMessage::new(""), source)).unwrap();
    assert_eq!(bench.receive().unwrap()[0].body(), "very late");
}

#[test]
fn a_send_that_is_dropped_sends_nothing_and_a_receive_that_is_dropped_loses_nothing() {
    let bench = Bench::new();
    bench.store.set(Trouble::PutNeverEnds);
    {
        let mut send = Box::pin(bench.payloads.send(large().into()));
        let once = poll_fn(|context| Poll::Ready(send.as_mut().poll(context).is_pending()));
        assert!(pollster::block_on(once));
    }
    bench.store.set(None);
    assert!(bench.stored().is_empty());
    bench.send(large()).unwrap();
    bench.store.set(Trouble::GetNeverEnds);
    {
        let mut receive = Box::pin(bench.payloads.receive(requeue::backend::ReceiveRequest::new(1)));
        let once = poll_fn(|context| Poll::Ready(receive.as_mut().poll(context).is_pending()));
        assert!(pollster::block_on(once));
    }
    bench.store.set(None);
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(bench.receive().unwrap().len(), 1);
}
