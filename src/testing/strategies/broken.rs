//! Invalid input, each with the rule it violates and the code of the error.

use std::{fmt::Debug, ops::RangeInclusive, time::Duration};

use proptest::{collection, prelude::*, sample::select, strategy::Union};

use super::valid::{
    batch_entry_id, body, fifo_message, message_attribute_name, message_attribute_value, standard_message,
};
use crate::{
    message::{AttributeContent, MessageAttributeValue, MessageAttributes, SendMessage},
    queue::SendBatchEntry,
};

pub(super) const INVALID: &str = "InvalidParameterValue";
const MISSING: &str = "MissingParameter";

/// An invalid value, the rule it breaks, and the code of the error by which SQS refuses it.
///
/// # Examples
/// ```
/// use proptest::prelude::*;
/// use requeue::{Queue, SendMessage, testing::strategies::broken_delay};
///
/// proptest!(|(delay in broken_delay())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send(SendMessage::new("later").delay(delay.value)).unwrap_err();
///     prop_assert_eq!((delay.rule, delay.code), ("D32", error.code()));
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Broken<T> {
    /// What is refused.
    pub value: T,
    /// The id of the rule that it breaks, such as `M3`.
    pub rule: &'static str,
    /// The code of the error, such as `InvalidMessageContents`.
    pub code: &'static str,
}

impl<T> Broken<T> {
    /// The value as a part of a larger one, which breaks the same rule.
    ///
    /// # Examples
    /// ```
    /// use proptest::prelude::*;
    /// use requeue::{Queue, SendMessage, testing::strategies::broken_body};
    ///
    /// let messages = broken_body().prop_map(|body| body.map(SendMessage::new));
    /// proptest!(|(message in messages)| {
    ///     let error = Queue::standard("jobs").build()?.send(message.value).unwrap_err();
    ///     prop_assert_eq!(error.code(), message.code);
    /// });
    /// ```
    #[must_use]
    pub fn map<U>(self, whole: impl FnOnce(T) -> U) -> Broken<U> {
        Broken {
            value: whole(self.value),
            rule: self.rule,
            code: self.code,
        }
    }
}

pub(super) type BrokenStrategy<T> = BoxedStrategy<Broken<T>>;

pub(super) fn broken<T, S>(rule: &'static str, code: &'static str, values: S) -> BrokenStrategy<T>
where
    T: Debug + 'static,
    S: Strategy<Value = T> + 'static,
{
    values.prop_map(move |value| Broken { value, rule, code }).boxed()
}

pub(super) fn any_of<T: Debug + 'static>(faults: impl IntoIterator<Item = BrokenStrategy<T>>) -> BrokenStrategy<T> {
    Union::new(faults).boxed()
}

/// A valid whole with a broken part put into it.
fn within<T, P>(wholes: BoxedStrategy<T>, parts: BrokenStrategy<P>, put: fn(T, P) -> T) -> BrokenStrategy<T>
where
    T: Debug + 'static,
    P: Debug + 'static,
{
    let both = (wholes, parts);
    both.prop_map(move |(whole, part)| part.map(|part| put(whole, part)))
        .boxed()
}

/// A body that no queue takes: empty (M1), with a character that SQS does not take (M3), over 1 MiB (M8).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(body in broken_body())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send(body.value).unwrap_err();
///     prop_assert_eq!(error.code(), body.code);
/// });
/// ```
pub fn broken_body() -> BoxedStrategy<Broken<String>> {
    any_of([
        broken("M1", MISSING, Just(String::new())),
        broken("M3", "InvalidMessageContents", with_bad_character()),
        broken("M3", "InvalidMessageContents", with_bad_character()),
        broken("M8", INVALID, Just("x".repeat(1_048_577))),
    ])
}

/// A text with one character against M2.
fn with_bad_character() -> BoxedStrategy<String> {
    let bad = select(vec!['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}']);
    (body(), bad, any::<bool>())
        .prop_map(|(body, bad, first)| match first {
            true => format!("{bad}{body}"),
            false => format!("{body}{bad}"),
        })
        .boxed()
}

/// Message attributes of which one has a bad name (M13), data type (M14, M20) or value (M15 to M17), or one too many
/// (M12).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(attributes in broken_message_attributes())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send(SendMessage::new("x").attributes(attributes.value)).unwrap_err();
///     prop_assert_eq!(error.code(), attributes.code);
/// });
/// ```
pub fn broken_message_attributes() -> BoxedStrategy<Broken<MessageAttributes>> {
    any_of([
        broken("M12", INVALID, eleven_attributes()),
        with_attribute("M13", broken_names(), message_attribute_value()),
        with_attribute("M14", message_attribute_name(), broken_data_types()),
        with_attribute("M15", message_attribute_name(), values_of_another_kind()),
        with_attribute(
            "M16",
            message_attribute_name(),
            with_bad_character().prop_map(MessageAttributeValue::string).boxed(),
        ),
        with_attribute("M17", message_attribute_name(), broken_numbers()),
        with_attribute(
            "M20",
            message_attribute_name(),
            Just(MessageAttributeValue::new("", "text")).boxed(),
        ),
    ])
}

