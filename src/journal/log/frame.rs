//! Bytes: the header of a segment, and the frames and marks in it.
//!
//! All numbers are little-endian. A *frame* is a head and a body. A head is the length of the body, the number of the
//! frame, the number up to which frames were synced when it was written, the checksum of the body, and the checksum of
//! all that. A *mark* is a head alone: in place of a length it has its kind, in place of a number the number of the frame
//! before it, and in place of the checksum of a body the number of the oldest segment that is still needed.
//!
//! Checksums are CRC-32 that start from a value of the store and the segment, so that a frame of another directory or
//! segment, or one inside a message, is not taken for one.

use {crc32fast::Hasher, std::ops::Range};

/// The version of the format that this code writes.
pub(crate) const VERSION: u32 = 1;

/// The header of a segment has this many bytes in every version, and its magic, version and checksum stay in place.
pub(super) const HEADER: usize = 64;
const MAGIC: [u8; 8] = *b"requeue\n";
/// Where the checksum of the header is: after all that it covers.
const HEADER_SUM: usize = HEADER - 4;

pub(super) const HEAD: usize = 28;
const HEAD_SUM: usize = HEAD - 4;

/// In place of the length of a body.
const MARK: u32 = u32::MAX;
const SEAL: u32 = u32::MAX - 1;
pub(super) const LONGEST_BODY: usize = (u32::MAX - 2) as usize;

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) store: u128,
    pub(super) number: u32,
    /// The length that the file was made with. A shorter one is damaged.
    pub(super) length: u64,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) enum HeaderError {
    Damaged,
    Newer(u32),
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..28].copy_from_slice(&self.store.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.number.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.length.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..HEADER_SUM]);
        bytes[HEADER_SUM..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; HEADER]) -> Result<Self, HeaderError> {
        let sum = crc32fast::hash(&bytes[..HEADER_SUM]);
        if bytes[..8] != MAGIC || u32_at(bytes, HEADER_SUM) != sum {
            return Err(HeaderError::Damaged);
        }
        let version = u32_at(bytes, 8);
        if version > VERSION {
            return Err(HeaderError::Newer(version));
        }
        let mut store = [0; 16];
        store.copy_from_slice(&bytes[12..28]);
        Ok(Self {
            store: u128::from_le_bytes(store),
            number: u32_at(bytes, 28),
            length: u64_at(bytes, 32),
        })
    }

    pub(super) fn seed(self) -> Seed {
        Seed::new(self.store, self.number)
    }
}

/// What the checksums of a segment start from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u32);

impl Seed {
    pub(super) fn new(store: u128, segment: u32) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(&store.to_le_bytes());
        hasher.update(&segment.to_le_bytes());
        Self(hasher.finalize())
    }

    fn sum(self, bytes: &[u8]) -> u32 {
        let mut hasher = Hasher::new_with_initial(self.0);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// Fills the head at the front of a frame, of which the length and the body are there.
pub(super) fn seal_frame(frame: &mut [u8], seed: Seed, number: u64, synced: u64) {
    let (head, body) = frame.split_at_mut(HEAD);
    fill_head(head, seed, number, synced, seed.sum(body));
}

fn fill_head(head: &mut [u8], seed: Seed, number: u64, synced: u64, last: u32) {
    head[4..12].copy_from_slice(&number.to_le_bytes());
    head[12..20].copy_from_slice(&synced.to_le_bytes());
    head[20..24].copy_from_slice(&last.to_le_bytes());
    let sum = seed.sum(&head[..HEAD_SUM]);
    head[HEAD_SUM..].copy_from_slice(&sum.to_le_bytes());
}

/// A head without a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    /// The number of the frame before it.
    pub(super) number: u64,
    pub(super) synced: u64,
    /// The oldest segment that is still needed.
    pub(super) oldest: u32,
    /// Whether the segment ends here, and the next one goes on.
    pub(super) seals: bool,
}

impl Mark {
    pub(super) fn to_bytes(self, seed: Seed) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let kind = if self.seals { SEAL } else { MARK };
        head[..4].copy_from_slice(&kind.to_le_bytes());
        fill_head(&mut head, seed, self.number, self.synced, self.oldest);
        head
    }
}

/// What stands at some place of a segment.
#[derive(Debug)]
pub(super) enum Item {
    Frame {
        number: u64,
        synced: u64,
        body: Range<usize>,
        /// Whether the body is as it was written.
        intact: bool,
    },
    Mark(Mark),
}

impl Item {
    /// What begins at `offset` of a segment, and where it ends; `None` if nothing with a valid head does.
    pub(super) fn at(bytes: &[u8], offset: usize, seed: Seed) -> Option<(Self, usize)> {
        let start = offset.checked_add(HEAD)?;
        let head = bytes.get(offset..start)?;
        let length = u32_at(head, 0);
        let end = match length {
            0 => return None,
            MARK | SEAL => start,
            length => start.checked_add(length as usize)?,
        };
        if end > bytes.len() || seed.sum(&head[..HEAD_SUM]) != u32_at(head, HEAD_SUM) {
            return None;
        }
        let (number, synced, last) = (u64_at(head, 4), u64_at(head, 12), u32_at(head, 20));
        let item = match length {
            MARK | SEAL => Self::Mark(Mark {
                number,
                synced,
                oldest: last,
                seals: length == SEAL,
            }),
            _ => Self::Frame {
                number,
                synced,
                intact: seed.sum(&bytes[start..end]) == last,
                body: start..end,
            },
        };
        Some((item, end))
    }

    /// The first place from `offset` on at which something begins.
    pub(super) fn find(bytes: &[u8], mut offset: usize, seed: Seed) -> Option<usize> {
        while offset + HEAD <= bytes.len() {
            let zeros = zeros(&bytes[offset..]);
            if zeros >= 4 {
                // A length other than 0 begins with three zeros at most.
                offset += zeros - 3;
            } else if Self::at(bytes, offset, seed).is_some() {
                return Some(offset);
            } else {
                offset += 1;
            }
        }
        None
    }
}

/// How many zeros `bytes` begins with.
pub(super) fn zeros(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(32).take_while(|it| **it == [0; 32]).count();
    let rest = &bytes[blocks * 32..];
    blocks * 32 + rest.iter().take_while(|it| **it == 0).count()
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(number)
}
