//! Who does what next: the hands of a runner, the jobs they work on, and those that wait for a hand.
//!
//! A *hand* is a permit to run one handler; what runs for it, a thread or a future, asks the desk what to do. One hand
//! at a time waits at the queue, for as many messages as there are free hands; while messages keep coming, other free
//! hands ask the queue as well, without waiting. A hand that is not needed is *parked* until it is called.
//!
//! Time is passed in, and nothing here calls a queue, a handler or a waker.

use {
    super::{
        books::{Books, Count, Outcome},
        job::Job,
        message_queue::MessageQueueError,
        waiting::{Unit, Waiting},
    },
    crate::time::Timestamp,
    std::{mem, task::Waker, time::Duration},
};

/// What a desk has to know of its runner.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeskPlan {
    pub(super) concurrency: usize,
    /// So many messages more than there are free hands are asked for.
    pub(super) prefetch: usize,
    /// Messages that one handler call takes.
    pub(super) unit: usize,
    pub(super) max_messages: usize,
    pub(super) wait_time: Duration,
    pub(super) until_empty: bool,
    pub(super) fifo: bool,
    /// A job wants the keeper's attention this long after it came in, and not before.
    pub(super) beat: Duration,
}

/// What a hand is to do.
#[derive(Debug)]
pub(super) enum Task {
    /// With the instant at which it begins.
    Work(Unit, Timestamp),
    Poll(Ask),
    End,
}

/// A receive to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) max_messages: usize,
    pub(super) wait_time: Duration,
    /// What had come back to the queue by then, or may have.
    returns: u64,
}

/// What the keeper of the leases is to do.
#[derive(Debug)]
pub(super) enum Rounds {
    /// The leases of these jobs are due to be renewed, or have ended.
    Due(Vec<Job>),
    /// Nobody will begin these any more: the runner stops.
    GiveBack(Vec<Job>),
    /// Nothing before this instant, or until it is woken.
    Sleep(Timestamp),
    Over,
}

#[derive(Debug, Default)]
struct Hand {
    /// What it works on, and since when.
    unit: Option<(Unit, Timestamp)>,
    /// So many jobs of it are not begun, and counted as that.
    not_begun: usize,
    /// How to call it while it is parked or waits at the queue.
    waker: Option<Waker>,
    /// Called or hired, and not here yet.
    coming: bool,
}

#[derive(Debug)]
pub(super) struct Desk {
    plan: DeskPlan,
    waiting: Waiting,
    hands: Vec<Hand>,
    /// Hands with nothing to do; the last to come is called first.
    parked: Vec<usize>,
    /// How many of the hands are coming.
    coming: usize,
    working: usize,
    /// Hands that have not ended.
    alive: usize,
    /// Receives under way, and for how many messages.
    polls: usize,
    asked: usize,
    /// One of them waits.
    long_poll: bool,
    /// The last receive that ended brought messages.
    flowing: bool,
    /// A receive brought nothing, and nothing has come back to the queue since it began.
    dry: bool,
    /// So often something may have come back to the queue.
    returns: u64,
    stopped_at: Option<Timestamp>,
    error: Option<MessageQueueError>,
    /// A hand ended although nobody had stopped the runner.
    deserted: bool,
    keeper: Option<Waker>,
    /// When the keeper comes by itself, if it sleeps.
    keeper_until: Timestamp,
    /// What had been received when the keeper last had nothing to keep.
    kept_nothing_at: Option<u64>,
    pub(super) books: Books,
}

impl Desk {
    pub(super) fn new(plan: DeskPlan, waiting: Waiting, books: Books) -> Self {
        Self {
            plan,
            waiting,
            hands: Vec::new(),
            parked: Vec::new(),
            coming: 0,
            working: 0,
            alive: 0,
            polls: 0,
            asked: 0,
            long_poll: false,
            flowing: false,
            dry: false,
            returns: 0,
            stopped_at: None,
            error: None,
            deserted: false,
            keeper: None,
            keeper_until: Timestamp::ZERO,
            kept_nothing_at: None,
            books,
        }
    }

    // Hands.

