//! The calls of a queue behind a faulty network: where their faults come from, and who is told of them.

use {
    super::{
        faults::{Chance, Fault},
        net::{Act, Begun, CallKind, Dead, Port},
        wire::{CallError, Struck, Wire},
    },
    crate::{clock::Clock, message::MessageId, state::Fact, sync::Mutex, time::Timestamp},
    std::{fmt, panic::Location, sync::Arc},
};

/// Where the faults come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// A stream of its own.
    Chance(Box<Stream>),
    /// The net of a check, and the actor that has the queue.
    Net(Port),
}

/// Faults that are drawn, and those that struck.
#[derive(Debug)]
pub(super) struct Stream {
    chance: Mutex<Chance>,
    struck: Mutex<Vec<(Timestamp, Fault)>>,
}

impl Origin {
    pub(super) fn chance(chance: Chance) -> Self {
        Self::Chance(Box::new(Stream {
            chance: Mutex::new(chance),
            struck: Mutex::default(),
        }))
    }

    pub(super) fn struck(&self) -> Option<&Mutex<Vec<(Timestamp, Fault)>>> {
        match self {
            Self::Chance(stream) => Some(&stream.struck),
            Self::Net(_) => None,
        }
    }
}

impl Begun {
    pub(super) const fn struck(&self) -> Struck {
        Struck {
            fault: self.fault,
            entry: self.entry,
        }
    }
}

/// One way to a queue. No lock is held while the queue or the clock is called.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) wire: Arc<Wire>,
    pub(super) origin: Origin,
}

impl Calls {
    /// Begins a call that does not await.
    pub(super) fn begin<E>(
        &self,
        kind: CallKind,
        entries: Option<usize>,
        place: Option<&'static Location<'static>>,
    ) -> Result<Begun, CallError<E>> {
        let begun = self.try_begin(kind, entries, place);
        begun.map_err(|dead| {
            self.unwind(&dead);
            CallError::ServiceUnavailable
        })
    }

    /// Begins a call of which the answer is awaited.
    #[cfg(feature = "worker")]
    pub(super) async fn begin_awaited(&self, kind: CallKind, entries: Option<usize>) -> Begun {
        match self.try_begin(kind, entries, None) {
            Ok(begun) => begun,
            Err(dead) => dead.wait_for_ever().await,
        }
    }

    fn try_begin(
        &self,
        kind: CallKind,
        entries: Option<usize>,
        place: Option<&'static Location<'static>>,
    ) -> Result<Begun, Dead> {
        match &self.origin {
            Origin::Net(port) => port.begin(kind, entries, place),
            Origin::Chance(_) => {
                let Struck { fault, entry } = match entries {
                    Some(entries) => self.draw_for_batch(kind.faults(), entries),
                    None => Struck {
                        fault: self.draw(kind.faults()),
                        entry: None,
                    },
                };
                Ok(Begun {
                    fault,
                    entry,
                    dies_after: false,
                    place: None,
                })
            }
        }
    }

    /// Ends a call that does not await.
    pub(super) fn end<T, E: fmt::Display>(&self, begun: Begun, act: &Act<'_>, result: &Result<T, CallError<E>>) {
        if let Err(dead) = self.try_end(begun, act, result) {
            self.unwind(&dead);
        }
    }

    /// Ends a call of which the answer is awaited.
    #[cfg(feature = "worker")]
    pub(super) async fn end_awaited<T, E: fmt::Display>(
        &self,
        begun: Begun,
        act: &Act<'_>,
        result: &Result<T, CallError<E>>,
    ) {
        if let Err(dead) = self.try_end(begun, act, result) {
            dead.wait_for_ever::<()>().await;
        }
    }

    /// What the queue refuses, no fault has changed.
    fn try_end<T, E: fmt::Display>(
        &self,
        begun: Begun,
        act: &Act<'_>,
        result: &Result<T, CallError<E>>,
    ) -> Result<(), Dead> {
        match &self.origin {
            Origin::Net(port) => port.end(begun, act, result),
            Origin::Chance(_) => {
                if !matches!(result, Err(CallError::Refused(_))) {
                    self.note(begun.fault);
                }
                Ok(())
            }
        }
    }

    fn unwind(&self, dead: &Dead) {
        if let Origin::Net(port) = &self.origin {
            port.unwind(dead);
        }
    }

    /// Who calls, where that is told.
    pub(super) fn who(&self) -> Arc<str> {
        match &self.origin {
            Origin::Net(port) => Arc::clone(&port.name),
            Origin::Chance(_) => Arc::default(),
        }
    }

    /// What the case has not looked at yet.
    pub(super) fn facts(&self) -> usize {
        match &self.origin {
            Origin::Net(port) => port.net.facts.lock().len(),
            Origin::Chance { .. } => 0,
        }
    }

    /// What has been sent since there were so many facts, whether or not that was answered. It is given its names.
    pub(super) fn sent_since(&self, facts: usize) -> Vec<MessageId> {
        let Origin::Net(port) = &self.origin else {
            return Vec::new();
        };
        let facts: Vec<_> = port
            .net
            .facts
            .lock()
            .iter()
            .skip(facts)
            .map(|it| it.1.fact.clone())
            .collect();
        let sent = facts.iter().filter_map(|fact| match fact {
            Fact::Sent { message_id, .. } => Some(*message_id),
            _ => None,
        });
        sent.inspect(|message| port.net.introduce(*message)).collect()
    }

    /// The fault that strikes a call, drawn from the queue's own stream.
    pub(super) fn draw(&self, candidates: &[Fault]) -> Option<Fault> {
        let Origin::Chance(stream) = &self.origin else {
            return None;
        };
        let candidates = [candidates, &[Fault::ClockJump]].concat();
        let fault = stream.chance.lock().draw(&candidates)?;
        if fault == Fault::ClockJump {
            self.wire.clock().advance(Fault::JUMP);
            self.note(Some(fault));
            return None;
        }
        Some(fault)
    }

    fn draw_for_batch(&self, candidates: &[Fault], entries: usize) -> Struck {
        let fault = self.draw(&[candidates, &[Fault::BatchEntryFails]].concat());
        let entry = match (fault, &self.origin) {
            (Some(Fault::BatchEntryFails), Origin::Chance(stream)) if entries > 0 => {
                Some(stream.chance.lock().below(entries as u64) as usize)
            }
            _ => None,
        };
        Struck { fault, entry }
    }

    pub(super) fn note(&self, fault: Option<Fault>) {
        if let (Some(fault), Some(struck)) = (fault, self.origin.struck()) {
            let now = self.wire.clock().now();
            struck.lock().push((now, fault));
        }
    }
}

/// The messages of a batch whose entries did not fail.
pub(super) fn succeeded(all: &[Option<MessageId>], failed: impl Fn(usize) -> bool) -> Vec<MessageId> {
    let entries = all.iter().enumerate().filter(|it| !failed(it.0));
    entries.filter_map(|it| *it.1).collect()
}
