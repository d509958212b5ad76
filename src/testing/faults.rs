//! Faults between a queue and its users, and their probabilities.

use {
    crate::error::QueueError,
    rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus},
    std::{collections::BTreeMap, fmt},
};

/// A fault of SQS, the network or a consumer that SQS's promises allow.
///
/// What is said of a send, a delete or a change of a visibility timeout is as true of a batch of them, and what is said of
/// a change of a visibility timeout as true of a release and of a postponement.
///
/// # Examples
/// ```
/// use requeue::testing::Fault;
///
/// assert_eq!("DeleteResponseLost".parse(), Ok(Fault::DeleteResponseLost));
/// assert!(!Fault::DuplicateInFlight.is_legal_on_fifo());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Fault {
    /// A message in flight is delivered to somebody else as well; its copy has the same receipt handle. Standard only.
    DuplicateInFlight,
    /// A message is delivered once more although its delete was answered with success (D22). Standard only.
    DuplicateAfterDelete,
    /// The messages of a receive come in reverse order (D13). Standard only.
    Reordered,
    /// A short poll asks servers that hold no message (D14); a long poll asks all. Standard only.
    SampledPoll,
    /// The answer to a receive is lost; its messages are in flight, and nobody holds them.
    ReceiveResponseLost,
    /// A receive is answered with `RequestThrottled`.
    ReceiveThrottled,
    /// A short poll is answered with `OverLimit` (D15). Standard only.
    OverLimit,
    /// A message is deleted, and the answer is lost.
    DeleteResponseLost,
    /// A delete is answered with `ServiceUnavailable`; the message stays.
    DeleteFails,
    /// The answer to a delete is lost, and the delete takes effect only [`Fault::LATE`] later.
    DeleteLate,
    /// A visibility timeout is changed, and the answer is lost.
    VisibilityResponseLost,
    /// A change of a visibility timeout is answered with `ServiceUnavailable`; the timeout stays.
    VisibilityFails,
    /// The answer to a change of a visibility timeout is lost, and it takes effect only [`Fault::LATE`] later.
    VisibilityLate,
    /// One entry of a batch fails in the service, with `InternalError`.
    BatchEntryFails,
    /// A message is sent, the answer is lost, and the producer of a check sends it again.
    SendResponseLost,
    /// The answer to a send is lost, and the message arrives only [`Fault::LATE`] later.
    SendLate,
    /// A send is answered with `RequestThrottled`.
    SendThrottled,
    /// A call is answered with `ServiceUnavailable`, and so is every call of its kind by a consumer for [`Fault::OUTAGE`],
    /// but no more than 100 of them. The kinds are receives, sends, deletes, and changes of a visibility timeout. In a
    /// check only.
    Outage,
    /// A consumer that has received dies before it works. In a check only.
    CrashBeforeWork,
    /// A consumer dies in its work, where that waits or calls the queue, or before the delete. In a check only.
    CrashBeforeDelete,
    /// A consumer dies after the delete and forgets what it knew. In a check only.
    CrashAfterDelete,
    /// A consumer stands still until its messages are visible again. In a check only.
    PausePastVisibility,
    /// Time moves on by [`Fault::JUMP`] at once.
    ClockJump,
}

impl Fault {
    /// Every fault, in the order of their declaration.
    pub const ALL: [Self; 23] = [
        Self::DuplicateInFlight,
        Self::DuplicateAfterDelete,
        Self::Reordered,
        Self::SampledPoll,
        Self::ReceiveResponseLost,
        Self::ReceiveThrottled,
        Self::OverLimit,
        Self::DeleteResponseLost,
        Self::DeleteFails,
        Self::DeleteLate,
        Self::VisibilityResponseLost,
        Self::VisibilityFails,
        Self::VisibilityLate,
        Self::BatchEntryFails,
        Self::SendResponseLost,
        Self::SendLate,
        Self::SendThrottled,
        Self::Outage,
        Self::CrashBeforeWork,
        Self::CrashBeforeDelete,
        Self::CrashAfterDelete,
        Self::PausePastVisibility,
        Self::ClockJump,
    ];

    /// Every fault, and first those that a reader of a story believes at once: what SQS itself tells its users to expect,
    /// then failed calls, lost answers, the death of a consumer, and last what needs unusual timing.
    pub(super) const SIMPLEST_FIRST: [Self; Self::ALL.len()] = [
        Self::DuplicateAfterDelete,
        Self::DuplicateInFlight,
        Self::DeleteFails,
        Self::SendThrottled,
        Self::ReceiveThrottled,
        Self::OverLimit,
        Self::VisibilityFails,
        Self::BatchEntryFails,
        Self::Outage,
        Self::Reordered,
        Self::SampledPoll,
        Self::DeleteResponseLost,
        Self::SendResponseLost,
        Self::VisibilityResponseLost,
        Self::ReceiveResponseLost,
        Self::CrashBeforeWork,
        Self::CrashBeforeDelete,
        Self::CrashAfterDelete,
        Self::DeleteLate,
        Self::VisibilityLate,
        Self::SendLate,
        Self::PausePastVisibility,
        Self::ClockJump,
    ];

