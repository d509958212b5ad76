//! What is done to a dispatcher.

use {super::*, proptest::prelude::*};

pub(super) const WINDOW: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) concurrency: usize,
    pub(super) prefetch: usize,
    pub(super) fifo: bool,
    pub(super) batch: Option<BatchSettings>,
    pub(super) end: End,
    pub(super) give_back_after: u64,
    pub(super) limits: Limits,
    pub(super) heartbeat: bool,
    /// In seconds.
    pub(super) handler_timeout: Option<u64>,
    /// Workers are added when there is something to do, and not all at once.
    pub(super) on_demand: bool,
}

/// The limits on what may begin: rates as seconds for a job and the burst.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) rate: Option<(u32, u32)>,
    pub(super) group_rate: Option<(u32, u32)>,
    pub(super) group_concurrency: Option<usize>,
    pub(super) max_held: usize,
    pub(super) receive_ahead: bool,
}

impl Limits {
    pub(super) const NONE: Self = Self {
        rate: None,
        group_rate: None,
        group_concurrency: None,
        max_held: 0,
        receive_ahead: false,
    };
}

fn limits() -> impl Strategy<Value = Limits> {
    let rate = || prop::option::weighted(0.4, (1_u32..4, 2_u32..4));
    let group_rate = prop::option::weighted(0.4, (1_u32..4, 1_u32..3));
    let group_concurrency = prop::option::weighted(0.3, 1_usize..3);
    let some = (rate(), group_rate, group_concurrency, 0_usize..6, any::<bool>());
    let some = some.prop_map(
        |(rate, group_rate, group_concurrency, max_held, receive_ahead)| Limits {
            rate,
            group_rate,
            group_concurrency,
            max_held,
            receive_ahead,
        },
    );
    prop_oneof![1 => Just(Limits::default()), 2 => some]
}

pub(super) fn setup() -> impl Strategy<Value = Setup> {
    let batch = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Duration::ZERO)),
        2 => Just(Some(WINDOW)),
    ];
    let end = prop_oneof![2 => Just(End::Never), 1 => Just(End::NoneVisible), 1 => Just(End::NoneLeft)];
    let handler_timeout = prop::option::weighted(0.4, 1_u64..8);
    let heartbeat = prop::bool::weighted(0.7);
    let rest = (
        any::<bool>(),
        0_u64..2,
        any::<bool>(),
        limits(),
        heartbeat,
        handler_timeout,
    );
    (1_usize..4, 0_usize..3, batch, end, rest).prop_map(|(concurrency, prefetch, window, end, rest)| {
        let (fifo, give_back, on_demand, limits, heartbeat, handler_timeout) = rest;
        let window_of = |window: Duration| if fifo { Duration::ZERO } else { window };
        Setup {
            concurrency,
            prefetch,
            fifo,
            batch: window.map(|window| BatchSettings::new(2).window(window_of(window))),
            end,
            give_back_after: give_back * 20,
            limits,
            heartbeat,
            handler_timeout,
            on_demand,
        }
    })
}

