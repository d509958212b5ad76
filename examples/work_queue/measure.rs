//! The work: what is in a file.

use {
    sha2::{Digest, Sha256},
    std::{
        fs::{self, File},
        io::{self, Read},
        path::Path,
        str,
    },
};

const CHUNK: usize = 64 * 1024;

#[derive(Clone)]
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    /// Line feeds, as `wc -l` counts.
    pub(crate) lines: u64,
    /// Runs of anything but white space, as `wc -w` counts.
    pub(crate) words: u64,
    pub(crate) sha256: [u8; 32],
}

/// Why a file cannot be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("vanished after it was sent")]
    Vanished,
    #[error("no longer a file")]
    NotAFile,
    #[error("not UTF-8 at byte {0}")]
    NotUtf8(u64),
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Vanished,
            _ => Self::Io(error),
        }
    }
}

/// Reads the file chunk by chunk.
pub(crate) fn measure(path: &Path) -> Result<Measured, Unreadable> {
    // Opening a named pipe would wait for somebody who writes.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(Unreadable::NotAFile);
    }
    let mut file = File::open(path)?;
    let mut text = Text::default();
    let mut buffer = vec![0; CHUNK];
    // The beginning of a character whose end comes with the next chunk, at the front of the buffer.
    let mut rest = 0;
    loop {
        let read = match file.read(&mut buffer[rest..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let filled = rest + read;
        let whole = match str::from_utf8(&buffer[..filled]) {
            Ok(chunk) => text.take(chunk),
            Err(error) if error.error_len().is_some() || read == 0 => {
                return Err(Unreadable::NotUtf8(text.bytes + error.valid_up_to() as u64));
            }
            Err(error) => text.take(str::from_utf8(&buffer[..error.valid_up_to()]).unwrap_or_default()),
        };
        if read == 0 {
            return Ok(text.measured());
        }
        buffer.copy_within(whole..filled, 0);
        rest = filled - whole;
    }
}

#[derive(Default)]
struct Text {
    bytes: u64,
    lines: u64,
    words: u64,
    in_word: bool,
    hash: Sha256,
}

impl Text {
    /// Counts a chunk in, and answers with its length.
    fn take(&mut self, chunk: &str) -> usize {
        self.bytes += chunk.len() as u64;
        self.hash.update(chunk);
        for character in chunk.chars() {
            self.lines += u64::from(character == '\n');
            let in_word = !character.is_whitespace();
            self.words += u64::from(in_word && !self.in_word);
            self.in_word = in_word;
        }
        chunk.len()
    }

    fn measured(self) -> Measured {
        Measured {
            bytes: self.bytes,
            lines: self.lines,
            words: self.words,
            sha256: self.hash.finalize().into(),
        }
    }
}
