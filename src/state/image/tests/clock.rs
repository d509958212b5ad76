//! A clock that was set back or was ahead between two openings.

use {
    super::{
        super::{PhaseImage, Recorded, RememberedSend, ServiceImage},
        rules::{Logged, at, restore, seconds},
        world::{FAILED, JOBS, World, limits, step},
    },
    crate::{
        state::{MessagePhase, MoveOutcome, MoveTask, MoveTaskStatus, Next, StaleDelete, TaskImage},
        time::Timestamp,
    },
    proptest::prelude::*,
    std::time::Duration,
};

const START: Timestamp = Timestamp::from_millis(4_000_000_000);
const BACK: Duration = seconds(3_600);

fn after(millis: u64) -> Timestamp {
    START.saturating_add(Duration::from_millis(millis))
}

fn opened(epoch: u64, at: Timestamp) -> (u64, Recorded) {
    (0, Recorded::Opened { epoch, at })
}

#[test]
fn a_clock_set_back_shows_hidden_messages_earlier_and_changes_nothing_else() {
    for fifo in [false, true] {
        let mut queue = Logged::new(JOBS, fifo);
        for id in 0..3 {
            queue.send(START, id);
        }
        queue.receive(after(10), None);
        queue.send(after(20), 4);
        let arn = "arn".into();
        let mut source = Logged::new(FAILED, fifo);
        source.send(START, 5);
        let departure = source.logged(|state, out| {
            state.depart_oldest(after(30), out);
            out.departures.pop().unwrap()
        });
        queue.logged(|state, out| state.arrive_dead_letter(after(30), &departure, &arn, out));
        let now = after(30).saturating_sub(BACK);
        queue.log.push(opened(2, now));
        let (mut real, restored) = (queue.state.snapshot(after(30)), queue.restored(now).snapshot(now));
        real.at = now;
        for message in &mut real.messages {
            if let MessagePhase::InFlight { until } = &mut message.phase {
                *until = until.saturating_sub(BACK);
            }
        }
        assert_eq!(restored, real);
        assert_eq!(queue.image().latest, now);
    }
}

#[test]
fn a_clock_that_is_ahead_for_one_opening_forgets_no_send_of_before() {
    // F9
    let mut queue = Logged::new(JOBS, true);
    queue.send(START, 1);
    queue.log.push(opened(2, after(1_000_000)));
    queue.send(after(1_000_000), 2);
    queue.log.push(opened(3, after(1_000)));
    let restored = queue.restored(after(1_000));
    let forgotten_at = [0, 1].map(|sequence| restored.remembered(sequence).map(|send| send.forgotten_at));
    assert_eq!(forgotten_at, [Some(after(20_000)), Some(after(21_000))]);
}

#[test]
fn a_send_from_a_clock_ahead_is_forgotten_no_later_than_those_that_came_after_it() {
    // F9
    let mut queue = Logged::new(JOBS, true);
    queue.send(after(1_000_000), 1);
    let mut image = queue.image();
    let jobs = image.queues.get_mut(&JOBS).unwrap();
    let send = |sequence: u64, millis: u64| RememberedSend {
        sequence,
        deduplication_id: (*sequence.to_string()).into(),
        forgotten_at: after(millis),
        ..jobs.remembered[&0].clone()
    };
    let more = [send(1, 12_000), send(2, 1_000_000), send(3, 9_000), send(4, 22_000)];
    jobs.remembered.extend(more.map(|send| (send.sequence, send)));
    let restored = restore(image.queues.remove(&JOBS).unwrap(), after(10_000)).unwrap();
    let forgotten_at: [_; 5] = std::array::from_fn(|it| restored.remembered(it as u64).map(|send| send.forgotten_at));
    let expected = [Some(12_000), Some(12_000), None, None, Some(22_000)];
    assert_eq!(forgotten_at, expected.map(|millis| millis.map(after)));
}

#[test]
fn nothing_that_a_clock_ahead_began_is_held_up_for_longer_than_from_now_on() {
    let mut queue = Logged::new(JOBS, true);
    queue.send(after(500_000), 1);
    queue.receive(after(500_000), None);
    drop(queue.logged(|state, out| state.purge(after(500_000), out)).unwrap());
    queue.send(after(500_000), 2);
    queue.receive(after(500_000), None);
    let mut settings = queue.state.settings().clone();
    settings.deduplication_scope = crate::attributes::DeduplicationScope::MessageGroup;
    queue.logged(|state, out| state.replace_settings(after(500_000), settings, out));
    queue.log.push(opened(2, START));
    let state = queue.restored(START);
    assert_eq!(state.purged_at(), Some(START));
    assert_eq!(state.deduplication.scope_change().unwrap().1, after(7_000));
    let carried = state.carried(queue.state.records.iter().next().unwrap().0, 1).unwrap();
    assert_eq!(carried.received_at, START);
    assert_eq!(carried.retention_base, after(500_000));
}

