//! What workers do with messages: receive them, handle them, renew their leases, settle them.

use {
    super::{
        Answer, Lab, QueueState,
        agenda::{Event, Micros},
        calls::Action,
        facts::Numbered,
        fleet::FleetState,
        ledger::NO_TRACK,
        polls::Receiving,
        window::{TICK, micros, seconds},
        worker::{Ask, Ending, Job, Phase},
    },
    crate::{
        backend::{
            ReceiveRequest,
            limits::MAX_VISIBILITY,
            receive_from,
            timing::{DELETE_BACKOFF, RECEIVE_BACKOFF, RENEWAL_RETRY, SAFETY},
        },
        queue::Message,
        testing::{CallError, FaultyQueue},
    },
    std::time::Duration,
};

/// Why a call for a message did not do it.
enum CallFailure {
    /// The queue refused: the worker does not hold the message any more.
    NotHeld,
    /// A fault; the call may be made again.
    Transient,
}

impl<'q> Lab<'q> {
    /// Looks at the receives that were woken.
    #[inline]
    pub(super) fn run_ready(&mut self) {
        while let Some((worker, woken)) = self.ready.next() {
            if woken {
                self.look(worker);
            }
            self.take_turn(worker);
            self.note_facts();
        }
    }

    /// Looks at the receive of a worker that was woken.
    fn look(&mut self, worker: u32) {
        if let Some((ask, messages)) = self.polls.look(worker) {
            self.receive_ended(worker, ask, messages);
        }
    }

    /// Lets a worker begin what it can, and receive what it has room for.
    pub(super) fn take_turn(&mut self, worker: u32) {
        loop {
            self.begin_from_backlog(worker);
            let state = &self.workers[worker as usize];
            let fleet = &self.fleets[state.fleet as usize];
            let Some(ask) = state.ask(&fleet.config, self.now) else {
                return;
            };
            self.workers[worker as usize].asks(ask);
            if let Some(messages) = self.receive(worker, ask) {
                self.receive_ended(worker, ask, messages);
            }
        }
    }

    fn begin_from_backlog(&mut self, worker: u32) {
        let fleet = self.workers[worker as usize].fleet as usize;
        let FleetState { config, fifo, .. } = &self.fleets[fleet];
        let (concurrency, fifo) = (config.concurrency, *fifo);
        while self.workers[worker as usize].has_place(concurrency) {
            let Some(job) = self.next_of_backlog(worker, fifo) else {
                return;
            };
            let Some(entry) = self.jobs.get_mut(job) else { continue };
            if entry.held_until <= self.now {
                // Another worker may have it.
                self.forget(job);
                continue;
            }
            self.workers[worker as usize].working.push(job);
            entry.began_at = Some(self.now);
            let (number, poison) = (entry.key, entry.poison);
            let attempt = entry.message.approximate_receive_count();
            let fleet = &mut self.fleets[fleet];
            let course = fleet.course(number, attempt, poison, self.now);
            entry.ending = course.ending;
            fleet.busy += 1;
            if self.place.batch.is_some() {
                fleet.measured.begun += 1;
            }
            self.ledger.begun(entry.track, self.place);
            let serial = self.jobs.serial(job);
            self.agenda
                .enter(self.now + course.takes, Event::HandlerEnds { job, serial });
        }
    }

    /// Takes the next job that may begin: on a FIFO queue one at a time of a group does.
    #[inline]
    fn next_of_backlog(&mut self, worker: u32, fifo: bool) -> Option<u32> {
        let state = &mut self.workers[worker as usize];
        if !fifo {
            return state.backlog.pop_front();
        }
        let jobs = &self.jobs;
        let group = |job: &u32| jobs.get(*job).and_then(|it| it.message.message_group_id());
        let is_free = |job: &u32| !state.working.iter().any(|it| group(it) == group(job));
        let next = state.backlog.iter().position(is_free)?;
        state.backlog.remove(next)
    }

    /// Makes a receive as a runner does, which looks at the queue before it begins to wait; what it answers if it need
    /// not wait.
    fn receive(&mut self, worker: u32, ask: Ask) -> Option<Option<Vec<Message>>> {
        let fleet = &self.fleets[self.workers[worker as usize].fleet as usize];
        let queue = self.queues[fleet.queue as usize].queue;
        let wait_time = if ask.long {
            fleet.config.wait_time
        } else {
            Duration::ZERO
        };
        let mut request = ReceiveRequest::new(ask.max_messages).wait_time(wait_time);
        request.visibility_timeout = fleet.config.visibility_timeout;
        // A worker has one message of a group at a time, as the group is locked meanwhile.
        request.max_messages_per_group = fleet.fifo.then_some(1);
        let receiving = match &fleet.wire {
            Some(wire) => Receiving::faulty(wire, request),
            None => {
                let mut messages = Vec::new();
                receive_from(queue, &request).at_once(&mut messages);
                if !messages.is_empty() {
                    return Some(Some(messages));
                }
                Receiving::plain(queue, &request)
            }
        };
        self.polls.begin(worker, ask, receiving)
    }

