//! One schedule, made of a number.

use {
    super::limits::Limits,
    crate::common::{millis, secs},
    requeue::{
        backend::Backoff,
        testing::{Fault, Faults},
        worker::FailurePolicy,
    },
    std::time::Duration,
};

/// What the calls of runners meet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Net {
    None,
    Everyday,
    Worst,
    /// The worst, without what lets two consumers hold a message at a time.
    NoDuplicates,
}

impl Net {
    pub(crate) fn faults(self) -> Faults {
        match self {
            Self::None => Faults::none(),
            Self::Everyday => Faults::everyday(),
            Self::Worst => Faults::worst_legal(),
            Self::NoDuplicates => {
                let faults = [
                    Fault::DuplicateInFlight,
                    Fault::DuplicateAfterDelete,
                    // By an old handle a late call works on the reception of somebody else (D19).
                    Fault::VisibilityLate,
                ];
                faults
                    .into_iter()
                    .fold(Faults::worst_legal(), |faults, fault| faults.with(fault, 0.0))
            }
        }
    }

    /// Whether two may hold a message at a time.
    pub(crate) fn duplicates(self, fifo: bool) -> bool {
        !fifo && matches!(self, Self::Everyday | Self::Worst)
    }
}

/// Chance, the same on every machine (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 up to but not including `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) fifo: bool,
    pub(crate) net: Net,
    pub(crate) messages: usize,
    pub(crate) groups: u64,
    pub(crate) visibility: Duration,
    /// After so many receives the dead-letter queue has it.
    pub(crate) max_receive_count: Option<u32>,
    /// Runners that work at a time.
    pub(crate) runners: usize,
    /// Runners that are dropped or stopped.
    pub(crate) ends: u64,
    /// What is given back does not count, as on an embedded queue; otherwise it is as on Amazon SQS.
    pub(crate) restores: bool,
    /// Its runners have limits on what begins.
    pub(crate) limits: bool,
}

impl Case {
    pub(crate) fn new(seed: u64, fifo: bool, net: Net) -> Self {
        let mut dice = Dice::new(seed ^ 0xca5e);
        Self {
            seed,
            fifo,
            net,
            messages: 4 + dice.below(14) as usize,
            groups: 1 + dice.below(4),
            visibility: secs([5, 12, 30][dice.below(3) as usize]),
            max_receive_count: dice.once_in(2).then(|| 2 + dice.below(5) as u32),
            runners: 1 + dice.below(3) as usize,
            ends: 1 + dice.below(6),
            restores: dice.once_in(2),
            limits: false,
        }
    }

    pub(crate) fn with_limits(self) -> Self {
        Self { limits: true, ..self }
    }
}

/// How one runner is to work.
#[derive(Clone, Debug)]
pub(crate) struct RunnerPlan {
    pub(crate) concurrency: usize,
    pub(crate) prefetch: usize,
    /// Size of its batches, if it has them.
    pub(crate) batch: Option<usize>,
    pub(crate) window: Duration,
    pub(crate) policy: FailurePolicy,
    pub(crate) heartbeat: bool,
    pub(crate) handler_timeout: Option<Duration>,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) limits: Limits,
}

impl RunnerPlan {
    pub(crate) fn draw(dice: &mut Dice, case: &Case) -> Self {
        let backoff = Backoff::new(millis(500), secs(20));
        let batch = dice.once_in(3).then(|| 1 + dice.below(5) as usize);
        Self {
            concurrency: 1 + dice.below(5) as usize,
            prefetch: dice.below(10) as usize,
            batch,
            window: match case.fifo {
                false if dice.once_in(2) => secs(dice.below(8)),
                _ => Duration::ZERO,
            },
            policy: [
                FailurePolicy::LeaveToTimeout,
                FailurePolicy::RetryNow,
                FailurePolicy::Backoff(backoff),
            ][dice.below(3) as usize],
            heartbeat: !dice.once_in(4),
            handler_timeout: dice
                .once_in(3)
                .then(|| millis(1 + dice.below(case.visibility.as_millis() as u64))),
            shutdown_timeout: secs([0, 1, 10, 60][dice.below(4) as usize]),
            limits: if case.limits {
                Limits::draw(dice, batch.unwrap_or(1))
            } else {
                Limits::default()
            },
        }
    }
}

/// What a handler does with one message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Succeed,
    Fail,
    Panic,
    RetryAfter,
    DeadLetter,
    Discard,
    /// It never ends by itself.
    Hang,
}

impl Act {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        match dice.below(24) {
            0..=3 => Self::Fail,
            4 => Self::Panic,
            5 => Self::RetryAfter,
            6 => Self::DeadLetter,
            7 => Self::Discard,
            8 => Self::Hang,
            _ => Self::Succeed,
        }
    }
}
