//! The parts of a run: the points of its series, its warm-up, and the batches of what is measured.

use {
    super::agenda::Micros,
    crate::sim::{measure::BATCHES, scenario::Scenario},
    std::time::Duration,
};

/// What the clock of the queues shows, and runners go by, is whole milliseconds.
pub(super) const TICK: Micros = 1_000;

pub(super) fn micros(span: Duration) -> Micros {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn seconds(span: Micros) -> f64 {
    span as f64 / 1e6
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) end: Micros,
    pub(super) warm_up: Micros,
    points: u64,
}

/// Where an instant lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) point: usize,
    /// None during the warm-up.
    pub(super) batch: Option<usize>,
    /// Where the point or the batch ends.
    pub(super) until: Micros,
}

impl Window {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            end: micros(scenario.horizon),
            warm_up: micros(scenario.warm_up),
            points: scenario.points as u64,
        }
    }

    /// The place of an instant before the end.
    pub(super) fn place(&self, at: Micros) -> Place {
        let (point, point_until) = part(at, 0, self.end, self.points);
        if at < self.warm_up {
            return Place {
                point,
                batch: None,
                until: point_until.min(self.warm_up),
            };
        }
        let (batch, batch_until) = part(at, self.warm_up, self.end, BATCHES as u64);
        Place {
            point,
            batch: Some(batch),
            until: point_until.min(batch_until),
        }
    }

    /// How long a point of the series is, in seconds.
    pub(super) fn point_seconds(&self) -> f64 {
        seconds(self.end) / self.points as f64
    }
}

/// Which of `parts` equal parts of the time from `from` to `until` an instant lies in, and where that part ends.
fn part(at: Micros, from: Micros, until: Micros, parts: u64) -> (usize, Micros) {
    let span = u128::from((until - from).max(1));
    let index = u128::from(at - from) * u128::from(parts) / span;
    let index = index.min(u128::from(parts) - 1);
    let end = from + ((index + 1) * span).div_ceil(u128::from(parts)) as u64;
    (index as usize, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_without_gap() {
        for (from, until, parts) in [(0, 1_000, 7), (333, 1_000, 20), (5, 6, 20), (0, u64::MAX / 2, 240)] {
            let mut at = from;
            let mut seen = Vec::new();
            while at < until {
                let (index, end) = part(at, from, until, parts);
                assert!(end > at, "{at} of {from}..{until} in {parts}");
                seen.push(index);
                assert_eq!(part(end - 1, from, until, parts).0, index);
                at = end;
            }
            assert!(seen.is_sorted() && seen.len() <= parts as usize);
            assert_eq!(at.min(until), until);
        }
    }
}
