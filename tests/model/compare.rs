//! The library and the reference take the same step, and must then be the same.

use std::{collections::BTreeMap, fmt::Debug, future::IntoFuture, pin::pin, task};

use requeue::{
    ChangeVisibilityBatchEntry, Clock, DeleteBatchEntry, ManualClock, Message, MessageId, MessagePhase, Queue,
    QueueAttributes, ReceiptHandle, RedrivePolicy, SendBatchEntry, SequenceNumber, Service, StartMessageMoveTask,
    Timestamp,
};

use crate::reference::*;
use crate::steps::{Move, Pick, Shape, Step};
use crate::translate::*;

/// What went differently, in words.
pub(crate) type Same<T = ()> = Result<T, String>;

pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) clock: ManualClock,
    /// Holds the queues whose redrive policies change.
    pub(crate) service: Option<Service>,
    pub(crate) queues: Vec<Queue>,
    /// By the number of the message in the world; a message moved by a task has one once it was seen.
    pub(crate) message_ids: Vec<Option<MessageId>>,
    pub(crate) handles: Vec<(Handle, ReceiptHandle)>,
    /// Per queue, by serial (F37).
    sequence_numbers: Vec<BTreeMap<u64, SequenceNumber>>,
}

/// An error of the library as its code and its text.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

macro_rules! faulty {
    ($result:expr) => {
        $result.map_err(|error| Fault {
            code: error.code(),
            text: error.to_string(),
        })
    };
}

pub(crate) fn same<T: PartialEq + Debug>(what: &str, real: T, model: T) -> Same {
    if real == model {
        Ok(())
    } else {
        Err(format!("{what}: library {real:?}, reference {model:?}"))
    }
}

/// Both answers, if both succeeded.
pub(crate) fn both<R: Debug, M: Debug>(real: Result<R, Fault>, model: Result<M, Refusal>) -> Same<Option<(R, M)>> {
    match (real, model) {
        (Ok(real), Ok(model)) => Ok(Some((real, model))),
        (Err(fault), Err(refusal)) if refusal.is(fault.code, &fault.text) => Ok(None),
        (real, model) => Err(format!("answer: library {real:?}, reference {model:?}")),
    }
}

impl Pair {
    pub(crate) fn new(shape: &Shape) -> Self {
        let clock = ManualClock::default();
        let (service, queues) = if shape.redrives {
            let (service, queues) = queues_of_a_service(shape, &clock);
            (Some(service), queues)
        } else {
            (None, queues_alone(shape, &clock))
        };
        Self {
            world: World::with_limits(clock.now().as_millis(), &shape.setups, shape.limits.clone()),
            clock,
            sequence_numbers: vec![BTreeMap::new(); queues.len()],
            service,
            queues,
            message_ids: Vec::new(),
            handles: Vec::new(),
        }
    }

    /// Takes one step on both sides and compares the answers and then everything that can be seen.
    pub(crate) fn step(&mut self, step: &Step) -> Same {
        match step {
            Step::Send { queue, draft } => self.send(*queue, draft)?,
            Step::SendBatch { queue, drafts, ids } => {
                let drafts = drafts
                    .iter()
                    .enumerate()
                    .map(|(place, draft)| (ids.of(place), draft.clone()));
                self.send_batch(*queue, &drafts.collect::<Vec<_>>())?;
            }
            Step::Receive { queue, request } => self.receive(*queue, request)?,
            Step::Delete { handle } => {
                if let Some((queue, handle, real)) = self.pick(*handle) {
                    both(
                        faulty!(self.queues[queue].delete(&real)),
                        self.world.delete(queue, handle),
                    )?;
                }
            }
            Step::DeleteBatch { handles, ids } => self.delete_batch(handles, |place| ids.of(place))?,
            Step::ChangeVisibility { handle, timeout } => {
                if let Some((queue, handle, real)) = self.pick(*handle) {
                    let answer = faulty!(self.queues[queue].change_visibility(&real, span(*timeout)));
                    both(answer, self.world.change_visibility(queue, handle, *timeout))?;
                }
            }
            Step::ChangeVisibilityBatch { handles, ids } => {
                self.change_visibility_batch(handles, |place| ids.of(place))?;
            }
            Step::Purge { queue } => {
                let queue = *queue;
                both(faulty!(self.queues[queue].purge()), self.world.purge(queue))?;
            }
            Step::SetAttributes { queue, change } => {
                let queue = *queue;
                let answer = faulty!(self.queues[queue].set_attributes(attributes(change)));
                both(answer, self.world.set_attributes(queue, change))?;
            }
            Step::SetRedrive { queue, target, maximum } => {
                let redrive = maximum.map(|maximum| (*target, maximum));
                let attributes = match redrive {
                    Some((_, maximum)) => {
                        QueueAttributes::new().redrive_policy(RedrivePolicy::new(self.queues[*target].arn(), maximum))
                    }
                    None => QueueAttributes::new().no_redrive_policy(),
                };
                let Some(service) = &self.service else {
                    return Err("redrive policies change in a service".into());
                };
                both(
                    faulty!(service.set_attributes(self.queues[*queue].name(), attributes)),
                    Ok::<(), Refusal>(()),
                )?;
                self.world.set_redrive(*queue, redrive);
            }
            Step::MoveTask { queue, destination } => {
                let mut request = StartMessageMoveTask::new(self.queues[*queue].arn());
                if let Some(destination) = destination {
                    request = request.destination_arn(self.queues[*destination].arn());
                }
                let Some(service) = &self.service else {
                    return Err("move tasks run in a service".into());
                };
                let answer = faulty!(service.start_message_move_task(&request));
                both(answer, self.world.move_task(*queue, *destination))?;
            }
            Step::Clock(to) => self.move_clock(*to),
        }
        (0..self.queues.len()).try_for_each(|queue| self.look(queue))
    }