    /// A receive has its answer, which reaches the worker after the latency of the call.
    fn receive_ended(&mut self, worker: u32, ask: Ask, messages: Option<Vec<Message>>) {
        let state = &self.workers[worker as usize];
        let (life, fleet) = (state.life, &mut self.fleets[state.fleet as usize]);
        let bytes = messages.iter().flatten().map(|it| it.body().len()).sum();
        self.queues[fleet.queue as usize]
            .calls
            .add(Action::ReceiveMessage, bytes, self.place);
        let mut latency = fleet.latency();
        if messages.is_none() {
            if self.place.batch.is_some() {
                fleet.measured.failed_calls += 1;
            }
            // The place of the receive is taken until it may be made again.
            let state = &mut self.workers[worker as usize];
            state.failed_receives += 1;
            latency += micros(RECEIVE_BACKOFF.limit(state.failed_receives));
        }
        let answer = Answer {
            worker,
            life,
            ask,
            messages,
            received_at: self.now,
        };
        if latency == 0 {
            return self.accept(answer);
        }
        self.workers[worker as usize].arriving += u32::from(answer.messages.is_some());
        let (answer, _) = self.answers.insert(answer);
        self.agenda.enter(self.now + latency, Event::Answer { answer });
    }

    pub(super) fn answer(&mut self, answer: u32) {
        let Some(answer) = self.answers.remove(answer) else {
            return;
        };
        let Answer { worker, life, .. } = answer;
        let state = &mut self.workers[worker as usize];
        if state.life != life {
            return;
        }
        state.arriving -= u32::from(answer.messages.is_some());
        let phase = state.phase;
        self.accept(answer);
        if let Phase::Stopping(_) = phase {
            self.give_back_backlog(worker);
            return self.stopped_if_idle(worker);
        }
        self.take_turn(worker);
    }

    fn accept(&mut self, answer: Answer) {
        let Answer {
            worker,
            ask,
            messages,
            received_at,
            ..
        } = answer;
        let state = &mut self.workers[worker as usize];
        let fleet = &self.fleets[state.fleet as usize];
        state.answered(ask, messages.as_ref().map_or(0, Vec::len));
        let Some(messages) = messages else { return };
        state.failed_receives = 0;
        let waited = ask.long && !fleet.config.wait_time.is_zero() && received_at > ask.at;
        if !messages.is_empty() {
            for message in messages {
                self.take_message(worker, message, received_at);
            }
            self.renew_in_time(worker, received_at);
        } else if !waited {
            self.pause(worker);
        }
    }

    /// A short poll that found nothing is followed by a pause.
    fn pause(&mut self, worker: u32) {
        let state = &mut self.workers[worker as usize];
        if state.is_receiving() {
            return;
        }
        let life = state.life;
        state.pausing = true;
        let interval = self.fleets[state.fleet as usize].config.poll_interval;
        self.agenda
            .enter(self.now + micros(interval).max(TICK), Event::Poll { worker, life });
    }

    pub(super) fn poll_again(&mut self, worker: u32, life: u32) {
        let state = &mut self.workers[worker as usize];
        if state.life == life {
            state.pausing = false;
            self.take_turn(worker);
        }
    }

    fn take_message(&mut self, worker: u32, message: Message, received_at: Micros) {
        // A fault may deliver what has left its queue: it is worked on all the same.
        let held = self.ledger.hold(message.message_id());
        let Some((track, numbered)) = held.or_else(|| Some((NO_TRACK, Numbered::read(message.body())?))) else {
            return;
        };
        let poison = self.producers[numbered.producer as usize].is_poison(numbered.number);
        let fleet = &self.fleets[self.workers[worker as usize].fleet as usize];
        let job = Job {
            worker,
            received_at,
            held_until: self.micros_of(message.invisible_until()),
            message,
            track,
            key: numbered.key(),
            renew_at: fleet
                .renew_interval
                .map_or(Micros::MAX, |interval| received_at + interval),
            began_at: None,
            ending: Ending::Success,
            poison,
            failed_calls: 0,
            ended: false,
        };
        let (job, _) = self.jobs.insert(job);
        self.workers[worker as usize].backlog.push_back(job);
    }

    // Leases.

    /// Sees to it that the worker looks at its leases before the newest of them is due.
    fn renew_in_time(&mut self, worker: u32, received_at: Micros) {
        let state = &mut self.workers[worker as usize];
        let Some(interval) = self.fleets[state.fleet as usize].renew_interval else {
            return;
        };
        let at = received_at + interval;
        if state.renews_at.is_none_or(|renews_at| at < renews_at) {
            state.renews_at = Some(at);
            let life = state.life;
            self.agenda.enter(at, Event::Renew { worker, life });
        }
    }

