//! The assertions of `testing::assertions` pass where they should, and fail with the part of the timeline they are about.

use {
    crate::common::*,
    requeue::{
        Clock, ManualClock, Message, Parker, Queue, QueueAttributes, Service, StartMessageMoveTask,
        testing::assertions::Recorder,
    },
    std::{
        panic::{AssertUnwindSafe, catch_unwind},
        thread,
        time::Duration,
    },
};

/// The text of the panic; its lines without their indentation.
#[track_caller]
fn failure(assertion: impl FnOnce()) -> Vec<String> {
    let payload = catch_unwind(AssertUnwindSafe(assertion)).expect_err("the assertion fails");
    let text = payload.downcast_ref::<String>().expect("a formatted text");
    text.lines().map(|line| line.trim().to_owned()).collect()
}

struct Scene {
    clock: ManualClock,
    recorder: Recorder,
    jobs: Queue,
    dead: Queue,
}

/// `jobs` with `dead` behind it, after two receives.
fn scene() -> Scene {
    let (clock, recorder) = (ManualClock::default(), Recorder::new());
    let dead = Queue::standard("dead").clock(clock.clone()).listener(recorder.clone());
    let dead = dead.build().unwrap();
    let jobs = standard(&clock).listener(recorder.clone()).dead_letter(&dead, 2);
    let jobs = jobs.build().unwrap();
    Scene {
        clock,
        recorder,
        jobs,
        dead,
    }
}

fn fifo_scene() -> Scene {
    let (clock, recorder) = (ManualClock::default(), Recorder::new());
    let dead = Queue::fifo("dead.fifo").clock(clock.clone()).build().unwrap();
    let jobs = fifo(&clock).listener(recorder.clone()).dead_letter(&dead, 2);
    let jobs = jobs.build().unwrap();
    Scene {
        clock,
        recorder,
        jobs,
        dead,
    }
}

fn delete_all(messages: Vec<Message>) {
    for message in messages {
        message.delete().unwrap();
    }
}

// Eventually empty.

#[test]
fn a_queue_whose_consumer_retries_is_eventually_empty() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    jobs.send("m").unwrap();
    let (mut receives, start) = (0, clock.now());
    recorder.assert_eventually_empty(&jobs, &clock, secs(90), || {
        for message in receive(&jobs, 10) {
            receives += 1;
            if receives == 2 {
                message.delete().unwrap();
            }
        }
    });
    assert_eq!((receives, clock.now()), (2, start.saturating_add(VISIBILITY)));
}

#[test]
fn a_consumer_in_a_thread_of_its_own_empties_the_queue() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    let consumer = thread::spawn({
        let jobs = jobs.clone();
        move || delete_all(jobs.receive().wait_time(secs(20)).blocking().unwrap())
    });
    clock.wait_for_sleepers(1);
    jobs.send(requeue::SendMessage::new("m").delay(secs(5))).unwrap();
    let mut consumer = Some(consumer);
    recorder.assert_eventually_empty(&jobs, &clock, secs(6), || {
        if jobs.counts().in_flight > 0 {
            consumer
                .take()
                .into_iter()
                .for_each(|consumer| consumer.join().unwrap());
        }
    });
}

#[test]
fn a_consumer_that_sleeps_on_the_clock_is_waited_for() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    let (sleeper, wake) = (clock.clone(), clock.now().saturating_add(secs(3)));
    let consumer = thread::spawn({
        let jobs = jobs.clone();
        move || {
            let parker = Parker::new();
            sleeper.park_until(&parker, Some(wake));
            delete_all(receive(&jobs, 1));
        }
    });
    clock.wait_for_sleepers(1);
    jobs.send("m").unwrap();
    recorder.assert_eventually_empty(&jobs, &clock, secs(90), || {});
    assert_eq!(clock.now(), wake);
    consumer.join().unwrap();
}

