//! Deletes and moves: when a payload goes, and when it stays.

use {
    super::{
        Bench, LARGE, large,
        stores::{Trouble, Troubled},
    },
    bytes::Bytes,
    futures_util::stream::{self, StreamExt},
    requeue::{
        Clock, Fact, FactEntry, ManualClock, Queue, SendMessage,
        backend::{EntryFailure, MessageCounts, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        payloads::{PayloadQueue, PayloadStore},
        worker::{Job, Runner},
    },
    std::{sync::Arc, time::Duration},
};

/// A queue elsewhere or in this process, whose deletes and changes take so long.
#[derive(Clone)]
struct SlowAnswers {
    queue: Queue,
    clock: ManualClock,
    delay: Duration,
    is_in_process: bool,
}

/// Its payloads, their store, the queue in it and their clock.
fn slow_answers(
    delay: Duration,
    is_in_process: bool,
) -> (PayloadQueue<SlowAnswers, Troubled>, Troubled, Queue, ManualClock) {
    let clock = ManualClock::default();
    let queue = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let slow = SlowAnswers {
        queue: queue.clone(),
        clock: clock.clone(),
        delay,
        is_in_process,
    };
    let store = Troubled::new();
    let payloads = PayloadQueue::builder(&slow, store.clone()).build().unwrap();
    (payloads, store, queue, clock)
}

impl MessageQueue for SlowAnswers {
    fn url(&self) -> &str {
        MessageQueue::url(&self.queue)
    }

    fn is_fifo(&self) -> bool {
        MessageQueue::is_fifo(&self.queue)
    }

    fn visibility_timeout(&self) -> Duration {
        MessageQueue::visibility_timeout(&self.queue)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        MessageQueue::clock(&self.queue)
    }

    fn is_in_process(&self) -> bool {
        self.is_in_process
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        MessageQueue::send(&self.queue, message).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        MessageQueue::receive(&self.queue, request).await
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        self.clock.advance(self.delay);
        MessageQueue::delete(&self.queue, messages).await
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let failed = MessageQueue::change_visibility(&self.queue, messages, timeout).await;
        self.clock.advance(self.delay);
        failed
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        MessageQueue::counts(&self.queue).await
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        MessageQueue::dead_letter(&self.queue, message, reason).await
    }
}

#[test]
fn the_answer_of_a_queue_elsewhere_may_come_late() {
    let (jobs, store, _, clock) = slow_answers(Duration::from_millis(500), false);
    pollster::block_on(jobs.send(large().into())).unwrap();
    let messages = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap();
    clock.advance(Duration::from_millis(29_800));
    pollster::block_on(jobs.change_visibility(&messages, Duration::from_secs(60))).unwrap();
    pollster::block_on(jobs.delete(&messages)).unwrap();
    assert_eq!((store.objects().len(), jobs.orphans()), (0, 0));
}

#[test]
fn a_sweep_around_a_wrapper_asks_for_the_queue_in_it() {
    let (jobs, store, queue, _) = slow_answers(Duration::ZERO, true);
    pollster::block_on(jobs.send(large().into())).unwrap();
    let error = pollster::block_on(jobs.sweep(Duration::ZERO).remove()).unwrap_err();
    assert!(
        error.message.ends_with("name its embedded queue by in_use_by"),
        "{error}"
    );
    assert!(pollster::block_on(jobs.sweep(Duration::ZERO).list()).is_err());
    let report = pollster::block_on(jobs.sweep(Duration::ZERO).in_use_by(&queue).remove()).unwrap();
    assert_eq!((report.removed, store.objects().len()), (0, 1));
}

#[test]
fn a_payload_is_deleted_after_its_message() {
    // E8
    let store = Troubled::new();
    let log = store.clone();
    let listener = move |_: &Arc<str>, entry: &FactEntry| {
        if let Fact::Deleted { .. } = entry.fact {
            log.note("message");
        }
    };
    let queue = Queue::standard("jobs").listener(listener).build().unwrap();
    let jobs = PayloadQueue::builder(&queue, store.clone()).build().unwrap();
    pollster::block_on(jobs.send(large().into())).unwrap();
    let messages = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap();
    assert!(pollster::block_on(jobs.delete(&messages)).unwrap().is_empty());
    assert_eq!(store.log(), ["put", "get", "message", "delete"]);
    assert_eq!(store.objects(), []);
}

#[test]
fn a_message_that_was_not_deleted_keeps_its_payload() {
    let bench = Bench::fifo();
    bench.send(SendMessage::new(large()).message_group_id("a")).unwrap();
    let messages = bench.receive().unwrap();
    bench.clock.advance(Duration::from_secs(30));
    // D19: the handle has expired.
    let failed = pollster::block_on(bench.payloads.delete(&messages)).unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(bench.receive().unwrap()[0].body().len(), LARGE);
}

#[test]
fn a_payload_that_cannot_be_deleted_is_counted_and_its_message_is_gone() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let messages = bench.receive().unwrap();
    bench.store.set(Trouble::Delete);
    bench.delete(&messages);
    assert_eq!((bench.stored().len(), bench.payloads.orphans()), (0, 1));
    assert_eq!(bench.store.objects().len(), 1);
}

