//! Two queues under random steps, with a log of their facts.

use {
    super::super::{QueueImage, Recorded, ServiceImage, TaskImage},
    crate::{
        attributes::{DeduplicationScope, QueueSettings, RedrivePolicy},
        limits::Limits,
        message::{MessageId, SendMessage},
        state::{
            Delivery, Departure, Effects, FactEntry, MoveOutcome, MoveTask, Next, QueueState, ReceiveRequest,
            StaleDelete,
            effects::Cause,
            fact::{Fact, Place},
            queue::Refusal,
            record::Receipt,
        },
        time::Timestamp,
    },
    proptest::prelude::*,
    std::{sync::Arc, time::Duration},
};

/// The number of the first queue, whose dead letters go to the second or, as the step says, to itself.
pub(super) const JOBS: u64 = 1;
/// The number of the second queue.
pub(super) const FAILED: u64 = 2;

const NAMES: [&str; 2] = ["jobs", "failed"];

#[derive(Clone, Debug)]
pub(super) enum Step {
    Send {
        queue: u64,
        group: u8,
        id: u8,
        delay: u8,
    },
    /// What is received too often goes where `target` says.
    Receive {
        queue: u64,
        max: usize,
        timeout: Option<u8>,
        target: Target,
    },
    Delete {
        queue: u64,
        nth: usize,
    },
    /// One of what was ever sent to any queue.
    DeleteById {
        queue: u64,
        nth: usize,
    },
    ChangeVisibility {
        queue: u64,
        nth: usize,
        timeout: u8,
    },
    Release {
        queue: u64,
        nth: usize,
    },
    Postpone {
        queue: u64,
        nth: usize,
        delay: u8,
    },
    GiveUp {
        queue: u64,
        nth: usize,
        target: Target,
    },
    /// A move from the second queue to the first.
    Move {
        refused: bool,
    },
    StartTask,
    CancelTask,
    Purge {
        queue: u64,
    },
    Settings {
        queue: u64,
        delay: u8,
        retention: u8,
        scope: bool,
        timeout: u8,
    },
    Pass {
        millis: u64,
    },
}

/// Who takes a dead letter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    Other,
    Itself,
    Nobody,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let queue = || prop_oneof![4 => Just(JOBS), 1 => Just(FAILED)];
    let nth = || 0_usize..40;
    let target = || prop_oneof![3 => Just(Target::Other), 1 => Just(Target::Itself), 1 => Just(Target::Nobody)];
    prop_oneof![
        10 => (queue(), 0_u8..3, 0_u8..6, 0_u8..4)
            .prop_map(|(queue, group, id, delay)| Step::Send { queue, group, id, delay }),
        9 => (queue(), 1_usize..5, prop::option::of(0_u8..6), target())
            .prop_map(|(queue, max, timeout, target)| Step::Receive { queue, max, timeout, target }),
        3 => (queue(), nth()).prop_map(|(queue, nth)| Step::Delete { queue, nth }),
        1 => (queue(), nth()).prop_map(|(queue, nth)| Step::DeleteById { queue, nth }),
        3 => (queue(), nth(), 0_u8..9)
            .prop_map(|(queue, nth, timeout)| Step::ChangeVisibility { queue, nth, timeout }),
        2 => (queue(), nth()).prop_map(|(queue, nth)| Step::Release { queue, nth }),
        2 => (queue(), nth(), 0_u8..6).prop_map(|(queue, nth, delay)| Step::Postpone { queue, nth, delay }),
        2 => (queue(), nth(), target()).prop_map(|(queue, nth, target)| Step::GiveUp { queue, nth, target }),
        2 => any::<bool>().prop_map(|refused| Step::Move { refused }),
        1 => Just(Step::StartTask),
        1 => Just(Step::CancelTask),
        1 => queue().prop_map(|queue| Step::Purge { queue }),
        1 => (queue(), 0_u8..4, 0_u8..60, any::<bool>(), 1_u8..9).prop_map(
            |(queue, delay, retention, scope, timeout)| Step::Settings { queue, delay, retention, scope, timeout }
        ),
        5 => (0_u64..4_000).prop_map(|millis| Step::Pass { millis }),
        1 => (0_u64..60_000).prop_map(|millis| Step::Pass { millis }),
    ]
}

