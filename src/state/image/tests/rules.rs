//! Single rules of images.

use {
    super::{
        super::{
            MessageImage, PhaseImage, QueueHeader, QueueImage, Recorded, RememberedSend, RestoreError, ServiceHeader,
            ServiceImage, TaskImage,
        },
        world::{FAILED, JOBS, limits},
    },
    crate::{
        attributes::{DeduplicationScope, QueueSettings},
        message::{MessageId, SendMessage},
        state::{
            Departure, Effects, MoveTask, MoveTaskStatus, Next, QueueState, ReceiveRequest, StaleDelete,
            fact::{Fact, Origin},
            record::Receipt,
        },
        time::Timestamp,
    },
    std::{sync::Arc, time::Duration},
};

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A queue with a log of its own, of which each call appends its facts.
pub(super) struct Logged {
    number: u64,
    pub(super) state: QueueState,
    out: Effects,
    pub(super) log: Vec<(u64, Recorded)>,
}

impl Logged {
    pub(super) fn new(number: u64, fifo: bool) -> Self {
        let limits = limits();
        let settings = if fifo {
            QueueSettings::fifo(&limits)
        } else {
            QueueSettings::standard(&limits)
        };
        let mut state = QueueState::new(settings, Arc::new(limits), StaleDelete::Delete, 1, 0);
        state.set_number(number);
        let header = Recorded::Queue(state.header("jobs"));
        Self {
            number,
            state,
            out: Effects::new(true),
            log: vec![(number, header)],
        }
    }

    pub(super) fn logged<T>(&mut self, step: impl FnOnce(&mut QueueState, &mut Effects) -> T) -> T {
        let answer = step(&mut self.state, &mut self.out);
        let facts = self.out.take_facts().into_iter();
        self.log.extend(facts.map(|entry| (self.number, Recorded::Fact(entry))));
        answer
    }

    pub(super) fn send(&mut self, now: Timestamp, id: u128) {
        let message = SendMessage::new("x").message_group_id("group");
        let content = message.message_deduplication_id(id.to_string()).content;
        self.logged(|state, out| state.send(now, MessageId::from_random(id), content, None, out));
    }

    pub(super) fn receive(&mut self, now: Timestamp, attempt_id: Option<&Arc<str>>) -> Vec<Receipt> {
        let request = ReceiveRequest {
            max_messages: 10,
            max_messages_per_group: usize::MAX,
            visibility_timeout: None,
            long_poll: false,
            chance: 0,
            attempt_id,
            redrive: false,
        };
        self.logged(|state, out| {
            let mut receipts = Vec::new();
            let mut deliver = |slot, record: &crate::state::record::Record, _| receipts.push(record.receipt(slot));
            state.receive(now, &request, out, &mut deliver).unwrap();
            receipts
        })
    }

    pub(super) fn image(&self) -> ServiceImage {
        image_of(&self.log)
    }

    pub(super) fn restored(&self, now: Timestamp) -> QueueState {
        restore(self.image().queues.remove(&self.number).unwrap(), now).unwrap()
    }
}

fn image_of(log: &[(u64, Recorded)]) -> ServiceImage {
    let mut image = ServiceImage::new(&limits());
    for (number, recorded) in log {
        image.apply(*number, recorded.clone());
    }
    image.finish();
    image
}

pub(super) fn restore(image: QueueImage, now: Timestamp) -> Result<QueueState, RestoreError> {
    QueueState::restore(image, Arc::new(limits()), StaleDelete::Delete, 1, 0, now)
}

fn header(fifo: bool) -> QueueHeader {
    Logged::new(JOBS, fifo).state.header("jobs")
}

fn message(slot: u32, sequence: u64) -> MessageImage {
    MessageImage {
        slot,
        sequence,
        message_id: MessageId::from_random(sequence.into()),
        content: SendMessage::new("x").message_group_id("group").content,
        retention_base: at(0),
        phase: PhaseImage::Visible { since: sequence + 1 },
        first_received_at: Timestamp::ZERO,
        received_at: Timestamp::ZERO,
        receive_count: 0,
        reception: 0,
    }
}

fn queue_of(fifo: bool, messages: impl IntoIterator<Item = MessageImage>) -> QueueImage {
    let mut image = ServiceImage::new(&limits());
    image.apply(JOBS, Recorded::Queue(header(fifo)));
    for message in messages {
        image.apply(JOBS, Recorded::Message(message));
    }
    image.queues.remove(&JOBS).unwrap()
}