#[test]
fn a_change_that_comes_late_gives_no_payload_back() {
    // D19: the change is answered as if it had taken effect.
    let (bench, failed) = Bench::with_dead_letters(1);
    bench.send(large()).unwrap();
    let messages = bench.receive().unwrap();
    bench.clock.advance(Duration::from_secs(30));
    let minute = Duration::from_secs(60);
    let unchanged = pollster::block_on(bench.payloads.change_visibility(&messages, minute)).unwrap();
    assert!(unchanged.is_empty());
    assert!(bench.receive().unwrap().is_empty(), "it went to the dead-letter queue");
    bench.delete(&messages);
    assert_eq!((failed.counts().visible, bench.store.objects().len()), (1, 1));
    assert_eq!(bench.payloads.orphans(), 1);
}

#[test]
fn a_delete_that_outlasts_the_visibility_timeout_leaves_the_payload() {
    let (jobs, store, ..) = slow_answers(Duration::from_secs(30), true);
    pollster::block_on(jobs.send(large().into())).unwrap();
    let messages = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap();
    pollster::block_on(jobs.delete(&messages)).unwrap();
    assert_eq!((store.objects().len(), jobs.orphans()), (1, 1));
}

#[test]
fn a_store_that_panics_in_a_delete_ends_no_runner() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.send(large()).unwrap();
    bench.store.set(Trouble::DeletePanics);
    let runner = Runner::builder(&bench.payloads).until_none_left();
    let runner = runner.each(|_: &Job| Ok::<(), String>(())).unwrap();
    assert_eq!(runner.blocking().unwrap().succeeded, 2);
    assert_eq!((bench.stored().len(), bench.payloads.orphans()), (0, 2));
}

#[test]
fn an_orphan_is_counted_once_its_message_is_gone() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let messages = bench.receive().unwrap();
    bench.clock.advance(Duration::from_secs(30));
    bench.queue.delete_queue().unwrap();
    assert!(pollster::block_on(bench.payloads.delete(&messages)).is_err());
    assert_eq!(bench.payloads.orphans(), 0);
}

#[test]
fn payloads_stay_where_that_is_asked_for() {
    // E8
    let bench = Bench::with(|queue| queue, |builder| builder.delete_payloads(false));
    bench.send(large()).unwrap();
    bench.delete(&bench.receive().unwrap());
    assert_eq!((bench.stored().len(), bench.store.objects().len()), (0, 1));
}

#[test]
fn a_batch_of_messages_goes_with_its_payloads() {
    let bench = Bench::new();
    for body in [large(), "small".to_owned(), large()] {
        bench.send(body).unwrap();
    }
    let messages = bench.receive().unwrap();
    assert!(messages.iter().map(|it| it.body().len()).eq([LARGE, 5, LARGE]));
    bench.delete(&messages);
    assert!(bench.stored().is_empty() && bench.store.objects().is_empty());
}