#[test]
fn a_delay_of_a_fifo_queue_is_no_longer_because_the_clock_was_set_back() {
    // D35
    let mut queue = Logged::new(JOBS, true);
    let mut settings = queue.state.settings().clone();
    settings.delay = seconds(10);
    queue.logged(|state, out| state.replace_settings(START, settings, out));
    queue.send(START, 1);
    let now = START.saturating_sub(BACK);
    queue.log.push(opened(2, now));
    let later = now.saturating_add(seconds(10));
    assert_eq!(queue.restored(now).next_deadline(), Some(later));
    queue.log.push(opened(3, now.saturating_add(seconds(4))));
    assert_eq!(
        queue.restored(now.saturating_add(seconds(4))).next_deadline(),
        Some(later)
    );
}

#[test]
fn a_move_task_goes_on_at_its_rate_whatever_the_clock_says() {
    let task = |status| TaskImage {
        id: crate::message::MessageId::from_random(1),
        destination: None,
        rate: std::num::NonZeroU32::new(2),
        to_move: 100,
        started_at: START,
        moved: 40,
        status,
        failure: None,
    };
    let now = START.saturating_sub(BACK);
    let mut running = MoveTask::restore(&task(MoveTaskStatus::Running), seconds(1_000), now);
    assert_eq!(
        running.next(now),
        Next::WaitUntil(now.saturating_add(Duration::from_millis(501)))
    );
    let on_time = MoveTask::restore(&task(MoveTaskStatus::Running), seconds(1_000), after(19_500));
    assert_eq!(on_time.started_at(), START);
    let mut late = MoveTask::restore(&task(MoveTaskStatus::Running), seconds(1_000), after(60_000));
    assert_eq!(late.next(after(60_000)), Next::Move);
    late.settle(MoveOutcome::Moved { more_visible: true });
    assert_eq!(late.next(after(60_000)), Next::WaitUntil(after(60_500)));
    let completed = MoveTask::restore(&task(MoveTaskStatus::Completed), seconds(1_000), now);
    assert_eq!(completed.started_at(), START);
}

/// What an image says, with the messages that are hidden as if they were not.
fn uncovered(image: &ServiceImage) -> String {
    let queues = image.queues.values().map(|queue| {
        let messages = queue.messages.values().cloned().map(|mut message| {
            if !matches!(message.phase, PhaseImage::Visible { .. }) {
                message.phase = PhaseImage::Visible { since: 0 };
            }
            message
        });
        let messages: Vec<_> = messages.collect();
        format!(
            "{:?} {messages:?} {:?} {:?}",
            queue.header, queue.remembered, queue.tasks
        )
    });
    queues.collect()
}

fn hidden_until(image: &ServiceImage) -> Vec<(u64, u64, Timestamp)> {
    let of = |(number, queue): (&u64, &super::super::QueueImage)| {
        let number = *number;
        let until = queue.messages.values().map(move |message| match message.phase {
            PhaseImage::Visible { .. } => (number, message.sequence, Timestamp::ZERO),
            PhaseImage::Delayed { until, .. } | PhaseImage::InFlight { until, .. } => (number, message.sequence, until),
        });
        until.collect::<Vec<_>>()
    };
    image.queues.iter().flat_map(of).collect()
}

proptest! {
    #[test]
    fn whatever_the_clock_says_at_openings_nothing_is_lost_and_nothing_is_hidden_longer(
        fifo in any::<bool>(),
        steps in prop::collection::vec(step(), 1..40),
        clocks in prop::collection::vec(0_u64..200_000, 1..6),
    ) {
        let mut world = World::new(fifo, 1, StaleDelete::Delete, 128);
        for step in &steps {
            world.take(step);
        }
        let (mut image, right) = (world.image(), world.image());
        for (epoch, now) in (1..).zip(clocks) {
            let before = hidden_until(&image);
            image.apply(0, Recorded::Opened { epoch, at: at(now) });
            prop_assert_eq!(image.latest, at(now));
            let longest = at(now).saturating_add(limits().visibility_timeout);
            for (before, (.., until)) in before.iter().zip(hidden_until(&image)) {
                prop_assert!(until <= before.2 && until <= longest.max(at(1_000)));
            }
        }
        prop_assert_eq!(uncovered(&image), uncovered(&right));
    }
}
