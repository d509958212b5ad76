//! The message group of each message.

use {
    super::{generator, uniform},
    crate::sim::Groups,
    rand::Rng,
    std::sync::Arc,
};

/// Draws a group by the number of the message.
#[derive(Clone, Debug)]
pub(super) struct GroupDraw {
    key: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    None,
    Equal {
        count: u32,
    },
    /// The share of the first k groups, for each k.
    Shares(Box<[f64]>),
    Noisy {
        count: u32,
        share: f64,
    },
}

impl GroupDraw {
    pub(super) fn new(groups: &Groups, key: u64) -> Self {
        let limit = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let kind = match *groups {
            Groups::None => Kind::None,
            Groups::Equal { count } => Kind::Equal { count: limit(count) },
            Groups::Zipf { count, exponent } => Kind::Shares(zipf(limit(count), exponent)),
            Groups::Noisy { count, share } => Kind::Noisy {
                count: limit(count),
                share,
            },
        };
        Self { key, kind }
    }

    pub(super) const fn count(&self) -> u32 {
        match &self.kind {
            Kind::None => 0,
            Kind::Equal { count } | Kind::Noisy { count, .. } => *count,
            Kind::Shares(shares) => shares.len() as u32,
        }
    }

    #[inline]
    pub(super) fn draw(&self, number: u64) -> Option<u32> {
        match &self.kind {
            Kind::None => None,
            Kind::Equal { count } => Some(below(*count, self.random(number).next_u64())),
            Kind::Shares(shares) => {
                let u = uniform(&mut self.random(number));
                let group = shares.partition_point(|share| *share <= u);
                Some(group.min(shares.len() - 1) as u32)
            }
            Kind::Noisy { count, share } => {
                let mut random = self.random(number);
                let noisy = *count == 1 || uniform(&mut random) < *share;
                Some(if noisy {
                    0
                } else {
                    1 + below(count - 1, random.next_u64())
                })
            }
        }
    }

    fn random(&self, number: u64) -> super::Generator {
        generator(self.key, number, 0)
    }
}

/// From 0 to `count` - 1, in proportion to `random`.
#[inline]
fn below(count: u32, random: u64) -> u32 {
    ((u128::from(random) * u128::from(count)) >> 64) as u32
}

fn zipf(count: u32, exponent: f64) -> Box<[f64]> {
    let mut sum = 0.0;
    let mut shares: Box<[f64]> = (1..=count)
        .map(|k| {
            sum += libm::pow(f64::from(k), -exponent);
            sum
        })
        .collect();
    shares.iter_mut().for_each(|it| *it /= sum);
    shares
}

/// `group-0001` for the first.
pub(super) fn names(count: u32) -> impl Iterator<Item = Arc<str>> {
    (1..=count).map(|k| format!("group-{k:04}").into())
}