#[test]
fn a_dead_letter_keeps_its_payload_and_can_be_read_there() {
    // E9
    let (bench, failed) = Bench::with_dead_letters(1);
    let dead_letters = PayloadQueue::builder(&failed, bench.store.clone())
        .prefix("jobs/")
        .build()
        .unwrap();
    bench.send(large()).unwrap();
    bench.send(large()).unwrap();
    let messages = bench.receive().unwrap();
    pollster::block_on(bench.payloads.dead_letter(&messages[0], "not an image")).unwrap();
    bench.clock.advance(Duration::from_secs(30));
    assert!(
        bench.receive().unwrap().is_empty(),
        "the other one went there by its receive count"
    );
    let letters = pollster::block_on(dead_letters.receive(ReceiveRequest::new(10))).unwrap();
    assert!(letters.iter().map(|it| it.body().len()).eq([LARGE, LARGE]));
    assert_eq!(letters[0].dead_letter_reason(), Some("not an image"));
    assert!(pollster::block_on(dead_letters.delete(&letters)).unwrap().is_empty());
    assert_eq!(bench.store.objects(), []);
}

#[test]
fn verbs_that_settle_otherwise_touch_no_payload() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let visible = || bench.queue.counts().visible;
    let messages = bench.receive().unwrap();
    assert!(
        pollster::block_on(bench.payloads.change_visibility(&messages, Duration::ZERO))
            .unwrap()
            .is_empty()
    );
    assert_eq!(visible(), 1);
    let messages = bench.receive().unwrap();
    assert!(
        pollster::block_on(bench.payloads.release(&messages))
            .unwrap()
            .is_empty()
    );
    assert_eq!(visible(), 1);
    let messages = bench.receive().unwrap();
    assert!(
        pollster::block_on(bench.payloads.postpone(&messages, Duration::from_secs(5)))
            .unwrap()
            .is_empty()
    );
    bench.payloads.report_failure(&messages[0], "the printer is busy");
    assert_eq!(bench.store.log(), ["put", "get", "get", "get"]);
}

#[test]
fn a_purge_leaves_payloads_behind() {
    // E9
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.queue.purge().unwrap();
    assert_eq!((bench.stored().len(), bench.store.objects().len()), (0, 1));
}

#[test]
fn a_late_delete_leaves_the_payload_of_a_message_that_has_moved() {
    // D19: the answer is as if it had taken effect.
    let (bench, failed) = Bench::with_dead_letters(1);
    bench.send(large()).unwrap();
    let messages = bench.receive().unwrap();
    bench.clock.advance(Duration::from_secs(30));
    assert!(bench.receive().unwrap().is_empty(), "it went to the dead-letter queue");
    bench.delete(&messages);
    assert_eq!(
        (
            failed.counts().visible,
            bench.store.objects().len(),
            bench.payloads.orphans()
        ),
        (1, 1, 1)
    );
}

#[test]
fn a_lease_that_was_extended_counts() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let messages = bench.receive().unwrap();
    let minute = Duration::from_secs(60);
    assert!(
        pollster::block_on(bench.payloads.change_visibility(&messages, minute))
            .unwrap()
            .is_empty()
    );
    bench.clock.advance(Duration::from_secs(59));
    bench.delete(&messages);
    assert_eq!((bench.store.objects().len(), bench.payloads.orphans()), (0, 0));
}

#[test]
fn a_damaged_payload_is_not_deleted_with_its_message() {
    // It may be another message's.
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.store.set(Trouble::OtherByte);
    let messages = bench.receive_without_bodies();
    assert!(pollster::block_on(bench.payloads.load(&messages[0])).is_err());
    bench.delete(&messages);
    assert_eq!((bench.stored().len(), bench.store.objects().len()), (0, 1));
}

#[test]
fn a_payload_that_is_no_text_is_not_deleted_with_its_message() {
    let bench = Bench::with(|queue| queue, |builder| builder.checksums(false));
    bench.send(large()).unwrap();
    let key = bench.store.objects().remove(0).0;
    let bytes = Bytes::from(vec![0xff; LARGE]);
    pollster::block_on(bench.store.put(&key, stream::iter([Ok(bytes)]).boxed())).unwrap();
    let messages = bench.receive_without_bodies();
    let error = pollster::block_on(bench.payloads.load(&messages[0])).unwrap_err();
    assert!(error.message.contains("invalid utf-8"), "{error}");
    bench.delete(&messages);
    assert_eq!((bench.stored().len(), bench.store.objects().len()), (0, 1));
}