fn seconds(seconds: u8) -> Duration {
    Duration::from_secs(seconds.into())
}

pub(super) fn limits() -> Limits {
    let mut limits = Limits::aws();
    limits.purge_interval = seconds(5);
    limits.deduplication_interval = seconds(20);
    limits.deduplication_scope_change_delay = seconds(7);
    limits.visibility_timeout = seconds(12);
    limits.in_flight_fifo = 6;
    limits.in_flight_standard = 6;
    limits.list_move_task_results = 2;
    // Processing times are not in an image.
    limits.noisy_share = 1.0;
    limits
}

/// What a step answered, as both a queue and its replica answer: without slots, which are theirs.
pub(super) type Answers = Vec<String>;

pub(super) struct World {
    pub(super) queues: [QueueState; 2],
    outs: [Effects; 2],
    receipts: [Vec<Receipt>; 2],
    pub(super) task: Option<(MoveTask, TaskImage)>,
    pub(super) now: Timestamp,
    sent: u128,
    moved: u128,
    tasks: u128,
    pub(super) log: Vec<(u64, Recorded)>,
    answers: Answers,
}

impl World {
    pub(super) fn new(fifo: bool, shards: usize, stale_delete: StaleDelete, at_once: usize) -> Self {
        let limits = Arc::new(limits());
        let mut log = Vec::new();
        let queues = [JOBS, FAILED].map(|number| {
            let mut settings = if fifo {
                QueueSettings::fifo(&limits)
            } else {
                QueueSettings::standard(&limits)
            };
            settings.message_retention_period = seconds(60);
            settings.visibility_timeout = seconds(3);
            settings.created_timestamp = Timestamp::from_millis(1_000);
            settings.redrive_policy = Some(RedrivePolicy::new("arn:aws:sqs:us-east-1:000000000000:failed", 2));
            let mut state = QueueState::new(settings, Arc::clone(&limits), stale_delete, shards, 7);
            state.set_number(number);
            state.due_at_once = at_once;
            log.push((number, Recorded::Queue(state.header(NAMES[number as usize - 1]))));
            state
        });
        Self {
            queues,
            outs: [Effects::new(true), Effects::new(true)],
            receipts: [Vec::new(), Vec::new()],
            task: None,
            now: Timestamp::from_millis(1_000),
            sent: 0,
            moved: 1_000_000,
            tasks: 2_000_000,
            log,
            answers: Vec::new(),
        }
    }

    pub(super) fn image(&self) -> ServiceImage {
        let mut image = ServiceImage::new(&limits());
        for (number, recorded) in &self.log {
            image.apply(*number, recorded.clone());
        }
        image.finish();
        image
    }

    /// The same world, built from the log.
    pub(super) fn replica(&self, shards: usize, stale_delete: StaleDelete) -> Self {
        let mut image = self.image();
        let task = self.task.as_ref().map(|(machine, started)| {
            let stored = image.queues[&FAILED].tasks.iter().find(|it| it.id == started.id);
            let stored = stored.expect("the task is in the image").clone();
            assert_eq!(
                (stored.moved, stored.status),
                (machine.moved(), machine.status()),
                "the task of the image stands elsewhere"
            );
            (MoveTask::restore(&stored, LONGEST, self.now), stored)
        });
        let queues = [JOBS, FAILED].map(|number| {
            let image = image.queues.remove(&number).expect("the queue is in the image");
            let real = &self.queues[number as usize - 1];
            let mut queue = restore(image, shards, stale_delete, real.now);
            queue.set_number(number);
            queue.due_at_once = real.due_at_once;
            queue
        });
        Self {
            queues,
            outs: [Effects::new(true), Effects::new(true)],
            receipts: self.receipts.clone(),
            task,
            log: Vec::new(),
            answers: Vec::new(),
            ..*self
        }
    }