#[test]
fn a_repeated_receive_attempt_begins_its_reception_anew() {
    // F32 D26
    let mut queue = Logged::new(JOBS, true);
    let attempt: Arc<str> = "attempt".into();
    queue.send(at(0), 1);
    let first = queue.receive(at(0), Some(&attempt));
    let again = queue.receive(at(6_000), Some(&attempt));
    assert_eq!(first, again);
    let last = queue.log.last();
    assert!(matches!(last, Some((_, Recorded::Fact(it))) if matches!(it.fact, Fact::ReceivedAgain { .. })));
    let mut restored = queue.restored(at(6_000));
    assert_eq!(restored.snapshot(at(6_000)), queue.state.snapshot(at(6_000)));
    // The longest reception is 12 s here, and counts from the repeat.
    let mut out = Effects::default();
    let [allowed, beyond] = [18_000, 18_001].map(|until| at(until).saturating_duration_since(at(6_000)));
    assert!(
        restored
            .change_visibility(at(6_000), again[0], beyond, &mut out)
            .is_err()
    );
    assert!(
        restored
            .change_visibility(at(6_000), again[0], allowed, &mut out)
            .is_ok()
    );
}

#[test]
fn a_message_that_moves_is_in_one_queue_after_each_entry() {
    // L17
    let mut jobs = Logged::new(JOBS, false);
    let mut failed = Logged::new(FAILED, false);
    jobs.send(at(0), 1);
    let departure: Departure = jobs.logged(|state, out| {
        state.depart_oldest(at(1), out);
        out.departures.pop().unwrap()
    });
    assert!(jobs.state.is_under_way(departure.slot, departure.sequence));
    let arn = "arn".into();
    failed.logged(|state, out| state.arrive_dead_letter(at(1), &departure, &arn, out));
    let mut log = [jobs.log.clone(), failed.log.clone()].concat();
    let Some((FAILED, Recorded::Fact(arrived))) = log.last() else {
        panic!("another entry is the last");
    };
    assert_eq!(
        arrived.origin,
        Some(Origin {
            queue: JOBS,
            sequence: departure.sequence
        })
    );
    let stored = |log: &[(u64, Recorded)]| {
        let image = image_of(log);
        [JOBS, FAILED].map(|queue| image.queues[&queue].messages.len())
    };
    assert_eq!(stored(&log), [0, 1]);
    assert_eq!(stored(&log[..log.len() - 1]), [1, 0]);
    jobs.logged(|state, out| state.departed(at(1), &departure, out));
    log.push(jobs.log.pop().unwrap());
    assert_eq!(stored(&log), [0, 1]);
}

#[test]
fn what_came_in_by_a_move_counts_its_task_on() {
    // L27
    let task = |status, moved| TaskImage {
        id: MessageId::from_random(7),
        destination: Some((JOBS, "jobs".into())),
        rate: std::num::NonZeroU32::new(1),
        to_move: 3,
        started_at: at(1_000),
        moved,
        status,
        failure: None,
    };
    let mut jobs = Logged::new(JOBS, false);
    let mut failed = Logged::new(FAILED, false);
    failed.send(at(0), 1);
    failed
        .log
        .push((FAILED, Recorded::Task(task(MoveTaskStatus::Running, 4))));
    let departure = failed.logged(|state, out| {
        state.depart_oldest(at(1_000), out);
        out.departures.pop().unwrap()
    });
    jobs.logged(|state, out| state.arrive_by_move(at(1_000), &departure, MessageId::from_random(2), out));
    let image = image_of(&[failed.log.clone(), jobs.log.clone()].concat());
    let stored = &image.queues[&FAILED].tasks[0];
    assert_eq!(*stored, task(MoveTaskStatus::Running, 5));
    let mut machine = MoveTask::restore(stored, seconds(90), at(5_000));
    assert_eq!((machine.moved(), machine.started_at()), (5, at(1_000)));
    assert_eq!(machine.next(at(5_000)), Next::WaitUntil(at(6_000)), "5 moves took 5 s");
    failed
        .log
        .push((FAILED, Recorded::Task(task(MoveTaskStatus::Completed, 4))));
    let image = image_of(&[failed.log, jobs.log].concat());
    assert_eq!(image.queues[&FAILED].tasks, [task(MoveTaskStatus::Completed, 4)]);
}

#[test]
fn the_newest_tasks_are_kept_in_the_order_of_their_starts() {
    let task = |id, started_at| TaskImage {
        id: MessageId::from_random(id),
        destination: None,
        rate: None,
        to_move: 0,
        started_at: at(started_at),
        moved: 0,
        status: MoveTaskStatus::Completed,
        failure: None,
    };
    let mut image = ServiceImage::new(&limits());
    image.apply(JOBS, Recorded::Queue(header(false)));
    for (id, started_at) in [(2, 20), (1, 10), (3, 30), (1, 10)] {
        image.apply(JOBS, Recorded::Task(task(id, started_at)));
    }
    assert_eq!(image.queues[&JOBS].tasks, [task(2, 20), task(3, 30)]);
}

