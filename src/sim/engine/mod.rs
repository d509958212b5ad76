//! One replication: the real queues under a manual clock, and an event loop that plays producers and workers.

mod agenda;
mod calls;
mod facts;
mod fleet;
mod ledger;
mod polls;
mod send;
mod setup;
mod slab;
mod staff;
#[cfg(test)]
mod tests;
mod window;
mod work;
mod worker;

pub(super) use setup::simulate;

use {
    super::{
        Progress,
        measure::{Measured, Overflow, Series},
    },
    crate::{
        clock::ManualClock,
        queue::{Message, Queue},
        state::Counts,
        time::Timestamp,
    },
    agenda::{Agenda, Event, Micros},
    calls::CallCounts,
    facts::{FactLog, Seen},
    fleet::FleetState,
    ledger::Ledger,
    polls::{Polls, Ready},
    send::ProducerState,
    slab::Slab,
    std::time::Duration,
    window::{Place, Window, seconds},
    worker::{Ask, Job, Worker},
};

/// Everything that happens in a replication happens here, one event after the other.
struct Lab<'q> {
    window: Window,
    now: Micros,
    place: Place,
    clock: ManualClock,
    /// What the clock shows at the start.
    started_at: Timestamp,
    agenda: Agenda,
    queues: Vec<QueueState<'q>>,
    facts: FactLog,
    /// Facts that are being looked at; empty otherwise.
    seen: Vec<(u32, Seen)>,
    ledger: Ledger,
    producers: Vec<ProducerState<'q>>,
    fleets: Vec<FleetState>,
    workers: Vec<Worker>,
    jobs: Slab<Job>,
    polls: Polls<'q>,
    ready: Ready,
    answers: Slab<Answer>,
    /// The most messages, and the most bytes of their bodies.
    message_limit: u64,
    byte_limit: u64,
    overflow: Option<Overflow>,
    /// What was told of the time that has passed, and of the messages that were sent.
    told: (Micros, u64),
}

struct QueueState<'q> {
    queue: &'q Queue,
    /// As of the last event.
    counts: Counts,
    /// The queue of the scenario that is its dead-letter queue.
    dead_letter_queue: Option<u32>,
    calls: CallCounts,
    /// The size of a body.
    bytes: u64,
}

/// The answer to a receive that is on its way to its worker.
struct Answer {
    worker: u32,
    life: u32,
    ask: Ask,
    /// None if the call failed.
    messages: Option<Vec<Message>>,
    received_at: Micros,
}