    /// Another hand, if the work at hand asks for one and there may be one.
    pub(super) fn hire(&mut self, now: Timestamp) -> Option<usize> {
        let may = self.hands.len() < self.plan.concurrency && self.stopped_at.is_none();
        (may && self.parked.is_empty() && self.needs_hands(now)).then(|| self.hire_anyway())
    }

    pub(super) fn hire_anyway(&mut self) -> usize {
        self.hands.push(Hand {
            coming: true,
            ..Hand::default()
        });
        self.coming += 1;
        self.alive += 1;
        self.hands.len() - 1
    }

    /// A hand ends; says whom to wake.
    ///
    /// One that ends before the runner does has been torn down, by a panic or by a wrapper of its thread that did not call
    /// it. What it was about nobody would take up again, so it takes the runner with it.
    pub(super) fn leave(&mut self, now: Timestamp) -> Vec<Waker> {
        self.alive -= 1;
        if self.stopped_at.is_none() {
            self.deserted = true;
            return self.stop(now, None);
        }
        match self.alive {
            0 => self.keeper.take().into_iter().collect(),
            // The keeper waits for the last one.
            _ => Vec::new(),
        }
    }

    /// What this hand is to do next, if there is something.
    pub(super) fn next(&mut self, hand: usize, now: Timestamp) -> Option<Task> {
        if mem::take(&mut self.hands[hand].coming) {
            self.coming -= 1;
        } else if self.hands[hand].waker.take().is_some() {
            self.parked.retain(|parked| *parked != hand);
        }
        if self.stopped_at.is_some() {
            return Some(Task::End);
        }
        if let Some(unit) = self.waiting.take(now) {
            self.begin(hand, &unit, now);
            return Some(Task::Work(unit, now));
        }
        let ask = self.ask(now)?;
        self.polls += 1;
        self.asked += ask.max_messages;
        self.long_poll |= !ask.wait_time.is_zero();
        Some(Task::Poll(ask))
    }

    /// This hand has nothing to do until it is called by this waker; says when it is to come by itself.
    pub(super) fn park(&mut self, hand: usize, waker: &Waker) -> Option<Timestamp> {
        self.hands[hand].waker = Some(waker.clone());
        self.parked.push(hand);
        self.waiting.ripe_at()
    }

    /// Whether there is nothing more to do; says whom to wake if that is so.
    pub(super) fn is_done(&mut self, now: Timestamp) -> Option<Vec<Waker>> {
        let idle = self.working == 0 && self.polls == 0 && self.waiting.len() == 0;
        let done = self.plan.until_empty && self.dry && idle && self.stopped_at.is_none();
        done.then(|| self.stop(now, None))
    }