    /// A handle of both sides, and the queue to use it on.
    pub(crate) fn pick(&self, pick: Pick) -> Option<(usize, Handle, ReceiptHandle)> {
        if self.handles.is_empty() {
            return None;
        }
        let handles = self.handles.len();
        let (model, real) = match pick {
            Pick::Recent(back) => self.handles[handles - 1 - back % handles],
            Pick::Any(place) | Pick::Astray(place) => self.handles[place % handles],
        };
        let queue = match pick {
            Pick::Astray(_) => (model.queue + 1) % self.queues.len(),
            _ => model.queue,
        };
        Some((queue, model, real))
    }

    fn move_clock(&mut self, to: Move) {
        let now = self.clock.now().as_millis();
        match to {
            Move::By(span) => self.clock.advance_to(Timestamp::from_millis(now + span)),
            Move::Back(span) => self.clock.set(Timestamp::from_millis(now.saturating_sub(span))),
            Move::ToDeadline { next, off, far } => {
                let deadlines = self.world.deadlines(far);
                if let Some(deadline) = deadlines.get(next.min(deadlines.len().saturating_sub(1))) {
                    self.clock
                        .advance_to(Timestamp::from_millis(deadline.saturating_add_signed(off)));
                }
            }
        }
        self.world.set_clock(self.clock.now().as_millis());
    }

    fn send(&mut self, queue: usize, draft: &Draft) -> Same {
        let answer = faulty!(self.queues[queue].send(outgoing(draft)));
        match both(answer, self.world.send(queue, draft))? {
            Some((real, model)) => self.sent(queue, real.message_id, real.sequence_number, model),
            None => Ok(()),
        }
    }

    fn send_batch(&mut self, queue: usize, entries: &[(String, Draft)]) -> Same {
        let real = entries
            .iter()
            .map(|(id, draft)| SendBatchEntry::new(id.clone(), outgoing(draft)));
        let answer = faulty!(self.queues[queue].send_batch(real));
        let Some((real, model)) = both(answer, self.world.send_batch(queue, entries))? else {
            return Ok(());
        };
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        for (real, model) in paired(&ids, real, model)? {
            self.sent(queue, real.message_id, real.sequence_number, model)?;
        }
        Ok(())
    }

    pub(crate) fn sent(&mut self, queue: usize, id: MessageId, sequence: Option<SequenceNumber>, model: Sent) -> Same {
        self.same_messages("message", &[id], &[model.id])?;
        self.sequence(queue, model.serial, sequence)
    }

    /// An id is learned when its message is first seen, and is no other message's.
    pub(crate) fn same_messages(&mut self, what: &str, real: &[MessageId], model: &[usize]) -> Same {
        for (real, model) in real.iter().zip(model) {
            self.message_ids.resize(self.message_ids.len().max(model + 1), None);
            if self.message_ids[*model].is_none() && !self.message_ids.contains(&Some(*real)) {
                self.message_ids[*model] = Some(*real);
            }
        }
        let number = |id: &MessageId| self.message_ids.iter().position(|known| *known == Some(*id));
        let real: Vec<Option<usize>> = real.iter().map(number).collect();
        same(what, real, model.iter().map(|id| Some(*id)).collect())
    }

