//! The pointer that a queue has instead of a body (E3, E4).

use {
    super::{MAX_BODY_BYTES, key::KeySpace},
    crate::{
        backend::{Payload, ReceivedMessage},
        message::{MessageAttributeValue, MessageAttributes},
    },
    data_encoding::HEXLOWER,
    serde_json::Value,
};

const CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";
const LEGACY_CLASS: &str = "com.amazon.sqs.javamessaging.MessageS3Pointer";

const EXTENDED_PAYLOAD_SIZE: &str = "ExtendedPayloadSize";
const SQS_LARGE_PAYLOAD_SIZE: &str = "SQSLargePayloadSize";

/// The key of a payload and its SHA-256 in hexadecimal, with a space between them. An attribute that outlives its pointer,
/// since somebody sends on what he received, names another key and says nothing.
const PAYLOAD_SHA256: &str = "PayloadSHA256";

/// The names that callers may not use.
pub(super) const RESERVED: [&str; 3] = [EXTENDED_PAYLOAD_SIZE, SQS_LARGE_PAYLOAD_SIZE, PAYLOAD_SHA256];

/// How pointers are written: by the reserved attribute that marks them, and the class that they name. All forms are read.
///
/// # Source
/// [Amazon SQS Extended Client Library](https://github.com/awslabs/amazon-sqs-java-extended-client-lib) for Java, and
/// [the one for Python](https://github.com/awslabs/amazon-sqs-python-extended-client-lib).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum PointerFormat {
    /// The attribute `ExtendedPayloadSize`: what the client for Python writes, and what both clients read as they are.
    #[default]
    ExtendedPayloadSize,
    /// The attribute `SQSLargePayloadSize`: what the client for Java writes. That for Python reads it if it asks for all
    /// attributes.
    SqsLargePayloadSize,
    /// The attribute `SQSLargePayloadSize` and the class of the client for Java before version 2.
    Legacy,
}

impl PointerFormat {
    const fn attribute(self) -> &'static str {
        match self {
            Self::ExtendedPayloadSize => EXTENDED_PAYLOAD_SIZE,
            Self::SqsLargePayloadSize | Self::Legacy => SQS_LARGE_PAYLOAD_SIZE,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::ExtendedPayloadSize | Self::SqsLargePayloadSize => CLASS,
            Self::Legacy => LEGACY_CLASS,
        }
    }

    /// The body of a message whose payload is at `key`.
    pub(super) fn body(self, bucket: &str, key: &str) -> String {
        let [class, bucket, key] = [self.class(), bucket, key].map(|text| Value::from(text).to_string());
        format!(r#"[{class},{{"s3BucketName":{bucket},"s3Key":{key}}}]"#)
    }

    /// Adds what marks a pointer, and the checksum if that leaves room for one more attribute, the reason of a dead letter.
    pub(super) fn mark(self, attributes: &mut MessageAttributes, payload: &Payload, most: usize) {
        if let Some(size) = payload.size_bytes {
            let size = MessageAttributeValue::number(size.to_string());
            attributes.insert(self.attribute(), size);
        }
        if let (Some(sha256), true) = (payload.sha256, attributes.len() + 1 < most) {
            let text = format!("{} {}", payload.key, HEXLOWER.encode(&sha256));
            attributes.insert(PAYLOAD_SHA256, MessageAttributeValue::string(text));
        }
    }
}

/// The payload of a message that says it has one; why it may not be read if the message is not as it should be.
pub(super) fn payload_of(message: &ReceivedMessage, keys: &KeySpace, bucket: &str) -> Option<Result<Payload, String>> {
    let size = [EXTENDED_PAYLOAD_SIZE, SQS_LARGE_PAYLOAD_SIZE]
        .iter()
        .find_map(|name| message.attributes().get(name))?;
    Some(read(message, size, keys, bucket))
}

