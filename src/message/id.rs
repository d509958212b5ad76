//! [`Id`], the text of a group or deduplication id.
use std::{fmt, sync::Arc};

/// Bytes that fit beside the length and the tag in three words.
const INLINE: usize = 22;

/// A short text that is cheap to clone: up to 22 bytes are kept in place, a longer text is shared.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Id(Text);

/// The bytes behind an inline text are zero, and a text that fits is inline: equal texts are equal values.
#[derive(Clone, Eq, PartialEq)]
enum Text {
    Inline { len: u8, bytes: [u8; INLINE] },
    Shared(Arc<str>),
}

impl Id {
    pub(crate) const EMPTY: Self = Self(Text::Inline {
        len: 0,
        bytes: [0; INLINE],
    });

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Text::Shared(text) => text.as_bytes(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Text::Inline { .. } => std::str::from_utf8(self.as_bytes()).expect("invariant: an id is made of a text"),
            Text::Shared(text) => text,
        }
    }
}

impl From<&str> for Id {
    #[inline]
    fn from(text: &str) -> Self {
        let mut bytes = [0; INLINE];
        Self(match bytes.get_mut(..text.len()) {
            Some(start) => {
                start.copy_from_slice(text.as_bytes());
                Text::Inline {
                    len: text.len() as u8,
                    bytes,
                }
            }
            None => Text::Shared(text.into()),
        })
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_text_whatever_its_length() {
        let texts: Vec<String> = (0..=2 * INLINE)
            .map(|length| "\u{e9}".repeat(length / 2) + "a")
            .collect();
        for text in &texts {
            let id = Id::from(&**text);
            assert_eq!((id.as_str(), id.as_bytes()), (&**text, text.as_bytes()));
            assert_eq!(format!("{id:?}"), format!("{text:?}"));
            for other in &texts {
                let other_id = Id::from(&**other);
                assert_eq!(id.cmp(&other_id), text.cmp(other));
                assert_eq!(id == other_id, text == other);
            }
        }
    }

    #[test]
    fn an_id_takes_three_words_and_up_to_22_bytes_no_allocation() {
        assert_eq!(size_of::<Option<Id>>(), 24);
        let inline = |length| matches!(Id::from(&*"x".repeat(length)).0, Text::Inline { .. });
        assert_eq!([0, 22, 23].map(inline), [true, true, false]);
    }
}
