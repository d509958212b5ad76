//! Jobs of a type of one's own: sent, received, run, and what becomes of bodies that are none.

use {
    requeue::{
        Entry, Fact, FactListener, ManualClock, Queue, SendMessage,
        backend::{
            EntryFailure, ErrorKind, MessageCounts, MessageParts, MessageQueue, MessageQueueError, ReceiveRequest,
            ReceivedMessage,
        },
        worker::{BatchAnswer, BatchSettings, Failure, Job, SendJobError, TypedQueue, UnparsedPolicy},
    },
    serde::{Deserialize, Serialize},
    std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
        time::Duration,
    },
};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Resize {
    file: String,
    width: u32,
}

const BAD: &str = r#"{"file":"cat.png","width":-1}"#;
const VISIBILITY: Duration = Duration::from_secs(30);

fn cat(width: u32) -> Resize {
    let file = "cat.png".to_owned();
    Resize { file, width }
}

/// Keeps the reasons of failures.
#[derive(Clone, Default)]
struct Reasons(Arc<Mutex<Vec<String>>>);

impl FactListener for Reasons {
    fn on_fact(&self, _: &Arc<str>, entry: &Entry) {
        if let Fact::Failed { reason, .. } = &entry.fact {
            self.0.lock().unwrap().push(reason.to_string());
        }
    }
}

