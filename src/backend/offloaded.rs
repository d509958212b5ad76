//! Messages whose bodies are in a payload store.

use {
    crate::message::MessageAttributes,
    std::sync::{Arc, OnceLock, atomic::AtomicU64},
};
#[cfg(feature = "payloads")]
use {crate::time::Timestamp, std::sync::atomic::Ordering};

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
    /// Until when nobody else has the message, in milliseconds since the epoch. Once that is over, it may be in another
    /// queue, or another consumer's, and its payload is not this one's to delete.
    held_until: AtomicU64,
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
    pub(super) fn size(&self) -> Option<usize> {
        let size = self.payload.as_ref().ok()?.size_bytes?;
        Some(size.try_into().unwrap_or(usize::MAX))
    }

    /// The body, once it is loaded.
    pub(super) fn body(&self) -> Option<&str> {
        self.body.get().map(String::as_str)
    }
}

#[cfg(feature = "payloads")]
impl Offloaded {
    pub(crate) fn new(
        attributes: MessageAttributes,
        payload: Result<Payload, Arc<str>>,
        held_until: Timestamp,
    ) -> Self {
        Self {
            held_until: held_until.as_millis().into(),
            attributes,
            payload,
            body: OnceLock::new(),
        }
    }

    pub(crate) fn is_held_at(&self, now: Timestamp) -> bool {
        now.as_millis() < self.held_until.load(Ordering::Relaxed)
    }

    /// Extends or shortens the time for which the message is held, if it still is: what was let go may be another's.
    pub(crate) fn hold_until(&self, now: Timestamp, until: Timestamp) {
        let held = |at: u64| (now.as_millis() < at).then(|| until.as_millis());
        let _ = self.held_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, held);
    }

    /// Somebody else may have the message from now on.
    pub(crate) fn let_go(&self) {
        self.held_until.store(0, Ordering::Relaxed);
    }

    /// Adds the body; of two that load at once the first adds it.
    pub(crate) fn set_body(&self, body: String) {
        let _ = self.body.set(body);
    }
}