#[test]
fn a_deleted_queue_is_gone_and_its_name_is_noted() {
    // Q37
    let mut queue = Logged::new(JOBS, false);
    queue.send(at(0), 1);
    drop(queue.logged(|state, out| state.end(at(5), out)));
    queue
        .log
        .push((JOBS, Recorded::Tags([("k".into(), "v".into())].into())));
    let image = queue.image();
    assert!(image.queues.is_empty(), "also what is said of it later");
    assert_eq!(image.deleted, [("jobs".to_owned(), at(5))].into());
    assert_eq!(image.latest, at(5));
}

#[test]
fn what_the_service_says_of_itself_is_read() {
    let service = ServiceHeader {
        region: "eu-west-1".into(),
        account_id: "123456789012".into(),
        seed: 3,
        created: 4,
        started: 5,
    };
    let opened = Recorded::Opened { epoch: 9, at: at(0) };
    let tags = Recorded::Tags([("k".into(), "v".into())].into());
    let image = image_of(&[
        (0, Recorded::Service(service.clone())),
        (0, opened),
        (JOBS, tags),
        (JOBS, Recorded::Queue(header(false))),
    ]);
    assert_eq!((image.header, image.epoch), (Some(service), 9));
    assert_eq!(image.queues[&JOBS].tags["k"], "v");
}

#[test]
fn a_send_is_remembered_although_the_header_comes_later() {
    // F9
    for fifo in [false, true] {
        let mut queue = Logged::new(JOBS, fifo);
        queue.send(at(0), 1);
        let header = queue.log.remove(0);
        queue.log.push(header);
        let remembered = &queue.image().queues[&JOBS].remembered;
        assert_eq!(remembered.len(), usize::from(fifo));
        if fifo {
            assert_eq!(queue.state.remembered(0).as_ref(), remembered.get(&0));
        }
    }
}

#[test]
fn a_carried_send_of_a_former_scope_is_remembered_with_the_others() {
    // F10 F16
    let send = |group: &str, sequence| RememberedSend {
        group: group.into(),
        deduplication_id: "id".into(),
        message_id: MessageId::from_random(sequence),
        sequence: sequence as u64,
        forgotten_at: at(20_000),
    };
    let mut image = ServiceImage::new(&limits());
    let mut header = header(true);
    header.settings.deduplication_scope = DeduplicationScope::Queue;
    header.scope_change = Some((DeduplicationScope::MessageGroup, at(7_000)));
    header.next_sequence = 10;
    image.apply(JOBS, Recorded::Queue(header.clone()));
    for (group, sequence) in [("b", 2), ("a", 1)] {
        image.apply(JOBS, Recorded::Remembered(send(group, sequence)));
    }
    let queue = image.queues.remove(&JOBS).unwrap();
    let remembered = queue.remembered.clone();
    let mut state = restore(queue, at(1_000)).unwrap();
    assert_eq!(state.header("jobs").scope_change, header.scope_change);
    let known = |state: &QueueState, group: &str| state.is_repeated(&group.into(), &"id".into());
    assert_eq!(["a", "b", "c"].map(|group| known(&state, group)), [true, true, false]);
    assert_eq!(
        [0, 1, 2, 3].map(|sequence| state.remembered(sequence)),
        [None, Some(send("a", 1)), Some(send("b", 2)), None]
    );
    state.advance(at(7_000), &mut Effects::default());
    assert!(known(&state, "c"), "the new scope acts");
    assert_eq!(state.remembered(1), Some(send("a", 1)), "it is found no more, but kept");
    state.advance(at(20_000), &mut Effects::default());
    assert_eq!(state.remembered(1), None);
    let queue = QueueImage {
        header: Some(header),
        remembered,
        ..QueueImage::default()
    };
    let later = restore(queue, at(8_000)).unwrap();
    let original = later.deduplication.original(at(8_000), &"c".into(), &"id".into());
    assert_eq!(original.map(|it| it.sequence), Some(2), "the latest of them");
}

