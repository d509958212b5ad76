//! How a case goes on by itself, and how it ends.

use {
    super::{Case, Held, Run, Slot},
    crate::{
        clock::Clock,
        testing::ledger::{Actor, Property, Violation},
        time::Timestamp,
    },
    std::time::Duration,
};

/// So many receives and waits that bring nobody further, for each message and once more, bring a case to its end before
/// what is left is left to its retention.
const MOST_LAST_ACTS: usize = 400;

/// Whoever sleeps for longer without anything else to wait for is not waited for.
const LONGEST_SLEEP: Duration = Duration::from_secs(4 * 86_400);

/// So many times may time pass for programs alone, which may look for work as often as they like.
const MOST_WAITS: usize = 20_000;

/// How the acts of a case are chosen that no step names.
struct Progress {
    /// So many acts may yet bring nobody further.
    left: usize,
    /// So many times may time yet pass that brings no message back.
    waits: usize,
    /// When the case is over if nothing happens until then, since no message is left.
    quiet: Option<Timestamp>,
    /// Time passes until then and no further.
    until: Timestamp,
    /// No act follows when so many are done.
    acts: usize,
    /// Nothing follows but the end of the case.
    last: bool,
}

impl<W> Case<'_, W> {
    /// All go on by themselves, until the fault of the step has struck or so many acts are done.
    pub(super) fn run_on(&mut self, acts: Option<u32>) -> Held {
        let mut progress = Progress {
            acts: acts.map_or(usize::MAX, |acts| self.acts.saturating_add(acts as usize)),
            ..self.progress()
        };
        loop {
            let struck = acts.is_none() && self.net.source.lock().struck().is_some();
            if struck || self.acts >= progress.acts || !self.go_on(&mut progress)? {
                return Ok(());
            }
        }
    }

    /// All go on by themselves for a time in which nobody forgets to receive.
    pub(super) fn run_on_until(&mut self, until: Timestamp) -> Held {
        let mut progress = Progress {
            until,
            ..self.progress()
        };
        while self.net.clock.now() < until && self.go_on(&mut progress)? {}
        self.advance_to(until)
    }

    /// Without further faults, lets everybody go on until no message is left.
    pub(super) fn bring_to_an_end(&mut self) -> Held {
        let last = |case: &Self| Progress {
            last: true,
            ..case.progress()
        };
        let mut progress = last(self);
        while self.net.outage_end().is_some() && self.go_on(&mut progress)? {}
        let none_expires = self.setup.none_expires;
        self.ledgers
            .iter_mut()
            .for_each(|ledger| ledger.begin_the_end(none_expires));
        let mut progress = last(self);
        while self.go_on(&mut progress)? {}
        self.nobody_waits_for_nothing()?;
        self.kill_programs()?;
        // Who sleeps wakes; one that does so for ever meets the limit of polls.
        self.let_the_busy_go_on()?;
        self.hear_other_threads()?;
        while let Some(next) = self.next_wake() {
            self.advance_to(next)?;
        }
        self.all_have_finished()?;
        self.let_the_rest_expire()?;
        self.look()
    }

    fn progress(&self) -> Progress {
        Progress {
            left: MOST_LAST_ACTS * (1 + self.plan.messages.len() / 8),
            waits: MOST_WAITS,
            quiet: None,
            until: Timestamp::MAX,
            acts: usize::MAX,
            last: false,
        }
    }

    /// One more act of all those that can be done now, or time until there is one; whether the case goes on.
    fn go_on(&mut self, progress: &mut Progress) -> Held<bool> {
        if progress.left == 0 {
            return Ok(false);
        }
        let (mut busy, struck) = (false, self.net.source.lock().struck());
        for at in 0..self.slots.len() {
            let idle = self.slots[at].is_idle();
            if self.is_worth_a_turn(at) && self.turn(at)? {
                self.acts += 1;
                busy = true;
                progress.left = progress.left.saturating_sub(usize::from(idle));
                if self.net.source.lock().struck().is_some() || self.acts >= progress.acts {
                    return Ok(true);
                }
            }
        }
        // A receive that a fault has struck may find something the next time.
        if busy || self.net.source.lock().struck() != struck {
            return Ok(true);
        }
        if self.may_find_more() {
            progress.left -= 1;
            return Ok(true);
        }
        let end = self.end_of_the_quiet(progress);
        let Some(next) = self.next_moment().or_else(|| self.next_of_a_runtime(progress)) else {
            let before = self.acts;
            self.hear_other_threads()?;
            return Ok(self.acts > before);
        };
        let next = next.min(progress.until);
        let next = match end {
            Some(end) if end <= self.net.clock.now() => return Ok(false),
            Some(end) => next.min(end),
            None => next,
        };
        let at_work = self
            .slots
            .iter()
            .any(|slot| !slot.program && slot.is_at_work(self.net.clock.now()));
        self.acts += 1;
        if self.jumps()? {
            return Ok(true);
        }
        let comes_back = self.next_return().filter(|_| !at_work);
        match comes_back {
            Some(at) if at <= next => progress.left -= 1,
            Some(at) if progress.waits == 0 => return self.oversleep(at.min(progress.until)).map(|()| true),
            None if progress.waits == 0 => return Ok(false),
            _ => progress.waits -= usize::from(!at_work),
        }
        self.advance_towards(next)?;
        Ok(true)
    }

    /// Programs that have woken often enough are late for once, as if their machine had been busy.
    fn oversleep(&mut self, until: Timestamp) -> Held {
        (0..self.slots.len()).for_each(|at| self.excuse(at));
        self.net.clock.advance_to(until);
        self.fall_due()
    }

    /// A sampled poll that found nothing may find something the next time.
    fn may_find_more(&self) -> bool {
        self.plan.shards > 1
            && self.net.no_receive_until().is_none()
            && self.slots.iter().any(|slot| {
                let queue = self.net.lines[self.processes[slot.process].line].queue();
                let free = !slot.program && slot.is_idle() && slot.paused.is_none();
                free && !queue.is_fifo() && queue.counts().visible > 0
            })
    }

    /// A receive of a handler is one while a message is visible, and when a copy of one may be delivered.
    fn is_worth_a_turn(&self, at: usize) -> bool {
        let slot = &self.slots[at];
        let now = self.net.clock.now();
        if slot.program {
            return slot.run.is_none() || slot.is_woken(now);
        }
        if slot.has_background_work(now) {
            return true;
        }
        let line = &self.net.lines[self.process(at).line];
        if slot.is_idle() && self.net.no_receive_until().is_some() {
            return false;
        }
        !slot.is_idle() || line.queue().counts().visible > 0 || line.wire.may_deliver_again()
    }

    /// While no message is left, programs have some time for what they do later; `None` while it has not begun.
    fn end_of_the_quiet(&self, progress: &mut Progress) -> Option<Timestamp> {
        let programs = self.slots.iter().any(|slot| slot.program || slot.is_on_tokio());
        let handlers_work = self.slots.iter().any(|slot| !slot.program && !slot.is_idle());
        let unsettled = self.open().next().is_some();
        let late = self.net.lines.iter().any(|line| line.wire.next_late().is_some());
        let out = self.net.outage_end().is_some();
        if !programs || handlers_work || unsettled || late || out {
            progress.quiet = None;
            return None;
        }
        let end = self.net.clock.now().saturating_add(self.setup.quiet_period);
        Some(*progress.quiet.get_or_insert(end))
    }

    /// The queues that have messages left, and from which somebody has received.
    fn open(&self) -> impl Iterator<Item = usize> + '_ {
        let open = |at: &usize| self.ledgers[*at].is_open() && self.net.lines[*at].is_asked();
        (0..self.net.lines.len()).filter(open)
    }

    pub(super) fn is_anything_visible(&self) -> bool {
        self.net.lines.iter().any(|line| line.queue().counts().visible > 0)
    }

    /// The next time at which a message becomes visible.
    fn next_return(&self) -> Option<Timestamp> {
        let now = self.net.clock.now();
        let hidden = self.net.lines.iter().filter_map(|line| line.queue().next_phase_end());
        hidden.filter(|it| *it > now).min()
    }

    /// The next time at which something can happen by itself.
    fn next_moment(&self) -> Option<Timestamp> {
        let now = self.net.clock.now();
        let paused = self.slots.iter().filter_map(|slot| slot.paused);
        let anything = self.is_anything_visible();
        let rests = self.slots.iter().filter_map(|slot| slot.ended).filter(|_| anything);
        let next = paused.chain(rests).chain(self.next_wake()).filter(|it| *it > now);
        next.chain(self.next_return()).chain(self.net.no_receive_until()).min()
    }

    /// Until when something may happen in a runtime while nothing happens elsewhere: nobody knows of its timers but itself.
    fn next_of_a_runtime(&self, progress: &Progress) -> Option<Timestamp> {
        let mut on_tokio = self.slots.iter().filter(|slot| slot.is_on_tokio());
        let first = on_tokio.next()?.process;
        // A runtime that is asked is ahead: others would be heard too late, and so would what another step does.
        let may_ask = progress.last && progress.quiet.is_none() && on_tokio.all(|slot| slot.process == first);
        let may_go_on = !may_ask || self.has_timers();
        may_go_on.then(|| self.net.clock.now().saturating_add(LONGEST_SLEEP))
    }

    fn all_have_finished(&self) -> Held {
        let Some(slot) = self.slots.iter().find(|slot| slot.run.is_some()) else {
            return Ok(());
        };
        let messages: Vec<_> = slot.run.iter().flat_map(|run| run.messages.clone()).collect();
        let (who, names) = (&slot.name, self.names(&messages));
        let sentence = format!("{who} never finished {names}: nothing wakes it any more");
        Err(Violation::new(Property::EveryHandlerFinishes, sentence))
    }

    fn let_the_rest_expire(&mut self) -> Held {
        for at in self.open().collect::<Vec<_>>() {
            let expires = self.net.lines[at]
                .queue()
                .snapshot()
                .messages
                .iter()
                .map(|it| it.expires_at)
                .max();
            expires.map_or(Ok(()), |expires| self.advance_to(expires))?;
        }
        // A queue tells of an expiry when it is called next.
        for line in &self.net.lines {
            let _ = line.queue().counts();
        }
        self.note_facts(Actor::Kit)
    }

    /// A program that nothing can wake leaves its messages to themselves.
    fn nobody_waits_for_nothing(&self) -> Held {
        let open = self.open().next().is_some();
        let stuck = |slot: &&Slot| {
            let nothing_wakes = |run: &Run| match slot.is_on_tokio() {
                true => slot.is_timeless(),
                false => !run.can_be_woken(),
            };
            slot.program && slot.run.as_ref().is_some_and(nothing_wakes)
        };
        let Some(slot) = self.slots.iter().find(stuck).filter(|_| open) else {
            return Ok(());
        };
        let sentence = format!(
            "{} never goes on, and messages are left: nothing wakes it any more",
            slot.name
        );
        Err(Violation::new(Property::EveryHandlerFinishes, sentence))
    }

    /// What runs for ever has an end with the case.
    fn kill_programs(&mut self) -> Held {
        for at in 0..self.slots.len() {
            if !self.slots[at].program {
                continue;
            }
            if let Some(run) = self.slots[at].run.take() {
                self.end_run(at, run)?;
            }
            self.slots[at].paused = None;
            self.slots[at].ended = Some(self.net.clock.now());
        }
        Ok(())
    }
}

impl Slot {
    pub(super) fn is_idle(&self) -> bool {
        self.run.is_none() && self.waiting.is_empty() && self.done.is_empty()
    }
}