impl Reasons {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A queue that allows two receives, its dead-letter queue, its clock, and why its messages failed.
fn jobs() -> (Queue, Queue, ManualClock, Reasons) {
    let (clock, reasons) = (ManualClock::default(), Reasons::default());
    let failed = Queue::standard("failed").clock(&clock).build().unwrap();
    let jobs = Queue::standard("jobs")
        .clock(&clock)
        .dead_letter(&failed, 2)
        .listener(reasons.clone());
    let jobs = jobs.visibility_timeout(VISIBILITY).build().unwrap();
    (jobs, failed, clock, reasons)
}

fn bodies(queue: &Queue) -> Vec<String> {
    let messages = queue.receive().max_messages(10).blocking().unwrap();
    messages.iter().map(|it| it.body().to_owned()).collect()
}

fn reason() -> String {
    let type_name = std::any::type_name::<Resize>();
    format!("the body is not a {type_name}: invalid value: integer `-1`, expected u32 at line 1 column 28")
}

#[test]
fn a_value_comes_back_as_it_was_sent() {
    let (jobs, ..) = jobs();
    let typed = jobs.typed::<Resize>();
    let sent = typed.send(&cat(640)).unwrap();
    let second = typed
        .send_with(&cat(320), |it| it.delay(Duration::ZERO).aws_trace_header("Root=1"))
        .unwrap();
    pollster::block_on(typed.send_async(&cat(160))).unwrap();
    let batch = typed.send_batch(&[cat(80), cat(40)]).unwrap();
    assert_eq!(batch.successful.len(), 2);

    let received = typed.receive().max_messages(10).blocking().unwrap();
    let widths: Vec<_> = received.iter().map(|it| it.value().width).collect();
    assert_eq!(widths, [640, 320, 160, 80, 40]);
    assert_eq!(received[0].message().message_id(), sent.message_id.to_string());
    assert_eq!(received[0].message().body(), r#"{"file":"cat.png","width":640}"#);
    assert_eq!(received[1].message().message_id(), second.message_id.to_string());
    assert_eq!(received[1].message().aws_trace_header(), Some("Root=1"));
    assert_eq!(received[2].clone().into_value(), cat(160));
    received.iter().for_each(|it| it.delete().unwrap());
    let gone = pollster::block_on(received[0].delete_async());
    assert_eq!(gone, received[0].delete(), "both forms ask the queue");
    assert_eq!(jobs.counts().approximate_number_of_messages_not_visible, 0);
}

#[test]
fn a_value_that_is_no_json_and_a_message_that_the_queue_refuses_are_errors() {
    let (jobs, ..) = jobs();
    let odd = jobs.typed::<BTreeMap<Vec<u8>, u8>>();
    let map = BTreeMap::from([(vec![1], 1)]);
    for error in [
        odd.send(&map).unwrap_err(),
        odd.send_batch(&[BTreeMap::new(), map.clone()]).unwrap_err(),
        pollster::block_on(odd.send_async(&map)).unwrap_err(),
    ] {
        assert!(
            error
                .to_string()
                .ends_with("cannot be written as JSON: key must be a string"),
            "{error}"
        );
    }
    let long = jobs
        .typed::<Resize>()
        .send_with(&cat(1), |it| it.delay(Duration::from_secs(901)));
    assert!(matches!(long, Err(SendJobError::Queue(error)) if error.kind == ErrorKind::Refused));
    assert_eq!(bodies(&jobs), [""; 0]);
    jobs.delete_queue().unwrap();
    let gone = jobs.typed::<Resize>().send_batch(&[cat(1)]).unwrap_err();
    assert!(matches!(gone, SendJobError::Queue(error) if error.kind == ErrorKind::QueueDoesNotExist));
    let gone = jobs.typed::<Resize>().receive().blocking().unwrap_err();
    assert_eq!(gone.kind, ErrorKind::QueueDoesNotExist);
}

#[test]
fn by_default_a_body_that_does_not_parse_comes_back_until_its_receives_are_used_up() {
    // L2
    let (jobs, failed, clock, reasons) = jobs();
    jobs.send(BAD).unwrap();
    let typed = jobs.typed::<Resize>();
    for _ in 0..2 {
        assert!(typed.receive().blocking().unwrap().is_empty());
        assert_eq!(reasons.take(), [reason()]);
        assert!(typed.receive().blocking().unwrap().is_empty(), "it is hidden");
        assert_eq!(reasons.take(), [""; 0]);
        clock.advance(VISIBILITY);
    }
    assert!(typed.receive().blocking().unwrap().is_empty());
    assert_eq!(reasons.take(), [""; 0]);
    assert_eq!(bodies(&failed), [BAD]);
}

#[test]
fn the_other_policies_dead_letter_discard_or_ask() {
    for (policy, dead) in [
        (UnparsedPolicy::DeadLetter, vec![BAD]),
        (UnparsedPolicy::Discard, vec![]),
    ] {
        let (jobs, failed, _clock, reasons) = jobs();
        let typed = jobs.typed::<Resize>().unparsed(policy);
        let _ = jobs.send_batch([BAD, r#"{"file":"cat.png","width":1}"#]).unwrap();
        let received = typed.receive().max_messages(10).blocking().unwrap();
        assert_eq!(
            received.iter().map(|it| it.value().clone()).collect::<Vec<Resize>>(),
            [cat(1)]
        );
        assert_eq!(
            jobs.counts().approximate_number_of_messages_not_visible,
            1,
            "{policy:?}"
        );
        assert_eq!(reasons.take(), [reason()], "{policy:?}");
        assert_eq!(bodies(&failed), dead, "{policy:?}");
    }
    let (jobs, _failed, clock, reasons) = jobs();
    jobs.send(BAD).unwrap();
    let typed = jobs.typed::<Resize>().on_unparsed(|message, error| {
        assert_eq!((message.body(), error.to_string()), (BAD, reason()));
        Failure::retry_after(Duration::from_secs(5), "by hand")
    });
    assert!(pollster::block_on(typed.receive().into_future()).unwrap().is_empty());
    assert_eq!(reasons.take(), ["by hand"]);
    clock.advance(Duration::from_millis(4_999));
    assert_eq!(bodies(&jobs), [""; 0]);
    clock.advance(Duration::from_millis(1));
    assert_eq!(bodies(&jobs), [BAD]);
}

#[test]
fn what_cannot_be_dead_lettered_is_left_and_facts_tell_why() {
    let (clock, reasons) = (ManualClock::default(), Reasons::default());
    let jobs = Queue::standard("jobs")
        .clock(&clock)
        .listener(reasons.clone())
        .build()
        .unwrap();
    jobs.send(BAD).unwrap();
    let typed = jobs.typed::<Resize>().unparsed(UnparsedPolicy::DeadLetter);
    assert!(typed.receive().blocking().unwrap().is_empty());
    let [reported] = reasons.take().try_into().unwrap();
    assert!(
        reported.starts_with(&format!("{}, left to its visibility timeout: ", reason())),
        "{reported}"
    );
    clock.advance(VISIBILITY);
    assert_eq!(bodies(&jobs), [BAD]);
}

/// One group of a FIFO queue, `bad` first, and another group.
fn orders(clock: &ManualClock) -> (Queue, Queue) {
    let failed = Queue::fifo("failed.fifo").clock(clock).build().unwrap();
    let orders = Queue::fifo("orders.fifo").clock(clock).dead_letter(&failed, 5);
    let orders = orders
        .visibility_timeout(VISIBILITY)
        .content_based_deduplication(true)
        .build()
        .unwrap();
    for (group, body) in [("a", "bad"), ("b", "1"), ("a", "2"), ("a", "3")] {
        orders.send(SendMessage::new(body).message_group_id(group)).unwrap();
    }
    (orders, failed)
}

#[test]
fn on_a_fifo_queue_what_follows_a_body_that_is_left_is_given_back_in_order() {
    // E21
    let clock = ManualClock::default();
    let (orders, _failed) = orders(&clock);
    let typed = orders.typed::<u32>();
    let received = typed.receive().max_messages(10).blocking().unwrap();
    assert_eq!(received.iter().map(|it| *it.value()).collect::<Vec<_>>(), [1]);
    received[0].delete().unwrap();
    assert_eq!(bodies(&orders), [""; 0], "the group waits for its first message");
    clock.advance(VISIBILITY);
    assert_eq!(bodies(&orders), ["bad", "2", "3"]);
}

#[test]
fn on_a_fifo_queue_what_follows_a_body_that_has_left_goes_on() {
    for policy in [UnparsedPolicy::DeadLetter, UnparsedPolicy::Discard] {
        let (orders, failed) = orders(&ManualClock::default());
        let typed = orders.typed::<u32>().unparsed(policy);
        let received = typed.receive().max_messages(10).blocking().unwrap();
        let mut values: Vec<_> = received.iter().map(|it| *it.value()).collect();
        values.sort_unstable();
        assert_eq!(values, [1, 2, 3], "{policy:?}");
        let dead = usize::from(policy == UnparsedPolicy::DeadLetter);
        assert_eq!(failed.counts().approximate_number_of_messages, dead);
    }
}

#[test]
fn runners_of_either_kind_are_given_values_and_fail_what_does_not_parse() {
    for policy in [
        UnparsedPolicy::Leave,
        UnparsedPolicy::DeadLetter,
        UnparsedPolicy::Discard,
    ] {
        for asynchronous in [false, true] {
            let (jobs, failed, _clock, reasons) = jobs();
            let typed = jobs.typed::<Resize>().unparsed(policy);
            jobs.send(BAD).unwrap();
            let _ = typed.send_batch(&[cat(1), cat(2)]).unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let see = {
                let seen = seen.clone();
                move |job: &Job, resize: Resize| {
                    assert_eq!(job.parse::<Resize>().unwrap(), resize);
                    seen.lock().unwrap().push(resize.width);
                    if resize.width == 2 { Err("too narrow") } else { Ok(()) }
                }
            };
            let report = if asynchronous {
                let runner = typed
                    .runner(|it| it.until_none_visible())
                    .each_async(move |job: Job, resize| {
                        let answer = see(&job, resize);
                        async move { answer }
                    });
                pollster::block_on(runner.unwrap().run()).unwrap()
            } else {
                typed
                    .runner(|it| it.until_none_visible())
                    .each(see)
                    .unwrap()
                    .blocking()
                    .unwrap()
            };
            assert_eq!(*seen.lock().unwrap(), [1, 2]);
            assert_eq!((report.succeeded, report.failed), (1, 2), "{policy:?}");
            assert_eq!(report.dead_lettered, u64::from(policy == UnparsedPolicy::DeadLetter));
            assert_eq!(report.discarded, u64::from(policy == UnparsedPolicy::Discard));
            assert_eq!(reasons.take(), [reason(), "too narrow".to_owned()]);
            let dead: &[&str] = if policy == UnparsedPolicy::DeadLetter {
                &[BAD]
            } else {
                &[]
            };
            assert_eq!(bodies(&failed), dead);
        }
    }
}

/// A queue that is no embedded one: it takes what it is sent and delivers it once.
#[derive(Clone, Default)]
struct Elsewhere {
    messages: Arc<Mutex<Vec<MessageParts>>>,
    deleted: Arc<Mutex<Vec<String>>>,
}

impl MessageQueue for Elsewhere {
    fn url(&self) -> &str {
        "https://elsewhere/jobs"
    }

    fn is_fifo(&self) -> bool {
        false
    }

    fn visibility_timeout(&self) -> Duration {
        VISIBILITY
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        let mut messages = self.messages.lock().unwrap();
        let message_id = format!("m{}", messages.len());
        messages.push(MessageParts {
            message_id,
            body: message.body().to_owned(),
            ..MessageParts::default()
        });
        Ok(())
    }

    async fn receive(&self, _: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        Ok(messages.into_iter().map(ReceivedMessage::from).collect())
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let ids = messages.iter().map(|it| it.message_id().into_owned());
        self.deleted.lock().unwrap().extend(ids);
        Ok(Vec::new())
    }

    async fn change_visibility(
        &self,
        _: &[ReceivedMessage],
        _: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        Ok(Vec::new())
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        let visible = self.messages.lock().unwrap().len() as u64;
        Ok(MessageCounts {
            visible,
            ..MessageCounts::default()
        })
    }

    async fn dead_letter(&self, _: &ReceivedMessage, _: &str) -> Result<(), MessageQueueError> {
        Err(MessageQueueError::new(
            ErrorKind::Refused,
            "UnsupportedOperation",
            "there is none",
        ))
    }
}

#[test]
fn a_queue_from_elsewhere_is_typed_as_well() {
    let queue = Elsewhere::default();
    let typed: TypedQueue<u32, Elsewhere> = TypedQueue::new(&queue).unparsed(UnparsedPolicy::Discard);
    pollster::block_on(typed.send_async(&7)).unwrap();
    pollster::block_on(queue.send("seven".into())).unwrap();
    let received = typed.receive().max_messages(10).blocking().unwrap();
    assert_eq!(*received[0].value(), 7);
    assert_eq!(*queue.deleted.lock().unwrap(), ["m1"]);
    received[0].delete().unwrap();
    assert_eq!(*queue.deleted.lock().unwrap(), ["m1", "m0"]);
    pollster::block_on(typed.send_with_async(&8, |it| it.delay(VISIBILITY))).unwrap();
    let runner = typed
        .runner(|it| it.until_none_visible())
        .each(|_: &Job, value| match value {
            8 => Ok(()),
            _ => Err("what is this"),
        });
    assert_eq!(runner.unwrap().blocking().unwrap().succeeded, 1);
}

#[test]
fn an_answer_in_json_settles_a_batch() {
    // E20
    for (answer, succeeded) in [
        (r#"{"batchItemFailures":[{"itemIdentifier":"ID"}]}"#, 1),
        ("null", 2),
        (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, 0),
        (r#"{"batchItemFailures":[{"itemIdentifier":"nobody"}]}"#, 0),
    ] {
        let (jobs, ..) = jobs();
        let _ = jobs.send_batch(["1", "2"]).unwrap();
        let builder = requeue::worker::Runner::builder(&jobs).until_none_visible();
        let runner = builder.batch(BatchSettings::default(), move |batch: &[Job]| {
            BatchAnswer::from_json(&answer.replace("ID", &batch[0].message_id()))
        });
        let report = runner.unwrap().blocking().unwrap();
        assert_eq!(
            (report.succeeded, report.failed),
            (succeeded, 2 - succeeded),
            "{answer}"
        );
    }
}
