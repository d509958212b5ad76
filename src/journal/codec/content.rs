//! What a message carries, as it is written.

use {
    crate::{
        message::{self, AttributeContent, Extras, MessageAttributeValue, MessageAttributes},
        time::Timestamp,
    },
    serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{SeqAccess, Visitor},
    },
    std::{fmt, marker::PhantomData, sync::Arc},
};

#[derive(Deserialize, Serialize)]
pub(super) struct Content<'a> {
    body: &'a str,
    #[serde(borrow)]
    more: Option<More<'a>>,
}

#[derive(Deserialize, Serialize)]
struct More<'a> {
    group_id: Option<&'a str>,
    deduplication_id: Option<&'a str>,
    #[serde(borrow)]
    rare: Option<Rare<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Rare<'a> {
    #[serde(borrow, deserialize_with = "list")]
    attributes: Vec<Attribute<'a>>,
    trace_header: Option<&'a str>,
    #[serde(borrow)]
    dead_letter: Option<DeadLetter<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Attribute<'a> {
    name: &'a str,
    data_type: &'a str,
    #[serde(borrow)]
    value: Value<'a>,
}

#[derive(Deserialize, Serialize)]
enum Value<'a> {
    Text(&'a str),
    Bytes(#[serde(serialize_with = "bytes")] &'a [u8]),
}

#[derive(Deserialize, Serialize)]
struct DeadLetter<'a> {
    source: &'a str,
    reason: Option<&'a str>,
    sent_at: u64,
    arrived_at: u64,
    carried_receive_count: u32,
}

impl<'a> From<&'a message::Content> for Content<'a> {
    #[inline]
    fn from(content: &'a message::Content) -> Self {
        Self {
            body: &content.body,
            more: content.extras.as_deref().map(More::of),
        }
    }
}

impl<'a> More<'a> {
    fn of(extras: &'a Extras) -> Self {
        Self {
            group_id: extras.group_id.as_ref().map(message::Id::as_str),
            deduplication_id: extras.deduplication_id.as_ref().map(message::Id::as_str),
            rare: extras.rare.as_deref().map(|rare| Rare {
                attributes: rare.attributes.iter().map(Attribute::of).collect(),
                trace_header: rare.trace_header.as_deref(),
                dead_letter: rare.dead_letter.as_deref().map(DeadLetter::of),
            }),
        }
    }
}

impl<'a> Attribute<'a> {
    fn of((name, value): (&'a str, &'a MessageAttributeValue)) -> Self {
        let bytes = || Value::Bytes(value.binary_value().unwrap_or_default());
        Self {
            name,
            data_type: value.data_type(),
            value: value.string_value().map_or_else(bytes, Value::Text),
        }
    }
}

impl<'a> DeadLetter<'a> {
    fn of(dead_letter: &'a message::DeadLetter) -> Self {
        Self {
            source: &dead_letter.source,
            reason: dead_letter.reason.as_deref(),
            sent_at: dead_letter.sent_at.as_millis(),
            arrived_at: dead_letter.arrived_at.as_millis(),
            carried_receive_count: dead_letter.carried_receive_count,
        }
    }
}

impl From<Content<'_>> for message::Content {
    fn from(content: Content<'_>) -> Self {
        Self {
            body: content.body.into(),
            extras: content.more.map(|more| Arc::new(more.into())),
        }
    }
}

impl From<More<'_>> for Extras {
    fn from(more: More<'_>) -> Self {
        let mut extras = Self {
            group_id: more.group_id.map(message::Id::from),
            deduplication_id: more.deduplication_id.map(message::Id::from),
            rare: None,
        };
        if let Some(read) = more.rare {
            let rare = extras.rare_mut();
            rare.attributes = MessageAttributes::from_iter(read.attributes.into_iter().map(Attribute::named));
            rare.trace_header = read.trace_header.map(Arc::from);
            rare.dead_letter = read.dead_letter.map(|dead_letter| Box::new(dead_letter.into()));
        }
        extras
    }
}

impl Attribute<'_> {
    fn named(self) -> (String, MessageAttributeValue) {
        let value = match (self.data_type, self.value) {
            ("String", Value::Text(text)) => MessageAttributeValue::string(text),
            ("Number", Value::Text(text)) => MessageAttributeValue::number(text),
            ("Binary", Value::Bytes(bytes)) => MessageAttributeValue::binary(bytes),
            (other, Value::Text(text)) => MessageAttributeValue::new(other, AttributeContent::from(text)),
            (other, Value::Bytes(bytes)) => MessageAttributeValue::new(other, AttributeContent::from(bytes)),
        };
        (self.name.to_owned(), value)
    }
}

impl From<DeadLetter<'_>> for message::DeadLetter {
    fn from(read: DeadLetter<'_>) -> Self {
        Self {
            source: read.source.into(),
            reason: read.reason.map(Arc::from),
            sent_at: Timestamp::from_millis(read.sent_at),
            arrived_at: Timestamp::from_millis(read.arrived_at),
            carried_receive_count: read.carried_receive_count,
        }
    }
}

/// As serde writes a list of bytes, but at once.
fn bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads a list without making room ahead for as many elements as it claims to have: each takes a byte at least, so
/// what is stored stays in proportion to what was read.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Elements<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = sequence.next_element()? {
                elements.push(element);
            }
            Ok(elements)
        }
    }

    deserializer.deserialize_seq(Elements(PhantomData))
}
