//! The seal of receipt handles, and the numbers drawn from a seed.

use {
    super::MessageId,
    siphasher::sip::SipHasher24,
    std::{fmt, hash::Hasher},
};

/// The key that one queue seals its receipt handles with.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct SealKey {
    high: u64,
    low: u64,
}

impl SealKey {
    pub(crate) const fn new(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// The seal of these bytes: who has seen any number of them cannot make another one.
    pub(crate) fn seal(&self, bytes: &[u8]) -> u64 {
        SipHasher24::new_with_keys(self.high, self.low).hash(bytes)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

/// The seed of a service or queue.
///
/// The numbers drawn from it give away neither the seed nor each other: ids that anybody may see must not lead to the
/// key of receipt handles.
#[derive(Clone, Copy)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// What it was made of.
    #[cfg(feature = "journal")]
    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    /// The `number`-th number for a purpose.
    pub(crate) fn draw(self, purpose: &str, number: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.0, 0);
        hasher.write(purpose.as_bytes());
        hasher.write(&number.to_le_bytes());
        hasher.finish()
    }

    /// The `number`-th id of its kind.
    pub(crate) fn draw_id(self, kind: &str, number: u64) -> MessageId {
        let [high, low] = [2 * number, 2 * number + 1].map(|half| u128::from(self.draw(kind, half)));
        MessageId::from_random(high << 64 | low)
    }

    /// The seed of the `number`-th queue or topic, which has this ARN.
    pub(crate) fn of_resource(self, number: u64, arn: &str) -> Self {
        Self(self.draw(arn, number))
    }

    /// The seed of all topics of a service whose journal is opened for the `epoch`-th time.
    #[cfg(feature = "topics")]
    pub(crate) fn of_topics(self, epoch: u64) -> Self {
        Self(self.draw("topics", epoch))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_siphash_2_4() {
        // The first two vectors of the paper's reference implementation: key 00 01 .. 0f, input none and 00.
        let key = SealKey::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(key.seal(&[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(key.seal(&[0]), 0x74f8_39c5_93dc_67fd);
    }

    #[test]
    fn numbers_differ_by_seed_purpose_and_place() {
        let mut drawn = Vec::new();
        for seed in [0, 1, u64::MAX] {
            for purpose in ["", "a", "b"] {
                drawn.extend([0, 1, 2].map(|number| Seed::new(seed).draw(purpose, number)));
            }
            drawn.push(Seed::new(seed).of_resource(1, "arn").0);
        }
        assert_eq!(drawn[0], Seed::new(0).draw("", 0));
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 30);
    }

    #[test]
    fn neither_key_nor_seed_is_printed() {
        assert_eq!(format!("{:?} {:?}", SealKey::new(7, 7), Seed::new(7)), "SealKey Seed");
    }
}
