//! Entries as bytes and back: the body of a frame.
//!
//! A body is the number of a queue, then entries up to its end. Numbers are variable in length, and an entry says nothing
//! twice that is known when it is read: the id, slot and content of a message stand in the entry by which the message came,
//! later ones name it by its sequence, and their instants count from the one at which they happened. What a fact is read
//! back as therefore has no number, and where it is about a message that was there before, neither its id nor its slot.

mod content;
mod entry;
mod image;
mod settings;
#[cfg(test)]
mod tests;

use {
    crate::state::{Fact, FactEntry, Recorded},
    entry::Entry,
    postcard::ser_flavors::Flavor,
};

/// The greatest number of a kind of entries.
const LATEST_KIND: u32 = 24;

/// Why the body of a frame cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The frame is whole; another version of this crate wrote it.
    #[error(
        "the entry at byte {offset} is of kind {kind}, which was written by a newer version: this one knows 0 to {LATEST_KIND}"
    )]
    NewerKind {
        /// Where the entry begins, in the body of its frame.
        offset: usize,
        kind: u32,
    },
    #[error("the entry at byte {offset} cannot be read: {reason}")]
    Malformed { offset: usize, reason: &'static str },
}

/// Whether a fact changes its queue; any other is not written down.
pub(crate) const fn is_recorded(fact: &Fact) -> bool {
    !matches!(
        fact,
        Fact::ReceivedNothing | Fact::DeletedAgain | Fact::Deduplicated { .. } | Fact::Failed { .. }
    )
}

/// Begins a body: the entries behind it are about the queue of this number.
pub(crate) fn begin(queue: u64, out: &mut Vec<u8>) {
    write(&queue, out);
}

/// Writes a fact, unless it is one that is not recorded.
pub(crate) fn encode_fact(fact: &FactEntry, out: &mut Vec<u8>) {
    if let Some(entry) = Entry::of_fact(fact) {
        write(&entry, out);
    }
}

/// Writes an entry, unless it is a fact that is not recorded.
pub(crate) fn encode(recorded: &Recorded, out: &mut Vec<u8>) {
    if let Some(entry) = Entry::of(recorded) {
        write(&entry, out);
    }
}

/// Reads a body: `on_entry` gets the number of the queue and each entry in turn. What it answers ends the reading.
pub(crate) fn decode<E: From<DecodeError>>(
    body: &[u8],
    on_entry: &mut dyn FnMut(u64, Recorded) -> Result<(), E>,
) -> Result<(), E> {
    let malformed = |rest: &[u8], error: postcard::Error| DecodeError::Malformed {
        offset: body.len() - rest.len(),
        reason: reason(&error),
    };
    let (queue, mut rest) = postcard::take_from_bytes(body).map_err(|error| malformed(body, error))?;
    while !rest.is_empty() {
        let (kind, _) = postcard::take_from_bytes(rest).map_err(|error| malformed(rest, error))?;
        if kind > LATEST_KIND {
            let offset = body.len() - rest.len();
            return Err(DecodeError::NewerKind { offset, kind }.into());
        }
        let (entry, behind) = postcard::take_from_bytes::<Entry<'_>>(rest).map_err(|error| malformed(rest, error))?;
        on_entry(queue, entry.into())?;
        rest = behind;
    }
    Ok(())
}

/// The end of a vector, as what postcard writes to.
struct End<'a>(&'a mut Vec<u8>);

impl Flavor for End<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn write<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) {
    postcard::serialize_with_flavor(value, End(out))
        .expect("invariant: a vector takes all, and lists know their lengths");
}

fn reason(error: &postcard::Error) -> &'static str {
    match error {
        postcard::Error::DeserializeUnexpectedEnd => "it ends too early",
        postcard::Error::DeserializeBadVarint => "a number in it has no end or is too large",
        postcard::Error::DeserializeBadUtf8 => "a text in it is not UTF-8",
        postcard::Error::DeserializeBadBool | postcard::Error::DeserializeBadOption => {
            "a flag in it is neither 0 nor 1"
        }
        _ => "a value in it is none that there is",
    }
}