    /// Carries forward what still counts of the first entries, and drops those.
    pub(super) fn compact(&mut self, count: usize) {
        let dropped: Vec<(u64, Recorded)> = self.log.drain(..count.min(self.log.len())).collect();
        for (number, recorded) in dropped {
            self.carry(number, &recorded);
        }
    }

    fn carry(&mut self, number: u64, recorded: &Recorded) {
        let Some(state) = self.queues.get((number as usize).wrapping_sub(1)) else {
            return self.log.push((number, recorded.clone()));
        };
        let (place, sent) = match recorded {
            Recorded::Fact(entry) => (Some(entry.place), matches!(entry.fact, Fact::Sent { .. })),
            Recorded::Message(message) => {
                let place = Place::hidden(message.slot, message.sequence);
                (Some(place), false)
            }
            Recorded::Remembered(send) => (Some(Place::hidden(u32::MAX, send.sequence)), true),
            Recorded::Queue(_) => {
                let header = state.header(NAMES[number as usize - 1]);
                return self.log.push((number, Recorded::Queue(header)));
            }
            Recorded::Task(task) => {
                // A service carries the tasks that it lists.
                let listed = self.tasks - 1..=self.tasks;
                if !listed
                    .into_iter()
                    .any(|number| task.id == MessageId::from_random(number))
                {
                    return;
                }
                let current = self.task.as_ref().filter(|(_, it)| it.id == task.id);
                let task = current.map_or_else(|| task.clone(), |(machine, task)| stand(machine, task));
                return self.log.push((number, Recorded::Task(task)));
            }
            _ => (None, false),
        };
        let Some(place) = place else { return };
        let remembered = state.remembered(place.sequence).filter(|_| sent);
        let message = state.carried(place.slot, place.sequence);
        self.log
            .extend(message.map(|message| (number, Recorded::Message(message))));
        self.log
            .extend(remembered.map(|send| (number, Recorded::Remembered(send))));
    }

    /// Takes a step, and says what was answered and which facts there were.
    pub(super) fn take(&mut self, step: &Step) -> Answers {
        match *step {
            Step::Send {
                queue,
                group,
                id,
                delay,
            } => self.send(queue, group, id, delay),
            Step::Receive {
                queue,
                max,
                timeout,
                target,
            } => self.receive(queue, max, timeout, target),
            Step::Delete { queue, nth } => self.settle(queue, nth, QueueState::delete),
            Step::DeleteById { queue, nth } => {
                let index = queue as usize - 1;
                let (state, out) = (&mut self.queues[index], &mut self.outs[index]);
                let id = MessageId::from_random(self.sent.saturating_sub(nth as u128 / 2));
                let slots = state.slots();
                let deleted = state.delete_by_id(self.now, &[id], slots, out);
                self.answers.push(format!("deleted {deleted}"));
                self.record(queue);
            }
            Step::ChangeVisibility { queue, nth, timeout } => self.settle(queue, nth, |state, now, receipt, out| {
                state.change_visibility(now, receipt, seconds(timeout), out)
            }),
            Step::Release { queue, nth } => self.settle(queue, nth, QueueState::release),
            Step::Postpone { queue, nth, delay } => self.settle(queue, nth, |state, now, receipt, out| {
                state.postpone(now, receipt, seconds(delay), out)
            }),
            Step::GiveUp { queue, nth, target } => {
                self.settle(queue, nth, |state, now, receipt, out| {
                    state.dead_letter(now, receipt, "poison".into(), out)
                });
                self.depart(queue, target);
            }
            Step::Move { refused } => self.move_one(refused),
            Step::StartTask => self.start_task(),
            Step::CancelTask => {
                if let Some((machine, task)) = &mut self.task {
                    if machine.cancel().is_some() {
                        let task = stand(machine, task);
                        self.log.push((FAILED, Recorded::Task(task)));
                    }
                }
            }
            Step::Purge { queue } => {
                let index = queue as usize - 1;
                let purged = self.queues[index].purge(self.now, &mut self.outs[index]);
                self.answers.push(format!("purged {}", purged.is_ok()));
                self.record(queue);
            }
            Step::Settings {
                queue,
                delay,
                retention,
                scope,
                timeout,
            } => self.settings(queue, [delay, retention, timeout], scope),
            Step::Pass { millis } => {
                self.now = self.now.saturating_add(Duration::from_millis(millis));
                for index in 0..2 {
                    self.queues[index].advance(self.now, &mut self.outs[index]);
                    self.record(index as u64 + 1);
                }
            }
        }
        std::mem::take(&mut self.answers)
    }