/// Up to three valid attributes and this one.
fn with_attribute(
    rule: &'static str,
    name: BoxedStrategy<String>,
    value: BoxedStrategy<MessageAttributeValue>,
) -> BrokenStrategy<MessageAttributes> {
    let others = collection::vec((message_attribute_name(), message_attribute_value()), 0..=3);
    let attributes = (others, name, value).prop_map(|(others, name, value)| {
        let mut attributes = MessageAttributes::new();
        for (name, value) in others {
            attributes.insert(name, value);
        }
        attributes.insert(name, value);
        attributes
    });
    broken(rule, INVALID, attributes)
}

fn eleven_attributes() -> BoxedStrategy<MessageAttributes> {
    let pairs = collection::btree_map("[a-z]{4}", message_attribute_value(), 11);
    pairs.prop_map(MessageAttributes::from_iter).boxed()
}

fn broken_names() -> BoxedStrategy<String> {
    prop_oneof![
        select(vec![
            "", "AWS.x", "aws.x", "Amazon.x", "amazon.X", ".x", "x.", "x..y", "a b", "a/b", "a\u{d7}b"
        ])
        .prop_map(str::to_owned),
        Just("n".repeat(257)),
    ]
    .boxed()
}

fn broken_data_types() -> BoxedStrategy<MessageAttributeValue> {
    let types = select(vec!["string", "Text", "Boolean", "String.", "Number.a b", "Binary./"]);
    prop_oneof![
        types.prop_map(|data_type| MessageAttributeValue::new(data_type, "1")),
        Just(MessageAttributeValue::string("text").label("l".repeat(250))),
    ]
    .boxed()
}

fn values_of_another_kind() -> BoxedStrategy<MessageAttributeValue> {
    let text = || AttributeContent::String("1".to_owned());
    let bytes = || AttributeContent::Binary(vec![1]);
    let values = [
        MessageAttributeValue::string(""),
        MessageAttributeValue::number(""),
        MessageAttributeValue::binary([]),
        MessageAttributeValue::new("String", bytes()),
        MessageAttributeValue::new("Number", bytes()),
        MessageAttributeValue::new("Binary", text()),
    ];
    select(values.to_vec()).boxed()
}

fn broken_numbers() -> BoxedStrategy<MessageAttributeValue> {
    let texts = vec![
        "one",
        "1,5",
        " 1",
        "0x10",
        "1e",
        "-",
        ".",
        "1.2.3",
        "NaN",
        "1e127",
        "1e-129",
        "123456789012345678901234567890123456789",
    ];
    select(texts).prop_map(MessageAttributeValue::number).boxed()
}

/// A message group id with a character outside the alphabet, empty, or of 129 characters (F1).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(group in broken_message_group_id())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send(SendMessage::new("x").message_group_id(group.value)).unwrap_err();
///     prop_assert_eq!(error.code(), group.code);
/// });
/// ```
pub fn broken_message_group_id() -> BoxedStrategy<Broken<String>> {
    broken("F1", INVALID, broken_ids())
}

/// A message deduplication id with a character outside the alphabet, empty, or of 129 characters (F3).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(id in broken_message_deduplication_id())| {
///     let jobs = Queue::fifo("jobs.fifo").build()?;
///     let message = SendMessage::new("x").message_group_id("g");
///     let error = jobs.send(message.message_deduplication_id(id.value)).unwrap_err();
///     prop_assert_eq!(error.code(), id.code);
/// });
/// ```
pub fn broken_message_deduplication_id() -> BoxedStrategy<Broken<String>> {
    broken("F3", INVALID, broken_ids())
}

/// A receive request attempt id that a FIFO queue refuses: outside the alphabet, empty, or of 129 characters (F31).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(id in broken_receive_request_attempt_id())| {
///     let jobs = Queue::fifo("jobs.fifo").build()?;
///     let error = jobs.receive().receive_request_attempt_id(id.value).blocking().unwrap_err();
///     prop_assert_eq!(error.code(), id.code);
/// });
/// ```
pub fn broken_receive_request_attempt_id() -> BoxedStrategy<Broken<String>> {
    broken("F31", INVALID, broken_ids())
}

fn broken_ids() -> BoxedStrategy<String> {
    prop_oneof![
        2 => "[!-~]{0,20}[ \t\n\u{7f}\u{e9}\u{4e2d}][!-~]{0,20}",
        1 => Just(String::new()),
        1 => "[!-~]{129,140}",
    ]
    .boxed()
}