#[test]
fn a_queue_that_is_not_empty_in_time_tells_what_is_left() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    for body in ["a", "b", "c"] {
        jobs.send(body).unwrap();
    }
    take(&jobs).delete().unwrap();
    let consume = || drop(receive(&jobs, 1));
    let text = failure(|| recorder.assert_eventually_empty(&jobs, &clock, secs(10), consume));
    let expected = [
        r#"jobs is not empty after 10s: m2 "b" is in flight until 0:30.000 after 1 receive; m3 "c" is in flight until 0:30.000 after 1 receive"#,
        r#"0:00.000  jobs  m2 sent "b""#,
        r#"0:00.000  jobs  m3 sent "c""#,
        "0:00.000  jobs  m2 received, receive 1, hidden until 0:30.000",
        "0:00.000  jobs  m3 received, receive 1, hidden until 0:30.000",
        "0:00.000  jobs  a receive found nothing",
        "0:10.000  jobs  a receive found nothing",
    ];
    assert_eq!(text, expected);
}

#[test]
fn a_consumer_that_takes_one_message_at_a_time_is_called_while_there_are_more() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    for body in ["a", "b", "c"] {
        jobs.send(body).unwrap();
    }
    recorder.assert_eventually_empty(&jobs, &clock, Duration::ZERO, || delete_all(receive(&jobs, 1)));
    jobs.send("d").unwrap();
    let text = failure(|| {
        recorder.assert_eventually_empty(&jobs, &clock, Duration::ZERO, || {
            drop(receive_for(&jobs, 1, Duration::ZERO));
        });
    });
    assert_eq!(
        text[0],
        r#"jobs is not empty after 0ns: m4 "d" is visible after 1 receive"#
    );
}

#[test]
fn the_assertion_looks_at_the_end_of_its_time_and_not_beyond() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    let until_second = |second: u64| {
        let consume = || {
            if jobs.snapshot().at == message.sent_timestamp().saturating_add(secs(30)) {
                delete_all(receive(&jobs, 1));
            }
        };
        recorder.assert_eventually_empty(&jobs, &clock, secs(second), consume);
    };
    assert_eq!(failure(|| until_second(29)).len(), 3);
    until_second(1);
    recorder.assert_eventually_empty(&jobs, &clock, Duration::ZERO, || {});
}