    /// How late a late call takes effect.
    pub const LATE: std::time::Duration = std::time::Duration::from_secs(5);

    /// How long an outage lasts.
    pub const OUTAGE: std::time::Duration = std::time::Duration::from_secs(60);

    /// How far the clock jumps.
    pub const JUMP: std::time::Duration = std::time::Duration::from_secs(600);

    /// Whether SQS's promises for a FIFO queue leave room for it; on a standard queue all of them are legal.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Fault;
    /// assert!(Fault::DeleteResponseLost.is_legal_on_fifo());
    /// assert!(!Fault::Reordered.is_legal_on_fifo());
    /// ```
    #[must_use]
    pub const fn is_legal_on_fifo(self) -> bool {
        !matches!(
            self,
            Self::DuplicateInFlight
                | Self::DuplicateAfterDelete
                | Self::Reordered
                | Self::SampledPoll
                | Self::OverLimit
        )
    }

    /// So many times as probable as others in the presets: what strikes many calls at once is to leave time for other
    /// faults.
    const fn share(self) -> f64 {
        match self {
            Self::Outage => 0.1,
            _ => 1.0,
        }
    }

    const fn place(self) -> usize {
        self as usize
    }

    /// Its place among [`SIMPLEST_FIRST`](Self::SIMPLEST_FIRST).
    pub(super) fn strangeness(self) -> usize {
        Self::SIMPLEST_FIRST.iter().take_while(|it| **it != self).count()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::str::FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let named = |fault: &Self| fault.to_string() == text;
        Self::ALL
            .into_iter()
            .find(named)
            .ok_or_else(|| FaultError::Unknown { name: text.to_owned() })
    }
}

/// Why faults cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// SQS rules the fault out for FIFO queues.
    #[error("{fault} cannot happen on the FIFO queue {queue}")]
    #[non_exhaustive]
    NotOnFifo {
        /// The fault.
        fault: Fault,
        /// The queue's name.
        queue: String,
    },
    /// A probability is not between 0 and 1.
    #[error("the probability of {fault} is {probability}, which is not between 0 and 1")]
    #[non_exhaustive]
    Probability {
        /// The fault.
        fault: Fault,
        /// What was given.
        probability: f64,
    },
    /// The service knows no such queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// No fault has this name.
    #[error("no fault is named {name:?}")]
    #[non_exhaustive]
    Unknown {
        /// The name.
        name: String,
    },
}

/// Which faults strike, and when: each with a probability, or by an exact script.
///
/// # Examples
/// ```
/// use requeue::testing::{Fault, Faults};
///
/// let faults = Faults::none().with(Fault::DeleteResponseLost, 0.1).with(Fault::ClockJump, 0.01);
/// assert_eq!(faults.probability(Fault::DeleteResponseLost), 0.1);
/// assert_eq!(faults.probability(Fault::DeleteFails), 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// What was named one by one has to be legal.
    named: BTreeMap<Fault, f64>,
    /// The probability of all others where they are legal, or several, of which the seed takes one.
    strengths: &'static [f64],
    script: BTreeMap<u64, Fault>,
}

