//! The library and the reference take the same step, and must then be the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use requeue::{
    Clock, ManualClock, Message, MessageId, MessagePhase, Queue, QueueAttributes, ReceiptHandle, RedrivePolicy,
    SequenceNumber, Service, StartMessageMoveTask, Timestamp,
};

use crate::listening::Listening;
use crate::receiving::Waiter;
use crate::reference::*;
use crate::steps::{Move, Pick, Shape, Step};
use crate::translate::*;
use crate::ways::{self, Budget, Setting, Ways};

/// What went differently, in words.
pub(crate) type Same<T = ()> = Result<T, String>;

/// So many messages fall due in one step of the library.
const DUE_AT_ONCE: usize = 128;

pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) clock: ManualClock,
    /// Holds the queues whose redrive policies change.
    pub(crate) service: Option<Service>,
    pub(crate) queues: Vec<Queue>,
    /// By the number of the message in the world; a message moved by a task has one once it was seen.
    pub(crate) message_ids: Vec<Option<MessageId>>,
    pub(crate) handles: Vec<(Handle, ReceiptHandle)>,
    /// One message of each handle.
    pub(crate) messages: Vec<Message>,
    /// Receivers that wait, in the order in which they came.
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) listening: Option<Listening>,
    pub(crate) setting: Setting,
    pub(crate) ways: Ways,
    pub(crate) shape: Shape,
    #[cfg(feature = "journal")]
    pub(crate) directory: Option<crate::directory::Directory>,
    /// Whether all that is due is done.
    pub(crate) looked: bool,
    /// Whether more fell due at once than one step does, and nothing was asked since.
    pub(crate) much_due: bool,
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
        $result.map_err(|error| $crate::compare::Fault {
            code: error.code(),
            text: error.to_string(),
        })
    };
}
pub(crate) use faulty;

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
    #[cfg(feature = "testing")]
    pub(crate) fn new(shape: &Shape) -> Self {
        Self::with(shape, Setting::default(), Ways::default())
    }

    pub(crate) fn with(shape: &Shape, setting: Setting, ways: Ways) -> Self {
        let listening = setting.listener.then(Listening::default);
        let clock = ManualClock::default();
        let (service, queues) = if shape.redrives {
            let service = service_builder(shape, setting, listening.as_ref(), &clock).build();
            let queues = queues_of_a_service(shape, &service);
            (Some(service), queues)
        } else {
            (None, queues_alone(shape, setting, listening.as_ref(), &clock))
        };
        Self::of(shape, setting, ways, clock, listening, (service, queues))
    }

    pub(crate) fn of(
        shape: &Shape,
        setting: Setting,
        ways: Ways,
        clock: ManualClock,
        listening: Option<Listening>,
        (service, queues): (Option<Service>, Vec<Queue>),
    ) -> Self {
        let mut limits = shape.limits.clone();
        match setting.budget {
            Budget::None => {}
            Budget::Messages(most) => limits.stored_messages = most,
            Budget::Bytes(most) => limits.stored_bytes = most,
        }
        Self {
            world: World::with_limits(clock.now().as_millis(), &shape.setups, limits),
            clock,
            sequence_numbers: vec![BTreeMap::new(); queues.len()],
            service,
            queues,
            message_ids: Vec::new(),
            handles: Vec::new(),
            messages: Vec::new(),
            waiters: Vec::new(),
            listening,
            setting,
            ways,
            shape: shape.clone(),
            #[cfg(feature = "journal")]
            directory: None,
            looked: true,
            much_due: false,
        }
    }

    /// Takes one step on both sides and compares the answers and then everything that can be seen.
    pub(crate) fn step(&mut self, step: &Step) -> Same {
        if matches!(
            step,
            Step::SetAttributes { .. } | Step::SetRedrive { .. } | Step::MoveTask { .. } | Step::Clock(Move::Back(_))
        ) {
            // What is due and not done happens under the new settings, and an instant that nobody saw has not been.
            self.look_at_all()?;
        }
        self.count_step(step);
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
            Step::Burst { queue, messages } => self.burst(*queue, *messages)?,
            Step::Delete { handle } => {
                if let Some((queue, handle, real)) = self.pick(*handle) {
                    let answer = match self.by_value(ways::DELETE, queue, handle) {
                        Some(message) => faulty!(message.delete()),
                        None => faulty!(self.queues[queue].delete(&real)),
                    };
                    both(answer, self.world.delete(queue, handle))?;
                }
            }
            Step::DeleteBatch { handles, ids } => self.delete_batch(handles, *ids)?,
            Step::DeleteById { queue, back } => self.delete_by_id(*queue, back)?,
            Step::ChangeVisibility { handle, timeout } => {
                if let Some((queue, handle, real)) = self.pick(*handle) {
                    let way = if *timeout == 0 { "to zero" } else { "to later" };
                    self.ways.reach(ways::CHANGE_VISIBILITY, way);
                    let answer = match self.by_value(ways::CHANGE_VISIBILITY, queue, handle) {
                        Some(message) => faulty!(message.change_visibility(span(*timeout))),
                        None => faulty!(self.queues[queue].change_visibility(&real, span(*timeout))),
                    };
                    both(answer, self.world.change_visibility(queue, handle, *timeout))?;
                }
            }
            Step::ChangeVisibilityBatch { handles, ids } => {
                self.change_visibility_batch(handles, *ids)?;
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
            #[cfg(feature = "journal")]
            Step::Reopen(ending) => self.reopen(*ending)?,
            Step::Clock(to) => {
                self.move_clock(*to);
                if self.setting.blind {
                    self.looked = false;
                    return Ok(());
                }
            }
        }
        self.much_due = false;
        self.serve()?;
        self.look_at_all()
    }

    fn look_at_all(&mut self) -> Same {
        (0..self.queues.len()).try_for_each(|queue| self.look(queue))?;
        self.looked = true;
        Ok(())
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
        let now = self.clock.now().as_millis();
        let is_due = |it: &Stored| match it.phase {
            StoredPhase::Delayed { until } | StoredPhase::InFlight { until } if until <= now => true,
            _ => it.expires_at <= now,
        };
        self.much_due = self.world.snapshot(0).iter().filter(|it| is_due(it)).count() > DUE_AT_ONCE;
        self.world.set_clock(now);
    }

    fn send(&mut self, queue: usize, draft: &Draft) -> Same {
        let answer = self.answer_of_send(queue, draft);
        let model = self.world.send(queue, draft);
        self.count_draft(ways::SEND, queue, draft, &model);
        match both(answer, model)? {
            Some((real, model)) => self.sent(queue, real.message_id, real.sequence_number, model),
            None => Ok(()),
        }
    }

    fn answer_of_send(&self, queue: usize, draft: &Draft) -> Result<requeue::Sent, Fault> {
        let queue = &self.queues[queue];
        if !self.setting.sends_wait {
            return faulty!(queue.send(outgoing(draft)));
        }
        let sends = pin!(queue.send_timeout_async(outgoing(draft), span(SECOND)));
        match sends.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => {
                if answer.is_ok() && self.setting.budget != Budget::None {
                    self.ways.reach(ways::SEND, "that has capacity at once");
                }
                faulty!(answer)
            }
            Poll::Pending => {
                self.ways.reach(ways::SEND, "that waits for capacity");
                Err(Fault {
                    code: "OverLimit",
                    text: String::new(),
                })
            }
        }
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

    pub(crate) fn received(&mut self, queue: usize, real: &Message, model: &Received) -> Same {
        same("body", real.body(), &model.body)?;
        let attribute = real.attributes().get(ATTRIBUTE).and_then(|it| it.string_value());
        same("attribute", attribute, model.attribute.as_deref())?;
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
            self.messages.push(real.clone());
        }
        Ok(())
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
        let waiting = self.waiters.iter().filter(|it| it.queue == queue).count();
        same("waiting", self.queues[queue].waiting(), waiting)?;
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
                body: real.content.body().to_string(),
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
                message_group_id: real.content.group_id().map(str::to_owned),
                sent_at: real.sent_timestamp.as_millis(),
                receive_count: real.approximate_receive_count,
                expires_at: real.expires_at.as_millis(),
                blocked: real.blocked,
            };
            self.sequence(queue, model.serial, real.sequence_number)?;
            same(&format!("message in queue {queue}"), stored, model)?;
        }
        let ids: BTreeSet<MessageId> = ids.into_iter().collect();
        self.look_at_facts(queue, &ids)
    }
}
