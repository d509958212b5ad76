//! Message ids, sequence numbers and receipt handles.
//!
//! Nothing here draws a random number; whoever makes an id passes the bits in.
use super::seal::SealKey;
use crate::error::{ParseMessageIdError, ParseReceiptHandleError};
use data_encoding::BASE64;
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The id SQS gives a message when it is sent: a random UUID, unchanged until the message is gone (rule M48).
///
/// Its text is the 36 characters of a UUID in lower case, which [`FromStr`] reads back in either case.
///
/// # Source
/// [`SendMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
///
/// # Examples
/// ```
/// # use requeue::MessageId;
/// let id: MessageId = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6".parse()?;
/// assert_eq!(id.to_string(), "f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
/// # Ok::<(), requeue::ParseMessageIdError>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageId {
    // Two words and not one of 128 bits, which the compiler would move through memory.
    high: u64,
    low: u64,
}

impl MessageId {
    /// Where the hyphens stand in the text of a UUID.
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    const TEXT_LENGTH: usize = 36;

    /// A version 4 UUID whose 122 free bits are taken from `bits`.
    #[inline]
    pub(crate) const fn from_random(bits: u128) -> Self {
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        Self {
            high: high & !0xf000 | 0x4000,
            low: low & !(0b11 << 62) | 0b10 << 62,
        }
    }

    /// The bytes of the UUID, in the order of its text.
    #[cfg(feature = "journal")]
    pub(crate) const fn to_bytes(self) -> [u8; 16] {
        ((self.high as u128) << 64 | self.low as u128).to_be_bytes()
    }

    /// The id of these [bytes](Self::to_bytes), whatever they are.
    #[cfg(feature = "journal")]
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(bytes);
        Self {
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }

    /// Random bits, but for two.
    #[cfg(feature = "aws-protocol")]
    pub(crate) const fn low_bits(self) -> u64 {
        self.low
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where the two digits of each byte stand.
        const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let mut text = [b'-'; Self::TEXT_LENGTH];
        let bytes = [self.high.to_be_bytes(), self.low.to_be_bytes()];
        for (byte, place) in bytes.as_flattened().iter().zip(PLACES) {
            text[place] = b"0123456789abcdef"[usize::from(byte >> 4)];
            text[place + 1] = b"0123456789abcdef"[usize::from(byte & 0xf)];
        }
        f.pad(std::str::from_utf8(&text).expect("invariant: hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

impl FromStr for MessageId {
    type Err = ParseMessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseMessageIdError { text: text.to_owned() };
        if text.len() != Self::TEXT_LENGTH {
            return Err(error());
        }
        let mut bits = 0_u128;
        for (place, character) in text.char_indices() {
            if Self::HYPHENS.contains(&place) {
                if character != '-' {
                    return Err(error());
                }
            } else {
                bits = bits << 4 | u128::from(character.to_digit(16).ok_or_else(error)?);
            }
        }
        Ok(Self {
            high: (bits >> 64) as u64,
            low: bits as u64,
        })
    }
}

/// The place of a message in its FIFO queue: 20 decimal digits, greater for a message accepted later (rules F37, F38).
///
/// Order of numbers, order of their texts and order of acceptance are the same. Numbers are not consecutive.
///
/// # Source
/// [`SendMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SequenceNumber(u64);

impl SequenceNumber {
    /// The number of the `counter`-th message; the text keeps 20 digits for any counter below 3.5 * 10^17.
    pub(crate) const fn new(counter: u64) -> Self {
        Self(counter)
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&(10_000_000_000_000_000_000 + u128::from(self.0) * 256), f)
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceNumber({self})")
    }
}

/// Proof of one reception of a message: what deletes it or changes its visibility (rule D18).
///
/// Every receive of a message makes a handle of its own. The text is opaque, 48 characters of standard base64 that
/// begin with `AQEB`, and [`FromStr`] reads it back; a handle is checked against the queue when it is used, not when it
/// is read.
///
/// # Source
/// [Queue and message identifiers](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html).
///
/// # Examples
/// ```
/// # use requeue::ReceiptHandle;
/// let error = "no handle".parse::<ReceiptHandle>().unwrap_err();
/// assert_eq!(error.to_string(), r#"The input receipt handle "no handle" is not a valid receipt handle."#);
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ReceiptHandle {
    /// The queue the message was received from.
    pub(crate) queue: u64,
    /// Where that queue keeps the message.
    pub(crate) slot: u32,
    /// Which occupant of the slot, so that a handle never names a later message.
    pub(crate) generation: u32,
    /// Which reception of the message.
    pub(crate) sequence: u64,
    /// The seal of the other fields under the queue's key.
    pub(crate) tag: u64,
}

impl ReceiptHandle {
    const PREFIX: &'static str = "AQEB";
    const BYTES: usize = 32;
    const TAG: usize = 24;
    /// Characters behind the prefix.
    const ENCODED: usize = 44;

    /// The handle of one reception, sealed with `key`.
    #[must_use]
    pub(crate) fn sign(key: &SealKey, queue: u64, slot: u32, generation: u32, sequence: u64) -> Self {
        let mut handle = Self {
            queue,
            slot,
            generation,
            sequence,
            tag: 0,
        };
        handle.tag = handle.seal(key);
        handle
    }

    /// Whether [`sign`](Self::sign) made this handle with the same `key`.
    #[must_use]
    pub(crate) fn verify(&self, key: &SealKey) -> bool {
        self.tag == self.seal(key)
    }

    fn seal(&self, key: &SealKey) -> u64 {
        key.seal(&self.to_bytes()[..Self::TAG])
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.queue.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.slot.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.generation.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[Self::TAG..].copy_from_slice(&self.tag.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let word = |at: usize| {
            bytes[at..at + 8]
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte))
        };
        Self {
            queue: word(0),
            slot: (word(8) >> 32) as u32,
            generation: word(8) as u32,
            sequence: word(16),
            tag: word(Self::TAG),
        }
    }
}

impl fmt::Display for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Self::PREFIX.len() + Self::ENCODED];
        let (prefix, encoded) = text.split_at_mut(Self::PREFIX.len());
        prefix.copy_from_slice(Self::PREFIX.as_bytes());
        BASE64.encode_mut(&self.to_bytes(), encoded);
        f.write_str(std::str::from_utf8(&text).expect("invariant: base64 is ASCII"))
    }
}

