//! Valid input for every type of queue.

use std::{ops::RangeInclusive, time::Duration};

use proptest::{char, collection, option, prelude::*, sample::select};

use crate::{
    attributes::{DeduplicationScope, FifoThroughputLimit, QueueAttributes, RedriveAllowPolicy},
    message::{MessageAttributeValue, MessageAttributes, SendMessage},
    queue::SendBatchEntry,
};

/// What a queue with the least `MaximumMessageSize` takes.
const SMALLEST_LIMIT: usize = 1_024;

/// A message body of 1 to 1,024 bytes (M1, M2, M4).
///
/// Mostly short text; now and then one character, line ends of all kinds, JSON, broken JSON, the first and the last
/// character of each range that SQS takes, and 1,024 bytes exactly.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(body in body())| {
///     prop_assert!((1..=1_024).contains(&body.len()));
/// });
/// ```
pub fn body() -> BoxedStrategy<String> {
    let edges = [
        "a",
        " ",
        "\t",
        "a\rb\r\nc\n",
        "{\"order\":17}",
        "{\"order\":",
        "\u{7f}\u{85}\u{d7ff}\u{e000}\u{fffd}",
        "\u{10000}\u{1fffe}\u{10ffff}",
    ];
    prop_oneof![
        8 => text(1..=40),
        2 => select(edges.to_vec()).prop_map(str::to_owned),
        1 => text(1..=SMALLEST_LIMIT / 4),
        1 => Just("x".repeat(SMALLEST_LIMIT)),
    ]
    .boxed()
}

/// Characters that a body or a text value may hold, up to four bytes each.
fn text(characters: RangeInclusive<usize>) -> BoxedStrategy<String> {
    let character = prop_oneof![
        12 => char::range(' ', '~'),
        1 => select(vec!['\t', '\n', '\r']),
        1 => char::range('\u{7f}', '\u{d7ff}'),
        1 => char::range('\u{e000}', '\u{fffd}'),
        1 => char::range('\u{10000}', '\u{10ffff}'),
    ];
    let characters = collection::vec(character, characters);
    characters.prop_map(|it| it.into_iter().collect()).boxed()
}

/// A name of a message attribute: 1 to 256 letters, digits, `_`, `-` and single dots inside (M13).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(name in message_attribute_name())| {
///     let message = SendMessage::new("cat.png").attribute(name, MessageAttributeValue::string("cat"));
///     prop_assert!(Queue::standard("jobs").build()?.send(message).is_ok());
/// });
/// ```
pub fn message_attribute_name() -> BoxedStrategy<String> {
    prop_oneof![
        8 => "[a-z]{1,8}",
        2 => "[A-Za-z0-9_-]{1,10}(\\.[A-Za-z0-9_-]{1,10}){0,2}",
        1 => select(vec!["AWS", "amazon", "aws-1", "K\u{f6}rper"]).prop_map(str::to_owned),
        1 => Just("n".repeat(256)),
    ]
    .boxed()
}

/// A value of a message attribute: text, a number or bytes, with a label now and then (M14 to M18).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(value in message_attribute_value())| {
///     let message = SendMessage::new("cat.png").attribute("kind", value);
///     prop_assert!(Queue::standard("jobs").build()?.send(message).is_ok());
/// });
/// ```
pub fn message_attribute_value() -> BoxedStrategy<MessageAttributeValue> {
    let numbers = [
        "0",
        "-0.5",
        "+7",
        ".5",
        "1e126",
        "1E-128",
        "99999999999999999999999999999999999999",
    ];
    let value = prop_oneof![
        4 => text(1..=20).prop_map(MessageAttributeValue::string),
        2 => any::<i64>().prop_map(|number| MessageAttributeValue::number(number.to_string())),
        1 => select(numbers.to_vec()).prop_map(MessageAttributeValue::number),
        2 => collection::vec(any::<u8>(), 1..=20).prop_map(MessageAttributeValue::binary),
    ];
    let label = option::weighted(0.2, "[a-z0-9_-]{1,8}(\\.[a-z]{1,4})?");
    let labelled = (value, label).prop_map(|(value, label)| match label {
        Some(label) => value.label(label),
        None => value,
    });
    labelled.boxed()
}

