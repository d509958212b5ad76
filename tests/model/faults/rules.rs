//! The reference model with faults: what SQS promises of a call that a fault has struck, one rule per fault.
//!
//! The rules know nothing of how the kit makes a fault. They are told which one struck, and say what the caller and the
//! queue may then look like; where nothing struck, the library and the reference must be the same.

use std::collections::{BTreeMap, HashMap};

use requeue::{
    BatchResult, ChangeVisibilityBatchEntry, Clock, DeleteBatchEntry, Message, MessageId, ReceiptHandle,
    SendBatchEntry, Timestamp,
    testing::{CallError, Fault, Faults, FaultyQueue, FaultyService},
};

use crate::{
    batches::paired,
    compare::{Fault as Refused, Pair, Same, both, same},
    faults::fifo::Witness,
    receiving::asked,
    reference::*,
    steps::{Move, Pick, Shape, Step},
    translate::{outgoing, span},
};

/// What a caller hears.
#[derive(Debug)]
enum Answer<R> {
    Ok(R),
    Refused(Refused),
    Failed(&'static str),
    Lost,
}

macro_rules! answer {
    ($result:expr) => {
        match $result {
            Ok(output) => Answer::Ok(output),
            Err(CallError::Refused(error)) => Answer::Refused(Refused {
                code: error.code(),
                text: error.to_string(),
            }),
            Err(CallError::ResponseLost) => Answer::Lost,
            Err(error) => Answer::Failed(error.code().unwrap_or("no code")),
        }
    };
}

impl<R: std::fmt::Debug> Answer<R> {
    fn plain(self) -> Same<Result<R, Refused>> {
        match self {
            Self::Ok(output) => Ok(Ok(output)),
            Self::Refused(refused) => Ok(Err(refused)),
            other => Err(format!("{other:?} without a fault")),
        }
    }

    fn is_lost(&self) -> Same {
        match self {
            Self::Lost => Ok(()),
            other => Err(format!("{other:?}, where the answer is lost")),
        }
    }

    fn is_failed(&self, code: &str) -> Same {
        match self {
            Self::Failed(failed) if *failed == code => Ok(()),
            other => Err(format!("{other:?}, where the service answers {code}")),
        }
    }

