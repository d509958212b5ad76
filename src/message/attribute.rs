//! User attributes of a message: typed values, the map from name to value, and which of them a receive asked for.
//!
//! Building an attribute checks nothing; sending the message does.
use std::borrow::Cow;

/// The value of a message attribute, text or bytes (rule M15).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AttributeContent {
    /// Text, the content of types `String` and `Number`.
    String(String),
    /// Bytes, the content of type `Binary`.
    Binary(Vec<u8>),
}

impl AttributeContent {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::String(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<&str> for AttributeContent {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for AttributeContent {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&[u8]> for AttributeContent {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.to_vec())
    }
}

impl From<Vec<u8>> for AttributeContent {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

/// A message attribute without its name: a data type, optionally with a custom label, and a value.
///
/// The list types of the API (`StringListValues`, `BinaryListValues`) are not supported by SQS and cannot be
/// expressed here (rule M19).
///
/// # Source
/// [`MessageAttributeValue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageAttributeValue.html).
///
/// # Examples
/// ```
/// # use requeue::MessageAttributeValue;
/// let price = MessageAttributeValue::number("19.90").label("EUR");
/// assert_eq!((price.data_type(), price.string_value()), ("Number.EUR", Some("19.90")));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageAttributeValue {
    data_type: Cow<'static, str>,
    content: AttributeContent,
}

impl MessageAttributeValue {
    /// A value of type `String`: at least one character, all of them allowed in a body (rules M15, M16).
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// assert_eq!(MessageAttributeValue::string("cat").data_type(), "String");
    /// ```
    #[must_use]
    pub fn string(value: impl Into<String>) -> Self {
        Self {
            data_type: Cow::Borrowed("String"),
            content: AttributeContent::String(value.into()),
        }
    }

    /// A value of type `Number`: decimal text of at most 38 significant digits, kept exactly as given (rule M17).
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// assert_eq!(MessageAttributeValue::number("1.50").string_value(), Some("1.50"));
    /// ```
    #[must_use]
    pub fn number(value: impl Into<String>) -> Self {
        Self {
            data_type: Cow::Borrowed("Number"),
            content: AttributeContent::String(value.into()),
        }
    }

    /// A value of type `Binary`: at least one byte (rule M15).
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// assert_eq!(MessageAttributeValue::binary([1, 2]).binary_value(), Some([1, 2].as_slice()));
    /// ```
    #[must_use]
    pub fn binary(value: impl Into<Vec<u8>>) -> Self {
        Self {
            data_type: Cow::Borrowed("Binary"),
            content: AttributeContent::Binary(value.into()),
        }
    }

    /// A value of any data type, such as `Number.EUR`; sending it fails where type and content do not fit (rule M15).
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// let same = MessageAttributeValue::new("Binary.png", vec![0x89]);
    /// assert_eq!(same, MessageAttributeValue::binary([0x89]).label("png"));
    /// ```
    #[must_use]
    pub fn new(data_type: impl Into<String>, content: impl Into<AttributeContent>) -> Self {
        Self {
            data_type: Cow::Owned(data_type.into()),
            content: content.into(),
        }
    }

    /// The same value with `.label` appended to its data type; a label counts for size and digest alone (rule M18).
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// assert_eq!(MessageAttributeValue::string("x").label("uuid").data_type(), "String.uuid");
    /// ```
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        let data_type = self.data_type.to_mut();
        data_type.push('.');
        data_type.push_str(label.as_ref());
        self
    }

    /// The data type with its custom label, as sent.
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// assert_eq!(MessageAttributeValue::number("19.90").data_type(), "Number");
    /// assert_eq!(MessageAttributeValue::number("19.90").label("EUR").data_type(), "Number.EUR");
    /// ```
    #[must_use]
    pub fn data_type(&self) -> &str {
        &self.data_type
    }

    /// The text of a `String` or `Number`, `None` if the content is bytes.
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// assert_eq!(MessageAttributeValue::number("640").string_value(), Some("640"));
    /// assert_eq!(MessageAttributeValue::binary([0x89]).string_value(), None);
    /// ```
    #[must_use]
    pub fn string_value(&self) -> Option<&str> {
        match &self.content {
            AttributeContent::String(text) => Some(text),
            AttributeContent::Binary(_) => None,
        }
    }

    /// The bytes of a `Binary`, `None` if the content is text.
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributeValue;
    /// assert_eq!(MessageAttributeValue::binary([0x89]).binary_value(), Some([0x89].as_slice()));
    /// assert_eq!(MessageAttributeValue::string("cat").binary_value(), None);
    /// ```
    #[must_use]
    pub fn binary_value(&self) -> Option<&[u8]> {
        match &self.content {
            AttributeContent::Binary(bytes) => Some(bytes),
            AttributeContent::String(_) => None,
        }
    }
}

/// The user attributes of a message, in ascending byte order of their names, which are unique and case-sensitive.
///
/// # Source
/// [Message metadata](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html).
///
/// # Examples
/// ```
/// # use requeue::{MessageAttributeValue, MessageAttributes};
/// let attributes: MessageAttributes = [
///     ("size", MessageAttributeValue::number("3")),
///     ("kind", MessageAttributeValue::string("cat")),
/// ].into_iter().collect();
/// assert_eq!(attributes.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["kind", "size"]);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MessageAttributes {
    /// Sorted by name, each name once.
    entries: Vec<(String, MessageAttributeValue)>,
}