impl Lab<'_> {
    /// Lets virtual time pass until the end of the run.
    fn run(&mut self, progress: &Progress) {
        let mut steps = 0_u32;
        self.begin();
        loop {
            self.run_ready();
            self.look_at_the_queues();
            if self.overflow.is_some() {
                break;
            }
            let alarm = self.clock.next_deadline().map(|at| self.micros_of(at));
            let next = self.agenda.next_at().into_iter().chain(alarm).min();
            let at = next.unwrap_or(Micros::MAX).max(self.now);
            if at >= self.window.end {
                break;
            }
            self.advance(at);
            while let Some(event) = self.agenda.take_due(at) {
                self.happen(event);
            }
            steps = steps.wrapping_add(1);
            if steps % 4_096 == 0 {
                self.tell(progress);
            }
        }
        if self.overflow.is_none() {
            self.advance(self.window.end);
        }
        self.age_at_the_end_of(self.place.point);
        self.tell(progress);
    }

    /// Tells how far the run is, and lets go of what faults have gathered.
    fn tell(&mut self, progress: &Progress) {
        let far = (self.now, self.producers.iter().map(ProducerState::sent).sum());
        progress.pass(far.0 / 1_000 - self.told.0 / 1_000, far.1 - self.told.1);
        self.told = far;
        self.fleets.iter_mut().for_each(FleetState::count_faults);
        for wire in self.producers.iter().filter_map(|it| it.wire.as_ref()) {
            drop(wire.take_struck());
        }
        self.drop_void_events();
    }

    /// Lets go of what was planned for jobs, batches and lives of workers that have ended.
    fn drop_void_events(&mut self) {
        let Self {
            agenda,
            producers,
            workers,
            jobs,
            answers,
            ..
        } = self;
        let has_ended = |worker: u32, life: u32| workers[worker as usize].life != life;
        agenda.drop_void(|event| match *event {
            Event::Flush { producer, batch } => producers[producer as usize].has_sent(batch),
            Event::HandlerEnds { job, serial } | Event::Settle { job, serial } => jobs.get_if(job, serial).is_none(),
            Event::Renew { worker, life }
            | Event::Poll { worker, life }
            | Event::Start { worker, life }
            | Event::StopTimeout { worker, life }
            | Event::Crash { worker, life } => has_ended(worker, life),
            Event::Answer { answer } => {
                let is_void = answers.get(answer).is_none_or(|it| has_ended(it.worker, it.life));
                if is_void {
                    answers.remove(answer);
                }
                is_void
            }
            Event::Send { .. } | Event::Resend { .. } | Event::Scale { .. } | Event::Deploy { .. } | Event::Mark => {
                false
            }
        });
    }

    fn micros_of(&self, at: Timestamp) -> Micros {
        let since = at.saturating_duration_since(self.started_at);
        u64::try_from(since.as_micros()).unwrap_or(Micros::MAX)
    }

    fn begin(&mut self) {
        self.agenda.enter(self.place.until, Event::Mark);
        self.begin_to_send();
        self.begin_to_work();
    }

    #[inline]
    fn happen(&mut self, event: Event) {
        match event {
            Event::Send { producer } => self.send_next(producer),
            Event::Flush { producer, batch } => self.flush(producer, batch),
            Event::Resend { producer, message } => self.resend(producer, message),
            Event::Answer { answer } => self.answer(answer),
            Event::HandlerEnds { job, serial } => self.handler_ends(job, serial),
            Event::Settle { job, serial } => self.settle(job, serial),
            Event::Renew { worker, life } => self.renew(worker, life),
            Event::Poll { worker, life } => self.poll_again(worker, life),
            Event::Start { worker, life } => self.start(worker, life),
            Event::StopTimeout { worker, life } => self.stop_timeout(worker, life),
            Event::Crash { worker, life } => self.crash(worker, life),
            Event::Scale { fleet } => self.scale(fleet),
            Event::Deploy { fleet, deploy } => self.deploy(fleet, deploy),
            Event::Mark => self.mark(),
        }
        self.note_facts();
    }

    /// Lets time pass until `at`, which wakes the receives that wait no longer.
    #[inline]
    fn advance(&mut self, at: Micros) {
        self.measure_until(at);
        if at / 1_000 != self.now / 1_000 {
            self.clock
                .advance_to(self.started_at.saturating_add(Duration::from_millis(at / 1_000)));
        }
        self.now = at;
    }

    /// A part of the run is over.
    fn mark(&mut self) {
        let before = self.place;
        self.place = self.window.place(self.now);
        if before.batch.is_none() && self.place.batch.is_some() {
            self.fleets.iter_mut().for_each(FleetState::forget_faults);
        }
        if before.point != self.place.point {
            self.age_at_the_end_of(before.point);
        }
        self.agenda.enter(self.place.until, Event::Mark);
    }

    fn age_at_the_end_of(&mut self, point: usize) {
        for queue in 0..self.queues.len() as u32 {
            let age = self.ledger.age_of_oldest(queue, self.now).unwrap_or_default();
            self.ledger
                .queue_mut(queue)
                .series
                .age_of_oldest
                .set(point, seconds(age));
        }
    }

    /// Adds the time from now until `at` to what is measured by time; it lies within one part of the run.
    #[inline]
    fn measure_until(&mut self, at: Micros) {
        let span = seconds(at - self.now);
        if span == 0.0 {
            return;
        }
        let Place { point, batch, .. } = self.place;
        for index in 0..self.queues.len() {
            let Counts {
                visible,
                in_flight,
                delayed,
                ..
            } = self.queues[index].counts;
            let dead = self.queues[index]
                .dead_letter_queue
                .map(|queue| total(self.queues[queue as usize].counts));
            let measured = self.ledger.queue_mut(index as u32);
            let present = (visible + in_flight + delayed) as f64;
            let (visible, in_flight) = (visible as f64, in_flight as f64);
            let series = &mut measured.series;
            series.visible.add(point, visible * span);
            series.in_flight.add(point, in_flight * span);
            series.delayed.add(point, delayed as f64 * span);
            if measured.dead_letter_queue {
                series.dead_letters.add(point, present * span);
            } else if let Some(dead) = dead {
                series.dead_letters.add(point, dead as f64 * span);
            }
            if let Some(batch) = batch {
                measured.little.counted += present * span;
                measured.present.add(batch, present, span);
                measured.visible.add(batch, visible, span);
                measured.in_flight.add(batch, in_flight, span);
                measured.throughput.add(batch, 0.0, span);
            }
        }
        for fleet in &mut self.fleets {
            let (busy, capacity) = (fleet.busy as f64, fleet.capacity() as f64);
            let measured = &mut fleet.measured;
            measured.workers.add(point, fleet.running as f64 * span);
            // Divided by the capacity of the point at the end.
            measured.utilisation.add(point, busy * span);
            if let Some(batch) = batch {
                measured.staff.add(batch, fleet.running as f64, span);
                if capacity > 0.0 {
                    measured.busy.add(batch, busy / capacity, capacity * span);
                }
                measured.busy_seconds += busy * span;
                measured.wasted.add(batch, 0.0, busy * span);
            }
        }
    }

    /// Reads what the queues hold now, which is so until the next event.
    #[inline]
    fn look_at_the_queues(&mut self) {
        // Sends that fail and are made again gather as well, and so do messages that expire under their handlers.
        let mut held = self.producers.iter().map(|it| it.unsent() as u64).sum();
        held += self.ledger.gone_and_held();
        let mut bytes = 0;
        for state in &mut self.queues {
            state.counts = state.queue.counts();
            let messages = total(state.counts) as u64;
            held += messages;
            bytes += messages * state.bytes;
        }
        if held > self.message_limit || bytes > self.byte_limit {
            let messages = held;
            let at = Duration::from_micros(self.now);
            self.overflow = Some(Overflow { at, messages, bytes });
        }
        // By looking, messages may have expired.
        self.note_facts();
    }

    /// Takes note of what the queues have reported.
    #[inline]
    fn note_facts(&mut self) {
        self.facts.take(&mut self.seen);
        if self.seen.is_empty() {
            return;
        }
        let mut seen = std::mem::take(&mut self.seen);
        for (queue, fact) in seen.drain(..) {
            let producers = &self.producers;
            let name = |producer: u32, group| producers[producer as usize].group_name(group);
            self.ledger.note(queue, fact, self.now, self.place, name);
        }
        self.seen = seen;
    }

    fn finish(self) -> Measured {
        let end = self.now;
        let point_seconds = self.window.point_seconds();
        let queues = self.ledger.finish(end);
        let names = self.queues.iter().map(|it| it.queue.name().to_owned());
        let mut measured = Measured {
            span: Duration::from_micros(end.saturating_sub(self.window.warm_up)),
            overflow: self.overflow,
            queues: names.zip(queues).collect(),
            fleets: Default::default(),
        };
        for (state, queue) in self.queues.iter().zip(measured.queues.values_mut()) {
            let series = &mut queue.series;
            for series in [
                &mut series.visible,
                &mut series.in_flight,
                &mut series.delayed,
                &mut series.dead_letters,
                &mut series.arrivals,
                &mut series.completions,
            ] {
                series.scale(1.0 / point_seconds);
            }
            queue.calls = state.calls.named();
            queue.time_to_first_receive.pack();
            queue.time_to_completion.pack();
            for group in queue.groups.values_mut() {
                group.time_to_first_receive.pack();
                group.time_to_completion.pack();
            }
        }
        for mut fleet in self.fleets {
            let concurrency = fleet.config.concurrency as f64;
            fleet.measured.utilisation = share(&fleet.measured.utilisation, &fleet.measured.workers, concurrency);
            fleet.measured.workers.scale(1.0 / point_seconds);
            fleet.count_faults();
            fleet.measured.service_time.pack();
            measured.fleets.insert(fleet.name, fleet.measured);
        }
        measured
    }
}

const fn total(counts: Counts) -> usize {
    counts.visible + counts.in_flight + counts.delayed
}

/// Busy seconds over those of all places of the workers.
fn share(busy: &Series, workers: &Series, concurrency: f64) -> Series {
    let both = busy.values().iter().zip(workers.values());
    let mut share = Series::new(busy.values().len());
    for (point, (busy, workers)) in both.enumerate() {
        if *workers > 0.0 {
            share.set(point, busy / (workers * concurrency));
        }
    }
    share
}
