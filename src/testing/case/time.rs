//! How time passes in a case, and how a case ends.

use {
    super::{Case, Held, process::Slot},
    crate::{
        clock::{Clock, SystemClock},
        testing::{faults::Fault, ledger::Actor, log::Told, story::EventKind, wire::Arrived},
        time::Timestamp,
    },
    std::time::Duration,
};

#[cfg(feature = "testing-tokio")]
use {
    crate::testing::watchdog::{self, Call},
    std::cmp::Reverse,
};

/// So often a check waits in vain for another thread to wake a handler, before it takes it that nobody will.
pub(in crate::testing) const PATIENCE: u32 = 5;

/// So many answers of other threads are heard before time passes all the same.
const MOST_ANSWERS: u32 = 1_000;

/// How long it waits each time, in the machine's time.
const MOST_REAL_TIME: Duration = Duration::from_millis(100);

/// In a longer wait every consumer receives what there is, as in a case that goes on by itself.
const LONGEST_WITHOUT_A_RECEIVE: Duration = Duration::from_secs(60);

impl<W> Case<'_, W> {
    pub(super) fn advance(&mut self, span: Duration) -> Held {
        if self.jumps()? {
            return Ok(());
        }
        let target = self.net.clock.now().saturating_add(span);
        if span > LONGEST_WITHOUT_A_RECEIVE {
            return self.run_on_until(target);
        }
        self.let_the_busy_go_on()?;
        self.advance_to(target)
    }

    /// Whether the clock jumps instead of what was to come.
    pub(super) fn jumps(&mut self) -> Held<bool> {
        if self.choose(&[Fault::ClockJump]).is_none() {
            return Ok(false);
        }
        let told = |_: &_| Told::from("jumps").kind(EventKind::Time);
        self.net.tell("clock", Some(Fault::ClockJump), told);
        (0..self.slots.len()).for_each(|at| self.excuse(at));
        self.net.clock.advance(Fault::JUMP);
        self.fall_due().map(|()| true)
    }

    /// Moves time to `target`; whoever sleeps until before then goes on in between.
    pub(super) fn advance_to(&mut self, target: Timestamp) -> Held {
        while !self.advance_towards(target)? {}
        Ok(())
    }

    /// Moves time to the next instant at which somebody goes on, at most to `target`; whether it is there.
    pub(super) fn advance_towards(&mut self, target: Timestamp) -> Held<bool> {
        self.hear_other_threads()?;
        let next = self.next_wake().map_or(target, |next| next.min(target));
        let next = self.next_timer(next).max(self.net.clock.now());
        self.net.clock.advance_to(next);
        self.fall_due()?;
        for at in 0..self.slots.len() {
            if self.slots[at].is_due(self.net.clock.now()) {
                self.acts += usize::from(self.turn(at)?);
            }
        }
        self.let_the_busy_go_on()?;
        Ok(next >= target && self.next_wake().is_none_or(|wake| wake > next))
    }

    /// The next instant until `until` at which a timer of tokio may fire.
    #[cfg(feature = "testing-tokio")]
    fn next_timer(&self, until: Timestamp) -> Timestamp {
        // The runtime of one that stands still does so too.
        let slots = self.slots.iter().filter(|slot| slot.paused.is_none());
        let tokio = slots.filter_map(|slot| Some((slot.process, slot.tokio.as_ref()?)));
        let mut processes: Vec<_> = tokio.collect();
        processes.dedup_by_key(|it| it.0);
        processes.sort_by_key(|it| Reverse(it.1.stops()));
        processes.into_iter().fold(until, |until, (process, tokio)| {
            // It waits for the threads of `spawn_blocking`.
            let ahead = watchdog::within(Call::Consumer(process), || tokio.seek(until));
            until.min(ahead.max(self.net.clock.now()))
        })
    }

    #[cfg(not(feature = "testing-tokio"))]
    const fn next_timer(&self, until: Timestamp) -> Timestamp {
        until
    }

    /// Whether a runtime may go on by itself. One that may not is ahead of all that a case can last.
    pub(super) fn has_timers(&self) -> bool {
        self.slots.iter().any(|slot| {
            #[cfg(feature = "testing-tokio")]
            return slot
                .tokio
                .as_ref()
                .is_some_and(|tokio| watchdog::within(Call::Consumer(slot.process), || tokio.seek_to_the_end()));
            #[cfg(not(feature = "testing-tokio"))]
            slot.is_on_tokio()
        })
    }

    /// Time passes only while everybody waits: whoever holds a message works on it, and deletes what it has done, at
    /// the instant it could, unless a fault keeps it from doing so.
    pub(super) fn let_the_busy_go_on(&mut self) -> Held {
        // Who goes on may wake one before it.
        while self.somebody_is_busy() {
            for at in 0..self.slots.len() {
                while self.slots[at].is_busy(self.net.clock.now()) {
                    self.acts += usize::from(self.turn(at)?);
                }
            }
        }
        Ok(())
    }

    /// What other threads do for a handler takes no virtual time: it is waited for, but not for ever.
    pub(super) fn hear_other_threads(&mut self) -> Held {
        let (mut has_waited, mut answers) = (false, 0);
        // Threads that answer again and again would let no time pass.
        while answers < MOST_ANSWERS {
            let now = self.net.clock.now();
            let patience = self.setup.patience.get();
            // A program's waker may be with the clock, or with somebody who goes on when time has passed.
            let rests = |slot: &Slot| slot.paused.is_some() || slot.ended.is_some();
            let others = self.net.clock.next_deadline().is_some() || self.slots.iter().any(rests);
            // Asked before who is busy: a thread that has used its waker since has set the alert first.
            let may_be_woken = self
                .slots
                .iter()
                .any(|slot| slot.may_be_woken_from_elsewhere(now) && !(slot.program && others));
            if self.somebody_is_busy() {
                if has_waited {
                    self.setup.patience.set(PATIENCE);
                    answers += 1;
                }
                self.let_the_busy_go_on()?;
                has_waited = false;
                continue;
            }
            let patience = patience - u32::from(has_waited);
            self.setup.patience.set(patience);
            if patience == 0 || !may_be_woken {
                return Ok(());
            }
            let clock = SystemClock::new();
            let deadline = clock.now().saturating_add(MOST_REAL_TIME);
            clock.park_until(&self.parker, Some(deadline));
            has_waited = true;
        }
        Ok(())
    }

    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        let late = self.net.lines.iter().filter_map(|line| line.wire.next_late());
        let waits = self.net.clock.next_deadline();
        let pauses = self.slots.iter().filter_map(|slot| slot.wake(self.net.clock.now()));
        pauses.chain(late).chain(waits).min()
    }

    pub(super) fn fall_due(&mut self) -> Held {
        for at in 0..self.net.lines.len() {
            let arrived = self.net.lines[at].wire.apply_late();
            self.note_facts(Actor::Kit)?;
            for late in arrived {
                if let Arrived::Visibility(id) = late {
                    self.excuse_who_lost(id);
                }
                let queue = &self.net.lines[at].name;
                self.net.tell("network", None, |log| {
                    let (of_what, kind, message) = match late {
                        Arrived::Send(who) => (format!("send of {who}"), EventKind::Send, None),
                        Arrived::Delete(id) => ("delete of".to_owned(), EventKind::Delete, Some(log.name(id))),
                        Arrived::Visibility(id) => (
                            "change of visibility of".to_owned(),
                            EventKind::Visibility,
                            Some(log.name(id)),
                        ),
                    };
                    let name = message.iter().map(|name| format!(" {name}"));
                    let what = format!("delivers the late {of_what}{}", name.collect::<String>());
                    Told::from(what).of(queue, message).kind(kind)
                });
            }
        }
        Ok(())
    }

    fn somebody_is_busy(&self) -> bool {
        self.slots.iter().any(|slot| slot.is_busy(self.net.clock.now()))
    }
}
