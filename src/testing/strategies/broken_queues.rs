//! Invalid names and attributes of queues.

use std::{fmt::Debug, time::Duration};

use proptest::{prelude::*, sample::select, strategy::Union};

use super::{
    broken::{Broken, BrokenStrategy, INVALID, any_of, broken, broken_names_of, longer_than},
    valid::standard_attributes,
};
use crate::attributes::{DeduplicationScope, FifoThroughputLimit, QueueAttributes, RedriveAllowPolicy, RedrivePolicy};

const ATTRIBUTE_NAME: &str = "InvalidAttributeName";
const ATTRIBUTE_VALUE: &str = "InvalidAttributeValue";

/// The name of a standard queue that is empty, of 81 and more characters, with other characters than letters, digits,
/// `-` and `_` (Q3), or ends in `.fifo` (Q4).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(name in broken_queue_name())| {
///     let error = Queue::standard(name.value).build().unwrap_err();
///     prop_assert_eq!(error.code(), name.code);
/// });
/// ```
pub fn broken_queue_name() -> BoxedStrategy<Broken<String>> {
    any_of([
        broken("Q3", INVALID, broken_names_of(80)),
        broken("Q4", INVALID, "[A-Za-z0-9_-]{1,20}\\.fifo"),
    ])
}

/// The name of a FIFO queue without its suffix or against the rules for names before it (Q5).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(name in broken_fifo_queue_name())| {
///     let error = Queue::fifo(name.value).build().unwrap_err();
///     prop_assert_eq!(error.code(), name.code);
/// });
/// ```
pub fn broken_fifo_queue_name() -> BoxedStrategy<Broken<String>> {
    let with_suffix = broken_names_of(75).prop_map(|name| format!("{name}.fifo"));
    any_of([
        broken("Q5", INVALID, "[A-Za-z0-9_-]{0,20}"),
        broken("Q5", INVALID, "[A-Za-z0-9_-]{1,20}\\.(fif|FIFO|fifo\\.x)"),
        broken("Q5", INVALID, with_suffix),
    ])
}

/// Attributes that `SetQueueAttributes` refuses on a standard queue, alone or among good ones.
///
/// A value is out of range (Q16), belongs to a FIFO queue (Q18, Q19) or is no policy (Q26, L2a, L20), or there are two
/// kinds of encryption (Q24).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(attributes in broken_standard_attributes())| {
///     let jobs = Queue::standard("jobs").build()?;
///     let error = jobs.set_attributes(attributes.value).unwrap_err();
///     prop_assert_eq!(error.code(), attributes.code);
/// });
/// ```
pub fn broken_standard_attributes() -> BoxedStrategy<Broken<QueueAttributes>> {
    let of_fifo_queues = prop_oneof![
        Just(QueueAttributes::new().deduplication_scope(DeduplicationScope::MessageGroup)),
        Just(QueueAttributes::new().fifo_throughput_limit(FifoThroughputLimit::PerQueue)),
    ];
    let unknown = prop_oneof![
        any::<bool>().prop_map(|it| QueueAttributes::new().fifo_queue(it)),
        any::<bool>().prop_map(|it| QueueAttributes::new().content_based_deduplication(it)),
    ];
    any_of([
        broken_attributes(),
        broken("Q18", ATTRIBUTE_NAME, unknown),
        broken("Q19", ATTRIBUTE_NAME, of_fifo_queues),
    ])
}

/// Attributes that `SetQueueAttributes` refuses on a FIFO queue whose `DeduplicationScope` is `queue`.
///
/// A value is out of range (Q16) or is no policy (Q26, L2a, L20), there are two kinds of encryption (Q24), the queue
/// would become a standard one (Q21), or the throughput limit contradicts the scope (Q22).
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(attributes in broken_fifo_attributes())| {
///     let jobs = Queue::fifo("jobs.fifo").build()?;
///     let error = jobs.set_attributes(attributes.value).unwrap_err();
///     prop_assert_eq!(error.code(), attributes.code);
/// });
/// ```
pub fn broken_fifo_attributes() -> BoxedStrategy<Broken<QueueAttributes>> {
    let per_group = QueueAttributes::new().fifo_throughput_limit(FifoThroughputLimit::PerMessageGroupId);
    let contradictions = [
        per_group.clone(),
        per_group.deduplication_scope(DeduplicationScope::Queue),
    ];
    any_of([
        broken_attributes(),
        broken("Q21", ATTRIBUTE_VALUE, Just(QueueAttributes::new().fifo_queue(false))),
        broken("Q22", ATTRIBUTE_VALUE, select(contradictions.to_vec())),
    ])
}

/// What is refused on both types.
fn broken_attributes() -> BrokenStrategy<QueueAttributes> {
    let good = standard_attributes;
    let shorter = || (0..60_000_u64).prop_map(Duration::from_millis);
    let out_of_range: [BoxedStrategy<QueueAttributes>; 6] = [
        put(longer_than(900), QueueAttributes::delay),
        put(longer_than(43_200), QueueAttributes::visibility_timeout),
        put(longer_than(20), QueueAttributes::receive_message_wait_time),
        put(
            prop_oneof![longer_than(1_209_600), shorter()].boxed(),
            QueueAttributes::message_retention_period,
        ),
        put(
            prop_oneof![longer_than(86_400), shorter()].boxed(),
            QueueAttributes::kms_data_key_reuse_period,
        ),
        put(
            prop_oneof![0..1_024_usize, Just(1_048_577), Just(usize::MAX)].boxed(),
            QueueAttributes::maximum_message_size,
        ),
    ];
    let two = good().prop_map(|it| it.kms_master_key_id("alias/aws/sqs").sqs_managed_sse_enabled(true));
    #[cfg(feature = "aws-protocol")]
    let no_policies = put(
        select(vec!["{", "[]", "null", "allow"]).boxed(),
        QueueAttributes::policy,
    );
    let dead = "arn:aws:sqs:us-east-1:123456789012:dead";
    let counts = prop_oneof![Just(0), 1_001..=u32::MAX];
    let redrives = put(counts.boxed(), move |attributes, count| {
        attributes.redrive_policy(RedrivePolicy::new(dead, count))
    });
    let sources = prop_oneof![Just(0), 11..=12_usize];
    let allows = put(sources.boxed(), move |attributes, sources| {
        attributes.redrive_allow_policy(RedriveAllowPolicy::ByQueue(vec![dead.to_owned(); sources]))
    });
    any_of([
        broken("Q16", ATTRIBUTE_VALUE, Union::new(out_of_range)),
        broken("Q24", ATTRIBUTE_NAME, two),
        #[cfg(feature = "aws-protocol")]
        broken("Q26", ATTRIBUTE_VALUE, no_policies),
        broken("L2a", INVALID, redrives),
        broken("L20", INVALID, allows),
    ])
}

/// A bad value among good ones.
fn put<V: Debug + 'static>(
    values: BoxedStrategy<V>,
    set: impl Fn(QueueAttributes, V) -> QueueAttributes + 'static,
) -> BoxedStrategy<QueueAttributes> {
    let both = (standard_attributes(), values);
    both.prop_map(move |(attributes, value)| set(attributes, value)).boxed()
}
