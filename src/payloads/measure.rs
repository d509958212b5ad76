//! What is found out about a body while its chunks pass.

use {
    super::MAX_BODY_BYTES,
    crate::message::is_text,
    sha2::{Digest, Sha256},
    std::str,
};

/// Size and SHA-256 of the chunks so far.
#[derive(Default)]
pub(super) struct Measure {
    size: u64,
    sha256: Sha256,
}

impl Measure {
    pub(super) fn add(&mut self, chunk: &[u8]) {
        self.size = self.size.saturating_add(chunk.len() as u64);
        self.sha256.update(chunk);
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }
}

/// Checks that chunks are the text of a body, whatever they cut apart (M2, E1).
#[derive(Default)]
pub(super) struct TextCheck {
    size: u64,
    /// The beginning of a character whose rest is in the next chunk.
    begun: Vec<u8>,
}

impl TextCheck {
    pub(super) fn add(&mut self, chunk: &[u8]) -> Result<(), String> {
        self.size = self.size.saturating_add(chunk.len() as u64);
        if self.size > MAX_BODY_BYTES {
            return Err(format!("the body is larger than {MAX_BODY_BYTES} bytes"));
        }
        let rest = self.complete_begun(chunk)?;
        match str::from_utf8(rest) {
            Ok(text) => check_text(text),
            Err(error) if error.error_len().is_none() => {
                let (text, begun) = rest.split_at(error.valid_up_to());
                self.begun = begun.to_vec();
                str::from_utf8(text).map_or_else(|_| Err(not_utf8()), check_text)
            }
            Err(_) => Err(not_utf8()),
        }
    }

    /// Completes the character that has begun; returns what follows it.
    fn complete_begun<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8], String> {
        for (at, byte) in chunk.iter().enumerate() {
            if self.begun.is_empty() {
                return Ok(&chunk[at..]);
            }
            self.begun.push(*byte);
            match str::from_utf8(&self.begun) {
                Ok(text) => {
                    check_text(text)?;
                    self.begun.clear();
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(not_utf8()),
            }
        }
        Ok(&[])
    }

    pub(super) fn end(&self) -> Result<(), String> {
        if self.size == 0 {
            return Err("the body is empty".to_owned());
        }
        if self.begun.is_empty() { Ok(()) } else { Err(not_utf8()) }
    }
}

fn check_text(text: &str) -> Result<(), String> {
    if is_text(text) {
        Ok(())
    } else {
        Err("the body has a character that SQS does not take".to_owned())
    }
}

fn not_utf8() -> String {
    "the body is not UTF-8".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Result<(), String> {
        let mut check = TextCheck::default();
        chunks.into_iter().try_for_each(|chunk| check.add(chunk))?;
        check.end()
    }

    #[test]
    fn a_text_is_one_however_it_is_cut() {
        let text = "a\u{e9}\u{20ac}\u{1f600}\tz\u{10ffff}".as_bytes();
        for size in 1..=text.len() {
            assert_eq!(check(text.chunks(size)), Ok(()), "{size}");
            let empty_between = text.chunks(size).flat_map(|chunk| [chunk, &[]]);
            assert_eq!(check(empty_between), Ok(()), "{size}");
        }
    }

    #[test]
    fn what_is_no_body_is_refused_however_it_is_cut() {
        // M1 M2
        let broken: [(&[u8], &str); 7] = [
            (b"caf\xe9 au lait", "not UTF-8"),
            (b"caf\xe9", "not UTF-8"),
            (b"\xff", "not UTF-8"),
            (b"\xed\xa0\x80", "not UTF-8"),
            (b"bell\x07", "does not take"),
            (b"\xef\xbf\xbe", "does not take"),
            (b"", "is empty"),
        ];
        for (bytes, expected) in broken {
            for size in 1..=bytes.len().max(1) {
                let error = check(bytes.chunks(size)).unwrap_err();
                assert!(error.contains(expected), "{bytes:?} by {size}: {error}");
            }
        }
    }

    #[test]
    fn a_body_has_its_limit() {
        // E1
        let mut check = TextCheck {
            size: MAX_BODY_BYTES - 1,
            ..TextCheck::default()
        };
        assert_eq!(check.add(b"x"), Ok(()));
        assert!(check.add(b"x").unwrap_err().contains("2147483648 bytes"));
    }
}
