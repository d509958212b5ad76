//! Writes the XML of the query protocol: elements and text only (W4, W5).

use super::{
    shape::{Flattened, Kind},
    value::Value,
};

/// A document being written.
#[derive(Debug)]
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn new() -> Self {
        Self(r#"<?xml version="1.0"?>"#.to_owned())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// An element with what `content` writes, and attributes if they are in `tag`.
    pub(super) fn element(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        self.0.extend(["<", tag, ">"]);
        let empty = self.0.len();
        content(self);
        if self.0.len() == empty {
            self.0.insert(empty - 1, '/');
        } else {
            let name = tag.split(' ').next().unwrap_or(tag);
            self.0.extend(["</", name, ">"]);
        }
    }

    pub(super) fn text(&mut self, tag: &str, text: &str) {
        self.element(tag, |xml| xml.escape(text));
    }

    /// A value of the model; lists and maps are no element of their own, but one for each of theirs.
    pub(super) fn value(&mut self, name: &str, kind: Kind, names: Flattened, value: &Value<'_>) {
        match (kind, value) {
            (Kind::List(kind), Value::List(elements)) => {
                for element in elements {
                    self.value(names.element, *kind, Flattened::of(&[]), element);
                }
            }
            (Kind::Map(kind), Value::Structure(entries)) => {
                for (key, value) in entries {
                    self.element(names.element, |xml| {
                        xml.text(names.key, key);
                        xml.value(names.value, *kind, Flattened::of(&[]), value);
                    });
                }
            }
            (Kind::Structure(shape), Value::Structure(members)) => self.element(name, |xml| {
                for (name, value) in members {
                    if let Some(member) = shape.members.iter().find(|member| member.name == name) {
                        xml.value(name, member.kind, member.flattened, value);
                    }
                }
            }),
            (_, scalar) => self.text(name, &scalar.text()),
        }
    }

    /// Text that a parser gives back as it is: a bare CR it would make an LF, and `]]>` it would refuse. What no XML
    /// can hold has no place in a message either (M2); in the text of an error it becomes U+FFFD.
    fn escape(&mut self, text: &str) {
        // A loop that looks at every byte is done many bytes at a time. 0xef begins U+FFFE and U+FFFF.
        let is_special = |byte: u8| byte < b' ' || matches!(byte, b'&' | b'<' | b'>' | 0xef);
        if !text.bytes().fold(false, |found, byte| found | is_special(byte)) {
            self.0.push_str(text);
            return;
        }
        let mut rest = text;
        while let Some(at) = rest.find(|char| stand_in(char).is_some()) {
            let (plain, special) = rest.split_at(at);
            let mut behind = special.chars();
            self.0.push_str(plain);
            self.0.extend(behind.next().and_then(stand_in));
            rest = behind.as_str();
        }
        self.0.push_str(rest);
    }
}

/// What is written in place of a character that cannot stand for itself.
fn stand_in(char: char) -> Option<&'static str> {
    match char {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#13;"),
        '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'.. => None,
        _ => Some("\u{fffd}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml(String::new());
        content(&mut xml);
        xml.0
    }

    #[test]
    fn markup_and_what_a_parser_would_change_is_escaped() {
        let text = "a<b>&amp;]]>\r\n\t\u{0}\u{fffe}\u{1f}\u{fffd}\u{7f}\u{85}\u{1fffe}";
        let expected = "<T>a&lt;b&gt;&amp;amp;]]&gt;&#13;\n\t\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{7f}\u{85}\u{1fffe}</T>";
        assert_eq!(written(|xml| xml.text("T", text)), expected);
        for char in "&<>\r\u{0}\u{1f}\u{fffe}\u{ffff}".chars() {
            let text = written(|xml| xml.escape(&format!("plain {char}")));
            assert!(text.starts_with("plain ") && !text.ends_with(char), "{text:?}");
        }
    }

    #[test]
    fn an_element_without_content_closes_itself() {
        assert_eq!(written(|xml| xml.text("T", "")), "<T/>");
        assert_eq!(written(|xml| xml.element(r#"T a="b""#, |_| ())), r#"<T a="b"/>"#);
        assert_eq!(
            written(|xml| xml.element(r#"T a="b""#, |xml| xml.text("U", "v"))),
            r#"<T a="b"><U>v</U></T>"#
        );
    }
}