/// The id of a batch entry: empty, of 81 and more characters, or with others than letters, digits, `-` and `_` (M32).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(id in broken_batch_entry_id())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send_batch([(id.value, "x")]).unwrap_err();
///     prop_assert_eq!(error.code(), id.code);
/// });
/// ```
pub fn broken_batch_entry_id() -> BoxedStrategy<Broken<String>> {
    broken("M32", "InvalidBatchEntryId", broken_names_of(80))
}

/// Empty, longer than `most`, or with a character outside the alphabet.
pub(super) fn broken_names_of(most: usize) -> BoxedStrategy<String> {
    prop_oneof![
        2 => "[A-Za-z0-9_-]{0,10}[ ./:\u{e9}][A-Za-z0-9_-]{1,10}",
        1 => Just(String::new()),
        1 => collection::vec("[A-Za-z0-9_-]", most + 1..=most + 10).prop_map(|characters| characters.concat()),
    ]
    .boxed()
}

/// A delay of more than 900 s (D32).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(delay in broken_delay())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send(SendMessage::new("x").delay(delay.value)).unwrap_err();
///     prop_assert_eq!(error.code(), delay.code);
/// });
/// ```
pub fn broken_delay() -> BoxedStrategy<Broken<Duration>> {
    broken("D32", INVALID, longer_than(900))
}

/// A visibility timeout of more than 12 h, for a receive or a change (D25).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(timeout in broken_visibility_timeout())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.receive().visibility_timeout(timeout.value).blocking().unwrap_err();
///     prop_assert_eq!(error.code(), timeout.code);
/// });
/// ```
pub fn broken_visibility_timeout() -> BoxedStrategy<Broken<Duration>> {
    broken("D25", INVALID, longer_than(43_200))
}

/// A wait time of more than 20 s (rule 3.2).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(wait in broken_wait_time())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.receive().wait_time(wait.value).blocking().unwrap_err();
///     prop_assert_eq!(error.code(), wait.code);
/// });
/// ```
pub fn broken_wait_time() -> BoxedStrategy<Broken<Duration>> {
    broken("3.2", INVALID, longer_than(20))
}

/// A number of messages that no receive may ask for: 0, or 11 and more (rule 3.2).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(most in broken_max_messages())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.receive().max_messages(most.value).blocking().unwrap_err();
///     prop_assert_eq!(error.code(), most.code);
/// });
/// ```
pub fn broken_max_messages() -> BoxedStrategy<Broken<usize>> {
    broken("3.2", INVALID, prop_oneof![Just(0), 11..=20_usize, Just(usize::MAX)])
}

pub(super) fn longer_than(seconds: u64) -> BoxedStrategy<Duration> {
    let most = Duration::from_secs(seconds);
    prop_oneof![
        2 => Just(most + Duration::from_millis(1)),
        2 => (1..=1_000_u64).prop_map(move |more| most + Duration::from_secs(more)),
        1 => Just(Duration::MAX),
    ]
    .boxed()
}

/// A message that a standard queue refuses.
///
/// Its body (M1, M3, M8), attributes (M12 to M17, M20), trace header (M25), delay (D32) or group id (F1) is broken, or
/// it has a deduplication id (F4).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(message in broken_standard_message())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send(message.value).unwrap_err();
///     prop_assert_eq!(error.code(), message.code);
/// });
/// ```
pub fn broken_standard_message() -> BoxedStrategy<Broken<SendMessage>> {
    let deduplicated = standard_message().prop_map(|message| message.message_deduplication_id("d1"));
    any_of([
        broken_content(standard_message()),
        within(standard_message(), broken_delay(), SendMessage::delay),
        broken("F4", INVALID, deduplicated),
    ])
}

/// A message that a FIFO queue without content-based deduplication refuses.
///
/// Its body (M1, M3, M8), attributes (M12 to M17, M20), trace header (M25), group id (F1) or deduplication id (F3) is
/// broken, it has no group (F2) or no deduplication id (F8), or it has a delay (D34).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(message in broken_fifo_message())| {
///     let jobs = Queue::fifo("jobs.fifo").build()?;
///     let error = jobs.send(message.value).unwrap_err();
///     prop_assert_eq!(error.code(), message.code);
/// });
/// ```
pub fn broken_fifo_message() -> BoxedStrategy<Broken<SendMessage>> {
    let delays = (1..=900_000_u64).prop_map(Duration::from_millis);
    let delayed = (fifo_message(), delays).prop_map(|(message, delay)| message.delay(delay));
    let no_group = body().prop_map(|body| SendMessage::new(body).message_deduplication_id("d1"));
    let no_deduplication_id = body().prop_map(|body| SendMessage::new(body).message_group_id("g1"));
    any_of([
        broken_content(fifo_message()),
        within(
            fifo_message(),
            broken_message_deduplication_id(),
            SendMessage::message_deduplication_id,
        ),
        broken("F2", MISSING, no_group),
        broken("F8", INVALID, no_deduplication_id),
        broken("D34", INVALID, delayed),
    ])
}