/// Up to 10 message attributes (M12); together they may be larger than a queue with a small limit takes.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(attributes in message_attributes())| {
///     prop_assert!(attributes.len() <= 10);
/// });
/// ```
pub fn message_attributes() -> BoxedStrategy<MessageAttributes> {
    let few = collection::vec((message_attribute_name(), message_attribute_value()), 0..=3);
    let many = collection::vec((message_attribute_name(), message_attribute_value()), 10);
    let pairs = prop_oneof![6 => few, 1 => many];
    pairs.prop_map(MessageAttributes::from_iter).boxed()
}

/// The alphabet of F1, whole.
fn all_id_characters() -> String {
    ('!'..='~').collect()
}

/// 1 to 128 ASCII letters, digits and punctuation characters.
fn id() -> BoxedStrategy<String> {
    prop_oneof![
        8 => "[a-z0-9]{1,12}",
        2 => "[!-~]{1,128}",
        1 => Just(all_id_characters()),
        1 => Just("i".repeat(128)),
    ]
    .boxed()
}

/// A message group id (F1), often one of `g1`, `g2` and `g3`, so that groups have several messages.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(group in message_group_id())| {
///     prop_assert!((1..=128).contains(&group.len()));
/// });
/// ```
pub fn message_group_id() -> BoxedStrategy<String> {
    prop_oneof![8 => "g[1-3]", 2 => id()].boxed()
}

/// A message deduplication id (F3), now and then one of `d1`, `d2` and `d3`, so that there are duplicates.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(id in message_deduplication_id())| {
///     prop_assert!((1..=128).contains(&id.len()));
/// });
/// ```
pub fn message_deduplication_id() -> BoxedStrategy<String> {
    prop_oneof![4 => "[a-z0-9]{12}", 2 => "d[1-3]", 2 => id()].boxed()
}

/// A receive request attempt id (F31), often one of `r1` and `r2`, so that attempts repeat.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(id in receive_request_attempt_id())| {
///     let jobs = Queue::fifo("jobs.fifo").build()?;
///     prop_assert!(jobs.receive().receive_request_attempt_id(id).blocking().is_ok());
/// });
/// ```
pub fn receive_request_attempt_id() -> BoxedStrategy<String> {
    prop_oneof![4 => "r[12]", 2 => id()].boxed()
}

/// The id of a batch entry: 1 to 80 letters, digits, hyphens and underscores (M32).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(id in batch_entry_id())| {
///     prop_assert!(Queue::standard("jobs").build()?.send_batch([(id, "cat.png")]).is_ok());
/// });
/// ```
pub fn batch_entry_id() -> BoxedStrategy<String> {
    prop_oneof![8 => "[A-Za-z0-9_-]{1,12}", 1 => "[A-Za-z0-9_-]{80}"].boxed()
}

/// The name of a standard queue: 1 to 80 letters, digits, hyphens and underscores (Q1).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(name in queue_name())| {
///     prop_assert!(Queue::standard(name).build().is_ok());
/// });
/// ```
pub fn queue_name() -> BoxedStrategy<String> {
    prop_oneof![8 => "[A-Za-z0-9_-]{1,20}", 1 => "[A-Za-z0-9_-]{80}"].boxed()
}

/// The name of a FIFO queue: as [`queue_name`], and it ends in `.fifo`, which counts toward the 80 (Q2).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(name in fifo_queue_name())| {
///     prop_assert!(Queue::fifo(name).build().is_ok());
/// });
/// ```
pub fn fifo_queue_name() -> BoxedStrategy<String> {
    prop_oneof![8 => "[A-Za-z0-9_-]{1,20}\\.fifo", 1 => "[A-Za-z0-9_-]{75}\\.fifo"].boxed()
}

/// A delay of 0 to 900 s (D32).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(delay in delay())| {
///     prop_assert!(delay.as_secs() <= 900);
/// });
/// ```
pub fn delay() -> BoxedStrategy<Duration> {
    span(0..=900)
}

