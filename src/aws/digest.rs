//! MD5 digests of bodies and attributes (M26-M30), which SDKs compare with their own (W8).

use {
    crate::{
        message::{MessageAttributeValue, MessageAttributes, MessageId},
        sync::Mutex,
    },
    data_encoding::HEXLOWER,
    md5::{Digest, Md5},
    std::sync::OnceLock,
};

/// The digest of a body.
pub(super) type BodyDigest = [u8; 16];

pub(super) fn of_body(body: &str) -> BodyDigest {
    Md5::digest(body).into()
}

pub(super) fn hex(digest: BodyDigest) -> String {
    HEXLOWER.encode(&digest)
}

/// The digests of bodies sent lately, so that a message that is received soon is not digested again.
///
/// Two messages whose ids have the same last bits share a place, which is the later one's.
#[derive(Debug, Default)]
pub(super) struct Recent(OnceLock<Box<[Place]>>);

type Place = Mutex<Option<(MessageId, BodyDigest)>>;

impl Recent {
    /// At 64 bytes each.
    const PLACES: usize = 1_024;

    pub(super) fn put(&self, id: MessageId, digest: BodyDigest) {
        let places = self
            .0
            .get_or_init(|| (0..Self::PLACES).map(|_| Mutex::new(None)).collect());
        *places[Self::place(id)].lock() = Some((id, digest));
    }

    /// The digest of a message's body, remembered or computed.
    pub(super) fn of(&self, id: MessageId, body: &str) -> BodyDigest {
        let remembered = self.0.get().and_then(|places| *places[Self::place(id)].lock());
        match remembered {
            Some((of, digest)) if of == id => digest,
            _ => of_body(body),
        }
    }

    fn place(id: MessageId) -> usize {
        id.low_bits() as usize % Self::PLACES
    }
}

/// Of user attributes, sorted by name; none of no attributes (M27, M28).
pub(super) fn of_attributes(attributes: &MessageAttributes) -> Option<String> {
    of(attributes.iter())
}

/// Of the system attributes of a send, of which there is one (M24).
pub(super) fn of_trace_header(header: Option<&str>) -> Option<String> {
    let value = MessageAttributeValue::string(header?);
    of([("AWSTraceHeader", &value)].into_iter())
}

fn of<'a>(attributes: impl ExactSizeIterator<Item = (&'a str, &'a MessageAttributeValue)>) -> Option<String> {
    if attributes.len() == 0 {
        return None;
    }
    let mut md5 = Md5::new();
    let feed = |md5: &mut Md5, bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        md5.update(length.to_be_bytes());
        md5.update(bytes);
    };
    for (name, value) in attributes {
        feed(&mut md5, name.as_bytes());
        feed(&mut md5, value.data_type().as_bytes());
        match value.binary_value() {
            Some(bytes) => {
                md5.update([2]);
                feed(&mut md5, bytes);
            }
            None => {
                md5.update([1]);
                feed(&mut md5, value.string_value().unwrap_or_default().as_bytes());
            }
        }
    }
    Some(HEXLOWER.encode(&md5.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_recorded_on_sqs() {
        // M26 M27 M28
        let string = MessageAttributeValue::string;
        let number = MessageAttributeValue::number;
        let traceparent = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
        let traceparent = MessageAttributeValue::binary(traceparent.as_slice());
        let (general, hello, help) = (("General", "Kenobi"), ("Hello", "There"), ("Help.Me", "Me"));
        let strings = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|&(name, value)| (name, string(value)))
                .collect::<Vec<_>>()
        };
        for (attributes, digest) in [
            (strings(&[("k", "x")]), "a45daa70926828a2f0a1db3418e6feb4"),
            (
                vec![("k", string("x").label("custom"))],
                "80fd2ea5cda5de52eda95eef7dd16763",
            ),
            (
                strings(&[("test-key", "test-value")]),
                "befa18540a897f7d022bf07057754a03",
            ),
            (
                strings(&[("test-key", "test-value"), ("test-key-alt", "test-value-alt")]),
                "2256c3b617e2b4b3ae4f2d455dcf54d0",
            ),
            (strings(&[general, hello, help]), "4c360f3fdafd970e05fae2f149d997f5"),
            (strings(&[hello]), "a311262e065454b75da111d535b8dacd"),
            (strings(&[hello, general]), "fca026605781cb4126a1e9044df24232"),
            (strings(&[help, hello]), "83fee93c1bcd8b9a5a923ffacdc636c7"),
            (
                strings(&[("MyAttribute", "foobar")]),
                "adb59cd4678ea5a855436b949cd07ab6",
            ),
            (strings(&[("Foo", "Bar")]), "ae7155c6026991b6d54b11589678bf9c"),
            (
                vec![("timestamp", number("1493147359900"))],
                "235c5c510d26fb653d073faed50ae77c",
            ),
            (vec![("attr1", number("99.12"))], "d302007e9aa062660afc85fd0a482472"),
            (vec![("attr1", number("19.12"))], "1f07082409022a373fa2a2601f82b3cb"),
            (
                vec![("ordinal", number("1")), ("category", string("test"))],
                "d21ae90c49061e927f57df5f5d72be1f",
            ),
            (vec![("attr1", traceparent)], "8cbe4db156db8a94db8b801b7addb984"),
            (
                vec![("b", MessageAttributeValue::binary(vec![0, 1, 2, 0xff]))],
                "7e480da8c0e874189215a7676537a024",
            ),
        ] {
            let attributes: MessageAttributes = attributes.into_iter().collect();
            assert_eq!(of_attributes(&attributes).as_deref(), Some(digest), "{attributes:?}");
        }
        assert_eq!(of_attributes(&MessageAttributes::new()), None);
        assert_eq!(hex(of_body("message")), "78e731027d8fd50ed642340b7c9a63b3");
        assert_eq!(
            hex(of_body("{\"message_index\":1}")),
            "4504dd781f625d681c31cda87e260702"
        );
    }

    #[test]
    fn a_remembered_digest_is_that_of_the_same_id_and_a_later_one_takes_the_place() {
        let (recent, digest) = (Recent::default(), |number| [number; 16]);
        let [one, other] = [7, 7 | 1 << 64].map(MessageId::from_random);
        assert_eq!(recent.of(one, "a"), of_body("a"), "nothing is remembered yet");
        recent.put(one, digest(1));
        assert_eq!((recent.of(one, "a"), recent.of(other, "a")), (digest(1), of_body("a")));
        recent.put(other, digest(2));
        assert_eq!((recent.of(one, "a"), recent.of(other, "a")), (of_body("a"), digest(2)));
    }

    #[test]
    fn the_trace_header_has_a_digest_of_its_own() {
        // M24
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(
            of_trace_header(Some(header)).as_deref(),
            Some("5ae4d5d7636402d80f4eb6d213245a88")
        );
        assert_eq!(of_trace_header(None), None);
    }
}