    /// F37 to F39: the number of a message never changes, and later messages have greater ones.
    fn sequence(&mut self, queue: usize, serial: u64, number: Option<SequenceNumber>) -> Same {
        same("has a sequence number", number.is_some(), self.world.setup(queue).fifo)?;
        let Some(number) = number else { return Ok(()) };
        let known = &mut self.sequence_numbers[queue];
        same("sequence number", number, *known.entry(serial).or_insert(number))?;
        let rises = known
            .range(..serial)
            .next_back()
            .is_none_or(|(_, before)| *before < number)
            && known
                .range(serial + 1..)
                .next()
                .is_none_or(|(_, after)| number < *after);
        if rises {
            Ok(())
        } else {
            Err(format!("sequence number {number} of {serial} does not rise: {known:?}"))
        }
    }

    fn receive(&mut self, queue: usize, request: &Request) -> Same {
        let mut receive = self.queues[queue].receive();
        if let Some(maximum) = request.max_messages {
            receive = receive.max_messages(maximum);
        }
        if let Some(visibility) = request.visibility_timeout {
            receive = receive.visibility_timeout(span(visibility));
        }
        if let Some(wait) = request.wait_time {
            receive = receive.wait_time(span(wait));
        }
        if let Some(attempt) = &request.receive_request_attempt_id {
            receive = receive.receive_request_attempt_id(attempt.as_str());
        }
        let is_short = request.wait_time.is_none_or(|wait| wait == 0);
        let answer = if is_short {
            faulty!(receive.blocking())
        } else {
            let mut context = task::Context::from_waker(task::Waker::noop());
            match pin!(receive.into_future()).poll(&mut context) {
                task::Poll::Ready(answer) => faulty!(answer),
                task::Poll::Pending => Ok(Vec::new()),
            }
        };
        let Some((real, model)) = both(answer, self.world.receive(queue, request))? else {
            return Ok(());
        };
        let ids: Vec<MessageId> = real.iter().map(Message::message_id).collect();
        self.same_messages(
            "received",
            &ids,
            &model.iter().map(|message| message.id).collect::<Vec<_>>(),
        )?;
        for (real, model) in real.iter().zip(&model) {
            self.received(queue, real, model)
                .map_err(|difference| format!("{difference} in {model:?}"))?;
        }
        Ok(())
    }

    pub(crate) fn received(&mut self, queue: usize, real: &Message, model: &Received) -> Same {
        same("body", real.body(), &model.body)?;
        same("group", real.message_group_id(), model.message_group_id.as_deref())?;
        same("sent at", real.sent_timestamp().as_millis(), model.sent_at)?;
        same(
            "first received at",
            real.approximate_first_receive_timestamp().as_millis(),
            model.first_received_at,
        )?;
        same("receive count", real.approximate_receive_count(), model.receive_count)?;
        same(
            "invisible until",
            real.invisible_until().as_millis(),
            model.invisible_until,
        )?;
        let source = model.source.map(|source| self.queues[source].arn());
        same("source", real.dead_letter_queue_source_arn(), source)?;
        match (real.message_deduplication_id(), &model.deduplication_id) {
            (Some(real), Some(DeduplicationId::Text(model))) => same("deduplication id", real, model)?,
            (Some(real), Some(DeduplicationId::MessageId)) => {
                let id = self.message_ids[model.id].map(|id| id.to_string());
                same("deduplication id", Some(real.to_owned()), id)?;
            }
            (real, model) => same("has a deduplication id", real.is_some(), model.is_some())?,
        }
        self.sequence(queue, model.handle.serial, real.sequence_number())?;
        let handle = real.receipt_handle();
        let known_by_model = self.handles.iter().position(|(known, _)| *known == model.handle);
        let known_by_library = self.handles.iter().position(|(_, known)| *known == handle);
        same("receipt handle", known_by_library, known_by_model)?; // D18, F32
        if known_by_model.is_none() {
            self.handles.push((model.handle, handle));
        }
        Ok(())
    }

    fn delete_batch(&mut self, picks: &[Pick], id: impl Fn(usize) -> String) -> Same {
        let picked: Vec<_> = picks.iter().filter_map(|pick| self.pick(*pick)).collect();
        let queue = picked.first().map_or(0, |(queue, _, _)| *queue);
        let ids: Vec<String> = (0..picked.len()).map(id).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let entries = ids
            .iter()
            .zip(&picked)
            .map(|(id, (_, _, real))| DeleteBatchEntry::new(id.to_string(), *real));
        let answer = faulty!(self.queues[queue].delete_batch(entries));
        let entries: Vec<_> = ids
            .iter()
            .zip(&picked)
            .map(|(id, (_, handle, _))| (id.to_string(), *handle))
            .collect();
        match both(answer, self.world.delete_batch(queue, &entries))? {
            Some((real, model)) => paired(&ids, real, model).map(drop),
            None => Ok(()),
        }
    }

