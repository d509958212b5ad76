//! How long something takes.

use {
    super::standard::{exponential, gamma, normal, normal_cdf, uniform},
    crate::sim::{ServiceTime, Slow},
    rand::Rng,
    std::{sync::Arc, time::Duration},
};

/// A distribution of times, slow ones included.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Times {
    kind: Kind,
    slow: Option<Slow>,
}

/// All in microseconds.
#[derive(Clone, Debug)]
enum Kind {
    Constant(f64),
    Exponential {
        mean: f64,
    },
    LogNormal {
        mean: f64,
        sd: f64,
        mu: f64,
        sigma: f64,
    },
    Gamma {
        shape: f64,
        scale: f64,
    },
    /// In order.
    Empirical(Arc<[f64]>),
}

/// In microseconds. What takes longer outlasts every run, and no sum of times overflows.
const CENTURY: u64 = 100 * 365 * 86_400 * 1_000_000;

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Times {
    /// The times of `service`, a share of which is as slow as `slow` says.
    pub(in crate::sim) fn new(service: &ServiceTime, slow: Option<Slow>) -> Self {
        let kind = match service {
            ServiceTime::Constant { time } => Kind::Constant(micros(*time)),
            ServiceTime::Exponential { mean } => Kind::Exponential { mean: micros(*mean) },
            ServiceTime::LogNormal { mean, sd } | ServiceTime::Gamma { mean, sd } if sd.is_zero() || mean.is_zero() => {
                Kind::Constant(micros(*mean))
            }
            ServiceTime::LogNormal { mean, sd } => {
                let (mean, sd) = (micros(*mean), micros(*sd));
                let variance = libm::log1p((sd / mean) * (sd / mean));
                Kind::LogNormal {
                    mean,
                    sd,
                    mu: libm::log(mean) - variance / 2.0,
                    sigma: variance.sqrt(),
                }
            }
            ServiceTime::Gamma { mean, sd } => {
                let (mean, sd) = (micros(*mean), micros(*sd));
                Kind::Gamma {
                    shape: (mean / sd) * (mean / sd),
                    scale: sd / mean * sd,
                }
            }
            ServiceTime::Empirical { times, .. } if times.is_empty() => Kind::Constant(0.0),
            ServiceTime::Empirical { times, .. } => {
                let mut times: Vec<_> = times.iter().map(|it| micros(*it)).collect();
                times.sort_unstable_by(f64::total_cmp);
                Kind::Empirical(times.into())
            }
        };
        Self { kind, slow }
    }

    /// A time in microseconds, from 1 to those of a century. Whether it is a slow one is drawn after the time itself.
    #[inline]
    pub(in crate::sim) fn draw(&self, random: &mut impl Rng) -> u64 {
        let mut time = match &self.kind {
            Kind::Constant(time) => *time,
            Kind::Exponential { mean } => mean * exponential(random),
            Kind::LogNormal { mu, sigma, .. } => libm::exp(mu + sigma * normal(random)),
            Kind::Gamma { shape, scale } => scale * gamma(*shape, random),
            Kind::Empirical(times) => times[(uniform(random) * times.len() as f64) as usize],
        };
        if let Some(slow) = &self.slow {
            if uniform(random) < slow.share {
                time *= slow.factor;
            }
        }
        ((time + 0.5) as u64).clamp(1, CENTURY)
    }

    /// In seconds.
    pub(in crate::sim) fn mean(&self) -> f64 {
        let plain = match &self.kind {
            Kind::Constant(time) => *time,
            Kind::Exponential { mean } | Kind::LogNormal { mean, .. } => *mean,
            Kind::Gamma { shape, scale } => shape * scale,
            Kind::Empirical(times) => times.iter().sum::<f64>() / times.len() as f64,
        };
        let slow = self.slow.map_or(1.0, |it| 1.0 + it.share * (it.factor - 1.0));
        plain * slow / 1e6
    }

    /// The mean of the times that are cut off at `limit`, all in seconds; to about a thousandth.
    pub(in crate::sim) fn mean_until(&self, limit: f64) -> f64 {
        const STEPS: u32 = 10_000;
        let step = limit / f64::from(STEPS);
        let survival = |index: u32| 1.0 - self.cdf((f64::from(index) + 0.5) * step);
        (0..STEPS).map(survival).sum::<f64>() * step
    }

    /// The mean of the square, in seconds squared.
    pub(in crate::sim) fn second_moment(&self) -> f64 {
        let plain = match &self.kind {
            Kind::Constant(time) => time * time,
            Kind::Exponential { mean } => 2.0 * mean * mean,
            Kind::LogNormal { mean, sd, .. } => mean * mean + sd * sd,
            Kind::Gamma { shape, scale } => shape * (shape + 1.0) * scale * scale,
            Kind::Empirical(times) => times.iter().map(|it| it * it).sum::<f64>() / times.len() as f64,
        };
        let slow = self
            .slow
            .map_or(1.0, |it| 1.0 + it.share * (it.factor * it.factor - 1.0));
        plain * slow / 1e12
    }

    /// The share of times of at most so many seconds.
    pub(in crate::sim) fn cdf(&self, seconds: f64) -> f64 {
        let time = seconds * 1e6;
        self.slow.map_or_else(
            || self.plain_cdf(time),
            |slow| (1.0 - slow.share) * self.plain_cdf(time) + slow.share * self.plain_cdf(time / slow.factor),
        )
    }

    fn plain_cdf(&self, time: f64) -> f64 {
        if time <= 0.0 {
            return 0.0;
        }
        match &self.kind {
            Kind::Constant(constant) => f64::from(u8::from(*constant <= time)),
            Kind::Exponential { mean } => -libm::expm1(-time / mean),
            Kind::LogNormal { mu, sigma, .. } => normal_cdf((libm::log(time) - mu) / sigma),
            Kind::Gamma { shape, scale } => {
                statrs::function::gamma::checked_gamma_lr(*shape, time / scale).unwrap_or(1.0)
            }
            Kind::Empirical(times) => times.partition_point(|it| *it <= time) as f64 / times.len() as f64,
        }
    }

    /// The shortest time in seconds that a share `p` of all times does not exceed; infinite for a `p` of 1 or more if
    /// the times have no bound.
    pub(in crate::sim) fn quantile(&self, p: f64) -> f64 {
        let bounded = matches!(self.kind, Kind::Constant(_) | Kind::Empirical(_));
        if p >= 1.0 && (p > 1.0 || !bounded) {
            return f64::INFINITY;
        }
        let mut high = self.mean();
        // Doubling would not leave it.
        if high <= 0.0 {
            return 0.0;
        }
        while self.cdf(high) < p && high.is_finite() {
            high *= 2.0;
        }
        let mut low = 0.0;
        while high.is_finite() {
            let middle = f64::midpoint(low, high);
            if middle <= low || high <= middle {
                break;
            }
            if self.cdf(middle) < p {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}