#[test]
fn only_the_first_five_messages_left_are_told() {
    let Scene {
        clock, recorder, jobs, ..
    } = fifo_scene();
    send_grouped(&jobs, ["g-1", "g-2", "g-3", "g-4", "g-5", "g-6", "g-7"]);
    take(&jobs);
    let text = failure(|| recorder.assert_eventually_empty(&jobs, &clock, Duration::ZERO, || {}));
    assert!(
        text[0].contains(r#"m2 "g-2" is blocked by its group after 0 receives"#),
        "{}",
        text[0]
    );
    assert!(text[0].ends_with("after 0 receives; and 2 more"), "{}", text[0]);
}

// Dead letters.

#[test]
fn a_dead_letter_is_one_after_its_receives() {
    let Scene {
        clock,
        recorder,
        jobs,
        dead,
    } = scene();
    let poison = jobs.send("poison").unwrap().message_id;
    recorder.assert_nothing_dead_lettered();
    for _ in 0..3 {
        receive(&jobs, 1);
        clock.advance(VISIBILITY);
    }
    recorder.assert_dead_lettered(poison, 2);
    take(&dead).delete().unwrap();
    recorder.assert_all_deleted();
    recorder.assert_nothing_lost();

    let timeline = [
        r#"0:00.000  jobs  m1 sent "poison""#,
        "0:00.000  jobs  m1 received, receive 1, hidden until 0:30.000",
        "0:30.000  jobs  m1 visible again",
        "0:30.000  jobs  m1 received, receive 2, hidden until 1:00.000",
        "1:00.000  jobs  m1 visible again",
        r#"1:00.000  dead  m1 arrived as a dead letter, "poison""#,
        "1:00.000  jobs  m1 dead-lettered after 2 receives",
        "1:30.000  dead  m1 received, receive 3, hidden until 2:00.000",
        "1:30.000  dead  m1 deleted",
    ];
    failure(|| recorder.assert_dead_lettered(poison, 1));
    let text = failure(|| recorder.assert_dead_lettered(poison, 3));
    assert_eq!(text[0], "m1 was dead-lettered after 2 receives, not 3");
    assert_eq!(text[1..], timeline);
    let text = failure(|| recorder.assert_nothing_dead_lettered());
    assert_eq!(text[0], "m1 was dead-lettered in jobs at 1:00.000 after 2 receives");
    let own: Vec<&str> = timeline.into_iter().filter(|line| line.contains("jobs")).collect();
    assert_eq!(text[1..], own);
}

#[test]
fn a_message_that_is_no_dead_letter_tells_what_became_of_it() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    let [done, waiting] = ["done", "waiting"].map(|body| jobs.send(body).unwrap().message_id);
    clock.advance(millis(1_500));
    take(&jobs).delete().unwrap();
    let text = failure(|| recorder.assert_dead_lettered(done, 2));
    assert_eq!(
        text[0],
        "m1 was not dead-lettered: it was deleted in jobs at 0:01.500 after 1 receive"
    );
    assert_eq!(text.last().unwrap(), "0:01.500  jobs  m1 deleted");
    let text = failure(|| recorder.assert_dead_lettered(waiting, 2));
    assert_eq!(
        text[0],
        "m2 was not dead-lettered: it is still in jobs after 0 receives"
    );
    let other = standard(&clock)
        .seed(9)
        .build()
        .unwrap()
        .send("other")
        .unwrap()
        .message_id;
    let text = failure(|| recorder.assert_dead_lettered(other, 2));
    assert_eq!(
        text[0],
        format!("message {other} was not dead-lettered: no recorded queue has seen it")
    );
}

// Receives.

#[test]
fn receives_are_counted_for_each_message_and_queue() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    let [once, twice] = ["once", "twice"].map(|body| jobs.send(body).unwrap().message_id);
    take(&jobs).delete().unwrap();
    take(&jobs);
    clock.advance(VISIBILITY);
    take(&jobs);
    recorder.assert_received_at_most(once, 1);
    recorder.assert_received_at_most(twice, 2);
    recorder.assert_each_received_at_most(2);
    let expected = [
        "m2 was received 2 times from jobs, at most 1 allowed",
        r#"0:00.000  jobs  m2 sent "twice""#,
        "0:00.000  jobs  m2 received, receive 1, hidden until 0:30.000",
        "0:30.000  jobs  m2 visible again",
        "0:30.000  jobs  m2 received, receive 2, hidden until 1:00.000",
    ];
    assert_eq!(failure(|| recorder.assert_received_at_most(twice, 1)), expected);
    assert_eq!(failure(|| recorder.assert_each_received_at_most(1)), expected);
    let text = failure(|| recorder.assert_received_at_most(once, 0));
    assert_eq!(text[0], "m1 was received 1 time from jobs, at most 0 allowed");
}

// The order of a group.

#[test]
fn a_group_whose_messages_are_deleted_in_order_is_in_order() {
    let Scene {
        clock, recorder, jobs, ..
    } = fifo_scene();
    send_grouped(&jobs, ["g-1", "h-1", "g-2", "g-3"]);
    let mut messages = receive(&jobs, 10);
    messages.sort_by_key(|message| message.body() == "h-1"); // groups do not wait for each other
    delete_all(messages);
    recorder.assert_group_order("g");
    recorder.assert_group_order("h");

    send_grouped(&jobs, ["p-1", "p-2"]);
    take(&jobs);
    clock.advance(VISIBILITY);
    take(&jobs);
    clock.advance(VISIBILITY);
    delete_all(receive(&jobs, 1)); // p-1 is a dead letter
    recorder.assert_group_order("p");
}