fn read(
    message: &ReceivedMessage,
    size: &MessageAttributeValue,
    keys: &KeySpace,
    bucket: &str,
) -> Result<Payload, String> {
    let pointer = Pointer::parse(message.body())?;
    if pointer.bucket != bucket {
        let named = pointer.bucket;
        return Err(format!(
            "the pointer names bucket {named:?}, and payloads are in {bucket:?}"
        ));
    }
    keys.check(&pointer.key)?;
    let size_bytes = match size.string_value().and_then(|text| text.parse().ok()) {
        // What the writers of the bare object count is not known.
        _ if pointer.bare => None,
        None => return Err("the size of the payload is not a number".to_owned()),
        Some(size) if size > MAX_BODY_BYTES => {
            return Err(format!(
                "the size of the payload is {size} bytes, at most {MAX_BODY_BYTES} are allowed"
            ));
        }
        size => size,
    };
    Ok(Payload {
        sha256: sha256_of(message.attributes(), &pointer.key),
        size_bytes,
        key: pointer.key,
    })
}

/// The checksum that the attributes tell of the payload at `key`.
fn sha256_of(attributes: &MessageAttributes, key: &str) -> Option<[u8; 32]> {
    let (of, hex) = attributes.get(PAYLOAD_SHA256)?.string_value()?.rsplit_once(' ')?;
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok().filter(|_| of == key)?;
    bytes.try_into().ok()
}

/// The user attributes without the reserved ones.
pub(super) fn without_reserved(attributes: &MessageAttributes) -> MessageAttributes {
    let kept = attributes.iter().filter(|(name, _)| !RESERVED.contains(name));
    kept.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// The key that a body points to, if it is a pointer.
pub(super) fn key_in(body: &str) -> Option<String> {
    Pointer::parse(body).ok().map(|pointer| pointer.key)
}

struct Pointer {
    bucket: String,
    key: String,
    /// Without the class, as some clients write it.
    bare: bool,
}

impl Pointer {
    fn parse(body: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(body).map_err(|error| format!("the pointer to the payload is not JSON: {error}"))?;
        let (object, bare) = match value {
            Value::Array(parts) => {
                let [Value::String(class), object] = &parts[..] else {
                    return Err("the pointer to the payload is not an array of a class and an object".to_owned());
                };
                if class != CLASS && class != LEGACY_CLASS {
                    return Err(format!(
                        "the class {class:?} of the pointer to the payload is not known"
                    ));
                }
                (object.clone(), false)
            }
            object => (object, true),
        };
        let text = |name: &str| match object.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(format!("the pointer to the payload has no {name}")),
        };
        Ok(Self {
            bucket: text("s3BucketName")?,
            key: text("s3Key")?,
            bare,
        })
    }
}

#[cfg(test)]
mod tests {
    use {super::*, crate::backend::MessageParts};

    const KEY: &str = "jobs/9a7a4f9c-1a4f-4b8e-9a6b-5c7d1f3e2a10";