    pub(super) fn renew(&mut self, worker: u32, life: u32) {
        let state = &mut self.workers[worker as usize];
        if state.life != life || state.renews_at.is_none_or(|at| self.now < at) {
            return;
        }
        state.renews_at = None;
        let fleet = &self.fleets[state.fleet as usize];
        let Some(interval) = fleet.renew_interval else { return };
        let held: Vec<u32> = state.working.iter().chain(&state.backlog).copied().collect();
        let (mut next, mut renewed, mut calls) = (Micros::MAX, 0, 0);
        let mut unbegun = Vec::new();
        for job in held {
            let Some(entry) = self.jobs.get_mut(job).filter(|it| it.is_renewable()) else {
                continue;
            };
            if entry.renew_at <= self.now {
                let (outcome, due) = renew_lease(fleet, entry, interval, self.now);
                entry.renew_at = due;
                match outcome {
                    Renewal::Renewed => (renewed, calls) = (renewed + 1, calls + 1),
                    Renewal::Failed => calls += 1,
                    Renewal::NotCalled => {}
                    Renewal::Never => unbegun.extend(entry.began_at.is_none().then_some(job)),
                }
            }
            next = next.min(entry.renew_at);
        }
        self.workers[worker as usize].backlog.retain(|it| !unbegun.contains(it));
        unbegun.into_iter().for_each(|job| self.give_back(job));
        self.count_renewals(worker, renewed, calls);
        if next < Micros::MAX {
            self.workers[worker as usize].renews_at = Some(next);
            self.agenda.enter(next, Event::Renew { worker, life });
        }
    }

    fn count_renewals(&mut self, worker: u32, renewed: u64, called: u64) {
        let fleet = &mut self.fleets[self.workers[worker as usize].fleet as usize];
        let calls = &mut self.queues[fleet.queue as usize].calls;
        match called {
            0 => {}
            1 => calls.add(Action::ChangeMessageVisibility, 0, self.place),
            _ => (0..called.div_ceil(10)).for_each(|_| calls.add(Action::ChangeMessageVisibilityBatch, 0, self.place)),
        }
        if self.place.batch.is_some() {
            fleet.measured.heartbeats += renewed;
        }
    }

    // The end of a handler.

    pub(super) fn handler_ends(&mut self, job: u32, serial: u32) {
        let (now, place) = (self.now, self.place);
        let Some(entry) = self.jobs.get_if(job, serial) else {
            return;
        };
        entry.ended = true;
        let fleet = &mut self.fleets[self.workers[entry.worker as usize].fleet as usize];
        fleet.busy -= 1;
        let took = now - entry.began_at.unwrap_or(now);
        let first = entry.ending == Ending::Success && self.ledger.done(entry.track, fleet.queue, now, place);
        if let Some(batch) = place.batch {
            let measured = &mut fleet.measured;
            match entry.ending {
                Ending::Success => {}
                Ending::Failure => measured.failed += 1,
                Ending::Timeout => measured.cut_short += 1,
            }
            if entry.ending != Ending::Timeout {
                measured.service_time.record(batch, took);
            }
            if !first {
                let in_window = now - entry.began_at.unwrap_or(now).max(self.window.warm_up);
                measured.waste(batch, seconds(in_window));
            }
        }
        let latency = fleet.latency();
        if latency == 0 {
            return self.settle(job, serial);
        }
        self.agenda.enter(now + latency, Event::Settle { job, serial });
    }

    /// Deletes the message of a handler that ended well, and does with any other what the policy says.
    pub(super) fn settle(&mut self, job: u32, serial: u32) {
        let Some(entry) = self.jobs.get_if(job, serial) else {
            return;
        };
        let worker = entry.worker;
        let fleet = &mut self.fleets[self.workers[worker as usize].fleet as usize];
        let queue = &mut self.queues[fleet.queue as usize];
        let settled = match entry.ending {
            Ending::Success => {
                queue.calls.add(Action::DeleteMessage, 0, self.place);
                delete(fleet.wire.as_ref(), &entry.message)
            }
            Ending::Failure | Ending::Timeout => give_up(fleet, queue, entry, self.place, self.now),
        };
        if settled.is_err() && self.place.batch.is_some() {
            fleet.measured.failed_calls += 1;
        }
        if let Err(CallFailure::Transient) = settled {
            // A change of visibility is not tried again: the message comes back by itself.
            if entry.ending == Ending::Success && self.now < entry.held_until {
                entry.failed_calls += 1;
                let again = self.now + micros(DELETE_BACKOFF.limit(entry.failed_calls));
                return self.agenda.enter(again, Event::Settle { job, serial });
            }
        }
        self.forget(job);
        let state = &mut self.workers[worker as usize];
        state.working.retain(|it| *it != job);
        match state.phase {
            Phase::Running => self.go_on(worker),
            Phase::Stopping(_) => self.stopped_if_idle(worker),
            _ => {}
        }
    }