#[test]
fn an_image_that_cannot_be_is_refused() {
    let refused = |image| restore(image, at(0)).map(|state| state.len()).unwrap_err();
    assert_eq!(refused(QueueImage::default()), RestoreError::NoHeader);
    let taken = refused(queue_of(false, [message(3, 1), message(3, 2)]));
    assert!(
        matches!(taken, RestoreError::SlotTaken { slot: 3, sequence, other } if [sequence, other].iter().sum::<u64>() == 3)
    );
    for (slot, sequence, limit) in [(16, 15, 15), (u32::MAX, 1 << 40, (1 << 28) - 1)] {
        let error = refused(queue_of(false, [message(slot, sequence)]));
        assert_eq!(error, RestoreError::SlotBeyond { slot, sequence, limit });
    }
    assert_eq!(
        RestoreError::SlotBeyond {
            slot: 16,
            sequence: 15,
            limit: 15
        }
        .to_string(),
        "message 15 is in slot 16, and 15 is the highest that it can be in"
    );
    let hidden = MessageImage {
        phase: PhaseImage::Visible { since: 0 },
        ..message(0, 7)
    };
    assert_eq!(
        refused(queue_of(true, [hidden])),
        RestoreError::NeverVisible { sequence: 7 }
    );
    let count = u64::MAX - 1;
    assert_eq!(
        refused(queue_of(true, [message(0, count)])),
        RestoreError::CountBeyond { count }
    );
    let highest = message(15, 15);
    assert_eq!(restore(queue_of(true, [highest]), at(0)).unwrap().len(), 1);
}

#[test]
fn a_message_that_left_in_the_meantime_is_not_carried() {
    let mut queue = Logged::new(JOBS, true);
    queue.send(at(0), 1);
    queue.send(at(0), 2);
    let receipts = queue.receive(at(0), None);
    queue
        .logged(|state, out| state.delete(at(1), receipts[0], out))
        .unwrap();
    queue.send(at(2), 3);
    let carried = |slot, sequence| queue.state.carried(slot, sequence).map(|it| it.sequence);
    assert_eq!(carried(receipts[0].slot, 0), None, "another message is in its slot");
    assert_eq!(carried(receipts[0].slot, 2), Some(2));
    assert_eq!(carried(receipts[1].slot, 1), Some(1));
    assert!(!queue.state.is_under_way(receipts[1].slot, 1));
}

#[test]
fn a_queue_that_is_behind_is_so_after_its_restart() {
    // D41
    let mut queue = Logged::new(JOBS, false);
    queue.state.due_at_once = 1;
    queue.send(at(0), 1);
    queue.send(at(0), 2);
    queue.receive(at(0), None);
    queue.logged(|state, out| state.advance(at(60_000), out));
    assert!(queue.state.is_behind());
    let mut restored = queue.restored(at(60_000));
    assert!(restored.is_behind());
    restored.advance(at(60_000), &mut Effects::default());
    assert!(!restored.is_behind() && restored.counts().visible == 2);
}

#[test]
fn the_counters_go_on_although_nothing_is_stored() {
    // F37
    let mut queue = Logged::new(JOBS, true);
    queue.send(at(0), 1);
    queue.send(at(0), 2);
    for receipt in queue.receive(at(0), None) {
        queue.logged(|state, out| state.delete(at(1), receipt, out)).unwrap();
    }
    let restored = queue.restored(at(1));
    assert_eq!(restored.header("jobs"), queue.state.header("jobs"));
    assert_eq!((restored.next_sequence, restored.became_visible), (2, 2));
}

#[test]
fn the_bytes_stored_grow_and_shrink_with_what_would_be_carried() {
    let mut queue = Logged::new(JOBS, true);
    assert_eq!(queue.state.stored_bytes(), 0);
    for id in 0..100 {
        queue.send(at(0), id);
    }
    let full = queue.state.stored_bytes();
    assert!((100 * 120..100 * 200).contains(&full), "{full} bytes");
    drop(queue.logged(|state, out| state.purge(at(1), out)).unwrap());
    assert_eq!(queue.state.stored_bytes(), 0);
}

/// The work of opening is linear in what is stored.
#[test]
fn a_large_queue_is_restored_in_its_order() {
    let count = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    for fifo in [false, true] {
        let messages = (0..count).rev().map(|sequence| MessageImage {
            // Each slot is somewhere else in its block of a thousand.
            slot: (sequence - sequence % 1_000 + (sequence * 7) % 1_000) as u32,
            content: SendMessage::new("x")
                .message_group_id((sequence % 5_000).to_string())
                .content,
            phase: match sequence % 4 {
                0 => PhaseImage::InFlight {
                    until: at(1_000 + sequence * 31 % 977),
                    since: sequence + 1,
                    changed: false,
                },
                1 => PhaseImage::Delayed {
                    from: at(10),
                    until: at(900_000),
                },
                _ => PhaseImage::Visible { since: sequence + 1 },
            },
            ..message(0, sequence + 1_000)
        });
        let image = queue_of(fifo, messages);
        let state = restore(image, at(10)).unwrap();
        let sequences = state.snapshot(at(10)).messages.len() as u64;
        assert_eq!(sequences, count);
        let counts = state.counts();
        let quarter = count as usize / 4;
        assert_eq!(
            (counts.visible, counts.delayed, counts.in_flight),
            (2 * quarter, quarter, quarter)
        );
    }
}