/// A visibility timeout of 0 to 12 h (D25).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(timeout in visibility_timeout())| {
///     prop_assert!(timeout.as_secs() <= 43_200);
/// });
/// ```
pub fn visibility_timeout() -> BoxedStrategy<Duration> {
    span(0..=43_200)
}

/// A wait time of 0 to 20 s (rule 3.2).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(wait in wait_time())| {
///     prop_assert!(wait.as_secs() <= 20);
/// });
/// ```
pub fn wait_time() -> BoxedStrategy<Duration> {
    span(0..=20)
}

/// How many messages a receive asks for: 1 to 10 (rule 3.2).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(most in max_messages())| {
///     prop_assert!((1..=10).contains(&most));
/// });
/// ```
pub fn max_messages() -> BoxedStrategy<usize> {
    prop_oneof![1 => Just(1), 2 => 1..=10_usize, 1 => Just(10)].boxed()
}

/// Both ends, whole seconds near the lower one, and any millisecond between.
fn span(seconds: RangeInclusive<u64>) -> BoxedStrategy<Duration> {
    let (least, most) = seconds.into_inner();
    let low = (least + 60).min(most);
    prop_oneof![
        2 => Just(Duration::from_secs(least)),
        1 => Just(Duration::from_secs(most)),
        3 => (least..=low).prop_map(Duration::from_secs),
        2 => (least * 1_000..=most * 1_000).prop_map(Duration::from_millis),
    ]
    .boxed()
}

/// A message that every standard queue takes: body, attributes, delay, group and trace header, 1 to 1,024 bytes.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(message in standard_message())| {
///     prop_assert!(Queue::standard("jobs").build()?.send(message).is_ok());
/// });
/// ```
pub fn standard_message() -> BoxedStrategy<SendMessage> {
    let delay = option::weighted(0.3, delay());
    let group = option::weighted(0.3, message_group_id());
    let parts = (content(), delay, group);
    let message = parts.prop_map(|(mut message, delay, group)| {
        if let Some(delay) = delay {
            message = message.delay(delay);
        }
        match group {
            Some(group) => message.message_group_id(group),
            None => message,
        }
    });
    message.boxed()
}

/// A message that every FIFO queue takes: with a group and a deduplication id, 1 to 1,024 bytes.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(message in fifo_message())| {
///     prop_assert!(Queue::fifo("jobs.fifo").build()?.send(message).is_ok());
/// });
/// ```
pub fn fifo_message() -> BoxedStrategy<SendMessage> {
    let parts = (
        content(),
        message_group_id(),
        message_deduplication_id(),
        prop::bool::weighted(0.1),
    );
    let message = parts.prop_map(|(message, group, deduplication_id, zero_delay)| {
        let message = message
            .message_group_id(group)
            .message_deduplication_id(deduplication_id);
        if zero_delay {
            message.delay(Duration::ZERO)
        } else {
            message
        }
    });
    message.boxed()
}