impl MessageAttributes {
    /// No attributes.
    ///
    /// # Examples
    /// ```
    /// # use requeue::MessageAttributes;
    /// assert!(MessageAttributes::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Sets the attribute `name` and returns the value it replaces, if any.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, MessageAttributes};
    /// let mut attributes = MessageAttributes::new();
    /// assert_eq!(attributes.insert("kind", MessageAttributeValue::string("cat")), None);
    /// let replaced = attributes.insert("kind", MessageAttributeValue::string("dog"));
    /// assert_eq!(replaced, Some(MessageAttributeValue::string("cat")));
    /// ```
    pub fn insert(&mut self, name: impl Into<String>, value: MessageAttributeValue) -> Option<MessageAttributeValue> {
        let name = name.into();
        match self.place(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (name, value));
                None
            }
        }
    }

    /// The value of the attribute `name`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, MessageAttributes};
    /// let attributes: MessageAttributes = [("kind", MessageAttributeValue::string("cat"))].into_iter().collect();
    /// assert_eq!(attributes.get("kind"), Some(&MessageAttributeValue::string("cat")));
    /// assert_eq!(attributes.get("Kind"), None);
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&MessageAttributeValue> {
        self.place(name).ok().map(|at| &self.entries[at].1)
    }

    /// Names and values in ascending byte order of the names.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, MessageAttributes};
    /// let mut attributes = MessageAttributes::new();
    /// attributes.insert("size", MessageAttributeValue::number("3"));
    /// attributes.insert("kind", MessageAttributeValue::string("cat"));
    /// let texts = attributes.iter().map(|(name, value)| (name, value.string_value().unwrap()));
    /// assert_eq!(texts.collect::<Vec<_>>(), [("kind", "cat"), ("size", "3")]);
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &MessageAttributeValue)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many attributes there are.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, MessageAttributes};
    /// let mut attributes = MessageAttributes::new();
    /// attributes.insert("kind", MessageAttributeValue::string("cat"));
    /// attributes.insert("kind", MessageAttributeValue::string("dog"));
    /// assert_eq!(attributes.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, SendMessage};
    /// let plain = SendMessage::new("resize cat.png");
    /// assert!(plain.get_attributes().is_empty());
    /// let cat = plain.attribute("kind", MessageAttributeValue::string("cat"));
    /// assert!(!cat.get_attributes().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes these attributes add to the size of a message: names, data types with labels, and values (rule M6).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, MessageAttributes};
    /// let attributes: MessageAttributes = [("kind", MessageAttributeValue::string("cat"))].into_iter().collect();
    /// assert_eq!(attributes.size_bytes(), "kind".len() + "String".len() + "cat".len());
    /// ```
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.iter()
            .map(|(name, value)| name.len() + value.data_type.len() + value.content.as_bytes().len())
            .sum()
    }

    /// The attributes that `patterns` name, as `MessageAttributeNames` of a receive does (rule M44).
    ///
    /// `All`, `.*` and `*` name every attribute. A pattern ending in `.*` names those that start with the text before
    /// it, so that `Hel.*` covers both `Hello` and `Help.Me`. Any other pattern is a name, and one that no attribute
    /// has is ignored. Without patterns the answer is empty.
    ///
    /// # Source
    /// [`ReceiveMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, MessageAttributes};
    /// let attributes: MessageAttributes = ["General", "Hello", "Help.Me"]
    ///     .map(|name| (name, MessageAttributeValue::string("x"))).into_iter().collect();
    /// assert_eq!(attributes.matching(["Hel.*"]).len(), 2);
    /// assert_eq!(attributes.matching(["hello"]).len(), 0);
    /// assert_eq!(attributes.matching(["All"]), attributes);
    /// ```
    #[must_use]
    pub fn matching<P: AsRef<str>>(&self, patterns: impl IntoIterator<Item = P>) -> Self {
        let mut wanted = vec![false; self.entries.len()];
        for pattern in patterns {
            match pattern.as_ref() {
                "All" | ".*" | "*" => return self.clone(),
                pattern => match pattern.strip_suffix(".*") {
                    Some(prefix) => {
                        for (wanted, (name, _)) in wanted.iter_mut().zip(&self.entries) {
                            *wanted |= name.starts_with(prefix);
                        }
                    }
                    None => {
                        if let Ok(at) = self.place(pattern) {
                            wanted[at] = true;
                        }
                    }
                },
            }
        }
        let entries = self.entries.iter().zip(wanted);
        Self {
            entries: entries
                .filter(|(_, wanted)| *wanted)
                .map(|(entry, _)| entry.clone())
                .collect(),
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(held, _)| held.as_str().cmp(name))
    }
}