/// What is refused on both types.
fn broken_content(messages: BoxedStrategy<SendMessage>) -> BrokenStrategy<SendMessage> {
    let headers = prop_oneof![Just(String::new()), with_bad_character()];
    any_of([
        within(messages.clone(), broken_body(), with_body),
        within(messages.clone(), broken_message_attributes(), SendMessage::attributes),
        within(
            messages.clone(),
            broken("M25", INVALID, headers),
            SendMessage::aws_trace_header,
        ),
        within(messages, broken_message_group_id(), SendMessage::message_group_id),
    ])
}

/// The same message with another body and without its attributes and its trace header.
fn with_body(message: SendMessage, body: String) -> SendMessage {
    let mut other = SendMessage::new(body);
    if let Some(delay) = message.get_delay() {
        other = other.delay(delay);
    }
    if let Some(group) = message.get_message_group_id() {
        other = other.message_group_id(group);
    }
    match message.get_message_deduplication_id() {
        Some(id) => other.message_deduplication_id(id),
        None => other,
    }
}

/// A batch that a standard queue refuses as a whole.
///
/// It is empty (M31), has a bad id (M32), more than 1 MiB together (M10), an id twice (M34), or more than 10 entries
/// (M35).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(batch in broken_standard_batch())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.send_batch(batch.value).unwrap_err();
///     prop_assert_eq!(error.code(), batch.code);
/// });
/// ```
pub fn broken_standard_batch() -> BoxedStrategy<Broken<Vec<SendBatchEntry>>> {
    broken_batch(standard_message())
}

/// A batch that a FIFO queue without content-based deduplication refuses as a whole.
///
/// As [`broken_standard_batch`], or an entry has no group or no deduplication id (M36).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(batch in broken_fifo_batch())| {
///     let jobs = Queue::fifo("jobs.fifo").build()?;
///     let error = jobs.send_batch(batch.value).unwrap_err();
///     prop_assert_eq!(error.code(), batch.code);
/// });
/// ```
pub fn broken_fifo_batch() -> BoxedStrategy<Broken<Vec<SendBatchEntry>>> {
    let bare = prop_oneof![
        body().prop_map(|body| SendMessage::new(body).message_deduplication_id("d1")),
        body().prop_map(|body| SendMessage::new(body).message_group_id("g1")),
    ];
    let entries = (messages(fifo_message(), 0..=9), bare, any::<prop::sample::Index>());
    let entries = entries.prop_map(|(mut messages, bare, place)| {
        messages.insert(place.index(messages.len() + 1), bare);
        numbered(messages)
    });
    any_of([broken_batch(fifo_message()), broken("M36", INVALID, entries)])
}

fn messages(message: BoxedStrategy<SendMessage>, length: RangeInclusive<usize>) -> BoxedStrategy<Vec<SendMessage>> {
    collection::vec(message, length).boxed()
}

fn numbered(messages: Vec<SendMessage>) -> Vec<SendBatchEntry> {
    let entries = messages.into_iter().enumerate();
    entries
        .map(|(place, message)| SendBatchEntry::new(format!("entry-{place}"), message))
        .collect()
}

fn broken_batch(message: BoxedStrategy<SendMessage>) -> BrokenStrategy<Vec<SendBatchEntry>> {
    let with_bad_id = (
        messages(message.clone(), 0..=8),
        message.clone(),
        broken_batch_entry_id(),
    );
    let with_bad_id = with_bad_id.prop_map(|(others, message, id)| {
        id.map(|id| {
            let mut entries = numbered(others);
            entries.push(SendBatchEntry::new(id, message));
            entries
        })
    });
    let repeated = (messages(message.clone(), 2..=10), batch_entry_id()).prop_map(|(messages, id)| {
        let entries = messages.into_iter();
        entries
            .map(|message| SendBatchEntry::new(id.clone(), message))
            .collect()
    });
    let large = messages(message.clone(), 2..=10).prop_map(|messages| {
        let body = "x".repeat(1_048_576 / messages.len() + 1);
        numbered(messages.into_iter().map(|it| with_body(it, body.clone())).collect())
    });
    any_of([
        broken("M31", "EmptyBatchRequest", Just(Vec::new())),
        with_bad_id.boxed(),
        broken("M34", "BatchEntryIdsNotDistinct", repeated),
        broken(
            "M35",
            "TooManyEntriesInBatchRequest",
            messages(message, 11..=12).prop_map(numbered),
        ),
        broken("M10", "BatchRequestTooLong", large),
    ])
}
