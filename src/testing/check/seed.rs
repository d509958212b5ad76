//! The seed of a case, in proptest's format.

use {
    crate::state,
    proptest::test_runner::{PersistedSeed, RngAlgorithm, TestRng},
};

/// How proptest begins a seed of its ChaCha generator.
const CHACHA: &str = "cc ";

/// All that chance decides in a case follows from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CaseSeed([u8; 32]);

impl CaseSeed {
    /// Of the case with this number in a check with this seed.
    pub(super) fn of(seed: u64, case: u64) -> Self {
        let first = mix(seed, case);
        let mut bytes = [0; 32];
        let parts = [first, mix(first, 2), mix(first, 3), mix(first, 4)];
        for (place, part) in bytes.chunks_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        Self(bytes)
    }

    /// Decides queue, steps and faults.
    pub(super) fn of_the_steps(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Decides the messages.
    pub(super) fn of_the_messages(self) -> TestRng {
        TestRng::from_seed(RngAlgorithm::ChaCha, &self.0)
    }

    /// As proptest keeps it in a regression file.
    pub(super) fn persisted(self) -> Option<PersistedSeed> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{CHACHA}{digits}").parse().ok()
    }

    /// A seed of a regression file, whoever wrote it; `None` for one of another generator.
    pub(super) fn read(seed: &PersistedSeed) -> Option<Self> {
        let text = seed.to_string();
        let digits = text.strip_prefix(CHACHA)?;
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Another seed from a seed and a number: the `number`-th that SplitMix64 gives.
pub(super) fn mix(seed: u64, number: u64) -> u64 {
    state::mix(seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_comes_back_from_the_form_of_proptest() {
        let seed = CaseSeed::of(7, 3);
        let persisted = seed.persisted().unwrap();
        assert_eq!(persisted.to_string().len(), CHACHA.len() + 64);
        assert_eq!(CaseSeed::read(&persisted), Some(seed));
        assert_ne!(seed, CaseSeed::of(7, 4));
        assert_ne!(seed.of_the_steps(), CaseSeed::of(8, 3).of_the_steps());
        assert_eq!(CaseSeed::read(&"xs 1 2 3 4".parse().unwrap()), None);
    }
}