    fn send(&mut self, queue: u64, group: u8, id: u8, delay: u8) {
        let index = queue as usize - 1;
        self.sent += 1;
        let mut message = SendMessage::new("x".repeat(usize::from(id) * 3));
        let fifo = self.queues[index].is_fifo();
        if fifo || group > 0 {
            message = message.message_group_id(format!("group-{group}"));
        }
        if fifo {
            message = message.message_deduplication_id(format!("{}{id}", "id".repeat(usize::from(id) * 5)));
        }
        let delay = (delay > 1).then(|| seconds(delay));
        let id = MessageId::from_random(self.sent);
        let sent = self.queues[index].send(self.now, id, message.content, delay, &mut self.outs[index]);
        self.answers.push(format!("{sent:?}"));
        self.record(queue);
    }

    fn receive(&mut self, queue: u64, max: usize, timeout: Option<u8>, target: Target) {
        let index = queue as usize - 1;
        let request = ReceiveRequest {
            max_messages: max,
            max_messages_per_group: usize::MAX,
            visibility_timeout: timeout.map(seconds),
            long_poll: max % 2 == 0,
            chance: max as u64 * 7_919,
            attempt_id: None,
            redrive: true,
        };
        let mut received: Vec<Delivery> = Vec::new();
        let answer =
            self.queues[index].receive(self.now, &request, &mut self.outs[index], &mut |slot, record, until| {
                received.push(Delivery::new(slot, record, until));
            });
        self.answers.push(format!("{answer:?}"));
        for delivery in received {
            self.receipts[index].push(delivery.receipt);
            let slot = 0;
            let receipt = Receipt {
                slot,
                ..delivery.receipt
            };
            self.answers.push(format!("{:?}", Delivery { receipt, ..delivery }));
        }
        self.record(queue);
        self.depart(queue, target);
    }

    fn settle(
        &mut self,
        queue: u64,
        nth: usize,
        settle: impl FnOnce(&mut QueueState, Timestamp, Receipt, &mut Effects) -> Result<(), Refusal>,
    ) {
        let index = queue as usize - 1;
        let receipts = &self.receipts[index];
        // The latest are those that matter most.
        if let Some(receipt) = receipts.len().checked_sub(nth / 2 + 1).map(|place| receipts[place]) {
            let answer = settle(&mut self.queues[index], self.now, receipt, &mut self.outs[index]);
            let issued = self.queues[index].has_issued(receipt);
            self.answers.push(format!("{answer:?} {issued}"));
        }
        self.record(queue);
    }

    /// Answers the departures of a queue.
    fn depart(&mut self, queue: u64, target: Target) {
        let (index, other) = (queue as usize - 1, 2 - queue as usize);
        let arn: Arc<str> = format!("arn:{queue}").into();
        for departure in std::mem::take(&mut self.outs[index].departures) {
            match target {
                Target::Other => {
                    self.queues[other].arrive_dead_letter(self.now, &departure, &arn, &mut self.outs[other]);
                    self.record(other as u64 + 1);
                    self.queues[index].departed(self.now, &departure, &mut self.outs[index]);
                }
                Target::Itself => {
                    self.queues[index].dead_letter_to_itself(self.now, &departure, &arn, &mut self.outs[index]);
                }
                Target::Nobody => {
                    self.queues[index].departure_refused(self.now, &departure, &mut self.outs[index]);
                }
            }
            self.record(queue);
        }
    }