#[test]
fn a_message_that_left_unreceived_or_rests_in_another_queue_holds_up_none() {
    let Scene {
        clock,
        recorder,
        jobs,
        dead,
    } = scene();
    let short = QueueAttributes::new().message_retention_period(secs(60));
    jobs.set_attributes(short).unwrap();
    dead.send(in_group("g", "elsewhere")).unwrap();
    jobs.send(in_group("g", "late")).unwrap();
    clock.advance(secs(30));
    jobs.send(in_group("g", "next")).unwrap();
    clock.advance(secs(30));
    take(&jobs).delete().unwrap();
    recorder.assert_group_order("g");
}

#[test]
fn a_group_whose_messages_are_deleted_out_of_order_is_told() {
    let Scene { recorder, jobs, .. } = fifo_scene();
    send_grouped(&jobs, ["h-1", "g-1", "g-2"]);
    let messages = receive(&jobs, 10);
    messages[2].delete().unwrap();
    let text = failure(|| recorder.assert_group_order("g"));
    let expected = [
        "m3 was deleted before m2, which is earlier in group g",
        r#"0:00.000  jobs.fifo  m2 sent "g-1" in group g"#,
        r#"0:00.000  jobs.fifo  m3 sent "g-2" in group g"#,
        "0:00.000  jobs.fifo  m2 received, receive 1, hidden until 0:30.000",
        "0:00.000  jobs.fifo  m3 received, receive 1, hidden until 0:30.000",
        "0:00.000  jobs.fifo  m3 deleted",
    ];
    assert_eq!(text, expected);
    messages[1].delete().unwrap();
    assert_eq!(failure(|| recorder.assert_group_order("g"))[0], expected[0]);
    recorder.assert_group_order("h");
    let text = failure(|| recorder.assert_group_order("i"));
    assert_eq!(text[0], "no recorded queue has seen a message of group i");
}

#[test]
fn a_standard_queue_that_serves_a_group_out_of_order_is_told() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    jobs.send(in_group("g", "late").delay(secs(1))).unwrap();
    jobs.send(in_group("g", "early")).unwrap();
    take(&jobs);
    clock.advance(secs(1));
    let text = failure(|| recorder.assert_group_order("g"));
    assert_eq!(text[0], "m2 was received before m1, which is earlier in group g");
    assert_eq!(
        text[1],
        r#"0:00.000  jobs  m1 sent "late" in group g, delayed until 0:01.000"#
    );
}

// Nothing lost.

#[test]
fn a_message_that_expires_or_is_purged_is_lost() {
    let Scene {
        clock, recorder, jobs, ..
    } = scene();
    let short = QueueAttributes::new().message_retention_period(secs(60));
    jobs.set_attributes(short).unwrap();
    jobs.send("done").unwrap();
    take(&jobs).delete().unwrap();
    recorder.assert_nothing_lost();
    recorder.assert_all_deleted();

    jobs.send("late").unwrap();
    recorder.assert_nothing_lost();
    let text = failure(|| recorder.assert_all_deleted());
    assert_eq!(
        text[0],
        "m2 was not deleted by a consumer: it is still in jobs after 0 receives"
    );
    clock.advance(secs(60));
    receive(&jobs, 1);
    let expected = [
        "m2 expired in jobs at 1:00.000 after 0 receives",
        r#"0:00.000  jobs  m2 sent "late""#,
        "1:00.000  jobs  m2 expired",
    ];
    assert_eq!(failure(|| recorder.assert_nothing_lost()), expected);
}

