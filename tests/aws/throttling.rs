//! Quotas of calls per second: enforced by an endpoint that is told to, and by nothing else.

use crate::common::aws::{Door, Refusal, assert_refused};
use requeue::Limits;
use serde_json::{Value, json};
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);

fn throttled(limits: Limits) -> Door {
    Door::with(limits, |builder| builder.throttling(true))
}

/// 4 calls and 10 messages per second; in high-throughput mode 8 and 20, of them 2 and 5 to one group.
fn small() -> Limits {
    let mut limits = Limits::aws();
    (limits.fifo_calls, limits.fifo_messages) = (4, 10);
    (limits.fifo_high_throughput_calls, limits.fifo_high_throughput_messages) = (Some(8), Some(20));
    (limits.fifo_group_calls, limits.fifo_group_messages) = (2, 5);
    limits
}

fn fifo() -> Value {
    json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" })
}

fn high_throughput() -> Value {
    json!({
        "FifoQueue": "true",
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    })
}

impl Door {
    fn send_to(&self, queue: &str, group: &str) -> Result<Value, Refusal> {
        let group = (!group.is_empty()).then_some(group);
        self.call(
            "SendMessage",
            json!({ "QueueUrl": queue, "MessageBody": group.unwrap_or("m"), "MessageGroupId": group }),
        )
    }

    fn send(&self) -> Result<Value, Refusal> {
        self.send_to("q.fifo", "g")
    }

    /// A batch with a message to each of these groups.
    fn send_batch(&self, groups: &[&str]) -> Result<Value, Refusal> {
        let entry = |(id, group)| json!({ "Id": format!("{id}"), "MessageBody": "m", "MessageGroupId": group });
        let entries: Vec<_> = groups.iter().enumerate().map(entry).collect();
        self.call("SendMessageBatch", json!({ "QueueUrl": "q.fifo", "Entries": entries }))
    }

    fn receive(&self, max: usize) -> Result<Value, Refusal> {
        self.call(
            "ReceiveMessage",
            json!({ "QueueUrl": "q.fifo", "MaxNumberOfMessages": max }),
        )
    }

    fn delete(&self, handle: &str) -> Result<Value, Refusal> {
        self.call(
            "DeleteMessage",
            json!({ "QueueUrl": "q.fifo", "ReceiptHandle": handle }),
        )
    }

    fn delete_batch(&self, count: usize) -> Result<Value, Refusal> {
        let entries: Vec<_> = (0..count)
            .map(|id| json!({ "Id": format!("{id}"), "ReceiptHandle": "x" }))
            .collect();
        self.call(
            "DeleteMessageBatch",
            json!({ "QueueUrl": "q.fifo", "Entries": entries }),
        )
    }
}

#[track_caller]
fn assert_throttled(result: Result<Value, Refusal>) {
    assert_refused(result, 403, "RequestThrottled", "Rate exceeded");
}

/// How many of `calls` in a row are not throttled.
fn admitted(calls: usize, mut call: impl FnMut() -> Result<Value, Refusal>) -> usize {
    let throttled = |refusal: &Refusal| refusal.1 == "RequestThrottled";
    (0..calls)
        .filter(|_| !call().is_err_and(|refusal| throttled(&refusal)))
        .count()
}

#[test]
fn a_fifo_queue_takes_300_calls_of_an_action_in_a_second() {
    // Section 9
    let door = throttled(Limits::aws());
    door.create("q.fifo", fifo());
    assert_eq!(admitted(299, || door.send()), 299);
    door.send().unwrap();
    assert_throttled(door.send());
    assert_eq!(admitted(400, || door.receive(1)), 300);
    assert_eq!(admitted(400, || door.delete("x")), 300);
    door.clock.advance(Duration::from_secs(1));
    assert_eq!(admitted(400, || door.send()), 300);
}

#[test]
fn tokens_flow_in_with_the_time_of_the_service_up_to_one_second_s_worth() {
    // Section 9
    let door = throttled(small());
    door.create("q.fifo", fifo());
    assert_eq!(admitted(10, || door.send()), 4);
    door.clock.advance(249 * MILLI);
    assert_throttled(door.send());
    door.clock.advance(MILLI);
    door.send().unwrap();
    assert_throttled(door.send());
    door.clock.advance(500 * MILLI);
    assert_eq!(admitted(10, || door.send()), 2);
    door.clock.advance(Duration::from_secs(3_600));
    assert_eq!(admitted(10, || door.send()), 4);
}

#[test]
fn a_batch_is_one_call_and_each_of_its_messages_counts() {
    // Section 9
    let door = throttled(small());
    door.create("q.fifo", fifo());
    door.send_batch(&["g"; 6]).unwrap();
    assert_throttled(door.send_batch(&["g"; 5]));
    door.send_batch(&["g"; 3]).unwrap();
    door.send().unwrap();
    assert_throttled(door.send());
    door.clock.advance(Duration::from_secs(1));
    assert_eq!(admitted(10, || door.send_batch(&["g"])), 4);

    assert_eq!(admitted(4, || door.delete_batch(4)), 2);
    assert_eq!(admitted(4, || door.delete("x")), 2);
}