    /// How to call a hand that waits at the queue; `false` if it is not to wait.
    pub(super) fn listen(&mut self, hand: usize, waker: &Waker) -> bool {
        let held = &mut self.hands[hand].waker;
        if !held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *held = Some(waker.clone());
        }
        self.stopped_at.is_none()
    }

    fn begin(&mut self, hand: usize, unit: &Unit, now: Timestamp) {
        for job in unit.jobs() {
            self.books.waited(now.saturating_duration_since(job.sent_timestamp()));
        }
        self.hands[hand].unit = Some((unit.clone(), now));
        self.working += 1;
    }

    /// The receive that a free hand may make.
    fn ask(&self, now: Timestamp) -> Option<Ask> {
        let free = (self.plan.concurrency - self.working).saturating_mul(self.plan.unit);
        // What waits on a FIFO queue waits for its group, and not for a hand.
        let waiting = if self.plan.fifo { 0 } else { self.waiting.len() };
        let room = (free.saturating_add(self.plan.prefetch)).saturating_sub(waiting + self.asked);
        let wanted = self.polls == 0 || self.flowing;
        let settled = self.plan.until_empty && self.dry;
        if room == 0 || !wanted || settled {
            return None;
        }
        let ripe = self.waiting.ripe_at().map(|at| at.saturating_duration_since(now));
        let wait_time = if self.long_poll || self.plan.until_empty {
            Duration::ZERO
        } else {
            self.plan.wait_time.min(ripe.unwrap_or(Duration::MAX))
        };
        Some(Ask {
            max_messages: self.plan.max_messages.min(room),
            wait_time,
            returns: self.returns,
        })
    }

    fn needs_hands(&self, now: Timestamp) -> bool {
        let pollers = usize::from(self.polls == 0 || self.flowing);
        self.waiting.startable(now) + pollers > self.coming
    }

    /// The hand goes on by itself, and comes back at once.
    fn come_back(&mut self, hand: usize) {
        self.hands[hand].waker = None;
        if !mem::replace(&mut self.hands[hand].coming, true) {
            self.coming += 1;
        }
    }

    /// Calls parked hands for what there is to do besides, after one has been told what to do itself.
    pub(super) fn call(&mut self, now: Timestamp) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while !self.parked.is_empty() && self.needs_hands(now) {
            let called = self.parked.pop().map(|at| &mut self.hands[at]);
            if let Some(called) = called {
                called.coming = true;
                self.coming += 1;
                wakers.extend(called.waker.take());
            }
        }
        wakers
    }

    // Messages.

    /// A receive is over, with these jobs, or without an answer; says whom to wake.
    pub(super) fn received(&mut self, hand: usize, ask: Ask, jobs: Option<impl Iterator<Item = Job>>) -> Option<Waker> {
        self.polls -= 1;
        self.asked -= ask.max_messages;
        self.long_poll &= ask.wait_time.is_zero();
        let (answered, mut beat) = (jobs.is_some(), None);
        for job in jobs.into_iter().flatten() {
            self.books.received(job.approximate_receive_count());
            beat = beat.or_else(|| Some(job.beat_at()));
            self.waiting.push(job);
        }
        self.flowing = beat.is_some();
        self.dry = answered && beat.is_none() && ask.returns == self.returns;
        self.come_back(hand);
        let keeper = self.stopped_at.is_some() || beat.is_some_and(|beat| beat < self.keeper_until);
        keeper.then(|| self.keeper.take()).flatten()
    }

    /// A handler has ended, and what it answered is carried out; without an outcome all was done and deleted.
    pub(super) fn finished(&mut self, hand: usize, outcome: Option<Box<Outcome>>, now: Timestamp) {
        self.may_have_returned();
        let not_begun = mem::take(&mut self.hands[hand].not_begun);
        if let Some((unit, began_at)) = self.hands[hand].unit.take() {
            self.working -= 1;
            unit.jobs().iter().for_each(|job| self.waiting.release(job));
            let span = now.saturating_duration_since(began_at);
            let begun = unit.jobs().len() - not_begun;
            (0..begun).for_each(|_| self.books.handled(span));
            match outcome {
                None => self.books.add(Count::Succeeded, begun as u64),
                Some(outcome) => self.books.add_all(&outcome),
            }
        }
        self.come_back(hand);
    }

    /// Takes out what waits behind a job of a FIFO queue that was not done.
    pub(super) fn abandon_group(&mut self, job: &Job) -> Vec<Job> {
        let behind = self.waiting.abandon_group(job);
        self.books.not_begun(behind.len());
        behind
    }

    /// A job is lost, and not to be begun if it waits; takes out what waits behind it on a FIFO queue.
    pub(super) fn lost(&mut self, job: &Job) -> Vec<Job> {
        let behind = self.abandon_group(job);
        self.books.add(Count::Lost, 1);
        let waited = self.waiting.remove(job);
        self.books.not_begun(usize::from(waited));
        behind
    }

    /// So many jobs of what a hand works on are not begun.
    pub(super) fn not_begun(&mut self, hand: usize, count: usize) {
        // What was abandoned is counted.
        if self.hands[hand].unit.is_some() {
            self.hands[hand].not_begun += count;
            self.books.not_begun(count);
        }
    }

    /// So many of the jobs that are not begun are in the queue again.
    pub(super) fn given_back(&mut self, count: usize) {
        self.books.given_back(count);
        self.may_have_returned();
    }

    /// The queue may have something again, whatever a receive says that began before.
    const fn may_have_returned(&mut self) {
        self.returns += 1;
        self.dry = false;
    }

    // The end.

    /// Ends the runner, because of an error or without; says whom to wake.
    pub(super) fn stop(&mut self, now: Timestamp, error: Option<MessageQueueError>) -> Vec<Waker> {
        if self.error.is_none() {
            self.error = error;
        }
        self.stopped_at.get_or_insert(now);
        self.parked.clear();
        let hands = self.hands.iter_mut().filter_map(|hand| hand.waker.take());
        hands.chain(self.keeper.take()).collect()
    }

    pub(super) const fn stopped_at(&self) -> Option<Timestamp> {
        self.stopped_at
    }

    /// Counts what is still being worked on as abandoned, and as nothing else later.
    pub(super) fn abandon(&mut self) {
        for hand in &mut self.hands {
            if let Some((unit, _)) = hand.unit.take() {
                let begun = unit.jobs().len() - hand.not_begun;
                self.books.add(Count::Abandoned, begun as u64);
            }
        }
    }

    /// Whether a receive is under way, whose messages would have to be given back.
    pub(super) const fn is_polling(&self) -> bool {
        self.polls > 0
    }

    pub(super) const fn is_deserted(&self) -> bool {
        self.deserted
    }

    pub(super) const fn error(&self) -> Option<&MessageQueueError> {
        self.error.as_ref()
    }

    // Leases.

    /// What the keeper is to do; if that is to sleep, it is woken by this waker.
    pub(super) fn rounds(&mut self, now: Timestamp, waker: &Waker) -> Rounds {
        if self.stopped_at.is_some() {
            let waiting = self.waiting.take_all();
            if !waiting.is_empty() {
                self.books.not_begun(waiting.len());
                return Rounds::GiveBack(waiting);
            }
            if self.alive == 0 {
                return Rounds::Over;
            }
        }
        let unchanged = self.keeper.as_ref().is_some_and(|keeper| keeper.will_wake(waker));
        if unchanged && now < self.keeper_until {
            // Nobody has called it since it looked at all jobs.
            return Rounds::Sleep(self.keeper_until);
        }
        let (mut due, mut next) = (Vec::new(), None);
        let working = self.hands.iter().filter_map(|hand| hand.unit.as_ref());
        let working = working.flat_map(|(unit, _)| unit.jobs());
        for job in working.chain(self.waiting.iter()).filter(|job| !job.is_lost()) {
            let beat = job.beat_at();
            if beat <= now {
                due.push(job.clone());
            } else {
                next = Some(next.map_or(beat, |next: Timestamp| next.min(beat)));
            }
        }
        if !due.is_empty() {
            return Rounds::Due(due);
        }
        let until = next.unwrap_or_else(|| self.keeper_rests(now));
        self.keeper = Some(waker.clone());
        self.keeper_until = until;
        Rounds::Sleep(until)
    }

    /// So many leases were renewed, after which the keeper has to look at all jobs anew.
    pub(super) fn renewed(&mut self, count: usize) {
        self.books.add(Count::Heartbeats, count as u64);
        self.keeper = None;
    }

    /// Until when to sleep with nothing to keep: once more as long as a new job can wait, so that a runner with little to
    /// do does not wake the keeper for every job, and then for good.
    fn keeper_rests(&mut self, now: Timestamp) -> Timestamp {
        let received = Some(self.books.messages_received());
        if mem::replace(&mut self.kept_nothing_at, received) == received {
            return Timestamp::MAX;
        }
        now.saturating_add(self.plan.beat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hand_to_leave_wakes_the_keeper() {
        let plan = DeskPlan {
            concurrency: 2,
            prefetch: 0,
            unit: 1,
            max_messages: 10,
            wait_time: Duration::from_secs(20),
            until_empty: false,
            fifo: false,
            beat: Duration::from_secs(10),
        };
        let mut desk = Desk::new(plan, Waiting::new(false, None), Books::new("jobs"));
        let now = Timestamp::ZERO;
        let hands = [desk.hire_anyway(), desk.hire_anyway()];
        desk.stop(now, None);
        assert!(matches!(desk.rounds(now, Waker::noop()), Rounds::Sleep(_)));
        for hand in hands {
            assert!(matches!(desk.next(hand, now), Some(Task::End)));
        }
        assert!(desk.leave(now).is_empty(), "there is one more");
        assert_eq!(desk.leave(now).len(), 1);
        assert!(matches!(desk.rounds(now, Waker::noop()), Rounds::Over));
    }
}