    fn change_visibility_batch(&mut self, picks: &[(Pick, u64)], id: impl Fn(usize) -> String) -> Same {
        let picked: Vec<_> = picks
            .iter()
            .filter_map(|(pick, timeout)| Some((self.pick(*pick)?, *timeout)))
            .collect();
        let queue = picked.first().map_or(0, |((queue, _, _), _)| *queue);
        let ids: Vec<String> = (0..picked.len()).map(id).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let entries = ids.iter().zip(&picked).map(|(id, ((_, _, real), timeout))| {
            ChangeVisibilityBatchEntry::new(id.to_string(), *real, span(*timeout))
        });
        let answer = faulty!(self.queues[queue].change_visibility_batch(entries));
        let entries = ids.iter().zip(&picked);
        let entries: Vec<_> = entries
            .map(|(id, ((_, handle, _), timeout))| (id.to_string(), *handle, *timeout))
            .collect();
        match both(answer, self.world.change_visibility_batch(queue, &entries))? {
            Some((real, model)) => paired(&ids, real, model).map(drop),
            None => Ok(()),
        }
    }

    /// Everything that can be seen of a queue without touching it.
    pub(crate) fn look(&mut self, queue: usize) -> Same {
        let counts = self.world.counts(queue);
        let real = self.queues[queue].counts();
        let real = Counts {
            visible: real.visible,
            not_visible: real.in_flight,
            delayed: real.delayed,
        };
        same(&format!("counts of queue {queue}"), real, counts)?;
        same("waiting", self.queues[queue].waiting(), 0)?;
        if !self.world.setup(queue).fifo {
            let mut noisy: Vec<String> = self.queues[queue]
                .noisy_groups()
                .iter()
                .map(|it| it.to_string())
                .collect();
            noisy.sort_unstable();
            let model = self.world.noisy_groups(queue);
            same(&format!("noisy groups of queue {queue}"), noisy, model)?;
        }
        let snapshot = self.queues[queue].snapshot();
        same("time of the snapshot", snapshot.at.as_millis(), self.world.now())?;
        same("counts in the snapshot", &snapshot.counts, &self.queues[queue].counts())?;
        let model = self.world.snapshot(queue);
        let ids: Vec<MessageId> = snapshot.messages.iter().map(|message| message.message_id).collect();
        let expected: Vec<usize> = model.iter().map(|message| message.id).collect();
        self.same_messages(&format!("messages of queue {queue}"), &ids, &expected)?;
        for (real, model) in snapshot.messages.iter().zip(model) {
            let stored = Stored {
                id: model.id,
                serial: model.serial,
                body: real.body.to_string(),
                phase: match real.phase {
                    MessagePhase::Visible => StoredPhase::Visible,
                    MessagePhase::Delayed { until, .. } => StoredPhase::Delayed {
                        until: until.as_millis(),
                    },
                    MessagePhase::InFlight { until, .. } => StoredPhase::InFlight {
                        until: until.as_millis(),
                    },
                    _ => return Err(format!("a message rests in {:?}", real.phase)),
                },
                message_group_id: real.message_group_id.as_deref().map(str::to_owned),
                sent_at: real.sent_timestamp.as_millis(),
                receive_count: real.approximate_receive_count,
                expires_at: real.expires_at.as_millis(),
                blocked: real.blocked,
            };
            self.sequence(queue, model.serial, real.sequence_number)?;
            same(&format!("message in queue {queue}"), stored, model)?;
        }
        Ok(())
    }
}

/// The successes of a batch in pairs; failures must be the same ones (M38, M39).
pub(crate) fn paired<R: Debug, M: Debug>(
    ids: &[&str],
    real: requeue::BatchResult<R>,
    model: Vec<Result<M, Refusal>>,
) -> Same<Vec<(R, M)>> {
    let (mut successful, mut failed) = (real.successful.into_iter(), real.failed.into_iter());
    let mut pairs = Vec::new();
    for (id, model) in ids.iter().zip(model) {
        match model {
            Ok(model) => {
                let real = successful.next().ok_or_else(|| format!("entry {id} did not succeed"))?;
                same("successful entry", real.id.as_ref(), id)?;
                pairs.push((real.output, model));
            }
            Err(refusal) => {
                let real = failed
                    .next()
                    .ok_or_else(|| format!("entry {id} did not fail with {refusal:?}"))?;
                same("failed entry", (real.id.as_ref(), real.code), (*id, refusal.code))?;
                same("sender fault", real.sender_fault, true)?;
                if !real.message.contains(refusal.text) {
                    return Err(format!("entry {id} says {:?}, not {:?}", real.message, refusal.text));
                }
            }
        }
    }
    same("entries left over", (successful.len(), failed.len()), (0, 0))?;
    Ok(pairs)
}