impl Faults {
    /// No fault at all.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::{Fault, Faults};
    /// assert!(Fault::ALL.iter().all(|fault| Faults::none().probability(*fault) == 0.0));
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self::preset(&[])
    }

    /// Every fault that is legal for the type of the queue, each about as often as a busy system sees it in a bad week.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::{Fault, Faults};
    /// assert!(Faults::everyday().probability(Fault::CrashBeforeDelete) > 0.0);
    /// ```
    #[must_use]
    pub const fn everyday() -> Self {
        Self::preset(&[0.03])
    }

    /// Every fault that is legal for the type of the queue, as often as leaves a consumer a chance to get anywhere.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::{Fault, Faults};
    /// let (worst, everyday) = (Faults::worst_legal(), Faults::everyday());
    /// assert!(Fault::ALL.iter().all(|fault| worst.probability(*fault) > everyday.probability(*fault)));
    /// ```
    #[must_use]
    pub const fn worst_legal() -> Self {
        Self::preset(&[0.15])
    }

    /// Every fault that is legal for the type of the queue, in each case of a check as often as in
    /// [`everyday`](Self::everyday), as in [`worst_legal`](Self::worst_legal), or twice as often as that.
    ///
    /// The seed of the case decides which, since some bugs need a rare fault in peace and others two faults in a row. For
    /// a queue outside a check it is the seed that it is given.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::{Fault, Faults};
    /// let [mixed, worst] = [Faults::mixed(), Faults::worst_legal()];
    /// assert!(mixed.probability(Fault::DeleteFails) > worst.probability(Fault::DeleteFails));
    /// ```
    #[must_use]
    pub const fn mixed() -> Self {
        Self::preset(&[0.03, 0.15, 0.3])
    }

    const fn preset(strengths: &'static [f64]) -> Self {
        Self {
            named: BTreeMap::new(),
            strengths,
            script: BTreeMap::new(),
        }
    }

    /// The given faults at the given opportunities, counted from 1, and no others.
    ///
    /// An opportunity is a call, or a moment of a check, at which some fault could strike; one that the script names
    /// for an opportunity where it cannot strike does not.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, testing::{Fault, Faults, FaultyQueue}};
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let jobs = FaultyQueue::new(&jobs, &clock, Faults::script([(2, Fault::SendThrottled)]), 1)?;
    /// assert!(jobs.send("resize cat.png").is_ok());
    /// assert_eq!(jobs.send("resize dog.png").unwrap_err().code(), Some("RequestThrottled"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn script(faults: impl IntoIterator<Item = (u64, Fault)>) -> Self {
        Self {
            script: faults.into_iter().collect(),
            ..Self::none()
        }
    }

    /// Sets the probability of one fault, 0 to 1, at each opportunity. In a check at most one fault strikes in a step:
    /// after it the other calls of that step go through.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::{Fault, Faults};
    /// let faults = Faults::everyday().with(Fault::ClockJump, 0.0);
    /// assert_eq!(faults.probability(Fault::ClockJump), 0.0);
    /// ```
    #[must_use]
    pub fn with(mut self, fault: Fault, probability: f64) -> Self {
        self.named.insert(fault, probability);
        self
    }

    /// The probability of one fault, where it is legal; of [`mixed`](Self::mixed) faults, their mean.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::{Fault, Faults};
    /// assert_eq!(Faults::none().probability(Fault::OverLimit), 0.0);
    /// ```
    #[must_use]
    pub fn probability(&self, fault: Fault) -> f64 {
        match self.named.get(&fault) {
            Some(probability) => *probability,
            None => fault.share() * self.strengths.iter().sum::<f64>() / self.strengths.len().max(1) as f64,
        }
    }

    /// What can strike on a queue of this type, apart from a script; the simplest faults come first.
    pub(super) fn legal(&self, fifo: bool) -> impl Iterator<Item = Fault> + '_ {
        let legal = move |fault: &Fault| !fifo || fault.is_legal_on_fifo();
        let likely = |fault: &Fault| self.probability(*fault) > 0.0;
        Fault::SIMPLEST_FIRST.into_iter().filter(legal).filter(likely)
    }

    /// Whether every probability is one.
    pub(super) fn check(&self) -> Result<(), FaultError> {
        let all = Fault::ALL.map(|fault| (fault, self.probability(fault)));
        match all.into_iter().find(|it| !(0.0..=1.0).contains(&it.1)) {
            Some((fault, probability)) => Err(FaultError::Probability { fault, probability }),
            None => Ok(()),
        }
    }

    /// What strikes on a queue of this type, with a seed.
    pub(super) fn chance(&self, queue: &str, fifo: bool, seed: u64) -> Result<Chance, FaultError> {
        let wanted = self.named.iter().filter(|it| *it.1 != 0.0).map(|it| *it.0);
        let illegal = |fault: &Fault| fifo && !fault.is_legal_on_fifo();
        if let Some(fault) = wanted.chain(self.script.values().copied()).find(illegal) {
            let queue = queue.to_owned();
            return Err(FaultError::NotOnFifo { fault, queue });
        }
        self.check()?;
        let mut table = [0.0; Fault::ALL.len()];
        let strength = match self.strengths {
            [] => 0.0,
            several => several[(seed % several.len() as u64) as usize],
        };
        for fault in Fault::ALL.into_iter().filter(|fault| !illegal(fault)) {
            let preset = strength * fault.share();
            table[fault.place()] = self.named.get(&fault).copied().unwrap_or(preset);
        }
        Ok(Chance {
            table,
            script: self.script.clone(),
            opportunities: 0,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
        })
    }
}

/// Draws faults.
#[derive(Clone, Debug)]
pub(super) struct Chance {
    table: [f64; Fault::ALL.len()],
    script: BTreeMap<u64, Fault>,
    opportunities: u64,
    random: Xoshiro256PlusPlus,
}

impl Chance {
    /// One opportunity for these faults.
    pub(super) fn draw(&mut self, candidates: &[Fault]) -> Option<Fault> {
        self.opportunities += 1;
        if let Some(fault) = self.script.get(&self.opportunities) {
            return candidates.contains(fault).then_some(*fault);
        }
        candidates.iter().copied().find(|fault| {
            let probability = self.table[fault.place()];
            probability > 0.0 && self.unit() < probability
        })
    }

    /// A number from 0 up to but not including `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.random.next_u64() % end
    }

    fn unit(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
