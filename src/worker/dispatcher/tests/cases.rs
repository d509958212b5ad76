//! What random steps seldom meet.

use super::{
    steps::{Limits, WINDOW},
    *,
};

const SETUP: Setup = Setup {
    concurrency: 1,
    prefetch: 0,
    fifo: false,
    batch: None,
    end: End::Never,
    give_back_after: 0,
    limits: Limits::NONE,
    heartbeat: true,
    handler_timeout: None,
    on_demand: false,
};

impl Model {
    fn take_all(&mut self, steps: impl IntoIterator<Item = Step>) {
        steps.into_iter().for_each(|step| self.take(step));
    }

    /// Answers the short poll that is under way.
    fn answer_short_poll(&mut self, messages: usize) {
        let receives = self.drivers.values().filter_map(|it| match &it.0 {
            Driver::Receiving(receive, ..) => Some(receive.wait_time()),
            _ => None,
        });
        let nth = receives.into_iter().position(|wait_time| wait_time.is_zero());
        self.take(received(nth.unwrap(), messages));
    }

    /// How many are parked with a timer for this instant, or without one.
    fn parked_until(&self, end: Option<Timestamp>) -> usize {
        self.count_of(|it| matches!(it, Driver::Parked(at) if *at == end))
    }
}

fn received(nth: usize, messages: usize) -> Step {
    Step::Answer {
        nth,
        groups: Some(vec![0; messages]),
    }
}

#[test]
fn the_last_worker_to_end_wakes_the_renewer() {
    let mut model = Model::new(Setup {
        concurrency: 2,
        ..SETUP
    });
    let (dispatcher, now) = (&mut model.dispatcher, model.now);
    dispatcher.stop(now, None);
    assert!(matches!(
        dispatcher.next_renewer_task(now, Waker::noop()),
        RenewerTask::Sleep(_)
    ));
    for worker in [0, 1] {
        assert!(matches!(dispatcher.next(worker, now), Some(Task::End)));
    }
    assert!(dispatcher.worker_ended(0, Some(now)).is_empty(), "there is one more");
    assert_eq!(dispatcher.worker_ended(1, Some(now)).len(), 1);
    assert!(matches!(
        dispatcher.next_renewer_task(now, Waker::noop()),
        RenewerTask::Over
    ));
}

#[test]
fn a_count_that_was_begun_before_a_message_came_ends_nothing() {
    let mut model = Model::new(Setup {
        concurrency: 2,
        end: End::NoneLeft,
        ..SETUP
    });
    let finish = Step::Finish { nth: 0, left_out: 0 };
    let count = |total| Step::Count {
        nth: 0,
        total,
        approximate: false,
    };
    model.take_all([Step::Settle, count(1), Step::Settle, received(0, 1), Step::Settle]);
    model.take_all([finish.clone(), Step::Settle]);
    assert_eq!(model.dispatcher.polls, 2);
    model.take_all([received(1, 0), received(0, 1), finish]);
    assert!(model.dispatcher.counting);
    model.take_all([count(0), Step::Settle]);
    assert!(!model.stopped, "a message came and was done meanwhile");
}

#[test]
fn a_worker_that_ends_leaves_no_incomplete_batch_unwatched() {
    let mut model = Model::new(Setup {
        concurrency: 5,
        prefetch: 8,
        batch: Some(BatchSettings::new(2).window(WINDOW)),
        ..SETUP
    });
    // One works, one makes a long poll that the window does not bound, and one parks before the batch begins.
    model.take_all([Step::Settle, received(0, 2), Step::Settle]);
    model.answer_short_poll(1);
    model.take(Step::Settle);
    model.answer_short_poll(0);
    model.take(Step::Settle);
    assert_eq!(model.parked_until(None), 2);
    model.take_all([Step::SetConcurrency { concurrency: 3 }, Step::Settle]);
    let end = model.now.saturating_add(WINDOW);
    assert_eq!((model.drivers.len(), model.parked_until(Some(end))), (3, 1));
}

#[test]
fn a_batch_that_is_received_during_a_pause_is_watched_when_it_is_over() {
    let mut model = Model::new(Setup {
        concurrency: 4,
        prefetch: 30,
        batch: Some(BatchSettings::new(2).window(WINDOW)),
        ..SETUP
    });
    // One works, and a long poll that the window does not bound is under way, with two short ones.
    model.take_all([Step::Settle, received(0, 2), Step::Settle]);
    assert_eq!(model.dispatcher.polls, 3);
    model.take(Step::Pause);
    model.answer_short_poll(1);
    model.answer_short_poll(0);
    model.take(Step::Settle);
    assert_eq!(model.parked_until(None), 2);
    model.take_all([Step::Resume, Step::Settle]);
    let end = model.now.saturating_add(WINDOW);
    assert_eq!(model.parked_until(Some(end)), 1);
}

#[test]
fn a_message_given_back_is_received_again_though_the_queue_was_empty_meanwhile() {
    let mut model = Model::new(Setup {
        concurrency: 2,
        end: End::NoneVisible,
        ..SETUP
    });
    let lose = Step::LoseLease { nth: 1 };
    model.take_all([
        Step::Settle,
        received(0, 2),
        lose,
        Step::Settle,
        received(0, 0),
        Step::Settle,
    ]);
    assert_eq!((model.dispatcher.polls, model.parked_until(None)), (0, 1));
    model.take_all([Step::GiveBack, Step::Settle]);
    assert_eq!(model.dispatcher.polls, 1);
}

#[test]
fn a_job_that_its_group_holds_back_once_another_began_is_put_off_though_nobody_has_a_task() {
    let mut model = Model::new(Setup {
        concurrency: 3,
        batch: Some(BatchSettings::new(2).window(WINDOW)),
        limits: Limits {
            rate: Some((1, 2)),
            group_concurrency: Some(1),
            ..Limits::NONE
        },
        ..SETUP
    });
    let answer = |groups| Step::Answer { nth: 0, groups };
    model.take_all([
        Step::Settle,
        answer(Some(vec![2, 2])),
        answer(None),
        Step::Pass {
            seconds: WINDOW.as_secs(),
        },
        Step::Settle,
    ]);
    assert_eq!(model.count_of(|it| matches!(it, Driver::Working(_))), 1);
    model.end();
}