impl fmt::Debug for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptHandle(")?;
        fmt::Display::fmt(self, f)?;
        f.write_char(')')
    }
}

impl FromStr for ReceiptHandle {
    type Err = ParseReceiptHandleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let decode = || {
            let encoded = text.strip_prefix(Self::PREFIX)?.as_bytes();
            let encoded: &[u8; Self::ENCODED] = encoded.try_into().ok()?;
            // One byte more than there is with the padding.
            let mut bytes = [0; Self::BYTES + 1];
            let length = BASE64.decode_mut(encoded, &mut bytes).ok()?;
            Some(Self::from_bytes(bytes[..length].try_into().ok()?))
        };
        decode().ok_or_else(|| ParseReceiptHandleError {
            handle: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealKey {
        SealKey::new(7, 8)
    }

    #[test]
    fn a_message_id_is_a_version_4_uuid_whatever_bits_it_is_made_of() {
        // M48
        for (bits, text) in [
            (0, "00000000-0000-4000-8000-000000000000"),
            (u128::MAX, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
            (
                0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
                "01234567-89ab-4def-8123-456789abcdef",
            ),
        ] {
            let id = MessageId::from_random(bits);
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(text.to_uppercase().parse(), Ok(id));
        }
        assert_eq!(
            format!("{:?}", MessageId::from_random(0)),
            "MessageId(00000000-0000-4000-8000-000000000000)"
        );
    }

    #[test]
    fn text_that_is_no_uuid_is_refused_as_a_message_id() {
        for text in [
            "",
            "00000000-0000-4000-8000-00000000000",
            "00000000-0000-4000-8000-0000000000000",
            "00000000_0000-4000-8000-000000000000",
            "000000000000-4000-8000-0000-00000000",
            "g0000000-0000-4000-8000-000000000000",
            "+0000000-0000-4000-8000-000000000000",
            "\u{e9}000000-0000-4000-8000-000000000000",
        ] {
            let error = text.parse::<MessageId>().unwrap_err();
            assert_eq!(error.to_string(), format!("message id {text:?} is not a UUID"));
        }
    }

    #[test]
    fn sequence_numbers_have_20_digits_and_order_as_their_texts_do() {
        // F37 F38
        let counters = [0, 1, 2, 255, 1 << 40, 350_000_000_000_000_000];
        for pair in counters.windows(2) {
            let (earlier, later) = (SequenceNumber::new(pair[0]), SequenceNumber::new(pair[1]));
            assert!(earlier < later && earlier.to_string() < later.to_string());
            assert_eq!((earlier.to_string().len(), later.to_string().len()), (20, 20));
        }
        assert_eq!(SequenceNumber::new(1).to_string(), "10000000000000000256");
    }

    #[test]
    fn a_receipt_handle_survives_its_text() {
        // D18 M48
        let handle = ReceiptHandle::sign(&key(), u64::MAX, 1, 2, 0x0102_0304_0506_0708);
        let text = handle.to_string();
        assert!(text.starts_with("AQEB") && text.len() == 48, "{text}");
        assert_eq!(
            BASE64.decode(text.as_bytes()).unwrap().len(),
            35,
            "standard base64 as a whole"
        );
        assert_eq!(text.parse(), Ok(handle));
        assert_eq!(format!("{handle:?}"), format!("ReceiptHandle({text})"));
    }

    #[test]
    fn malformed_receipt_handles_are_refused_with_their_text() {
        // D19, row "malformed"
        let text = ReceiptHandle::sign(&key(), 1, 2, 3, 4).to_string();
        let unused_bits = format!("{}B=", &text[..46]);
        let (short, long) = (&text[..47], format!("{text}A"));
        for bad in [
            "",
            "AQEB",
            "x",
            short,
            &long,
            &text[4..],
            &unused_bits,
            &text.replace('A', "-"),
            &text.replace('A', "_"),
            &text.replace('=', "A"),
            &text.replace('=', ""),
            &format!("{}==", &text[..46]),
            &text.replacen('A', "\u{e9}", 1),
        ] {
            let error = bad.parse::<ReceiptHandle>().unwrap_err();
            assert_eq!(error.code(), "ReceiptHandleIsInvalid");
            assert_eq!(
                error.to_string(),
                format!("The input receipt handle \"{bad}\" is not a valid receipt handle.")
            );
        }
    }

    #[test]
    fn a_receipt_handle_is_verified_by_its_key_and_fails_if_any_bit_changes() {
        // D19, rows "malformed" and "of another queue"
        let handle = ReceiptHandle::sign(&key(), 1, 2, 3, 4);
        assert!(handle.verify(&key()) && !handle.verify(&SealKey::new(7, 9)));
        for bit in 0..ReceiptHandle::BYTES * 8 {
            let mut bytes = handle.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!ReceiptHandle::from_bytes(bytes).verify(&key()), "bit {bit}");
        }
    }

    /// A seal that is a bijection of the XOR of one number per field: a multiplication and two shifts are no secret.
    fn weak_seal(handle: &ReceiptHandle) -> u64 {
        let key = 0x0123_4567_89ab_cdef_u64;
        let place = u64::from(handle.slot) << 32 | u64::from(handle.generation);
        let sum = (place ^ key).wrapping_mul(0xbf58_476d_1ce4_e5b9)
            ^ (handle.sequence ^ key.rotate_left(42)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = (sum ^ sum >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }

    /// Of so many handles that never were given out, how many seals follow from those of `seen` others.
    fn forged(seen: u32, seal: impl Fn(&ReceiptHandle) -> u64) -> (usize, usize) {
        let handle = |slot, sequence| {
            let mut handle = ReceiptHandle::sign(&key(), 1, slot, 1, sequence);
            handle.tag = seal(&handle);
            handle
        };
        // The inverse of the constant modulo 2^64, by Newton's iteration.
        let inverse = (0..6).fold(1_u64, |it, _| {
            it.wrapping_mul(2_u64.wrapping_sub(it.wrapping_mul(0xd6e8_feb8_6659_fd93)))
        });
        let mix = |it: u64| (it ^ it >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let unmix = |it: u64| (it ^ it >> 32).wrapping_mul(inverse);
        let sums = |it: &ReceiptHandle| {
            let sum = unmix(it.tag);
            sum ^ sum >> 32
        };
        // The first message received from every slot, and one slot with every message.
        let (corner, half) = (handle(0, 0), seen / 2);
        let (column, row): (Vec<_>, Vec<_>) = (1..=half).map(|it| (handle(it, 0), handle(0, it.into()))).unzip();
        let targets = column.iter().flat_map(|a| row.iter().map(move |b| (a, b)));
        let valid = targets.filter(|(a, b)| {
            let sum = sums(&corner) ^ sums(a) ^ sums(b);
            let (plain, mixed) = (corner.tag ^ a.tag ^ b.tag, mix(sum));
            let tag = handle(a.slot, b.sequence).tag;
            plain == tag || (mixed ^ mixed >> 32) == tag
        });
        (valid.count(), (half * half) as usize)
    }

    #[test]
    fn the_handles_a_consumer_has_seen_do_not_add_up_to_another() {
        // D19
        for seen in [40, 1_000] {
            let (weak, all) = forged(seen, weak_seal);
            assert_eq!(weak, all, "the attack works");
            assert_eq!(forged(seen, |handle| handle.seal(&key())).0, 0);
        }
    }
}