/// What is done next; `nth` is one of those that it can be done to.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A worker asks for a task.
    Turn {
        nth: usize,
    },
    /// A receive is answered with messages of these groups, or fails, or is dropped.
    Answer {
        nth: usize,
        groups: Option<Vec<u8>>,
    },
    Count {
        nth: usize,
        total: u64,
        approximate: bool,
    },
    /// A work item ends; so many of its jobs had lost their leases before they began.
    Finish {
        nth: usize,
        left_out: usize,
    },
    /// A work item fails, and those behind it in its group leave the backlog.
    Fail {
        nth: usize,
    },
    LoseLease {
        nth: usize,
    },
    GiveBack,
    /// A worker that was added could not be started.
    NotStarted {
        nth: usize,
    },
    /// The messages of a handler that has timed out are settled.
    SettleStuck,
    Renew,
    /// A worker has put messages off.
    PutOff {
        nth: usize,
    },
    Stop,
    Pause,
    Resume,
    SetConcurrency {
        concurrency: usize,
    },
    Pass {
        seconds: u64,
    },
    /// All who were woken go on until nobody was.
    Settle,
    /// The shutdown timeout is over.
    Abandon,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let nth = || 0_usize..8;
    let groups = prop_oneof![
        1 => Just(None),
        2 => Just(Some(Vec::new())),
        6 => prop::collection::vec(0_u8..3, 1..6).prop_map(Some),
    ];
    prop_oneof![
        8 => nth().prop_map(|nth| Step::Turn { nth }),
        8 => (nth(), groups).prop_map(|(nth, groups)| Step::Answer { nth, groups }),
        2 => (nth(), 0_u64..2, any::<bool>())
            .prop_map(|(nth, total, approximate)| Step::Count { nth, total, approximate }),
        6 => (nth(), prop_oneof![4 => Just(0_usize), 1 => Just(1)])
            .prop_map(|(nth, left_out)| Step::Finish { nth, left_out }),
        2 => nth().prop_map(|nth| Step::Fail { nth }),
        2 => nth().prop_map(|nth| Step::LoseLease { nth }),
        2 => Just(Step::GiveBack),
        3 => nth().prop_map(|nth| Step::PutOff { nth }),
        3 => nth().prop_map(|nth| Step::NotStarted { nth }),
        2 => Just(Step::SettleStuck),
        3 => Just(Step::Renew),
        1 => prop_oneof![1 => Just(Step::Stop), 5 => Just(Step::Settle)],
        2 => Just(Step::Pause),
        3 => Just(Step::Resume),
        3 => (1_usize..5).prop_map(|concurrency| Step::SetConcurrency { concurrency }),
        3 => (0_u64..8).prop_map(|seconds| Step::Pass { seconds }),
        6 => Just(Step::Settle),
        1 => Just(Step::Abandon),
    ]
}

impl Model {
    /// The leases of these jobs are renewed, or what no handler has begun goes back.
    pub(super) fn due(&mut self, jobs: &[Job]) {
        for job in jobs {
            let place = self.jobs[self.place_of(job)].1;
            assert!(matches!(place, Place::Backlog | Place::InProgress(_)), "{place:?}");
            assert!(!job.lease().is_lost() && job.lease().renew_at() <= self.now);
        }
        for job in jobs {
            job.lease().set_renew_at(self.now.saturating_add(RENEW_INTERVAL));
            if !self.setup.heartbeat {
                self.take_unbegun(job);
            }
        }
        self.dispatcher.renewed(jobs.len());
    }

    fn take_unbegun(&mut self, job: &Job) {
        let at = self.place_of(job);
        let waits = self.jobs[at].1 == Place::Backlog;
        let taken = self.dispatcher.take_unbegun(job);
        let wakers = self.dispatcher.wake_parked(self.now);
        self.wake(wakers);
        assert_eq!(taken.first().map(|it| self.place_of(it)), waits.then_some(at));
        if waits {
            self.jobs[at].1 = Place::Leaving;
            self.leave(at, &taken[1..]);
        }
    }

    pub(super) fn abandon(&mut self) {
        if !self.stopped {
            return;
        }
        self.dispatcher.abandon();
        self.timed_out = true;
        for (_, place) in &mut self.jobs {
            if matches!(place, Place::InProgress(_)) {
                *place = Place::Abandoned;
            }
        }
    }

    /// As the renewer's caller does with a thread that cannot be started while the runner goes on.
    pub(super) fn not_started(&mut self, nth: usize) {
        let workers = &self.dispatcher.workers;
        let fresh =
            |it: &&usize| matches!(self.drivers[it].0, Driver::Asking) && workers[**it].phase == Phase::Runnable;
        let fresh: Vec<usize> = self.drivers.keys().filter(fresh).copied().collect();
        if self.setup.on_demand || fresh.is_empty() || self.drivers.len() == 1 {
            return;
        }
        let worker = fresh[nth % fresh.len()];
        self.dispatcher.retire(worker);
        let staff = self.dispatcher.staff();
        let wakers = self.dispatcher.worker_ended(worker, Some(self.now));
        self.drivers.remove(&worker);
        self.wake(wakers);
        self.take(Step::SetConcurrency { concurrency: staff });
    }
}