/// Of two attributes with one name the later stays.
impl<N: Into<String>> FromIterator<(N, MessageAttributeValue)> for MessageAttributes {
    fn from_iter<I: IntoIterator<Item = (N, MessageAttributeValue)>>(attributes: I) -> Self {
        let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value));
        let mut entries: Vec<(String, MessageAttributeValue)> = attributes.collect();
        // One by one, many in falling order would each move all others.
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        entries.dedup_by(|later, kept| {
            let repeated = later.0 == kept.0;
            if repeated {
                std::mem::swap(later, kept);
            }
            repeated
        });
        Self { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> MessageAttributes {
        names
            .iter()
            .map(|name| (*name, MessageAttributeValue::string("x")))
            .collect()
    }

    fn names(attributes: &MessageAttributes) -> Vec<&str> {
        attributes.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_unique_case_sensitive_and_in_byte_order() {
        // M13 M27
        let mut attributes = named(&["b", "\u{e9}", "B", "a", "b", "a.b", "a-b"]);
        assert_eq!(names(&attributes), ["B", "a", "a-b", "a.b", "b", "\u{e9}"]);
        assert_eq!(
            attributes.insert("b", MessageAttributeValue::number("1")),
            Some(MessageAttributeValue::string("x"))
        );
        assert_eq!(
            (attributes.len(), attributes.get("b").unwrap().data_type()),
            (6, "Number")
        );
        assert_eq!(attributes.get("c"), None);
        let [first, second] = ["1", "2"].map(MessageAttributeValue::string);
        let later: MessageAttributes = [("a", first.clone()), ("b", first), ("a", second.clone())]
            .into_iter()
            .collect();
        assert_eq!(
            (later.len(), later.get("a")),
            (2, Some(&second)),
            "of one name the later stays"
        );
        assert!(!attributes.is_empty() && MessageAttributes::new().is_empty());
    }

    #[test]
    fn patterns_select_all_by_prefix_or_by_name() {
        // M44
        let attributes = named(&["General", "Hello", "Help.Me", "All", "*"]);
        let matching = |patterns: &[&str]| attributes.matching(patterns).len();
        assert_eq!(matching(&[]), 0);
        for all in ["All", ".*", "*"] {
            assert_eq!(attributes.matching(["nothing", all]), attributes);
        }
        assert_eq!(names(&attributes.matching(["Hel.*"])), ["Hello", "Help.Me"]);
        assert_eq!(names(&attributes.matching(["Help.*"])), ["Help.Me"]);
        assert_eq!(
            names(&attributes.matching(["Help.Me.*", "General", "General"])),
            ["General", "Help.Me"]
        );
        for nothing in [
            "hello",
            "Hel",
            "Hel*",
            "all",
            "",
            "AWS.illegal..name",
            "hel.*",
            "Hello.x.*",
        ] {
            assert_eq!(matching(&[nothing]), 0, "{nothing}");
        }
    }

    #[test]
    fn content_is_text_or_bytes_and_labels_are_appended() {
        // M15 M18
        let text = MessageAttributeValue::new("Number", String::from("1"))
            .label("a")
            .label("b");
        assert_eq!(
            (text.data_type(), text.string_value(), text.binary_value()),
            ("Number.a.b", Some("1"), None)
        );
        let bytes = MessageAttributeValue::new("Binary", &[1_u8, 2][..]);
        assert_eq!((bytes.string_value(), bytes.binary_value()), (None, Some(&[1, 2][..])));
    }
}