    fn message(body: &str, attributes: &[(&str, &str)]) -> ReceivedMessage {
        let number = |text: &str| MessageAttributeValue::number(text);
        ReceivedMessage::from(MessageParts {
            body: body.to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), number(value)))
                .collect(),
            ..MessageParts::default()
        })
    }

    fn read_of(body: &str, attributes: &[(&str, &str)]) -> Option<Result<(String, Option<u64>), String>> {
        let keys = KeySpace::new("jobs/").unwrap();
        let payload = payload_of(&message(body, attributes), &keys, "my-bucket")?;
        Some(payload.map(|payload| (payload.key, payload.size_bytes)))
    }

    #[test]
    fn pointers_of_the_clients_for_java_and_python_are_read() {
        // E3 E4, as the two libraries write them: Java compact, Python with spaces, the old class, and the bare object.
        let java = format!(r#"["{CLASS}",{{"s3BucketName":"my-bucket","s3Key":"{KEY}"}}]"#);
        let python = format!(r#"["{CLASS}", {{"s3BucketName": "my-bucket", "s3Key": "{KEY}"}}]"#);
        let old = format!(r#"["{LEGACY_CLASS}",{{"s3Key":"{KEY}","s3BucketName":"my-bucket"}}]"#);
        let bare = format!(r#"{{"s3BucketName":"my-bucket","s3Key":"{KEY}"}}"#);
        for name in [SQS_LARGE_PAYLOAD_SIZE, EXTENDED_PAYLOAD_SIZE] {
            for body in [&java, &python, &old] {
                let read = read_of(body, &[(name, "300000")]);
                assert_eq!(read, Some(Ok((KEY.to_owned(), Some(300_000)))), "{body}");
            }
            assert_eq!(read_of(&bare, &[(name, "300000")]), Some(Ok((KEY.to_owned(), None))));
        }
        assert_eq!(
            read_of(&java, &[]),
            None,
            "without a reserved attribute it is a body like any other"
        );
    }

    #[test]
    fn pointers_are_written_in_the_form_of_the_clients() {
        // E3 E4
        let form = |format: PointerFormat| {
            let payload = Payload {
                key: KEY.to_owned(),
                size_bytes: Some(300_000),
                sha256: None,
            };
            let mut attributes = MessageAttributes::new();
            format.mark(&mut attributes, &payload, 10);
            let (name, value) = attributes.iter().next().unwrap();
            assert_eq!((value.data_type(), value.string_value()), ("Number", Some("300000")));
            (name.to_owned(), format.body("my-bucket", KEY))
        };
        let body = |class: &str| format!(r#"["{class}",{{"s3BucketName":"my-bucket","s3Key":"{KEY}"}}]"#);
        let expected = [
            (PointerFormat::ExtendedPayloadSize, "ExtendedPayloadSize", CLASS),
            (PointerFormat::SqsLargePayloadSize, "SQSLargePayloadSize", CLASS),
            (PointerFormat::Legacy, "SQSLargePayloadSize", LEGACY_CLASS),
        ];
        for (format, name, class) in expected {
            assert_eq!(form(format), (name.to_owned(), body(class)));
        }
    }

    #[test]
    fn forged_and_broken_pointers_are_refused() {
        let pointer = |bucket: &str, key: &str| PointerFormat::default().body(bucket, key);
        let unknown = pointer("my-bucket", KEY).replace(CLASS, "java.lang.Runtime");
        let cases = [
            (pointer("other", KEY), "names bucket"),
            (pointer("my-bucket", "secrets/key"), "outside of the prefix"),
            (pointer("my-bucket", "jobs/../secrets/key"), "not a key"),
            (pointer("my-bucket", "jobs/"), "not a key"),
            (unknown, "is not known"),
            ("resize cat.png".to_owned(), "not JSON"),
            (r#"["a","b","c"]"#.to_owned(), "not an array of"),
            (format!(r#"["{CLASS}",{{"s3BucketName":"my-bucket"}}]"#), "no s3Key"),
            (
                format!(r#"["{CLASS}",{{"s3BucketName":7,"s3Key":"x"}}]"#),
                "no s3BucketName",
            ),
            ("7".to_owned(), "no s3BucketName"),
            ("[".repeat(100_000), "not JSON"),
        ];
        for (body, expected) in cases {
            let error = read_of(&body, &[(EXTENDED_PAYLOAD_SIZE, "5")]).unwrap().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let error = read_of(&pointer("my-bucket", KEY), &[(EXTENDED_PAYLOAD_SIZE, "large")]);
        assert_eq!(error, Some(Err("the size of the payload is not a number".to_owned())));
    }

    #[test]
    fn a_checksum_counts_for_its_own_payload_alone() {
        let payload = Payload {
            key: KEY.to_owned(),
            size_bytes: Some(1),
            sha256: Some([7; 32]),
        };
        let mut attributes = MessageAttributes::new();
        PointerFormat::default().mark(&mut attributes, &payload, 10);
        assert_eq!(sha256_of(&attributes, KEY), Some([7; 32]));
        assert_eq!(sha256_of(&attributes, "jobs/other"), None);
        let mut full = MessageAttributes::new();
        PointerFormat::default().mark(&mut full, &payload, 2);
        assert_eq!((full.len(), sha256_of(&full, KEY)), (1, None));
        assert!(without_reserved(&attributes).is_empty());
    }
}
