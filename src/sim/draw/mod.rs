//! What is drawn by chance: arrivals, groups, and times.
//!
//! Each draw depends on the seed, the replication, the purpose, a name, the number of the message and the attempt, and
//! never on the order in which the engine asks: the points of a sweep see the same chance. The mathematics is that of
//! the four operations, `floor`, `sqrt` and `libm`, so that the draws are the same to the last bit on every machine.

mod arrivals;
mod groups;
mod standard;
mod times;

pub(in crate::sim) use {
    arrivals::{Arrival, ArrivalStream},
    standard::{exponential, uniform},
    times::Times,
};

use {
    rand::{SeedableRng, rngs::Xoshiro256PlusPlus},
    siphasher::sip::SipHasher13,
    std::hash::Hasher,
};

/// The generator of all draws.
pub(in crate::sim) type Generator = Xoshiro256PlusPlus;

/// The chance of one replication.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Streams {
    seed: u64,
    replication: u32,
}

impl Streams {
    pub(in crate::sim) const fn new(seed: u64, replication: u32) -> Self {
        Self { seed, replication }
    }

    /// The key of what is drawn for `purpose` by the producer, fleet or queue of this name.
    pub(in crate::sim) fn key(self, purpose: &str, name: &str) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(&self.seed.to_le_bytes());
        hasher.write(&self.replication.to_le_bytes());
        hasher.write(purpose.as_bytes());
        // No text has this byte, so the two cannot be divided in another way.
        hasher.write(&[0xff]);
        hasher.write(name.as_bytes());
        hasher.finish()
    }
}

/// A generator of its own for an attempt at a message. With the same key and attempt no two messages share one.
#[inline]
pub(in crate::sim) fn generator(key: u64, number: u64, attempt: u32) -> Generator {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let message = mix(key ^ number.wrapping_mul(STEP));
    Generator::seed_from_u64(mix(message ^ u64::from(attempt).wrapping_mul(STEP)))
}

/// The finaliser of SplitMix64: a permutation, each bit of which depends on all bits of `z`.
#[inline]
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