    /// Lets a worker go on that has settled a job, as the futures of a runner take turns: a handler's place yields before
    /// it goes on, and the runner goes on with its other places as long as none has had two turns.
    fn go_on(&mut self, worker: u32) {
        let another = match self.agenda.next_due(self.now) {
            Some(Event::HandlerEnds { job, .. }) => self.jobs.get(*job).is_some_and(|it| it.worker == worker),
            _ => false,
        };
        let places = self.fleets[self.workers[worker as usize].fleet as usize]
            .config
            .concurrency;
        if another || places == 1 {
            return self.ready.add(worker);
        }
        match self.ready.state(worker) {
            None => {}
            Some(true) if places > 2 => self.look_now(worker),
            Some(_) => return,
        }
        self.take_turn(worker);
        if self.ready.state(worker) == Some(true) {
            self.look_now(worker);
        }
    }

    /// Looks at the receive of a worker that was woken, before others that were.
    fn look_now(&mut self, worker: u32) {
        self.ready.forget_wake(worker);
        self.look(worker);
    }

    /// A worker does not have this job any more.
    pub(super) fn forget(&mut self, job: u32) {
        if let Some(job) = self.jobs.remove(job) {
            self.ledger.let_go(job.track);
        }
    }
}

fn give_up(
    fleet: &FleetState,
    queue: &mut QueueState<'_>,
    job: &Job,
    place: super::window::Place,
    now: Micros,
) -> Result<(), CallFailure> {
    match fleet.config.handler_timeout.filter(|_| job.ending == Ending::Timeout) {
        Some(timeout) => job
            .message
            .report_failure(format!("the handler did not end within {timeout:?}")),
        None => job.message.report_failure(REASON),
    }
    let message_id = || job.message.message_id().to_string();
    let delay = fleet.delay_of_failure(message_id, job.message.approximate_receive_count());
    // Once the lease is over the message comes back by itself; a call could hide it from its next worker.
    match delay.filter(|_| now < job.held_until) {
        None => Ok(()),
        Some(delay) => {
            queue.calls.add(Action::ChangeMessageVisibility, 0, place);
            change_visibility(fleet.wire.as_ref(), &job.message, delay)
        }
    }
}

/// What a handler of the lab says when it fails.
const REASON: &str = "failed";

enum Renewal {
    Renewed,
    Failed,
    NotCalled,
    /// The lease ends: what no handler has begun goes back.
    Never,
}

/// Renews a lease that is due; returns when it is due again.
fn renew_lease(fleet: &FleetState, job: &mut Job, interval: Micros, now: Micros) -> (Renewal, Micros) {
    let left = (job.received_at + micros(MAX_VISIBILITY - SAFETY)).saturating_sub(now);
    let timeout = fleet.visibility.min(left);
    if job.held_until <= now {
        return (Renewal::NotCalled, Micros::MAX);
    }
    if !fleet.config.heartbeat || now + left <= job.held_until {
        return (Renewal::Never, job.held_until);
    }
    let again = (now + (interval / u64::from(RENEWAL_RETRY)).max(TICK)).min(job.held_until);
    if now + fleet.renew_margin >= job.held_until {
        return (Renewal::NotCalled, again);
    }
    match change_visibility(fleet.wire.as_ref(), &job.message, Duration::from_micros(timeout)) {
        Ok(()) => {
            job.held_until = now + timeout;
            let next = if timeout < fleet.visibility { timeout } else { interval };
            (Renewal::Renewed, now + next)
        }
        Err(CallFailure::Transient) => (Renewal::Failed, again),
        // The lease is lost.
        Err(CallFailure::NotHeld) => {
            job.held_until = now;
            (Renewal::Failed, Micros::MAX)
        }
    }
}

impl<E> From<CallError<E>> for CallFailure {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Refused(_) => Self::NotHeld,
            _ => Self::Transient,
        }
    }
}

fn delete(wire: Option<&FaultyQueue>, message: &Message) -> Result<(), CallFailure> {
    match wire {
        None => message.delete().map_err(|_| CallFailure::NotHeld),
        Some(wire) => Ok(wire.delete(message)?),
    }
}

fn change_visibility(wire: Option<&FaultyQueue>, message: &Message, timeout: Duration) -> Result<(), CallFailure> {
    match wire {
        None => message.change_visibility(timeout).map_err(|_| CallFailure::NotHeld),
        Some(wire) => Ok(wire.change_visibility(message, timeout)?),
    }
}