/// Body, as many attributes as have room, and a trace header now and then.
fn content() -> BoxedStrategy<SendMessage> {
    let header = Just("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
    let parts = (body(), message_attributes(), option::weighted(0.1, header));
    let message = parts.prop_map(|(body, attributes, header)| {
        let mut message = SendMessage::new(body);
        for (name, value) in attributes.iter() {
            let larger = message.clone().attribute(name, value.clone());
            if larger.size_bytes() <= SMALLEST_LIMIT {
                message = larger;
            }
        }
        match header {
            Some(header) => message.aws_trace_header(header),
            None => message,
        }
    });
    message.boxed()
}

/// A batch of 1 to 10 messages that every standard queue takes, with ids of their own (M31 to M35).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(batch in standard_batch())| {
///     let result = Queue::standard("jobs").build()?.send_batch(batch)?;
///     prop_assert!(result.failed.is_empty());
/// });
/// ```
pub fn standard_batch() -> BoxedStrategy<Vec<SendBatchEntry>> {
    batch(standard_message())
}

/// A batch of 1 to 10 messages that every FIFO queue takes, with ids of their own (M31 to M36).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(batch in fifo_batch())| {
///     let result = Queue::fifo("jobs.fifo").build()?.send_batch(batch)?;
///     prop_assert!(result.failed.is_empty());
/// });
/// ```
pub fn fifo_batch() -> BoxedStrategy<Vec<SendBatchEntry>> {
    batch(fifo_message())
}

fn batch(message: BoxedStrategy<SendMessage>) -> BoxedStrategy<Vec<SendBatchEntry>> {
    let few = collection::btree_map(batch_entry_id(), message.clone(), 1..=3);
    let most = collection::btree_map("[a-z]{8}", message, 10);
    let entries = prop_oneof![3 => few, 1 => most];
    entries
        .prop_map(|entries| entries.into_iter().map(SendBatchEntry::from).collect())
        .boxed()
}

/// Attributes for a standard queue, to create it with or to set: each absent, at an end of its range, or within.
///
/// Policies that name other queues are left out.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(attributes in standard_attributes())| {
///     prop_assert!(Queue::standard("jobs").attributes(attributes).build().is_ok());
/// });
/// ```
pub fn standard_attributes() -> BoxedStrategy<QueueAttributes> {
    let spans = (
        option::of(span(0..=900)),
        option::of(span(60..=1_209_600)),
        option::of(span(0..=20)),
        option::of(span(0..=43_200)),
    );
    let size = option::of(select(vec![1_024, 1_025, 262_144, 1_048_575, 1_048_576]));
    let encryption = prop_oneof![
        4 => Just(None),
        1 => Just(Some(None)),
        1 => span(60..=86_400).prop_map(|period| Some(Some(period))),
    ];
    let allow = option::weighted(0.2, prop::bool::ANY);
    let parts = (spans, size, encryption, allow);
    let attributes = parts.prop_map(|((delay, retention, wait, visibility), size, encryption, allow)| {
        let attributes = QueueAttributes::new();
        let attributes = given(attributes, delay, QueueAttributes::delay);
        let attributes = given(attributes, retention, QueueAttributes::message_retention_period);
        let attributes = given(attributes, wait, QueueAttributes::receive_message_wait_time);
        let attributes = given(attributes, visibility, QueueAttributes::visibility_timeout);
        let attributes = given(attributes, size, QueueAttributes::maximum_message_size);
        let attributes = given(attributes, allow, |attributes, all| {
            attributes.redrive_allow_policy(if all {
                RedriveAllowPolicy::AllowAll
            } else {
                RedriveAllowPolicy::DenyAll
            })
        });
        given(attributes, encryption, |attributes, period| match period {
            Some(period) => attributes
                .kms_master_key_id("alias/aws/sqs")
                .kms_data_key_reuse_period(period),
            None => attributes.sqs_managed_sse_enabled(true),
        })
    });
    attributes.boxed()
}

/// Attributes for a new FIFO queue; `FifoQueue` itself is left to the caller.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(attributes in fifo_attributes())| {
///     prop_assert!(Queue::fifo("jobs.fifo").attributes(attributes).build().is_ok());
/// });
/// ```
pub fn fifo_attributes() -> BoxedStrategy<QueueAttributes> {
    let scopes = [
        (None, None),
        (Some(DeduplicationScope::Queue), Some(FifoThroughputLimit::PerQueue)),
        (Some(DeduplicationScope::MessageGroup), None),
        (
            Some(DeduplicationScope::MessageGroup),
            Some(FifoThroughputLimit::PerQueue),
        ),
        (
            Some(DeduplicationScope::MessageGroup),
            Some(FifoThroughputLimit::PerMessageGroupId),
        ),
    ];
    let parts = (
        standard_attributes(),
        option::of(any::<bool>()),
        select(scopes.to_vec()),
    );
    let attributes = parts.prop_map(|(attributes, content_based, (scope, limit))| {
        let attributes = given(attributes, content_based, QueueAttributes::content_based_deduplication);
        let attributes = given(attributes, scope, QueueAttributes::deduplication_scope);
        given(attributes, limit, QueueAttributes::fifo_throughput_limit)
    });
    attributes.boxed()
}

fn given<T>(
    attributes: QueueAttributes,
    value: Option<T>,
    set: impl FnOnce(QueueAttributes, T) -> QueueAttributes,
) -> QueueAttributes {
    match value {
        Some(value) => set(attributes, value),
        None => attributes,
    }
}