    /// One message of the second queue, by a task if one is under way.
    fn move_one(&mut self, refused: bool) {
        let next = self.task.as_mut().map(|(machine, _)| machine.next(self.now));
        self.answers.push(format!("{next:?}"));
        if next != Some(Next::Move) {
            return self.record_task();
        }
        self.queues[1].depart_oldest(self.now, &mut self.outs[1]);
        self.record(FAILED);
        let departure = self.outs[1].departures.pop();
        let outcome = departure.map_or(MoveOutcome::NothingVisible, |departure| {
            self.carry_out(&departure, refused)
        });
        if let Some((machine, _)) = &mut self.task {
            machine.settle(outcome);
        }
        self.record_task();
    }

    /// A task that is over is recorded as it stands.
    fn record_task(&mut self) {
        let over = self.task.as_ref().filter(|(machine, _)| !machine.is_active());
        if let Some((machine, task)) = over {
            let task = stand(machine, task);
            self.log.push((FAILED, Recorded::Task(task)));
        }
    }

    fn carry_out(&mut self, departure: &Departure, refused: bool) -> MoveOutcome {
        assert_eq!(departure.cause, Cause::MoveTask);
        if refused {
            self.queues[1].departure_refused(self.now, departure, &mut self.outs[1]);
            self.record(FAILED);
            return MoveOutcome::NothingVisible;
        }
        self.moved += 1;
        let id = MessageId::from_random(self.moved);
        self.queues[0].arrive_by_move(self.now, departure, id, &mut self.outs[0]);
        self.record(JOBS);
        self.queues[1].departed(self.now, departure, &mut self.outs[1]);
        self.record(FAILED);
        MoveOutcome::Moved { more_visible: true }
    }

    fn start_task(&mut self) {
        if self.task.as_ref().is_some_and(|(machine, _)| machine.is_active()) {
            return;
        }
        self.tasks += 1;
        let machine = MoveTask::start(self.now, None, LONGEST);
        let task = TaskImage {
            id: MessageId::from_random(self.tasks),
            destination: Some((JOBS, "jobs".into())),
            rate: None,
            to_move: self.queues[1].counts().visible as u64,
            started_at: self.now,
            moved: 0,
            status: machine.status(),
            failure: None,
        };
        self.log.push((FAILED, Recorded::Task(task.clone())));
        self.task = Some((machine, task));
    }

    fn settings(&mut self, queue: u64, [delay, retention, timeout]: [u8; 3], scope: bool) {
        let index = queue as usize - 1;
        let mut settings = self.queues[index].settings().clone();
        settings.delay = seconds(delay / 2);
        settings.visibility_timeout = seconds(timeout);
        settings.message_retention_period = seconds(10 + retention);
        settings.deduplication_scope =
            [DeduplicationScope::Queue, DeduplicationScope::MessageGroup][usize::from(scope)];
        self.queues[index].replace_settings(self.now, settings, &mut self.outs[index]);
        self.record(queue);
    }

    /// Appends the facts of a queue to the log, and to the answers without slots.
    fn record(&mut self, queue: u64) {
        let facts = std::mem::take(&mut self.outs[queue as usize - 1].facts);
        for entry in facts {
            let FactEntry {
                at,
                fact,
                place,
                origin,
                ..
            } = &entry;
            let (sequence, since) = (place.sequence, place.since > 0);
            self.answers
                .push(format!("{queue} {at} {sequence} {since} {origin:?} {fact:?}"));
            self.log.push((queue, Recorded::Fact(entry)));
        }
    }
}

/// How long a task may run.
const LONGEST: Duration = Duration::from_secs(90);

/// A task as it stands.
fn stand(machine: &MoveTask, task: &TaskImage) -> TaskImage {
    TaskImage {
        moved: machine.moved(),
        status: machine.status(),
        failure: machine.failure(),
        ..task.clone()
    }
}

pub(super) fn restore(image: QueueImage, shards: usize, stale_delete: StaleDelete, now: Timestamp) -> QueueState {
    QueueState::restore(image, Arc::new(limits()), stale_delete, shards, 7, now).expect("the image is one of a queue")
}