    fn output(self) -> Same<R> {
        match self {
            Self::Ok(output) => Ok(output),
            other => Err(format!("{other:?}, where the call succeeds")),
        }
    }
}

/// The reference's side of a call.
type Apply<M> = Box<dyn Fn(&mut World) -> Result<M, Refusal>>;

type Late = Box<dyn FnOnce(&mut World)>;

/// A batch of the reference.
type ApplyBatch<E, M> = fn(&mut World, usize, &[E]) -> Result<Vec<Result<M, Refusal>>, Refusal>;

pub(crate) struct FaultyPair {
    pair: Pair,
    faulty: Vec<FaultyQueue>,
    /// What will happen in the world, by the time of the clock and the order of the calls.
    late: BTreeMap<(Timestamp, usize), Late>,
    put_off: usize,
    /// What consumers hold, and what the reference says of it.
    deliveries: HashMap<ReceiptHandle, (Message, Received)>,
    /// Deletes that were answered with success.
    deleted: Vec<ReceiptHandle>,
    /// Per queue, when it was last purged.
    purged: Vec<Option<u64>>,
    witness: Witness,
    seen: Vec<usize>,
    pub(crate) struck: BTreeMap<Fault, usize>,
}

fn expect(holds: bool, what: &str) -> Same {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl FaultyPair {
    pub(crate) fn new(shape: &Shape, faults: &Faults, seed: u64) -> Self {
        let pair = Pair::new(shape);
        let faulty = match &pair.service {
            Some(service) => {
                let network = FaultyService::new(service, &pair.clock, faults.clone(), seed).unwrap();
                pair.queues
                    .iter()
                    .map(|queue| network.queue(queue.name()).unwrap())
                    .collect()
            }
            None => {
                let faulty =
                    |(queue, place)| FaultyQueue::new(queue, &pair.clock, faults.clone(), seed ^ place).unwrap();
                pair.queues.iter().zip(0..).map(faulty).collect()
            }
        };
        let queues = pair.queues.len();
        Self {
            pair,
            faulty,
            late: BTreeMap::new(),
            put_off: 0,
            deliveries: HashMap::new(),
            deleted: Vec::new(),
            purged: vec![None; queues],
            witness: Witness::default(),
            seen: vec![0; queues],
            struck: BTreeMap::new(),
        }
    }

    /// Takes one step on both sides, with what struck it, and compares everything that can be seen.
    pub(crate) fn step(&mut self, step: &Step) -> Same {
        match step {
            Step::Send { queue, draft } => self.send(*queue, draft)?,
            Step::SendBatch { queue, drafts, ids } => {
                let entries = drafts
                    .iter()
                    .enumerate()
                    .map(|(place, draft)| (ids.of(place), draft.clone()));
                self.send_batch(*queue, entries.collect())?;
            }
            Step::Receive { queue, request } => self.receive(*queue, request)?,
            Step::Delete { handle } => self.delete(*handle)?,
            Step::DeleteBatch { handles, ids } => self.delete_batch(handles, |place| ids.of(place))?,
            Step::ChangeVisibility { handle, timeout } => self.change_visibility(*handle, *timeout)?,
            Step::ChangeVisibilityBatch { handles, ids } => {
                self.change_visibility_batch(handles, |place| ids.of(place))?;
            }
            Step::Clock(to) => self.move_clock(*to),
            // What is not asked of a queue over the network meets no fault.
            Step::Purge { queue } => {
                let before = self.pair.world.snapshot(*queue).len();
                self.pair.step(step)?;
                if before > 0 && self.pair.world.snapshot(*queue).is_empty() {
                    self.purged[*queue] = Some(self.pair.world.now());
                }
            }
            Step::DeleteById { .. }
            | Step::Burst { .. }
            | Step::SetAttributes { .. }
            | Step::SetRedrive { .. }
            | Step::MoveTask { .. } => {
                self.pair.step(step)?;
            }
            #[cfg(feature = "journal")]
            Step::Reopen(_) => self.pair.step(step)?,
        }
        (0..self.faulty.len()).try_for_each(|queue| self.pair.look(queue))
    }

    fn move_clock(&mut self, to: Move) {
        let clock = &self.pair.clock;
        let now = clock.now().as_millis();
        match to {
            Move::By(span) => clock.advance_to(Timestamp::from_millis(now + span)),
            Move::Back(span) => clock.set(Timestamp::from_millis(now.saturating_sub(span))),
            Move::ToDeadline { next, off, far } => {
                let deadlines = self.pair.world.deadlines(far);
                if let Some(deadline) = deadlines.get(next.min(deadlines.len().saturating_sub(1))) {
                    clock.advance_to(Timestamp::from_millis(deadline.saturating_add_signed(off)));
                }
            }
        }
        self.pass_time();
    }

    /// *SendLate*, *DeleteLate*, *VisibilityLate*: the call is carried out at its own instant; refused, it is lost.
    fn pass_time(&mut self) {
        let now = self.pair.clock.now();
        while let Some(first) = self.late.first_entry().filter(|it| it.key().0 <= now) {
            let ((due, _), apply) = first.remove_entry();
            self.pair.world.set_clock(due.as_millis());
            apply(&mut self.pair.world);
            self.witness.knows_no_time();
        }
        self.pair.world.set_clock(now.as_millis());
    }

    /// What struck the call just made, besides *ClockJump*: time has moved on, and nothing else has changed.
    fn struck(&mut self, queue: usize) -> Same<Option<Fault>> {
        let struck = self.faulty[queue].struck();
        let fresh = &struck[self.seen[queue]..];
        self.seen[queue] = struck.len();
        fresh
            .iter()
            .for_each(|(_, fault)| *self.struck.entry(*fault).or_default() += 1);
        let now = self.pair.clock.now().as_millis();
        let before = self.pair.world.now();
        let (jumps, others): (Vec<Fault>, _) = fresh.iter().map(|it| it.1).partition(|it| *it == Fault::ClockJump);
        expect(jumps.len() + others.len() <= 1, "at most one fault strikes a call")?;
        if !jumps.is_empty() {
            let jump = Fault::JUMP.as_millis() as u64;
            expect(now <= before + jump, "the clock jumps no further than it says")?;
        }
        self.pass_time();
        Ok(others.first().copied())
    }

    /// The rules of a call that changes something.
    fn rule<R: std::fmt::Debug, M: std::fmt::Debug + 'static>(
        &mut self,
        fault: Option<Fault>,
        answer: Answer<R>,
        apply: Apply<M>,
    ) -> Same<Option<(R, M)>> {
        match fault {
            None => return both(answer.plain()?, apply(&mut self.pair.world)),
            // Nothing was done.
            Some(Fault::SendThrottled) => answer.is_failed("RequestThrottled")?,
            Some(Fault::DeleteFails | Fault::VisibilityFails) => answer.is_failed("ServiceUnavailable")?,
            // It was done, and nobody was told.
            Some(Fault::SendResponseLost | Fault::DeleteResponseLost | Fault::VisibilityResponseLost) => {
                answer.is_lost()?;
                apply(&mut self.pair.world)
                    .map_err(|refusal| format!("a lost answer that is a refusal: {refusal:?}"))?;
            }
            // It will be done, and nobody was told.
            Some(Fault::SendLate | Fault::DeleteLate | Fault::VisibilityLate) => {
                answer.is_lost()?;
                self.put_off += 1;
                let due = self.pair.clock.now().saturating_add(Fault::LATE);
                self.late
                    .insert((due, self.put_off), Box::new(move |world| drop(apply(world))));
            }
            Some(fault) => return Err(format!("{fault} has no rule for {answer:?}")),
        }
        Ok(None)
    }

    /// The rules of a batch: those of a call, and *BatchEntryFails*: one entry fails and is not the sender's fault, the
    /// others are treated as if there had been no fault, and so is the batch as a whole (M37-M39).
    fn batch_rule<R: std::fmt::Debug, M: std::fmt::Debug + 'static, E: Clone + 'static>(
        &mut self,
        (queue, fault): (usize, Option<Fault>),
        answer: Answer<BatchResult<R>>,
        entries: Vec<(String, E)>,
        apply: ApplyBatch<E, M>,
    ) -> Same<Vec<(R, M)>> {
        let (mut ids, mut all): (Vec<String>, Vec<E>) = entries.into_iter().unzip();
        let named = |ids: &[String]| ids.to_vec();
        let mut result = match fault {
            Some(Fault::BatchEntryFails) => {
                let whole = apply(&mut self.pair.world.clone(), queue, &all);
                expect(whole.is_ok(), "no fault changes that a batch is refused as a whole")?;
                answer.output()?
            }
            _ => {
                let all = all.clone();
                let call: Apply<_> = Box::new(move |world| apply(world, queue, &all));
                let Some((real, model)) = self.rule(fault, answer, call)? else {
                    return Ok(Vec::new());
                };
                let ids = named(&ids);
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                return paired(&ids, real, model);
            }
        };
        let place = |id: &str| ids.iter().position(|it| it == id);
        let places: Vec<_> = result.failed.iter().map(|it| place(&it.id)).collect();
        expect(places.is_sorted(), "failures stand in the order of the request")?;
        let (ours, theirs): (Vec<_>, Vec<_>) = result.failed.into_iter().partition(|it| !it.sender_fault);
        let codes: Vec<&str> = ours.iter().map(|it| it.code).collect();
        same(
            "entries that fail without the sender's fault",
            codes,
            vec!["InternalError"],
        )?;
        result.failed = theirs;
        let at = place(&ours[0].id).ok_or("an entry fails that was not sent")?;
        ids.remove(at);
        all.remove(at);
        let model = match all.is_empty() {
            true => Vec::new(),
            false => apply(&mut self.pair.world, queue, &all).map_err(|refusal| format!("{refusal:?}"))?,
        };
        paired(&ids.iter().map(String::as_str).collect::<Vec<_>>(), result, model)
    }

    fn send(&mut self, queue: usize, draft: &Draft) -> Same {
        let answer = answer!(self.faulty[queue].send(outgoing(draft)));
        let (fault, draft) = (self.struck(queue)?, draft.clone());
        match self.rule(fault, answer, Box::new(move |world| world.send(queue, &draft)))? {
            Some((real, model)) => self.pair.sent(queue, real.message_id, real.sequence_number, model),
            None => Ok(()),
        }
    }

    fn send_batch(&mut self, queue: usize, entries: Vec<(String, Draft)>) -> Same {
        let real = entries
            .iter()
            .map(|(id, draft)| SendBatchEntry::new(id.clone(), outgoing(draft)));
        let answer = answer!(self.faulty[queue].send_batch(real.collect::<Vec<_>>()));
        let fault = self.struck(queue)?;
        let entries = entries.into_iter().map(|entry| (entry.0.clone(), entry)).collect();
        for (real, model) in self.batch_rule((queue, fault), answer, entries, World::send_batch)? {
            self.pair.sent(queue, real.message_id, real.sequence_number, model)?;
        }
        Ok(())
    }

    fn delete(&mut self, pick: Pick) -> Same {
        let Some((queue, handle, real)) = self.pair.pick(pick) else {
            return Ok(());
        };
        let answer = answer!(self.faulty[queue].delete(&self.deliveries[&real].0));
        let fault = self.struck(queue)?;
        if self
            .rule(fault, answer, Box::new(move |world| world.delete(queue, handle)))?
            .is_some()
        {
            self.has_deleted(queue, real);
        }
        Ok(())
    }

    fn has_deleted(&mut self, queue: usize, real: ReceiptHandle) {
        self.deleted.push(real);
        self.witness.deleted(queue, &self.deliveries[&real].0);
    }

    fn delete_batch(&mut self, picks: &[Pick], id: impl Fn(usize) -> String) -> Same {
        let picked: Vec<_> = picks.iter().filter_map(|pick| self.pair.pick(*pick)).collect();
        let queue = picked.first().map_or(0, |(queue, _, _)| *queue);
        let real = picked
            .iter()
            .enumerate()
            .map(|(at, it)| DeleteBatchEntry::new(id(at), it.2));
        let answer = answer!(self.faulty[queue].delete_batch(real.collect::<Vec<_>>()));
        let succeeded: Vec<String> = match &answer {
            Answer::Ok(result) => result.successful.iter().map(|it| it.id.to_string()).collect(),
            _ => Vec::new(),
        };
        let fault = self.struck(queue)?;
        let entries = picked
            .iter()
            .enumerate()
            .map(|(at, it)| (id(at), (id(at), it.1)))
            .collect();
        self.batch_rule((queue, fault), answer, entries, World::delete_batch)?;
        for (at, (_, _, real)) in picked.iter().enumerate() {
            if succeeded.contains(&id(at)) {
                self.has_deleted(queue, *real);
            }
        }
        Ok(())
    }

    fn change_visibility(&mut self, pick: Pick, timeout: u64) -> Same {
        let Some((queue, handle, real)) = self.pair.pick(pick) else {
            return Ok(());
        };
        let message = &self.deliveries[&real].0;
        self.witness.touched(queue, message.message_id());
        let answer = answer!(self.faulty[queue].change_visibility(message, span(timeout)));
        let fault = self.struck(queue)?;
        let apply = move |world: &mut World| world.change_visibility(queue, handle, timeout);
        self.rule(fault, answer, Box::new(apply)).map(drop)
    }

    fn change_visibility_batch(&mut self, picks: &[(Pick, u64)], id: impl Fn(usize) -> String) -> Same {
        let picked = picks
            .iter()
            .filter_map(|(pick, timeout)| Some((self.pair.pick(*pick)?, *timeout)));
        let picked: Vec<_> = picked.collect();
        let queue = picked.first().map_or(0, |((queue, _, _), _)| *queue);
        for ((_, _, real), _) in &picked {
            self.witness.touched(queue, self.deliveries[real].0.message_id());
        }
        let real = picked.iter().enumerate();
        let real = real.map(|(at, (it, timeout))| ChangeVisibilityBatchEntry::new(id(at), it.2, span(*timeout)));
        let answer = answer!(self.faulty[queue].change_visibility_batch(real.collect::<Vec<_>>()));
        let fault = self.struck(queue)?;
        let entries = picked.iter().enumerate();
        let entries = entries
            .map(|(at, (it, timeout))| (id(at), (id(at), it.1, *timeout)))
            .collect();
        self.batch_rule((queue, fault), answer, entries, World::change_visibility_batch)?;
        Ok(())
    }

    fn receive(&mut self, queue: usize, request: &Request) -> Same {
        let answer = answer!(self.faulty[queue].receive_with(|poll| asked(poll, request)));
        let fault = self.struck(queue)?;
        let is_fifo = self.pair.world.setup(queue).fifo;
        if let (Answer::Ok(messages), true) = (&answer, is_fifo) {
            self.witness.received(queue, self.pair.world.now(), messages)?;
        }
        let is_long = request.wait_time.is_some_and(|wait| wait > 0);
        if let Some(fault) = fault {
            expect(
                fault.is_legal_on_fifo() || !is_fifo,
                "SQS rules the fault out on FIFO queues",
            )?;
            let sampled = matches!(fault, Fault::SampledPoll | Fault::OverLimit);
            expect(
                !(sampled && is_long),
                "a long poll asks every server, and meets no limit (D10, D15)",
            )?;
        }
        let mut world = self.pair.world.clone();
        let model = world.receive(queue, request);
        match fault {
            None => {
                self.pair.world = world;
                let Some((real, model)) = both(answer.plain()?, model)? else {
                    return Ok(());
                };
                self.received(queue, &real, &model)
            }
            Some(Fault::ReceiveThrottled) => answer.is_failed("RequestThrottled"),
            Some(Fault::OverLimit) => match answer {
                Answer::Refused(refused) => same("code", refused.code, "OverLimit"),
                other => Err(format!("{other:?}, where the limit is met")),
            },
            // Any part of what a long poll would return (D9), of which the kit takes the smallest.
            Some(Fault::SampledPoll) => {
                is_good(&model)?;
                expect(self.pair.world.counts(queue).visible > 0, "there is something to miss")?;
                same("messages of a poll that misses all", answer.output()?.len(), 0)
            }
            Some(Fault::ReceiveResponseLost) => {
                self.pair.world = world;
                // A replay that is lost sets the timeout anew all the same (F32).
                self.witness.knows_no_time();
                answer.is_lost()?;
                expect(
                    model.is_ok_and(|it| !it.is_empty()),
                    "what is lost is in flight, and nobody has it",
                )
            }
            Some(Fault::Reordered) => {
                self.pair.world = world;
                self.reordered(
                    queue,
                    &answer.output()?,
                    model.map_err(|refusal| format!("{refusal:?}"))?,
                )
            }
            Some(Fault::DuplicateInFlight) => {
                is_good(&model)?;
                let copies = answer.output()?;
                let original = self.original(&copies)?;
                let held = self
                    .pair
                    .world
                    .snapshot(queue)
                    .into_iter()
                    .find(|it| it.serial == original.handle.serial);
                let held = held.ok_or("a copy of what is not stored")?;
                expect(
                    matches!(held.phase, StoredPhase::InFlight { .. }),
                    "a copy of what is not in flight",
                )?;
                same("receives of a copy", held.receive_count, original.receive_count)?;
                self.pair.received(queue, &copies[0], &original)
            }
            Some(Fault::DuplicateAfterDelete) => {
                is_good(&model)?;
                let copies = answer.output()?;
                let original = self.original(&copies)?;
                self.may_come_after_its_delete(queue, copies[0].receipt_handle(), &original)?;
                self.pair.received(queue, &copies[0], &original)
            }
            Some(fault) => Err(format!("{fault} has no rule for a receive")),
        }
    }

    /// The delivery that a copy is one of: to the letter, handle included.
    fn original(&self, copies: &[Message]) -> Same<Received> {
        same("copies", copies.len(), 1)?;
        let known = self.deliveries.get(&copies[0].receipt_handle());
        known
            .map(|it| it.1.clone())
            .ok_or_else(|| "a copy of what nobody has received".to_owned())
    }

    /// D22: a server missed the delete. It has not missed a purge, nor the end of the retention.
    fn may_come_after_its_delete(&mut self, queue: usize, real: ReceiptHandle, original: &Received) -> Same {
        let deleted = self.deleted.iter().position(|it| *it == real);
        self.deleted
            .remove(deleted.ok_or("its delete was not answered with success")?);
        let stored = self.pair.world.snapshot(queue);
        expect(
            stored.iter().all(|it| it.serial != original.handle.serial),
            "it is not deleted",
        )?;
        let end = original.sent_at + self.pair.world.setup(queue).message_retention_period;
        expect(self.pair.world.now() < end, "its retention is over")?;
        let purged = self.purged[queue].is_some_and(|purged| purged > original.sent_at);
        expect(!purged, "it was purged")
    }

    /// D13: the same messages in another order.
    fn reordered(&mut self, queue: usize, real: &[Message], model: Vec<Received>) -> Same {
        // What arrived within this very step has an id that is not yet known.
        (0..self.faulty.len()).try_for_each(|queue| self.pair.look(queue))?;
        let number = |id: MessageId| self.pair.message_ids.iter().position(|known| *known == Some(id));
        let numbers: Vec<_> = real.iter().map(|message| number(message.message_id())).collect();
        let mut ordered = Vec::new();
        for message in &model {
            let at = numbers.iter().position(|it| *it == Some(message.id));
            ordered.push(real[at.ok_or("a message is missing")?].clone());
        }
        same("messages", real.len(), model.len())?;
        expect(ordered.len() > 1, "there is something to reorder")?;
        self.received(queue, &ordered, &model)
    }

    fn received(&mut self, queue: usize, real: &[Message], model: &[Received]) -> Same {
        let ids: Vec<MessageId> = real.iter().map(Message::message_id).collect();
        let expected: Vec<usize> = model.iter().map(|message| message.id).collect();
        self.pair.same_messages("received", &ids, &expected)?;
        for (real, model) in real.iter().zip(model) {
            self.pair.received(queue, real, model)?;
            self.deliveries
                .insert(real.receipt_handle(), (real.clone(), model.clone()));
        }
        Ok(())
    }
}

/// No fault makes a bad request good. The limit in flight is met approximately (D15): a fault may come before it.
fn is_good(model: &Result<Vec<Received>, Refusal>) -> Same {
    match model {
        Err(refusal) if refusal.code != "OverLimit" => Err(format!("an answer instead of {refusal:?}")),
        _ => Ok(()),
    }
}