#[test]
fn a_receive_counts_what_it_returns_and_owes_what_is_too_much() {
    // Section 9
    let door = throttled(small());
    door.create("q.fifo", fifo());
    for number in 0..12 {
        door.send_to("q.fifo", &format!("g{number}")).unwrap();
        door.clock.advance(Duration::from_secs(1));
    }
    let count = |result: Result<Value, Refusal>| result.unwrap()["Messages"].as_array().map_or(0, Vec::len);
    assert_eq!(count(door.receive(9)), 9);
    // Room for one more lets three through. Two of ten tokens are owed, and one has to be there.
    assert_eq!(count(door.receive(10)), 3);
    assert_throttled(door.receive(1));
    door.clock.advance(299 * MILLI);
    assert_throttled(door.receive(1));
    door.clock.advance(MILLI);
    assert_eq!(count(door.receive(1)), 0);
}

#[test]
fn a_call_counts_whatever_becomes_of_it_if_its_queue_exists() {
    // Section 9 X11
    let door = throttled(small());
    door.create("q.fifo", fifo());
    door.create("other.fifo", fifo());
    let code = |result: Result<Value, Refusal>| result.unwrap_err().1;
    for _ in 0..10 {
        assert_eq!(code(door.send_to("nowhere.fifo", "g")), "QueueDoesNotExist");
        assert_eq!(
            code(door.call("SendMessage", json!({ "QueueUrl": "q.fifo" }))),
            "MissingRequiredParameterException"
        );
    }
    for _ in 0..4 {
        assert_ne!(code(door.send_to("q.fifo", "")), "RequestThrottled");
    }
    assert_throttled(door.send());
    door.send_to("other.fifo", "g").unwrap();
    door.receive(1).unwrap();
    let other = json!({ "QueueUrl": "q.fifo", "AttributeNames": ["All"] });
    assert_eq!(admitted(10, || door.call("GetQueueAttributes", other.clone())), 10);
}

#[test]
fn high_throughput_has_quotas_of_its_own_and_one_for_each_group() {
    // F40
    let door = throttled(small());
    door.create("q.fifo", high_throughput());
    assert_eq!(admitted(9, || door.send_to("q.fifo", "a")), 2);
    assert_eq!(admitted(9, || door.send_to("q.fifo", "b")), 2);
    // Refused for one of its groups, a batch takes nothing from the other.
    assert_throttled(door.send_batch(&["a", "c"]));
    assert_eq!(admitted(9, || door.send_to("q.fifo", "c")), 2);
    assert_throttled(door.send_batch(&["d", "d", "d", "d", "d", "d"]));
    door.send_batch(&["d", "d", "d", "d", "d"]).unwrap();
    assert_throttled(door.send_to("q.fifo", "d"));
    door.send_batch(&["e", "f"]).unwrap();
    assert_throttled(door.send_to("q.fifo", "g"));
    assert_eq!(admitted(10, || door.receive(1)), 8);
    door.clock.advance(Duration::from_secs(1));
    assert_eq!(admitted(9, || door.send_to("q.fifo", "a")), 2);
}

#[test]
fn a_change_of_mode_acts_on_the_next_call() {
    // F40 Q39
    let door = throttled(small());
    door.create("q.fifo", fifo());
    assert_eq!(admitted(10, || door.receive(1)), 4);
    door.call(
        "SetQueueAttributes",
        json!({ "QueueUrl": "q.fifo", "Attributes": high_throughput() }),
    )
    .unwrap();
    assert_eq!(admitted(10, || door.receive(1)), 4);
}

#[test]
fn standard_queues_are_never_throttled() {
    // Section 9
    let door = throttled(small());
    door.create("q", json!({}));
    for _ in 0..20 {
        door.send_to("q", "").unwrap();
        door.call("ReceiveMessage", json!({ "QueueUrl": "q", "MaxNumberOfMessages": 10 }))
            .unwrap();
    }
}

#[test]
fn quotas_of_calls_are_not_enforced_unless_asked() {
    // X4
    for door in [
        Door::with(small(), |builder| builder),
        Door::with(small(), |it| it.throttling(false)),
    ] {
        door.create("q.fifo", fifo());
        assert_eq!(admitted(20, || door.send()), 20);
        assert_eq!(admitted(20, || door.receive(10)), 20);
    }
}

#[test]
fn the_native_interface_is_not_throttled_and_counts_for_nothing() {
    // X4
    let door = throttled(small());
    door.create("q.fifo", fifo());
    let queue = door.service.queue("q.fifo").unwrap();
    for _ in 0..20 {
        queue.receive().blocking().unwrap();
    }
    assert_eq!(admitted(20, || door.receive(1)), 4);
    queue.receive().blocking().unwrap();
}

#[test]
fn a_new_queue_of_a_name_starts_with_full_buckets() {
    // Q37
    let mut limits = small();
    limits.recreate_interval = Duration::ZERO;
    let door = throttled(limits);
    for _ in 0..3 {
        door.create("q.fifo", fifo());
        assert_eq!(admitted(10, || door.send()), 4);
        door.call("DeleteQueue", json!({ "QueueUrl": "q.fifo" })).unwrap();
    }
}