#[test]
fn a_purge_and_the_end_of_a_queue_lose_what_they_end_and_nothing_else() {
    for ending in ["purged, 1 message", "queue deleted"] {
        let Scene {
            recorder, jobs, dead, ..
        } = scene();
        jobs.send("done").unwrap();
        take(&jobs).delete().unwrap();
        dead.send("elsewhere").unwrap();
        jobs.send("gone").unwrap();
        if ending.starts_with("purged") {
            jobs.purge().unwrap();
        } else {
            jobs.delete_queue().unwrap();
        }
        let text = failure(|| recorder.assert_nothing_lost());
        assert!(text[0].starts_with("m3 was "), "{text:?}");
        assert_eq!(
            text[1..],
            [
                r#"0:00.000  jobs  m3 sent "gone""#.to_owned(),
                format!("0:00.000  jobs  {ending}")
            ]
        );
    }
}

#[test]
fn a_message_moved_by_a_task_is_followed() {
    let (clock, recorder) = (ManualClock::default(), Recorder::new());
    let service = Service::builder()
        .clock(clock.clone())
        .listener(recorder.clone())
        .build();
    let dead = service.create_queue("dead", QueueAttributes::new()).unwrap();
    let redrive = requeue::RedrivePolicy::new(dead.arn(), 1);
    let jobs = QueueAttributes::new().redrive_policy(redrive);
    let jobs = service.create_queue("jobs", jobs).unwrap();
    jobs.send("m").unwrap();
    take_for(&jobs, Duration::ZERO);
    assert!(receive(&jobs, 1).is_empty());
    let task = StartMessageMoveTask::new(dead.arn());
    service.start_message_move_task(&task).unwrap();
    clock.advance(secs(1));
    let text = failure(|| recorder.assert_all_deleted());
    assert_eq!(
        text[0],
        "m2 was not deleted by a consumer: it is still in jobs after 0 receives"
    );
    take(&jobs).delete().unwrap();
    recorder.assert_all_deleted();
    recorder.assert_nothing_lost();
}

// The timeline.

#[test]
fn a_long_timeline_is_cut_in_the_middle() {
    let Scene { recorder, jobs, .. } = scene();
    for number in 1..=100 {
        jobs.send(format!("m{number}")).unwrap();
    }
    let lines: Vec<String> = recorder.timeline().to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 40);
    assert!(lines[19].ends_with(r#"m20 sent "m20""#), "{}", lines[19]);
    assert_eq!(lines[20].trim(), "...  61 lines left out");
    assert!(lines[21].ends_with(r#"m82 sent "m82""#), "{}", lines[21]);
    assert!(lines[39].ends_with(r#"m100 sent "m100""#), "{}", lines[39]);
}

#[test]
fn every_fact_has_a_line() {
    let Scene {
        clock, recorder, jobs, ..
    } = fifo_scene();
    jobs.set_attributes(QueueAttributes::new().delay(secs(1))).unwrap();
    send_grouped(&jobs, ["g-1", "g-1"]);
    receive(&jobs, 1);
    clock.advance(secs(1));
    let message = take(&jobs);
    message.change_visibility(secs(5)).unwrap();
    message.report_failure("no\nsuch file");
    message.report_failure("x".repeat(81));
    message.delete().unwrap();
    message.delete().unwrap();
    jobs.send(in_group("g", &"\n".repeat(40))).unwrap();
    jobs.purge().unwrap();
    jobs.delete_queue().unwrap();
    let text = recorder.timeline().to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split_once("jobs.fifo  ").unwrap().1)
        .collect();
    let cut = format!("m2 sent \"{}\".. in group g, delayed until 0:02.000", "\\n".repeat(30));
    let cut_reason = format!("m1 reported as failed, \"{}\"..", "x".repeat(80));
    let expected = [
        "settings changed",
        "m1 sent \"g-1\" in group g, delayed until 0:01.000",
        "m1 sent again, a duplicate",
        "a receive found nothing",
        "m1 visible, its delay ended",
        "m1 received, receive 1, hidden until 0:31.000",
        "m1 hidden until 0:06.000",
        "m1 reported as failed, \"no\\nsuch file\"",
        &cut_reason,
        "m1 deleted",
        "a message that was gone was deleted again",
        &cut,
        "purged, 1 message",
        "queue deleted",
    ];
    assert_eq!(lines, expected);
}
