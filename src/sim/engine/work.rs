//! What workers do with messages: receive them, handle them, renew their leases, settle them.

use {
    super::{
        Answer, Lab, QueueState,
        agenda::{Event, Micros},
        calls::Action,
        fleet::FleetState,
        polls::Receiving,
        window::{micros, seconds},
        worker::{Ask, Ending, Job, Phase},
    },
    crate::{
        backend::{Backoff, ReceiveRequest},
        queue::Message,
        testing::FaultyQueue,
    },
    std::time::Duration,
};

/// The pauses after a call that failed, as a runner makes them.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

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
        while let Some(worker) = self.ready.next() {
            if let Some((ask, messages)) = self.polls.look(worker) {
                self.receive_ended(worker, ask, messages);
                self.take_turn(worker);
                self.note_facts();
            }
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
            let receiving = self.receiving(worker, ask);
            self.workers[worker as usize].asks(ask);
            let Some(messages) = self.polls.begin(worker, ask, receiving) else {
                return;
            };
            self.receive_ended(worker, ask, messages);
        }
    }

    fn begin_from_backlog(&mut self, worker: u32) {
        let state = &mut self.workers[worker as usize];
        let fleet = state.fleet as usize;
        let concurrency = self.fleets[fleet].config.concurrency;
        while state.phase == Phase::Running && state.working.len() < concurrency {
            let Some(job) = state.backlog.pop_front() else { return };
            state.working.push(job);
            let Some(entry) = self.jobs.get_mut(job) else { continue };
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

    fn receiving(&self, worker: u32, ask: Ask) -> Receiving<'q> {
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
        request.max_messages_per_group = queue.is_fifo().then_some(1);
        match &fleet.wire {
            Some(wire) => Receiving::faulty(wire, request),
            None => Receiving::plain(queue, &request),
        }
    }

    /// A receive has its answer, which reaches the worker after the latency of the call.
    fn receive_ended(&mut self, worker: u32, ask: Ask, messages: Option<Vec<Message>>) {
        let state = &self.workers[worker as usize];
        let (life, fleet) = (state.life, &mut self.fleets[state.fleet as usize]);
        let bytes = messages.iter().flatten().map(|it| it.body().len()).sum();
        self.queues[fleet.queue as usize]
            .calls
            .add(Action::ReceiveMessage, bytes, self.place);
        let latency = fleet.latency();
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
        let (answer, _) = self.answers.insert(answer);
        self.agenda.enter(self.now + latency, Event::Answer { answer });
    }

    pub(super) fn answer(&mut self, answer: u32) {
        let Some(answer) = self.answers.remove(answer) else {
            return;
        };
        let Answer { worker, life, .. } = answer;
        if self.workers[worker as usize].life == life {
            self.accept(answer);
            self.take_turn(worker);
        }
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
        let waited = ask.long && !fleet.config.wait_time.is_zero() && self.now > ask.at;
        match messages {
            Some(messages) if !messages.is_empty() => {
                for message in messages {
                    self.take_message(worker, message, received_at);
                }
                self.renew_in_time(worker);
            }
            Some(_) if waited => {}
            answer => self.pause(worker, answer.is_none()),
        }
    }

    /// A short poll that found nothing, or a call that failed, is followed by a pause.
    fn pause(&mut self, worker: u32, failed: bool) {
        let state = &mut self.workers[worker as usize];
        if state.is_receiving() {
            return;
        }
        let life = state.life;
        state.pausing = true;
        let interval = self.fleets[state.fleet as usize].config.poll_interval;
        let pause = if failed {
            interval.max(RETRIES.limit(1))
        } else {
            interval
        };
        self.agenda
            .enter(self.now + micros(pause).max(1), Event::Poll { worker, life });
    }

    pub(super) fn poll_again(&mut self, worker: u32, life: u32) {
        let state = &mut self.workers[worker as usize];
        if state.life == life {
            state.pausing = false;
            self.take_turn(worker);
        }
    }

    fn take_message(&mut self, worker: u32, message: Message, received_at: Micros) {
        let Some((track, numbered)) = self.ledger.hold(message.message_id()) else {
            return;
        };
        let poison = self.producers[numbered.producer as usize].is_poison(numbered.number);
        let fleet = &self.fleets[self.workers[worker as usize].fleet as usize];
        let job = Job {
            worker,
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
    fn renew_in_time(&mut self, worker: u32) {
        let state = &mut self.workers[worker as usize];
        let Some(interval) = self.fleets[state.fleet as usize].renew_interval else {
            return;
        };
        if state.renews_at.is_none() {
            let at = self.now + interval;
            state.renews_at = Some(at);
            let life = state.life;
            self.agenda.enter(at, Event::Renew { worker, life });
        }
    }

    pub(super) fn renew(&mut self, worker: u32, life: u32) {
        let state = &mut self.workers[worker as usize];
        if state.life != life {
            return;
        }
        state.renews_at = None;
        let fleet = &self.fleets[state.fleet as usize];
        let Some(interval) = fleet.renew_interval else { return };
        let timeout = Duration::from_micros(fleet.visibility);
        let held: Vec<u32> = state.working.iter().chain(&state.backlog).copied().collect();
        let (mut next, mut renewed) = (Micros::MAX, 0);
        for job in held {
            let Some(entry) = self.jobs.get_mut(job).filter(|it| !it.ended) else {
                continue;
            };
            if entry.renew_at <= self.now {
                renewed += 1;
                let wire = fleet.wire.as_ref();
                let changed = change_visibility(wire, &entry.message, timeout);
                entry.renew_at = match changed {
                    Ok(()) => {
                        entry.held_until = self.now + fleet.visibility;
                        self.now + interval
                    }
                    Err(CallFailure::Transient) => self.now + (interval / 3).max(1_000),
                    Err(CallFailure::NotHeld) => Micros::MAX,
                };
            }
            next = next.min(entry.renew_at);
        }
        self.count_renewals(worker, renewed);
        if next < Micros::MAX {
            self.workers[worker as usize].renews_at = Some(next);
            self.agenda.enter(next, Event::Renew { worker, life });
        }
    }

    fn count_renewals(&mut self, worker: u32, renewed: u64) {
        let fleet = &mut self.fleets[self.workers[worker as usize].fleet as usize];
        let calls = &mut self.queues[fleet.queue as usize].calls;
        match renewed {
            0 => {}
            1 => calls.add(Action::ChangeMessageVisibility, 0, self.place),
            _ => (0..renewed.div_ceil(10)).for_each(|_| calls.add(Action::ChangeMessageVisibilityBatch, 0, self.place)),
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
        let first = entry.ending == Ending::Success && self.ledger.done(entry.track, now, place);
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
                measured.wasted_seconds += seconds(took);
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
            entry.failed_calls += 1;
            let again = self.now + micros(RETRIES.limit(entry.failed_calls));
            if again < entry.held_until {
                return self.agenda.enter(again, Event::Settle { job, serial });
            }
        }
        self.forget(job);
        let state = &mut self.workers[worker as usize];
        state.working.retain(|it| *it != job);
        match state.phase {
            Phase::Running => self.take_turn(worker),
            Phase::Stopping(_) if state.working.is_empty() => self.stopped(worker),
            _ => {}
        }
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
    if job.failed_calls == 0 {
        job.message.report_failure(REASON);
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

fn delete(wire: Option<&FaultyQueue>, message: &Message) -> Result<(), CallFailure> {
    use crate::testing::CallError;
    match wire {
        None => message.delete().map_err(|_| CallFailure::NotHeld),
        Some(wire) => wire.delete(message).map_err(|error| match error {
            CallError::Refused(_) => CallFailure::NotHeld,
            _ => CallFailure::Transient,
        }),
    }
}

fn change_visibility(wire: Option<&FaultyQueue>, message: &Message, timeout: Duration) -> Result<(), CallFailure> {
    use crate::testing::CallError;
    match wire {
        None => message.change_visibility(timeout).map_err(|_| CallFailure::NotHeld),
        Some(wire) => wire.change_visibility(message, timeout).map_err(|error| match error {
            CallError::Refused(_) => CallFailure::NotHeld,
            _ => CallFailure::Transient,
        }),
    }
}
