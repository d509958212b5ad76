//! What is refused of queues, and of messages that have to fit them.

use super::{
    bad_input::{BASE, RATE, error, refused},
    s,
};
use requeue::sim::{Arrivals, Producer, QueueConfig, Scenario, TraceEntry};

#[test]
fn queues_that_are_named_exist() {
    refused(
        "[producer.web]\nqueue = \"jobs\"",
        "[producer.web]\nqueue = \"job\"",
        "line 13: producer.web.queue: there is no queue \"job\", the nearest known one is \"jobs\"",
    );
    refused(
        "[fleet.workers]\nqueue = \"jobs\"",
        "[fleet.workers]\nqueue = \"xyz\"",
        "line 21: fleet.workers.queue: there is no queue \"xyz\", known are \"failed\", \"jobs\", \"orders.fifo\"",
    );
    refused(
        "queue = \"failed\", max",
        "queue = \"fail\", max",
        "line 6: queue.jobs.dead_letter.queue: there is no queue \"fail\", the nearest known one is \"failed\"",
    );
    refused(
        "queue = \"failed\", max",
        "queue = \"jobs\", max",
        "line 6: queue.jobs.dead_letter.queue: \"jobs\" is the queue itself, a dead-letter queue is another one",
    );
    refused(
        "[queue.failed]",
        "[queue.failed]\ndead_letter = { queue = \"jobs\", max_receive_count = 1 }",
        "line 9: queue.failed.dead_letter: the dead-letter queue is missing, or dead-letter queues form a circle",
    );
}

#[test]
fn queues_have_what_sqs_takes() {
    refused(
        "[queue.failed]",
        "[queue.\"no spaces\"]\n[queue.failed]",
        "line 8: queue.\"no spaces\": Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length \
         (InvalidParameterValue)",
    );
    for (setting, expected) in [
        (
            "visibility_timeout = \"13 h\"",
            "`visibility_timeout` is 13 h, it has to be 0 s to 12 h",
        ),
        ("delay = 901", "`delay` is 901 s, it has to be 0 s to 15 min"),
        (
            "message_retention_period = 59",
            "`message_retention_period` is 59 s, it has to be 1 min to 14 d",
        ),
        (
            "receive_message_wait_time = 21",
            "`receive_message_wait_time` is 21 s, it has to be 0 s to 20 s",
        ),
        (
            "maximum_message_size = 1023",
            "`maximum_message_size` is 1023, it has to be 1024 to 1048576",
        ),
        ("shards = 0", "`shards` is 0, it has to be 1 to 1000"),
        (
            "in_flight_limit = 0",
            "`in_flight_limit` is 0, it has to be 1 to 1000000000",
        ),
        (
            "content_based_deduplication = true",
            "Unknown Attribute ContentBasedDeduplication. (InvalidAttributeName)",
        ),
        (
            "deduplication_scope = \"messageGroup\"",
            "You can specify the DeduplicationScope only when FifoQueue is set to true. (InvalidAttributeName)",
        ),
    ] {
        let name = setting.split(' ').next().unwrap();
        refused(
            "[queue.failed]",
            &format!("[queue.failed]\n{setting}"),
            &format!("line 9: queue.failed.{name}: {expected}"),
        );
    }
    refused(
        "[queue.\"orders.fifo\"]",
        "[queue.\"orders.fifo\"]\nfifo_throughput_limit = \"perMessageGroupId\"",
        "line 11: queue.\"orders.fifo\".fifo_throughput_limit: Invalid value for the parameter FifoThroughputLimit. \
         (InvalidAttributeValue)",
    );
    refused(
        "max_receive_count = 5",
        "max_receive_count = 1_001",
        "line 6: queue.jobs.dead_letter.max_receive_count: `max_receive_count` is 1001, it has to be 1 to 1000",
    );
    let other_type = BASE.replace("queue = \"failed\", max", "queue = \"orders.fifo\", max");
    let error = error(&other_type);
    assert!(error.starts_with("line 6: queue.jobs.dead_letter: Value {"), "{error}");
    assert!(error.ends_with("(InvalidParameterValue)"), "{error}");
}

#[test]
fn messages_fit_their_queue() {
    for (line, expected) in [
        (
            "bytes = 0",
            "producer.web.bytes: `bytes` is 0, it has to be 1 to 262144",
        ),
        (
            "bytes = 262_145",
            "producer.web.bytes: `bytes` is 262145, it has to be 1 to 262144",
        ),
        (
            "batch_size = 0",
            "producer.web.batch_size: `batch_size` is 0, it has to be 1 to 10",
        ),
        (
            "batch_size = 11",
            "producer.web.batch_size: `batch_size` is 11, it has to be 1 to 10",
        ),
        (
            "delay = 901",
            "producer.web.delay: `delay` is 901 s, it has to be 0 s to 15 min",
        ),
        (
            "groups.equal.count = 0",
            "producer.web.groups.equal.count: `count` is 0, it has to be 1 to 1000000",
        ),
        (
            "groups.noisy = { count = 1, share = 1 }",
            "producer.web.groups.noisy.count: `count` is 1, it has to be 2 to 1000000",
        ),
        (
            "groups.noisy = { count = 2, share = 2 }",
            "producer.web.groups.noisy.share: `share` is 2, it has to be 0 to 1",
        ),
        (
            "groups.zipf = { count = 2, exponent = nan }",
            "producer.web.groups.zipf.exponent: `exponent` is NaN, it has to be at least 0 and finite",
        ),
        (
            "bytes = 200_000\nbatch_size = 6",
            "producer.web.batch_size: a batch of 6 messages has up to 1200000 bytes, it may have at most 1048576",
        ),
    ] {
        let place = 15 + line.matches('\n').count();
        refused(RATE, &format!("{RATE}\n{line}"), &format!("line {place}: {expected}"));
    }
    refused(
        "arrivals.constant = { rate = 1 }",
        "arrivals.constant = { rate = 1 }\ndelay = 5",
        "line 19: producer.shop.delay: messages of the FIFO queue \"orders.fifo\" cannot have a delay of their own, set \
         `delay` of the queue",
    );
    let entry = |bytes| TraceEntry::new(s(1)).bytes(bytes);
    let trace = Producer::new("jobs", Arrivals::trace([1, 200_000, 200_000, 200_000, 1].map(entry))).batch_size(10);
    let scenario = |trace: Producer| {
        Scenario::new("sizes")
            .queue("jobs", QueueConfig::new())
            .producer("web", trace)
    };
    scenario(trace.clone()).check().unwrap();
    let long = Arrivals::trace((0..30).map(|_| entry(100_000)));
    scenario(trace.clone().arrivals(long)).check().unwrap();
    let large = Arrivals::trace((0..8).map(|_| entry(200_000)));
    assert_eq!(
        scenario(trace.arrivals(large)).check().unwrap_err().to_string(),
        "producer.web.arrivals.trace.entries.5.bytes: a batch of 10 messages has up to 1200000 bytes, it may have at most \
         1048576"
    );
}
