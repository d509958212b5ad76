//! The workers of a fleet: how they start, stop and die, and how their number follows the load.

use {
    super::{
        Lab,
        agenda::{Event, Micros},
        calls::Action,
        fleet::{FleetState, Roll},
        window::{micros, seconds},
        worker::{Phase, Then, Worker},
    },
    crate::sim::scenario::{DeployKind, ScalingRule},
};

impl Lab<'_> {
    pub(super) fn begin_to_work(&mut self) {
        for fleet in 0..self.fleets.len() as u32 {
            let config = self.fleets[fleet as usize].config.clone();
            for (deploy, config) in (0..).zip(&config.deploys) {
                self.agenda.enter(micros(config.at), Event::Deploy { fleet, deploy });
            }
            if let Some(scaling) = &config.autoscaling {
                self.agenda.enter(micros(scaling.interval), Event::Scale { fleet });
            }
            self.add_workers(fleet, config.workers, 0);
        }
    }

    /// So many more workers of a fleet start after a time: those that had left, then new ones.
    fn add_workers(&mut self, fleet: u32, count: usize, after: Micros) {
        let has_left = |it: &u32| self.workers[*it as usize].phase == Phase::Gone;
        let known = self.fleets[fleet as usize].workers.iter().copied();
        let mut added: Vec<u32> = known.filter(has_left).take(count).collect();
        while added.len() < count {
            added.push(self.new_worker(fleet));
        }
        for worker in added {
            let state = &mut self.workers[worker as usize];
            state.phase = Phase::Down;
            let life = state.life;
            self.agenda.enter(self.now + after, Event::Start { worker, life });
        }
    }

    fn new_worker(&mut self, fleet: u32) -> u32 {
        let worker = self.workers.len() as u32;
        let of_fleet = &mut self.fleets[fleet as usize].workers;
        self.workers.push(Worker::new(fleet, of_fleet.len() as u32));
        of_fleet.push(worker);
        self.polls.add_worker(&self.ready, worker);
        worker
    }

    pub(super) fn start(&mut self, worker: u32, life: u32) {
        let state = &mut self.workers[worker as usize];
        if state.life != life || state.phase != Phase::Down {
            return;
        }
        state.start();
        let (fleet, place, starts) = (state.fleet, state.place, state.starts);
        let fleet_state = &mut self.fleets[fleet as usize];
        fleet_state.running += 1;
        if let Some(after) = fleet_state.crash_after(place, starts) {
            self.agenda.enter(self.now + after, Event::Crash { worker, life });
        }
        self.take_turn(worker);
        self.roll_on(fleet, Some(worker));
    }

    // Deploys.

    pub(super) fn deploy(&mut self, fleet: u32, deploy: u32) {
        let state = &self.fleets[fleet as usize];
        let Some(config) = state.config.deploys.get(deploy as usize).copied() else {
            return;
        };
        if let Some(every) = config.every {
            self.agenda
                .enter(self.now + micros(every), Event::Deploy { fleet, deploy });
        }
        match config.kind {
            DeployKind::AtOnce => {
                let then = Then::Restart(micros(config.restart_time));
                let workers = state.workers.clone();
                workers
                    .into_iter()
                    .for_each(|worker| self.stop(worker, then, config.graceful));
            }
            DeployKind::Rolling => {
                let left = 0..state.workers.len();
                let roll = Roll {
                    deploy,
                    left,
                    current: None,
                };
                self.fleets[fleet as usize].rolls.push(roll);
                self.roll_on(fleet, None);
            }
        }
    }

    /// Goes on with the rolling deploys of a fleet that have waited for this worker.
    fn roll_on(&mut self, fleet: u32, current: Option<u32>) {
        let FleetState { rolls, workers, .. } = &mut self.fleets[fleet as usize];
        let waiting = |roll: &Roll| roll.current == current;
        let Some(index) = rolls.iter().position(waiting) else {
            return;
        };
        let running = |worker: &u32| self.workers[*worker as usize].phase == Phase::Running;
        let roll = &mut rolls[index];
        let deploy = roll.deploy as usize;
        let next = roll.left.by_ref().map(|place| workers[place]).find(running);
        roll.current = next;
        match next {
            None => {
                rolls.remove(index);
            }
            Some(worker) => {
                let config = self.fleets[fleet as usize].config.deploys[deploy];
                self.stop(worker, Then::Restart(micros(config.restart_time)), config.graceful);
            }
        }
    }

    // Autoscaling.

    pub(super) fn scale(&mut self, fleet: u32) {
        let state = &self.fleets[fleet as usize];
        let Some(scaling) = state.config.autoscaling.clone() else {
            return;
        };
        self.agenda
            .enter(self.now + micros(scaling.interval), Event::Scale { fleet });
        let wanted = match scaling.rule {
            ScalingRule::BacklogPerWorker { target } => {
                (self.queues[state.queue as usize].counts.visible as f64 / target).ceil()
            }
            ScalingRule::AgeOfOldest { target } => {
                let age = self.ledger.age_of_oldest(state.queue, self.now).unwrap_or_default();
                (state.wanted as f64 * seconds(age) / target.as_secs_f64()).ceil()
            }
        };
        let wanted = (wanted as usize).clamp(scaling.min, scaling.max);
        let before = std::mem::replace(&mut self.fleets[fleet as usize].wanted, wanted);
        self.add_workers(fleet, wanted.saturating_sub(before), micros(scaling.reaction_time));
        self.remove_workers(fleet, before.saturating_sub(wanted));
    }

    /// The newest workers leave, each as soon as it has done what it has begun.
    fn remove_workers(&mut self, fleet: u32, count: usize) {
        let leaves = |it: &u32| {
            matches!(
                self.workers[*it as usize].phase,
                Phase::Stopping(Then::Leave) | Phase::Gone
            )
        };
        let workers = self.fleets[fleet as usize].workers.iter().rev().copied();
        let removed: Vec<u32> = workers.filter(|it| !leaves(it)).take(count).collect();
        for worker in removed {
            let state = &mut self.workers[worker as usize];
            match state.phase {
                Phase::Down => {
                    state.end_life(Phase::Gone);
                    self.roll_on(fleet, Some(worker));
                }
                Phase::Stopping(_) => state.phase = Phase::Stopping(Then::Leave),
                _ => self.stop(worker, Then::Leave, true),
            }
        }
    }

    // Ends.

    /// Stops a worker that runs: in order, its handlers first, or at once.
    fn stop(&mut self, worker: u32, then: Then, graceful: bool) {
        let state = &mut self.workers[worker as usize];
        if state.phase != Phase::Running {
            return;
        }
        if let (Then::Restart(_), true) = (then, self.place.batch.is_some()) {
            self.fleets[state.fleet as usize].measured.restarts += 1;
        }
        if !graceful {
            return self.end_life(worker, then);
        }
        state.phase = Phase::Stopping(then);
        let (life, fleet) = (state.life, state.fleet);
        self.polls.cancel(worker);
        self.give_back_backlog(worker);
        let timeout = micros(self.fleets[fleet as usize].config.shutdown_timeout);
        self.agenda
            .enter(self.now + timeout, Event::StopTimeout { worker, life });
        self.stopped_if_idle(worker);
    }

    /// Puts the messages back that no handler has begun.
    pub(super) fn give_back_backlog(&mut self, worker: u32) {
        let backlog: Vec<u32> = self.workers[worker as usize].backlog.drain(..).collect();
        backlog.into_iter().for_each(|job| self.give_back(job));
    }

    /// Ends a worker that stops in order, if its handlers have ended and no messages are on their way to it.
    pub(super) fn stopped_if_idle(&mut self, worker: u32) {
        let state = &self.workers[worker as usize];
        if let (Phase::Stopping(then), true, 0) = (state.phase, state.working.is_empty(), state.arriving) {
            self.end_life(worker, then);
        }
    }

    pub(super) fn stop_timeout(&mut self, worker: u32, life: u32) {
        let state = &self.workers[worker as usize];
        let (true, Phase::Stopping(then)) = (state.life == life, state.phase) else {
            return;
        };
        for job in state.working.clone() {
            // What is being settled stays decided.
            if self.jobs.get(job).is_some_and(|it| !it.ended) {
                self.cut(job);
                self.give_back(job);
            }
        }
        self.end_life(worker, then);
    }

    pub(super) fn crash(&mut self, worker: u32, life: u32) {
        let state = &self.workers[worker as usize];
        if state.life != life {
            return;
        }
        let fleet = &mut self.fleets[state.fleet as usize];
        if self.place.batch.is_some() {
            fleet.measured.crashes += 1;
        }
        let restart = fleet.config.crashes.map_or(0, |it| micros(it.restart_time));
        let then = match state.phase {
            Phase::Stopping(then) => then,
            _ => Then::Restart(restart),
        };
        self.end_life(worker, then);
    }

    /// Ends a worker with all it has.
    fn end_life(&mut self, worker: u32, then: Then) {
        self.polls.cancel(worker);
        let phase = match then {
            Then::Leave => Phase::Gone,
            Then::Restart(_) => Phase::Down,
        };
        let state = &mut self.workers[worker as usize];
        let jobs = state.end_life(phase);
        let (fleet, life) = (state.fleet, state.life);
        self.fleets[fleet as usize].running -= 1;
        for job in jobs {
            self.cut(job);
            self.forget(job);
        }
        match then {
            Then::Restart(after) => self.agenda.enter(self.now + after, Event::Start { worker, life }),
            Then::Leave => self.roll_on(fleet, Some(worker)),
        }
    }

    /// A handler that runs is cut short.
    fn cut(&mut self, job: u32) {
        let Some(entry) = self.jobs.get_mut(job).filter(|it| !it.ended) else {
            return;
        };
        let Some(began_at) = entry.began_at else { return };
        entry.ended = true;
        let fleet = &mut self.fleets[self.workers[entry.worker as usize].fleet as usize];
        fleet.busy -= 1;
        if let Some(batch) = self.place.batch {
            fleet.measured.cut_short += 1;
            let in_window = self.now - began_at.max(self.window.warm_up);
            fleet.measured.waste(batch, seconds(in_window));
        }
    }

    /// Puts a message back as if it had not been received, and forgets it.
    pub(super) fn give_back(&mut self, job: u32) {
        let Some(entry) = self.jobs.get_mut(job) else { return };
        let fleet = &self.fleets[self.workers[entry.worker as usize].fleet as usize];
        if self.now < entry.held_until {
            self.queues[fleet.queue as usize]
                .calls
                .add(Action::ChangeMessageVisibility, 0, self.place);
            // One that is not put back comes back by itself.
            let _ = match &fleet.wire {
                Some(wire) => wire.release(&entry.message).is_ok(),
                None => entry.message.release().is_ok(),
            };
        }
        let worker = entry.worker as usize;
        self.workers[worker].working.retain(|it| *it != job);
        self.forget(job);
    }
}
