//! Messages whose bodies are in a payload store.

use {
    crate::message::MessageAttributes,
    std::sync::{Arc, OnceLock},
};

/// What is known of a message whose body is in a payload store.
#[cfg_attr(
    not(feature = "payloads"),
    expect(dead_code, reason = "only a payload queue makes one")
)]
pub(crate) struct Offloaded {
    /// The user attributes without the reserved ones.
    pub(crate) attributes: MessageAttributes,
    /// Where the payload is, or why the message tells it of none that may be read.
    pub(crate) payload: Result<Payload, Arc<str>>,
    body: OnceLock<String>,
}

/// An object in a payload store.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "payloads"),
    expect(dead_code, reason = "only a payload queue makes one")
)]
pub(crate) struct Payload {
    pub(crate) key: String,
    /// The size in bytes, where the message tells it.
    pub(crate) size_bytes: Option<u64>,
    /// The SHA-256 of the body, where the message tells it.
    pub(crate) sha256: Option<[u8; 32]>,
}

impl Offloaded {
    /// The body, once it is loaded.
    pub(super) fn body(&self) -> Option<&str> {
        self.body.get().map(String::as_str)
    }
}

#[cfg(feature = "payloads")]
impl Offloaded {
    pub(crate) fn new(attributes: MessageAttributes, payload: Result<Payload, Arc<str>>) -> Self {
        Self {
            attributes,
            payload,
            body: OnceLock::new(),
        }
    }

    /// Adds the body; of two that load at once the first adds it.
    pub(crate) fn set_body(&self, body: String) {
        let _ = self.body.set(body);
    }
}
